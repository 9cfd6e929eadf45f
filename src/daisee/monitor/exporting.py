"""Writes a home's slots or readings into files for others: CSV, or Parquet where pyarrow is there.

The columns are named with their units, times are UTC. What is exported of meters is imported again to the joule: slots as slots,
readings as readings.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

from daisee.config import near
from daisee.errors import UsageError
from daisee.monitor.store import Store

HOME_COLUMNS = (
    "slot_start",
    "consumed_j",
    "produced_j",
    "own_j",
    "imported_j",
    "exported_j",
    "drawn_j",
    "covered_s",
    "min_w",
    "max_w",
)
SLOT_COLUMNS = ("slot_start", "meter", "slot_forward_j", "slot_reverse_j", "covered_s", "min_w", "max_w")
READING_COLUMNS = ("timestamp", "meter", "power_w", "mean_over_s", "forward_j", "reverse_j", "state_of_charge", "voltage_v")
QUALITY = "quality"
AT_ONCE = 50_000
"""Rows of a Parquet file that are held at once."""

Row = tuple[Any, ...]
Progress = Callable[[int], None]
"""Told how many rows are written."""


def rows_of_home(store: Store, from_s: int = 0, to_s: int | None = None) -> Iterator[Row]:
    """Answer the home's slots, as `HOME_COLUMNS` and the quality."""
    for slot in store.slots(from_s, to_s):
        energies = (slot.consumed_j, slot.produced_j, slot.own_j, slot.imported_j, slot.exported_j, sum(slot.drawn_j.values()))
        yield (iso(slot.start_s), *energies, slot.covered_s, slot.min_w, slot.max_w, slot.quality)


def rows_of_meters(store: Store, meters: Sequence[str], from_s: int = 0, to_s: int | None = None) -> Iterator[Row]:
    """Answer the slots of meters, one meter after the other, as `SLOT_COLUMNS` and the quality."""
    for meter in meters:
        for slot in store.meter_slots(meter, from_s, to_s):
            energies = (slot.forward_j, slot.reverse_j, slot.covered_s)
            yield (iso(slot.start_s), meter, *energies, slot.min_w, slot.max_w, slot.quality)


def rows_of_readings(store: Store, meters: Sequence[str], from_s: float = 0, to_s: float = float("inf")) -> Iterator[Row]:
    """Answer the readings that are kept of meters, one meter after the other, as `READING_COLUMNS`."""
    for meter in meters:
        for reading in store.readings(meter, from_s, to_s):
            yield (iso(reading.at_s), meter, *(getattr(reading, name) for name in READING_COLUMNS[2:]))


def iso(at_s: float) -> str:
    """Write a moment; fractions of a second only where there are some."""
    at_ms = round(at_s * 1_000)
    text = datetime.fromtimestamp(at_ms // 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{at_ms % 1_000:03}Z" if at_ms % 1_000 else f"{text}Z"


def check_meters(known: Mapping[str, object], asked: Sequence[str]) -> list[str]:
    """Answer the meters that were asked for, all where none was; UsageError for one that the home never had."""
    for name in asked:
        if name not in known:
            raise UsageError(f"the home has no meter {name}; {near(name, known) if known else 'it has none yet'}")
    return list(asked or known)


def write_csv(
    path: Path | None, columns: Sequence[str], rows: Iterator[Row], out: Any = None, told: Progress | None = None
) -> int:
    """Write a CSV file, gzipped where its name ends so, or to `out`; answer how many rows. UsageError where it cannot be."""
    with ExitStack() as stack:
        if path is None:
            text = out
        else:
            raw = stack.enter_context(_new(path))
            packed = stack.enter_context(gzip.GzipFile(fileobj=raw, mode="wb", mtime=0)) if path.suffix == ".gz" else raw
            text = stack.enter_context(io.TextIOWrapper(packed, "utf-8", newline=""))
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        count = 0
        for count, row in enumerate(rows, start=1):
            writer.writerow(row)
            if told is not None and count % 5_000 == 0:
                told(count)
    return count


def write_parquet(path: Path, columns: Sequence[str], rows: Iterator[Row], told: Progress | None = None) -> int:
    """Write a Parquet file; answer how many rows. UsageError where it cannot be, or pyarrow is not installed."""
    if find_spec("pyarrow") is None:
        raise UsageError('Parquet needs pyarrow: `pip install "daisee[parquet]"`; or write a CSV')
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema([(name, _type(pa, name)) for name in columns])
    count = 0
    with _new(path) as raw, parquet.ParquetWriter(raw, schema) as writer:
        ended = False
        while not ended:
            some = list(islice(rows, AT_ONCE))
            ended = len(some) < AT_ONCE
            table = {
                name: pa.array([_cell(name, row[place]) for row in some], schema.field(name).type)
                for place, name in enumerate(columns)
            }
            writer.write_table(pa.table(table, schema=schema))
            count += len(some)
            if told is not None:
                told(count)
    return count


def _type(pa: Any, name: str) -> Any:
    if name in ("slot_start", "timestamp"):
        return pa.timestamp("ms", tz="UTC")
    if name == "meter":
        return pa.string()
    return pa.int64() if name.endswith("_j") or name == QUALITY else pa.float64()


def _cell(name: str, value: Any) -> Any:
    return datetime.fromisoformat(value) if name in ("slot_start", "timestamp") else value


@contextmanager
def _new(path: Path) -> Iterator[Any]:
    """Open a file that is not there yet, for an export never writes over another; what could not be ended is removed."""
    try:
        raw = path.open("xb")
    except FileExistsError:
        raise UsageError(f"{path} is there already; name another file, or remove it") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from error
    try:
        with raw:
            yield raw
    except BaseException:
        path.unlink(missing_ok=True)
        raise
