"""`daisee ledger contract`: look into any contract and use it, as its ABI says."""

from __future__ import annotations

import json
import time
from typing import Any

import click
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from daisee.cli.ledger.advice import advice_on
from daisee.cli.ledger.amounts import ACCOUNT, GAS_MONEY
from daisee.cli.ledger.book import Book
from daisee.cli.ledger.hand import Hand, must, signs
from daisee.cli.ranges import Within
from daisee.cli.saying import json_option, say
from daisee.errors import TransactionReverted
from daisee.ledger.abifile import read_abi
from daisee.ledger.anycontract import AnyContract
from daisee.ledger.transactions import Call
from daisee.units import Address

abi_option = click.option(
    "--abi", required=True, metavar="FILE[:NAME]",
    help="The ABI as JSON, as solc, Truffle, Hardhat and Foundry write it, or `coin` or `exchange` for ours. NAME says which "
    "contract, where there are several in a file.",
)  # fmt: skip
GAS = 5_000_000


@click.group("contract")
def contract_group() -> None:
    """Any contract, by its address and its ABI."""


def _opened(book: Book, address: Address, abi: str) -> AnyContract:
    read = read_abi(abi)
    book.must_be_a_contract(address)
    return AnyContract(book.web3, address, read)


@contract_group.command()
@click.argument("address", type=ACCOUNT)
@abi_option
@click.option("--once", is_flag=True, help="Show it once and end.")
@click.option(
    "--every",
    "every_s",
    default=2.0,
    show_default=True,
    type=Within(0.2, 3_600),
    help="Look again after so many seconds.",
)
@json_option
@click.pass_obj
def watch(book: Book, address: Address, abi: str, once: bool, every_s: float, as_json: bool) -> None:
    """List a contract's functions, and show live what it holds.

    Everything that can be asked without an argument is asked at each block; Ctrl-C ends it. JSON is shown once.
    """
    contract = _opened(book, address, abi)
    if as_json:
        functions = [{"function": each.signature, "changes": each.changes} for each in contract.functions]
        click.echo(
            json.dumps(
                {"address": address, "block": book.web3.eth.block_number, "state": contract.state(), "functions": functions}
            )
        )
        return
    _say_functions(contract)
    if once:
        Console().print(_look(book, contract, {}, contract.state()))
        return
    before = contract.state()
    with Live(_look(book, contract, before, before), auto_refresh=False) as live:
        block = book.web3.eth.block_number
        while True:
            time.sleep(every_s)
            number = book.web3.eth.block_number
            if number != block:
                block, state = number, contract.state()
                live.update(_look(book, contract, before, state), refresh=True)
                before = state


def _say_functions(contract: AnyContract) -> None:
    for title, changes in (("asked", False), ("sent", True)):
        functions = [each.told for each in contract.functions if each.changes == changes]
        click.echo(f"{len(functions)} functions that are {title}:")
        for told in functions:
            click.echo(f"  {told}")


def _look(book: Book, contract: AnyContract, before: dict[str, Any], state: dict[str, Any]) -> Group:
    """Draw what it holds; what is new since the block before stands out."""
    table = Table("what", "value")
    for name, value in state.items():
        changed = bool(before) and before.get(name) != value
        written = value if isinstance(value, str) else json.dumps(value)
        table.add_row(name, Text(written, style="bold green" if changed else "", overflow="fold"))
    return Group(f"{contract.address} at block {book.web3.eth.block_number}", table)


@contract_group.command()
@click.argument("address", type=ACCOUNT)
@click.argument("function")
@click.argument("arguments", nargs=-1)
@abi_option
@json_option
@click.pass_obj
def call(book: Book, address: Address, function: str, arguments: tuple[str, ...], abi: str, as_json: bool) -> None:
    """Ask a function, without a transaction: nothing changes, and nothing is paid.

    Lists and tuples are written as JSON. A negative number comes after `--`.
    """
    contract = _opened(book, address, abi)
    try:
        answered = contract.ask(contract.function(function, len(arguments)), arguments)
    except TransactionReverted as refusal:
        raise advice_on(refusal, "") from refusal
    lines = [f"{name}: {value}" for name, value in answered.items()] if isinstance(answered, dict) else [str(answered)]
    say(as_json, answered, "\n".join(lines))


@contract_group.command()
@click.argument("address", type=ACCOUNT)
@click.argument("function")
@click.argument("arguments", nargs=-1)
@abi_option
@click.option("--value", type=GAS_MONEY, default="0wei", show_default=True, help="How much of the chain's own money goes along.")
@click.option("--gas", default=GAS, show_default=True, type=click.IntRange(21_000), help="The most gas that it may use.")
@signs
def send(hand: Hand, address: Address, function: str, arguments: tuple[str, ...], abi: str, value: int, gas: int) -> None:
    """Call a function in a transaction, which may change what the contract holds."""
    contract = _opened(hand.book, address, abi)
    chosen = contract.function(function, len(arguments))
    data = chosen.data(arguments)
    must(chosen.changes, f"{chosen.name} changes nothing; ask it with `daisee ledger contract call`")
    must(not value or chosen.takes_payment, f"{chosen.name} takes no payment")
    hand.do(Call(chosen.name, address, data, gas, value), f"{chosen.name} is done")
