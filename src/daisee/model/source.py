"""The sources that can feed a load: the home's own, the public grid, or one neighbour, named by its ledger address."""

from __future__ import annotations

from typing import NewType

from daisee.units import Address

Source = NewType("Source", str)
"""`OWN`, `GRID`, or the address of the neighbour that feeds the load."""

OWN = Source("own")
GRID = Source("grid")


def from_neighbour(seller: Address) -> Source:
    """Name the source that a neighbour is."""
    return Source(seller)


def seller_of(source: Source | None) -> Address | None:
    """Answer the neighbour behind a source; None for the home's own, the grid, and a source that is not known."""
    return None if source in (None, OWN, GRID) else Address(source)
