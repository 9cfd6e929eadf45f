"""Several nodes as one: the first that is healthy is asked, and the next one when it fails.

Healthy is a node that answers, is on the right chain, is not far behind in catching up, and whose newest block is not old.
Where every node's newest block is old, the chain waits and the nodes do not: then the one that has come furthest is asked.
It is looked at every so often, by whoever asks next, and at once when a node gives no answer. A node earlier in the list is
gone back to when it is healthy again; each failure makes the pause longer until it is looked at, so that one that comes and
goes is not run after. What no node answers in time may be too much, and is held against none of them. An error that a node
answers with is an answer. Several nodes help against failure, not against lies.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from web3.providers.base import BaseProvider
from web3.types import RPCResponse

from daisee.chain.health import Identity, examine
from daisee.chain.remote import TIMEOUT_S, Provider, RemoteChain, TooMuchAsked, result_of
from daisee.errors import ChainError

log = logging.getLogger(__name__)

STALE_S = 60.0
"""A newest block older than this is old: a dozen periods of a community's chain."""
EVERY_S = 30.0
"""How often the node in use is looked at, and how long one that failed is left alone."""
LONGEST_PAUSE = 8
"""How many times as long one is left alone that fails again and again."""
EXAMINATION_TIMEOUT_S = 3.0
REPEATED = ("eth_", "net_", "web3_")
"""What is asked again of another node: reads, and signed transactions, which are the same ones there."""
NOT_REPEATED = "eth_sendTransaction"
"""A node pays with a key of its own; asked again elsewhere, it could be paid twice."""
SEND_SIGNED = "eth_sendRawTransaction"


class _Node:
    """One of the nodes, and what is known of it."""

    def __init__(self, url: str, timeout_s: float, examination_timeout_s: float) -> None:
        self.chain = RemoteChain(url, timeout_s)
        self.examined = RemoteChain(url, examination_timeout_s)
        self.name = self.chain.name
        self.fault = ""
        self.head_s = 0
        self.failures = 0
        """Since it last served from one look to the next."""
        self.left_alone_until_s = float("-inf")


