"""What the exchange refuses, each by its name and with its facts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.contracts.ground import (
    ADMIN,
    ADMIN_DELAY_S,
    ANNA,
    BERT,
    CARA,
    DORA,
    NO_END_S,
    SKEW_S,
    STRANGER,
    UINT64,
    UINT96,
    UINT256,
    UNKNOWN,
    Ground,
)
from web3 import Web3

from daisee.errors import TransactionReverted
from daisee.ledger.artifacts import load

NOBODY = "0x" + "0" * 40
OPERATOR_ROLE = bytes(Web3.keccak(text="OPERATOR_ROLE"))
PRICE = 3 * 10**17

Facts = dict[str, Any]
Case = tuple[str, Facts, Callable[[Ground], object]]


@pytest.fixture
def street(ground: Ground) -> Ground:
    """Anna sells at most 1,000 J of her 5,000; Bert can pay; Cara has no offer; Dora has no coins. None has reported."""
    ground.admit(ANNA, BERT, CARA, DORA, opening_j=5_000)
    ground.equip(BERT)
    ground.do(ANNA, "offer", PRICE, 1_000, NO_END_S)
    return ground


def buy(who: Any, seller: str, amount_j: int, max_price: int = PRICE) -> Callable[[Ground], object]:
    return lambda ground: ground.do(who, "buy", seller, amount_j, max_price)


def buy_from(sellers: list[str], amount_j: int, max_price: int = PRICE) -> Callable[[Ground], object]:
    return lambda ground: ground.do(BERT, "buyFrom", (sellers, amount_j, max_price, False))


def order(below: int, amount_j: int, max_price: int, sellers: list[str]) -> Callable[[Ground], object]:
    return lambda ground: ground.do(BERT, "placeOrder", (below, amount_j, max_price, sellers))


def draw(*draws: tuple[str, int]) -> Callable[[Ground], object]:
    return lambda ground: ground.do(BERT, "report", ground.until(BERT), ground.next_s, 0, 0, draws)


CASES: dict[str, Case] = {
    "a home admitted by another than an operator": (
        "AccessControlUnauthorizedAccount",
        {"account": STRANGER.address.lower(), "neededRole": OPERATOR_ROLE},
        lambda ground: ground.do(STRANGER, "admit", STRANGER.address, 0),
    ),
    "a home that admits itself": (
        "AccessControlUnauthorizedAccount",
        {"account": ANNA.address.lower(), "neededRole": OPERATOR_ROLE},
        lambda ground: ground.do(ANNA, "admit", STRANGER.address, UINT64),
    ),
    "nobody admitted": ("ExchangeZeroAddress", {}, lambda ground: ground.do(ADMIN, "admit", NOBODY, 0)),
    "an exchange without a coin": (
        "ExchangeZeroAddress",
        {},
        lambda ground: ground.create("EnergyExchange", NOBODY, ADMIN.address, ADMIN_DELAY_S, SKEW_S),
    ),
    "an exchange without an operator": (
        "AccessControlInvalidDefaultAdmin",
        {"defaultAdmin": NOBODY},
        lambda ground: ground.create("EnergyExchange", ground.coin.address, NOBODY, ADMIN_DELAY_S, SKEW_S),
    ),
    "a home admitted twice": (
        "ExchangeAlreadyMember",
        {"home": ANNA.address.lower()},
        lambda ground: ground.do(ADMIN, "admit", ANNA.address, 1),
    ),
    "a stranger's report": (
        "ExchangeNotMember",
        {"account": STRANGER.address.lower()},
        lambda ground: ground.report(STRANGER, 1, 0),
    ),
    "a stranger's offer": (
        "ExchangeNotMember",
        {"account": STRANGER.address.lower()},
        lambda ground: ground.do(STRANGER, "offer", PRICE, 1, NO_END_S),
    ),
    "a stranger's withdrawal": (
        "ExchangeNoOffer",
        {"seller": STRANGER.address.lower()},
        lambda ground: ground.do(STRANGER, "withdrawOffer"),
    ),
    "a stranger's purchase": ("ExchangeNotMember", {"account": STRANGER.address.lower()}, buy(STRANGER, ANNA.address, 1)),
    "a purchase from a stranger": ("ExchangeNotMember", {"account": STRANGER.address.lower()}, buy(BERT, STRANGER.address, 1)),
    "a draw from a stranger": ("ExchangeNotMember", {"account": STRANGER.address.lower()}, draw((STRANGER.address, 1))),
    "a report up to the start of time": (
        "ExchangeReportEmpty",
        {"until": 0, "since": 0},
        lambda ground: ground.do(ANNA, "report", 0, 0, 0, 0, []),
    ),
    "a report that leaves a gap": (
        "ExchangeReportOutOfOrder",
        {"since": 1, "reportedUntil": 0},
        lambda ground: ground.do(ANNA, "report", 1, ground.next_s, 0, 0, []),
    ),
    "more draws than one report may have": ("ExchangeTooManyDraws", {"draws": 17, "most": 16}, draw(*[(ANNA.address, 1)] * 17)),
    "a purchase from oneself": ("ExchangeOwnSeller", {"home": ANNA.address.lower()}, buy(ANNA, ANNA.address, 1)),
    "an offer for nothing": ("ExchangeZeroPrice", {}, lambda ground: ground.do(ANNA, "offer", 0, 1, NO_END_S)),
    "a purchase of nothing": ("ExchangeZeroAmount", {}, buy(BERT, ANNA.address, 0)),
    "a purchase of nothing from several": ("ExchangeZeroAmount", {}, buy_from([ANNA.address], 0)),
    "a purchase from nobody": ("ExchangeNoSeller", {}, buy_from([], 1)),
    "a purchase from too many": ("ExchangeTooManySellers", {"sellers": 17, "most": 16}, buy_from([ANNA.address] * 17, 1)),
    "a purchase from several and oneself": (
        "ExchangeOwnSeller",
        {"home": BERT.address.lower()},
        buy_from([ANNA.address, BERT.address], 1),
    ),
    "a stranger's purchase from several": (
        "ExchangeNotMember",
        {"account": STRANGER.address.lower()},
        lambda ground: ground.do(STRANGER, "buyFrom", ([ANNA.address], 1, PRICE, False)),
    ),
    "a quote of nothing": (
        "ExchangeZeroAmount",
        {},
        lambda ground: ground.ask("quote", BERT.address, ([ANNA.address], 0, PRICE, False)),
    ),
    "an offer that has ended already": (
        "ExchangeOfferEnded",
        {"until": 7},
        lambda ground: ground.do(ANNA, "offer", PRICE, 1, 7),
    ),
    "a report of no interval": ("ExchangeNothingReported", {}, lambda ground: ground.do(ANNA, "reportMany", 0, [], UNKNOWN)),
    "a report of more intervals than a day has": (
        "ExchangeTooManyIntervals",
        {"intervals": 97, "most": 96},
        lambda ground: ground.do(ANNA, "reportMany", 0, [(n, 0, 0, []) for n in range(1, 98)], UNKNOWN),
    ),
    "a home suspended by another than an operator": (
        "AccessControlUnauthorizedAccount",
        {"account": STRANGER.address.lower(), "neededRole": OPERATOR_ROLE},
        lambda ground: ground.do(STRANGER, "suspend", ANNA.address),
    ),
    "a home resumed by itself": (
        "AccessControlUnauthorizedAccount",
        {"account": ANNA.address.lower(), "neededRole": OPERATOR_ROLE},
        lambda ground: ground.do(ANNA, "resume", ANNA.address),
    ),
    "an exchange closed by a home": (
        "AccessControlUnauthorizedAccount",
        {"account": ANNA.address.lower(), "neededRole": OPERATOR_ROLE},
        lambda ground: ground.do(ANNA, "close", 9),
    ),
    "a stranger suspended": (
        "ExchangeNotMember",
        {"account": STRANGER.address.lower()},
        lambda ground: ground.do(ADMIN, "suspend", STRANGER.address),
    ),
    "a member resumed": (
        "ExchangeNotSuspended",
        {"home": ANNA.address.lower()},
        lambda ground: ground.do(ADMIN, "resume", ANNA.address),
    ),
    "an order of a charge above full": ("ExchangeChargeAboveFull", {"permille": 1001}, order(1001, 1, PRICE, [ANNA.address])),
    "an order of nothing": ("ExchangeZeroAmount", {}, order(300, 0, PRICE, [ANNA.address])),
    "an order for nothing": ("ExchangeZeroPrice", {}, order(300, 1, 0, [ANNA.address])),
    "an order from nobody": ("ExchangeNoSeller", {}, order(300, 1, PRICE, [])),
    "an order from too many": ("ExchangeTooManySellers", {"sellers": 9, "most": 8}, order(300, 1, PRICE, [ANNA.address] * 9)),
    "an order from oneself": ("ExchangeOwnSeller", {"home": BERT.address.lower()}, order(300, 1, PRICE, [BERT.address])),
    "an order from one seller twice": (
        "ExchangeSellerNamedTwice",
        {"seller": ANNA.address.lower()},
        order(300, 1, PRICE, [ANNA.address, CARA.address, ANNA.address]),
    ),
    "an order taken back where there is none": (
        "ExchangeNoOrder",
        {"home": BERT.address.lower()},
        lambda ground: ground.do(BERT, "cancelOrder"),
    ),
    "a word from another coin about an approval": (
        "ExchangeNotTheCoin",
        {"caller": STRANGER.address.lower()},
        lambda ground: ground.do(STRANGER, "onApprovalReceived", BERT.address, 1, b""),
    ),
    "a word from another coin about a payment": (
        "ExchangeNotTheCoin",
        {"caller": STRANGER.address.lower()},
        lambda ground: ground.do(STRANGER, "onTransferReceived", BERT.address, BERT.address, 1, b""),
    ),
    "a purchase where nothing is offered": ("ExchangeNoOffer", {"seller": CARA.address.lower()}, buy(BERT, CARA.address, 1)),
    "a quote where nothing is offered": (
        "ExchangeNoOffer",
        {"seller": CARA.address.lower()},
        buy(BERT, CARA.address, 1),
    ),
    "a withdrawal of no offer": (
        "ExchangeNoOffer",
        {"seller": CARA.address.lower()},
        lambda ground: ground.do(CARA, "withdrawOffer"),
    ),
    "more than was offered": (
        "ExchangeInsufficientEnergy",
        {"remainingJ": 1_000, "requestedJ": 1_001},
        buy(BERT, ANNA.address, 1_001),
    ),
    "more than was offered by all": (
        "ExchangeInsufficientEnergy",
        {"remainingJ": 1_000, "requestedJ": 1_001},
        buy_from([ANNA.address, CARA.address], 1_001),
    ),
    "a quote of more than was offered": (
        "ExchangeInsufficientEnergy",
        {"remainingJ": 1_000, "requestedJ": 1_001},
        lambda ground: ground.ask("quote", BERT.address, ([ANNA.address], 1_001, PRICE, False)),
    ),
    "a purchase that was not approved": (
        "ERC20InsufficientAllowance",
        {"allowance": 0, "needed": -(-1_000 * PRICE // 3_600_000)},
        buy(DORA, ANNA.address, 1_000),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_exchange_refuses(street: Ground, case: str) -> None:
    error, facts, attempt = CASES[case]
    with pytest.raises(TransactionReverted) as refusal:
        attempt(street)
    assert refusal.value.error == error
    assert {**refusal.value.facts, **facts} == refusal.value.facts


def test_every_error_of_the_exchange_is_tested_here() -> None:
    declared = {entry["name"] for entry in load("EnergyExchange").abi if entry["type"] == "error"}
    told = {"ExchangeReportAhead", "PairOverflow"}  # below, in stories of their own
    of_2017 = {"ExchangePriceAboveMaximum", "BooksOverflow"}  # in test_attacks_of_2017.py
    elsewhere = {"ExchangeSuspended", "ExchangeClosed", "ExchangeInsufficientPayment", "ExchangeNotThePayer"}
    ours = {error for error in declared if error.startswith(("Exchange", "Books", "Pair"))}
    assert ours == {error for error, _, _ in CASES.values() if error.startswith("Exchange")} | told | of_2017 | elsewhere


def test_a_report_may_be_ahead_of_its_block_by_the_skew_and_no_more(street: Ground) -> None:
    latest = street.next_s + SKEW_S
    with pytest.raises(TransactionReverted) as refusal:
        street.do(ANNA, "report", street.until(ANNA), latest + 1, 0, 0, [])
    assert refusal.value.error == "ExchangeReportAhead"
    assert refusal.value.facts == {"until": latest + 1, "latest": latest}
    street.do(ANNA, "report", street.until(ANNA), latest, 0, 0, [])
    assert street.home(ANNA)["until"] == latest


def test_a_purchase_beyond_ones_coins_is_refused_and_leaves_no_trace(street: Ground) -> None:
    street.pay(DORA, "approve", street.exchange.address, UINT256)
    with pytest.raises(TransactionReverted, match="ERC20InsufficientBalance"):
        street.do(DORA, "buy", ANNA.address, 1_000, UINT96)
    assert street.credit(DORA, ANNA)["boughtJ"] == 0
    assert street.home(ANNA)["soldJ"] == 0
    assert street.offer_of(ANNA)["amountJ"] == 1_000


def test_one_bad_draw_refuses_the_whole_report(street: Ground) -> None:
    with pytest.raises(TransactionReverted, match="ExchangeNotMember"):
        street.do(BERT, "report", street.until(BERT), street.next_s, 5, 5, [(ANNA.address, 1), (STRANGER.address, 1)])
    assert street.home(BERT)["until"] == 0
    assert street.credit(BERT, ANNA)["drawnJ"] == 0


def test_draws_beyond_64_bits_are_refused_and_never_wrap(street: Ground) -> None:
    street.report(BERT, draws={ANNA: 1})
    with pytest.raises(TransactionReverted, match="PairOverflow"):
        street.report(BERT, draws={ANNA: UINT64})
    assert street.credit(BERT, ANNA)["drawnJ"] == 1
