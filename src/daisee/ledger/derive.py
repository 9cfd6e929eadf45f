"""The whole state of coin and exchange, derived from what they said and from nothing else.

Who trusts nobody reads the events from the first block on, keeps books by the rules that design and docs state, and holds
them against what the contracts answer. `Derived` is those books; `daisee.ledger.verify` does the comparing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from daisee.ledger.events import LedgerEvent
from daisee.ledger.exchange import ALL_SURPLUS, MOST_ORDER_SELLERS, NO_END_S
from daisee.ledger.payments import Payments
from daisee.units import Address

NOBODY = Address("0x" + "0" * 40)
MEMBER, SUSPENDED = 1, 2
ADMIN_ROLE = bytes(32)
FULL_PERMILLE = 1000


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
    time_of: Callable[[int], int] | None = None
    """Answers when a block was sealed, Unix seconds; without it, nobody looks whether an offer had ended."""
    homes: dict[Address, DerivedHome] = field(default_factory=dict)
    """In the order of their admission."""
    sellers: list[Address] = field(default_factory=list)
    """In the order of their first offer."""
    pairs: dict[tuple[Address, Address], DerivedPair] = field(default_factory=lambda: defaultdict(DerivedPair))
    """By buyer and seller."""
    offers: dict[Address, DerivedOffer] = field(default_factory=dict)
    orders: dict[Address, DerivedOrder] = field(default_factory=dict)
    closing_sellers: int | None = None
    """How many of the sellers were looked at while the exchange was being closed; None before that began."""
    closed: bool = False
    balances: dict[Address, int] = field(default_factory=lambda: defaultdict(int))
    """Base units; everybody who ever had any."""
    allowances: dict[tuple[Address, Address], int] = field(default_factory=dict)
    """By owner and spender."""
    frozen: dict[Address, bool] = field(default_factory=dict)
    supply: int = 0
    roles: dict[tuple[Address, bytes, Address], bool] = field(default_factory=dict)
    """By contract, role and account."""
    handovers: dict[Address, tuple[Address, int]] = field(default_factory=dict)
    """By contract: who is to be its admin next, and from when on it may accept."""
    delays: dict[Address, tuple[int, int]] = field(default_factory=dict)
    """By contract: how long a handing over will take, and from when on."""
    against_the_rules: list[str] = field(default_factory=list)
    """What a contract said that its own rules forbid, in words."""
    events: int = 0
    block: int = -1
    """Of the last event."""
    payments: Payments = field(init=False)
    """Of the last transaction."""

    @property
    def contracts(self) -> dict[str, Address]:
        """Map the contracts' names to where they are."""
        return {"EnergyExchange": self.exchange, "DaiseeCoin": self.coin}

    def __post_init__(self) -> None:
        self.payments = Payments(self.exchange)

    def enter(self, events: Iterable[LedgerEvent]) -> None:
        """Enter events, in their order and whole transactions. Those of other contracts are passed over."""
        for event in events:
            if event.transaction != self.payments.transaction:
                self._settle(event.transaction)
            book = {self.coin: _OF_COIN, self.exchange: _OF_EXCHANGE}.get(event.contract, {}).get(event.name)
            self.events += event.contract in (self.coin, self.exchange)
            self.block = event.block
            if book is not None:
                book(self, event)
        self._settle()

    def _settle(self, following: str = "") -> None:
        """See that what was bought in a transaction was paid in it."""
        for event, told in self.payments.unpaid():
            self.object(event, told)
        self.payments = Payments(self.exchange, following)

    def object(self, event: LedgerEvent, told: str) -> None:
        """Note what should not have been."""
        self.against_the_rules.append(f"block {event.block}, {event.transaction}: {told}")

    def of(self, event: LedgerEvent, account: Address) -> DerivedHome:
        """Answer a home's books; those of a home that was never admitted are begun, and objected to."""
        if account not in self.homes:
            self.object(event, f"{event.name} of {account}, which was never admitted")
            self.homes[account] = DerivedHome(0, 0)
        return self.homes[account]

    def member(self, event: LedgerEvent, account: Address, did: str) -> DerivedHome:
        """Answer the books of a home that did what members do; objected to where it was none, or suspended."""
        home = self.of(event, account)
        if home.status != MEMBER:
            self.object(event, f"{account} {did} without being a member")
        return home

    def had_ended(self, event: LedgerEvent, until_s: int) -> bool:
        """Tell whether a moment was over when something happened."""
        return self.time_of is not None and until_s < NO_END_S and until_s < self.time_of(event.block)

    def admin_of(self, contract: Address) -> Address:
        """Answer who is a contract's admin; `NOBODY` where it has none."""
        return next(
            (who for (where, role, who), held in self.roles.items() if (where, role, held) == (contract, ADMIN_ROLE, True)),
            NOBODY,
        )


