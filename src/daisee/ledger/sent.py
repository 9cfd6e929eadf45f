"""A call on its way, as its sender knows it: what was signed for it, what the node said of it, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from eth_typing import HexStr

from daisee.ledger.outbox import Posted
from daisee.ledger.taker import TakerSearch
from daisee.ledger.transactions import Call, Outcome


@dataclass(slots=True)
class Sent:
    """A call on its way; its sender knows what becomes of it."""

    posted: Posted
    hashes: list[HexStr] = field(default_factory=list)
    """Of each price that was offered; at most one of them is ever in the chain."""
    empty_hashes: list[HexStr] = field(default_factory=list)
    """Of what may be in the chain in its place, where it is given up."""
    handed_over_at_s: float | None = None
    """When the node last said that it has it; None while it did not."""
    handed_over_in: int = 0
    """The newest block then."""
    told: str = ""
    """What the node last had against it."""
    seen_in: int | None = None
    """The block that has it, not yet deep enough."""
    search: TakerSearch | None = None
    """For what took its nonce, once something has."""
    outcome: Outcome | None = None

    @property
    def call(self) -> Call:
        """Answer what is to be done."""
        return self.posted.call

    @property
    def happened(self) -> bool:
        """Tell whether it is in the chain; False too where it was given up, and something else has its nonce."""
        return self.outcome is not None and self.outcome.transaction in self.hashes
