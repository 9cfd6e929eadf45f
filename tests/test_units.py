"""The conversions, and that none of them loses or invents anything."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daisee.units import (
    JOULES_PER_KWH,
    Coins,
    Joules,
    affordable_j,
    base_units,
    coins,
    cost_of,
    energy_j,
    joules_from_kwh,
)

amounts = st.integers(0, 10**24)


@given(st.integers(0, 10**15), amounts)
def test_a_cost_is_rounded_up_by_less_than_one_base_unit(joules: int, price: int) -> None:
    cost = cost_of(Joules(joules), Coins(price))
    assert 0 <= cost * JOULES_PER_KWH - joules * price < JOULES_PER_KWH


@given(st.integers(0, 10**24), st.integers(1, 10**24))
def test_what_is_affordable_is_within_the_balance_and_one_joule_more_is_not(balance: int, price: int) -> None:
    most = affordable_j(Coins(balance), Coins(price))
    assert cost_of(most, Coins(price)) <= balance < cost_of(Joules(most + 1), Coins(price))


@given(amounts)
def test_base_units_and_coins_are_each_others_inverse(amount: int) -> None:
    assert base_units(coins(amount)) == amount


def test_a_kilowatt_hour_at_a_price_costs_that_price() -> None:
    assert cost_of(Joules(JOULES_PER_KWH), base_units("0.18")) == 18 * 10**16


def test_a_negative_energy_has_no_cost() -> None:
    with pytest.raises(ValueError, match="at least zero"):
        cost_of(Joules(-1), Coins(1))


def test_a_coin_cannot_be_split_further_than_its_decimals() -> None:
    with pytest.raises(ValueError, match="18 decimals"):
        base_units(Decimal("0.0000000000000000001"))


def test_joules_are_rounded_to_the_nearest() -> None:
    assert energy_j(35.0, 16) == 560
    assert energy_j(0.06, 10) == 1
    assert joules_from_kwh("13.5") == 48_600_000
