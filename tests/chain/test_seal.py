"""Who sealed a block and how it voted, read from blocks that geth made; and a node's story told from such blocks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.chain.geth import VALIDATOR, Node

from daisee.chain.founding import Plan, add_node, found
from daisee.chain.ipc import NodeSocket
from daisee.chain.network import NodeFolder
from daisee.chain.seal import NOBODY, VOTE_IN, sealer_of, vote_of
from daisee.chain.watch import MOST_AT_ONCE, NodeWatch
from daisee.errors import ChainError

VOTE_OUT = "0x0000000000000000"


@pytest.mark.geth
def test_the_sealer_is_in_the_signature(clique: Node) -> None:
    while int(clique.chain.rpc("eth_blockNumber", []), 16) < 1:
        pass
    block = clique.chain.rpc("eth_getBlockByNumber", ["0x1", False])
    assert sealer_of(block) == VALIDATOR.address
    assert vote_of(block) is None
    assert sealer_of(clique.chain.rpc("eth_getBlockByNumber", ["0x0", False])) is None
    # Another header has another hash, and so, it seems, another signer.
    assert sealer_of({**block, "gasUsed": "0x7"}) != VALIDATOR.address
    assert sealer_of({**block, "extraData": "0x" + "00" * 32}) is None
    assert sealer_of({**block, "extraData": "0x" + "00" * 32 + "ff" * 65}) is None


def test_a_vote_is_for_or_against_somebody() -> None:
    block = {"miner": "0x" + "ab" * 20, "nonce": VOTE_IN, "extraData": "0x" + "00" * 97}
    assert vote_of(block) == ("0x" + "ab" * 20, True)
    assert vote_of({**block, "nonce": VOTE_OUT}) == ("0x" + "ab" * 20, False)
    assert vote_of({**block, "miner": NOBODY}) is None


class Blocks:
    """A node that has the blocks of a test."""

    def __init__(self) -> None:
        self.chain: list[dict[str, Any]] = []
        self.peers: list[str] = []
        self.silent = False
        self.called = 0
        self.extend(0, "a", 0)

    def extend(self, count: int, fork: str, transactions: int) -> None:
        for number in range(len(self.chain), len(self.chain) + max(1, count)):
            self.chain.append({
                "number": hex(number), "hash": f"0x{fork}{number:09}", "transactions": ["0x1"] * transactions,
                "parentHash": self.chain[-1]["hash"] if self.chain else "0x", "gasUsed": hex(30_597 * transactions),
                "extraData": "0x", "miner": NOBODY, "nonce": VOTE_OUT,
            })  # fmt: skip

    def rpc(self, method: str, params: list[Any] | None = None) -> Any:
        if self.silent:
            raise ChainError("silent")
        if method == "admin_addPeer":
            self.called += 1
            raise ChainError("no such host", -32_000)
        if method == "admin_peers":
            return [{"enode": f"enode://{key}@127.0.0.1:1"} for key in self.peers]
        if method == "eth_getBlockByNumber":
            return self.chain[-1]
        return next(block for block in self.chain if block["hash"] == (params or [""])[0])


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[NodeWatch, Blocks, list[str], list[float]]:
    """Watch a node whose blocks a test makes, with a clock that the test sets."""
    found(tmp_path / "s", Plan(client="geth", chain_id=7, period_s=5, gas_limit=6_000_000, validators=2, balances={}))
    blocks, now = Blocks(), [0.0]
    lines: list[str] = []
    monkeypatch.setattr(NodeSocket, "rpc", lambda _self, method, params=None: blocks.rpc(method, params))
    return NodeWatch(NodeFolder(tmp_path / "s" / "node1"), lines.append, lambda: now[0]), blocks, lines, now


def test_a_node_tells_of_transactions_at_once_and_of_empty_blocks_together(told: Any) -> None:
    watch, blocks, lines, now = told
    watch.look()
    blocks.extend(3, "a", 0)
    watch.look()
    assert lines == ["the chain is at block 0"]
    blocks.extend(1, "a", 2)
    watch.look()
    assert lines[1:] == ["block 3: the last of 3 without transactions", "block 4 by somebody: 2 transactions, 61,194 gas"]
    blocks.extend(1, "a", 0)
    watch.look()
    now[0] = 61.0
    watch.look()
    assert lines[3:] == ["block 5: no transactions"]
    blocks.extend(MOST_AT_ONCE + 5, "a", 1)
    watch.look()
    assert lines[4:] == [f"the chain is at block {5 + MOST_AT_ONCE + 5}"]


def test_a_node_tells_of_peers_votes_forks_and_strangers(told: Any) -> None:
    watch, blocks, lines, _now = told
    network = watch._folder.network
    other = network.nodes[1]
    blocks.peers = [other.public_key]
    watch.look()
    blocks.peers = []
    blocks.extend(1, "a", 0)
    blocks.chain[-1] |= {"miner": str(other.validator).lower(), "nonce": VOTE_OUT}
    watch.look()
    del blocks.chain[-1]
    blocks.extend(2, "b", 0)
    watch.look()
    refused = f"DEBUG[11-23|15:42:37] Ethereum handshake failed id={other.short_id} conn=inbound"
    for _ in range(2):
        watch.hear(f'{refused} err="genesis mismatch: 845955742b2785c9 (!= 0a)"')
    stranger = lines.pop()
    assert lines == [
        "node2 is connected",
        "the chain is at block 0",
        "node2 is gone; 0 peers are left",
        "block 1: somebody votes node2 out",
        "block 1 (0xa0000000) is taken back: another fork is followed",
    ]
    assert stranger.startswith("node2 is on another chain: its genesis is 84595574..., not ours; give one of the two the other's")


def test_a_peer_of_which_a_name_is_known_is_called_until_it_has_an_address(told: Any) -> None:
    watch, blocks, lines, now = told
    add_node(watch._folder.path.parent, "shed", "shed.local", validator=False)
    for seconds in (10.0, 31.0, 40.0, 62.0):
        now[0] = seconds
        watch.look()
    assert blocks.called == 2
    assert [line for line in lines if "shed" in line] == ["shed cannot be called: no such host; it is tried again and again"]
    blocks.peers = [watch._folder.network.node("shed").public_key]
    now[0] = 93.0
    watch.look()
    assert blocks.called == 2


def test_a_node_that_is_silent_is_asked_again(told: Any) -> None:
    watch, blocks, lines, _now = told
    blocks.silent = True
    watch.look()
    assert lines == []
    blocks.silent = False
    watch.look()
    assert lines == ["the chain is at block 0"]
