"""The laws of the exchange, told as stories: what a home has, sells, uses, owes."""

from __future__ import annotations

from itertools import pairwise

import pytest
from tests.contracts.ground import (
    ADMIN,
    ANNA,
    BERT,
    CARA,
    DORA,
    KWH_J,
    NO_END_S,
    PRICE,
    SKEW_S,
    STRANGER,
    UINT64,
    UINT96,
    UINT256,
    UNKNOWN,
    Ground,
)

from daisee.errors import TransactionReverted
from daisee.units import Coins, Joules, cost_of


def test_the_exchange_says_what_it_stands_on(street: Ground) -> None:
    assert street.ask("coin") == street.coin.address
    assert street.ask("skewS") == SKEW_S
    assert street.ask("members", 0, street.ask("memberCount"))[0] == [ANNA.address, BERT.address, CARA.address]


def test_a_stranger_has_empty_books(street: Ground) -> None:
    assert set(street.home(STRANGER).values()) == {0}
    assert set(street.offer_of(STRANGER).values()) == {0}


def test_a_home_is_admitted_with_what_its_battery_holds(street: Ground) -> None:
    told = street.do(ADMIN, "admit", DORA.address, 77)
    assert told.facts() == [("HomeAdmitted", {"home": DORA.address, "openingJ": 77})]
    assert street.home(DORA) == {
        "status": 1,
        "until": 0,
        "openingJ": 77,
        "producedJ": 0,
        "ownJ": 0,
        "soldJ": 0,
        "surplusJ": 77,
        "overdrawnJ": 0,
    }


def test_surplus_is_opening_and_production_less_own_use_and_sales(street: Ground) -> None:
    street.report(ANNA, produced_j=500, own_j=200)
    street.do(BERT, "buy", ANNA.address, 3_000, PRICE)
    told = street.report(ANNA, produced_j=50, own_j=20)
    assert told.facts() == [
        ("EnergyReported", {"home": ANNA.address, "until": street.now_s, "producedJ": 50, "ownJ": 20}),
    ]
    assert street.home(ANNA) == {
        "status": 1,
        "until": street.now_s,
        "openingJ": 10_000,
        "producedJ": 550,
        "ownJ": 220,
        "soldJ": 3_000,
        "surplusJ": 7_330,
        "overdrawnJ": 0,
    }


def test_a_purchase_moves_coins_one_way_and_credit_the_other(street: Ground) -> None:
    before = street.balance_of(BERT)
    told = street.do(BERT, "buy", ANNA.address, 3_000, UINT96)
    cost = cost_of(Joules(3_000), Coins(PRICE))
    bought = {"buyer": BERT.address, "seller": ANNA.address, "energyJ": 3_000, "pricePerKwh": PRICE, "cost": cost}
    assert ("EnergyBought", bought) in told.facts()
    assert (before - street.balance_of(BERT), street.balance_of(ANNA)) == (cost, cost)
    assert street.credit(BERT, ANNA) == {"boughtJ": 3_000, "drawnJ": 0, "creditJ": 3_000, "unpaidJ": 0}
    assert street.credit(CARA, ANNA)["creditJ"] == 0


def test_an_offer_cannot_be_sold_twice(street: Ground) -> None:
    street.do(ANNA, "offer", PRICE, 1_000, NO_END_S)
    street.do(BERT, "buy", ANNA.address, 600, PRICE)
    assert street.offer_of(ANNA) == {"pricePerKwh": PRICE, "amountJ": 400, "until": NO_END_S, "availableJ": 400}
    with pytest.raises(TransactionReverted, match="ExchangeInsufficientEnergy"):
        street.do(CARA, "buy", ANNA.address, 401, PRICE)
    street.do(CARA, "buy", ANNA.address, 400, PRICE)
    assert street.offer_of(ANNA)["availableJ"] == 0


