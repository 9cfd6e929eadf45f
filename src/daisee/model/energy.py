"""Energy from readings. Where the device has a counter, its differences count; a mean counts for the time it is the mean of;
powers of the moment are joined by the trapezoid, but only across gaps no longer than allowed. Nothing is invented: a longer
gap is no energy and less covered time.
"""

from __future__ import annotations

from dataclasses import dataclass

from daisee.model.readings import Reading, Span
from daisee.units import Joules, Watts

DIP_HELD = 0.10
"""A counter that falls by less than this share of itself is a glitch of the meter: the high-water mark is kept."""

PLAUSIBLE_W = 1_000_000.0
"""No home moves a megawatt: a counter that would need it is refused. Far above any connection, far below a wild register."""


class Counter:
    """One register of a meter. It turns values that should only grow into joules that really flowed."""

    def __init__(self) -> None:
        self._high_water_j: int | None = None
        self.resets = 0
        """How often the register fell by so much that it must have begun anew."""
        self.refused = 0
        """How many values would have needed more power than any home has."""

    def advance(self, value_j: int, elapsed_s: float) -> Joules:
        """Answer the energy since the last value: at least zero, and zero for the first, a dip, a reset or a wild value."""
        last_j, allowed_j = self._high_water_j, PLAUSIBLE_W * max(elapsed_s, 1.0)
        if last_j is None:
            self._high_water_j = value_j
            return Joules(0)
        if value_j < last_j:
            if value_j < last_j * (1 - DIP_HELD):
                self._high_water_j, self.resets = value_j, self.resets + 1
            return Joules(0)
        if value_j - last_j > allowed_j:
            self.refused += 1
            return Joules(0)
        self._high_water_j = value_j
        return Joules(value_j - last_j)


@dataclass(slots=True)
class _Carry:
    """Rounds energies to joules and keeps what rounding left over, so that a year of small numbers does not drift."""

    rest_j: float = 0.0

    def whole(self, exact_j: float) -> Joules:
        exact_j += self.rest_j
        joules = max(0, round(exact_j))
        self.rest_j = exact_j - joules
        return Joules(joules)


class Integrator:
    """Turns the readings of one home, in order, into spans of energy."""

    def __init__(self, max_gap_s: float) -> None:
        self.max_gap_s = max_gap_s
        """The longest time between two powers of the moment that a line may be drawn across."""
        self.out_of_order = 0
        """Readings that came with a time not after the last one. They are counted here and are no energy."""
        self._last: Reading | None = None
        self._counters = {"consumed": Counter(), "produced": Counter()}
        self._carries = {"consumed": _Carry(), "produced": _Carry()}

    @property
    def counters(self) -> dict[str, Counter]:
        """The two registers, `consumed` and `produced`, with what was odd about them."""
        return self._counters

    def add(self, reading: Reading) -> Span | None:
        """Take the next reading; answer the stretch of energy that it completes, or None where it completes none."""
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
        consumed_j = self._energy(
            "consumed", reading.consumed_counter_j, before.consumption_w, reading.consumption_w, elapsed_s, bridged
        )
        produced_j = self._energy(
            "produced", reading.produced_counter_j, before.production_w, reading.production_w, elapsed_s, bridged
        )
        if elapsed_s <= 0 or not (bridged or consumed_j or produced_j):
            return None
        return Span(start_s, reading.at_s, consumed_j, produced_j, covered=bridged)

    def _energy(
        self,
        name: str,
        counter_j: Joules | None,
        from_w: Watts | None,
        to_w: Watts | None,
        elapsed_s: float,
        bridged: bool,
    ) -> Joules:
        if counter_j is not None:
            return self._counters[name].advance(counter_j, elapsed_s)
        if from_w is None or to_w is None or not bridged:
            return Joules(0)
        return self._carries[name].whole((from_w + to_w) / 2 * elapsed_s)
