"""Mend a Clique chain on which every validator waits for another, by taking back the fewest blocks.

Forks of equal weight, each sealed by half of the validators, and each validator barred on its own because it sealed just now:
then the chain is silent with every node up (go-ethereum issue 18402; EIP-3436 tells how it comes about). One fork is kept.
The nodes of the others stop sealing, go back to where the forks parted, are given the kept one, and seal again. What the blocks
that were taken back carried, and the kept fork does not, is sent again.

Nodes do not fetch it by themselves: geth looks for a heavier peer when one connects or tells of a new block, and nobody seals.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daisee.chain.diagnosis import diagnose
from daisee.chain.ipc import NodeSocket
from daisee.chain.network import READABLE, NodeFolder
from daisee.chain.peers import call
from daisee.chain.view import NodeView, view_of
from daisee.errors import ChainError, UsageError

SYNC_S = 60.0
"""How long a node may take to have the kept fork; a peer that was called just now is called again after 35 seconds."""
POLL_S = 0.5
HANG_UP_S = 2.0
MOST_BACK = 10_000
"""A fork that is longer is no deadlock, and nobody should take it back without having looked."""


@dataclass(frozen=True, slots=True)
class Mended:
    """What was done."""

    kept: str
    """Hash of the head of the fork that was kept."""
    parted_at: int
    """The last block that all agreed on."""
    rewound: dict[str, int]
    """How many blocks each node took back."""
    sent_again: int
    """How many transactions were only on what was taken back."""


@dataclass(frozen=True, slots=True)
class _Fork:
    head: str
    blocks: list[dict[str, Any]]
    """Above where the forks parted, the newest first."""
    nodes: list[NodeFolder]


def unstick(folders: Sequence[NodeFolder], now_s: float, *, force: bool = False, say: Callable[[str], None]) -> Mended:
    """Mend a deadlock. UsageError where there is none, unless forced; ChainError where a node does not follow."""
    views = {folder.name: view_of(folder.name, NodeSocket(folder.socket)) for folder in folders}
    running = [folder for folder in folders if views[folder.name].answers]
    if not running:
        raise ChainError("no node of the network runs here; start them, or do this where they run")
    if len({views[folder.name].head_hash for folder in running}) < 2:
        raise UsageError("the nodes that run here agree on the newest block: there is nothing to take back")
    network = running[0].network
    found = diagnose(list(views.values()), now_s, network.period_s, network)
    if not found.deadlocked and not force:
        raise UsageError(f"this is no deadlock ({'; '.join(found.troubles) or 'the chain goes on'}); insist with --force")
    forks, parted_at = _forks(running, views)
    kept = max(forks, key=lambda fork: (_cost_of_others(fork, forks), len(fork.nodes), _count(fork), fork.head))
    say(f"the forks parted after block {parted_at}; the one of {_names(kept)} is kept ({kept.head[:10]})")
    lost: list[str] = []
    for fork in forks:
        if fork is not kept:
            lost += [raw for node in fork.nodes[:1] for raw in _transactions(node, fork)]
            for node in fork.nodes:
                _rewind(node, parted_at, len(fork.blocks), say)
    blocks = b"".join(_raw(kept.nodes[0], block["hash"]) for block in reversed(kept.blocks))
    for fork in forks:
        if fork is not kept:
            for node in fork.nodes:
                _follow(node, kept, blocks, say)
    return Mended(
        kept.head,
        parted_at,
        {node.name: len(fork.blocks) for fork in forks if fork is not kept for node in fork.nodes},
        _send_again(kept.nodes[0], lost),
    )


def rewind_to(folder: NodeFolder, block: int, say: Callable[[str], None], patience_s: float = SYNC_S) -> int:
    """Take a node back to a block, where its peers are on other machines; answer how many transactions it sent again.

    It seals again when it has fetched what they have, or after `patience_s`. UsageError where the node is not beyond that block.
    """
    view = view_of(folder.name, NodeSocket(folder.socket))
    if not view.answers:
        raise ChainError(f"{folder.name} does not run; start it first")
    if not 0 <= block < view.head:
        raise UsageError(f"{folder.name} is at block {view.head}; name one before it, the last that its peers have too")
    if view.head - block > MOST_BACK:
        raise UsageError(f"{view.head - block} blocks are too many to take back; at most {MOST_BACK}")
    fork = _Fork(view.head_hash, _down_to(folder, view.head_hash, block), [folder])
    lost = _transactions(folder, fork)
    _rewind(folder, block, len(fork.blocks), say)
    _call_peers_anew(folder)
    try:
        _wait(lambda: int(_ask(folder, "eth_blockNumber"), 16) > block, patience_s)
    except TimeoutError:
        say(f"{folder.name} has fetched nothing from its peers yet; it goes on trying")
    _seal_again(folder)
    return _send_again(folder, lost)


def _cost_of_others(kept: _Fork, forks: Sequence[_Fork]) -> int:
    """Answer how few blocks the others take back when one is kept: the more, the smaller."""
    return -sum(len(fork.blocks) * len(fork.nodes) for fork in forks if fork is not kept)


def _count(fork: _Fork) -> int:
    return sum(len(block["transactions"]) for block in fork.blocks)


def _names(fork: _Fork) -> str:
    return " and ".join(node.name for node in fork.nodes)


def _forks(running: Sequence[NodeFolder], views: dict[str, NodeView]) -> tuple[list[_Fork], int]:
    """Answer the forks, from where they parted; and where that was."""
    nodes: dict[str, list[NodeFolder]] = {}
    for folder in running:
        nodes.setdefault(views[folder.name].head_hash, []).append(folder)
    height = min(views[folder.name].head for folder in running)
    lowest = max(0, height - MOST_BACK)
    # Down from the lowest head, until every node names the same block.
    while len({_ask(here[0], "eth_getBlockByNumber", hex(height), False)["hash"] for here in nodes.values()}) > 1:
        if height == lowest:
            raise UsageError(f"the forks parted more than {MOST_BACK} blocks ago, or at the genesis; that is no deadlock")
        height -= 1
    return [_Fork(head, _down_to(here[0], head, height), here) for head, here in nodes.items()], height


def _down_to(folder: NodeFolder, head: str, number: int) -> list[dict[str, Any]]:
    blocks, block = [], _ask(folder, "eth_getBlockByHash", head, False)
    while int(block["number"], 16) > number:
        blocks.append(block)
        block = _ask(folder, "eth_getBlockByHash", block["parentHash"], False)
    return blocks


def _transactions(folder: NodeFolder, fork: _Fork) -> list[str]:
    """Answer what a fork's blocks carry, as it was sent, the oldest first."""
    hashes = [one for block in reversed(fork.blocks) for one in block["transactions"]]
    return [_ask(folder, "eth_getRawTransactionByHash", one) for one in hashes]


