"""What the exchange and the coin do besides the plain story: lists of sellers, payments that buy, rules, suspension, closing."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi.abi import encode
from tests.contracts.ground import (
    ADMIN,
    ANNA,
    BERT,
    CARA,
    DORA,
    NO_END_S,
    PRICE,
    STRANGER,
    UINT64,
    UINT96,
    UINT256,
    UNKNOWN,
    Ground,
    Told,
)

from daisee.errors import TransactionReverted
from daisee.ledger.coin import Coin
from daisee.ledger.reverts import decode_revert
from daisee.units import Address, Coins, Joules, cost_of


@pytest.fixture
def street(ground: Ground) -> Ground:
    """Anna has 10,000 J and asks a price, Cara has 5,000 J and asks twice that; Bert can pay."""
    ground.admit(ANNA, opening_j=10_000)
    ground.admit(CARA, opening_j=5_000)
    ground.admit(BERT, DORA)
    ground.equip(BERT)
    ground.do(ANNA, "offer", PRICE, UINT64, NO_END_S)
    ground.do(CARA, "offer", 2 * PRICE, UINT64, NO_END_S)
    return ground


def purchase(amount_j: int, *sellers: Any, most: int = UINT96, partly: bool = False) -> tuple[list[str], int, int, bool]:
    return [seller.address for seller in sellers], amount_j, most, partly


def data(*arguments: Any, **options: Any) -> bytes:
    return encode(["(address[],uint64,uint96,bool)"], [purchase(*arguments, **options)])


def cost(energy_j: int, price: int = PRICE) -> int:
    return cost_of(Joules(energy_j), Coins(price))


def bought_in(told: Told) -> list[int]:
    """List what was bought by one transaction, purchase by purchase."""
    return [facts["energyJ"] for name, facts in told.facts() if name == "EnergyBought"]


def test_a_list_is_filled_in_order_and_quoted_with_the_same_numbers(street: Ground) -> None:
    wanted = purchase(12_000, ANNA, DORA, CARA)
    fills, bought_j, whole = street.ask("quote", BERT.address, wanted)
    assert [tuple(fill) for fill in fills] == [
        (ANNA.address, 10_000, PRICE, cost(10_000)),
        (DORA.address, 0, 0, 0),
        (CARA.address, 2_000, 2 * PRICE, cost(2_000, 2 * PRICE)),
    ]
    before = street.balance_of(BERT)
    told = street.do(BERT, "buyFrom", wanted)
    assert bought_in(told) == [10_000, 2_000]
    assert (bought_j, before - street.balance_of(BERT)) == (12_000, whole)
    assert (street.balance_of(ANNA), street.balance_of(CARA)) == (cost(10_000), cost(2_000, 2 * PRICE))
    assert street.credit(BERT, CARA)["creditJ"] == 2_000


def test_part_of_it_will_do_only_where_the_buyer_says_so(street: Ground) -> None:
    with pytest.raises(TransactionReverted, match="ExchangeInsufficientEnergy"):
        street.do(BERT, "buyFrom", purchase(12_000, ANNA, CARA, most=PRICE))
    street.do(BERT, "buyFrom", purchase(12_000, ANNA, CARA, most=PRICE, partly=True))
    assert (street.credit(BERT, ANNA)["creditJ"], street.credit(BERT, CARA)["creditJ"]) == (10_000, 0)
    with pytest.raises(TransactionReverted, match="ExchangeInsufficientEnergy"):
        street.do(BERT, "buyFrom", purchase(1, ANNA, most=PRICE, partly=True))


def test_a_seller_named_twice_sells_no_more_than_it_has(street: Ground) -> None:
    wanted = purchase(11_000, ANNA, ANNA, partly=True)
    fills, bought_j, _ = street.ask("quote", BERT.address, wanted)
    assert [tuple(fill)[:2] for fill in fills] == [(ANNA.address, 10_000), (ANNA.address, 0)]
    street.do(BERT, "buyFrom", wanted)
    assert bought_j == street.credit(BERT, ANNA)["boughtJ"] == 10_000


def test_nobody_pays_more_for_a_list_than_for_its_energy_at_the_price_named(street: Ground) -> None:
    street.do(CARA, "offer", PRICE, UINT64, NO_END_S)
    street.do(DORA, "offer", PRICE, UINT64, NO_END_S)
    street.report(DORA, produced_j=100)
    street.do(ANNA, "offer", PRICE, 1, NO_END_S)
    street.do(CARA, "offer", PRICE, 1, NO_END_S)
    named = cost(3)
    assert cost(1) * 3 > named, "three roundings are more than one"
    wanted = purchase(3, ANNA, CARA, DORA, most=PRICE)
    fills, _, whole = street.ask("quote", BERT.address, wanted)
    assert [fill[3] for fill in fills] == [cost(1), cost(2) - cost(1), cost(3) - cost(2)]
    had = street.balance_of(BERT)
    told = street.do(BERT, "buyFrom", wanted)
    assert [facts["cost"] for name, facts in told.facts() if name == "EnergyBought"] == [fill[3] for fill in fills]
    assert had - street.balance_of(BERT) == whole == named
    assert street.balance_of(CARA) == cost(1) - 1, "a base unit less"


def test_who_asks_less_than_the_price_named_gets_its_own_price(street: Ground) -> None:
    for seller in (ANNA, CARA):
        street.do(seller, "offer", PRICE, 1, NO_END_S)
    fills, _, _ = street.ask("quote", BERT.address, purchase(2, ANNA, CARA, most=2 * PRICE))
    assert [fill[3] for fill in fills] == [cost(1), cost(1)]


def test_a_fresh_account_pays_a_list_with_what_it_named(street: Ground) -> None:
    street.do(CARA, "offer", PRICE, UINT64, NO_END_S)
    street.do(ANNA, "offer", PRICE, 1, NO_END_S)
    for function in ("approveAndCall(address,uint256,bytes)", "transferAndCall(address,uint256,bytes)"):
        street.do(ANNA, "offer", PRICE, 1, NO_END_S)
        street.pay(ADMIN, "transfer", DORA.address, cost(2))
        street.pay(DORA, function, street.exchange.address, cost(2), data(2, ANNA, CARA, most=PRICE))
        assert street.balance_of(DORA) == 0


def test_what_an_approval_that_buys_leaves_is_all_that_is_allowed(street: Ground) -> None:
    assert street.coin.functions.allowance(BERT.address, street.exchange.address).call() == UINT256
    street.pay(BERT, "approveAndCall(address,uint256,bytes)", street.exchange.address, cost(100) + 7, data(100, ANNA))
    assert street.coin.functions.allowance(BERT.address, street.exchange.address).call() == 7


@pytest.mark.parametrize("why", ["suspended", "frozen"])
def test_who_cannot_sell_is_passed_over_in_a_list(street: Ground, why: str) -> None:
    if why == "frozen":
        street.pay(ADMIN, "freeze", ANNA.address)
    else:
        street.do(ADMIN, "suspend", ANNA.address)
    assert street.offer_of(ANNA)["availableJ"] == 0
    wanted = purchase(2_000, ANNA, CARA, partly=True)
    fills, bought_j, _ = street.ask("quote", BERT.address, wanted)
    assert ([fill[1] for fill in fills], bought_j) == ([0, 2_000], 2_000)
    assert bought_in(street.do(BERT, "buyFrom", wanted)) == [2_000]


def test_a_frozen_seller_sells_to_nobody_who_names_it_alone(street: Ground) -> None:
    street.pay(ADMIN, "freeze", ANNA.address)
    with pytest.raises(TransactionReverted, match="CoinAccountFrozen"):
        street.do(BERT, "buy", ANNA.address, 1, PRICE)


@pytest.mark.parametrize(
    ("name", "arguments", "error"),
    [
        ("buy", (ANNA.address, 1, PRICE), "ExchangeOfferEnded"),
        ("buyFrom", (purchase(1, ANNA),), "ExchangeInsufficientEnergy"),
    ],
)
def test_an_offer_sells_up_to_its_last_second(street: Ground, name: str, arguments: Any, error: str) -> None:
    street.do(ANNA, "offer", PRICE, UINT64, street.next_s + 1)
    street.do(BERT, name, *arguments)
    with pytest.raises(TransactionReverted, match=error):
        street.do(BERT, name, *arguments)
    assert street.offer_of(ANNA)["availableJ"] == 0
    street.do(ANNA, "offer", PRICE, UINT64, street.next_s)


def test_as_many_sellers_can_be_named_as_there_may_be(street: Ground) -> None:
    street.do(BERT, "buyFrom", purchase(1, *[DORA] * 15, ANNA))
    others = [f"0x{number:040x}" for number in range(1, 8)]
    street.do(BERT, "placeOrder", (1_000, 2, PRICE, [*others, ANNA.address]))
    assert bought_in(report(street, 999)) == [1]
    assert street.credit(BERT, ANNA)["creditJ"] == 2


def test_who_ever_offered_is_listed_page_by_page(street: Ground) -> None:
    street.do(ANNA, "withdrawOffer")
    street.do(DORA, "offer", 7, 7, NO_END_S)
    street.do(ANNA, "offer", 8, 8, NO_END_S)
    assert street.ask("sellerCount") == 3
    sellers = [street.ask("offers", start, 2)[0] for start in (0, 2, 4)]
    assert sellers == [[ANNA.address, CARA.address], [DORA.address], []]
    assert [tuple(state) for state in street.ask("offers", 1, 2)[1]] == [
        tuple(street.offer_of(seller).values()) for seller in (CARA, DORA)
    ]
    homes, states = street.ask("members", 1, UINT256)
    assert homes == [CARA.address, BERT.address, DORA.address]
    assert [tuple(state) for state in states] == [tuple(street.home(home).values()) for home in (CARA, BERT, DORA)]


def test_a_fresh_account_buys_in_one_transaction_by_approving(street: Ground) -> None:
    street.pay(ADMIN, "transfer", DORA.address, 10**18)
    street.pay(DORA, "approveAndCall(address,uint256,bytes)", street.exchange.address, cost(100), data(100, ANNA))
    assert street.credit(DORA, ANNA)["creditJ"] == 100
    assert street.balance_of(ANNA) == cost(100)


def test_a_payment_buys_and_what_is_left_comes_back(street: Ground) -> None:
    street.pay(ADMIN, "transfer", DORA.address, 10**18)
    street.pay(DORA, "transferAndCall(address,uint256,bytes)", street.exchange.address, 10**17, data(100, ANNA))
    assert street.balance_of(DORA) == 10**18 - cost(100)
    pay = ("transferAndCall(address,uint256,bytes)", street.exchange.address, cost(100), data(100, ANNA))
    assert [name for name, _ in street.pay(DORA, *pay).facts()] == ["Transfer", "EnergyBought", "Transfer"], "just enough"
    assert street.coin.functions.balanceOf(street.exchange.address).call() == 0
    with pytest.raises(TransactionReverted, match="ExchangeInsufficientPayment") as refusal:
        street.pay(DORA, "transferAndCall(address,uint256,bytes)", street.exchange.address, cost(100) - 1, data(100, ANNA))
    assert refusal.value.facts == {"paid": cost(100) - 1, "cost": cost(100)}


def test_an_allowance_does_not_let_another_buy_in_ones_name(street: Ground) -> None:
    street.pay(BERT, "approve", STRANGER.address, UINT256)
    arguments = (BERT.address, street.exchange.address, 10**17, data(100, ANNA))
    with pytest.raises(TransactionReverted, match="ExchangeNotThePayer"):
        street.pay(STRANGER, "transferFromAndCall(address,address,uint256,bytes)", *arguments)


def test_a_payment_that_says_nothing_is_not_taken(street: Ground) -> None:
    with pytest.raises(TransactionReverted):
        street.pay(BERT, "transferAndCall(address,uint256)", street.exchange.address, 5)


def test_a_permit_buys_even_if_somebody_handed_it_in_before(street: Ground) -> None:
    street.pay(ADMIN, "transfer", DORA.address, 10**18)
    coin = Coin(street.web3, Address(street.coin.address))
    for handed_in in (False, True):
        permit = coin.permit(DORA, Address(street.exchange.address), Coins(cost(50)), street.next_s + 60)
        signed = (permit.value, permit.deadline_s, permit.v, permit.r, permit.s)
        if handed_in:
            street.pay(STRANGER, "permit", DORA.address, street.exchange.address, *signed)
        street.do(DORA, "buyWithPermit", purchase(50, ANNA), *signed)
    assert street.credit(DORA, ANNA)["creditJ"] == 100


def report(street: Ground, charge: int, own_j: int = 0, draws: Any = ()) -> Any:
    drawn = [(seller.address, energy_j) for seller, energy_j in draws]
    return street.do(BERT, "reportCharge", street.until(BERT), street.next_s, 0, own_j, drawn, charge)


def test_a_rule_buys_below_its_charge_up_to_its_amount(street: Ground) -> None:
    street.do(BERT, "placeOrder", (300, 1_000, PRICE, [CARA.address, ANNA.address]))
    for charge in (300, 1_000, UNKNOWN):
        assert "EnergyBought" not in dict(report(street, charge).facts())
    had = street.balance_of(BERT)
    told = report(street, 299)
    assert bought_in(told) == [1_000], "of Anna: Cara asks more than the rule allows"
    assert "OrderUnfilled" not in dict(told.facts())
    assert (had - street.balance_of(BERT), street.credit(BERT, ANNA)["creditJ"]) == (cost(1_000), 1_000)
    assert bought_in(report(street, 0)) == [], "the credit is there"
    assert bought_in(report(street, 0, draws=[(ANNA, 400)])) == [400]
    street.do(BERT, "buy", ANNA.address, 5_000, PRICE)
    assert bought_in(report(street, 0)) == [], "the credit is more than the rule wants"


def test_a_rule_buys_of_the_next_seller_what_the_first_does_not_have(street: Ground) -> None:
    street.do(BERT, "placeOrder", (300, 12_000, 2 * PRICE, [ANNA.address, CARA.address]))
    told = report(street, 0)
    assert bought_in(told) == [10_000, 2_000]
    assert "OrderUnfilled" not in dict(told.facts())


def test_what_is_unpaid_is_no_credit_of_a_rule_and_is_settled_first(street: Ground) -> None:
    street.report(BERT, draws={ANNA: 5_000})
    street.do(BERT, "placeOrder", (300, 1_000, PRICE, [ANNA.address]))
    told = report(street, 0)
    assert bought_in(told) == [6_000]
    assert "OrderUnfilled" not in dict(told.facts())
    assert street.credit(BERT, ANNA)["creditJ"] == 1_000
    assert bought_in(report(street, 0)) == [], "the credit is there"


def test_a_rule_that_can_only_settle_a_part_says_so_and_asks_the_next(street: Ground) -> None:
    street.report(BERT, draws={ANNA: 12_000})
    street.do(BERT, "placeOrder", (300, 6_000, 2 * PRICE, [ANNA.address, CARA.address]))
    told = report(street, 0)
    assert bought_in(told) == [10_000, 5_000]
    unfilled = dict(told.facts())["OrderUnfilled"]
    reason = decode_revert(unfilled["reason"])
    assert (unfilled["missingJ"], reason.facts) == (1_000, {"remainingJ": 5_000, "requestedJ": 6_000})
    assert street.credit(BERT, ANNA)["unpaidJ"] == 2_000


def test_a_rule_that_has_what_it_wants_settles_nothing_with_the_sellers_after(street: Ground) -> None:
    street.report(BERT, draws={CARA: 100})
    street.do(BERT, "placeOrder", (300, 1_000, 2 * PRICE, [ANNA.address, CARA.address]))
    assert [bought_in(report(street, 0)), bought_in(report(street, 0))] == [[1_000], []]
    assert street.credit(BERT, CARA)["unpaidJ"] == 100


def test_what_is_unpaid_beyond_all_counting_does_not_spoil_a_report(street: Ground) -> None:
    street.report(BERT, draws={ANNA: UINT64})
    street.do(BERT, "placeOrder", (300, UINT64, PRICE, [ANNA.address]))
    assert bought_in(report(street, 0)) == [10_000]


def test_a_rule_pays_no_more_than_its_energy_costs_at_the_price_named(street: Ground) -> None:
    for seller in (ANNA, CARA):
        street.do(seller, "offer", PRICE, 1, NO_END_S)
    street.do(BERT, "placeOrder", (300, 2, PRICE, [ANNA.address, CARA.address]))
    had = street.balance_of(BERT)
    assert bought_in(report(street, 0)) == [1, 1]
    assert had - street.balance_of(BERT) == cost(2) == 2 * cost(1) - 1


def test_a_seller_that_could_not_be_paid_does_not_count_in_what_a_rule_paid(street: Ground) -> None:
    street.do(ANNA, "offer", PRICE, UINT64, NO_END_S)
    street.do(CARA, "offer", PRICE, 1, NO_END_S)
    street.pay(BERT, "approve", street.exchange.address, cost(1))
    street.do(BERT, "placeOrder", (300, 3, PRICE, [ANNA.address, CARA.address]))
    told = report(street, 0)
    assert [facts["cost"] for name, facts in told.facts() if name == "EnergyBought"] == [cost(1)]
    assert dict(told.facts())["OrderUnfilled"]["missingJ"] == 2


def test_a_rule_that_waits_costs_a_report_nothing(street: Ground) -> None:
    report(street, 1_000)
    without = report(street, 1_000).gas
    street.do(BERT, "placeOrder", (300, 1_000, PRICE, [ANNA.address, CARA.address]))
    assert report(street, 1_000).gas - without < 100


def test_a_rule_in_place_of_another_goes_by_its_own_charge(street: Ground) -> None:
    street.do(BERT, "placeOrder", (300, 1_000, PRICE, [ANNA.address]))
    street.do(BERT, "placeOrder", (200, 1_000, PRICE, [ANNA.address]))
    assert street.ask("orderOf", BERT.address)[0] == 200
    assert bought_in(report(street, 200)) == []
    assert bought_in(report(street, 199)) == [1_000]


def test_a_rule_is_told_and_can_be_taken_back(street: Ground) -> None:
    rule = {"belowPermille": 300, "amountJ": 1_000, "maxPricePerKwh": PRICE, "sellers": [CARA.address, ANNA.address]}
    told = street.do(BERT, "placeOrder", tuple(rule.values()))
    ((name, facts),) = told.facts()
    assert (name, {**facts, "sellers": list(facts["sellers"])}) == ("OrderPlaced", {"home": BERT.address, **rule})
    assert list(street.ask("orderOf", BERT.address)) == list(rule.values())
    assert street.do(BERT, "cancelOrder").facts() == [("OrderCancelled", {"home": BERT.address})]
    assert list(street.ask("orderOf", BERT.address)) == [0, 0, 0, []]
    with pytest.raises(TransactionReverted, match="ExchangeNoOrder"):
        street.do(BERT, "cancelOrder")
    assert bought_in(report(street, 0)) == []


def test_a_rule_is_followed_once_after_many_intervals(street: Ground) -> None:
    street.do(BERT, "placeOrder", (300, 1_000, PRICE, [ANNA.address]))
    now = street.next_s
    told = street.do(BERT, "reportMany", 0, [(now - 2, 1, 0, []), (now - 1, 1, 0, []), (now, 0, 1, [(ANNA.address, 10)])], 100)
    assert [name for name, _ in told.facts()].count("EnergyReported") == 3
    assert [name for name, _ in told.facts()].count("EnergyBought") == 1
    assert street.credit(BERT, ANNA) == {"boughtJ": 1_010, "drawnJ": 10, "creditJ": 1_000, "unpaidJ": 0}
    assert (street.home(BERT)["until"], street.home(BERT)["producedJ"], street.home(BERT)["ownJ"]) == (now, 2, 1)


@pytest.mark.parametrize("why", ["no energy", "no allowance", "no coins", "frozen", "seller frozen", "suspended", "closed"])
def test_a_rule_that_cannot_be_filled_says_why_and_never_spoils_the_report(street: Ground, why: str) -> None:
    street.do(BERT, "placeOrder", (300, 20_000 if why == "no energy" else 1_000, PRICE, [ANNA.address]))
    error = "ExchangeInsufficientEnergy"
    remaining_j = 10_000 if why == "no energy" else 0
    if why == "no allowance":
        street.pay(BERT, "approve", street.exchange.address, 5)
        error = "ERC20InsufficientAllowance"
    elif why == "no coins":
        street.pay(BERT, "transfer", STRANGER.address, street.balance_of(BERT))
        error = "ERC20InsufficientBalance"
    elif why == "frozen":
        street.pay(ADMIN, "freeze", BERT.address)
        error = "CoinAccountFrozen"
    elif why == "seller frozen":
        street.pay(ADMIN, "freeze", ANNA.address)
    elif why == "suspended":
        street.do(ADMIN, "suspend", ANNA.address)
    elif why == "closed":
        street.do(ADMIN, "close", 10)
    told = dict(report(street, 100, own_j=7).facts())
    assert street.home(BERT)["ownJ"] == 7
    reason, missing_j = decode_revert(told["OrderUnfilled"]["reason"]), told["OrderUnfilled"]["missingJ"]
    assert (reason.error, missing_j) == (error, 10_000 if why == "no energy" else 1_000)
    if error == "ExchangeInsufficientEnergy":
        assert reason.facts == {"remainingJ": remaining_j, "requestedJ": remaining_j + missing_j}


def test_a_suspended_home_can_do_nothing_and_keeps_what_it_owns(street: Ground) -> None:
    street.do(BERT, "buy", ANNA.address, 100, PRICE)
    before = street.home(ANNA)
    told = street.do(ADMIN, "suspend", ANNA.address)
    assert told.facts() == [("HomeSuspended", {"home": ANNA.address, "operator": ADMIN.address})]
    with pytest.raises(TransactionReverted, match="ExchangeAlreadyMember"):
        street.do(ADMIN, "admit", ANNA.address, 1)
    attempts: list[tuple[Any, str, tuple[Any, ...]]] = [
        (ANNA, "report", (0, street.next_s, 0, 0, [])),
        (ANNA, "offer", (PRICE, 1, NO_END_S)),
        (ANNA, "buy", (CARA.address, 1, UINT96)),
        (ANNA, "buyFrom", (purchase(1, CARA),)),
        (ANNA, "placeOrder", ((1, 1, 1, [CARA.address]),)),
        (BERT, "buy", (ANNA.address, 1, PRICE)),
        (ADMIN, "suspend", (ANNA.address,)),
    ]
    for who, name, arguments in attempts:
        with pytest.raises(TransactionReverted, match="ExchangeSuspended"):
            street.do(who, name, *arguments)
    with pytest.raises(TransactionReverted, match="ExchangeInsufficientEnergy"):
        street.do(BERT, "buyFrom", purchase(1, ANNA))
    street.report(BERT, draws={ANNA: 60})
    street.report(CARA, draws={ANNA: 5})
    assert (street.credit(BERT, ANNA)["creditJ"], street.credit(CARA, ANNA)["unpaidJ"]) == (40, 5)
    assert street.home(ANNA) == {**before, "status": 2}
    told = street.do(ADMIN, "resume", ANNA.address)
    assert told.facts() == [("HomeResumed", {"home": ANNA.address, "operator": ADMIN.address})]
    street.do(BERT, "buy", ANNA.address, 1, PRICE)


def test_closing_ends_purchases_page_by_page_and_lets_credits_be_used(street: Ground) -> None:
    street.do(BERT, "buy", ANNA.address, 100, PRICE)
    street.do(DORA, "offer", PRICE, 1, NO_END_S)
    street.do(DORA, "withdrawOffer")
    assert street.do(ADMIN, "close", 1).facts() == [
        ("OfferWithdrawn", {"seller": ANNA.address}),
        ("PurchasesClosing", {"operator": ADMIN.address, "sellers": 1}),
    ]
    assert not street.ask("closed")
    for name, arguments in (("offer", (PRICE, 1, NO_END_S)), ("placeOrder", ((300, 1, PRICE, [ANNA.address]),))):
        with pytest.raises(TransactionReverted, match="ExchangeClosed"):
            street.do(DORA, name, *arguments)
    assert street.do(ADMIN, "close", 10).facts() == [
        ("OfferWithdrawn", {"seller": CARA.address}),
        ("PurchasesClosing", {"operator": ADMIN.address, "sellers": 3}),
        ("PurchasesClosed", {"operator": ADMIN.address}),
    ]
    assert street.ask("closed")
    for seller in (ANNA, CARA):
        with pytest.raises(TransactionReverted, match="ExchangeNoOffer"):
            street.do(BERT, "buy", seller.address, 1, UINT96)
    with pytest.raises(TransactionReverted, match="ExchangeClosed"):
        street.do(ADMIN, "close", 10)
    street.report(BERT, draws={ANNA: 100})
    assert street.credit(BERT, ANNA)["creditJ"] == 0


def test_an_exchange_in_which_nobody_offered_is_open_until_it_is_closed(ground: Ground) -> None:
    assert not ground.ask("closed")
    ground.do(ADMIN, "close", 0)
    assert ground.ask("closed")


def test_a_frozen_account_neither_sends_nor_receives_and_keeps_its_coins(street: Ground) -> None:
    had = street.balance_of(BERT)
    told = street.pay(ADMIN, "freeze", BERT.address)
    assert told.facts() == [("AccountFrozen", {"account": BERT.address, "freezer": ADMIN.address})]
    attempts: list[tuple[Any, str, tuple[Any, ...]]] = [
        (BERT, "transfer", (ANNA.address, 1)),
        (ADMIN, "transfer", (BERT.address, 1)),
        (ADMIN, "mint", (BERT.address, 1)),
        (ADMIN, "freeze", (BERT.address,)),
    ]
    for who, name, arguments in attempts:
        with pytest.raises(TransactionReverted, match="CoinAccountFrozen"):
            street.pay(who, name, *arguments)
    with pytest.raises(TransactionReverted, match="CoinAccountFrozen"):
        street.do(BERT, "buy", ANNA.address, 1, PRICE)
    assert street.balance_of(BERT) == had
    told = street.pay(ADMIN, "unfreeze", BERT.address)
    assert told.facts() == [("AccountUnfrozen", {"account": BERT.address, "freezer": ADMIN.address})]
    assert street.balance_of(BERT) == had
    street.pay(BERT, "transfer", ANNA.address, 1)
    with pytest.raises(TransactionReverted, match="CoinAccountNotFrozen"):
        street.pay(ADMIN, "unfreeze", BERT.address)
    for name, account in (("freeze", ANNA), ("unfreeze", BERT)):
        with pytest.raises(TransactionReverted, match="AccessControlUnauthorizedAccount"):
            street.pay(BERT, name, account.address)


def test_the_admin_hands_over_in_two_steps_with_a_delay(street: Ground) -> None:
    street.pay(ADMIN, "beginDefaultAdminTransfer", CARA.address)
    with pytest.raises(TransactionReverted, match="AccessControlEnforcedDefaultAdminDelay"):
        street.pay(CARA, "acceptDefaultAdminTransfer")
    street.passes(3_601)
    street.pay(CARA, "acceptDefaultAdminTransfer")
    assert street.coin.functions.defaultAdmin().call() == CARA.address


def test_the_coin_says_which_standards_it_keeps(street: Ground) -> None:
    for interface, kept in (("01ffc9a7", True), ("b0202a11", True), ("ffffffff", False)):
        assert street.coin.functions.supportsInterface(bytes.fromhex(interface)).call() is kept
