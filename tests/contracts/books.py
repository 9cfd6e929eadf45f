"""The exchange and its coin once more, as the story is told and not as the contract computes: surplus, debts and credit are
kept as numbers of their own and moved one after the other. The contract keeps none of them; both must agree on every one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.contracts.ground import KWH_J, NO_END_S, SKEW_S, UINT64, UINT256

MAX_DRAWS = 16
Event = tuple[str, dict[str, object]]


class Refused(Exception):
    """What the exchange refuses, by its error's name and facts."""

    def __init__(self, error: str, **facts: object) -> None:
        super().__init__(error, facts)
        self.error = error
        self.facts = facts


@dataclass
class HomeBook:
    """One home. At most one of surplus and overdrawn is above zero."""

    opening_j: int
    surplus_j: int
    until_s: int = 0
    produced_j: int = 0
    own_j: int = 0
    sold_j: int = 0
    overdrawn_j: int = 0

    def produce(self, energy_j: int) -> None:
        """What is made covers what was overdrawn first."""
        covered_j = min(energy_j, self.overdrawn_j)
        self.overdrawn_j -= covered_j
        self.surplus_j += energy_j - covered_j
        self.produced_j += energy_j

    def use(self, energy_j: int) -> None:
        """What is used is taken from the surplus; what goes beyond is overdrawn."""
        there_j = min(energy_j, self.surplus_j)
        self.surplus_j -= there_j
        self.overdrawn_j += energy_j - there_j
        self.own_j += energy_j


@dataclass
class PairBook:
    """A buyer with a seller. At most one of credit and unpaid is above zero."""

    bought_j: int = 0
    drawn_j: int = 0
    credit_j: int = 0
    unpaid_j: int = 0

    def buy(self, energy_j: int) -> None:
        """What is bought settles what is unpaid first."""
        settled_j = min(energy_j, self.unpaid_j)
        self.unpaid_j -= settled_j
        self.credit_j += energy_j - settled_j
        self.bought_j += energy_j

    def draw(self, energy_j: int) -> None:
        """What is drawn uses credit; what goes beyond is unpaid."""
        paid_j = min(energy_j, self.credit_j)
        self.credit_j -= paid_j
        self.unpaid_j += energy_j - paid_j
        self.drawn_j += energy_j


@dataclass
class OfferBook:
    """What a seller asks."""

    price_per_kwh: int
    left_j: int


