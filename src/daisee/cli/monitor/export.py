"""`daisee monitor export`: what a home measured, as CSV or Parquet."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import click
from rich.console import Console

from daisee.cli.monitor.home import MOMENT, config_option
from daisee.cli.saying import json_option
from daisee.errors import UsageError
from daisee.monitor.exporting import (
    HOME_COLUMNS,
    QUALITY,
    READING_COLUMNS,
    SLOT_COLUMNS,
    Row,
    check_meters,
    rows_of_home,
    rows_of_meters,
    rows_of_readings,
    write_csv,
    write_parquet,
)
from daisee.monitor.running import open_store
from daisee.monitor.settings import read_settings
from daisee.monitor.store import Store


@click.command("export")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@config_option
@click.option(
    "--what", type=click.Choice(["meters", "home", "readings"]), default="meters", show_default=True,
    help="The slots of meters, those of the home, or readings as far as they are kept.",
)  # fmt: skip
@click.option("--meter", "asked", multiple=True, metavar="NAME", help="Only this meter; may be said again.")
@click.option("--from", "since", type=MOMENT, help="The first day, or moment, in the home's time zone.")
@click.option("--to", "until", type=MOMENT, help="The day, or moment, before which it ends.")
@click.option("--dry-run", is_flag=True, help="Count what it would write, and write nothing.")
@json_option
def export_command(
    file: Path | None,
    config: Path,
    what: str,
    asked: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Write what the home measured to FILE, or to the terminal where none is named.

    FILE is a CSV, gzipped where it ends with .gz, or Parquet where it ends with .parquet; it is never written over. Times are
    UTC. `daisee monitor import` takes the slots of meters, and readings, and has the same energies.
    """
    if as_json and file is None and not dry_run:
        raise UsageError("--json says what was written to a FILE; name one, or leave --json out: what is exported is CSV")
    settings = read_settings(config)
    from_s, to_s = (None if day is None else int(day.replace(tzinfo=settings.zone).timestamp()) for day in (since, until))
    if what == "home" and asked:
        raise UsageError("the home's slots are of no single meter; leave --meter out, or ask for --what meters")
    with open_store(settings) as store:
        columns, rows = _rows(store, what, check_meters(store.meters, asked), from_s or 0, to_s)
        if dry_run:
            count = sum(1 for _ in rows)
        elif file is None:
            write_csv(None, columns, rows, sys.stdout)
            return
        else:
            with Console(stderr=True).status("writing") as status:
                write = write_parquet if file.suffix == ".parquet" else write_csv
                count = write(file, columns, rows, told=lambda done: status.update(f"writing: {done:,} rows"))
    told = {"file": str(file) if file else None, "rows": count, "columns": list(columns), "dry_run": dry_run}
    click.echo(json.dumps(told) if as_json else f"{count:,} rows{' would be' if dry_run else ''} in {file or 'the output'}")


def _rows(store: Store, what: str, meters: Sequence[str], from_s: int, to_s: int | None) -> tuple[Sequence[str], Iterator[Row]]:
    if what == "home":
        return (*HOME_COLUMNS, QUALITY), rows_of_home(store, from_s, to_s)
    if what == "meters":
        return (*SLOT_COLUMNS, QUALITY), rows_of_meters(store, meters, from_s, to_s)
    return READING_COLUMNS, rows_of_readings(store, meters, from_s, float("inf") if to_s is None else to_s)
