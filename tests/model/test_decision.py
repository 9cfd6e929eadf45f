"""The rules of a home, one sentence each, and the laws that no situation breaks."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from daisee.model.attribution import Kind
from daisee.model.decision import OFFER_STEP_J, Action, Buy, Offer, OfferEnergy, Policy, Report, Situation, Switch, decide
from daisee.model.source import GRID, OWN, Source, from_neighbour
from daisee.units import Address, Coins, Joules, base_units, cost_of, joules_from_kwh

B = Address("0x00000000000000000000000000000000000000bB")
C = Address("0x00000000000000000000000000000000000000cC")
NOW = 1_748_800_000.0
KWH = joules_from_kwh(1)

ISLANDED = Policy(
    kind=Kind.ISLANDED, has_grid=False, buys_up_to_per_kwh=base_units("0.30"), buy_below_soc=0.30, resume_above_soc=0.45
)
GRID_TIED = Policy(kind=Kind.GRID_TIED, has_grid=True, buys_up_to_per_kwh=base_units("0.25"))
SELLER = Policy(kind=Kind.GRID_TIED, has_grid=True, sells_at_per_kwh=base_units("0.18"), keep_j=KWH)


def situation(**changes: object) -> Situation:
    usual = Situation(
        now_s=NOW,
        source=OWN,
        measured_at_s=NOW,
        consumption_w=500.0,
        state_of_charge=0.60,
        ledger_at_s=NOW,
        reported_until_s=int(NOW),
        reportable_until_s=int(NOW),
        balance=base_units(10),
        offers=(Offer(B, base_units("0.18"), joules_from_kwh(5)),),
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


def kinds(actions: tuple[Action, ...]) -> list[type]:
    return [type(action) for action in actions]


def test_a_home_with_a_full_battery_does_nothing() -> None:
    assert decide(situation(), ISLANDED) == ()


def test_a_whole_slot_is_reported_once() -> None:
    due = situation(reportable_until_s=int(NOW) + 900)
    assert decide(due, ISLANDED) == (Report(int(NOW) + 900),)
    assert decide(replace(due, in_flight=frozenset({Report})), ISLANDED) == ()


def test_a_low_battery_buys_before_it_switches() -> None:
    assert decide(situation(state_of_charge=0.30), ISLANDED) == (Buy(B, ISLANDED.buy_j, base_units("0.18")),)


def test_a_low_battery_with_credit_switches_to_that_neighbour() -> None:
    actions = decide(situation(state_of_charge=0.30, credit_j={B: KWH}), ISLANDED)
    assert actions == (Switch(from_neighbour(B), "battery at 30%"),)


def test_a_purchase_in_flight_is_not_made_again() -> None:
    assert decide(situation(state_of_charge=0.2, in_flight=frozenset({Buy})), ISLANDED) == ()


def test_credit_that_would_not_last_is_topped_up_before_it_ends() -> None:
    on_b = situation(source=from_neighbour(B), state_of_charge=0.3, credit_j={B: 300_000})
    assert decide(on_b, ISLANDED) == (Buy(B, ISLANDED.buy_j, base_units("0.18")),)


def test_credit_that_ends_and_cannot_be_topped_up_sends_the_home_back_to_its_own_source() -> None:
    on_b = situation(source=from_neighbour(B), state_of_charge=0.3, credit_j={B: 20_000}, offers=(), switched_at_s=NOW - 5)
    assert decide(on_b, ISLANDED) == (Switch(OWN, "credit used up"),)


def test_credit_that_ends_with_one_neighbour_is_followed_by_that_with_another() -> None:
    on_b = situation(source=from_neighbour(B), state_of_charge=0.3, credit_j={B: 0, C: KWH}, offers=())
    assert decide(on_b, ISLANDED) == (Switch(from_neighbour(C), "credit used up"),)


def test_a_recovered_battery_feeds_its_home_again() -> None:
    on_b = situation(source=from_neighbour(B), credit_j={B: KWH})
    assert decide(replace(on_b, state_of_charge=0.44), ISLANDED) == ()
    assert decide(replace(on_b, state_of_charge=0.45), ISLANDED) == (Switch(OWN, "battery at 45%"),)


def test_a_home_does_not_flap() -> None:
    on_b = situation(source=from_neighbour(B), state_of_charge=0.9, credit_j={B: KWH}, switched_at_s=NOW - 599)
    assert decide(on_b, ISLANDED) == ()
    assert kinds(decide(replace(on_b, switched_at_s=NOW - 600), ISLANDED)) == [Switch]


def test_a_battery_that_is_all_but_empty_does_not_wait_to_switch() -> None:
    fresh = situation(credit_j={B: KWH}, switched_at_s=NOW - 10)
    assert decide(replace(fresh, state_of_charge=0.29), ISLANDED) == ()
    assert kinds(decide(replace(fresh, state_of_charge=0.15), ISLANDED)) == [Switch]


def test_an_islanded_home_with_a_grid_takes_it_when_nobody_sells_and_its_battery_is_nearly_empty() -> None:
    policy = replace(ISLANDED, has_grid=True)
    alone = situation(offers=(), state_of_charge=0.2)
    assert decide(alone, policy) == ()
    assert decide(replace(alone, state_of_charge=0.15), policy) == (Switch(GRID, "no credit with a neighbour"),)
    assert decide(replace(alone, source=GRID, state_of_charge=0.4), policy) == ()
    assert decide(replace(alone, source=GRID, state_of_charge=0.45), policy) == (Switch(OWN, "battery at 45%"),)


def test_nobody_is_paid_more_than_the_household_would() -> None:
    dear = situation(state_of_charge=0.2, offers=(Offer(B, base_units("0.31"), KWH),))
    assert decide(dear, ISLANDED) == ()


def test_the_cheapest_neighbour_is_bought_of() -> None:
    offers = (Offer(B, base_units("0.20"), 5 * KWH), Offer(C, base_units("0.19"), 5 * KWH))  # type: ignore[arg-type]
    assert decide(situation(state_of_charge=0.2, offers=offers), ISLANDED) == (Buy(C, ISLANDED.buy_j, base_units("0.19")),)


def test_no_more_is_bought_than_is_offered_or_affordable() -> None:
    scarce = situation(state_of_charge=0.2, offers=(Offer(B, base_units("0.18"), Joules(700_000)),))
    assert decide(scarce, ISLANDED) == (Buy(B, Joules(700_000), base_units("0.18")),)
    poor = situation(state_of_charge=0.2, balance=base_units("0.045"))
    assert decide(poor, ISLANDED) == (Buy(B, Joules(900_000), base_units("0.18")),)
    assert decide(situation(state_of_charge=0.2, balance=Coins(1)), ISLANDED) == ()


def test_a_grid_tied_home_buys_only_what_its_own_sun_does_not_give() -> None:
    tied = situation(source=GRID, state_of_charge=None)
    assert kinds(decide(replace(tied, production_w=490.0), GRID_TIED)) == []
    assert kinds(decide(replace(tied, production_w=100.0), GRID_TIED)) == [Buy]
    assert decide(replace(tied, credit_j={B: KWH}), GRID_TIED) == (Switch(from_neighbour(B), "cheaper than the supplier"),)


def test_a_seller_offers_what_is_above_its_reserve_and_renews_it_as_it_grows() -> None:
    selling = situation(source=GRID, state_of_charge=None, surplus_j=joules_from_kwh(3), offers=())
    renewed = OfferEnergy(base_units("0.18"), joules_from_kwh(2))
    assert decide(selling, SELLER) == (renewed,)
    offered = Offer(C, base_units("0.18"), joules_from_kwh(2))
    assert decide(replace(selling, own_offer=offered), SELLER) == ()
    assert decide(replace(selling, own_offer=replace(offered, price_per_kwh=Coins(5))), SELLER) == (renewed,)
    assert decide(replace(selling, surplus_j=joules_from_kwh("0.5")), SELLER) == ()
    shrunk = replace(selling, own_offer=offered, surplus_j=joules_from_kwh(2))
    assert decide(shrunk, SELLER) == (OfferEnergy(base_units("0.18"), joules_from_kwh(1)),)


def test_a_seller_that_keeps_nothing_offers_all_of_its_surplus_once() -> None:
    policy = replace(SELLER, keep_j=Joules(0))
    selling = situation(source=GRID, state_of_charge=None, surplus_j=KWH, offers=())
    all_of_it = OfferEnergy(base_units("0.18"), None)
    assert decide(replace(selling, surplus_j=Joules(OFFER_STEP_J - 1)), policy) == ()
    assert decide(selling, policy) == (all_of_it,)
    offered = Offer(C, base_units("0.18"), KWH, of_all=True)
    for surplus_j in (Joules(0), KWH, joules_from_kwh(9)):
        assert decide(replace(selling, own_offer=offered, surplus_j=surplus_j), policy) == ()
    assert decide(replace(selling, own_offer=replace(offered, of_all=False)), policy) == (all_of_it,)
    dearer = replace(offered, price_per_kwh=Coins(5), available_j=Joules(0))
    assert decide(replace(selling, own_offer=dearer, surplus_j=Joules(0)), policy) == (all_of_it,), "before there is more to sell"


def test_a_seller_that_begins_to_keep_something_back_offers_no_longer_all() -> None:
    offered = Offer(C, base_units("0.18"), KWH, of_all=True)
    selling = situation(source=GRID, state_of_charge=None, surplus_j=2 * KWH, offers=(), own_offer=offered)
    assert decide(selling, SELLER) == (OfferEnergy(base_units("0.18"), KWH),)


def test_a_relay_that_cannot_be_read_is_not_switched_and_nothing_is_bought_for_it() -> None:
    assert decide(situation(source=None, state_of_charge=0.1), ISLANDED) == ()


def test_a_silent_sensor_leaves_the_home_where_it_is_and_then_sends_it_to_its_safe_source() -> None:
    on_b = situation(source=from_neighbour(B), state_of_charge=0.2, credit_j={B: KWH})
    assert decide(replace(on_b, measured_at_s=NOW - 300), ISLANDED) == ()
    assert decide(replace(on_b, measured_at_s=NOW - 901), ISLANDED) == (Switch(OWN, "no reading"),)
    assert decide(replace(on_b, measured_at_s=None), ISLANDED) == (Switch(OWN, "no reading"),)
    assert decide(replace(on_b, measured_at_s=None, started_at_s=NOW - 300), ISLANDED) == ()


def test_a_silent_ledger_leaves_the_home_where_it_is_and_then_sends_it_to_its_safe_source() -> None:
    on_b = situation(source=from_neighbour(B), state_of_charge=0.2, credit_j={B: KWH})
    assert decide(replace(on_b, ledger_at_s=NOW - 300), ISLANDED) == ()
    assert decide(replace(on_b, ledger_at_s=NOW - 901), ISLANDED) == (Switch(OWN, "the ledger does not answer"),)


sources = st.sampled_from([None, OWN, GRID, from_neighbour(B), from_neighbour(C)])
energies = st.integers(-2 * KWH, 20 * KWH)
situations = st.builds(
    Situation,
    now_s=st.just(NOW),
    source=sources,
    switched_at_s=st.none() | st.floats(NOW - 5000, NOW),
    measured_at_s=st.none() | st.floats(NOW - 5000, NOW),
    consumption_w=st.floats(0, 12_000),
    production_w=st.floats(0, 12_000),
    state_of_charge=st.none() | st.floats(0, 1),
    ledger_at_s=st.none() | st.floats(NOW - 5000, NOW),
    reported_until_s=st.integers(0, int(NOW)),
    reportable_until_s=st.integers(0, int(NOW)),
    surplus_j=st.integers(0, 50 * KWH),
    own_offer=st.none() | st.builds(Offer, st.just(C), st.integers(1, 10**18), st.integers(0, 50 * KWH), st.booleans()),
    balance=st.integers(0, 10**20),
    offers=st.lists(st.builds(Offer, st.sampled_from([B, C]), st.integers(0, 10**18), energies.map(abs)), max_size=3).map(tuple),
    credit_j=st.dictionaries(st.sampled_from([B, C]), energies),
    in_flight=st.frozensets(st.sampled_from([Report, Buy, OfferEnergy])),
)


policies = (ISLANDED, replace(ISLANDED, has_grid=True), GRID_TIED, SELLER, replace(SELLER, keep_j=Joules(0)))


@given(situations, st.sampled_from(policies))
def test_no_situation_makes_a_home_break_its_own_rules(given_: Situation, policy: Policy) -> None:
    actions = decide(given_, policy)
    assert len(set(kinds(actions))) == len(actions), "one action of a kind at most"
    for action in actions:
        assert type(action) not in given_.in_flight
        match action:
            case Buy(seller, amount_j, price):
                offered = [o for o in given_.offers if o.seller == seller and o.price_per_kwh == price]
                assert amount_j > 0
                assert any(amount_j <= offer.available_j for offer in offered)
                assert policy.buys_up_to_per_kwh is not None
                assert price <= policy.buys_up_to_per_kwh
                assert cost_of(amount_j, price) <= given_.balance
            case Switch(source):
                _check_switch(given_, policy, source)
            case OfferEnergy(price, amount_j):
                assert price == policy.sells_at_per_kwh
                assert amount_j == (max(0, given_.surplus_j - policy.keep_j) if policy.keep_j else None)
            case Report(until_s):
                assert until_s > given_.reported_until_s


def _check_switch(given_: Situation, policy: Policy, source: Source) -> None:
    assert source != given_.source
    assert given_.source is not None
    assert source != GRID or policy.has_grid
    assert source != OWN or policy.kind is Kind.ISLANDED
    if source not in (OWN, GRID):
        assert given_.credit_j[Address(source)] > 0
