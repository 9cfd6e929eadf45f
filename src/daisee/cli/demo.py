"""`daisee demo`: a street of measured homes that trade, live in the browser or as fast as the machine allows."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from daisee.demo.data import Measured, load
from daisee.demo.headless import run_headless
from daisee.demo.live import Pace, run_live
from daisee.demo.plan import Street
from daisee.demo.run import StreetRun
from daisee.demo.street import describe, load_street
from daisee.errors import DaiseeError, LawBroken, UsageError
from daisee.units import coins, kwh

DEFAULT_SPEED = 360.0
"""A day passes in four minutes."""

INTERRUPTED = 130
"""The exit code of who was stopped before the end."""


class IsoTime(click.ParamType[datetime]):
    """A date or a time as ISO 8601 writes it; UTC where it names no zone."""

    name = "ISO"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read it, or fail in one line."""
        if isinstance(value, datetime):
            return value
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value} is no date or time; write it like 2025-06-02 or 2025-06-02T18:00Z", param, ctx)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise click.BadParameter(f"{number} is no number of seconds")
    return number


@click.command()
@click.option(
    "--data",
    "data_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Measured homes, as CSV, plain or .gz.",
    show_default="a week of six homes",
)
@click.option("--homes", metavar="A,B,C", help="Only these homes of the file.")
@click.option("--start", type=IsoTime(), help="Begin the data here; UTC where no zone is given.")
@click.option(
    "--days",
    type=click.FloatRange(0, 100_000, min_open=True),
    metavar="N",
    help="Only so many days of it; a part of a day will do.",
)
@click.option(
    "--street",
    "street_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Which home is what, and its prices, as TOML.",
    show_default="ours for our data, else derived from the data",
)
@click.option(
    "--speed",
    type=click.FloatRange(0.001, 1e7),
    callback=lambda _ctx, _param, value: _finite(value),
    default=DEFAULT_SPEED,
    show_default=True,
    help="Street seconds in a second.",
)
@click.option("--headless", is_flag=True, help="No page: as fast as the machine allows, to the end of the data, then a table.")
@click.option(
    "--report",
    "report_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the account of the street as JSON.",
)
@click.option(
    "--seed",
    type=int,
    help="Draw the accounts' keys from a number, so that addresses repeat. Who guesses it has the keys.",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the homes' stores (SQLite files) here.",
    show_default="a temporary one, removed at the end",
)
@click.option("--port", type=click.IntRange(1, 65535), default=8080, show_default=True, help="Port of the page.")
@click.option("--rpc-port", type=click.IntRange(1, 65535), default=8545, show_default=True, help="Port of the chain.")
def demo(
    data_file: Path | None,
    homes: str | None,
    start: datetime | None,
    days: float | None,
    street_file: Path | None,
    speed: float,
    headless: bool,
    report_file: Path | None,
    seed: int | None,
    folder: Path | None,
    port: int,
    rpc_port: int,
) -> int:
    """Open a street of measured homes that trade.

    Real monitors, agents and contracts; only the sensors, the relay boards and the clock are stand-ins. Stop it with Ctrl-C.
    """
    console = Console(highlight=False)
    _check_writable(report_file)
    chosen = [name.strip() for name in homes.split(",") if name.strip()] if homes is not None else None
    measured = load(data_file, homes=chosen, start=start, days=days)
    street = load_street(street_file, measured)
    for line in describe(street):
        console.print(Text(line), soft_wrap=True)
    pace = None if headless else Pace(speed, port, rpc_port)
    with _folder(folder) as stores:
        report, complete = _live(console, StreetRun(measured, street, stores, seed), pace)
    _print_report(console, report, street)
    if report_file:
        _write(report_file, report)
        console.print(f"The account is in {report_file}.", soft_wrap=True)
    broken = tuple(name for name, kept in report["laws"].items() if not kept)
    if broken:
        raise LawBroken(broken)
    return 0 if complete or not headless else INTERRUPTED


