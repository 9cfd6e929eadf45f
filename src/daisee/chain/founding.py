"""Make a network, and add nodes to it: folders with keys and files, which no client has run yet."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_keys.datatypes import PrivateKey

from daisee.chain import besufiles, gethfiles
from daisee.chain.genesis import clique_genesis, qbft_genesis
from daisee.chain.network import (
    GENESIS,
    LOOPBACK,
    NETWORK,
    READABLE,
    Network,
    NodeEntry,
    NodeFolder,
    folders_here,
    is_host,
    machine_of,
    read_network,
)
from daisee.errors import UsageError
from daisee.files import write_whole
from daisee.units import Address

CLIENTS = ("geth", "besu")
P2P_PORT = 30_303
RPC_PORT = 8_545
DEVELOPERS_IDS = (1337, 31337)
"""The chain ids of developers' chains, each one program: `geth --dev` and Ganache; Hardhat and anvil. Wallets know them so."""
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a network is to be."""

    client: str
    chain_id: int
    period_s: int
    gas_limit: int
    validators: int
    hosts: tuple[str, ...] = ()
    """One for each validator's machine; none for all on this one."""
    balances: Mapping[Address, int]
    keys: tuple[bytes, ...] = ()
    """The validators' own, where they have some already; each secret."""
    addresses: tuple[Address, ...] = ()
    """The validators', where they are given; an owner whose key is not among `keys` puts it into the node's folder."""
    p2p_port: int = P2P_PORT
    rpc_port: int = RPC_PORT


@dataclass(frozen=True, slots=True)
class _Keys:
    node: bytes
    validator: bytes | None
    address: Address | None
    """The validator's; its key may be elsewhere."""


def found(path: Path, plan: Plan) -> Network:
    """Make a network's folder, whole or not at all. UsageError where there is something already, or the plan is none."""
    _check(plan)
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is a file; name a new folder, nothing was written")
    if path.exists() and any(path.iterdir()):
        has = "a network already" if (path / NETWORK).exists() else "something else in it"
        raise UsageError(f"{path} has {has}; name a new folder, nothing was written")
    hosts = plan.hosts or (LOOPBACK,) * plan.validators
    keys = _keys_of(plan)
    nodes: list[NodeEntry] = []
    for number, (host, own) in enumerate(zip(hosts, keys, strict=True), 1):
        nodes.append(_entry(f"node{number}", host, own, nodes, plan.p2p_port, plan.rpc_port))
    network = Network(
        client=plan.client, chain_id=plan.chain_id, period_s=plan.period_s, gas_limit=plan.gas_limit, nodes=tuple(nodes)
    )
    genesis = genesis_of(plan, [node.validator for node in nodes if node.validator])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        try:
            _write(whole, network, genesis, keys)
            if path.exists():
                path.rmdir()
            whole.replace(path)
        except BaseException:
            shutil.rmtree(whole, ignore_errors=True)
            raise
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}; nothing was") from error
    return network


def _write(path: Path, network: Network, genesis: Mapping[str, Any], keys: Sequence[_Keys]) -> None:
    write_whole(path / NETWORK, network.to_json(), READABLE)
    write_whole(path / GENESIS, json.dumps(genesis, indent=2) + "\n", READABLE)
    for node, own in zip(network.nodes, keys, strict=True):
        _write_node(path, network, node, own)


def add_node(path: Path, name: str, host: str | None, *, validator: bool) -> NodeFolder:
    """Add a node to a network's folder, and tell those that are here of it; answer its folder.

    Without a host it is on this machine, as all the others must be then. With `validator`, it has a key with which it can seal,
    once it is voted in.
    """
    network = read_network(path)
    if not NAME.fullmatch(name):
        raise UsageError(f"a node's name is of small letters, digits and hyphens, at most 31 of them; {name!r} is not")
    if any(node.name == name for node in network.nodes) or (path / name).exists():
        raise UsageError(f"there is a {name} already in {path}; choose another name")
    if host is None:
        far = next((node for node in network.nodes if machine_of(node.host) != LOOPBACK), None)
        if far:
            raise UsageError(
                f"{far.name} is on {far.host}, which cannot reach a node at {LOOPBACK}: say with --host where {name} is"
            )
        host = LOOPBACK
    _check_host(host, network.client)
    ports = network.nodes[0]
    own = _new_keys(network.client, validator=validator, key=None)
    entry = _entry(name, host, own, network.nodes, ports.p2p_port, ports.rpc_port)
    grown = network.with_nodes([*network.nodes, entry])
    _write_node(path, grown, entry, own)
    write_whole(path / NETWORK, grown.to_json(), READABLE)
    for folder in folders_here(path):
        tell(folder, grown)
    return NodeFolder(path / name)


def tell(folder: NodeFolder, network: Network) -> NodeFolder:
    """Write into a node's folder which nodes there are; it knows when it starts next. Answer the folder as it is then."""
    told = NodeFolder.write(folder.path, network, folder.name)
    _files(network.client).write_peers(told)
    return told


def genesis_of(plan: Plan, validators: Sequence[Address]) -> dict[str, Any]:
    """Answer the first block of a plan's chain."""
    make = clique_genesis if plan.client == "geth" else qbft_genesis
    return make(plan.chain_id, plan.period_s, plan.gas_limit, validators, plan.balances)


