"""From readings to slots, with sensors of two makes."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daisee.model.home import Role
from daisee.model.readings import Quality, Reading
from daisee.monitor.collector import Collector, PolledCollector
from daisee.monitor.sensors.replay import PARTS, ReplaySensor
from daisee.monitor.sqlstore import SqlStore
from daisee.monitor.store import MemoryStore, Meter, total
from daisee.units import Joules

T0 = 1_748_736_000
LOAD = {"load": Role.LOAD}


@dataclass(frozen=True)
class Row:
    at_s: int
    consumption_w: float
    production_w: float = 0.0
    state_of_charge: float | None = None


class ScriptedSensor:
    """A sensor that answers powers of the moment, batch by batch: the other make beside the replay."""

    def __init__(self, *batches: Sequence[Reading]) -> None:
        self._batches = list(batches)

    def read(self) -> Sequence[Reading]:
        return self._batches.pop(0) if self._batches else []


class Clock:
    now_s = float(T0)

    def __call__(self) -> float:
        return self.now_s


def test_a_replayed_row_is_answered_once_its_step_has_ended() -> None:
    clock = Clock()
    sensor = ReplaySensor([Row(T0, 100), Row(T0 + 60, 200)], 60, clock)
    clock.now_s = T0 + 59
    assert sensor.read() == []
    clock.now_s = T0 + 60
    assert [reading.at_s for reading in sensor.read() if reading.part == "load"] == [T0 + 60]
    assert sensor.read() == []
    assert not sensor.ended
    clock.now_s = T0 + 500
    assert [reading.at_s for reading in sensor.read() if reading.part == "load"] == [T0 + 120]
    assert sensor.ended


def test_replayed_rows_are_their_energy_and_a_gap_is_none() -> None:
    clock = Clock()
    store = MemoryStore()
    rows = [Row(T0 + 60 * minute, 60.5, 30.0) for minute in range(60) if minute not in (10, 11, 12, 40)]
    collector = PolledCollector(ReplaySensor(rows, 60, clock), PARTS, store)
    clock.now_s = T0 + 3600
    collector.collect()
    whole = total(store.slots())
    assert whole.consumed_j == 56 * 3630
    assert whole.produced_j == 56 * 1800
    assert whole.covered_s == 56 * 60


def test_an_hour_in_one_row_fills_four_slots() -> None:
    clock = Clock()
    store = MemoryStore()
    collector = PolledCollector(ReplaySensor([Row(T0, 1000)], 3600, clock), PARTS, store)
    clock.now_s = T0 + 3600
    assert len(collector.collect()) == 4
    assert [slot.consumed_j for slot in store.slots()] == [900_000] * 4
    assert collector.whole_slots_until_s == T0 + 3600


def test_powers_of_the_moment_are_joined_and_the_newest_is_live() -> None:
    def at(second: float, power_w: float) -> Reading:
        return Reading(at_s=T0 + second, part="load", power_w=power_w)

    store = MemoryStore()
    collector = PolledCollector(ScriptedSensor([at(0, 100), at(8, 100)], [at(4, 9_999), at(16, 300)]), LOAD, store, max_gap_s=60)
    collector.collect()
    collector.collect()
    assert total(store.slots()).consumed_j == 800 + 1600
    latest = collector.latest
    assert latest is not None
    assert latest.at_s == T0 + 16
    assert collector.out_of_order == 1
    assert len(list(store.readings("load", T0, T0 + 100))) == 4, "what came too late is kept, though it is no energy yet"


def test_a_silent_sensor_is_no_energy() -> None:
    store = MemoryStore()
    assert PolledCollector(ScriptedSensor(), LOAD, store).collect() == []
    assert store.slots() == []


@pytest.mark.parametrize("step_s", [10, 60, 420, 900, 3600])
def test_a_day_of_any_step_adds_up_to_the_joule(step_s: int) -> None:
    clock = Clock()
    store = MemoryStore()
    rows = [Row(at_s, 100 + at_s % 977) for at_s in range(T0, T0 + 86_400 // step_s * step_s, step_s)]
    collector = PolledCollector(ReplaySensor(rows, step_s, clock), PARTS, store)
    clock.now_s = T0 + 86_400
    collector.collect()
    assert total(store.slots()).consumed_j == sum(int(row.consumption_w) * step_s for row in rows)


# -------------------------------------------------------------------------------------------------- a home of several meters

SOLAR = [Meter("meter", Role.GRID), Meter("roof", Role.PRODUCTION), Meter("fridge", Role.SUB_LOAD)]


def seen(second: float, power_w: float | None = None, **more: Any) -> Reading:
    return Reading(at_s=T0 + second, power_w=power_w, **more)


def live(collector: Collector, until_s: int, from_s: int = 0, clock: Clock | None = None) -> None:
    """Live through a while: -500 W at the grid, 1500 W from the roof; the roof speaks half a second later."""
    for second in range(from_s, until_s, 10):
        if clock is not None:
            clock.now_s = T0 + second
        collector.take("meter", [seen(second, -500.0)])
        collector.take("roof", [seen(second + 0.5, 1_500.0)])
        collector.take("fridge", [seen(second, 80.0)])


def test_a_home_of_several_meters_is_never_counted_twice() -> None:
    store, clock = MemoryStore(), Clock()
    collector = Collector(store, SOLAR, clock=clock)
    live(collector, 3_700, clock=clock)
    slots = store.slots(T0 + 900, T0 + 3_600)
    assert [slot.consumed_j for slot in slots] == [900_000] * 3
    assert [(slot.produced_j, slot.exported_j, slot.imported_j) for slot in slots] == [(1_350_000, 450_000, 0)] * 3
    assert [round(slot.covered_s) for slot in slots] == [900] * 3
    assert [(slot.forward_j, slot.reverse_j) for slot in store.meter_slots("meter", T0 + 900, T0 + 1_800)] == [(0, 450_000)]
    latest = collector.latest
    assert latest is not None
    assert (latest.consumption_w, latest.production_w, latest.grid_power_w) == (1_000.0, 1_500.0, -500.0)
    assert collector.whole_slots_until_s == T0 + 3_600


def test_what_a_home_uses_now_is_not_known_while_a_meter_is_silent() -> None:
    clock = Clock()
    collector = Collector(MemoryStore(), SOLAR, clock=clock)
    live(collector, 100, clock=clock)
    clock.now_s = T0 + 300
    collector.take("meter", [seen(300, -500.0)])
    latest = collector.latest
    assert latest is not None
    assert (latest.consumption_w, latest.production_w, latest.grid_power_w) == (None, None, -500.0)


@pytest.mark.parametrize(
    ("reading", "why"),
    [
        (seen(1, float("nan")), "is none"),
        (seen(1, float("inf")), "is none"),
        (seen(1, 2e6), "more than any home"),
        (seen(1, -2e6), "more than any home"),
        (seen(1, forward_j=Joules(-1)), "below zero"),
        (seen(1, forward_j=Joules(2**60)), "beyond all measure"),
        (seen(1, state_of_charge=1.2), "state of charge"),
        (seen(1, 5.0, mean_over_s=0.0), "mean over"),
        (seen(-T0 + 5, 5.0), "older than"),
    ],
)
def test_what_cannot_be_is_refused_and_told_once(reading: Reading, why: str, caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore()
    collector = Collector(store, SOLAR)
    assert collector.take("meter", [reading, reading]) == []
    assert collector.refused["meter"] == 2
    assert caplog.text.count(why) == 1
    assert store.newest_reading_s() is None


def test_a_home_that_was_ended_goes_on_where_it_was(tmp_path: Path) -> None:
    """The same readings, with the process ended in between at any moment, make the same books."""
    whole = SqlStore(tmp_path / "whole.sqlite")
    live(Collector(whole, SOLAR), 4_000)
    whole.flush()
    for cut in (890, 900, 1_234, 3_610):
        path = tmp_path / f"{cut}.sqlite"
        for from_s, until_s in ((0, cut // 10 * 10), (cut // 10 * 10, 4_000)):
            store = SqlStore(path)
            live(Collector(store, SOLAR), until_s, from_s)
            store.close()
        again = SqlStore(path)
        assert [asdict(slot) for slot in again.slots()] == [asdict(slot) for slot in whole.slots()]
        assert again.meter_slots("roof") == whole.meter_slots("roof")
        again.close()
    whole.close()


def test_a_counter_goes_on_after_an_end_and_the_time_between_is_not_covered(tmp_path: Path) -> None:
    store = SqlStore(tmp_path / "home.sqlite")
    Collector(store, SOLAR[:1]).take("meter", [seen(0, forward_j=Joules(1_000)), seen(10, forward_j=Joules(3_000))])
    store.close()
    store = SqlStore(tmp_path / "home.sqlite")
    Collector(store, SOLAR[:1]).take("meter", [seen(3_610, forward_j=Joules(363_000))])
    whole = total(store.slots())
    assert (whole.consumed_j, whole.covered_s) == (362_000, 10)
    store.close()


def test_what_comes_late_is_counted_in_when_the_store_is_settled() -> None:
    ordered, late = MemoryStore(), MemoryStore()
    readings = [seen(8 * step, 100.0 + step % 7) for step in range(400)]
    Collector(ordered, SOLAR[:1]).take("meter", readings)
    collector = Collector(late, SOLAR[:1])
    collector.take("meter", readings[:50])
    collector.take("meter", readings[120:])
    collector.take("meter", reversed(readings[50:120]))
    assert total(late.slots()).covered_s < total(ordered.slots()).covered_s
    collector.settle()
    assert [(slot.consumed_j, slot.covered_s) for slot in late.slots()] == [
        (slot.consumed_j, slot.covered_s) for slot in ordered.slots()
    ]
    assert late.slots()[0].quality & Quality.FILLED
    assert not late.slots()[-1].quality
    collector.take("meter", [seen(3_200, 100.0)])
    assert total(late.slots()).covered_s == 3_200, "and it goes on from there"


@st.composite
def days_of_two_meters(draw: st.DrawFn) -> tuple[list[tuple[str, Reading]], set[int]]:
    """Readings of a grid's counter and of a roof's power, with gaps, and which of them come after later ones of their meter."""
    told, at_s, counter_j = [], 0, 0
    for step_s in draw(st.lists(st.sampled_from([10, 30, 300, 900, 4_000]), min_size=3, max_size=40)):
        at_s += step_s
        if draw(st.booleans()):
            counter_j += draw(st.integers(0, 1_000)) * step_s
            told.append(("meter", seen(at_s, forward_j=Joules(counter_j))))
        else:
            told.append(("roof", seen(at_s, draw(st.integers(0, 3_000)))))
    newest = {meter: place for place, (meter, _reading) in enumerate(told)}
    return told, draw(st.sets(st.integers(0, len(told) - 1))) - set(newest.values())


@settings(max_examples=300)
@given(days_of_two_meters(), st.randoms(use_true_random=False))
def test_in_whatever_order_they_come_slots_are_the_same(days: tuple[list[tuple[str, Reading]], set[int]], chance: Any) -> None:
    told, late = days

    def counted(*rounds: list[tuple[str, Reading]]) -> list[tuple[float, ...]]:
        store = MemoryStore()
        collector = Collector(store, SOLAR)
        for some in rounds:
            for meter, reading in some:
                collector.take(meter, [reading])
            collector.settle()
        slots = [(s.start_s, s.consumed_j, s.produced_j, s.imported_j, round(s.covered_s, 3)) for s in store.slots()]
        roof = [(s.start_s, s.forward_j, round(s.covered_s, 3)) for name in ("meter", "roof") for s in store.meter_slots(name)]
        return [slot for slot in [*slots, *roof] if any(slot[1:])]

    after = [told[place] for place in late]
    chance.shuffle(after)
    assert counted([each for place, each in enumerate(told) if place not in late], after) == counted(told)


def test_the_same_reading_twice_counts_once() -> None:
    store = MemoryStore()
    collector = Collector(store, SOLAR[:1])
    for _ in range(2):
        collector.take("meter", [seen(8 * step, 100.0) for step in range(10)])
        collector.settle()
    assert total(store.slots()).consumed_j == 7_200


def test_what_is_older_than_readings_are_kept_for_is_refused() -> None:
    collector = Collector(MemoryStore(), SOLAR[:1], keep_raw_s=3_600.0)
    collector.take("meter", [seen(10_000, 1.0), seen(6_500, 1.0), seen(6_300, 1.0)])
    assert collector.refused["meter"] == 1


def test_a_start_after_an_outage_of_days_keeps_what_the_counter_told_of_it(tmp_path: Path) -> None:
    meters = [Meter("meter", Role.GRID)]
    store = SqlStore(tmp_path / "home.sqlite")
    collector = Collector(store, meters)
    collector.take("meter", [Reading(at_s=T0, power_w=100.0, forward_j=Joules(0))])
    later = T0 + 3 * 86_400
    collector.take("meter", [Reading(at_s=later + at, power_w=100.0, forward_j=Joules(30_000_000 + 100 * at)) for at in (0, 10)])
    before = [asdict(slot) for slot in store.slots()]
    assert total(store.slots()).imported_j == 30_001_000
    store.close()
    store = SqlStore(tmp_path / "home.sqlite")
    Collector(store, meters)
    assert [asdict(slot) for slot in store.slots()] == before
    store.close()


@st.composite
def days_of_a_meter_that_mixes(draw: st.DrawFn) -> tuple[list[tuple[str, Reading]], set[int]]:
    """Readings of a meter that tells now of its power, now of its counter, and of a roof; and which of them come late."""
    told, at_s, counter_j = [], 0, 0
    for step_s in draw(st.lists(st.sampled_from([10, 30, 300, 900, 4_000]), min_size=3, max_size=40)):
        at_s += step_s
        counter_j += draw(st.integers(0, 1_000)) * step_s
        what = draw(st.sampled_from(["power", "counter", "both", "roof"]))
        power_w = None if what == "counter" else draw(st.integers(0, 3_000))
        counts = {"forward_j": Joules(counter_j)} if what in ("counter", "both") else {}
        told.append(("roof" if what == "roof" else "meter", seen(at_s, power_w, **counts)))
    newest = {meter: place for place, (meter, _reading) in enumerate(told)}
    return told, draw(st.sets(st.integers(0, len(told) - 1))) - set(newest.values())


@given(days_of_a_meter_that_mixes(), st.randoms(use_true_random=False))
def test_in_whatever_order_power_and_counter_come_a_meter_counts_the_same(
    days: tuple[list[tuple[str, Reading]], set[int]], chance: Any
) -> None:
    told, late = days

    def counted(*rounds: list[tuple[str, Reading]]) -> tuple[list[tuple[float, ...]], int]:
        store = MemoryStore()
        collector = Collector(store, SOLAR)
        for some in rounds:
            for meter, reading in some:
                collector.take(meter, [reading])
            collector.settle()
        slots = [(s.start_s, s.forward_j, round(s.covered_s, 3)) for name in ("meter", "roof") for s in store.meter_slots(name)]
        return [slot for slot in slots if any(slot[1:])], sum(slot.forward_j for slot in store.meter_slots("meter"))

    after = [told[place] for place in late]
    chance.shuffle(after)
    whole = counted(told)
    assert counted([each for place, each in enumerate(told) if place not in late], after) == whole
    mine = [reading.forward_j for meter, reading in told if meter == "meter"]
    if mine and mine[0] is not None and mine[-1] is not None:
        assert whole[1] == mine[-1] - mine[0]


def hour(counter_at: Sequence[int]) -> list[Reading]:
    """An hour of 1 kW, a reading every ten seconds, whose counter, of 1.1 kW, is told at some of them."""
    return [
        seen(at, 1_000.0, **({"forward_j": Joules(5_000_000 + 1_100 * at)} if at in counter_at else {}))
        for at in range(0, 3_601, 10)
    ]


def test_a_counter_that_comes_once_an_hour_is_told_by_power_meanwhile_and_then_counted_anew(tmp_path: Path) -> None:
    store = SqlStore(tmp_path / "home.sqlite")
    collector = Collector(store, SOLAR[:1])
    collector.take("meter", hour([0, 3_600])[:-1])
    meanwhile = store.slots()
    assert total(meanwhile).consumed_j == 3_590_000
    assert all(slot.quality == Quality.POWER for slot in meanwhile)
    collector.take("meter", hour([0, 3_600])[-1:])
    assert collector.has_late
    collector.settle()
    assert [(slot.consumed_j, slot.covered_s, slot.quality) for slot in store.slots()] == [(990_000, 900, 0)] * 4
    store.close()
    again = SqlStore(tmp_path / "home.sqlite")
    Collector(again, SOLAR[:1])
    assert [(slot.consumed_j, slot.covered_s, slot.quality) for slot in again.slots()] == [(990_000, 900, 0)] * 4
    again.close()


def test_a_counter_that_comes_once_a_minute_is_spread_over_it_at_once() -> None:
    store = MemoryStore()
    collector = Collector(store, SOLAR[:1])
    collector.take("meter", hour(range(0, 3_601, 60)))
    assert not collector.has_late
    slots = store.slots()
    assert [(slot.consumed_j, slot.covered_s, slot.quality) for slot in slots] == [(990_000, 900, 0)] * 4
    assert {(slot.min_w, slot.max_w) for slot in slots} == {(1_100, 1_100)}


def test_a_counter_that_began_anew_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    collector = Collector(MemoryStore(), SOLAR[:1])
    collector.take("meter", [seen(at, forward_j=Joules(10**9 + at)) for at in range(0, 100, 10)])
    collector.take("meter", [seen(at, forward_j=Joules(at)) for at in range(100, 200, 10)])
    assert collector.resets["meter"] == 1
    assert caplog.text.count("its counter began anew") == 1


# --------------------------------------------------------------------------------------------- what is now, and what is late


def collector_of(clock: Clock, *meters: Meter, **more: Any) -> Collector:
    return Collector(MemoryStore(), meters or SOLAR[:1], clock=clock, **more)


def grid_w(collector: Collector) -> float | None:
    latest = collector.latest
    return None if latest is None else latest.grid_power_w


def test_what_is_now_is_nothing_when_its_sensor_was_silent() -> None:
    clock = Clock()
    clock.now_s = T0
    collector = collector_of(clock, silent_after_s={"meter": 120.0})
    collector.take("meter", [seen(0, 700.0)])
    assert grid_w(collector) == 700
    clock.now_s = T0 + 120
    assert grid_w(collector) == 700
    clock.now_s = T0 + 121
    assert grid_w(collector) is None
    assert collector.newest["meter"].power_w is None


@pytest.mark.parametrize("off_s", [-3_600, -120, 0, 120, 290])
def test_a_meter_whose_clock_is_wrong_is_of_now(off_s: int) -> None:
    clock = Clock()
    collector = collector_of(clock, *SOLAR[:2])
    for at in range(0, 100, 10):
        clock.now_s = T0 + at
        collector.take("meter", [seen(at + off_s, 700.0)])
        collector.take("roof", [seen(at, 300.0)])
    latest = collector.latest
    assert latest is not None
    assert (latest.grid_power_w, latest.production_w, latest.consumption_w) == (700.0, 300.0, 1_000.0)


def test_one_reading_ahead_of_now_hides_none_after_it() -> None:
    clock = Clock()
    clock.now_s = T0
    collector = collector_of(clock)
    collector.take("meter", [seen(200, 9_000.0), seen(0, 700.0)])
    assert grid_w(collector) == 700
    collector.take("meter", [seen(-50, 600.0)])
    assert grid_w(collector) == 700, "one that comes late is no news"


def test_a_counter_alone_leaves_the_power_that_was_told_before_it() -> None:
    clock = Clock()
    clock.now_s = T0
    collector = collector_of(clock)
    collector.take("meter", [seen(0, 700.0)])
    for minute in range(1, 61):
        clock.now_s = T0 + 60 * minute
        collector.take("meter", [seen(60 * minute, forward_j=Joules(42_000 * minute))])
        assert (grid_w(collector), collector.newest["meter"].power_w) == (700, 700)
    clock.now_s += 1
    assert grid_w(collector) is None, "an hour is long"


@pytest.mark.parametrize("days", [1, 400])
def test_a_reading_of_the_future_is_refused_and_spoils_nothing(days: int) -> None:
    clock = Clock()
    clock.now_s = T0 + 10
    collector = collector_of(clock)
    collector.take("meter", [seen(0, 700.0), seen(86_400 * days, 9_000.0), seen(10, 800.0)])
    assert (collector.taken["meter"], collector.refused["meter"], grid_w(collector)) == (2, 1, 800)


def test_a_clock_that_jumped_ahead_and_back_spoils_nothing(tmp_path: Path) -> None:
    clock = Clock()
    store = SqlStore(tmp_path / "home.sqlite")
    collector = Collector(store, SOLAR[:1], clock=clock)
    for at in (0, 10, 400 * 86_400, 20, 30):
        clock.now_s = T0 + at
        collector.take("meter", [seen(at, 1_000.0)])
    assert grid_w(collector) == 1_000
    collector.settle()
    collector.take("meter", [seen(40, 1_000.0)])
    assert not collector.has_late
    store.close()
    store, clock.now_s = SqlStore(tmp_path / "home.sqlite"), T0 + 50
    collector = Collector(store, SOLAR[:1], clock=clock)
    collector.take("meter", [seen(50, 1_000.0)])
    assert (collector.refused["meter"], total(store.slots(T0, T0 + 900)).consumed_j) == (0, 50_000)
    store.close()


def test_one_late_reading_counts_anew_no_more_than_what_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    collector = Collector(store, SOLAR[:2])
    for at in range(0, 10 * 86_400, 60):
        collector.take("meter", [seen(at, 1_000.0)])
        collector.take("roof", [seen(at + 0.5, 500.0)])
    put: list[tuple[int, int | None]] = []
    monkeypatch.setattr(store, "recount", lambda from_s, to_s, *_slots: put.append((from_s - T0, to_s and to_s - T0)))
    for late in (2 * 86_400 + 30, 5 * 86_400 + 30):
        collector.take("meter", [seen(late, 9_000.0)])
    collector.settle()
    assert put == [(day * 86_400, day * 86_400 + 900) for day in (2, 5)]


def test_much_that_is_late_is_counted_in_part_by_part() -> None:
    ordered, late = MemoryStore(), MemoryStore()
    readings = [seen(60 * minute, 1_000.0 + minute % 7) for minute in range(8 * 1_440)]
    Collector(ordered, SOLAR[:1]).take("meter", readings)
    collector = Collector(late, SOLAR[:1])
    collector.take("meter", [*readings[::2], *readings[1::2]])
    parts = 0
    while collector.has_late:
        collector.settle_some()
        parts += 1
    assert parts > 3
    assert [(slot.start_s, slot.covered_s) for slot in late.slots()] == [
        (slot.start_s, slot.covered_s) for slot in ordered.slots()
    ]
    assert total(late.slots()).consumed_j == pytest.approx(total(ordered.slots()).consumed_j, abs=5)


def test_a_meter_that_comes_long_after_the_others_counts_with_them() -> None:
    ordered, late = MemoryStore(), MemoryStore()
    grid = [("meter", seen(10 * step, -400.0 if step % 3 else 900.0)) for step in range(400)]
    sun = [("roof", seen(10 * step + 3, 500.0)) for step in range(400)]
    for store, told in ((ordered, sorted([*grid, *sun], key=lambda each: each[1].at_s)), (late, [*grid, *sun])):
        collector = Collector(store, SOLAR[:2])
        for meter, reading in told:
            collector.take(meter, [reading])
        collector.settle()
    assert [(slot.consumed_j, slot.covered_s) for slot in late.slots()] == [
        (slot.consumed_j, slot.covered_s) for slot in ordered.slots()
    ]
