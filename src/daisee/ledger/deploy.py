"""Puts a coin and an exchange on a chain. Whoever deploys is the first operator and minter."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from web3 import Web3

from daisee import shallow
from daisee.errors import ConfigurationError, LedgerError
from daisee.files import read_some, write_whole
from daisee.ledger.addresses import read_address
from daisee.ledger.artifacts import load
from daisee.ledger.coin import Coin
from daisee.ledger.events import LedgerEvent
from daisee.ledger.exchange import Exchange
from daisee.ledger.follow import Follower
from daisee.ledger.sender import Sender, Sent
from daisee.ledger.transactions import Call, Outcome
from daisee.units import Address, Coins

DEFAULT_SKEW_S = 60
"""How far a report may be ahead of its block; a community's clocks agree better than this."""
CREATES_COIN = "create DaiseeCoin"
"""What the call is named that makes a coin."""
DEPLOYMENT_GAS = 5_900_000
"""As much as fits in a block of a community's chain."""
MOST_BYTES = 100_000
"""Of a deployment.json, which has some 300."""
DEFAULT_ADMIN_DELAY_S = 2 * 86_400
"""How long the handing over of the admin's role takes: time enough to see it and to speak up."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """A community's two contracts."""

    coin: Coin
    exchange: Exchange
    block: int
    """The block in which the coin began: everything that was ever said is in it or after it."""


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
    begun: tuple[Address, int] | None = None,
) -> Deployment:
    """Deploy both contracts; LedgerError where a deployment fails. `settle` waits for a transaction to be in a block.

    A deployment that was `begun` has its coin already, and the block in which that began.
    """
    arguments: list[object] = [name, symbol, sender.address, admin_delay_s, opening_supply]
    coin, block = begun or _create(sender, settle, "DaiseeCoin", arguments)
    exchange, _ = _create(sender, settle, "EnergyExchange", [coin, sender.address, admin_delay_s, skew_s])
    return Deployment(Coin(web3, coin), Exchange(web3, exchange), block)


def coin_began(web3: Web3, coin: Address, since: int = 0) -> int | None:
    """Answer in which block a coin began, from `since` on; None where it began before, or is none of ours.

    The first thing that a coin says is who its admin is. ChainError where the node does not answer.
    """
    first = next(Follower(web3, [coin], begin=since).poll(), None)
    if isinstance(first, LedgerEvent) and first.name == "RoleGranted" and not any(first.facts["role"]):
        return first.block
    return None


@dataclass(frozen=True, slots=True)
class DeploymentRecord:
    """What a community's members tell each other: where their contracts are, and on which chain."""

    chain_id: int
    genesis: str
    """The hash of block 0: two chains may have the same id, and not this."""
    coin: Address
    exchange: Address
    block: int
    """Where the coin began."""

    @classmethod
    def of(cls, web3: Web3, made: Deployment) -> DeploymentRecord:
        """Record a deployment, of the chain that it is on."""
        return cls(web3.eth.chain_id, genesis_of(web3), made.coin.address, made.exchange.address, made.block)

    @classmethod
    def read(cls, path: Path) -> DeploymentRecord:
        """Read a `deployment.json`; ConfigurationError for anything else."""
        try:
            told = shallow.parse(read_some(path, MOST_BYTES))
            if not isinstance(told, dict):
                raise ValueError("it is no object")
            coin, exchange = (read_address(str(told[name])) for name in ("coin", "exchange"))
            chain_id, block = (_number(told[name], name) for name in ("chain_id", "block"))
            return cls(chain_id, str(told["genesis"]).lower(), coin, exchange, block)
        except OSError as error:
            raise ConfigurationError(path, "", f"cannot be read: {error.strerror}") from error
        except (ValueError, KeyError) as error:
            why = f"it has no {error}" if isinstance(error, KeyError) else error
            why = "it is not JSON" if isinstance(error, json.JSONDecodeError) else why
            raise ConfigurationError(path, "", f"is no deployment.json ({why}); `daisee ledger deploy` writes one") from error

    def write(self, path: Path) -> None:
        """Write it for everybody to read."""
        write_whole(path, json.dumps(asdict(self), indent=2) + "\n", 0o644)


def constructor(name: str, arguments: Sequence[object]) -> Call:
    """Make the creation of a contract ready to be signed and sent."""
    artifact = load(name)
    factory = Web3().eth.contract(abi=artifact.abi, bytecode=artifact.bytecode)
    return Call(f"create {name}", None, factory.constructor(*arguments).data_in_transaction, DEPLOYMENT_GAS)


def genesis_of(web3: Web3) -> str:
    """Answer the hash of block 0."""
    return web3.eth.get_block(0)["hash"].to_0x_hex()


def _number(told: object, name: str) -> int:
    if not isinstance(told, int) or isinstance(told, bool) or told < 0:
        raise ValueError(f"{name} is no whole number from zero")
    return told


def _create(sender: Sender, settle: Callable[[Sent], Outcome], name: str, arguments: list[object]) -> tuple[Address, int]:
    outcome = settle(sender.send(constructor(name, arguments)))
    if not outcome.succeeded or outcome.contract is None:
        raise LedgerError(f"{name} could not be deployed: used {outcome.gas_used} gas in block {outcome.block}")
    return outcome.contract, outcome.block
