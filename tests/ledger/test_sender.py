"""Sending, once, whatever a node does: lost requests and answers, forgotten pools, reorganisations, crashes, other programs."""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_typing import HexStr
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.ledger.bad_node import CHAIN_ID, CHEAP, DIALECTS, FAULTS, POOR, BadNode, Block, Crash, Fault, Refused
from web3 import Web3

from daisee.errors import ChainError, StoreError, TransactionLost
from daisee.files import write_whole
from daisee.ledger import answers
from daisee.ledger.depth import FOR_GOOD
from daisee.ledger.outbox import Outbox
from daisee.ledger.sender import MAX_GAS_PRICE, MOST_TIMES_PRICE, Sender, Sent
from daisee.ledger.taker import BLOCKS_AT_ONCE
from daisee.ledger.transactions import Call
from daisee.units import Address

KEY = Account.from_key(bytes([7] * 32))
EXCHANGE = Address("0x" + "11" * 20)
CONFIRMATIONS = 3
PATIENCE_S = 30.0


def call(number: int) -> Call:
    """Make a call that can be told from all others."""
    return Call("report", EXCHANGE, HexStr(f"0x{number:08x}"), 50_000)


class Desk:
    """A node, an account and a clock; the account can be restarted."""

    def __init__(self, folder: Path, confirmations: int = CONFIRMATIONS) -> None:
        self.node = BadNode()
        self.confirmations = confirmations
        self.gas_price: int | None = 1
        self.now_s = 0.0
        self.outbox = Outbox(folder / "outbox.json")
        self.sender = self.start()

    def start(self) -> Sender:
        """Begin anew, as another process does when the one before it is gone."""
        self.outbox.close()
        self.outbox = Outbox(self.outbox.path)
        return Sender(
            Web3(self.node, middleware=[]), KEY, gas_price=self.gas_price, confirmations=self.confirmations, outbox=self.outbox,
            patience_s=PATIENCE_S, clock=lambda: self.now_s,
        )  # fmt: skip

    def look(self) -> None:
        with contextlib.suppress(ChainError):
            self.sender.unsettled()

    def by_another_program(self, price: int) -> None:
        nonce = self.node._counted(KEY.address, "pending")
        fields = {"nonce": nonce, "gas": 21_000, "gasPrice": price, "chainId": CHAIN_ID, "value": 0, "data": "0xffff"}
        raw = KEY.sign_transaction({**fields, "to": EXCHANGE}).raw_transaction
        with contextlib.suppress(Refused):
            self.node._send(raw.to_0x_hex())

    def settle(self) -> None:
        """Let the node be good again, and wait."""
        self.node.faults.clear()
        self.node.poor, self.node.affords, self.node.least_price, self.node.refuses_less = False, None, 1, False
        for _ in range(120):
            self.look()
            self.node.deliver()
            self.node.seal()
            self.now_s += PATIENCE_S
            if not self.sender.in_flight:
                return
        raise AssertionError(f"still in flight: {self.sender.in_flight}")

    def times(self, number: int) -> int:
        return [tx.data for tx in self.node.all_transactions()].count(call(number).data)


