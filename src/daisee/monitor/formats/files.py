"""Opens a file of measurements, plain or gzipped, and finds what is in it: a CSV, a block of a database's dump, a SQLite file,
or Parquet.

A line may be 64 KiB long at most, whatever a file says: it is read piece by piece and never held whole.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import tzinfo
from itertools import chain
from pathlib import Path
from typing import IO

from daisee.config import near
from daisee.errors import DataFileError, UsageError
from daisee.monitor.formats import Format, Refuse, Source, citizenwatt, dsmrreader, homeassistant, own, parquet, recorded

FORMATS = {
    each.name: each
    for each in (
        own.FORMAT,
        recorded.SLOTS,
        homeassistant.HISTORY,
        homeassistant.STATISTICS,
        homeassistant.ENERGY,
        dsmrreader.READINGS,
        dsmrreader.STATISTICS,
        citizenwatt.FORMAT,
        recorded.P1_REGISTERS,
        recorded.COUNTER,
        recorded.STEPS,
    )
}
MOST_LINE = 65_536
MOST_HEADER = 1_000_000
"""An energy dashboard's table has a column for each hour: many years of them are one long line."""
CHUNK = 1 << 18
DELIMITERS = ",;\t"
DUMP = re.compile(r"--|SET |BEGIN|PRAGMA |CREATE |COPY |INSERT |\\restrict|/\*")
COPY = re.compile(r"COPY (?P<table>[\w.\"]+) \((?P<columns>[^)]*)\) FROM stdin;", re.IGNORECASE)
INSERT = re.compile(
    r"INSERT INTO (?:[\"`]?\w+[\"`]?\.)?[\"`]?measures[\"`]?(?:\s*\((?P<columns>[^)]*)\))?\s+VALUES\s*(?P<rows>.*)",
    re.IGNORECASE | re.DOTALL,
)
VALUES = re.compile(r"\(([^()]*)\)")
MOST_INSERT = 1 << 21
"""A database may write many rows into one line of its dump, a megabyte of them."""

Lines = Iterator[tuple[int, Sequence[str]]]
Progress = Callable[[float], None]
"""Told which share of a file is read, 0 to 1."""


@contextmanager
def opened(
    path: Path, refuse: Refuse, progress: Progress, zone: tzinfo, units: Mapping[str, str], name: str | None = None
) -> Iterator[tuple[Format, Source]]:
    """Open a file, and answer its format and what is behind its header. UsageError, DataFileError where it is none of them."""
    try:
        size = max(1, path.stat().st_size)
        with path.open("rb") as raw:
            magic = raw.read(16)
            raw.seek(0)
            if magic.startswith(b"PGDMP"):
                raise DataFileError(path, None, "this is pg_dump's own format; write it anew with `pg_dump --format=plain`")
            if magic.startswith(b"PAR1"):
                header, lines = parquet.table(path, progress)
                yield _format(path, header, name), Source(header, lines, refuse, zone, units)
                return
            if magic.startswith(b"SQLite format 3"):
                with closing(_sqlite(path)) as database:
                    header, lines = _table(path, database)
                    yield _format(path, header, name), Source(header, lines, refuse, zone, units)
                return
            unpacked = gzip.GzipFile(fileobj=raw) if magic.startswith(b"\x1f\x8b") else raw
            text = io.TextIOWrapper(unpacked, "utf-8-sig", errors="replace")
            told = _telling(raw, size, progress)
            header, lines, chunks = _shape(path, text, told)
            yield _format(path, header, name), Source(header, lines, refuse, zone, units, chunks)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataFileError(path, None, f"the gzip file is damaged or cut off ({error})") from error
    except csv.Error as error:
        raise DataFileError(path, None, f"this is no CSV ({error})") from error
    except sqlite3.Error as error:
        raise DataFileError(path, None, f"this SQLite file cannot be read ({error})") from error
    except (DataFileError, UsageError):
        raise
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error


def _telling(raw: IO[bytes], size: int, progress: Progress) -> Callable[[], None]:
    return lambda: progress(min(1.0, raw.tell() / size))


def _format(path: Path, header: Sequence[str], name: str | None) -> Format:
    """Answer the format that a header is of, or the one that was named."""
    small = [each.strip().lower() for each in header]
    if name is not None:
        if name not in FORMATS:
            raise UsageError(f"there is no format {name}; {near(name, FORMATS)}")
        if not FORMATS[name].fits(small):
            raise DataFileError(path, 1, f"its columns are not those of {name}: {', '.join(small)[:200]}")
        return FORMATS[name]
    for each in FORMATS.values():
        if each.fits(small):
            return each
    told = f"its columns are of no format that is known here: {', '.join(small)[:200]}"
    raise DataFileError(path, 1, f"{told}. Ours are timestamp and power_w, forward_kwh, reverse_kwh and others")


