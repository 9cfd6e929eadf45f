"""A past quarter of an hour that a person amends: marked, noted, and never counted over."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from daisee.errors import UsageError
from daisee.model.home import Role
from daisee.model.readings import Quality, Reading
from daisee.monitor.collector import Collector
from daisee.monitor.correcting import correct, corrections
from daisee.monitor.importing import Wish, import_files
from daisee.monitor.sqlstore import SqlStore
from daisee.monitor.store import Meter

T0 = 1_748_736_000
NOW_S = T0 + 86_400.0
METERS = [
    Meter("meter", Role.GRID),
    Meter("roof", Role.PRODUCTION),
    Meter("battery", Role.BATTERY),
    Meter("fridge", Role.SUB_LOAD),
]
WATTS = {"meter": 300.0, "roof": 500.0, "battery": 200.0, "fridge": 80.0}


def live(path: Path, meters: list[Meter] = METERS, until_s: int = 3_600) -> SqlStore:
    store = SqlStore(path, flush_every_s=float("inf"))
    collector = Collector(store, meters)
    for second in range(0, until_s + 1, 10):
        for meter in meters:
            collector.take(meter.name, [Reading(at_s=float(T0 + second), power_w=WATTS.get(meter.name, 100.0))])
    store.flush()
    return store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    lived = live(tmp_path / "home.sqlite")
    yield lived
    lived.close()


def facts(store: SqlStore, start: int = T0 + 900) -> tuple[int, int, int, int]:
    (slot,) = store.slots(start, start + 1)
    return slot.consumed_j, slot.produced_j, slot.imported_j, slot.exported_j


@pytest.mark.parametrize(
    ("meter", "forward_j", "reverse_j", "expected"),
    [
        ("meter", 370_000, None, (640_000, 450_000, 370_000, 0)),
        ("meter", 270_000, 10_000, (530_000, 450_000, 270_000, 10_000)),
        ("roof", 350_000, None, (440_000, 350_000, 270_000, 0)),
        ("battery", 80_000, None, (640_000, 450_000, 270_000, 0)),
        ("fridge", 5, None, (540_000, 450_000, 270_000, 0)),
    ],
)
def test_the_home_follows_its_meter_by_the_difference(
    store: SqlStore, meter: str, forward_j: int, reverse_j: int | None, expected: tuple[int, ...]
) -> None:
    assert facts(store) == (540_000, 450_000, 270_000, 0)
    made = correct(store, meter, T0 + 900, forward_j, reverse_j, "the clamp had slipped", NOW_S)
    assert facts(store) == expected
    (slot,) = store.meter_slots(meter, T0 + 900, T0 + 901)
    assert (slot.forward_j, slot.reverse_j) == (forward_j, reverse_j or 0)
    assert slot.quality & Quality.CORRECTED
    assert made.consumed_j == expected[0]
    assert facts(store, T0) == facts(store, T0 + 1_800) == (540_000, 450_000, 270_000, 0)


def test_where_a_meter_has_all_that_is_used_only_it_changes_that(tmp_path: Path) -> None:
    store = live(tmp_path / "load.sqlite", [Meter("meter", Role.GRID), Meter("house", Role.LOAD)])
    correct(store, "meter", T0 + 900, 1, None, "why not", NOW_S)
    assert facts(store) == (90_000, 0, 1, 0)
    correct(store, "house", T0 + 900, 2, None, "why not", NOW_S)
    assert facts(store) == (2, 0, 1, 0)
    store.close()


def test_what_was_there_is_noted_and_undoing_is_another_correction(store: SqlStore) -> None:
    correct(store, "meter", T0 + 900, 370_000, None, "the clamp had slipped", NOW_S)
    correct(store, "meter", T0 + 900, 270_000, None, "no, it had not", NOW_S + 5)
    assert facts(store) == (540_000, 450_000, 270_000, 0)
    told = [(each.forward_j_before, each.forward_j, each.reason, each.corrected_at_s) for each in corrections(store)]
    assert told == [(270_000, 370_000, "the clamp had slipped", NOW_S), (370_000, 270_000, "no, it had not", NOW_S + 5)]
    assert corrections(store, "roof") == []


def test_use_is_never_below_zero_and_undone_it_is_what_it_was(store: SqlStore) -> None:
    correct(store, "battery", T0 + 900, 5_000_000, None, "it took more", NOW_S)
    assert facts(store)[0] == 0
    correct(store, "battery", T0 + 900, 180_000, None, "it did not", NOW_S)
    assert facts(store)[0] == 540_000


def test_a_correction_outlives_a_restart_and_every_recount(tmp_path: Path) -> None:
    store = live(tmp_path / "home.sqlite", METERS[:1])
    for start in (T0 + 900, T0 + 2_700):
        correct(store, "meter", start, 123_456, None, "the clamp had slipped", NOW_S)
    before = [asdict(slot) for slot in store.slots(T0, T0 + 3_600)]
    store.close()
    again = SqlStore(tmp_path / "home.sqlite", flush_every_s=float("inf"))
    collector = Collector(again, METERS[:1])
    collector.take("meter", [Reading(at_s=T0 + 3_620.0, power_w=300.0), Reading(at_s=T0 + 905.0, power_w=9_000.0)])
    collector.settle()
    again.flush()
    for start in (T0 + 900, T0 + 2_700):
        assert facts(again, start) == (123_456, 0, 123_456, 0)
        assert again.meter_slots("meter", start, start + 1)[0].forward_j == 123_456
    path = tmp_path / "a.csv"
    path.write_text("timestamp,power_w\n" + "".join(f"{T0 + 8 * step + 3},5000\n" for step in range(450)))
    import_files(again, METERS[:1], [path], Wish(now_s=NOW_S))
    assert facts(again, T0 + 900) == (123_456, 0, 123_456, 0)
    assert facts(again, T0 + 1_800)[0] > before[2]["consumed_j"]
    again.close()


def test_a_gap_can_be_filled_by_hand(store: SqlStore) -> None:
    correct(store, "meter", T0 - 9_000, 100, None, "by the display of the meter", NOW_S)
    assert facts(store, T0 - 9_000) == (100, 0, 100, 0)


def test_a_dry_run_changes_nothing(store: SqlStore) -> None:
    assert correct(store, "meter", T0 + 900, 370_000, None, "to see", NOW_S, dry_run=True).consumed_j == 640_000
    assert facts(store) == (540_000, 450_000, 270_000, 0)
    assert corrections(store) == []


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("metre", T0, 1, None, "a"), "did you mean meter"),
        (("meter", T0 + 1, 1, None, "a"), "whole quarter"),
        (("meter", int(NOW_S) - 900, 1, None, "a"), "not over for long"),
        (("meter", T0, None, None, "a"), "say what it was"),
        (("meter", T0, -1, None, "a"), "from 0 to 250 kWh"),
        (("meter", T0, None, 10**10, "a"), "from 0 to 250 kWh"),
        (("meter", T0, 1, None, " "), "has a reason"),
        (("meter", T0, 1, None, "a\nb"), "has a reason"),
    ],
)
def test_what_cannot_be_amended_is_refused(
    store: SqlStore, arguments: tuple[str, int, int | None, int | None, str], why: str
) -> None:
    with pytest.raises(UsageError, match=why):
        correct(store, *arguments, NOW_S)
    assert corrections(store) == []
