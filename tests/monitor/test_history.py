"""What is asked of a home's store by the day: it is remembered, and follows what comes late."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from daisee.model.calendar import midnight_s
from daisee.model.home import Role
from daisee.model.readings import Reading
from daisee.monitor import history
from daisee.monitor.collector import Collector
from daisee.monitor.history import History
from daisee.monitor.store import Meter

PARIS = ZoneInfo("Europe/Paris")
METER = Meter("load", Role.LOAD)
FIRST_DAY = date(2026, 3, 27)
"""Two days before the one with 23 hours."""
MIDNIGHTS = [midnight_s(FIRST_DAY + timedelta(days=day), PARIS) for day in range(6)]
GAP = range(MIDNIGHTS[1] + 7_200, MIDNIGHTS[1] + 14_400, 30)

Ask = Callable[[History], Sequence[Any]]


def of_the_home(store: History) -> Sequence[Any]:
    return store.energy(MIDNIGHTS, PARIS)


def of_the_meter(store: History) -> Sequence[Any]:
    return store.energy(MIDNIGHTS, PARIS, "load")


def readings(times: range) -> list[Reading]:
    return [Reading(at_s=float(at_s), power_w=100.0 + at_s % 90) for at_s in times]


def measured(file: Path) -> tuple[History, Collector]:
    """A home with five days behind it, the second of which has a gap."""
    store = History(file)
    collector = Collector(store, [METER])
    collector.take("load", (each for each in readings(range(MIDNIGHTS[0], MIDNIGHTS[-1], 30)) if each.at_s not in GAP))
    return store, collector


@pytest.mark.parametrize("ask", [of_the_home, of_the_meter])
def test_days_that_are_over_are_remembered_and_follow_what_comes_late(tmp_path: Path, ask: Ask) -> None:
    store, collector = measured(tmp_path / "home.sqlite")
    before = ask(store)
    assert [day["covered_s"] for day in before[1:4]] == pytest.approx([86_400 - 7_230, 23 * 3_600, 86_400])
    again = ask(store)
    assert again == before
    assert again[0] is before[0], "it was summed once"
    assert again[-1] is not before[-1], "what may still grow is summed anew"
    collector.take("load", readings(GAP))
    collector.settle()
    after = ask(store)
    assert after[1]["covered_s"] == pytest.approx(86_400)
    assert after[2:] == before[2:]
    store.close()
    reopened = History(tmp_path / "home.sqlite")
    assert ask(reopened) == after
    reopened.close()


def test_no_more_is_remembered_than_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST_STRETCHES", 3)
    store, _collector = measured(tmp_path / "home.sqlite")
    first = of_the_home(store)
    assert of_the_home(store)[0] is first[0]
    of_the_meter(store)
    assert of_the_home(store) == first
    assert of_the_home(store)[0] is not first[0]
    store.close()
