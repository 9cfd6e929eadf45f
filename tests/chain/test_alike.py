"""The embedded chain speaks like geth: the same questions to both, one after the other, and the same answers word for word.

What is known to differ is not asked here: `daisee.chain.embedded.pool` and `daisee.chain.embedded.calls` say what that is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import rlp  # type: ignore[import-untyped]  # it has no stubs
from eth_keys.constants import SECPK1_N
from tests.chain import geth
from tests.chain.assembler import CUPBOARD, CUPBOARD_ABI, assemble, deployment
from tests.chain.ground import ANNA, BERT, CARL, CHAIN_ID, GENESIS_S, NOBODY, PERIOD_S, RICH, new_chain, signed
from web3 import Web3

from daisee.chain.client import ChainClient
from daisee.errors import ChainError
from daisee.units import Address

CALLS = ("eth_call", "eth_estimateGas")
NO_BLOCK = {"blockHash": "0x" + "00" * 32}
NOWHERE = "0x" + "77" * 20
GAS = hex(900_000)
PANIC = "634e487b7160e01b600052"
"""Code that puts the selector of a panic where a refusal begins."""

Answers = dict[str, Any]


class Telling:
    """A story for one node, with all that it answered."""

    def __init__(self, client: ChainClient, seal: Callable[[], None]) -> None:
        self.client = client
        self.seal = seal
        self.answers: Answers = {}

    def ask(self, name: str, method: str, *params: Any) -> None:
        try:
            answer = self.client.rpc(method, list(params))
        except ChainError as error:
            answer = ("refused", error.code, str(error), error.data)
        assert name not in self.answers
        self.answers[name] = answer

    def send(self, name: str, raw: str) -> None:
        self.ask(name, "eth_sendRawTransaction", raw)

    def must(self, raw: str) -> Any:
        return self.client.rpc("eth_sendRawTransaction", [raw])


def turned_round(raw: str) -> str:
    """Answer the twin of a signature, with the other half of the curve's order."""
    fields = rlp.decode(bytes.fromhex(raw[2:]))
    v, s = int.from_bytes(fields[6], "big"), int.from_bytes(fields[8], "big")
    twin = [*fields[:6], (v - 1 if v % 2 == 0 else v + 1).to_bytes(2, "big"), fields[7]]
    return "0x" + bytes(rlp.encode([*twin, (SECPK1_N - s).to_bytes(32, "big")])).hex()


def what_the_pool_refuses(told: Telling) -> None:
    free, poor, much = {"gasPrice": 0}, {"value": RICH}, {"gas": 6_000_001}
    asked: dict[str, dict[str, Any]] = {
        "free gas": free,
        "too little gas": {"gas": 20_999},
        "too little gas for its data": {"data": "0x11"},
        "more gas than a block has": much,
        "more money than there is": poor,
        "too much gas, and free": {**much, **free},
        "too little gas, and free": {"gas": 1, **free},
        "too much money, and free": {**poor, **free},
        "another chain's": {"chainId": CHAIN_ID + 1},
        "another chain's, with a list": {"chainId": CHAIN_ID + 1, "type": 1, "accessList": []},
        "anybody's": {"chainId": None},
        "of London": {"gasPrice": None, "maxFeePerGas": 1, "maxPriorityFeePerGas": 1},
        "too long": {"data": "0x" + "00" * 131_000, "gas": 5_000_000},
    }
    for name, fields in asked.items():
        told.send(name, signed(ANNA, 0, **fields))
    told.send("of nobody", signed(NOBODY, 0))
    told.send("turned round", turned_round(signed(ANNA, 0)))
    for raw in ("0x", "0x00", "0x01", "0x04", "0x7f00"):
        told.send(raw, raw)


