"""Sending, once, whatever a node does: lost requests and answers, forgotten pools, reorganisations, crashes, other programs."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_typing import HexStr
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.ledger.bad_node import CHAIN_ID, DIALECTS, FAULTS, POOR, BadNode, Block, Crash, Fault, Refused
from web3 import Web3

from daisee.errors import ChainError, StoreError, TransactionLost
from daisee.ledger.outbox import Outbox
from daisee.ledger.sender import REFUSED, TAKEN, Sender, Sent
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
        self.now_s = 0.0
        self.outbox = Outbox(folder / "outbox.json")
        self.sender = self.start()

    def start(self) -> Sender:
        return Sender(
            Web3(self.node, middleware=[]), KEY, confirmations=self.confirmations, outbox=self.outbox,
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
        self.node.poor, self.node.least_price = False, 1
        for _ in range(60):
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
    """A sender against a bad node. At the end each call that was sent is in the chain once, and each that was not, is not."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.mkdtemp()
        self.desk = Desk(Path(self.folder))
        self.expected: dict[int, int] = {}
        self.settled: list[Sent] = []

    @initialize(dialect=st.sampled_from(sorted(DIALECTS)))
    def choose(self, dialect: str) -> None:
        self.desk.node.dialect = dialect

    @rule(faults=st.lists(st.one_of(st.none(), st.sampled_from(FAULTS)), max_size=6))
    def send(self, faults: list[Fault | None]) -> None:
        number = len(self.expected)
        self.desk.node.faults = list(faults)
        try:
            self.settled.append(self.desk.sender.send(call(number)))
            self.expected[number] = 1
        except ChainError:
            self.expected[number] = 0
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

    @rule()
    def _restart(self) -> None:
        self.desk.node.faults.clear()
        self.settled = [sent for sent in self.settled if sent.outcome]
        self.desk.sender = self.desk.start()

    @rule(blocks=st.integers(1, 4))
    def seal(self, blocks: int) -> None:
        for _ in range(blocks):
            self.desk.node.seal()

    @rule(depth=st.integers(1, CONFIRMATIONS - 1), forget=st.booleans())
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

    @rule(price=st.sampled_from([1, 2, 4]), poor=st.booleans())
    def change(self, price: int, poor: bool) -> None:
        self.desk.node.least_price, self.desk.node.poor = price, poor

    @invariant()
    def what_is_settled_stays(self) -> None:
        chain = self.desk.node.chain
        for sent in self.settled:
            if sent.outcome:
                block = chain[sent.outcome.block]
                assert [(tx.hash, tx.data) for tx in block.transactions].count((sent.outcome.transaction, sent.call.data)) == 1

    @invariant()
    def nothing_happens_twice(self) -> None:
        for number, times in self.expected.items():
            assert self.desk.times(number) <= times

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
        assert {number: self.desk.times(number) for number in self.expected} == self.expected
        assert self.desk.outbox.read() == []


TestSending = Sending.TestCase
TestSending.settings = settings(max_examples=300, stateful_step_count=50)


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


def test_a_nonce_is_lost_to_another_only_as_deep_as_was_asked_for(desk: Desk) -> None:
    sent = desk.sender.send(call(0))
    desk.node.forget_pool()
    desk.by_another_program(5)
    desk.node.seal()
    desk.now_s += PATIENCE_S
    desk.look()
    assert sent.posted.nonce == 0, "its own transaction may yet be the one"
    desk.node.reorganise(1, forget=True)
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

    sent = desk.sender.send(call(0))
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


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_every_clients_words_are_known(dialect: str) -> None:
    known, stale, underpriced = DIALECTS[dialect]
    assert TAKEN.search(known)
    assert REFUSED.search(POOR[dialect])
    for passing in (stale, underpriced):
        assert not TAKEN.search(passing)
        assert not REFUSED.search(passing)


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
    with pytest.raises(StoreError, match="No space left on device; nothing was sent"):
        desk.sender.send(call(0))
    assert desk.node.pool == {}
    assert desk.sender.in_flight == []


def test_what_is_written_is_what_is_read(desk: Desk) -> None:
    desk.sender.send(call(3))
    assert json.loads(desk.outbox.path.read_text())[0]["nonce"] == 0
    assert [sent.posted for sent in desk.start().in_flight] == [sent.posted for sent in desk.sender.in_flight]
    assert [sent.hashes for sent in desk.start().in_flight] == [sent.hashes for sent in desk.sender.in_flight]
