"""`daisee ledger`: look at a community's coin and exchange through any node's JSON-RPC."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import asdict
from decimal import Decimal
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from web3 import Web3
from web3.exceptions import Web3Exception

from daisee.chain.client import web3_on
from daisee.chain.remote import RemoteChain
from daisee.errors import ChainError, UsageError
from daisee.ledger.coin import Coin
from daisee.ledger.events import events_in
from daisee.ledger.exchange import Exchange
from daisee.ledger.verify import verify
from daisee.units import Address, coins, kwh

log = logging.getLogger(__name__)

DEFAULT_RPC = "http://127.0.0.1:8545"


class Ledger:
    """What the commands below look at; opened when first asked for."""

    def __init__(self, rpc: str, exchange: str | None) -> None:
        if exchange is None:
            raise UsageError("which exchange? Name its address with --exchange, before the command, or in DAISEE_EXCHANGE")
        if not Web3.is_address(exchange):
            raise UsageError(f"{exchange} is no address: it is 0x and 40 hex digits, as the demo prints it for its exchange")
        self.web3 = web3_on(RemoteChain(rpc))
        address = Address(Web3.to_checksum_address(exchange))
        try:
            if not self.web3.eth.get_code(Web3.to_checksum_address(exchange)):
                raise UsageError(f"there is no contract at {exchange} on the chain of {rpc}; compare the address and the chain")
        except (Web3Exception, OSError) as error:
            if isinstance(error, UsageError):
                raise
            log.debug("%s", error)
            raise ChainError(f"no chain answers at {rpc}; is it running? (--rpc URL says where)") from error
        self.exchange = Exchange(self.web3, address)
        self.coin = Coin(self.web3, self.exchange.coin())


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON: joules and base units, as integers.")


@click.group()
@click.option("--rpc", default=DEFAULT_RPC, show_default=True, help="A node's JSON-RPC address.")
@click.option(
    "--exchange", envvar="DAISEE_EXCHANGE", show_envvar=True, help="The exchange's address, as the demo prints it; required."
)
@click.pass_context
def ledger(ctx: click.Context, rpc: str, exchange: str | None) -> None:
    """Look at the coin and the exchange of a running community."""
    ctx.obj = lambda: Ledger(rpc, exchange)


@ledger.command("verify")
@click.option(
    "--since", default=0, show_default=True, type=click.IntRange(0), help="The block of the deployment, or any before it."
)
@json_option
@click.pass_obj
def verify_command(open_ledger: Callable[[], Ledger], since: int, as_json: bool) -> int:
    """Derive every number from the events, and compare it with the contracts.

    Exit code 1 where something differs, or where a contract did what its own rules forbid. Trusts the node's word for its
    blocks, and nobody else's.
    """
    book = open_ledger()
    found = verify(book.web3, book.exchange.address, since)
    if as_json:
        click.echo(json.dumps({**asdict(found), "sound": found.sound}, default=str))
        return 0 if found.sound else 1
    for difference in found.differences:
        click.echo(f"{difference.what}: {difference.answered}, and from the events follows {difference.derived}")
    for objection in found.against_the_rules:
        click.echo(objection)
    click.echo(
        f"{found.numbers} numbers compared with what follows from {found.events} events, at block {found.block}: "
        + ("all are right." if found.sound else f"{len(found.differences) + len(found.against_the_rules)} are not right.")
    )
    return 0 if found.sound else 1


@ledger.group("coin")
def coin_group() -> None:
    """The community's coin."""


@coin_group.command()
@json_option
@click.pass_obj
def supply(open_ledger: Callable[[], Ledger], as_json: bool) -> None:
    """How many coins there are."""
    amount = open_ledger().coin.total_supply()
    click.echo(json.dumps({"supply": amount}) if as_json else f"{coins(amount):,.2f} DSC")


@coin_group.command()
@click.argument("account")
@json_option
@click.pass_obj
def balance(open_ledger: Callable[[], Ledger], account: str, as_json: bool) -> None:
    """What an account has."""
    amount = open_ledger().coin.balance_of(_address(account))
    click.echo(json.dumps({"account": account, "balance": amount}) if as_json else f"{coins(amount):,.6f} DSC")


@ledger.group("exchange")
def exchange_group() -> None:
    """The exchange: members, offers, credits, events."""


