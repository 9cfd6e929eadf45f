"""`daisee chain validator`: who seals blocks, and the votes that change it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from daisee.chain.diagnosis import needed
from daisee.chain.network import Network, NodeFolder, folders_here, is_network, read_network
from daisee.chain.standing import Standing
from daisee.chain.votes import Vote, look, vote, withdraw
from daisee.cli.ranges import Within
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
    type=Within(1, 86_400),
    help="Wait so many seconds for the vote.",
)


@click.group("validator")
def validator_group() -> None:
    """Who seals blocks. The validators themselves vote on who is one; more than half must agree."""


@validator_group.command("list")
@folder_argument
@json_option
def validator_list_command(folder: Path, as_json: bool) -> None:
    """List the validators, how many of the last blocks each sealed, and the votes that have not passed."""
    here = look(folders_here(folder))
    network, seen, votes = here.network, here.best, here.standing
    facts = [
        {
            "name": network.name_of(validator),
            "address": validator,
            "sealed": seen.sealers.count(validator),
            "of": len(seen.sealers),
            "voted_out_by": [each.voter for each in votes if each.about == validator],
        }
        for validator in here.validators
    ]
    rows = [(str(fact["name"]), str(fact["address"]), f"{fact['sealed']} of the last {fact['of']}") for fact in facts]
    say_table(as_json, facts, ("node", "validator", "sealed"), rows, "There is no validator.")
    for line in votes_told(votes, network, here.validators) if not as_json else ():
        click.echo(line)


@validator_group.command("add")
@click.argument("who", metavar="ADDR")
@folder_argument
@timeout_option
@click.option("--force", is_flag=True, help="Even if the chain waits for it then.")
@json_option
def validator_add_command(who: str, folder: Path, timeout_s: float, force: bool, as_json: bool) -> int:
    """Vote a validator in: by its address, or by its node's name.

    Each validator whose folder is here votes. Where that is not enough, it is said who must still vote, each where it runs, and
    the exit code is 1.
    """
    return _vote(who, folder, timeout_s, as_json, join=True, force=force)


@validator_group.command("remove")
@click.argument("who", metavar="ADDR")
@folder_argument
@timeout_option
@click.option("--force", is_flag=True, help="Even if the chain cannot go on without it.")
@json_option
def validator_remove_command(who: str, folder: Path, timeout_s: float, force: bool, as_json: bool) -> int:
    """Vote a validator out: by its address, or by its node's name. Exit code 1 where others must still vote."""
    return _vote(who, folder, timeout_s, as_json, join=False, force=force)


@validator_group.command("withdraw")
@click.argument("who", metavar="ADDR")
@folder_argument
@json_option
def validator_withdraw_command(who: str, folder: Path, as_json: bool) -> None:
    """Vote on an account no longer, in or out: on each node whose folder is here."""
    here = folders_here(folder)
    account = _account(who, folder, here)
    done, named = withdraw(here, account), here[0].network.name_of
    told = f"{' and '.join(done.nodes)} no longer vote{'s' if len(done.nodes) == 1 else ''} on {named(account)}."
    if done.counted:
        told += (
            f" What {' and '.join(map(named, done.counted))} voted in a block is counted until block {done.until_block}: "
            "with enough others' votes it still passes."
        )
    say(as_json, asdict(done), told)


def votes_told(votes: Sequence[Standing], network: Network | None, validators: Sequence[Address]) -> list[str]:
    """Say what is voted on, an account a line, and by whom."""
    named = network.name_of if network else str
    lines = []
    for about in sorted({each.about for each in votes}):
        given = [each for each in votes if each.about == about]
        voters = ", ".join(
            f"{named(each.voter)} ({'in no block yet' if each.block is None else f'block {each.block}'})" for each in given
        )
        way = "in" if given[0].join else "out"
        lines.append(f"To vote {named(about)} {way}: {voters}; {needed(len(validators))} of {len(validators)} must")
    return lines


def _vote(who: str, folder: Path, timeout_s: float, as_json: bool, *, join: bool, force: bool) -> int:
    here = folders_here(folder)
    account = _account(who, folder, here)
    done = vote(here, account, join=join, timeout_s=timeout_s, force=force, say=lambda line: click.echo(line, err=True))
    say(as_json, asdict(done), _told(account, done, here, join))
    return 0 if done.passed else 1


def _told(account: Address, done: Vote, here: list[NodeFolder], join: bool) -> str:
    network = here[0].network
    named = network.name_of(account)
    if done.passed:
        return f"{named} is {'a' if join else 'no longer a'} validator, from block {done.block} on."
    others = ", ".join(network.name_of(other) for other in done.others)
    side = f"daisee chain validator {'add' if join else 'remove'} {account}"
    return (
        f"{len(done.voted)} voted, and {done.still_needed} more must, of {others}: on their machines, `{side}`. "
        f"The votes from here stand as long as these nodes run, or until `daisee chain validator withdraw {account}`."
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