def what_becomes_of_transactions(told: Telling) -> str:
    """Send, replace and overdraw; answer the contract that came of it."""
    made = told.must(signed(ANNA, 0, to=None, value=0, data="0x" + deployment(assemble(CUPBOARD)).hex(), gas=1_000_000))
    told.seal()
    receipt = told.client.rpc("eth_getTransactionReceipt", [made])
    cupboard = Web3.to_checksum_address(receipt["contractAddress"])
    put = signed(BERT, 0, to=cupboard, value=0, data=data_of("put", 7), gas=100_000)
    sent = told.must(put)
    told.send("twice", put)
    told.send("for the same price", signed(BERT, 0, value=3))
    told.send("instead, for too much", signed(BERT, 0, value=RICH))
    told.must(signed(CARL, 0, gasPrice=100))
    for price in (109, 110):
        told.send(f"instead, for {price}", signed(CARL, 0, gasPrice=price))
    told.send("more than is left", signed(CARL, 1, value=RICH - 100_000))
    told.send("instead, for more than is left", signed(CARL, 0, value=RICH - 21_000 * 200 + 1, gasPrice=200))
    told.seal()
    told.send("when it is over", put)
    told.send("a nonce that is over", signed(BERT, 0))
    for method in ("eth_getTransactionByHash", "eth_getTransactionReceipt"):
        written = told.client.rpc(method, [sent])
        told.answers[method] = forms(written)
    told.answers["block"] = sorted(told.client.rpc("eth_getBlockByNumber", ["latest", False]))
    return str(cupboard)


def forms(written: dict[str, Any]) -> Answers:
    """Leave out what a block of one chain cannot share with one of another."""
    kept = {
        name: value for name, value in written.items() if name not in ("blockHash", "blockNumber", "logs", "transactionIndex")
    }
    kept |= {"names": sorted(written), "logs": [forms(entry) for entry in written.get("logs", [])]}
    return kept | {name: "" for name in ("cumulativeGasUsed", "logIndex") if name in kept}


def data_of(function: str, *arguments: int) -> str:
    return str(Web3().eth.contract(abi=CUPBOARD_ABI).encode_abi(function, list(arguments)))


def what_calls_answer(told: Telling, cupboard: str) -> None:
    functions = {each: {"data": data_of(each)} for each in ("refuse", "burn", "greedy", "look", "left", "dive")} | {
        f"put {number}": {"data": data_of("put", number)} for number in (5, 0)
    }
    asked: dict[str, dict[str, Any]] = {name: {"to": cupboard, **call} for name, call in functions.items()} | {
        "a custom error": {"to": cupboard, "data": data_of("refuseMany", 9)},
        "no function": {"to": cupboard, "data": "0xdeadbeef"},
        "a payment that is not taken": {"to": cupboard, "value": "0x1"},
        "a panic": {"data": f"0x{PANIC}601160045260246000fd"},
        "a panic that nobody knows": {"data": f"0x{PANIC}609960045260246000fd"},
        "a reason that is cut short": {"data": "0x6308c379a060e01b60005260046000fd"},
        "a reason longer than it is": {"data": "0x6308c379a060e01b600052602060045260ff60245260646000fd"},
        "a jump to nowhere": {"data": "0x600056"},
        "a contract that is made": {"data": "0x60016000526001601ff3"},
        "a payment": {"to": NOWHERE, "value": "0x1"},
        "data to nowhere": {"to": NOWHERE, "data": "0x12345678"},
        "too little gas": {"to": cupboard, "data": data_of("look"), "gas": hex(21_000)},
        "money that is not there": {"from": NOBODY.address, "to": NOWHERE, "value": "0x1"},
        "gas that cannot be paid": {"from": NOBODY.address, "to": cupboard, "data": data_of("look"), "gasPrice": "0x1"},
        "gas too dear": {"to": cupboard, "data": data_of("look"), "gasPrice": hex(10**15)},
    }
    for method in CALLS:
        for name, call in asked.items():
            told.ask(f"{method} {name}", method, {"from": BERT.address, "gas": GAS, **call}, "latest")
        told.ask(f"{method} of a block to come", method, {"to": cupboard}, "0xffffff")
        told.ask(f"{method} of no block", method, {"to": cupboard}, NO_BLOCK)
        told.ask(f"{method} of nothing", method)
    told.ask("a call with next to no gas", "eth_call", {"to": cupboard, "data": data_of("look"), "gas": "0x1"}, "latest")


