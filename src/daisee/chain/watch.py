"""A running node's story, for people: its blocks, peers and votes, as they come."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from daisee.chain.ipc import NodeSocket
from daisee.chain.network import NodeFolder, is_name
from daisee.chain.node import OTHER_GENESIS
from daisee.chain.peers import call
from daisee.chain.seal import sealer_of, vote_of
from daisee.chain.view import entry_of_peer
from daisee.errors import ChainError

CALL_S = 30.0
"""So often a peer that is not connected is called by its name: it may have an address now."""
QUIET_S = 60.0
"""Blocks without transactions are told of together, so often."""
MOST_AT_ONCE = 50
"""After more new blocks than this, only their number is told."""


class NodeWatch:
    """Tells what a node sees; asked to look again and again."""

    def __init__(self, folder: NodeFolder, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        """Watch a node; `say` is told each line."""
        self._folder = folder
        self._socket = NodeSocket(folder.socket)
        self._say = say
        self._clock = clock
        self._head: dict[str, Any] | None = None
        self._peers: set[str] | None = None
        self._empty = 0
        self._told_at_s = clock()
        self._strangers: set[str] = set()
        self._called_at_s = clock()
        self._unknown: set[str] = set()
        """Peers of whose names it was told that they have no address."""

    def look(self) -> None:
        """Ask the node what is new, and tell it. A node that does not answer yet, or any more, is asked again next time."""
        # Who is in the network may have changed: names are told as they are now.
        self._folder = NodeFolder(self._folder.path)
        try:
            self._look_at_peers()
            self._look_at_blocks()
            self._call_by_name()
        except ChainError:
            return

    def hear(self, line: str) -> None:
        """Listen to its client's log for what it does not tell on its socket: a peer that is on another chain."""
        found = OTHER_GENESIS.search(line)
        if found and found["peer"] not in self._strangers:
            self._strangers.add(found["peer"])
            self._say(
                f"{self._named(found['peer'])} is on another chain: its genesis is {found['theirs']}..., not ours; "
                "give one of the two the other's genesis.json, and reset it with `daisee chain reset`"
            )

    def _named(self, short_id: str) -> str:
        named = (node.name for node in self._folder.network.nodes if node.short_id == short_id)
        return next(named, f"a peer ({short_id})")

    def _look_at_peers(self) -> None:
        told = self._socket.rpc("admin_peers")
        keys = {peer["enode"].removeprefix("enode://").partition("@")[0] for peer in told}
        if keys == self._peers:
            return
        before, self._peers = self._peers or set(), keys
        names = {key: entry_of_peer(key, self._folder.network.nodes) for key in keys | before}
        for key in sorted(keys - before, key=names.__getitem__):
            self._say(f"{names[key]} is connected")
        for key in sorted(before - keys, key=names.__getitem__):
            self._say(f"{names[key]} is gone; {len(keys)} peers are left")

    def _call_by_name(self) -> None:
        """Call those of whom only a name is known: geth looks it up once, when it starts or is told of a peer."""
        if self._clock() - self._called_at_s < CALL_S:
            return
        self._called_at_s = self._clock()
        for node in self._folder.network.nodes:
            if not is_name(node.host) or node.name == self._folder.name or node.public_key in (self._peers or ()):
                continue
            why = call(self._folder, node)
            if why and node.name not in self._unknown:
                self._say(f"{node.name} cannot be called: {why}; it is tried again and again")
            (self._unknown.add if why else self._unknown.discard)(node.name)

    def _look_at_blocks(self) -> None:
        newest = self._socket.rpc("eth_getBlockByNumber", ["latest", False])
        if self._head is None:
            self._say(f"the chain is at block {int(newest['number'], 16)}")
        elif newest["hash"] != self._head["hash"]:
            for block in reversed(self._new_blocks(newest, self._head)):
                self._tell(block)
        self._head = newest
        if self._empty and self._clock() - self._told_at_s >= QUIET_S:
            self._flush(int(newest["number"], 16))

    def _new_blocks(self, newest: dict[str, Any], known: dict[str, Any]) -> list[dict[str, Any]]:
        """Answer what came after a block, the newest first; and say where it is no longer there."""
        blocks: list[dict[str, Any]] = []
        block = newest
        while int(block["number"], 16) > int(known["number"], 16) and len(blocks) < MOST_AT_ONCE:
            blocks.append(block)
            block = self._socket.rpc("eth_getBlockByHash", [block["parentHash"], False])
        if len(blocks) == MOST_AT_ONCE:
            self._say(f"the chain is at block {int(newest['number'], 16)}")
            return []
        if block["hash"] != known["hash"]:
            self._say(f"block {int(known['number'], 16)} ({known['hash'][:10]}) is taken back: another fork is followed")
        return blocks

    def _tell(self, block: dict[str, Any]) -> None:
        number, count = int(block["number"], 16), len(block["transactions"])
        sealer = sealer_of(block)
        by = self._folder.network.name_of(sealer) if sealer else "somebody"
        vote = vote_of(block)
        if vote:
            what = "in" if vote[1] else "out"
            self._say(f"block {number}: {by} votes {self._folder.network.name_of(vote[0])} {what}")
        if count:
            self._flush(number - 1)
            transactions = "1 transaction" if count == 1 else f"{count} transactions"
            self._say(f"block {number} by {by}: {transactions}, {int(block['gasUsed'], 16):,} gas")
        else:
            self._empty += 1

    def _flush(self, number: int) -> None:
        if self._empty:
            told = f"the last of {self._empty} without transactions" if self._empty > 1 else "no transactions"
            self._say(f"block {number}: {told}")
        self._empty = 0
        self._told_at_s = self._clock()
