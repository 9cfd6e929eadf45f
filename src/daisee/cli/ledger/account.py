"""`daisee ledger account`: keys in files, and the money for gas that they need once."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from eth_account import Account
from eth_typing import HexStr
from web3 import Web3
from web3.types import TxParams, Wei

from daisee.cli.keys import password_file_option, password_from
from daisee.cli.ledger.advice import advice_on
from daisee.cli.ledger.amounts import ACCOUNT, SOME_GAS_MONEY
from daisee.cli.ledger.book import Book
from daisee.cli.ledger.figures import in_ether
from daisee.cli.ledger.hand import Hand, became, must, signs
from daisee.cli.saying import json_option, say, say_table
from daisee.errors import ChainError, KeystoreError, TransactionReverted, UsageError
from daisee.files import write_whole
from daisee.keystore import encrypted, read_bare_key, read_key_file
from daisee.ledger.answers import NODE_ERRORS
from daisee.ledger.reverts import reason_of
from daisee.ledger.transactions import Call
from daisee.units import Address

PAYMENT_GAS = 21_000


@click.group("account")
def account_group() -> None:
    """Accounts: keys in encrypted files, as geth and MetaMask have them."""


@account_group.command()
@password_file_option
@json_option
@click.pass_obj
def new(book: Book, password_file: Path | None, as_json: bool) -> None:
    """Make an account, its key encrypted with a password.

    Whoever has both the file and the password has the account; who loses one of them has lost it.
    """
    password = _new_password(password_file, "the new account")
    account = Account.create()
    path = book.keystore.add(account, password)
    say(
        as_json,
        {"account": account.address, "file": str(path)},
        f"{account.address}\nIts key is in {path}; keep a copy elsewhere.",
    )


@account_group.command("list")
@json_option
@click.pass_obj
def list_accounts(book: Book, as_json: bool) -> None:
    """List the accounts of the keystore."""
    accounts = book.keystore.accounts()
    told = [{"account": account, "file": str(path)} for account, path in accounts.items()]
    nothing = f"no account in {book.keystore.folder}; `daisee ledger account new` makes one"
    say_table(as_json, told, ["account", "file"], [(account, path.name) for account, path in accounts.items()], nothing)


@account_group.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@password_file_option
@json_option
@click.pass_obj
def import_account(book: Book, file: Path, password_file: Path | None, as_json: bool) -> None:
    """Take over an account from a key file of geth's, MetaMask's or another's.

    The password is the file's own and stays the account's. A file with nothing but a private key of 64 hex digits, as MetaMask
    shows it, is taken too: then the password is the new one.
    """
    account = read_bare_key(file)
    if account is not None:
        password = _new_password(password_file, "the account from now on")
    else:
        password = password_from(password_file, str(file))
        account = read_key_file(file, password)
    path = book.keystore.add(account, password)
    say(as_json, {"account": account.address, "file": str(path)}, f"{account.address}\nIts key is in {path}.")


@account_group.command("export")
@click.argument("account", type=ACCOUNT)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@password_file_option
@click.option(
    "--new-password-file", type=click.Path(path_type=Path, dir_okay=False),
    help="A file whose first line is the password of the copy; else it stays the same.",
)  # fmt: skip
@json_option
@click.pass_obj
def export_account(
    book: Book, account: Address, file: Path, password_file: Path | None, new_password_file: Path | None, as_json: bool
) -> None:
    """Write an account's key to a file that geth and MetaMask open, encrypted."""
    must(not file.exists(), f"{file} is there already; choose another name")
    must(file.parent.is_dir(), f"there is no folder {file.parent}")
    password = password_from(password_file, account)
    opened = book.keystore.open(account, password)
    copy = password if new_password_file is None else _new_password(new_password_file, "the copy")
    try:
        write_whole(file, Web3.to_json(encrypted(opened, copy)) + "\n")
    except OSError as error:
        raise KeystoreError(f"{file} cannot be written: {error.strerror}") from error
    say(as_json, {"account": account, "file": str(file)}, f"The key of {account} is in {file}, encrypted.")


