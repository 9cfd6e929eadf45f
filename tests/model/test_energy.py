"""Energy from readings: nothing is invented, nothing that was measured is lost."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daisee.model.energy import BELIEVED_AFTER, PLAUSIBLE_W, Counter, Integrator
from daisee.model.readings import SLOT_S, Flow, Quality, Reading, Span, cut, slot_borders, slot_start
from daisee.units import Joules

T0 = 1_748_736_000.0


def power(at_s: float, power_w: float) -> Reading:
    return Reading(at_s=T0 + at_s, power_w=power_w)


def mean(at_s: float, power_w: float, over_s: float) -> Reading:
    return Reading(at_s=T0 + at_s, power_w=power_w, mean_over_s=over_s)


def counter(at_s: float, forward_j: int, power_w: float | None = None) -> Reading:
    return Reading(at_s=T0 + at_s, forward_j=Joules(forward_j), power_w=power_w)


def counted(*values: tuple[float, int]) -> tuple[list[int], Counter]:
    """Answer the energies that a register's values stand for, and the register."""
    register = Counter()
    return [register.advance(value_j, T0 + at_s)[0] for at_s, value_j in values], register


def test_two_powers_are_joined_by_the_trapezoid() -> None:
    integrator = Integrator(max_gap_s=60)
    assert integrator.add(power(0, 100)) is None
    assert integrator.add(power(8, 200)) == Flow(T0, T0 + 8, Joules(1200))


def test_a_power_that_changes_its_direction_counts_both_ways() -> None:
    integrator = Integrator(max_gap_s=60)
    integrator.add(power(0, 100))
    # Through zero after a quarter of the time: triangles of 2 s and of 6 s.
    assert integrator.add(power(8, -300)) == Flow(T0, T0 + 8, Joules(100), Joules(900))
    assert integrator.add(power(16, -300)) == Flow(T0 + 8, T0 + 16, Joules(0), Joules(2400))


def test_what_has_a_counter_counts_by_it_also_where_a_reading_comes_without() -> None:
    integrator = Integrator(max_gap_s=60)
    integrator.add(counter(0, 10_000, 500))
    without, whole = integrator.add(power(10, 500)), integrator.add(counter(20, 19_000, 500))
    assert without is not None
    assert whole is not None
    assert (without.forward_j, whole.forward_j) == (0, 9_000)


def test_a_reading_that_says_nothing_of_energy_is_none() -> None:
    integrator = Integrator(max_gap_s=60)
    integrator.add(power(0, 100))
    assert integrator.add(Reading(at_s=T0 + 4, voltage_v=230.0)) is None
    assert integrator.add(power(8, 100)) == Flow(T0, T0 + 8, Joules(800))


def test_a_gap_longer_than_allowed_is_no_energy_and_no_covered_time() -> None:
    integrator = Integrator(max_gap_s=60)
    integrator.add(power(0, 1000))
    assert integrator.add(power(61, 1000)) is None
    assert integrator.add(power(69, 1000)) == Flow(T0 + 61, T0 + 69, Joules(8000))


def test_a_gap_exactly_as_long_as_allowed_is_bridged() -> None:
    integrator = Integrator(max_gap_s=60)
    integrator.add(power(0, 1000))
    assert integrator.add(power(60, 1000)) == Flow(T0, T0 + 60, Joules(60_000))


def test_a_mean_counts_for_the_time_that_it_is_the_mean_of_even_as_the_first_reading() -> None:
    assert Integrator(max_gap_s=1).add(mean(900, 400, over_s=900)) == Flow(T0, T0 + 900, Joules(360_000))


def test_two_means_that_overlap_count_once() -> None:
    integrator = Integrator(max_gap_s=60)
    integrator.add(mean(60, 100, over_s=60))
    assert integrator.add(mean(90, 100, over_s=60)) == Flow(T0 + 60, T0 + 90, Joules(3000))


def test_a_reading_that_is_not_after_the_last_one_is_counted_and_is_no_energy() -> None:
    integrator = Integrator(max_gap_s=60)
    integrator.add(power(8, 100))
    assert integrator.add(power(8, 900)) is None
    assert integrator.add(power(0, 900)) is None
    assert integrator.out_of_order == 2


def test_a_counter_counts_across_a_gap_but_the_gap_stays_uncovered() -> None:
    integrator = Integrator(max_gap_s=60)
    integrator.add(counter(0, 10_000))
    assert integrator.add(counter(3600, 25_000)) == Flow(T0, T0 + 3600, Joules(15_000), covered=False, quality=Quality.SPREAD)


