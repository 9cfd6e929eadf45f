"""Whom a node knows and is connected with."""

from __future__ import annotations

import re

from daisee.chain.ipc import NodeSocket
from daisee.chain.network import Network, NodeEntry, NodeFolder, is_host
from daisee.errors import ChainError, UsageError

ENODE = re.compile(r"enode://(?P<key>[0-9a-f]{128})@(?P<host>[A-Za-z0-9.-]+):(?P<port>\d{1,5})(\?discport=\d+)?")
FIELD = 2**256 - 2**32 - 977
"""The prime that secp256k1 is over."""


def connected(folder: NodeFolder) -> set[str] | None:
    """Answer the public keys of those that a node is connected with; None where it does not run."""
    try:
        told = NodeSocket(folder.socket).rpc("admin_peers")
    except ChainError:
        return None
    return {peer["enode"].removeprefix("enode://").partition("@")[0] for peer in told}


def call(folder: NodeFolder, node: NodeEntry) -> str:
    """Let a running node call a peer, and go on calling it; answer why it cannot, as where a name has no address. ChainError."""
    try:
        NodeSocket(folder.socket).rpc("admin_addPeer", [node.enode])
    except ChainError as error:
        if error.code is None:
            raise
        return str(error)
    return ""


def forget_peer(network: Network, name: str, own: str) -> Network:
    """Answer a network without a node; UsageError where there is none of that name, or it is the own one."""
    if network.node(name).name == own:
        raise UsageError(f"{own} is the node itself, and no peer of it")
    return network.with_nodes(node for node in network.nodes if node.name != name)


def _is_key(public_key: str) -> bool:
    """Tell whether 128 hex digits are a point of secp256k1, as a client wants them to be when it starts (SEC 2, 2.4.1)."""
    x, y = int(public_key[:64], 16), int(public_key[64:], 16)
    return x < FIELD and y < FIELD and (y * y - x**3 - 7) % FIELD == 0


def add_peer(network: Network, enode: str) -> Network:
    """Answer a network with one more node, of which only the address is known; UsageError where it is none."""
    found = ENODE.fullmatch(enode)
    if found is None or not 0 < int(found["port"]) < 2**16 or not _is_key(found["key"]) or not is_host(found["host"]):
        raise UsageError(f"{enode} is no peer's address; `daisee chain enode` says it, like enode://1d4c...@192.168.1.21:30303")
    if any(node.public_key == found["key"] for node in network.nodes):
        return network.with_nodes(
            NodeEntry(
                name=node.name, host=found["host"], p2p_port=int(found["port"]), rpc_port=node.rpc_port,
                public_key=node.public_key, validator=node.validator,
            )
            if node.public_key == found["key"]
            else node
            for node in network.nodes
        )  # fmt: skip
    entry = NodeEntry(
        name=f"peer-{found['key'][:6]}", host=found["host"], p2p_port=int(found["port"]), rpc_port=0,
        public_key=found["key"], validator=None,
    )  # fmt: skip
    return network.with_nodes([*network.nodes, entry])
