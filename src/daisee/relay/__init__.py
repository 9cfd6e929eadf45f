"""Switches the energy source of a load: boards with channels, and groups that close at most one of them."""
