"""`daisee chain backup`, `restore`, `reset` and `unstick`: for the day on which something went wrong."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from pathlib import Path

import click

from daisee.chain.care import backup, reset, restore
from daisee.chain.network import NodeFolder, folders_here
from daisee.chain.unstick import rewind_to, unstick
from daisee.cli.saying import json_option, say
from daisee.errors import UsageError

node_argument = click.argument("folder", metavar="NODEDIR", type=click.Path(path_type=Path))


@click.command("backup")
@node_argument
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
def backup_command(folder: Path, file: Path, as_json: bool) -> None:
    """Keep a node's keys and files in FILE: all but the chain, which the other nodes have.

    The file has the node's secrets, unencrypted: keep it where nobody else can read it.
    """
    names = backup(NodeFolder(folder), file)
    say(as_json, {"file": str(file), "holds": names}, f"{file} holds {', '.join(names)}; it is secret.")


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@node_argument
@json_option
def restore_command(file: Path, folder: Path, as_json: bool) -> None:
    """Make a node's folder anew from a backup. It comes back as itself, and fetches the chain from the other nodes."""
    node = restore(file, folder)
    told = f"{folder} is {node.name} again; run it with: daisee chain run {folder}"
    say(as_json, {"folder": str(folder), "name": node.name}, told)


@click.command("reset")
@node_argument
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def reset_command(folder: Path, yes: bool, as_json: bool) -> None:
    """Throw a node's copy of the chain away, and keep its keys: it fetches the chain anew. Asks first.

    The last copy of a chain that is reset is lost.
    """
    node = NodeFolder(folder)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(f"nobody is there to ask whether the chain in {node.data} may go; --yes says so")
        click.confirm(f"Throw away the chain in {node.data}? Its keys are kept", abort=True, err=True)
    reset(node)
    told = f"{node.name} has no chain now; it fetches it when it starts."
    say(as_json, {"folder": str(folder), "name": node.name}, told)


@click.command("unstick")
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path), default=".")
@click.option(
    "--to", "block", type=click.IntRange(0), help="Take the one node of DIR back to this block: its peers are elsewhere."
)
@click.option("--force", is_flag=True, help="Even if it does not look like a deadlock.")
@json_option
def unstick_command(folder: Path, block: int | None, force: bool, as_json: bool) -> None:
    """Mend a chain on which every validator waits for another; `daisee chain status` says when that is so.

    Of two forks of equal weight one is kept, so that the fewest blocks are taken back. What they carried is sent again.
    """
    here = folders_here(folder)

    def tell(line: str) -> None:
        click.echo(line, err=as_json)

    if block is not None:
        if len(here) != 1:
            raise UsageError("--to is for one node; name its folder")
        again = rewind_to(here[0], block, tell)
        say(as_json, {"node": here[0].name, "to": block, "sent_again": again}, f"Mended; {again} transactions were sent again.")
        return
    done = unstick(here, time.time(), force=force, say=tell)
    say(as_json, asdict(done), f"Mended; {done.sent_again} transactions were sent again.")
