"""What a home remembers, in memory and in SQLite alike."""

import contextlib
import logging
import os
import random
import secrets
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, select, text

from daisee.errors import StoreError, UsageError
from daisee.model.attribution import Kind, Switched, attribute
from daisee.model.home import Role
from daisee.model.readings import Flow, Reading, Span
from daisee.model.source import from_neighbour
from daisee.monitor import migrations
from daisee.monitor.database import PATIENCE, Database
from daisee.monitor.history import History
from daisee.monitor.schema import METADATA
from daisee.monitor.sqlstore import REMEMBERED_SLOTS, SqlStore
from daisee.monitor.store import MemoryStore, Meter, Store, total
from daisee.units import Address, Joules

T0 = 1_748_736_000
B = Address("0x00000000000000000000000000000000000000bB")


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
        return
    where: Path | str = tmp_path / "home.sqlite"
    if request.param == "postgresql":
        where = request.getfixturevalue("postgres_url")
    database = Database(where)
    kept = SqlStore(database, secrets.token_hex(4))
    yield kept
    kept.close()
    database.close()


def fill(store: Store, minutes: int, consumed_j: int = 600) -> None:
    store.has_meter(Meter("load", Role.LOAD, "replay"))
    for minute in range(minutes):
        span = Span(T0 + 60 * minute, T0 + 60 * (minute + 1), Joules(consumed_j), Joules(10))
        store.add_reading("load", Reading(at_s=span.end_s, power_w=consumed_j / 60))
        store.add_flow("load", Flow(span.start_s, span.end_s, span.consumed_j))
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
        assert other.execute(text("select sum(count) from readings")).scalar() in (29, 30)
    store.close()


