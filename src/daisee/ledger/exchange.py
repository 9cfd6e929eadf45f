"""EnergyExchange as a Python object. Energies are joules, prices base units per kWh; names are the contract's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_utils.address import to_checksum_address
from web3 import Web3

from daisee.ledger.contract import Contract
from daisee.ledger.transactions import Call
from daisee.units import Address, Coins, Joules

ALL_SURPLUS = Joules(2**64 - 1)
"""An offer of all that is ever left over."""


@dataclass(frozen=True, slots=True)
class HomeBooks:
    """What the ledger holds for a home."""

    admitted: bool
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
    available_j: Joules
    """What can be bought now: the lesser of that and the seller's surplus."""


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

    def __init__(self, web3: Web3, address: Address) -> None:
        self.address = address
        self._contract = Contract(web3, "EnergyExchange", address)

    def coin(self) -> Address:
        """Answer the one coin that it takes."""
        return Address(to_checksum_address(self._contract.ask("coin")))

    def members(self) -> list[Address]:
        """List the homes that were admitted, in that order."""
        return [
            Address(to_checksum_address(self._contract.ask("memberAt", index)))
            for index in range(self._contract.ask("memberCount"))
        ]

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

    def admit(self, home: Address, opening_j: Joules) -> Call:
        """Make a home a member; for operators."""
        return self._contract.call("admit", [home, opening_j], 250_000)

    def report(self, until_s: int, produced_j: Joules, own_j: Joules, drawn_j: dict[Address, int]) -> Call:
        """Report an interval: what was made, used from oneself, and drawn from each seller."""
        draws = [(seller, energy_j) for seller, energy_j in drawn_j.items() if energy_j]
        return self._contract.call("report", [until_s, produced_j, own_j, draws], 120_000 + 60_000 * len(draws))

    def offer(self, price_per_kwh: Coins, amount_j: Joules) -> Call:
        """Offer energy; replaces the offer before."""
        return self._contract.call("offer", [price_per_kwh, amount_j], 100_000)

    def buy(self, seller: Address, amount_j: Joules, max_price_per_kwh: Coins) -> Call:
        """Buy energy for at most a price."""
        return self._contract.call("buy", [seller, amount_j, max_price_per_kwh], 250_000)


def _home(books: Sequence[Any]) -> HomeBooks:
    status, until_s, *energies = books
    return HomeBooks(bool(status), until_s, *map(Joules, energies))


def _credit(books: Sequence[Any]) -> CreditBooks:
    return CreditBooks(*map(Joules, books))


def _offer(books: Sequence[Any]) -> OfferBooks:
    price, amount_j, available_j = books
    return OfferBooks(Coins(price), Joules(amount_j), Joules(available_j))
