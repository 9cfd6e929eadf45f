"""The interlock: whatever happens, at most one source of a load is closed."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daisee.errors import InterlockViolation, RelayError
from daisee.model.source import GRID, OWN, Source, from_neighbour
from daisee.relay.board import Board, VirtualBoard
from daisee.relay.group import SourceGroup
from daisee.units import Address

B = from_neighbour(Address("0x00000000000000000000000000000000000000bB"))
CHANNELS: dict[Source, int] = {OWN: 0, B: 1, GRID: 2}


class WeldedBoard:
    """A board with bad contacts: some are welded shut, some no longer close. The other make beside the virtual one."""

    def __init__(self, welded: frozenset[int] = frozenset(), dead: frozenset[int] = frozenset()) -> None:
        self.channels = 3
        self.welded, self.dead = welded, dead
        self.most_closed = 0
        self._told = [False] * self.channels

    def set_closed(self, channel: int, closed: bool) -> None:
        self._told[channel] = closed
        self.most_closed = max(self.most_closed, sum(self.is_closed(c) for c in range(self.channels)))

    def is_closed(self, channel: int) -> bool:
        return channel in self.welded or (self._told[channel] and channel not in self.dead)


def group(board: Board, failsafe_s: float = 300) -> SourceGroup:
    return SourceGroup("A", board, CHANNELS, OWN, failsafe_s, now_s=0)


def test_a_group_begins_with_its_safe_source() -> None:
    assert group(VirtualBoard(3)).read_back() == OWN


def test_a_group_that_finds_a_source_closed_leaves_it_so() -> None:
    board = VirtualBoard(3)
    board.set_closed(1, True)
    assert group(board).read_back() == B


def test_a_group_that_finds_two_sources_closed_refuses_to_start() -> None:
    board = VirtualBoard(3)
    board.set_closed(0, True)
    board.set_closed(1, True)
    with pytest.raises(InterlockViolation, match="channels 0, 1 are closed together"):
        group(board)


def test_the_old_source_opens_before_the_new_one_closes() -> None:
    board = VirtualBoard(3)
    sources = group(board)
    board.moves.clear()
    sources.switch(B, now_s=1)
    assert board.moves == [(0, False), (1, True)]
    assert sources.read_back() == B
    assert sources.switches == 1


def test_switching_to_the_source_in_use_moves_nothing() -> None:
    board = VirtualBoard(3)
    sources = group(board)
    board.moves.clear()
    sources.switch(OWN, now_s=1)
    assert board.moves == []
    assert sources.switches == 0


def test_a_source_that_is_not_wired_is_refused() -> None:
    with pytest.raises(RelayError, match="has no source"):
        group(VirtualBoard(3)).switch(Source("0xelsewhere"), now_s=1)


def test_a_welded_contact_keeps_the_new_source_open() -> None:
    board = WeldedBoard(welded=frozenset({0}))
    sources = group(board)
    with pytest.raises(RelayError, match="does not open"):
        sources.switch(B, now_s=1)
    assert sources.read_back() == OWN
    assert board.most_closed == 1


def test_a_source_that_does_not_close_gives_way_to_the_safe_one() -> None:
    board = WeldedBoard(dead=frozenset({1}))
    sources = group(board)
    with pytest.raises(RelayError, match="does not close"):
        sources.switch(B, now_s=1)
    assert sources.read_back() == OWN


def test_a_group_goes_to_its_safe_source_when_nobody_speaks_to_it() -> None:
    sources = group(VirtualBoard(3), failsafe_s=300)
    sources.switch(B, now_s=0)
    sources.hear(now_s=100)
    assert not sources.watch(now_s=399)
    assert sources.read_back() == B
    assert sources.watch(now_s=400)
    assert sources.read_back() == OWN
    assert not sources.watch(now_s=500), "it is there already"


def test_a_channel_that_does_not_exist_is_refused() -> None:
    with pytest.raises(RelayError, match="channels 0 to 2"):
        VirtualBoard(3).set_closed(3, True)


@given(
    st.frozensets(st.integers(0, 2), max_size=1),
    st.frozensets(st.integers(0, 2)),
    st.lists(st.sampled_from([OWN, B, GRID]), max_size=20),
)
def test_two_sources_are_never_closed_at_once(welded: frozenset[int], dead: frozenset[int], wishes: list[Source]) -> None:
    board = WeldedBoard(welded, dead)
    with suppress(RelayError):
        sources = group(board)
        for now_s, wish in enumerate(wishes):
            with suppress(RelayError):
                sources.switch(wish, now_s)
    assert board.most_closed <= 1
