"""The whole state of coin and exchange, derived from what they said and from nothing else.

Who trusts nobody reads the events from the first block on, keeps books by the rules that design and docs state, and holds
them against what the contracts answer. `Derived` is those books; `daisee.ledger.verify` does the comparing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from daisee.ledger.events import LedgerEvent
from daisee.ledger.exchange import ALL_SURPLUS
from daisee.units import Address, Coins, Joules, cost_of

NOBODY = Address("0x" + "0" * 40)
MEMBER, SUSPENDED = 1, 2


@dataclass(slots=True)
class DerivedHome:
    """One home: joules, as the events add up."""

    status: int
    opening_j: int
    until_s: int = 0
    produced_j: int = 0
    own_j: int = 0
    sold_j: int = 0

    @property
    def left_j(self) -> int:
        """Answer its surplus; below zero what it overdrew."""
        return self.opening_j + self.produced_j - self.own_j - self.sold_j


@dataclass(slots=True)
class DerivedPair:
    """A buyer with a seller, joules."""

    bought_j: int = 0
    drawn_j: int = 0

    @property
    def left_j(self) -> int:
        """Answer the credit; below zero what is unpaid."""
        return self.bought_j - self.drawn_j


@dataclass(frozen=True, slots=True)
class DerivedOffer:
    """What a seller asks; a price of zero for none."""

    price_per_kwh: int = 0
    amount_j: int = 0
    until_s: int = 0


@dataclass(frozen=True, slots=True)
class DerivedOrder:
    """A home's standing order."""

    below_permille: int
    amount_j: int
    max_price_per_kwh: int
    sellers: tuple[Address, ...]


@dataclass
class Derived:
    """The books of a coin and an exchange, kept from their events."""

    coin: Address
    exchange: Address
    homes: dict[Address, DerivedHome] = field(default_factory=dict)
    """In the order of their admission."""
    sellers: list[Address] = field(default_factory=list)
    """In the order of their first offer."""
    pairs: dict[tuple[Address, Address], DerivedPair] = field(default_factory=lambda: defaultdict(DerivedPair))
    """By buyer and seller."""
    offers: dict[Address, DerivedOffer] = field(default_factory=dict)
    orders: dict[Address, DerivedOrder] = field(default_factory=dict)
    closed: bool = False
    balances: dict[Address, int] = field(default_factory=lambda: defaultdict(int))
    """Base units; everybody who ever had any."""
    allowances: dict[tuple[Address, Address], int] = field(default_factory=dict)
    """By owner and spender."""
    frozen: dict[Address, bool] = field(default_factory=dict)
    supply: int = 0
    roles: dict[tuple[Address, bytes, Address], bool] = field(default_factory=dict)
    """By contract, role and account."""
    against_the_rules: list[str] = field(default_factory=list)
    """What a contract said that its own rules forbid, in words."""
    events: int = 0
    block: int = -1
    """Of the last event."""
    last_bought: tuple[str, Address] | None = None
    """The transaction and the buyer of the last purchase."""

    def enter(self, events: Iterable[LedgerEvent]) -> None:
        """Enter events, in their order. Those of other contracts are passed over."""
        for event in events:
            book = {self.coin: _OF_COIN, self.exchange: _OF_EXCHANGE}.get(event.contract, {}).get(event.name)
            self.events += event.contract in (self.coin, self.exchange)
            self.block = event.block
            if book is not None:
                book(self, event)

    def object(self, event: LedgerEvent, told: str) -> None:
        """Note what should not have been."""
        self.against_the_rules.append(f"block {event.block}, {event.transaction}: {told}")

    def of(self, event: LedgerEvent, account: Address) -> DerivedHome:
        """Answer a home's books; those of a home that was never admitted are begun, and objected to."""
        if account not in self.homes:
            self.object(event, f"{event.name} of {account}, which was never admitted")
            self.homes[account] = DerivedHome(0, 0)
        return self.homes[account]


def _admitted(books: Derived, event: LedgerEvent) -> None:
    account, opening_j = Address(event.facts["home"]), event.facts["openingJ"]
    if account in books.homes:
        books.object(event, f"{account} was admitted twice")
    books.homes[account] = DerivedHome(MEMBER, opening_j)


def _suspended(books: Derived, event: LedgerEvent) -> None:
    books.of(event, event.facts["home"]).status = SUSPENDED


def _resumed(books: Derived, event: LedgerEvent) -> None:
    books.of(event, event.facts["home"]).status = MEMBER


def _closed(books: Derived, event: LedgerEvent) -> None:
    if any(offer.price_per_kwh for offer in books.offers.values()):
        books.object(event, "closed while there were offers")
    books.closed = True


def _reported(books: Derived, event: LedgerEvent) -> None:
    home, facts = books.of(event, event.facts["home"]), event.facts
    if home.status != MEMBER:
        books.object(event, f"{facts['home']} reported without being a member")
    if facts["until"] <= home.until_s:
        books.object(event, f"{facts['home']} reported up to {facts['until']} after having reported up to {home.until_s}")
    home.until_s = facts["until"]
    home.produced_j += facts["producedJ"]
    home.own_j += facts["ownJ"]


def _drawn(books: Derived, event: LedgerEvent) -> None:
    buyer, seller = event.facts["buyer"], event.facts["seller"]
    if buyer == seller:
        books.object(event, f"{buyer} drew from itself")
    books.pairs[buyer, seller].drawn_j += event.facts["energyJ"]