class Sending(RuleBasedStateMachine):
    """A sender against a bad node. At the end each call that was sent is in the chain once, and each that was not, is not.

    Reorganisations may be deeper than the confirmations that were asked for: what was settled may be gone then, and comes back
    or not; what was not settled happens all the same, and nothing ever happens twice.
    """

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.mkdtemp()
        self.expected: dict[int, int] = {}
        self.uncertain: set[int] = set()
        """Those that happen once or not at all: undone after they were settled, or given up."""
        self.settled: list[Sent] = []

    @initialize(dialect=st.sampled_from(sorted(DIALECTS)), confirmations=st.sampled_from([1, CONFIRMATIONS]))
    def choose(self, dialect: str, confirmations: int) -> None:
        self.desk = Desk(Path(self.folder), confirmations)
        self.desk.node.dialect = dialect
        undo = self.desk.node.reorganise

        def undo_and_note(depth: int, forget: bool) -> None:
            chain = self.desk.node.chain
            undone = {tx.data for block in chain[max(1, len(chain) - depth) :] for tx in block.transactions}
            self.uncertain |= {
                number for number in self.expected if call(number).data in undone and number not in self._in_flight()
            }
            undo(depth, forget)

        self.desk.node.reorganise = undo_and_note  # type: ignore[method-assign]

    def _in_flight(self) -> set[int]:
        return {int(sent.call.data, 16) for sent in self.desk.sender.in_flight}

    @rule(faults=st.lists(st.one_of(st.none(), st.sampled_from(FAULTS)), max_size=6))
    def send(self, faults: list[Fault | None]) -> None:
        number = len(self.expected)
        self.expected[number] = 0
        self.desk.node.faults = list(faults)
        try:
            self.settled.append(self.desk.sender.send(call(number)))
            self.expected[number] = 1
        except ChainError:
            pass
        except Crash:
            self.expected[number] = [posted.call for posted in self.desk.outbox.read()].count(call(number))
            self._restart()
        self.desk.node.faults.clear()

    @rule(faults=st.lists(st.one_of(st.none(), st.sampled_from(FAULTS)), max_size=8))
    def look(self, faults: list[Fault | None]) -> None:
        self.desk.node.faults = list(faults)
        try:
            self.desk.look()
        except Crash:
            self._restart()
        self.desk.node.faults.clear()

    @precondition(lambda self: self.desk.sender.in_flight)
    @rule(index=st.integers(0, 20), faults=st.lists(st.one_of(st.none(), st.sampled_from(FAULTS)), max_size=4))
    def give_up(self, index: int, faults: list[Fault | None]) -> None:
        sent = self.desk.sender.in_flight[index % len(self.desk.sender.in_flight)]
        self.uncertain.add(int(sent.call.data, 16))
        self.desk.node.faults = list(faults)
        try:
            self.desk.sender.give_up(sent)
        except ChainError:
            pass
        except Crash:
            self._restart()
        self.desk.node.faults.clear()

    @rule()
    def _restart(self) -> None:
        self.desk.node.faults.clear()
        self.settled = [sent for sent in self.settled if sent.outcome]
        self.desk.sender = self.desk.start()

    @rule(blocks=st.sampled_from([1, 2, 3, FOR_GOOD]))
    def seal(self, blocks: int) -> None:
        for _ in range(blocks):
            self.desk.node.seal()

    @rule(depth=st.one_of(st.integers(1, CONFIRMATIONS - 1), st.integers(1, FOR_GOOD - 1)), forget=st.booleans())
    def reorganise(self, depth: int, forget: bool) -> None:
        self.desk.node.reorganise(depth, forget)

    @rule(seconds=st.sampled_from([1.0, PATIENCE_S]))
    def wait(self, seconds: float) -> None:
        self.desk.now_s += seconds

    @rule(price=st.sampled_from([1, 1, 2, 5]))
    def another_program(self, price: int) -> None:
        self.desk.by_another_program(price)

    @rule()
    def forget(self) -> None:
        self.desk.node.forget_pool()

    @precondition(lambda self: self.desk.node.gone)
    @rule(index=st.integers(0, 20))
    def hear_again(self, index: int) -> None:
        self.desk.node.hear_of(index)

    @rule()
    def arrive(self) -> None:
        self.desk.node.deliver()

    @rule(price=st.sampled_from([1, 2, 4]), refuses_less=st.booleans(), poor=st.booleans(), affords=st.sampled_from([None, 1, 2]))
    def change(self, price: int, refuses_less: bool, poor: bool, affords: int | None) -> None:
        self.desk.node.least_price, self.desk.node.refuses_less = price, refuses_less
        self.desk.node.poor, self.desk.node.affords = poor, affords

    @rule(blocks=st.sampled_from([None, FOR_GOOD, 2 * FOR_GOOD]))
    def prune(self, blocks: int | None) -> None:
        self.desk.node.remembers = blocks

    @invariant()
    def what_is_settled_stays(self) -> None:
        for sent in self.settled:
            if sent.happened and int(sent.call.data, 16) not in self.uncertain:
                assert sent.outcome is not None
                block = self.desk.node.chain[sent.outcome.block]
                assert [(tx.hash, tx.data) for tx in block.transactions].count((sent.outcome.transaction, sent.call.data)) == 1

    @invariant()
    def nothing_happens_twice(self) -> None:
        for number, times in self.expected.items():
            assert self.desk.times(number) <= times

    @invariant()
    def what_is_said_not_to_have_happened_never_does(self) -> None:
        for sent in self.settled:
            if sent.outcome and not sent.happened:
                assert self.desk.times(int(sent.call.data, 16)) == 0

    def teardown(self) -> None:
        try:
            self._end()
        finally:
            shutil.rmtree(self.folder)

    def _end(self) -> None:
        self.desk.settle()
        for index in range(len(self.desk.node.gone)):
            self.desk.node.hear_of(index)
        self.desk.node.seal()
        for number, times in self.expected.items():
            assert self.desk.times(number) in ({0, times} if number in self.uncertain else {times})
        self.what_is_said_not_to_have_happened_never_does()
        assert self.desk.outbox.read() == []


TestSending = pytest.mark.timeout(600)(Sending.TestCase)
TestSending.settings = settings(max_examples=200, stateful_step_count=50)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_many_in_flight_have_nonces_in_order(desk: Desk) -> None:
    sent = [desk.sender.send(call(number)) for number in range(20)]
    assert [each.posted.nonce for each in sent] == list(range(20))
    desk.settle()
    assert [desk.times(number) for number in range(20)] == [1] * 20


def test_it_waits_for_the_confirmations_that_were_asked_for(desk: Desk) -> None:
    sent = desk.sender.send(call(1))
    for _ in range(CONFIRMATIONS - 1):
        desk.node.seal()
        assert desk.sender.outcome(sent) is None
    desk.node.seal()
    outcome = desk.sender.outcome(sent)
    assert outcome is not None
    assert outcome.block == 1
    assert desk.sender.in_flight == []


def test_what_is_stuck_is_offered_more(desk: Desk) -> None:
    desk.node.least_price = 3
    sent = desk.sender.send(call(1))
    for _ in range(10):
        desk.node.seal()
        desk.sender.outcome(sent)
        desk.now_s += PATIENCE_S
    assert sent.posted.gas_prices == [1, 2, 3]
    assert sent.outcome is not None
    assert desk.times(1) == 1


def test_it_does_not_pay_more_while_it_is_patient(desk: Desk) -> None:
    desk.node.least_price = 3
    sent = desk.sender.send(call(1))
    desk.now_s += PATIENCE_S - 1
    desk.sender.outcome(sent)
    assert sent.posted.gas_prices == [1]


