"""`daisee monitor history`: what a home used and made, as a small chart in the terminal."""

from __future__ import annotations

import json
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from daisee.cli.monitor.home import DAY, config_option
from daisee.cli.saying import json_option
from daisee.model.readings import SLOT_S
from daisee.monitor.collector import Collector
from daisee.monitor.running import open_store
from daisee.monitor.settings import read_settings
from daisee.monitor.store import Slot, total
from daisee.units import kwh

BLOCKS = " ▏▎▍▌▋▊▉█"
WIDTH = 20


@click.command("history")
@config_option
@click.option(
    "--days", type=click.IntRange(1, 3_660), default=7, show_default=True, help="The last so many days; 1 is by the hour."
)
@click.option("--until", type=DAY, help="The last day.", show_default="today")
@json_option
def history_command(config: Path, days: int, until: datetime | None, as_json: bool) -> None:
    """Show what the home used, made, imported and exported, day by day, or hour by hour of one day.

    Days are those of the home's time zone. A share of a day that was not measured is said.
    """
    settings = read_settings(config)
    last = until.date() if until else datetime.now(settings.zone).date()
    spans = _hours(last, settings.zone) if days == 1 else _days(last, days, settings.zone)
    now_s = time.time()
    with open_store(settings) as store:
        # The quarter of an hour that still grows is counted from its readings, as a start would.
        Collector(store, list(store.meters.values()))
        rows = [(label, from_s, to_s, total(store.slots(from_s, to_s))) for label, from_s, to_s in spans if from_s <= now_s]
        store.discard()
    if as_json:
        told = [
            {"from": _iso(from_s), "to": _iso(to_s), **_energies(slot), "covered_s": slot.covered_s}
            for _, from_s, to_s, slot in rows
        ]
        click.echo(json.dumps(told))
        return
    if not any(slot.covered_s or slot.consumed_j for *_, slot in rows):
        click.echo("nothing was measured in that time")
        return
    Console(highlight=False).print(_drawn(rows, now_s))


def _energies(slot: Slot) -> dict[str, int]:
    return {name: getattr(slot, name) for name in ("consumed_j", "produced_j", "imported_j", "exported_j")}


def _days(last: date, count: int, zone: ZoneInfo) -> list[tuple[str, int, int]]:
    first = last - timedelta(days=count - 1)
    days = [first + timedelta(days=place) for place in range(count + 1)]
    borders = [int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) for day in days]
    return [(f"{day:%a %Y-%m-%d}", begin, end) for day, begin, end in zip(days, borders, borders[1:], strict=False)]


def _hours(day: date, zone: ZoneInfo) -> list[tuple[str, int, int]]:
    ((_, begin, end),) = _days(day, 1, zone)
    return [(f"{datetime.fromtimestamp(at, zone):%H:%M}", at, min(at + 3_600, end)) for at in range(begin, end, 3_600)]


def _drawn(rows: list[tuple[str, int, int, Slot]], now_s: float) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("", "used", "made", "grid in", "grid out"):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    table.add_column("kWh used", no_wrap=True, width=WIDTH)
    table.add_column("", no_wrap=True)
    most_j = max(slot.consumed_j for *_, slot in rows) or 1
    for label, from_s, to_s, slot in rows:
        share = slot.covered_s / max(1.0, min(to_s, now_s) - from_s)
        # A slot is told when it has ended: the last quarter of an hour is no gap.
        gap = "" if share > 1 - 2 * SLOT_S / (to_s - from_s) else f"{share:.0%} measured"
        energies = [f"{kwh(energy_j):.2f}" for energy_j in _energies(slot).values()]
        table.add_row(label, *energies, Text(_bar(slot.consumed_j / most_j), style="cyan"), gap)
    return table


def _bar(share: float) -> str:
    eighths = round(share * WIDTH * 8)
    return BLOCKS[-1] * (eighths // 8) + BLOCKS[eighths % 8].strip()


def _iso(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat()
