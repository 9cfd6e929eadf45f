"""`daisee ledger` on an embedded chain: what it does, what it says, and that what is refused changes nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from eth_account import Account
from tests.cli.desk import PASSWORD, PRICE, Desk
from web3.providers.base import JSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from daisee.cli import main
from daisee.ledger.abifile import read_abi
from daisee.ledger.deploy import DeploymentRecord
from daisee.ledger.exchange import ALL_SURPLUS, Interval, StandingOrder
from daisee.ledger.outbox import Outbox
from daisee.ledger.sender import Sender
from daisee.units import Coins, Joules, base_units, cost_of, joules_from_kwh

ZEROS = "0x" + "0" * 64


def test_coins_are_made_sent_allowed_and_frozen(desk: Desk) -> None:
    assert "made anew" in desk.does("coin", "mint", desk.a, "12.5DSC", who=desk.operator)
    assert desk.does("coin", "supply") == "12.50 DSC\n"
    sent = desk.told("coin", "transfer", desk.b, "2.5", who=desk.a)
    assert (sent["amount"], sent["succeeded"], [event["name"] for event in sent["events"]]) == (
        base_units("2.5"), True, ["Transfer"],
    )  # fmt: skip
    assert desk.told("coin", "balance", desk.b) == {"account": desk.b, "balance": base_units("2.5"), "frozen": False}
    desk.does("coin", "approve", "3DSC", who=desk.a)
    assert desk.told("coin", "allowance", desk.a)["allowance"] == base_units(3)
    desk.does("coin", "approve", "--unlimited", "--spender", desk.b, who=desk.a)
    assert desk.does("coin", "allowance", desk.a, desk.b) == "without limit\n"
    desk.does("coin", "freeze", desk.a, who=desk.operator)
    assert desk.does("coin", "balance", desk.a) == "10.000000 DSC, frozen\n"
    desk.does("coin", "unfreeze", desk.a, who=desk.operator)
    assert desk.told("account", "show", desk.a)["frozen"] is False
    code, said, _ = desk.run("verify")
    assert (code, "all are right" in said) == (0, True)


def test_a_home_buys_with_the_payment_or_with_an_allowance(market: Desk) -> None:
    exchange, coin = market.community.exchange, market.community.coin
    quoted = market.told("exchange", "quote", "1.5kWh", "--of", market.b, "--at-most", "0.3DSC", "--for", market.a)
    assert (quoted["bought_j"], quoted["cost"]) == (joules_from_kwh("1.5"), base_units("0.3"))
    market.does("coin", "approve", "0DSC", who=market.a)
    bought = market.told("exchange", "buy", "1500Wh", "--of", market.b, "--at-most", "0.3DSC", who=market.a)
    assert (bought["bought_j"], bought["cost"], bought["buyer"]) == (joules_from_kwh("1.5"), base_units("0.3"), market.a)
    market.does("coin", "approve", "1DSC", who=market.a)
    before = coin.allowance(market.a, exchange.address)
    market.does("exchange", "buy", "9kWh", "--of", market.b, "--at-most", "0.2DSC", "--partly", who=market.a)
    assert before - coin.allowance(market.a, exchange.address) == base_units("0.5")
    assert coin.balance_of(market.b) == base_units("0.8")
    (credit,) = market.told("exchange", "credits", market.a)
    assert (credit["seller"], credit["credit_j"]) == (market.b, joules_from_kwh(4))
    market.does("exchange", "withdraw", who=market.b)
    assert market.does("exchange", "offers") == "nobody offers energy now\n"


def test_a_fresh_account_buys_of_a_list_at_the_very_price_that_it_names(market: Desk) -> None:
    community = market.community
    coin, exchange, c = community.coin, community.exchange, community.homes["C"]
    community.do(c, exchange.report(0, [Interval(community.now_s - 900, joules_from_kwh(1), Joules(0))]))
    odd = base_units("0.25")  # a joule costs less than half a base unit beyond a whole number
    market.does("coin", "approve", "0DSC", who=market.a)
    community.do(c, exchange.offer(odd, ALL_SURPLUS))
    community.do(community.homes["B"], exchange.offer(odd, Joules(1)))
    wanted = ["2J", "--of", market.b, "--of", str(c.address), "--at-most", "0.25DSC"]
    quoted = market.told("exchange", "quote", *wanted, "--for", market.a)
    assert [fill["energy_j"] for fill in quoted["fills"]] == [1, 1]
    assert quoted["cost"] == cost_of(Joules(2), odd) < 2 * cost_of(Joules(1), odd)
    had = coin.balance_of(market.a)
    bought = market.told("exchange", "buy", *wanted, who=market.a)
    assert bought["cost"] == had - coin.balance_of(market.a) == quoted["cost"]
    assert coin.allowance(market.a, exchange.address) == 0, "exactly what was needed"


def test_a_purchase_lets_the_exchange_take_no_more_than_the_buyer_named(market: Desk) -> None:
    market.does("coin", "approve", "0DSC", who=market.a)
    bought = market.told("exchange", "buy", "1kWh", "--of", market.b, "--at-most", "0.3DSC", who=market.a)
    granted, *_ = [event["facts"]["value"] for event in bought["events"] if event["name"] == "Approval"]
    assert (granted, bought["cost"]) == (base_units("0.3"), base_units("0.2"))


def test_a_home_reports_and_its_order_buys(market: Desk) -> None:
    community = market.community
    market.does(
        "exchange", "order", "place", "--below", "30%", "--amount", "2kWh", "--at-most", "0.25", "--of", market.b, who=market.a
    )
    rule = market.told("exchange", "order", "show", market.a)
    assert (rule["below"], rule["amount_j"], rule["sellers"]) == (0.3, joules_from_kwh(2), [market.b])
    until = ["--until", str(community.now_s)]
    reported = market.told(
        "exchange",
        "report",
        "--produced",
        "1kWh",
        "--own",
        "1kWh",
        "--drew",
        f"{market.b}=250Wh",
        "--charge",
        "0.2",
        *until,
        who=market.a,
    )
    names = [event["name"] for event in reported["events"]]
    assert names[:2] == ["EnergyReported", "EnergyDrawn"]
    assert "EnergyBought" in names
    home = market.told("exchange", "home", market.a)
    assert (home["own_j"], home["until_s"], home["credits"][0]["credit_j"]) == (
        joules_from_kwh(1), community.now_s, joules_from_kwh(2),
    )  # fmt: skip
    assert "credit        2.000 kWh" in market.does("exchange", "home", market.a)
    market.does("exchange", "order", "cancel", who=market.a)
    assert market.told("exchange", "order", "show", market.a) is None


def test_operators_admit_suspend_resume_and_close(market: Desk) -> None:
    new = Account.create().address
    market.does("exchange", "admit", new, "--opening", "3kWh", who=market.operator)
    market.does("exchange", "suspend", new, who=market.operator)
    rows = {row["home"]: row for row in market.told("exchange", "members")}
    assert (rows[new]["suspended"], rows[new]["opening_j"]) == (True, joules_from_kwh(3))
    assert f"{new} (suspended)" in market.does("exchange", "members")
    market.does("exchange", "resume", new, who=market.operator)
    market.does("exchange", "close", "--yes", who=market.operator)
    assert market.community.exchange.closed()
    for refused, who in (
        (["offer", "0.2DSC"], market.b),
        (["buy", "1kWh", "--of", market.b, "--at-most", "1DSC"], market.a),
        (["order", "place", "--below", "30%", "--amount", "1kWh", "--at-most", "1DSC", "--of", market.b], market.a),
    ):
        code, _, err = market.run("exchange", *refused, who=who)
        assert (code, "closed for purchases" in err) == (1, True)


def test_events_are_followed_as_they_come(market: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    community = market.community
    steps = iter(range(2))

    def go_on(_s: float) -> None:
        if next(steps, None) is None:
            raise KeyboardInterrupt
        community.do(community.operator, community.coin.mint(market.b, Coins(5)))

    monkeypatch.setattr("daisee.cli.ledger.exchange.time.sleep", go_on)
    code, out, err = market.run("exchange", "events", "--last", "1", "--follow", "--json")
    told = [json.loads(line)["name"] for line in out.splitlines()]
    assert told == ["EnergyOffered", "Transfer", "CoinsMinted", "Transfer", "CoinsMinted"]
    assert (code, err.strip()) == (130, "stopped")


def test_events_say_bytes_as_hex_and_why_an_order_bought_too_little(market: Desk) -> None:
    community, a = market.community, market.community.homes["A"]
    rule = StandingOrder(0.5, joules_from_kwh(1), PRICE, (community.homes["C"].address,))
    community.do(a, community.exchange.place_order(rule))
    community.do(a, community.exchange.report(0, [Interval(community.now_s, Joules(0), Joules(0))], state_of_charge=0.1))
    told = market.told("exchange", "events", "--last", "200")
    role = next(event["facts"]["role"] for event in told if event["name"] == "RoleGranted" and event["facts"]["role"] != ZEROS)
    assert re.fullmatch("0x[0-9a-f]{64}", role)
    facts = told[-1]["facts"]
    assert re.fullmatch("0x[0-9a-f]{136}", facts["reason"])
    wanted = {"remainingJ": 0, "requestedJ": joules_from_kwh(1)}
    assert facts["refusal"] == {"error": "ExchangeInsufficientEnergy", "facts": wanted}
    assert "ExchangeInsufficientEnergy" in market.does("exchange", "events", "--last", "1")


def test_any_contract_is_looked_into_and_used(market: Desk, tmp_path: Path) -> None:
    coin = market.community.coin.address
    looked = market.told("contract", "watch", coin, "--abi", "coin")
    assert (looked["state"]["symbol"], looked["state"]["totalSupply"]) == ("DSC", base_units(10))
    assert {"function": "mint(address,uint256)", "changes": True} in looked["functions"]
    assert "transfer(address to, uint256 value) -> bool" in market.does("contract", "watch", coin, "--abi", "coin", "--once")
    abi = tmp_path / "token.json"
    abi.write_text(json.dumps({"abi": [entry for entry in read_abi("coin") if entry.get("name") in ("transfer", "balanceOf")]}))
    market.does("contract", "send", coin, "transfer", market.b, "7", "--abi", str(abi), who=market.a)
    assert market.told("contract", "call", coin, "balanceOf", market.b, "--abi", str(abi)) == 7
    wanted = f'[["{market.b}"], 3600000, {PRICE}, false]'
    answered = market.told("contract", "call", market.community.exchange.address, "quote", market.a, wanted, "--abi", "exchange")
    assert answered == {"fills": [[market.b, 3_600_000, PRICE, PRICE]], "boughtJ": 3_600_000, "cost": PRICE}


def test_watching_shows_what_is_new_at_each_block(market: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    community = market.community
    steps = iter(range(1))

    def go_on(_s: float) -> None:
        if next(steps, None) is None:
            raise KeyboardInterrupt
        community.do(community.operator, community.coin.mint(market.b, Coins(5)))

    monkeypatch.setattr("daisee.cli.ledger.contract.time.sleep", go_on)
    code, out, _ = market.run("contract", "watch", community.coin.address, "--abi", "coin")
    assert code == 130
    assert str(base_units(10) + 5) in out


def test_accounts_are_made_listed_taken_over_and_given_away(desk: Desk, tmp_path: Path) -> None:
    made = desk.told("account", "new")
    assert Path(made["file"]).stat().st_mode & 0o777 == 0o600
    assert made["account"] in [row["account"] for row in desk.told("account", "list")]
    (tmp_path / "other").write_text("another\n")
    copy = tmp_path / "copy.json"
    desk.does("account", "export", made["account"], str(copy), "--new-password-file", str(tmp_path / "other"))
    assert copy.stat().st_mode & 0o777 == 0o600
    elsewhere = ["--keystore", str(tmp_path / "elsewhere")]
    desk.does(*elsewhere, "account", "import", str(copy), "--password-file", str(tmp_path / "other"))
    assert desk.told(*elsewhere, "account", "list")[0]["account"] == made["account"]
    bare = Account.create()
    (tmp_path / "bare").write_text(bare.key.hex())
    assert desk.told("account", "import", str(tmp_path / "bare"))["account"] == bare.address
    assert desk.keystore.open(bare.address, PASSWORD).key == bare.key
    desk.does("account", "fund", bare.address, "--amount", "5gwei", who=desk.operator)
    assert desk.told("account", "show", bare.address)["gas_money"] == 5 * 10**9


def test_deploying_writes_where_the_contracts_are_and_never_over_it(desk: Desk, tmp_path: Path) -> None:
    other = Account.create().address
    made = desk.told(
        "deploy",
        "--supply",
        "7SUN",
        "--symbol",
        "SUN",
        "--name",
        "Sunshine",
        "--operator",
        other,
        "--output",
        "new.json",
        who=desk.operator,
    )
    record = DeploymentRecord.read(tmp_path / "new.json")
    assert (made["coin"], made["exchange"]) == (record.coin, record.exchange)
    here = ["--deployment", "new.json"]
    assert desk.does(*here, "coin", "supply") == "7.00 SUN\n"
    code, said, _ = desk.run(*here, "verify")
    assert (code, "all are right" in said) == (0, True)
    code, _, err = desk.run("deploy", who=desk.operator)
    assert (code, "deployment.json is there already" in err) == (2, True)


# A command, with A and B for the homes, O for the operator, C for the coin; who signs, the exit code, words of what is said.
BAD: dict[str, tuple[str, str, int, str]] = {
    "below zero": ("coin transfer B -- -1DSC", "", 2, "is below zero"),
    "another coin": ("coin transfer B 1EUR", "A", 2, "the coin of this community is DSC, not EUR"),
    "too many decimals": ("coin transfer B 0.0000000000000000001", "A", 2, "18 decimals"),
    "more than there can be": (f"coin transfer B 1{'0' * 70}", "A", 2, "more than the ledger can hold"),
    "no amount": ("coin transfer B all", "A", 2, "is no amount"),
    "no unit": ("exchange buy 5 --of B --at-most 1", "A", 2, "has no unit"),
    "power": ("exchange buy 5kW --of B --at-most 1", "A", 2, "unknown unit, kW"),
    "less than a joule": ("exchange buy 0.0001Wh --of B --at-most 1", "A", 2, "whole number of joules"),
    "beyond sense": (f"exchange buy {'9' * 30}kWh --of B --at-most 1", "A", 2, "can count"),
    "no address": ("coin transfer 0x12 1", "A", 2, "is no address"),
    "mistyped": ("coin transfer swapped 1", "A", 2, "mistyped"),
    "no key": ("coin transfer B 1", "C", 2, "there is no key of"),
    "too few coins": ("coin transfer B 11", "A", 1, "the account has too few coins"),
    "not a minter": ("coin mint A 1", "A", 1, "has not the role"),
    "not an operator": ("exchange admit A", "A", 1, "has not the role"),
    "a member already": ("exchange admit A", "O", 1, "is a member already"),
    "no member": ("exchange report --own 1kWh", "O", 1, "is no member"),
    "too much": ("exchange buy 5kWh --of B --at-most 1", "A", 1, "remaining 4.000 kWh, requested 5.000 kWh"),
    "of oneself": ("exchange buy 1kWh --of A --at-most 1", "A", 1, "does not buy of itself"),
    "nothing is offered": ("exchange offer 0.2DSC --amount 0kWh", "A", 2, "0kWh is nothing"),
    "a gas price that is no price": ("coin transfer B 1 --max-gas-price 5", "A", 2, "write it like"),
    "ahead": ("exchange report --until 2040-01-01T00:00Z", "A", 1, "a report ends now or earlier"),
    "no charge": ("exchange report --charge 120%", "A", 2, "is no state of charge"),
    "no time": ("exchange report --until soon", "A", 2, "is no time"),
    "no draw": ("exchange report --drew B", "A", 2, "how much of whom"),
    "nothing allowed": ("coin approve", "A", 2, "name an amount, or --unlimited"),
    "ahead of the chain's own clock": ("exchange report --own 0kWh", "A", 1, "a report ends now or earlier"),
    "no such node": ("account fund A --of-the-node", "", 2, "no account of its own"),
    "of the node, by another": ("account fund A --of-the-node", "A", 2, "leave --as out"),
    "below zero as an option": ("coin transfer B -1DSC", "A", 2, "no amount is below zero"),
    "no end of waiting": ("coin transfer B 1 --timeout inf", "A", 2, "is not in the range"),
    "no number to wait": ("coin transfer B 1 --timeout nan", "A", 2, "nan is no number"),
    "to the coin": ("coin transfer C 1", "A", 2, "is the coin's own contract, where coins would be lost"),
    "made for the coin": ("coin mint C 1", "O", 2, "where coins would be lost"),
    "no data for the exchange": (
        "contract send C approveAndCall X 1 0x12 --abi coin",
        "A",
        1,
        "not with this data; nothing was sent",
    ),
    "a tenth of a permille": (
        "exchange order place --below 0.01% --amount 1kWh --at-most 1 --of B",
        "A",
        2,
        "tenths of a percent",
    ),
    "below nothing": ("exchange order place --below 0% --amount 1kWh --at-most 1 --of B", "A", 2, "it is 0.1% to 100%"),
    "half a permille": ("exchange order place --below 0.3005 --amount 1kWh --at-most 1 --of B", "A", 2, "tenths of a percent"),
    "drawn of nobody": ("exchange report --drew =1kWh", "A", 2, "how much of whom"),
    "drawn nothing said": ("exchange report --drew B=", "A", 2, "how much of whom"),
    "one argument": ("contract call C balanceOf A B --abi coin", "", 2, "takes 1 argument, not 2"),
    "whose quote": ("exchange quote 1kWh --of B --at-most 1", "", 2, "Name one with --for, or in DAISEE_ACCOUNT"),
    "whose books": ("account show", "", 2, "Name one with its address, or in DAISEE_ACCOUNT"),
    "no contract": ("contract call A name --abi coin", "", 2, "no contract at"),
    "no function": ("contract call C foo --abi coin", "", 2, "has no function foo"),
    "no ABI": ("contract call C foo --abi deployment.json", "", 2, "is no ABI"),
    "a view is sent": ("contract send C name --abi coin", "A", 2, "changes nothing"),
    "wrong argument": ("contract call C balanceOf 7 --abi coin", "", 2, "is no address"),
    "too few bytes": ("contract send C grantRole 0x12 A --abi coin", "A", 2, "has 1 bytes"),
    "not the contract": ("--exchange C exchange members", "", 2, "is no exchange"),
    "no account there": ("--keystore nowhere coin transfer B 1", "", 2, "there is no account in"),
    "whose account": ("coin transfer B 1", "", 2, "whose account?"),
}


@pytest.mark.parametrize("case", sorted(BAD))
def test_what_cannot_be_is_one_line_and_changes_nothing(market: Desk, case: str) -> None:
    command, who, expected_code, words = BAD[case]
    swapped = "0x" + market.b[2:].swapcase()
    said = {"A": market.a, "B": market.b, "O": market.operator, "C": market.community.coin.address, "swapped": swapped}
    said |= {"X": market.community.exchange.address, "B=": f"{market.b}="}
    web3, before = market.community.web3, market.community.web3.eth.block_number
    code, out, err = market.run(*(said.get(word, word) for word in command.split()), who=said.get(who, ""))
    assert (code, out, err.count("\n")) == (expected_code, "", 1), err
    assert words in err
    assert "Traceback" not in err
    assert web3.eth.block_number == before, "nothing was sent"
    assert market.community.chain.pending_count == 0


def test_a_frozen_a_suspended_and_a_penniless_account_are_told_so(market: Desk) -> None:
    community = market.community
    community.do(community.operator, community.coin.freeze(market.a))
    assert "is frozen" in market.run("coin", "transfer", market.b, "1", who=market.a)[2]
    community.do(community.operator, community.exchange.suspend(market.b))
    assert "is suspended" in market.run("exchange", "report", "--own", "1kWh", who=market.b)[2]
    poor = market.told("account", "new")["account"]
    code, _, err = market.run("coin", "transfer", market.b, "1", who=poor)
    assert (code, "cannot pay for gas" in err, "daisee ledger account fund" in err) == (2, True, True)


def test_a_wrong_password_is_one_line_and_is_not_repeated(market: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAISEE_PASSWORD", "sesame open")
    code, _, err = market.run("coin", "transfer", market.b, "1", who=market.a)
    assert (code, "that is not the password" in err, "sesame" in err) == (2, True, False)
    monkeypatch.delenv("DAISEE_PASSWORD")
    assert "--password-file" in market.run("coin", "transfer", market.b, "1", who=market.a)[2]


def test_a_node_of_another_chain_is_not_written_to(market: Desk) -> None:
    path = market.folder / "deployment.json"
    path.write_text(path.read_text().replace('"genesis": "0x', '"genesis": "0xff'))
    code, _, err = market.run("coin", "transfer", market.b, "1", who=market.a)
    assert (code, "is on another chain" in err, err.count("\n")) == (2, True, 1)


def test_a_coin_that_is_not_the_one_of_the_deployment_is_not_paid_with(market: Desk) -> None:
    path = market.folder / "deployment.json"
    told = json.loads(path.read_text())
    path.write_text(json.dumps({**told, "coin": told["exchange"]}))
    code, out, err = market.run("exchange", "buy", "1kWh", "--of", market.b, "--at-most", "0.3DSC", who=market.a)
    assert (code, out) == (2, "")
    assert "says that the coin is" in err
    assert market.community.coin.balance_of(market.a) == base_units(10)


def test_a_node_that_is_behind_is_not_sent_through(market: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    behind = {"currentBlock": "0x5", "highestBlock": "0x99"}
    rpc = market.community.chain.rpc
    monkeypatch.setattr(
        type(market.community.chain),
        "rpc",
        lambda _self, method, params: behind if method == "eth_syncing" else rpc(method, params),
    )
    code, _, err = market.run("coin", "transfer", market.b, "1", who=market.a)
    assert (code, "still catching up (block 5 of 153), so nothing is sent" in err) == (1, True)
    code, out, err = market.run("coin", "supply")
    assert (code, out, "what it says is of the past" in err) == (0, "10.00 DSC\n", True)


def test_a_chain_that_stands_still_is_said_to_and_the_next_command_finishes_what_was_begun(
    market: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]

    def nobody_seals(_s: float) -> None:
        now[0] += 30

    with monkeypatch.context() as stalled:
        stalled.setattr("daisee.ledger.sender.time.sleep", nobody_seals)
        stalled.setattr(Sender.__init__, "__kwdefaults__", {**(Sender.__init__.__kwdefaults__ or {}), "clock": lambda: now[0]})
        code, _, err = market.run("coin", "transfer", market.b, "1", who=market.a)
    assert (code, err.count("\n")) == (1, 1)
    assert "is not settled after 120 s" in err
    assert "does anybody seal?" in err
    code, _, err = market.run("coin", "transfer", market.b, "1", who=market.a)
    assert (code, "it is now: transfer is in block" in err, "Nothing new was sent" in err) == (1, True, True)
    assert market.community.coin.balance_of(market.b) == base_units(1), "once"
    market.does("coin", "transfer", market.b, "1", who=market.a)
    assert market.community.coin.balance_of(market.b) == base_units(2)


def test_two_commands_of_an_account_do_not_run_at_once(market: Desk) -> None:
    market.does("coin", "transfer", market.b, "1", who=market.a)
    (written,) = (market.folder / "outbox").glob(f"{market.a}-*.json")
    other = Outbox(written)
    code, out, err = market.run("coin", "transfer", market.b, "1", who=market.a)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "another program of this account is at work" in err
    other.close()
    market.does("coin", "transfer", market.b, "1", who=market.a)
    assert market.community.coin.balance_of(market.b) == base_units(2)


def test_what_is_stuck_is_given_up_and_can_be_done_anew(market: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    with monkeypatch.context() as stalled:
        stalled.setattr("daisee.ledger.sender.time.sleep", lambda _s: now.__setitem__(0, now[0] + 30))
        stalled.setattr(Sender.__init__, "__kwdefaults__", {**(Sender.__init__.__kwdefaults__ or {}), "clock": lambda: now[0]})
        code, _, err = market.run("coin", "transfer", market.b, "1", who=market.a)
    assert (code, "`daisee ledger account unstick` gives it up" in err) == (1, True)
    (given_up,) = market.told("account", "unstick", who=market.a)["calls"]
    assert (given_up["call"], given_up["happened"]) == ("transfer", False)
    assert market.community.coin.balance_of(market.b) == 0
    assert market.does("account", "unstick", who=market.a) == f"nothing of {market.a} is on its way\n"
    market.does("coin", "transfer", market.b, "1", who=market.a)
    assert market.community.coin.balance_of(market.b) == base_units(1)


def test_a_node_that_asks_too_much_for_gas_is_not_paid(market: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    rpc = market.community.chain.rpc
    asked = hex(50 * 10**9)
    monkeypatch.setattr(
        type(market.community.chain),
        "rpc",
        lambda _self, method, params: asked if method == "eth_gasPrice" else rpc(method, params),
    )
    before = market.community.web3.eth.block_number
    code, _, err = market.run("coin", "transfer", market.b, "1", who=market.a)
    assert (code, err.count("\n"), "gas would cost 50 gwei, and no more than 10 gwei is paid" in err) == (1, 1, True)
    monkeypatch.setenv("DAISEE_MAX_GAS_PRICE", "49gwei")
    assert "no more than 49 gwei" in market.run("coin", "transfer", market.b, "1", who=market.a)[2]
    assert market.community.web3.eth.block_number == before
    market.does("coin", "transfer", market.b, "1", "--max-gas-price", "50gwei", who=market.a)


def test_what_is_less_than_a_watt_hour_is_said_in_joules(market: Desk) -> None:
    assert "offers 3 J at" in market.does("exchange", "offer", "0.2DSC", "--amount", "3J", who=market.b)
    assert "offers        3 J at" in market.does("exchange", "home", market.b)
    assert "remaining 3 J, requested 1.000 kWh" in market.run(
        "exchange", "buy", "1kWh", "--of", market.b, "--at-most", "1", who=market.a
    )[2]  # fmt: skip


class OddNode(JSONBaseProvider):
    """A node that has the same answer to everything, once it has said that it is not catching up."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__()
        self._answer = answer

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        answered = {"result": False} if method == "eth_syncing" else self._answer
        return {"jsonrpc": "2.0", "id": 1, **answered}  # type: ignore[typeddict-item]  # as odd as it is


