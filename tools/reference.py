"""Writes docs/reference/commands.md from the commands' own help, and docs/reference/settings.md from the tables by which
daisee.toml is read, so that the pages cannot say anything else.

Run by `make docs`; a test compares the pages with what this would write.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from daisee.cli import daisee
from daisee.config import table_of
from daisee.monitor.announce import SETTINGS as MQTT
from daisee.monitor.sensors import kinds
from daisee.monitor.settings import MONITOR, SENSOR
from daisee.monitor.tariffs import PERIOD, TARIFF

FOLDER = Path(__file__).parent.parent / "docs" / "reference"
PAGE = FOLDER / "commands.md"
SETTINGS_PAGE = FOLDER / "settings.md"
WIDTH = 100


def page() -> str:
    """Answer the whole page."""
    intro = "# Commands\n\nWritten by `make docs` from what each command says of itself with `--help`.\n"
    return intro + "".join(f"\n## `{path}`\n\n```text\n{text}\n```\n" for path, text in _helps(daisee, None, "daisee"))


def _helps(command: click.Command, parent: click.Context | None, name: str) -> Iterator[tuple[str, str]]:
    settings = {**command.context_settings, "max_content_width": WIDTH, "terminal_width": WIDTH}
    context = click.Context(command, parent=parent, info_name=name, **settings)
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            if found is not None:
                yield from _helps(found, context, below)


def settings_page() -> str:
    """Answer the whole page of settings."""
    sections = [
        ("[monitor]", MONITOR, ""),
        ("[monitor.mqtt]", MQTT, "Tells the home's numbers by MQTT; see [Home Assistant](../how-to/home-assistant.md)."),
        ("[[monitor.tariffs]]", TARIFF, "See [tariffs](../how-to/tariffs.md)."),
        ("[[monitor.tariffs.periods]]", PERIOD, ""),
        ("[monitor.sensors.NAME]", SENSOR, "What every sensor may say, beside `kind` and what its kind asks for."),
    ]
    lines = ["# Settings of a home", "", "Written by `make docs` from the tables by which `daisee.toml` is read."]
    for title, settings, told in sections:
        lines += ["", f"## `{title}`", "", *([told, ""] if told else []), *table_of(settings)]
    lines += ["", "## Kinds of sensors", "", "| kind | what | roles, the usual first |", "|---|---|---|"]
    for name, kind in kinds().items():
        lines.append(f"| [`{name}`](sensors/{name}.md) | {kind.title} | {', '.join(kind.roles)} |")
    for name, kind in kinds().items():
        own = table_of(kind.settings) if kind.settings else ["It has none of its own."]
        lines += ["", f"### `{name}`", "", f"{kind.title}. It needs {kind.needs}.", "", *own]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    SETTINGS_PAGE.write_text(settings_page(), "utf-8")