def what_is_proven(told: Telling, cupboard: str) -> None:
    """Ask for storage, and for accounts; the path to an account goes through accounts that only one of the chains has."""
    full, places = "0x" + "0" * 63 + "1", ["0x0", "0x1", "0x10", "0x" + "F" * 64]
    for name, account, slots in (
        ("a cupboard", cupboard, [*places, full]),
        ("a cupboard of which nothing is asked", cupboard, []),
        ("somebody", CARL.address, [full]),
        ("nobody", NOWHERE, places),
    ):
        written = told.client.rpc("eth_getProof", [account, slots, "latest"])
        assert written.pop("accountProof")[0].startswith("0xf")
        told.answers[f"the proof of {name}"] = written
    told.ask("a proof in a block to come", "eth_getProof", cupboard, [], "0xffffff")
    told.ask("a proof of no moment", "eth_getProof", cupboard, [])
    told.ask("a proof of no account", "eth_getProof")


def what_else_is_asked(told: Telling) -> None:
    balance, logs = "eth_getBalance", "eth_getLogs"
    for name, method, params in (
        ("a block to come", balance, [ANNA.address, "0xffffff"]),
        ("no block", balance, [ANNA.address, NO_BLOCK]),
        ("no account", balance, []),
        ("no moment", balance, [ANNA.address]),
        ("no such method", "eth_mineFaster", []),
        ("logs of no block", logs, [NO_BLOCK]),
        ("logs backwards", logs, [{"fromBlock": "0x3", "toBlock": "0x2"}]),
        ("logs back to the genesis", logs, [{"fromBlock": "0x3", "toBlock": "0x0"}]),
        ("logs back from now", logs, [{"fromBlock": "latest", "toBlock": "0x0"}]),
        ("logs to come", logs, [{"fromBlock": "0xffffff", "toBlock": "0xfffffff"}]),
        ("a block that is to come", "eth_getBlockByNumber", ["0xffffff", False]),
        ("half a question", "eth_getBlockByNumber", ["latest"]),
        ("the safe block", "eth_getBlockByNumber", ["safe", False]),
        ("the final block", "eth_getBlockByNumber", ["finalized", False]),
        ("an unknown receipt", "eth_getTransactionReceipt", ["0x" + "00" * 32]),
        ("an unknown transaction", "eth_getTransactionByHash", ["0x" + "00" * 32]),
        ("the price of gas", "eth_gasPrice", []),
        ("which chain", "eth_chainId", []),
        ("syncing", "eth_syncing", []),
    ):
        told.ask(name, method, *params)


def tell(client: ChainClient, seal: Callable[[], None]) -> Answers:
    told = Telling(client, seal)
    told.seal()
    what_the_pool_refuses(told)
    cupboard = what_becomes_of_transactions(told)
    what_calls_answer(told, cupboard)
    what_is_proven(told, cupboard)
    what_else_is_asked(told)
    return told.answers


@pytest.fixture
def node(geth_path: str, tmp_path: Any) -> Iterator[geth.Node]:
    """Answer a Clique chain of its own: what it says of balances and nonces must not depend on other tests."""
    balances = {Address(account.address): RICH for account in (ANNA, BERT, CARL)}
    with geth.clique(geth_path, tmp_path, balances, CHAIN_ID) as running:
        yield running


@pytest.mark.geth
def test_the_embedded_chain_answers_as_geth_does(node: geth.Node) -> None:
    chain, sealed = new_chain(), [GENESIS_S]

    def seal() -> None:
        sealed.append(sealed[-1] + PERIOD_S)
        chain.mine(sealed[-1])

    def wait() -> None:
        """Wait for two blocks: what was just sent may have come too late for the next one."""
        until, wanted = time.monotonic() + 30, int(node.chain.rpc("eth_blockNumber", []), 16) + 2
        while int(node.chain.rpc("eth_blockNumber", []), 16) < wanted:
            assert time.monotonic() < until, "no block comes"
            time.sleep(0.05)

    ours, theirs = tell(chain, seal), tell(node.chain, wait)
    assert len(ours) > 90
    differing = {name: (ours[name], theirs[name]) for name in ours if ours[name] != theirs[name]}
    assert differing == {}
