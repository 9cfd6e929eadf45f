"""What a chain looks like from a node: asked over its own socket, which tells all, or over HTTP, which tells less."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

from eth_utils.address import to_checksum_address

from daisee.chain.network import NodeEntry
from daisee.chain.seal import sealer_of
from daisee.errors import ChainError
from daisee.units import Address

RECENT = 24
"""How many of the last blocks are looked at for who sealed them; more, where there are many validators."""
TURNS = 3
"""How often each validator could have sealed in the blocks that are looked at."""
CLOCK_TIMEOUT_S = 5.0


class Asked(Protocol):
    """What can be asked: a socket or a URL."""

    def rpc(self, method: str, params: list[Any]) -> Any:
        """Answer a JSON-RPC call."""
        ...


@dataclass(frozen=True, slots=True)
class CastVote:
    """A vote that is in a block, and is counted until it passes, its voter is voted out, or the epoch ends (EIP-225)."""

    voter: Address
    about: Address
    join: bool
    block: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """What one node says at a moment. What it does not tell is None."""

    name: str
    silent: str = ""
    """Why it says nothing; empty where it answers."""
    chain_id: int = 0
    genesis: str = ""
    head: int = 0
    head_hash: str = ""
    head_at_s: int = 0
    difficulty: int | None = None
    """Total, of its head."""
    sealers: tuple[Address | None, ...] = ()
    """Who sealed its last blocks, the newest first; without the genesis."""
    sealed_at_s: dict[Address, int] = field(default_factory=dict)
    """When each of these sealed last, in Unix seconds by its own clock."""
    validators: tuple[Address, ...] | None = None
    proposals: dict[Address, bool] = field(default_factory=dict)
    """For and against whom it is told to vote, block after block."""
    votes: tuple[CastVote, ...] = ()
    """Those of all validators that are counted and have not passed."""
    peers: tuple[str, ...] | None = None
    """Public keys of those that it is connected with."""
    peer_count: int | None = None
    pending: int | None = None
    queued: int | None = None
    behind: int = 0
    """How many blocks it still has to fetch."""
    clock_ahead_s: float | None = None
    """How far its machine's clock is ahead of ours, to a second."""

    @property
    def answers(self) -> bool:
        """Tell whether it says anything."""
        return not self.silent


def view_of(name: str, asked: Asked, url: str | None = None) -> NodeView:
    """Ask a node how it sees the chain; it is silent where it does not answer. Its clock is asked at `url`, where it has one."""
    try:
        return _view(name, asked, url)
    except ChainError as error:
        return NodeView(name=name, silent=str(error).removeprefix(f"{name} "))
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        return NodeView(name=name, silent=f"says what makes no sense for a node of a chain: {error!r}"[:200])


def clock_ahead_s(url: str, clock: Callable[[], float] = time.time) -> float | None:
    """Answer how far the clock of a node's machine is ahead of ours, by the date in its HTTP answers; None where it says none."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    before = clock()
    try:
        connection = kind(parts.hostname or "", parts.port, timeout=CLOCK_TIMEOUT_S)
        connection.request("HEAD", parts.path or "/")
        said_s = parsedate_to_datetime(connection.getresponse().headers.get("Date", "")).timestamp()
        connection.close()
    except (OSError, http.client.HTTPException, ValueError, TypeError):
        return None
    # A date is cut down to whole seconds.
    return said_s + 0.5 - (before + clock()) / 2


def _view(name: str, asked: Asked, url: str | None) -> NodeView:
    head = asked.rpc("eth_getBlockByNumber", ["latest", False])
    number = int(head["number"], 16)
    syncing = asked.rpc("eth_syncing", [])
    pool = _or_none(asked, "txpool_status")
    peers = _or_none(asked, "admin_peers")
    validators = _or_none(asked, "clique_getSigners")
    if validators is None:
        validators = _or_none(asked, "qbft_getValidatorsByBlockNumber", "latest")
    snapshot = _or_none(asked, "clique_getSnapshot") or {}
    sealed = _sealed(asked, head, max(RECENT, TURNS * len(validators or ())))
    return NodeView(
        name=name,
        chain_id=int(asked.rpc("eth_chainId", []), 16),
        genesis=asked.rpc("eth_getBlockByNumber", ["0x0", False])["hash"],
        head=number,
        head_hash=head["hash"],
        head_at_s=int(head["timestamp"], 16),
        difficulty=int(head["totalDifficulty"], 16) if head.get("totalDifficulty") else None,
        sealers=tuple(sealer for sealer, _at_s in sealed),
        # The newest is first, and counts.
        sealed_at_s={sealer: at_s for sealer, at_s in reversed(sealed) if sealer},
        validators=tuple(map(_checksummed, validators)) if validators is not None else None,
        proposals={_checksummed(about): join for about, join in (_or_none(asked, "clique_proposals") or {}).items()},
        votes=tuple(map(_cast_vote, snapshot.get("votes") or ())),
        peers=tuple(peer["enode"].removeprefix("enode://").partition("@")[0] for peer in peers) if peers is not None else None,
        peer_count=len(peers) if peers is not None else _count(_or_none(asked, "net_peerCount")),
        pending=int(pool["pending"], 16) if pool else _count(_or_none(asked, "eth_getBlockTransactionCountByNumber", "pending")),
        queued=int(pool["queued"], 16) if pool else None,
        behind=int(syncing["highestBlock"], 16) - int(syncing["currentBlock"], 16) if isinstance(syncing, dict) else 0,
        clock_ahead_s=clock_ahead_s(url) if url else None,
    )


def _sealed(asked: Asked, head: dict[str, Any], most: int) -> list[tuple[Address | None, int]]:
    """Answer who sealed the last blocks, and when, the newest first."""
    sealed: list[tuple[Address | None, int]] = []
    block = head
    while int(block["number"], 16) > 0 and len(sealed) < most:
        # Besu's engine writes who proposed a block where Clique has its votes.
        sealed.append((sealer_of(block) or _checksummed(block["miner"]), int(block["timestamp"], 16)))
        block = asked.rpc("eth_getBlockByHash", [block["parentHash"], False])
    return sealed


def _cast_vote(told: dict[str, Any]) -> CastVote:
    return CastVote(_checksummed(told["signer"]), _checksummed(told["address"]), bool(told["authorize"]), int(told["block"]))


def _or_none(asked: Asked, method: str, *params: Any) -> Any:
    """Answer None where a node does not tell that."""
    try:
        return asked.rpc(method, list(params))
    except ChainError as error:
        if error.code is None:
            raise
        return None


def _count(told: Any) -> int | None:
    return int(told, 16) if told is not None else None


def _checksummed(account: str) -> Address:
    return Address(to_checksum_address(account))


def entry_of_peer(public_key: str, nodes: tuple[NodeEntry, ...]) -> str:
    """Answer how people call a peer: its name in the network, else the beginning of its key."""
    return next((node.name for node in nodes if node.public_key == public_key), f"{public_key[:8]}...")
