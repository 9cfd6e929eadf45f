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


def sensor_of(settings: MonitorSettings, name: str) -> SensorPlan:
    """Answer a configured sensor by its name; UsageError where there is none."""
    plans = {plan.name: plan for plan in settings.sensors}
    if not plans:
        raise UsageError(f"{settings.file} has no sensors; `daisee monitor example` shows some")
    if name not in plans:
        raise UsageError(f"{settings.file} has no sensor {name}; {near(name, plans)}")
    return plans[name]
