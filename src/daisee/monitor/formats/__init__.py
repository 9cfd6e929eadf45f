"""Files of measurements that others wrote, each shape in a module of its own: a file is known by its header.

A format turns lines into readings of meters, named as the file names them. What a line says that cannot be is refused with the
number of that line; the others are read on. Nothing here knows of a store.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from math import isfinite

from daisee.model.readings import Reading
from daisee.units import JOULES_PER_KWH, Joules

MS = 1000
MOST_W = 1_000_000.0
MOST_COUNTER_J = 2**53
EARLIEST_MS, LATEST_MS = 946_684_800_000, 4_102_444_800_000
"""The years 2000 to 2100: another time is a mistake."""
HOUR_S = 3_600.0

UNITS = {"W": 1.0, "kW": 1e3, "MW": 1e6, "J": 1.0, "Wh": 3_600.0, "kWh": 3.6e6, "MWh": 3.6e9}
"""What one of each unit is, in watts or joules."""
POWERS = ("W", "kW", "MW")


@dataclass(frozen=True, slots=True)
class Row:
    """What one line, or a part of it, says of one meter."""

    line: int
    name: str
    """The meter, as the file calls it; empty where it does not."""
    reading: Reading
    known: tuple[int, int] | None = None
    """A slot of which more is known, like that a person amended it: its start, and its quality."""


@dataclass(frozen=True, slots=True)
class Run:
    """Powers of the moment of one meter in strictly growing time: many lines at once."""

    line: int
    """Of the first of them; the others follow."""
    name: str
    at_ms: array[int]
    power_w: array[float]


Refuse = Callable[[int, str], None]
"""Told the number of a line, and why it is not taken."""
Reached = Callable[[str, float], tuple[int, int]]
"""Answers what a meter's counters showed last at a moment, as far as that is known: forward and reverse, in joules."""


def _nothing_yet(_name: str, _at_s: float) -> tuple[int, int]:
    return 0, 0


@dataclass(slots=True)
class Source:
    """An open file of measurements behind its header."""

    header: Sequence[str]
    """The names of the columns, as written."""
    lines: Iterator[tuple[int, Sequence[str]]]
    """The cells of each line, with its number."""
    refuse: Refuse
    zone: tzinfo = UTC
    """Of times that name none."""
    units: Mapping[str, str] = field(default_factory=dict)
    """What people said of the unit of a meter that the file does not say; that of all others is at the empty name."""
    chunks: Callable[[], Iterator[tuple[int, str]]] | None = None
    """Answer plain lines, many at once, with the number of the first; None where the file is no plain CSV with commas."""
    reached: Reached = _nothing_yet
    taken_for: dict[str, str] = field(default_factory=dict)
    """The units in which names were read, where the file need not say them."""

    def rows(self, *, padded: bool = False) -> Iterator[tuple[int, dict[str, str]]]:
        """Answer each line by the names of its columns, in small letters; one with other columns than the header is refused.

        With `padded`, columns that are missing at its end are empty.
        """
        names = [name.strip().lower() for name in self.header]
        for line, found in self.lines:
            cells = [*found, *[""] * (len(names) - len(found))] if padded else found
            if len(cells) != len(names):
                self.refuse(line, f"{len(cells)} columns, and the header has {len(names)}")
            else:
                yield line, dict(zip(names, cells, strict=True))


@dataclass(frozen=True, slots=True)
class Format:
    """A shape of file."""

    name: str
    """As in `--format NAME`."""
    title: str
    fits: Callable[[Sequence[str]], bool]
    """Tell whether a header, in small letters, is of this shape."""
    read: Callable[[Source], Iterable[Row | Run]]
    relative: bool = False
    """Whether its counters are sums that began somewhere, and not what the device shows: live readings do not go on from them."""


