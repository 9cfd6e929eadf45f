"""The laws that a street's books must keep, checked from the outside: contracts' state against contracts' events against the
homes' stores. Nothing that an agent remembers is asked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from daisee.ledger.coin import Coin
from daisee.ledger.events import LedgerEvent
from daisee.ledger.exchange import CreditBooks, Exchange, HomeBooks
from daisee.monitor.store import Slot
from daisee.units import Address

NOBODY = Address("0x0000000000000000000000000000000000000000")
"""Whom ERC-20 names when coins are made."""


@dataclass(slots=True)
class Journal:
    """What the events say, added up from the first block on."""

    produced_j: dict[Address, int] = field(default_factory=lambda: defaultdict(int))
    """Per home, its opening energy left out."""
    opening_j: dict[Address, int] = field(default_factory=dict)
    own_j: dict[Address, int] = field(default_factory=lambda: defaultdict(int))
    sold_j: dict[Address, int] = field(default_factory=lambda: defaultdict(int))
    bought_j: dict[tuple[Address, Address], int] = field(default_factory=lambda: defaultdict(int))
    """Per buyer and seller."""
    drawn_j: dict[tuple[Address, Address], int] = field(default_factory=lambda: defaultdict(int))
    """Per buyer and seller."""
    paid: dict[Address, int] = field(default_factory=lambda: defaultdict(int))
    """Base units, for energy."""
    earned: dict[Address, int] = field(default_factory=lambda: defaultdict(int))
    opening_coins: dict[Address, int] = field(default_factory=lambda: defaultdict(int))
    """What was minted to an account."""
    reports: dict[Address, int] = field(default_factory=lambda: defaultdict(int))
    purchases: dict[Address, int] = field(default_factory=lambda: defaultdict(int))
    holders: set[Address] = field(default_factory=set)
    """Everybody who ever had a coin."""
    sold_beyond_surplus: list[LedgerEvent] = field(default_factory=list)
    """Purchases of more than the seller had left at that moment."""


def enter(journal: Journal, event: LedgerEvent) -> None:
    """Add the next event of either contract to a journal."""
    facts = event.facts
    match event.name:
        case "HomeAdmitted":
            journal.opening_j[facts["home"]] = facts["openingJ"]
        case "EnergyReported":
            journal.produced_j[facts["home"]] += facts["producedJ"]
            journal.own_j[facts["home"]] += facts["ownJ"]
            journal.reports[facts["home"]] += 1
        case "EnergyDrawn":
            journal.drawn_j[facts["buyer"], facts["seller"]] += facts["energyJ"]
        case "EnergyBought":
            _enter_purchase(journal, event)
        case "Transfer":
            journal.holders.add(facts["to"])
            if facts["from"] == NOBODY:
                journal.opening_coins[facts["to"]] += facts["value"]


def _enter_purchase(journal: Journal, event: LedgerEvent) -> None:
    buyer, seller, energy_j = event.facts["buyer"], event.facts["seller"], event.facts["energyJ"]
    made_j = journal.opening_j.get(seller, 0) + journal.produced_j[seller]
    if energy_j > made_j - journal.own_j[seller] - journal.sold_j[seller]:
        journal.sold_beyond_surplus.append(event)
    journal.sold_j[seller] += energy_j
    journal.bought_j[buyer, seller] += energy_j
    journal.paid[buyer] += event.facts["cost"]
    journal.earned[seller] += event.facts["cost"]
    journal.purchases[buyer] += 1


@dataclass(frozen=True, slots=True)
class Books:
    """What the contracts hold, read at the end."""

    homes: dict[Address, HomeBooks]
    pairs: dict[tuple[Address, Address], CreditBooks]
    """Every pair of homes that ever dealt, buyer first, and each home with itself (which must stay empty)."""
    balances: dict[Address, int]
    """Of everybody who ever had a coin."""
    supply: int


def read_books(exchange: Exchange, coin: Coin, journal: Journal) -> Books:
    """Read all that the contracts hold.

    A pair that no event names is left out: were anything in it, what its seller sold or its buyer drew would not add up.
    """
    dealt: dict[Address, set[Address]] = {home: {home} for home in exchange.homes()}
    for buyer, seller in (*journal.bought_j, *journal.drawn_j):
        dealt[buyer].add(seller)
    markets = {home: exchange.market(home, sorted(sellers)) for home, sellers in dealt.items()}
    return Books(
        homes={home: market.home for home, market in markets.items()},
        pairs={(buyer, seller): markets[buyer].credits[seller] for buyer, sellers in dealt.items() for seller in sorted(sellers)},
        balances={holder: coin.balance_of(holder) for holder in sorted({*journal.holders, *dealt})},
        supply=coin.total_supply(),
    )


def check_laws(
    books: Books, journal: Journal, stored: Mapping[Address, Slot], reported: Mapping[Address, Slot]
) -> dict[str, bool]:
    """Tell of each law whether it is kept.

    `stored` is the sum of all slots of each home's store, `reported` the sum of those that begin before its last report's end.
    """
    return {
        "consumed_is_own_and_drawn_and_imported": all(
            slot.consumed_j == _own_j(books, home) + _drawn_j(books, home) + slot.imported_j for home, slot in stored.items()
        ),
        "sum_of_balances_is_supply": sum(books.balances.values()) == books.supply,
        "credit_is_bought_less_drawn_and_unpaid": all(
            _pair_adds_up(pair, journal.bought_j.get(key, 0), journal.drawn_j.get(key, 0)) for key, pair in books.pairs.items()
        ),
        "sold_is_what_was_bought": all(
            home.sold_j == sum(pair.bought_j for (_, seller), pair in books.pairs.items() if seller == address)
            for address, home in books.homes.items()
        ),
        "nothing_is_sold_beyond_surplus": not journal.sold_beyond_surplus
        and all(_surplus_adds_up(home) for home in books.homes.values()),
        "ledger_is_store": all(_ledger_is_store(books, home, slot) for home, slot in reported.items()),
    }


def _own_j(books: Books, home: Address) -> int:
    return books.homes[home].own_j


def _drawn_j(books: Books, home: Address) -> int:
    return sum(pair.drawn_j for (buyer, _), pair in books.pairs.items() if buyer == home)


def _pair_adds_up(pair: CreditBooks, bought_j: int, drawn_j: int) -> bool:
    counted = (pair.bought_j, pair.drawn_j) == (bought_j, drawn_j)
    signs = pair.credit_j >= 0 and pair.unpaid_j >= 0 and not (pair.credit_j and pair.unpaid_j)
    return counted and signs and pair.credit_j == bought_j - drawn_j + pair.unpaid_j


def _surplus_adds_up(home: HomeBooks) -> bool:
    signs = home.surplus_j >= 0 and home.overdrawn_j >= 0 and not (home.surplus_j and home.overdrawn_j)
    return signs and home.surplus_j - home.overdrawn_j == home.opening_j + home.produced_j - home.own_j - home.sold_j


def _ledger_is_store(books: Books, home: Address, slot: Slot) -> bool:
    drawn = {seller: pair.drawn_j for (buyer, seller), pair in books.pairs.items() if buyer == home and pair.drawn_j}
    ledger = books.homes[home]
    return (ledger.produced_j, ledger.own_j, drawn) == (slot.produced_j, slot.own_j, slot.drawn_j)
