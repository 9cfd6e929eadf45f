"""`daisee monitor read`: what a sensor says, as it says it."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import click

from daisee.cli.monitor.check import described
from daisee.cli.monitor.home import config_option, sensor_of
from daisee.cli.saying import json_option
from daisee.errors import DaiseeError, SensorError, UsageError
from daisee.monitor.listening import possible, turned, unforeseen
from daisee.monitor.settings import SensorPlan, read_settings


@click.command("read")
@click.argument("sensor")
@config_option
@click.option("--count", type=click.IntRange(1), help="Stop after so many readings.")
@json_option
def read_command(sensor: str, config: Path, count: int | None, as_json: bool) -> None:
    """Show live what SENSOR of the configuration says, until Ctrl-C. Nothing is stored.

    What is refused is shown on the error stream, with the reason.
    """
    plan = sensor_of(read_settings(config), sensor)
    if not plan.kind.listens:
        raise UsageError(f"{sensor} is not listened to: it tells us by itself; run `daisee monitor run`")
    try:
        asyncio.run(_read(plan, count, as_json))
    except (DaiseeError, OSError, click.ClickException):
        raise
    except Exception as error:
        raise SensorError(f"{sensor}: {unforeseen(error)}") from error


async def _read(plan: SensorPlan, count: int | None, as_json: bool) -> None:
    left = count
    async with aclosing(cast(Any, plan.open().readings(_refused))) as readings:
        async for reading in readings:
            # One role is of whichever part is meant: all of them are shown.
            most_w = plan.most_w_of(reading.part if reading.part in plan.roles else next(iter(plan.roles)))
            seen = possible(turned(reading, plan), most_w, _refused)
            if seen is None:
                continue
            if as_json:
                click.echo(json.dumps(asdict(seen)))
            else:
                at = datetime.fromtimestamp(seen.at_s).astimezone()
                click.echo(f"{at:%H:%M:%S}  {described(seen.part, seen)}")
            left = None if left is None else left - 1
            if left == 0:
                return


def _refused(why: str) -> None:
    click.echo(f"refused: {why}", err=True)
