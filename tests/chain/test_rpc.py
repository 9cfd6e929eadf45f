"""The words of a node: forms that wallets rely on, and parameters that do not fit."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from tests.chain.assembler import PUT_TOPIC
from tests.chain.ground import ANNA, BERT, CHAIN_ID, RICH, Town, new_chain, signed

from daisee.chain.embedded.provider import respond
from daisee.chain.embedded.rpc import METHODS
from daisee.errors import ChainError

QUANTITY = re.compile(r"0x(0|[1-9a-f][0-9a-f]*)")
ZEROS = "0x" + "00" * 32

QUANTITIES = {
    "number", "difficulty", "totalDifficulty", "size", "gasLimit", "gasUsed", "timestamp", "blockNumber", "transactionIndex",
    "nonce", "gas", "gasPrice", "value", "type", "chainId", "v", "r", "s", "cumulativeGasUsed", "effectiveGasPrice", "status",
    "logIndex",
}  # fmt: skip
LENGTHS = {
    "hash": 32, "parentHash": 32, "sha3Uncles": 32, "logsBloom": 256, "transactionsRoot": 32, "stateRoot": 32,
    "receiptsRoot": 32, "miner": 20, "mixHash": 32, "blockHash": 32, "transactionHash": 32, "from": 20, "to": 20, "address": 20,
    "contractAddress": 20,
}  # fmt: skip


def check_forms(written: dict[str, Any]) -> None:
    """Quantities have no leading zeros, bytes have their length, and nothing has capitals."""
    for key, value in written.items():
        if value is None:
            continue
        if key in LENGTHS:
            assert re.fullmatch(f"0x[0-9a-f]{{{2 * LENGTHS[key]}}}", value), (key, value)
        elif key == "nonce" and "miner" in written:
            assert re.fullmatch("0x[0-9a-f]{16}", value), value
        elif key in QUANTITIES:
            assert QUANTITY.fullmatch(value), (key, value)


def test_a_block_a_transaction_and_a_receipt_have_geth_s_forms(embedded: Town) -> None:
    cupboard = embedded.cupboard()
    put = embedded.put(cupboard, 5)
    block = embedded.client.rpc("eth_getBlockByNumber", ["latest", True])
    receipt = embedded.client.rpc("eth_getTransactionReceipt", [put["transactionHash"].to_0x_hex()])
    for written in (block, block["transactions"][0], receipt, receipt["logs"][0]):
        check_forms(written)
    assert receipt["logs"][0]["topics"] == ["0x" + PUT_TOPIC.hex(), "0x" + "00" * 12 + BERT.address[2:].lower()]
    assert receipt["contractAddress"] is None
    assert block["transactions"][0]["chainId"] == hex(CHAIN_ID)
    assert block["transactions"][0]["v"] in (hex(2 * CHAIN_ID + 35), hex(2 * CHAIN_ID + 36))
    assert embedded.client.rpc("eth_getBlockReceipts", ["latest"]) == [receipt]


def test_gas_and_logs_are_counted_through_a_block(embedded: Town) -> None:
    cupboard = embedded.cupboard()
    data = cupboard.encode_abi("put", [5])
    for account in (ANNA, BERT):
        embedded.send(account, to=cupboard.address, value=0, data=data, gas=100_000)
    embedded.seal()
    first, second = embedded.client.rpc("eth_getBlockReceipts", ["latest"])
    assert int(second["cumulativeGasUsed"], 16) == int(first["gasUsed"], 16) + int(second["gasUsed"], 16)
    assert int(second["gasUsed"], 16) < int(first["gasUsed"], 16), "the first one has opened the slot"
    assert [log["logIndex"] for receipt in (first, second) for log in receipt["logs"]] == ["0x0", "0x1"]
    assert [log["logIndex"] for log in embedded.client.rpc("eth_getLogs", [{}])] == ["0x0", "0x1"]
    block = embedded.client.rpc("eth_getBlockByNumber", ["latest", False])
    assert block["gasUsed"] == second["cumulativeGasUsed"]


UNFIT: list[tuple[str, list[Any]]] = [
    ("eth_getBalance", []),
    ("eth_getBalance", [ANNA.address]),
    ("eth_getBalance", ["0x12", "latest"]),
    ("eth_getBalance", [7, "latest"]),
    ("eth_getBalance", [None, "latest"]),
    ("eth_getBalance", [ANNA.address, "newest"]),
    ("eth_getBalance", [ANNA.address, -1]),
    ("eth_getBalance", [ANNA.address, "0x"]),
    ("eth_getBalance", [ANNA.address, "0x1_0"]),
    ("eth_getBalance", [ANNA.address, {"blockHash": "0x12"}]),
    ("eth_getBalance", [ANNA.address, {}]),
    ("eth_getBalance", [ANNA.address, ["latest"]]),
    ("eth_getBalance", [ANNA.address, "latest", "more"]),
    ("eth_getBalance", [ANNA.address, "0x01"]),
    ("eth_getStorageAt", [ANNA.address, "0x" + "f" * 65, "latest"]),
    ("eth_getStorageAt", [ANNA.address, 1, "latest"]),
    ("eth_getProof", [ANNA.address, "0x0", "latest"]),
    ("eth_getProof", [ANNA.address, [1], "latest"]),
    ("eth_getProof", [ANNA.address, []]),
    ("eth_blockNumber", ["latest"]),
    ("eth_call", []),
    ("eth_call", ["0x"]),
    ("eth_call", [{"to": "0x0"}]),
    ("eth_call", [{"to": ANNA.address, "data": "0x1"}]),
    ("eth_call", [{"to": ANNA.address, "data": "0x12 34"}]),
    ("eth_call", [{"to": ANNA.address, "data": "hello"}]),
    ("eth_call", [{"to": ANNA.address, "data": "0x11", "input": "0x22"}]),
    ("eth_call", [{"to": ANNA.address, "value": "0x" + "f" * 65}]),
    ("eth_call", [{"to": ANNA.address, "value": 1}]),
    ("eth_call", [{"to": ANNA.address, "value": "0x01"}]),
    ("eth_call", [{"to": ANNA.address, "gas": "lots"}]),
    ("eth_call", [{"to": ANNA.address, "accessList": {}}]),
    ("eth_call", [{"to": ANNA.address, "accessList": [7]}]),
    ("eth_call", [{"to": ANNA.address}, "latest", {ANNA.address: {"balance": "0x1"}}]),
    ("eth_sendRawTransaction", [b"raw"]),
    ("eth_sendRawTransaction", ["f86b"]),
    ("eth_getTransactionByHash", ["0x12"]),
    ("eth_getTransactionReceipt", [{}]),
    ("eth_getBlockByHash", ["latest", False]),
    ("eth_getBlockByNumber", ["latest"]),
    ("eth_getLogs", []),
    ("eth_getLogs", ["0x0"]),
    ("eth_getLogs", [{"address": "0x12"}]),
    ("eth_getLogs", [{"topics": "0x12"}]),
    ("eth_getLogs", [{"topics": [["0x12"]]}]),
    ("eth_getLogs", [{"topics": [{}]}]),
    ("eth_getLogs", [{"blockHash": ZEROS, "fromBlock": "0x0"}]),
]


@pytest.mark.parametrize(("method", "params"), UNFIT)
def test_parameters_that_do_not_fit_are_refused_as_such(embedded: Town, method: str, params: list[Any]) -> None:
    embedded.seal()
    with pytest.raises(ChainError, match=r"^(invalid argument|missing value for|too many arguments)") as refused:
        embedded.client.rpc(method, params)
    assert refused.value.code == -32602


@pytest.mark.parametrize("method", sorted(METHODS))
def test_no_method_stumbles_over_odd_parameters(embedded: Town, method: str) -> None:
    rests: list[list[Any]] = [[], [{}], ["latest"], [None, None]]
    odd: list[Any] = [None, True, -1, 1.5, "", "0x", "0xzz", [], [[]], {}, {"a": []}, "\ud800", "0x" + "00" * 32, ANNA.address]
    for first in odd:
        for rest in rests:
            answered = respond(embedded.client.rpc, 1, method, [first, *rest])
            assert "result" in answered or answered["error"]["code"] in (-32602, -32000), answered


def test_an_unknown_block_is_no_block() -> None:
    chain = new_chain()
    assert chain.rpc("eth_getBlockByHash", [ZEROS, False]) is None
    assert chain.rpc("eth_getBlockByNumber", ["0x63", False]) is None
    assert chain.rpc("eth_getBlockReceipts", ["0x63"]) is None
    assert chain.rpc("eth_getBlockTransactionCountByHash", [ZEROS]) is None
    for asked in ("0x1", "0x63", {"blockHash": ZEROS}, {"blockNumber": "0x63"}):
        with pytest.raises(ChainError, match=r"header (for hash )?not found"):
            chain.rpc("eth_getBalance", [ANNA.address, asked])
    with pytest.raises(ChainError, match="unknown block"):
        chain.rpc("eth_getLogs", [{"blockHash": ZEROS}])
    with pytest.raises(ChainError, match="invalid block range params"):
        chain.rpc("eth_getLogs", [{"fromBlock": "0x2", "toBlock": "0x1"}])
    assert chain.rpc("eth_getLogs", [{"fromBlock": "latest", "toBlock": "0x0"}]) == []


def test_a_block_may_be_named_as_eip_1898_has_it(embedded: Town) -> None:
    before = embedded.client.rpc("eth_getBlockByNumber", ["latest", False])["hash"]
    embedded.do(ANNA, to=BERT.address, value=5)
    now, then = "latest", {"blockHash": before}
    assert embedded.client.rpc("eth_getBalance", [BERT.address, then]) != embedded.client.rpc(
        "eth_getBalance", [BERT.address, now]
    )


def test_an_estimate_stops_at_what_the_sender_can_pay(embedded: Town) -> None:
    cupboard = embedded.cupboard()
    call = {"from": "0x" + "11" * 20, "to": cupboard.address, "data": cupboard.encode_abi("look"), "gasPrice": "0x1"}
    with pytest.raises(ChainError, match="insufficient funds for transfer"):
        embedded.client.rpc("eth_estimateGas", [call])
    dear = {**call, "from": BERT.address, "gasPrice": hex(RICH // 1_000)}
    with pytest.raises(ChainError, match=r"gas required exceeds allowance \(1000\)"):
        embedded.client.rpc("eth_estimateGas", [dear])
    burning = {"to": cupboard.address, "data": cupboard.encode_abi("burn")}
    with pytest.raises(ChainError, match=r"gas required exceeds allowance \(900000\)"):
        embedded.client.rpc("eth_estimateGas", [{**burning, "gas": hex(900_000)}])


def test_a_question_that_takes_too_long_is_broken_off(embedded: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daisee.chain.embedded.calls.CALL_TIMEOUT_S", 0.2)
    cupboard = embedded.cupboard()
    burning = {"to": cupboard.address, "data": cupboard.encode_abi("burn")}
    for method in ("eth_call", "eth_estimateGas"):
        began = time.monotonic()
        with pytest.raises(ChainError, match="execution aborted"):
            embedded.client.rpc(method, [burning])
        assert time.monotonic() - began < 10
    assert embedded.do(BERT, to=cupboard.address, value=0, data=burning["data"], gas=100_000)["status"] == 0, "it goes on"


def test_a_call_has_the_gas_of_a_block_and_no_more(embedded: Town) -> None:
    cupboard = embedded.cupboard()
    call = {"to": cupboard.address, "data": cupboard.encode_abi("left")}
    left = [
        int(embedded.client.rpc("eth_call", [{**call, **gas}]), 16) for gas in ({"gas": "0x186a0"}, {}, {"gas": "0xffffffff"})
    ]
    assert 70_000 < left[0] < 79_000
    assert 5_970_000 < left[1] == left[2] < 5_979_000


def test_an_estimate_is_enough_for_a_contract_that_wants_more_than_it_uses(embedded: Town) -> None:
    cupboard = embedded.cupboard()
    fields = {"to": cupboard.address, "data": cupboard.encode_abi("greedy")}
    estimate = int(embedded.client.rpc("eth_estimateGas", [fields]), 16)
    receipt = embedded.do(BERT, **fields, value=0, gas=estimate)
    assert (receipt["status"], receipt["gasUsed"] < 30_000) == (1, True)
    assert 221_000 < estimate < 226_000


def test_a_call_makes_a_contract_where_a_transaction_would(embedded: Town) -> None:
    runtime_of = embedded.client.rpc("eth_call", [{"from": ANNA.address, "data": "0x60016000526001601ff3"}])
    assert runtime_of == "0x01"


def test_a_transaction_that_was_sent_is_found_before_it_is_sealed(embedded: Town) -> None:
    sent = embedded.client.rpc("eth_sendRawTransaction", [signed(ANNA, 0)])
    written = embedded.client.rpc("eth_getTransactionByHash", [sent])
    check_forms(written)
    assert (written["blockHash"], written["blockNumber"], written["transactionIndex"]) == (None, None, None)
    assert embedded.client.rpc("eth_getTransactionReceipt", [sent]) is None
