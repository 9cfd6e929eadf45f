"""The `daisee` command: one file or folder per command, named after its room, and loaded when it is asked for.

Errors become one line and an exit code here: 1 for what went wrong, 2 for usage and configuration; the trace is shown with
DAISEE_DEBUG=1.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from importlib import import_module

import click
from rich.console import Console
from rich.logging import RichHandler

from daisee import __version__
from daisee.errors import DaiseeError, UsageError
from daisee.plain import plain

ROOMS = ("chain", "demo", "ledger", "monitor")


class Rooms(click.Group):
    """The rooms, each loaded when it is asked for; the help shows the whole tree of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the rooms."""
        return list(ROOMS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Load a room: its module has a command of its name."""
        if name not in ROOMS:
            return None
        command: click.Command = getattr(import_module(f"daisee.cli.{name}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List every command with those below it, indented."""
        with formatter.section("Rooms"):
            formatter.write_dl(list(_tree(self, ctx, 0)))


def _tree(group: click.Group, ctx: click.Context, depth: int) -> list[tuple[str, str]]:
    rows = []
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        if command is None or command.hidden:
            continue
        rows.append(("  " * depth + name, command.get_short_help_str(90)))
        if isinstance(command, click.Group):
            rows.extend(_tree(command, ctx, depth + 1))
    return rows


@click.group(cls=Rooms, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="daisee")
@click.option("-v", "--verbose", count=True, help="Tell more: -v the household's story, -vv the wire.")
def daisee(verbose: int) -> None:
    """Neighbours share energy.

    Each home is measured, settles with its neighbours on a ledger that the homes run together, and is switched to the
    neighbour that it buys from.
    """
    level = [logging.WARNING, logging.INFO, logging.DEBUG][min(verbose, 2)]
    # Beside what a command answers, not in it: that may be JSON.
    handler = RichHandler(console=Console(stderr=True), show_path=False)
    logging.basicConfig(level=level, format="%(message)s", handlers=[handler], force=True)
    # What libraries tell of the wire is not ours to show before -vv; and addresses with tokens in them never.
    for library in ("uvicorn", "asyncio", "eth"):
        logging.getLogger(library).setLevel(max(level, logging.WARNING) if verbose < 2 else level)
    for library in ("web3", "urllib3"):
        logging.getLogger(library).setLevel(logging.WARNING)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: what is open is closed, what is temporary removed
    try:
        code = daisee.main(args=arguments, prog_name="daisee", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        click.echo(
            f"daisee: {plain(error.format_message())}" + (f" ({context.command_path} --help)" if context else ""), err=True
        )
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        sys.exit(130)
    except BrokenPipeError:
        # Who reads us had enough (`daisee ... | head`); nothing is left to say it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except DaiseeError as error:
        if os.environ.get("DAISEE_DEBUG") == "1":
            raise
        click.echo(f"daisee: {plain(str(error))}", err=True)
        sys.exit(2 if isinstance(error, UsageError) else 1)
    except OSError as error:
        if os.environ.get("DAISEE_DEBUG") == "1":
            raise
        # A full disk, most likely; where no file is named, it is where our output goes.
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"daisee: {where}{error.strerror or error}", err=True)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)
