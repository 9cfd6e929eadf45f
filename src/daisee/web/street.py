"""The page of a street over HTTP: the page, its latest view and its chart as JSON, and a stream of server-sent events.

The port has a lock (see lock.py): it only shows, it answers only to this machine's own names, and its page loads
nothing from anywhere else.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path

from fastapi import FastAPI, Request, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, StreamingResponse
from starlette.staticfiles import StaticFiles

from daisee.web.board import StreetBoard, StreetFeed
from daisee.web.lock import LOOPBACK_HOSTS, PortLock
from daisee.web.view import StreetView, as_json, chart_point

__all__ = ["StreetBoard", "StreetFeed", "create_street_app"]

HERE = Path(__file__).parent
HEARTBEAT_S = 10.0
"""How often a silent stream says that it is alive: a dead connection is found by writing to it."""
RETRY_MS = 1000
"""How soon a page that lost its stream asks for it again."""


def create_street_app(
    feed: StreetFeed, *, allowed_hosts: Iterable[str] = LOOPBACK_HOSTS, heartbeat_s: float = HEARTBEAT_S
) -> FastAPI:
    """Serve the page of a street. `allowed_hosts` are the names, without a port, that a request may ask for.

    An open page holds its stream until the feed ends or the server cancels it: a server stops at once after
    `StreetBoard.close()`, and needs a limit on graceful shutdown for other feeds.
    """
    # No pages of FastAPI's own: they load scripts from elsewhere. No telemetry: nothing leaves this machine.
    app = FastAPI(
        title="DAISEE street",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        telemetry={"auto_configure": False, "tracing": False, "metrics": False, "logs": False},
    )
    answers = _Answers(feed, heartbeat_s)
    for path, answer in answers.by_path().items():
        app.add_api_route(path, answer, methods=["GET", "HEAD"])
    app.mount("/static", StaticFiles(directory=HERE / "static"))
    app.add_middleware(PortLock, allowed_hosts=frozenset(allowed_hosts))
    return app


class _Answers:
    """What each route answers."""

    def __init__(self, feed: StreetFeed, heartbeat_s: float) -> None:
        self._feed = feed
        self._heartbeat_s = heartbeat_s
        self._encoded = _once_per_view(_payload)
        templates = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined)
        self._page = templates.get_template("street.html")

    def by_path(self) -> dict[str, Callable[..., Awaitable[Response]]]:
        return {
            "/": self.page,
            "/api/street": self.latest,
            "/api/street/history": self.history,
            "/api/street/live": self.live,
            "/healthz": self.healthy,
        }

    async def page(self) -> Response:
        view = self._feed.latest()
        title = view.title if view else "The street"
        return HTMLResponse(self._page.render(title=title, payload=_dictionary(view)))

    async def latest(self) -> Response:
        view = self._feed.latest()
        if view is None:
            return _json('{"error": "the street has not begun; ask again in a moment"}', status=503)
        return _json(self._encoded(view))

    async def history(self) -> Response:
        return _json(json.dumps({"points": as_json(self._feed.history())}, allow_nan=False))

    async def live(self, request: Request) -> Response:
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        events = _events(self._feed, self._encoded, self._heartbeat_s)
        return StreamingResponse(events, media_type="text/event-stream")

    async def healthy(self) -> Response:
        return _json('{"status": "ok"}')


async def _events(feed: StreetFeed, encoded: Callable[[StreetView], str], heartbeat_s: float) -> AsyncIterator[str]:
    """Write a feed as server-sent events named `street`, with a comment as heartbeat where nothing changes."""
    yield f"retry: {RETRY_MS}\n\n"
    changes = feed.changes()
    upcoming = asyncio.ensure_future(anext(changes))
    try:
        while True:
            await asyncio.wait({upcoming}, timeout=heartbeat_s)
            if not upcoming.done():
                yield ": still here\n\n"
                continue
            try:
                view = upcoming.result()
            except StopAsyncIteration:
                return
            yield f"event: street\ndata: {encoded(view)}\n\n"
            upcoming = asyncio.ensure_future(anext(changes))
    finally:
        upcoming.cancel()
        with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration):
            await upcoming


def _dictionary(view: StreetView | None) -> dict[str, object] | None:
    """Answer a view as JSON has it, with the street's power as the chart adds it up."""
    return None if view is None else as_json(view) | {"power": as_json(chart_point(view))}


def _payload(view: StreetView) -> str:
    return json.dumps(_dictionary(view), allow_nan=False, separators=(",", ":"))


def _once_per_view(encode: Callable[[StreetView], str]) -> Callable[[StreetView], str]:
    """Encode a view once, however many pages are open. One event loop calls this, so that it needs no lock."""
    newest: list[tuple[StreetView, str]] = []

    def encoded(view: StreetView) -> str:
        if not newest or newest[0][0] is not view:
            newest[:] = [(view, encode(view))]
        return newest[0][1]

    return encoded


def _json(body: str, status: int = 200) -> Response:
    return Response(body, status_code=status, media_type="application/json")
