"""Sensors side by side: one that hangs, floods, breaks or lies holds up no other, and is told of once."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from daisee.errors import SensorError
from daisee.model.home import Role
from daisee.model.readings import Reading
from daisee.monitor.listening import Listener
from daisee.monitor.running import Monitor, open_store
from daisee.monitor.sensors import Kind, Refuse, Sensor
from daisee.monitor.settings import SensorPlan, read_settings
from daisee.units import Joules

Readings = Callable[[Refuse], AsyncIterator[Reading]]


class Scripted:
    def __init__(self, said: Readings) -> None:
        self.readings = said


def plan(
    name: str,
    said: Readings,
    *,
    roles: dict[str, Role] | None = None,
    invert: bool = False,
    silent_after_s: int = 60,
    most_w: float | None = None,
) -> SensorPlan:
    def open_it() -> Sensor:
        return Scripted(said)

    kind = Kind(name="scripted", title="", needs="", settings=(), open=open_it)
    return SensorPlan(
        name=name,
        kind=kind,
        settings={},
        roles=roles or {"": Role.LOAD},
        invert=invert,
        scale=1.0,
        silent_after_s=silent_after_s,
        most_w=most_w,
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


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now_s = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now_s


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not happened():  # noqa: ASYNC110  # a listener looks each second
            await asyncio.sleep(0.02)


def test_silence_is_said_once_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    again = asyncio.Event()

    async def pauses(_refuse: Refuse) -> AsyncIterator[Reading]:
        yield Reading(at_s=clock.now_s, power_w=1.0)
        await again.wait()
        yield Reading(at_s=clock.now_s, power_w=1.0)
        await asyncio.sleep(3_600)

    async def story() -> None:
        listener = Listener(plan("shy", pauses, silent_after_s=100), lambda _meter, _reading: None, clock)
        task = asyncio.create_task(listener.listen())
        await until(lambda: listener.health.readings == 1)
        clock.now_s += 101
        await until(lambda: listener.health.silent)
        troubles = [listener.trouble]
        again.set()
        await until(lambda: listener.health.readings == 2)
        assert [*troubles, listener.trouble] == ["it is silent", None]
        clock.now_s += 101
        await until(lambda: listener.health.silent)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    with caplog.at_level(logging.WARNING):
        asyncio.run(story())
    said = [record.message for record in caplog.records]
    assert [("has been silent" in line, "is back" in line) for line in said] == [
        (True, False), (False, True), (True, False),
    ], "once for each silence"  # fmt: skip


def test_a_connection_that_is_silent_for_long_is_made_anew() -> None:
    clock = Clock()
    opened: list[float] = []

    async def dies_quietly(_refuse: Refuse) -> AsyncIterator[Reading]:
        opened.append(clock.now_s)
        yield Reading(at_s=clock.now_s, power_w=1.0)
        await asyncio.sleep(3_600)

    async def story() -> None:
        listener = Listener(plan("quiet", dies_quietly, silent_after_s=100), lambda _meter, _reading: None, clock)
        task = asyncio.create_task(listener.listen())
        await until(lambda: listener.health.readings == 1)
        clock.now_s += 101
        await until(lambda: listener.health.silent)
        assert len(opened) == 1, "silent, and not for so long"
        clock.now_s += 200
        await until(lambda: len(opened) == 2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(story())


def heard_of(readings: list[Reading], **more: Any) -> tuple[list[tuple[str, float | None]], Listener]:
    """Let a listener hear these, each a second after the last."""
    clock, taken = Clock(), list[tuple[str, float | None]]()
    listener = Listener(plan("x", good, **more), lambda meter, reading: taken.append((meter, reading.power_w)), clock)
    for reading in readings:
        clock.now_s += 1
        listener._heard(replace(reading, at_s=clock.now_s))
    return taken, listener


ONE, TWO = Reading(at_s=0, part="em1:0", power_w=1.0), Reading(at_s=0, part="em1:1", power_w=2.0)


@pytest.mark.parametrize("readings", [[ONE, TWO, ONE], [TWO, ONE, TWO, ONE]])
def test_of_several_channels_the_first_is_meant_whichever_speaks_first(
    readings: list[Reading], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        taken, _ = heard_of(readings)
    assert taken == [("x", 1.0), ("x", 1.0)]
    assert [record.message for record in caplog.records if record.levelno == logging.WARNING][-1].startswith(
        "x: it has em1:1 too, left alone: give each meter that counts its role with `parts`"
    )


def test_where_no_first_channel_speaks_the_lowest_is_meant_after_a_while() -> None:
    two, three = TWO, replace(TWO, part="em1:2", power_w=3.0)
    taken, listener = heard_of([three, two] * 40, silent_after_s=60)
    assert {power for _meter, power in taken} == {2.0}
    assert listener._parts.told.endswith("em1:1 is meant by its role")


def test_the_phases_of_a_whole_are_no_other_meters(caplog: pytest.LogCaptureFixture) -> None:
    parts = ["em:0", "em:0a", "em:0b", "em:0c"]
    taken, _ = heard_of([Reading(at_s=0, part=part, power_w=5.0) for part in parts * 2])
    assert taken == [("x", 5.0)] * 2
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_power_that_no_such_meter_has_is_refused_once_and_its_counter_kept(caplog: pytest.LogCaptureFixture) -> None:
    readings = [
        Reading(at_s=0, power_w=60_000.0),
        Reading(at_s=0, power_w=-700_000.0),
        Reading(at_s=0, power_w=1.0),
        Reading(at_s=0, power_w=700_000.0, forward_j=Joules(5)),
    ]
    taken, listener = heard_of(readings, roles={"": Role.SUB_LOAD})
    assert taken == [("x", 1.0), ("x", None)]
    assert listener.health.refused == 3
    assert [record.message for record in caplog.records] == [
        "x: not taken: 60000 W, where most_w of its section is 50000. Others like it are counted, and not told"
    ]
    assert heard_of(readings[:2], roles={"": Role.GRID})[0] == [("x", 60_000.0)]
    assert heard_of(readings[:2], roles={"": Role.SUB_LOAD}, most_w=1e6)[0] == [("x", 60_000.0), ("x", -700_000.0)]


def test_a_device_that_remembers_is_told_when_it_was_heard_last() -> None:
    told: list[float] = []

    class Remembers(Scripted):
        def heard_before(self, at_s: float) -> None:
            told.append(at_s)

    of = plan("x", good, roles={"a": Role.GRID, "b": Role.LOAD, "c": Role.LOAD})
    of = replace(of, kind=replace(of.kind, open=lambda: Remembers(good)))
    heard = {"x-a": 5.0, "x-b": 7.0}
    Listener(of, lambda _meter, _reading: None, since=heard.get)._opened()
    assert told == [7.0]
    Listener(of, lambda _meter, _reading: None, since=lambda _meter: None)._opened()
    assert told == [7.0], "it was never heard"


def test_a_plug_with_a_memory_is_told_by_the_monitor_what_its_store_knows(tmp_path: Path) -> None:
    config = tmp_path / "daisee.toml"
    config.write_text('[monitor]\n[monitor.sensors.fridge]\nkind = "awox"\naddress = "sim:/nowhere"\n')
    settings = read_settings(config)
    for last_s in (None, 1_790_000_000.0):
        with open_store(settings) as store:
            monitor = Monitor(settings, store, clock=lambda: 1_790_000_060.0)
            assert cast(Any, monitor.listeners[0]._opened())._last_s == last_s
            monitor.collector.take("fridge", [Reading(at_s=1_790_000_000.0, power_w=1.0)])


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
