"""`daisee monitor run`: measures a home until somebody says stop."""

from __future__ import annotations

import asyncio
import logging
import signal
from pathlib import Path

import click

from daisee.cli.monitor.home import config_option
from daisee.errors import UsageError
from daisee.monitor.api import create_monitor_app
from daisee.monitor.running import Monitor, open_store
from daisee.monitor.settings import MonitorSettings, read_settings
from daisee.monitor.tokens import Tokens
from daisee.serving import listen


@click.command("run")
@config_option
def run_command(config: Path) -> None:
    """Measure a home, keep what is measured, and answer who asks, until Ctrl-C.

    Sensors that are silent or gone are said once, and tried again for ever. What is measured is written down every
    `flush_every_s`, and when it ends.
    """
    settings = read_settings(config)
    if not settings.sensors:
        raise UsageError(f"{config} has no sensors; `daisee monitor example` shows some")
    logging.getLogger("daisee.monitor").setLevel(min(logging.INFO, logging.getLogger().level))
    with listen(settings.port, "port in [monitor]", settings.host) as listening, open_store(settings) as store:
        monitor = Monitor(settings, store)
        _introduce(settings, monitor, Tokens(store))
        asyncio.run(_live(monitor, listening))
    click.echo("All that was measured is written down.")


async def _live(monitor: Monitor, listening: object) -> None:
    told_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told_to_stop.set)
    await monitor.live(told_to_stop, create_monitor_app(monitor), listening)  # type: ignore[arg-type]


def _introduce(settings: MonitorSettings, monitor: Monitor, tokens: Tokens) -> None:
    click.echo(f"{settings.home}: {len(settings.meters)} meters, kept in {monitor.store.database.name}")
    for plan in settings.sensors:
        roles = ", ".join(f"{part} {role}".strip() for part, role in plan.roles.items())
        click.echo(f"  {plan.name}: {plan.kind.title} ({roles})")
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    click.echo(f"It answers at http://{host}:{settings.port}/api/v1/home (all it answers: /docs). Stop it with Ctrl-C.")
    if not tokens.list():
        click.echo("Nobody may ask yet: `daisee monitor token new` makes a token.")
