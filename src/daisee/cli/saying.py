"""How commands say what they found: to a person, or to a program."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from daisee.plain import plain, plain_lines

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON; energies in joules, coins in base units.")


def in_json(told: Any) -> str:
    """Write it as one line of JSON: bytes as 0x-hex, and what JSON has no form for as text."""
    return json.dumps(told, default=lambda value: "0x" + value.hex() if isinstance(value, bytes) else str(value))


def say(as_json: bool, told: Any, text: str) -> None:
    """Say it to a program or to a person."""
    click.echo(in_json(told) if as_json else plain_lines(text))


def say_table(as_json: bool, told: Any, columns: Sequence[str], rows: Sequence[Sequence[str]], nothing: str) -> None:
    """Say a list to a program or to a person. No row is cut, however narrow the terminal: addresses are there to be copied."""
    if as_json:
        click.echo(in_json(told))
        return
    if not rows:
        click.echo(nothing)
        return
    columns, rows = list(map(plain, columns)), [list(map(plain_lines, row)) for row in rows]
    cells = list(zip(columns, *rows, strict=True))
    widths = [max(map(len, column)) for column in cells[:-1]] + [max(len(word) for text in cells[-1] for word in text.split())]
    table = Table()
    for place, (column, width) in enumerate(zip(columns, widths, strict=True)):
        table.add_column(column, min_width=width, no_wrap=place < len(columns) - 1)
    for row in rows:
        table.add_row(*row)
    borders = 3 * len(columns) + 1
    Console(width=max(Console().width, sum(widths) + borders)).print(table)
