"""One short story on three chains: the embedded one, geth's own (`--dev`), and a Clique chain of one validator.

Whatever carries the ledger, it holds the same numbers at the end, and refuses with the same facts. The story is told through
`Coin` and `Exchange` alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
from eth_typing import HexStr
from tests.chain import geth
from tests.chain.geth import Node
from web3 import Web3

from daisee.chain.client import ChainClient, web3_on
from daisee.chain.embedded import EmbeddedChain
from daisee.demo.keys import draw_keys
from daisee.errors import ChainError, TransactionReverted
from daisee.ledger.coin import UNLIMITED
from daisee.ledger.contract import Contract
from daisee.ledger.deploy import Deployment, deploy
from daisee.ledger.exchange import ALL_SURPLUS, Interval, Purchase
from daisee.ledger.sender import Sender, Sent
from daisee.ledger.transactions import Call, Outcome
from daisee.ledger.verify import verify
from daisee.units import Address, Coins, Joules, base_units, joules_from_kwh

PRICE = base_units("0.20")
WAIT_S = 60.0
BEGAN_S = 1_700_000_000
HOME_A, HOME_B = "A", "B"
SEED = 1
"""As of the accounts that the nodes are paid out to."""


@dataclass(frozen=True, slots=True)
class Street:
    """An operator and two homes on a chain, and what it takes for a transaction to be in a block."""

    web3: Web3
    operator: Sender
    homes: dict[str, Sender]
    settle: Callable[[Sent], Outcome]

    def do(self, *sent: tuple[Sender, Call]) -> list[Outcome]:
        """Send calls together, and see that none was refused."""
        outcomes = [self.settle(each) for each in [sender.send(call) for sender, call in sent]]
        for (sender, call), outcome in zip(sent, outcomes, strict=True):
            assert outcome.succeeded, f"{call.name}: {sender.why(call)}"
        return outcomes

    def refused(self, sender: Sender, call: Call) -> str:
        """Send what is refused; answer what is told of it."""
        outcome = self.settle(sender.send(call))
        assert not outcome.succeeded
        return sender.why(call)


def street_on(client: ChainClient, gas_price: int) -> Street:
    """Wait for blocks, of an embedded chain by sealing them."""
    web3 = web3_on(client)
    operator, keys = draw_keys([HOME_A, HOME_B], SEED)
    senders = [Sender(web3, account, gas_price=gas_price) for account in (operator, *keys.values())]

    def settle(sent: Sent) -> Outcome:
        sender = next(each for each in senders if sent in each.in_flight)
        until = time.monotonic() + WAIT_S
        while (outcome := sender.outcome(sent)) is None:
            assert time.monotonic() < until, f"{sent.call.name} is in no block"
            client.advance(int(web3.eth.get_block("latest")["timestamp"]) + 1)
            if not isinstance(client, EmbeddedChain):
                time.sleep(0.02)
        return outcome

    return Street(web3, senders[0], dict(zip(keys, senders[1:], strict=True)), settle)


def embedded_street() -> Street:
    operator, keys = draw_keys([HOME_A, HOME_B], SEED)
    wealth = {Address(account.address): 10**24 for account in (operator, *keys.values())}
    return street_on(EmbeddedChain(chain_id=2_017, genesis_time_s=BEGAN_S, balances=wealth), gas_price=1)


def tell(street: Street) -> dict[str, Any]:
    """Tell the story, and answer everything that can be read back and was refused.

    The intervals end long ago, at the same times on every chain: a zero byte in a later time would change what it costs.
    """
    a, b = street.homes[HOME_A], street.homes[HOME_B]
    made = deploy(street.web3, street.operator, street.settle)
    coin, exchange = made.coin, made.exchange
    street.do(
        (street.operator, exchange.admit(a.address, Joules(0))),
        (street.operator, exchange.admit(b.address, joules_from_kwh(1))),
        (street.operator, coin.mint(a.address, base_units(10))),
        (a, coin.approve(exchange.address, UNLIMITED)),
    )
    street.do(
        (b, exchange.report(0, [Interval(BEGAN_S + 1, joules_from_kwh(5), joules_from_kwh(2))])),
        (b, exchange.offer(PRICE, ALL_SURPLUS)),
    )
    refused = {
        "too much": street.refused(a, exchange.buy(b.address, joules_from_kwh(6), PRICE)),
        "too dear": street.refused(a, exchange.buy(b.address, Joules(3_600), Coins(PRICE - 1))),
        "from nobody": street.refused(a, exchange.buy(street.operator.address, Joules(3_600), PRICE)),
        "without a role": street.refused(b, coin.mint(b.address, Coins(1))),
        "without coins": street.refused(b, coin.transfer(a.address, Coins(1))),
    }
    bought = street.do((a, exchange.buy(b.address, joules_from_kwh(2), PRICE)))
    interval = Interval(BEGAN_S + 2, Joules(0), Joules(0), {b.address: joules_from_kwh("1.5")})
    drawn = street.do((a, exchange.report(0, [interval])))
    refused["twice"] = street.refused(a, exchange.report(0, [interval]))
    return {
        "books": books(street, made),
        "refused": refused,
        "gas": [outcome.gas_used for outcome in (*bought, *drawn)],
        "asked": asked(street, made),
        "verified": verified(street, made),
    }


def books(street: Street, made: Deployment) -> dict[str, Any]:
    """Answer all that the ledger holds, from each home's side."""
    assert made.exchange.coin() == made.coin.address
    read: dict[str, Any] = {"supply": made.coin.total_supply(), "members": list(made.exchange.homes())}
    for name, home in street.homes.items():
        others = [other.address for other in street.homes.values() if other is not home]
        market = asdict(made.exchange.market(home.address, others))
        read[name] = {"market": market, "balance": made.coin.balance_of(home.address)}
    return read


