"""A node's client as a process, whichever program it is: what it is told, and what becomes of its log and its end."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

import pytest

from daisee.chain import node as node_module
from daisee.chain.founding import Plan, found
from daisee.chain.gethfiles import START
from daisee.chain.network import NodeFolder
from daisee.chain.node import NodeProcess, prepare
from daisee.errors import UsageError


@pytest.fixture
def folder(tmp_path: Path) -> NodeFolder:
    """Answer a node's folder."""
    found(tmp_path / "s", Plan(client="geth", chain_id=7, period_s=5, gas_limit=6_000_000, validators=1, balances={}))
    return NodeFolder(tmp_path / "s" / "node1")


def runs(folder: NodeFolder, script: str) -> NodeProcess:
    """Run something else as its client."""
    (folder.path / START).write_text(f"#!/bin/sh\n{script}\n")
    return NodeProcess(folder, "/opt/geth")


def test_a_client_is_told_nothing_that_is_meant_for_us(folder: NodeFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAISEE_PASSWORD", "secret")
    monkeypatch.setenv("DAISEE_ACCOUNT", "0x1")
    process = runs(folder, "env >told")
    process._process.wait(10)
    process.close()
    told = (folder.path / "told").read_text().splitlines()
    assert [line for line in told if line.startswith("DAISEE")] == ["DAISEE_GETH=/opt/geth"]
    assert f"PATH={os.environ['PATH']}" in told


def test_a_log_that_finds_no_room_is_told_in_one_line(folder: NodeFolder, caplog: pytest.LogCaptureFixture) -> None:
    folder.log.symlink_to("/dev/full")
    process = runs(folder, "echo one; echo two; echo Low disk space")
    with caplog.at_level(logging.WARNING):
        process._process.wait(10)
        assert "the disk is full; make room, then start it again" in process.why()
        process.close()
    assert [record.message for record in caplog.records] == [
        f"{folder.log} cannot be written: [Errno 28] No space left on device"
    ]


def test_a_client_whose_id_cannot_be_written_down_is_not_left_running(
    folder: NodeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_path: Path, _text: str) -> None:
        until = time.monotonic() + 10
        while not (folder.path / "pid").exists() and time.monotonic() < until:
            time.sleep(0.02)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(node_module, "write_whole", full)
    with pytest.raises(OSError, match="No space left"):
        runs(folder, "echo $$ >part; mv part pid; exec sleep 60")
    pid = int((folder.path / "pid").read_text())
    assert not Path(f"/proc/{pid}").exists()


def test_a_missing_genesis_is_said_with_where_it_comes_from(folder: NodeFolder) -> None:
    folder.genesis.unlink()
    with pytest.raises(UsageError, match=r"genesis\.json cannot be read: No such file .*; copy it from another node of the net"):
        prepare(folder)
