"""Takes the readings of a home's meters, keeps them, and turns them into energy in slots. Live power comes from memory."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from math import inf, isfinite

from daisee.errors import StoreError
from daisee.model.energy import PLAUSIBLE_W
from daisee.model.home import Live, Role
from daisee.model.readings import Reading, Span, cut, cut_flow, slot_borders, slot_start
from daisee.monitor.counting import PATIENT, Reckoning
from daisee.monitor.recounting import Recount, Window
from daisee.monitor.sensors import Polled
from daisee.monitor.store import Meter, Store
from daisee.units import Watts

log = logging.getLogger(__name__)

MAX_GAP_S = 60.0
"""At a reading each eight seconds; a gap as long is seven of them that did not come."""
KEEP_RAW_S = 90 * 24 * 3600.0
MOST_MEAN_S = 366 * 24 * 3600.0
EARLIEST_S = 946_684_800.0
"""The year 2000: no meter that speaks to us is older."""
AHEAD_S = 300.0
"""How far the clock of whoever measured may be ahead of ours."""
BEHIND_S = 2 * 3600.0
"""How far it may be behind, and what is said is still of now: an hour is soon lost, when summer ends."""
POWER_KEPT_S = 3600.0
"""How long a meter that speaks of its counter alone has the power that it told last."""
MOST_V = 1_000_000.0
RECOUNT_S = 2 * 3600
"""How far back slots are counted anew after a start: those that were not whole, where a meter speaks once an hour, too."""
AT_ONCE_S = 24 * 3600
"""Changes that lie further apart are counted in one after the other."""
MOST_COUNTER_J = 2**53

Said = tuple[Reading, float]
"""What a meter said, and when it came, by our clock."""


class Collector:
    """A home's readings on their way to its store."""

    def __init__(
        self,
        store: Store,
        meters: Iterable[Meter],
        max_gap_s: float = MAX_GAP_S,
        most_w: float = PLAUSIBLE_W,
        keep_raw_s: float = KEEP_RAW_S,
        clock: Callable[[], float] = time.time,
        silent_after_s: Mapping[str, float] | None = None,
    ) -> None:
        """Go on where the store ends. The meters are those that the home has now.

        What a meter said is no longer what is now when it is silent for so long, or, where that is not told, for `max_gap_s`.
        """
        self._store = store
        self.meters = {meter.name: meter for meter in meters}
        self._max_gap_s, self._most_w, self._keep_raw_s = max_gap_s, most_w, keep_raw_s
        for meter in self.meters.values():
            store.has_meter(meter)
        self.taken: Counter[str] = Counter()
        """How many readings of each meter were new."""
        self.refused: Counter[str] = Counter()
        """How many readings of each meter could not be."""
        self.resets: Counter[str] = Counter()
        """How often a counter of each meter began anew."""
        self._clock = clock
        self._silent_after_s = dict(silent_after_s or {})
        self._heard: dict[str, Said] = {}
        self._powered: dict[str, Said] = {}
        self._charged: dict[str, Said] = {}
        """What each meter said last, what it said last of its power, and of its charge."""
        self._began_s: float | None = None
        self._changed: dict[tuple[str, int], tuple[float, float]] = {}
        """The first and the last moment in each meter's slots that something is not counted of yet: it came late, or the store
        failed, or a counter tells better than power did."""
        self._filled: set[tuple[str, int]] = set()
        """Slots that have readings which came late."""
        self._roles = {name: meter.role for name, meter in self.meters.items()}
        self._energy = Reckoning(self._roles, max_gap_s, most_w, self._patience_s)
        self._go_on()

    def _go_on(self) -> None:
        """Go on where the store ends."""
        store, clock = self._store, self._clock
        newest_s = store.newest_reading_s()
        if newest_s is not None:
            # What was read and not yet told of when it ended is told of now, and counters go on where they were.
            self._recount(Window(slot_start(min(newest_s, clock())) - RECOUNT_S))
            for name in self.meters:
                last = store.last_before(name, clock() + AHEAD_S)
                if last is not None:
                    self._hear(name, last, last.at_s)

    @property
    def _patience_s(self) -> float:
        """Answer how long a counter is waited for."""
        return PATIENT * self._max_gap_s

    @property
    def latest(self) -> Live | None:
        """Answer the home as it is now, by what its meters said last; None before any did."""
        if not self._heard:
            return None
        now_s = self._clock()
        fresh = {name for name in self._heard if self._is_fresh(name, now_s)}
        power_w = {role: self._power_of(role, now_s) for role in Role}
        grid_w, sun_w, battery_w = power_w[Role.GRID], power_w[Role.PRODUCTION], power_w[Role.BATTERY]
        used_w = power_w[Role.LOAD]
        roles = set(self._roles.values())
        if Role.LOAD not in roles and (Role.GRID in roles or Role.BATTERY in roles):
            given = [power_w[role] for role in (Role.GRID, Role.PRODUCTION, Role.BATTERY) if role in roles]
            used_w = None if None in given else max(0.0, (grid_w or 0.0) + (sun_w or 0.0) - (battery_w or 0.0))
        charge = [self._charged[name][0].state_of_charge for name in self._heard if name in fresh and name in self._charged]
        return Live(
            at_s=max(self._heard[name][0].at_s for name in fresh or self._heard),
            consumption_w=None if used_w is None else Watts(used_w),
            production_w=None if sun_w is None else Watts(max(0.0, sun_w)),
            grid_power_w=grid_w,
            battery_power_w=battery_w,
            state_of_charge=charge[-1] if charge else None,
        )

    @property
    def newest(self) -> Mapping[str, Reading]:
        """Answer what each meter said last, with its power and its charge of now, as far as they are known."""
        now_s = self._clock()
        found = {}
        for name, (reading, _came_s) in self._heard.items():
            charged = self._charged.get(name) if self._is_fresh(name, now_s) else None
            charge = charged[0].state_of_charge if charged else None
            found[name] = replace(reading, power_w=self._power_w(name, now_s), state_of_charge=charge)
        return found

    def _is_fresh(self, meter: str, now_s: float) -> bool:
        """Tell whether what a meter said last is of now: by when it came, for its own clock may be wrong."""
        if meter not in self._heard:
            return False
        reading, came_s = self._heard[meter]
        return now_s - came_s <= self._silent_after_s.get(meter, self._max_gap_s) and now_s - reading.at_s <= BEHIND_S

    def _power_w(self, meter: str, now_s: float) -> float | None:
        powered = self._powered.get(meter)
        if powered is None or now_s - powered[1] > POWER_KEPT_S or not self._is_fresh(meter, now_s):
            return None
        return powered[0].power_w

    def _power_of(self, role: Role, now_s: float) -> float | None:
        powers = [self._power_w(name, now_s) for name in self.meters if self._roles[name] is role]
        known = [power for power in powers if power is not None]
        return sum(known) if known else None

    def _hear(self, meter: str, reading: Reading, now_s: float) -> None:
        """Take note of what a meter says now. One that came late is no news; one that is ahead of now hides none."""
        said = (reading, now_s)
        if _is_news(self._heard.get(meter), said):
            self._heard[meter] = said
        if reading.power_w is not None and _is_news(self._powered.get(meter), said):
            self._powered[meter] = said
        if reading.state_of_charge is not None and _is_news(self._charged.get(meter), said):
            self._charged[meter] = said

    @property
    def out_of_order(self) -> int:
        """Answer how many readings came too late to be energy at once; they are counted in when the store is settled."""
        return sum(integrator.out_of_order for integrator in self._energy.integrators.values())

    @property
    def whole_slots_until_s(self) -> int:
        """Answer up to when slots are whole: none of them will grow again. Zero while none is."""
        until_s = self._energy.home.until_s
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
            try:
                if self._store.add_reading(meter, reading):
                    self.taken[meter] += 1
                    self._hear(meter, reading, self._clock())
                    spans += self._count(meter, reading)
            except StoreError:
                told_s = (self._energy.home.until_s, *(each.last_s for each in self._energy.integrators.values()))
                since_s = min([reading.at_s, *(at_s for at_s in told_s if at_s is not None)])
                for name in self.meters:
                    self._note(name, since_s, reading.at_s)
                raise
        return spans

    def _count(self, meter: str, reading: Reading) -> list[Span]:
        integrator, until_s = self._energy.integrators[meter], self._energy.home.until_s
        if integrator.last_s is not None and reading.at_s <= integrator.last_s:
            self._note(meter, reading.at_s, reading.at_s)
            self._filled.add((meter, slot_start(reading.at_s)))
        elif until_s is not None and reading.at_s < until_s and self._roles[meter] is not Role.SUB_LOAD:
            self._note(meter, reading.at_s, reading.at_s)  # its home no longer waited for it
        resets = integrator.resets
        flows, home = self._energy.add(meter, reading)
        if integrator.resets > resets:
            self.resets[meter] += integrator.resets - resets
            log.warning("%s: its counter began anew, or is another one; it counts from %s on", meter, _energies(reading))
        if integrator.amiss_since_s is not None:
            self._note(meter, integrator.amiss_since_s, reading.at_s)
            integrator.amiss_since_s = None
        for flow in flows:
            for piece in cut_flow(flow, slot_borders(flow.start_s, flow.end_s)):
                self._store.add_flow(meter, piece)
        spans = [piece for span in home for piece in cut(span, slot_borders(span.start_s, span.end_s))]
        for span in spans:
            self._began_s = span.start_s if self._began_s is None else self._began_s
            self._store.add_span(span)
        return spans

    def _note(self, meter: str, first_s: float, last_s: float) -> None:
        """Take note that a stretch of a meter's time is to be counted anew."""
        key = (meter, slot_start(first_s))
        first, last = self._changed.get(key, (first_s, last_s))
        self._changed[key] = min(first, first_s), max(last, last_s)

    @property
    def has_late(self) -> bool:
        """Tell whether `settle` has something to count in."""
        return bool(self._changed)

    def settle(self) -> None:
        """Count in what came late, and what a counter tells better than power did, from the readings that are kept."""
        while self._changed:
            self.settle_some()

    def settle_some(self) -> None:
        """Do a part of what `settle` does: no more than some days at once."""
        if not self._changed:
            return
        first_s = min(first for first, _last in self._changed.values())
        taken = {key: change for key, change in self._changed.items() if change[0] < first_s + AT_ONCE_S}
        changed: dict[str, tuple[float, float]] = {}
        for (name, _start), (first, last) in taken.items():
            before = changed.get(name, (first, last))
            changed[name] = min(first, before[0]), max(last, before[1])
        since_s = min(self._told_before_s(name, first) for name, (first, _last) in changed.items())
        filled = frozenset(key for key in self._filled if key in taken)
        recount = self._recount(Window(slot_start(since_s), changed, filled))
        # What came meanwhile, and lies within what was counted, is counted too.
        self._changed = {key: change for key, change in self._changed.items() if taken.get(key) != change}
        self._filled -= filled
        if not (recount.ended or recount.agreed):
            for name in changed:
                self._note(name, recount.to_s, recount.to_s)

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
        now_s = self._clock()
        if not reading.at_s <= now_s + AHEAD_S:
            return f"it is of the future, {reading.at_s - now_s:.0f} s ahead; set the clock of whoever measured it"
        heard = self._heard.get(meter)
        if reading.at_s < (EARLIEST_S if heard is None else min(heard[0].at_s, now_s) - self._keep_raw_s):
            return "it is older than what readings are kept for; `daisee monitor import` takes it"
        return None

    def _refuse(self, meter: str, why: str) -> None:
        self.refused[meter] += 1
        if self.refused[meter] == 1:
            log.warning("%s: a reading is refused: %s. Others like it are counted, and not told", meter, why)

    def _recount(self, window: Window) -> Recount:
        """Count a window anew. Parts of a home's use have to do with each other; a sub-load has to do with nothing."""
        names = set(window.changed) or set(self._roles)
        if any(self._roles[name] is not Role.SUB_LOAD for name in names):
            names |= {name for name, role in self._roles.items() if role is not Role.SUB_LOAD}
        roles = {name: role for name, role in self._roles.items() if name in names}
        recount = Recount(self._store, roles, self._max_gap_s, self._most_w, window)
        recount.run(self._clock() + AHEAD_S)
        if recount.ended:
            recount.count.hurry(self._patience_s)
        recount.put()
        if recount.ended:
            self._energy.go_on_from(recount.count.energy)
        return recount


def _is_news(before: Said | None, said: Said) -> bool:
    return before is None or said[0].at_s >= before[0].at_s or before[0].at_s > said[1]


def _energies(reading: Reading) -> str:
    counters = [f"{counter_j / 3.6e6:.3f} kWh" for counter_j in (reading.forward_j, reading.reverse_j) if counter_j is not None]
    return " and ".join(counters)


class PolledCollector(Collector):
    """A collector that asks its one device itself: for a replay, whose clock is not this machine's: it is when it says."""

    def __init__(self, sensor: Polled, parts: Mapping[str, Role], store: Store, max_gap_s: float = MAX_GAP_S) -> None:
        newest_s = store.newest_reading_s()
        self._now_s = inf if newest_s is None else newest_s
        meters = [Meter(part, role, "replay") for part, role in parts.items()]
        super().__init__(store, meters, max_gap_s, clock=lambda: self._now_s)
        self._sensor = sensor

    def collect(self) -> list[Span]:
        """Fetch what the sensor has; answer the energy that it was, cut at slot borders and already stored."""
        spans = []
        for reading in self._sensor.read():
            self._now_s = reading.at_s if self._now_s == inf else max(self._now_s, reading.at_s)
            spans += self.take(reading.part, [reading])
        return spans
