"""`daisee ledger deploy`: a new community's contracts."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
from click.core import ParameterSource

from daisee.cli.ledger.amounts import ACCOUNT, COINS, Money
from daisee.cli.ledger.book import DEPLOYMENT, answers_like_ours
from daisee.cli.ledger.hand import Hand, must, signs
from daisee.cli.saying import say
from daisee.errors import UsageError
from daisee.ledger.coin import Coin
from daisee.ledger.deploy import DEFAULT_ADMIN_DELAY_S, DEFAULT_SKEW_S, DeploymentRecord, coin_began, constructor, deploy
from daisee.units import Address


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
) -> None:
    """Put a new coin and a new exchange on the chain.

    Who deploys is their admin, and the first operator, minter and freezer. Where the contracts are is written to a file, for
    the members to have: all other commands read it.
    """
    must(not any(int(each, 16) == 0 for each in operators), "the address of zeros is nobody's; name another --operator")
    must(not output.exists(), f"{output} is there already, of a community that has its contracts; choose another --output")
    must(supply.symbol in ("", symbol), f"the supply is in {supply.symbol}, and the coin's symbol is {symbol}")
    must(bool(name.strip() and name.isprintable() and symbol.isalpha()), "a coin has a name, and a symbol of letters")
    must(output.parent.is_dir(), f"there is no folder {output.parent}")
    sender = hand.sender
    begun = _begun(hand, coin) if coin else None
    if begun is None:
        hand.try_out(constructor("DaiseeCoin", [name, symbol, sender.address, admin_delay_s, supply.amount]))
    made = deploy(
        hand.book.web3, sender, lambda sent: hand.wait(sender, sent), supply.amount,
        name=name, symbol=symbol, skew_s=skew_s, admin_delay_s=admin_delay_s, begun=begun,
    )  # fmt: skip
    record = DeploymentRecord.of(hand.book.web3, made)
    _write_down(record, output)
    for operator in operators:
        hand.send(made.exchange.grant_operator(operator))
    say(
        hand.as_json,
        {**asdict(record), "operators": [sender.address, *operators]},
        f"coin     {record.coin}\nexchange {record.exchange}\nWritten to {output}, which the other commands read.",
    )


def _write_down(record: DeploymentRecord, output: Path) -> None:
    try:
        record.write(output)
    except OSError as error:
        raise UsageError(
            f"the contracts are there, and {output} cannot be written ({error.strerror}): coin {record.coin}, exchange "
            f"{record.exchange}, block {record.block}"
        ) from error


def _begun(hand: Hand, coin: Address) -> tuple[Address, int]:
    """Answer a coin that is to be gone on with, and where it began; UsageError where it is none, or another was described."""
    said = click.get_current_context().get_parameter_source
    described = [name for name in ("supply", "name", "symbol") if said(name) != ParameterSource.DEFAULT]
    must(not described, f"the coin is there already, so --{' and --'.join(described)} can no longer be chosen")
    hand.book.must_be_a_contract(coin)
    there = Coin(hand.book.web3, coin)
    block = coin_began(hand.book.web3, coin) if answers_like_ours(lambda: there.frozen(coin)) else None
    if block is None:
        raise UsageError(f"the contract at {coin} is no DaiseeCoin; compare the address")
    return coin, block
