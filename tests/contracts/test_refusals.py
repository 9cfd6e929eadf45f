"""What the exchange refuses, each by its name and with its facts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.contracts.ground import ADMIN, ANNA, BERT, CARA, DORA, SKEW_S, STRANGER, UINT64, UINT96, UINT256, Ground
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
    ground.do(ANNA, "offer", PRICE, 1_000)
    return ground


def buy(who: Any, seller: str, amount_j: int, max_price: int = PRICE) -> Callable[[Ground], object]:
    return lambda ground: ground.do(who, "buy", seller, amount_j, max_price)


def draw(*draws: tuple[str, int]) -> Callable[[Ground], object]:
    return lambda ground: ground.do(BERT, "report", ground.next_s, 0, 0, draws)


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
        lambda ground: ground.create("EnergyExchange", NOBODY, ADMIN.address, SKEW_S),
    ),
    "an exchange without an operator": (
        "ExchangeZeroAddress",
        {},
        lambda ground: ground.create("EnergyExchange", ground.coin.address, NOBODY, SKEW_S),
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
        lambda ground: ground.do(STRANGER, "offer", PRICE, 1),
    ),
    "a stranger's withdrawal": (
        "ExchangeNotMember",
        {"account": STRANGER.address.lower()},
        lambda ground: ground.do(STRANGER, "withdrawOffer"),
    ),
    "a stranger's purchase": ("ExchangeNotMember", {"account": STRANGER.address.lower()}, buy(STRANGER, ANNA.address, 1)),
    "a purchase from a stranger": ("ExchangeNotMember", {"account": STRANGER.address.lower()}, buy(BERT, STRANGER.address, 1)),
    "a draw from a stranger": ("ExchangeNotMember", {"account": STRANGER.address.lower()}, draw((STRANGER.address, 1))),
    "a report up to the start of time": (
        "ExchangeReportOutOfOrder",
        {"until": 0, "reportedUntil": 0},
        lambda ground: ground.do(ANNA, "report", 0, 0, 0, []),
    ),
    "more draws than one report may have": ("ExchangeTooManyDraws", {"draws": 17, "most": 16}, draw(*[(ANNA.address, 1)] * 17)),
    "a draw from oneself": ("ExchangeOwnSeller", {"home": BERT.address.lower()}, draw((BERT.address, 1))),
    "a purchase from oneself": ("ExchangeOwnSeller", {"home": ANNA.address.lower()}, buy(ANNA, ANNA.address, 1)),
    "an offer for nothing": ("ExchangeZeroPrice", {}, lambda ground: ground.do(ANNA, "offer", 0, 1)),
    "a purchase of nothing": ("ExchangeZeroAmount", {}, buy(BERT, ANNA.address, 0)),
    "a quote of nothing": ("ExchangeZeroAmount", {}, lambda ground: ground.ask("quote", ANNA.address, 0)),
    "a purchase where nothing is offered": ("ExchangeNoOffer", {"seller": CARA.address.lower()}, buy(BERT, CARA.address, 1)),
    "a quote where nothing is offered": (
        "ExchangeNoOffer",
        {"seller": CARA.address.lower()},
        lambda ground: ground.ask("quote", CARA.address, 1),
    ),
    "a withdrawal of no offer": (
        "ExchangeNoOffer",
        {"seller": CARA.address.lower()},
        lambda ground: ground.do(CARA, "withdrawOffer"),
    ),
    "a price above the one named": (
        "ExchangePriceAboveMaximum",
        {"pricePerKwh": PRICE, "maxPricePerKwh": PRICE - 1},
        buy(BERT, ANNA.address, 1, PRICE - 1),
    ),
    "more than was offered": (
        "ExchangeInsufficientEnergy",
        {"remainingJ": 1_000, "requestedJ": 1_001},
        buy(BERT, ANNA.address, 1_001),
    ),
    "a quote of more than was offered": (
        "ExchangeInsufficientEnergy",
        {"remainingJ": 1_000, "requestedJ": 1_001},
        lambda ground: ground.ask("quote", ANNA.address, 1_001),
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
    tested_here = {error for error, _, _ in CASES.values()} | {"ExchangeReportAhead"}  # below, in a story of its own
    of_openzeppelin = {"AccessControlBadConfirmation", "SafeERC20FailedOperation"}
    assert declared - of_openzeppelin <= tested_here


def test_a_report_sent_twice_counts_once(street: Ground) -> None:
    until = street.next_s
    street.do(ANNA, "report", until, 700, 300, [])
    with pytest.raises(TransactionReverted) as refusal:
        street.do(ANNA, "report", until, 700, 300, [])
    assert refusal.value.error == "ExchangeReportOutOfOrder"
    assert refusal.value.facts == {"until": until, "reportedUntil": until}
    assert street.home(ANNA)["producedJ"] == 700


def test_a_report_may_be_ahead_of_its_block_by_the_skew_and_no_more(street: Ground) -> None:
    latest = street.next_s + SKEW_S
    with pytest.raises(TransactionReverted) as refusal:
        street.do(ANNA, "report", latest + 1, 0, 0, [])
    assert refusal.value.error == "ExchangeReportAhead"
    assert refusal.value.facts == {"until": latest + 1, "latest": latest}
    street.do(ANNA, "report", latest, 0, 0, [])
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
        street.do(BERT, "report", street.next_s, 5, 5, [(ANNA.address, 1), (STRANGER.address, 1)])
    assert street.home(BERT)["until"] == 0
    assert street.credit(BERT, ANNA)["drawnJ"] == 0


def test_numbers_beyond_64_bits_are_refused_and_never_wrap(street: Ground) -> None:
    attempts: list[Callable[[], object]] = [
        lambda: street.report(ANNA, produced_j=UINT64),
        lambda: street.report(BERT, draws={ANNA: UINT64}),
    ]
    street.report(BERT, own_j=UINT64, draws={ANNA: 1})
    attempts.append(lambda: street.report(BERT, own_j=1))
    for attempt in attempts:
        with pytest.raises(TransactionReverted) as refusal:
            attempt()
        assert (refusal.value.error, refusal.value.facts) == ("Panic", {"code": 0x11})
