"""Drives real validators into forks: sealing is stopped where the order is known, links are cut, and sealing goes on.

Validators in the order of their addresses seal in turn (EIP-225): s[n % N] is in turn for block n, and its block weighs 2;
another's weighs 1. Who sealed one of the last N // 2 blocks is barred. With N = 4, where all were in turn, after block h by a
and h-1 by b, these two are barred for h+1, c is in turn for it and d for h+2. A cut then decides what comes of it:

    c alone          c seals h+1 and is barred; the three others go on.
    a d | b c        d seals h+1 (weight 1); c h+1, b h+2 (weight 3). Both wait, and the second fork is the heavier.
    a c | b d        c seals h+1 (weight 2); d h+1, b h+2 (weight 2). Each is barred on its own: a deadlock, even when mended.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.faults.nodes import POLL_S, Nodes, until

from daisee.chain.seal import sealer_of

STABLE_S = 3.0
"""More than the longest that one who is not in turn waits with four validators and blocks of a second."""
APART_S = 2.5
"""Time for each home to report, though no block comes."""
ATTEMPTS = 8
MISSED_S = 60.0
"""Geth gives up a peer that says nothing for half a minute."""


@dataclass(frozen=True, slots=True)
class Paused:
    """A network of four that stopped after a block; validators by the names of their nodes."""

    block: int
    a: str
    """Who sealed it."""
    b: str
    """Who sealed the one before."""
    c: str
    """Who is in turn next."""
    d: str
    """And after that."""


def pause(nodes: Nodes) -> Paused:
    """Stop all sealing when the last two blocks were sealed in turn, and all have them."""
    for _ in range(ATTEMPTS):
        for name in nodes.names:
            nodes.ask(name, "miner_stop")
        _wait_until_stable(nodes)
        paused = _order(nodes)
        if paused:
            return paused
        resume(nodes)
        nodes.grow(4, seen_by=nodes.names[0])
    raise AssertionError("the validators do not come to seal in turn")


def resume(nodes: Nodes) -> None:
    """Let all seal again."""
    for name in nodes.names:
        nodes.ask(name, "miner_start")


def cut(nodes: Nodes, others: Sequence[str]) -> None:
    """Cut these off from the rest, and let all seal when homes have reported what only one side knows."""
    nodes.lan.part(others)
    time.sleep(APART_S)
    resume(nodes)


def block(nodes: Nodes, name: str, number: int) -> Any:
    """Answer a block as a node has it; None where it has none."""
    return nodes.ask(name, "eth_getBlockByNumber", hex(number), False)


def carried(nodes: Nodes, name: str, first: int) -> list[str]:
    """Answer the transactions of a node's blocks from one on."""
    blocks = (block(nodes, name, number) for number in range(first, nodes.head(name) + 1))
    return [str(transaction) for each in blocks for transaction in each["transactions"]]


def wait_for_loss(nodes: Nodes, name: str, but: int) -> None:
    """Wait until a node has given up all but so many of its peers."""
    until(lambda: len(nodes.view(name).peers or ()) <= but, MISSED_S, f"{name} does not give its peers up")


def _wait_until_stable(nodes: Nodes) -> None:
    heads, since_s = None, time.monotonic()
    end_s = since_s + 60
    while heads is None or len(set(heads)) > 1 or time.monotonic() - since_s < STABLE_S:
        assert time.monotonic() < end_s, "sealing does not stop"
        now = [str(nodes.ask(name, "eth_getBlockByNumber", "latest", False)["hash"]) for name in nodes.names]
        if now != heads:
            heads, since_s = now, time.monotonic()
        if len(set(now)) > 1 and time.monotonic() - since_s > STABLE_S:
            return  # two that weigh the same, of one height: `_order` sees it
        time.sleep(POLL_S)


def _order(nodes: Nodes) -> Paused | None:
    heads = {nodes.ask(name, "eth_getBlockByNumber", "latest", False)["hash"] for name in nodes.names}
    if len(heads) > 1:
        return None
    number = nodes.head(nodes.names[0])
    by = {nodes.validator(name).lower(): name for name in nodes.names}
    turn = [by[validator] for validator in sorted(by)]
    a, b, c, d = (turn[n % len(turn)] for n in (number, number - 1, number + 1, number + 2))
    sealers = [by[str(sealer_of(block(nodes, a, n))).lower()] for n in (number, number - 1)]
    return Paused(number, a, b, c, d) if sealers == [a, b] else None
