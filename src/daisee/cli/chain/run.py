"""`daisee chain run` and `up`: nodes in the foreground, with a log for people, until somebody says stop."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Event, Lock
from types import FrameType

import click
from rich.console import Console
from rich.text import Text

from daisee.chain.mender import Mender
from daisee.chain.network import NodeFolder, folders_here
from daisee.chain.node import NodeProcess, prepare, program
from daisee.chain.watch import NodeWatch
from daisee.cli.saying import json_option
from daisee.errors import ChainError, UsageError

LOOK_S = 1.0
STYLES = ("cyan", "green", "magenta", "yellow", "blue", "red")


@dataclass(slots=True)
class _Running:
    process: NodeProcess
    watch: NodeWatch
    mender: Mender
    say: Callable[[str], None]
    missed: bool = False
    """Whether its end has been told."""


@click.command("run")
@click.argument("folder", metavar="[NODEDIR]", type=click.Path(path_type=Path), default=".")
@json_option
def run_command(folder: Path, as_json: bool) -> None:
    """Run the node of NODEDIR in the foreground, until Ctrl-C.

    It tells of blocks, peers and votes; what the client itself logs is in NODEDIR/client.log. The client is started by
    NODEDIR/start, which a person or systemd can run as well. Where every validator waits for another, a known deadlock, it
    gives up the block that it sealed last, and the chain goes on.
    """
    _run([NodeFolder(folder)], as_json)


@click.command("up")
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path), default=".")
@json_option
def up_command(folder: Path, as_json: bool) -> None:
    """Run all nodes of a network that are here, until Ctrl-C.

    For a network on one machine; where each node has a machine of its own, `daisee chain run` runs it there.
    """
    here = folders_here(folder)
    if not here:
        raise UsageError(f"no node of {folder} is here any more; on its own machine, each runs with `daisee chain run`")
    _run(here, as_json)


def _run(folders: list[NodeFolder], as_json: bool) -> None:
    for folder in folders:
        prepare(folder)
    client = program()
    say = _teller([folder.name for folder in folders], as_json)
    with _told_to_stop() as stopped, ExitStack() as open_nodes:
        running: list[_Running] = []
        for folder in folders:
            running.append(_start(folder, client, say(folder.name)))
            open_nodes.callback(running[-1].process.close)
        # Asked together, so that they close their databases at the same time; then waited for, one after the other.
        open_nodes.callback(_ask_to_end, running)
        while not stopped.wait(LOOK_S):
            for node in running:
                _look(node, alone=len(running) == 1)
            if all(node.missed for node in running):
                raise ChainError("all nodes have ended")
        for node in running:
            if not node.missed:
                node.say("stops, and closes its database")


def _look(node: _Running, *, alone: bool) -> None:
    """See what is new with a node. The others go on without one that has ended."""
    if node.process.ended is None:
        node.watch.look()
        node.mender.look()
    elif alone:
        raise ChainError(node.process.why())
    elif not node.missed:
        node.missed = True
        node.say(f"{node.process.why()}; again with: daisee chain run {node.process.folder.path}")


def _ask_to_end(running: list[_Running]) -> None:
    for node in running:
        node.process.ask_to_end()


def _start(folder: NodeFolder, client: str, say: Callable[[str], None]) -> _Running:
    watch = NodeWatch(folder, say)
    process = NodeProcess(folder, client, watch.hear)
    role = f"seals as {folder.entry.validator}" if folder.entry.validator else "follows"
    ports = f"peers on port {folder.entry.p2p_port}, JSON-RPC at {folder.entry.rpc_url}"
    say(f"starts on chain {folder.network.chain_id}; {ports}; {role}")
    return _Running(process, watch, Mender(folder, say), say)


def _teller(names: list[str], as_json: bool) -> Callable[[str], Callable[[str], None]]:
    """Answer what makes a node's voice; lines come whole, whichever thread says them."""
    console, lock = Console(highlight=False), Lock()
    width = max(map(len, names))

    def voice(name: str) -> Callable[[str], None]:
        style = STYLES[names.index(name) % len(STYLES)]

        def say(line: str) -> None:
            now = datetime.now().astimezone()
            with lock:
                if as_json:
                    click.echo(json.dumps({"at": now.isoformat(timespec="milliseconds"), "node": name, "told": line}))
                else:
                    told = Text.assemble((f"{now:%H:%M:%S} ", "dim"), (f"{name:<{width}}  ", style), line)
                    console.print(told, soft_wrap=True)

        return say

    return voice


@contextmanager
def _told_to_stop() -> Iterator[Event]:
    """Set an event on Ctrl-C or TERM; the nodes then close by themselves, and a second Ctrl-C does not hurry them."""
    stopped = Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        if stopped.is_set():
            click.echo("The nodes are closing their databases; a few seconds ...", err=True)
        stopped.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
