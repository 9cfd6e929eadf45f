"""Puts a coin and an exchange on a chain. Whoever deploys is the first operator and minter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from web3 import Web3

from daisee.errors import LedgerError
from daisee.ledger.artifacts import load
from daisee.ledger.coin import Coin
from daisee.ledger.exchange import Exchange
from daisee.ledger.sender import Sender, Sent
from daisee.ledger.transactions import Call, Outcome
from daisee.units import Address, Coins

DEFAULT_SKEW_S = 60
"""How far a report may be ahead of its block; a community's clocks agree better than this."""
DEFAULT_ADMIN_DELAY_S = 2 * 86_400
"""How long the handing over of the admin's role takes: time enough to see it and to speak up."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """A community's two contracts."""

    coin: Coin
    exchange: Exchange
    block: int
    """The first block that knows them both."""


def deploy(
    web3: Web3,
    sender: Sender,
    settle: Callable[[Sent], Outcome],
    opening_supply: Coins = Coins(0),
    *,
    name: str = "DaiseeCoin",
    symbol: str = "DSC",
    skew_s: int = DEFAULT_SKEW_S,
    admin_delay_s: int = DEFAULT_ADMIN_DELAY_S,
) -> Deployment:
    """Deploy both contracts; LedgerError where a deployment fails. `settle` waits for a transaction to be in a block."""
    arguments: list[object] = [name, symbol, sender.address, admin_delay_s, opening_supply]
    coin, _ = _create(web3, sender, settle, "DaiseeCoin", arguments)
    exchange, block = _create(web3, sender, settle, "EnergyExchange", [coin, sender.address, admin_delay_s, skew_s])
    return Deployment(Coin(web3, coin), Exchange(web3, exchange), block)


def _create(
    web3: Web3, sender: Sender, settle: Callable[[Sent], Outcome], name: str, arguments: list[object]
) -> tuple[Address, int]:
    artifact = load(name)
    factory = web3.eth.contract(abi=artifact.abi, bytecode=artifact.bytecode)
    data = factory.constructor(*arguments).data_in_transaction
    outcome = settle(sender.send(Call(f"create {name}", None, data, 5_900_000)))
    if not outcome.succeeded or outcome.contract is None:
        raise LedgerError(f"{name} could not be deployed: used {outcome.gas_used} gas in block {outcome.block}")
    return outcome.contract, outcome.block