class FailoverChain:
    """Asks the first healthy one of several nodes. May be used from several threads."""

    def __init__(
        self,
        urls: Sequence[str],
        chain_id: int | None = None,
        genesis: str | None = None,
        *,
        stale_s: float = STALE_S,
        every_s: float = EVERY_S,
        timeout_s: float = TIMEOUT_S,
        examination_timeout_s: float = EXAMINATION_TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Name nodes, the one to be preferred first; they are asked when something is asked.

        What is not said of the right chain, its id or the hash of its block 0, the first node that answers says.
        """
        self._nodes = [_Node(url, timeout_s, examination_timeout_s) for url in urls]
        self._chain_id = chain_id
        self._genesis = genesis.lower() if genesis else None
        self._stale_s, self._every_s = stale_s, every_s
        self._clock, self._now = clock, now
        self._lock = threading.Lock()
        self._chosen: _Node | None = None
        self._last: _Node | None = None
        """Which was asked before, for the log."""
        self._look_at_s = 0.0

    @property
    def chain_id(self) -> int:
        """Which chain it is."""
        if self._chain_id is None:
            self._node({})
        assert self._chain_id is not None, "a node that is chosen has said it"
        return self._chain_id

    def rpc(self, method: str, params: list[Any]) -> Any:
        """Ask; ChainError where the node answers with an error, or no node is healthy."""
        return result_of(self.ask(method, params))

    def ask(self, method: str, params: Any) -> RPCResponse:
        """Answer what the first healthy node says, be it an error; ChainError where no node says anything.

        TooMuchAsked where that may be for how much was asked.
        """
        silent: dict[_Node, ChainError] = {}
        while True:
            node = self._node(silent)
            try:
                answered = node.chain.ask(method, params)
            except ChainError as error:
                silent[node] = error
                self._failed(node, error)
                if method == NOT_REPEATED or not method.startswith(REPEATED):
                    raise
                continue
            self._outdone(silent)
            if silent and method == SEND_SIGNED and answered.get("error") is not None:
                # The one before may have it all the same: what this one says of it is not the last word.
                raise ChainError(f"{'; '.join(map(str, silent.values()))}; {node.name} says: {_words(answered)}")
            return answered

    def provider(self) -> BaseProvider:
        """Answer what web3 asks these nodes through."""
        return Provider(self.ask)

    def advance(self, at_s: int) -> None:
        """Leave it to the nodes: they seal when their own clocks say so."""

    def close(self) -> None:
        """Close the connections that are kept open."""
        for node in self._nodes:
            node.chain.close()
            node.examined.close()

    def _node(self, silent: Mapping[_Node, ChainError]) -> _Node:
        """Answer the node to ask, none of those that were silent just now. ChainError where none is healthy."""
        chosen = self._chosen
        usable = chosen is not None and chosen not in silent
        if chosen is not None and usable and self._clock() < self._look_at_s:
            return chosen
        # While another thread looks, what was good until now is good enough.
        if not self._lock.acquire(blocking=not usable):
            assert chosen is not None
            return chosen
        try:
            chosen = self._chosen
            if chosen is not None and chosen not in silent and self._clock() < self._look_at_s:
                return chosen
            return self._look(silent)
        finally:
            self._lock.release()

    def _look(self, silent: Mapping[_Node, ChainError]) -> _Node:
        """Choose a node: the first fresh one, else the one that has come furthest. What failed lately is looked at last."""
        now_s = self._clock()
        fit = [node for node in self._nodes if node not in silent]
        awake = [node for node in fit if node.left_alone_until_s <= now_s]
        stale = []
        for node in awake + [node for node in fit if node not in awake]:
            if not self._is_fit(node):
                continue
            age_s = self._now() - node.head_s
            if age_s <= self._stale_s:
                return self._use(node)
            node.fault = f"the newest block of {node.name} is {age_s:.0f} s old"
            stale.append(node)
        if stale:
            return self._use(max(sorted(stale, key=self._nodes.index), key=lambda node: node.head_s))
        self._chosen = None
        faults = "; ".join(str(silent.get(node) or node.fault) for node in self._nodes)
        kind = TooMuchAsked if any(isinstance(error, TooMuchAsked) for error in silent.values()) else ChainError
        raise kind(f"no node is healthy: {faults}")

    def _is_fit(self, node: _Node) -> bool:
        """Tell whether a node answers, on the right chain and of the present, and note how old its newest block is."""
        try:
            seen = examine(node.examined)
            self._must_be_right(node, seen.identity)
            if seen.syncing:
                raise ChainError(f"{node.name} is still catching up ({seen.syncing})")
        except ChainError as error:
            self._note(node, str(error))
            return False
        node.fault, node.head_s, node.left_alone_until_s = "", seen.head_s, float("-inf")
        return True

    def _must_be_right(self, node: _Node, seen: Identity) -> None:
        """Refuse another chain than the right one, which is the first that is seen where nothing else was said."""
        right = Identity(self._chain_id or seen.chain_id, self._genesis or seen.genesis)
        if seen != right:
            told = f"{node.name} is on another chain ({seen}) than the right one ({right})"
            if told != node.fault:
                log.warning("%s; it is not used", told)
            raise ChainError(told)
        self._chain_id, self._genesis = right.chain_id, right.genesis

    def _use(self, node: _Node) -> _Node:
        if node is self._chosen:
            node.failures = 0
        elif node is not self._last:
            why = "; ".join(each.fault for each in self._nodes if each.fault and each is not node)
            log.info("%s is asked%s", node.name, f": {why}" if why else "")
        node.fault = ""
        self._chosen = self._last = node
        self._look_at_s = self._clock() + self._every_s
        return node

    def _failed(self, node: _Node, error: ChainError) -> None:
        """Stop asking a node that gave no answer. One that may have been asked too much is looked at, and not left alone yet."""
        with self._lock:
            if self._chosen is node:
                self._chosen = None
            if isinstance(error, TooMuchAsked):
                node.fault = str(error)
            else:
                self._note(node, str(error))

    def _outdone(self, silent: Mapping[_Node, ChainError]) -> None:
        """Leave alone those to whom a question was too much that another node has answered."""
        for node, error in silent.items():
            if isinstance(error, TooMuchAsked):
                with self._lock:
                    self._note(node, str(error))

    def _note(self, node: _Node, told: str) -> None:
        """Write down what is wrong with a node, and leave it alone for a while; longer each time."""
        node.fault = told
        now_s = self._clock()
        if node.left_alone_until_s <= now_s:
            node.failures += 1
            node.left_alone_until_s = now_s + self._every_s * min(2 ** (node.failures - 1), LONGEST_PAUSE)


def _words(answered: RPCResponse) -> str:
    told: Any = answered.get("error")
    return " ".join(str(told.get("message")).split())[:200]
