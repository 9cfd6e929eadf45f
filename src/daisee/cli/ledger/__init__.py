"""`daisee ledger`: a community's coin and exchange, and the accounts that use them, through any node's JSON-RPC."""

from __future__ import annotations

import os
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from web3.exceptions import Web3RPCError

from daisee.cli.keys import keystore_option
from daisee.cli.ledger.account import account_group
from daisee.cli.ledger.amounts import ACCOUNT, NODE_URL
from daisee.cli.ledger.book import DEPLOYMENT, Book, Where
from daisee.cli.ledger.coin import coin_group
from daisee.cli.ledger.contract import contract_group
from daisee.cli.ledger.deploy import deploy_command
from daisee.cli.ledger.exchange import exchange_group
from daisee.cli.ledger.hand import must
from daisee.cli.saying import in_json, json_option
from daisee.errors import ChainError, DaiseeError
from daisee.ledger.answers import NODE_ERRORS, words
from daisee.ledger.deploy import coin_began
from daisee.ledger.verify import verify
from daisee.units import Address

DEFAULT_RPC = "http://127.0.0.1:8545"


def _urls(ctx: click.Context, option: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """Take the addresses apart."""
    urls = tuple(dict.fromkeys(url for each in given for url in each.replace(",", " ").split()))
    if not urls:
        raise click.BadParameter("no address is named")
    return tuple(NODE_URL.convert(url, option, ctx) for url in urls)


class NodesAreStrangers(click.Group):
    """Where what a node says makes no sense, or is an error, a command ends with one line."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command. With DAISEE_DEBUG=1 an error stays what it is: it may be ours."""
        try:
            return super().invoke(ctx)
        except click.NoSuchOption as error:
            if not re.match(r"-[0-9.]", error.option_name):
                raise
            told = f"{error.option_name} is no option, and no amount is below zero; what is meant to begin with - comes after --"
            raise click.UsageError(told, error.ctx) from error
        except (DaiseeError, click.exceptions.Exit):
            raise
        except NODE_ERRORS as error:
            if os.environ.get("DAISEE_DEBUG") == "1" or (isinstance(error, OSError) and error.errno is not None):
                raise
            raise ChainError(_in_words(error)) from error


def _in_words(error: Exception) -> str:
    if isinstance(error, Web3RPCError):
        return f"the node answers with an error: {words(error)}"
    if isinstance(error, OSError):
        return f"the node does not answer any more: {error}"
    return (
        f"the node's answer makes no sense ({type(error).__name__}: {error}); is it an Ethereum node? DAISEE_DEBUG=1 shows more"
    )


@click.group(cls=NodesAreStrangers)
@click.option(
    "--rpc", metavar="URL", multiple=True, default=(DEFAULT_RPC,), show_default=True, envvar="DAISEE_RPC", show_envvar=True,
    callback=_urls,
    help="A node's JSON-RPC address. Of several, with commas between them or one option each, the first healthy one is asked.",
)  # fmt: skip
@click.option(
    "--exchange", type=ACCOUNT, envvar="DAISEE_EXCHANGE", show_envvar=True, help="The exchange's address, as the demo prints it."
)
@click.option(
    "--deployment", type=click.Path(path_type=Path, dir_okay=False), envvar="DAISEE_DEPLOYMENT", show_envvar=True,
    help=f"The file that says where the contracts are; {DEPLOYMENT} of this folder, if nothing is said.",
)  # fmt: skip
@keystore_option
@click.pass_context
def ledger(ctx: click.Context, rpc: tuple[str, ...], exchange: Address | None, deployment: Path | None, keystore: Path) -> None:
    """The coin and the exchange of a community, and the accounts that use them."""
    ctx.obj = Book(Where(rpc, exchange, deployment, keystore))


@ledger.command("verify")
@click.option(
    "--since", type=click.IntRange(0), help="The block of the deployment, or any before it; deployment.json says it, else 0."
)
@json_option
@click.pass_obj
def verify_command(book: Book, since: int | None, as_json: bool) -> int:
    """Derive every number from the events, and compare it with the contracts, with all of their storage and with their code.

    Exit code 1 where something differs, or where a contract did what its own rules forbid. Trusts the node's word for its
    blocks, and nobody else's.
    """
    exchange = book.exchange
    if since is None:
        since = book.begin
    _must_see_it_begin(book, since)
    found = verify(book.web3, exchange.address, since)
    if as_json:
        click.echo(in_json({**asdict(found), "sound": found.sound}))
        return 0 if found.sound else 1
    for difference in found.differences:
        follows = "this should be" if difference.what.startswith("code of ") else "from the events follows"
        click.echo(f"{difference.what}: {difference.answered}, and {follows} {difference.derived}")
    for objection in found.against_the_rules:
        click.echo(objection)
    if not found.storage_compared:
        click.echo("The node does not answer eth_getProof: whether there is more in the storage than that was not looked at.")
    click.echo(
        f"{found.numbers} numbers, the code{' and the whole storage' if found.storage_compared else ''} of both contracts "
        f"compared with what follows from {found.events} events, at block {found.block}: "
        + ("all are right." if found.sound else f"{len(found.differences) + len(found.against_the_rules)} are not right.")
    )
    return 0 if found.sound else 1


def _must_see_it_begin(book: Book, since: int) -> None:
    """Refuse a block that is not there yet, and one after the beginning: what follows from half of the events is wrong."""
    if since == 0:
        return
    newest = book.web3.eth.block_number
    must(since <= newest, f"block {since} is not there yet, the newest is {newest}; name an earlier one with --since")
    must(
        coin_began(book.web3, book.coin.address, since) is not None,
        f"from block {since} on, the coin does not say how it began; name the block of its deployment with --since",
    )


for command in (account_group, deploy_command, coin_group, exchange_group, contract_group):
    ledger.add_command(command)