def _overdrawn(books: Derived, event: LedgerEvent) -> None:
    home = books.of(event, event.facts["home"])
    if -home.left_j != event.facts["overdrawnJ"]:
        books.object(event, f"{event.facts['home']} overdrew {-home.left_j} J, and {event.facts['overdrawnJ']} J were told")


def _unpaid(books: Derived, event: LedgerEvent) -> None:
    pair = books.pairs[event.facts["buyer"], event.facts["seller"]]
    if -pair.left_j != event.facts["unpaidJ"]:
        books.object(event, f"{-pair.left_j} J are unpaid, and {event.facts['unpaidJ']} J were told")


def _offered(books: Derived, event: LedgerEvent) -> None:
    seller, facts = event.facts["seller"], event.facts
    if seller not in books.offers:
        books.sellers.append(seller)
    books.offers[seller] = DerivedOffer(facts["pricePerKwh"], facts["amountJ"], facts["until"])


def _withdrawn(books: Derived, event: LedgerEvent) -> None:
    books.offers[event.facts["seller"]] = DerivedOffer()


def _bought(books: Derived, event: LedgerEvent) -> None:
    facts = event.facts
    buyer, seller, energy_j, price = facts["buyer"], facts["seller"], facts["energyJ"], facts["pricePerKwh"]
    home, offer = books.of(event, seller), books.offers.get(seller, DerivedOffer())
    if books.closed:
        books.object(event, f"{buyer} bought after the exchange was closed")
    if energy_j > max(0, home.left_j):
        books.object(event, f"{seller} sold {energy_j} J and had {max(0, home.left_j)} J")
    if price != offer.price_per_kwh:
        books.object(event, f"{seller} asked {offer.price_per_kwh} and was paid at {price}")
    if energy_j > offer.amount_j:
        books.object(event, f"{seller} offered {offer.amount_j} J and sold {energy_j} J")
    cost = cost_of(Joules(energy_j), Coins(price))
    # A list costs no more than was named, rounded up once: of who comes after its first seller, perhaps a base unit less.
    listed = books.last_bought == (event.transaction, buyer)
    if not cost - listed <= facts["cost"] <= cost:
        books.object(event, f"{energy_j} J at {price} cost {cost}, and {facts['cost']} was told")
    books.last_bought = (event.transaction, buyer)
    home.sold_j += energy_j
    books.pairs[buyer, seller].bought_j += energy_j
    if offer.amount_j != ALL_SURPLUS:
        books.offers[seller] = DerivedOffer(offer.price_per_kwh, offer.amount_j - energy_j, offer.until_s)


def _order_placed(books: Derived, event: LedgerEvent) -> None:
    facts = event.facts
    books.orders[facts["home"]] = DerivedOrder(
        facts["belowPermille"], facts["amountJ"], facts["maxPricePerKwh"], tuple(map(Address, facts["sellers"]))
    )


def _order_cancelled(books: Derived, event: LedgerEvent) -> None:
    books.orders.pop(event.facts["home"], None)


def _transferred(books: Derived, event: LedgerEvent) -> None:
    sender, receiver, value = Address(event.facts["from"]), Address(event.facts["to"]), event.facts["value"]
    for account in (sender, receiver):
        if books.frozen.get(account):
            books.object(event, f"coins of or to {account} moved while it was frozen")
    if sender == NOBODY:
        books.supply += value
    else:
        books.balances[sender] -= value
        if books.balances[sender] < 0:
            books.object(event, f"{sender} sent {-books.balances[sender]} base units more than it had")
    books.balances[receiver] += value


def _approved(books: Derived, event: LedgerEvent) -> None:
    books.allowances[event.facts["owner"], event.facts["spender"]] = event.facts["value"]


def _frozen(books: Derived, event: LedgerEvent) -> None:
    books.frozen[event.facts["account"]] = True


def _unfrozen(books: Derived, event: LedgerEvent) -> None:
    books.frozen[event.facts["account"]] = False


def _granted(books: Derived, event: LedgerEvent) -> None:
    books.roles[event.contract, bytes(event.facts["role"]), event.facts["account"]] = True


def _revoked(books: Derived, event: LedgerEvent) -> None:
    books.roles[event.contract, bytes(event.facts["role"]), event.facts["account"]] = False


_ROLES: dict[str, Any] = {"RoleGranted": _granted, "RoleRevoked": _revoked}
_OF_COIN: dict[str, Any] = {
    **_ROLES,
    "Transfer": _transferred,
    "Approval": _approved,
    "AccountFrozen": _frozen,
    "AccountUnfrozen": _unfrozen,
}
_OF_EXCHANGE: dict[str, Any] = {
    **_ROLES,
    "HomeAdmitted": _admitted,
    "HomeSuspended": _suspended,
    "HomeResumed": _resumed,
    "PurchasesClosed": _closed,
    "EnergyReported": _reported,
    "EnergyDrawn": _drawn,
    "EnergyOverdrawn": _overdrawn,
    "EnergyUnpaid": _unpaid,
    "EnergyOffered": _offered,
    "OfferWithdrawn": _withdrawn,
    "EnergyBought": _bought,
    "OrderPlaced": _order_placed,
    "OrderCancelled": _order_cancelled,
}
