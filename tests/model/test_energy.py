"""Energy from readings: nothing is invented, nothing that was measured is lost."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daisee.model.energy import Integrator
from daisee.model.readings import SLOT_S, Reading, Span, cut, slot_borders, slot_start
from daisee.units import Joules, Watts

T0 = 1_748_736_000.0


def power(at_s: float, consumption_w: float, production_w: float = 0.0) -> Reading:
    return Reading(at_s=T0 + at_s, consumption_w=Watts(consumption_w), production_w=Watts(production_w))


def mean(at_s: float, consumption_w: float, over_s: float) -> Reading:
    return Reading(at_s=T0 + at_s, consumption_w=Watts(consumption_w), production_w=Watts(0.0), mean_over_s=over_s)


def counter(at_s: float, consumed_j: int) -> Reading:
    return Reading(at_s=T0 + at_s, consumed_counter_j=Joules(consumed_j))


def test_two_powers_are_joined_by_the_trapezoid() -> None:
    integrator = Integrator(max_gap_s=60)
    assert integrator.add(power(0, 100, 300)) is None
    assert integrator.add(power(8, 200, 100)) == Span(T0, T0 + 8, Joules(1200), Joules(1600))


def test_a_gap_longer_than_allowed_is_no_energy_and_no_covered_time() -> None:
    integrator = Integrator(max_gap_s=60)
    integrator.add(power(0, 1000))
    assert integrator.add(power(61, 1000)) is None
    assert integrator.add(power(69, 1000)) == Span(T0 + 61, T0 + 69, Joules(8000), Joules(0))


def test_a_gap_exactly_as_long_as_allowed_is_bridged() -> None:
    integrator = Integrator(max_gap_s=60)
    integrator.add(power(0, 1000))
    assert integrator.add(power(60, 1000)) == Span(T0, T0 + 60, Joules(60_000), Joules(0))


def test_a_mean_counts_for_the_time_that_it_is_the_mean_of_even_as_the_first_reading() -> None:
    assert Integrator(max_gap_s=1).add(mean(900, 400, over_s=900)) == Span(T0, T0 + 900, Joules(360_000), Joules(0))


def test_two_means_that_overlap_count_once() -> None:
    integrator = Integrator(max_gap_s=60)
    integrator.add(mean(60, 100, over_s=60))
    assert integrator.add(mean(90, 100, over_s=60)) == Span(T0 + 60, T0 + 90, Joules(3000), Joules(0))


def test_a_reading_that_is_not_after_the_last_one_is_counted_and_is_no_energy() -> None:
    integrator = Integrator(max_gap_s=60)
    integrator.add(power(8, 100))
    assert integrator.add(power(8, 900)) is None
    assert integrator.add(power(0, 900)) is None
    assert integrator.out_of_order == 2


def test_a_counter_counts_across_a_gap_but_the_gap_stays_uncovered() -> None:
    integrator = Integrator(max_gap_s=60)
    integrator.add(counter(0, 10_000))
    assert integrator.add(counter(3600, 25_000)) == Span(T0, T0 + 3600, Joules(15_000), Joules(0), covered=False)


def test_a_small_dip_of_a_counter_holds_the_high_water_mark() -> None:
    integrator = Integrator(max_gap_s=60)
    for at_s, value in [(0, 1_000_000), (10, 950_000)]:
        integrator.add(counter(at_s, value))
    span = integrator.add(counter(20, 1_000_500))
    assert span is not None
    assert span.consumed_j == 500
    assert integrator.counters["consumed"].resets == 0


def test_a_counter_that_begins_anew_is_flagged_and_counted_from_there() -> None:
    integrator = Integrator(max_gap_s=60)
    for at_s, value in [(0, 1_000_000), (10, 300)]:
        integrator.add(counter(at_s, value))
    span = integrator.add(counter(20, 800))
    assert span is not None
    assert span.consumed_j == 500
    assert integrator.counters["consumed"].resets == 1


def test_a_wild_jump_of_a_counter_is_refused_and_the_next_sane_value_counts() -> None:
    integrator = Integrator(max_gap_s=60)
    for at_s, value in [(0, 1_000_000), (10, 10**12)]:
        integrator.add(counter(at_s, value))
    span = integrator.add(counter(20, 1_002_000))
    assert span is not None
    assert span.consumed_j == 2_000
    assert integrator.counters["consumed"].refused == 1


@given(st.lists(st.floats(0, 20_000), min_size=2, max_size=200))
def test_rounding_to_joules_does_not_drift(powers: list[float]) -> None:
    integrator = Integrator(max_gap_s=60)
    total_j = 0
    for index, power_w in enumerate(powers):
        span = integrator.add(power(index * 0.7, power_w))
        total_j += span.consumed_j if span else 0
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
