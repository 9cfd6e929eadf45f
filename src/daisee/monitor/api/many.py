"""The port of many homes: each home's own, at /homes/NAME, with the tokens of that home alone."""

from __future__ import annotations

import re
from collections.abc import Mapping

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from daisee.monitor.api import create_monitor_app
from daisee.monitor.running import Monitor

HOME = re.compile(r"(?P<root>/homes/(?P<name>[^/]+))/.*")


class HomesApp:
    """ASGI application that hands each question to the home that it is about. A home's own is made when it is first asked."""

    def __init__(self, monitors: Mapping[str, Monitor]) -> None:
        """Serve these homes, by their names."""
        self._monitors = monitors
        self._apps: dict[str, ASGIApp] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a question on; 404 for what is about none of the homes."""
        path = scope["path"] if scope["type"] == "http" else ""
        found = HOME.fullmatch(path)
        if found is None or found["name"] not in self._monitors:
            alive = path == "/healthz"
            told = "ok\n" if alive else "a home's answers are at /homes/NAME/, as /homes/NAME/docs lists them\n"
            await PlainTextResponse(told, status_code=200 if alive else 404)(scope, receive, send)
            return
        name = found["name"]
        if name not in self._apps:
            self._apps[name] = create_monitor_app(self._monitors[name])
        await self._apps[name]({**scope, "root_path": scope.get("root_path", "") + found["root"]}, receive, send)
