"""`daisee chain` with real nodes, and what it says to bad input: one line, what to do, and the exit code."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import pytest
from eth_keys.datatypes import PrivateKey
from tests.chain.front import Front

from daisee.chain.founding import Plan, add_node, found
from daisee.chain.ipc import NodeSocket
from daisee.chain.network import NodeFolder, folders_here, read_network
from daisee.cli import main
from daisee.units import Address

RICH = Address("0x00000000000000000000000000000000000000AA")
START_S = 60.0


class Desk:
    """A person at a terminal."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def run(self, *arguments: object) -> tuple[int, str, str]:
        """Answer the exit code and what was said, on both outputs."""
        with pytest.raises(SystemExit) as ended:
            main(["chain", *map(str, arguments)])
        told = self._capsys.readouterr()
        return int(ended.value.code or 0), told.out, told.err

    def told(self, *arguments: object) -> Any:
        """Answer what was said in JSON by a command that works."""
        code, out, err = self.run(*arguments, "--json")
        assert code == 0, out + err
        return json.loads(out)

    def refused(self, *arguments: object) -> str:
        """Answer the one line that was said by a command that could not be done."""
        code, out, err = self.run(*arguments)
        assert (code in (1, 2), out) == (True, ""), (code, out, err)
        assert err.startswith("daisee: ")
        assert err.count("\n") == 1
        return err


@pytest.fixture
def desk(capsys: pytest.CaptureFixture[str]) -> Desk:
    """Sit down."""
    return Desk(capsys)


def free_ports(count: int) -> int:
    """Answer the first of so many ports in a row that nobody has; none of those that a system gives to who calls others."""
    for first in range(20_000 + os.getpid() % 11_000, 32_700, count):
        taken = []
        for port in range(first, first + count):
            with socket.socket() as one:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if one.connect_ex(("127.0.0.1", port)) == 0:
                    taken.append(port)
        if not taken:
            return first
    raise AssertionError("no ports are free")


def street(folder: Path, validators: int, **other: Any) -> Path:
    ports = free_ports(20)
    usual = {"chain_id": 2_017, "period_s": 1, "gas_limit": 6_000_000, "p2p_port": ports, "rpc_port": ports + 10}
    plan = Plan(client="geth", validators=validators, balances={RICH: 1}, **{**usual, **other})
    found(folder, plan)
    return folder


@contextmanager
def running(command: str, folder: Path, until: Callable[[str], bool] | None = None) -> Iterator[tuple[int, Path]]:
    """Run `daisee chain up` or `run` in a terminal of its own; answer its process id, and what it says."""
    terminal = folder.parent / f"{folder.name}-{command}-{time.monotonic_ns()}.txt"
    with terminal.open("wb") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "daisee", "chain", command, folder], stdout=written, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        if until is not None:
            wait(lambda: until(terminal.read_text()) or process.poll() is not None)
            assert process.poll() is None, terminal.read_text()
        yield process.pid, terminal
    finally:
        process.terminate()
        process.wait(90)


def wait(done: Callable[[], bool], timeout_s: float = START_S) -> None:
    until = time.monotonic() + timeout_s
    while not done():
        assert time.monotonic() < until, "it does not come to be"
        time.sleep(0.2)


def head(folder: Path) -> int:
    return int(NodeSocket(NodeFolder(folder).socket).rpc("eth_blockNumber"), 16)


# ------------------------------------------------------------------------------------------------------- without a node


def test_init_writes_a_network_and_tells_of_it(desk: Desk, tmp_path: Path) -> None:
    told = desk.told("init", tmp_path / "street", "--validators", 2, "--chain-id", 99, "--fund", RICH, "--period", 3)
    assert (told["chain_id"], told["period_s"], [node["name"] for node in told["nodes"]]) == (99, 3, ["node1", "node2"])
    assert json.loads((tmp_path / "street" / "genesis.json").read_text())["alloc"][RICH]["balance"] == str(10**24)
    code, out, _err = desk.run("init", tmp_path / "other", "--hosts", "a,b,c")
    assert code == 0
    assert "Nobody has money for gas in it" in out
    assert "Copy each folder to its machine, and there: daisee chain run node1" in out
    assert read_network(tmp_path / "other").chain_id != 99


