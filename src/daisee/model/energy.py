"""Energy from readings. Where the device has a counter, its differences count; a mean counts for the time it is the mean of;
powers of the moment are joined by straight lines, but only across gaps no longer than allowed. Nothing is invented: a longer
gap is no energy and less covered time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from daisee.model.readings import Flow, Quality, Reading
from daisee.units import Joules

DIP_HELD = 0.10
"""A counter that falls by less than this share of itself is a glitch of the meter: the high-water mark is kept."""

PLAUSIBLE_W = 1_000_000.0
"""No home moves a megawatt: a counter that would need it is refused. Far above any connection, far below a wild register."""

BELIEVED_AFTER = 5
"""So many values in a row that fit each other, and not what was before them: it is another register, and counts from there."""


class Counter:
    """One register of a meter. It turns values that should only grow into joules that really flowed."""

    def __init__(self, most_w: float = PLAUSIBLE_W) -> None:
        """Begin with nothing known; a jump that would need more than `most_w` since the last value is refused."""
        self._most_w = most_w
        self._mark: tuple[int, float] | None = None
        """The high-water mark, and when it was reached."""
        self._before: tuple[int, float] | None = None
        """The mark before a reset of late, in case that was only a glitch."""
        self._since_reset = 0
        self._jumped: list[tuple[int, float]] = []
        """Values of late that lie too far above the mark, each of which fits the one before."""
        self.resets = 0
        """How often the register fell by so much that it must have begun anew, or turned out to be another one."""
        self.refused = 0
        """How many values would have needed more power than any home has."""
        self.dips = 0
        """How many values lay a little below the mark, which was kept."""

    @property
    def known(self) -> bool:
        """Tell whether the register ever said anything."""
        return self._mark is not None

    def advance(self, value_j: int, at_s: float) -> tuple[Joules, bool]:
        """Answer the energy since the last value that was believed, and whether the register began anew with this one.

        The energy is at least zero, and zero for the first value, a dip, a reset and what cannot be. A register that falls to
        nothing and is back at once never began anew: what it counted meanwhile counts.
        """
        if self._mark is None:
            self._mark = (value_j, at_s)
            return Joules(0), False
        mark_j = self._mark[0]
        for known in (self._before, self._mark):
            if known is not None and self._fits(known, (value_j, at_s)):
                self._believe((value_j, at_s), again=known is self._before)
                return Joules(value_j - known[0]), False
        if value_j < mark_j:
            if value_j >= mark_j * (1 - DIP_HELD):
                self.dips += 1
                return Joules(0), False
            self._before, self._since_reset = self._before or self._mark, 0
            self._mark, self.resets = (value_j, at_s), self.resets + 1
            return Joules(0), True
        return self._doubt((value_j, at_s))

    def _believe(self, value: tuple[int, float], *, again: bool) -> None:
        self._mark, self._jumped = value, []
        self._since_reset += 1
        if again or self._since_reset >= BELIEVED_AFTER:
            self._before = None

    def _doubt(self, value: tuple[int, float]) -> tuple[Joules, bool]:
        """Refuse a jump, unless those after it agree with it: then it is another meter, and counts from the first of them."""
        self.refused += 1
        if self._jumped and not self._fits(self._jumped[-1], value):
            self._jumped = []
        self._jumped.append(value)
        if len(self._jumped) < BELIEVED_AFTER:
            return Joules(0), False
        since_j, self._mark, self._jumped = self._jumped[0][0], value, []
        self.resets += 1
        return Joules(value[0] - since_j), True

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


class Integrator:
    """Turns the readings of one meter, in order, into flows of energy."""

    def __init__(self, max_gap_s: float, most_w: float = PLAUSIBLE_W) -> None:
        self.max_gap_s = max_gap_s
        """The longest time between two powers of the moment that a line may be drawn across."""
        self.out_of_order = 0
        """Readings that came with a time not after the last one. They are counted here and are no energy."""
        self.forward, self.reverse = Counter(most_w), Counter(most_w)
        self._last: Reading | None = None
        self._carries = (_Carry(), _Carry())

    def add(self, reading: Reading) -> Flow | None:
        """Take the next reading; answer the stretch of energy that it completes, or None where it completes none."""
        if reading.power_w is None and reading.forward_j is None and reading.reverse_j is None:
            return None
        last = self._last
        if last is not None and reading.at_s <= last.at_s:
            self.out_of_order += 1
            return None
        self._last = reading
        if reading.mean_over_s is not None:
            before = reading  # a mean is level over the time it stands for
            start_s = reading.at_s - reading.mean_over_s
            start_s = start_s if last is None else max(start_s, last.at_s)
        else:
            before = last or reading
            start_s = before.at_s
        elapsed_s = reading.at_s - start_s
        bridged = reading.mean_over_s is not None or elapsed_s <= self.max_gap_s
        by_power = _both_ways(before.power_w, reading.power_w, elapsed_s) if bridged else (0.0, 0.0)
        forward_j, anew = self._counted(self.forward, 0, reading.forward_j, by_power[0], reading.at_s)
        reverse_j, anew_too = self._counted(self.reverse, 1, reading.reverse_j, by_power[1], reading.at_s)
        if elapsed_s <= 0 or not (bridged or forward_j or reverse_j):
            return None
        quality = Quality.MEASURED if bridged else Quality.SPREAD
        if anew or anew_too:
            quality |= Quality.RESET
        return Flow(start_s, reading.at_s, forward_j, reverse_j, covered=bridged, quality=quality)

    def add_powers(self, at_s: Sequence[float], power_w: Sequence[float]) -> list[Joules] | None:
        """Take many powers of the moment at once; answer the energy up to each of them, the same to the joule as `add` does.

        None, and nothing is taken, where one of them needs more thought: a counter, a power below zero, a gap, a time that does
        not grow.
        """
        last = self._last
        if last is None or last.power_w is None or self.forward.known or self.reverse.known or not at_s:
            return None
        before_w = [last.power_w, *power_w[:-1]]
        lengths_s = [end_s - start_s for start_s, end_s in zip([last.at_s, *at_s[:-1]], at_s, strict=True)]
        if min(before_w) < 0 or power_w[-1] < 0 or min(lengths_s) <= 0 or max(lengths_s) > self.max_gap_s:
            return None
        rest_j, energies = self._carries[0].rest_j, []
        for flowed_j in [(one + other) / 2 * long for one, other, long in zip(before_w, power_w, lengths_s, strict=True)]:
            exact_j = flowed_j + rest_j
            joules = round(exact_j)
            rest_j = exact_j - joules
            energies.append(joules)
        self._carries[0].rest_j = rest_j
        self._last = Reading(at_s=at_s[-1], power_w=power_w[-1])
        return cast("list[Joules]", energies)

    def _counted(self, counter: Counter, way: int, value_j: int | None, exact_j: float, at_s: float) -> tuple[Joules, bool]:
        if value_j is not None:
            return counter.advance(value_j, at_s)
        # What has a counter counts by it, also where a reading comes without: the next one with it has this energy too.
        if counter.known or not exact_j:
            return Joules(0), False
        return self._carries[way].whole(exact_j), False


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
