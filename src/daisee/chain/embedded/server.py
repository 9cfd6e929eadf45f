"""JSON-RPC 2.0 over HTTP for a chain in this process, so that any Ethereum wallet or script can look on.

The lock on this port. It answers only requests that name a loopback host, so that a page of the internet cannot reach it
under a name of its own that leads here. Of scripts in a browser it answers those of this machine's own pages and of wallets,
which are extensions; scripts of other pages are refused, for what homes do is nobody's business there. Only a transaction
that is already signed changes anything, and no key is held, so none can be used.
"""

from __future__ import annotations

import json
import logging
import math
import re
from typing import Any

from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from daisee.chain.client import ChainClient
from daisee.chain.embedded.provider import INTERNAL_ERROR, refusal, respond
from daisee.chain.embedded.questions import INVALID_PARAMS
from daisee.shallow import parse

log = logging.getLogger(__name__)

MOST_BYTES = 1_000_000
MOST_CALLS = 100
PARSE_ERROR = -32700
INVALID_REQUEST = -32600

LOOPBACK = r"(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?"
HOST = re.compile(LOOPBACK, re.IGNORECASE)
ORIGIN = re.compile(rf"https?://{LOOPBACK}|(chrome|moz|safari-web)-extension://[\w-]+", re.IGNORECASE)

WHAT_THIS_IS = "This is the JSON-RPC port of an Ethereum chain that runs in DAISEE. POST to it, or point a wallet here.\n"


class LoopbackOnly:
    """Refuses what comes under another name than this machine's, and scripts of pages from elsewhere."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 403."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            hosts, origins = headers.getlist("host"), headers.getlist("origin")
            if not hosts or not all(HOST.fullmatch(host) for host in hosts):
                await PlainTextResponse("this port answers to localhost only\n", 403)(scope, receive, send)
                return
            if not all(ORIGIN.fullmatch(origin) for origin in origins):
                await PlainTextResponse("this port does not answer scripts of other pages\n", 403)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def create_rpc_app(chain: ChainClient) -> Starlette:
    """Serve a chain's JSON-RPC at `/`; a GET answers what this is."""
    # One at a time, as the chain answers, in a thread that is kept for it: pages next door have theirs.
    at_a_time = CapacityLimiter(1)

    async def ask(request: Request) -> Response:
        try:
            body = await _read(request)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody is there to read it
        if body is None:
            return _written(refusal(None, INVALID_REQUEST, f"a request has at most {MOST_BYTES} bytes"), 413)
        # The chain answers one call at a time and may take a while: not in the event loop.
        return await to_thread.run_sync(_answer, chain, body, limiter=at_a_time)

    async def explain(_request: Request) -> Response:
        return PlainTextResponse(WHAT_THIS_IS)

    return Starlette(
        routes=[Route("/", ask, methods=["POST"]), Route("/", explain, methods=["GET"])],
        middleware=[
            Middleware(LoopbackOnly),
            Middleware(CORSMiddleware, allow_origin_regex=ORIGIN.pattern, allow_methods=["POST"], allow_headers=["content-type"]),
        ],
    )


async def _read(request: Request) -> bytes | None:
    """Read a body; None where it is longer than we care to read."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            return None
    return bytes(body)


def _answer(chain: ChainClient, body: bytes) -> Response:
    """Answer a body: one call, or a batch of them."""
    try:
        asked = parse(body)
    except ValueError:
        return _written(refusal(None, PARSE_ERROR, "this is no JSON"))
    if not isinstance(asked, list):
        told = _answer_one(chain, asked)
        return Response(status_code=204) if told is None else _written(told)
    if not 0 < len(asked) <= MOST_CALLS:
        return _written(refusal(None, INVALID_REQUEST, f"a batch has 1 to {MOST_CALLS} calls"))
    answers = [told for call in asked if (told := _answer_one(chain, call)) is not None]
    return _written(answers) if answers else Response(status_code=204)


def _answer_one(chain: ChainClient, call: Any) -> dict[str, Any] | None:
    """Answer one call; None where it is a notification, which wants no answer."""
    if not isinstance(call, dict) or not _is_id(call.get("id")):
        return refusal(None, INVALID_REQUEST, "this is no JSON-RPC 2.0 request")
    request_id, method, params = call.get("id"), call.get("method"), call.get("params")
    if call.get("jsonrpc") != "2.0" or not isinstance(method, str):
        return refusal(request_id, INVALID_REQUEST, "this is no JSON-RPC 2.0 request")
    if params is not None and not isinstance(params, list):
        return refusal(request_id, INVALID_PARAMS, "parameters come as a list")
    try:
        told = respond(chain.rpc, request_id, method, params or [])
    except Exception:
        # Whatever a call does to us, the port stays open; the log hears of it, and the one who asked does not.
        log.exception("%.80r failed", method)
        told = refusal(request_id, INTERNAL_ERROR, "internal error; the log of the chain says more")
    return told if "id" in call else None


def _is_id(value: Any) -> bool:
    """Tell whether an id can be written back: text, a number that JSON has, or null."""
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or (isinstance(value, str | int) and not isinstance(value, bool))


def _written(told: Any, status: int = 200) -> Response:
    return Response(json.dumps(told, allow_nan=False), status, media_type="application/json")
