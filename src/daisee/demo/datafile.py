"""Reads a file of measured homes row by row: CSV, plain or gzip, in UTF-8, however large.

What it finds it keeps in arrays, a few bytes a value. What cannot be trusted is refused with the line and what was expected
there; what is only missing, or said twice, is noted for `data` to count. Nothing is invented and nothing is put right.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
import zlib
from array import array
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

from daisee.errors import DataFileError

REQUIRED = ("timestamp", "home", "consumption_w", "production_w")
CHARGE = "battery_soc"
HEADER = f"{', '.join(REQUIRED)} and, if batteries are measured, {CHARGE}"

LONGEST_LINE = 65_536
"""Bytes. A row needs some sixty; a file without line ends would otherwise fill the memory."""
LONGEST_NAME = 64
MOST_W = 1_000_000.0
"""No home moves a megawatt: a file that says so counts in another unit."""
LONGEST_GAP_S = 366 * 86_400
"""A year without a row is a clock that jumped, and nobody wants to wait for a street to live through it."""
RESERVED = frozenset({"grid", "own", "none"})
"""What the street calls other sources of energy than a home."""
GZIP = b"\x1f\x8b"


def shown(text: str) -> str:
    """Quote what a file says, so that it fits into one line."""
    return repr(text if len(text) <= 40 else text[:37] + "...")


class RawHome:
    """What a file says of one home, in order of time."""

    def __init__(self) -> None:
        self.at_s: array[float] = array("d")
        self.lines: array[int] = array("I")
        """The line of each row."""
        self.consumption_w: array[float] = array("d")
        self.production_w: array[float] = array("d")
        self.charge: array[float] = array("d")
        """State of charge, 0 to 1, NaN where there is none; empty where the file has no such column."""
        self.distances_s: Counter[float] = Counter()
        """How often two rows in a row were so far apart."""
        self.not_a_number_s: array[float] = array("d")
        """The times of rows that hold no number."""
        self.duplicates_s: array[float] = array("d")
        """The times of rows that came twice."""
        self.newest: tuple[float, float | None, float | None, float | None] | None = None
        """The row before, as it was said."""


class RawFile(NamedTuple):
    """What a file says."""

    homes: dict[str, RawHome]
    """The chosen homes, in order of first appearance."""
    left_out: tuple[str, ...]
    """The homes that were not chosen."""
    partial_rows: int
    """1 where the file was cut off in the middle of its last row."""


def read_file(path: Path, chosen: frozenset[str] | None) -> RawFile:
    """Read all of a file, and keep the chosen homes (None: every home). What cannot be read is a DataFileError."""
    try:
        with path.open("rb") as opened:
            plain = _unpacked(path, opened)
            reader = _Reader(path, plain, chosen)
            try:
                return reader.read()
            except UnicodeDecodeError as error:
                raise DataFileError(path, reader.line, "expected text in UTF-8, found other bytes") from error
            except csv.Error as error:
                raise DataFileError(path, reader.line, f"expected comma-separated values: {error}") from error
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                told = f"expected gzip data that is whole, found it cut off or damaged after this line ({error})"
                raise DataFileError(path, reader.line or None, told) from error
    except IsADirectoryError as error:
        raise DataFileError(path, None, "expected a file, found a folder") from error
    except FileNotFoundError as error:
        raise DataFileError(path, None, "there is no such file; expected CSV, plain or .gz") from error
    except OSError as error:
        raise DataFileError(path, None, f"expected a file that can be read: {error.strerror or error}") from error


def _unpacked(path: Path, opened: io.BufferedReader) -> io.BufferedReader:
    """Look through gzip where the first bytes say that it is; the name alone is not believed."""
    if opened.peek(2)[:2] == GZIP:
        return io.BufferedReader(gzip.GzipFile(fileobj=opened))
    if path.suffix == ".gz":
        raise DataFileError(path, None, "expected gzip data, since its name ends in .gz; if it is plain CSV, rename it")
    return opened


class _Reader:
    """One pass through a file."""

    def __init__(self, path: Path, plain: io.BufferedReader, chosen: frozenset[str] | None) -> None:
        self.line = 0
        """The line being read, from 1."""
        self._path = path
        self._plain = plain
        self._chosen = chosen
        self._whole_line = True
        self._homes: dict[str, RawHome] = {}
        self._left_out: dict[str, None] = {}
        self._partial_rows = 0

    def read(self) -> RawFile:
        """Read header and rows."""
        rows = csv.reader(self._lines())
        header = next(rows, None)
        if header is None:
            raise self._wrong(f"the file is empty; expected a header with {HEADER}")
        self._read_rows(rows, self._columns(header), len(header))
        return RawFile(self._homes, tuple(self._left_out), self._partial_rows)

    def _wrong(self, expected: str) -> DataFileError:
        return DataFileError(self._path, self.line or None, expected)

    def _lines(self) -> Iterator[str]:
        encoding = "utf-8-sig"  # a byte order mark is no part of the first name
        for raw in iter(partial(self._plain.readline, LONGEST_LINE + 1), b""):
            self.line += 1
            if len(raw) > LONGEST_LINE:
                raise self._wrong(f"expected a line of at most {LONGEST_LINE} bytes, found a longer one")
            if b"\0" in raw:
                raise self._wrong("expected text, found binary data")
            if raw.count(b'"') % 2:  # else it would swallow all lines up to the next one
                raise self._wrong("expected a value in quotes to end on its line, found a quote that stands alone")
            self._whole_line = raw.endswith(b"\n")
            yield raw.decode(encoding)
            encoding = "utf-8"

    def _columns(self, header: list[str]) -> tuple[int, int, int, int, int | None]:
        """Find each column's place; others than ours are passed over."""
        names = [name.strip().lower() for name in header]
        for name in (*REQUIRED, CHARGE):
            if names.count(name) > 1:
                raise self._wrong(f"expected one column {name}, found {names.count(name)}")
        missing = [name for name in REQUIRED if name not in names]
        if missing:
            found = shown(", ".join(names))
            raise self._wrong(f"expected the columns {HEADER}, separated by commas; {missing[0]} is missing from {found}")
        timestamp, home, consumption, production = (names.index(name) for name in REQUIRED)
        return timestamp, home, consumption, production, names.index(CHARGE) if CHARGE in names else None

    def _read_rows(self, rows: Iterator[list[str]], columns: tuple[int, int, int, int, int | None], width: int) -> None:
        time_at, home_at, consumption_at, production_at, charge_at = columns
        stamp, at_s, homes = "", 0.0, self._homes
        for fields in rows:
            if len(fields) != width:
                self._misfit(fields, width)
                continue
            home = homes.get(fields[home_at]) or self._meet(fields[home_at])
            if home is None:
                continue
            if fields[time_at] != stamp:  # homes are often interleaved: the same time again and again
                stamp = fields[time_at]
                at_s = self._time(stamp)
            consumption_w = self._power("consumption_w", fields[consumption_at])
            production_w = self._power("production_w", fields[production_at])
            charge = None if charge_at is None else self._state_of_charge(fields[charge_at])
            row = (at_s, consumption_w, production_w, charge)
            if self._follows(home, row):
                self._keep(home, row, charge_at is not None)

    def _misfit(self, fields: list[str], width: int) -> None:
        """Pass over a blank line, note a last row that is only half written, refuse any other."""
        if not fields:
            return
        if len(fields) > width or self._whole_line:
            raise self._wrong(f"expected {width} values, as in the header, found {len(fields)}")
        self._partial_rows = 1

    def _meet(self, name: str) -> RawHome | None:
        """Answer a place for a home that was not seen before; None for one that was not chosen."""
        if name in self._left_out:
            return None
        if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
            told = f"expected a home's name of 1 to {LONGEST_NAME} printable characters, found {shown(name)}"
            raise self._wrong(told)
        if name != name.strip():
            return self._homes.get(name.strip()) or self._meet(name.strip())
        if name in RESERVED:
            raise self._wrong(f"expected a home's name, found {name!r}, which is the street's own word; rename the home")
        if self._chosen is not None and name not in self._chosen:
            self._left_out[name] = None
            return None
        return self._homes.setdefault(name, RawHome())

    def _time(self, stamp: str) -> float:
        """Read a time. One without a zone is refused: a guess would move a home's sun by hours."""
        try:
            at = datetime.fromisoformat(stamp.strip())
        except ValueError as error:
            raise self._wrong(f"expected a time as 2025-06-01T00:00:00Z, found {shown(stamp)}") from error
        if at.tzinfo is None:
            told = f"expected a time with its zone, as 2025-06-01T00:00:00Z or +02:00 at its end, found {shown(stamp)}"
            raise self._wrong(told)
        if not 1971 <= at.year <= 2999:
            raise self._wrong(f"expected a time of our days, from 1971 on, found {shown(stamp)}; is the clock set?")
        return at.timestamp()

    def _power(self, column: str, text: str) -> float | None:
        """Read a power; None where it says that there is none."""
        try:
            power_w = float(text or "nan")
        except ValueError as error:
            if text.strip():
                raise self._wrong(f"expected a number of watts as {column}, found {shown(text)}") from error
            return None
        if 0 <= power_w < MOST_W and "_" not in text:
            return power_w + 0.0  # -0.0 is 0.0
        if not math.isfinite(power_w):
            return None
        if power_w < 0:
            told = f"expected {column} of at least 0, found {shown(text)}: direction is a word here, consumption"
            raise self._wrong(f"{told} or production, not a sign")
        raise self._wrong(f"expected {column} in watts, below {MOST_W:,.0f}, found {shown(text)}")

    def _state_of_charge(self, text: str) -> float | None:
        """Read per cent, and answer 0 to 1; None where the home has no battery, or it was not measured."""
        try:
            percent = float(text or "nan")
        except ValueError as error:
            if text.strip():
                raise self._wrong(f"expected {CHARGE} in per cent or nothing, found {shown(text)}") from error
            return None
        if 0 <= percent <= 100:
            return percent / 100
        if math.isnan(percent):
            return None
        raise self._wrong(f"expected {CHARGE} from 0 to 100 per cent, found {shown(text)}")

    def _follows(self, home: RawHome, row: tuple[float, float | None, float | None, float | None]) -> bool:
        """Tell whether a row comes after the home's row before; False for the same row once more."""
        before, home.newest = home.newest, row
        if before is None:
            return True
        distance_s = row[0] - before[0]
        if 0 < distance_s <= LONGEST_GAP_S:
            home.distances_s[distance_s] += 1
            return True
        if row == before:
            home.duplicates_s.append(row[0])
            return False
        if distance_s == 0:
            raise self._wrong("expected one row for a home and a time, found a second one that says something else")
        if distance_s < 0:
            told = "expected the rows of a home in order of time, found one"
            raise self._wrong(f"{told} {-distance_s:g} s before the row before it; sort the file, or mend the clock")
        told = f"expected the rows of a home at most a year apart, found {distance_s / 86_400:.0f} days"
        raise self._wrong(f"{told}; did the clock jump?")

    def _keep(self, home: RawHome, row: tuple[float, float | None, float | None, float | None], has_charge: bool) -> None:
        at_s, consumption_w, production_w, charge = row
        if consumption_w is None or production_w is None:
            home.not_a_number_s.append(at_s)
            return
        home.at_s.append(at_s)
        home.lines.append(self.line)
        home.consumption_w.append(consumption_w)
        home.production_w.append(production_w)
        if has_charge:
            home.charge.append(math.nan if charge is None else charge)
