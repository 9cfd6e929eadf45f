"""Takes the readings of a home's meters, keeps them, and turns them into energy in slots. Live power comes from memory."""

from __future__ import annotations

import heapq
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from math import isfinite

from daisee.errors import StoreError
from daisee.model.energy import PLAUSIBLE_W, Integrator
from daisee.model.home import HomeMeters, Live, Role
from daisee.model.readings import SLOT_S, Flow, Quality, Reading, Span, cut, cut_flow, slot_borders, slot_of, slot_start
from daisee.monitor.sensors import Polled
from daisee.monitor.store import Meter, MeterSlot, Slot, Store
from daisee.units import Watts

log = logging.getLogger(__name__)

MAX_GAP_S = 60.0
"""At a reading each eight seconds; a gap as long is seven of them that did not come."""
WARM_UP_S = 24 * 3600
"""How far back readings are looked at again after a start, so that counters go on where they were."""
KEEP_RAW_S = 90 * 24 * 3600.0
MOST_MEAN_S = 366 * 24 * 3600.0
EARLIEST_S = 946_684_800.0
"""The year 2000: no meter that speaks to us is older."""
LATEST_S = 32_503_680_000.0
"""The year 3000."""
MOST_V = 1_000_000.0
RECOUNT_S = 2 * 3600
"""How far back slots are counted anew after a start: those that were not whole, where a meter speaks once an hour, too."""
MOST_COUNTER_J = 2**53


