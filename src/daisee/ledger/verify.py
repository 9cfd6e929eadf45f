"""Holds every number that coin and exchange answer against what follows from their events. Who runs it trusts nobody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from eth_utils.address import to_checksum_address
from web3 import Web3

from daisee.errors import ChainError
from daisee.ledger.asking import asked
from daisee.ledger.coin import Coin
from daisee.ledger.contract import Contract
from daisee.ledger.derive import NOBODY, SUSPENDED, Derived, DerivedOffer
from daisee.ledger.events import LedgerEvent
from daisee.ledger.exchange import PAGE, CreditBooks, Exchange
from daisee.ledger.follow import Follower, Undone
from daisee.ledger.whole import Compared, compare_code, compare_permits, compare_storage
from daisee.units import Address

ATTEMPTS = 5
"""How often a comparison begins anew when the chain takes blocks back meanwhile."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not what it should be."""

    what: str
    derived: Any
    """What follows from the events; of code, what this version compiles."""
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
    storage_compared: bool
    """Whether the node told enough (eth_getProof) to see that nothing lies in the storage but what follows from the events."""
    differences: tuple[Difference, ...]
    against_the_rules: tuple[str, ...]
    """What the contracts did that their own rules forbid."""

    @property
    def sound(self) -> bool:
        """Tell whether everything is as it should be."""
        return not self.differences and not self.against_the_rules


class _Changed(Exception):
    """The chain took back blocks that were read."""


def verify(web3: Web3, exchange: Address, begin: int = 0) -> Verification:
    """Derive everything from the events since the block `begin`, and compare it with the contracts at the newest block.

    ChainError where the node does not answer, has forgotten the state of the block in question, or changes its mind all the time.
    """
    coin = Exchange(web3, exchange).coin()
    for _ in range(ATTEMPTS):
        follower = Follower(web3, (coin, exchange), begin=begin)
        books = Derived(coin, exchange, cache(lambda number: asked(lambda: int(web3.eth.get_block(number)["timestamp"]))))
        try:
            books.enter(_unbroken(follower))
            block = follower.cursor.block
            if block not in follower.cursor.trail:
                raise ChainError(f"the node has not come as far as block {begin} yet; try again later")
            numbers, code = list(_compare(web3, books, block)), list(compare_code(web3, books, block))
            storage = compare_storage(web3, books, block)
        except _Changed:
            continue
        except ChainError:
            if follower.stands(follower.cursor.block):
                raise
            continue
        if follower.stands(block):
            wrong = tuple(Difference(*each) for each in (*code, *numbers, *(storage or ())) if each[1] != each[2])
            return Verification(block, books.events, len(numbers), storage is not None, wrong, tuple(books.against_the_rules))
    raise ChainError("the chain keeps changing while it is read; try again")


def _unbroken(follower: Follower) -> Iterator[LedgerEvent]:
    """Read to the head; `_Changed` where the chain took blocks back."""
    for event in follower.poll():
        if isinstance(event, Undone):
            raise _Changed
        yield event


def _compare(web3: Web3, books: Derived, block: int) -> Iterator[Compared]:
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
    for seller, told_offer in offers.items():
        offer = books.offers.get(seller, DerivedOffer())
        derived, answered = ((each.price_per_kwh, each.amount_j, each.until_s) for each in (offer, told_offer))
        yield f"offer of {seller}", derived, answered
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


def _compare_coin(web3: Web3, books: Derived, coin: Coin, block: int) -> Iterator[Compared]:
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
    for name, address in books.contracts.items():
        ruled = Contract(web3, name, address, block)
        yield f"admin of {name}", books.admin_of(address), to_checksum_address(ruled.ask("defaultAdmin"))
        account, accept_s = ruled.ask("pendingDefaultAdmin")
        handover = books.handovers.get(address, (NOBODY, 0))
        yield f"next admin of {name}", handover, (to_checksum_address(account), accept_s)
    yield from compare_permits(web3, coin, block)


def _order(books: Derived, account: Address) -> tuple[Any, ...] | None:
    order = books.orders.get(account)
    return (order.below_permille, order.amount_j, order.max_price_per_kwh, order.sellers) if order else None


def _answered_order(exchange: Exchange, account: Address) -> tuple[Any, ...] | None:
    order = exchange.order_of(account)
    return (round(order.below * 1000), order.amount_j, order.max_price_per_kwh, order.sellers) if order else None
