"""What the prototype of 2017 let people do, tried again: each attempt is refused by name, and no number moves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from eth_abi.abi import encode
from tests.contracts.ground import (
    ADMIN,
    ADMIN_DELAY_S,
    ANNA,
    BERT,
    CARA,
    HOMES,
    KWH_J,
    NO_END_S,
    PRICE,
    SKEW_S,
    STRANGER,
    SUPPLY,
    UINT64,
    UINT96,
    UINT256,
    Ground,
)
from web3.contract import Contract

from daisee.errors import TransactionReverted
from daisee.ledger.reverts import decode_revert
from daisee.units import Coins, Joules, cost_of


def numbers(ground: Ground) -> list[Any]:
    """Ask for every number that the exchange and the coin hold for anybody here."""
    addresses = [account.address for account in (*HOMES, STRANGER, ADMIN)] + [ground.exchange.address]
    return [ground.ask("market", address, addresses) for address in addresses]


@contextmanager
def refused(ground: Ground, error: str, **facts: object) -> Iterator[None]:
    """See that what is done in here is refused with this error and these facts, and leaves every number as it was."""
    before = numbers(ground)
    with pytest.raises(TransactionReverted) as refusal:
        yield
    assert (refusal.value.error, refusal.value.facts) == (error, facts)
    assert numbers(ground) == before


def price_of(energy_j: int, price: int = PRICE) -> int:
    return cost_of(Joules(energy_j), Coins(price))


# ---------------------------------------------------------------------------- a worthless token, named by the buyer


@pytest.fixture
def worthless(street: Ground) -> Contract:
    """A token that Cara made herself, of which she has any amount; she lets the exchange take nothing that is worth anything."""
    token = street.create("DaiseeCoin", "DaiseeCoin", "DSC", CARA.address, ADMIN_DELAY_S, SUPPLY)
    street.send(CARA, token.functions.approve(street.exchange.address, UINT256))
    street.pay(CARA, "approve", street.exchange.address, 0)
    return token


def test_a_worthless_token_buys_nothing(street: Ground, worthless: Contract) -> None:
    unpaid = {"spender": street.exchange.address.lower(), "allowance": 0, "needed": price_of(100)}
    with refused(street, "ERC20InsufficientAllowance", **unpaid):
        street.do(CARA, "buy", ANNA.address, 100, PRICE)
    assert worthless.functions.balanceOf(CARA.address).call() == SUPPLY


@pytest.mark.parametrize("way", ["approveAndCall", "transferAndCall"])
def test_a_worthless_token_that_comes_as_a_payment_buys_nothing(street: Ground, worthless: Contract, way: str) -> None:
    purchase = encode(["(address[],uint64,uint96,bool)"], [([ANNA.address], 100, UINT96, False)])
    call = worthless.functions[f"{way}(address,uint256,bytes)"](street.exchange.address, SUPPLY, purchase)
    with refused(street, "ExchangeNotTheCoin", caller=worthless.address.lower()):
        street.send(CARA, call)
    assert worthless.functions.balanceOf(CARA.address).call() == SUPPLY


def test_a_coin_that_pays_nothing_buys_nothing(street: Ground) -> None:
    """Even the exchange's own coin is not believed when it answers no, whatever it is asked."""
    says_no = street.web3.eth.contract(abi=[], bytecode="0x600a600c600039600a6000f3600060005260206000f3")
    (receipt,) = street._seal((ADMIN, says_no.constructor()), gas=200_000)
    coin = str(receipt["contractAddress"])
    street.exchange = street.create("EnergyExchange", coin, ADMIN.address, ADMIN_DELAY_S, SKEW_S)
    street.admit(ANNA, opening_j=1_000)
    street.admit(BERT)
    street.do(ANNA, "offer", PRICE, UINT64, NO_END_S)
    with refused(street, "ExchangeInsufficientPayment", paid=0, cost=price_of(10)):
        street.do(BERT, "buy", ANNA.address, 10, PRICE)
    with refused(street, "SafeERC20FailedOperation", token=coin.lower()):
        street.do(BERT, "buyFrom", ([ANNA.address], 10, PRICE, False))
    street.do(BERT, "placeOrder", (1000, 10, PRICE, [ANNA.address]))
    reported, told = street.do(BERT, "reportCharge", 0, street.next_s, 0, 0, [], 0).facts()
    assert (reported[0], told[0], told[1]["missingJ"]) == ("EnergyReported", "OrderUnfilled", 10)
    why = decode_revert(told[1]["reason"])
    assert (why.error, why.facts) == ("ExchangeInsufficientPayment", {"paid": 0, "cost": price_of(10)})
    assert street.credit(BERT, ANNA)["boughtJ"] == 0


# ---------------------------------------------------------------------------- own use that made a counter underflow


