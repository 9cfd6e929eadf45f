"""`daisee monitor check`: tries everything that a home's configuration names, and says what is wrong, in words."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import click

from daisee.cli.monitor.home import config_option
from daisee.cli.ranges import Within
from daisee.cli.saying import json_option, say_table
from daisee.errors import DaiseeError, SensorError
from daisee.model.readings import Reading
from daisee.monitor.announce import Announcer
from daisee.monitor.listening import Parts, possible, turned, unforeseen
from daisee.monitor.running import open_store
from daisee.monitor.settings import MonitorSettings, SensorPlan, read_settings

log = logging.getLogger(__name__)

SECONDS = 20.0
MOST_SECONDS = 330.0
"""A plug with Tasmota speaks each five minutes, as it comes."""
MORE_S = 1.0
"""For what a device has beside what was waited for."""


@dataclass(frozen=True, slots=True)
class Finding:
    """How one part of a home is."""

    name: str
    what: str
    ok: bool
    says: str


@click.command("check")
@config_option
@click.option(
    "--seconds",
    type=Within(1, 7_200),
    help="How long a sensor may take. Without it: 20, and up to 330 for one that speaks seldom.",
)
@json_option
def check_command(config: Path, seconds: float | None, as_json: bool) -> int:
    """Try every sensor, the store, and the MQTT broker, and say what is wrong. Exit code 1 where something is.

    It may run beside `daisee monitor run`, but for sensors on a serial line, which only one program can hear.
    """
    settings = read_settings(config)
    found = asyncio.run(_all(settings, seconds))
    rows = [("ok" if one.ok else "WRONG", one.name, one.what, one.says) for one in found]
    told = [{"name": one.name, "what": one.what, "ok": one.ok, "says": one.says} for one in found]
    say_table(as_json, told, ("", "name", "what", "says"), rows, "there is nothing to check")
    return 0 if all(one.ok for one in found) else 1


async def _all(settings: MonitorSettings, seconds: float | None) -> list[Finding]:
    found: list[Awaitable[Finding]] = [
        _sensor(plan, seconds or min(MOST_SECONDS, max(SECONDS, 1.1 * plan.every_s))) for plan in settings.sensors
    ]
    if settings.mqtt is not None:
        found.append(_broker(settings))
    return [_store(settings), *await asyncio.gather(*found)]


def _store(settings: MonitorSettings) -> Finding:
    try:
        with open_store(settings) as store:
            for meter in settings.meters:
                store.has_meter(meter)
            newest_s = store.newest_reading_s()
            name = store.database.name
    except DaiseeError as error:
        return Finding("store", "store", ok=False, says=str(error))
    last = (
        "nothing measured yet"
        if newest_s is None
        else f"measured up to {time.strftime('%Y-%m-%d %H:%M', time.localtime(newest_s))}"
    )
    return Finding("store", "store", ok=True, says=f"{name}: {last}")


async def _broker(settings: MonitorSettings) -> Finding:
    announcer = Announcer(settings.mqtt or {}, settings.home, settings.meters, dict)
    try:
        await announcer.try_once()
    except SensorError as error:
        return Finding("mqtt", "MQTT out", ok=False, says=str(error))
    return Finding("mqtt", "MQTT out", ok=True, says=f"tells {announcer.state_topic}")


async def _sensor(plan: SensorPlan, seconds: float) -> Finding:
    """Listen until each of its meters has spoken, or the time is up."""
    if not plan.kind.listens:
        return Finding(plan.name, plan.kind.name, ok=True, says="tells us by itself, by POST /api/readings")
    listening = _Listening(plan)
    wrong = None
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds) as limit:
                await listening.listen(limit)
    except DaiseeError as error:
        wrong = str(error)
    except Exception as error:
        # One that is odd in a new way leaves the others their turn.
        log.debug("%s", plan.name, exc_info=True)
        wrong = unforeseen(error)
    wrong = wrong or listening.wrong(seconds)
    return Finding(plan.name, plan.kind.name, ok=wrong is None, says=wrong or listening.says)


class _Listening:
    """What is heard of a sensor, until each of its meters has spoken."""

    def __init__(self, plan: SensorPlan) -> None:
        self.plan = plan
        self.heard: dict[str, Reading] = {}
        """By the part that the configuration names."""
        self.refused: list[str] = []
        self.parts = Parts(plan.roles, plan.silent_after_s)

    async def listen(self, limit: asyncio.Timeout) -> None:
        loop = asyncio.get_running_loop()
        async with aclosing(cast(Any, self.plan.open().readings(self.refused.append))) as readings:
            async for reading in readings:
                part = self.parts.used(reading.part, time.time())
                if part is None or part in self.heard:
                    continue
                seen = possible(turned(reading, self.plan), self.plan.most_w_of(part), self.refused.append)
                if seen is not None:
                    self.heard[part] = seen
                if len(self.heard) >= len(self.plan.roles):
                    limit.reschedule(min(limit.when() or float("inf"), loop.time() + MORE_S))

    def wrong(self, seconds: float) -> str | None:
        """Say what is wrong; None where nothing is."""
        refused = f"; refused {len(self.refused)}: {self.refused[0]}" if self.refused else ""
        missing = [part for part in self.plan.roles if part not in self.heard]
        if self.heard and missing:
            has = ", ".join([*self.heard, *self.parts.others])
            return f"its {', '.join(missing)} said nothing; leave what it has not out of `parts` (it has {has})"
        if self.heard:
            return None
        if self.parts.others and not self.refused:
            return f"none of its meters is meant: {self.parts.told}"
        seldom = f"; it may speak each {self.plan.every_s:.0f} s only: wait longer, with --seconds"
        return f"nothing heard in {seconds:.0f} s{refused}{seldom if self.plan.every_s > seconds else ''}"

    @property
    def says(self) -> str:
        """Say what was heard."""
        told = [described(reading.part, reading) for reading in self.heard.values()]
        left_out = f"left out {len(self.refused)}: {self.refused[0]}" if self.refused else ""
        return "; ".join(filter(None, [*told, left_out, self.parts.told]))


def described(part: str, reading: Reading) -> str:
    """Say a reading in a line."""
    said = [part]
    if reading.power_w is not None:
        said.append(f"{reading.power_w:.1f} W")
    if reading.forward_j is not None:
        said.append(f"counter {reading.forward_j / 3.6e6:.3f} kWh")
    if reading.reverse_j is not None:
        said.append(f"returned {reading.reverse_j / 3.6e6:.3f} kWh")
    if reading.voltage_v is not None:
        said.append(f"{reading.voltage_v:.1f} V")
    if reading.state_of_charge is not None:
        said.append(f"charge {reading.state_of_charge:.0%}")
    return " ".join(filter(None, said))