def test_what_cannot_be_written_waits_in_memory_and_is_written_later(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "home.sqlite"
    store = SqlStore(path)
    blocker = create_engine(f"sqlite:///{path}", connect_args={"timeout": 0}).connect()
    blocker.execute(text("alter table slots rename to away"))
    blocker.commit()
    with caplog.at_level(logging.ERROR):
        fill(store, 20)
    assert caplog.text.count("waits in memory") == 1
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
    with pytest.raises(StoreError, match="cannot be opened as a store") as told:
        SqlStore(tmp_path / "nowhere" / "home.sqlite")
    assert "\n" not in str(told.value)


def at(second: float, power_w: float = 100.0, **more: Any) -> Reading:
    return Reading(at_s=T0 + second, power_w=power_w, **more)


def kept(store: Store, meter: str = "load") -> list[Reading]:
    return list(store.readings(meter, 0, float("inf")))


def test_readings_come_back_as_they_were_and_each_moment_once(store: Store) -> None:
    store.has_meter(Meter("load", Role.LOAD))
    whole = [at(8 * number, 0.1 * number, forward_j=Joules(7 * number), voltage_v=230.5) for number in range(400)]
    odd = Reading(at_s=T0 + 8.5, state_of_charge=0.25)
    for reading in [*whole, odd]:
        assert store.add_reading("load", reading)
    store.flush()
    assert not store.add_reading("load", at(8, 99_999)), "what is there already stays"
    assert kept(store) == sorted([*whole, odd], key=lambda reading: reading.at_s)
    assert list(store.readings("load", T0 + 16, T0 + 32)) == whole[2:4]
    assert store.newest_reading_s() == T0 + 8 * 399


def test_meters_are_kept_apart_and_keep_their_role(store: Store) -> None:
    for name, role in (("roof", Role.PRODUCTION), ("grid", Role.GRID)):
        store.has_meter(Meter(name, role, "p1"))
        store.add_reading(name, at(1, len(name)))
        store.add_flow(name, Flow(T0, T0 + 60, Joules(len(name)), Joules(1)))
    store.flush()
    store.has_meter(Meter("grid", Role.SUB_LOAD, "mqtt"))
    assert [store.meters[name].role for name in ("roof", "grid")] == [Role.PRODUCTION, Role.SUB_LOAD]
    assert [(slot.forward_j, slot.reverse_j, slot.covered_s) for slot in store.meter_slots("roof")] == [(4, 1, 60)]
    assert [reading.power_w for reading in kept(store, "grid")] == [4.0]


def test_old_meter_slots_and_readings_are_found_after_they_left_memory(store: Store) -> None:
    fill(store, 15 * 40)
    store.flush()
    assert sum(slot.forward_j for slot in store.meter_slots("load")) == 600 * 15 * 40
    assert len(kept(store)) == 15 * 40
    store.add_reading("load", at(30.5))
    store.add_flow("load", Flow(T0 + 30, T0 + 40, Joules(5)))
    store.flush()
    assert len(kept(store)) == 15 * 40 + 1
    assert store.meter_slots("load", T0, T0 + 900)[0].forward_j == 600 * 15 + 5


def test_readings_are_numbered_through_a_meter_s_life(tmp_path: Path) -> None:
    store = History(tmp_path / "home.sqlite")
    fill(store, 15 * 4)
    store.flush()

    def numbers() -> list[tuple[int, int]]:
        with store.database.reading() as connection:
            rows = connection.execute(text("select first_id, count from readings order by start_s")).all()
        return [(int(row[0]), int(row[1])) for row in rows]

    assert numbers() == [(1, 14), (15, 15), (30, 15), (45, 15), (60, 1)]
    store.add_reading("load", at(30.5))
    store.flush()
    assert numbers() == [(1, 15), (16, 15), (31, 15), (46, 15), (61, 1)], "the later ones were pushed on"
    store.drop_readings(T0 + 1_800)
    assert len(numbers()) == 5, "from the last two slots, others go on"
    store.drop_readings(T0 + 2_700)
    store.add_reading("load", at(15 * 240 + 1))
    store.flush()
    assert numbers() == [(16, 15), (31, 15), (46, 15), (61, 2)], "what is gone keeps its numbers"
    store.close()


def test_a_damaged_file_is_set_aside_and_a_new_one_begun(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "home.sqlite"
    path.write_bytes(b"this was never a database" * 100)
    store = SqlStore(path)
    assert "is damaged" in caplog.text
    assert "measuring goes on" in caplog.text
    fill(store, 20)
    store.close()
    (aside,) = tmp_path.glob("home.sqlite.damaged-*")
    assert aside.read_bytes().startswith(b"this was never")
    again = SqlStore(path)
    assert total(again.slots()).consumed_j == 20 * 600
    again.close()


def test_a_file_that_is_damaged_while_it_is_used_loses_nothing_of_memory(tmp_path: Path) -> None:
    path = tmp_path / "home.sqlite"
    store = SqlStore(path)
    fill(store, 20)
    store.flush()
    store.database.close()
    for each in (path, path.with_name("home.sqlite-wal")):
        if each.exists():
            each.write_bytes(b"x" * each.stat().st_size)
    store.add_span(Span(T0 + 1200, T0 + 1260, Joules(600), Joules(10)))
    assert store.flush_or_wait()
    assert total(store.slots()).consumed_j == 21 * 600
    store.close()
    again = SqlStore(path)
    assert total(again.slots()).consumed_j == 21 * 600
    again.close()


def test_another_s_tables_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    with create_engine(f"sqlite:///{path}").begin() as other:
        other.execute(text("create table recipes (name text)"))
    with pytest.raises(StoreError, match="has other tables than a store's"):
        SqlStore(path)


def test_the_address_of_a_store_is_never_told_with_its_password() -> None:
    with pytest.raises(StoreError) as told:
        Database("postgresql://daisee:geheim@127.0.0.1:9/none")
    assert "geheim" not in str(told.value)
    assert "see whether it runs" in str(told.value)
    with pytest.raises(UsageError, match="not in mysql"):
        Database("mysql://daisee@127.0.0.1/none")


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_the_migrations_make_the_tables_that_the_code_knows(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'home.sqlite'}"
    if kind == "postgresql":
        url = request.getfixturevalue("postgres_url").replace("postgresql:", "postgresql+psycopg:")
    engine = create_engine(url)
    with engine.begin() as connection:
        if kind == "postgresql":
            connection.execute(text("create schema anew"))
            connection.execute(text("set search_path to anew"))
        migrations.migrate(connection, "head")
        assert connection.execute(select(migrations.VERSION.c.version_num)).scalar() == migrations.HEAD
        compared = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(compared, METADATA) == []
    engine.dispose()


def readings_in(path: Path) -> int:
    again = SqlStore(path)
    found = len(list(again.readings("load", 0, float("inf"))))
    again.close()
    return found


@pytest.mark.parametrize("how", ["overwritten", "cut to nothing", "taken away", "replaced"])
def test_what_happens_to_the_file_while_it_is_used_costs_nothing_of_what_still_waits(how: str, tmp_path: Path) -> None:
    path, other = tmp_path / "home.sqlite", tmp_path / "other.sqlite"
    SqlStore(other).close()
    store = SqlStore(path, flush_every_s=float("inf"))
    fill(store, 20)
    store.flush()
    with store.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    if how == "overwritten":
        path.write_bytes(random.Random(1).randbytes(path.stat().st_size))
    elif how == "cut to nothing":
        os.truncate(path, 0)
    elif how == "taken away":
        path.unlink()
    else:
        other.replace(path)
    store.add_reading("load", at(20 * 60 + 1))
    with contextlib.suppress(StoreError):
        store.meter_slots("load")  # whoever looks sees it first
    store.close()
    assert readings_in(path) >= 1
    assert len(list(tmp_path.glob("home.sqlite.damaged-*Z"))) == (how in ("overwritten", "cut to nothing"))


def test_what_was_written_beside_a_damaged_file_is_kept_with_it(tmp_path: Path) -> None:
    path = tmp_path / "home.sqlite"
    path.write_bytes(b"nothing of SQLite's")
    path.with_name("home.sqlite-wal").write_bytes(b"the newest of what was written")
    SqlStore(path).close()
    (aside,) = tmp_path.glob("home.sqlite.damaged-*-wal")
    assert aside.read_bytes() == b"the newest of what was written"


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_of_those_who_write_a_home_there_is_one(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    where = tmp_path / "home.sqlite" if kind == "sqlite" else request.getfixturevalue("postgres_url")
    first, second = Database(where), Database(where)
    one, same = SqlStore(first, "a"), SqlStore(second, "a")
    one.hold()
    one.hold()
    with pytest.raises(UsageError, match="written by another process for the home a"):
        same.hold()
    if kind == "postgresql":
        SqlStore(second, "b").hold()
    first.close()
    same.hold()
    second.close()


def test_what_waited_and_cannot_be_written_at_the_end_is_said_to_be_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SqlStore(tmp_path / "home.sqlite", flush_every_s=float("inf"))
    fill(store, 20)

    def fails() -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(store.database, "writing", fails)
    with pytest.raises(StoreError, match=r"the disk is full\. 20 readings that waited are lost"):
        store.close()


def test_a_postgresql_that_says_nothing_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PATIENCE, "connect_timeout", 2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises(StoreError, match="see whether it runs"):
            Database(f"postgresql://daisee@127.0.0.1:{silent.getsockname()[1]}/none?application_name=geheim")
        assert time.monotonic() - began < 60


def test_a_password_among_an_address_s_options_is_not_told_either() -> None:
    with pytest.raises(StoreError) as told:
        Database("postgresql://daisee@127.0.0.1:9/none?password=geheim")
    assert "geheim" not in str(told.value)
