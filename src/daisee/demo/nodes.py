"""A network of real nodes for a street, in a temporary folder, for as long as the street lives."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from eth_account import Account

from daisee.chain.failover import FailoverChain
from daisee.chain.founding import DEVELOPERS_IDS, Plan, draw_chain_id, found
from daisee.chain.ipc import NodeSocket
from daisee.chain.network import NodeFolder, folders_here
from daisee.chain.node import NodeProcess, is_free, prepare, program
from daisee.demo.ground import OPERATOR_WEALTH, NodeGround
from daisee.errors import ChainError, PortTaken, UsageError
from daisee.units import Address

PERIOD_S = 1
GAS_LIMIT = 6_000_000
START_S = 120.0
POLL_S = 0.5
BLOCKS_BELIEVED = 3
"""The first blocks fork, until the nodes have found each other."""


@contextmanager
def own_nodes(folder: Path, chain_id: int, validators: int, rpc_port: int, say: Callable[[str], None]) -> Iterator[NodeGround]:
    """Make a network, run it, and answer it when its nodes agree; at the end all close. The first answers at `rpc_port`.

    An id of developers' chains, as the street's is where nothing is said, is not for nodes: another one is drawn. UsageError
    where there is no geth, or too few ports are free.
    """
    client = program()
    for port in range(rpc_port, min(rpc_port + validators, 2**16)):
        if not is_free(port):
            raise PortTaken(port, "--rpc-port")
    operator = Account.from_key(secrets.token_bytes(32))
    plan = Plan(
        client="geth",
        chain_id=draw_chain_id() if chain_id in DEVELOPERS_IDS else chain_id,
        period_s=PERIOD_S,
        gas_limit=GAS_LIMIT,
        validators=validators,
        balances={Address(operator.address): OPERATOR_WEALTH},
        p2p_port=_free_ports(validators),
        rpc_port=rpc_port,
    )
    network = found(folder / "network", plan)
    folders = folders_here(folder / "network")
    for node in folders:
        prepare(node)
    say(f"A network of {validators} validators starts; the first blocks take up to half a minute ...")
    with ExitStack() as open_nodes:
        running: list[NodeProcess] = []
        for node in folders:
            running.append(NodeProcess(node, client))
            open_nodes.callback(running[-1].close)
        # All at once; then each is waited for.
        open_nodes.callback(_ask_to_end, running)
        _wait_until_they_agree(folders, running)
        yield NodeGround(FailoverChain([node.rpc_url for node in network.nodes]), operator)


def _ask_to_end(running: list[NodeProcess]) -> None:
    for process in running:
        process.ask_to_end()


def _wait_until_they_agree(folders: list[NodeFolder], running: list[NodeProcess]) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        for process in running:
            if process.ended is not None:
                raise ChainError(process.why())
        try:
            heads = [int(NodeSocket(node.socket).rpc("eth_blockNumber"), 16) for node in folders]
            at = hex(max(0, min(heads) - 1))
            seen = {NodeSocket(node.socket).rpc("eth_getBlockByNumber", [at, False])["hash"] for node in folders}
        except ChainError:
            heads, seen = [0], set()
        if min(heads) >= BLOCKS_BELIEVED and len(seen) == 1:
            return
        time.sleep(POLL_S)
    raise ChainError(f"the nodes do not agree on a chain after {START_S:.0f} s; is this machine very busy?")


def _free_ports(count: int) -> int:
    """Answer the first of so many ports in a row that nobody listens on."""
    for first in range(30_303, 60_000, count):
        if all(is_free(port) for port in range(first, first + count)):
            return first
    raise UsageError(f"there are no {count} ports in a row that nobody listens on")
