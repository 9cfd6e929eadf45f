"""How the exchange lies in storage, as solc says it, and what that makes a report and a purchase cost."""

from __future__ import annotations

from typing import Any

import pytest
from tests.contracts.ground import ANNA, BERT, KWH_J, UINT64, Ground

from daisee.ledger.artifacts import load

PRICE = 3 * 10**17
REPORT_GAS = 31_000
"""At most, for a plain report in the long run; what the size of a community on one chain is worked out from."""
DRAW_REPORT_GAS = 40_000
"""At most, for a report with one draw."""
BUY_AND_DRAW_GAS = 68_000
"""At most, for a purchase, and what the draw that uses it adds to a report."""


def struct(name: str) -> list[tuple[str, int, int, int]]:
    """List a struct's fields: name, slot, first byte in it, bytes."""
    types: dict[str, Any] = load("EnergyExchange").storage_layout["types"]
    (found,) = (each for each in types.values() if each["label"] == f"struct EnergyExchange.{name}")
    return [
        (field["label"], int(field["slot"]), field["offset"], int(types[field["type"]]["numberOfBytes"]))
        for field in found["members"]
    ]


def test_the_books_of_a_home_fit_one_slot() -> None:
    assert struct("Books") == [
        ("status", 0, 0, 1),
        ("until", 0, 1, 5),
        ("madeJ", 0, 6, 8),
        ("ownJ", 0, 14, 8),
        ("soldJ", 0, 22, 8),
    ]


def test_what_a_report_does_not_need_lies_in_another_slot() -> None:
    assert struct("Home") == [("books", 0, 0, 32), ("openingJ", 1, 0, 8)]


def test_a_pair_and_an_offer_fit_one_slot_each() -> None:
    assert struct("Pair") == [("boughtJ", 0, 0, 8), ("drawnJ", 0, 8, 8)]
    assert struct("Offer") == [("pricePerKwh", 0, 0, 12), ("amountJ", 0, 12, 8)]


@pytest.fixture
def street(ground: Ground) -> Ground:
    """Anna and Bert have reported, offered, bought and drawn before: from here on everything is steady."""
    ground.admit(ANNA, BERT, opening_j=10 * KWH_J)
    ground.equip(BERT)
    ground.do(ANNA, "offer", PRICE, UINT64)
    ground.report(ANNA, 31_500, 27_000)
    ground.do(BERT, "buy", ANNA.address, KWH_J, PRICE)
    ground.report(BERT, draws={ANNA: 100_000})
    return ground


def test_reporting_is_as_cheap_as_promised(street: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    report = street.report(ANNA, 31_500, 27_000).gas
    draw = street.report(BERT, draws={ANNA: 100_000}).gas
    empty = street.report(BERT).gas
    buy = street.do(BERT, "buy", ANNA.address, KWH_J, PRICE).gas
    with capsys.disabled():  # figures to be seen each time
        print(f"\ngas: report {report:,}; report with one draw {draw:,}; buy {buy:,}; buy and draw {buy + draw - empty:,}")  # noqa: T201
    assert report <= REPORT_GAS
    assert draw <= DRAW_REPORT_GAS
    assert buy + draw - empty <= BUY_AND_DRAW_GAS
