"""`daisee monitor bill`: what a home's energy cost, by its supplier's tariff, and how much of it was its own."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from daisee.cli.monitor.home import DAY, config_option
from daisee.cli.saying import json_option
from daisee.errors import UsageError
from daisee.model.calendar import Period, midnight_s, next_first_day
from daisee.model.contract import Bill, Line, bill_of
from daisee.model.home import Role
from daisee.monitor.running import open_store
from daisee.monitor.settings import read_settings
from daisee.monitor.store import Slot
from daisee.monitor.tariffs import read_tariffs
from daisee.units import JOULES_PER_KWH

MONTH = re.compile(r"(19[7-9]\d|2\d{3})-(0[1-9]|1[0-2])")


@click.command("bill")
@config_option
@click.option("--month", metavar="YYYY-MM", help="The month.", show_default="the last whole one")
@click.option("--year", type=click.IntRange(1970, 2999), help="A whole year instead.")
@click.option("--from", "first", type=DAY, help="Any days instead: the first.")
@click.option("--to", "last", type=DAY, help="The last of them.")
@click.option(
    "--csv", "csv_file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write the lines to a file."
)
@json_option
def bill_command(
    config: Path,
    month: str | None,
    year: int | None,
    first: datetime | None,
    last: datetime | None,
    csv_file: Path | None,
    as_json: bool,
) -> None:
    """Show the energy, the local share and the cost of a month, by the tariffs in daisee.toml.

    Each day is billed by the tariff that was valid on it. Each line is rounded to cents once; the total is the sum of the lines.
    """
    settings = read_settings(config)
    begin, end = _days(month, year, first, last, datetime.now(settings.zone).date())
    contracts = read_tariffs(settings.file, settings.tariffs, days=(begin, end))
    with open_store(settings) as store:
        slots = store.slots(midnight_s(begin, settings.zone), midnight_s(end + timedelta(days=1), settings.zone))
        has_grid = any(meter.role is Role.GRID for meter in store.meters.values())
    if not has_grid:
        slots = [with_grid(slot) for slot in slots]
    bill = bill_of(contracts, slots, begin, end, settings.zone)
    if csv_file:
        _write(csv_file, bill)
    if as_json:
        click.echo(json.dumps(_told(bill)))
        return
    _print(bill)
    if not has_grid:
        click.echo("No meter of the grid: what was used beyond what was made and drawn is taken to have come from it.")
    if not contracts:
        click.echo("No tariffs in the configuration: add [[monitor.tariffs]] to see what it cost.")


def with_grid(slot: Slot) -> Slot:
    """Answer a slot of a home without a meter of its grid: what neither its roof nor a neighbour gave came from there."""
    if slot.imported_j or slot.own_j:
        return slot  # an agent has said what came from where
    balance_j = slot.consumed_j - slot.produced_j - sum(slot.drawn_j.values())
    return replace(slot, imported_j=max(0, balance_j), exported_j=max(0, -balance_j))


def _days(month: str | None, year: int | None, first: datetime | None, last: datetime | None, today: date) -> tuple[date, date]:
    if sum(each is not None for each in (month, year, first or last)) > 1:
        raise UsageError("name one of --month, --year, or --from and --to")
    if first or last:
        if first is None or last is None or last < first:
            raise UsageError("name both days, --from and --to, the first one first")
        return first.date(), last.date()
    if year is not None:
        return date(year, 1, 1), date(year, 12, 31)
    if month is None:
        end = today.replace(day=1) - timedelta(days=1)
        return end.replace(day=1), end
    if not MONTH.fullmatch(month):
        raise UsageError(f"{month} is no month; write it like 2026-10")
    begin = date.fromisoformat(f"{month}-01")
    return begin, next_first_day(begin, Period.MONTH) - timedelta(days=1)


def _kwh(energy_j: int | None) -> Decimal | None:
    return None if energy_j is None else (Decimal(energy_j) / JOULES_PER_KWH).quantize(Decimal("0.001"))


def _print(bill: Bill) -> None:
    console, energies = Console(highlight=False), bill.energies
    share = energies.local_share
    console.print(f"{bill.first} to {bill.last}")
    used = f"{_kwh(energies.own_j)} its own, {_kwh(energies.drawn_j)} from neighbours, {_kwh(energies.imported_j)} from the grid"
    console.print(f"used {_kwh(energies.consumed_j)} kWh: {used}", soft_wrap=True)
    console.print(f"made {_kwh(energies.produced_j)} kWh, gave {_kwh(energies.exported_j)} to the grid", soft_wrap=True)
    console.print(f"local share {'-' if share is None else f'{share:.1%}'}; {bill.covered:.1%} of the time was measured")
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    for name in ("kWh", f"{bill.currency}/kWh", bill.currency):
        table.add_column(name, justify="right", no_wrap=True)
    for line in (*bill.lines, *bill.vat, *bill.credit):
        table.add_row(line.what, *("" if each is None else str(each) for each in (_kwh(line.energy_j), line.price, line.amount)))
    table.add_section()
    table.add_row("to pay", "", "", str(bill.total))
    console.print(table)
    if bill.unpriced_j:
        told = "kWh from the grid have no price: no tariff held, or its price is not known."
        console.print(f"{_kwh(bill.unpriced_j)} {told}", soft_wrap=True)


def _line(line: Line) -> dict[str, Any]:
    return {"what": line.what, "energy_j": line.energy_j, "price": line.price and str(line.price), "amount": str(line.amount)}


def _told(bill: Bill) -> dict[str, Any]:
    energies = bill.energies
    names = ("consumed_j", "imported_j", "exported_j", "produced_j", "own_j", "drawn_j")
    return {
        "from": bill.first.isoformat(),
        "to": bill.last.isoformat(),
        "currency": bill.currency,
        **{name: getattr(energies, name) for name in names},
        "local_share": None if energies.local_share is None else round(float(energies.local_share), 6),
        "covered": round(float(bill.covered), 6),
        "unpriced_j": bill.unpriced_j,
        "lines": [_line(line) for line in bill.lines],
        "vat": [_line(line) for line in bill.vat],
        "credit": [_line(line) for line in bill.credit],
        "total": str(bill.total),
    }


def _energies(bill: Bill) -> Iterator[tuple[str, int | None, Decimal | None]]:
    """Answer what a bill says of energy alone: what it is, how much, and as a share."""
    energies, share = bill.energies, bill.energies.local_share
    yield "used", energies.consumed_j, None
    yield "of it its own", energies.own_j, None
    yield "of it from neighbours", energies.drawn_j, None
    yield "of it from the grid", energies.imported_j, None
    yield "made", energies.produced_j, None
    yield "gave to the grid", energies.exported_j, None
    yield "from the grid without a price", bill.unpriced_j, None
    yield "local share", None, None if share is None else share.quantize(Decimal("0.0001"))
    yield "measured", None, bill.covered.quantize(Decimal("0.0001"))


def _write(file: Path, bill: Bill) -> None:
    try:
        with file.open("w", newline="", encoding="utf-8") as out:
            rows = csv.writer(out)
            rows.writerow(["from", "to", "what", "kwh", f"price_{bill.currency}_per_kwh", f"amount_{bill.currency}", "share"])
            for line in (*bill.lines, *bill.vat, *bill.credit):
                rows.writerow([bill.first, bill.last, line.what, _kwh(line.energy_j), line.price, line.amount, None])
            rows.writerow([bill.first, bill.last, "total", None, None, bill.total, None])
            for what, energy_j, share in _energies(bill):
                rows.writerow([bill.first, bill.last, what, _kwh(energy_j), None, None, share])
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from error