class Clock:
    """Reads moments as they are written in files: Unix seconds, or milliseconds, or a date and time with or without a zone.

    Each meter has its own: which of two equal hours of an autumn night is meant, its moments tell by their order.
    """

    def __init__(self, zone: tzinfo = UTC) -> None:
        """Times without a zone are those of this one."""
        self._zone = zone
        self._last: datetime | None = None
        self._again = False
        """Whether it is the second time of an hour that comes twice."""

    def ms(self, written: str) -> int:
        """Answer whole milliseconds of Unix time; ValueError where it is no moment of our times."""
        text = written.strip().strip('"')
        number = _unix(text)
        at_ms = round(number * (1 if number > 1e11 else MS)) if number is not None else self._date_ms(text)
        if not EARLIEST_MS <= at_ms < LATEST_MS:
            raise ValueError(f"{_short(text)} is no time between 2000 and 2100")
        return at_ms

    def s(self, written: str) -> float:
        """Answer Unix seconds."""
        return self.ms(written) / MS

    def _date_ms(self, text: str) -> int:
        moment = _date(text)
        if moment.tzinfo is None:
            moment = self._local(moment)
        return round(moment.timestamp() * MS)

    def _local(self, naive: datetime) -> datetime:
        """Answer a moment of the home's wall clock. Of the hour that an autumn night has twice, the second is after the first."""
        moment = naive.replace(tzinfo=self._zone)
        if moment.replace(fold=1).utcoffset() == moment.utcoffset():
            self._again = False
        elif moment.astimezone(UTC).astimezone(self._zone).replace(tzinfo=None) != naive:
            raise ValueError(f"{naive} does not exist: the clock is put forward over it")
        else:
            self._again = self._again or (self._last is not None and naive <= self._last)
            moment = moment.replace(fold=int(self._again))
        self._last = naive
        return moment


def _unix(text: str) -> float | None:
    if "_" in text or not text or text[0] not in "0123456789.":
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    # A date without dashes is none of ours, and eight digits are no time of this century.
    return number if isfinite(number) and number > 1e8 else None


OTHER_DATES = ("%d-%m-%Y %H:%M:%S", "%d-%m-%Y %H:%M", "%d-%m-%Y", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%Y.%m.%d %H:%M")


def _date(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    for shape in OTHER_DATES:
        try:
            return datetime.strptime(text, shape)  # noqa: DTZ007  # its zone is the home's
        except ValueError:
            continue
    raise ValueError(f"{_short(text)} is no time")


def number(written: str, what: str) -> float:
    """Read a finite number; ValueError where it is none. A single comma is taken for the point that it is in many countries."""
    text = written.strip()
    if "," in text and "." not in text:
        text = text.replace(",", ".", 1)
    try:
        found = float(text) if "_" not in text else float("nan")
    except ValueError:
        found = float("nan")
    if not isfinite(found):
        raise ValueError(f"{what} is {_short(written) or 'empty'}, which is no number")
    return found


def power(written: str, scale: float = 1.0, what: str = "power") -> float:
    """Read a power in watts; ValueError for one that no home has."""
    found = number(written, what) * scale
    if abs(found) > MOST_W:
        raise ValueError(f"{what} of {found:.0f} W is more than any home has")
    return found


def counter(written: str, scale: float = JOULES_PER_KWH, what: str = "counter") -> Joules:
    """Read a counter, or an energy, into joules; ValueError for one below zero or beyond all measure."""
    found = number(written, what) * scale
    if not 0 <= found <= MOST_COUNTER_J:
        raise ValueError(f"{what} of {_short(written)} is below zero, or beyond all measure")
    return Joules(round(found))


def _short(text: str) -> str:
    shown = text if text.isprintable() else repr(text)
    return shown if len(shown) <= 40 else shown[:37] + "..."


class Intervals:
    """Turns the energies of stretches, like hours, into readings of counters: to the joule, both ways."""

    def __init__(self, reached: Reached = _nothing_yet) -> None:
        """Go on from what a meter's counters had reached, so that a file that follows another is no meter that began anew."""
        self._reached = reached
        self._counted: dict[str, tuple[int, int, float]] = {}
        """Forward, reverse, and up to when, by the meter's name."""

    def rows(
        self, line: int, name: str, start_s: float, end_s: float, forward_j: int, reverse_j: int | None, covered_s: float
    ) -> Iterator[Row]:
        """Answer what a counter would have said at both ends; ValueError where it could not be, or begins before the last one."""
        forward, reverse, until_s = self._counted.get(name) or (*self._reached(name, start_s), float("-inf"))
        if end_s <= start_s or not 0 <= covered_s <= end_s - start_s:
            raise ValueError("it covers more time than it has")
        if start_s < until_s:
            raise ValueError("it begins before the one above it ends")
        if max(forward_j, reverse_j or 0) > MOST_W * (end_s - start_s):
            raise ValueError("it is more energy than any home has")
        back = None if reverse_j is None else Joules(reverse)
        if start_s > until_s:
            yield Row(line, name, Reading(at_s=start_s, forward_j=Joules(forward), reverse_j=back))
        forward, reverse = forward + forward_j, reverse + (reverse_j or 0)
        self._counted[name] = (forward, reverse, end_s)
        back = None if reverse_j is None else Joules(reverse)
        # What is the mean of a time covers it; a counter alone counts, and leaves open when it was.
        over_s = covered_s or None
        yield Row(line, name, Reading(at_s=end_s, forward_j=Joules(forward), reverse_j=back, mean_over_s=over_s))
