"""A node's HTTP port for tests, on loopback: a real server before a chain in this process, with all that befalls nodes."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from daisee.chain.embedded.provider import respond
from daisee.errors import ChainError

Mood = Literal[
    "well", "hangs", "HTTP 401", "HTTP 413", "HTTP 500", "HTTP 502", "HTTP 503", "HTTP 504", "garbage", "no JSON-RPC",
    "no result", "answer lost", "drips", "floods", "nests", "cut off", "stalls",
]  # fmt: skip
NONSENSE: dict[Mood, bytes] = {
    "garbage": b"<html>hello</html>", "no JSON-RPC": b'["hello"]', "no result": b'{"jsonrpc": "2.0", "id": 0}',
    "nests": b'{"jsonrpc": "2.0", "id": 0, "result": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
}  # fmt: skip
HANG_S = 5.0
"""As long as it hangs at most; whoever asks has less patience."""
DRIP_S = 0.2

Rpc = Callable[[str, list[Any]], Any]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    front: Front


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        front = self.server.front
        asked = json.loads(body)
        method, mood = asked["method"], front.mood
        if (front.only_for and method not in front.only_for) or not front.only_if(asked["params"]):
            mood = "well"
        front.authorization, front.path = self.headers.get("Authorization"), self.path
        if mood == "hangs":
            front.released.wait(HANG_S)
            return
        if mood in ("drips", "floods"):
            self._never_end(b" " if mood == "drips" else b" " * 2**20, DRIP_S if mood == "drips" else 0)
            return
        if mood.startswith("HTTP "):
            self.send_error(int(mood.removeprefix("HTTP ")))
            return
        if mood in ("cut off", "stalls"):
            self._say(b'{"jsonrpc": ', of=1000)
            if mood == "stalls":
                front.released.wait(HANG_S)
            return
        if mood in NONSENSE:
            self._say(NONSENSE[mood])
            return
        front.before(method)
        front.asked.append(method)
        told = respond(front.answer, asked["id"], method, asked["params"])
        if mood != "answer lost":
            self._say(json.dumps(told).encode())

    def _never_end(self, piece: bytes, each_s: float) -> None:
        self.send_response(200)
        self.end_headers()
        end_s = time.monotonic() + HANG_S
        with suppress(ConnectionError):
            while not self.server.front.released.wait(each_s) and time.monotonic() < end_s:
                self.wfile.write(piece)
                self.wfile.flush()

    def _say(self, body: bytes, of: int | None = None) -> None:
        """Say something, which may be less than it is said to be."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) if of is None else of))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name is its parent's
        """Say nothing."""


class Front:
    """A node's port. It can be in a mood, say things of its own, die, and come back to the same port."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc
        self.mood: Mood = "well"
        self.only_for: tuple[str, ...] = ()
        """The methods that the mood is for; all, if none is named."""
        self.only_if: Callable[[Any], bool] = lambda _params: True
        """Of which parameters."""
        self.says: dict[str, Any] = {}
        """What it answers instead of the chain's answer, by method; an error is raised."""
        self.before: Callable[[str], None] = lambda _method: None
        """What happens before a method is answered."""
        self.asked: list[str] = []
        self.authorization: str | None = None
        self.path = ""
        self.released = threading.Event()
        self._server: _Server | None = None
        self.port = 0
        self.open()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, method: str, params: list[Any]) -> Any:
        said = self.says.get(method)
        if isinstance(said, ChainError):
            raise said
        return self._rpc(method, params) if said is None else said

    def open(self) -> None:
        self._server = _Server(("127.0.0.1", self.port), _Handler)
        self._server.front = self
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def die(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = None

    def close(self) -> None:
        self.released.set()
        self.die()


def basic(user: str, password: str) -> str:
    """Answer what HTTP Basic sends."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
