"""`daisee ledger` and what is strange: offers for ever, little amounts, other digits, nodes that go away, work cut off."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.cli.desk import PRICE, Desk

from daisee.cli.ledger.advice import ADVICE, lacking
from daisee.cli.ledger.figures import in_column, in_ether, in_kwh, moment, written
from daisee.errors import ChainError
from daisee.ledger.artifacts import load
from daisee.ledger.deploy import DeploymentRecord
from daisee.ledger.exchange import ALL_SURPLUS
from daisee.ledger.sender import Sender
from daisee.units import Address, Coins, base_units, coins

# As in the other file of commands: A and B for the homes, C for the coin; who signs, and words of what is said; exit 2 all.
STRANGE: dict[str, tuple[str, str, str]] = {
    "after all years": ("exchange offer 0.2DSC --until 999999999999", "B", "from 1970 to the year 9999"),
    "one second after them": ("exchange offer 0.2DSC --until 253402300800", "B", "from 1970 to the year 9999"),
    "before all ledgers": ("exchange report --until 1960-01-01T00:00Z", "B", "from 1970 to the year 9999"),
    "Arabic digits": ("coin transfer B ١DSC", "A", "is no amount"),
    "wide digits": ("coin transfer B \uff11DSC", "A", "is no amount"),
    "Arabic time": ("exchange offer 0.2DSC --until ١٠٠٠٠٠٠٠٠٠", "B", "is no time"),
    "Arabic charge": ("exchange report --charge ٢٠%", "B", "is no state of charge"),
    "no coins": ("coin transfer B 0DSC", "A", "is nothing; write more"),
    "no coins made": ("coin mint B 0DSC", "O", "is nothing; write more"),
    "no gas money": ("account fund B --amount 0ether", "A", "is nothing; write more"),
    "no energy": ("exchange buy 0kWh --of B --at-most 1", "A", "is nothing; write more"),
    "no energy asked": ("exchange quote 0Wh --of B --at-most 1 --for A", "", "is nothing; write more"),
    "no price": ("exchange offer 0DSC", "B", "is nothing; write more"),
    "no energy offered": ("exchange offer 1DSC --amount 0.0kWh", "B", "is nothing; write more"),
    "no energy ordered": ("exchange order place --below 30% --amount 0kWh --at-most 1 --of B", "A", "is nothing; write more"),
    "nobody's operator": (f"deploy --output new.json --operator 0x{'0' * 40}", "O", "the address of zeros is nobody's"),
    "no folder": ("account export A none/out.json", "", "there is no folder none"),
    "nobody to ask": ("exchange close", "O", "say so with --yes"),
    "not yet": ("verify --since 99999", "", "is not there yet"),
    "too late": ("verify --since 3", "", "does not say how it began"),
    "no cursor": ("exchange events --cursor deployment.json", "", "is no cursor of events"),
    "no coin": ("deploy --output new.json --coin X", "O", "is no DaiseeCoin"),
    "another supply": ("deploy --output new.json --coin C --supply 5", "O", "--supply can no longer be chosen"),
}


@pytest.mark.parametrize("case", sorted(STRANGE))
def test_what_is_strange_is_one_line_and_changes_nothing(market: Desk, case: str) -> None:
    command, who, words = STRANGE[case]
    community = market.community
    said = {"A": market.a, "B": market.b, "O": market.operator, "C": community.coin.address, "X": community.exchange.address}
    before = community.web3.eth.block_number
    code, out, err = market.run(*(said.get(word, word) for word in command.split()), who=said.get(who, ""))
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert words in err
    assert (community.web3.eth.block_number, community.chain.pending_count) == (before, 0), "nothing was sent"
    assert not (market.folder / "none").exists()


@pytest.mark.parametrize("amount", ["1\nDSC", "1DSC\n", "1\n"])
def test_what_comes_with_a_new_line_is_no_amount_and_is_told_in_one(market: Desk, amount: str) -> None:
    code, out, err = market.run("coin", "transfer", market.b, amount, who=market.a)
    assert (code, out, err.count("\n"), "is no amount" in err) == (2, "", 1, True)


def test_an_offer_beyond_all_years_is_shown_like_any_other(market: Desk) -> None:
    community = market.community
    for until_s in (999_999_999_999, 253_402_300_800):
        community.do(community.homes["B"], community.exchange.offer(PRICE, ALL_SURPLUS, until_s))
        for command in (("offers",), ("home", market.b), ("events", "--last", "1")):
            said = market.does("exchange", *command)
            assert ("after" in said, "9999" in said) == (True, True), "a narrow table breaks it up"


def test_little_is_not_shown_as_nothing(market: Desk) -> None:
    assert "0.000000000000000001 DSC more" in market.does("coin", "mint", market.a, "0.000000000000000001", who=market.operator)
    bought = market.does("exchange", "buy", "1J", "--of", market.b, "--at-most", "0.2DSC", who=market.a)
    assert "bought 1 J for 0.000000055555555556 DSC" in bought
    assert "<0.001" in market.does("exchange", "credits", market.a)
    market.does("exchange", "offer", "0.00001DSC", "--amount", "2J", who=market.b)
    offers = market.does("exchange", "offers")
    assert ("0.00001" in offers, "<0.01" in offers) == (True, True)
    assert "has 0.000000005 ether more" in market.does("account", "fund", market.b, "--amount", "5gwei", who=market.operator)
    _, _, err = market.run("exchange", "buy", "5J", "--of", market.b, "--at-most", "1", who=market.a)
    assert "remaining 2 J, requested 5 J" in err


def asked_instead(market: Desk, monkeypatch: pytest.MonkeyPatch, **answers: Any) -> None:
    """Let the node answer some methods otherwise: with a value, or an error that is raised."""
    rpc = market.community.chain.rpc

    def asked(_self: Any, method: str, params: list[Any]) -> Any:
        answer = answers.get(method, asked)
        if isinstance(answer, Exception):
            raise answer
        return rpc(method, params) if answer is asked else answer

    monkeypatch.setattr(type(market.community.chain), "rpc", asked)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ChainError("execution reverted", 3, f"0x4e487b71{0x11:064x}"), "Panic (code 17); a number would be below zero"),
        (ChainError("execution reverted", 3, f"0x4e487b71{0x99:064x}"), "Panic (code 153)\n"),
        (ChainError("execution reverted", 3, "0xe2517d3f" + "11".rjust(64, "0") + "22" * 32), f"neededRole 0x{'22' * 32}); this"),
        (ChainError("out of gas", -32000), "error: out of gas; that takes more gas than was given"),
    ],
)
def test_a_question_that_is_refused_comes_with_advice(
    market: Desk, monkeypatch: pytest.MonkeyPatch, error: ChainError, words: str
) -> None:
    asked_instead(market, monkeypatch, eth_call=error)
    code, out, err = market.run("contract", "call", market.community.coin.address, "name", "--abi", "coin")
    assert (code, out, err.count("\n"), words in err) == (1, "", 1, True), err


def test_a_contract_that_takes_no_payment_of_the_node_is_said_to(market: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = ChainError("execution reverted", -32000)
    asked_instead(market, monkeypatch, eth_accounts=[market.operator], eth_estimateGas=refusal, eth_sendTransaction=refusal)
    code, _, err = market.run("account", "fund", market.community.coin.address, "--of-the-node")
    assert (code, err) == (1, "daisee: the contract refuses: no reason given\n")


def test_a_node_that_is_behind_pays_nobody(market: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    behind = {"currentBlock": "0x5", "highestBlock": "0x99"}
    asked_instead(market, monkeypatch, eth_accounts=[market.operator], eth_syncing=behind, eth_sendTransaction="0x" + "00" * 32)
    code, _, err = market.run("account", "fund", market.a, "--of-the-node")
    assert (code, "so nothing is sent through it" in err) == (1, True)


def test_the_account_of_the_environment_is_the_one_that_is_asked_about(market: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAISEE_ACCOUNT", market.a)
    assert market.told("account", "show")["account"] == market.a
    assert market.told("account", "show", market.b)["account"] == market.b
    assert market.told("exchange", "quote", "1kWh", "--of", market.b, "--at-most", "0.2DSC")["bought_j"] == 3_600_000


def test_figures_have_the_digits_that_there_are() -> None:
    assert [written(coins(amount), 4) for amount in (0, 1, 10**18, 1_234 * 10**18 + 10**13)] == [
        "0.0000", "0.000000000000000001", "1.0000", "1,234.00001",
    ]  # fmt: skip
    assert [in_kwh(energy_j) for energy_j in (0, 1, 3_599, 3_600, 360_000, 3_600_000)] == [
        "0.000 kWh", "1 J", "3,599 J", "1.0 Wh", "0.100 kWh", "1.000 kWh",
    ]  # fmt: skip
    assert (in_kwh(14_399_999, 4), in_kwh(3_601, 4)) == ("3.9999997 kWh", "1.00028 Wh")
    assert [in_column(number, 2) for number in (0.0, 0.004, 0.006, 12.0)] == ["0.00", "<0.01", "0.01", "12.00"]
    assert [in_ether(amount) for amount in (0, 5, 10**18)] == ["0 ether", "0.000000000000000005 ether", "1 ether"]
    assert [moment(at_s) for at_s in (0, 253_402_300_799)] == ["1970-01-01 00:00:00 UTC", "9999-12-31 23:59:59 UTC"]


def test_every_refusal_of_the_contracts_comes_with_advice() -> None:
    entries = [*load("EnergyExchange").abi, *load("DaiseeCoin").abi]
    assert not {entry["name"] for entry in entries if entry["type"] == "error"} - set(ADVICE)


def test_whoever_has_too_little_is_told_whether_it_is_for_the_gas(market: Desk) -> None:
    told = lacking(Address(market.a), 10**15, 10**16, 10**18)
    assert "cannot pay for gas: it has 0.001 ether of the chain's own money, and needs up to 0.01 ether" in told
    told = lacking(Address(market.a), 10**18 - 1, 10**12, 10**18)
    assert "cannot give 1 ether: it has 0.999999999999999999 ether" in told
    assert "0.000001 ether of that are for gas" in told
    code, _, err = market.run("account", "fund", market.b, "--amount", "999999999ether", who=market.a)
    assert (code, "cannot give 999,999,999 ether" in err) == (2, True)


@pytest.mark.parametrize("trouble", ["no chain answers", "HTTP 503"])
def test_a_node_that_fails_is_not_taken_for_another_contract(market: Desk, trouble: str, monkeypatch: pytest.MonkeyPatch) -> None:
    chain = market.community.chain
    rpc = chain.rpc

    def failing(_self: Any, method: str, params: list[Any]) -> Any:
        if method == "eth_call":
            raise ChainError(trouble)
        return rpc(method, params)

    monkeypatch.setattr(type(chain), "rpc", failing)
    code, _, err = market.run("exchange", "members")
    assert (code, trouble in err, "is no exchange" in err) == (1, True, False)


class Away:
    """A node that can go away, and what becomes of the world while a command sleeps."""

    def __init__(self, market: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        self.away = False
        self.steps: list[Any] = []
        chain = market.community.chain
        rpc = chain.rpc

        def asked(_self: Any, method: str, params: list[Any]) -> Any:
            if self.away:
                raise ChainError("the node is gone")
            return rpc(method, params)

        def go_on(_s: float) -> None:
            if not self.steps:
                raise KeyboardInterrupt
            self.steps.pop(0)()

        monkeypatch.setattr(type(chain), "rpc", asked)
        monkeypatch.setattr("daisee.cli.ledger.exchange.time.sleep", go_on)

    def leave(self) -> None:
        self.away = True

    def come_back(self) -> None:
        self.away = False


def test_events_are_said_once_while_the_node_goes_and_comes_and_the_command_is_started_again(
    market: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    community, world = market.community, Away(market, monkeypatch)
    follow = ["exchange", "events", "--follow", "--cursor", "seen.json", "--json"]

    def minted(amount: int) -> None:
        community.do(community.operator, community.coin.mint(market.b, Coins(amount)))

    def values(out: str) -> list[int]:
        told = [json.loads(line) for line in out.splitlines()]
        return [each["facts"]["amount"] for each in told if each["name"] == "CoinsMinted"]

    world.steps = [lambda: minted(1), world.leave, lambda: None, world.come_back, lambda: minted(2)]
    code, out, err = market.run(*follow)
    assert (code, values(out)) == (130, [base_units(10), 1, 2])
    gone, back = err.splitlines()[:2]
    assert ("waiting for it" in gone, "answers again" in back) == (True, True)
    assert (err.count("waiting"), err.count("again")) == (1, 1)
    minted(3)
    world.steps = [lambda: minted(4)]
    _, out, _ = market.run(*follow)
    assert values(out) == [3, 4]
    minted(5)
    assert values(market.does("exchange", "events", "--cursor", "seen.json", "--json")) == [5]
    assert market.does("exchange", "events", "--cursor", "seen.json") == ""


def test_what_was_said_before_a_node_fails_is_not_said_again(market: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    community = market.community
    for amount in (1, 2, 3):
        community.do(community.operator, community.coin.mint(market.b, Coins(amount)))
    chain, head = type(community.chain), hex(community.web3.eth.block_number)
    rpc, fails = chain.rpc, [True]

    def failing(node: Any, method: str, params: list[Any]) -> Any:
        if fails[0] and method == "eth_getBlockByNumber" and params[0] == head:
            raise ChainError("the node is gone")
        return rpc(node, method, params)

    monkeypatch.setattr(chain, "rpc", failing)
    command = ["exchange", "events", "--cursor", "seen.json", "--json"]
    code, before, err = market.run(*command)
    assert (code, "the node is gone" in err, bool(before)) == (1, True, True)
    fails[0] = False
    monkeypatch.setattr("daisee.ledger.follow.FRESH", 0)
    said = (before + market.does(*command)).splitlines()
    assert len(said) == len(set(said)), "some are said twice"
    (market.folder / "seen.json").unlink()
    assert said == market.does(*command).splitlines()


def test_a_file_of_another_kind_is_no_deployment(market: Desk) -> None:
    path = market.folder / "deployment.json"
    told = json.loads(path.read_text())
    for changed, words in (
        ({"block": -1}, "block is no whole number from zero"),
        ({"block": "1"}, "block is no whole number"),
        ({"coin": 5}, "is no address"),
        ({"chain_id": True}, "chain_id is no"),
    ):
        path.write_text(json.dumps({**told, **changed}))
        code, _, err = market.run("coin", "supply")
        assert (code, words in err, err.count("\n")) == (2, True, 1), err
    path.write_text(json.dumps({name: value for name, value in told.items() if name != "genesis"}))
    assert "it has no 'genesis'" in market.run("coin", "supply")[2]
    path.write_text(json.dumps({**told, "block": 99_999}))
    for command in (("verify",), ("exchange", "events")):
        code, out, err = market.run(*command)
        assert (code, out, "block 99999 is not there yet" in err) == (2, "", True)


def test_a_deployment_that_was_cut_off_goes_on_with_its_coin(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]

    def nobody_seals(_s: float) -> None:
        now[0] += 30

    with monkeypatch.context() as stalled:
        stalled.setattr("daisee.ledger.sender.time.sleep", nobody_seals)
        stalled.setattr(Sender.__init__, "__kwdefaults__", {**(Sender.__init__.__kwdefaults__ or {}), "clock": lambda: now[0]})
        assert desk.run("deploy", "--supply", "7SUN", "--symbol", "SUN", "--output", "new.json", who=desk.operator)[0] == 1
    code, _, err = desk.run("deploy", "--supply", "7SUN", "--symbol", "SUN", "--output", "new.json", who=desk.operator)
    assert (code, err.count("\n")) == (1, 1)
    coin = err.partition("`daisee ledger deploy --coin ")[2][:42]
    made = desk.told("deploy", "--coin", coin, "--output", "new.json", who=desk.operator)
    record = DeploymentRecord.read(tmp_path / "new.json")
    assert made["coin"] == record.coin == coin
    here = ["--deployment", "new.json"]
    assert desk.does(*here, "coin", "supply") == "7.00 SUN\n"
    assert "all are right" in desk.does(*here, "verify")


def test_an_outbox_that_is_none_is_named(market: Desk) -> None:
    market.does("coin", "transfer", market.b, "1", who=market.a)
    (path,) = (market.folder / "outbox").glob(f"{market.a}-*.json")
    path.write_text('[{"call": {}, "nonce": "x"}]')
    code, _, err = market.run("coin", "transfer", market.b, "1", who=market.a)
    assert (code, err.count("\n"), str(path) in err, "move it away if nothing is" in err) == (1, 1, True, True)
