"""Counts readings into slots by the same rules as a home that measures, many at once where they are plain.

A plain slot has nothing but powers at or above zero, close together, of a home's only meter: it is counted in one go, and is
the same to the joule. All others go reading by reading.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from operator import sub, truediv

from daisee.model.energy import FORGET_S, Integrator
from daisee.model.home import HomeMeters, Role
from daisee.model.readings import SLOT_S, Flow, Reading, Span, cut, cut_flow, slot_borders, slot_of, slot_start
from daisee.monitor.formats import MS
from daisee.monitor.packing import Block
from daisee.monitor.staging import Powers
from daisee.monitor.store import MeterSlot, Slot

PATIENT = 2
"""So many times the longest gap a counter is waited for that speaks once a minute; then power tells."""


class Reckoning:
    """A home's energy, reading by reading: its meters' flows, and the home's spans."""

    def __init__(self, roles: Mapping[str, Role], max_gap_s: float, most_w: float, patience_s: float = FORGET_S) -> None:
        """Begin with nothing known. Who counts what is over waits for a counter for long, who counts what is now does not."""
        self.integrators = {name: Integrator(max_gap_s, most_w, patience_s) for name in roles}
        self.home = HomeMeters(roles, max_gap_s)
        self._patience_s = patience_s
        self._parts = {name for name, role in roles.items() if role is not Role.SUB_LOAD}
        self._held_since_s: dict[str, float] = {}
        """Since when a meter of the home holds back, as it waits for its counter."""
        self._queue: list[tuple[float, str, Flow]] = []
        """Flows that the home is told of when those that hold back have told theirs: it is told in order of time."""
        self._newest_s = 0.0

    @property
    def is_plain(self) -> bool:
        """Tell whether nothing is held back."""
        return not self._held_since_s and not self._queue

    def settled_s(self, meter: str) -> float | None:
        """Answer up to when all is known of a meter that its readings so far will ever tell."""
        integrator = self.integrators[meter]
        return integrator.last_s if integrator.held_since_s is None else integrator.held_since_s

    def add(self, meter: str, reading: Reading) -> tuple[list[Flow], list[Span]]:
        """Take a reading; answer the energy that is known by it, its meter's and the home's."""
        flows = self.integrators[meter].add(reading)
        if meter not in self._parts:
            return flows, []
        if reading.at_s > self._newest_s:
            self._newest_s = reading.at_s
        return flows, self._home_of(meter, flows)

    def hurry(self, patience_s: float) -> tuple[list[tuple[str, list[Flow]]], list[Span]]:
        """Wait no longer than so for a counter, from now on; answer what waited longer already."""
        self._patience_s = patience_s
        told = [(name, integrator.hurry(patience_s)) for name, integrator in self.integrators.items()]
        return told, [span for name, flows in told if name in self._parts for span in self._home_of(name, flows)]

    def go_on_from(self, other: Reckoning) -> None:
        """Go on from where another one is, with the meters that it has."""
        self.integrators |= other.integrators
        if other._parts:
            self.home, self._held_since_s, self._queue = other.home, other._held_since_s, other._queue
            self._newest_s = other._newest_s

    def _home_of(self, meter: str, flows: list[Flow]) -> list[Span]:
        held_since_s = self.integrators[meter].held_since_s
        if held_since_s is not None:
            self._held_since_s[meter] = held_since_s
        elif self._held_since_s:
            self._held_since_s.pop(meter, None)
        if self.is_plain:
            return [span for flow in flows for span in self.home.add(meter, flow)]
        for flow in flows:
            heapq.heappush(self._queue, (flow.end_s, meter, flow))
        # One that holds back and is silent is not waited for.
        awaited_s = [
            since_s
            for name, since_s in self._held_since_s.items()
            if self._newest_s - (self.integrators[name].last_s or 0.0) <= self._patience_s
        ]
        until_s, spans = min(awaited_s, default=inf), []
        while self._queue and self._queue[0][0] <= until_s:
            _end_s, name, flow = heapq.heappop(self._queue)
            spans += self.home.add(name, flow)
        return spans


