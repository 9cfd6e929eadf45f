"""`daisee chain validator`: who seals blocks, and the votes that change it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from daisee.chain.network import NodeFolder, folders_here, is_network, read_network
from daisee.chain.votes import Vote, look, vote
from daisee.cli.saying import json_option, say, say_table
from daisee.errors import UsageError
from daisee.ledger.addresses import read_address
from daisee.units import Address

folder_argument = click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path), default=".")
timeout_option = click.option(
    "--timeout",
    "timeout_s",
    default=120.0,
    show_default=True,
    type=click.FloatRange(1),
    help="Wait so many seconds for the vote.",
)


@click.group("validator")
def validator_group() -> None:
    """Who seals blocks. The validators themselves vote on who is one; more than half must agree."""


@validator_group.command("list")
@folder_argument
@json_option
def validator_list_command(folder: Path, as_json: bool) -> None:
    """List the validators, and how many of the last blocks each sealed."""
    here = folders_here(folder)
    _running, seen = look(here)
    network = here[0].network
    facts = [
        {
            "name": network.name_of(validator),
            "address": validator,
            "sealed": seen.sealers.count(validator),
            "of": len(seen.sealers),
        }
        for validator in seen.validators or ()
    ]
    rows = [(str(fact["name"]), str(fact["address"]), f"{fact['sealed']} of the last {fact['of']}") for fact in facts]
    say_table(as_json, facts, ("node", "validator", "sealed"), rows, "There is no validator.")


@validator_group.command("add")
@click.argument("who", metavar="ADDR")
@folder_argument
@timeout_option
@json_option
def validator_add_command(who: str, folder: Path, timeout_s: float, as_json: bool) -> None:
    """Vote a validator in: by its address, or by its node's name.

    Each validator whose folder is here votes. Where that is not enough, it is said who must still vote, each where it runs.
    """
    _vote(who, folder, timeout_s, as_json, join=True)


@validator_group.command("remove")
@click.argument("who", metavar="ADDR")
@folder_argument
@timeout_option
@click.option("--force", is_flag=True, help="Even if the chain cannot go on without it.")
@json_option
def validator_remove_command(who: str, folder: Path, timeout_s: float, force: bool, as_json: bool) -> None:
    """Vote a validator out: by its address, or by its node's name."""
    _vote(who, folder, timeout_s, as_json, join=False, force=force)


def _vote(who: str, folder: Path, timeout_s: float, as_json: bool, *, join: bool, force: bool = False) -> None:
    here = folders_here(folder)
    account = _account(who, folder, here)
    done = vote(here, account, join=join, timeout_s=timeout_s, force=force, say=lambda line: click.echo(line, err=True))
    say(as_json, asdict(done), _told(account, done, here, join))


def _told(account: Address, done: Vote, here: list[NodeFolder], join: bool) -> str:
    network = here[0].network
    named = network.name_of(account)
    if done.passed:
        return f"{named} is {'a' if join else 'no longer a'} validator, from block {done.block} on."
    others = ", ".join(network.name_of(other) for other in done.others)
    side = f"daisee chain validator {'add' if join else 'remove'} {account}"
    return (
        f"{len(done.voted)} voted, and {done.still_needed} more must, of {others}: on their machines, `{side}`. "
        "The votes from here stand as long as these nodes run."
    )


def _account(who: str, folder: Path, here: list[NodeFolder]) -> Address:
    """Answer whose address is meant; a name is a node's."""
    if who.startswith("0x"):
        return read_address(who)
    network = read_network(folder) if is_network(folder) else here[0].network
    account = network.node(who).validator
    if account is None:
        raise UsageError(f"{who} is a follower: it has no key to seal with; add a node that has one with `node add --validator`")
    return account
