"""Coin and exchange once more, in plain Python: what each call does, says or refuses, told by amounts and not by slots.

A call that is refused changes nothing; `Model.call` sees to it. Nothing here is taken from the contracts' own arithmetic:
surplus, what is overdrawn, credit and what is unpaid are moved one after the other, as the story of a home is told, where the
contracts derive them from sums.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from eth_abi.abi import encode
from eth_utils.abi import collapse_if_tuple, function_abi_to_4byte_selector
from tests.contracts.ground import KWH_J, SKEW_S, UINT64, UINT256

from daisee.ledger.artifacts import load

NOBODY = "0x" + "00" * 20
MOST_SUPPLY = 2**255 - 1
MOST = {"draws": 16, "intervals": 96, "sellers": 16, "order": 8}
Event = tuple[str, str, tuple[Any, ...]]
"""Who says it (`coin` or `exchange`), its name, its arguments in order."""
Wanted = tuple[Sequence[str], int, int, bool]
"""A purchase: sellers, joules, highest price, whether less will do."""


class Refused(Exception):
    """A refusal: the error's name and its arguments, in order."""

    def __init__(self, error: str, *facts: Any) -> None:
        super().__init__(error, facts)
        self.error = error
        self.facts = facts

    def encoded(self) -> bytes:
        """Answer what the contract gives back."""
        if self.error == "Panic":
            return bytes.fromhex("4e487b71") + encode(["uint256"], list(self.facts))
        entry = next(e for n in ("EnergyExchange", "DaiseeCoin") for e in load(n).abi if e.get("name") == self.error)
        return function_abi_to_4byte_selector(entry) + encode([collapse_if_tuple(f) for f in entry["inputs"]], list(self.facts))


class Silent(Exception):
    """A refusal without a reason."""


@dataclass(slots=True)
class Home:
    """A home's books; at most one of surplus and overdrawn is above zero."""

    status: int = 0
    until_s: int = 0
    opening_j: int = 0
    produced_j: int = 0
    own_j: int = 0
    sold_j: int = 0
    surplus_j: int = 0
    overdrawn_j: int = 0

    def words(self) -> tuple[int, ...]:
        """Answer the books in the order of the contract's `HomeState`."""
        made = (self.opening_j, self.produced_j, self.own_j, self.sold_j)
        return (self.status, self.until_s, *made, self.surplus_j, self.overdrawn_j)


@dataclass(slots=True)
class Pair:
    """A buyer with a seller; at most one of credit and unpaid is above zero."""

    bought_j: int = 0
    drawn_j: int = 0
    credit_j: int = 0
    unpaid_j: int = 0


@dataclass(slots=True)
class Asked:
    """An offer; a price of zero is none."""

    price: int = 0
    amount_j: int = 0
    until_s: int = 0


@dataclass(slots=True)
class State:
    """All that both contracts hold."""

    homes: dict[str, Home] = field(default_factory=dict)
    pairs: dict[tuple[str, str], Pair] = field(default_factory=dict)
    offers: dict[str, Asked] = field(default_factory=dict)
    orders: dict[str, tuple[int, int, int, tuple[str, ...]]] = field(default_factory=dict)
    closing: bool = False
    swept: int = 0
    balances: dict[str, int] = field(default_factory=dict)
    allowances: dict[tuple[str, str], int] = field(default_factory=dict)
    frozen: set[str] = field(default_factory=set)
    nonces: dict[str, int] = field(default_factory=dict)
    struck: bool = True
    """Whether the hostile contract has used its one call."""

    def copied(self) -> State:
        """Answer a copy that shares nothing that changes."""
        return State(
            {k: copy.copy(v) for k, v in self.homes.items()}, {k: copy.copy(v) for k, v in self.pairs.items()},
            {k: copy.copy(v) for k, v in self.offers.items()}, dict(self.orders), self.closing, self.swept,
            dict(self.balances), dict(self.allowances), set(self.frozen), dict(self.nonces), self.struck,
        )  # fmt: skip