def test_init_refuses_what_cannot_be(desk: Desk, tmp_path: Path) -> None:
    assert "a chain needs a validator" in desk.refused("init", tmp_path / "s", "--validators", 0)
    assert "'parity' is not one of 'geth', 'besu'" in desk.refused("init", tmp_path / "s", "--client", "parity")
    assert "3 validators need 3 hosts, and 2 are named" in desk.refused("init", tmp_path / "s", "--hosts", "a,b")
    assert "is mistyped" in desk.refused("init", tmp_path / "s", "--fund", RICH[:-1] + "a")
    assert "overlap: each of 3 nodes here" in desk.refused("init", tmp_path / "s", "--p2p-port", 8_000, "--rpc-port", 8_002)
    assert "the last port is 65535" in desk.refused("init", tmp_path / "s", "--rpc-port", 65_000, "--validators", 600)
    assert not (tmp_path / "s").exists()
    desk.told("init", tmp_path / "s")
    assert "has a network already" in desk.refused("init", tmp_path / "s")
    (tmp_path / "file").write_text("")
    assert "file is a file; name a new folder" in desk.refused("init", tmp_path / "file")
    assert "is nobody's: what it has is lost" in desk.refused("init", tmp_path / "t", "--fund", "0x" + "0" * 40)


def test_what_is_no_folder_of_ours_is_said_so(desk: Desk, tmp_path: Path) -> None:
    for command in (["status"], ["up"], ["peers"], ["enode"], ["unstick"]):
        assert "is no network's folder: it has no network.json; `daisee chain init` makes one" in desk.refused(*command, tmp_path)
    assert "is no node's folder" in desk.refused("run", tmp_path)
    assert "is no node's folder" in desk.refused("reset", tmp_path, "--yes")


def test_a_chain_that_does_not_run_is_said_so(desk: Desk, tmp_path: Path) -> None:
    code, out, _err = desk.run("status", street(tmp_path / "s", 2))
    assert code == 1
    assert f"node1: it does not run; start it with `daisee chain run {tmp_path / 's' / 'node1'}`" in out.replace("\n", " ")
    assert "no node of the network runs here" in desk.refused("unstick", tmp_path / "s")
    assert "votes are given to running ones" in desk.refused("validator", "list", tmp_path / "s")
    assert "there is no node nobody in the network; there are node1, node2" in desk.refused(
        "validator", "add", "nobody", tmp_path / "s"
    )
    code, out, _err = desk.run("status", "--rpc", "http://127.0.0.1:9")
    assert code == 1
    assert "! http://127.0.0.1:9: does not answer: Connection refused" in out


@pytest.mark.parametrize("url", ["nonsense", "ftp://somebody:geheim@pi", "http://somebody:geh/eim@pi"])
def test_what_is_no_address_of_a_node_is_said_so_and_no_password_with_it(desk: Desk, url: str) -> None:
    said = desk.refused("status", "--rpc", url)
    assert "is no node's address; write it like http://" in said
    assert "eim" not in said


@pytest.mark.parametrize("says", [None, "0xzz", {}, {"number": "0x1"}, {"number": 1}, []])
def test_what_only_seems_to_be_a_node_is_said_so(desk: Desk, says: Any) -> None:
    front = Front(lambda _method, _params: says)
    try:
        code, out, _err = desk.run("status", "--rpc", front.url)
    finally:
        front.die()
    assert code == 1
    assert f"! {front.url}: says what makes no sense for a node of a chain" in out


