"""`daisee monitor check`: tries everything that a home's configuration names, and says what is wrong, in words."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import click

from daisee.cli.monitor.home import config_option
from daisee.cli.saying import json_option, say_table
from daisee.errors import DaiseeError, SensorError
from daisee.model.readings import Reading
from daisee.monitor.announce import Announcer
from daisee.monitor.listening import turned
from daisee.monitor.running import open_store
from daisee.monitor.settings import MonitorSettings, SensorPlan, read_settings


@dataclass(frozen=True, slots=True)
class Finding:
    """How one part of a home is."""

    name: str
    what: str
    ok: bool
    says: str


@click.command("check")
@config_option
@click.option("--seconds", type=click.FloatRange(1, 600), default=20, show_default=True, help="How long a sensor may take.")
@json_option
def check_command(config: Path, seconds: float, as_json: bool) -> int:
    """Try every sensor, the store, and the MQTT broker, and say what is wrong. Exit code 1 where something is.

    It may run beside `daisee monitor run`, but for sensors on a serial line, which only one program can hear.
    """
    settings = read_settings(config)
    found = asyncio.run(_all(settings, seconds))
    rows = [("ok" if one.ok else "WRONG", one.name, one.what, one.says) for one in found]
    told = [{"name": one.name, "what": one.what, "ok": one.ok, "says": one.says} for one in found]
    say_table(as_json, told, ("", "name", "what", "says"), rows, "there is nothing to check")
    return 0 if all(one.ok for one in found) else 1


async def _all(settings: MonitorSettings, seconds: float) -> list[Finding]:
    found: list[Awaitable[Finding]] = [_sensor(plan, seconds) for plan in settings.sensors]
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
    heard: dict[str, Reading] = {}
    refused: list[str] = []
    wrong = None
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), aclosing(cast(Any, plan.open().readings(refused.append))) as readings:
                async for reading in readings:
                    heard.setdefault(reading.part, turned(reading, plan))
                    if len(heard) >= len(plan.roles):
                        break
    except DaiseeError as error:
        wrong = str(error)
    missing = [part for part in plan.roles if part and part not in heard]
    if wrong is None and not heard:
        wrong = f"nothing heard in {seconds:.0f} s" + (f"; refused {len(refused)}: {refused[0]}" if refused else "")
    elif wrong is None and missing:
        wrong = f"its {', '.join(missing)} said nothing; leave what it has not out of `parts` (it has {', '.join(heard)})"
    says = "; ".join(filter(None, (described(part, reading) for part, reading in heard.items())))
    return Finding(plan.name, plan.kind.name, ok=wrong is None, says=wrong or says)


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
