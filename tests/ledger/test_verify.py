"""Who trusts nobody: everything that the contracts answer follows from their events, and a changed number is found."""

from typing import Any

import pytest

from daisee.ledger.coin import UNLIMITED
from daisee.ledger.derive import Derived
from daisee.ledger.exchange import ALL_SURPLUS, Interval, Purchase, StandingOrder
from daisee.ledger.verify import verify
from daisee.units import Coins, Joules, base_units, joules_from_kwh

PRICE = base_units("0.20")


@pytest.fixture
def lived(community: Any) -> Any:
    """A community in which everything has happened once: reports, debts, offers, purchases, orders, freezing, suspension."""
    operator, a, b = community.operator, community.homes["A"], community.homes["B"]
    coin, exchange, do = community.coin, community.exchange, community.do
    do(operator, coin.mint(a.address, base_units(10)))
    do(a, coin.approve(exchange.address, base_units(9)))
    now_s = community.now_s
    do(b, exchange.report(0, [Interval(now_s - 900, joules_from_kwh(5), Joules(7))]))
    do(b, exchange.offer(PRICE, joules_from_kwh(3)))
    do(a, exchange.buy(b.address, joules_from_kwh(1), PRICE))
    do(
        a,
        exchange.report(
            0, [Interval(now_s - 900, Joules(0), Joules(50)), Interval(now_s, Joules(1), Joules(2), {b.address: 4_000_000})]
        ),
    )
    do(b, exchange.offer(PRICE, ALL_SURPLUS, now_s + 100_000))
    do(a, exchange.place_order(StandingOrder(0.3, joules_from_kwh(1), PRICE, (b.address,))))
    do(a, exchange.report(now_s, [Interval(now_s + 1, Joules(0), Joules(0))], state_of_charge=0.2))
    do(a, coin.approve_and_call(exchange.address, UNLIMITED, Purchase([b.address], Joules(77), PRICE).data()))
    do(operator, coin.freeze(b.address))
    do(operator, exchange.suspend(b.address))
    return community


def test_what_is_answered_follows_from_the_events(lived: Any) -> None:
    found = verify(lived.web3, lived.exchange.address)
    assert found.sound, (found.differences, found.against_the_rules)
    assert (found.block, found.events > 30, found.numbers > 40) == (lived.web3.eth.block_number, True, True)


def test_an_order_followed_and_a_purchase_by_approval_are_in_it(lived: Any) -> None:
    a, b = lived.homes["A"], lived.homes["B"]
    credit = lived.exchange.credit(a.address, b.address)
    assert credit.bought_j == 2 * joules_from_kwh(1) + 400_000 + 77, "what was not paid was bought in addition"
    assert lived.coin.frozen(b.address)
    assert lived.exchange.home(b.address).suspended


@pytest.mark.parametrize(
    ("variable", "owners", "add", "told"),
    [
        ("_books", ["A"], 1 << 48, "produced_j of"),
        ("_books", ["B"], 1 << 176, "sold_j of"),
        ("_pairs", ["A", "B"], 1, "bought_j of"),
        ("_pairs", ["B", "A"], 1 << 64, "drawn_j of"),
        ("_offers", ["B"], 1, "offer of"),
    ],
)
def test_one_changed_slot_of_the_exchange_is_found(lived: Any, variable: str, owners: list[str], add: int, told: str) -> None:
    accounts = [lived.homes[owner].address for owner in owners]
    lived.tamper(lived.exchange.address, "EnergyExchange", variable, accounts, add)
    found = verify(lived.web3, lived.exchange.address)
    assert not found.sound
    assert any(difference.what.startswith(told) for difference in found.differences), found.differences


def test_a_list_whose_last_seller_gets_a_base_unit_less_is_by_the_rules(community: Any) -> None:
    operator, a, sellers = community.operator, community.homes["A"], [community.homes["B"], community.homes["C"]]
    community.do(operator, community.coin.mint(a.address, base_units(10)))
    for seller in sellers:
        community.do(seller, community.exchange.report(0, [Interval(community.now_s - 900, Joules(10), Joules(0))]))
        community.do(seller, community.exchange.offer(Coins(1), Joules(1)))
    wanted = Purchase([seller.address for seller in sellers], Joules(2), Coins(1))
    community.do(a, community.coin.approve_and_call(community.exchange.address, Coins(1), wanted.data()))
    assert [community.coin.balance_of(seller.address) for seller in sellers] == [1, 0]
    found = verify(community.web3, community.exchange.address)
    assert found.sound, (found.differences, found.against_the_rules)


def test_a_coin_out_of_nothing_is_found(lived: Any) -> None:
    a = lived.homes["A"].address
    lived.tamper(lived.coin.address, "DaiseeCoin", "_accounts", [a], 1)
    found = verify(lived.web3, lived.exchange.address)
    assert {difference.what for difference in found.differences} == {f"balance of {a}", "sum of balances"}


def test_what_the_rules_forbid_is_said_even_where_the_numbers_agree(lived: Any) -> None:
    books = Derived(lived.coin.address, lived.exchange.address)
    a, b = lived.homes["A"].address, lived.homes["B"].address

    def event(name: str, **facts: Any) -> Any:
        contract = lived.coin.address if name == "Transfer" else lived.exchange.address
        return type("Event", (), {"name": name, "facts": facts, "contract": contract, "block": 7, "transaction": "0x1"})()

    books.enter(
        [
            event("EnergyReported", home=a, until=5, producedJ=1, ownJ=0),
            event("HomeAdmitted", home=b, openingJ=10),
            event("EnergyReported", home=b, until=9, producedJ=0, ownJ=0),
            event("EnergyReported", home=b, until=9, producedJ=0, ownJ=0),
            event("EnergyOffered", seller=b, pricePerKwh=5, amountJ=4, until=2**40 - 1),
            event("EnergyBought", buyer=b, seller=b, energyJ=1, pricePerKwh=5, cost=0),
            event("EnergyBought", buyer=a, seller=b, energyJ=11, pricePerKwh=6, cost=9),
            event("Transfer", **{"from": a, "to": b, "value": 3}),
        ]
    )
    told = " ".join(books.against_the_rules)
    for objection in (
        "never admitted",
        "after having reported",
        "1 J at 5 cost 1, and 0 was told",
        "sold 11 J and had 9 J",
        "asked 5",
        "offered 3 J",
        "11 J at 6 cost 1, and 9 was told",
        "more than it had",
    ):
        assert objection in told
    assert books.balances[b] == 3
