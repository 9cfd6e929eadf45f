"""The nodes of a test's network: founded, started, killed and looked at, as people would, and always ended."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from tests.faults.lan import Lan, Place, command_in

from daisee.chain.founding import Plan, found
from daisee.chain.gethfiles import START
from daisee.chain.ipc import NodeSocket
from daisee.chain.network import LOOPBACK, NodeFolder, folders_here
from daisee.chain.node import NodeProcess
from daisee.chain.view import NodeView, view_of
from daisee.errors import ChainError
from daisee.units import Address

START_S = 60.0
RECOVER_S = 120.0
"""Geth calls a peer that was lost again after 35 s at the earliest, and looks for a heavier one every ten."""
POLL_S = 0.25
COMMAND_S = 150.0
SILENT_S = 22.0
"""After 20 seconds without a block `daisee chain status` looks for why."""
REFUSED = re.compile(r"BAD BLOCK|hash chain is invalid|block verification failed")
"""What geth logs of a block that it will not have; of one that was sent to it, only where its fetcher is told to say more."""
SAYS_MORE = "eth/fetcher/block_fetcher.go=4"


class Nodes:
    """A network on this machine: with wires that can be cut, or else on loopback."""

    def __init__(
        self, path: Path, program: str, balances: Mapping[Address, int], *, validators: int, period_s: int, lan: Lan | None
    ) -> None:
        """Make its folders. Nothing runs yet."""
        self.path = path
        self.program = program
        self._lan = lan
        self.running: dict[str, NodeProcess] = {}
        self.on_deadlock: Callable[[], None] = lambda: None
        """Told when the chain came to a deadlock by itself, and was mended as people are told to."""
        names = [f"node{number}" for number in range(1, validators + 1)]
        hosts = tuple(lan.add(name).host for name in names) if lan else ()
        ports = 30_303 if lan else free_ports(2 * ROOM)
        plan = Plan(
            client="geth",
            chain_id=2_017,
            period_s=period_s,
            gas_limit=6_000_000,
            validators=validators,
            hosts=hosts,
            balances=balances,
            p2p_port=ports,
            rpc_port=8_545 if lan else ports + ROOM,
        )
        found(path, plan)
        for name in names:
            self.settle_in(name)

    @property
    def names(self) -> list[str]:
        """List the nodes whose folders are here."""
        return [folder.name for folder in folders_here(self.path)]

    @property
    def lan(self) -> Lan:
        """Answer the wires; only where there are any."""
        assert self._lan is not None
        return self._lan

    def settle_in(self, name: str) -> None:
        """Let a node say which blocks it refuses, and listen where it can be reached: its own start file says so."""
        start = self.path / name / START
        text = start.read_text("utf-8")
        assert "--log.vmodule " in text
        text = text.replace("--log.vmodule ", f"--log.vmodule {SAYS_MORE},")
        if self._lan:
            text = text.replace(f"--http.addr {LOOPBACK}", f"--http.addr {self._lan.places[name].rpc_host}")
        start.write_text(text, "utf-8")

    def folder(self, name: str) -> NodeFolder:
        """Answer a node's folder, as it is now."""
        return NodeFolder(self.path / name)

    def url(self, name: str) -> str:
        """Answer a node's JSON-RPC."""
        entry = self.folder(name).entry
        return f"http://{self._lan.places[name].rpc_host if self._lan else LOOPBACK}:{entry.rpc_port}"

    def validator(self, name: str) -> Address:
        """Answer with which account a node seals."""
        validator = self.folder(name).entry.validator
        assert validator is not None
        return validator

    def start(self, *names: str, program: str | None = None) -> None:
        """Start nodes, all if none is named, and wait until each answers."""
        for name in names or self.names:
            self.running[name] = NodeProcess(self.folder(name), self._wrapped(name, program or self.program))
        for name in names or self.names:
            until(partial(self._answers, name), START_S, f"{name} does not start")

    def begin(self) -> None:
        """Start all for the first time, and wait until they are one chain.

        Each seals a first block before it knows of the others': four validators may begin in a deadlock.
        """
        self.start()
        self._wait(lambda: self.agree(2), RECOVER_S, "the nodes do not begin")

    def kill(self, *names: str) -> None:
        """End nodes as a power cut does: without a word."""
        for name in names:
            os.kill(self.running[name].pid, signal.SIGKILL)
        for name in names:
            self.running.pop(name).close()

    def stop(self, *names: str) -> None:
        """End nodes properly."""
        for name in names:
            self.running[name].ask_to_end()
        for name in names:
            self.running.pop(name).close()

    def close(self) -> None:
        """End what runs, and take the wires away."""
        try:
            for process in self.running.values():
                process.ask_to_end()
            for process in self.running.values():
                process.close()
            self.running.clear()
        finally:
            if self._lan:
                self._lan.close()

    def ask(self, name: str, method: str, *params: Any) -> Any:
        """Ask a node on its own socket."""
        return NodeSocket(self.path / name / "data" / "geth.ipc").rpc(method, list(params))

    def view(self, name: str) -> NodeView:
        """Look at the chain from a node."""
        view = view_of(name, NodeSocket(self.folder(name).socket))
        assert view.answers, view.silent
        return view

    def head(self, name: str) -> int:
        """Answer the number of a node's newest block."""
        return int(self.ask(name, "eth_blockNumber"), 16)

    def highest(self) -> int:
        """Answer the number of the newest block."""
        return max(self.head(name) for name in self.running)

    def agree(self, after: int = 0) -> bool:
        """Tell whether all that run have one history, up to now and beyond a block."""
        heads = [self.head(name) for name in self.running]
        number = min(heads)
        if number <= after or max(heads) - number > 1:
            return False
        told = [self.ask(name, "eth_getBlockByNumber", hex(number), False) for name in self.running]
        return len({block["hash"] if block else None for block in told}) == 1

    def recover(self, after: int | None = None, timeout_s: float = RECOVER_S) -> float:
        """Wait until all that run agree on what was sealed after now, or after a block; answer how many seconds it took."""
        began_s = time.monotonic()
        mark = self.highest() + 1 if after is None else after
        self._wait(lambda: self.agree(mark), timeout_s, f"the nodes do not agree on a block after {mark}")
        return time.monotonic() - began_s

    def grow(self, blocks: int, *, seen_by: str, timeout_s: float = 60.0) -> None:
        """Wait for so many more blocks."""
        goal = self.head(seen_by) + blocks
        self._wait(lambda: self.head(seen_by) >= goal, timeout_s, f"{seen_by} sees no {blocks} more blocks")

    def status(self) -> dict[str, Any]:
        """Answer what `daisee chain status` says."""
        done = self.daisee("chain", "status", str(self.path), "--json", may_fail=True)
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    def troubles(self) -> str:
        """Answer what `daisee chain status` finds wrong, as one text."""
        return "\n".join(self.status()["troubles"])

    def daisee(self, *arguments: str, may_fail: bool = False) -> subprocess.CompletedProcess[str]:
        """Run the `daisee` command."""
        done = subprocess.run(
            [sys.executable, "-m", "daisee", *arguments],
            capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, timeout=COMMAND_S,
        )  # fmt: skip
        assert may_fail or done.returncode == 0, f"daisee {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done

    def refusals(self) -> list[str]:
        """List what the nodes logged of blocks that they would not have."""
        return [
            f"{name}: {line}"
            for name in self.names
            for line in self.folder(name).log.read_text("utf-8", "replace").splitlines()
            if REFUSED.search(line)
        ]

    def _wait(self, holds: Callable[[], bool], timeout_s: float, otherwise: str) -> None:
        """Wait for what comes as the chain goes on; where a deadlock is why it does not come, mend that, and count it."""
        seen, since_s = -1, time.monotonic()

        def mended() -> bool:
            nonlocal seen, since_s
            if holds():
                return True
            if self.highest() != seen:
                seen, since_s = self.highest(), time.monotonic()
            elif time.monotonic() - since_s > SILENT_S:
                since_s = time.monotonic()
                if self.status()["deadlocked"]:
                    self.daisee("chain", "unstick", str(self.path))
                    self.on_deadlock()
            return False

        until(mended, timeout_s, otherwise)

    def _answers(self, name: str) -> bool:
        process = self.running[name]
        assert process.ended is None, process.why()
        try:
            self.ask(name, "eth_blockNumber")
        except ChainError:
            return False
        # The socket is there a moment before the port.
        with socket.socket() as tried:
            tried.settimeout(1.0)
            entry = self.folder(name).entry
            host = self._lan.places[name].rpc_host if self._lan else LOOPBACK
            return tried.connect_ex((host, entry.rpc_port)) == 0

    def _wrapped(self, name: str, program: str) -> str:
        """Answer a program that runs geth in a node's place."""
        if self._lan is None:
            return program
        place: Place = self._lan.places[name]
        wrapper = self.path.parent / f"{name}-geth"
        wrapper.write_text(f'#!/bin/sh\nexec {" ".join(command_in(place, program))} "$@"\n')
        wrapper.chmod(0o755)
        return str(wrapper)


def until(holds: Callable[[], bool], timeout_s: float, otherwise: str) -> None:
    """Wait for something; AssertionError with these words where it does not come."""
    end_s = time.monotonic() + timeout_s
    while True:
        with suppress(ChainError):  # a node that is just starting
            if holds():
                return
        assert time.monotonic() < end_s, f"{otherwise}, in {timeout_s:.0f} s"
        time.sleep(POLL_S)


ROOM = 10
"""More nodes than any test has on one machine."""


def free_ports(number: int) -> int:
    """Answer the first of so many ports in a row that are free here; none of those that a system gives to who calls others."""
    for first in range(10_000 + os.getpid() % 9_000, 20_000 - number, number):
        if all(map(_is_free, range(first, first + number))):
            return first
    raise AssertionError("there are no free ports here")


def _is_free(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex((LOOPBACK, port)) != 0


def others(names: Iterable[str], *but: str) -> list[str]:
    """List all but some."""
    return [name for name in names if name not in but]