def verified(street: Street, made: Deployment) -> tuple[bool, int, int]:
    """Answer whether the events account for all numbers, and how many there are of each."""
    found = verify(street.web3, made.exchange.address)
    return found.sound, found.numbers, found.events


def asked(street: Street, made: Deployment) -> dict[str, Any]:
    """Answer what views refuse: a custom error with its facts, and a call that no function of the contract answers."""
    answers: dict[str, Any] = {}
    too_much = Purchase([street.homes[HOME_B].address], joules_from_kwh(100), PRICE)
    of_nobody = Purchase([street.operator.address], Joules(1), PRICE)
    coin_taken_for_exchange = Contract(street.web3, "EnergyExchange", made.coin.address)
    questions: dict[str, Callable[[], Any]] = {
        "a quote of too much": lambda: made.exchange.quote(street.homes[HOME_A].address, too_much),
        "a quote of nobody": lambda: made.exchange.quote(street.homes[HOME_A].address, of_nobody),
        "of another contract": lambda: coin_taken_for_exchange.ask("memberCount"),
    }
    for name, question in questions.items():
        with pytest.raises((TransactionReverted, ChainError)) as refusal:
            question()
        error = refusal.value
        answers[name] = (type(error), getattr(error, "error", None), getattr(error, "facts", None), str(error))
    return answers


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    """Answer the story as the embedded chain tells it."""
    return tell(embedded_street())


def test_the_story_is_the_one_we_mean(expected: dict[str, Any]) -> None:
    a, b = expected["books"][HOME_A], expected["books"][HOME_B]
    assert a["balance"] == base_units("9.6")
    assert b["balance"] == base_units("0.4")
    assert a["market"]["home"]["until_s"] == BEGAN_S + 2
    (credit,) = a["market"]["credits"].values()
    assert (credit["bought_j"], credit["drawn_j"], credit["credit_j"]) == (7_200_000, 5_400_000, 1_800_000)
    assert b["market"]["home"]["surplus_j"] == joules_from_kwh(2)
    told = expected["refused"]
    assert told["too much"] == (
        f"the contract refused: ExchangeInsufficientEnergy (remainingJ {4 * 3_600_000}, requestedJ {6 * 3_600_000})"
    )
    assert told["twice"].endswith(f"ExchangeReportOutOfOrder (since 0, reportedUntil {BEGAN_S + 2})")
    assert "AccessControlUnauthorizedAccount" in told["without a role"]
    assert expected["verified"][0]
    assert all("unknown" not in each and "would be taken" not in each for each in told.values())


@pytest.mark.geth
@pytest.mark.parametrize("chain", ["geth_dev", "clique"])
def test_geth_tells_the_same_story(chain: str, request: pytest.FixtureRequest, expected: dict[str, Any]) -> None:
    node: Node = request.getfixturevalue(chain)
    told = tell(street_on(node.chain, node.gas_price))
    for part in ("refused", "asked", "gas", "verified"):
        assert told[part] == expected[part]
    assert told["books"] == expected["books"]


@pytest.mark.geth
def test_a_price_below_the_base_fee_waits_for_ever(geth_path: str, tmp_path: Path) -> None:
    operator, _keys = draw_keys([HOME_A, HOME_B], SEED)
    with geth.dev(geth_path, tmp_path, {Address(operator.address): 10**24}) as node:
        cheap = Sender(web3_on(node.chain), operator)
        sent = cheap.send(Call("pay", cheap.address, HexStr("0x"), 21_000))
        time.sleep(1)
        assert cheap.outcome(sent) is None
        assert cheap.unsettled()
