"""Counts a stretch of a home's time anew, from the readings that are kept: what a slot holds is what they say, in whatever order
they came. It ends where nothing more changes.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain

from daisee.model.energy import FORGET_S
from daisee.model.home import Role
from daisee.model.readings import SLOT_S, Quality, Reading, slot_start
from daisee.monitor.counting import Count
from daisee.monitor.store import MeterSlot, Slot, Store

WARM_UP_S = 24 * 3600
"""How far back readings are looked at, so that counters go on where they were."""
AGREED_S = 2 * 3600
"""After so long in which slots are what they were before, the rest is, too."""
MOST_S = 2 * 24 * 3600
"""So much at once: meanwhile nobody else is answered."""
ROUNDED_J = 10
"""What rounding in another place may do to a slot."""
METER_ENERGIES = ("forward_j", "reverse_j")
HOME_ENERGIES = ("consumed_j", "produced_j")


@dataclass(frozen=True, slots=True)
class Window:
    """What is to be counted anew."""

    from_s: int
    """The slot it begins with, or an earlier one where its home had waited for one of its meters."""
    changed: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """The first and the last moment of each meter that something is new about; nothing of none: all there is to the end."""
    filled: frozenset[tuple[str, int]] = frozenset()
    """Slots that have readings which came late."""


class Recount:
    """One window of some of a home's meters: either parts of its use, and then all of them, or sub-loads alone."""

    def __init__(self, store: Store, roles: Mapping[str, Role], max_gap_s: float, most_w: float, window: Window) -> None:
        """Begin; nothing is read yet."""
        self.count = Count(roles, max_gap_s, most_w)
        self.ended = False
        """Whether it came to the last reading there is."""
        self.from_s, self.to_s = window.from_s, window.from_s
        """What it counted, once it did."""
        self._store, self._roles, self._window = store, roles, window
        self._max_gap_s = max_gap_s
        self._with_home = any(role is not Role.SUB_LOAD for role in roles.values())
        self._changed_from_s = min((first for first, _last in window.changed.values()), default=0.0)
        last_s = max((last for _first, last in window.changed.values()), default=float("inf"))
        self._changed_to_s = last_s if last_s == float("inf") else slot_start(last_s) + SLOT_S
        self._checked_s = 0
        self._before: dict[str, Mapping[int, MeterSlot]] = {}
        self._home_before: Mapping[int, Slot] = {}

    def run(self, until_s: float) -> None:
        """Count, up to where nothing more changes, or to where it is enough for once; readings after a moment are left alone."""
        since_s = self._window.from_s - WARM_UP_S
        first_s, slot = float("inf"), 0
        told_s: dict[str, float] = {}
        """Up to when each meter that changed, and the home, had told all before the first reading that changed."""
        before = [(name, reading) for name in self._roles for reading in self._last_before(name, since_s)]
        before.sort(key=lambda found: found[1].at_s)
        energy = self.count.energy
        for meter, reading in chain(before, self._kept(since_s, until_s)):
            if slot_start(reading.at_s) > slot:
                if slot >= self._changed_to_s and self._is_enough(slot):
                    break
                slot = slot_start(reading.at_s)
            first_s = min(first_s, reading.at_s)
            self.count.add(meter, reading)
            if reading.at_s < self._changed_from_s:
                if meter in self._window.changed:
                    told_s[meter] = energy.settled_s(meter) or first_s
                if self._with_home:
                    told_s["the home"] = energy.home.until_s or first_s
        else:
            self.ended = True
        # Of what was before the first reading that is kept, slots alone tell; also of its own, where energy led into it.
        first_slot = slot_start(first_s if first_s < float("inf") else since_s)
        if first_slot > since_s and any(self._store.meter_slots(name, first_slot - SLOT_S, first_slot) for name in self._roles):
            first_slot += SLOT_S
        self.from_s = slot_start(max(since_s, first_slot, min([self._window.from_s, *told_s.values()])))
        self._mark()

    def put(self) -> None:
        """Put what was counted into the store."""
        to_s = None if self.ended else self.to_s

        def inside(start: int) -> bool:
            return start >= self.from_s and (to_s is None or start < to_s)

        meter_slots = self.count.meter_slots.items()
        self._store.recount(
            self.from_s,
            to_s,
            {name: [slot for start, slot in some.items() if inside(start)] for name, some in meter_slots},
            [slot for start, slot in self.count.slots.items() if inside(start)] if self._with_home else None,
        )

    def _mark(self) -> None:
        for name, start in self._window.filled:
            for slot in (self.count.meter_slots.get(name, {}).get(start), self.count.slots.get(start)):
                if slot is not None:
                    slot.quality |= Quality.FILLED

    # -------------------------------------------------------------------------------------------------------- where it may end

    def _is_enough(self, slot: int) -> bool:
        """Tell whether nothing more changes, or enough was counted for once, and set up to where."""
        whole_s = self._whole_until_s(slot)
        if whole_s <= self._changed_to_s:
            return False
        if not self._checked_s:
            self._checked_s = self.to_s = int(self._changed_to_s)
        self._look_up(whole_s)
        while self._checked_s < whole_s:
            if not self._is_as_before(self._checked_s):
                self.to_s = self._checked_s + SLOT_S
            self._checked_s += SLOT_S
        if whole_s - self.to_s >= AGREED_S:
            return True
        if whole_s - self._window.from_s >= MOST_S:
            self.to_s = whole_s
            return True
        return False

    @property
    def agreed(self) -> bool:
        """Tell whether it ended because nothing more changes."""
        return self._checked_s - self.to_s >= AGREED_S

    def _whole_until_s(self, slot: int) -> int:
        """Answer up to when slots will not change by what is read next."""
        energy, until_s = self.count.energy, float(slot)
        for name in self._roles:
            settled_s = energy.settled_s(name)
            if name in self._window.changed or energy.integrators[name].held_since_s is not None:
                until_s = min(until_s, settled_s or 0.0)
        if self._with_home:
            until_s = min(until_s, energy.home.until_s or 0.0)
        return slot_start(until_s)

    def _look_up(self, until_s: int) -> None:
        """Look up what slots were before."""
        since_s = self._checked_s
        self._before = {
            name: {slot.start_s: slot for slot in self._store.meter_slots(name, since_s, until_s)} for name in self._roles
        }
        if self._with_home:
            self._home_before = {slot.start_s: slot for slot in self._store.slots(since_s, until_s)}

    def _is_as_before(self, start: int) -> bool:
        for name, some in self._before.items():
            now = self.count.meter_slots[name].get(start) or MeterSlot(start)
            if not _alike(now, some.get(start) or MeterSlot(start), METER_ENERGIES):
                return False
        if not self._with_home:
            return True
        return _alike(self.count.slots.get(start) or Slot(start), self._home_before.get(start) or Slot(start), HOME_ENERGIES)

    # ----------------------------------------------------------------------------------------------------------- what is read

    def _kept(self, from_s: float, until_s: float) -> Iterator[tuple[str, Reading]]:
        """Answer the readings of the meters in order of time."""

        def of(meter: str) -> Iterator[tuple[str, Reading]]:
            return ((meter, reading) for reading in self._store.readings(meter, from_s, until_s))

        return heapq.merge(*map(of, self._roles), key=lambda found: found[1].at_s)

    def _last_before(self, name: str, since_s: float) -> list[Reading]:
        """Answer a meter's last reading before a moment. After a long outage, a counter goes on from what it said before it."""
        last = self._store.last_before(name, since_s)
        if last is None:
            return []
        if last.forward_j is None and last.reverse_j is None and last.at_s < since_s - self._max_gap_s:
            some = list(self._store.readings(name, last.at_s - FORGET_S, since_s))
            for place in range(len(some) - 1, -1, -1):
                if some[place].forward_j is not None or some[place].reverse_j is not None:
                    return some[place:]
        return [last]


def _alike(one: MeterSlot | Slot, other: MeterSlot | Slot, energies: tuple[str, ...]) -> bool:
    """Tell whether two are the same, but for rounding; one that a person amended stays what it is."""
    if (one.quality | other.quality) & Quality.CORRECTED:
        return True
    apart_j = max(abs(getattr(one, name) - getattr(other, name)) for name in energies)
    same = (one.quality | Quality.FILLED) == (other.quality | Quality.FILLED)
    return same and apart_j <= ROUNDED_J and abs(one.covered_s - other.covered_s) < 0.01
