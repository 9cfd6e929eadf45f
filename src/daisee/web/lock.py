"""The lock on the page's port, in front of every route and file.

Only GET and HEAD go through, only under a host name this machine is known by (a website that points a name of its own
at 127.0.0.1 is refused), and every answer tells the browser to load nothing from elsewhere.
"""

from __future__ import annotations

import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})

HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[^:\[\]/@]+)(:[0-9]{1,5})?", re.IGNORECASE)

CONTENT_POLICY = "; ".join(
    (
        "default-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "object-src 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class PortLock:
    """ASGI middleware that refuses what the page never asks for."""

    def __init__(self, app: ASGIApp, allowed_hosts: frozenset[str]) -> None:
        self._app = app
        self._allowed_hosts = frozenset(host.lower() for host in allowed_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, refuse, or pass on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return

        async def send_locked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                # Files are asked for again by their tag; all else is of this moment only.
                headers["Cache-Control"] = "no-cache" if scope["path"].startswith("/static/") else "no-store"
            await send(message)

        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, send_locked)
        else:
            await refusal(scope, receive, send_locked)

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        """Answer why a request is refused; None where it is not."""
        if scope["type"] != "http":
            return PlainTextResponse("this port speaks HTTP only", status_code=403)
        sent = Headers(scope=scope).getlist("host")
        host = HOST.fullmatch(sent[0]) if len(sent) == 1 else None
        if host is None or host["name"].lower() not in self._allowed_hosts:
            return PlainTextResponse(
                "this street answers to its own names only; open it as http://127.0.0.1 with its port", status_code=403
            )
        if scope["method"] not in ("GET", "HEAD"):
            return PlainTextResponse("this page only shows; use GET", status_code=405, headers={"Allow": "GET, HEAD"})
        return None
