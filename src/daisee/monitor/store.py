"""What a home remembers: readings for a while; slots, and who fed them, for ever.

A slot is a quarter of an hour. All energies are whole joules. `Store` is what the collector and the agent need; `SqlStore` (in
`sqlstore`) keeps it in a database, `MemoryStore` until the process ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from daisee.model.attribution import Share
from daisee.model.home import Role
from daisee.model.readings import Flow, Quality, Reading, Span, slot_of, slot_start
from daisee.monitor.packing import Block
from daisee.units import Address


@dataclass(frozen=True, slots=True)
class Meter:
    """One meter of a home, as its store knows it."""

    name: str
    """Unique in its home."""
    role: Role
    kind: str = ""
    """Of which kind of sensor it is."""


@dataclass(slots=True)
class MeterSlot:
    """A quarter of an hour of one meter."""

    start_s: int
    """Unix seconds, a multiple of 900."""
    forward_j: int = 0
    """Went in its forward direction (see `Role`)."""
    reverse_j: int = 0
    """Went the other way."""
    covered_s: float = 0.0
    """How much of the slot was measured, 0 to 900."""
    min_w: float | None = None
    """The least mean power of any stretch of the slot; below zero where more went the other way."""
    max_w: float | None = None
    """The greatest one."""
    quality: int = 0
    """What is to be known about it, as `Quality`."""

    def add_flow(self, flow: Flow) -> None:
        """Count energy that was measured; the flow lies within the slot."""
        self.forward_j += flow.forward_j
        self.reverse_j += flow.reverse_j
        if flow.quality:
            self.quality |= flow.quality
        if flow.covered:
            self.covered_s += flow.duration_s
            power_w = flow.mean_w
            self.min_w = power_w if self.min_w is None or power_w < self.min_w else self.min_w
            self.max_w = power_w if self.max_w is None or power_w > self.max_w else self.max_w


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
    """Came from the public grid, by its meter; where there is none, what an agent says was used from it."""
    exported_j: int = 0
    """Left through the meter of the grid; where there is none, what an agent says left."""
    drawn_j: dict[Address, int] = field(default_factory=dict)
    """Used from each neighbour."""
    covered_s: float = 0.0
    """How much of the slot was measured, 0 to 900."""
    min_w: float | None = None
    """The least mean power used in any stretch of the slot."""
    max_w: float | None = None
    """The greatest one."""
    quality: int = 0
    """What is to be known about it, as `Quality`."""

    def add_span(self, span: Span) -> None:
        """Count energy that was measured; the span lies within the slot."""
        self.consumed_j += span.consumed_j
        self.produced_j += span.produced_j
        self.imported_j += span.imported_j or 0
        self.exported_j += span.exported_j or 0
        if span.quality:
            self.quality |= span.quality
        if span.covered:
            self.covered_s += span.duration_s
            power_w = span.consumed_j / span.duration_s
            self.min_w = power_w if self.min_w is None or power_w < self.min_w else self.min_w
            self.max_w = power_w if self.max_w is None or power_w > self.max_w else self.max_w

    def add_share(self, share: Share) -> None:
        """Count who fed the load; the share lies within the slot."""
        self.own_j += share.own_j
        if share.span.imported_j is None:
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
        whole.quality |= slot.quality
        for seller, drawn_j in slot.drawn_j.items():
            whole.drawn_j[seller] = whole.drawn_j.get(seller, 0) + drawn_j
        whole.min_w = _least(whole.min_w, slot.min_w)
        whole.max_w = _greatest(whole.max_w, slot.max_w)
    return whole or Slot(0)


class Store(Protocol):
    """What a home remembers."""

    @property
    def meters(self) -> Mapping[str, Meter]:
        """Answer the home's meters by their names, those that are no longer there included."""
        ...

    def has_meter(self, meter: Meter) -> None:
        """Know a meter from now on; one of that name is the same one, and takes this role."""
        ...

    def add_reading(self, meter: str, reading: Reading) -> bool:
        """Keep a reading as it came; False where there is one of that moment already, which stays."""
        ...

    def add_flow(self, meter: str, flow: Flow) -> None:
        """Count measured energy into its meter's slot; a flow that crosses a slot border is a ValueError."""
        ...

    def add_span(self, span: Span) -> None:
        """Count a home's energy into its slot; a span that crosses a slot border is a ValueError."""
        ...

    def add_share(self, share: Share) -> None:
        """Count who fed the load into its slot; a share that crosses a slot border is a ValueError."""
        ...

    def slots(self, from_s: int = 0, to_s: int | None = None) -> list[Slot]:
        """List the slots that begin at or after `from_s` and before `to_s`, in order; slots without anything are absent."""
        ...

    def meter_slots(self, meter: str, from_s: int = 0, to_s: int | None = None) -> list[MeterSlot]:
        """List a meter's slots, as `slots` does the home's."""
        ...

    def readings(self, meter: str, from_s: float, to_s: float) -> Iterator[Reading]:
        """Answer a meter's readings from one moment on and before another, in order, as far as they are kept."""
        ...

    def last_before(self, meter: str, at_s: float) -> Reading | None:
        """Answer a meter's last reading before a moment; None where none is kept."""
        ...

    def newest_reading_s(self) -> float | None:
        """Answer when the newest reading of any meter was; None where there is none."""
        ...

    def recount(
        self, from_s: int, to_s: int | None, meter_slots: Mapping[str, Iterable[MeterSlot]], slots: Iterable[Slot] | None
    ) -> None:
        """Put what was measured from a slot on anew, up to another where there is one; without slots, the home's stay.

        Who fed the home, and what a person amended, stays.
        """
        ...

    def flush(self) -> None:
        """Write down what is still only in memory."""
        ...

    def close(self) -> None:
        """Flush and let go; a second close does nothing."""
        ...