class Model:
    """Both contracts. `coin` and `exchange` are their addresses; `operator` has all roles, nobody else has one."""

    def __init__(self, coin: str, exchange: str, operator: str, hostile: str, roles: dict[str, bytes], supply: int) -> None:
        self.coin, self.exchange, self.operator, self.hostile, self.roles = coin, exchange, operator, hostile, roles
        self.state = State(balances={operator: supply})
        self.supply = supply
        self.now_s = 0
        self.said: list[Event] = []
        self.strike: Callable[[], None] | None = None
        """What the hostile contract does when it is called back."""
        self.liar = False
        """Whether it then answers what it should not."""

    @property
    def sellers(self) -> list[str]:
        """List who ever offered, in order."""
        return list(self.state.offers)

    def call(self, what: Callable[[], Any]) -> list[Event]:
        """Do something whole or not at all; answer what was said."""
        self.said = []
        with self._whole():
            what()
        return self.said

    @contextmanager
    def _whole(self) -> Iterator[None]:
        before, supply, said = self.state.copied(), self.supply, len(self.said)
        try:
            yield
        except (Refused, Silent):
            self.state, self.supply = before, supply
            del self.said[said:]
            raise

    def _tell(self, contract: str, name: str, *values: Any) -> None:
        self.said.append((contract, name, values))

    # ------------------------------------------------------------------------------------------------ the coin

    def balance(self, account: str) -> int:
        """What an account has."""
        return self.state.balances.get(account, 0)

    def allowed(self, owner: str, spender: str) -> int:
        """What a spender may take."""
        return self.state.allowances.get((owner, spender), 0)

    def transfer(self, who: str, to: str, value: int) -> None:
        """As ERC-20 has it; frozen accounts neither send nor receive."""
        if to == NOBODY:
            raise Refused("ERC20InvalidReceiver", NOBODY)
        self._unfrozen(who)
        if self.balance(who) < value:
            raise Refused("ERC20InsufficientBalance", who, self.balance(who), value)
        self._unfrozen(to)
        self.state.balances[who] = self.balance(who) - value
        self.state.balances[to] = self.balance(to) + value
        self._tell("coin", "Transfer", who, to, value)

    def approve(self, who: str, spender: str, value: int) -> None:
        """As ERC-20 has it."""
        if spender == NOBODY:
            raise Refused("ERC20InvalidSpender", NOBODY)
        self.state.allowances[who, spender] = value
        self._tell("coin", "Approval", who, spender, value)

    def transfer_from(self, who: str, owner: str, to: str, value: int) -> None:
        """As ERC-20 has it, and each spending is told."""
        allowed = self.allowed(owner, who)
        if allowed != UINT256:
            if allowed < value:
                raise Refused("ERC20InsufficientAllowance", who, allowed, value)
            if owner == NOBODY:
                raise Refused("ERC20InvalidApprover", NOBODY)
            self.approve(owner, who, allowed - value)
        self.transfer(owner, to, value)

    def mint(self, who: str, to: str, value: int) -> None:
        """For the minter."""
        self._must("minter", who)
        if to == NOBODY:
            raise Refused("ERC20InvalidReceiver", NOBODY)
        if self.supply + value > UINT256:
            raise Refused("Panic", 0x11)
        if self.supply + value > MOST_SUPPLY:
            raise Refused("CoinSupplyTooLarge", self.supply + value, MOST_SUPPLY)
        self._unfrozen(to)
        self.supply += value
        self.state.balances[to] = self.balance(to) + value
        self._tell("coin", "Transfer", NOBODY, to, value)
        self._tell("coin", "CoinsMinted", who, to, value)

    def freeze(self, who: str, account: str) -> None:
        """For the freezer."""
        self._must("freezer", who)
        self._unfrozen(account)
        self.state.frozen.add(account)
        self._tell("coin", "AccountFrozen", account, who)

    def unfreeze(self, who: str, account: str) -> None:
        """For the freezer."""
        self._must("freezer", who)
        if account not in self.state.frozen:
            raise Refused("CoinAccountNotFrozen", account)
        self.state.frozen.remove(account)
        self._tell("coin", "AccountUnfrozen", account, who)

    def transfer_and_call(self, who: str, to: str, value: int, wanted: Wanted | None) -> None:
        """ERC-1363: `wanted` is what the data says, None where it says nothing."""
        self.transfer(who, to, value)
        self._call_back("ERC1363InvalidReceiver", to, lambda: self._paid(who, value, wanted))

    def transfer_from_and_call(self, who: str, owner: str, to: str, value: int, wanted: Wanted | None) -> None:
        """ERC-1363, with an allowance."""
        self.transfer_from(who, owner, to, value)
        if to == self.exchange and who != owner:
            raise Refused("ExchangeNotThePayer", who, owner)
        self._call_back("ERC1363InvalidReceiver", to, lambda: self._paid(owner, value, wanted))

    def approve_and_call(self, who: str, spender: str, value: int, wanted: Wanted | None) -> None:
        """ERC-1363."""
        self.approve(who, spender, value)
        self._call_back("ERC1363InvalidSpender", spender, lambda: self._purchase(who, wanted))

    def _call_back(self, error: str, to: str, bought: Callable[[], object]) -> None:
        """Call a contract back: the exchange buys, the hostile one strikes, others cannot be called."""
        if to == self.exchange:
            try:
                bought()
            except Silent:
                raise Refused(error, to) from None
            return
        if to != self.hostile:
            raise Refused(error, to)
        if self.strike is not None and not self.state.struck:
            self.state.struck = True
            try:
                with self._whole():
                    self.strike()
            except (Refused, Silent):
                pass  # it does not care
        if self.liar:
            raise Refused(error, to)

    def _paid(self, buyer: str, value: int, wanted: Wanted | None) -> None:
        cost = self._purchase(buyer, wanted, payer=self.exchange, paid=value)
        if cost != value:
            self.transfer(self.exchange, buyer, value - cost)

    def _purchase(self, buyer: str, wanted: Wanted | None, payer: str = "", paid: int = UINT256) -> int:
        if wanted is None:
            raise Silent
        return self._buy(buyer, payer or buyer, paid, wanted)

    def _unfrozen(self, account: str) -> None:
        if account in self.state.frozen:
            raise Refused("CoinAccountFrozen", account)

    def _must(self, role: str, who: str) -> None:
        if who != self.operator:
            raise Refused("AccessControlUnauthorizedAccount", who, self.roles[role])

    # ------------------------------------------------------------------------------------------------ operators

    def admit(self, who: str, home: str, opening_j: int) -> None:
        """As `admit`."""
        self._must("operator", who)
        if home == NOBODY:
            raise Refused("ExchangeZeroAddress")
        if home in self.state.homes:
            raise Refused("ExchangeAlreadyMember", home)
        self.state.homes[home] = Home(1, opening_j=opening_j, surplus_j=opening_j)
        self._tell("exchange", "HomeAdmitted", home, opening_j)

    def suspend(self, who: str, home: str) -> None:
        """As `suspend`."""
        self._must("operator", who)
        self._member(home).status = 2
        self._tell("exchange", "HomeSuspended", home, who)

    def resume(self, who: str, home: str) -> None:
        """As `resume`."""
        self._must("operator", who)
        if home not in self.state.homes or self.state.homes[home].status != 2:
            raise Refused("ExchangeNotSuspended", home)
        self.state.homes[home].status = 1
        self._tell("exchange", "HomeResumed", home, who)

    def close(self, who: str, most: int) -> None:
        """As `close`."""
        self._must("operator", who)
        state = self.state
        if state.closing and state.swept == len(self.sellers):
            raise Refused("ExchangeClosed")
        state.closing = True
        for seller in self.sellers[state.swept : state.swept + most]:
            state.swept += 1
            if state.offers[seller].price:
                self._take_back(seller)
        self._tell("exchange", "PurchasesClosing", who, state.swept)
        if state.swept == len(self.sellers):
            self._tell("exchange", "PurchasesClosed", who)

    # ------------------------------------------------------------------------------------------------ reports and offers

    def report(self, who: str, since_s: int, intervals: Sequence[Any], charge: int | None, *, many: bool = False) -> None:
        """As `report` (no charge), `reportCharge` and `reportMany`."""
        if many and not intervals:
            raise Refused("ExchangeNothingReported")
        if many and len(intervals) > MOST["intervals"]:
            raise Refused("ExchangeTooManyIntervals", len(intervals), MOST["intervals"])
        home = self._member(who)
        if since_s != home.until_s:
            raise Refused("ExchangeReportOutOfOrder", since_s, home.until_s)
        for interval in intervals:
            self._count(who, home, *interval)
        if charge is not None and who in self.state.orders:
            self._follow_order(who, charge)

    def _count(self, who: str, home: Home, until_s: int, produced_j: int, own_j: int, draws: Sequence[tuple[str, int]]) -> None:
        if until_s <= home.until_s:
            raise Refused("ExchangeReportEmpty", until_s, home.until_s)
        if until_s > self.now_s + SKEW_S:
            raise Refused("ExchangeReportAhead", until_s, self.now_s + SKEW_S)
        if len(draws) > MOST["draws"]:
            raise Refused("ExchangeTooManyDraws", len(draws), MOST["draws"])
        if home.opening_j + home.produced_j + produced_j > UINT64 or home.own_j + own_j > UINT64:
            raise Refused("BooksOverflow")
        before_j = home.overdrawn_j
        home.until_s = until_s
        home.produced_j += produced_j
        covered_j = min(produced_j, home.overdrawn_j)  # what is made covers what was overdrawn first
        home.overdrawn_j -= covered_j
        home.surplus_j += produced_j - covered_j
        home.own_j += own_j
        there_j = min(own_j, home.surplus_j)
        home.surplus_j -= there_j
        home.overdrawn_j += own_j - there_j
        self._tell("exchange", "EnergyReported", who, until_s, produced_j, own_j)
        if home.overdrawn_j > before_j:
            self._tell("exchange", "EnergyOverdrawn", who, home.overdrawn_j)
        for seller, energy_j in draws:
            self._draw(who, seller, until_s, energy_j)

    def _draw(self, who: str, seller: str, until_s: int, energy_j: int) -> None:
        if seller == who:
            raise Refused("ExchangeOwnSeller", seller)
        if seller not in self.state.homes:
            raise Refused("ExchangeNotMember", seller)
        pair = self.pair(who, seller)
        if pair.drawn_j + energy_j > UINT64:
            raise Refused("PairOverflow")
        paid_j = min(energy_j, pair.credit_j)  # what is drawn uses credit first
        pair.credit_j -= paid_j
        pair.unpaid_j += energy_j - paid_j
        pair.drawn_j += energy_j
        self._tell("exchange", "EnergyDrawn", who, seller, until_s, energy_j)
        if pair.unpaid_j and energy_j:
            self._tell("exchange", "EnergyUnpaid", who, seller, pair.unpaid_j)

    def offer(self, who: str, price: int, amount_j: int, until_s: int) -> None:
        """As `offer`."""
        self._member(who)
        if self.state.closing:
            raise Refused("ExchangeClosed")
        if price == 0:
            raise Refused("ExchangeZeroPrice")
        if until_s < self.now_s:
            raise Refused("ExchangeOfferEnded", until_s, self.now_s)
        self.state.offers[who] = Asked(price, amount_j, until_s)
        self._tell("exchange", "EnergyOffered", who, price, amount_j, until_s)

    def withdraw(self, who: str) -> None:
        """As `withdrawOffer`."""
        if not self.offer_of(who).price:
            raise Refused("ExchangeNoOffer", who)
        self._take_back(who)

    def _take_back(self, seller: str) -> None:
        self.state.offers[seller] = Asked()
        self._tell("exchange", "OfferWithdrawn", seller)

    # ------------------------------------------------------------------------------------------------ purchases

    def buy(self, who: str, seller: str, amount_j: int, max_price: int) -> None:
        """As `buy`."""
        self._member(who)
        if seller == who:
            raise Refused("ExchangeOwnSeller", seller)
        if amount_j == 0:
            raise Refused("ExchangeZeroAmount")
        self._member(seller)
        asked = self.offer_of(seller)
        if not asked.price:
            raise Refused("ExchangeNoOffer", seller)
        if asked.until_s < self.now_s:
            raise Refused("ExchangeOfferEnded", asked.until_s, self.now_s)
        if asked.price > max_price:
            raise Refused("ExchangePriceAboveMaximum", asked.price, max_price)
        left_j = min(asked.amount_j, self.state.homes[seller].surplus_j)
        if amount_j > left_j:
            raise Refused("ExchangeInsufficientEnergy", left_j, amount_j)
        cost = cost_of(amount_j, asked.price)
        self._named(amount_j, cost, max_price)
        self._book(who, seller, amount_j, cost)
        self.transfer_from(self.exchange, who, seller, cost)

    def buy_from(self, who: str, wanted: Wanted) -> None:
        """As `buyFrom`."""
        self._buy(who, who, UINT256, wanted)

    def buy_with_permit(self, who: str, wanted: Wanted, value: int, *, good: bool) -> None:
        """As `buyWithPermit`; a permit that is not good is as none."""
        if good:
            self.state.nonces[who] = self.state.nonces.get(who, 0) + 1
            self.approve(who, self.exchange, value)
        self._buy(who, who, UINT256, wanted)

    def quote(self, buyer: str, wanted: Wanted) -> tuple[list[tuple[str, int, int, int]], int, int]:
        """As `quote`: the fills, what is bought, what it costs."""
        sellers, amount_j, max_price, partly = wanted
        self._member(buyer)
        if amount_j == 0:
            raise Refused("ExchangeZeroAmount")
        self._check_sellers(buyer, sellers, MOST["sellers"])
        fills: list[tuple[str, int, int, int]] = []
        bought_j = cost = 0
        for place, seller in enumerate(sellers):
            energy_j = price = part = 0
            if seller not in sellers[:place]:
                energy_j, price, part = self._fill(seller, amount_j - bought_j, max_price, bought_j, cost)
            fills.append((seller, energy_j, price, part))
            bought_j += energy_j
            cost += part
        if bought_j == 0 or (bought_j < amount_j and not partly):
            raise Refused("ExchangeInsufficientEnergy", bought_j, amount_j)
        return fills, bought_j, cost

    def _buy(self, buyer: str, payer: str, paid: int, wanted: Wanted) -> int:
        fills, bought_j, cost = self.quote(buyer, wanted)
        self._named(bought_j, cost, wanted[2])
        if cost > paid:
            raise Refused("ExchangeInsufficientPayment", paid, cost)
        for seller, energy_j, _, part in fills:
            if not energy_j:
                continue
            self._book(buyer, seller, energy_j, part)
            if payer == buyer:
                self.transfer_from(self.exchange, buyer, seller, part)
            else:
                self.transfer(payer, seller, part)
        return cost

    @staticmethod
    def _named(bought_j: int, cost: int, max_price: int) -> None:
        """Whatever is bought, of one or of many."""
        assert cost <= cost_of(bought_j, max_price), "nobody pays more than it named"

    def _fill(self, seller: str, wanted_j: int, max_price: int, bought_j: int, paid: int) -> tuple[int, int, int]:
        """What a seller would sell to who has bought and paid so much of others: energy, price, cost."""
        asked = self.offer_of(seller)
        if asked.price > max_price:
            return 0, 0, 0
        energy_j = min(self.available_j(seller), wanted_j)
        # The buyer named a price: together, no more than that, rounded up once.
        cost = min(cost_of(energy_j, asked.price), cost_of(bought_j + energy_j, max_price) - paid)
        assert cost_of(energy_j, asked.price) - 1 <= cost, "no seller loses more than a base unit"
        return energy_j, asked.price, cost

    def _book(self, buyer: str, seller: str, amount_j: int, cost: int) -> None:
        home, asked, pair = self.state.homes[seller], self.state.offers[seller], self.pair(buyer, seller)
        home.surplus_j -= amount_j
        home.sold_j += amount_j
        settled_j = min(amount_j, pair.unpaid_j)  # what is bought settles what is unpaid first
        pair.unpaid_j -= settled_j
        pair.credit_j += amount_j - settled_j
        pair.bought_j += amount_j
        if asked.amount_j != UINT64:
            asked.amount_j -= amount_j
        self._tell("exchange", "EnergyBought", buyer, seller, amount_j, asked.price, cost)

    # ------------------------------------------------------------------------------------------------ standing orders

    def place_order(self, who: str, below: int, amount_j: int, max_price: int, sellers: Sequence[str]) -> None:
        """As `placeOrder`."""
        self._member(who)
        if self.state.closing:
            raise Refused("ExchangeClosed")
        if below > 1000:
            raise Refused("ExchangeChargeAboveFull", below)
        if amount_j == 0:
            raise Refused("ExchangeZeroAmount")
        if max_price == 0:
            raise Refused("ExchangeZeroPrice")
        self._check_sellers(who, sellers, MOST["order"])
        for place, seller in enumerate(sellers):
            if seller in sellers[:place]:
                raise Refused("ExchangeSellerNamedTwice", seller)
        self.state.orders[who] = (below, amount_j, max_price, tuple(sellers))
        self._tell("exchange", "OrderPlaced", who, below, amount_j, max_price, tuple(sellers))

    def cancel_order(self, who: str) -> None:
        """As `cancelOrder`."""
        if who not in self.state.orders:
            raise Refused("ExchangeNoOrder", who)
        del self.state.orders[who]
        self._tell("exchange", "OrderCancelled", who)

    def _follow_order(self, who: str, charge: int) -> None:
        below, amount_j, max_price, sellers = self.state.orders[who]
        if charge >= below:
            return
        wanted_j = amount_j
        for seller in sellers:
            wanted_j -= min(wanted_j, self.pair(who, seller).credit_j)
        missing_j, reason, bought_j, paid = wanted_j, b"", 0, 0
        for seller in sellers:
            unpaid_j = self.pair(who, seller).unpaid_j
            energy_j, _, cost = self._fill(seller, missing_j + unpaid_j, max_price, bought_j, paid)
            if not energy_j or not missing_j:
                continue
            try:
                with self._whole():
                    self.transfer_from(self.exchange, who, seller, cost)
            except Refused as refusal:
                reason = refusal.encoded()
            else:
                self._book(who, seller, energy_j, cost)
                missing_j -= max(0, energy_j - unpaid_j)  # the rest is no credit
                bought_j, paid = bought_j + energy_j, paid + cost
        self._named(bought_j, paid, max_price)
        if missing_j:
            reason = reason or Refused("ExchangeInsufficientEnergy", wanted_j - missing_j, wanted_j).encoded()
            self._tell("exchange", "OrderUnfilled", who, missing_j, reason)

    # ------------------------------------------------------------------------------------------------ what it holds

    def pair(self, buyer: str, seller: str) -> Pair:
        """The books of a buyer with a seller."""
        return self.state.pairs.setdefault((buyer, seller), Pair())

    def offer_of(self, seller: str) -> Asked:
        """A seller's offer."""
        return self.state.offers.get(seller) or Asked()

    def available_j(self, seller: str) -> int:
        """What can be bought of a seller now."""
        asked, home = self.offer_of(seller), self.state.homes.get(seller)
        sells = home is not None and home.status == 1 and asked.price and asked.until_s >= self.now_s
        sells = sells and seller not in self.state.frozen
        return min(asked.amount_j, home.surplus_j) if home and sells else 0

    def laws(self) -> None:
        """Hold the whole against itself."""
        state = self.state
        assert sum(state.balances.values()) == self.supply, "no coin appears or disappears"
        assert min(state.balances.values()) >= 0
        sold: dict[str, int] = {}
        for (_, seller), pair in state.pairs.items():
            sold[seller] = sold.get(seller, 0) + pair.bought_j
            assert pair.credit_j == pair.bought_j - pair.drawn_j + pair.unpaid_j
            assert min(pair.credit_j, pair.unpaid_j) == 0
        for account, home in state.homes.items():
            assert home.surplus_j - home.overdrawn_j == home.opening_j + home.produced_j - home.own_j - home.sold_j
            assert min(home.surplus_j, home.overdrawn_j) == 0
            assert home.sold_j == sold.get(account, 0) <= home.opening_j + home.produced_j, "nobody sells what was not made"

    def _member(self, account: str) -> Home:
        home = self.state.homes.get(account)
        if home is None:
            raise Refused("ExchangeNotMember", account)
        if home.status == 2:
            raise Refused("ExchangeSuspended", account)
        return home

    @staticmethod
    def _check_sellers(buyer: str, sellers: Sequence[str], most: int) -> None:
        if not sellers:
            raise Refused("ExchangeNoSeller")
        if len(sellers) > most:
            raise Refused("ExchangeTooManySellers", len(sellers), most)
        if buyer in sellers:
            raise Refused("ExchangeOwnSeller", buyer)


def cost_of(energy_j: int, price: int) -> int:
    """Price an energy, rounded up."""
    return -(-energy_j * price // KWH_J)