def test_an_offer_is_worth_no_more_than_the_surplus(street: Ground) -> None:
    street.do(ANNA, "offer", PRICE, 20_000, NO_END_S)
    assert street.offer_of(ANNA) == {"pricePerKwh": PRICE, "amountJ": 20_000, "until": NO_END_S, "availableJ": 10_000}
    with pytest.raises(TransactionReverted, match="ExchangeInsufficientEnergy"):
        street.do(BERT, "buy", ANNA.address, 10_001, PRICE)


def test_an_offer_of_all_surplus_grows_with_it(street: Ground) -> None:
    street.do(BERT, "buy", ANNA.address, 4_000, PRICE)
    street.report(ANNA, produced_j=500)
    assert street.offer_of(ANNA) == {"pricePerKwh": PRICE, "amountJ": UINT64, "until": NO_END_S, "availableJ": 6_500}


def test_an_offer_replaces_the_one_before(street: Ground) -> None:
    told = street.do(ANNA, "offer", 5, 9, NO_END_S)
    assert told.facts() == [("EnergyOffered", {"seller": ANNA.address, "pricePerKwh": 5, "amountJ": 9, "until": NO_END_S})]
    assert street.offer_of(ANNA) == {"pricePerKwh": 5, "amountJ": 9, "until": NO_END_S, "availableJ": 9}


def test_an_offer_after_sales_is_of_its_own_amount(street: Ground) -> None:
    street.do(BERT, "buy", ANNA.address, 600, PRICE)
    street.do(ANNA, "offer", PRICE, 900, NO_END_S)
    street.do(BERT, "buy", ANNA.address, 200, PRICE)
    assert street.offer_of(ANNA) == {"pricePerKwh": PRICE, "amountJ": 700, "until": NO_END_S, "availableJ": 700}


def test_the_greatest_amount_that_is_not_all_is_counted_down_too(street: Ground) -> None:
    street.do(BERT, "buy", ANNA.address, 600, PRICE)
    street.do(ANNA, "offer", PRICE, UINT64 - 1, NO_END_S)
    street.do(BERT, "buy", ANNA.address, 2, PRICE)
    assert street.offer_of(ANNA)["amountJ"] == UINT64 - 3


def test_a_withdrawn_offer_is_gone(street: Ground) -> None:
    street.do(BERT, "buy", ANNA.address, 1, PRICE)
    told = street.do(ANNA, "withdrawOffer")
    assert street.offer_of(ANNA) == {"pricePerKwh": 0, "amountJ": 0, "until": 0, "availableJ": 0}
    assert told.facts() == [("OfferWithdrawn", {"seller": ANNA.address})]
    with pytest.raises(TransactionReverted, match="ExchangeNoOffer"):
        street.do(BERT, "buy", ANNA.address, 1, PRICE)


def test_credit_is_used_by_drawing(street: Ground) -> None:
    street.do(BERT, "buy", ANNA.address, 3_000, PRICE)
    told = street.report(BERT, draws={ANNA: 1_200})
    drawn = {"buyer": BERT.address, "seller": ANNA.address, "until": street.now_s, "energyJ": 1_200}
    assert told.facts()[1:] == [("EnergyDrawn", drawn)]
    assert street.credit(BERT, ANNA) == {"boughtJ": 3_000, "drawnJ": 1_200, "creditJ": 1_800, "unpaidJ": 0}


def test_a_draw_changes_nothing_of_the_sellers(street: Ground) -> None:
    street.do(BERT, "buy", ANNA.address, 3_000, PRICE)
    before = street.home(ANNA)
    street.report(BERT, draws={ANNA: 9_000})
    assert street.home(ANNA) == before


def test_a_seller_named_twice_in_one_report_is_drawn_from_twice(street: Ground) -> None:
    street.do(BERT, "report", street.until(BERT), street.next_s, 0, 0, [(ANNA.address, 5), (CARA.address, 1), (ANNA.address, 6)])
    assert street.credit(BERT, ANNA)["drawnJ"] == 11
    assert street.credit(BERT, CARA)["drawnJ"] == 1


