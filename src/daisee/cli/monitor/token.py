"""`daisee monitor token`: who may ask a monitor's API, and for what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import click

from daisee.cli.monitor.home import config_option
from daisee.cli.saying import json_option, say, say_table
from daisee.monitor.running import open_store
from daisee.monitor.settings import read_settings
from daisee.monitor.tokens import SCOPES, Tokens


@contextmanager
def _tokens(config: Path) -> Iterator[Tokens]:
    with open_store(read_settings(config)) as store:
        yield Tokens(store)


@click.group("token")
def token_group() -> None:
    """Who may ask the monitor's API: tokens, sent as `Authorization: Bearer TOKEN`."""


@token_group.command("new")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(SCOPES),
    default=["read"],
    show_default=True,
    help="What it is good for; may be repeated.",
)
@config_option
@json_option
def new_command(name: str, scopes: tuple[str, ...], config: Path, as_json: bool) -> None:
    """Make a token called NAME, and print it, this once: it is kept nowhere.

    `read` lets ask for everything that was measured, `push` lets readings be sent.
    """
    with _tokens(config) as tokens:
        token = tokens.make(name, scopes)
    say(as_json, {"name": name, "scopes": list(scopes), "token": token}, token)
    if not as_json:
        click.echo(f"This is {name}'s token, for {' and '.join(scopes)}. Keep it: it is not shown again.", err=True)


@token_group.command("list")
@config_option
@json_option
def list_command(config: Path, as_json: bool) -> None:
    """List the tokens there are, without what they are."""
    with _tokens(config) as tokens:
        found = tokens.list()
    rows = [
        (one.name, " ".join(one.scopes), f"{datetime.fromtimestamp(one.made_at_s).astimezone():%Y-%m-%d %H:%M}") for one in found
    ]
    told = [{"name": one.name, "scopes": one.scopes, "made_at": one.made_at_s} for one in found]
    say_table(as_json, told, ("name", "scopes", "made"), rows, "no tokens; `daisee monitor token new NAME` makes one")


@token_group.command("revoke")
@click.argument("name")
@config_option
def revoke_command(name: str, config: Path) -> None:
    """Take NAME's token back: from now on it is worth nothing."""
    with _tokens(config) as tokens:
        tokens.revoke(name)
    click.echo(f"{name}'s token is worth nothing from now on.")
