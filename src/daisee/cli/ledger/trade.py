"""What a home does on the exchange by hand: report, offer, ask for a price, buy, leave a standing order."""

from __future__ import annotations

import time
from dataclasses import asdict

import click

from daisee.cli.ledger.advice import advice_on
from daisee.cli.ledger.amounts import ACCOUNT, CHARGE, CHARGE_BOUND, DRAW, ENERGY, PRICE, SOME_ENERGY, TIME, Money
from daisee.cli.ledger.book import Book
from daisee.cli.ledger.figures import in_kwh
from daisee.cli.ledger.hand import Hand, signs
from daisee.cli.saying import json_option, say
from daisee.errors import TransactionReverted, UsageError
from daisee.ledger.exchange import (
    ALL_SURPLUS,
    MOST_DRAWS,
    MOST_ORDER_SELLERS,
    MOST_SELLERS,
    NO_END_S,
    Interval,
    Purchase,
    Quote,
    StandingOrder,
)
from daisee.units import Address, Joules, cost_of

sellers_option = click.option("--of", "sellers", type=ACCOUNT, multiple=True, required=True, metavar="SELLER",
                              help="Of whom; given again, they are asked in this order.")  # fmt: skip
price_option = click.option("--at-most", "price", type=PRICE, required=True, help="The highest price, for a kWh.")
partly_option = click.option("--partly", is_flag=True, help="Take less where there is not so much.")


@click.command()
@click.argument("price", type=PRICE)
@click.option("--amount", type=SOME_ENERGY, help="So much and no more; else all surplus, whatever it becomes.")
@click.option("--until", "until_s", type=TIME, help="The end of the offer; else it holds until it is withdrawn.")
@signs
def offer(hand: Hand, price: Money, amount: Joules | None, until_s: int | None) -> None:
    """Offer energy at a price for a kWh, in place of the offer before."""
    per_kwh = hand.book.base_units(price)
    call = hand.book.exchange.offer(per_kwh, ALL_SURPLUS if amount is None else amount, NO_END_S if until_s is None else until_s)
    much = "all surplus" if amount is None else in_kwh(amount)
    hand.do(call, f"{hand.address} offers {much} at {hand.book.money(per_kwh)} per kWh", price_per_kwh=per_kwh)


@click.command()
@signs
def withdraw(hand: Hand) -> None:
    """Offer no more."""
    hand.do(hand.book.exchange.withdraw(), f"{hand.address} offers nothing any more")


@click.command()
@click.argument("amount", type=SOME_ENERGY)
@sellers_option
@price_option
@partly_option
@click.option("--for", "buyer", type=ACCOUNT, envvar="DAISEE_ACCOUNT", show_envvar=True,
              help="Who would buy; else the keystore's only account.")  # fmt: skip
@json_option
@click.pass_obj
def quote(
    book: Book, amount: Joules, sellers: tuple[Address, ...], price: Money, partly: bool, buyer: Address | None, as_json: bool
) -> None:
    """Ask what a purchase would cost now; nothing is bought."""
    buyer = buyer or book.only_account("--for")
    found = _quoted(book, buyer, _purchase(book, amount, sellers, price, partly))
    lines = [
        f"{in_kwh(f.energy_j)} of {f.seller} at {book.money(f.price_per_kwh)} per kWh: {book.money(f.cost, 6)}"
        for f in found.fills
    ]
    say(as_json, asdict(found), "\n".join([*lines, f"together {in_kwh(found.bought_j)} for {book.money(found.cost, 6)}"]))


@click.command()
@click.argument("amount", type=SOME_ENERGY)
@sellers_option
@price_option
@partly_option
@signs
def buy(hand: Hand, amount: Joules, sellers: tuple[Address, ...], price: Money, partly: bool) -> None:
    """Buy energy. One transaction: where the exchange may not take the coins yet, the payment goes along with the purchase."""
    book = hand.book
    purchase = _purchase(book, amount, sellers, price, partly)
    found = _quoted(book, hand.address, purchase)
    if book.coin.allowance(hand.address, book.exchange.address) >= found.cost:
        call = book.exchange.buy_from(purchase)
    else:
        # No more than the price that the buyer named can be taken, and what is not, stays allowed.
        most = cost_of(found.bought_j, purchase.max_price_per_kwh)
        call = book.coin.approve_and_call(book.exchange.address, most, purchase.data())
    outcome, events = hand.send(call)
    bought = [event for event in events if event.name == "EnergyBought"]
    energy_j, cost = (sum(event.facts[name] for event in bought) for name in ("energyJ", "cost"))
    say(
        hand.as_json,
        {
            **asdict(outcome),
            "buyer": hand.address,
            "bought_j": energy_j,
            "cost": cost,
            "events": [asdict(event) for event in events],
        },
        f"bought {in_kwh(energy_j)} for {book.money(cost, 6)} (block {outcome.block}, {outcome.gas_used:,} gas)",
    )


