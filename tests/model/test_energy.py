"""Energy from readings: nothing is invented, nothing that was measured is lost."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daisee.model.energy import BELIEVED_AFTER, FORGET_S, PLAUSIBLE_W, Counter, Integrator
from daisee.model.readings import SLOT_S, Flow, Quality, Reading, Span, cut, slot_borders, slot_start
from daisee.units import Joules

T0 = 1_748_736_000.0


def power(at_s: float, power_w: float) -> Reading:
    return Reading(at_s=T0 + at_s, power_w=power_w)


def mean(at_s: float, power_w: float, over_s: float) -> Reading:
    return Reading(at_s=T0 + at_s, power_w=power_w, mean_over_s=over_s)


def counter(at_s: float, forward_j: int, power_w: float | None = None) -> Reading:
    return Reading(at_s=T0 + at_s, forward_j=Joules(forward_j), power_w=power_w)


def counted(*values: tuple[float, int]) -> tuple[list[int | None], Counter]:
    """Answer the energies that a register's values stand for, None where one is not believed, and the register."""
    register = Counter()
    told = [register.advance(value_j, T0 + at_s) for at_s, value_j in values]
    return [None if each is None else each[0] for each in told], register


def flows(integrator: Integrator, *readings: Reading) -> list[Flow]:
    return [flow for reading in readings for flow in integrator.add(reading)]


def test_two_powers_are_joined_by_the_trapezoid() -> None:
    integrator = Integrator(max_gap_s=60)
    assert integrator.add(power(0, 100)) == []
    assert integrator.add(power(8, 200)) == [Flow(T0, T0 + 8, Joules(1200))]


def test_a_power_that_changes_its_direction_counts_both_ways() -> None:
    integrator = Integrator(max_gap_s=60)
    integrator.add(power(0, 100))
    # Through zero after a quarter of the time: triangles of 2 s and of 6 s.
    assert integrator.add(power(8, -300)) == [Flow(T0, T0 + 8, Joules(100), Joules(900))]
    assert integrator.add(power(16, -300)) == [Flow(T0 + 8, T0 + 16, Joules(0), Joules(2400))]


def test_what_a_counter_counted_is_spread_as_power_tells_over_the_readings_that_came_without() -> None:
    integrator = Integrator(max_gap_s=60)
    integrator.add(counter(0, 10_000, 500))
    assert integrator.add(power(10, 500)) == []
    assert integrator.held_since_s == T0
    assert integrator.add(counter(20, 25_000, 1_500)) == [
        Flow(T0, T0 + 10, Joules(5_000)),
        Flow(T0 + 10, T0 + 20, Joules(10_000)),
    ]
    assert integrator.held_since_s is None


def test_a_reading_that_says_nothing_of_energy_is_none() -> None:
    integrator = Integrator(max_gap_s=60)
    integrator.add(power(0, 100))
    assert integrator.add(Reading(at_s=T0 + 4, voltage_v=230.0)) == []
    assert integrator.add(power(8, 100)) == [Flow(T0, T0 + 8, Joules(800))]


def test_a_gap_longer_than_allowed_is_no_energy_and_no_covered_time() -> None:
    integrator = Integrator(max_gap_s=60)
    integrator.add(power(0, 1000))
    assert integrator.add(power(61, 1000)) == []
    assert integrator.add(power(69, 1000)) == [Flow(T0 + 61, T0 + 69, Joules(8000))]


def test_a_gap_exactly_as_long_as_allowed_is_bridged() -> None:
    integrator = Integrator(max_gap_s=60)
    integrator.add(power(0, 1000))
    assert integrator.add(power(60, 1000)) == [Flow(T0, T0 + 60, Joules(60_000))]


def test_a_mean_counts_for_the_time_that_it_is_the_mean_of_even_as_the_first_reading() -> None:
    assert Integrator(max_gap_s=1).add(mean(900, 400, over_s=900)) == [Flow(T0, T0 + 900, Joules(360_000))]


def test_two_means_that_overlap_count_once() -> None:
    integrator = Integrator(max_gap_s=60)
    integrator.add(mean(60, 100, over_s=60))
    assert integrator.add(mean(90, 100, over_s=60)) == [Flow(T0 + 60, T0 + 90, Joules(3000))]


def test_a_reading_that_is_not_after_the_last_one_is_counted_and_is_no_energy() -> None:
    integrator = Integrator(max_gap_s=60)
    integrator.add(power(8, 100))
    assert integrator.add(power(8, 900)) == []
    assert integrator.add(power(0, 900)) == []
    assert integrator.out_of_order == 2


def test_a_counter_counts_across_a_gap_but_the_gap_stays_uncovered() -> None:
    integrator = Integrator(max_gap_s=60)
    integrator.add(counter(0, 10_000))
    assert integrator.add(counter(3600, 25_000)) == [Flow(T0, T0 + 3600, Joules(15_000), covered=False, quality=Quality.SPREAD)]


