"""A node's own socket, on which it takes orders that JSON-RPC over HTTP is not to give: votes, rewinding, its peers."""

from __future__ import annotations

import json
import socket
from itertools import count
from pathlib import Path
from typing import Any

from daisee.chain.remote import checked, result_of
from daisee.errors import ChainError

TIMEOUT_S = 10.0
LONGEST_PATH = 107
"""How long a Unix socket's path may be on Linux."""
CHUNK = 65_536


class NodeSocket:
    """A running node's socket. Each question has a connection of its own: it is asked seldom, and nothing is left open."""

    def __init__(self, path: Path, timeout_s: float = TIMEOUT_S) -> None:
        """Name a socket; it is connected to when something is asked."""
        self.path = path
        self._timeout_s = timeout_s
        self._numbers = count(1)

    @property
    def listens(self) -> bool:
        """Tell whether a node runs here, be it one that hangs."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(self._timeout_s)
            try:
                connection.connect(str(self.path))
            except OSError:
                return False
            return True

    def rpc(self, method: str, params: list[Any] | None = None) -> Any:
        """Ask the node; ChainError where it does not run, does not answer, or answers with an error."""
        asked = {"jsonrpc": "2.0", "id": next(self._numbers), "method": method, "params": params or []}
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(self._timeout_s)
                connection.connect(str(self.path))
                connection.sendall(json.dumps(asked).encode())
                answered = _read_answer(connection)
        except TimeoutError as error:
            told = f"the node of {self.path.parent.parent} runs, and has said nothing for {self._timeout_s:.0f} s"
            raise ChainError(told) from error
        except (OSError, ValueError) as error:
            raise ChainError(f"the node of {self.path.parent.parent} does not answer: {error}") from error
        return result_of(checked(answered, str(self.path)))


def _read_answer(connection: socket.socket) -> Any:
    """Read up to the newline that ends an answer. ValueError where the node hangs up before."""
    parts: list[bytes] = []
    while not (parts and parts[-1].endswith(b"\n")):
        part = connection.recv(CHUNK)
        if not part:
            raise ValueError("it hung up")
        parts.append(part)
    return json.loads(b"".join(parts))