@click.command()
@click.option("--produced", "produced_j", type=ENERGY, default="0kWh", show_default=True, help="What the home made.")
@click.option("--own", "own_j", type=ENERGY, default="0kWh", show_default=True, help="What it used of its own.")
@click.option("--drew", "draws", type=DRAW, multiple=True, metavar="SELLER=ENERGY",
              help="What it used of a neighbour's; may be given again.")  # fmt: skip
@click.option("--until", "until_s", type=TIME, help="The end of the interval; now, if nothing is said.")
@click.option("--charge", type=CHARGE, help="The battery's state of charge; with it the home's standing order is followed.")
@signs
def report(
    hand: Hand,
    produced_j: Joules,
    own_j: Joules,
    draws: tuple[tuple[Address, Joules], ...],
    until_s: int | None,
    charge: float | None,
) -> None:
    """Report what the home made and used since its last report."""
    drawn: dict[Address, int] = {}
    for seller, energy_j in draws:
        drawn[seller] = drawn.get(seller, 0) + energy_j
    if len(drawn) > MOST_DRAWS:
        raise UsageError(f"a report names at most {MOST_DRAWS} sellers, not {len(drawn)}")
    since_s = hand.book.exchange.home(hand.address).until_s
    interval = Interval(int(time.time()) if until_s is None else until_s, produced_j, own_j, drawn)
    told = (
        f"{hand.address} made {in_kwh(produced_j)}, used {in_kwh(own_j)} of its own and {in_kwh(sum(drawn.values()))} of others"
    )
    hand.do(hand.book.exchange.report(since_s, [interval], charge), told, home=hand.address, until_s=interval.until_s)


@click.group("order")
def order_group() -> None:
    """A home's standing order: what the exchange buys for it when its battery is low."""


@order_group.command("show")
@click.argument("home", type=ACCOUNT)
@json_option
@click.pass_obj
def show_order(book: Book, home: Address, as_json: bool) -> None:
    """Show a home's standing order."""
    rule = book.exchange.order_of(home)
    text = "this home has left no standing order"
    if rule is not None:
        text = (
            f"below {rule.below:.1%} buy until the credit is {in_kwh(rule.amount_j)}, for at most "
            f"{book.money(rule.max_price_per_kwh)} per kWh, of {', '.join(rule.sellers)}"
        )
    say(as_json, asdict(rule) if rule else None, text)


@order_group.command("place")
@click.option("--below", type=CHARGE_BOUND, required=True, help="Buy when a report says a state of charge below this.")
@click.option("--amount", type=SOME_ENERGY, required=True, help="Buy until the credit with these sellers is this much together.")
@price_option
@sellers_option
@signs
def place_order(hand: Hand, below: float, amount: Joules, price: Money, sellers: tuple[Address, ...]) -> None:
    """Leave a standing order, in place of the one before."""
    if len(sellers) > MOST_ORDER_SELLERS:
        raise UsageError(f"a standing order names at most {MOST_ORDER_SELLERS} sellers, not {len(sellers)}")
    rule = StandingOrder(below, amount, hand.book.base_units(price), sellers)
    hand.do(hand.book.exchange.place_order(rule), f"below {below:.1%}, {hand.address} buys up to {in_kwh(amount)}")


@order_group.command("cancel")
@signs
def cancel_order(hand: Hand) -> None:
    """Take the standing order back."""
    hand.do(hand.book.exchange.cancel_order(), f"{hand.address} buys nothing by itself any more")


def _purchase(book: Book, amount: Joules, sellers: tuple[Address, ...], price: Money, partly: bool) -> Purchase:
    if len(sellers) > MOST_SELLERS:
        raise UsageError(f"a purchase names at most {MOST_SELLERS} sellers, not {len(sellers)}")
    return Purchase(sellers, amount, book.base_units(price), partly)


def _quoted(book: Book, buyer: Address, purchase: Purchase) -> Quote:
    try:
        return book.exchange.quote(buyer, purchase)
    except TransactionReverted as refusal:
        # Where no offer is left, and none comes anew, who is told to buy less would try for nothing.
        closed = refusal.error == "ExchangeInsufficientEnergy" and book.exchange.closed()
        raise advice_on(refusal, book.symbol, "ExchangeClosed" if closed else refusal.error) from refusal
