"""EnergyExchange as a Python object. Energies are joules, prices base units per kWh; names are the contract's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from eth_abi.abi import encode
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from web3 import Web3
from web3.types import BlockIdentifier

from daisee.errors import UsageError
from daisee.ledger.coin import Permit
from daisee.ledger.contract import Contract
from daisee.ledger.transactions import Call
from daisee.units import Address, Coins, Joules

Books = TypeVar("Books")

ALL_SURPLUS = Joules(2**64 - 1)
"""An offer of all that is ever left over."""
NO_END_S = 2**40 - 1
"""The end of an offer that holds until it is withdrawn."""
UNKNOWN_CHARGE = 2**16 - 1
"""What stands for a state of charge that nobody knows."""
PAGE = 50
"""How many homes are asked for at once."""
MOST_DRAWS = 16
"""In one interval, as the contract has it."""
MOST_INTERVALS = 96
"""In one report."""
MOST_SELLERS = 16
"""In one purchase."""
MOST_ORDER_SELLERS = 8
"""In one standing order."""
MOST_GAS = 5_900_000
"""Of one transaction: a block of our networks has 6,000,000."""
GRANT_GAS = 120_000
"""For making an account an operator."""
OPERATOR_ROLE = keccak(text="OPERATOR_ROLE")


@dataclass(frozen=True, slots=True)
class HomeBooks:
    """What the ledger holds for a home."""

    admitted: bool
    suspended: bool
    """Whether an operator has stopped it from reporting, offering and buying."""
    until_s: int
    """How far it has reported, Unix seconds."""
    opening_j: Joules
    """What its battery held at admission."""
    produced_j: Joules
    own_j: Joules
    """Reported as drawn from itself."""
    sold_j: Joules
    surplus_j: Joules
    """What it may still sell, at least zero."""
    overdrawn_j: Joules
    """What it used and sold beyond what it had; at least zero, and zero while there is surplus."""


@dataclass(frozen=True, slots=True)
class CreditBooks:
    """What the ledger holds for a buyer with a seller: `credit_j == bought_j - drawn_j + unpaid_j`."""

    bought_j: Joules
    drawn_j: Joules
    credit_j: Joules
    unpaid_j: Joules


@dataclass(frozen=True, slots=True)
class OfferBooks:
    """What a seller asks; a price of zero says that there is no offer."""

    price_per_kwh: Coins
    amount_j: Joules
    """What is left of what was offered; `ALL_SURPLUS` for no limit."""
    until_s: int
    """The last second of the offer; `NO_END_S` for one that holds until it is withdrawn."""
    available_j: Joules
    """What can be bought now: the lesser of that and the seller's surplus."""


@dataclass(frozen=True, slots=True)
class Interval:
    """What a home reports of a stretch of time."""

    until_s: int
    """Its end, Unix seconds; it begins where the one before ended."""
    produced_j: Joules
    own_j: Joules
    drawn_j: Mapping[Address, int] = field(default_factory=dict)
    """Joules drawn, by seller."""


@dataclass(frozen=True, slots=True)
class Purchase:
    """What a buyer wants."""

    sellers: Sequence[Address]
    """In the order in which they are asked."""
    amount_j: Joules
    max_price_per_kwh: Coins
    partly: bool = False
    """Whether less than the amount will do."""

    def abi(self) -> tuple[list[Address], int, int, bool]:
        """Answer it as the contract takes it."""
        return list(self.sellers), self.amount_j, self.max_price_per_kwh, self.partly

    def data(self) -> bytes:
        """Answer it as the coin's `approveAndCall` and `transferAndCall` carry it."""
        return encode(["(address[],uint64,uint96,bool)"], [self.abi()])


@dataclass(frozen=True, slots=True)
class Fill:
    """What was, or would be, bought of one seller."""

    seller: Address
    energy_j: Joules
    price_per_kwh: Coins
    cost: Coins


@dataclass(frozen=True, slots=True)
class Quote:
    """What a purchase would become, of one block."""

    fills: tuple[Fill, ...]
    """Of those who would sell, in order."""
    bought_j: Joules
    cost: Coins


