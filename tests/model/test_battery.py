"""The battery's physics."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daisee.model.battery import BatteryState, BatteryType

KWH = 3_600_000.0
TYPE = BatteryType("test", 10 * KWH, 0.81, 3_000, 4_000)


def test_what_went_in_comes_out_times_the_round_trip_efficiency() -> None:
    battery = BatteryState(TYPE, 0.0)
    battery.serve(0, 1 * KWH, 3600)
    unserved_j = battery.serve(1 * KWH, 0, 3600)
    assert 1 * KWH - unserved_j == pytest.approx(0.81 * KWH)
    assert battery.stored_j == pytest.approx(0)


def test_the_sun_feeds_the_load_without_passing_the_battery() -> None:
    battery = BatteryState(TYPE, 0.5)
    assert battery.serve(1 * KWH, 1 * KWH, 3600) == 0
    assert battery.state_of_charge == 0.5


def test_power_limits_hold_both_ways() -> None:
    battery = BatteryState(TYPE, 0.5)
    assert battery.serve(5_000 * 60, 0, 60) == pytest.approx(1_000 * 60)
    stored_j = battery.stored_j
    battery.serve(0, 9_000 * 60, 60)
    assert battery.stored_j - stored_j == pytest.approx(3_000 * 60 * 0.9)


def test_a_state_of_charge_beyond_full_is_refused() -> None:
    with pytest.raises(ValueError, match="0 to 1"):
        BatteryState(TYPE, 1.01)


@given(
    st.lists(st.tuples(st.floats(0, 10 * KWH), st.floats(0, 10 * KWH), st.floats(1, 3600)), max_size=30),
    st.floats(0, 1),
)
def test_a_battery_is_never_beyond_empty_or_full_and_makes_no_energy(steps: list[tuple[float, float, float]], soc: float) -> None:
    battery = BatteryState(TYPE, soc)
    opening_j, made_j, given_j = battery.stored_j, 0.0, 0.0
    for load_j, production_j, seconds in steps:
        unserved_j = battery.serve(load_j, production_j, seconds)
        assert 0 <= unserved_j <= load_j
        assert 0 <= battery.stored_j <= TYPE.capacity_j
        made_j += production_j
        given_j += load_j - unserved_j
    assert given_j + battery.stored_j <= opening_j + made_j + 1e-3