def _admitted(books: Derived, event: LedgerEvent) -> None:
    account, opening_j = Address(event.facts["home"]), event.facts["openingJ"]
    if account in books.homes:
        books.object(event, f"{account} was admitted twice")
    books.homes[account] = DerivedHome(MEMBER, opening_j)


def _suspended(books: Derived, event: LedgerEvent) -> None:
    books.member(event, event.facts["home"], "was suspended").status = SUSPENDED


def _resumed(books: Derived, event: LedgerEvent) -> None:
    home = books.of(event, event.facts["home"])
    if home.status != SUSPENDED:
        books.object(event, f"{event.facts['home']} was resumed and had not been suspended")
    home.status = MEMBER


def _closing(books: Derived, event: LedgerEvent) -> None:
    sellers = event.facts["sellers"]
    if not (books.closing_sellers or 0) <= sellers <= len(books.sellers):
        books.object(event, f"closed for {sellers} of {len(books.sellers)} sellers, after {books.closing_sellers or 0} before")
    if any(books.offers[seller].price_per_kwh for seller in books.sellers[:sellers]):
        books.object(event, "closed while there were offers")
    if books.closed:
        books.object(event, "closed twice")
    books.closing_sellers = sellers


def _closed(books: Derived, event: LedgerEvent) -> None:
    if books.closing_sellers != len(books.sellers):
        books.object(event, f"closed with {books.closing_sellers or 0} of {len(books.sellers)} sellers looked at")
    books.closed = True


def _reported(books: Derived, event: LedgerEvent) -> None:
    facts = event.facts
    home = books.member(event, facts["home"], "reported")
    if facts["until"] <= home.until_s:
        books.object(event, f"{facts['home']} reported up to {facts['until']} after having reported up to {home.until_s}")
    home.until_s = facts["until"]
    home.produced_j += facts["producedJ"]
    home.own_j += facts["ownJ"]


def _drawn(books: Derived, event: LedgerEvent) -> None:
    buyer, seller = event.facts["buyer"], event.facts["seller"]
    books.member(event, buyer, "drew")
    if buyer == seller:
        books.object(event, f"{buyer} drew from itself")
    elif (buyer, seller) not in books.pairs:
        books.of(event, seller)
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
    books.member(event, seller, "offered")
    if books.closing_sellers is not None:
        books.object(event, f"{seller} offered after the exchange was closed")
    if not facts["pricePerKwh"]:
        books.object(event, f"{seller} offered for nothing")
    if books.had_ended(event, facts["until"]):
        books.object(event, f"{seller} offered until {facts['until']}, which was over")
    if seller not in books.offers:
        books.sellers.append(seller)
    books.offers[seller] = DerivedOffer(facts["pricePerKwh"], facts["amountJ"], facts["until"])


def _withdrawn(books: Derived, event: LedgerEvent) -> None:
    seller = event.facts["seller"]
    if not books.offers.get(seller, DerivedOffer()).price_per_kwh:
        books.object(event, f"{seller} took an offer back and had made none")
    books.offers[seller] = DerivedOffer()


def _bought(books: Derived, event: LedgerEvent) -> None:
    facts = event.facts
    buyer, seller, energy_j, price = facts["buyer"], facts["seller"], facts["energyJ"], facts["pricePerKwh"]
    books.member(event, buyer, "bought")
    home, offer = books.member(event, seller, "sold"), books.offers.get(seller, DerivedOffer())
    wrong_cost = books.payments.buy(event)
    for forbidden, told in (
        (buyer == seller, f"{buyer} bought of itself"),
        (books.closed, f"{buyer} bought after the exchange was closed"),
        (energy_j > max(0, home.left_j), f"{seller} sold {energy_j} J and had {max(0, home.left_j)} J"),
        (price != offer.price_per_kwh, f"{seller} asked {offer.price_per_kwh} and was paid at {price}"),
        (energy_j > offer.amount_j, f"{seller} offered {offer.amount_j} J and sold {energy_j} J"),
        (books.had_ended(event, offer.until_s), f"{buyer} bought of {seller}, whose offer had ended at {offer.until_s}"),
        (wrong_cost is not None, wrong_cost or ""),
    ):
        if forbidden:
            books.object(event, told)
    home.sold_j += energy_j
    books.pairs[buyer, seller].bought_j += energy_j
    if offer.amount_j != ALL_SURPLUS:
        books.offers[seller] = DerivedOffer(offer.price_per_kwh, offer.amount_j - energy_j, offer.until_s)


