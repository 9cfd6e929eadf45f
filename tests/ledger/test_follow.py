"""Following events over everything that a chain and its nodes do: growth, reorganisations, lagging, limits, silence, restarts."""

from __future__ import annotations

from typing import Any

import pytest
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from hexbytes import HexBytes
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from web3 import Web3
from web3.exceptions import BlockNotFound, Web3RPCError

from daisee.errors import ChainError, LedgerError
from daisee.ledger.events import LedgerEvent
from daisee.ledger.follow import PAGE_BLOCKS, Cursor, Follower, Undone
from daisee.units import Address

COIN = Address(to_checksum_address("0x" + "c0" * 20))
TRANSFER = keccak(text="Transfer(address,address,uint256)")
CHAIN_ID = 7


class Node:
    """What a follower asks of web3: a chain of blocks, each with some transfers that have numbers of their own."""

    def __init__(self) -> None:
        self.blocks: list[tuple[bytes, list[int]]] = [(keccak(b"genesis"), [])]
        self.codec = Web3().codec
        self.eth = self
        self.chain_id = CHAIN_ID
        self.lag = 0
        self.most_blocks = 1_000
        self.silent = False
        self.made = 0
        self.turns_over: int | None = None
        """How many more questions until the chain changes under the reader."""

    def grow(self, transfers: int) -> None:
        self.made += 1
        numbers = [self.made * 100 + place for place in range(transfers)]
        self.blocks.append((keccak(self.blocks[-1][0] + str(self.made).encode()), numbers))

    def reorganise(self, depth: int, longer: int) -> None:
        depth = min(depth, len(self.blocks) - 1)
        del self.blocks[len(self.blocks) - depth :]
        for _ in range(depth + longer):
            self.grow(1)

    def _asked(self) -> None:
        if self.silent:
            raise ConnectionError("the node is gone")
        if self.turns_over is not None:
            self.turns_over -= 1
            if self.turns_over < 0:
                self.turns_over = None
                self.reorganise(2, 1)

    @property
    def block_number(self) -> int:
        self._asked()
        return max(0, len(self.blocks) - 1 - self.lag)

    def get_block(self, number: int) -> dict[str, Any]:
        self._asked()
        if number >= len(self.blocks) - self.lag:
            raise BlockNotFound(f"block {number}")
        return {"hash": HexBytes(self.blocks[number][0])}

    def get_logs(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        self._asked()
        first, last = asked["fromBlock"], asked["toBlock"]
        if last - first >= self.most_blocks:
            raise Web3RPCError("query exceeds max block range")
        return [self._log(number, place, value) for number in range(first, min(last, len(self.blocks) - 1) + 1)
                for place, value in enumerate(self.blocks[number][1])]  # fmt: skip

    def _log(self, number: int, place: int, value: int) -> dict[str, Any]:
        nobody = HexBytes(b"\0" * 32)
        return {
            "address": COIN,
            "topics": [HexBytes(TRANSFER), nobody, nobody],
            "data": HexBytes(value.to_bytes(32, "big")),
            "blockNumber": number,
            "blockHash": HexBytes(self.blocks[number][0]),
            "transactionHash": HexBytes(value.to_bytes(32, "big")),
            "transactionIndex": place,
            "logIndex": place,
        }


class Reader:
    """Somebody who keeps what a follower gave, and takes back what it says is undone."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.kept: list[tuple[int, int]] = []
        self.written = ""
        self.follower = Follower(node, [COIN])  # type: ignore[arg-type]

    def take(self, told: LedgerEvent | Undone) -> None:
        if isinstance(told, Undone):
            self.kept = [each for each in self.kept if each[0] <= told.block]
        else:
            self.kept.append((told.block, told.facts["value"]))

    def read(self) -> None:
        """Read what is new; keep the cursor and the events as of the same moment, as a database would."""
        for told in self.follower.poll():
            self.take(told)
        self.written = self.follower.cursor.written()

    def restart(self) -> None:
        if self.written:
            self.follower = Follower(self.node, [COIN], Cursor.read(self.written))  # type: ignore[arg-type]


def truth(node: Node) -> list[tuple[int, int]]:
    return [(number, value) for number, (_, values) in enumerate(node.blocks) for value in values]


class Following(RuleBasedStateMachine):
    """A chain that does what chains do, and one who reads it."""

    def __init__(self) -> None:
        super().__init__()
        self.node = Node()
        self.reader = Reader(self.node)

    @rule(blocks=st.integers(1, 6), transfers=st.integers(0, 2))
    def grow(self, blocks: int, transfers: int) -> None:
        for _ in range(blocks):
            self.node.grow(transfers)

    @rule(depth=st.integers(1, 5), longer=st.integers(0, 2))
    def reorganise(self, depth: int, longer: int) -> None:
        self.node.reorganise(depth, longer)

    @rule(questions=st.integers(0, 8))
    def reorganise_while_it_is_read(self, questions: int) -> None:
        self.node.turns_over = questions

    @rule(lag=st.integers(0, 4))
    def fall_behind(self, lag: int) -> None:
        self.node.lag = lag

    @rule(most=st.sampled_from([1, 2, 3, 1_000]))
    def limit(self, most: int) -> None:
        self.node.most_blocks = most

    @rule()
    def read(self) -> None:
        self.reader.read()

    @rule()
    def restart(self) -> None:
        self.reader.restart()

    @rule()
    def go_silent(self) -> None:
        self.node.silent = True
        with pytest.raises(ChainError):
            self.reader.read()
        self.node.silent = False
        self.reader.restart()

    @invariant()
    def nothing_is_kept_twice_or_out_of_order(self) -> None:
        assert self.reader.kept == sorted(set(self.reader.kept))

    def teardown(self) -> None:
        """In the end, everything is there once."""
        self.node.lag, self.node.turns_over = 0, None
        self.node.grow(1)
        self.reader.read()
        assert self.reader.kept == truth(self.node)


TestFollowing = Following.TestCase
TestFollowing.settings = settings(max_examples=150, stateful_step_count=30)


def test_what_is_not_deep_enough_is_not_given_out() -> None:
    node = Node()
    for _ in range(5):
        node.grow(1)
    follower = Follower(node, [COIN], depth=2)  # type: ignore[arg-type]
    assert [told.block for told in follower.poll() if isinstance(told, LedgerEvent)] == [1, 2, 3]
    node.reorganise(2, 0)
    assert list(follower.poll()) == [], "nothing that was given out has changed"


def test_a_reorganisation_says_which_block_still_stands() -> None:
    node = Node()
    follower = Follower(node, [COIN])  # type: ignore[arg-type]
    for _ in range(4):
        node.grow(1)
        list(follower.poll())
    node.reorganise(2, 1)
    told = list(follower.poll())
    assert told[0] == Undone(2)
    assert [each.block for each in told[1:] if isinstance(each, LedgerEvent)] == [3, 4, 5]


def test_a_reorganisation_below_the_page_that_is_being_read_is_seen() -> None:
    node = Node()
    reader = Reader(node)
    for _ in range(4):
        node.grow(1)
    reader.read()
    node.grow(1)
    # After the last block read was found to stand, and before the hash of the next is asked for: block 4 is another from then on.
    node.turns_over = 3
    reader.read()
    assert reader.kept == truth(node)


class Fits:
    """A node's way of telling events, with fits; and how many blocks were asked for each time."""

    def __init__(self, node: Node, *fits: Exception) -> None:
        self.fits = list(fits)
        self.asked: list[int] = []
        self._get_logs = node.get_logs
        node.get_logs = self.get_logs  # type: ignore[method-assign]

    def get_logs(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        self.asked.append(asked["toBlock"] - asked["fromBlock"] + 1)
        if self.fits:
            raise self.fits.pop(0)
        return self._get_logs(asked)


def long_chain() -> Node:
    node = Node()
    node.most_blocks = 10_000
    for _ in range(5_000):
        node.grow(0)
    return node


def test_pages_grow_again_when_a_node_is_well_again() -> None:
    node = long_chain()
    told = Fits(node, *[Web3RPCError("too much"), ConnectionError("read timed out"), TimeoutError()] * 3)
    list(Follower(node, [COIN]).poll())  # type: ignore[arg-type]
    assert told.asked[:10] == [2_000, 1_000, 500, 250, 125, 63, 32, 16, 8, 4]
    assert len(told.asked) < 60
    for _ in range(9_000):
        node.grow(0)
    follower = Follower(node, [COIN])  # type: ignore[arg-type]
    list(follower.poll())
    assert max(told.asked) == PAGE_BLOCKS, "and never more"


def test_pages_stay_below_what_a_node_refuses() -> None:
    node = long_chain()
    node.most_blocks = 700
    told = Fits(node)
    list(Follower(node, [COIN]).poll())  # type: ignore[arg-type]
    assert len(told.asked) < 2 * 5_000 / 500


def test_a_node_that_is_not_there_is_asked_for_as_much_the_next_time() -> None:
    node = long_chain()
    follower = Follower(node, [COIN])  # type: ignore[arg-type]
    told = Fits(node, *[ConnectionError("connection refused")] * 12)
    for _ in range(12):
        with pytest.raises(ChainError, match="does not tell the events"):
            list(follower.poll())
    list(follower.poll())
    assert told.asked[:14] == [PAGE_BLOCKS] * 14


def test_a_node_that_is_behind_tells_nothing_and_undoes_nothing() -> None:
    node = Node()
    follower = Follower(node, [COIN])  # type: ignore[arg-type]
    for _ in range(6):
        node.grow(1)
    list(follower.poll())
    node.lag = 3
    assert list(follower.poll()) == []


def test_a_cursor_of_another_chain_and_one_that_is_none_are_refused() -> None:
    with pytest.raises(LedgerError, match="the cursor is of chain 8, and this is chain 7"):
        Follower(Node(), [COIN], Cursor(8))  # type: ignore[arg-type]
    for text in (
        "", "{}", "[1]",
        '{"chain_id": 1, "block": "x", "trail": []}', '{"chain_id": 1, "block": 1e400, "trail": []}',
        '{"chain_id": 1, "block": -99, "trail": []}', '{"chain_id": 1, "block": 2.5, "trail": []}',
        '{"chain_id": true, "block": 2, "trail": []}', '{"chain_id": 1, "block": 2, "trail": [[-1, "0x1"]]}',
        '{"chain_id": 1, "block": 2, "trail": [7]}', '{"chain_id": 1, "block": 2, "trail": 7}',
    ):  # fmt: skip
        with pytest.raises(LedgerError, match="no cursor of events"):
            Cursor.read(text)
    assert Cursor.read(Cursor(7, 3, {3: "0x1"}).written()) == Cursor(7, 3, {3: "0x1"})