def test_what_is_watched_is_told_to_programs_an_object_a_line(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter((None, None))

    def sleep(_s: float) -> None:
        if next(looks, "over") == "over":
            raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", sleep)
    code, out, _err = desk.run("status", street(tmp_path / "s", 1), "--watch", "--json")
    assert (code, [json.loads(line)["goes_on"] for line in out.splitlines()]) == (130, [False, False, False])


def test_a_client_of_another_version_is_said_so(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "bin" / "geth"
    other.parent.mkdir()
    other.write_text("#!/bin/sh\necho geth version 1.16.2-stable-abcdef\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", f"{other.parent}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    says = desk.refused("run", street(tmp_path / "s", 1) / "node1")
    assert f"{other} is 1.16.2, and this chain needs geth 1.13.15: get geth-linux-amd64-1.13.15-c5ba367e.tar.gz" in says
    other.unlink()
    assert "there is no geth on the PATH" in desk.refused("run", tmp_path / "s" / "node1")
    other.write_bytes(b"#!/bin/sh\necho '\xff\xfe'\n")
    other.chmod(0o755)
    monkeypatch.setenv("DAISEE_GETH", str(other))
    assert f"{other} is of no release" in desk.refused("run", tmp_path / "s" / "node1")


def test_backup_and_restore_bring_a_node_back_as_itself(desk: Desk, tmp_path: Path) -> None:
    node = street(tmp_path / "s", 2) / "node2"
    (node / "data").mkdir()
    (node / "data" / "chain").write_text("blocks")
    kept = {path.relative_to(node): path.read_bytes() for path in node.rglob("*") if path.is_file() and "data" not in path.parts}
    file = tmp_path / "node2.tar.gz"
    (node / "data.txt").write_text("a letter")
    kept[Path("data.txt")] = b"a letter"
    (node / "client.log.1").write_text("of the past")
    assert not {"data", "client.log.1"} & set(desk.told("backup", node, file)["holds"])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "exists already" in desk.refused("backup", node, file)
    assert "exists already; name a new folder" in desk.refused("restore", file, node)
    shutil.rmtree(node)
    desk.told("restore", file, node)
    assert {path.relative_to(node): path.read_bytes() for path in node.rglob("*") if path.is_file()} == kept
    assert stat.S_IMODE((node / "nodekey").stat().st_mode) == 0o600
    assert stat.S_IMODE(node.stat().st_mode) == 0o700
    assert stat.S_IMODE((node / "keystore").stat().st_mode) == 0o700


def test_what_is_no_backup_leaves_nothing(desk: Desk, tmp_path: Path) -> None:
    whole = tmp_path / "whole.tar.gz"
    desk.told("backup", street(tmp_path / "s", 1) / "node1", whole)
    half = tmp_path / "half.tar.gz"
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    (tmp_path / "letter").write_text("dear")
    for file in (half, tmp_path / "letter"):
        assert "is no whole backup" in desk.refused("restore", file, tmp_path / "back")
    assert "there is no file" in desk.refused("restore", tmp_path / "nowhere", tmp_path / "back")
    assert not [path for path in tmp_path.iterdir() if "back" in path.name]


def packed(file: Path, members: dict[str, bytes | None], mode: int = 0o644) -> Path:
    """Write an archive; what has no bytes is a link to what is not there."""
    with tarfile.open(file, "w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.mode, member.size = mode, len(content or b"")
            if content is None:
                member.type, member.linkname = tarfile.LNKTYPE, "nowhere"
            archive.addfile(member, io.BytesIO(content or b""))
    return file


def test_what_is_not_the_whole_of_a_node_is_no_backup(desk: Desk, tmp_path: Path) -> None:
    node = street(tmp_path / "s", 1) / "node1"
    whole: dict[str, bytes | None] = {
        name: (node / name).read_bytes() for name in ("node.json", "genesis.json", "start", "nodekey", "password")
    }
    told = json.loads((node / "node.json").read_text())
    wrong: list[tuple[dict[str, bytes | None], str]] = [
        ({"node.json": whole["node.json"]}, "it has no genesis.json"),
        ({**whole, "nodekey": None}, "is no whole backup"),
        ({name: whole[name] for name in whole if name != "nodekey"}, "has no nodekey"),
        ({**whole, "node.json": json.dumps({**told, "name": "nobody"}).encode()}, "there is no node nobody in the network"),
        ({**whole, "node.json": b'{"a":' * 100_000}, "is no JSON: nested too deep"),
        ({str(each): b"" for each in range(1_001)}, "it is too large"),
    ]
    for number, (members, says) in enumerate(wrong):
        file = packed(tmp_path / f"{number}.tar.gz", members)
        refused = desk.refused("restore", file, tmp_path / "back")
        assert says in refused
        assert ".back" not in refused, "the folder is gone"
    assert not [path for path in tmp_path.iterdir() if "back" in path.name]
    desk.told("restore", packed(tmp_path / "open.tar.gz", dict(whole), 0o666), tmp_path / "back")
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "back").iterdir()} == {0o600}


@pytest.mark.parametrize(
    "change",
    [
        {"nodes": []}, {"period_s": "5"}, {"period_s": 0}, {"chain_id": None}, {"client": 5},
        {"node": {"name": None}}, {"node": {"rpc_port": "x"}}, {"node": {"public_key": "zz"}}, {"node": {"validator": "0x12"}},
    ],
)  # fmt: skip
def test_a_network_s_file_that_is_not_whole_is_said_so(desk: Desk, tmp_path: Path, change: dict[str, Any]) -> None:
    folder = street(tmp_path / "s", 1)
    told = json.loads((folder / "network.json").read_text())
    told["nodes"][0].update(change.pop("node", {}))
    (folder / "network.json").write_text(json.dumps({**told, **change}))
    for command in (["status", folder], ["node", "add", folder, "shed"], ["enode", folder]):
        assert "network.json is not whole: " in desk.refused(*command)


def test_reset_asks_first(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = street(tmp_path / "s", 1) / "node1"
    (node / "data").mkdir()
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert "nobody is there to ask whether the chain in" in desk.refused("reset", node)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.confirm", lambda *_args, **_more: (_ for _ in ()).throw(click.Abort))
    assert desk.run("reset", node)[0] == 130
    assert (node / "data").exists()
    desk.told("reset", node, "--yes")
    assert not (node / "data").exists()
    assert (node / "nodekey").exists()


def test_peers_of_elsewhere_are_written_down(desk: Desk, tmp_path: Path) -> None:
    node = street(tmp_path / "s", 1) / "node1"
    key = PrivateKey(b"9" * 32).public_key.to_hex()[2:]
    enode = f"enode://{key}@pi-9.local:30303"
    alone = (node / "geth.toml").read_text()
    told = desk.told("peers", node, "--add", enode)
    assert told == [{"node": "node1", "peer": f"peer-{key[:6]}", "state": "does not run", "enode": enode}]
    assert enode in (node / "geth.toml").read_text()
    for wrong in ("enode://12@host:1", f"enode://{'ab' * 64}@host:1", f"enode://{key}@..:1", f"enode://{key}@host:65536"):
        assert "is no peer's address" in desk.refused("peers", node, "--add", wrong)
    assert "there is no node nobody" in desk.refused("peers", node, "--add", enode, "--remove", "nobody")
    assert "node1 is the node itself" in desk.refused("peers", node, "--remove", "node1")
    assert desk.told("peers", node, "--remove", f"peer-{key[:6]}") == []
    assert (node / "geth.toml").read_text() == alone
    assert desk.told("enode", node) == [{"name": "node1", "enode": NodeFolder(node).entry.enode}]
    assert desk.run("enode", node)[1].strip() == NodeFolder(node).entry.enode


# ------------------------------------------------------------------------------------------------------- with real nodes


@pytest.mark.geth
@pytest.mark.timeout(300)
def test_nodes_run_vote_and_end_cleanly(desk: Desk, tmp_path: Path) -> None:
    folder = street(tmp_path / "s", 2)
    with running("up", folder, lambda said: "the chain is at block" in said) as (_pid, terminal):
        wait(lambda: min(head(node.path) for node in folders_here(folder)) >= 2)
        wait(lambda: desk.run("status", folder)[0] == 0)
        told = desk.told("status", folder)
        assert (told["goes_on"], told["deadlocked"], told["troubles"]) == (True, False, [])
        assert [view["peer_count"] for view in told["nodes"]] == [1, 1]
        assert all(abs(view["clock_ahead_s"]) < 5 for view in told["nodes"])
        alone = desk.told("status", "--rpc", read_network(folder).nodes[0].rpc_url)
        assert (alone["goes_on"], alone["nodes"][0]["chain_id"], alone["nodes"][0]["validators"]) == (True, 2_017, None)
        assert set(alone["sealed"]) <= {node.validator for node in read_network(folder).nodes}
        assert "runs already" in desk.refused("run", folder / "node1")
        assert "node1 runs; stop it first" in desk.refused("reset", folder / "node1", "--yes")
        assert "is nobody's address" in desk.refused("validator", "add", "0x" + "0" * 40, folder)
        said = desk.refused("unstick", folder)
        assert "there is nothing to take back" in said or "no deadlock" in said

        # A follower is told of, follows, and gives no vote; a key that is not a validator's cannot be removed.
        added = desk.told("node", "add", folder, "shed")
        with running("run", folder / "shed", lambda said: "the chain is at block" in said) as (_shed, shed_terminal):
            wait(lambda: head(folder / "shed") >= 2)
            assert "seals as" not in shed_terminal.read_text()
            assert {row["peer"] for row in desk.told("peers", folder / "shed") if row["state"] == "connected"} == {
                "node1",
                "node2",
            }
            assert "shed is a follower" in desk.refused("validator", "add", "shed", folder)
        assert added["validator"] is None

        # Of two validators both must agree; from one folder alone the vote only begins.
        barn = add_node(folder, "barn", "127.0.0.1", validator=True)
        assert barn.entry.validator is not None
        assert "is a validator already" in desk.refused("validator", "add", "node1", folder)
        assert "is no validator" in desk.refused("validator", "remove", "barn", folder)
        code, out, _err = desk.run("validator", "add", barn.entry.validator, folder / "node1", "--json")
        half = json.loads(out)
        assert (code, half["passed"], half["still_needed"], half["others"]) == (
            1,
            False,
            1,
            [read_network(folder).node("node2").validator],
        )
        (stands,) = json.loads(desk.run("status", folder, "--json")[1])["votes"]
        assert (stands["node"], stands["about"], stands["join"]) == ("node1", barn.entry.validator, True)
        for command in (("status",), ("validator", "list")):
            assert "To vote barn in: node1 (" in desk.run(*command, folder)[1]
        assert desk.told("validator", "withdraw", "barn", folder)["nodes"] == ["node1"]
        assert "no node here votes on" in desk.refused("validator", "withdraw", "barn", folder)
        whole = desk.told("validator", "add", "barn", folder)
        assert whole["passed"]
        assert barn.entry.validator in {row["address"] for row in desk.told("validator", "list", folder)}
        # It does not run: of three validators two seal, and none of those can be spared.
        assert "the chain would stop" in desk.refused("validator", "remove", "node2", folder)
        assert desk.told("validator", "remove", "barn", folder)["passed"]
    said = terminal.read_text()
    assert "barn in" in said
    assert said.count("stops, and closes its database") == 2
    for node in ("node1", "node2"):
        assert "Blockchain stopped" in (folder / node / "client.log").read_text()
        assert not (folder / node / "client.pid").exists()
    with running("up", folder, lambda said: "the chain is at block" in said) as (_pid, again):
        assert not re.search(r"node[12] +the chain is at block 0\b", again.read_text()), "barn alone is new"


@pytest.mark.geth
@pytest.mark.timeout(200)
def test_a_node_that_cannot_start_says_why(desk: Desk, tmp_path: Path) -> None:
    node = street(tmp_path / "s", 1) / "node1"
    entry = NodeFolder(node).entry
    for port, where in ((entry.rpc_port, "--http.port"), (entry.p2p_port, "ListenAddr")):
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # whose connections just ended is no matter
            other.bind(("127.0.0.1", port))
            other.listen()
            assert f"port {port} is taken by another program; stop it, or choose another port with {where}" in desk.refused(
                "run", node
            )
    right = (node / "password").read_text()
    (node / "password").write_text("another\n")
    says = desk.run("run", node)[2]
    assert "node1 has ended: the file `password` is not the password of its validator's key" in says
    assert right.strip() not in says
    (node / "password").write_text(right)
    key = next((node / "keystore").iterdir())
    key.rename(tmp_path / "away")
    assert "its validator's key is not in `keystore/`" in desk.run("run", node)[2]
    (tmp_path / "away").rename(key)
    genesis = json.loads((node / "genesis.json").read_text())
    (node / "genesis.json").write_text(json.dumps({**genesis, "gasLimit": "0x5b8d81"}))
    assert "is of another chain: it began with another genesis" in desk.refused("run", node)
    (node / "genesis.json").write_text("{}")
    desk.told("reset", node, "--yes")
    assert "node1 has ended" in desk.run("run", node)[2]


@pytest.mark.geth
@pytest.mark.timeout(200)
def test_a_node_of_another_chain_is_named_and_not_waited_for(desk: Desk, tmp_path: Path) -> None:
    folder = street(tmp_path / "s", 2)
    genesis = json.loads((folder / "node2" / "genesis.json").read_text())
    genesis["alloc"] = {}
    (folder / "node2" / "genesis.json").write_text(json.dumps(genesis))
    with running("up", folder, lambda said: "is on another chain: its genesis is" in said) as (_pid, terminal):
        # Each refuses the other; whoever is first says so first.
        assert re.search(r"node1 +node2 is on another chain|node2 +node1 is on another chain", terminal.read_text())
        wait(lambda: "node1 refuses node2, which is on another chain: its genesis is" in desk.run("status", folder)[1])
        code, out, _err = desk.run("status", folder)
        assert code == 1
        # The first has the network's own genesis: it is the second that has to begin anew, and no deadlock.
        assert "node2 is on another chain than node1" in out
        assert "node2 refuses" not in out
        assert "deadlock" not in out


@pytest.mark.geth
@pytest.mark.timeout(300)
def test_two_of_three_that_wait_for_each_other_from_the_first_block_on_get_out_of_it(desk: Desk, tmp_path: Path) -> None:
    folder = street(tmp_path / "s", 3)
    by_address = sorted(read_network(folder).nodes, key=lambda node: str(node.validator).lower())
    # Who is in turn for block 1 never comes. The blocks of the two others weigh the same.
    shutil.rmtree(folder / by_address[1].name)
    two = [by_address[0].name, by_address[2].name]
    for name in two:
        with running("run", folder / name, lambda said: "the chain is at block" in said):
            wait(lambda at=folder / name: head(at) == 1)  # type: ignore[misc]  # bound now
    with running("run", folder / two[0]) as (_pid, first), running("run", folder / two[1]) as (_other, second):
        wait(lambda: "deadlock, no block for" in desk.run("status", folder)[1].replace("\n", " "))
        wait(lambda: min(head(folder / name) for name in two) >= 4, 120)
        assert "its own last block is given up" in first.read_text() + second.read_text()
        wait(lambda: desk.told("status", folder / two[0])["goes_on"])


@pytest.mark.geth
@pytest.mark.timeout(200)
def test_the_others_go_on_without_a_node_that_was_killed(desk: Desk, tmp_path: Path) -> None:
    folder = street(tmp_path / "s", 3)
    with running("up", folder, lambda said: "the chain is at block" in said) as (_pid, terminal):
        # At the beginning each stands on a fork of its own; if one were lost then, the other two could wait for each other.
        wait(lambda: min(head(node.path) for node in folders_here(folder)) >= 6 and desk.run("status", folder)[0] == 0)
        os.kill(int((folder / "node2" / "client.pid").read_text()), 9)
        wait(lambda: "node2 was killed (signal 9); again with: daisee chain run" in terminal.read_text())
        at = head(folder / "node1")
        wait(lambda: head(folder / "node1") > at + 2)
        with running("run", folder / "node2", lambda said: "the chain is at block" in said):
            wait(lambda: head(folder / "node2") > at + 2)
            wait(lambda: desk.run("status", folder)[0] == 0)
        hangs = int((folder / "node3" / "client.pid").read_text())
        os.kill(hangs, signal.SIGSTOP)
        try:
            code, out, _err = desk.run("status", folder)
            assert "node3 runs; stop it first" in desk.refused("reset", folder / "node3", "--yes")
        finally:
            os.kill(hangs, signal.SIGCONT)
        assert (code, "! node3: it runs, and does not answer" in out) == (1, True)


@pytest.mark.geth
@pytest.mark.timeout(200)
def test_a_client_ends_with_who_started_it(tmp_path: Path) -> None:
    node = street(tmp_path / "s", 1, period_s=15) / "node1"
    with running("run", node, lambda said: "the chain is at block" in said) as (pid, _terminal):
        wait(lambda: head(node) == 1)
        time.sleep(1)  # it says nothing now, and so does not find out by itself that nobody listens
        client = int((node / "client.pid").read_text())
        os.kill(pid, signal.SIGKILL)
        wait(lambda: not Path(f"/proc/{client}").exists(), 5)
    with running("run", node, lambda said: "the chain is at block 1" in said):
        pass
