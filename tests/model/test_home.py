"""A home from its meters: grid + sun - battery is what it uses, to the joule, whenever each of them speaks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daisee.model.home import HomeMeters, Role
from daisee.model.readings import Flow, Quality, Span
from daisee.units import Joules

T0 = 1_748_736_000.0
SOLAR = {"meter": Role.GRID, "roof": Role.PRODUCTION, "box": Role.BATTERY, "fridge": Role.SUB_LOAD}


def flow(start_s: float, end_s: float, forward_j: int, reverse_j: int = 0, **more: object) -> Flow:
    return Flow(T0 + start_s, T0 + end_s, Joules(forward_j), Joules(reverse_j), **more)  # type: ignore[arg-type]


def test_one_meter_of_the_load_is_the_home() -> None:
    home = HomeMeters({"all": Role.LOAD}, hold_s=60)
    assert home.add("all", flow(0, 8, 800)) == [Span(T0, T0 + 8, Joules(800), Joules(0))]
    assert home.until_s == T0 + 8


def test_what_is_used_is_grid_and_sun_less_what_the_battery_takes() -> None:
    home = HomeMeters(SOLAR, hold_s=60)
    assert home.add("meter", flow(0, 10, 100, 40)) == []
    assert home.add("roof", flow(0, 10, 1000)) == []
    assert home.add("fridge", flow(0, 10, 70)) == [], "it is a part of what is used already"
    assert home.add("box", flow(0, 10, 300, 20)) == [
        Span(T0, T0 + 10, Joules(100 - 40 + 1000 - 300 + 20), Joules(1000), imported_j=Joules(100), exported_j=Joules(40))
    ]


def test_meters_that_speak_at_different_moments_are_cut_to_fit() -> None:
    home = HomeMeters({"meter": Role.GRID, "roof": Role.PRODUCTION}, hold_s=60)
    home.add("meter", flow(0, 10, 1000))
    (first,) = home.add("roof", flow(0, 4, 400))
    assert (first.start_s, first.end_s, first.consumed_j, first.imported_j) == (T0, T0 + 4, 400 + 400, 400)
    (second,) = home.add("roof", flow(4, 12, 800))
    assert (second.end_s, second.consumed_j, second.covered) == (T0 + 10, 600 + 600, True)


def test_a_silent_meter_is_waited_for_and_then_given_up_and_its_time_is_not_covered() -> None:
    home = HomeMeters({"meter": Role.GRID, "roof": Role.PRODUCTION}, hold_s=60)
    home.add("roof", flow(0, 10, 100))
    home.add("meter", flow(0, 10, 100))
    spans = [span for start in range(10, 110, 10) for span in home.add("meter", flow(start, start + 10, 100))]
    assert sum(span.consumed_j for span in spans) == 400
    assert not any(span.covered for span in spans)
    late = home.add("roof", flow(10, 110, 5_000, quality=Quality.SPREAD, covered=False))
    assert sum(span.consumed_j for span in [*spans, *late]) == 1_000 + 5_000, "its counter knows how much it was"
    assert late[0].quality == Quality.SPREAD


def test_a_meter_that_speaks_once_an_hour_is_not_silent() -> None:
    home = HomeMeters({"meter": Role.GRID, "roof": Role.PRODUCTION}, hold_s=60)
    assert home.add("meter", flow(0, 3600, 3600)) == []
    (span,) = home.add("roof", flow(0, 3600, 7200))
    assert (span.consumed_j, span.covered) == (10_800, True)


def test_the_sun_alone_says_nothing_of_what_is_used() -> None:
    home = HomeMeters({"roof": Role.PRODUCTION}, hold_s=60)
    (span,) = home.add("roof", flow(0, 10, 100))
    assert (span.consumed_j, span.produced_j) == (0, 100)


def test_less_than_nothing_is_taken_off_what_is_used_next() -> None:
    home = HomeMeters({"meter": Role.GRID, "roof": Role.PRODUCTION}, hold_s=60)
    home.add("meter", flow(0, 10, 0, 500))
    (first,) = home.add("roof", flow(0, 10, 400))
    home.add("meter", flow(10, 20, 0, 100))
    (second,) = home.add("roof", flow(10, 20, 450))
    assert (first.consumed_j, second.consumed_j) == (0, 400 - 500 + 450 - 100)


STEPS = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1, max_size=12)


@given(STEPS, STEPS, STEPS, st.integers(0, 10**9))
def test_nothing_is_counted_twice_and_nothing_is_lost(
    grid: list[tuple[int, int, int]], roof: list[tuple[int, int, int]], box: list[tuple[int, int, int]], order: int
) -> None:
    home = HomeMeters({"meter": Role.GRID, "roof": Role.PRODUCTION, "box": Role.BATTERY}, hold_s=1e9)
    flows: dict[str, list[Flow]] = {}
    for name, steps in (("meter", grid), ("roof", roof), ("box", box)):
        at = 0.0
        flows[name] = []
        for length, forward, reverse in steps:
            flows[name].append(flow(at, at + length, forward, reverse))
            at += length
    whole = {name: [*some] for name, some in flows.items()}
    spans: list[Span] = []
    while any(whole.values()):
        name = sorted(name for name in whole if whole[name])[order % sum(1 for some in whole.values() if some)]
        order = order * 31 + 7
        spans += home.add(name, whole[name].pop(0))
    end = min(some[-1].end_s for some in flows.values())
    assert spans[-1].end_s == end == home.until_s
    assert [one.end_s for one in spans[:-1]] == [one.start_s for one in spans[1:]]
    if all(some[-1].end_s == end for some in flows.values()):
        net = {name: sum(each.forward_j - each.reverse_j for each in some) for name, some in flows.items()}
        used = net["meter"] + net["roof"] - net["box"]
        consumed = sum(span.consumed_j for span in spans)
        assert consumed >= used
        assert sum(span.produced_j for span in spans) == sum(each.forward_j for each in flows["roof"])
        assert sum(span.imported_j or 0 for span in spans) == sum(each.forward_j for each in flows["meter"])
        assert consumed - used == -home.rest_j


def test_there_is_no_such_meter() -> None:
    assert HomeMeters({"all": Role.LOAD}, hold_s=60).add("other", flow(0, 1, 5)) == []


@pytest.mark.parametrize("steps", [1, 7, 60])
def test_equal_steps_of_two_meters_make_as_many_spans(steps: int) -> None:
    home = HomeMeters({"meter": Role.GRID, "roof": Role.PRODUCTION}, hold_s=60)
    spans = []
    for step in range(steps):
        home.add("meter", flow(8 * step, 8 * step + 8, 8))
        spans += home.add("roof", flow(8 * step, 8 * step + 8, 16))
    assert [(span.consumed_j, span.covered) for span in spans] == [(24, True)] * steps
