"""The street on real nodes: the same laws, on blocks that come in the world's time."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.chain.geth import Node
from tests.cli.test_chain_commands import free_ports

from daisee.chain.remote import RemoteChain
from daisee.cli import main
from daisee.demo.data import load
from daisee.demo.keys import draw_keys
from daisee.keystore import Keystore

MORNING = ("--start", "2025-06-01T07:00", "--days", "0.07")
"""The sun comes up, and neighbours begin to trade."""
PASSWORD = "two words"


def demo(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["demo", "--headless", *map(str, arguments)])
    return int(ended.value.code or 0)


@pytest.fixture
def operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Keep the key of an account that has money on the tests' nodes."""
    monkeypatch.setenv("DAISEE_KEYSTORE", str(tmp_path / "keys"))
    monkeypatch.setenv("DAISEE_PASSWORD", PASSWORD)
    account, _homes = draw_keys(["A", "B"], seed=1)
    Keystore(tmp_path / "keys").add(account, PASSWORD, rounds=1_000)
    return str(account.address)


def test_data_is_laid_on_now_by_whole_days() -> None:
    measured = load(None, start=datetime(2025, 6, 2, 16, 30, tzinfo=UTC), days=0.05)
    now_s = time.time()
    laid = measured.laid_on(now_s)
    assert laid.moved_s % 86_400 == 0
    assert now_s - 86_400 < laid.to_s <= now_s
    assert (laid.to_s - laid.from_s, laid.rows) == (measured.to_s - measured.from_s, measured.rows)
    for home, rows in measured.homes.items():
        assert [row.at_s + laid.moved_s for row in rows] == [row.at_s for row in laid.homes[home]]
        assert [row.consumption_w for row in rows] == [row.consumption_w for row in laid.homes[home]]


@pytest.mark.geth
@pytest.mark.timeout(400)
def test_a_street_on_its_own_three_validators_keeps_the_laws(tmp_path: Path, geth_path: str) -> None:
    report = tmp_path / "r.json"
    assert geth_path
    port = free_ports(20)
    assert demo("--chain", "geth", "--validators", 3, "--rpc-port", port, *MORNING, "--report", report) == 0
    told = json.loads(report.read_text())
    assert all(told["laws"].values())
    assert len(told["laws"]) == 6
    assert told["data"]["from"] == "2025-06-01T07:00:00Z"
    assert told["street"]["shared_j"] > 0
    assert sum(home["purchases"] for home in told["homes"]) > 0
    # All its nodes are gone with it.
    left = [path for path in Path("/proc").glob("[0-9]*") if "daisee-" in _link(path / "cwd") and "geth" in _link(path / "exe")]
    assert not left


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""


@pytest.mark.geth
@pytest.mark.timeout(400)
def test_a_street_on_a_chain_that_is_there_keeps_the_laws(clique: Node, operator: str, tmp_path: Path) -> None:
    before = int(clique.chain.rpc("eth_blockNumber", []), 16)
    report = tmp_path / "r.json"
    assert demo("--rpc", clique.url, "--as", operator, *MORNING, "--homes", "dev-1,dev-3,dev-4", "--report", report) == 0
    told = json.loads(report.read_text())
    assert all(told["laws"].values())
    assert told["street"]["shared_j"] > 0
    assert int(clique.chain.rpc("eth_blockNumber", []), 16) > before


def test_what_cannot_be_is_said_before_anything_is_sent(
    operator: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert demo("--rpc", "http://127.0.0.1:9", "--as", operator, *MORNING) == 1
    assert "http://127.0.0.1:9 does not answer: Connection refused" in capsys.readouterr().err
    assert demo("--rpc", "http://127.0.0.1:9", "--chain", "geth") == 2
    assert "name one of the two" in capsys.readouterr().err
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert demo("--chain", "geth", *MORNING) == 2
    assert "this chain needs geth 1.13.15" in capsys.readouterr().err


@pytest.mark.geth
@pytest.mark.timeout(120)
def test_an_operator_without_money_or_password_sends_nothing(
    clique: Node, operator: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    poor, _homes = draw_keys(["A"], seed=999)
    Keystore(tmp_path / "keys").add(poor, PASSWORD, rounds=1_000)
    assert demo("--rpc", clique.url, *MORNING) == 2
    assert "who pays for the gas?" in capsys.readouterr().err
    assert demo("--rpc", clique.url, "--as", poor.address, *MORNING) == 2
    assert f"{poor.address} has 0 of the chain's own money" in capsys.readouterr().err
    assert RemoteChain(clique.url).rpc("eth_getTransactionCount", [poor.address, "latest"]) == "0x0"
    monkeypatch.setenv("DAISEE_PASSWORD", "another")
    assert demo("--rpc", clique.url, "--as", operator, *MORNING) == 2
    assert "that is not the password" in capsys.readouterr().err