def test_a_draw_beyond_the_credit_is_written_down_as_unpaid(street: Ground) -> None:
    street.do(BERT, "buy", ANNA.address, 100, PRICE)
    told = street.report(BERT, draws={ANNA: 130})
    assert told.facts()[-1] == ("EnergyUnpaid", {"buyer": BERT.address, "seller": ANNA.address, "unpaidJ": 30})
    assert street.credit(BERT, ANNA) == {"boughtJ": 100, "drawnJ": 130, "creditJ": 0, "unpaidJ": 30}
    assert "EnergyUnpaid" not in dict(street.report(BERT, draws={ANNA: 0}).facts())  # it did not grow


def test_the_next_purchase_settles_what_is_unpaid_first_and_at_its_price(street: Ground) -> None:
    street.report(BERT, draws={ANNA: 30})
    street.do(ANNA, "offer", 2 * PRICE, UINT64, NO_END_S)
    earned = street.balance_of(ANNA)
    street.do(BERT, "buy", ANNA.address, 20, 2 * PRICE)
    assert street.credit(BERT, ANNA) == {"boughtJ": 20, "drawnJ": 30, "creditJ": 0, "unpaidJ": 10}
    street.do(BERT, "buy", ANNA.address, 20, 2 * PRICE)
    assert street.credit(BERT, ANNA) == {"boughtJ": 40, "drawnJ": 30, "creditJ": 10, "unpaidJ": 0}
    assert street.balance_of(ANNA) - earned == 2 * cost_of(Joules(20), Coins(2 * PRICE))


def test_what_is_unpaid_to_one_seller_is_not_settled_by_buying_from_another(street: Ground) -> None:
    street.do(ADMIN, "admit", DORA.address, 500)
    street.do(DORA, "offer", PRICE, UINT64, NO_END_S)
    street.report(BERT, draws={ANNA: 30})
    street.do(BERT, "buy", DORA.address, 100, PRICE)
    assert street.credit(BERT, ANNA)["unpaidJ"] == 30
    assert street.credit(BERT, DORA)["creditJ"] == 100


def test_use_beyond_what_is_left_is_written_down_as_overdrawn_and_stops_sales(street: Ground) -> None:
    street.do(BERT, "buy", ANNA.address, 9_000, PRICE)
    told = street.report(ANNA, own_j=1_300)
    assert told.facts()[-1] == ("EnergyOverdrawn", {"home": ANNA.address, "overdrawnJ": 300})
    assert street.home(ANNA)["surplusJ"] == 0
    assert street.home(ANNA)["overdrawnJ"] == 300
    assert street.offer_of(ANNA)["availableJ"] == 0
    with pytest.raises(TransactionReverted, match="ExchangeInsufficientEnergy"):
        street.do(CARA, "buy", ANNA.address, 1, PRICE)


def test_later_production_covers_what_was_overdrawn_first(street: Ground) -> None:
    street.report(ANNA, own_j=10_300)
    assert "EnergyOverdrawn" not in dict(street.report(ANNA, produced_j=100).facts())
    assert (street.home(ANNA)["surplusJ"], street.home(ANNA)["overdrawnJ"]) == (0, 200)
    street.report(ANNA, produced_j=250, own_j=10)
    assert (street.home(ANNA)["surplusJ"], street.home(ANNA)["overdrawnJ"]) == (40, 0)
    street.do(BERT, "buy", ANNA.address, 40, PRICE)


def test_overdrawing_further_is_told_each_time(street: Ground) -> None:
    assert "EnergyOverdrawn" not in dict(street.report(ANNA, own_j=10_000).facts())
    street.report(ANNA, own_j=1)
    told = street.report(ANNA, produced_j=4, own_j=6)
    assert told.facts()[-1] == ("EnergyOverdrawn", {"home": ANNA.address, "overdrawnJ": 3})
    assert "EnergyOverdrawn" not in dict(street.report(ANNA, produced_j=5, own_j=5).facts())


