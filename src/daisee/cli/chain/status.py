"""`daisee chain status`: how a chain is, what is wrong with it, and what to do."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from daisee.chain.diagnosis import Diagnosis, diagnose
from daisee.chain.gethfiles import START
from daisee.chain.ipc import NodeSocket
from daisee.chain.network import Network, NodeFolder, folders_here
from daisee.chain.node import strangers
from daisee.chain.remote import RemoteChain
from daisee.chain.view import NodeView, entry_of_peer, view_of
from daisee.cli.ledger.amounts import NODE_URL
from daisee.cli.saying import json_option

WATCH_S = 2.0
ANSWERS_S = 5.0
"""A node that runs well answers in milliseconds."""
MOST_AT_ONCE = 16
DEFAULT_PERIOD_S = 5
"""Of a chain of which only an address is known."""


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of a chain at a moment."""

    at_s: float
    network: Network | None
    views: Sequence[NodeView]
    diagnosis: Diagnosis


@click.command("status")
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path), default=".")
@click.option("--rpc", type=NODE_URL, help="Any node's JSON-RPC instead; it tells less than a node's own folder does.")
@click.option("--watch", is_flag=True, help="Look again and again, until Ctrl-C.")
@json_option
def status_command(folder: Path, rpc: str | None, watch: bool, as_json: bool) -> int:
    """Say how the chain is: its head, who seals, who is connected, and what is wrong, in words.

    DIR is a network's folder, or one node's. Exit code 1 where something is wrong.
    """
    console = Console(highlight=False)
    if as_json:
        found = look(folder, rpc)
        click.echo(json.dumps(_as_json(found)))
        return _code(found)
    if not watch:
        found = look(folder, rpc)
        console.print(_drawn(found), soft_wrap=True)
        return _code(found)
    with Live(console=console, refresh_per_second=4) as live:
        while True:
            live.update(_drawn(look(folder, rpc)))
            time.sleep(WATCH_S)


def look(folder: Path, rpc: str | None) -> Found:
    """Ask the nodes that are here, or the one at an address."""
    if rpc is not None:
        node = RemoteChain(rpc)
        views = [view_of(node.name, node, rpc)]
        node.close()
        now_s = time.time()
        return Found(now_s, None, views, diagnose(views, now_s, DEFAULT_PERIOD_S))
    here = folders_here(folder)
    with ThreadPoolExecutor(MOST_AT_ONCE) as asking:  # one that hangs keeps nobody waiting for the others
        views = list(asking.map(_view_of, here))
    network = here[0].network if here else None
    notes = [note for node, view in zip(here, views, strict=True) if view.answers for note in _notes(node)]
    now_s = time.time()
    period_s = network.period_s if network else DEFAULT_PERIOD_S
    return Found(now_s, network, views, diagnose(views, now_s, period_s, network, notes))


def _view_of(node: NodeFolder) -> NodeView:
    ours = node.network.client == "geth"
    view = view_of(
        node.name, NodeSocket(node.socket, ANSWERS_S) if ours else RemoteChain(node.entry.rpc_url, ANSWERS_S), node.entry.rpc_url
    )
    if view.answers:
        return view
    if ours and NodeSocket(node.socket).listens:
        return NodeView(
            name=node.name, silent=f"it runs, and does not answer; if it stays so, start it anew (its log is {node.log})"
        )
    how = f"daisee chain run {node.path}" if ours else node.path / START
    return NodeView(name=node.name, silent=f"it does not run; start it with `{how}`")


def _notes(node: NodeFolder) -> list[str]:
    named = {entry.short_id: entry.name for entry in node.network.nodes}
    return [
        f"{node.name} refuses {named.get(peer, f'a peer ({peer})')}, which is on another chain: its genesis is {theirs}...; "
        "give it the network's genesis.json, and let it begin anew with `daisee chain reset`"
        for peer, theirs in strangers(node, time.time()).items()
    ]


def _code(found: Found) -> int:
    return 1 if found.diagnosis.troubles else 0


def _as_json(found: Found) -> dict[str, Any]:
    return {
        "at_s": found.at_s,
        "goes_on": found.diagnosis.goes_on,
        "deadlocked": found.diagnosis.deadlocked,
        "troubles": found.diagnosis.troubles,
        "sealed": sealed(found),
        "nodes": [asdict(view) for view in found.views],
    }


def sealed(found: Found) -> dict[str, int]:
    """Count who sealed how many of the last blocks; a validator who sealed none is there with 0."""
    best = max(found.views, key=lambda view: view.head)
    counted = Counter(sealer for sealer in best.sealers if sealer)
    return {validator: counted[validator] for validator in sorted({*counted, *(best.validators or ())})}


def _drawn(found: Found) -> RenderableType:
    parts: list[RenderableType] = []
    answering = [view for view in found.views if view.answers]
    if answering:
        best = max(answering, key=lambda view: view.head)
        age_s = max(0.0, found.at_s - best.head_at_s)
        parts.append(f"chain {best.chain_id}, block {best.head}, {age_s:.0f} s old ({best.head_hash})")
        parts.append(_table(found, answering))
        parts.append(_sealers(found, best))
    if found.diagnosis.troubles:
        parts += [Text.assemble(("! ", "bold red"), trouble) for trouble in found.diagnosis.troubles]
    else:
        parts.append(Text("All is well.", style="green"))
    return Group(*parts)


def _table(found: Found, answering: Sequence[NodeView]) -> Table:
    table = Table()
    for column in ("node", "block", "peers", "waiting"):
        table.add_column(column, justify="left" if column in ("node", "peers") else "right")
    nodes = found.network.nodes if found.network else ()
    for view in answering:
        if view.peers is None:
            peers = "" if view.peer_count is None else str(view.peer_count)
        else:
            peers = ", ".join(sorted(entry_of_peer(key, nodes) for key in view.peers)) or "none"
        waiting = "" if view.pending is None else str(view.pending + (view.queued or 0))
        table.add_row(view.name, str(view.head), peers, waiting)
    return table


def _sealers(found: Found, best: NodeView) -> Text:
    if not best.sealers:
        return Text("No block was sealed yet.")
    named = found.network.name_of if found.network else str
    who = ", ".join(f"{named(validator)} {count}" for validator, count in sealed(found).items())
    return Text(f"Of the last {len(best.sealers)} blocks sealed: {who}")