def _rewind(folder: NodeFolder, block: int, count: int, say: Callable[[str], None]) -> None:
    # It must not seal before it has the kept fork: it would seal its own anew.
    if folder.entry.validator:
        _ask(folder, "miner_stop")
    _ask(folder, "debug_setHead", hex(block))
    say(f"{folder.name} takes back {count} {'block' if count == 1 else 'blocks'}, to {block}")


def _follow(folder: NodeFolder, kept: _Fork, blocks: bytes, say: Callable[[str], None]) -> None:
    """Give a node the blocks of the kept fork, and let it seal again. ChainError where it will not have them."""
    handle, file = tempfile.mkstemp(prefix="fork-", suffix=".rlp", dir=folder.data)
    try:
        with os.fdopen(handle, "wb") as written:
            written.write(blocks)
            os.fchmod(written.fileno(), READABLE)  # by the node, whose user may be another
        NodeSocket(folder.socket, timeout_s=SYNC_S).rpc("admin_importChain", [file])
    except ChainError as error:
        raise ChainError(
            f"{folder.name} does not take the fork of {_names(kept)}: {error}. Its sealing is stopped; let it begin anew with "
            "`daisee chain reset`, and it fetches the chain when it starts"
        ) from error
    finally:
        Path(file).unlink()
    if _ask(folder, "eth_getBlockByNumber", kept.blocks[0]["number"] if kept.blocks else "latest", False)["hash"] != kept.head:
        raise ChainError(f"{folder.name} has the fork of {_names(kept)}, and does not hold it to be heavier than its own")
    _seal_again(folder)
    say(f"{folder.name} is on the kept fork")


def _raw(folder: NodeFolder, block_hash: str) -> bytes:
    """Answer a block as peers send it."""
    return bytes.fromhex(_ask(folder, "debug_getRawBlock", block_hash)[2:])


def _call_peers_anew(folder: NodeFolder) -> None:
    """Hang up, and call again: a peer says how heavy its chain is when it connects."""
    for peer in _ask(folder, "admin_peers"):
        _ask(folder, "admin_removePeer", peer["enode"])
    # Called at once, they would find the old connection not closed yet, and then wait for half a minute.
    time.sleep(HANG_UP_S)
    for node in folder.network.nodes:
        if node.name != folder.name:
            call(folder, node)


def _seal_again(folder: NodeFolder) -> None:
    if folder.entry.validator:
        _ask(folder, "miner_start")


def _wait(done: Callable[[], bool], patience_s: float) -> None:
    until = time.monotonic() + patience_s
    while not done():
        if time.monotonic() > until:
            raise TimeoutError
        time.sleep(POLL_S)


def _send_again(folder: NodeFolder, raws: Sequence[str]) -> int:
    """Send what was taken back and is not on the chain; what the chain has already, or what can no longer be, is refused."""
    sent = 0
    for raw in raws:
        try:
            _ask(folder, "eth_sendRawTransaction", raw)
            sent += 1
        except ChainError as error:
            if error.code is None:
                raise
    return sent


def _ask(folder: NodeFolder, method: str, *params: Any) -> Any:
    return NodeSocket(folder.socket).rpc(method, list(params))
