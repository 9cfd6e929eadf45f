"""`daisee monitor run` measures a home until somebody says stop; `daisee monitor collect` many homes."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import track

from daisee.cli.monitor.home import config_option
from daisee.errors import ConfigurationError, UsageError
from daisee.monitor.api import create_monitor_app
from daisee.monitor.api.many import HomesApp
from daisee.monitor.books import Books
from daisee.monitor.database import Database
from daisee.monitor.many import ManyHomes
from daisee.monitor.running import Monitor, live, open_store
from daisee.monitor.settings import MonitorSettings, read_settings
from daisee.monitor.tokens import Tokens
from daisee.serving import LOOPBACK, listen

WRITTEN = "All that was measured is written down."


@click.command("run")
@config_option
def run_command(config: Path) -> None:
    """Measure a home, keep what is measured, and answer who asks, until Ctrl-C.

    Sensors that are silent or gone are said once, and tried again for ever. What is measured is written down every
    `flush_every_s`, and when it ends.
    """
    settings = _with_sensors(config)
    with listen(settings.port, "port in [monitor]", settings.host) as listening, open_store(settings, writes=True) as store:
        monitor = Monitor(settings, store)
        _introduce(settings, monitor, Tokens(store))
        _until_told(monitor.books, [monitor], create_monitor_app(monitor), listening)
    click.echo(WRITTEN)


@click.command("collect")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--host", default=LOOPBACK, show_default=True, help="The address that it listens on.")
@click.option("--port", type=click.IntRange(1, 65_535), default=8080, show_default=True, help="The port that it listens on.")
@click.option(
    "--flush-every-s", type=click.IntRange(1, 3_600), default=60, show_default=True, help="How often it writes to the database."
)
def collect_command(folder: Path, host: str, port: int, flush_every_s: int) -> None:
    """Measure many homes into one database, until Ctrl-C.

    FOLDER has a file for each home, NAME.toml, as `daisee monitor run` takes it. All name the same `store`, and each its own
    `home`. What is measured in all of them is written down together; each home answers at /homes/NAME/ to its own tokens.
    The files' own `host`, `port` and `flush_every_s` do not count here; those of this command do.
    """
    homes = [_with_sensors(file) for file in sorted(folder.glob("*.toml"))]
    _check_homes(folder, homes)
    with listen(port, "--port", host) as listening, closing(Database(homes[0].where)) as database:
        click.echo(f"{len(homes)} homes, kept in {database.name}; each goes on where its store ends ...")
        terminal = Console(stderr=True)
        opened = track(homes, "Homes", transient=True, console=terminal, disable=not terminal.is_terminal)
        many = ManyHomes(database, opened, flush_every_s)
        try:
            click.echo(f"They answer at http://{_in_address(host)}:{port}/homes/NAME/. Stop it with Ctrl-C.")
            _until_told(many.books, many.monitors.values(), HomesApp(many.monitors), listening)
        finally:
            many.close()
    click.echo(WRITTEN)


def _with_sensors(config: Path) -> MonitorSettings:
    settings = read_settings(config)
    if not settings.sensors:
        raise UsageError(f"{config} has no sensors; `daisee monitor example` shows some")
    return settings


def _check_homes(folder: Path, homes: Sequence[MonitorSettings]) -> None:
    """Refuse a folder whose homes cannot be kept together."""
    if not homes:
        raise UsageError(f"{folder} has no *.toml; it wants one for each home, as `daisee monitor run` takes it")
    files: dict[str, Path] = {}
    for settings in homes:
        if settings.home in files:
            told = f'"{settings.home}" is the home of {files[settings.home].name} already; each home has its own name'
            raise ConfigurationError(settings.file, "monitor.home", told)
        if "/" in settings.home:
            raise ConfigurationError(settings.file, "monitor.home", "a name with no / in it is wanted, for its address")
        if settings.where != homes[0].where:
            told = f"another store than that of {homes[0].file.name}; homes that are collected together have one"
            raise ConfigurationError(settings.file, "monitor.store", told)
        files[settings.home] = settings.file


def _until_told(books: Books, monitors: Iterable[Monitor], app: Any, listening: socket.socket) -> None:
    logging.getLogger("daisee.monitor").setLevel(min(logging.INFO, logging.getLogger().level))

    async def until_told() -> None:
        told_to_stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, told_to_stop.set)
        await live(books, monitors, told_to_stop, app, listening)

    asyncio.run(until_told())


def _introduce(settings: MonitorSettings, monitor: Monitor, tokens: Tokens) -> None:
    click.echo(f"{settings.home}: {len(settings.meters)} meters, kept in {monitor.store.database.name}")
    for plan in settings.sensors:
        roles = ", ".join(f"{part} {role}".strip() for part, role in plan.roles.items())
        click.echo(f"  {plan.name}: {plan.kind.title} ({roles})")
    answers = f"http://{_in_address(settings.host)}:{settings.port}/api/v1/home"
    click.echo(f"It answers at {answers} (all it answers: /docs). Stop it with Ctrl-C.")
    if not tokens.list():
        click.echo("Nobody may ask yet: `daisee monitor token new` makes a token.")


def _in_address(host: str) -> str:
    return f"[{host}]" if ":" in host else host
