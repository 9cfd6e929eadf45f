"""`daisee ledger deploy`: a new community's contracts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click
from click.core import ParameterSource

from daisee.cli.ledger.amounts import ACCOUNT, COINS, Money
from daisee.cli.ledger.book import DEPLOYMENT, answers_like_ours
from daisee.cli.ledger.hand import Hand, must, signs
from daisee.cli.ledger.made import Made
from daisee.cli.saying import say
from daisee.errors import DaiseeError, LedgerError, UsageError
from daisee.ledger.coin import Coin
from daisee.ledger.deploy import (
    DEFAULT_ADMIN_DELAY_S,
    DEFAULT_SKEW_S,
    DEPLOYMENT_GAS,
    Deployment,
    DeploymentRecord,
    coin_began,
    constructor,
    deploy,
)
from daisee.ledger.exchange import GRANT_GAS
from daisee.units import Address, Coins


@click.command("deploy")
@click.option(
    "--supply",
    type=COINS,
    default="0",
    show_default=True,
    help="Coins that there are from the beginning; they are the deployer's.",
)
@click.option("--operator", "operators", type=ACCOUNT, multiple=True, help="Who else may admit homes; may be given again.")
@click.option("--name", default="DaiseeCoin", show_default=True, help="What people call the coin.")
@click.option("--symbol", default="DSC", show_default=True, help="Its abbreviation.")
@click.option("--skew", "skew_s", default=DEFAULT_SKEW_S, show_default=True, type=click.IntRange(0, 86_400),
              help="How many seconds a report may be ahead of its block.")  # fmt: skip
@click.option("--admin-delay", "admin_delay_s", default=DEFAULT_ADMIN_DELAY_S, show_default=True, type=click.IntRange(0, 2**32),
              help="How many seconds the handing over of the admin's role takes.")  # fmt: skip
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), default=DEPLOYMENT, show_default=True,
              help="Where to write down where the contracts are.")  # fmt: skip
@click.option(
    "--coin", type=ACCOUNT, help="A coin that is there already, of a deployment that was cut off; only the exchange is new."
)
@click.option("--exchange", type=ACCOUNT, help="An exchange that is there already, with its coin; only the file is new.")
@signs
def deploy_command(
    hand: Hand,
    supply: Money,
    operators: tuple[Address, ...],
    name: str,
    symbol: str,
    skew_s: int,
    admin_delay_s: int,
    output: Path,
    coin: Address | None,
    exchange: Address | None,
) -> None:
    """Put a new coin and a new exchange on the chain.

    Who deploys is their admin, and the first operator, minter and freezer. Where the contracts are is written to a file, for
    the members to have: all other commands read it. Until then, OUTPUT.part says what is there.
    """
    must(not any(int(each, 16) == 0 for each in operators), "the address of zeros is nobody's; name another --operator")
    must(not output.exists(), f"{output} is there already, of a community that has its contracts; choose another --output")
    must(supply.symbol in ("", symbol), f"the supply is in {supply.symbol}, and the coin's symbol is {symbol}")
    must(bool(name.strip() and name.isprintable() and symbol.isalpha()), "a coin has a name, and a symbol of letters")
    must(output.parent.is_dir(), f"there is no folder {output.parent}")
    others = [each for each in dict.fromkeys(operators) if each != hand.sender.address]
    hand.must_afford(GRANT_GAS * len(others) + DEPLOYMENT_GAS * (0 if exchange else 1 if coin else 2))
    made = Made(hand, output)
    with made.told():
        if exchange:
            there = _there(hand, exchange, coin)
        else:
            there = _new(hand, made, coin, supply.amount, name, symbol, skew_s, admin_delay_s)
        record = _written_down(hand, there, output)
    made.forget()
    _grant(hand, there, others, output)
    say(
        hand.as_json,
        {**asdict(record), "operators": [hand.address, *others]},
        f"coin     {record.coin}\nexchange {record.exchange}\nWritten to {output}, which the other commands read.",
    )


def _new(
    hand: Hand, made: Made, coin: Address | None, supply: Coins, name: str, symbol: str, skew_s: int, admin_delay_s: int
) -> Deployment:
    begun = _begun(hand, coin) if coin else None
    if begun is None:
        made.must_be_nothing()
        hand.try_out(constructor("DaiseeCoin", [name, symbol, hand.address, admin_delay_s, supply]))
    made.begin(coin)
    return deploy(
        hand.book.web3, hand.sender, made.settle, supply,
        name=name, symbol=symbol, skew_s=skew_s, admin_delay_s=admin_delay_s, begun=begun,
    )  # fmt: skip


def _written_down(hand: Hand, there: Deployment, output: Path) -> DeploymentRecord:
    record = DeploymentRecord.of(hand.book.web3, there)
    try:
        record.write(output)
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror}") from error
    return record


def _grant(hand: Hand, there: Deployment, operators: Sequence[Address], output: Path) -> None:
    for place, operator in enumerate(operators):
        try:
            hand.send(there.exchange.grant_operator(operator))
        except DaiseeError as error:
            left = " and ".join(operators[place:])
            raise LedgerError(
                f"{error}; the contracts are there, and {output} says where, but {left} may not admit homes"
            ) from error


def _begun(hand: Hand, coin: Address) -> tuple[Address, int]:
    """Answer a coin that is to be gone on with, and where it began; UsageError where it is none, or another was described."""
    _must_not_describe("the coin is", "supply", "name", "symbol")
    return coin, _began(hand, coin)


def _there(hand: Hand, exchange: Address, coin: Address | None) -> Deployment:
    """Answer what is there already, with nothing new; UsageError where it is no exchange, or another was described."""
    must(coin is None, "the exchange says which coin is its own; leave --coin out")
    _must_not_describe("coin and exchange are", "supply", "name", "symbol", "skew_s", "admin_delay_s")
    found = hand.book.exchange_at(exchange)
    its_coin = found.coin()
    return Deployment(Coin(hand.book.web3, its_coin), found, _began(hand, its_coin))


def _must_not_describe(what: str, *names: str) -> None:
    said = click.get_current_context().get_parameter_source
    described = [name.removesuffix("_s").replace("_", "-") for name in names if said(name) != ParameterSource.DEFAULT]
    must(not described, f"{what} there already, so --{' and --'.join(described)} can no longer be chosen")


def _began(hand: Hand, coin: Address) -> int:
    hand.book.must_be_a_contract(coin)
    there = Coin(hand.book.web3, coin)
    block = coin_began(hand.book.web3, coin) if answers_like_ours(lambda: there.frozen(coin)) else None
    if block is None:
        raise UsageError(f"the contract at {coin} is no DaiseeCoin; compare the address")
    return block
