"""Wires for a test's nodes: each in a network namespace of its own, and bridges between them that can be parted and mended.

A node has two wires. One is on a bridge, for its peers, and is cut by moving it to another bridge. The other goes straight to
this machine's own namespace, for its JSON-RPC, and is never cut. The bridges are in a namespace too: no firewall of this
machine's has a say. All names carry our process id; what a run that is no more has left is cleared by the next one.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

COMMAND_TIMEOUT_S = 30.0
BRIDGES = 2
OURS = re.compile(r"daisee-(?P<pid>\d+)-\d+-\w+")
ADDRESSES: set[str] = set()
"""At which our nodes listen for JSON-RPC; tests may connect to them as to loopback: they are of this machine."""

_serials = count(1)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node lives."""

    namespace: str
    host: str
    """Where its peers reach it."""
    rpc_host: str
    """Where we reach its JSON-RPC."""
    port: str
    """The end of its wire, on a bridge."""


class Lan:
    """Some places, joined by bridges. For a root user, on a Linux that has namespaces."""

    def __init__(self) -> None:
        """Make the bridges; CalledProcessError or OSError where this machine does not let us."""
        self._name = f"daisee-{os.getpid()}-{next(_serials)}"
        self._subnet = _free_subnet()
        self._bridges = f"{self._name}-lan"
        self.places: dict[str, Place] = {}
        try:
            _ip("netns", "add", self._bridges)
            for number in range(BRIDGES):
                _ip("-n", self._bridges, "link", "add", f"b{number}", "type", "bridge")
                _ip("-n", self._bridges, "link", "set", f"b{number}", "up")
        except (OSError, subprocess.SubprocessError):
            self.close()
            raise

    def add(self, name: str) -> Place:
        """Make a place for a node, joined with all that are on the first bridge."""
        number = len(self.places) + 1
        near, far = f"10.78.{self._subnet}.{2 * number}", f"10.78.{self._subnet}.{2 * number + 1}"
        place = Place(f"{self._name}-{name}", f"10.77.0.{10 + number}", far, f"p{number}")
        self.places[name] = place
        ADDRESSES.add(far)
        inside = ("-n", place.namespace)
        _ip("netns", "add", place.namespace)
        _ip(*inside, "link", "set", "lo", "up")
        _ip("link", "add", "peers", "netns", place.namespace, "type", "veth", "peer", place.port, "netns", self._bridges)
        _ip(*inside, "addr", "add", f"{place.host}/24", "dev", "peers")
        _ip(*inside, "link", "set", "peers", "up")
        self._join(place, 0)
        _ip("-n", self._bridges, "link", "set", place.port, "up")
        wire = f"d{os.getpid()}-{self._subnet}-{number}"
        _ip("link", "add", wire, "type", "veth", "peer", "rpc", "netns", place.namespace)
        _ip(*inside, "addr", "add", f"{far}/31", "dev", "rpc")
        _ip(*inside, "link", "set", "rpc", "up")
        _ip("addr", "add", f"{near}/31", "dev", wire)
        _ip("link", "set", wire, "up")
        return place

    def part(self, others: Collection[str]) -> None:
        """Cut these off from the rest; among themselves they are joined."""
        for name, place in self.places.items():
            self._join(place, 1 if name in others else 0)

    def mend(self) -> None:
        """Join all."""
        self.part(())

    def close(self) -> None:
        """Take everything away; a wire goes with the namespace that its other end is in."""
        for namespace in (*(place.namespace for place in self.places.values()), self._bridges):
            _remove(namespace)
        ADDRESSES.difference_update(place.rpc_host for place in self.places.values())

    def _join(self, place: Place, bridge: int) -> None:
        _ip("-n", self._bridges, "link", "set", place.port, "master", f"b{bridge}")


def command_in(place: Place, program: str) -> Sequence[str]:
    """Answer the command that runs a program in a place, in the process that it is given to."""
    return (shutil.which("ip") or "ip", "netns", "exec", place.namespace, program)


@functools.cache
def why_not() -> str:
    """Say why there can be no such wires here; empty where there can."""
    if os.geteuid() != 0:
        return "links are cut as root alone"
    if shutil.which("ip") is None:
        return "there is no ip here to make network namespaces with; on Debian: apt-get install iproute2"
    clear_leftovers()
    try:
        lan = Lan()
        try:
            lan.add("probe")
        finally:
            lan.close()
    except (OSError, subprocess.SubprocessError) as error:
        told = getattr(error, "stderr", "") or str(error)
        return f"this machine makes no network namespaces: {told.strip()}"
    return ""


def clear_leftovers() -> None:
    """Remove what runs of ours that are no more have left: their namespaces, and the nodes in them."""
    for line in _ip("netns", "list").splitlines():
        name = line.split()[0] if line.split() else ""
        found = OURS.fullmatch(name)
        if found and not Path(f"/proc/{found['pid']}").exists():
            for pid in _ip("netns", "pids", name).split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            _remove(name)


def _remove(namespace: str) -> None:
    if Path("/run/netns", namespace).exists():
        _ip("netns", "del", namespace)


def _free_subnet() -> int:
    """Answer a third byte of 10.78.x.0 that no interface has; where one looks first depends on the process."""
    told = json.loads(_ip("-j", "-4", "addr", "show"))
    taken = {
        int(each["local"].split(".")[2]) for link in told for each in link["addr_info"] if each["local"].startswith("10.78.")
    }
    return next(x % 256 for x in range(os.getpid(), os.getpid() + 256) if x % 256 not in taken)


def _ip(*arguments: str) -> str:
    done = subprocess.run(
        ["ip", *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=True, timeout=COMMAND_TIMEOUT_S
    )
    return done.stdout
