"""The price of an energy is the same number in Solidity and in Python."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.contracts.ground import ANNA, BERT, KWH_J, NO_END_S, UINT64, UINT96, Ground

from daisee.units import Coins, Joules, cost_of

# Numbers that end just before, on, and just after a whole base unit are where rounding goes wrong.
prices = st.one_of(st.integers(1, UINT96), st.integers(1, 10), st.sampled_from([KWH_J - 1, KWH_J, KWH_J + 1, 10**18, UINT96]))
amounts = st.one_of(
    st.integers(1, UINT64),
    st.integers(1, 100),
    st.integers(1, 2**40).map(lambda kwh: kwh * KWH_J),
    st.integers(1, 2**40).map(lambda kwh: kwh * KWH_J + 1),
    st.integers(1, 2**40).map(lambda kwh: kwh * KWH_J - 1),
)


@pytest.fixture(scope="module")
def seller(shared_ground: Ground) -> Ground:
    """Anna has all the energy that there can be."""
    shared_ground.deploy()
    shared_ground.admit(ANNA, opening_j=UINT64)
    shared_ground.admit(BERT)
    return shared_ground


def quoted(ground: Ground, energy_j: int) -> int:
    """What Bert would pay Anna."""
    _, bought_j, cost = ground.ask("quote", BERT.address, ([ANNA.address], energy_j, UINT96, False))
    assert bought_j == energy_j
    return int(cost)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(price=prices, energies=st.lists(amounts, min_size=1, max_size=4))
@example(price=1, energies=[1, KWH_J, KWH_J + 1])
@example(price=UINT96, energies=[UINT64])
def test_the_contract_prices_as_python_does(seller: Ground, price: int, energies: list[int]) -> None:
    seller.do(ANNA, "offer", price, UINT64, NO_END_S)
    for energy_j in energies:
        assert quoted(seller, energy_j) == cost_of(Joules(energy_j), Coins(price))


@pytest.mark.parametrize(
    ("energy_j", "price", "cost"), [(1, 1, 1), (KWH_J, 1, 1), (KWH_J + 1, 1, 2), (KWH_J, 7, 7), (2, KWH_J, 2)]
)
def test_a_fraction_of_a_base_unit_costs_a_whole_one(seller: Ground, energy_j: int, price: int, cost: int) -> None:
    seller.do(ANNA, "offer", price, UINT64, NO_END_S)
    assert quoted(seller, energy_j) == cost
