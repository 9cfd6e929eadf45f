"""Energy from readings. Where the device has a counter, its differences count, and power shapes them; a mean counts for the
time it is the mean of; powers of the moment are joined by straight lines, but only across gaps no longer than allowed. Nothing
is invented: a longer gap is no energy and less covered time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from daisee.model.readings import Flow, Quality, Reading
from daisee.units import Joules

PLAUSIBLE_W = 1_000_000.0
"""No home moves a megawatt: a counter that would need it is refused. Far above any connection, far below a wild register."""

BELIEVED_AFTER = 5
"""So many values in a row that fit each other and grow, and do not fit what was before them: it is another register."""

Counted = tuple[Joules, float, bool]
"""Energy, since when it was counted, and whether the register had begun anew then."""

FORGET_S = 24 * 3600.0
"""A counter that said nothing for a day, while powers came, is forgotten: power tells, and the counter begins when it is back."""

WAYS = (0, 1)
"""Forward, and the other way."""


class Counter:
    """One register of a meter. It turns values that should only grow into joules that really flowed."""

    def __init__(self, most_w: float = PLAUSIBLE_W) -> None:
        """Begin with nothing known; a jump that would need more than `most_w` since the last value is not believed."""
        self._most_w = most_w
        self._mark: tuple[int, float] | None = None
        """The high-water mark, and when it was reached."""
        self._recent: deque[int] = deque(maxlen=BELIEVED_AFTER)
        """What it showed on its way there."""
        self._doubted: list[tuple[int, float]] = []
        """Values of late that do not go on from the mark, each of which fits the one before: the first, and the newest."""
        self.resets = 0
        """How often the register began anew, or turned out to be another one."""

    @property
    def known(self) -> bool:
        """Tell whether the register ever said anything."""
        return self._mark is not None

    def goes_on(self, value_j: int, at_s: float) -> bool:
        """Tell whether a value goes on from the last one that was believed."""
        return self._mark is not None and self._fits(self._mark, (value_j, at_s))

    def advance(self, value_j: int, at_s: float) -> Counted | None:
        """Answer the energy since the last value that was believed; None for a value that is not believed yet.

        The energy is at least zero, and zero for the first value. A value that falls back to what was shown a moment before the
        mark is no energy: the mark was a glitch, was counted, and stays. Of another register, or one that began anew, the first
        values are waited for, and then count from the first of them: what was before it is not known.
        """
        value, mark = (value_j, at_s), self._mark
        if mark is None:
            self._believe(value)
            return Joules(0), at_s, False
        if self._fits(mark, value):
            self._believe(value)
            return Joules(value_j - mark[0]), mark[1], False
        if self._recent[0] <= value_j < mark[0]:
            self._doubted = []
            return Joules(0), mark[1], False
        return self._doubt(value)

    def _believe(self, value: tuple[int, float]) -> None:
        self._mark = value
        self._recent.append(value[0])
        if self._doubted:
            self._doubted = []

    def _doubt(self, value: tuple[int, float]) -> Counted | None:
        if self._doubted and not self._fits(self._doubted[-1], value):
            self._doubted = []
        self._doubted.append(value)
        first = self._doubted[0]
        if len(self._doubted) < BELIEVED_AFTER:
            return None
        if value[0] == first[0]:
            # One that stands still may be stuck: it costs nothing to wait until it grows.
            del self._doubted[1]
            return None
        self._recent.clear()
        self._believe(value)
        self.resets += 1
        return Joules(value[0] - first[0]), first[1], True

    def _fits(self, since: tuple[int, float], value: tuple[int, float]) -> bool:
        return 0 <= value[0] - since[0] <= self._most_w * max(value[1] - since[1], 1.0)


@dataclass(slots=True)
class _Carry:
    """Rounds energies to joules and keeps what rounding left over, so that a year of small numbers does not drift."""

    rest_j: float = 0.0

    def whole(self, exact_j: float) -> Joules:
        exact_j += self.rest_j
        joules = round(exact_j)
        joules = joules if joules > 0 else 0
        self.rest_j = exact_j - joules
        return Joules(joules)


@dataclass(slots=True)
class _Stretch:
    """The time between two readings, while a counter is waited for."""

    start_s: float
    end_s: float
    bridged: bool
    """False where nobody looked."""
    exact_j: tuple[float, float]
    """What power says of it, both ways."""
    energy_j: list[Joules]
    """What is decided, both ways."""
    quality: Quality

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s

    def flow(self) -> Flow | None:
        forward_j, reverse_j = self.energy_j
        if not (self.bridged or forward_j or reverse_j):
            return None
        return Flow(self.start_s, self.end_s, forward_j, reverse_j, covered=self.bridged, quality=self.quality)


class _Way:
    """One direction of a meter: its register, and how far it is decided what went that way."""

    def __init__(self, most_w: float) -> None:
        self.register = Counter(most_w)
        self.carry = _Carry()
        self.decided = 0
        """Of how many of the stretches that are held."""
        self.waited_s = 0.0
        """How long the register has not spoken while the meter did."""
        self.told_since_s: float | None = None
        """Since when power tells what the register should; None where it does not."""


class Integrator:
    """Turns the readings of one meter, in order, into flows of energy.

    What lies between two values of a counter is held until the second is there, for `patience_s` at most; then power tells of
    it, and when the counter is back, `amiss_since_s` says from when on its readings would be told otherwise in hindsight.
    """

    def __init__(self, max_gap_s: float, most_w: float = PLAUSIBLE_W, patience_s: float = FORGET_S) -> None:
        self.max_gap_s = max_gap_s
        """The longest time between two powers of the moment that a line may be drawn across."""
        self.out_of_order = 0
        """Readings that came with a time not after the last one. They are counted here and are no energy."""
        self.resets = 0
        """How often a register began anew."""
        self.amiss_since_s: float | None = None
        self._most_w = most_w
        self._patience_s = patience_s
        self._ways = (_Way(most_w), _Way(most_w))
        self._held: list[_Stretch] = []
        self._last: Reading | None = None
        self._powered: Reading | None = None
        """The last reading that had a power."""

    @property
    def last_s(self) -> float | None:
        """Answer when the last reading was."""
        return None if self._last is None else self._last.at_s

    @property
    def held_since_s(self) -> float | None:
        """Answer from when on energy is held, because a counter is waited for; None where none is."""
        return self._held[0].start_s if self._held else None

    def add(self, reading: Reading) -> list[Flow]:
        """Take the next reading; answer the stretches of energy that are known by it, in order."""
        counts = reading.forward_j is not None or reading.reverse_j is not None
        if reading.power_w is None and not counts:
            return []
        last = self._last
        if last is not None and reading.at_s <= last.at_s:
            self.out_of_order += 1
            return []
        start_s, bridged, exact_j = self._since(last, reading)
        self._last = reading
        if reading.power_w is not None:
            self._powered = reading
        forward, reverse = self._ways
        if not counts and not forward.register.known and not reverse.register.known:
            if start_s >= reading.at_s or not bridged:
                return []
            return [Flow(start_s, reading.at_s, forward.carry.whole(exact_j[0]), reverse.carry.whole(exact_j[1]))]
        if bridged and last is not None and start_s == last.at_s and self._goes_on(reading):
            forward_j = self._at_once(0, reading.forward_j, reading.at_s, exact_j[0])
            return [Flow(start_s, reading.at_s, forward_j, self._at_once(1, reading.reverse_j, reading.at_s, exact_j[1]))]
        if last is not None and start_s - last.at_s > self.max_gap_s:
            self._hold(last.at_s, start_s, False, (0.0, 0.0))  # a mean tells nothing of what was before it
        if start_s < reading.at_s:
            self._hold(start_s, reading.at_s, bridged, exact_j)
        self._hear(0, reading.forward_j, reading.at_s)
        self._hear(1, reading.reverse_j, reading.at_s)
        return self._decided()

    def add_powers(self, at_s: Sequence[float], power_w: Sequence[float]) -> list[Joules] | None:
        """Take many powers of the moment at once; answer the energy up to each of them, the same to the joule as `add` does.

        None, and nothing is taken, where one of them needs more thought: a counter, a power below zero, a gap, a time that does
        not grow.
        """
        last = self._last
        if last is None or last.power_w is None or any(way.register.known for way in self._ways) or not at_s:
            return None
        before_w = [last.power_w, *power_w[:-1]]
        lengths_s = [end_s - start_s for start_s, end_s in zip([last.at_s, *at_s[:-1]], at_s, strict=True)]
        if min(before_w) < 0 or power_w[-1] < 0 or min(lengths_s) <= 0 or max(lengths_s) > self.max_gap_s:
            return None
        carry = self._ways[0].carry
        rest_j, energies = carry.rest_j, []
        for flowed_j in [(one + other) / 2 * long for one, other, long in zip(before_w, power_w, lengths_s, strict=True)]:
            exact_j = flowed_j + rest_j
            joules = round(exact_j)
            rest_j = exact_j - joules
            energies.append(joules)
        carry.rest_j = rest_j
        self._last = self._powered = Reading(at_s=at_s[-1], power_w=power_w[-1])
        return cast("list[Joules]", energies)

    def hurry(self, patience_s: float) -> list[Flow]:
        """Wait no longer than so for a counter, from now on; answer what waited longer already, as power tells it."""
        self._patience_s = patience_s
        for way in WAYS:
            if self._ways[way].register.known:
                self._wait(way)
        return self._decided()

    def _since(self, last: Reading | None, reading: Reading) -> tuple[float, bool, tuple[float, float]]:
        """Answer when the stretch began that a reading ends, whether it was looked at, and what power says of it, both ways."""
        if reading.mean_over_s is not None:
            start_s = reading.at_s - reading.mean_over_s
            start_s = start_s if last is None else max(start_s, last.at_s)
            # A mean is level over the time it stands for.
            return start_s, True, _both_ways(reading.power_w, reading.power_w, reading.at_s - start_s)
        if last is None:
            return reading.at_s, True, (0.0, 0.0)
        elapsed_s = reading.at_s - last.at_s
        if elapsed_s > self.max_gap_s:
            return last.at_s, False, (0.0, 0.0)
        from_w, to_w = last.power_w, reading.power_w
        if from_w is None and self._powered is not None and last.at_s - self._powered.at_s <= self.max_gap_s:
            from_w = self._powered.power_w  # a counter spoke alone meanwhile
        return last.at_s, True, _both_ways(from_w, from_w if to_w is None else to_w, elapsed_s)

    def _goes_on(self, reading: Reading) -> bool:
        """Tell whether all registers that there are go on with a reading, and nothing is held: as nearly always."""
        if self._held:
            return False
        for way, value_j in zip(self._ways, (reading.forward_j, reading.reverse_j), strict=True):
            if way.told_since_s is not None:
                return False
            if way.register.known if value_j is None else not way.register.goes_on(value_j, reading.at_s):
                return False
        return True

    def _at_once(self, number: int, value_j: Joules | None, at_s: float, exact_j: float) -> Joules:
        way = self._ways[number]
        counted = None if value_j is None else way.register.advance(value_j, at_s)
        return counted[0] if counted else way.carry.whole(exact_j) if exact_j else Joules(0)

    def _hold(self, start_s: float, end_s: float, bridged: bool, exact_j: tuple[float, float]) -> None:
        quality = Quality.MEASURED if bridged else Quality.SPREAD
        self._held.append(_Stretch(start_s, end_s, bridged, exact_j, [Joules(0), Joules(0)], quality))
        for way in self._ways:
            # A long silence of the whole meter is not one of its counter.
            way.waited_s += end_s - start_s if bridged else self.max_gap_s

    def _hear(self, number: int, value_j: Joules | None, at_s: float) -> None:
        """Decide what went one way, as far as a value of its register, or the lack of one, tells."""
        way = self._ways[number]
        if value_j is None and not way.register.known:
            self._by_power(number, Quality.MEASURED)
            return
        counted = None if value_j is None else way.register.advance(value_j, at_s)
        if counted is None:
            self._wait(number)
        elif way.told_since_s is None:
            self._count(number, *counted)
        else:
            self.amiss_since_s = min(way.told_since_s, self.amiss_since_s or way.told_since_s)
            way.told_since_s = None
            self._by_power(number, Quality.POWER)
        if counted is not None:
            way.waited_s = 0.0
            self.resets += counted[2]

    def _count(self, number: int, energy_j: Joules, since_s: float, anew: bool) -> None:
        """Spread what a register counted over the time in which it did. Of what was before that, power tells."""
        way = self._ways[number]
        undecided = self._held[way.decided :]
        before = sum(stretch.start_s < since_s for stretch in undecided)
        if anew:
            for stretch in undecided:
                stretch.quality |= Quality.RESET
        self._by_power(number, Quality.MEASURED, before)
        for stretch, share_j in zip(undecided[before:], _shares(undecided[before:], number, energy_j), strict=True):
            stretch.energy_j[number] = share_j
        way.decided = len(self._held)

    def _wait(self, number: int) -> None:
        """Wait for a register; where it is silent for too long, power tells, and where it is for very long, it is forgotten."""
        way = self._ways[number]
        if way.told_since_s is None:
            if way.waited_s <= self._patience_s or way.decided == len(self._held):
                return
            way.told_since_s = self._held[way.decided].start_s
        self._by_power(number, Quality.POWER)
        if way.waited_s > FORGET_S:
            way.register, way.told_since_s, way.waited_s = Counter(self._most_w), None, 0.0

    def _by_power(self, number: int, quality: Quality, count: int | None = None) -> None:
        """Let power tell of what is not decided, or of the first so many stretches of it."""
        way = self._ways[number]
        undecided = self._held[way.decided :] if count is None else self._held[way.decided : way.decided + count]
        for stretch in undecided:
            stretch.energy_j[number] = way.carry.whole(stretch.exact_j[number]) if stretch.exact_j[number] else Joules(0)
            if stretch.bridged:
                stretch.quality |= quality
        way.decided += len(undecided)

    def _decided(self) -> list[Flow]:
        """Let go of what is decided both ways."""
        forward, reverse = self._ways
        count = min(forward.decided, reverse.decided)
        if not count:
            return []
        flows = [flow for stretch in self._held[:count] if (flow := stretch.flow()) is not None]
        del self._held[:count]
        forward.decided -= count
        reverse.decided -= count
        return flows


def _shares(stretches: Sequence[_Stretch], way: int, energy_j: int) -> list[Joules]:
    """Share out what a counter counted: as power tells, and the rest where nobody looked. They add up to it, to the joule."""
    if len(stretches) == 1:
        return [Joules(energy_j)]  # as nearly always
    parts = [stretch.exact_j[way] for stretch in stretches]
    told_j = sum(parts)
    dark_s = sum(stretch.duration_s for stretch in stretches if not stretch.bridged)
    if not told_j:
        parts = [stretch.duration_s for stretch in stretches]
    elif dark_s and energy_j > told_j:
        rest_w = (energy_j - told_j) / dark_s
        parts = [part if each.bridged else rest_w * each.duration_s for part, each in zip(parts, stretches, strict=True)]
    whole, shares, reached, given = sum(parts), [], 0.0, 0
    for place, part in enumerate(parts, 1):
        reached += part
        upto_j = energy_j if place == len(parts) else min(energy_j, round(energy_j * (reached / whole)))
        shares.append(Joules(upto_j - given))
        given = upto_j
    return shares


def _both_ways(from_w: float | None, to_w: float | None, elapsed_s: float) -> tuple[float, float]:
    """Answer the joules that go forward and the other way while power goes from one value to another in a straight line."""
    if from_w is None or to_w is None:
        return 0.0, 0.0
    if from_w * to_w >= 0:
        exact_j = (from_w + to_w) / 2 * elapsed_s
        return max(0.0, exact_j), max(0.0, -exact_j)
    # It goes through zero on its way: a triangle on each side.
    crossed_s = elapsed_s * from_w / (from_w - to_w)
    triangles = (from_w * crossed_s / 2, to_w * (elapsed_s - crossed_s) / 2)
    return max(0.0, *triangles), max(0.0, *(-each for each in triangles))
