"""Writes docs/reference/commands.md from the commands' own help, so that the page cannot say anything else.

Run by `make docs`; a test compares the page with what this would write.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from daisee.cli import daisee

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "commands.md"
WIDTH = 100


def page() -> str:
    """Answer the whole page."""
    intro = "# Commands\n\nWritten by `make docs` from what each command says of itself with `--help`.\n"
    return intro + "".join(f"\n## `{path}`\n\n```text\n{text}\n```\n" for path, text in _helps(daisee, None, "daisee"))


def _helps(command: click.Command, parent: click.Context | None, name: str) -> Iterator[tuple[str, str]]:
    settings = {**command.context_settings, "max_content_width": WIDTH, "terminal_width": WIDTH}
    context = click.Context(command, parent=parent, info_name=name, **settings)
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            if found is not None:
                yield from _helps(found, context, below)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
