"""`daisee ledger coin`: the community's money."""

from __future__ import annotations

import click

from daisee.cli.ledger.amounts import ACCOUNT, COINS, SOME_COINS, Money
from daisee.cli.ledger.book import Book
from daisee.cli.ledger.hand import Hand, must, signs
from daisee.cli.saying import json_option, say
from daisee.ledger.coin import UNLIMITED
from daisee.units import Address, Coins


@click.group("coin")
def coin_group() -> None:
    """The community's coin."""


@coin_group.command()
@json_option
@click.pass_obj
def supply(book: Book, as_json: bool) -> None:
    """How many coins there are."""
    amount = book.coin.total_supply()
    say(as_json, {"supply": amount}, book.money(amount, 2))


@coin_group.command()
@click.argument("account", type=ACCOUNT)
@json_option
@click.pass_obj
def balance(book: Book, account: Address, as_json: bool) -> None:
    """What an account has."""
    amount = book.coin.balance_of(account)
    frozen = book.coin.frozen(account)
    say(
        as_json, {"account": account, "balance": amount, "frozen": frozen}, book.money(amount, 6) + (", frozen" if frozen else "")
    )


@coin_group.command()
@click.argument("owner", type=ACCOUNT)
@click.argument("spender", type=ACCOUNT, required=False)
@json_option
@click.pass_obj
def allowance(book: Book, owner: Address, spender: Address | None, as_json: bool) -> None:
    """What a spender, if nobody is named the exchange, may take of an owner's coins."""
    spender = spender or book.exchange.address
    amount = book.coin.allowance(owner, spender)
    told = {"owner": owner, "spender": spender, "allowance": amount}
    say(as_json, told, "without limit" if amount == UNLIMITED else book.money(amount, 6))


@coin_group.command()
@click.argument("to", type=ACCOUNT)
@click.argument("amount", type=SOME_COINS)
@signs
def transfer(hand: Hand, to: Address, amount: Money) -> None:
    """Send coins of one's own."""
    _must_be_somebodys(hand.book, to)
    value = hand.book.base_units(amount)
    hand.do(hand.book.coin.transfer(to, value), f"{to} has {hand.book.money(value)} more", to=to, amount=value)


@coin_group.command()
@click.argument("amount", type=COINS, required=False)
@click.option("--unlimited", is_flag=True, help="Without limit; what a home that buys by itself needs.")
@click.option("--spender", type=ACCOUNT, help="Who may take them; the exchange, if nobody is named.")
@signs
def approve(hand: Hand, amount: Money | None, unlimited: bool, spender: Address | None) -> None:
    """Let the exchange, or another, take up to so many coins; in place of what it could take before."""
    if (amount is None) != unlimited:
        raise click.UsageError("name an amount, or --unlimited")
    spender = spender or hand.book.exchange.address
    value = hand.book.base_units(amount) if amount else UNLIMITED
    much = "as many coins as it asks for" if unlimited else f"up to {hand.book.money(value)}"
    hand.do(hand.book.coin.approve(spender, Coins(value)), f"{spender} may take {much}", spender=spender, amount=value)


@coin_group.command()
@click.argument("to", type=ACCOUNT)
@click.argument("amount", type=SOME_COINS)
@signs
def mint(hand: Hand, to: Address, amount: Money) -> None:
    """Make coins; for who has the minter's role."""
    _must_be_somebodys(hand.book, to)
    value = hand.book.base_units(amount)
    hand.do(hand.book.coin.mint(to, value), f"{to} has {hand.book.money(value)} more, made anew", to=to, amount=value)


@coin_group.command()
@click.argument("account", type=ACCOUNT)
@signs
def freeze(hand: Hand, account: Address) -> None:
    """Stop an account from sending and receiving; for who has the freezer's role."""
    hand.do(hand.book.coin.freeze(account), f"{account} is frozen", account=account)


@coin_group.command()
@click.argument("account", type=ACCOUNT)
@signs
def unfreeze(hand: Hand, account: Address) -> None:
    """Let an account send and receive again; for who has the freezer's role."""
    hand.do(hand.book.coin.unfreeze(account), f"{account} can send and receive again", account=account)


def _must_be_somebodys(book: Book, to: Address) -> None:
    """Refuse the two contracts, which have no way to give coins back."""
    which = {book.coin.address: "the coin's own contract", book.exchange.address: "the exchange"}.get(to)
    must(which is None, f"{to} is {which}, where coins would be lost; name whose they shall be")