def _shape(
    path: Path, text: io.TextIOWrapper, told: Callable[[], None]
) -> tuple[Sequence[str], Lines, Callable[[], Iterator[tuple[int, str]]] | None]:
    first = text.readline(MOST_HEADER)
    if DUMP.match(first):
        header, lines = _dump(path, chain([(1, first)], _numbered(path, text, told, 2, MOST_INSERT)))
        return header, lines, None
    if not first.endswith("\n") and len(first) >= MOST_HEADER:
        raise DataFileError(path, 1, "this is no text, or its first line has no end")
    delimiter = max(DELIMITERS, key=first.count)
    header = next(csv.reader([first], delimiter=delimiter), [])
    if not first.strip():
        raise DataFileError(path, 1, "it is empty, or its first line is; the names of its columns are expected there")
    plain = delimiter == "," and '"' not in first
    # A long header has as many columns in each line.
    most = max(MOST_LINE, len(first))
    return header, _csv(path, text, told, delimiter, most), (lambda: _chunks(path, text, told)) if plain else None


def _numbered(path: Path, text: io.TextIOWrapper, told: Callable[[], None], first: int, most: int = MOST_LINE) -> Lines:
    """Answer lines with their numbers; DataFileError for one without an end."""
    number = first
    while line := text.readline(most):
        if len(line) >= most and not line.endswith("\n"):
            raise DataFileError(path, number, f"the line is longer than {most} characters")
        if number % 5_000 == 0:
            told()
        yield number, line
        number += 1


def _csv(path: Path, text: io.TextIOWrapper, told: Callable[[], None], delimiter: str, most: int) -> Lines:
    """Answer the cells of each line that is not empty."""
    for number, line in _numbered(path, text, told, 2, most):
        assert isinstance(line, str)
        quoted = '"' in line
        cells = next(csv.reader([line], delimiter=delimiter), []) if quoted else line.rstrip("\n").split(delimiter)
        if any(cells):
            yield number, cells


def _chunks(path: Path, text: io.TextIOWrapper, told: Callable[[], None]) -> Iterator[tuple[int, str]]:
    """Answer whole lines, many at once, with the number of the first."""
    number = 2
    while piece := text.read(CHUNK):
        if not piece.endswith("\n"):
            rest = text.readline(MOST_LINE)
            if len(rest) >= MOST_LINE and not rest.endswith("\n"):
                raise DataFileError(path, number + piece.count("\n"), f"the line is longer than {MOST_LINE} characters")
            piece += rest
        if not piece.endswith("\n"):
            piece += "\n"
        told()
        yield number, piece
        number += piece.count("\n")


def _dump(path: Path, lines: Lines) -> tuple[Sequence[str], Lines]:
    """Find the block of a dump whose table has measurements."""
    for number, line in lines:
        assert isinstance(line, str)
        if found := COPY.match(line):
            header = [name.strip().strip('"') for name in found["columns"].split(",")]
            if any(each.fits([name.lower() for name in header]) for each in FORMATS.values()):
                return header, _copied(lines)
        elif inserted := INSERT.match(line):
            columns = inserted["columns"]
            header = [name.strip().strip('"`') for name in columns.split(",")] if columns else list(citizenwatt.COLUMNS)
            return header, _inserted(chain([(number, line)], lines))
    raise DataFileError(path, None, "this dump has no table of measures (CitizenWatt), nor of DSMR-reader's readings")


def _copied(lines: Lines) -> Lines:
    for number, line in lines:
        assert isinstance(line, str)
        if line.startswith("\\."):
            return
        yield number, ["" if cell == "\\N" else cell for cell in line.rstrip("\n").split("\t")]


def _inserted(lines: Lines) -> Lines:
    """Answer what is inserted, a row or many at once, on the line of their INSERT or on lines of their own."""
    goes_on = False
    for number, line in lines:
        assert isinstance(line, str)
        found = INSERT.match(line)
        rows = found["rows"] if found else line if goes_on and line.lstrip().startswith("(") else ";"
        goes_on = not rows.rstrip().endswith(";")
        for values in VALUES.findall(rows):
            cells = [cell.strip() for cell in values.split(",")]
            yield number, ["" if cell.upper() == "NULL" else cell.strip("'") for cell in cells]


def _sqlite(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def _table(path: Path, database: sqlite3.Connection) -> tuple[Sequence[str], Lines]:
    columns = [row[1] for row in database.execute("PRAGMA table_info(measures)")]
    if not columns:
        raise DataFileError(path, None, "this SQLite file has no table of measures, as a CitizenWatt has")
    rows = database.execute("SELECT * FROM measures ORDER BY timestamp")
    return columns, ((number, ["" if value is None else str(value) for value in row]) for number, row in enumerate(rows, start=1))
