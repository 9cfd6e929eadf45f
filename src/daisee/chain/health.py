"""Whether a node is fit to be asked: whether it answers, which chain it is on, and how far it has come. It only looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from daisee.chain.remote import RemoteChain
from daisee.errors import ChainError

FAR_BEHIND = 10
"""Blocks. A node that knows of so many that it does not have yet tells the past; fewer come in the course of things."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Which chain it is: two may have the same id, and not the same block 0."""

    chain_id: int
    genesis: str
    """The hash of block 0."""

    def __str__(self) -> str:
        return f"id {self.chain_id}, genesis {self.genesis[:10]}..."


@dataclass(frozen=True, slots=True)
class Health:
    """What a node answered of itself."""

    identity: Identity
    head_s: int
    """When its newest block was made, in Unix seconds."""
    syncing: str
    """How far it is behind what it knows of; empty for one that is not, or not far."""


def examine(node: RemoteChain) -> Health:
    """Ask a node how it is; ChainError where it does not say, beginning with its name."""
    try:
        identity = Identity(int(node.rpc("eth_chainId", []), 16), str(_block(node, "0x0")["hash"]).lower())
        return Health(identity, int(_block(node, "latest")["timestamp"], 16), _behind(node.rpc("eth_syncing", [])))
    except ChainError as error:
        if error.code is None:
            raise
        told = f"{node.name} does not say where it stands: {error}"
    except (ValueError, TypeError, KeyError) as error:
        told = f"{node.name} says what makes no sense: {error!r}"
    raise ChainError(" ".join(told.split())[:200])


def _block(node: RemoteChain, number: str) -> Any:
    return node.rpc("eth_getBlockByNumber", [number, False])


def _behind(syncing: Any) -> str:
    if not isinstance(syncing, dict):
        return ""
    now, newest = int(syncing["currentBlock"], 16), int(syncing["highestBlock"], 16)
    return f"block {now} of {newest}" if newest - now >= FAR_BEHIND else ""
