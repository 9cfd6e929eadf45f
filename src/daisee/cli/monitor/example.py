"""`daisee monitor example`: a configuration that a person can begin with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from daisee.config import REQUIRED, Setting, shown
from daisee.monitor.announce import SETTINGS as MQTT
from daisee.monitor.sensors import Kind, kind_of, kinds
from daisee.monitor.settings import MONITOR, SENSOR


@click.command("example")
@click.argument("names", metavar="[KIND]...", nargs=-1)
@click.option("--all-settings", is_flag=True, help="With every setting there is, its default, and what it means.")
def example_command(names: tuple[str, ...], all_settings: bool) -> None:
    """Print a home's configuration with sensors of these kinds, to be written to daisee.toml.

    Without a kind, it lists the kinds there are.
    """
    if not names:
        width = max(map(len, kinds()))
        for kind in kinds().values():
            click.echo(f"{kind.name:<{width}}  {kind.title}; needs {kind.needs}")
        click.echo("\nA configuration with some of them: daisee monitor example p1 shelly > daisee.toml")
        return
    chosen = [kind_of(name) for name in names]
    lines = [
        "[monitor]",
        *(_all(MONITOR) if all_settings else ['home = "home"', 'zone = "Europe/Paris"', 'store = "daisee.sqlite"']),
    ]
    if all_settings:
        lines += ["", "# Tell Home Assistant, by MQTT:", "# [monitor.mqtt]", *_all(MQTT)]
    for place, kind in enumerate(chosen, 1):
        name = kind.name if names.count(kind.name) == 1 else f"{kind.name}-{place}"
        lines += ["", f"# {kind.title}; it needs {kind.needs}", f"[monitor.sensors.{name}]", *kind.example.strip().splitlines()]
        if all_settings:
            lines += _all(_others(kind))
    click.echo("\n".join(lines))


def _others(kind: Kind) -> Iterable[Setting]:
    written = {line.partition("=")[0].strip() for line in kind.example.splitlines()}
    return [setting for setting in (*kind.settings, *SENSOR) if setting.name not in written]


def _all(settings: Iterable[Setting]) -> list[str]:
    """Write settings as comments, each with its default."""
    lines = []
    for setting in settings:
        unit = f" [{setting.unit}]" if setting.unit else ""
        lines += [f"# {setting.help}{unit}", f"# {setting.name} = {_default(setting.default)}".rstrip()]
    return lines


def _default(value: Any) -> str:
    return "" if value is REQUIRED or value is None else shown(value)
