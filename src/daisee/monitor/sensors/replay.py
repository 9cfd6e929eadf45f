"""Replays measured rows as if they were measured now: the sensor of the demo and of who studies recorded homes.

A row is the mean power over the step that begins at its time, so it is known, and answered, when the step has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from daisee.model.readings import Reading
from daisee.units import Watts


class MeasuredRow(Protocol):
    """One row of recorded data."""

    @property
    def at_s(self) -> int:
        """The beginning of the step, Unix seconds."""
        ...

    @property
    def consumption_w(self) -> float:
        """Mean power used over the step."""
        ...

    @property
    def production_w(self) -> float:
        """Mean power made over the step."""
        ...

    @property
    def state_of_charge(self) -> float | None:
        """Of the home's battery, 0 to 1; None where it has none, or it was not measured."""
        ...


class ReplaySensor:
    """Answers each row once its step has ended on the clock."""

    def __init__(self, rows: Iterable[MeasuredRow], step_s: int, clock: Callable[[], float]) -> None:
        self._rows = iter(rows)
        self._step_s = step_s
        self._clock = clock
        self._next = next(self._rows, None)

    @property
    def ended(self) -> bool:
        """Tell whether every row was answered."""
        return self._next is None

    def read(self) -> Sequence[Reading]:
        """Answer the rows whose step has ended since the last call."""
        readings = []
        while self._next is not None and self._next.at_s + self._step_s <= self._clock():
            readings.append(self._reading(self._next))
            self._next = next(self._rows, None)
        return readings

    def _reading(self, row: MeasuredRow) -> Reading:
        return Reading(
            at_s=float(row.at_s + self._step_s),
            consumption_w=Watts(row.consumption_w),
            production_w=Watts(row.production_w),
            mean_over_s=float(self._step_s),
            state_of_charge=row.state_of_charge,
        )
