"""Sensors side by side: one that hangs, floods, breaks or lies holds up no other, and is told of once."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from daisee.errors import SensorError
from daisee.model.home import Role
from daisee.model.readings import Reading
from daisee.monitor.listening import Listener
from daisee.monitor.sensors import Kind, Refuse, Sensor
from daisee.monitor.settings import SensorPlan

Readings = Callable[[Refuse], AsyncIterator[Reading]]


class Scripted:
    def __init__(self, said: Readings) -> None:
        self.readings = said


def plan(
    name: str, said: Readings, *, roles: dict[str, Role] | None = None, invert: bool = False, silent_after_s: int = 60
) -> SensorPlan:
    def open_it() -> Sensor:
        return Scripted(said)

    kind = Kind(name="scripted", title="", needs="", settings=(), open=open_it)
    return SensorPlan(
        name=name, kind=kind, settings={}, roles=roles or {"": Role.LOAD}, invert=invert, scale=1.0, silent_after_s=silent_after_s
    )


async def good(_refuse: Refuse) -> AsyncIterator[Reading]:
    while True:
        yield Reading(at_s=time.time(), power_w=100.0)
        await asyncio.sleep(0.1)


async def hangs(_refuse: Refuse) -> AsyncIterator[Reading]:
    await asyncio.sleep(3_600)
    yield Reading(at_s=0.0)


async def floods(_refuse: Refuse) -> AsyncIterator[Reading]:
    while True:
        yield Reading(at_s=time.time(), power_w=1.0)


async def breaks(_refuse: Refuse) -> AsyncIterator[Reading]:
    yield Reading(at_s=time.time(), power_w=1.0)
    raise SensorError("the wire is cut")


async def has_a_bug(_refuse: Refuse) -> AsyncIterator[Reading]:
    yield Reading(at_s=time.time(), power_w=1.0)
    raise ZeroDivisionError


async def babbles(refuse: Refuse) -> AsyncIterator[Reading]:
    for _ in range(1_000_000):
        refuse("nonsense")
        await asyncio.sleep(0.001)
    yield Reading(at_s=0.0)


def hear(*plans: SensorPlan, seconds: float = 4.0) -> tuple[dict[str, list[Reading]], dict[str, Listener]]:
    heard: dict[str, list[Reading]] = {}
    listeners = {each.name: Listener(each, lambda meter, reading: heard.setdefault(meter, []).append(reading)) for each in plans}

    async def story() -> None:
        tasks = [asyncio.create_task(listener.listen()) for listener in listeners.values()]
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()
        waiting: list[Awaitable[None]] = list(tasks)
        await asyncio.gather(*waiting, return_exceptions=True)

    asyncio.run(story())
    return heard, listeners


def test_one_that_hangs_floods_breaks_or_babbles_holds_up_no_other(caplog: pytest.LogCaptureFixture) -> None:
    began = time.monotonic()
    with caplog.at_level(logging.WARNING):
        heard, listeners = hear(
            plan("good", good), plan("hangs", hangs), plan("floods", floods), plan("breaks", breaks), plan("babbles", babbles),
            plan("buggy", has_a_bug),
        )  # fmt: skip
    gaps = [after.at_s - before.at_s for before, after in zip(heard["good"], heard["good"][1:], strict=False)]
    lasted_s = time.monotonic() - began
    assert len(heard["good"]) > 5
    assert max(gaps) < 3, "nobody waits for another"
    assert "hangs" not in heard
    assert len(heard["floods"]) <= lasted_s / 0.05 + 1, "closer than a twentieth of a second is left out"
    assert listeners["floods"].health.left_out > 100
    assert listeners["babbles"].health.refused > 100
    assert min(len(heard["breaks"]), len(heard["buggy"])) >= 2, "it was tried again after a second"
    said = [record.message for record in caplog.records]
    assert sum("nonsense" in line for line in said) == 1
    assert sum("the wire is cut" in line for line in said) == len(heard["breaks"]), "once for each time"
    assert any("ZeroDivisionError" in line and "tell the makers" in line for line in said)
    assert listeners["breaks"].trouble == "the wire is cut"


def test_silence_is_said_once_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    async def pauses(_refuse: Refuse) -> AsyncIterator[Reading]:
        yield Reading(at_s=time.time(), power_w=1.0)
        await asyncio.sleep(2.5)
        yield Reading(at_s=time.time(), power_w=1.0)
        await asyncio.sleep(3_600)

    with caplog.at_level(logging.WARNING):
        hear(plan("shy", pauses, silent_after_s=1), seconds=6.0)
    said = [record.message for record in caplog.records]
    assert [("has been silent" in line, "is back" in line) for line in said] == [
        (True, False), (False, True), (True, False),
    ], "once for each silence"  # fmt: skip


def test_a_connection_that_is_silent_for_long_is_made_anew() -> None:
    opened: list[float] = []

    async def dies_quietly(_refuse: Refuse) -> AsyncIterator[Reading]:
        opened.append(time.monotonic())
        yield Reading(at_s=time.time(), power_w=1.0)
        await asyncio.sleep(3_600)

    hear(plan("quiet", dies_quietly, silent_after_s=1), seconds=9.0)
    assert 2 <= len(opened) <= 3


def test_a_reading_of_the_future_is_refused_and_one_turned_round_is_turned(caplog: pytest.LogCaptureFixture) -> None:
    async def says(_refuse: Refuse) -> AsyncIterator[Reading]:
        yield Reading(at_s=time.time() + 400, part="a", power_w=1.0)
        yield Reading(at_s=time.time(), part="a", power_w=5.0)
        yield Reading(at_s=time.time(), part="b", power_w=7.0)
        await asyncio.sleep(3_600)

    heard, listeners = hear(plan("x", says, roles={"a": Role.GRID}, invert=True), seconds=2.0)
    assert [reading.power_w for reading in heard["x-a"]] == [-5.0]
    assert list(heard) == ["x-a"]
    assert listeners["x"].health.refused == 1
    assert "400 s ahead" in caplog.text
