"""Own, drawn and imported always add up to what was consumed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daisee.model.attribution import Kind, Share, Switched, attribute
from daisee.model.readings import SLOT_S, Span
from daisee.model.source import GRID, OWN, Source, from_neighbour
from daisee.units import Address, Joules

T0 = 1_748_736_000.0
B = Address("0x00000000000000000000000000000000000000bB")
sources = st.sampled_from([OWN, GRID, from_neighbour(B)])


def span(consumed_j: int, produced_j: int = 0, length_s: float = 60.0) -> Span:
    return Span(T0, T0 + length_s, Joules(consumed_j), Joules(produced_j))


def one(share: list[Share]) -> tuple[int, int, int, int]:
    assert len(share) == 1
    return share[0].own_j, share[0].drawn_j, share[0].imported_j, share[0].exported_j


def test_an_islanded_home_draws_all_of_its_load_from_the_source_in_use() -> None:
    assert one(attribute(span(600, 500), [Switched(0, OWN)], Kind.ISLANDED)) == (600, 0, 0, 0)
    assert one(attribute(span(600, 500), [Switched(0, from_neighbour(B))], Kind.ISLANDED)) == (0, 600, 0, 0)
    assert one(attribute(span(600, 500), [Switched(0, GRID)], Kind.ISLANDED)) == (0, 0, 600, 0)


def test_a_grid_tied_home_is_fed_by_its_own_sun_first() -> None:
    assert one(attribute(span(600, 500), [Switched(0, GRID)], Kind.GRID_TIED)) == (500, 0, 100, 0)
    assert one(attribute(span(600, 500), [Switched(0, from_neighbour(B))], Kind.GRID_TIED)) == (500, 100, 0, 0)
    assert one(attribute(span(400, 500), [Switched(0, GRID)], Kind.GRID_TIED)) == (400, 0, 0, 100)


def test_a_span_is_cut_at_the_moment_of_a_switch() -> None:
    shares = attribute(span(600), [Switched(0, OWN), Switched(T0 + 5, from_neighbour(B))], Kind.ISLANDED)
    assert [(s.own_j, s.drawn_j) for s in shares] == [(50, 0), (0, 550)]
    assert [s.seller for s in shares] == [None, B]


def test_a_span_is_cut_at_the_border_of_a_slot() -> None:
    begin = T0 + SLOT_S - 30
    shares = attribute(Span(begin, begin + 60, Joules(600), Joules(0)), [Switched(0, GRID)], Kind.GRID_TIED)
    assert [s.imported_j for s in shares] == [300, 300]


def test_a_span_without_a_source_is_refused() -> None:
    with pytest.raises(ValueError, match="no source"):
        attribute(span(1), [], Kind.ISLANDED)


@given(
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.floats(1, 7200),
    sources,
    st.lists(st.tuples(st.floats(-100, 7300), sources), max_size=6),
    st.sampled_from(list(Kind)),
)
def test_the_three_add_up_to_what_was_consumed(
    consumed: int, produced: int, length_s: float, first: Source, later: list[tuple[float, Source]], kind: Kind
) -> None:
    switches = [Switched(0, first), *(Switched(T0 + at, source) for at, source in sorted(later, key=lambda s: s[0]))]
    shares = attribute(span(consumed, produced, length_s), switches, kind)
    assert sum(s.own_j + s.drawn_j + s.imported_j for s in shares) == consumed
    for share in shares:
        assert share.own_j + share.drawn_j + share.imported_j == share.span.consumed_j
        assert min(share.own_j, share.drawn_j, share.imported_j, share.exported_j) >= 0
        assert share.drawn_j == 0 or share.seller == B
        if kind is Kind.GRID_TIED and share.exported_j:
            assert share.own_j + share.exported_j == share.span.produced_j
