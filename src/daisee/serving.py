"""Ports of this machine that speak HTTP, held before anything happens, and served beside other work in one event loop."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from daisee.errors import PortTaken

LOOPBACK = "127.0.0.1"
SHUTDOWN_S = 1
"""How long an open page may keep its server from stopping."""


class HttpServer(uvicorn.Server):
    """A server that leaves the process's signals to others, and does not wait for pages that stay open."""

    def __init__(self, app: ASGIApp) -> None:
        """Serve an application; `serve(sockets=[...])` does, until `should_exit` is set."""
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=SHUTDOWN_S,
                server_header=False,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take none."""
        yield


@contextlib.contextmanager
def listen(port: int, option: str, host: str = LOOPBACK) -> Iterator[socket.socket]:
    """Hold a port, or say that another program does: PortTaken, with the option that names another."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
            listening.listen(128)
        except OSError as error:
            raise PortTaken(port, option) from error
        yield listening