def _check_writable(report_file: Path | None) -> None:
    """Find out before the street has lived, not after it."""
    if report_file is None:
        return
    if not report_file.parent.is_dir():
        raise UsageError(f"the report cannot be written to {report_file}: there is no folder {report_file.parent}; make it first")
    new = not report_file.exists()
    try:
        report_file.open("a").close()
        if new:
            report_file.unlink()
    except OSError as error:
        raise UsageError(f"the report cannot be written to {report_file}: {error.strerror}") from error


def _write(report_file: Path, report: dict[str, Any]) -> None:
    try:
        report_file.write_text(json.dumps(report, indent=2) + "\n")
    except OSError as error:
        raise DaiseeError(
            f"the report could not be written to {report_file}: {error.strerror}; the table above is all of it"
        ) from error


@contextmanager
def _folder(folder: Path | None) -> Iterator[Path]:
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="daisee-") as temporary:
            yield Path(temporary)
    else:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{folder} cannot be made ({error.strerror}); choose another --folder") from error
        yield folder


def _live(console: Console, run: StreetRun, pace: Pace | None) -> tuple[dict[str, Any], bool]:
    """Live through the data, with a page at some pace or without one; answer the report, and whether the end was reached."""
    try:
        if pace is None:
            with _progress(console, run.measured) as advance:
                return run_headless(run, advance)
        return run_live(run, pace, lambda line: console.print(line, soft_wrap=True))
    finally:
        run.close()


@contextmanager
def _progress(console: Console, measured: Measured) -> Iterator[Any]:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console, transient=True) as progress:
        task = progress.add_task("living", total=measured.to_s - measured.from_s)

        def advance(lived_s: int, at_s: int) -> None:
            at = datetime.fromtimestamp(at_s, UTC)
            progress.update(task, completed=lived_s, description=f"{at:%Y-%m-%d %H:%M}")

        yield advance


def _print_report(console: Console, report: dict[str, Any], street: Street) -> None:
    currency = street.supplier.currency
    data = report["data"]
    span = f"{data['from'][:16]} to {data['lived_to'][:16]}"
    if data["lived_to"] != data["to"]:
        span += f" (stopped; the data goes on to {data['to'][:16]})"
    console.print(Text(f"{span}: kWh, coins, {currency} with the street and alone"), soft_wrap=True)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("home", overflow="fold", min_width=8)
    for name in ("used", "own", "drawn", "grid", "made", "sold", "coins", "with", "alone"):
        table.add_column(name, justify="right", no_wrap=True)
    for home in report["homes"]:
        energies = (home[key] for key in ("consumed_j", "own_j", "drawn_j", "imported_j", "produced_j", "sold_j"))
        table.add_row(
            Text(home["home"]),
            *(f"{kwh(energy_j):.2f}" for energy_j in energies),
            f"{coins(int(home['balance_coins'])):.2f}",
            home["cost_with"],
            home["cost_without"],
        )
    console.print(table)
    _print_sums(console, report)


def _print_sums(console: Console, report: dict[str, Any]) -> None:
    shares = report["street"]
    if shares["self_sufficiency"] is not None:
        console.print(
            f"{shares['self_sufficiency']:.1%} of what the street used came from its own roofs and batteries; neighbours "
            f"shared {kwh(shares['shared_j']):.2f} kWh.",
            soft_wrap=True,
        )
    dark_j = sum(home["unserved_j"] for home in report["homes"])
    if dark_j:
        console.print(f"[red]{kwh(dark_j):.2f} kWh could not be served: a home was dark.[/]")
    ledger = report["ledger"]
    console.print(
        f"{ledger['transactions']} transactions in {ledger['blocks']} blocks, {ledger['reverted']} refused; "
        f"{report['seconds']['wall']:.1f} s for {report['seconds']['simulated'] / 86_400:.2f} days."
    )
    kept = [name for name, is_kept in report["laws"].items() if is_kept]
    console.print(f"Laws kept: {len(kept)} of {len(report['laws'])}.")