class Count:
    """The slots of a home's meters, and its own, while they are counted."""

    def __init__(self, roles: Mapping[str, Role], max_gap_s: float, most_w: float) -> None:
        self._roles = roles
        self.energy = Reckoning(roles, max_gap_s, most_w)
        self.meter_slots: dict[str, dict[int, MeterSlot]] = {name: {} for name in roles}
        self.slots: dict[int, Slot] = {}

    def add_slot(self, some: Mapping[str, Block | Powers]) -> None:
        """Count what the meters said in one slot; slots come in order."""
        if len(some) == 1:
            ((meter, said),) = some.items()
            if isinstance(said, Powers):
                self._add_powers(meter, said)
                return
        streams = [[(reading.at_s, name, reading) for reading in _block(said).readings()] for name, said in some.items()]
        for _at_s, name, reading in heapq.merge(*streams, key=lambda found: found[0]):
            self.add(name, reading)

    def add(self, meter: str, reading: Reading) -> None:
        """Count a reading; readings come in order."""
        flows, spans = self.energy.add(meter, reading)
        self._add_flows(meter, flows)
        self._add_spans(spans)

    def hurry(self, patience_s: float) -> None:
        """Wait no longer than so for a counter, from now on, and count what waited longer already."""
        told, spans = self.energy.hurry(patience_s)
        for meter, flows in told:
            self._add_flows(meter, flows)
        self._add_spans(spans)

    def _add_flows(self, meter: str, flows: Iterable[Flow]) -> None:
        slots = self.meter_slots[meter]
        for flow in flows:
            for piece in cut_flow(flow, slot_borders(flow.start_s, flow.end_s)) if _crosses(flow) else [flow]:
                slots.setdefault(slot_of(piece), MeterSlot(slot_of(piece))).add_flow(piece)

    def _add_spans(self, spans: Iterable[Span]) -> None:
        for span in spans:
            for piece in cut(span, slot_borders(span.start_s, span.end_s)) if _crosses(span) else [span]:
                self.slots.setdefault(slot_of(piece), Slot(slot_of(piece))).add_span(piece)

    def _add_powers(self, meter: str, powers: Powers) -> None:
        at_s = [at_ms / MS for at_ms in powers.at_ms]
        # The first of a slot ends what began in the slot before.
        self.add(meter, Reading(at_s=at_s[0], power_w=powers.power_w[0]))
        rest_w = powers.power_w[1:]
        energies = self.energy.integrators[meter].add_powers(at_s[1:], rest_w) if len(at_s) > 1 else None
        if energies is None:
            for moment_s, power_w in zip(at_s[1:], rest_w, strict=True):
                self.add(meter, Reading(at_s=moment_s, power_w=power_w))
            return
        start, lengths = slot_start(at_s[0]), list(map(sub, at_s[1:], at_s))
        seen = _seen(energies, lengths)
        slot = self.meter_slots[meter].setdefault(start, MeterSlot(start))
        slot.forward_j += seen.energy_j
        seen.cover(slot)
        if self._roles[meter] is Role.SUB_LOAD:
            return
        if self.energy.home.add_run(meter, at_s[0], at_s[-1], lengths[-1]):
            self._add_to_home(self._roles[meter], start, seen)
            return
        for start_s, end_s, energy_j in zip(at_s, at_s[1:], energies, strict=False):
            self._add_spans(self.energy.home.add(meter, Flow(start_s, end_s, energy_j)))

    def _add_to_home(self, role: Role, start: int, seen: _Seen) -> None:
        """Count what a home's only meter saw as the home's: what it used, or what it made."""
        slot = self.slots.setdefault(start, Slot(start))
        if role is Role.PRODUCTION:
            slot.produced_j += seen.energy_j
            seen = _Seen(0, seen.covered_s, 0.0, 0.0)
        slot.consumed_j += seen.energy_j
        if role is Role.GRID:
            slot.imported_j += seen.energy_j
        seen.cover(slot)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What many powers in a slot come to."""

    energy_j: int
    covered_s: float
    least_w: float
    most_w: float

    def cover(self, slot: MeterSlot | Slot) -> None:
        """Note in a slot the time that was measured, and the least and the greatest mean power in it."""
        slot.covered_s += self.covered_s
        slot.min_w = self.least_w if slot.min_w is None else min(slot.min_w, self.least_w)
        slot.max_w = self.most_w if slot.max_w is None else max(slot.max_w, self.most_w)


def _seen(energies: Sequence[int], lengths: Sequence[float]) -> _Seen:
    # Where all took equally long, only the least and the greatest need to be divided.
    alike = len(set(lengths)) == 1
    powers = [min(energies) / lengths[0], max(energies) / lengths[0]] if alike else list(map(truediv, energies, lengths))
    return _Seen(sum(energies), sum(lengths), min(powers), max(powers))


def _crosses(stretch: Flow | Span) -> bool:
    return stretch.end_s > slot_start(stretch.start_s) + SLOT_S


def _block(said: Block | Powers) -> Block:
    return said.block() if isinstance(said, Powers) else said
