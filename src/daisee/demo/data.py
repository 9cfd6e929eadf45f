"""Measured homes, as the street replays them: rows of mean power on one regular grid of time.

A row is the mean power over the step that begins at its time; power is in watts, time in Unix seconds. A row that is missing,
holds no number or lies off the grid is no energy: it is counted as a gap, and nothing is invented in its place.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from itertools import compress, pairwise, repeat
from pathlib import Path
from typing import overload

from daisee.demo.datafile import LONGEST_GAP_S, RawFile, RawHome, read_file, shown
from daisee.errors import DataFileError, UsageError

COMMUNITY = Path(__file__).parent / "data" / "community.csv.gz"
"""A week of six measured homes, which ships with the package."""

DAY_S = 86_400
SHORTEST_STEP_S, LONGEST_STEP_S = 10, 3_600
MOST_OFF_GRID = 0.01
"""Up to this share of a home's rows may lie off the grid and are left out; more, and the file is not regular."""
HOMES_LISTED = 12


@dataclass(frozen=True, slots=True)
class Row:
    """One step of one home."""

    at_s: int
    """When the step begins."""
    consumption_w: float
    """Mean power used, at least zero."""
    production_w: float
    """Mean power made, at least zero."""
    state_of_charge: float | None
    """Of the home's battery, 0 to 1; None where it has none, or it was not measured."""


class Rows(Sequence[Row]):
    """The rows of one home, packed: a row is made when it is asked for. A year of quarters of an hour is about a megabyte."""

    def __init__(self, at_s: array[int], consumption_w: array[float], production_w: array[float], charge: array[float]) -> None:
        """Take arrays of the same length; `charge` holds NaN where there is none, and is empty where there never is."""
        self._at_s = at_s
        self._consumption_w = consumption_w
        self._production_w = production_w
        self._charge = charge

    def __len__(self) -> int:
        return len(self._at_s)

    def moved(self, by_s: int) -> Rows:
        """Answer the same rows, so much later."""
        return Rows(array("q", (at_s + by_s for at_s in self._at_s)), self._consumption_w, self._production_w, self._charge)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Rows: ...
    def __getitem__(self, index: int | slice) -> Row | Rows:
        if isinstance(index, slice):
            return Rows(self._at_s[index], self._consumption_w[index], self._production_w[index], self._charge[index])
        charge = self._charge[index] if self._charge else math.nan
        return Row(
            self._at_s[index],
            self._consumption_w[index],
            self._production_w[index],
            None if math.isnan(charge) else charge,
        )

    def __iter__(self) -> Iterator[Row]:
        charge = self._charge or repeat(math.nan)
        for at_s, consumption_w, production_w, soc in zip(
            self._at_s, self._consumption_w, self._production_w, charge, strict=False
        ):
            yield Row(at_s, consumption_w, production_w, None if math.isnan(soc) else soc)


@dataclass(frozen=True, slots=True)
class GapCounts:
    """What was missing from the data, or left out of it."""

    missing_stretches: int = 0
    """Stretches of time without a row, whatever their length; their rows are in the counts below."""
    missing_rows: int = 0
    """Steps of a home for which the file has no row."""
    not_a_number: int = 0
    """Rows whose power is NaN, infinite or empty; left out."""
    clock_jumps: int = 0
    """Rows whose time is off the regular grid; left out."""
    duplicates: int = 0
    """Rows that say again what the row before said; left out."""
    partial_rows: int = 0
    """1 where the file ends in the middle of a row, which is left out."""

    @property
    def total(self) -> int:
        """Add up the rows that were missing or left out; a stretch is not counted beside its rows."""
        return self.missing_rows + self.not_a_number + self.clock_jumps + self.duplicates + self.partial_rows


