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

from daisee.chain.diagnosis import NOBODY_SEALS, Diagnosis, diagnose, on_our_chain
from daisee.chain.gethfiles import START
from daisee.chain.ipc import NodeSocket
from daisee.chain.network import GENESIS, Network, NodeFolder, folders_here, is_network
from daisee.chain.node import NO_VALIDATORS, strangers, tail_of
from daisee.chain.remote import RemoteChain
from daisee.chain.standing import standing
from daisee.chain.view import NodeView, entry_of_peer, view_of
from daisee.cli.chain.validator import votes_told
from daisee.cli.ledger.amounts import NODE_URL
from daisee.cli.saying import json_option

WATCH_S = 2.0
ANSWERS_S = 5.0
"""A node that runs well answers in milliseconds."""
MOST_AT_ONCE = 16
LAST_LINES = 80
"""Of a client's log: more than it says when it crashes."""
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

    DIR is a network's folder, or one node's. Exit code 1 where something is wrong. --watch --json prints an object a line.
    """
    console = Console(highlight=False)
    if not watch:
        found = look(folder, rpc)
        if as_json:
            click.echo(json.dumps(_as_json(found)))
        else:
            console.print(_drawn(found), soft_wrap=True)
        return _code(found)
    while as_json:
        click.echo(json.dumps(_as_json(look(folder, rpc))))
        time.sleep(WATCH_S)
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
    genesis = _genesis_of(folder, here, views)
    ours = on_our_chain([view for view in views if view.answers], network, genesis)
    # Who is on another chain says of the others that they are.
    notes = [
        note for node, view in zip(here, views, strict=True) if view in ours for note in _notes(node, known=genesis is not None)
    ]
    now_s = time.time()
    period_s = network.period_s if network else DEFAULT_PERIOD_S
    return Found(now_s, network, views, diagnose(views, now_s, period_s, network, notes, genesis))


def _genesis_of(folder: Path, here: Sequence[NodeFolder], views: Sequence[NodeView]) -> str | None:
    """Answer the hash of a network's first block, as one says it that began with the network's own file; None where none did."""
    if not is_network(folder):
        return None
    own = _json_or_none(folder / GENESIS)
    for node, view in zip(here, views, strict=True):
        if own is not None and view.answers and _json_or_none(node.begun_with) == own:
            return view.genesis
    return None


def _json_or_none(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


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
    if ours and any(map(NO_VALIDATORS.search, tail_of(node)[-LAST_LINES:])):
        return NodeView(name=node.name, silent=f"it does not run: {NOBODY_SEALS}")
    how = f"daisee chain run {node.path}" if ours else node.path / START
    return NodeView(name=node.name, silent=f"it does not run; start it with `{how}`")


def _notes(node: NodeFolder, *, known: bool) -> list[str]:
    """Say whom a node refuses; `known` tells whether it is the node that has the network's genesis."""
    named = {entry.short_id: entry.name for entry in node.network.nodes}
    which = "it" if known else "the one of the two that has another"
    return [
        f"{node.name} refuses {named.get(peer, f'a peer ({peer})')}, which is on another chain: its genesis is {theirs}...; "
        f"give {which} the network's genesis.json, and let it begin anew with `daisee chain reset`"
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
        "votes": [asdict(vote) for vote in standing(found.views, found.network)],
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
        parts += [Text(line) for line in votes_told(standing(found.views, found.network), found.network, best.validators or ())]
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
