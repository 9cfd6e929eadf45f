"""What the rules forbid is said, even where the numbers agree: a story that is in order, and things that are not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from eth_typing import HexStr

from daisee.ledger.derive import ADMIN_ROLE, Derived
from daisee.ledger.events import LedgerEvent
from daisee.ledger.exchange import ALL_SURPLUS, NO_END_S
from daisee.units import Address

COIN, EXCHANGE = Address("0xC0"), Address("0xEC")
A, B, C, X = "A", "B", "C", "X"
NOBODY = "0x" + "0" * 40
BLOCK_S = 1_000
"""A block's number times this is its time."""
OF_THE_COIN = ("Transfer", "Approval", "AccountFrozen")


def event(name: str, **facts: Any) -> LedgerEvent:
    return LedgerEvent(name, facts, COIN if name in OF_THE_COIN else EXCHANGE, 7, HexStr(""), 0)


def moved(sender: str, receiver: str, value: int) -> LedgerEvent:
    return event("Transfer", **{"from": sender, "to": receiver, "value": value})


def bought(buyer: str = A, seller: str = B, energy_j: int = 360, price: int = 10_001, cost: int = 2) -> LedgerEvent:
    return event("EnergyBought", buyer=buyer, seller=seller, energyJ=energy_j, pricePerKwh=price, cost=cost)


def offered(seller: str, **other: int) -> LedgerEvent:
    return event("EnergyOffered", seller=seller, **{"pricePerKwh": 10_001, "amountJ": ALL_SURPLUS, "until": NO_END_S, **other})


def ordered(home: str, *sellers: str, **other: int) -> LedgerEvent:
    facts = {"belowPermille": 300, "amountJ": 1, "maxPricePerKwh": 1, **other}
    return event("OrderPlaced", home=home, sellers=list(sellers), **facts)


BEGINNING = [
    *(event("HomeAdmitted", home=home, openingJ=2_000) for home in (A, B, C)),
    moved(NOBODY, A, 100),
    offered(B),
    offered(C, amountJ=900, until=8 * BLOCK_S),
]
SUSPENDED = {home: event("HomeSuspended", home=home, operator=A) for home in (A, B)}
CLOSED = [
    event("OfferWithdrawn", seller=B),
    event("PurchasesClosing", operator=A, sellers=1),
    event("OfferWithdrawn", seller=C),
    event("PurchasesClosing", operator=A, sellers=2),
    event("PurchasesClosed", operator=A),
]


def objections(*transactions: list[LedgerEvent]) -> list[str]:
    books = Derived(COIN, EXCHANGE, lambda number: number * BLOCK_S)
    for place, events in enumerate([BEGINNING, *transactions]):
        books.enter(replace(each, transaction=HexStr(str(place))) for each in events)
    return [told.split(": ", 1)[1] for told in books.against_the_rules]


def test_what_is_in_order_is_not_objected_to() -> None:
    told = objections(
        [event("EnergyReported", home=B, until=6, producedJ=1_000, ownJ=0), bought(), moved(A, B, 2)],
        # By the coin: sent to the exchange, which pays and gives back what is left.
        [moved(A, EXCHANGE, 9), bought(), moved(EXCHANGE, B, 2), bought(seller=C), moved(EXCHANGE, C, 2), moved(EXCHANGE, A, 5)],
        [moved(A, EXCHANGE, 2), moved(A, EXCHANGE, 2), bought(), moved(EXCHANGE, B, 2), bought(), moved(EXCHANGE, B, 2)],
        # By an order: paid first.
        [event("EnergyReported", home=A, until=5, producedJ=1, ownJ=0), moved(A, B, 2), bought()],
        # All sellers of a list get together what their energy together costs at the buyer's price.
        [bought(), moved(A, B, 2), bought(seller=C, cost=1), moved(A, C, 1)],
        [bought(energy_j=1, cost=1), moved(A, B, 1), bought(seller=C, energy_j=1, cost=0)],
        [event("EnergyDrawn", buyer=A, seller=B, until=5, energyJ=4)],
        [ordered(A, *"BCDEFGHI"), event("OrderCancelled", home=A)],
        [SUSPENDED[B], event("HomeResumed", home=B, operator=A)],
        [event("AccountFrozen", account=NOBODY), moved(NOBODY, A, 1)],
        CLOSED,
    )
    assert told == []


def test_nobody_looks_at_ends_who_knows_no_times() -> None:
    books = Derived(COIN, EXCHANGE)
    books.enter([*BEGINNING, offered(C, until=1)])
    assert books.against_the_rules == []


