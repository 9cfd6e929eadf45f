"""What the commands of the ledger share: the chain and the contracts that they look at, and how they say what they found."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import click
from eth_abi.exceptions import DecodingError
from web3 import Web3
from web3.exceptions import Web3RPCError

from daisee.chain.client import ChainClient, web3_on
from daisee.chain.failover import FailoverChain
from daisee.chain.remote import RemoteChain
from daisee.chain.url import shown
from daisee.cli.ledger.amounts import Money
from daisee.cli.ledger.figures import written
from daisee.errors import ChainError, TransactionReverted, UsageError
from daisee.keystore import Keystore
from daisee.ledger.answers import NODE_ERRORS, reason, words
from daisee.ledger.coin import Coin
from daisee.ledger.deploy import DeploymentRecord, genesis_of
from daisee.ledger.exchange import Exchange
from daisee.units import Address, Coins, coins

DEPLOYMENT = Path("deployment.json")


@dataclass(frozen=True, slots=True)
class Where:
    """What was said of where to look."""

    rpc: tuple[str, ...] = field(repr=False)
    """Addresses of nodes, the preferred one first; there may be credentials in them."""
    exchange: Address | None
    deployment: Path | None
    keystore: Path

    @property
    def nodes(self) -> str:
        """Name the nodes, for people."""
        return ", ".join(map(shown, self.rpc))

    @property
    def deployment_file(self) -> Path | None:
        """Answer which file says where the contracts are; None where --exchange says it, or nothing does."""
        if self.exchange is not None or (self.deployment is None and not DEPLOYMENT.exists()):
            return None
        return self.deployment or DEPLOYMENT


class Book:
    """A chain and a community's contracts on it; each is looked for when it is first asked for."""

    def __init__(self, where: Where) -> None:
        self.where = where
        self.keystore = Keystore(where.keystore)

    @cached_property
    def chain(self) -> ChainClient:
        """Answer the node; of several, the first that is healthy, on the chain of deployment.json where there is one."""
        if len(self.where.rpc) == 1:
            return RemoteChain(self.where.rpc[0])
        path = self.where.deployment_file
        told = DeploymentRecord.read(path) if path else None
        return FailoverChain(self.where.rpc, *((told.chain_id, told.genesis) if told else ()))

    @cached_property
    def web3(self) -> Web3:
        """Answer a web3 on a node that answers; says so where it is still catching up."""
        web3 = web3_on(self.chain)
        try:
            behind = _behind(web3)
        except NODE_ERRORS as error:
            if len(self.where.rpc) > 1 and isinstance(error, ChainError):
                raise  # it says what is wrong with each
            told = reason(error)
            why = told if self.where.nodes in told else f"{self.where.nodes} says: {told}"
            raise ChainError(f"no chain answers: {why}; is it running? (--rpc URL says where)") from error
        if behind:
            click.echo(f"daisee: the node is still catching up ({behind}); what it says is of the past", err=True)
        return web3

    def must_be_up_to_date(self) -> None:
        """Refuse a node that is still catching up."""
        behind = _behind(self.web3)
        if behind:
            raise ChainError(f"the node is still catching up ({behind}), so nothing is sent through it; try again later")

    @cached_property
    def record(self) -> DeploymentRecord | None:
        """Answer where a `deployment.json` says that the contracts are; None where --exchange says it, or nothing does."""
        path = self.where.deployment_file
        if path is None:
            return None
        record = DeploymentRecord.read(path)
        found = (self.web3.eth.chain_id, genesis_of(self.web3))
        if found != (record.chain_id, record.genesis):
            raise UsageError(
                f"{self.where.nodes} is on another chain (id {found[0]}, genesis {found[1][:10]}...) than {path} says "
                f"(id {record.chain_id}, genesis {record.genesis[:10]}...); name the right node with --rpc"
            )
        return record

    @cached_property
    def exchange(self) -> Exchange:
        """Answer the exchange. UsageError where none is named, or none is there."""
        address = self.where.exchange or (self.record.exchange if self.record else None)
        if address is None:
            raise UsageError(
                "which exchange? There is no deployment.json here; name its address with --exchange, before the command, "
                "or in DAISEE_EXCHANGE"
            )
        return self.exchange_at(address)

    def exchange_at(self, address: Address) -> Exchange:
        """Answer the exchange at an address; UsageError where none is there."""
        self.must_be_a_contract(address)
        exchange = Exchange(self.web3, address)
        if not answers_like_ours(exchange.coin):
            raise UsageError(f"the contract at {address} is no exchange; compare the address")
        return exchange

    @property
    def has_met_the_exchange(self) -> bool:
        """Tell whether the command was about a community; what is about any contract needs none."""
        return "exchange" in vars(self)

    @cached_property
    def coin(self) -> Coin:
        """Answer the coin that the exchange takes. UsageError where deployment.json names another: somebody is wrong, or lies."""
        told = self.exchange.coin()
        if self.record is not None and self.record.coin != told:
            raise UsageError(
                f"{self.where.deployment_file} says that the coin is {self.record.coin}, {self.where.nodes} that it is {told}; "
                "nothing is sent. Compare the file with a neighbour's, and ask another node"
            )
        return Coin(self.web3, told)

    @cached_property
    def symbol(self) -> str:
        """Answer the coin's abbreviation."""
        return self.coin.symbol()

    def only_account(self, named_with: str) -> Address:
        """Answer the keystore's account; UsageError where there is none, or more than one, with how one is named."""
        accounts = self.keystore.accounts()
        if len(accounts) == 1:
            return next(iter(accounts))
        if not accounts:
            raise UsageError(f"there is no account in {self.keystore.folder}; make one with `daisee ledger account new`")
        raise UsageError(f"whose account? Name one with {named_with}, or in DAISEE_ACCOUNT: {', '.join(accounts)}")

    @property
    def begin(self) -> int:
        """Answer from which block on the contracts speak; UsageError where the node has not come so far, or the file is wrong."""
        begin = self.record.block if self.record else 0
        newest = self.web3.eth.block_number if begin else 0
        if begin > newest:
            raise UsageError(
                f"block {begin} is not there yet, the newest is {newest}; {self.where.deployment_file} says that the coin began "
                "in it. Ask another node, or compare the file with a neighbour's"
            )
        return begin

    def must_be_a_contract(self, address: Address) -> None:
        """Refuse an address without code."""
        try:
            code = self.web3.eth.get_code(Web3.to_checksum_address(address))
        except Web3RPCError as error:
            raise ChainError(f"{self.where.nodes} answers with an error: {words(error)}") from error
        if not code:
            raise UsageError(
                f"there is no contract at {address} on the chain of {self.where.nodes}; compare the address and the chain"
            )

    def base_units(self, money: Money) -> Coins:
        """Answer an amount of this community's coin; UsageError where another coin's symbol was written."""
        if money.symbol not in ("", self.symbol):
            raise UsageError(f"the coin of this community is {self.symbol}, not {money.symbol}")
        return money.amount

    def money(self, amount: int, digits: int = 4) -> str:
        """Write coins for people; all of their digits where there are more."""
        return f"{written(coins(amount), digits)} {self.symbol}"

    def head_age_s(self) -> float:
        """Answer how old the newest block is."""
        return time.time() - int(self.web3.eth.get_block("latest")["timestamp"])


def answers_like_ours(ask: Callable[[], object]) -> bool:
    """Tell whether a contract answers as ours would. ChainError where the node does not let it: that says nothing of it."""
    try:
        ask()
    except TransactionReverted:
        return False
    except ChainError as error:
        if not isinstance(error.__cause__, DecodingError):
            raise
        return False
    return True


def _behind(web3: Web3) -> str:
    """Say how far a node is behind; nothing for one that is not. Before its first block, geth calls indexing that syncing."""
    syncing = web3.eth.syncing
    if isinstance(syncing, bool):
        return ""
    now, newest = syncing["currentBlock"], syncing["highestBlock"]
    return f"block {now} of {newest}" if now < newest else ""