@dataclass(frozen=True, slots=True)
class StandingOrder:
    """What a home buys by itself: below a state of charge, until its credit with these sellers is an amount together."""

    below: float
    """A state of charge, 0 to 1; the ledger keeps it to a tenth of a percent."""
    amount_j: Joules
    max_price_per_kwh: Coins
    sellers: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class Market:
    """All that a home asks the ledger for, in one call and of one block."""

    home: HomeBooks
    balance: Coins
    allowance: Coins
    """What the exchange may take of it."""
    offers: dict[Address, OfferBooks]
    credits: dict[Address, CreditBooks]


class Exchange:
    """The exchange at an address."""

    def __init__(self, web3: Web3, address: Address, at: BlockIdentifier = "latest") -> None:
        """Stand for the contract at an address, its books as of a block."""
        self.address = address
        self._contract = Contract(web3, "EnergyExchange", address, at)

    def coin(self) -> Address:
        """Answer the one coin that it takes."""
        return Address(to_checksum_address(self._contract.ask("coin")))

    def skew_s(self) -> int:
        """Answer how far a report may be ahead of its block, in seconds."""
        return int(self._contract.ask("skewS"))

    def closed(self) -> bool:
        """Tell whether there are no purchases any more."""
        return bool(self._contract.ask("closed"))

    def homes(self) -> dict[Address, HomeBooks]:
        """Map the homes that were admitted, in that order, to their books; a page at a time."""
        return dict(self._pages("members", self._contract.ask("memberCount"), _home))

    def offers(self) -> dict[Address, OfferBooks]:
        """Map who ever offered, in that order, to what they ask now; a page at a time."""
        return dict(self._pages("offers", self._contract.ask("sellerCount"), _offer))

    def _pages(self, view: str, count: int, read: Callable[[Sequence[Any]], Books]) -> Iterator[tuple[Address, Books]]:
        for start in range(0, count, PAGE):
            accounts, books = self._contract.ask(view, start, PAGE)
            for account, each in zip(accounts, books, strict=True):
                yield Address(to_checksum_address(account)), read(each)

    def home(self, home: Address) -> HomeBooks:
        """Answer a home's books."""
        return _home(self._contract.ask("home", home))

    def credit(self, buyer: Address, seller: Address) -> CreditBooks:
        """Answer the books of a buyer with a seller."""
        return _credit(self._contract.ask("credit", buyer, seller))

    def offer_of(self, seller: Address) -> OfferBooks:
        """Answer a seller's offer."""
        return _offer(self._contract.ask("offerOf", seller))

    def market(self, home: Address, sellers: Sequence[Address]) -> Market:
        """Answer all that a home needs to decide, from one block."""
        books, balance, allowance, offers, credits = self._contract.ask("market", home, list(sellers))
        return Market(
            home=_home(books),
            balance=Coins(balance),
            allowance=Coins(allowance),
            offers={seller: _offer(offer) for seller, offer in zip(sellers, offers, strict=True)},
            credits={seller: _credit(credit) for seller, credit in zip(sellers, credits, strict=True)},
        )

    def quote(self, buyer: Address, purchase: Purchase) -> Quote:
        """Answer what `buy_from` would do now; TransactionReverted says why it would be refused."""
        fills, bought_j, cost = self._contract.ask("quote", buyer, purchase.abi())
        real = (Fill(Address(to_checksum_address(f[0])), Joules(f[1]), Coins(f[2]), Coins(f[3])) for f in fills if f[1])
        return Quote(tuple(real), Joules(bought_j), Coins(cost))

    def order_of(self, home: Address) -> StandingOrder | None:
        """Answer a home's rule; None where it has left none."""
        below, amount_j, price, sellers = self._contract.ask("orderOf", home)
        if not sellers:
            return None
        addresses = tuple(Address(to_checksum_address(seller)) for seller in sellers)
        return StandingOrder(below / 1000, Joules(amount_j), Coins(price), addresses)

    def admit(self, home: Address, opening_j: Joules) -> Call:
        """Make a home a member; for operators."""
        return self._contract.call("admit", [home, opening_j], 250_000)

    def suspend(self, home: Address) -> Call:
        """Stop a home from reporting, offering and buying; for operators."""
        return self._contract.call("suspend", [home], 100_000)

    def resume(self, home: Address) -> Call:
        """Let a suspended home go on; for operators."""
        return self._contract.call("resume", [home], 100_000)

    def close(self, most: int = 400) -> Call:
        """End all purchases, taking back up to so many sellers' offers; for operators. Again, until `closed`."""
        return self._contract.call("close", [most], 150_000 + 12_000 * most)

    def grant_operator(self, account: Address) -> Call:
        """Make an account an operator; for the admin."""
        return self._contract.call("grantRole", [OPERATOR_ROLE, account], GRANT_GAS)

    def report(self, since_s: int, intervals: Sequence[Interval], state_of_charge: float | None = None) -> Call:
        """Report what followed `since_s`, which is how far the home has reported (zero at first), an interval after the other.

        With a state of charge, 0 to 1, the home's standing order is followed. UsageError where it is more than fits into a block.
        """
        charge = UNKNOWN_CHARGE if state_of_charge is None else round(state_of_charge * 1000)
        drawn = sum(len(each.drawn_j) for each in intervals)
        sellers = {seller for each in intervals for seller in each.drawn_j}
        # Some 40 % more than it takes: the first draw of a seller writes a slot that was empty, the others find it warm.
        gas = 120_000 + 10_000 * len(intervals) + 7_000 * drawn + 50_000 * len(sellers)
        gas += 0 if state_of_charge is None else 150_000 * MOST_ORDER_SELLERS
        if gas > MOST_GAS:
            much = f"{len(intervals)} intervals with {drawn} draws"
            raise UsageError(f"{much} do not fit into a block; report them in parts, the oldest first")
        if len(intervals) != 1:
            return self._contract.call("reportMany", [since_s, [_interval(each) for each in intervals], charge], gas)
        (interval,) = map(_interval, intervals)
        if state_of_charge is None:
            return self._contract.call("report", [since_s, *interval], gas)
        return self._contract.call("reportCharge", [since_s, *interval, charge], gas)

    def offer(self, price_per_kwh: Coins, amount_j: Joules, until_s: int = NO_END_S) -> Call:
        """Offer energy; replaces the offer before."""
        return self._contract.call("offer", [price_per_kwh, amount_j, until_s], 150_000)

    def withdraw(self) -> Call:
        """Offer no more."""
        return self._contract.call("withdrawOffer", [], 80_000)

    def buy(self, seller: Address, amount_j: Joules, max_price_per_kwh: Coins) -> Call:
        """Buy energy of one seller, all or nothing, for at most a price."""
        return self._contract.call("buy", [seller, amount_j, max_price_per_kwh], 250_000)

    def buy_from(self, purchase: Purchase) -> Call:
        """Buy energy of several sellers."""
        return self._contract.call("buyFrom", [purchase.abi()], 100_000 + 150_000 * len(purchase.sellers))

    def buy_with_permit(self, purchase: Purchase, permit: Permit) -> Call:
        """Buy energy with coins that a signed permit lets the exchange take."""
        arguments = [purchase.abi(), permit.value, permit.deadline_s, permit.v, permit.r, permit.s]
        return self._contract.call("buyWithPermit", arguments, 250_000 + 150_000 * len(purchase.sellers))

    def place_order(self, order: StandingOrder) -> Call:
        """Leave a rule, in place of the one before."""
        rule = (round(order.below * 1000), order.amount_j, order.max_price_per_kwh, list(order.sellers))
        return self._contract.call("placeOrder", [rule], 150_000 + 30_000 * len(order.sellers))

    def cancel_order(self) -> Call:
        """Take the rule back."""
        return self._contract.call("cancelOrder", [], 150_000)


def _home(books: Sequence[Any]) -> HomeBooks:
    status, until_s, *energies = books
    return HomeBooks(status != 0, status == 2, until_s, *map(Joules, energies))


def _credit(books: Sequence[Any]) -> CreditBooks:
    return CreditBooks(*map(Joules, books))


def _offer(books: Sequence[Any]) -> OfferBooks:
    price, amount_j, until_s, available_j = books
    return OfferBooks(Coins(price), Joules(amount_j), until_s, Joules(available_j))


def _interval(interval: Interval) -> tuple[int, int, int, list[tuple[Address, int]]]:
    draws = [(seller, energy_j) for seller, energy_j in interval.drawn_j.items() if energy_j]
    return interval.until_s, interval.produced_j, interval.own_j, draws