@pytest.mark.parametrize(
    ("told", "transactions"),
    [
        ("A bought for 2 base units of B, and did not pay them", [[bought()]]),
        ("A bought for 2 base units of B, and did not pay them", [[bought()], [moved(A, B, 2)]]),
        ("A bought for 2 base units of B, and did not pay them", [[bought(), moved(A, B, 1), moved(A, B, 1)]]),
        ("A bought for 2 base units of B, and did not pay them", [[bought(), moved(A, C, 2)]]),
        ("A bought for 2 base units of B, and did not pay them", [[bought(), moved(B, A, 2), bought(), moved(A, B, 2)]]),
        ("A bought for 2 base units of B, and did not pay them", [[moved(A, EXCHANGE, 1), bought(), moved(EXCHANGE, B, 2)]]),
        (
            "A bought for 2 base units of B, and did not pay them",
            [[moved(A, EXCHANGE, 4), bought(), bought(), moved(EXCHANGE, B, 2)]],
        ),
        (
            "A bought for 2 base units of C, and did not pay them",
            [[moved(A, EXCHANGE, 3), bought(), moved(EXCHANGE, B, 2), bought(seller=C), moved(EXCHANGE, C, 2)]],
        ),
        ("360 J at 10001 cost 2, and 1 was told", [[bought(cost=1), moved(A, B, 1)]]),
        ("360 J at 10001 cost 2, and 3 was told", [[bought(), moved(A, B, 2), bought(seller=C, cost=3), moved(A, C, 3)]]),
        ("360 J at 10001 cost 2, and 0 was told", [[bought(), moved(A, B, 2), bought(seller=C, cost=0)]]),
        ("360 J at 10001 cost 2, and 1 was told", [[bought(), moved(A, B, 2), bought(C, B, cost=1), moved(C, B, 1)]]),
        ("A bought without being a member", [[SUSPENDED[A]], [bought(), moved(A, B, 2)]]),
        ("EnergyBought of X, which was never admitted", [[moved(A, X, 9), bought(X), moved(X, B, 2)]]),
        ("B sold without being a member", [[SUSPENDED[B]], [bought(), moved(A, B, 2)]]),
        ("A bought of itself", [[offered(A)], [bought(seller=A), moved(A, A, 2)]]),
        ("C offered 900 J and sold 901 J", [[bought(seller=C, energy_j=901, cost=3), moved(A, C, 3)]]),
        ("B sold 2001 J and had 2000 J", [[bought(energy_j=2_001, cost=6), moved(A, B, 6)]]),
        ("B asked 10001 and was paid at 9999", [[bought(price=9_999, cost=1), moved(A, B, 1)]]),
        ("A bought of C, whose offer had ended at 6999", [[offered(C, until=6_999)], [bought(seller=C), moved(A, C, 2)]]),
        ("C offered until 6999, which was over", [[offered(C, until=6_999)]]),
        ("X offered without being a member", [[offered(X)]]),
        ("B offered without being a member", [[SUSPENDED[B]], [offered(B)]]),
        ("B offered for nothing", [[offered(B, pricePerKwh=0)]]),
        ("B offered after the exchange was closed", [CLOSED, [offered(B)]]),
        ("A bought after the exchange was closed", [CLOSED, [bought(), moved(A, B, 2)]]),
        ("B offered after the exchange was closed", [CLOSED[:2], [offered(B)]]),
        ("A left an order after the exchange was closed", [CLOSED[:2], [ordered(A, B)]]),
        ("closed while there were offers", [CLOSED[2:]]),
        ("closed for 3 of 2 sellers, after 1 before", [[*CLOSED[:3], event("PurchasesClosing", operator=A, sellers=3)]]),
        ("closed for 0 of 2 sellers, after 1 before", [[*CLOSED[:3], event("PurchasesClosing", operator=A, sellers=0)]]),
        ("closed with 1 of 2 sellers looked at", [[*CLOSED[:3], CLOSED[4]]]),
        ("closed twice", [CLOSED, CLOSED[3:4]]),
        ("A took an offer back and had made none", [[event("OfferWithdrawn", seller=A)]]),
        ("A left an order with 9 sellers", [[ordered(A, *"BCDEFGHIJ")]]),
        ("A left an order with 0 sellers", [[ordered(A)]]),
        ("A left an order to buy of itself", [[ordered(A, A)]]),
        ("A left an order that orders nothing", [[ordered(A, B, belowPermille=1_001)]]),
        ("A left an order that orders nothing", [[ordered(A, B, amountJ=0)]]),
        ("A left an order that orders nothing", [[ordered(A, B, maxPricePerKwh=0)]]),
        ("X left an order without being a member", [[ordered(X, B)]]),
        ("A took an order back and had left none", [[event("OrderCancelled", home=A)]]),
        ("A reported without being a member", [[SUSPENDED[A]], [event("EnergyReported", home=A, until=1, producedJ=0, ownJ=0)]]),
        ("A drew without being a member", [[SUSPENDED[A]], [event("EnergyDrawn", buyer=A, seller=B, until=1, energyJ=1)]]),
        (
            "A reported up to 5 after having reported up to 5",
            [[event("EnergyReported", home=A, until=5, producedJ=0, ownJ=0)] * 2],
        ),
        ("A overdrew -2000 J, and 1 J were told", [[event("EnergyOverdrawn", home=A, overdrawnJ=1)]]),
        ("0 J are unpaid, and 1 J were told", [[event("EnergyUnpaid", buyer=A, seller=B, unpaidJ=1)]]),
        ("A drew from itself", [[event("EnergyDrawn", buyer=A, seller=A, until=1, energyJ=1)]]),
        ("EnergyDrawn of X, which was never admitted", [[event("EnergyDrawn", buyer=A, seller=X, until=1, energyJ=1)]]),
        ("A was suspended without being a member", [[SUSPENDED[A]], [SUSPENDED[A]]]),
        ("A was resumed and had not been suspended", [[event("HomeResumed", home=A, operator=B)]]),
        ("A was admitted twice", [[event("HomeAdmitted", home=A, openingJ=1)]]),
        ("A sent 1 base units more than it had", [[moved(A, B, 101)]]),
        ("coins of or to A moved while it was frozen", [[event("AccountFrozen", account=A)], [moved(A, B, 1)]]),
        (
            f"X became admin of {EXCHANGE} and had not been named",
            [[event("RoleGranted", role=ADMIN_ROLE, account=account)] for account in (A, X)],
        ),
    ],
)
def test_what_is_forbidden_is_objected_to(told: str, transactions: list[list[LedgerEvent]]) -> None:
    assert told in objections(*transactions)
