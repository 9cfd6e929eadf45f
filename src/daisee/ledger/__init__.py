"""The contracts as Python objects: the coin, the exchange, what a home says to them, and what they say back."""
