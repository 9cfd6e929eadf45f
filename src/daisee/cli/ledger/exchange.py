"""`daisee ledger exchange`: what the exchange holds, and who is a member."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

import click

from daisee import shallow
from daisee.cli.ledger.amounts import ACCOUNT, ENERGY
from daisee.cli.ledger.book import Book
from daisee.cli.ledger.figures import in_column, in_kwh, moment, written
from daisee.cli.ledger.hand import Hand, must, signs
from daisee.cli.ledger.trade import buy, offer, order_group, quote, report, withdraw
from daisee.cli.saying import in_json, json_option, say, say_table
from daisee.errors import ChainError, LedgerError, StoreError, UsageError
from daisee.files import read_some, write_whole
from daisee.ledger.coin import UNLIMITED
from daisee.ledger.events import LedgerEvent
from daisee.ledger.exchange import ALL_SURPLUS, NO_END_S, CreditBooks
from daisee.ledger.follow import Cursor, Follower, Undone
from daisee.ledger.reverts import decode_revert
from daisee.units import Address, Joules, coins, kwh

POLL_S = 1.0
MOST_BYTES = 100_000
"""Of a cursor, which remembers the hashes of 128 blocks."""
MONEY_FACTS = ("cost", "value", "amount", "pricePerKwh", "maxPricePerKwh")


@click.group("exchange")
def exchange_group() -> None:
    """The exchange: members, reports, offers, purchases, credits, events."""


@exchange_group.command()
@json_option
@click.pass_obj
def members(book: Book, as_json: bool) -> None:
    """List the homes with what the ledger holds for each."""
    rows = [(home, books, book.coin.balance_of(home)) for home, books in book.exchange.homes().items()]
    say_table(
        as_json,
        [{"home": home, **asdict(books), "balance": amount} for home, books, amount in rows],
        ["home", "produced kWh", "own kWh", "sold kWh", "surplus kWh", "overdrawn kWh", "coins"],
        [
            (
                home + (" (suspended)" if books.suspended else ""),
                *(
                    in_column(kwh(e), 2)
                    for e in (books.produced_j, books.own_j, books.sold_j, books.surplus_j, books.overdrawn_j)
                ),
                in_column(coins(amount), 2),
            )
            for home, books, amount in rows
        ],
        "no home is a member yet; an operator admits one with `daisee ledger exchange admit`",
    )


@exchange_group.command()
@json_option
@click.pass_obj
def offers(book: Book, as_json: bool) -> None:
    """List what can be bought now, cheapest first."""
    rows = sorted(((h, o) for h, o in book.exchange.offers().items() if o.available_j), key=lambda row: row[1].price_per_kwh)
    say_table(
        as_json,
        [{"seller": home, **asdict(offer)} for home, offer in rows],
        ["seller", f"{book.symbol} per kWh", "available kWh", "until"],
        [(h, written(coins(o.price_per_kwh), 4), in_column(kwh(o.available_j), 2), _end(o.until_s)) for h, o in rows],
        "nobody offers energy now",
    )


@exchange_group.command()
@click.argument("home", type=ACCOUNT)
@json_option
@click.pass_obj
def credits(book: Book, home: Address, as_json: bool) -> None:
    """List what a home has bought of each neighbour, used, and has left."""
    rows = _credits(book, home)
    say_table(
        as_json,
        [{"seller": seller, **asdict(books)} for seller, books in rows],
        ["seller", "bought kWh", "used kWh", "left kWh", "unpaid kWh"],
        [(s, *(in_column(kwh(e), 3) for e in (b.bought_j, b.drawn_j, b.credit_j, b.unpaid_j))) for s, b in rows],
        "this home has bought nothing",
    )


def _credits(book: Book, home: Address) -> list[tuple[Address, CreditBooks]]:
    sellers = [seller for seller in book.exchange.homes() if seller != home]
    rows = [(seller, book.exchange.credit(home, seller)) for seller in sellers]
    return [(seller, books) for seller, books in rows if books.bought_j or books.drawn_j]


@exchange_group.command()
@click.argument("home", type=ACCOUNT)
@json_option
@click.pass_obj
def home(book: Book, home: Address, as_json: bool) -> None:
    """Show all that the ledger holds for a home."""
    books, asks, rule = book.exchange.home(home), book.exchange.offer_of(home), book.exchange.order_of(home)
    balance, credits = book.coin.balance_of(home), _credits(book, home)
    told: dict[str, Any] = {"home": home, **asdict(books), "balance": balance, "offer": asdict(asks)}
    told |= {"order": asdict(rule) if rule else None, "credits": [{"seller": s, **asdict(b)} for s, b in credits]}
    member = "suspended" if books.suspended else "yes" if books.admitted else "no"
    lines = [home, f"member        {member}", f"coins         {book.money(balance)}"]
    if books.admitted:
        lines.append(f"reported to   {moment(books.until_s) if books.until_s else 'nothing yet'}")
        for name in ("opening", "produced", "own", "sold", "surplus", "overdrawn"):
            lines.append(f"{name:13} {in_kwh(told[f'{name}_j'])}")
        lines.append(
            f"offers        {_much(asks.amount_j)} at {book.money(asks.price_per_kwh)} per kWh, until {_end(asks.until_s)}"
            if asks.price_per_kwh
            else "offers        nothing"
        )
        lines += [f"credit        {in_kwh(b.credit_j)} with {s}" + _unpaid(b) for s, b in credits]
    say(as_json, told, "\n".join(lines))


@exchange_group.command()
@click.argument("home", type=ACCOUNT)
@click.option("--opening", "opening_j", type=ENERGY, default="0kWh", show_default=True, help="What its battery holds that day.")
@signs
def admit(hand: Hand, home: Address, opening_j: Joules) -> None:
    """Make a home a member; for operators."""
    hand.do(hand.book.exchange.admit(home, opening_j), f"{home} is a member", home=home, opening_j=opening_j)


@exchange_group.command()
@click.argument("home", type=ACCOUNT)
@signs
def suspend(hand: Hand, home: Address) -> None:
    """Stop a home from reporting, offering and buying; for operators. It keeps what it owns."""
    hand.do(hand.book.exchange.suspend(home), f"{home} is suspended", home=home)


@exchange_group.command()
@click.argument("home", type=ACCOUNT)
@signs
def resume(hand: Hand, home: Address) -> None:
    """Let a suspended home go on; for operators."""
    hand.do(hand.book.exchange.resume(home), f"{home} goes on", home=home)


@exchange_group.command()
@click.option("--most", default=400, show_default=True, type=click.IntRange(1, 400), help="Offers taken back in one transaction.")
@click.option("--yes", is_flag=True, help="Close it without asking.")
@signs
def close(hand: Hand, most: int, yes: bool) -> None:
    """End all purchases, for good; for operators. Reports and draws go on until what was bought is used."""
    if not yes:
        must(sys.stdin.isatty(), "nobody can be asked here whether to close the exchange for good; say so with --yes")
        click.confirm("No purchase will ever be possible on this exchange again. Close it?", abort=True, err=True)
    exchange = hand.book.exchange
    while not exchange.closed():
        hand.do(exchange.close(most), "closed" if exchange.closed() else "offers are taken back")


@exchange_group.command()
@click.option("--last", default=20, show_default=True, type=click.IntRange(1, 10_000), help="How many, the newest ones.")
@click.option("--follow", is_flag=True, help="Go on, and say each new one as it comes; Ctrl-C ends it.")
@click.option("--cursor", "cursor_file", type=click.Path(path_type=Path, dir_okay=False),
              help="Instead of the newest, say what is new since the run that wrote this file, and write it anew.")  # fmt: skip
@json_option
@click.pass_obj
def events(book: Book, last: int, follow: bool, cursor_file: Path | None, as_json: bool) -> None:
    """List the latest events of coin and exchange.

    With --follow or --cursor, JSON is one object a line. With both, it can be ended and started at any time, and the node be
    away in between: what the contracts say is said once.
    """
    cursor = _cursor_in(cursor_file) if cursor_file else None
    begin, symbol = book.begin, book.symbol
    follower = Follower(book.web3, (book.coin.address, book.exchange.address), cursor, begin=begin)
    found = _newest(follower, last) if cursor_file is None else []
    if not follow and cursor_file is None:
        rows = [(str(event.block), event.name, _facts(event, symbol)) for event in found]
        told = [_told(event) for event in found]
        say_table(as_json, told, ["block", "event", "what"], rows, "the contracts have said nothing yet")
        return
    for event in chain(found, _endless(follower, cursor_file) if follow else _kept(follower, cursor_file)):
        _say_event(event, symbol, as_json)


def _newest(follower: Follower, last: int) -> list[LedgerEvent]:
    found: list[LedgerEvent] = []
    for event in follower.poll():
        found = [each for each in found if each.block <= event.block] if isinstance(event, Undone) else [*found, event][-last:]
    return found


def _endless(follower: Follower, cursor_file: Path | None) -> Iterator[LedgerEvent | Undone]:
    """Go on for ever; a node that does not answer is waited for, which is said once."""
    away = False
    while True:
        try:
            yield from _kept(follower, cursor_file)
        except ChainError as error:
            if not away:
                click.echo(f"daisee: {error}; waiting for it", err=True)
            away = True
        else:
            if away:
                click.echo("daisee: the node answers again", err=True)
            away = False
        time.sleep(POLL_S)


def _kept(follower: Follower, cursor_file: Path | None) -> Iterator[LedgerEvent | Undone]:
    """Look once for what is new. How far that is goes into the file when it was said, and not before."""
    try:
        for event in follower.poll():
            _keep(follower.cursor, cursor_file)
            yield event
    except (ChainError, KeyboardInterrupt):  # the node's, or while it is waited for: what came before was said
        _keep(follower.cursor, cursor_file)
        raise
    _keep(follower.cursor, cursor_file)


def _keep(cursor: Cursor, file: Path | None) -> None:
    text = cursor.written() + "\n"
    if file is None or (file.exists() and file.read_text("utf-8") == text):
        return
    try:
        write_whole(file, text)
    except OSError as error:
        raise StoreError(f"{file} cannot be written: {error.strerror}") from error


def _cursor_in(file: Path) -> Cursor | None:
    """Read how far an earlier run came; None where there was none."""
    try:
        return Cursor.read(shallow.checked(read_some(file, MOST_BYTES)).decode())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    except (LedgerError, ValueError, OverflowError) as error:
        raise UsageError(f"{file} is no cursor of events; remove it to read from the beginning") from error


def _say_event(event: LedgerEvent | Undone, symbol: str, as_json: bool) -> None:
    if as_json:
        click.echo(in_json({"undone_after": event.block} if isinstance(event, Undone) else _told(event)))
    elif isinstance(event, Undone):
        click.echo(f"the chain took back everything after block {event.block}; what counts follows")
    else:
        click.echo(f"{event.block:>8}  {event.name:18} {_facts(event, symbol)}")


def _told(event: LedgerEvent) -> dict[str, Any]:
    told = asdict(event)
    if isinstance(event.facts.get("reason"), bytes):
        refusal = decode_revert(event.facts["reason"])
        told["facts"]["refusal"] = {"error": refusal.error, "facts": refusal.facts}
    return told


def _facts(event: LedgerEvent, symbol: str) -> str:
    return ", ".join(_fact(name, value, symbol) for name, value in event.facts.items())


def _fact(name: str, value: Any, symbol: str) -> str:
    if name.endswith("J"):
        return f"{name[:-1]} {_much(value)}"
    if name in MONEY_FACTS and value == UNLIMITED:
        return f"{name} without limit"
    if name in MONEY_FACTS:
        return f"{name} {written(coins(value), 4)} {symbol}"
    if name == "until":
        return f"until {_end(value)}"
    if name == "reason":
        return f"for {decode_revert(value)}"
    return f"{name} 0x{value.hex()}" if isinstance(value, bytes) else f"{name} {value}"


def _much(energy_j: int) -> str:
    return "all surplus" if energy_j == ALL_SURPLUS else in_kwh(energy_j)


def _unpaid(books: CreditBooks) -> str:
    return f", {in_kwh(books.unpaid_j)} unpaid" if books.unpaid_j else ""


def _end(until_s: int) -> str:
    return "no end" if until_s >= NO_END_S else moment(until_s)


for command in (offer, withdraw, quote, buy, report, order_group):
    exchange_group.add_command(command)