def test_a_small_dip_of_a_counter_holds_the_high_water_mark() -> None:
    energies, register = counted((0, 1_000_000), (10, 950_000), (20, 999_000), (30, 1_000_500))
    assert (energies, register.dips, register.resets) == ([0, 0, 0, 500], 2, 0)


def test_a_counter_that_begins_anew_is_flagged_and_counted_from_there() -> None:
    energies, register = counted((0, 1_000_000), (10, 300), (20, 800), (30, 1_300))
    assert (energies, register.resets) == ([0, 0, 500, 500], 1)
    integrator = Integrator(max_gap_s=60)
    integrator.add(counter(0, 1_000_000))
    flow = integrator.add(counter(10, 300))
    assert flow is not None
    assert flow.quality == Quality.RESET


def test_a_counter_that_is_nothing_for_a_moment_never_began_anew() -> None:
    energies, register = counted((0, 10**10), (10, 0), (20, 0), (30, 10**10 + 6_000), (40, 10**10 + 7_000))
    assert energies == [0, 0, 0, 6_000, 1_000]
    assert register.refused == 0


def test_a_wild_jump_of_a_counter_is_refused_and_the_next_sane_value_counts() -> None:
    energies, register = counted((0, 1_000_000), (10, 10**12), (20, 1_002_000), (30, 1_003_000))
    assert (energies, register.refused, register.resets) == ([0, 0, 2_000, 1_000], 1, 0)


def test_another_meter_with_a_higher_register_is_believed_after_a_while() -> None:
    beyond = 10**12
    steady = [(10.0 * step, beyond + 1_000 * step) for step in range(1, BELIEVED_AFTER + 2)]
    energies, register = counted((0, 1_000_000), *steady)
    assert energies == [0, *[0] * (BELIEVED_AFTER - 1), 1_000 * (BELIEVED_AFTER - 1), 1_000]
    assert register.resets == 1


def test_wild_values_that_do_not_agree_are_never_believed() -> None:
    energies, register = counted((0, 1_000), *((10.0 * step, 10**12 * step) for step in range(1, 50)), (600, 1_500))
    assert (sum(energies), register.resets) == (500, 0)


@given(st.lists(st.integers(0, 2**53), max_size=30), st.floats(1, 3600))
def test_a_register_never_gives_more_than_a_home_can_use(values: list[int], step_s: float) -> None:
    energies, _register = counted(*((step_s * number, value) for number, value in enumerate(values)))
    assert all(energy >= 0 for energy in energies)
    assert sum(energies) <= PLAUSIBLE_W * max(step_s, 1.0) * len(values) * 1.001 + 1


@given(st.lists(st.floats(0, 20_000), min_size=2, max_size=200))
def test_rounding_to_joules_does_not_drift(powers: list[float]) -> None:
    integrator = Integrator(max_gap_s=60)
    total_j = 0
    for index, power_w in enumerate(powers):
        span = integrator.add(power(index * 0.7, power_w))
        total_j += span.forward_j if span else 0
    exact_j = sum((a + b) / 2 * 0.7 for a, b in pairwise(powers))
    assert total_j == pytest.approx(exact_j, abs=0.51 + exact_j * 1e-6)


@given(
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.floats(1, 7200),
    st.lists(st.floats(-10, 7300), max_size=8),
)
def test_the_pieces_of_a_span_add_up_to_it(consumed: int, produced: int, length_s: float, cuts: list[float]) -> None:
    span = Span(T0, T0 + length_s, Joules(consumed), Joules(produced))
    pieces = cut(span, [T0 + moment for moment in cuts])
    assert sum(piece.consumed_j for piece in pieces) == consumed
    assert sum(piece.produced_j for piece in pieces) == produced
    assert [piece.end_s for piece in pieces[:-1]] == [piece.start_s for piece in pieces[1:]]
    assert (pieces[0].start_s, pieces[-1].end_s) == (span.start_s, span.end_s)
    assert all(piece.consumed_j >= 0 and piece.produced_j >= 0 for piece in pieces)


def test_slots_begin_on_the_quarter_of_the_hour() -> None:
    assert slot_start(T0 + SLOT_S) == T0 + SLOT_S
    assert slot_start(T0 + SLOT_S - 0.001) == T0
    assert slot_borders(T0 + 1, T0 + 2 * SLOT_S) == [T0 + SLOT_S]
    assert slot_borders(T0, T0 + SLOT_S) == []
