"""Which home a command is about: its daisee.toml, and its store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from daisee.config import near
from daisee.errors import UsageError
from daisee.monitor.settings import FILE, MonitorSettings, SensorPlan

config_option: Callable[..., Any] = click.option(
    "--config",
    "config",
    type=click.Path(path_type=Path, dir_okay=False),
    default=FILE,
    envvar="DAISEE_CONFIG",
    show_default=True,
    show_envvar=True,
    metavar="FILE",
    help="The home's configuration.",
)


class Moment(click.DateTime):
    """A day, or a moment of one, of the years that meters measure in: a calendar's ends are no days to count from."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read it."""
        found = super().convert(value, param, ctx)
        if not FIRST_YEAR <= found.year <= LAST_YEAR:
            self.fail(f"{value} is of no year from {FIRST_YEAR} to {LAST_YEAR}", param, ctx)
        return found


FIRST_YEAR, LAST_YEAR = 1981, 2999
DAY = Moment(["%Y-%m-%d"])
MOMENT = Moment(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"])


def sensor_of(settings: MonitorSettings, name: str) -> SensorPlan:
    """Answer a configured sensor by its name; UsageError where there is none."""
    plans = {plan.name: plan for plan in settings.sensors}
    if not plans:
        raise UsageError(f"{settings.file} has no sensors; `daisee monitor example` shows some")
    if name not in plans:
        raise UsageError(f"{settings.file} has no sensor {name}; {near(name, plans)}")
    return plans[name]
