"""Holds every number that coin and exchange answer against what follows from their events. Who runs it trusts nobody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from web3 import Web3

from daisee.ledger.coin import Coin
from daisee.ledger.contract import Contract
from daisee.ledger.derive import SUSPENDED, Derived, DerivedOffer
from daisee.ledger.exchange import PAGE, CreditBooks, Exchange
from daisee.ledger.follow import Follower, Undone
from daisee.units import Address

ATTEMPTS = 5
"""How often a comparison begins anew when the chain takes blocks back meanwhile."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A number that is not what it should be."""

    what: str
    derived: Any
    """What follows from the events."""
    answered: Any
    """What the contract answers."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of it."""

    block: int
    """The block at which it was compared."""
    events: int
    numbers: int
    """How many were compared."""
    differences: tuple[Difference, ...]
    against_the_rules: tuple[str, ...]
    """What the contracts did that their own rules forbid."""

    @property
    def sound(self) -> bool:
        """Tell whether everything is as it should be."""
        return not self.differences and not self.against_the_rules


def verify(web3: Web3, exchange: Address, begin: int = 0) -> Verification:
    """Derive everything from the events since the block `begin`, and compare it with the contracts at the newest block.

    ChainError where the node does not answer, or has forgotten the state of the block in question.
    """
    coin = Exchange(web3, exchange).coin()
    for _ in range(ATTEMPTS):
        follower = Follower(web3, (coin, exchange), begin=begin)
        books = Derived(coin, exchange)
        if not _read(follower, books):
            continue
        block = follower.cursor.block
        compared = list(_compare(web3, books, block))
        if follower.cursor.trail.get(block) == web3.eth.get_block(block)["hash"].to_0x_hex():
            break
    differences = tuple(Difference(what, derived, answered) for what, derived, answered in compared if derived != answered)
    return Verification(block, books.events, len(compared), differences, tuple(books.against_the_rules))


def _read(follower: Follower, books: Derived) -> bool:
    """Read to the head; False where the chain took blocks back."""
    for event in follower.poll():
        if isinstance(event, Undone):
            return False
        books.enter([event])
    return True


def _compare(web3: Web3, books: Derived, block: int) -> Iterator[tuple[str, Any, Any]]:
    """Yield what is compared: its name, what follows from the events, what is answered."""
    exchange, coin = Exchange(web3, books.exchange, block), Coin(web3, books.coin, block)
    homes, offers = exchange.homes(), exchange.offers()
    yield "members", list(books.homes), list(homes)
    yield "sellers", books.sellers, list(offers)
    yield "closed", books.closed, exchange.closed()
    for account, home in books.homes.items():
        told = homes.get(account)
        if told is None:
            continue
        yield f"suspended of {account}", home.status == SUSPENDED, told.suspended
        for name in ("until_s", "opening_j", "produced_j", "own_j", "sold_j"):
            yield f"{name} of {account}", getattr(home, name), getattr(told, name)
        yield f"surplus_j of {account}", max(0, home.left_j), told.surplus_j
        yield f"overdrawn_j of {account}", max(0, -home.left_j), told.overdrawn_j
        yield f"standing order of {account}", _order(books, account), _answered_order(exchange, account)
    for seller, asked in offers.items():
        offer = books.offers.get(seller, DerivedOffer())
        yield (
            f"offer of {seller}",
            (offer.price_per_kwh, offer.amount_j, offer.until_s),
            (
                asked.price_per_kwh,
                asked.amount_j,
                asked.until_s,
            ),
        )
    # Every pair of homes, not only those of which there are events: credit out of nothing has none.
    for buyer in books.homes:
        for seller, credit in _credits(exchange, buyer, list(books.homes)).items():
            pair = books.pairs.get((buyer, seller))
            bought_j, drawn_j = (pair.bought_j, pair.drawn_j) if pair else (0, 0)
            named = f"of {buyer} with {seller}"
            yield f"bought_j {named}", bought_j, credit.bought_j
            yield f"drawn_j {named}", drawn_j, credit.drawn_j
            yield f"credit_j {named}", max(0, bought_j - drawn_j), credit.credit_j
            yield f"unpaid_j {named}", max(0, drawn_j - bought_j), credit.unpaid_j
    yield from _compare_coin(web3, books, coin, block)


def _credits(exchange: Exchange, buyer: Address, sellers: list[Address]) -> dict[Address, CreditBooks]:
    credits: dict[Address, CreditBooks] = {}
    for start in range(0, len(sellers), PAGE):
        credits |= exchange.market(buyer, sellers[start : start + PAGE]).credits
    return credits


def _compare_coin(web3: Web3, books: Derived, coin: Coin, block: int) -> Iterator[tuple[str, Any, Any]]:
    holders = {*books.balances, *books.homes, *books.frozen}
    yield "supply", books.supply, coin.total_supply()
    yield "sum of balances", books.supply, sum(coin.balance_of(account) for account in holders)
    for account in sorted(holders):
        yield f"balance of {account}", books.balances.get(account, 0), coin.balance_of(account)
        yield f"frozen of {account}", books.frozen.get(account, False), coin.frozen(account)
    for (owner, spender), allowance in books.allowances.items():
        yield f"allowance of {owner} for {spender}", allowance, coin.allowance(owner, spender)
    for (contract, role, account), held in books.roles.items():
        name = "DaiseeCoin" if contract == books.coin else "EnergyExchange"
        answered = Contract(web3, name, contract, block).ask("hasRole", role, account)
        yield f"role 0x{role.hex()[:8]}... of {account} in {name}", held, answered


def _order(books: Derived, account: Address) -> tuple[Any, ...] | None:
    order = books.orders.get(account)
    return (order.below_permille, order.amount_j, order.max_price_per_kwh, order.sellers) if order else None


def _answered_order(exchange: Exchange, account: Address) -> tuple[Any, ...] | None:
    order = exchange.order_of(account)
    return (round(order.below * 1000), order.amount_j, order.max_price_per_kwh, order.sellers) if order else None
