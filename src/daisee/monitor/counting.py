"""Counts readings into slots by the same rules as a home that measures, many at once where they are plain.

A plain slot has nothing but powers at or above zero, close together, of a home's only meter: it is counted in one go, and is
the same to the joule. All others go reading by reading.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import sub, truediv

from daisee.model.energy import Integrator
from daisee.model.home import HomeMeters, Role
from daisee.model.readings import SLOT_S, Flow, Quality, Reading, Span, cut, cut_flow, slot_borders, slot_of, slot_start
from daisee.monitor.formats import MS
from daisee.monitor.packing import Block
from daisee.monitor.staging import Powers
from daisee.monitor.store import MeterSlot, Slot


class Count:
    """The slots of a home's meters, and its own, while they are counted."""

    def __init__(self, roles: Mapping[str, Role], max_gap_s: float, most_w: float) -> None:
        self._roles = roles
        self._integrators = {name: Integrator(max_gap_s, most_w) for name in roles}
        self._home = HomeMeters(roles, max_gap_s)
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
        flow = self._integrators[meter].add(reading)
        if flow is not None:
            pieces = cut_flow(flow, slot_borders(flow.start_s, flow.end_s)) if _crosses(flow) else [flow]
            self._add_flows(meter, pieces)
            plain = flow.covered and not flow.reverse_j and flow.quality == Quality.MEASURED
            if plain and self._home.add_run(meter, flow.start_s, flow.end_s, flow.duration_s):
                for piece in pieces:
                    seen = _Seen(piece.forward_j, piece.duration_s, piece.mean_w, piece.mean_w)
                    self._add_to_home(self._roles[meter], slot_of(piece), seen)
            else:
                self._add_spans(self._home.add(meter, flow))

    def _add_flows(self, meter: str, flows: Iterable[Flow]) -> None:
        slots = self.meter_slots[meter]
        for flow in flows:
            slots.setdefault(slot_of(flow), MeterSlot(slot_of(flow))).add_flow(flow)

    def _add_spans(self, spans: Iterable[Span]) -> None:
        for span in spans:
            for piece in cut(span, slot_borders(span.start_s, span.end_s)) if _crosses(span) else [span]:
                self.slots.setdefault(slot_of(piece), Slot(slot_of(piece))).add_span(piece)

    def _add_powers(self, meter: str, powers: Powers) -> None:
        at_s = [at_ms / MS for at_ms in powers.at_ms]
        # The first of a slot ends what began in the slot before.
        self.add(meter, Reading(at_s=at_s[0], power_w=powers.power_w[0]))
        rest_w = powers.power_w[1:]
        energies = self._integrators[meter].add_powers(at_s[1:], rest_w) if len(at_s) > 1 else None
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
        if self._home.add_run(meter, at_s[0], at_s[-1], lengths[-1]):
            self._add_to_home(self._roles[meter], start, seen)
            return
        for start_s, end_s, energy_j in zip(at_s, at_s[1:], energies, strict=False):
            self._add_spans(self._home.add(meter, Flow(start_s, end_s, energy_j)))

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