def test_a_nonce_that_another_program_took_is_not_argued_about(desk: Desk) -> None:
    desk.sender.send(call(0))
    desk.node.forget_pool()
    desk.by_another_program(5)
    desk.settle()
    assert [tx.data for tx in desk.node.all_transactions()] == ["0xffff", call(0).data]


def test_another_programs_waiting_transaction_is_not_driven_out(desk: Desk) -> None:
    desk.by_another_program(1)
    desk.sender.send(call(0))
    desk.node.reorganise(1, forget=False)
    for _ in range(5):
        desk.now_s += PATIENCE_S
        desk.look()
    desk.settle()
    assert [tx.data for tx in desk.node.all_transactions()] == ["0xffff", call(0).data]


@pytest.mark.parametrize("confirmations", [1, CONFIRMATIONS])
def test_a_nonce_is_lost_to_another_only_where_no_reorganisation_comes(tmp_path: Path, confirmations: int) -> None:
    desk = Desk(tmp_path, confirmations)
    sent = desk.sender.send(call(0))
    desk.node.forget_pool()
    desk.by_another_program(5)
    for _ in range(FOR_GOOD - 1):
        desk.node.seal()
        desk.now_s += PATIENCE_S
        desk.look()
    assert sent.posted.nonce == 0, "its own transaction may yet be the one"
    desk.node.reorganise(FOR_GOOD - 1, forget=True)
    desk.node.hear_of(0)
    desk.settle()
    assert desk.times(0) == 1


def test_a_block_that_comes_between_two_questions_is_not_taken_for_anothers(tmp_path: Path) -> None:
    desk = Desk(tmp_path, confirmations=1)
    desk.sender.send(call(0))
    desk.now_s += PATIENCE_S
    desk.node.faults = [None, "a block first"]  # after its receipt was asked for, before the newest block is
    desk.look()
    desk.settle()
    assert desk.times(0) == 1


def test_a_block_that_goes_between_two_questions_settles_nothing(tmp_path: Path) -> None:
    desk = Desk(tmp_path, confirmations=1)
    sent = desk.sender.send(call(0))
    desk.node.seal()
    desk.node.faults = [None, "a reorganisation first"]  # after its receipt was asked for, before the newest block is
    assert desk.sender.outcome(sent) is None
    outcome = desk.sender.outcome(sent)
    assert outcome is not None
    assert outcome.block == 2


def test_a_block_that_is_gone_when_it_is_looked_at_settles_nothing(desk: Desk) -> None:
    sent = desk.sender.send(call(0))
    for _ in range(CONFIRMATIONS):
        desk.node.seal()
    desk.node.pool.clear()
    hash_before = desk.node.chain[1].hash
    desk.node.chain[1] = Block("0x" + "99" * 32, desk.node.chain[1].transactions)
    asked = desk.node._block
    desk.node._block = lambda number: {**asked(number), "hash": hash_before}  # type: ignore[method-assign]
    assert desk.sender.outcome(sent) is None


def test_a_price_that_was_offered_before_a_crash_is_still_known(desk: Desk) -> None:
    desk.node.least_price = 2
    desk.sender.send(call(0))
    desk.node.seal()
    desk.now_s += PATIENCE_S
    desk.look()
    desk.sender = desk.start()
    desk.node.seal()
    assert desk.node.all_transactions()[0].price == 2
    desk.settle()
    assert desk.times(0) == 1


def test_what_a_reorganisation_undid_is_sent_again_at_once(desk: Desk) -> None:
    sent = desk.sender.send(call(0))
    desk.node.seal()
    desk.look()
    assert sent.seen_in == 1
    desk.node.reorganise(1, forget=True)
    desk.look()
    assert sent.hashes[0] in [tx.hash for tx in desk.node.pool.values()]


def test_a_gap_that_a_forgotten_transaction_left_is_filled(desk: Desk) -> None:
    desk.by_another_program(1)
    sent = desk.sender.send(call(0))
    assert sent.posted.nonce == 1
    desk.node.pool.pop((KEY.address, 0))
    desk.settle()
    assert [tx.data for tx in desk.node.all_transactions()] == ["0x", call(0).data]


def test_a_gap_below_anothers_transaction_is_filled_too(desk: Desk) -> None:
    desk.by_another_program(1)
    desk.sender.send(call(0))
    desk.node.pool.pop((KEY.address, 1))
    desk.by_another_program(5)
    desk.node.pool.pop((KEY.address, 0))
    desk.settle()
    assert [tx.data for tx in desk.node.all_transactions()] == ["0x", "0xffff", call(0).data]


def test_a_refusal_leaves_nothing_in_flight_and_the_nonce_free(desk: Desk) -> None:
    desk.node.poor = True
    with pytest.raises(ChainError, match=r"did not take report: insufficient funds"):
        desk.sender.send(call(0))
    assert desk.outbox.read() == []
    desk.node.poor = False
    assert desk.sender.send(call(1)).posted.nonce == 0


def test_a_refusal_of_what_came_twice_is_not_believed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    take = desk.node._send

    def take_it_and_then_refuse_it(raw: str) -> str:
        take(raw)
        raise Refused(POOR["besu"])

    monkeypatch.setattr(desk.node, "_send", take_it_and_then_refuse_it)
    desk.sender.send(call(0))
    monkeypatch.undo()
    desk.settle()
    assert desk.times(0) == 1


