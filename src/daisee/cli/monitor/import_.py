"""`daisee monitor import`: measurements that others wrote down, into the home's store."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from daisee.cli.monitor.home import config_option
from daisee.cli.saying import json_option
from daisee.errors import UsageError
from daisee.model.home import Role
from daisee.monitor.formats import UNITS
from daisee.monitor.formats.files import FORMATS
from daisee.monitor.importing import Outcome, Wish, import_files
from daisee.monitor.running import DAY_S, open_store
from daisee.monitor.settings import MonitorSettings, read_settings
from daisee.units import kwh


@click.command("import")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False))
@config_option
@click.option("--format", "shape", type=click.Choice(list(FORMATS)), help="What the files are, instead of what the header says.")
@click.option("--meter", help="Whose readings they are, where the files have those of one meter.")
@click.option("--role", type=click.Choice([str(role) for role in Role]), help="Of a meter that the home does not have yet.")
@click.option(
    "--as", "names", multiple=True, metavar="NAME=METER",
    help="Which meter a NAME of the files means. METER:reverse is its other direction; nothing after = leaves it out.",
)  # fmt: skip
@click.option("--unit", "units", multiple=True, metavar="[NAME=]UNIT", help="W, kW, Wh or kWh, where a file does not say.")
@click.option("--dry-run", is_flag=True, help="Say what it would do, and do nothing.")
@json_option
def import_command(
    files: tuple[Path, ...],
    config: Path,
    shape: str | None,
    meter: str | None,
    role: str | None,
    names: tuple[str, ...],
    units: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
) -> int:
    """Take measurements from FILEs into the home's store: CSVs of many kinds, plain or gzipped, and a CitizenWatt's dump.

    Each moment counts once, also where a file is imported twice. What cannot be is refused, and told with its line; a file is
    taken whole or not at all. Readings older than the home keeps them become quarters of an hour alone, so give the files of
    all its meters together.

    A `daisee monitor run` that writes to the same store has to be stopped before. Exit code 1 where nothing could be taken.
    """
    settings = read_settings(config)
    wish = _wish(settings, shape, meter, role, names, units, dry_run)
    with open_store(settings, writes=not dry_run) as store, _progress(not as_json) as progress:
        outcome = import_files(store, settings.meters, files, wish, progress)
    if as_json:
        click.echo(json.dumps(_told(outcome)))
    else:
        for line in _lines(outcome, settings.zone):
            click.echo(line)
    return 1 if outcome.refused.count and not outcome.new and not outcome.doubled else 0


def _wish(
    settings: MonitorSettings,
    shape: str | None,
    meter: str | None,
    role: str | None,
    names: tuple[str, ...],
    units: tuple[str, ...],
    dry_run: bool,
) -> Wish:
    said = {name: unit for name, _, unit in (each.rpartition("=") for each in units)}
    for unit in said.values():
        if unit not in UNITS:
            raise UsageError(f"there is no unit {unit} here; there are {', '.join(UNITS)}")
    pairs = [each.partition("=") for each in names]
    for name, equals, _target in pairs:
        if not equals or not name:
            raise UsageError(f"--as is written NAME=METER, not {name}")
    return Wish(
        format=shape,
        meter=meter,
        role=Role(role) if role else None,
        names={name: target for name, _, target in pairs},
        units=said,
        zone=settings.zone,
        max_gap_s=settings.max_gap_s,
        most_w=settings.most_w,
        keep_raw_s=settings.keep_raw_days * DAY_S,
        dry_run=dry_run,
    )


@contextmanager
def _progress(shown: bool) -> Iterator[Callable[[str, float], None]]:
    """Show how far it is, on the error stream, where somebody looks."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:5}"), BarColumn(), TextColumn("{task.percentage:3.0f} %"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not (shown and console.is_terminal)) as bars:
        tasks: dict[str, Any] = {}

        def progress(what: str, share: float) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=1.0)
            bars.update(tasks[what], completed=share)

        yield progress


def _told(outcome: Outcome) -> dict[str, Any]:
    return {
        "dry_run": outcome.dry_run,
        "formats": outcome.formats,
        "units": outcome.units,
        "read": outcome.read,
        "new": outcome.new,
        "doubled": outcome.doubled,
        "left_out": dict(outcome.left_out),
        "refused": outcome.refused.count,
        "refused_first": [{"file": file, "line": line, "why": why} for file, line, why in outcome.refused.first],
        "consumed_j": outcome.consumed_j,
        "slots": outcome.slots,
        "meters": {
            name: {
                "role": each.role,
                "readings": each.readings,
                "kept": each.kept,
                "first": _iso(each.first_s, UTC),
                "last": _iso(each.last_s, UTC),
                "slots": each.slots,
                "forward_j": each.forward_j,
                "reverse_j": each.reverse_j,
                "covered_s": each.covered_s,
            }
            for name, each in outcome.meters.items()
        },
    }


def _lines(outcome: Outcome, zone: tzinfo) -> Iterator[str]:
    for file, shape in outcome.formats.items():
        yield f"{file}: {FORMATS[shape].title}"
    for name, unit in outcome.units.items():
        yield f"{name} is read in {unit}; if that is wrong, say --unit {name}=UNIT"
    would = "would be new" if outcome.dry_run else "are new"
    yield f"{outcome.read:,} readings; {outcome.new:,} {would}, {outcome.doubled:,} were there already"
    for name, each in outcome.meters.items():
        yield f"{name} ({each.role}): {each.readings:,} readings from {_iso(each.first_s, zone)} to {_iso(each.last_s, zone)}"
        energy = f"{kwh(each.forward_j):,.3f} kWh forward, {kwh(each.reverse_j):,.3f} kWh the other way"
        kept = "all are kept" if each.kept == each.readings else f"{each.kept:,} are kept, of the others the slots"
        yield f"  {energy}, in {each.slots:,} slots; {each.covered_s / 3_600:,.1f} h are measured; {kept}"
        if each.readings > 1 and not each.covered_s:
            yield "  its readings lie further apart than max_gap_s: a column mean_over_s says over how long a power is the mean"
    if outcome.new:
        yield f"the home used {kwh(outcome.consumed_j):,.3f} kWh of it"
    for name, count in outcome.left_out.items():
        yield f"left out: {count:,} readings of {name}"
    yield from _refusals(outcome)
    if outcome.dry_run:
        yield "nothing was written"


def _refusals(outcome: Outcome) -> Iterator[str]:
    refused = outcome.refused
    if not refused.count:
        return
    yield f"refused: {refused.count:,}"
    for file, line, why in refused.first:
        yield f"  {file}, line {line}: {why}"
    if len(refused.first) < len(refused.why) or refused.count > len(refused.first):
        yield "  in all:"
        for why, count in refused.why.most_common(10):
            yield f"  {count:,} times: {why}"


def _iso(at_s: float | None, zone: tzinfo) -> str | None:
    return None if at_s is None else datetime.fromtimestamp(at_s, zone).isoformat(sep=" " if zone is not UTC else "T")