class MemoryStore:
    """A store that lasts as long as the process, for tests and trials."""

    def __init__(self) -> None:
        self._meters: dict[str, Meter] = {}
        self._slots: dict[int, Slot] = {}
        self._meter_slots: dict[tuple[str, int], MeterSlot] = {}
        self._blocks: dict[tuple[str, int], Block] = {}

    @property
    def meters(self) -> Mapping[str, Meter]:
        """Answer the home's meters by their names."""
        return self._meters

    def has_meter(self, meter: Meter) -> None:
        """Know a meter from now on."""
        self._meters[meter.name] = meter

    def add_reading(self, meter: str, reading: Reading) -> bool:
        """Keep a reading as it came."""
        return self._block(meter, slot_start(reading.at_s)).add(reading)

    def add_flow(self, meter: str, flow: Flow) -> None:
        """Count measured energy into its meter's slot."""
        self._meter_slot(meter, slot_of(flow)).add_flow(flow)

    def add_span(self, span: Span) -> None:
        """Count a home's energy into its slot."""
        self._slot(slot_of(span)).add_span(span)

    def add_share(self, share: Share) -> None:
        """Count who fed the load into its slot."""
        self._slot(slot_of(share.span)).add_share(share)

    def slots(self, from_s: int = 0, to_s: int | None = None) -> list[Slot]:
        """List slots in order."""
        return [self._slots[start] for start in sorted(self._slots) if start >= from_s and (to_s is None or start < to_s)]

    def meter_slots(self, meter: str, from_s: int = 0, to_s: int | None = None) -> list[MeterSlot]:
        """List a meter's slots in order."""
        starts = sorted(start for name, start in self._meter_slots if name == meter)
        return [self._meter_slots[meter, start] for start in starts if start >= from_s and (to_s is None or start < to_s)]

    def readings(self, meter: str, from_s: float, to_s: float) -> Iterator[Reading]:
        """Answer a meter's readings in order."""
        for name, start in sorted(self._blocks):
            if name == meter and slot_start(from_s) <= start < to_s:
                yield from (each for each in self._blocks[name, start].readings() if from_s <= each.at_s < to_s)

    def last_before(self, meter: str, at_s: float) -> Reading | None:
        """Answer a meter's last reading before a moment; None where none is kept."""
        starts = (start for name, start in self._blocks if name == meter and start < at_s)
        for start in sorted(starts, reverse=True):
            found = [reading for reading in self._blocks[meter, start].readings() if reading.at_s < at_s]
            if found:
                return found[-1]
        return None

    def newest_reading_s(self) -> float | None:
        """Answer when the newest reading of any meter was."""
        return max((block.at_ms[-1] / 1000 for block in self._blocks.values() if len(block)), default=None)

    def recount(
        self, from_s: int, to_s: int | None, meter_slots: Mapping[str, Iterable[MeterSlot]], slots: Iterable[Slot] | None
    ) -> None:
        """Put what was measured from a slot on anew."""
        has_grid = any(meter.role is Role.GRID for meter in self._meters.values())
        for name, some in meter_slots.items():
            anew = {slot.start_s: slot for slot in some}
            for start in sorted(anew.keys() | {slot.start_s for slot in self.meter_slots(name, from_s, to_s)}):
                put_meter_slot(self._meter_slot(name, start), anew.get(start, MeterSlot(start)))
        if slots is not None:
            measured = {slot.start_s: slot for slot in slots}
            for start in sorted(measured.keys() | {slot.start_s for slot in self.slots(from_s, to_s)}):
                put_slot(self._slot(start), measured.get(start, Slot(start)), has_grid=has_grid)

    def flush(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        """Nothing is held here."""

    def _slot(self, start_s: int) -> Slot:
        return self._slots.setdefault(start_s, Slot(start_s))

    def _meter_slot(self, meter: str, start_s: int) -> MeterSlot:
        return self._meter_slots.setdefault((meter, start_s), MeterSlot(start_s))

    def _block(self, meter: str, start_s: int) -> Block:
        return self._blocks.setdefault((meter, start_s), Block())


MEASURED = ("consumed_j", "produced_j", "covered_s", "min_w", "max_w", "quality")
BY_A_GRID_METER = ("imported_j", "exported_j")
AMENDABLE = ("forward_j", "reverse_j", "covered_s", "min_w", "max_w", "quality")


def put_slot(slot: Slot, measured: Slot, *, has_grid: bool) -> None:
    """Give a slot what was measured, anew. Who fed the home stays; so does all of one that a person amended."""
    _copy(slot, measured, (*MEASURED, *BY_A_GRID_METER) if has_grid else MEASURED)


def put_meter_slot(slot: MeterSlot, measured: MeterSlot) -> None:
    """Give a meter's slot what was measured, anew; one that a person amended stays as it is."""
    _copy(slot, measured, AMENDABLE)


def _copy(slot: Slot | MeterSlot, measured: Slot | MeterSlot, fields: Iterable[str]) -> None:
    if not slot.quality & Quality.CORRECTED:
        for name in fields:
            setattr(slot, name, getattr(measured, name))


def _least(one: float | None, other: float | None) -> float | None:
    return other if one is None else one if other is None else min(one, other)


def _greatest(one: float | None, other: float | None) -> float | None:
    return other if one is None else one if other is None else max(one, other)
