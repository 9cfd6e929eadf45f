"""`daisee demo`: a street of measured homes that trade, live in the browser or as fast as the machine allows."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from daisee.chain.remote import RemoteChain
from daisee.chain.url import shown
from daisee.cli.keys import keystore_option, password_file_option, password_from
from daisee.cli.ledger.amounts import ACCOUNT, NODE_URL
from daisee.cli.ranges import Within
from daisee.demo.data import Measured, load
from daisee.demo.ground import NodeGround
from daisee.demo.headless import run_headless
from daisee.demo.live import Pace, run_live
from daisee.demo.nodes import own_nodes
from daisee.demo.plan import Street
from daisee.demo.run import StreetRun
from daisee.demo.street import describe, load_street
from daisee.errors import DaiseeError, LawBroken, UsageError
from daisee.keystore import Keystore
from daisee.units import Address, coins, kwh

DEFAULT_SPEED = 360.0
"""A day passes in four minutes."""
NODES_SPEED = 30.0
"""With real nodes, whose blocks come in the world's time; a step of a minute then has two seconds."""

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
    type=Within(0, 100_000, min_open=True),
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
    type=Within(0.001, 1e7),
    show_default=f"{DEFAULT_SPEED:g}; with real nodes {NODES_SPEED:g}",
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
@click.option(
    "--chain",
    "client",
    type=click.Choice(("embedded", "geth")),
    default="embedded",
    show_default=True,
    help="Who seals the blocks: this process, or a network of geth that lives as long as the street.",
)
@click.option("--validators", type=click.IntRange(1, 20), default=3, show_default=True, help="Of --chain geth: how many nodes.")
@click.option(
    "--rpc",
    type=NODE_URL,
    help="A chain that is there already: any node's address. --as says who pays for the gas on it.",
)
@click.option("--as", "named", type=ACCOUNT, envvar="DAISEE_ACCOUNT", show_envvar=True, help="With --rpc: who pays.")
@keystore_option
@password_file_option
@click.option("--port", type=click.IntRange(1, 65535), default=8080, show_default=True, help="Port of the page.")
@click.option("--rpc-port", type=click.IntRange(1, 65535), default=8545, show_default=True, help="Port of the chain.")
def demo(
    data_file: Path | None,
    homes: str | None,
    start: datetime | None,
    days: float | None,
    street_file: Path | None,
    speed: float | None,
    headless: bool,
    report_file: Path | None,
    seed: int | None,
    folder: Path | None,
    port: int,
    rpc_port: int,
    **chain: Any,
) -> int:
    """Open a street of measured homes that trade.

    Real monitors, agents and contracts; only the sensors, the relay boards and the clock are stand-ins. Stop it with Ctrl-C.
    """
    console = Console(highlight=False)
    _check_writable(report_file)
    on = _On(rpc_port=rpc_port, **chain)
    chosen = [name.strip() for name in homes.split(",") if name.strip()] if homes is not None else None
    measured = load(data_file, homes=chosen, start=start, days=days)
    street = load_street(street_file, measured)
    for line in describe(street, real=on.is_real):
        console.print(Text(line), soft_wrap=True)
    pace = Pace(speed or (NODES_SPEED if on.is_real else DEFAULT_SPEED), port, rpc_port, on.rpc_url)
    with _folder(folder) as stores, on.ground(stores, street.chain_id, console.print) as ground:
        if ground:
            measured = measured.laid_on(time.time())
        report, complete = _live(console, StreetRun(measured, street, stores, seed, ground), None if headless else pace)
    _print_report(console, report, street)
    if report_file:
        _write(report_file, report)
        console.print(f"The account is in {report_file}.", soft_wrap=True)
    broken = tuple(name for name, kept in report["laws"].items() if not kept)
    if broken:
        raise LawBroken(broken)
    return 0 if complete or not headless else INTERRUPTED


@dataclass(frozen=True, slots=True)
class _On:
    """What was said of the chain that the street is to be on."""

    client: str
    validators: int
    rpc: str | None
    named: Address | None
    keystore: Path
    password_file: Path | None
    rpc_port: int

    def __post_init__(self) -> None:
        if self.rpc and self.client != "embedded":
            raise UsageError("--rpc names a chain that is there already, and --chain makes one: name one of the two")

    @property
    def is_real(self) -> bool:
        return bool(self.rpc) or self.client == "geth"

    @property
    def rpc_url(self) -> str | None:
        """Where the chain answers by itself, for people to see; None for the embedded one."""
        if self.rpc:
            return shown(self.rpc)
        return f"http://127.0.0.1:{self.rpc_port}" if self.is_real else None

    @contextmanager
    def ground(self, folder: Path, chain_id: int, say: Callable[[str], None]) -> Iterator[NodeGround | None]:
        """Open the chain, as long as the street lives; None for the embedded one, which the street makes itself."""
        if self.rpc:
            yield self._at(self.rpc)
        elif self.client == "geth":
            with own_nodes(folder, chain_id, self.validators, self.rpc_port, say) as ground:
                yield ground
        else:
            yield None

    def _at(self, rpc: str) -> NodeGround:
        chain = RemoteChain(rpc)
        chain.rpc("eth_chainId", [])
        keys = Keystore(self.keystore)
        accounts = keys.accounts()
        if self.named is None and len(accounts) != 1:
            raise UsageError(
                f"who pays for the gas? Name an account of {self.keystore} with --as; `daisee ledger account new` makes one"
            )
        address = self.named or next(iter(accounts))
        return NodeGround(chain, keys.open(address, password_from(self.password_file, address)))


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