ODD: dict[str, dict[str, Any]] = {
    "errors": {"error": {"code": -32005, "message": "limit\n\x1b[31m exceeded"}},
    "nothing": {"result": None},
    "junk": {"result": "zzz"},
    "an object": {"result": {"number": "0x1"}},
    "a list": {"result": [1]},
    "too much": {"result": "0x" + "f" * 200},
}
WITH_ODD_NODES = [
    "account show A", "account fund B --amount 1wei", "account fund B --of-the-node", "account unstick", "deploy --output n.json",
    "coin supply", "coin balance A", "coin transfer B 1", "exchange members", "exchange home A", "exchange events",
    "exchange buy 1kWh --of B --at-most 1", "contract watch C --abi coin --json", "contract call C name --abi coin",
    "contract send C mint A 1 --abi coin", "verify",
]  # fmt: skip


@pytest.mark.parametrize("odd", sorted(ODD))
def test_an_odd_node_is_one_line(desk: Desk, monkeypatch: pytest.MonkeyPatch, odd: str) -> None:
    odd_node = SimpleNamespace(provider=lambda: OddNode(ODD[odd]))
    monkeypatch.setattr("daisee.cli.ledger.book.RemoteChain", lambda _url: odd_node)
    monkeypatch.setattr("daisee.cli.ledger.hand.Hand.account", desk.community.homes["A"]._account)
    monkeypatch.setenv("DAISEE_ACCOUNT", desk.a)
    said = {"A": desk.a, "B": desk.b, "C": desk.community.coin.address}
    for command in WITH_ODD_NODES:
        for where in ([], ["--exchange", desk.community.exchange.address]):
            code, out, err = desk.run(*where, *(said.get(word, word) for word in command.split()))
            if command.startswith("contract watch") and code == 0:
                assert "as the ABI says; is it the right contract" in out, "it is told in the value's place"
                continue
            assert (code in (1, 2), out, err.count("\n")) == (True, "", 1), (command, err)
            assert err[:-1].isprintable()


def test_an_error_that_may_be_ours_is_shown_whole_to_who_looks_for_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAISEE_DEBUG", "1")
    monkeypatch.setattr("daisee.cli.ledger.coin.Book.coin", {})
    with pytest.raises(AttributeError):
        main(["ledger", "coin", "supply"])
    monkeypatch.delenv("DAISEE_DEBUG")
    assert "(AttributeError: 'dict' object has no attribute 'total_supply')" in desk.run("coin", "supply")[2]


def test_no_secret_is_ever_said(market: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    key = market.community.homes["A"]._account.key.hex()
    monkeypatch.setenv("DAISEE_DEBUG", "0")
    said = [
        *market.run("coin", "transfer", market.b, "1", who=market.a),
        *market.run("coin", "transfer", market.b, "99", who=market.a),
        *market.run("account", "export", market.a, "copy.json"),
        *market.run("account", "show", market.a, "--json"),
    ]
    assert not [text for text in map(str, said) if key in text or PASSWORD in text]
