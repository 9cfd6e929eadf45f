"""The lock on the port: a token with the right scope, and a name that this machine is known by."""

from __future__ import annotations

import ipaddress
import re
import socket

from fastapi import HTTPException, Request
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from daisee.errors import StoreError
from daisee.monitor.running import Monitor
from daisee.monitor.tokens import Tokens

HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[^:\[\]/@\s]+)(:[0-9]{1,5})?", re.IGNORECASE)
MOST_BODY = 2_000_000
"""Ten thousand readings have some 1.2 MB."""
BEARER = re.compile(r"[Bb]earer +(?P<token>\S+) *")


class Gate:
    """Lets in who has a token."""

    def __init__(self, monitor: Monitor) -> None:
        """Ask the tokens of this monitor's database."""
        self._monitor = monitor
        self._tokens = Tokens(monitor.store)

    def reads(self, request: Request) -> None:
        """Let in who may read; 401 without a token, 403 with one that is for something else."""
        self._check(request, "read")

    def pushes(self, request: Request) -> None:
        """Let in who may push."""
        self._check(request, "push")

    def still_reads(self, request: Request) -> bool:
        """Tell whether who was let in may go on reading; yes, while the store does not answer."""
        try:
            self.reads(request)
        except HTTPException:
            return False
        except StoreError:
            return True
        return True

    def may_read(self, token: str) -> bool:
        """Tell whether a token lets read."""
        return "read" in self._scopes(token)

    def _check(self, request: Request, scope: str) -> None:
        found = BEARER.fullmatch(request.headers.get("authorization", ""))
        scopes = self._scopes(found["token"]) if found else frozenset()
        if not scopes:
            raise HTTPException(
                401, "a token is needed, as Authorization: Bearer TOKEN", {"WWW-Authenticate": 'Bearer realm="daisee"'}
            )
        if scope not in scopes:
            raise HTTPException(403, f"this token is not for {scope}")

    def _scopes(self, token: str) -> frozenset[str]:
        with self._monitor.books.lock:
            return self._tokens.scopes_of(token)


class HostCheck:
    """ASGI middleware that refuses a host name that is not ours: a website that points a name of its own at this machine;
    and a body that would fill the memory.

    An address in numbers, this machine's name and that name with `.local` always are.
    """

    def __init__(self, app: ASGIApp, names: frozenset[str]) -> None:
        """`names` are other names, from the configuration."""
        self._app = app
        own = socket.gethostname().lower()
        self._names = {"localhost", own, f"{own.partition('.')[0]}.local", *(name.lower() for name in names)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on."""
        if scope["type"] == "http" and not self._is_ours(Headers(scope=scope).getlist("host")):
            told = "this monitor answers to its own names only; `names` in [monitor] adds one\n"
            await PlainTextResponse(told, status_code=421)(scope, receive, send)
            return
        came = 0

        async def receive_so_much() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            if came > MOST_BODY:
                raise HTTPException(413, f"more than {MOST_BODY} bytes; send less at once")
            return message

        await self._app(scope, receive_so_much, send)

    def _is_ours(self, sent: list[str]) -> bool:
        found = HOST.fullmatch(sent[0]) if len(sent) == 1 else None
        if found is None:
            return False
        name = found["name"].lower()
        if name in self._names:
            return True
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return True
