"""What a home remembers: readings for a while, slots and who fed them for ever.

A slot is a quarter of an hour. All energies are whole joules and only ever grow within a slot. `Store` is what the collector
and the agent need; `SqlStore` (in `sqlstore`) keeps it in a
database, `MemoryStore` until the process ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from daisee.model.attribution import Share
from daisee.model.readings import SLOT_S, Reading, Span, slot_start
from daisee.units import Address


@dataclass(slots=True)
class Slot:
    """A quarter of an hour of one home."""

    start_s: int
    """Unix seconds, a multiple of 900."""
    consumed_j: int = 0
    """Used: `own_j + imported_j + sum(drawn_j)`, once it is attributed."""
    produced_j: int = 0
    """Made."""
    own_j: int = 0
    """Used from its own production or battery."""
    imported_j: int = 0
    """Used from the public grid."""
    exported_j: int = 0
    """Left a grid-tied home through its meter."""
    drawn_j: dict[Address, int] = field(default_factory=dict)
    """Used from each neighbour."""
    covered_s: float = 0.0
    """How much of the slot was measured, 0 to 900."""
    min_w: float | None = None
    """The least mean power used in any stretch of the slot."""
    max_w: float | None = None
    """The greatest one."""

    def add_span(self, span: Span) -> None:
        """Count energy that was measured; the span lies within the slot."""
        self.consumed_j += span.consumed_j
        self.produced_j += span.produced_j
        if span.covered:
            self.covered_s += span.duration_s
            power_w = span.consumed_j / span.duration_s
            self.min_w = power_w if self.min_w is None else min(self.min_w, power_w)
            self.max_w = power_w if self.max_w is None else max(self.max_w, power_w)

    def add_share(self, share: Share) -> None:
        """Count who fed the load; the share lies within the slot."""
        self.own_j += share.own_j
        self.imported_j += share.imported_j
        self.exported_j += share.exported_j
        if share.seller is not None and share.drawn_j:
            self.drawn_j[share.seller] = self.drawn_j.get(share.seller, 0) + share.drawn_j


def total(slots: Iterable[Slot]) -> Slot:
    """Add slots up into one that begins with the first; an empty one at 0 where there are none."""
    whole: Slot | None = None
    for slot in slots:
        if whole is None:
            whole = Slot(slot.start_s)
        whole.consumed_j += slot.consumed_j
        whole.produced_j += slot.produced_j
        whole.own_j += slot.own_j
        whole.imported_j += slot.imported_j
        whole.exported_j += slot.exported_j
        whole.covered_s += slot.covered_s
        for seller, drawn_j in slot.drawn_j.items():
            whole.drawn_j[seller] = whole.drawn_j.get(seller, 0) + drawn_j
        whole.min_w = min((w for w in (whole.min_w, slot.min_w) if w is not None), default=None)
        whole.max_w = max((w for w in (whole.max_w, slot.max_w) if w is not None), default=None)
    return whole or Slot(0)


class Store(Protocol):
    """What a home remembers."""

    def add_reading(self, reading: Reading) -> None:
        """Keep a reading as it came."""
        ...

    def add_span(self, span: Span) -> None:
        """Count measured energy into its slot; a span that crosses a slot border is a ValueError."""
        ...

    def add_share(self, share: Share) -> None:
        """Count who fed the load into its slot; a share that crosses a slot border is a ValueError."""
        ...

    def slots(self, from_s: int = 0, to_s: int | None = None) -> list[Slot]:
        """List the slots that begin at or after `from_s` and before `to_s`, in order; slots without anything are absent."""
        ...

    def flush(self) -> None:
        """Write down what is still only in memory."""
        ...

    def close(self) -> None:
        """Flush and let go; a second close does nothing."""
        ...


class MemoryStore:
    """A store that lasts as long as the process, for tests and trials. Readings are counted, slots are kept."""

    def __init__(self) -> None:
        self._slots: dict[int, Slot] = {}
        self.readings: list[Reading] = []
        """All that came."""

    def add_reading(self, reading: Reading) -> None:
        """Keep a reading as it came."""
        self.readings.append(reading)

    def add_span(self, span: Span) -> None:
        """Count measured energy into its slot."""
        self._slot_of(span).add_span(span)

    def add_share(self, share: Share) -> None:
        """Count who fed the load into its slot."""
        self._slot_of(share.span).add_share(share)

    def slots(self, from_s: int = 0, to_s: int | None = None) -> list[Slot]:
        """List slots in order."""
        return [self._slots[start] for start in sorted(self._slots) if start >= from_s and (to_s is None or start < to_s)]

    def flush(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        """Nothing is held here."""

    def _slot_of(self, span: Span) -> Slot:
        start = slot_of(span)
        return self._slots.setdefault(start, Slot(start))


def slot_of(span: Span) -> int:
    """Answer the start of the slot that a span lies in; ValueError where it lies in more than one."""
    start = slot_start(span.start_s)
    if span.end_s > start + SLOT_S:
        raise ValueError(f"the span {span.start_s} to {span.end_s} crosses the border of a slot; cut it first")
    return start