def _order_placed(books: Derived, event: LedgerEvent) -> None:
    home, sellers = event.facts["home"], tuple(map(Address, event.facts["sellers"]))
    below_permille, amount_j, price = (event.facts[name] for name in ("belowPermille", "amountJ", "maxPricePerKwh"))
    books.member(event, home, "left an order")
    if books.closing_sellers is not None:
        books.object(event, f"{home} left an order after the exchange was closed")
    if not 0 < len(sellers) <= MOST_ORDER_SELLERS:
        books.object(event, f"{home} left an order with {len(sellers)} sellers")
    if home in sellers:
        books.object(event, f"{home} left an order to buy of itself")
    if below_permille > FULL_PERMILLE or not amount_j or not price:
        books.object(event, f"{home} left an order that orders nothing")
    books.orders[home] = DerivedOrder(below_permille, amount_j, price, sellers)


def _order_cancelled(books: Derived, event: LedgerEvent) -> None:
    if books.orders.pop(event.facts["home"], None) is None:
        books.object(event, f"{event.facts['home']} took an order back and had left none")


def _transferred(books: Derived, event: LedgerEvent) -> None:
    sender, receiver, value = Address(event.facts["from"]), Address(event.facts["to"]), event.facts["value"]
    for account in (sender, receiver):
        # New coins come from nobody, whom one can freeze, with no effect.
        if books.frozen.get(account) and account != NOBODY:
            books.object(event, f"coins of or to {account} moved while it was frozen")
    if sender == NOBODY:
        books.supply += value
    else:
        books.balances[sender] -= value
        if books.balances[sender] < 0:
            books.object(event, f"{sender} sent {-books.balances[sender]} base units more than it had")
    books.balances[receiver] += value
    books.payments.move(sender, receiver, value)


def _approved(books: Derived, event: LedgerEvent) -> None:
    books.allowances[event.facts["owner"], event.facts["spender"]] = event.facts["value"]


def _frozen(books: Derived, event: LedgerEvent) -> None:
    books.frozen[event.facts["account"]] = True


def _unfrozen(books: Derived, event: LedgerEvent) -> None:
    books.frozen[event.facts["account"]] = False


def _granted(books: Derived, event: LedgerEvent) -> None:
    role, account = bytes(event.facts["role"]), event.facts["account"]
    if role == ADMIN_ROLE:
        named, _ = books.handovers.pop(event.contract, (NOBODY, 0))
        had_one = any(each[:2] == (event.contract, ADMIN_ROLE) for each in books.roles)
        if had_one and account != named:
            books.object(event, f"{account} became admin of {event.contract} and had not been named")
    books.roles[event.contract, role, account] = True


def _revoked(books: Derived, event: LedgerEvent) -> None:
    books.roles[event.contract, bytes(event.facts["role"]), event.facts["account"]] = False
    # Who gives it to nobody is rid of it at once; else the next one is granted it in the same breath.
    if bytes(event.facts["role"]) == ADMIN_ROLE and books.handovers.get(event.contract, (NOBODY, 0))[0] == NOBODY:
        books.handovers.pop(event.contract, None)


def _handover_begun(books: Derived, event: LedgerEvent) -> None:
    books.handovers[event.contract] = Address(event.facts["newAdmin"]), event.facts["acceptSchedule"]


def _handover_cancelled(books: Derived, event: LedgerEvent) -> None:
    books.handovers.pop(event.contract, None)


def _delay_changing(books: Derived, event: LedgerEvent) -> None:
    books.delays[event.contract] = event.facts["newDelay"], event.facts["effectSchedule"]


def _delay_kept(books: Derived, event: LedgerEvent) -> None:
    books.delays.pop(event.contract, None)


_ROLES: dict[str, Any] = {
    "RoleGranted": _granted,
    "RoleRevoked": _revoked,
    "DefaultAdminTransferScheduled": _handover_begun,
    "DefaultAdminTransferCanceled": _handover_cancelled,
    "DefaultAdminDelayChangeScheduled": _delay_changing,
    "DefaultAdminDelayChangeCanceled": _delay_kept,
}
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
    "PurchasesClosing": _closing,
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