def test_a_counter_that_dips_and_comes_back_counts_from_where_it_was() -> None:
    energies, register = counted((0, 1_000_000), (10, 950_000), (20, 999_000), (30, 1_000_500))
    assert (energies, register.resets) == ([0, None, None, 500], 0)


def test_a_counter_that_jumped_ahead_for_a_moment_counts_again_when_it_is_beyond_that() -> None:
    ahead = [(10.0 * step, 100_000 + 100 * step) for step in range(6)]
    behind = [(60.0 + 10 * step, 100_700 + 10 * step) for step in range(100)]
    energies, register = counted(*ahead, (60, 101_200), *((at_s + 10, value) for at_s, value in behind))
    assert sum(energy or 0 for energy in energies) == 101_690 - 100_000
    assert register.resets == 0


@pytest.mark.parametrize("anew_j", [300, 950_000, 999_999])
def test_a_counter_that_fell_is_believed_after_a_while_flagged_and_counted_from_there(anew_j: int) -> None:
    steady = [(10.0 * step, anew_j + 500 * step) for step in range(1, BELIEVED_AFTER + 2)]
    energies, register = counted((0, 10**7), *steady)
    assert energies == [0, *[None] * (BELIEVED_AFTER - 1), 500 * (BELIEVED_AFTER - 1), 500]
    assert register.resets == 1
    told = flows(Integrator(max_gap_s=60), counter(0, 10**7, 50), *(counter(at_s, value_j, 50) for at_s, value_j in steady))
    assert [flow.forward_j for flow in told] == [500] * (BELIEVED_AFTER + 1), "of what was before its first value, power tells"
    assert [bool(flow.quality & Quality.RESET) for flow in told] == [True] * BELIEVED_AFTER + [False]


def test_a_counter_that_fell_and_stands_still_may_be_stuck() -> None:
    stuck = [(10.0 * step, 500) for step in range(1, 50)]
    energies, register = counted((0, 1_000_000), *stuck, (500, 1_004_000))
    assert (energies[-1], register.resets) == (4_000, 0)


def test_a_counter_that_is_nothing_for_a_moment_never_began_anew() -> None:
    energies, register = counted((0, 10**10), (10, 0), (20, 0), (30, 10**10 + 6_000), (40, 10**10 + 7_000))
    assert (energies, register.resets) == ([0, None, None, 6_000, 1_000], 0)


def test_a_wild_jump_of_a_counter_is_refused_and_the_next_sane_value_counts() -> None:
    energies, register = counted((0, 1_000_000), (10, 10**12), (20, 1_002_000), (30, 1_003_000))
    assert (energies, register.resets) == ([0, None, 2_000, 1_000], 0)


def test_another_meter_with_a_higher_register_is_believed_after_a_while() -> None:
    beyond = 10**12
    steady = [(10.0 * step, beyond + 1_000 * step) for step in range(1, BELIEVED_AFTER + 2)]
    energies, register = counted((0, 1_000_000), *steady)
    assert energies == [0, *[None] * (BELIEVED_AFTER - 1), 1_000 * (BELIEVED_AFTER - 1), 1_000]
    assert register.resets == 1


def test_wild_values_that_do_not_agree_are_never_believed() -> None:
    energies, register = counted((0, 1_000), *((10.0 * step, 10**12 * step) for step in range(1, 50)), (600, 1_500))
    assert (sum(energy or 0 for energy in energies), register.resets) == (500, 0)


# ------------------------------------------------------------------------------------------- counters that come now and then


def test_a_counter_once_an_hour_is_spread_over_the_hour_as_power_tells() -> None:
    hour = [power(at_s, 500 if at_s <= 1_800 else 1_500) for at_s in range(10, 3_600, 10)]
    told = flows(Integrator(max_gap_s=60), counter(0, 0, 500), *hour, counter(3_600, 3_960_000, 1_500))
    assert sum(flow.forward_j for flow in told) == 3_960_000
    assert len(told) == 360
    assert {round(flow.mean_w, -1) for flow in told} == {550, 1_100, 1_650}, "a tenth more than power tells"
    assert all(flow.covered and flow.quality == Quality.MEASURED for flow in told)


def test_where_nobody_looked_is_what_the_counter_counted_beyond_what_power_tells() -> None:
    looked = [power(at_s, 1_000) for at_s in [*range(10, 601, 10), *range(1_200, 1_800, 10)]]
    told = flows(Integrator(max_gap_s=60), counter(0, 0, 1_000), *looked, counter(1_800, 1_500_000, 1_000))
    (gap,) = (flow for flow in told if not flow.covered)
    assert (gap.start_s - T0, gap.end_s - T0, gap.forward_j, gap.quality) == (600, 1_200, 300_000, Quality.SPREAD)
    assert {flow.forward_j for flow in told if flow.covered} == {10_000}


