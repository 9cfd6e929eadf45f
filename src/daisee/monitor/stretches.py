"""A meter's energy between any moments: from its slots, and where a moment lies within a slot, from its readings."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from daisee.model.energy import Integrator
from daisee.model.readings import SLOT_S, Flow, cut_flow, slot_start
from daisee.monitor.store import MeterSlot, Store

WARM_UP_S = 3_600
"""How far back readings are looked at, so that the first stretch has a beginning."""


@dataclass(slots=True)
class Stretch:
    """What went through a meter between two moments."""

    start_s: float
    end_s: float
    net_j: float = 0.0
    """Forward less reverse."""
    covered_s: float = 0.0
    """How much of it was measured."""
    known: bool = False
    """Whether anything is known of it."""


def stretches_between(store: Store, meter: str, moments: Sequence[float], max_gap_s: float, most_w: float) -> list[Stretch]:
    """List what went through a meter between each moment and the next; moments are in order."""
    found = [Stretch(begin, end) for begin, end in pairwise(moments)]
    if not found:
        return found
    inner = sorted({slot_start(moment) for moment in moments if moment % SLOT_S})
    slots = {slot.start_s: slot for slot in store.meter_slots(meter, slot_start(moments[0]), int(moments[-1]) + 1)}
    for start, slot in slots.items():
        if start not in inner and (slot.covered_s or slot.forward_j or slot.reverse_j):
            _add(found, moments, [(float(start), slot.forward_j - slot.reverse_j, slot.covered_s)])
    for first, last in _runs(inner):
        for start, pieces in _flows(store, meter, first, last + SLOT_S, max_gap_s, most_w, slots).items():
            cuts = [moment for moment in moments if start < moment < start + SLOT_S]
            cut = [piece for flow in pieces for piece in cut_flow(flow, cuts)]
            _add(found, moments, [(p.start_s, p.forward_j - p.reverse_j, p.duration_s if p.covered else 0.0) for p in cut])
    return found


def _add(found: list[Stretch], moments: Sequence[float], pieces: Iterable[tuple[float, float, float]]) -> None:
    for start_s, net_j, covered_s in pieces:
        place = bisect_right(moments, start_s) - 1
        if 0 <= place < len(found):
            found[place].net_j += net_j
            found[place].covered_s += covered_s
            found[place].known = True


def _runs(starts: Sequence[int]) -> list[tuple[int, int]]:
    """Join slots that follow each other: the first and the last of each run."""
    runs: list[tuple[int, int]] = []
    for start in starts:
        if runs and start == runs[-1][1] + SLOT_S:
            runs[-1] = (runs[-1][0], start)
        else:
            runs.append((start, start))
    return runs


def _flows(
    store: Store, meter: str, from_s: int, to_s: int, max_gap_s: float, most_w: float, slots: dict[int, MeterSlot]
) -> dict[int, list[Flow]]:
    """Map slots to the flows in them, by the readings; where those are gone, the slot is one even flow."""
    integrator = Integrator(max_gap_s, most_w)
    found: dict[int, list[Flow]] = {}
    borders = range(from_s, to_s + 1, SLOT_S)
    readings = store.readings(meter, from_s - WARM_UP_S, to_s + max(WARM_UP_S, max_gap_s))
    flows = [flow for reading in readings for flow in integrator.add(reading)]
    for flow in [*flows, *integrator.hurry(0.0)]:
        if flow.end_s <= from_s or flow.start_s >= to_s:
            continue
        for piece in cut_flow(flow, borders):
            start = slot_start(piece.start_s)
            if from_s <= start < to_s:
                found.setdefault(start, []).append(piece)
    for start in range(from_s, to_s, SLOT_S):
        slot = slots.get(start)
        if start not in found and slot is not None and (slot.covered_s or slot.forward_j or slot.reverse_j):
            found[start] = [Flow(start, start + SLOT_S, slot.forward_j, slot.reverse_j, covered=slot.covered_s > 0)]  # type: ignore[arg-type]  # whole joules
    return found
