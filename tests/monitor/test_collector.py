"""From readings to slots, with sensors of two makes."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from daisee.model.readings import Reading
from daisee.monitor.collector import Collector
from daisee.monitor.sensors.replay import ReplaySensor
from daisee.monitor.store import MemoryStore, total
from daisee.units import Watts

T0 = 1_748_736_000


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
    assert [reading.at_s for reading in sensor.read()] == [T0 + 60]
    assert sensor.read() == []
    assert not sensor.ended
    clock.now_s = T0 + 500
    assert [reading.at_s for reading in sensor.read()] == [T0 + 120]
    assert sensor.ended


def test_replayed_rows_are_their_energy_and_a_gap_is_none() -> None:
    clock = Clock()
    store = MemoryStore()
    rows = [Row(T0 + 60 * minute, 60.5, 30.0) for minute in range(60) if minute not in (10, 11, 12, 40)]
    collector = Collector(ReplaySensor(rows, 60, clock), store)
    clock.now_s = T0 + 3600
    collector.collect()
    whole = total(store.slots())
    assert whole.consumed_j == 56 * 3630
    assert whole.produced_j == 56 * 1800
    assert whole.covered_s == 56 * 60


def test_an_hour_in_one_row_fills_four_slots() -> None:
    clock = Clock()
    store = MemoryStore()
    collector = Collector(ReplaySensor([Row(T0, 1000)], 3600, clock), store)
    clock.now_s = T0 + 3600
    assert len(collector.collect()) == 4
    assert [slot.consumed_j for slot in store.slots()] == [900_000] * 4
    assert collector.whole_slots_until_s == T0 + 3600


def test_powers_of_the_moment_are_joined_and_the_newest_is_live() -> None:
    def at(second: float, power_w: float) -> Reading:
        return Reading(at_s=T0 + second, consumption_w=Watts(power_w), production_w=Watts(0.0))

    store = MemoryStore()
    collector = Collector(ScriptedSensor([at(0, 100), at(8, 100)], [at(4, 9_999), at(16, 300)]), store, max_gap_s=60)
    collector.collect()
    collector.collect()
    assert total(store.slots()).consumed_j == 800 + 1600
    latest = collector.latest
    assert latest is not None
    assert latest.at_s == T0 + 16
    assert collector.out_of_order == 1
    assert len(store.readings) == 4, "what came too late is kept, though it is no energy"


def test_a_silent_sensor_is_no_energy() -> None:
    store = MemoryStore()
    assert Collector(ScriptedSensor(), store).collect() == []
    assert store.slots() == []


@pytest.mark.parametrize("step_s", [10, 60, 420, 900, 3600])
def test_a_day_of_any_step_adds_up_to_the_joule(step_s: int) -> None:
    clock = Clock()
    store = MemoryStore()
    rows = [Row(at_s, 100 + at_s % 977) for at_s in range(T0, T0 + 86_400 // step_s * step_s, step_s)]
    collector = Collector(ReplaySensor(rows, step_s, clock), store)
    clock.now_s = T0 + 86_400
    collector.collect()
    assert total(store.slots()).consumed_j == sum(int(row.consumption_w) * step_s for row in rows)
