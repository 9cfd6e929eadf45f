"""What is exported: columns with units, and the same energies when it is imported again."""

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from daisee.errors import DataFileError, UsageError
from daisee.model.home import Role
from daisee.model.readings import Quality, Reading
from daisee.monitor import exporting
from daisee.monitor.collector import Collector
from daisee.monitor.correcting import correct
from daisee.monitor.exporting import (
    HOME_COLUMNS,
    QUALITY,
    READING_COLUMNS,
    SLOT_COLUMNS,
    check_meters,
    rows_of_home,
    rows_of_meters,
    rows_of_readings,
    write_csv,
    write_parquet,
)
from daisee.monitor.importing import Wish, import_files
from daisee.monitor.sqlstore import SqlStore
from daisee.monitor.store import Meter, total
from daisee.units import Joules

T0 = 1_748_736_000
METERS = [Meter("meter", Role.GRID), Meter("roof", Role.PRODUCTION), Meter("fridge", Role.SUB_LOAD)]
WISH = Wish(now_s=T0 + 86_400.0)


@pytest.fixture
def lived(tmp_path: Path) -> Iterator[SqlStore]:
    """Live through two hours with a gap of 20 minutes, over which the grid's counters go on, both ways."""
    store = SqlStore(tmp_path / "lived.sqlite", flush_every_s=float("inf"))
    collector = Collector(store, METERS)
    for step in range(720):
        if 200 <= step < 320:
            continue
        counters: dict[str, Any] = {"forward_j": Joules(10**9 + 3_600 * step), "reverse_j": Joules(10**8 + 720 * step)}
        at_s = T0 + 10.0 * step + (0.125 if step % 3 == 0 else 0.0)
        collector.take("meter", [Reading(at_s=at_s, power_w=288.0, voltage_v=230.1, **counters)])
        collector.take("roof", [Reading(at_s=at_s, power_w=500.5 + step % 11)])
        collector.take("fridge", [Reading(at_s=at_s, power_w=80.0)])
    store.flush()
    yield store
    store.close()


def write_to(path: Path) -> Callable[..., int]:
    if path.suffix == ".parquet":
        pytest.importorskip("pyarrow")
        return write_parquet
    return write_csv


def energies(store: SqlStore) -> dict[str, list[tuple[int, int, int, float]]]:
    return {
        meter.name: [
            (slot.start_s, slot.forward_j, slot.reverse_j, round(slot.covered_s, 3)) for slot in store.meter_slots(meter.name)
        ]
        for meter in METERS
    }


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet"])
def test_readings_that_are_imported_again_are_the_same(lived: SqlStore, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"readings.{ending}"
    count = write_to(path)(path, READING_COLUMNS, rows_of_readings(lived, list(lived.meters)))
    again = SqlStore(tmp_path / "again.sqlite", flush_every_s=float("inf"))
    outcome = import_files(again, METERS, [path], WISH)
    assert outcome.new == count == 3 * 600
    for meter in METERS:
        assert list(again.readings(meter.name, 0, T0 * 2)) == list(lived.readings(meter.name, 0, T0 * 2))
    assert energies(again) == energies(lived)
    assert [(slot.start_s, slot.consumed_j, slot.produced_j, slot.exported_j) for slot in again.slots()] == [
        (slot.start_s, slot.consumed_j, slot.produced_j, slot.exported_j) for slot in lived.slots()
    ]
    again.close()


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_slots_that_are_imported_again_have_the_same_energy_both_ways_and_the_same_time(
    lived: SqlStore, tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"slots.{ending}"
    correct(lived, "meter", T0 + 900, 1_000, None, "the clamp had slipped", T0 + 86_400.0)
    write_to(path)(path, [*SLOT_COLUMNS, QUALITY], rows_of_meters(lived, list(lived.meters)))
    again = SqlStore(tmp_path / "again.sqlite", flush_every_s=float("inf"))
    outcome = import_files(again, METERS, [path], WISH)
    assert outcome.refused.count == 0
    assert outcome.formats == {path.name: "slots"}
    for slots in (again.meter_slots("meter"), again.slots()):
        assert [slot.start_s for slot in slots if slot.quality & Quality.CORRECTED] == [T0 + 900]
    assert energies(again) == energies(lived)
    here, there = total(again.slots()), total(lived.slots())
    assert (here.produced_j, here.imported_j, here.exported_j) == (there.produced_j, there.imported_j, there.exported_j)
    assert energies(lived)["meter"][0][2] > 0
    again.close()


def test_parquet_that_is_damaged_or_has_nobody_to_read_it_is_told(
    lived: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "a.parquet"
    write_parquet(path, READING_COLUMNS, rows_of_readings(lived, ["meter"]))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataFileError, match="damaged"):
        import_files(lived, METERS, [path], WISH)
    monkeypatch.setattr("daisee.monitor.formats.parquet.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"daisee\[parquet\]"):
        import_files(lived, METERS, [path], WISH)


def test_the_homes_slots_have_columns_with_units(lived: SqlStore) -> None:
    out = io.StringIO()
    count = write_csv(None, [*HOME_COLUMNS, QUALITY], rows_of_home(lived), out)
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert len(rows) == count == len(lived.slots())
    assert rows[0]["slot_start"] == "2025-06-01T00:00:00Z"
    assert sum(int(row["consumed_j"]) for row in rows) == total(lived.slots()).consumed_j


@pytest.mark.parametrize(
    "columns_and_rows",
    [
        ([*SLOT_COLUMNS, QUALITY], lambda store: rows_of_meters(store, list(store.meters))),
        ([*HOME_COLUMNS, QUALITY], rows_of_home),
        (READING_COLUMNS, lambda store: rows_of_readings(store, list(store.meters))),
    ],
)
def test_parquet_says_the_same_as_csv(
    lived: SqlStore,
    tmp_path: Path,
    columns_and_rows: tuple[list[str], Callable[[SqlStore], Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("pyarrow")
    from pyarrow import parquet

    monkeypatch.setattr(exporting, "AT_ONCE", 100)
    columns, rows = columns_and_rows
    path = tmp_path / "a.parquet"
    count = write_parquet(path, columns, rows(lived))
    table = parquet.read_table(path)
    assert table.column_names == list(columns)
    assert table.num_rows == count
    told = [tuple(row.values()) for row in table.to_pylist()]
    assert [row[1:] for row in told] == [tuple(row[1:]) for row in rows(lived)]
    assert exporting.iso(told[0][0].timestamp()) == next(iter(rows(lived)))[0]


def test_without_pyarrow_the_extra_is_named(lived: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"daisee\[parquet\]"):
        write_parquet(tmp_path / "a.parquet", READING_COLUMNS, rows_of_readings(lived, ["meter"]))
    assert not (tmp_path / "a.parquet").exists()


def test_an_export_never_writes_over_a_file(lived: SqlStore, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("mine")
    with pytest.raises(UsageError, match="there already"):
        write_csv(path, [*HOME_COLUMNS, QUALITY], rows_of_home(lived))
    assert path.read_text() == "mine"


def test_a_meter_that_is_not_there_is_named_nearly(lived: SqlStore) -> None:
    assert check_meters(lived.meters, []) == ["meter", "roof", "fridge"]
    with pytest.raises(UsageError, match="did you mean fridge"):
        check_meters(lived.meters, ["frigde"])
