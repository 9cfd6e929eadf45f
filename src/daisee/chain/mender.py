"""A validator's node that gets out of Clique's deadlock by itself: it gives up the one block that it sealed last.

Two validators that are both not in turn may seal at the same moment, as after another one has died; then each stands on its own
block, neither is heavier, and each may not seal again before the other has (go-ethereum issue 18402). Who gives its own block
up takes the other's, and may seal the next. They do so in the order of their addresses, each in its turn: never two at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Thread

from daisee.chain.diagnosis import STALE_LEAST_S, STALE_PERIODS, needed
from daisee.chain.ipc import NodeSocket
from daisee.chain.network import NodeFolder
from daisee.chain.unstick import rewind_to
from daisee.chain.view import view_of
from daisee.errors import DaiseeError

TURN_S = 50.0
"""Longer than a node takes to give its block up, fetch the other's and seal the next; then it is the next validator's turn."""
PATIENCE_S = 40.0
"""How long it looks for another block, before it seals its own anew: until it is connected again, and ten seconds more."""


class Mender:
    """Watches one running node; asked to look again and again."""

    def __init__(self, folder: NodeFolder, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        """Watch a node; `say` is told what is done."""
        self._folder = folder
        self._say = say
        self._clock = clock
        self._head = ""
        self._turn_at_s = 0.0
        self._turns = 0
        """How many have passed since the chain is silent: each is one validator's."""
        self._at_work: Thread | None = None

    def look(self) -> None:
        """See whether the chain is silent for too long, and begin to mend it where it is our turn to. It never waits."""
        if self._at_work is not None and self._at_work.is_alive():
            return
        self._folder = NodeFolder(self._folder.path)
        if self._folder.entry.validator is None:
            return
        try:
            head = str(NodeSocket(self._folder.socket).rpc("eth_getBlockByNumber", ["latest", False])["hash"])
        except DaiseeError:
            return
        now_s = self._clock()
        if head != self._head:
            self._head, self._turns = head, 0
            self._turn_at_s = now_s + max(STALE_LEAST_S, STALE_PERIODS * self._folder.network.period_s)
        elif now_s >= self._turn_at_s:
            self._turn_at_s, self._turns = now_s + TURN_S, self._turns + 1
            self._at_work = Thread(target=self._mend, args=(self._turns - 1,), name=f"{self._folder.name}-mender", daemon=True)
            self._at_work.start()

    def _mend(self, turn: int) -> None:
        try:
            block = self._to_give_up(turn)
            if block is None:
                return
            self._say("no blocks, though enough validators are connected: each waits for another; its own last block is given up")
            again = rewind_to(self._folder, block - 1, self._say, PATIENCE_S)
            if again:
                self._say(f"{again} transactions of that block are sent again")
        except DaiseeError as error:
            self._say(f"the deadlock is not mended: {error}")

    def _to_give_up(self, turn: int) -> int | None:
        """Answer the number of the head, where this node sealed it, enough others are here to go on, and it is its turn."""
        folder = self._folder
        view = view_of(folder.name, NodeSocket(folder.socket))
        validators, peers, own = view.validators or (), view.peers or (), folder.entry.validator
        connected = {node.validator for node in folder.network.nodes if node.validator in validators and node.public_key in peers}
        seen = sorted({own, *connected}, key=lambda validator: str(validator).lower())
        if not connected or own not in validators or len(seen) < needed(len(validators)):
            return None
        return view.head if view.sealers[:1] == (own,) and seen.index(own) == turn % len(seen) else None
