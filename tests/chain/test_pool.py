"""What the pool takes, what it refuses, and in which order and how full blocks come of it."""

from __future__ import annotations

from typing import Any

import pytest
import rlp  # type: ignore[import-untyped]  # it has no stubs
from eth_keys.constants import SECPK1_N
from tests.chain.ground import ANNA, BERT, CARL, CHAIN_ID, GENESIS_S, NOBODY, RICH, Town, new_chain, signed

from daisee.chain.embedded import EmbeddedChain, pool
from daisee.errors import ChainError


def send(chain: EmbeddedChain, raw: str) -> str:
    return str(chain.rpc("eth_sendRawTransaction", [raw]))


def block_of(chain: EmbeddedChain, sent: str) -> int | None:
    receipt = chain.rpc("eth_getTransactionReceipt", [sent])
    return None if receipt is None else int(receipt["blockNumber"], 16)


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("another chain's", {"chainId": CHAIN_ID + 1}, "invalid sender"),
    ("anybody's chain", {"chainId": None}, "only replay-protected"),
    ("free gas", {"gasPrice": 0}, "transaction underpriced: gas tip cap 0, minimum needed 1"),
    ("too little gas", {"gas": 20_999}, "intrinsic gas too low: gas 20999, minimum needed 21000"),
    ("too little gas for its data", {"data": "0x11"}, "intrinsic gas too low"),
    ("more gas than a block has", {"gas": 6_000_001}, "exceeds block gas limit"),
    (
        "more money than there is",
        {"value": RICH},
        f"insufficient funds .* tx cost {RICH + 21_000}, overshot 21000",
    ),
    ("a later fork's type", {"gasPrice": None, "maxFeePerGas": 1, "maxPriorityFeePerGas": 1}, "not supported: type 2 rejected"),
    ("a nonce far ahead", {"nonce": 5_000}, "txpool is full"),
]