def _files(client: str) -> Any:
    return gethfiles if client == "geth" else besufiles


def draw_chain_id() -> int:
    """Draw an id that is nobody's on chainlist.org, and that no other community has."""
    return secrets.randbelow(2**31) + 2**31


def _check(plan: Plan) -> None:
    if plan.client not in CLIENTS:
        raise UsageError(f"there is no client {plan.client}; there are {' and '.join(CLIENTS)}")
    if plan.validators < 1:
        raise UsageError("a chain needs a validator, who seals its blocks; --validators 3 go on when one is away")
    if plan.hosts and len(plan.hosts) != plan.validators:
        raise UsageError(f"{plan.validators} validators need {plan.validators} hosts, and {len(plan.hosts)} are named")
    for host in plan.hosts:
        _check_host(host, plan.client)
    if plan.addresses:
        _check_addresses(plan)
    elif plan.keys and len(set(plan.keys)) != plan.validators:
        raise UsageError(f"{plan.validators} validators need as many keys, each its own; there are {len(set(plan.keys))}")
    _check_ports(plan)
    if not 1 <= plan.chain_id < 2**53:
        raise UsageError("a chain id is a number from 1 on, below 2^53: wallets read no greater one")
    if plan.chain_id in DEVELOPERS_IDS and not plan.addresses:  # a community that had it before keeps it
        raise UsageError(f"{plan.chain_id} is the id of developers' chains, which are no networks; choose another chain id")


def _check_ports(plan: Plan) -> None:
    """Refuse ports that two nodes of one machine would share, or that are none."""
    most = max(Counter(map(machine_of, plan.hosts)).values(), default=plan.validators)
    for option, first in (("--p2p-port", plan.p2p_port), ("--rpc-port", plan.rpc_port)):
        if first + most > 2**16:
            raise UsageError(f"{option} {first} leaves no ports for {most} nodes on one machine; the last port is 65535")
    if abs(plan.p2p_port - plan.rpc_port) < most:
        raise UsageError(
            f"--p2p-port {plan.p2p_port} and --rpc-port {plan.rpc_port} overlap: each of {most} nodes here has one of each"
        )


def _check_addresses(plan: Plan) -> None:
    if len(set(plan.addresses)) != plan.validators or len(plan.addresses) != plan.validators:
        raise UsageError(
            f"{plan.validators} validators have as many addresses, each its own; {len(set(plan.addresses))} are named"
        )
    known = {Address(Account.from_key(key).address) for key in plan.keys}
    for stranger in sorted(known - set(plan.addresses)):
        raise UsageError(f"there is a key of {stranger}, which is no validator; name the validators' keys only")
    missing = [address for address in plan.addresses if address not in known]
    if missing and plan.client == "besu":
        raise UsageError(
            "Besu's peers know a validator's node by that validator's key, so all of them are needed here, and there is none "
            f"of {', '.join(missing)}; with geth each owner can keep their own"
        )


def _check_host(host: str, client: str) -> None:
    if client == "besu":
        besufiles.check_host(host)
    if not is_host(host):
        raise UsageError(f"{host!r} is no host's name or IPv4 address; write it like 192.168.1.21 or pi-2.local")


def _keys_of(plan: Plan) -> list[_Keys]:
    """Answer the validators' keys: those that there are, new ones, or none where an owner keeps it."""
    if not plan.addresses:
        return [_new_keys(plan.client, validator=True, key=key) for key in plan.keys or (None,) * plan.validators]
    known = {Account.from_key(key).address: key for key in plan.keys}
    return [
        _new_keys(plan.client, validator=True, key=known[address])
        if address in known
        else _Keys(secrets.token_bytes(32), None, address)
        for address in plan.addresses
    ]


def _new_keys(client: str, *, validator: bool, key: bytes | None) -> _Keys:
    sealing = (key or secrets.token_bytes(32)) if validator else None
    # Besu knows one key: it seals with the one that its peers know it by.
    node = sealing if client == "besu" and sealing else secrets.token_bytes(32)
    return _Keys(node, sealing, Address(Account.from_key(sealing).address) if sealing else None)


def _entry(name: str, host: str, own: _Keys, others: Sequence[NodeEntry], p2p_port: int, rpc_port: int) -> NodeEntry:
    """Answer a node with the next free ports of its machine."""
    on_its_machine = [node for node in others if machine_of(node.host) == machine_of(host)]
    return NodeEntry(
        name=name,
        host=host,
        p2p_port=max((node.p2p_port + 1 for node in on_its_machine), default=p2p_port),
        rpc_port=max((node.rpc_port + 1 for node in on_its_machine), default=rpc_port),
        public_key=PrivateKey(own.node).public_key.to_hex()[2:],
        validator=own.address,
    )


def _write_node(path: Path, network: Network, node: NodeEntry, own: _Keys) -> None:
    folder = path / node.name
    folder.mkdir(mode=0o700)
    shutil.copyfile(path / GENESIS, folder / GENESIS)
    files = _files(network.client)
    written = NodeFolder.write(folder, network, node.name)
    files.write_node_key(folder, own.node)
    if own.validator and network.client == "geth":
        gethfiles.write_validator_key(folder, own.validator, secrets.token_urlsafe(24))
    elif own.address and network.client == "geth":
        gethfiles.keystore_of(folder).mkdir(mode=0o700)
    files.write_start(written)
    files.write_peers(written)
