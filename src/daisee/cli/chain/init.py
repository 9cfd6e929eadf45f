"""`daisee chain init`: a new network, as folders that are carried to where their nodes will run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from daisee.chain.founding import CLIENTS, P2P_PORT, RPC_PORT, Plan, draw_chain_id, found
from daisee.chain.gethfiles import START
from daisee.chain.network import Network
from daisee.cli.ledger.amounts import ACCOUNT
from daisee.cli.saying import json_option
from daisee.units import Address

PORT = click.IntRange(1, 65_000)
FUNDED_WEI = 10**24
"""What who is funded from the beginning has: a million ether, of a chain where a report costs 40,000 of its smallest units."""


def _split(_ctx: click.Context, _option: click.Parameter, given: str | None) -> tuple[str, ...]:
    return tuple(host.strip() for host in given.split(",")) if given is not None else ()


def _somebody(_ctx: click.Context, _option: click.Parameter, given: tuple[Address, ...]) -> tuple[Address, ...]:
    for account in given:
        if int(account, 16) == 0:
            raise click.BadParameter(f"{account} is nobody's: what it has is lost")
    return given


def fund_option(told: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let a command be told who has gas money in a new network."""
    return click.option("--fund", "funded", type=ACCOUNT, multiple=True, metavar="ADDR", callback=_somebody, help=told)


def nodes_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command be told who runs the nodes of a new network, and where."""
    for option in (
        click.option("--rpc-port", type=PORT, default=RPC_PORT, show_default=True, help="The first node's JSON-RPC."),
        click.option("--p2p-port", type=PORT, default=P2P_PORT, show_default=True, help="The first node's, for peers."),
        click.option(
            "--hosts", metavar="A,B,C", callback=_split,
            help="The machines of the validators' nodes, one each; all on this one if not said.",
        ),
        click.option("--client", type=click.Choice(CLIENTS), default="geth", show_default=True, help="Who runs the network."),
    ):  # fmt: skip
        command = option(command)
    return command


@click.command("init")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@nodes_options
@click.option("--validators", type=int, default=3, show_default=True, help="How many nodes seal blocks from the beginning.")
@click.option("--period", "period_s", type=click.IntRange(1, 3_600), default=5, show_default=True, help="Seconds between blocks.")
@click.option("--gas-limit", type=click.IntRange(1_000_000, 2**53), default=6_000_000, show_default=True, help="Gas in a block.")
@click.option("--chain-id", type=click.IntRange(1, 2**53 - 1), help="By which wallets tell chains apart; drawn, if not said.")
@fund_option("An account that has gas money at once.")
@json_option
def init_command(
    folder: Path,
    client: str,
    validators: int,
    hosts: tuple[str, ...],
    period_s: int,
    gas_limit: int,
    chain_id: int | None,
    funded: tuple[Address, ...],
    p2p_port: int,
    rpc_port: int,
    as_json: bool,
) -> None:
    """Make a network in DIR: its genesis, and a folder for each validator's node, with that node's own keys.

    Each folder can be copied to its own machine; nothing secret is in more than one.
    """
    plan = Plan(
        client=client,
        chain_id=chain_id or draw_chain_id(),
        period_s=period_s,
        gas_limit=gas_limit,
        validators=validators,
        hosts=hosts,
        balances=dict.fromkeys(funded, FUNDED_WEI),
        p2p_port=p2p_port,
        rpc_port=rpc_port,
    )
    network = found(folder, plan)
    if as_json:
        click.echo(json.dumps({"folder": str(folder), **asdict(network)}))
        return
    for line in described(folder, network, funded):
        click.echo(line)


def described(folder: Path, network: Network, funded: tuple[Address, ...]) -> list[str]:
    """Say what was made, and what is to be done next."""
    lines = [f"{folder} is a network: chain {network.chain_id}, a block each {network.period_s} s, run by {network.client}."]
    lines += [
        f"  {node.name}  {node.host}:{node.p2p_port}  {node.rpc_url}  {node.validator or 'a follower'}" for node in network.nodes
    ]
    if not funded:
        lines.append("Nobody has money for gas in it: name accounts with --fund, or nothing can be sent.")
    if network.client != "geth":
        lines.append(f"Run each with its own start file: {folder}/node1/{START}")
    elif len({node.host for node in network.nodes}) > 1:
        lines.append(f"Copy each folder to its machine, and there: daisee chain run {network.nodes[0].name}")
    else:
        lines.append(f"Next: daisee chain up {folder}")
    return lines
