"""`daisee ledger` with several nodes: any of them will do, of the right chain; no credential of theirs is ever said."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.chain.front import Front, Mood

from daisee.chain.embedded import EmbeddedChain
from daisee.cli import main
from daisee.errors import ChainError
from daisee.ledger.deploy import Deployment, DeploymentRecord

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "light-home.md"
SECRET = "t0ken"
DEAD = f"http://anna:{SECRET}@127.0.0.1:9"


@pytest.fixture
def front(community: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Front]:
    """A node of the community's chain, whose deployment.json is in this folder."""
    for name in ("ACCOUNT", "DEPLOYMENT", "EXCHANGE", "KEYSTORE", "RPC"):
        monkeypatch.delenv(f"DAISEE_{name}", raising=False)
    monkeypatch.chdir(tmp_path)
    DeploymentRecord.of(community.web3, Deployment(community.coin, community.exchange, 0)).write(tmp_path / "deployment.json")
    front = Front(community.chain.rpc)
    yield front
    front.close()


@pytest.fixture
def stranger() -> Iterator[Front]:
    """A node of another chain, which has the same id."""
    front = Front(EmbeddedChain(chain_id=2017, genesis_time_s=1, balances={}).rpc)
    yield front
    front.close()


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["ledger", *arguments])
    told = capsys.readouterr()
    return int(ended.value.code or 0), told.out, told.err


@pytest.mark.parametrize("way", ["commas", "again", "environment"])
def test_the_first_healthy_node_of_the_right_chain_answers(
    front: Front, stranger: Front, way: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = [DEAD, stranger.url, front.url]
    if way == "environment":
        monkeypatch.setenv("DAISEE_RPC", ", ".join(urls))
        options = []
    else:
        options = ["--rpc", ",".join(urls)] if way == "commas" else [word for url in urls for word in ("--rpc", url)]
    code, out, err = run(capsys, *options, "verify", "--json")
    assert (code, json.loads(out)["sound"]) == (0, True)
    assert "is on another chain" in err
    assert SECRET not in err
    assert not {"eth_call", "eth_getLogs"} & set(stranger.asked)


def test_where_none_is_healthy_one_line_says_why_of_each(
    front: Front, stranger: Front, capsys: pytest.CaptureFixture[str]
) -> None:
    front.die()
    code, out, err = run(capsys, "--rpc", DEAD, "--rpc", front.url, "--rpc", stranger.url, "coin", "supply")
    (line,) = [line for line in err.splitlines() if line.startswith("daisee: ")]
    assert (code, out) == (1, "")
    assert line.startswith("daisee: no node is healthy: http://127.0.0.1:9 does not answer: Connection refused; ")
    assert f"{stranger.url} is on another chain" in line
    assert SECRET not in err


def test_one_node_is_asked_as_ever(front: Front, stranger: Front, capsys: pytest.CaptureFixture[str]) -> None:
    secret = front.url.replace("//", f"//anna:{SECRET}@")
    assert run(capsys, "--rpc", secret, "coin", "supply") == (0, "0.00 DSC\n", "")
    assert front.asked.count("eth_syncing") == 1, "nobody examines it"
    told = "http://127.0.0.1:9 does not answer: Connection refused; is it running? (--rpc URL says where)"
    assert run(capsys, "--rpc", DEAD, "coin", "supply") == (1, "", f"daisee: no chain answers: {told}\n")
    wrong = stranger.url.replace("//", f"//anna:{SECRET}@")
    code, _, err = run(capsys, "--rpc", wrong, "coin", "supply")
    assert (code, f"daisee: {stranger.url} is on another chain (id 2017" in err, SECRET in err) == (2, True, False)


@pytest.mark.parametrize(
    ("mood", "said"),
    [
        ("HTTP 401", "does not answer: HTTP 401;"),
        ("HTTP 500", "does not answer: HTTP 500;"),
        ("garbage", "does not answer: what comes is no JSON;"),
        ("no JSON-RPC", "answers what is no JSON-RPC: ['hello'];"),
        ("well", "says: try later;"),
    ],
)
def test_what_is_wrong_with_the_only_node_is_said(
    front: Front, mood: Mood, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    front.mood = mood
    front.says["eth_syncing"] = ChainError("try later", -32005)
    code, out, err = run(capsys, "--rpc", f"{front.url}/?token={SECRET}", "coin", "supply")
    assert (code, out) == (1, "")
    assert err.startswith(f"daisee: no chain answers: {front.url}/ {said} is it running?")
    assert SECRET not in err


def test_a_token_is_not_said_when_the_only_node_fails_later(front: Front, capsys: pytest.CaptureFixture[str]) -> None:
    front.mood, front.only_for = "HTTP 503", ("eth_getBalance", "eth_getLogs")
    for command in (["account", "show", f"0x{'11' * 20}"], ["exchange", "events"]):
        code, out, err = run(capsys, "--rpc", f"{front.url}/?token={SECRET}", *command)
        assert (code, out, "HTTP 503" in err, SECRET in err) == (1, "", True, False)


def test_no_address_is_no_address(front: Front, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "--rpc", " ,", "coin", "supply")
    assert (code, "no address is named" in err) == (2, True)


def test_the_page_about_it_does_what_it_says(front: Front, stranger: Front) -> None:
    page = PAGE.read_text("utf-8")
    script = "\n".join(re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL))
    for address, url in (("north.example/", stranger.url), ("http://10.77.0.1:8545", front.url)):
        assert address in script
        script = script.replace(address, url.removeprefix("http://") if address.startswith("north") else url)
    # The first is of another chain, so that the second is asked; where they are asked for the same, both are the second.
    script = script.replace("https://", "http://").replace(f"--rpc http://anna:TOKEN@{stranger.url[7:]}", f"--rpc {front.url}")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", script], env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nobody offers energy now" in done.stdout
    assert "they say the same" in done.stdout
    assert done.stdout.count("all are right.") == 2
    assert f"{front.url} is asked" in re.sub(r"\s+", " ", done.stderr)
    assert "TOKEN" not in done.stdout + done.stderr