def test_who_waits_no_longer_for_a_counter_is_told_by_power_and_marked_and_knows_since_when() -> None:
    integrator = Integrator(max_gap_s=60, patience_s=120)
    told = flows(integrator, counter(0, 0, 1_000), *(power(at_s, 1_000) for at_s in range(10, 601, 10)))
    assert sum(flow.forward_j for flow in told) == 600_000
    assert {flow.quality for flow in told} == {Quality.POWER}
    (last,) = integrator.add(counter(610, 700_000, 1_000))
    assert last.forward_j == 10_000
    assert integrator.amiss_since_s == T0, "in hindsight, the counter tells"
    assert integrator.add(counter(620, 712_000, 1_000)) == [Flow(T0 + 610, T0 + 620, Joules(12_000))]


@pytest.mark.parametrize("patience_s", [120.0, FORGET_S])
def test_a_counter_that_stops_for_good_leaves_it_to_power(patience_s: float) -> None:
    integrator = Integrator(max_gap_s=60, patience_s=patience_s)
    told = flows(integrator, counter(0, 0, 1_000), *(power(at_s, 1_000) for at_s in range(60, 2 * 86_400 + 1, 60)))
    assert sum(flow.forward_j for flow in told) == 2 * 86_400_000
    assert (told[0].quality, told[-1].quality) == (Quality.POWER, Quality.MEASURED)
    back = flows(integrator, counter(2 * 86_400 + 60, 10**9, 1_000), counter(2 * 86_400 + 120, 10**9 + 70_000, 1_000))
    assert [flow.forward_j for flow in back] == [60_000, 70_000], "nothing is counted twice"


def test_a_counter_that_speaks_alone_leaves_power_as_it_was() -> None:
    told = flows(Integrator(max_gap_s=60), power(0, 1_500), counter(30, 1_000), counter(60, 50_000), power(70, 1_500))
    assert [flow.forward_j for flow in told] == [45_000, 49_000]


@st.composite
def counters_and_powers(draw: st.DrawFn) -> list[Reading]:
    """Readings of a meter with two counters that only grow, and a power that says what it wants, each when it wants."""
    found, at_s, sums = [], 0.0, [draw(st.integers(0, 10**9)) for _ in range(2)]
    for step_s in draw(st.lists(st.sampled_from([1, 10, 59, 61, 300, 1_800]), min_size=1, max_size=40)):
        at_s += step_s
        sums = [sum_j + draw(st.integers(0, 20_000)) * step_s for sum_j in sums]
        said = [Joules(sum_j) if draw(st.booleans()) else None for sum_j in sums]
        power_w = draw(st.none() | st.floats(-20_000, 20_000))
        found.append(Reading(at_s=T0 + at_s, power_w=power_w, forward_j=said[0], reverse_j=said[1]))
    return found


@given(counters_and_powers())
def test_between_two_values_of_a_counter_is_what_it_counted_whatever_power_says(readings: list[Reading]) -> None:
    integrator = Integrator(max_gap_s=60)
    told = [*flows(integrator, *readings), *integrator.hurry(0.0)]
    assert all(flow.forward_j >= 0 and flow.reverse_j >= 0 and flow.duration_s > 0 for flow in told)
    assert all(one.end_s <= next_one.start_s for one, next_one in pairwise(told))
    for field in ("forward_j", "reverse_j"):
        values = [(each.at_s, getattr(each, field)) for each in readings if getattr(each, field) is not None]
        if values:
            (first_s, first_j), (last_s, last_j) = values[0], values[-1]
            within = [flow for flow in told if flow.start_s >= first_s and flow.end_s <= last_s]
            assert sum(getattr(flow, field) for flow in within) == last_j - first_j


@given(st.lists(st.integers(0, 2**53), max_size=30), st.floats(1, 3600))
def test_a_register_never_gives_more_than_a_home_can_use(values: list[int], step_s: float) -> None:
    energies, _register = counted(*((step_s * number, value) for number, value in enumerate(values)))
    assert all(energy is None or energy >= 0 for energy in energies)
    assert sum(energy or 0 for energy in energies) <= PLAUSIBLE_W * max(step_s, 1.0) * len(values) * 1.001 + 1


@given(st.lists(st.floats(0, 20_000), min_size=2, max_size=200))
def test_rounding_to_joules_does_not_drift(powers: list[float]) -> None:
    integrator = Integrator(max_gap_s=60)
    total_j = 0
    for index, power_w in enumerate(powers):
        total_j += sum(flow.forward_j for flow in integrator.add(power(index * 0.7, power_w)))
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
