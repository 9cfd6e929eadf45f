"""A street lived at a pace that people can follow, with its page and its chain on two loopback ports.

The street lives in a thread of its own; page and chain are served by one event loop. Ctrl-C ends the step at hand, closes the
books and the ports, and takes less than two seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import Any

from daisee.chain.embedded.server import create_rpc_app
from daisee.demo.report import make_report
from daisee.demo.run import StreetRun
from daisee.demo.view import view_of
from daisee.serving import LOOPBACK, HttpServer, listen
from daisee.web.street import StreetBoard, create_street_app

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How a street is shown."""

    speed: float
    """Street seconds in a second."""
    port: int
    """Of the page."""
    rpc_port: int
    """Of the chain."""
    rpc_url: str | None = None
    """Where the chain answers by itself; None where we open a port for it."""


def run_live(run: StreetRun, pace: Pace, say: Callable[[str], None]) -> tuple[dict[str, Any], bool]:
    """Live through the data until its end, stay open until Ctrl-C; answer the report, and whether the end was reached.

    A port that is taken is a PortTaken, before anything has happened.
    """
    with contextlib.ExitStack() as ports:
        page_socket = ports.enter_context(listen(pace.port, "--port"))
        rpc_socket = None if pace.rpc_url else ports.enter_context(listen(pace.rpc_port, "--rpc-port"))
        return asyncio.run(_serve(run, pace, page_socket, rpc_socket, say))


async def _serve(
    run: StreetRun, pace: Pace, page_socket: socket.socket, rpc_socket: socket.socket | None, say: Callable[[str], None]
) -> tuple[dict[str, Any], bool]:
    page_url = f"http://{LOOPBACK}:{page_socket.getsockname()[1]}"
    speed = pace.speed
    rpc_url = pace.rpc_url or f"http://{LOOPBACK}:{pace.rpc_port}"
    board = StreetBoard()
    board.publish(view_of(run, speed, rpc_url, running=True))
    stopped, told_to_stop = Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _stop, stopped, told_to_stop)
    served = [(HttpServer(create_street_app(board)), page_socket)]
    if rpc_socket is not None:
        served.append((HttpServer(create_rpc_app(run.chain)), rpc_socket))
    serving = [asyncio.create_task(server.serve(sockets=[listening])) for server, listening in served]
    say(f"The street is open at [bold]{page_url}[/] - a day passes in {86_400 / speed / 60:.1f} minutes. Stop it with Ctrl-C.")
    say(f"Its chain answers at {rpc_url} (chain id {run.chain.chain_id}); look on with")
    say(f"  daisee ledger --rpc {rpc_url} --exchange {run.contracts.exchange.address} exchange members")
    try:
        report, complete = await asyncio.to_thread(_live, run, speed, rpc_url, board, stopped)
        if complete:
            say("The data has ended; the page stays open. Stop it with Ctrl-C.")
            await told_to_stop.wait()
        return report, complete
    finally:
        board.close()
        for server, _listening in served:
            server.should_exit = True
        await asyncio.gather(*serving, return_exceptions=True)


def _stop(stopped: Event, told_to_stop: asyncio.Event) -> None:
    stopped.set()
    told_to_stop.set()


def _live(run: StreetRun, speed: float, rpc_url: str, board: StreetBoard, stopped: Event) -> tuple[dict[str, Any], bool]:
    """Live, a step at its time. A step that takes longer than its time delays the next ones; none is left out."""
    began = time.monotonic()
    due = began
    for at_s in run.steps:
        due = max(due + run.measured.step_s / speed, time.monotonic())
        if stopped.wait(max(0.0, due - time.monotonic())):
            break
        run.live(at_s)
        board.publish(view_of(run, speed, rpc_url, running=True))
    run.close_books()
    board.publish(view_of(run, speed, rpc_url, running=False))
    return make_report(run, time.monotonic() - began), not stopped.is_set()