@dataclass
class Books:
    """A street. Accounts are addresses; whoever is not in `homes` is a stranger. Money is base units."""

    exchange: str
    homes: dict[str, HomeBook] = field(default_factory=dict)
    pairs: dict[tuple[str, str], PairBook] = field(default_factory=dict)
    offers: dict[str, OfferBook] = field(default_factory=dict)
    balances: dict[str, int] = field(default_factory=dict)
    allowances: dict[str, int] = field(default_factory=dict)

    def admit(self, home: str, opening_j: int) -> list[Event]:
        """As `admit`, by an operator."""
        if home in self.homes:
            raise Refused("ExchangeAlreadyMember", home=home)
        self.homes[home] = HomeBook(opening_j, surplus_j=opening_j)
        return [("HomeAdmitted", {"home": home, "openingJ": opening_j})]

    def report(
        self, who: str, now_s: int, since_s: int, until_s: int, produced_j: int, own_j: int, draws: list[tuple[str, int]]
    ) -> list[Event]:
        """As `report`, in a block at `now_s`."""
        home = self._member(who)
        if since_s != home.until_s:
            raise Refused("ExchangeReportOutOfOrder", since=since_s, reportedUntil=home.until_s)
        if until_s <= home.until_s:
            raise Refused("ExchangeReportEmpty", until=until_s, since=home.until_s)
        if until_s > now_s + SKEW_S:
            raise Refused("ExchangeReportAhead", until=until_s, latest=now_s + SKEW_S)
        if len(draws) > MAX_DRAWS:
            raise Refused("ExchangeTooManyDraws", draws=len(draws), most=MAX_DRAWS)
        if home.opening_j + home.produced_j + produced_j > UINT64 or home.own_j + own_j > UINT64:
            raise Refused("BooksOverflow")
        self._check_draws(who, draws)

        overdrawn_before_j = home.overdrawn_j
        home.until_s = until_s
        home.produce(produced_j)
        home.use(own_j)
        told: list[Event] = [("EnergyReported", {"home": who, "until": until_s, "producedJ": produced_j, "ownJ": own_j})]
        if home.overdrawn_j > overdrawn_before_j:
            told.append(("EnergyOverdrawn", {"home": who, "overdrawnJ": home.overdrawn_j}))
        for seller, energy_j in draws:
            pair = self.pair(who, seller)
            unpaid_before_j = pair.unpaid_j
            pair.draw(energy_j)
            told.append(("EnergyDrawn", {"buyer": who, "seller": seller, "until": until_s, "energyJ": energy_j}))
            if pair.unpaid_j > unpaid_before_j:
                told.append(("EnergyUnpaid", {"buyer": who, "seller": seller, "unpaidJ": pair.unpaid_j}))
        return told

    def offer(self, who: str, price_per_kwh: int, amount_j: int) -> list[Event]:
        """As `offer`."""
        self._member(who)
        if price_per_kwh == 0:
            raise Refused("ExchangeZeroPrice")
        self.offers[who] = OfferBook(price_per_kwh, amount_j)
        return [("EnergyOffered", {"seller": who, "pricePerKwh": price_per_kwh, "amountJ": amount_j, "until": NO_END_S})]

    def withdraw(self, who: str) -> list[Event]:
        """As `withdrawOffer`."""
        if who not in self.offers:
            raise Refused("ExchangeNoOffer", seller=who)
        del self.offers[who]
        return [("OfferWithdrawn", {"seller": who})]

    def buy(self, who: str, seller: str, amount_j: int, max_price: int) -> list[Event]:
        """As `buy`."""
        self._member(who)
        if seller == who:
            raise Refused("ExchangeOwnSeller", home=who)
        if amount_j == 0:
            raise Refused("ExchangeZeroAmount")
        home = self._member(seller)
        offer = self.offers.get(seller)
        if offer is None:
            raise Refused("ExchangeNoOffer", seller=seller)
        if offer.price_per_kwh > max_price:
            raise Refused("ExchangePriceAboveMaximum", pricePerKwh=offer.price_per_kwh, maxPricePerKwh=max_price)
        if amount_j > self.available_j(seller):
            raise Refused("ExchangeInsufficientEnergy", remainingJ=self.available_j(seller), requestedJ=amount_j)
        if self.pair(who, seller).bought_j + amount_j > UINT64:
            raise Refused("Panic", code=0x11)
        cost = -(-amount_j * offer.price_per_kwh // KWH_J)
        self._move(who, seller, cost)

        home.surplus_j -= amount_j
        home.sold_j += amount_j
        self.pair(who, seller).buy(amount_j)
        if offer.left_j != UINT64:
            offer.left_j -= amount_j
        bought = {"buyer": who, "seller": seller, "energyJ": amount_j, "pricePerKwh": offer.price_per_kwh, "cost": cost}
        told: list[Event] = [("EnergyBought", bought), ("Transfer", {"from": who, "to": seller, "value": cost})]
        if self.allowances[who] != UINT256:
            told.insert(1, ("Approval", {"owner": who, "spender": self.exchange, "value": self.allowances[who]}))
        return told

    def available_j(self, seller: str) -> int:
        """What can be bought of a seller now."""
        return min(self.offers[seller].left_j, self.homes[seller].surplus_j) if seller in self.offers else 0

    def pair(self, buyer: str, seller: str) -> PairBook:
        """The book of a buyer with a seller."""
        return self.pairs.setdefault((buyer, seller), PairBook())

    def _member(self, who: str) -> HomeBook:
        if who not in self.homes:
            raise Refused("ExchangeNotMember", account=who)
        return self.homes[who]

    def _check_draws(self, who: str, draws: list[tuple[str, int]]) -> None:
        """Refuse for the first draw that is wrong, before anything has changed."""
        drawn_j: dict[str, int] = {}
        for seller, energy_j in draws:
            if seller == who:
                raise Refused("ExchangeOwnSeller", home=who)
            self._member(seller)
            drawn_j[seller] = drawn_j.get(seller, self.pair(who, seller).drawn_j) + energy_j
            if drawn_j[seller] > UINT64:
                raise Refused("PairOverflow")

    def _move(self, who: str, to: str, amount: int) -> None:
        allowed, balance = self.allowances.get(who, 0), self.balances.get(who, 0)
        if allowed < amount:
            raise Refused("ERC20InsufficientAllowance", spender=self.exchange, allowance=allowed, needed=amount)
        if balance < amount:
            raise Refused("ERC20InsufficientBalance", sender=who, balance=balance, needed=amount)
        if allowed != UINT256:
            self.allowances[who] = allowed - amount
        self.balances[who] = balance - amount
        self.balances[to] = self.balances.get(to, 0) + amount
