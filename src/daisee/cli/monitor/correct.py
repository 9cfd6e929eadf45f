"""`daisee monitor correct`: amends a past quarter of an hour, with a reason, and lists what was amended."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import click

from daisee.cli.monitor.home import config_option
from daisee.cli.saying import json_option, say, say_table
from daisee.errors import UsageError
from daisee.model.readings import SLOT_S
from daisee.monitor.correcting import Correction, correct, corrections
from daisee.monitor.formats import Clock
from daisee.monitor.running import open_store
from daisee.monitor.settings import read_settings
from daisee.units import Joules, joules_from_kwh, kwh


class _Energy(click.ParamType[Joules]):
    name = "kWh"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Joules:
        try:
            energy = Decimal(str(value))
            if not energy.is_finite() or not 0 <= energy < 10**9:
                raise InvalidOperation
            return joules_from_kwh(energy)
        except InvalidOperation:
            self.fail(f"{value} is no energy in kWh, like 0.25", param, ctx)


@click.command("correct")
@click.argument("meter", required=False)
@click.argument("slot", required=False)
@config_option
@click.option("--forward-kwh", "forward_j", type=_Energy(), help="What went forward: import, made, charged, used.")
@click.option("--reverse-kwh", "reverse_j", type=_Energy(), help="What went the other way.")
@click.option("--reason", help="Why; it is kept with what was there before.")
@click.option("--dry-run", is_flag=True, help="Say what it would change, and change nothing.")
@json_option
def correct_command(
    meter: str | None,
    slot: str | None,
    config: Path,
    forward_j: Joules | None,
    reverse_j: Joules | None,
    reason: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Amend the quarter of an hour of METER that begins at SLOT, like "2025-06-01 12:15" in the home's time zone.

    The home's use follows by the difference. What was there is kept; undoing is another correction. Without SLOT, list what
    was amended. A `daisee monitor run` that writes to the same store has to be stopped before.
    """
    settings = read_settings(config)
    with open_store(settings, writes=slot is not None and not dry_run) as store:
        for each in settings.meters:
            if each.name == meter and each.name not in store.meters:
                store.has_meter(each)
        if meter is None or slot is None:
            if forward_j is not None or reverse_j is not None or reason:
                raise UsageError("say which meter and which quarter of an hour: daisee monitor correct METER SLOT ...")
            _list(corrections(store, meter), settings.zone, as_json)
            return
        try:
            start_s = Clock(settings.zone).s(slot)
        except ValueError as error:
            raise UsageError(f"{error}; write it like 2025-06-01 12:15") from None
        if start_s % SLOT_S:
            raise UsageError(f"{slot} is not the beginning of a quarter of an hour")
        made = correct(store, meter, int(start_s), forward_j, reverse_j, reason or "", dry_run=dry_run)
    say(as_json, _told(made), _said(made, settings.zone, dry_run))


def _said(made: Correction, zone: tzinfo, dry_run: bool) -> str:
    forward = f"forward {kwh(made.forward_j_before):.3f} to {kwh(made.forward_j):.3f} kWh"
    reverse = f"the other way {kwh(made.reverse_j_before):.3f} to {kwh(made.reverse_j):.3f} kWh"
    used = f"the home used {kwh(made.consumed_j_before):.3f} to {kwh(made.consumed_j):.3f} kWh"
    would = "would change" if dry_run else "changed"
    return f"{made.meter}, {_local(made.start_s, zone)}: {would} {forward}, {reverse}; {used}"


def _list(found: list[Correction], zone: tzinfo, as_json: bool) -> None:
    rows = [
        (
            each.meter,
            _local(each.start_s, zone),
            f"{kwh(each.forward_j_before):.3f} to {kwh(each.forward_j):.3f}",
            f"{kwh(each.reverse_j_before):.3f} to {kwh(each.reverse_j):.3f}",
            _local(each.corrected_at_s, zone),
            each.reason,
        )
        for each in found
    ]
    columns = ("meter", "slot", "kWh forward", "kWh the other way", "corrected", "reason")
    say_table(as_json, [_told(each, listed=True) for each in found], columns, rows, "nothing was amended")


def _told(made: Correction, *, listed: bool = False) -> dict[str, Any]:
    told = asdict(made) | {"start": datetime.fromtimestamp(made.start_s, UTC).isoformat()}
    if listed:
        del told["consumed_j_before"], told["consumed_j"]
    return told


def _local(at_s: float, zone: tzinfo) -> str:
    return f"{datetime.fromtimestamp(at_s, zone):%Y-%m-%d %H:%M}"
