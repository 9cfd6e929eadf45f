"""Files of measurements on their way into a store: whole, each moment once, and the same to the joule as measured live."""

import gzip
import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from daisee.errors import DataFileError, UsageError
from daisee.model.home import Role
from daisee.model.readings import Quality, Reading
from daisee.monitor.collector import Collector
from daisee.monitor.correcting import correct, corrections
from daisee.monitor.database import Database
from daisee.monitor.importing import Outcome, Wish, import_files
from daisee.monitor.sqlstore import SqlStore
from daisee.monitor.store import Meter, MeterSlot, Slot, total
from daisee.units import Joules

T0 = 1_748_736_000
DAY_S = 86_400
NOW_S = float(T0 + 10 * DAY_S)
GRID = Meter("meter", Role.GRID)
ROOF = Meter("roof", Role.PRODUCTION)
WISH = Wish(now_s=NOW_S)
OLD = replace(WISH, keep_raw_s=DAY_S)
"""A home that keeps readings for a day: those of ten days ago become slots alone."""


def csv_of(path: Path, readings: Sequence[Reading], meter: str | None = None) -> Path:
    columns = ["timestamp", "power_w", "mean_over_s", "forward_j", "reverse_j", "state_of_charge", "voltage_v"]
    lines = [",".join([*columns, *(["meter"] if meter else [])])]
    for reading in readings:
        cells = [f"{reading.at_s:.3f}", *(getattr(reading, name) for name in columns[1:])]
        lines.append(",".join(["" if cell is None else str(cell) for cell in cells] + ([meter] if meter else [])))
    path.write_text("\n".join(lines) + "\n")
    return path


def powers(path: Path, count: int, from_s: int = T0, step_s: int = 8, power_w: float = 450.0) -> Path:
    path.write_text("timestamp,power_w\n" + "".join(f"{from_s + step_s * place},{power_w}\n" for place in range(count)))
    return path


def taken(tmp_path: Path, *files: Path, wish: Wish = WISH, meters: Sequence[Meter] = (GRID,)) -> tuple[SqlStore, Outcome]:
    store = SqlStore(tmp_path / "home.sqlite", flush_every_s=float("inf"))
    return store, import_files(store, meters, files, wish)


def plain(slot: Slot | MeterSlot) -> dict[str, Any]:
    """Answer a slot without what is allowed to differ: that it came from a file, and how times are rounded."""
    facts = asdict(slot)
    facts["quality"] &= ~Quality.FILLED
    for name in ("covered_s", "min_w", "max_w"):
        facts[name] = None if facts[name] is None else pytest.approx(facts[name], abs=1e-6)
    return facts


def test_an_hour_of_powers_is_its_energy(tmp_path: Path) -> None:
    store, outcome = taken(tmp_path, powers(tmp_path / "a.csv", 451))
    assert (outcome.read, outcome.new, outcome.doubled, outcome.refused.count) == (451, 451, 0, 0)
    assert outcome.formats == {"a.csv": "daisee"}
    whole = total(store.slots())
    assert (whole.consumed_j, whole.imported_j, whole.covered_s) == (450 * 3_600, 450 * 3_600, 3_600)
    assert len(store.slots()) == 4
    assert all(slot.quality == Quality.FILLED for slot in store.slots())
    assert outcome.meters["meter"].forward_j == outcome.consumed_j == 450 * 3_600
    assert len(list(store.readings("meter", T0, T0 + 3_601))) == 451
    store.close()


def test_a_dry_run_says_the_same_and_writes_nothing(tmp_path: Path) -> None:
    path = powers(tmp_path / "a.csv", 451)
    store, dry = taken(tmp_path, path, wish=replace(WISH, dry_run=True))
    assert store.slots() == []
    assert store.meters == {}
    done = import_files(store, [GRID], [path], WISH)
    assert replace(done, dry_run=True) == dry
    store.close()