@dataclass(frozen=True, slots=True)
class Measured:
    """Homes that were measured together."""

    file: str
    """Where they are from; for our own data just the name."""
    homes: Mapping[str, Sequence[Row]]
    """Each home's rows, in order; the homes in order of first appearance. A home may have none: it is silent."""
    step_s: int
    from_s: int
    to_s: int
    """The end of the last step."""
    rows: int
    """How many rows there are to replay, of all homes."""
    gaps: GapCounts
    left_out: tuple[str, ...] = ()
    """The file's other homes, which were not chosen."""
    moved_s: int = 0
    """How far it has been moved from when it was measured."""

    def laid_on(self, now_s: float) -> Measured:
        """Answer the same data, moved by whole days, so that it ends in the last day before a moment; the hours are its own."""
        by_s = int((now_s - self.to_s) // DAY_S) * DAY_S
        return replace(
            self,
            homes={name: rows.moved(by_s) if isinstance(rows, Rows) else rows for name, rows in self.homes.items()},
            from_s=self.from_s + by_s,
            to_s=self.to_s + by_s,
            moved_s=self.moved_s + by_s,
        )


def load(
    path: Path | None, homes: Sequence[str] | None = None, start: datetime | None = None, days: float | None = None
) -> Measured:
    """Read measured homes; None stands for the week that ships with the package.

    `homes` chooses some of them, at least two. The data begins at `start` (aware; the next step where it lies within one) and
    lasts `days`, or as long as there is data. A file that cannot be replayed is a DataFileError, a choice that cannot be met a
    UsageError.
    """
    _check_choice(start, days)
    file = COMMUNITY if path is None else path
    raw = read_file(file, None if homes is None else frozenset(homes))
    _check_homes(file, raw, homes)
    step_s = _common_step_s(file, raw.homes)
    phase_s = _common_phase_s(file, raw.homes, step_s)
    off_grid = {name: _take_off_grid(file, name, home, step_s, phase_s) for name, home in raw.homes.items()}
    from_s, to_s = _window(file, raw.homes, step_s, start, days)
    packed = {name: _packed(home, from_s, to_s) for name, home in raw.homes.items()}
    if not any(packed.values()):
        raise UsageError(f"{file} has no row from {_iso(from_s)} to {_iso(to_s)}; choose another --start or --days")
    return Measured(
        file=COMMUNITY.name if path is None else str(path),
        homes=packed,
        step_s=step_s,
        from_s=from_s,
        to_s=to_s,
        rows=sum(map(len, packed.values())),
        gaps=_gaps(raw, packed, off_grid, from_s, to_s, step_s),
        left_out=raw.left_out,
    )


def _iso(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat().replace("+00:00", "Z")


def _check_choice(start: datetime | None, days: float | None) -> None:
    if days is not None and not (math.isfinite(days) and days > 0):
        raise UsageError(f"--days: expected a number above 0, found {days}")
    if start is not None and start.tzinfo is None:
        raise UsageError(f"--start: expected a time with its zone, found {start.isoformat()}")


def _check_homes(file: Path, raw: RawFile, chosen: Sequence[str] | None) -> None:
    for name in chosen or ():
        if name not in raw.homes:
            there = [*raw.homes, *raw.left_out]
            near = get_close_matches(name, there, n=1)
            meant = f"did you mean {near[0]}? " if near else ""
            more = f" and {len(there) - HOMES_LISTED} more" if len(there) > HOMES_LISTED else ""
            raise UsageError(
                f"--homes: there is no {shown(name)} in {file}; {meant}it has {', '.join(there[:HOMES_LISTED])}{more}"
            )
    if chosen is not None and len(set(chosen)) < 2:
        raise UsageError(f"--homes: expected at least two homes, since one alone has no neighbour, found {len(set(chosen))}")
    if not raw.homes:
        raise DataFileError(file, None, "expected rows under the header, found none")
    if len(raw.homes) < 2:
        found = shown(next(iter(raw.homes)))
        raise DataFileError(file, None, f"expected at least two homes, since one has no neighbour, found only {found}")
    if not any(home.at_s for home in raw.homes.values()):
        raise DataFileError(file, None, "expected numbers of watts, found no row that has them")


def _most_common(counts: Counter[float]) -> float:
    return min(counts, key=lambda value: (-counts[value], value))


def _common_step_s(file: Path, homes: Mapping[str, RawHome]) -> int:
    """Find the step that most neighbouring rows are apart. It is the same in all homes; where it is not, that is refused."""
    together = sum((home.distances_s for home in homes.values()), Counter[float]())
    if not together:
        raise DataFileError(file, None, "expected at least two rows of a home, to see the step between them")
    step_s = _most_common(together)
    for name, home in homes.items():
        if home.distances_s and _most_common(home.distances_s) != step_s:
            own_s, line = _most_common(home.distances_s), home.lines[0] if home.lines else None
            told = f"expected one step for all homes, found {step_s:g} s and, for {shown(name)}, {own_s:g} s"
            raise DataFileError(file, line, f"{told}; put them on one step, or choose with --homes")
    if not SHORTEST_STEP_S <= step_s <= LONGEST_STEP_S or step_s != int(step_s):
        line = next((home.lines[1] for home in homes.values() if len(home.lines) > 1), None)
        told = f"expected a regular step of whole seconds, from {SHORTEST_STEP_S} s to 1 h, found {step_s:g} s"
        raise DataFileError(file, line, told)
    return int(step_s)


def _common_phase_s(file: Path, homes: Mapping[str, RawHome], step_s: int) -> int:
    """Find where the grid lies: how long after a whole multiple of the step its rows begin."""
    phases: Counter[float] = Counter()
    for home in homes.values():
        phases.update(at_s % step_s for at_s in home.at_s)
    phase_s = _most_common(phases)
    if phase_s != int(phase_s):
        line = next(home.lines[0] for home in homes.values() if home.lines)
        raise DataFileError(file, line, "expected times on whole seconds, found most of them between two")
    return int(phase_s)


def _take_off_grid(file: Path, name: str, home: RawHome, step_s: int, phase_s: int) -> list[float]:
    """Leave out the rows between two steps, and answer their times. Too many of them are refused."""
    fits = [at_s % step_s == phase_s for at_s in home.at_s]
    off = [index for index, fit in enumerate(fits) if not fit]
    if len(off) > MOST_OFF_GRID * len(home.at_s):
        at_s, line = home.at_s[off[0]], home.lines[off[0]]
        expected_s = at_s - (at_s - phase_s) % step_s
        told = f"expected rows every {step_s} s, as at {_iso(expected_s)}, found {_iso(at_s)}"
        raise DataFileError(file, line, f"{told} and {len(off) - 1} more of {shown(name)} off that grid")
    times = [home.at_s[index] for index in off]
    if off:
        home.at_s, home.lines = array("d", compress(home.at_s, fits)), array("I", compress(home.lines, fits))
        home.consumption_w = array("d", compress(home.consumption_w, fits))
        home.production_w = array("d", compress(home.production_w, fits))
        home.charge = array("d", compress(home.charge, fits))
    return times + [at_s for at_s in home.not_a_number_s if at_s % step_s != phase_s]


def _extent(file: Path, homes: Mapping[str, RawHome], step_s: int) -> tuple[int, int]:
    """Answer from when to when there is data. Homes that were measured in different years are no street."""
    measured = sorted((home for home in homes.values() if home.at_s), key=lambda home: home.at_s[0])
    first_s = end_s = int(measured[0].at_s[0])
    for home in measured:
        if home.at_s[0] - end_s > LONGEST_GAP_S:
            told = f"expected homes that were measured together, found one that begins at {_iso(home.at_s[0])}"
            raise DataFileError(file, home.lines[0], f"{told} when the others had ended at {_iso(end_s)}")
        end_s = max(end_s, int(home.at_s[-1]) + step_s)
    return first_s, end_s


def _window(file: Path, homes: Mapping[str, RawHome], step_s: int, start: datetime | None, days: float | None) -> tuple[int, int]:
    """Answer from when to when the street lives, on the grid."""
    first_s, end_s = _extent(file, homes, step_s)
    from_s = first_s
    if start is not None:
        if not first_s <= start.timestamp() < end_s:
            told = f"--start: {file} has data from {_iso(first_s)} to {_iso(end_s)}"
            raise UsageError(f"{told}, {start.isoformat()} is outside of it")
        from_s = first_s + math.ceil((start.timestamp() - first_s) / step_s) * step_s
    if days is not None:
        end_s = min(end_s, from_s + math.ceil(days * DAY_S / step_s) * step_s)
    return from_s, end_s


def _packed(home: RawHome, from_s: int, to_s: int) -> Rows:
    kept = slice(bisect_left(home.at_s, from_s), bisect_left(home.at_s, to_s))
    at_s = array("q", map(int, home.at_s[kept]))
    charge = home.charge[kept]
    return Rows(at_s, home.consumption_w[kept], home.production_w[kept], charge if any(map(_is_number, charge)) else array("d"))


def _is_number(value: float) -> bool:
    return not math.isnan(value)


def _gaps(
    raw: RawFile, packed: Mapping[str, Rows], off_grid: Mapping[str, list[float]], from_s: int, to_s: int, step_s: int
) -> GapCounts:
    """Count, within the window, what is missing from a full grid and why."""

    def inside(times: Sequence[float]) -> int:
        return sum(from_s <= at_s < to_s for at_s in times)

    steps, stretches, absent, not_a_number = (to_s - from_s) // step_s, 0, 0, 0
    for name, rows in packed.items():
        absent += steps - len(rows)
        if len(rows) < steps:
            borders = [from_s - step_s, *(row.at_s for row in rows), to_s]
            stretches += sum(after - before > step_s for before, after in pairwise(borders))
        off = set(off_grid[name])
        not_a_number += inside([at_s for at_s in raw.homes[name].not_a_number_s if at_s not in off])
    return GapCounts(
        missing_stretches=stretches,
        missing_rows=absent - not_a_number,
        not_a_number=not_a_number,
        clock_jumps=sum(map(inside, off_grid.values())),
        duplicates=sum(inside(home.duplicates_s) for home in raw.homes.values()),
        partial_rows=raw.partial_rows,
    )
