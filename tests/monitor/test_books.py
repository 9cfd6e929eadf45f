"""One thread writes what many sensors say, whatever the disk does meanwhile."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from daisee.errors import StoreError
from daisee.model.home import Role
from daisee.model.readings import Reading
from daisee.monitor.books import Books
from daisee.monitor.collector import Collector
from daisee.monitor.history import History
from daisee.monitor.store import Meter, total

T0 = 1_748_736_000
DAY_S = 86_400


class Clock:
    now_s = float(T0)

    def __call__(self) -> float:
        return self.now_s


def until(true: Callable[[], bool], seconds: float = 40) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it has not come to be"
        time.sleep(0.02)


class Home:
    """A home with one meter, and its books."""

    def __init__(self, store: History, clock: Clock, flush_every_s: float = 60) -> None:
        self.collector = Collector(store, [Meter("load", Role.LOAD)])
        self.books = Books(store.flush_or_wait, flush_every_s, clock)
        self.take = self.books.keep(self.collector, store, 90 * DAY_S)

    def __enter__(self) -> Home:
        self.books.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.books.__exit__(*error)


def written(path: Path) -> int:
    with closing(sqlite3.connect(path)) as other:
        return int(other.execute("SELECT coalesce(sum(count), 0) FROM readings").fetchone()[0])


def test_what_is_taken_is_on_the_disk_after_its_time_though_nothing_more_comes(tmp_path: Path) -> None:
    clock = Clock()
    store = History(tmp_path / "home.sqlite", flush_every_s=float("inf"))
    with Home(store, clock) as home:
        for second in range(0, 50, 10):
            home.take("load", Reading(at_s=T0 + second, power_w=100))
        until(lambda: store.newest_reading_s() == T0 + 40)
        assert written(tmp_path / "home.sqlite") == 0
        clock.now_s += 61
        until(lambda: written(tmp_path / "home.sqlite") == 5)
    store.close()


def test_what_came_late_is_counted_in_by_itself(tmp_path: Path) -> None:
    clock = Clock()
    store = History(tmp_path / "home.sqlite", flush_every_s=float("inf"))
    with Home(store, clock) as home:
        for second in (0, 100, 50):
            home.take("load", Reading(at_s=T0 + second, power_w=1_000))
        until(lambda: home.collector.has_late)
        assert total(store.slots()).consumed_j == 0, "two readings a hundred seconds apart are not joined"
        clock.now_s += 31
        until(lambda: total(store.slots()).consumed_j == 100_000)
    store.close()


def test_old_readings_are_let_go_and_their_slots_stay(tmp_path: Path) -> None:
    clock = Clock()
    store = History(tmp_path / "home.sqlite", flush_every_s=float("inf"))
    with Home(store, clock) as home:
        for second in range(0, 3_600, 10):
            home.take("load", Reading(at_s=T0 + second, power_w=1_000))
        until(lambda: store.newest_reading_s() == T0 + 3_590)
        clock.now_s += 100
        until(lambda: written(tmp_path / "home.sqlite") == 360)
        clock.now_s += 90 * DAY_S + 2_800
        until(lambda: written(tmp_path / "home.sqlite") == 270)  # the last two quarters stay: what comes later goes on from them
    assert total(store.slots()).consumed_j == 3_590_000
    store.close()


def test_a_disk_that_fails_for_a_while_loses_nothing_and_is_told_of_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    store = History(tmp_path / "home.sqlite", flush_every_s=float("inf"))
    with Home(store, clock, flush_every_s=1) as home, caplog.at_level(logging.WARNING):
        for second in range(0, 900, 10):
            home.take("load", Reading(at_s=T0 + second, power_w=1_000))
        until(lambda: store.newest_reading_s() == T0 + 890)

        def fails(*_args: object) -> object:
            raise StoreError("the disk is gone")

        with monkeypatch.context() as broken:
            # As where a slot must be asked of the disk before it can be counted into.
            broken.setattr(store, "add_span", fails)
            broken.setattr(store, "_writing", fails)
            for second in range(900, 1_800, 10):
                home.take("load", Reading(at_s=T0 + second, power_w=1_000))
                clock.now_s += 1
            until(home.books._coming.empty)
            time.sleep(1.2)
        clock.now_s += 40
        until(lambda: written(tmp_path / "home.sqlite") == 180)
    assert total(store.slots()).consumed_j == 1_790_000
    assert sum("the disk is gone" in record.message for record in caplog.records) == 2, "once for reading, once for writing"
    store.close()


def test_leaving_writes_down_what_was_taken_a_moment_ago(tmp_path: Path) -> None:
    store = History(tmp_path / "home.sqlite", flush_every_s=float("inf"))
    with Home(store, Clock()) as home:
        for second in range(100):
            home.take("load", Reading(at_s=T0 + second, power_w=100))
    assert written(tmp_path / "home.sqlite") == 100
    store.close()
