"""Many homes in one database: each keeps its own, all are written together."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Table, event

from daisee.errors import StoreError
from daisee.model.home import Role
from daisee.model.readings import Reading
from daisee.monitor.database import Database
from daisee.monitor.many import ManyHomes
from daisee.monitor.settings import MonitorSettings, read_settings
from daisee.monitor.sqlstore import SqlStore
from daisee.monitor.store import Meter, total

T0 = 1_748_736_000
HOMES = 300


@pytest.fixture
def homes(tmp_path: Path) -> list[MonitorSettings]:
    found = []
    for number in range(HOMES):
        file = tmp_path / f"home-{number}.toml"
        file.write_text(
            f'[monitor]\nhome = "home-{number}"\nstore = "all.sqlite"\n[monitor.sensors.load]\nkind = "push"\nrole = "load"\n'
        )
        found.append(read_settings(file))
    return found


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    found = Database(tmp_path / "all.sqlite" if request.param == "sqlite" else request.getfixturevalue("postgres_url"))
    yield found
    found.close()


def feed(many: ManyHomes, from_s: int, to_s: int) -> None:
    for at_s in range(from_s, to_s, 60):
        for place, monitor in enumerate(many.monitors.values()):
            monitor.collector.take("load", [Reading(at_s=T0 + at_s, power_w=100.0 + place)])


def test_each_home_has_its_own_and_few_statements_write_them_all(
    database: Database, homes: list[MonitorSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    many = ManyHomes(database, homes)
    feed(many, 0, 1_800)
    put: list[str] = []
    upsert = database.upsert

    def counted(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        put.append(table.name)
        upsert(connection, table, rows)

    monkeypatch.setattr(database, "upsert", counted)
    assert many.flush()
    # Two transactions of at most 200 homes.
    assert put == ["readings", "meter_slots", "slots"] * 2
    looked: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda _c, _cursor, said, *_: looked.append(said))
    feed(many, 1_800, 1_860)
    assert many.flush()
    assert not [said for said in looked if "INSERT" not in said], "numbers are looked up once a meter"
    many.close()
    for place in (0, 7, 299):
        store = SqlStore(database, f"home-{place}")
        assert total(store.slots()).consumed_j == (100 + place) * 1_800
        assert len(list(store.readings("load", T0, T0 + 10_000))) == 31
        store.close()


def test_a_database_that_is_away_loses_nothing(
    tmp_path: Path, homes: list[MonitorSettings], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    database = Database(tmp_path / "all.sqlite")
    many = ManyHomes(database, homes)
    feed(many, 0, 600)
    with monkeypatch.context() as broken, caplog.at_level(logging.WARNING):

        def fails() -> None:
            raise StoreError("it is away")

        broken.setattr(database, "writing", fails)
        assert [many.flush(), many.flush()] == [False, False]
        assert all(monitor.store.is_stuck for monitor in many.monitors.values())
        feed(many, 600, 1_200)
    with caplog.at_level(logging.WARNING):
        assert many.flush()
    assert not any(monitor.store.is_stuck for monitor in many.monitors.values())
    assert [record.message for record in caplog.records] == [
        "it is away; what is measured waits in memory until then",
        f"{database.name} can be written again; nothing was lost",
    ]
    many.close()
    store = SqlStore(database, "home-5")
    assert total(store.slots()).consumed_j == 105 * 1_140
    database.close()


def test_readings_number_on_across_slots_and_a_failed_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from daisee.monitor.history import History

    store = History(tmp_path / "home.sqlite", flush_every_s=float("inf"))
    store.has_meter(Meter("load", Role.LOAD))

    def take(*seconds: int) -> None:
        for second in seconds:
            store.add_reading("load", Reading(at_s=T0 + second, power_w=1.0))

    def numbers() -> list[tuple[int, int, int]]:
        return [(start - T0, first, count) for start, first, count in store.numbered("load")]

    take(*range(0, 890, 10))
    store.flush()
    take(890, 900, 910)
    store.flush()
    assert numbers() == [(0, 1, 90), (900, 91, 2)]
    take(5, 1_800)
    with monkeypatch.context() as broken:
        broken.setattr(store.database, "upsert", lambda connection, *_: connection.exec_driver_sql("nonsense"))
        with pytest.raises(StoreError):
            store.flush()
    expected = [(0, 1, 91), (900, 92, 2), (1_800, 94, 1)]
    assert numbers() == expected
    store.flush()
    assert numbers() == expected
    store.close()
    again = History(tmp_path / "home.sqlite")
    assert [(start - T0, first, count) for start, first, count in again.numbered("load")] == expected
    again.close()