@pytest.mark.parametrize(("fields", "told"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_can_never_be_in_a_block_is_refused(fields: dict[str, Any], told: str) -> None:
    chain = new_chain()
    nonce = fields.pop("nonce", 0) if "nonce" in fields else 0
    with pytest.raises(ChainError, match=told) as refused:
        send(chain, signed(ANNA, nonce, **fields))
    assert refused.value.code == -32000
    assert chain.pending_count == 0


NO_TRANSACTIONS = {
    "0x": "typed transaction too short",
    "0x00": "typed transaction too short",
    "0xc0": "rlp: ",
    "0x02c0": "transaction type not supported",
    "0x05c0": "transaction type not supported",
    "0xff": "rlp: ",
    "0x" + "f8" * 120: "rlp: ",
    "0x01" + "c1" * 3: "rlp: ",
}


@pytest.mark.parametrize(("raw", "told"), NO_TRANSACTIONS.items())
def test_what_is_no_transaction_is_refused(raw: str, told: str) -> None:
    with pytest.raises(ChainError, match=told) as refused:
        send(new_chain(), raw)
    assert refused.value.code == -32000


def test_what_is_nested_without_end_is_refused() -> None:
    raw = b""
    for _ in range(30_000):
        raw = (bytes([0xC0 + len(raw)]) if len(raw) < 56 else _long_list(len(raw))) + raw
    for each in (raw[-60:], raw):
        with pytest.raises(ChainError, match=r"rlp: "):
            send(new_chain(), "0x" + each.hex())
    with pytest.raises(ChainError, match="oversized data"):
        send(new_chain(), "0x" + "00" * 131_073)


def _long_list(length: int) -> bytes:
    written = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([0xF7 + len(written)]) + written


def test_a_signature_that_was_turned_round_is_refused() -> None:
    """Each signature has a twin with the other half of the curve's order; taking both would let others change a hash."""
    fields = rlp.decode(bytes.fromhex(signed(ANNA, 0)[2:]))
    v, s = int.from_bytes(fields[6], "big"), int.from_bytes(fields[8], "big")
    twin = [*fields[:6], (v - 1 if v % 2 == 0 else v + 1).to_bytes(2, "big"), fields[7]]
    twin.append((SECPK1_N - s).to_bytes(32, "big"))
    with pytest.raises(ChainError, match="invalid sender"):
        send(new_chain(), "0x" + rlp.encode(twin).hex())


def test_the_same_transaction_twice_is_one() -> None:
    chain = new_chain()
    raw = signed(ANNA, 0)
    send(chain, raw)
    with pytest.raises(ChainError, match="already known"):
        send(chain, raw)
    chain.mine(GENESIS_S + 1)
    with pytest.raises(ChainError, match="nonce too low: next nonce 1, tx nonce 0"):
        send(chain, raw)
    assert chain.rpc("eth_getBlockTransactionCountByNumber", ["latest"]) == "0x1"


def test_a_nonce_ahead_waits_for_its_turn() -> None:
    chain = new_chain()
    third = send(chain, signed(ANNA, 2))
    second = send(chain, signed(ANNA, 1))
    assert chain.pending_count == 0, "queued, not pending"
    assert chain.rpc("eth_getTransactionCount", [ANNA.address, "pending"]) == "0x0"
    chain.mine(GENESIS_S + 1)
    assert block_of(chain, second) is None
    first = send(chain, signed(ANNA, 0))
    assert chain.pending_count == 3
    assert chain.rpc("eth_getTransactionCount", [ANNA.address, "pending"]) == "0x3"
    chain.mine(GENESIS_S + 2)
    assert [block_of(chain, sent) for sent in (first, second, third)] == [2, 2, 2]
    assert chain.rpc("eth_getBlockByNumber", ["0x2", False])["transactions"] == [first, second, third]


def test_who_comes_first_is_sealed_first() -> None:
    chain = new_chain()
    sent = [send(chain, signed(account, 0)) for account in (CARL, ANNA, BERT)]
    later = send(chain, signed(ANNA, 1))
    chain.mine(GENESIS_S + 1)
    assert chain.rpc("eth_getBlockByNumber", ["latest", False])["transactions"] == [*sent, later]


def test_what_does_not_fit_comes_in_the_next_block() -> None:
    chain = new_chain(gas_limit=100_000)
    big = send(chain, signed(ANNA, 0, gas=60_000))
    second = send(chain, signed(ANNA, 1, gas=90_000))
    after_it = send(chain, signed(ANNA, 2))
    small = send(chain, signed(BERT, 0))
    assert chain.mine(GENESIS_S + 1) == 1
    assert chain.pending_count == 2
    chain.mine(GENESIS_S + 2)
    assert [block_of(chain, sent) for sent in (big, second, after_it, small)] == [1, 2, 2, 1]
    assert chain.pending_count == 0


def test_a_better_price_replaces_and_the_same_does_not() -> None:
    chain = new_chain()
    first = send(chain, signed(ANNA, 0, gasPrice=2))
    with pytest.raises(ChainError, match="replacement transaction underpriced"):
        send(chain, signed(ANNA, 0, gasPrice=2, value=7))
    better = send(chain, signed(ANNA, 0, gasPrice=3, value=7))
    assert chain.pending_count == 1
    assert chain.rpc("eth_getTransactionByHash", [first]) is None
    chain.mine(GENESIS_S + 1)
    assert block_of(chain, better) == 1


def test_a_better_price_is_better_by_a_tenth() -> None:
    chain = new_chain()
    send(chain, signed(ANNA, 0, gasPrice=100))
    with pytest.raises(ChainError, match="replacement transaction underpriced"):
        send(chain, signed(ANNA, 0, gasPrice=109))
    send(chain, signed(ANNA, 0, gasPrice=110))


def test_all_that_waits_of_an_account_must_be_payable_together() -> None:
    chain = new_chain()
    send(chain, signed(ANNA, 0, value=RICH - 100_000))
    with pytest.raises(ChainError, match=f"queued cost {RICH - 79_000}, tx cost 79001, overshot 1"):
        send(chain, signed(ANNA, 1, value=58_001))
    second = send(chain, signed(ANNA, 1, value=58_000))
    with pytest.raises(ChainError, match=f"queued cost {RICH}, tx bumped 21000, overshot 21000"):
        send(chain, signed(ANNA, 1, value=58_000, gasPrice=2))
    chain.mine(GENESIS_S + 1)
    assert block_of(chain, second) == 1
    assert chain.rpc("eth_getBalance", [ANNA.address, "latest"]) == "0x0"


def test_what_can_no_longer_be_paid_is_dropped_and_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool.Pool, "_check_account", lambda *_: None)  # which would not have taken it
    chain = new_chain()
    paid = send(chain, signed(ANNA, 0, value=RICH - 100_000))
    unpaid = send(chain, signed(ANNA, 1, value=RICH - 100_000))
    other = send(chain, signed(BERT, 0))
    assert chain.mine(GENESIS_S + 1) == 1
    assert [block_of(chain, sent) for sent in (paid, unpaid, other)] == [1, None, 1]
    assert chain.pending_count == 0
    assert chain.rpc("eth_getTransactionByHash", [unpaid]) is None


def test_money_that_arrives_can_be_spent_in_the_next_block(embedded: Town) -> None:
    embedded.do(ANNA, to=NOBODY.address, value=50_000)
    assert embedded.do(NOBODY, value=29_000)["status"] == 1
    assert embedded.web3.eth.get_balance(NOBODY.address) == 0


def test_a_flood_ends_at_the_pool_s_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "MOST_WAITING", 3)
    chain = new_chain()
    for nonce in range(3):
        send(chain, signed(ANNA, nonce))
    with pytest.raises(ChainError, match="txpool is full"):
        send(chain, signed(BERT, 0))
    chain.mine(GENESIS_S + 1)
    send(chain, signed(BERT, 0))


def test_a_block_is_never_before_the_one_before() -> None:
    chain = new_chain()
    chain.mine(GENESIS_S + 1)
    with pytest.raises(ChainError, match="not after the last one"):
        chain.mine(GENESIS_S + 1)
    assert chain.head.number == 1


def test_the_genesis_is_rich_as_told_and_no_richer() -> None:
    chain = new_chain()
    known_to_everybody = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"  # the address of the private key 1
    assert chain.rpc("eth_getBalance", [known_to_everybody, "latest"]) == "0x0"
    assert chain.rpc("eth_getBalance", [ANNA.address, "latest"]) == hex(RICH)
    assert chain.rpc("eth_getBlockByNumber", ["0x0", False])["timestamp"] == hex(GENESIS_S)