def test_a_price_just_at_the_maximum_is_paid(street: Ground) -> None:
    street.do(BERT, "buy", ANNA.address, 1, PRICE)
    assert street.balance_of(ANNA) == cost_of(Joules(1), Coins(PRICE))


def test_the_allowance_is_what_an_exchange_may_take(street: Ground) -> None:
    cost = cost_of(Joules(10), Coins(PRICE))
    street.pay(BERT, "approve", street.exchange.address, 2 * cost - 1)
    told = street.do(BERT, "buy", ANNA.address, 10, PRICE)
    left = {"owner": BERT.address, "spender": street.exchange.address, "value": cost - 1}
    assert ("Approval", left) in told.facts()
    assert ("Transfer", {"from": BERT.address, "to": ANNA.address, "value": cost}) in told.facts()
    with pytest.raises(TransactionReverted) as refusal:
        street.do(BERT, "buy", ANNA.address, 10, PRICE)
    assert refusal.value.error == "ERC20InsufficientAllowance"
    assert refusal.value.facts["allowance"] == cost - 1


def test_the_greatest_numbers_are_kept_exactly(street: Ground) -> None:
    street.do(ADMIN, "admit", DORA.address, UINT64)
    street.do(DORA, "offer", UINT96, UINT64, NO_END_S)
    street.pay(ADMIN, "mint", BERT.address, 2**160)
    before = street.balance_of(BERT)
    street.do(BERT, "buy", DORA.address, UINT64, UINT96)
    assert before - street.balance_of(BERT) == cost_of(Joules(UINT64), Coins(UINT96)) == -(-UINT64 * UINT96 // KWH_J)
    street.report(DORA, own_j=UINT64)
    assert (street.home(DORA)["soldJ"], street.home(DORA)["overdrawnJ"]) == (UINT64, UINT64)
    street.report(BERT, draws={DORA: UINT64})
    assert street.credit(BERT, DORA) == {"boughtJ": UINT64, "drawnJ": UINT64, "creditJ": 0, "unpaidJ": 0}


def test_reports_follow_each_other_and_add_up(street: Ground) -> None:
    untils = []
    for _ in range(3):
        street.report(CARA, produced_j=7, own_j=2)
        untils.append(street.home(CARA)["until"])
        street.passes(900)
    assert all(earlier < later for earlier, later in pairwise(untils))
    assert (street.home(CARA)["producedJ"], street.home(CARA)["ownJ"], street.home(CARA)["surplusJ"]) == (21, 6, 15)


def test_a_day_is_reported_at_once_with_as_many_draws_as_there_may_be(street: Ground) -> None:
    first = street.next_s - 95
    day = [(first + number, 3, 1, [(ANNA.address, 1)] * (16 if number == 95 else 0)) for number in range(96)]
    street.do(BERT, "reportMany", 0, day, UNKNOWN)
    home = street.home(BERT)
    assert (home["until"], home["producedJ"], home["ownJ"], home["surplusJ"]) == (first + 95, 288, 96, 192)
    assert street.credit(BERT, ANNA)["drawnJ"] == 16


def test_the_market_is_all_that_a_home_asks_for_in_one_call(street: Ground) -> None:
    street.do(BERT, "buy", ANNA.address, 100, PRICE)
    sellers = [ANNA, CARA, STRANGER]
    books, balance, allowance, offers, credits = street.ask("market", BERT.address, [seller.address for seller in sellers])
    assert tuple(books) == tuple(street.home(BERT).values())
    assert (balance, allowance) == (street.balance_of(BERT), UINT256)
    assert [tuple(offer) for offer in offers] == [tuple(street.offer_of(seller).values()) for seller in sellers]
    assert [tuple(credit) for credit in credits] == [tuple(street.credit(BERT, seller).values()) for seller in sellers]


def test_an_operator_may_be_another_than_the_admin(street: Ground) -> None:
    street.do(ADMIN, "grantRole", street.ask("OPERATOR_ROLE"), CARA.address)
    street.do(CARA, "admit", DORA.address, 1)
    assert street.home(DORA)["status"] == 1