def test_what_was_taken_at_an_earlier_price_is_known(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(_raw: str) -> str:
        raise ConnectionError("no route to host")

    desk.node.least_price = 3
    sent = desk.sender.send(call(0))
    desk.node.seal()
    desk.node.least_price = 1
    desk.now_s += PATIENCE_S
    monkeypatch.setattr(desk.node, "_send", lose)
    desk.look()
    monkeypatch.undo()
    assert sent.posted.gas_prices == [1, 2]
    desk.node.seal()
    desk.settle()
    assert [tx.price for tx in desk.node.all_transactions()] == [1]


def test_after_a_crash_the_nonces_go_on_behind_what_is_in_flight(desk: Desk) -> None:
    desk.sender.send(call(0))
    desk.node.forget_pool()
    desk.sender = desk.start()
    assert desk.sender.send(call(1)).posted.nonce == 1
    desk.settle()
    assert (desk.times(0), desk.times(1)) == (1, 1)


def test_waiting_ends_and_says_what_the_node_said(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daisee.ledger.sender.time.sleep", lambda _s: setattr(desk, "now_s", desk.now_s + 10))
    sent = desk.sender.send(call(0))
    desk.node.forget_pool()
    desk.node.poor = True
    with pytest.raises(TransactionLost, match=r"is not settled after 100 s; the node says: insufficient funds"):
        desk.sender.wait(sent, 100)
    assert desk.sender.in_flight == [sent]


FINAL = {
    "geth": [
        "tx fee (2.95 ether) exceeds the configured cap (1.00 ether)", "max initcode size exceeded: code size 50000 limit 49152",
        "transaction type not supported", "only replay-protected (EIP-155) transactions allowed over RPC",
        "invalid transaction v, r, s values", "exceeds block gas limit", "gas limit reached", "intrinsic gas too low",
        "transaction underpriced: tip needed 2, tip permitted 1", "max fee per gas less than block base fee", "sender not an eoa",
        "oversized data", "negative value", "gas uint64 overflow", "rlp: value size exceeds available input length",
        "transaction gas limit too high (cap: 16777216, tx: 20000000)",
    ],
    "besu": [
        "Gas price below configured minimum gas price", "Sender account not authorized to send transactions",
        "Transaction fee cap exceeded", "Transaction gas limit exceeds block gas limit", "Wrong chainId", "ChainId not supported",
        "Invalid transaction type", "Plugin has marked the transaction as invalid", "Gas price below current base fee",
    ],
    "nethermind": [
        "FeeTooLow, MaxFeePerGas too low. MaxFeePerGas: 1, BaseFee: 7, MaxPriorityFeePerGas:1, Block number: 9",
        "GasLimitExceeded, Gas limit: 6000000, gas limit of rejected tx: 7000000", "Int256Overflow",
        "SenderIsContract", "Invalid",
    ],
    "parity": [
        "Transaction gas price supplied is too low. It does not satisfy your node's minimal gas price.", "Invalid RLP data.",
        "sender is not permitted", "Transaction is too big, see chain specification for the limit.",
        "Sender is banned in local queue.",
        "Transaction cost exceeds current gas limit. Limit: 1, got: 2. Try decreasing supplied gas.",
    ],
    "anyone": ["something that no client has ever said"],
}  # fmt: skip
"""Of the sources of geth 1.13 to 1.15, Besu 24, Nethermind 1.25 and OpenEthereum 3."""
IN_PASSING = [
    "nonce too low", "nonce too high", "NonceGap, Future nonce. Expected nonce: 4", "OwnNonceAlreadyUsed", "FeeTooLowToCompete",
    "future transaction tries to replace pending", "txpool is full", "account limit exceeded", "queue full",
    "There are too many transactions in the queue. Your transaction was dropped due to limit. Try increasing the fee.",
    "in-flight transaction limit reached for delegated accounts", "Initial sync is still in progress", "request timed out",
    "limit exceeded", "daily request limit exceeded", "Internal error", "Too Many Requests", "upstream is gone",
    "504 Gateway Time-out",
    "An invalid transaction with a lower nonce exists", "context deadline exceeded", "header not found",
]  # fmt: skip


@pytest.mark.parametrize("told", [told for client in FINAL.values() for told in client])
def test_what_a_node_will_not_take_blocks_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch, told: str) -> None:
    def refuse(_raw: str) -> str:
        raise Refused(told)

    with monkeypatch.context() as refusing:
        refusing.setattr(desk.node, "_send", refuse)
        with pytest.raises(ChainError, match="the node did not take report: "):
            desk.sender.send(call(0))
    assert desk.sender.in_flight == []
    assert desk.outbox.read() == []
    assert desk.sender.send(call(1)).posted.nonce == 0


@pytest.mark.parametrize("told", IN_PASSING)
def test_what_a_node_may_take_later_stays_in_flight(desk: Desk, monkeypatch: pytest.MonkeyPatch, told: str) -> None:
    def refuse(_raw: str) -> str:
        raise Refused(told)

    with monkeypatch.context() as refusing:
        refusing.setattr(desk.node, "_send", refuse)
        desk.sender.send(call(0))
    desk.settle()
    assert desk.times(0) == 1


def test_a_refusal_is_not_believed_where_something_has_the_nonce(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_raw: str) -> str:
        monkeypatch.undo()
        desk.by_another_program(1)
        raise Refused(FINAL["besu"][0])

    monkeypatch.setattr(desk.node, "_send", refuse)
    sent = desk.sender.send(call(0))
    assert desk.sender.in_flight == [sent]
    desk.settle()
    assert desk.times(0) == 1


def test_a_price_above_the_maximum_is_not_paid(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.gas_price = None
    desk.sender = desk.start()
    desk.node.least_price = 500 * 10**9
    with pytest.raises(ChainError, match=r"gas would cost 500 gwei, and no more than 10 gwei is paid; .*--max-gas-price"):
        desk.sender.send(call(0))
    assert desk.sender.in_flight == []
    desk.node.least_price = MAX_GAS_PRICE
    assert desk.sender.send(call(0)).posted.gas_prices == [MAX_GAS_PRICE]


def test_a_stuck_transaction_is_not_offered_more_than_the_maximum(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.gas_price, desk.node.least_price = None, 9 * 10**8
    desk.sender = desk.start()
    sent = desk.sender.send(call(0))
    desk.node.least_price = 500 * 10**9
    for _ in range(40):
        desk.node.seal()
        desk.now_s += PATIENCE_S
        desk.look()
    assert max(sent.posted.gas_prices) == MAX_GAS_PRICE
    with pytest.raises(ChainError, match="gas would cost 500 gwei"):
        desk.sender.give_up(sent)


def test_a_price_rises_by_what_nodes_ask_for(desk: Desk) -> None:
    desk.node.least_price = 90
    sent = desk.sender.send(call(0))
    for _ in range(40):
        desk.node.seal()
        desk.now_s += PATIENCE_S
        desk.look()
    assert all(more * 10 >= price * 11 for price, more in itertools.pairwise(sent.posted.gas_prices))
    assert desk.times(0) == 1


def test_no_more_is_paid_where_no_block_comes(desk: Desk) -> None:
    sent = desk.sender.send(call(0))
    for _ in range(120):
        desk.now_s += PATIENCE_S
        desk.look()
    assert sent.posted.gas_prices == [1]


def test_what_the_account_cannot_pay_more_for_is_sent_for_what_it_can(desk: Desk) -> None:
    desk.node.least_price, desk.node.affords = 2, 1
    sent = desk.sender.send(call(0))
    desk.node.seal()
    desk.now_s += PATIENCE_S
    desk.look()
    assert sent.posted.gas_prices == [1, 2]
    desk.node.forget_pool()
    desk.node.least_price = 1
    desk.now_s += PATIENCE_S
    desk.look()
    desk.node.seal()
    assert [tx.price for tx in desk.node.all_transactions()] == [1]


def test_what_is_given_up_does_not_happen_and_blocks_nothing(desk: Desk) -> None:
    desk.node.least_price = 3
    sent, later = desk.sender.send(call(0)), desk.sender.send(call(1))
    desk.sender.give_up(sent)
    desk.node.least_price = 1
    desk.settle()
    assert sent.outcome is not None
    assert (sent.happened, later.happened) == (False, True)
    assert [tx.data for tx in desk.node.all_transactions()] == ["0x", call(1).data]


def test_what_is_given_up_too_late_has_happened(desk: Desk) -> None:
    sent = desk.sender.send(call(0))
    desk.node.seal()
    desk.sender.give_up(sent)
    desk.settle()
    assert sent.happened
    assert desk.times(0) == 1


def test_that_a_call_did_not_happen_is_said_only_when_it_is_certain(tmp_path: Path) -> None:
    desk = Desk(tmp_path, confirmations=1)
    desk.node.least_price = 2
    sent = desk.sender.send(call(0))
    desk.sender.give_up(sent)
    for _ in range(FOR_GOOD - 1):
        desk.node.seal()
        assert desk.sender.outcome(sent) is None
    desk.sender = desk.start()
    (sent,) = desk.sender.in_flight
    desk.node.seal()
    assert desk.sender.outcome(sent) is not None
    assert not sent.happened


def test_what_is_given_up_is_so_too_where_anothers_transaction_has_its_nonce(desk: Desk) -> None:
    sent = desk.sender.send(call(0))
    desk.node.forget_pool()
    desk.sender.give_up(sent)
    desk.node.forget_pool()
    desk.by_another_program(5)
    desk.settle()
    assert sent.outcome is not None
    assert not sent.happened
    assert [tx.data for tx in desk.node.all_transactions()] == ["0xffff"]


@pytest.mark.parametrize("remembers", [None, FOR_GOOD])
def test_the_taker_of_a_nonce_is_found_in_few_questions_and_once(desk: Desk, remembers: int | None) -> None:
    desk.node.remembers = remembers
    desk.sender.send(call(0))
    desk.node.forget_pool()
    for _ in range(40):
        desk.node.seal()
    desk.by_another_program(5)
    for _ in range(4 * BLOCKS_AT_ONCE):
        desk.node.seal()
    before = desk.node.read_in_full
    desk.now_s += PATIENCE_S
    desk.look()
    assert desk.node.read_in_full - before <= (1 if remembers is None else BLOCKS_AT_ONCE)
    desk.settle()
    assert desk.times(0) == 1


def test_a_search_that_takes_long_goes_on_where_it_stopped(desk: Desk) -> None:
    desk.node.remembers = FOR_GOOD
    sent = desk.sender.send(call(0))
    desk.node.forget_pool()
    for _ in range(2 * BLOCKS_AT_ONCE):
        desk.node.seal()
    desk.by_another_program(5)
    for _ in range(2 * FOR_GOOD):
        desk.node.seal()
    desk.now_s += PATIENCE_S
    for _ in range(3):
        assert sent.posted.nonce == 0
        desk.look()
    assert sent.posted.nonce == 1
    assert desk.node.read_in_full <= 2 * BLOCKS_AT_ONCE + 2


@pytest.mark.parametrize("remembers", [None, FOR_GOOD])
def test_the_taker_is_found_in_a_block_before_the_one_in_which_the_nonce_was_given(desk: Desk, remembers: int | None) -> None:
    for _ in range(FOR_GOOD):
        desk.node.seal()
    desk.node.remembers = remembers
    sent = desk.sender.send(call(0))
    assert sent.posted.since_block == FOR_GOOD
    desk.node.forget_pool()
    desk.by_another_program(5)
    (taken,) = desk.node.pool.values()
    desk.node.pool.clear()
    desk.node.chain[FOR_GOOD - 3] = Block("0x" + "77" * 32, (taken,))  # a reorganisation, which may be as deep
    for _ in range(FOR_GOOD):
        desk.node.seal()
    desk.now_s += PATIENCE_S
    desk.look()
    assert sent.posted.nonce == 1
    desk.settle()
    assert desk.times(0) == 1


@pytest.mark.parametrize("what", ["settles", "is stuck", "lost its nonce"])
def test_a_full_disk_loses_sight_of_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    desk.node.least_price = 2 if what == "is stuck" else 1
    sent = desk.sender.send(call(0))
    if what == "lost its nonce":
        desk.node.forget_pool()
        desk.by_another_program(5)
    with monkeypatch.context() as disk:
        disk.setattr("daisee.ledger.outbox.write_whole", full)
        for _ in range(FOR_GOOD):
            desk.node.seal()
            desk.now_s += PATIENCE_S
            desk.sender.outcome(sent)
        assert (sent.posted.gas_prices, sent.posted.nonce) == ([1], 0)
    desk.settle()
    assert sent.happened
    assert desk.times(0) == 1


@pytest.mark.parametrize("answered", ["zzz", None, {}])
def test_a_node_that_makes_no_sense_is_a_chain_error(desk: Desk, monkeypatch: pytest.MonkeyPatch, answered: Any) -> None:
    monkeypatch.setattr(desk.node, "_result", lambda *_: answered)
    for ask in (desk.start, lambda: desk.sender.send(call(0)), desk.sender.unsettled):
        with pytest.raises(ChainError):
            ask()


def test_a_node_that_is_not_there_is_a_chain_error() -> None:
    with pytest.raises(ChainError, match="the node does not answer"):
        Sender(Web3(Web3.HTTPProvider("http://127.0.0.1:1", exception_retry_configuration=None)), KEY)


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_every_clients_words_are_known(dialect: str) -> None:
    known, stale, underpriced = DIALECTS[dialect]
    assert answers.TAKEN.search(known)
    assert answers.POOR.search(POOR[dialect])
    assert not answers.PASSING.search(POOR[dialect])
    for passing in (stale, underpriced):
        assert not answers.TAKEN.search(passing)
        assert answers.PASSING.search(passing)


def test_an_outbox_holds_no_key_and_is_nobody_elses(desk: Desk) -> None:
    desk.sender.send(call(0))
    assert desk.outbox.path.stat().st_mode & 0o777 == 0o600
    text = desk.outbox.path.read_text()
    assert KEY.key.hex() not in text
    assert KEY.key.hex() not in repr(desk.sender.in_flight)


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"nonce": 1}]', '{"a": 1}'])
def test_an_outbox_that_cannot_be_read_is_not_taken_for_an_empty_one(desk: Desk, text: str) -> None:
    desk.outbox.path.write_text(text)
    with pytest.raises(StoreError, match="cannot be read"):
        desk.start()


def test_an_outbox_that_cannot_be_written_sends_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("daisee.ledger.outbox.write_whole", full)
    with pytest.raises(StoreError, match="No space left on device; report was not sent"):
        desk.sender.send(call(0))
    assert desk.node.pool == {}
    assert desk.sender.in_flight == []


def test_what_is_written_is_what_is_read(desk: Desk) -> None:
    desk.sender.send(call(3))
    assert json.loads(desk.outbox.path.read_text())[0]["nonce"] == 0
    assert [sent.posted for sent in desk.start().in_flight] == [sent.posted for sent in desk.sender.in_flight]
    assert [sent.hashes for sent in desk.start().in_flight] == [sent.hashes for sent in desk.sender.in_flight]


# ---- who asks more, and what waits for what


def pass_by(desk: Desk, times: int = 1) -> None:
    """Let blocks come, each after its sender's patience, and look after everything."""
    for _ in range(times):
        desk.node.seal()
        desk.now_s += PATIENCE_S
        desk.look()


@pytest.mark.parametrize("dialect", sorted(CHEAP))
def test_what_a_node_forgot_and_asks_more_for_is_offered_more(tmp_path: Path, dialect: str) -> None:
    desk = Desk(tmp_path)
    desk.gas_price, desk.node.dialect = None, dialect
    desk.sender = desk.start()
    sent = desk.sender.send(call(0))
    desk.node.forget_pool()
    desk.node.least_price, desk.node.refuses_less = 3, True
    pass_by(desk, 4)
    assert sent.posted.gas_prices == [1, 3]
    assert desk.times(0) == 1


def test_what_is_asked_is_offered_up_to_a_hundred_times_the_first_price_and_once(desk: Desk) -> None:
    sent = desk.sender.send(call(0))
    desk.node.forget_pool()
    desk.node.least_price, desk.node.refuses_less = 5_000, True
    pass_by(desk, 5)
    assert sent.posted.gas_prices == [1, MOST_TIMES_PRICE]


def test_what_an_account_is_too_poor_for_is_not_offered_more(desk: Desk) -> None:
    sent = desk.sender.send(call(0))
    desk.node.forget_pool()
    desk.node.least_price, desk.node.poor = 3, True
    pass_by(desk, 3)
    assert sent.posted.gas_prices == [1]


def test_where_gas_is_free_a_stuck_call_is_offered_more_all_the_same(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.gas_price, desk.node.least_price = None, 0
    desk.sender = desk.start()
    sent = desk.sender.send(call(0))
    desk.node.least_price = 3
    pass_by(desk, 6)
    assert sent.posted.gas_prices == [0, 3]
    assert desk.times(0) == 1


def test_no_price_is_offered_twice_where_gas_is_free(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.gas_price, desk.node.least_price = 0, 10**6
    desk.sender = desk.start()
    sent = desk.sender.send(call(0))
    pass_by(desk, 60)
    assert sent.posted.gas_prices[:4] == [0, 1, 2, 3]
    assert len(set(sent.posted.gas_prices)) == len(sent.posted.gas_prices)
    assert MOST_TIMES_PRICE * 8 / 9 < max(sent.posted.gas_prices) <= MOST_TIMES_PRICE
    desk.sender.give_up(sent)
    assert sent.posted.empty_prices > sent.posted.gas_prices[-1:]
    assert [tx.data for tx in desk.node.pool.values()] == ["0x"]


@pytest.mark.parametrize("restarts", [False, True])
def test_what_fills_a_gap_is_offered_more_too(desk: Desk, restarts: bool) -> None:
    desk.by_another_program(5)
    desk.sender.send(call(0))
    desk.node.pool.pop((KEY.address, 0))
    desk.node.least_price = 3
    desk.now_s += PATIENCE_S
    desk.look()
    if restarts:
        desk.sender = desk.start()
    pass_by(desk, 10)
    assert [(tx.data, tx.price) for tx in desk.node.all_transactions()] == [("0x", 3), (call(0).data, 3)]
    desk.settle()
    assert desk.outbox.read() == []


def test_only_what_is_next_is_offered_more(desk: Desk) -> None:
    desk.by_another_program(1)
    desk.node.least_price = 10**6
    sent = [desk.sender.send(call(number)) for number in range(3)]
    pass_by(desk, 10)
    assert [each.posted.gas_prices for each in sent] == [[1]] * 3
    desk.node.pool[KEY.address, 0] = replace(desk.node.pool[KEY.address, 0], price=10**6)
    pass_by(desk, 4)
    assert len(sent[0].posted.gas_prices) > 1
    assert [each.posted.gas_prices for each in sent[1:]] == [[1]] * 2


def waits_in(monkeypatch: pytest.MonkeyPatch, desk: Desk) -> None:
    """Let a block come, and time pass, wherever the sender sleeps."""

    def sleep(_s: float) -> None:
        desk.now_s += 10
        desk.node.seal()

    monkeypatch.setattr("daisee.ledger.sender.time.sleep", sleep)


def test_who_waits_for_a_later_call_looks_after_the_earlier_one(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    waits_in(monkeypatch, desk)
    desk.sender.send(call(0))
    later = desk.sender.send(call(1))
    desk.node.pool.pop((KEY.address, 0))
    desk.sender.wait(later, 3_600)
    assert (desk.times(0), desk.times(1)) == (1, 1)


def test_a_gap_is_filled_behind_what_is_settled_and_was_not_asked_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    waits_in(monkeypatch, desk)
    desk.sender.send(call(0))
    desk.by_another_program(1)
    desk.sender = desk.start()
    later = desk.sender.send(call(1))
    desk.node.pool.pop((KEY.address, 1))
    desk.sender.wait(later, 3_600)
    assert [tx.data for tx in desk.node.all_transactions()] == [call(0).data, "0x", call(1).data]


def test_who_waits_asks_again_where_an_answer_was_lost(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    waits_in(monkeypatch, desk)
    sent = desk.sender.send(call(0))
    desk.node.faults = ["answer lost", None, "request lost"]
    assert desk.sender.wait(sent, 100).succeeded


def test_who_waited_in_vain_is_told_that_the_node_is_silent(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    waits_in(monkeypatch, desk)
    sent = desk.sender.send(call(0))
    desk.node.faults = ["answer lost"] * 100
    with pytest.raises(ChainError, match="the node does not answer: timed out"):
        desk.sender.wait(sent, 100)
    assert len(desk.node.faults) < 95
    assert desk.sender.in_flight == [sent]


# ---- the outbox


def test_two_programs_do_not_share_an_outbox(desk: Desk) -> None:
    desk.sender.send(call(0))
    with pytest.raises(StoreError, match=r"another program of this account is at work, and has .*outbox\.json; wait until it"):
        Outbox(desk.outbox.path)
    desk.outbox.close()
    assert [posted.call for posted in Outbox(desk.outbox.path).read()] == [call(0)]


def test_what_was_let_go_is_not_written(desk: Desk) -> None:
    sender, _ = desk.sender, desk.start()
    with pytest.raises(StoreError, match=r"it was let go, .*; report was not sent"):
        sender.send(call(0))
    assert desk.node.pool == {}


@pytest.mark.parametrize("goes_on", [True, False])
def test_what_was_refused_and_cannot_be_struck_out_stays_in_flight(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, goes_on: bool
) -> None:
    written: list[str] = []

    def full_after_that(path: Path, text: str) -> None:
        if written:
            raise OSError(28, "No space left on device")
        write_whole(path, text)
        written.append(text)

    desk.node.poor = True
    with monkeypatch.context() as disk:
        disk.setattr("daisee.ledger.outbox.write_whole", full_after_that)
        sent = desk.sender.send(call(0))
    assert desk.sender.in_flight == [sent]
    assert [posted.call for posted in desk.outbox.read()] == [call(0)]
    if not goes_on:
        desk.sender = desk.start()
    desk.settle()
    assert desk.times(0) == 1


# ---- refusals that are none, and giving up


@pytest.mark.parametrize("silent", ["its count", "its transaction"])
def test_a_refusal_is_not_believed_where_the_node_is_silent_after_it(desk: Desk, silent: str) -> None:
    desk.node.poor = True
    desk.node.faults = [None, None, None, *([] if silent == "its count" else [None]), "answer lost"]
    sent = desk.sender.send(call(0))
    assert desk.sender.in_flight == [sent]
    desk.settle()
    assert desk.times(0) == 1


def test_a_refusal_is_not_believed_where_the_node_has_it_in_a_queue(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    take = desk.node._send

    def take_it_and_then_refuse_it(raw: str) -> str:
        take(raw)
        raise Refused(POOR["besu"])

    with monkeypatch.context() as queue:
        queue.setattr(desk.node, "_send", take_it_and_then_refuse_it)
        queue.setattr(desk.node, "_counted", lambda *_: 0)  # what waits in a queue does not count
        sent = desk.sender.send(call(0))
    assert desk.sender.in_flight == [sent]
    desk.settle()
    assert desk.times(0) == 1


def test_a_node_that_still_reads_its_transactions_has_no_receipt_yet(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def still_reading(_wanted: str) -> None:
        raise Refused("transaction indexing is in progress")

    sent = desk.sender.send(call(0))
    with monkeypatch.context() as reading:
        reading.setattr(desk.node, "_receipt", still_reading)
        assert desk.sender.outcome(sent) is None
    desk.settle()
    assert sent.happened


def test_giving_up_costs_no_more_than_is_allowed(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.gas_price, desk.node.least_price = None, MAX_GAS_PRICE
    desk.sender = desk.start()
    sent = desk.sender.send(call(0))
    with pytest.raises(ChainError, match=r"gas would cost 11\.25 gwei, and no more than 10 gwei is paid"):
        desk.sender.give_up(sent)
    assert sent.posted.empty_prices == []
    assert [tx.data for tx in desk.node.pool.values()] == [call(0).data]


def test_giving_up_that_cannot_be_written_changes_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    sent = desk.sender.send(call(0))
    with monkeypatch.context() as disk:
        disk.setattr("daisee.ledger.outbox.write_whole", full)
        with pytest.raises(StoreError, match="No space left on device"):
            desk.sender.give_up(sent)
    assert sent.posted.empty_prices == []
    desk.settle()
    assert sent.happened


def test_that_a_call_did_not_happen_is_as_deep_as_was_asked_for(tmp_path: Path) -> None:
    desk = Desk(tmp_path, confirmations=FOR_GOOD + 3)
    desk.node.least_price = 2
    sent = desk.sender.send(call(0))
    desk.sender.give_up(sent)
    for _ in range(FOR_GOOD + 2):
        desk.node.seal()
        assert desk.sender.outcome(sent) is None
    desk.node.seal()
    assert desk.sender.outcome(sent) is not None


def test_a_lost_answer_does_not_make_a_chain_that_takes_nothing_back_one_that_does(tmp_path: Path) -> None:
    desk = Desk(tmp_path, confirmations=1)
    desk.node.client, desk.node.least_price = "daisee/1", 2
    sent = desk.sender.send(call(0))
    desk.sender.give_up(sent)
    desk.node.seal()
    desk.node.faults = [None, None, None, "answer lost"]  # of the two receipts, of the newest block, and of who it is
    with pytest.raises(ChainError):
        desk.sender.outcome(sent)
    assert desk.sender.outcome(sent) is not None


def test_a_network_with_a_developers_id_loses_no_nonce_to_the_newest_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.ledger.bad_node.CHAIN_ID", 1337)
    monkeypatch.setattr(f"{__name__}.CHAIN_ID", 1337)
    desk = Desk(tmp_path, confirmations=1)
    desk.node.client = "Geth/v1.13.15-stable/linux-amd64/go1.21.9"
    desk.sender.send(call(0))
    desk.node.forget_pool()
    desk.by_another_program(5)
    pass_by(desk, 2)
    desk.node.reorganise(2, forget=True)
    desk.node.hear_of(0)
    desk.settle()
    assert desk.times(0) == 1
