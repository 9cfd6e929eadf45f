"""Votes on real nodes that could end a chain: they are refused, or taken back; and the way back from the end of one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.test_chain_commands import Desk, head, running, street, wait

from daisee.chain.ipc import NodeSocket
from daisee.chain.network import NodeFolder, folders_here, read_network

pytestmark = [pytest.mark.geth, pytest.mark.timeout(300)]


def test_validators_go_one_by_one_and_the_chain_goes_on_with_the_last(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    desk, folder = Desk(capsys), street(tmp_path / "s", 3)
    first = read_network(folder).node("node1").validator
    with running("up", folder, lambda said: "the chain is at block" in said):
        wait(lambda: min(head(node.path) for node in folders_here(folder)) >= 4 and desk.run("status", folder)[0] == 0)
        # A vote of one, which will be enough when one is left.
        assert desk.run("validator", "remove", "node1", folder / "node1")[0] == 1
        os.kill(int((folder / "node3" / "client.pid").read_text()), 9)
        wait(lambda: "does not run" in desk.run("status", folder)[1])
        # It sealed some of the last blocks, and will seal none any more.
        assert "nothing is seen of node3: the chain would stop" in desk.refused("validator", "remove", "node2", folder)
        assert desk.run("validator", "remove", "node3", folder)[0] == 0
        code, _out, err = desk.run("validator", "remove", "node2", folder)
        assert (code, "node1 no longer votes node1 out, which would pass by itself then" in err) == (0, True)
        at = head(folder / "node1")
        wait(lambda: head(folder / "node1") > at + 4)
        assert [row["address"] for row in desk.told("validator", "list", folder)] == [first]
        assert "is the only validator" in desk.refused("validator", "remove", "node1", folder, "--force")


def test_a_chain_without_validators_is_said_to_be_so_and_there_is_a_way_back(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, geth_path: str
) -> None:
    desk, folder = Desk(capsys), street(tmp_path / "s", 1)
    node = folder / "node1"
    socket = NodeSocket(NodeFolder(node).socket)
    with running("run", node, lambda said: "the chain is at block" in said) as (_pid, terminal):
        wait(lambda: head(node) >= 3)
        at = head(node)
        before = socket.rpc("eth_getBlockByNumber", [hex(at), False])["hash"]
        # As no command of ours does.
        socket.rpc("clique_propose", [NodeFolder(node).entry.validator, False])
        wait(lambda: "has ended: the chain has no validator left" in terminal.read_text())
    assert "has ended: the chain has no validator left" in desk.run("run", node)[2]
    code, out, _err = desk.run("status", folder)
    assert (code, "node1: it does not run: the chain has no validator left" in out) == (1, True)
    for line in (
        f"{geth_path} --datadir data export blocks.rlp 1 {at}",
        f"{sys.executable} -m daisee chain reset . --yes",
        f"{geth_path} --datadir data init genesis.json",
        "cp genesis.json data/",
        f"{geth_path} --datadir data --syncmode full --gcmode archive import blocks.rlp",
    ):
        subprocess.run(line.split(), cwd=node, check=True, capture_output=True, timeout=60)
    with running("run", node, lambda said: "the chain is at block" in said):
        wait(lambda: head(node) > at + 3)
        assert socket.rpc("eth_getBlockByNumber", [hex(at), False])["hash"] == before
        wait(lambda: desk.run("status", folder)[0] == 0)


def test_a_node_starts_when_the_name_of_a_peer_has_no_address(tmp_path: Path) -> None:
    folder = street(tmp_path / "s", 2, hosts=("localhost", "nobody.invalid"))
    node = folder / "node1"
    with running("run", node, lambda said: "the chain is at block 1" in said) as (_pid, terminal):
        wait(lambda: "node2 cannot be called: invalid enode: lookup nobody.invalid" in terminal.read_text(), 90)
        assert "nobody.invalid has no address now" in (node / "client.log").read_text()