class Collector:
    """A home's readings on their way to its store."""

    def __init__(
        self,
        store: Store,
        meters: Iterable[Meter],
        max_gap_s: float = MAX_GAP_S,
        most_w: float = PLAUSIBLE_W,
        keep_raw_s: float = KEEP_RAW_S,
    ) -> None:
        """Go on where the store ends. The meters are those that the home has now."""
        self._store = store
        self.meters = {meter.name: meter for meter in meters}
        self._max_gap_s = max_gap_s
        self._most_w = most_w
        self._keep_raw_s = keep_raw_s
        for meter in self.meters.values():
            store.has_meter(meter)
        self.taken: Counter[str] = Counter()
        """How many readings of each meter were new."""
        self.refused: Counter[str] = Counter()
        """How many readings of each meter could not be."""
        self._newest: dict[str, Reading] = {}
        self._began_s: float | None = None
        self._late: dict[str, float] = {}
        """When the earliest reading of each meter was that is not counted yet, because it came late."""
        self._filled: set[int] = set()
        """Slots that have such readings."""
        self._doubtful: set[int] = set()
        """Slots that the store failed to count into."""
        self._begin_counting()
        newest_s = store.newest_reading_s()
        if newest_s is not None:
            # What was read and not yet told of when it ended is told of now, and counters go on where they were.
            self._recount(slot_start(newest_s) - RECOUNT_S)

    @property
    def latest(self) -> Live | None:
        """Answer the home as it is now, by what its meters said last; None before any did."""
        if not self._newest:
            return None
        at_s = max(reading.at_s for reading in self._newest.values())
        fresh = {name: reading for name, reading in self._newest.items() if at_s - reading.at_s <= self._max_gap_s}
        power_w = {role: self._power_w(fresh, role) for role in Role}
        grid_w, sun_w, battery_w = power_w[Role.GRID], power_w[Role.PRODUCTION], power_w[Role.BATTERY]
        used_w = power_w[Role.LOAD]
        roles = {meter.role for meter in self.meters.values()}
        if Role.LOAD not in roles and (Role.GRID in roles or Role.BATTERY in roles):
            given = [power_w[role] for role in (Role.GRID, Role.PRODUCTION, Role.BATTERY) if role in roles]
            used_w = None if None in given else max(0.0, (grid_w or 0.0) + (sun_w or 0.0) - (battery_w or 0.0))
        charge = [reading.state_of_charge for reading in fresh.values() if reading.state_of_charge is not None]
        return Live(
            at_s=at_s,
            consumption_w=None if used_w is None else Watts(used_w),
            production_w=None if sun_w is None else Watts(max(0.0, sun_w)),
            grid_power_w=grid_w,
            battery_power_w=battery_w,
            state_of_charge=charge[-1] if charge else None,
        )

    @property
    def newest(self) -> Mapping[str, Reading]:
        """Answer what each meter said last."""
        return self._newest

    @property
    def out_of_order(self) -> int:
        """Answer how many readings came too late to be energy at once; they are counted in when the store is settled."""
        return sum(integrator.out_of_order for integrator in self._integrators.values())

    @property
    def whole_slots_until_s(self) -> int:
        """Answer up to when slots are whole: none of them will grow again. Zero while none is."""
        until_s = self._home.until_s
        if until_s is None or self._began_s is None or slot_start(until_s) <= self._began_s:
            return 0
        return slot_start(until_s)

    def take(self, meter: str, readings: Iterable[Reading]) -> list[Span]:
        """Take what a meter said; answer the home's energy that is known by it, cut at slot borders and already stored.

        What cannot be is refused, and counted. What comes late is kept, and counts once `settle` was called; so does what a
        store failed to take down: StoreError, and the readings after that one were not taken.
        """
        spans: list[Span] = []
        for reading in readings:
            if (why := self.oddity(meter, reading)) is not None:
                self._refuse(meter, why)
                continue
            last, until_s = self._newest.get(meter), self._home.until_s
            try:
                if self._store.add_reading(meter, reading):
                    self.taken[meter] += 1
                    spans += self._count(meter, reading, last)
            except StoreError:
                since_s = min(reading.at_s, until_s or reading.at_s, last.at_s if last else reading.at_s)
                self._doubtful.add(slot_start(since_s))
                raise
        return spans

    def _count(self, meter: str, reading: Reading, last: Reading | None) -> list[Span]:
        if last is not None and reading.at_s <= last.at_s:
            self._late[meter] = min(reading.at_s, self._late.get(meter, reading.at_s))
            self._filled.add(slot_start(reading.at_s))
        else:
            self._newest[meter] = reading
        flows, spans = self._energy(meter, reading)
        for flow in flows:
            self._store.add_flow(meter, flow)
        for span in spans:
            self._began_s = span.start_s if self._began_s is None else self._began_s
            self._store.add_span(span)
        return spans

    @property
    def has_late(self) -> bool:
        """Tell whether `settle` has something to count in."""
        return bool(self._late or self._doubtful)

    def settle(self) -> None:
        """Count in what came late: all that it changes is counted anew from the readings that are kept."""
        if self.has_late:
            changed_s = min([*self._doubtful, *self._late.values()])
            since_s = min([changed_s, *(self._told_before_s(*late) for late in self._late.items())])
            self._recount(slot_start(since_s), self._filled, changed_s)
            self._late, self._filled, self._doubtful = {}, set(), set()

    def _told_before_s(self, late: str, at_s: float) -> float:
        """Answer when the last reading was before a late one: since then, energy changes by it."""
        before = self._store.last_before(late, at_s)
        return at_s if before is None else before.at_s

    def oddity(self, meter: str, reading: Reading) -> str | None:
        """Say why a reading cannot be; None where it can."""
        power_w, over_s, charge = reading.power_w, reading.mean_over_s, reading.state_of_charge
        # What is no number is within nothing.
        if power_w is not None and not -self._most_w <= power_w <= self._most_w:
            return f"{power_w:.0f} W are more than any home has" if isfinite(power_w) else "a number of it is none"
        for counter_j in (reading.forward_j, reading.reverse_j):
            if counter_j is not None and not 0 <= counter_j <= MOST_COUNTER_J:
                return "a counter is below zero, or beyond all measure"
        if charge is not None and not 0 <= charge <= 1:
            return f"a state of charge of {charge:.2f}"
        if over_s is not None and not 0 < over_s <= MOST_MEAN_S:
            return f"a mean over {over_s:.0f} s"
        if reading.voltage_v is not None and not -MOST_V <= reading.voltage_v <= MOST_V:
            return f"a voltage of {reading.voltage_v:.0f} V"
        if not reading.at_s <= LATEST_S:
            return "a time beyond all years"
        newest = self._newest.get(meter)
        if reading.at_s < (EARLIEST_S if newest is None else newest.at_s - self._keep_raw_s):
            return "it is older than what readings are kept for; `daisee monitor import` takes it"
        return None

    def _refuse(self, meter: str, why: str) -> None:
        self.refused[meter] += 1
        if self.refused[meter] == 1:
            log.warning("%s: a reading is refused: %s. Others like it are counted, and not told", meter, why)

    def _begin_counting(self) -> None:
        self._integrators = {name: Integrator(self._max_gap_s, self._most_w) for name in self.meters}
        self._home = HomeMeters({name: meter.role for name, meter in self.meters.items()}, self._max_gap_s)

    def _energy(self, meter: str, reading: Reading) -> tuple[list[Flow], list[Span]]:
        """Answer the energy that a reading completes, its meter's and the home's, in pieces that each lie in a slot."""
        flow = self._integrators[meter].add(reading)
        if flow is None:
            return [], []
        spans: list[Span] = []
        for span in self._home.add(meter, flow):
            spans += cut(span, slot_borders(span.start_s, span.end_s))
        return cut_flow(flow, slot_borders(flow.start_s, flow.end_s)), spans

    def _recount(self, from_s: int, filled: Iterable[int] = (), changed_s: float = 0.0) -> None:
        """Count anew, from the readings that are kept: what a slot holds is what they say, whatever came between.

        It begins earlier where one of its meters was silent when the first reading changed, and its home may have waited for it.
        """
        self._begin_counting()
        meter_slots: dict[str, dict[int, MeterSlot]] = {name: {} for name in self.meters}
        slots: dict[int, Slot] = {}
        first_s: float | None = None
        told_s: dict[str, float] = {}
        """Up to when each meter, and the home, had told all before the first reading that changed."""
        since_s = from_s - WARM_UP_S
        # After a long outage, a counter goes on from what it said before it.
        before = [(name, reading) for name in self.meters if (reading := self._store.last_before(name, since_s)) is not None]
        for meter, reading in chain(sorted(before, key=lambda found: found[1].at_s), self._kept_since(since_s)):
            first_s = reading.at_s if first_s is None else first_s
            self._newest[meter] = reading
            flows, spans = self._energy(meter, reading)
            for flow in flows:
                meter_slots[meter].setdefault(slot_of(flow), MeterSlot(slot_of(flow))).add_flow(flow)
            for span in spans:
                slots.setdefault(slot_of(span), Slot(slot_of(span))).add_span(span)
            if reading.at_s < changed_s:
                told_s |= {meter: reading.at_s, "the home": self._home.until_s or first_s}
        for start in filled:
            for slot in (slots.get(start), *(some.get(start) for some in meter_slots.values())):
                if slot is not None:
                    slot.quality |= Quality.FILLED
        # Of what was before the first reading that is kept, slots alone tell; also of its own, where energy led into it.
        first_slot = slot_start(first_s if first_s is not None else since_s)
        if first_slot > since_s and any(self._store.meter_slots(name, first_slot - SLOT_S, first_slot) for name in self.meters):
            first_slot += SLOT_S
        from_s = slot_start(max(since_s, first_slot, min([from_s, *told_s.values()])))
        self._store.recount(
            from_s,
            {name: [slot for start, slot in some.items() if start >= from_s] for name, some in meter_slots.items()},
            [slot for start, slot in slots.items() if start >= from_s],
        )

    def _kept_since(self, from_s: float) -> Iterator[tuple[str, Reading]]:
        """Answer the readings of all meters in order of time."""

        def of(meter: str) -> Iterator[tuple[str, Reading]]:
            return ((meter, reading) for reading in self._store.readings(meter, from_s, float("inf")))

        return heapq.merge(*map(of, self.meters), key=lambda found: found[1].at_s)

    def _power_w(self, fresh: Mapping[str, Reading], role: Role) -> float | None:
        powers = [reading.power_w for name, reading in fresh.items() if self.meters[name].role is role]
        known = [power for power in powers if power is not None]
        return sum(known) if known else None


class PolledCollector(Collector):
    """A collector that asks its one device itself: for a replay, whose clock is not this machine's."""

    def __init__(self, sensor: Polled, parts: Mapping[str, Role], store: Store, max_gap_s: float = MAX_GAP_S) -> None:
        super().__init__(store, [Meter(part, role, "replay") for part, role in parts.items()], max_gap_s)
        self._sensor = sensor

    def collect(self) -> list[Span]:
        """Fetch what the sensor has; answer the energy that it was, cut at slot borders and already stored."""
        return [span for reading in self._sensor.read() for span in self.take(reading.part, [reading])]
