"""`daisee ledger deploy` and what cuts it off: no address is lost, nothing is made twice, and each command says the next one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_typing import HexAddress, HexStr
from tests.cli.desk import Desk
from web3.types import Nonce
from web3.utils.address import get_create_address

from daisee import files
from daisee.cli import main
from daisee.errors import ChainError
from daisee.ledger.deploy import DEPLOYMENT_GAS, DeploymentRecord

WRITES = 8
"""Of one deployment: the .part begins, the outbox and the .part with each contract, the outbox without it, deployment.json."""
NEXT = re.compile(r"`daisee ledger (deploy --(?:coin|exchange) 0x\w{40})`")
HERE = ["--output", "new.json"]


class Killed(BaseException):
    """The process is gone."""


class Writing:
    """Everything that a deployment writes down, and the moment at which it is killed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.written = 0
        self.fatal: tuple[int, str] | None = None
        for module in ("daisee.ledger.outbox", "daisee.cli.ledger.made", "daisee.ledger.deploy"):
            monkeypatch.setattr(f"{module}.write_whole", self._write)

    def _write(self, path: Path, text: str, mode: int = 0o600) -> None:
        number, self.written = self.written, self.written + 1
        if self.fatal == (number, "before"):
            raise Killed
        files.write_whole(path, text, mode)
        if self.fatal == (number, "after"):
            raise Killed


def nonce_of(desk: Desk) -> int:
    return int(desk.community.web3.eth.get_transaction_count(desk.operator))


def made_by(desk: Desk, nonce: int) -> str:
    return get_create_address(HexAddress(HexStr(desk.operator)), Nonce(nonce))


def refusing(desk: Desk, monkeypatch: pytest.MonkeyPatch, method: str, refuses: Callable[[list[Any]], bool], told: str) -> None:
    rpc = desk.community.chain.rpc

    def asked(_self: Any, wanted: str, params: list[Any]) -> Any:
        if wanted == method and refuses(params):
            raise ChainError(told, -32000)
        return rpc(wanted, params)

    monkeypatch.setattr(type(desk.community.chain), "rpc", asked)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", range(WRITES))
def test_whenever_it_is_killed_the_next_commands_finish_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, number: int, when: str
) -> None:
    writing, first = Writing(monkeypatch), nonce_of(desk)
    writing.fatal = number, when
    with pytest.raises(Killed):
        main(["ledger", "--keystore", str(desk.keystore.folder), "deploy", *HERE, "--as", desk.operator])
    writing.fatal = None
    command = ["deploy"]
    for _ in range(5):
        code, _, err = desk.run(*command, *HERE, who=desk.operator)
        if code == 0 or "is there already" in err:
            break
        found = NEXT.search(err)
        command = found[1].split() if found else command
    record = DeploymentRecord.read(desk.folder / "new.json")
    assert (record.coin, record.exchange) == (made_by(desk, first), made_by(desk, first + 1)), "each was made once"
    assert "all are right" in desk.does("--deployment", "new.json", "verify")
    assert (desk.folder / "new.json.part").exists() == ((number, when) == (WRITES - 1, "after"))


def test_a_deployment_writes_as_often_as_the_test_above_kills_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    writing = Writing(monkeypatch)
    desk.does("deploy", *HERE, who=desk.operator)
    assert (writing.written, (desk.folder / "new.json.part").exists()) == (WRITES, False)


def test_whoever_can_pay_for_one_contract_only_makes_none(desk: Desk) -> None:
    poor, other = desk.told("account", "new")["account"], Account.create().address
    desk.does("account", "fund", poor, "--amount", f"{2 * DEPLOYMENT_GAS}wei", who=desk.operator)
    code, _, err = desk.run("deploy", "--operator", other, *HERE, who=poor)
    assert (code, "cannot pay for gas" in err) == (2, True)
    assert desk.told("account", "show", poor)["transactions"] == 0
    assert desk.told("deploy", *HERE, who=poor)["operators"] == [poor]


def test_what_fails_after_the_coin_says_where_it_is(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    first = nonce_of(desk)
    with monkeypatch.context() as failing:
        refusing(desk, failing, "eth_sendRawTransaction", lambda _: nonce_of(desk) > first, "oversized data")
        code, _, err = desk.run("deploy", *HERE, who=desk.operator)
    coin = made_by(desk, first)
    assert (code, err.count("\n"), "oversized data" in err) == (1, 1, True)
    assert f"; the coin is at {coin}; go on with `daisee ledger deploy --coin {coin}`" in err
    code, _, err = desk.run("deploy", *HERE, who=desk.operator)
    assert (code, f"an earlier deployment was cut off: the coin is at {coin}" in err, "new.json.part" in err) == (2, True, True)
    assert desk.told("deploy", "--coin", coin, *HERE, who=desk.operator)["coin"] == coin


def test_an_operator_that_could_not_be_made_is_named(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    other, first = Account.create().address, nonce_of(desk)
    refusing(desk, monkeypatch, "eth_sendRawTransaction", lambda _: nonce_of(desk) > first + 1, "oversized data")
    code, _, err = desk.run("deploy", "--operator", other, *HERE, who=desk.operator)
    assert (code, f"new.json says where, but {other} may not admit homes" in err) == (1, True)


def test_nobody_is_made_an_operator_twice(desk: Desk) -> None:
    other, first = Account.create().address, nonce_of(desk)
    made = desk.told("deploy", *HERE, *(f"--operator={each}" for each in (other, desk.operator, other)), who=desk.operator)
    assert (made["operators"], nonce_of(desk) - first) == ([desk.operator, other], 3)


def test_what_is_there_already_is_written_down_without_anything_new(desk: Desk) -> None:
    first, community = nonce_of(desk), desk.community
    made = desk.told("deploy", "--exchange", str(community.exchange.address), *HERE, who=desk.operator)
    assert (made["coin"], made["exchange"], nonce_of(desk)) == (community.coin.address, community.exchange.address, first)
    assert "all are right" in desk.does("--deployment", "new.json", "verify")
    for strange, words in (
        (["--exchange", community.coin.address], "is no exchange"),
        (["--exchange", community.exchange.address, "--coin", community.coin.address], "leave --coin out"),
        (["--exchange", community.exchange.address, "--admin-delay", "5"], "--admin-delay can no longer be chosen"),
    ):
        code, _, err = desk.run("deploy", *strange, "--output", "newer.json", who=desk.operator)
        assert (code, words in err) == (2, True), err


def test_a_part_of_another_chain_or_of_nothing_is_not_taken_for_ones_own(desk: Desk) -> None:
    part = desk.folder / "new.json.part"
    for told, words in (
        (json.dumps({"genesis": "0x12", "coin": desk.a}), "on another chain that was cut off"),
        ("[]", "cannot be read; move it away"),
        ("{", "cannot be read; move it away"),
        (json.dumps({"genesis": "0x12", "coin": "here"}), "cannot be read; move it away"),
    ):
        part.write_text(told)
        code, _, err = desk.run("deploy", *HERE, who=desk.operator)
        assert (code, words in err, part.read_text()) == (2, True, told)


def test_a_genesis_in_capitals_is_the_same(desk: Desk) -> None:
    path = desk.folder / "deployment.json"
    told = json.loads(path.read_text())
    path.write_text(json.dumps({**told, "genesis": "0x" + told["genesis"][2:].upper()}))
    assert desk.does("coin", "supply") == "0.00 DSC\n"
