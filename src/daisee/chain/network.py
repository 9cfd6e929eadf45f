"""A community's network as data: which client, how often it seals, and which nodes there are, each with its key and its ports.

A network is a folder with `network.json`, `genesis.json` and a folder for each node. A node's folder has all that its machine
needs, with a copy of `network.json`, and nothing secret of any other node: it can be carried to where it will run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, TypeVar

from eth_utils.address import is_address
from eth_utils.crypto import keccak

from daisee import shallow
from daisee.errors import UsageError
from daisee.files import write_whole
from daisee.units import Address

NETWORK = "network.json"
GENESIS = "genesis.json"
NODE = "node.json"
READABLE = 0o644
LOOPBACK = "127.0.0.1"
BROADCAST = IPv4Address("255.255.255.255")
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
HOST = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*")
"""A host's name or IPv4 address (RFC 1123, 2.1)."""
DIGITS = re.compile(r"[0-9.]+")
"""What a name never is: its last part has a letter (RFC 3696, 2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeEntry:
    """What everybody may know of a node."""

    name: str
    host: str
    """Where its peers reach it: an address or a name."""
    p2p_port: int
    rpc_port: int
    """Its JSON-RPC, on its own machine's loopback."""
    public_key: str
    """Of its node key: 128 hex digits, by which its peers know it."""
    validator: Address | None
    """Whose seal it sets, if it may; None for a follower."""

    @property
    def enode(self) -> str:
        """Answer its address as a peer, as Ethereum clients write it."""
        return f"enode://{self.public_key}@{self.host}:{self.p2p_port}"

    @property
    def listens_at(self) -> str:
        """Answer at which address it lets peers in: on one machine nobody else's; empty for wherever its machine does."""
        if machine_of(self.host) != LOOPBACK:
            return ""
        return LOOPBACK if is_name(self.host) else self.host

    @property
    def short_id(self) -> str:
        """Answer what a client's log calls it: the beginning of its node id."""
        return bytes(keccak(bytes.fromhex(self.public_key)))[:8].hex()

    @property
    def rpc_url(self) -> str:
        """Answer where its JSON-RPC is, for who is on its machine."""
        return f"http://{LOOPBACK}:{self.rpc_port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What everybody may know of a network."""

    client: str
    chain_id: int
    period_s: int
    gas_limit: int
    nodes: tuple[NodeEntry, ...]

    def node(self, name: str) -> NodeEntry:
        """Answer a node by its name; UsageError where there is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise UsageError(f"there is no node {name} in the network; there are {', '.join(node.name for node in self.nodes)}")

    def name_of(self, validator: str) -> str:
        """Answer how people call a validator: its node's name, else its address."""
        named = (node.name for node in self.nodes if node.validator and node.validator.lower() == validator.lower())
        return next(named, validator)

    def with_nodes(self, nodes: Iterable[NodeEntry]) -> Network:
        """Answer this network with other nodes."""
        return replace(self, nodes=tuple(nodes))

    def to_json(self) -> str:
        """Write it down."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, told: Any) -> Network:
        """Read what `to_json` wrote; TypeError, KeyError or ValueError where it is something else."""
        network = cls(**{**told, "nodes": tuple(_of_their_types(NodeEntry(**node)) for node in told["nodes"])})
        if not network.nodes or network.period_s == 0:
            raise ValueError("no nodes, or no time between blocks")
        return _of_their_types(network)


def is_host(text: str) -> bool:
    """Tell whether this can be where peers reach a node: a name, or an IPv4 address that is one machine's."""
    if not DIGITS.fullmatch(text):
        return HOST.fullmatch(text) is not None
    try:
        address = IPv4Address(text)
    except ValueError:
        return False
    return not (address.is_unspecified or address.is_multicast or address == BROADCAST)


def is_name(host: str) -> bool:
    """Tell whether a host is a name, which has to be looked up."""
    return DIGITS.fullmatch(host) is None


