"""Following events over everything that a chain and its nodes do: growth, reorganisations, lagging, limits, silence, restarts."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import Any

import pytest
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from hexbytes import HexBytes
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from web3 import Web3
from web3.exceptions import BlockNotFound, TransactionNotFound, Web3RPCError
from web3.providers.base import JSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from daisee.chain.remote import TooMuchAsked
from daisee.errors import ChainError, LedgerError
from daisee.ledger import follow
from daisee.ledger.events import LedgerEvent
from daisee.ledger.follow import FRESH, PAGE_BLOCKS, REMEMBERED, Cursor, Follower, Undone
from daisee.units import Address

COIN = Address(to_checksum_address("0x" + "c0" * 20))
TRANSFER = keccak(text="Transfer(address,address,uint256)")
CHAIN_ID = 7


HASHES = ["0x" + f"{number:064x}" for number in range(10)]
FRESH_HERE = 8
"""In blocks; how far one of several nodes may be behind, so that few blocks are enough for pages of older ones."""

Blocks = list[tuple[bytes, list[int]]]


class Node:
    """What a follower asks of web3: a chain of blocks, each with some transfers that have numbers of their own.

    It may be several nodes: each question may be answered by one that is behind, or on the branch that was left.
    """

    def __init__(self) -> None:
        self.blocks: Blocks = [(keccak(b"genesis"), [])]
        self.left: Blocks = self.blocks
        """The chain before it was last reorganised."""
        self.codec = Web3().codec
        self.eth = self
        self.chain_id = CHAIN_ID
        self.lag = 0
        self.most_blocks = 1_000
        self.silent = False
        self.besu = False
        """Whether it says of a block that it does not have that there is nothing in it; geth says that it does not have it."""
        self.made = 0
        self.turns_over: int | None = None
        """How many more questions until the chain changes under the reader."""
        self.questions = 0
        self.others: dict[int, Callable[[Blocks], Blocks]] = {}
        """Who answers some of the questions to come: what such a node has, of all that there is."""

    def grow(self, transfers: int) -> None:
        self.made += 1
        numbers = [self.made * 100 + place for place in range(transfers)]
        self.blocks.append((keccak(self.blocks[-1][0] + str(self.made).encode()), numbers))

    def reorganise(self, depth: int, longer: int) -> None:
        depth = min(depth, len(self.blocks) - 1)
        self.left = list(self.blocks)
        del self.blocks[len(self.blocks) - depth :]
        for _ in range(depth + longer):
            self.grow(1)

    def let_another_answer(self, question: int, has: Callable[[Blocks], Blocks]) -> None:
        """Let a question be answered by another node; 0 is the next one."""
        self.others[self.questions + question] = has

    def _asked(self) -> Blocks:
        """Answer the blocks of who is asked."""
        if self.silent:
            raise ConnectionError("the node is gone")
        if self.turns_over is not None:
            self.turns_over -= 1
            if self.turns_over < 0:
                self.turns_over = None
                self.reorganise(2, 1)
        had = self.blocks[: max(1, len(self.blocks) - self.lag)]
        has = self.others.pop(self.questions, None)
        self.questions += 1
        return has(had) if has else had

    @property
    def block_number(self) -> int:
        return len(self._asked()) - 1

    def get_block(self, number: int) -> dict[str, Any]:
        blocks = self._asked()
        if number >= len(blocks):
            raise BlockNotFound(f"block {number}")
        parent = blocks[number - 1][0] if number else bytes(32)
        transactions = [_transaction(value) for value in blocks[number][1]]
        return {"hash": HexBytes(blocks[number][0]), "parentHash": HexBytes(parent), "transactions": transactions}

    def get_logs(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        blocks = self._asked()
        if "blockHash" in asked:
            found = [number for number, (seen, _) in enumerate(blocks) if seen == asked["blockHash"]]
            if not found and not self.besu:
                raise Web3RPCError("unknown block")
            first, last = (found or [0])[0], (found or [-1])[0]
        else:
            first, last = asked["fromBlock"], asked["toBlock"]
        if last - first >= self.most_blocks:
            raise Web3RPCError("query exceeds max block range")
        # As geth does: of a range, what it has, and no error beyond its head.
        return [_log(blocks, number, place) for number in range(first, min(last, len(blocks) - 1) + 1)
                for place in range(len(blocks[number][1]))]  # fmt: skip

    def get_transaction_receipt(self, transaction: str) -> dict[str, Any]:
        for number, (seen, values) in enumerate(blocks := self._asked()):
            for place, value in enumerate(values):
                if _transaction(value).to_0x_hex() == transaction:
                    return {"blockHash": HexBytes(seen), "logs": [_log(blocks, number, place)]}
        raise TransactionNotFound(transaction)


def _transaction(value: int) -> HexBytes:
    return HexBytes(value.to_bytes(32, "big"))


def _log(blocks: Blocks, number: int, place: int) -> dict[str, Any]:
    nobody, value = HexBytes(b"\0" * 32), blocks[number][1][place]
    return {
        "address": COIN,
        "topics": [HexBytes(TRANSFER), nobody, nobody],
        "data": HexBytes(value.to_bytes(32, "big")),
        "blockNumber": number,
        "blockHash": HexBytes(blocks[number][0]),
        "transactionHash": _transaction(value),
        "transactionIndex": place,
        "logIndex": place,
    }


def one_behind(blocks: Blocks) -> Blocks:
    """Answer what a node has that is one block behind."""
    return blocks[:-1]


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
        try:
            for told in self.follower.poll():
                self.take(told)
        finally:
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
        follow.FRESH = FRESH_HERE
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

    @rule(besu=st.booleans())
    def speak(self, besu: bool) -> None:
        self.node.besu = besu

    @rule(question=st.integers(0, 12), behind=st.integers(1, FRESH_HERE - 1))
    def let_one_answer_that_is_behind(self, question: int, behind: int) -> None:
        self.node.let_another_answer(question, lambda blocks: blocks[: max(1, len(blocks) - behind)])

    @rule(question=st.integers(0, 12))
    def let_one_answer_that_is_on_the_branch_that_was_left(self, question: int) -> None:
        left = self.node.left
        self.node.let_another_answer(question, lambda blocks: left if 0 <= len(blocks) - len(left) <= 2 else blocks)

    @rule()
    def read(self) -> None:
        # Where the hash of a block is one node's, and its events another's to tell, the latter may say that it does not have it.
        with suppress(ChainError) if self.node.others else nullcontext():
            self.reader.read()

    @rule()
    def fail_at_the_first_that_comes(self) -> None:
        with suppress(ChainError) if self.node.others else nullcontext():
            coming = self.reader.follower.poll()
            next(coming, None)
            coming.close()  # type: ignore[attr-defined]

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
        self.node.others.clear()
        self.node.grow(1)
        self.reader.read()
        follow.FRESH = FRESH
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
        if "blockHash" in asked:
            return self._get_logs(asked)
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
    told = Fits(node, *[Web3RPCError("too much"), TooMuchAsked("HTTP 413"), TimeoutError()] * 3)
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


def read_by(node: Node, blocks: int = 4) -> Reader:
    """Answer somebody who has read a chain of some blocks, one by one."""
    reader = Reader(node)
    for _ in range(blocks):
        node.grow(1)
        reader.read()
    return reader


@pytest.mark.parametrize("besu", [False, True], ids=["geth", "Besu"])
@pytest.mark.parametrize("question", range(9))
def test_no_event_is_lost_where_one_of_several_nodes_is_a_block_behind(question: int, besu: bool) -> None:
    node = Node()
    reader = read_by(node)
    node.besu = besu
    node.grow(1)
    node.let_another_answer(question, one_behind)
    with suppress(ChainError):  # it says that it does not have the block, which the other one had told of
        reader.read()
    node.others.clear()
    node.grow(1)
    reader.read()
    assert reader.kept == truth(node)


@pytest.mark.parametrize("question", [3, 4, 5])
def test_what_is_said_of_a_block_by_a_node_on_another_branch_does_not_count(question: int) -> None:
    node = Node()
    reader = read_by(node)
    for _ in range(FRESH + 5):
        node.grow(1)
    there = list(node.blocks)
    node.reorganise(FRESH + 5, 0)  # then all is as it was
    elsewhere, node.blocks = node.blocks, there
    node.let_another_answer(question, lambda _blocks: elsewhere)  # the hash of a page's last block, or its events
    reader.read()
    assert not node.others
    assert reader.kept == truth(node)


@pytest.mark.parametrize("question", [4, 5, 6, 7])
def test_a_page_that_is_changed_while_it_is_read_is_read_again(question: int) -> None:
    node = Node()
    for _ in range(FRESH + 3):
        node.grow(1)
    reader = Reader(node)
    node.turns_over = question
    follow.FRESH = 0
    try:
        reader.read()
        reader.read()
    finally:
        follow.FRESH = FRESH
    assert reader.kept == truth(node)


def test_a_page_is_of_the_branch_that_its_hash_says() -> None:
    node = Node()
    reader = read_by(node)
    node.grow(1)
    node.grow(0)

    def turn_over(blocks: Blocks) -> Blocks:
        del node.blocks[5:]
        node.grow(1)
        node.grow(0)
        return node.blocks

    node.let_another_answer(4, turn_over)  # after the hash of the last block, in which there are no events that would tell
    follow.FRESH = 0
    try:
        reader.read()
    finally:
        follow.FRESH = FRESH
    assert list(reader.follower.poll()) == []
    assert reader.kept == truth(node)


@pytest.mark.parametrize("besu", [False, True], ids=["geth", "Besu"])
def test_who_does_not_have_a_block_yet_is_asked_again(besu: bool) -> None:
    node = Node()
    reader = read_by(node)
    node.besu = besu
    node.grow(1)
    for question in (4, 5):  # the block's events, and its hash again or a receipt of it
        node.let_another_answer(question, one_behind)
    reader.read()
    assert reader.kept == truth(node)


def test_a_receipt_of_another_block_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node()
    reader = read_by(node)
    node.besu = True
    node.grow(1)
    node.let_another_answer(4, one_behind)
    receipts = [{"blockHash": HexBytes(HASHES[1]), "logs": []}]  # the same transaction did nothing on another branch
    receipt_of = node.get_transaction_receipt
    monkeypatch.setattr(node, "get_transaction_receipt", lambda asked: receipts.pop() if receipts else receipt_of(asked))
    reader.read()
    assert not receipts
    assert reader.kept == truth(node)


def test_a_block_whose_events_a_node_never_tells_is_an_error() -> None:
    node = Node()
    node.grow(1)

    def refuse(_asked: dict[str, Any]) -> list[dict[str, Any]]:
        raise Web3RPCError("the method is not available")

    node.get_logs = refuse  # type: ignore[assignment,method-assign]
    with pytest.raises(ChainError, match="does not tell the events of block 0: the method is not available"):
        list(Follower(node, [COIN]).poll())  # type: ignore[arg-type]


def test_blocks_without_our_events_are_read_though_others_have_theirs_in_them() -> None:
    node = Node()
    for _ in range(3):
        node.grow(1)
    other = Address(to_checksum_address("0x" + "ee" * 20))
    get_logs = node.get_logs
    node.get_logs = lambda asked: [each for each in get_logs(asked) if each["address"] in asked["address"]]  # type: ignore[method-assign]
    follower = Follower(node, [other])  # type: ignore[arg-type]
    assert list(follower.poll()) == []
    assert follower.cursor.block == 3


def test_what_is_undone_is_said_again_to_who_failed_at_it() -> None:
    node = Node()
    reader = read_by(node)
    node.reorganise(2, 1)
    coming = reader.follower.poll()
    assert next(coming) == Undone(2)
    coming.close()  # type: ignore[attr-defined]
    reader.read()
    assert reader.kept == truth(node)
    assert max(reader.follower.cursor.trail) == reader.follower.cursor.block == 5


def test_who_stops_in_the_middle_of_a_page_gets_its_events_again() -> None:
    node = Node()
    node.grow(3)
    follower = Follower(node, [COIN])  # type: ignore[arg-type]
    coming = follower.poll()
    assert [next(coming), next(coming)]
    coming.close()  # type: ignore[attr-defined]
    assert len(list(follower.poll())) == 3


def test_nothing_is_undone_because_a_node_is_behind_for_a_question() -> None:
    for question in range(6):
        node = Node()
        reader = read_by(node)
        node.let_another_answer(question, one_behind)
        assert list(reader.follower.poll()) == [], question


def test_a_branch_that_is_shorter_is_told_at_once() -> None:
    node = Node()
    reader = read_by(node, 8)
    del node.blocks[2:]
    for _ in range(3):
        node.grow(1)
    reader.read()
    assert reader.kept == truth(node)


def test_a_chain_that_is_founded_anew_is_told_though_it_is_short() -> None:
    node = Node()
    reader = read_by(node, REMEMBERED + 20)
    node.blocks = [(keccak(b"another genesis"), [])]
    for _ in range(3):
        node.grow(1)
    reader.read()
    assert reader.kept == truth(node)


def test_what_was_taken_back_is_forgotten_in_the_cursor() -> None:
    node = Node()
    reader = read_by(node, 8)
    kept = list(node.blocks)
    node.reorganise(6, 0)
    del node.blocks[4:]
    reader.read()
    assert sorted(Cursor.read(reader.written).trail) == [0, 1, 2, 3]
    node.blocks = kept[:3]
    node.reorganise(0, 4)
    reader.read()
    assert reader.kept == truth(node)


def test_the_newest_blocks_are_remembered() -> None:
    node = Node()
    reader = read_by(node, REMEMBERED + 20)
    trail = sorted(Cursor.read(reader.written).trail)
    assert trail == [0, *range(21, REMEMBERED + 21)]
    node.reorganise(REMEMBERED - 1, 1)
    assert next(reader.follower.poll()) == Undone(21)
    reader.read()
    assert reader.kept == truth(node)


def test_events_come_in_the_order_of_the_chain_whatever_the_order_of_the_answer() -> None:
    node = Node()
    for _ in range(FRESH + 3):
        node.grow(2)
    get_logs = node.get_logs
    node.get_logs = lambda asked: get_logs(asked)[::-1]  # type: ignore[method-assign]
    reader = Reader(node)
    reader.read()
    assert reader.kept == truth(node)


def test_nothing_before_the_beginning_is_read() -> None:
    node = Node()
    for _ in range(8):
        node.grow(1)
    follower = Follower(node, [COIN], begin=5)  # type: ignore[arg-type]
    assert [told.block for told in follower.poll()] == [5, 6, 7, 8]
    node.reorganise(6, 0)
    assert [told.block for told in follower.poll()] == [4, 5, 6, 7, 8], "the first says after which block all is undone"
    later = Follower(node, [COIN], Cursor.read(Cursor(CHAIN_ID, (COIN,)).written()), begin=7)  # type: ignore[arg-type]
    assert [told.block for told in later.poll()] == [7, 8]


class Nonsense(JSONBaseProvider):
    """A node whose answers to one kind of question make no sense."""

    def __init__(self, method: str, said: object) -> None:
        super().__init__()
        block = {"hash": HASHES[1], "parentHash": HASHES[1], "number": "0x1", "extraData": "0x", "transactions": [HASHES[2]]}
        self._says = {
            "eth_chainId": "0x7", "eth_blockNumber": "0x30", "eth_getBlockByNumber": block, "eth_getLogs": [],
            "eth_getTransactionReceipt": {"blockHash": HASHES[1], "logs": []}, method: said,
        }  # fmt: skip

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        return {"jsonrpc": "2.0", "id": 1, "result": self._says[method]}


NO_SENSE: tuple[object, ...] = (
    "zzz", 5, {}, [{}], ["x"], [None], [{"address": COIN}], [{"address": COIN, "blockNumber": None}],
    [{"address": COIN, "blockNumber": "0x99", "blockHash": HASHES[1], "topics": []}], {"hash": None}, {"hash": "0x12"},
)  # fmt: skip


@pytest.mark.parametrize("said", NO_SENSE, ids=str)
@pytest.mark.parametrize(
    "method", ["eth_chainId", "eth_blockNumber", "eth_getBlockByNumber", "eth_getLogs", "eth_getTransactionReceipt"]
)
def test_an_answer_that_makes_no_sense_is_said_to_be_one(method: str, said: object) -> None:
    if (method, said) in (("eth_chainId", 5), ("eth_blockNumber", 5)):
        return  # it is good enough
    with pytest.raises(ChainError):
        list(Follower(Web3(Nonsense(method, said)), [COIN]).poll())


def test_a_cursor_of_another_chain_and_one_that_is_none_are_refused() -> None:
    with pytest.raises(LedgerError, match="the cursor is of chain 8, and this is chain 7"):
        Follower(Node(), [COIN], Cursor(8, (COIN,)))  # type: ignore[arg-type]
    with pytest.raises(LedgerError, match="the cursor is of other contracts"):
        Follower(Node(), [COIN], Cursor(CHAIN_ID, ()))  # type: ignore[arg-type]
    good = {"chain_id": 1, "contracts": [COIN], "block": 2, "trail": [[1, HASHES[1]], [2, HASHES[2]]]}
    assert Cursor.read(json.dumps(good)) == Cursor(1, (COIN,), 2, {1: HASHES[1], 2: HASHES[2]})
    for text in ("", "{}", "[1]"):
        with pytest.raises(LedgerError, match="no cursor of events"):
            Cursor.read(text)
    wrongs: tuple[dict[str, Any], ...] = (
        {"block": "x"}, {"block": 1e400}, {"block": -99}, {"block": 2.5}, {"block": 3}, {"block": 1}, {"block": -1},
        {"chain_id": True}, {"chain_id": -1},
        {"contracts": None}, {"contracts": [5]}, {"contracts": ["0x12"]}, {"contracts": "x"},
        {"trail": []}, {"trail": 7}, {"trail": [7]}, {"trail": [[2, None]]}, {"trail": [[2, "0x1"]]}, {"trail": [[2, 5]]},
        {"trail": [[-1, HASHES[1]], [2, HASHES[2]]]}, {"trail": [[2, HASHES[1]], [2, HASHES[2]]]},
        {"trail": [[2, HASHES[2]], [9, HASHES[9]]]}, {"trail": [[1, HASHES[1]]]},
    )  # fmt: skip
    for wrong in wrongs:
        with pytest.raises(LedgerError, match="no cursor of events"):
            Cursor.read(json.dumps({**good, **wrong}))
    with pytest.raises(LedgerError, match="no cursor of events"):
        Cursor.read(json.dumps({name: told for name, told in good.items() if name != "contracts"}))
    for cursor in (Cursor(7, (COIN,)), Cursor(7, (COIN,), 3, {3: HASHES[3]})):
        assert Cursor.read(cursor.written()) == cursor