@account_group.command()
@click.argument("account", type=ACCOUNT, required=False, envvar="DAISEE_ACCOUNT")
@json_option
@click.pass_obj
def show(book: Book, account: Address | None, as_json: bool) -> None:
    """Show what an account has: money for gas, transactions, and coins where a community's contracts are known.

    Without an address, the account of DAISEE_ACCOUNT, else the keystore's only one.
    """
    account = account or book.only_account("its address")
    named = Web3.to_checksum_address(account)
    gas_money, sent = book.web3.eth.get_balance(named), book.web3.eth.get_transaction_count(named)
    told: dict[str, Any] = {
        "account": account,
        "here": account in book.keystore.accounts(),
        "gas_money": gas_money,
        "transactions": sent,
    }
    lines = [account, f"money for gas     {in_ether(gas_money)}", f"transactions sent {sent}"]
    if book.where.exchange or book.record:
        told["balance"], told["frozen"] = book.coin.balance_of(account), book.coin.frozen(account)
        home = book.exchange.home(account)
        told["member"], told["suspended"] = home.admitted, home.suspended
        lines.append(f"coins             {book.money(told['balance'], 6)}" + (", frozen" if told["frozen"] else ""))
        lines.append("member            " + ("suspended" if home.suspended else "yes" if home.admitted else "no"))
    if not told["here"]:
        lines.append("its key is not in this keystore")
    say(as_json, told, "\n".join(lines))


@account_group.command()
@click.argument("account", type=ACCOUNT)
@click.option("--amount", type=SOME_GAS_MONEY, default="1ether", show_default=True, help="How much of the chain's own money.")
@click.option("--of-the-node", is_flag=True, help="Take it from the node's own account, which `geth --dev` has.")
@signs
def fund(hand: Hand, account: Address, amount: int, of_the_node: bool) -> None:
    """Give an account money for gas, of one's own or of the developer's node.

    Gas on a community's chain costs next to nothing; an account is funded once, when its home is admitted.
    """
    told = f"{account} has {in_ether(amount)} more"
    if of_the_node:
        _fund_of_the_node(hand, account, amount, told)
        return
    hand.do(Call("fund", account, HexStr("0x"), PAYMENT_GAS, amount), told, account=account, amount=amount)


@account_group.command()
@signs
def unstick(hand: Hand) -> None:
    """Give up what earlier commands of an account left on its way.

    An empty payment is offered in the place of each, for today's price of gas or an eighth more than the last; the chain takes
    one of both. What happened all the same is said; of what did not, it is certain, so that it can be done anew.
    """
    sender = hand.unfinished
    left = list(sender.in_flight)
    for sent in left:
        sender.give_up(sent)
    outcomes = [hand.wait(sender, sent) for sent in left]
    told = [
        {"call": sent.call.name, "happened": sent.happened, **asdict(outcome)}
        for sent, outcome in zip(left, outcomes, strict=True)
    ]
    nothing = f"nothing of {hand.address} is on its way"
    say(hand.as_json, {"account": hand.address, "calls": told}, "\n".join(map(became, left)) or nothing)


def _fund_of_the_node(hand: Hand, account: Address, amount: int, told: str) -> None:
    given = click.get_current_context().get_parameter_source
    ours = {
        "named": "--as",
        "password_file": "--password-file",
        "max_gas_price": "--max-gas-price",
        "confirmations": "--confirmations",
    }
    unused = [option for name, option in ours.items() if given(name) == ParameterSource.COMMANDLINE]
    must(not unused, f"--of-the-node signs with the node's own key; leave {' and '.join(unused)} out")
    web3 = hand.book.web3
    hand.book.must_be_up_to_date()
    own = web3.eth.accounts
    must(bool(own), "this node has no account of its own (`geth --dev` has one); name one of yours with --as")
    before = web3.eth.get_balance(own[0])
    if before < amount:
        raise UsageError(f"the node's account has {in_ether(before)} only; name a smaller --amount")
    payment: TxParams = {"from": own[0], "to": Web3.to_checksum_address(account), "value": Wei(amount)}
    try:
        sent = web3.eth.send_transaction(payment)
    except NODE_ERRORS as error:
        reason = reason_of(error)
        raise advice_on(reason, "") if isinstance(reason, TransactionReverted) else reason from error
    receipt = web3.eth.wait_for_transaction_receipt(sent, timeout=hand.timeout_s)
    if receipt["status"] != 1:
        raise ChainError(f"the node's payment was refused in block {receipt['blockNumber']}")
    facts = {"account": account, "amount": amount, "transaction": sent.to_0x_hex(), "block": receipt["blockNumber"]}
    say(hand.as_json, facts, f"{told} (block {receipt['blockNumber']})")


def _new_password(file: Path | None, account: str) -> str:
    password = password_from(file, account, twice=True)
    must(bool(password), "an empty password protects nothing; choose one")
    return password
