"""DAISEE: neighbours share energy, measured in each home and settled on a ledger that the homes run together."""

__version__ = "0.1.0"