@exchange_group.command()
@json_option
@click.pass_obj
def members(open_ledger: Callable[[], Ledger], as_json: bool) -> None:
    """List the homes with what the ledger holds for each."""
    book = open_ledger()
    rows = [(home, books, book.coin.balance_of(home)) for home, books in book.exchange.homes().items()]
    if as_json:
        click.echo(json.dumps([{"home": home, **asdict(books), "balance": amount} for home, books, amount in rows]))
        return
    table = Table("home", "produced kWh", "own kWh", "sold kWh", "surplus kWh", "overdrawn kWh", "coins")
    for home, books, amount in rows:
        energies = (books.produced_j, books.own_j, books.sold_j, books.surplus_j, books.overdrawn_j)
        table.add_row(home, *(f"{kwh(energy_j):.2f}" for energy_j in energies), f"{coins(amount):.2f}")
    Console().print(table)


@exchange_group.command()
@json_option
@click.pass_obj
def offers(open_ledger: Callable[[], Ledger], as_json: bool) -> None:
    """List what can be bought now, cheapest first."""
    book = open_ledger()
    rows = sorted(((h, o) for h, o in book.exchange.offers().items() if o.available_j), key=lambda row: row[1].price_per_kwh)
    if as_json:
        click.echo(json.dumps([{"seller": home, **asdict(offer)} for home, offer in rows]))
        return
    if not rows:
        click.echo("nobody offers energy now")
        return
    table = Table("seller", "DSC per kWh", "available kWh")
    for home, offer in rows:
        table.add_row(home, f"{coins(offer.price_per_kwh):.4f}", f"{kwh(offer.available_j):.2f}")
    Console().print(table)


@exchange_group.command()
@click.argument("home")
@json_option
@click.pass_obj
def credits(open_ledger: Callable[[], Ledger], home: str, as_json: bool) -> None:
    """List what a home has bought of each neighbour, used, and has left."""
    book, buyer = open_ledger(), _address(home)
    sellers = [seller for seller in book.exchange.homes() if seller != buyer]
    rows = [(seller, book.exchange.credit(buyer, seller)) for seller in sellers]
    rows = [(seller, books) for seller, books in rows if books.bought_j or books.drawn_j]
    if as_json:
        click.echo(json.dumps([{"seller": seller, **asdict(books)} for seller, books in rows]))
        return
    if not rows:
        click.echo("this home has bought nothing")
        return
    table = Table("seller", "bought kWh", "used kWh", "left kWh", "unpaid kWh")
    for seller, books in rows:
        energies = (books.bought_j, books.drawn_j, books.credit_j, books.unpaid_j)
        table.add_row(seller, *(f"{kwh(energy_j):.3f}" for energy_j in energies))
    Console().print(table)


@exchange_group.command()
@click.option("--last", default=20, show_default=True, type=click.IntRange(1, 10_000), help="How many, the newest ones.")
@json_option
@click.pass_obj
def events(open_ledger: Callable[[], Ledger], last: int, as_json: bool) -> None:
    """List the latest events of coin and exchange."""
    book = open_ledger()
    ours = {book.exchange.address, book.coin.address}
    found: list[Any] = []
    for number in range(book.web3.eth.block_number, -1, -1):
        receipts = book.web3.eth.get_block_receipts(number)
        found[:0] = [event for receipt in receipts for event in events_in(book.web3, receipt, ours)]
        if len(found) >= last:
            break
    found = found[-last:]
    if as_json:
        click.echo(json.dumps([asdict(event) for event in found], default=str))
        return
    table = Table("block", "event", "what")
    for event in found:
        table.add_row(str(event.block), event.name, ", ".join(_fact(*fact) for fact in event.facts.items()))
    Console().print(table)


def _fact(name: str, value: Any) -> str:
    if name.endswith("J"):
        return f"{name[:-1]} {kwh(value):.3f} kWh"
    if name in ("cost", "value", "pricePerKwh"):
        amount: Decimal = coins(value)
        return f"{name} {amount:.4f} DSC"
    return f"{name} {value}"


def _address(text: str) -> Address:
    if not Web3.is_address(text):
        raise UsageError(f"{text} is no address: it is 0x and 40 hex digits")
    return Address(Web3.to_checksum_address(text))
