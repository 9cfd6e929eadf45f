"""What a home remembers, in memory and in SQLite alike."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from daisee.errors import StoreError
from daisee.model.attribution import Kind, Switched, attribute
from daisee.model.readings import Reading, Span
from daisee.model.source import from_neighbour
from daisee.monitor.sqlstore import REMEMBERED_SLOTS, SqlStore
from daisee.monitor.store import MemoryStore, Store, total
from daisee.units import Address, Joules, Watts

T0 = 1_748_736_000
B = Address("0x00000000000000000000000000000000000000bB")


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    kept: Store = MemoryStore() if request.param == "memory" else SqlStore(tmp_path / "home.sqlite")
    yield kept
    kept.close()


def fill(store: Store, minutes: int, consumed_j: int = 600) -> None:
    for minute in range(minutes):
        span = Span(T0 + 60 * minute, T0 + 60 * (minute + 1), Joules(consumed_j), Joules(10))
        store.add_reading(Reading(at_s=span.end_s, consumption_w=Watts(consumed_j / 60)))
        store.add_span(span)
        for share in attribute(span, [Switched(0, from_neighbour(B))], Kind.ISLANDED):
            store.add_share(share)


def test_slots_hold_what_was_measured_and_who_fed_it(store: Store) -> None:
    fill(store, 20)
    first, second = store.slots()
    assert (first.start_s, first.consumed_j, first.produced_j, first.covered_s) == (T0, 9000, 150, 900)
    assert first.drawn_j == {B: 9000}
    assert (first.min_w, first.max_w) == (10, 10)
    assert (second.consumed_j, second.covered_s) == (3000, 300)


def test_slots_can_be_asked_for_by_time(store: Store) -> None:
    fill(store, 60)
    assert [slot.start_s for slot in store.slots(T0 + 900, T0 + 2700)] == [T0 + 900, T0 + 1800]
    assert total(store.slots(T0 + 900, T0 + 2700)).consumed_j == 18_000
    assert total([]).consumed_j == 0


def test_a_span_that_crosses_the_border_of_a_slot_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="crosses the border"):
        store.add_span(Span(T0 + 890, T0 + 910, Joules(1), Joules(0)))


def test_old_slots_are_found_after_they_left_memory(store: Store) -> None:
    fill(store, 15 * (REMEMBERED_SLOTS + 12))
    store.flush()
    assert len(store.slots()) == REMEMBERED_SLOTS + 12
    assert total(store.slots()).consumed_j == 600 * 15 * (REMEMBERED_SLOTS + 12)


def test_what_comes_late_for_an_old_slot_is_added_to_it(store: Store) -> None:
    fill(store, 15 * (REMEMBERED_SLOTS + 12))
    store.flush()
    store.add_span(Span(T0 + 60, T0 + 120, Joules(7), Joules(0)))
    store.flush()
    assert store.slots(T0, T0 + 1)[0].consumed_j == 9007


def test_a_closed_store_is_opened_again_with_all_that_it_held(tmp_path: Path) -> None:
    path = tmp_path / "home.sqlite"
    first = SqlStore(path)
    fill(first, 100)
    held = first.slots()
    first.close()
    again = SqlStore(path)
    assert again.slots() == held
    fill(again, 1)
    assert again.slots(T0, T0 + 1)[0].consumed_j == held[0].consumed_j + 600
    again.close()


def test_readings_are_written_at_least_once_a_minute(tmp_path: Path) -> None:
    store = SqlStore(tmp_path / "home.sqlite")
    fill(store, 30)
    with create_engine(f"sqlite:///{tmp_path / 'home.sqlite'}").connect() as other:
        assert other.execute(text("select count(*) from readings")).scalar() == 30
    store.close()


def test_what_cannot_be_written_waits_in_memory_and_is_written_later(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "home.sqlite"
    store = SqlStore(path)
    blocker = create_engine(f"sqlite:///{path}", connect_args={"timeout": 0}).connect()
    blocker.execute(text("create table away as select * from slots"))
    blocker.execute(text("drop table slots"))
    blocker.commit()
    with caplog.at_level(logging.ERROR):
        fill(store, 20)
    assert "wait in memory" in caplog.text
    with pytest.raises(StoreError, match=r"home\.sqlite cannot be written"):
        store.flush()
    blocker.execute(text("alter table away rename to slots"))
    blocker.commit()
    blocker.close()
    store.close()
    again = SqlStore(path)
    assert total(again.slots()).consumed_j == 20 * 600
    again.close()


def test_a_folder_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="choose another folder") as told:
        SqlStore(tmp_path / "nowhere" / "home.sqlite")
    assert "\n" not in str(told.value)