def test_own_use_never_underflows_into_energy_to_sell(street: Ground) -> None:
    street.report(ANNA, own_j=10_001)
    assert (street.home(ANNA)["surplusJ"], street.home(ANNA)["overdrawnJ"]) == (0, 1)
    with refused(street, "ExchangeInsufficientEnergy", remainingJ=0, requestedJ=1):
        street.do(BERT, "buy", ANNA.address, 1, PRICE)


def test_nobody_draws_from_itself(street: Ground) -> None:
    """What 2017 subtracted own use from: an allowance of one's own with oneself."""
    with refused(street, "ExchangeOwnSeller", home=ANNA.address.lower()):
        street.report(ANNA, draws={ANNA: 1})


@pytest.mark.parametrize(("produced_j", "own_j"), [(0, 1), (UINT64, 0)])
def test_own_use_and_production_never_run_over(street: Ground, produced_j: int, own_j: int) -> None:
    street.report(ANNA, own_j=UINT64)
    with refused(street, "BooksOverflow"):
        street.report(ANNA, produced_j, own_j)


# ---------------------------------------------------------------------------- energy sold that was never made


def test_nobody_sells_what_was_not_made(street: Ground) -> None:
    street.do(BERT, "buy", ANNA.address, 10_000, PRICE)  # to the last joule
    with refused(street, "ExchangeInsufficientEnergy", remainingJ=0, requestedJ=1):
        street.do(CARA, "buy", ANNA.address, 1, PRICE)
    street.report(ANNA, produced_j=1)
    street.do(CARA, "buy", ANNA.address, 1, PRICE)
    assert street.home(ANNA)["surplusJ"] == 0


def test_an_offer_alone_is_no_energy(street: Ground) -> None:
    street.do(CARA, "offer", PRICE, 1_000 * KWH_J, NO_END_S)
    with refused(street, "ExchangeInsufficientEnergy", remainingJ=0, requestedJ=1):
        street.do(BERT, "buy", CARA.address, 1, PRICE)
    with refused(street, "ExchangeInsufficientEnergy", remainingJ=0, requestedJ=1):
        street.do(BERT, "buyFrom", ([CARA.address], 1, PRICE, True))


# ---------------------------------------------------------------------------- a report that counts twice


def test_a_report_sent_twice_counts_once(street: Ground) -> None:
    until = street.next_s
    street.do(ANNA, "report", 0, until, 700, 300, [])
    with refused(street, "ExchangeReportOutOfOrder", since=0, reportedUntil=until):
        street.do(ANNA, "report", 0, until, 700, 300, [])
    assert street.home(ANNA)["producedJ"] == 700


def test_two_reports_that_overlap_are_not_both_counted(street: Ground) -> None:
    until = street.next_s
    street.do(ANNA, "report", 0, until, 700, 300, [])
    with refused(street, "ExchangeReportOutOfOrder", since=0, reportedUntil=until):
        street.do(ANNA, "report", 0, until + 1, 800, 400, [])
    with refused(street, "ExchangeReportOutOfOrder", since=until - 1, reportedUntil=until):
        street.do(ANNA, "report", until - 1, until + 1, 100, 100, [])
    with refused(street, "ExchangeReportEmpty", until=until, since=until):
        street.do(ANNA, "report", until, until, 100, 100, [])
    street.do(ANNA, "report", until, until + 1, 100, 100, [])
    assert street.home(ANNA)["producedJ"] == 800


# ---------------------------------------------------------------------------- a price above the one that was named


@pytest.fixture
def dearer(street: Ground) -> Ground:
    """Anna asks one base unit more than Bert saw."""
    street.do(ANNA, "offer", PRICE + 1, UINT64, NO_END_S)
    return street


def test_a_buyer_pays_at_most_the_price_it_named(dearer: Ground) -> None:
    with refused(dearer, "ExchangePriceAboveMaximum", pricePerKwh=PRICE + 1, maxPricePerKwh=PRICE):
        dearer.do(BERT, "buy", ANNA.address, 1_000, PRICE)
    with refused(dearer, "ExchangeInsufficientEnergy", remainingJ=0, requestedJ=1_000):
        dearer.do(BERT, "buyFrom", ([ANNA.address], 1_000, PRICE, True))


def test_a_rule_pays_at_most_the_price_it_names(dearer: Ground) -> None:
    dearer.do(BERT, "placeOrder", (300, 1_000, PRICE, [ANNA.address]))
    had = dearer.balance_of(BERT)
    told = dearer.do(BERT, "reportCharge", 0, dearer.next_s, 0, 0, [], 0).facts()
    (unfilled,) = (facts for name, facts in told if name == "OrderUnfilled")
    why = decode_revert(unfilled["reason"])
    assert unfilled["missingJ"] == 1_000
    assert (why.error, why.facts) == ("ExchangeInsufficientEnergy", {"remainingJ": 0, "requestedJ": 1_000})
    assert (dearer.balance_of(BERT), dearer.credit(BERT, ANNA)["boughtJ"]) == (had, 0)
