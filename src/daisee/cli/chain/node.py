"""`daisee chain node`, `enode` and `peers`: who is in the network, and who knows whom."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import click

from daisee.chain.founding import add_node, tell
from daisee.chain.ipc import NodeSocket
from daisee.chain.network import LOOPBACK, NodeEntry, NodeFolder, folders_here
from daisee.chain.node import is_running
from daisee.chain.peers import add_peer, call, connected, forget_peer
from daisee.chain.view import entry_of_peer
from daisee.cli.saying import json_option, say, say_table


@click.group("node")
def node_group() -> None:
    """The nodes of a network."""


@node_group.command("add")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("name")
@click.option("--host", help="Where its peers reach it.", show_default="this machine, where all the others are on it too")
@click.option("--validator", is_flag=True, help="Give it a key to seal with, for when the validators vote it in.")
@json_option
def node_add_command(folder: Path, name: str, host: str | None, validator: bool, as_json: bool) -> None:
    """Make the folder of one more node in DIR: a follower, which a home can use.

    The nodes that are here learn of it, the running ones at once; those elsewhere find it by themselves, for it calls them.
    """
    added = add_node(folder, name, host, validator=validator)
    for other in folders_here(folder):
        if other.name != name and is_running(other):
            _call(other, added.entry)
    lines = [f"{added.path} is the folder of {name}; run it with: daisee chain run {added.path}"]
    if validator:
        lines.append(f"It can seal as {added.entry.validator}, once it is voted in: daisee chain validator add {name} {folder}")
    say(as_json, {"folder": str(added.path), **asdict(added.entry), "enode": added.entry.enode}, "\n".join(lines))


@click.command("enode")
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path), default=".")
@json_option
def enode_command(folder: Path, as_json: bool) -> None:
    """Say by which address peers know a node: what another network's operator needs to connect with it."""
    facts = [{"name": node.name, "enode": node.entry.enode} for node in folders_here(folder)]
    lines = [f"{fact['name']}  {fact['enode']}" if len(facts) > 1 else fact["enode"] for fact in facts]
    say(as_json, facts, "\n".join(lines))


def _with_peers(node: NodeFolder, enodes: tuple[str, ...], names: tuple[str, ...]) -> NodeFolder:
    """Let a node know others; nothing is written where one of them is none."""
    network = node.network
    for enode in enodes:
        network = add_peer(network, enode)
    for name in names:
        network = forget_peer(network, name, node.name)
    if network == node.network:
        return node
    told = tell(node, network)
    if is_running(node):
        for entry in network.nodes:
            if entry not in node.network.nodes:
                _call(told, entry)
        for name in names:
            # By its key alone: its name may have no address now.
            NodeSocket(node.socket).rpc("admin_removePeer", [replace(node.network.node(name), host=LOOPBACK).enode])
    return told


def _call(node: NodeFolder, other: NodeEntry) -> None:
    why = call(node, other)
    if why:
        click.echo(f"{node.name} cannot call {other.name} yet: {why}", err=True)


@click.command("peers")
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path), default=".")
@click.option("--add", "enodes", multiple=True, metavar="ENODE", help="Know this peer too, from now on.")
@click.option("--remove", "names", multiple=True, metavar="NAME", help="Know this peer no longer.")
@json_option
def peers_command(folder: Path, enodes: tuple[str, ...], names: tuple[str, ...], as_json: bool) -> None:
    """Say whom a node is connected with; or let it know one more, whose address its `daisee chain enode` says, or one less."""
    here = [_with_peers(node, enodes, names) for node in folders_here(folder)]
    rows = []
    facts: list[dict[str, str | None]] = []
    for node in here:
        found = connected(node)
        for other in node.network.nodes:
            if other.name != node.name:
                state = "does not run" if found is None else "connected" if other.public_key in found else "not connected"
                rows.append((node.name, other.name, state))
                facts.append({"node": node.name, "peer": other.name, "state": state, "enode": other.enode})
        known = {other.public_key for other in node.network.nodes}
        for key in sorted((found or set()) - known):
            rows.append((node.name, entry_of_peer(key, ()), "connected, and came by itself"))
            facts.append({"node": node.name, "peer": key, "state": "connected", "enode": None})
    if as_json:
        click.echo(json.dumps(facts))
        return
    say_table(False, facts, ("node", "peer", "state"), rows, "There is no other node in this network.")
