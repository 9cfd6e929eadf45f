"""Replays what was measured as if it were measured now: for the demo, and for who studies recorded homes.

A row of the demo is the mean power over the step that begins at its time, so it is known, and answered, when the step has ended.
The sensor `replay` plays a file of our own columns at its own pace, or faster, with its times laid on now.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Sequence
from dataclasses import replace
from datetime import UTC
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Protocol

from daisee.config import Setting, flag, number, text, via
from daisee.errors import SensorError, UsageError
from daisee.model.home import Role
from daisee.model.readings import Reading
from daisee.monitor.formats import Run
from daisee.monitor.formats.files import opened
from daisee.monitor.sensors import Kind, Refuse, Sensor
from daisee.monitor.staging import readings_of
from daisee.units import Joules

PARTS = {"load": Role.LOAD, "production": Role.PRODUCTION}
"""The two meters that such a home has."""


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
        readings: list[Reading] = []
        while self._next is not None and self._next.at_s + self._step_s <= self._clock():
            readings += means(self._next.at_s + self._step_s, self._step_s, self._next)
            self._next = next(self._rows, None)
        return readings


def means(at_s: float, over_s: float, row: MeasuredRow) -> list[Reading]:
    """Answer what the two meters of a home say of a step that has ended."""
    sun = Reading(at_s=at_s, part="production", power_w=row.production_w, mean_over_s=over_s)
    return [sun, replace(sun, part="load", power_w=row.consumption_w, state_of_charge=row.state_of_charge)]


# ----------------------------------------------------------------------------------------------------- the sensor of a file

AT_ONCE = 200
"""So many lines are read ahead, in a thread: a slow disk holds up no other sensor."""
LONGEST_STEP_S = 3_600.0
Lines = Generator[tuple[int, Reading], None, None]


class FileReplay:
    """Plays a file, once or for ever. It remembers that it has ended: who listens again hears no more."""

    def __init__(self, file: Path, speed: float, repeat: bool) -> None:
        self._file, self._speed, self._repeat = file, speed, repeat
        self._ended = False

    async def readings(self, refuse: Refuse) -> AsyncIterator[Reading]:
        """Answer each reading when it is due, its time laid on now; SensorError where there is no such file, or it has ended."""
        if self._ended:
            raise SensorError(f"{self._file} was played to its end; with repeat = true it begins again")
        play = _Play(time.time(), self._speed)
        while True:
            said = 0
            lines = _lines(self._file, refuse)
            try:
                while some := await _some(lines):
                    for line, reading in some:
                        laid = play.lay(reading)
                        if laid is None:
                            refuse(f"line {line} goes back in time")
                            continue
                        await asyncio.sleep(max(0.0, laid.at_s - time.time()))
                        said += 1
                        yield laid
            finally:
                lines.close()
            if not said:
                raise SensorError(f"{self._file} has no reading that can be played")
            if not self._repeat:
                self._ended = True
                raise SensorError(f"{self._file} is played to its end; with repeat = true it begins again")
            play.begin_again()


class _Play:
    """Lays the times of a file on now. Counters grow as much slower as time goes faster, so that both say the same power."""

    def __init__(self, start_s: float, speed: float) -> None:
        self._start_s, self._speed = start_s, speed
        self._first_s: float | None = None
        self._last_s = 0.0
        self._step_s = 0.0
        self._began: dict[tuple[str, str], int] = {}
        """What each counter began with, by its meter and field, and what it had reached when the file began again."""
        self._grown: dict[tuple[str, str], float] = {}
        self._before: dict[tuple[str, str], float] = {}

    def lay(self, reading: Reading) -> Reading | None:
        """Answer a reading as of now; None for one that goes back in time."""
        if self._first_s is None:
            self._first_s = self._last_s = reading.at_s
        if reading.at_s < self._last_s:
            return None
        if reading.at_s > self._last_s:
            self._step_s = min(reading.at_s - self._last_s, LONGEST_STEP_S)
        self._last_s = reading.at_s
        return replace(
            reading,
            at_s=self._start_s + (reading.at_s - self._first_s) / self._speed,
            mean_over_s=None if reading.mean_over_s is None else reading.mean_over_s / self._speed,
            forward_j=self._counter(reading.part, "forward_j", reading.forward_j),
            reverse_j=self._counter(reading.part, "reverse_j", reading.reverse_j),
        )

    def _counter(self, part: str, name: str, value_j: Joules | None) -> Joules | None:
        if value_j is None:
            return None
        key = (part, name)
        began_j = self._began.setdefault(key, value_j)
        self._grown[key] = self._before.get(key, float(began_j)) + (value_j - began_j) / self._speed
        return Joules(max(0, round(self._grown[key])))

    def begin_again(self) -> None:
        """Go on from where the file ended, a step later; counters go on where they were."""
        if self._first_s is not None:
            # Two readings of one moment, or a single one, are told a second apart.
            self._start_s += (self._last_s - self._first_s + (self._step_s or 1.0)) / self._speed
        self._first_s, self._began, self._before = None, {}, dict(self._grown)


async def _some(lines: Lines) -> list[tuple[int, Reading]]:
    """Read the next lines in a thread; who is told to stop meanwhile stops when they are read, so that the file can be closed."""
    reading = asyncio.ensure_future(asyncio.to_thread(lambda: list(islice(lines, AT_ONCE))))
    try:
        return await asyncio.shield(reading)
    except asyncio.CancelledError:
        await asyncio.gather(reading, return_exceptions=True)
        raise


def _lines(file: Path, refuse: Refuse) -> Lines:
    """Answer the readings of a file, with the numbers of their lines; SensorError where it cannot be read."""

    def refused(line: int, why: str) -> None:
        refuse(f"line {line}: {why}")

    if not file.is_file():
        raise SensorError(f"there is no file {file}; it lies where daisee is started, or begins with /")
    try:
        with opened(file, refused, lambda _share: None, UTC, {}, "daisee") as (shape, source):
            for each in shape.read(source):
                if isinstance(each, Run):
                    yield from readings_of(each)
                else:
                    yield each.line, replace(each.reading, part=each.name)
    except UsageError as error:
        raise SensorError(str(error)) from error


@cache
def _open(file: Path, speed: float, repeat: bool) -> Sensor:
    return FileReplay(file, speed, repeat)


KIND = Kind(
    name="replay",
    title="A file that was measured before",
    needs="a CSV of our own columns, plain or gzipped, like those that `daisee monitor export --what readings` writes",
    settings=(
        Setting("file", "", "The file; one that does not begin with / lies where daisee is started.", via(Path, text)),
        Setting("speed", "", "So many times faster than it was.", via(float, number("0.001", "100000")), 1),
        Setting("repeat", "", "Begin again where it ends.", flag, False),
    ),
    open=_open,
    example='kind = "replay"\nrole = "grid"\nfile = "readings.csv"\n',
)