@pytest.mark.parametrize("wish", [WISH, OLD])
def test_the_same_file_twice_counts_once(tmp_path: Path, wish: Wish) -> None:
    path = powers(tmp_path / "a.csv", 451)
    store, _ = taken(tmp_path, path, wish=wish)
    before = [asdict(slot) for slot in store.slots()]
    again = import_files(store, [GRID], [path], wish)
    assert again.consumed_j == again.slots == 0
    assert again.doubled + again.refused.count == 451
    assert [asdict(slot) for slot in store.slots()] == before
    store.close()


def test_old_readings_become_slots_alone_but_for_the_last_from_which_another_file_goes_on(tmp_path: Path) -> None:
    store, outcome = taken(tmp_path, powers(tmp_path / "a.csv", 451), wish=OLD)
    kept = list(store.readings("meter", 0, NOW_S))
    assert outcome.meters["meter"].kept == len(kept) == 113
    assert kept[0].at_s >= T0 + 2_700
    assert total(store.slots()).consumed_j == 450 * 3_600
    Collector(store, [GRID])
    assert total(store.slots()).consumed_j == 450 * 3_600
    store.close()


def test_lines_that_cannot_be_are_told_by_number_and_the_others_count(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    lines = [f"{T0 + 8 * place},450.0" for place in range(451)]
    wrong = [
        "yesterday,1",
        f"{T0 + 4},",
        f"{T0 + 5},1e9",
        f"{T0 + 6},nan",
        "1,2,3",
        f"{int(NOW_S) + 10_000},5",
        "12,5",
        f"{T0},9",
    ]
    path.write_text("timestamp,power_w\n" + "\n".join([*lines[:100], *wrong, *lines[100:]]) + "\n")
    store, outcome = taken(tmp_path, path)
    assert total(store.slots()).consumed_j == 450 * 3_600
    assert outcome.refused.count == len(wrong)
    assert [line for _file, line, _why in outcome.refused.first] == list(range(102, 110))
    whys = [why for _file, _line, why in outcome.refused.first]
    for why, word in zip(
        whys, ["no time", "no number", "any home", "no number", "3 columns", "future", "no time", "otherwise"], strict=True
    ):
        assert word in why
    store.close()


def test_what_lies_in_the_middle_of_what_was_measured_is_counted_in(tmp_path: Path) -> None:
    readings = [Reading(at_s=T0 + 8 * step, power_w=100.0 + step % 7) for step in range(1_000)]
    whole = SqlStore(tmp_path / "whole.sqlite")
    Collector(whole, [GRID]).take("meter", readings)
    holed = SqlStore(tmp_path / "home.sqlite", flush_every_s=float("inf"))
    Collector(holed, [GRID]).take("meter", readings[:300] + readings[500:])
    outcome = import_files(holed, [GRID], [csv_of(tmp_path / "a.csv", readings[250:550])], WISH)
    assert (outcome.new, outcome.doubled) == (200, 100)
    assert [plain(slot) for slot in holed.slots()] == [plain(slot) for slot in whole.slots()]
    assert list(holed.readings("meter", 0, NOW_S)) == readings
    holed.flush()
    Collector(holed, [GRID])
    assert total(holed.slots()).consumed_j == total(whole.slots()).consumed_j
    holed.close()
    whole.close()


def test_a_quarter_of_an_hour_whose_readings_are_gone_is_never_counted_twice(tmp_path: Path) -> None:
    store, _ = taken(tmp_path, powers(tmp_path / "a.csv", 500), wish=OLD)
    before = {slot.start_s: slot.consumed_j for slot in store.slots()}
    last = before.pop(T0 + 3_600)
    outcome = import_files(store, [GRID], [powers(tmp_path / "b.csv", 900, power_w=900.0)], OLD)
    after = {slot.start_s: slot.consumed_j for slot in store.slots()}
    assert {start: after[start] for start in before} == before
    assert outcome.refused.count == 450
    assert "no longer kept" in outcome.refused.first[0][2]
    assert after[T0 + 4_500] == 900 * 900
    assert outcome.consumed_j == sum(after.values()) - sum(before.values()) - last
    store.close()


def test_history_before_what_was_measured_goes_on_into_it(tmp_path: Path) -> None:
    """A counter that a file ends with, and the same counter that the home began with: what it was between counts, too."""
    counts = [Reading(at_s=T0 + 60 * step, forward_j=Joules(1_000_000 + 60_000 * step)) for step in range(500)]
    store = SqlStore(tmp_path / "home.sqlite", flush_every_s=float("inf"))
    Collector(store, [GRID]).take("meter", counts[300:])
    import_files(store, [GRID], [csv_of(tmp_path / "a.csv", counts[:250])], WISH)
    whole = total(store.slots())
    assert whole.consumed_j == 499 * 60_000
    assert whole.covered_s == (499 - 51) * 60 + 0
    store.close()


def test_gz_is_read_and_a_cut_one_is_told(tmp_path: Path) -> None:
    path = powers(tmp_path / "a.csv", 451)
    packed = tmp_path / "a.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    store, outcome = taken(tmp_path, packed)
    assert outcome.new == 451
    packed.write_bytes(packed.read_bytes()[:-200])
    with pytest.raises(DataFileError, match="damaged or cut off"):
        import_files(store, [GRID], [packed], WISH)
    store.close()


def test_times_of_the_wall_clock_are_the_homes(tmp_path: Path) -> None:
    """The night in which summer time ends has an hour twice: its lines are told apart by their order."""
    from zoneinfo import ZoneInfo

    path = tmp_path / "a.csv"
    walls = [
        "2024-10-27 01:59:30",
        *(f"2024-10-27 02:{minute:02}:{second}" for _ in (1, 2) for minute in range(60) for second in ("00", "30")),
    ]
    path.write_text("at,power_w\n" + "".join(f"{wall},100\n" for wall in [*walls, "2024-10-27 03:00:00"]))
    wish = replace(WISH, zone=ZoneInfo("Europe/Paris"))
    store, outcome = taken(tmp_path, path, wish=wish)
    assert outcome.refused.count == 0
    assert total(store.slots()).consumed_j == 100 * (7_200 + 30)
    store.close()


def test_an_hour_that_spring_has_not_is_refused(tmp_path: Path) -> None:
    from zoneinfo import ZoneInfo

    path = tmp_path / "a.csv"
    path.write_text("at,power_w\n2024-03-31 02:30:00,5\n")
    store, outcome = taken(tmp_path, path, wish=replace(WISH, zone=ZoneInfo("Europe/Paris")))
    assert "put forward" in outcome.refused.first[0][2]
    store.close()


def test_a_file_must_say_whose_it_is_and_the_home_must_have_it(tmp_path: Path) -> None:
    path = csv_of(tmp_path / "a.csv", [Reading(at_s=T0, power_w=1.0)], meter="strange")
    other = powers(tmp_path / "b.csv", 2)
    store = SqlStore(tmp_path / "home.sqlite")
    with pytest.raises(UsageError, match="--as NAME=METER"):
        import_files(store, [GRID, ROOF], [path], WISH)
    with pytest.raises(UsageError, match="name it with --meter"):
        import_files(store, [GRID, ROOF], [other], WISH)
    with pytest.raises(UsageError, match="did you mean meter"):
        import_files(store, [GRID, ROOF], [other], replace(WISH, meter="metre"))
    assert import_files(store, [GRID], [path], replace(WISH, names={"strange": ""})).left_out == {"strange": 1}
    import_files(store, [GRID], [path], replace(WISH, meter="old", role=Role.LOAD))
    assert store.meters["old"] == Meter("old", Role.LOAD, "import")
    store.close()


def test_two_entities_are_the_two_directions_of_one_meter(tmp_path: Path) -> None:
    files = []
    for name in ("came", "went"):
        counts = [Reading(at_s=T0 + 60 * step, forward_j=Joules(step * (6_000 if name == "came" else 600))) for step in range(61)]
        files.append(csv_of(tmp_path / f"{name}.csv", counts, meter=name))
    store, outcome = taken(tmp_path, *files, wish=replace(WISH, names={"came": "meter", "went": "meter:reverse"}))
    whole = total(store.slots())
    assert (whole.imported_j, whole.exported_j, whole.consumed_j) == (360_000, 36_000, 324_000)
    assert outcome.refused.count == 0
    store.close()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_files_that_overlap_count_once_in_any_order(tmp_path: Path, order: tuple[int, int]) -> None:
    files = [powers(tmp_path / "a.csv", 300), powers(tmp_path / "b.csv", 251, T0 + 8 * 200)]
    store, outcome = taken(tmp_path, *(files[place] for place in order))
    assert (outcome.new, outcome.doubled, outcome.refused.count) == (451, 100, 0)
    assert total(store.slots()).consumed_j == 450 * 3_600
    assert [reading.at_s for reading in store.readings("meter", 0, NOW_S)] == [T0 + 8 * place for place in range(451)]
    store.close()


def test_readings_are_numbered_through_in_order_of_time(tmp_path: Path) -> None:
    from sqlalchemy import select

    from daisee.monitor.schema import READINGS

    store, _ = taken(tmp_path, powers(tmp_path / "a.csv", 300, T0 + 7_200))
    import_files(store, [GRID], [powers(tmp_path / "b.csv", 300)], WISH)
    with store.database.reading() as connection:
        rows = connection.execute(select(READINGS.c.first_id, READINGS.c.count).order_by(READINGS.c.start_s)).all()
    number = 1
    for first_id, count in rows:
        assert first_id == number
        number += count
    assert number == 601
    store.close()


# --------------------------------------------------------------------------------------- the same to the joule as measured live


@st.composite
def lives(draw: st.DrawFn) -> dict[str, list[Reading]]:
    """Draw what one or two meters said in some hours: powers, counters that dip and begin anew, means, gaps."""
    lived: dict[str, list[Reading]] = {}
    for name in draw(st.sampled_from([["meter"], ["roof"], ["meter", "roof"]])):
        readings: list[Reading] = []
        at_ms = T0 * 1_000 + draw(st.integers(0, 900_000))
        count_j = draw(st.integers(0, 10**9))
        for _ in range(draw(st.integers(1, 5))):
            shape = draw(st.sampled_from(["powers", "powers", "powers", "signed", "counter", "means"]))
            step_ms = draw(st.sampled_from([1_000, 8_000, 8_000, 10_000, 7_777, 60_000, 61_000]))
            at_ms += draw(st.sampled_from([0, 0, 30_000, 61_000, 4_000_000]))
            for _ in range(draw(st.integers(1, 250))):
                at_ms += step_ms
                power_w = draw(st.sampled_from([0.0, 0.1, 99.9, 450.0, 451.3, 2_345.6, 12_000.0]))
                facts: dict[str, Any] = {"power_w": power_w}
                if shape == "signed":
                    facts["power_w"] = power_w - 400
                elif shape == "counter":
                    count_j = max(0, count_j + draw(st.sampled_from([3_600, 0, 360, 7_200, -3_600, -(10**9), 10**12])))
                    facts["forward_j"] = Joules(count_j)
                elif shape == "means":
                    facts["mean_over_s"] = step_ms / 1_000
                readings.append(Reading(at_s=at_ms / 1_000, **facts))
        lived[name] = readings
    return lived


@settings(max_examples=40, deadline=None)
@given(lives(), st.booleans())
def test_an_import_is_the_same_to_the_joule_as_living_through_it(
    tmp_path_factory: Any, lived: dict[str, list[Reading]], old: bool
) -> None:
    tmp_path = tmp_path_factory.mktemp("lived")
    meters = [meter for meter in (GRID, ROOF) if meter.name in lived]
    store = SqlStore(tmp_path / "live.sqlite", flush_every_s=float("inf"))
    collector = Collector(store, meters)
    for name, reading in sorted(((n, r) for n, some in lived.items() for r in some), key=lambda found: found[1].at_s):
        collector.take(name, [reading])
    collector.settle()
    files = []
    for name, readings in lived.items():
        simple = all(reading.mean_over_s is None and reading.forward_j is None for reading in readings)
        path = tmp_path / f"{name}.csv"
        if simple and len(lived) == 1:
            path.write_text("timestamp,power_w\n" + "".join(f"{reading.at_s:.3f},{reading.power_w}\n" for reading in readings))
        else:
            csv_of(path, readings, meter=name)
        files.append(path)
    read = SqlStore(tmp_path / "home.sqlite", flush_every_s=float("inf"))
    outcome = import_files(read, meters, files, OLD if old else WISH)
    assert outcome.new == sum(map(len, lived.values()))
    for name in lived:
        assert [plain(slot) for slot in read.meter_slots(name)] == [plain(slot) for slot in store.meter_slots(name)]
    assert [plain(slot) for slot in read.slots()] == [plain(slot) for slot in store.slots()]
    read.close()
    store.close()


# ------------------------------------------------------------------------------------------- cut in two, and where it begins


def written(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("first", "second", "energy_j"),
    [
        (["at,power_w,mean_over_s", "00:15,1000,900", "00:30,1000,900", "00:45,1000,900"], [], 1_000 * 2_700),
        (["statistic_id,unit,start,mean", "g,W,00:00,500", "g,W,01:00,700"], [], 1_200 * 3_600),
        (["at,forward_kwh", "00:00,100", "01:00,110"], ["at,forward_kwh", "05:00,120", "06:00,121"], 21 * 3_600_000),
        (["at,power_w", "00:14:30,1000", "00:14:50,1000"], ["at,power_w", "00:15:10,1000", "00:15:30,1000"], 60_000),
        (["at,power_w", "00:14:30,1000", "00:14:50,1000"], ["at,power_w,voltage_v", "00:14:55,,230", "00:15:10,1000,"], 40_000),
        (["at,power_w", "00:05,7"], ["at,power_w,mean_over_s", "06:00,1000,3600"], 3_600_000),
    ],
)
@pytest.mark.parametrize("wish", [WISH, OLD])
def test_no_energy_is_lost_where_a_file_begins(
    tmp_path: Path, wish: Wish, first: list[str], second: list[str], energy_j: int
) -> None:
    day = "2025-06-01T"
    store = SqlStore(tmp_path / "home.sqlite", flush_every_s=float("inf"))
    told_j = 0
    for name, lines in (("a.csv", first), ("b.csv", second)):
        if lines:
            dated = [re.sub(r"(?<![:\d])(\d\d:\d\d(:\d\d)?)", rf"{day}\1Z", line) for line in lines]
            told_j += import_files(store, [GRID], [written(tmp_path / name, *dated)], replace(wish, meter="meter")).consumed_j
    assert sum(slot.forward_j for slot in store.meter_slots("meter")) == total(store.slots()).consumed_j == told_j == energy_j
    store.reread()
    Collector(store, [GRID])
    assert total(store.slots()).consumed_j == energy_j, "and a start changes nothing"
    store.close()


@pytest.mark.parametrize("wish", [WISH, OLD])
@pytest.mark.parametrize("shape", ["slots", "energy"])
def test_sums_of_one_file_go_on_from_those_of_another(tmp_path: Path, wish: Wish, shape: str) -> None:
    store = SqlStore(tmp_path / "home.sqlite", flush_every_s=float("inf"))
    stamp = "2025-06-01T0{}:00Z"
    for hours in (range(3), range(3, 5), range(6, 8)):
        if shape == "slots":
            rows = [f"{stamp.format(hour)},meter,3600000,360000,900" for hour in hours]
            lines = ["slot_start,meter,slot_forward_j,slot_reverse_j,covered_s", *rows]
        else:
            lines = ["entity_id,type,unit," + ",".join(map(stamp.format, hours)), "meter,grid,kWh" + ",1" * len(hours)]
        outcome = import_files(store, [GRID], [written(tmp_path / "a.csv", *lines)], wish)
        assert outcome.refused.count == 0
    assert sum(slot.forward_j for slot in store.meter_slots("meter")) == 7 * 3_600_000
    assert sum(slot.reverse_j for slot in store.meter_slots("meter")) == (7 * 360_000 if shape == "slots" else 0)
    assert not any(slot.quality & Quality.RESET for slot in store.meter_slots("meter"))
    store.close()


def test_live_readings_do_not_go_on_from_sums_that_no_device_shows(tmp_path: Path) -> None:
    lines = ["statistic_id,unit,start,sum", "meter,kWh,2025-06-01T00:00Z,100", "meter,kWh,2025-06-01T01:00Z,101"]
    store, _ = taken(tmp_path, written(tmp_path / "a.csv", *lines), wish=OLD)
    store.reread()
    Collector(store, [GRID]).take("meter", [Reading(at_s=T0 + 5 * DAY_S, forward_j=Joules(21_000 * 3_600_000))])
    assert total(store.slots()).consumed_j == 3_600_000
    store.close()


def test_a_meter_goes_on_though_others_of_its_home_are_kept_from_later_on(tmp_path: Path) -> None:
    """What is old of a fridge is nothing to its home's other slots: they stay, whichever readings are kept of whom."""
    fridge, readings = Meter("fridge", Role.SUB_LOAD), [Reading(at_s=T0 + 60 * step, power_w=100.0) for step in range(300)]
    store, _ = taken(tmp_path, csv_of(tmp_path / "a.csv", readings, "meter"), wish=OLD, meters=[GRID, fridge])
    whole = [plain(slot) for slot in store.slots()]
    for part in (readings[:100], readings[100:]):
        import_files(store, [GRID, fridge], [csv_of(tmp_path / "b.csv", part, "fridge")], OLD)
    assert sum(slot.forward_j for slot in store.meter_slots("fridge")) == 299 * 6_000
    assert [plain(slot) for slot in store.slots()] == whole
    store.close()


@settings(max_examples=20, deadline=None)
@given(st.data(), lives(), st.booleans())
def test_a_file_that_is_cut_anywhere_in_two_is_the_whole(tmp_path_factory: Any, data: Any, lived: Any, old: bool) -> None:
    tmp_path, readings = tmp_path_factory.mktemp("cut"), lived.get("meter") or lived["roof"]
    # Of an old counter the last mark alone is known, and not which dips had led to it.
    counts = [reading.forward_j for reading in readings if reading.forward_j is not None]
    assume(not old or all(one <= other <= one + 10_000 for one, other in pairwise(counts)))
    cut = data.draw(st.integers(0, len(readings)))
    stores = {}
    for name, parts in (("whole", [readings]), ("cut", [readings[:cut], readings[cut:]])):
        stores[name] = SqlStore(tmp_path / f"{name}.sqlite", flush_every_s=float("inf"))
        for part in parts:
            import_files(stores[name], [GRID], [csv_of(tmp_path / "part.csv", part)], OLD if old else WISH)
    whole, pieces = (store.meter_slots("meter") for store in stores.values())
    # What rounding had left over before is not known any more.
    within_j = 2 if old else 0
    assert [slot.start_s for slot in pieces] == [slot.start_s for slot in whole]
    for way in ("forward_j", "reverse_j", "covered_s"):
        expected = pytest.approx([getattr(slot, way) for slot in whole], abs=within_j + 1e-6)
        assert [getattr(slot, way) for slot in pieces] == expected
    for store in stores.values():
        store.close()


@pytest.mark.postgresql
def test_postgresql_takes_imports_and_corrections_too(postgres_url: str, tmp_path: Path) -> None:
    database = Database(postgres_url)
    store = SqlStore(database, "imported", flush_every_s=float("inf"))
    import_files(store, [GRID], [powers(tmp_path / "a.csv", 300, T0 + 3_600)], WISH)
    import_files(store, [GRID], [powers(tmp_path / "b.csv", 600)], WISH)
    assert total(store.slots()).consumed_j == 450 * (3_600 + 299 * 8)
    made = correct(store, "meter", T0 + 900, 1_000, None, "the clamp had slipped", NOW_S)
    assert (made.forward_j_before, made.consumed_j) == (405_000, 1_000)
    assert [each.reason for each in corrections(store)] == ["the clamp had slipped"]
    store.close()
    database.close()
