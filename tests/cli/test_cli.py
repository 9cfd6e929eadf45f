"""The command as a person meets it: help, refusals in one line, and a live street that opens, answers and stops."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import httpx2
import pytest

from daisee.cli import daisee, main

DAISEE = [sys.executable, "-m", "daisee"]
STOPS_WITHIN_S = 10.0
"""On an idle machine it is two; one that would never end on its own is killed after sixty."""


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    told = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, told.out, told.err


def test_help_shows_the_tree_of_rooms(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--help")
    assert code == 0
    assert re.search(r"^  demo ", out, re.MULTILINE)
    assert re.search(r"^  ledger .*\n(    .*\n)*    exchange ", out, re.MULTILINE)
    assert re.search(r"^      members ", out, re.MULTILINE)


def numbers_of(command: click.Command) -> Iterator[click.Parameter]:
    """Walk a tree of commands for what takes a number that need not be whole."""
    yield from (each for each in command.params if isinstance(each.type, click.types.FloatParamType))
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from numbers_of(below)


def test_every_number_has_an_end() -> None:
    found = list(numbers_of(daisee))
    assert len(found) > 10
    for option in found:
        for text in ("nan", "inf", "-inf", "NaN"):
            with pytest.raises(click.BadParameter):
                option.type.convert(text, option, None)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["demo", "--data", "/nowhere/homes.csv"], "/nowhere/homes.csv"),
        (["demo", "--homes", "dev-1"], "two"),
        (["demo", "--homes", "dev-1,dev-9"], "dev-9"),
        (["demo", "--days", "0"], "days"),
        (["demo", "--start", "someday"], "write it like"),
        (["demo", "--start", "2031-01-01"], "2025-06"),
        (["demo", "--street", "/nowhere/street.toml"], "/nowhere/street.toml"),
        (["demo", "--report", "/nowhere/report.json"], "there is no folder /nowhere"),
        (["demo", "--speed", "0"], "speed"),
        (["demo", "--port", "70000"], "70000"),
        (["ledger", "--exchange", "0x12", "exchange", "members"], "is no address"),
        (["ledger", "exchange", "members"], "--exchange"),
        (["sell"], "No such command"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_said_in_few_words_and_is_exit_code_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    code, _, err = run(capsys, *arguments)
    assert code == 2
    assert told in err
    assert "Traceback" not in err


def test_a_node_that_is_not_there_is_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    code, _, err = run(capsys, "ledger", "--rpc", url, "--exchange", "0x" + "11" * 20, "coin", "supply")
    assert code == 1
    assert "is it running?" in err
    assert err.count("\n") == 1


def test_help_asks_for_no_exchange_and_a_question_does(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAISEE_EXCHANGE", raising=False)
    assert run(capsys, "ledger", "exchange", "members", "--help")[0] == 0
    code, _, err = run(capsys, "ledger", "exchange", "members")
    assert (code, "--exchange" in err) == (2, True)


@pytest.mark.parametrize("place", ["/dev/full", "/proc/nothing.json"])
def test_a_report_that_cannot_be_written_is_one_line(capsys: pytest.CaptureFixture[str], place: str) -> None:
    code, _, err = run(capsys, "demo", "--headless", "--days", "0.02", "--report", place)
    assert code in (1, 2)
    assert f"written to {place}" in err
    assert err.count("\n") == 1


def test_a_trace_is_shown_to_who_asks_for_it() -> None:
    asking = [*DAISEE, "demo", "--data", "/nowhere.csv"]
    asked = subprocess.run(asking, env={**os.environ, "DAISEE_DEBUG": "1"}, capture_output=True, text=True, check=False)
    assert "Traceback" in asked.stderr


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def street(*options: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A process of the demo, and the lines it says; it is gone at the end, whatever happens."""
    process = subprocess.Popen([*DAISEE, "demo", *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield process, []
    finally:
        process.kill()
        process.communicate()


def read_until(process: subprocess.Popen[str], lines: list[str], wanted: str) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)
        if wanted in line:
            return line
    raise AssertionError(f"it never said {wanted!r} but:\n" + "".join(lines))


def stop(process: subprocess.Popen[str]) -> tuple[float, str]:
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    return time.monotonic() - began, said


def test_a_live_street_opens_its_page_and_its_chain_and_stops_at_once(tmp_path: Path) -> None:
    page, rpc, report = free_port(), free_port(), tmp_path / "report.json"
    options = ("--port", str(page), "--rpc-port", str(rpc), "--speed", "2000", "--report", str(report))
    with street(*options) as (process, lines):
        read_until(process, lines, f"http://127.0.0.1:{page}")
        exchange = read_until(process, lines, "daisee ledger").split("--exchange ")[1].split()[0]
        with httpx2.Client(base_url=f"http://127.0.0.1:{page}") as client:
            assert "DAISEE" in client.get("/").text
            began = client.get("/api/street").json()["now"]
            deadline = time.monotonic() + 90
            while client.get("/api/street").json()["now"] == began:
                assert time.monotonic() < deadline, "the street stands still"
                time.sleep(0.1)
            with client.stream("GET", "/api/street/live") as live:
                assert any(line.startswith("event: street") for line in live.iter_lines())
                asked = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}
                assert httpx2.post(f"http://127.0.0.1:{rpc}", json=asked).json()["result"] == hex(1337)
                look = [*DAISEE, "ledger", "--rpc", f"http://127.0.0.1:{rpc}", "--exchange", exchange]
                members = subprocess.run([*look, "exchange", "members", "--json"], capture_output=True, text=True, check=True)
                assert len(json.loads(members.stdout)) == 6
                took_s, said = stop(process)
    assert process.returncode == 0, said
    assert "Laws kept: 6 of 6" in said
    assert "Traceback" not in said
    assert all(json.loads(report.read_text())["laws"].values())
    assert took_s < STOPS_WITHIN_S, f"it took {took_s:.1f} s to stop"


def test_a_headless_street_that_is_stopped_closes_its_books_and_says_so(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    with street("--headless", "--report", str(report), "--folder", str(tmp_path / "stores")) as (process, _):
        deadline = time.monotonic() + 60
        while len(list((tmp_path / "stores").glob("*.sqlite-wal"))) < 6:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        time.sleep(1)
        took_s, said = stop(process)
    assert process.returncode == 130
    assert "Laws kept: 6 of 6" in said
    assert all(json.loads(report.read_text())["laws"].values())
    assert not list((tmp_path / "stores").glob("*.sqlite-wal")), "the stores are closed"
    assert took_s < STOPS_WITHIN_S, f"it took {took_s:.1f} s to stop"


@pytest.mark.parametrize("option", ["--port", "--rpc-port"])
def test_a_port_that_is_taken_is_said_with_the_option_that_changes_it(option: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ports = {"--port": free_port(), "--rpc-port": free_port()} | {option: port}
        options = [str(word) for pair in ports.items() for word in pair]
        asked = subprocess.run([*DAISEE, "demo", *options], capture_output=True, text=True, timeout=60, check=False)
    assert asked.returncode == 2
    assert asked.stderr == f"daisee: port {port} is taken by another program; stop it, or choose another port with {option}\n"