def machine_of(host: str) -> str:
    """Answer what hosts of one machine have in common, as far as can be told: all of 127.0.0.0/8 is the machine itself."""
    if host.lower() == "localhost" or (not is_name(host) and IPv4Address(host).is_loopback):
        return LOOPBACK
    return host.lower()


class NodeFolder:
    """A node's folder on this machine."""

    def __init__(self, path: Path) -> None:
        """Name a folder; UsageError where it is no node's."""
        self.path = path.absolute()
        told = _read(self.path / NODE, "node")
        try:
            self.name = str(told["name"])
            self.network = Network.from_json(told["network"])
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(f"{self.path / NODE} is not whole: {error!r}") from error

    @classmethod
    def write(cls, path: Path, network: Network, name: str) -> NodeFolder:
        """Write which node of which network a folder is of."""
        told = {"name": name, "network": json.loads(network.to_json())}
        write_whole(path / NODE, json.dumps(told, indent=2) + "\n", READABLE)
        return cls(path)

    @cached_property
    def entry(self) -> NodeEntry:
        """Answer what everybody may know of this node."""
        return self.network.node(self.name)

    @property
    def genesis(self) -> Path:
        """Answer the genesis that it should have begun with."""
        return self.path / GENESIS

    @property
    def data(self) -> Path:
        """Answer where its client keeps the chain."""
        return self.path / "data"

    @property
    def begun_with(self) -> Path:
        """Answer a copy of the genesis that the data began with; not there before the first start."""
        return self.data / GENESIS

    @property
    def socket(self) -> Path:
        """Answer the socket on which its client takes orders, from this machine's same user alone."""
        return self.data / "geth.ipc"

    @property
    def pid_file(self) -> Path:
        """Answer where its client's process id is while `daisee chain run` runs it."""
        return self.path / "client.pid"

    @property
    def log(self) -> Path:
        """Answer where its client's own log goes when `daisee chain run` runs it."""
        return self.path / "client.log"


def is_network(path: Path) -> bool:
    """Tell whether a folder is a network's."""
    return (path / NETWORK).is_file()


def read_network(path: Path) -> Network:
    """Read a network's folder; UsageError where it is none."""
    told = _read(path / NETWORK, "network")
    try:
        return Network.from_json(told)
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{path / NETWORK} is not whole: {error!r}") from error


def folders_here(path: Path) -> list[NodeFolder]:
    """List the node folders that are here: those of a network's folder, or the one that it is itself. UsageError for neither."""
    if (path / NODE).is_file():
        return [NodeFolder(path)]
    network = read_network(path)
    return [NodeFolder(path / node.name) for node in network.nodes if (path / node.name / NODE).is_file()]


Entry = TypeVar("Entry", Network, NodeEntry)


def _of_their_types(told: Entry) -> Entry:
    """Answer what was read, if each fact is of its type; ValueError where one is not."""
    for name, kind in _TYPES.items():
        fact = getattr(told, name, None)
        if hasattr(told, name) and not kind(fact):
            raise ValueError(f"{name} is {fact!r}")
    return told


_TYPES: dict[str, Callable[[Any], bool]] = {
    "client": lambda fact: isinstance(fact, str),
    **dict.fromkeys(("chain_id", "period_s", "gas_limit", "p2p_port", "rpc_port"), lambda fact: type(fact) is int and fact >= 0),
    **dict.fromkeys(("name", "host"), lambda fact: isinstance(fact, str) and fact != ""),
    "public_key": lambda fact: isinstance(fact, str) and re.fullmatch("[0-9a-f]{128}", fact) is not None,
    "validator": lambda fact: fact is None or is_address(fact),
}


def _read(path: Path, what: str) -> Any:
    try:
        told = shallow.parse(path.read_bytes())
    except FileNotFoundError:
        hint = "`daisee chain init` makes one" if what == "network" else "name the folder of one node of a network"
        raise UsageError(f"{path.parent} is no {what}'s folder: it has no {path.name}; {hint}") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path} is no JSON: {error}") from error
    if not isinstance(told, dict):
        raise UsageError(f"{path} is not what it should be; copy it from another node of the network")
    return told
