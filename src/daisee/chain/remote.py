"""A node elsewhere, over HTTP: geth, Besu, or the port of a demo. It has a clock of its own, and no key of ours."""

from __future__ import annotations

import errno
import re
import time
from collections.abc import Callable
from typing import Any, cast

from urllib3.exceptions import HTTPError
from web3 import HTTPProvider
from web3._utils.http_session_manager import HTTPSessionManager
from web3.providers.base import BaseProvider, JSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from daisee import shallow
from daisee.chain.url import asked, credentials, shown
from daisee.errors import ChainError

TIMEOUT_S = 10.0
CHUNK = 65_536
MOST_BYTES = 64 * 2**20
"""Of one answer: a full block of six million gas has some 60 kB of events."""
TOO_MUCH = (413, 502, 504)
"""With what HTTP says that a question or its answer is too big for who stands before a node, or took too long."""
SYSTEM_SAYS = re.compile(r"\[Errno -?\d+\] ([^'\")]+)|(certificate verify failed[^('\"]*)")


class TooMuchAsked(ChainError, TimeoutError):
    """No answer came in time, or a bigger one than fits: less at once may be answered. A node that hangs looks the same."""


class RemoteChain:
    """A node that has its own mind about when to seal a block."""

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S) -> None:
        """Name a node; it is asked when something is asked.

        Credentials in its address are sent as HTTP Basic, and never shown.
        """
        self.name = shown(url)
        """Its address without credentials."""
        self._timeout_s = timeout_s
        settings: dict[str, Any] = {"timeout": timeout_s, "stream": True}
        secret = credentials(url)
        if secret is not None:
            settings["auth"] = secret
        # Not tried again in here: whoever asks knows better how long an answer is worth waiting for.
        self._provider = HTTPProvider(asked(url), request_kwargs=settings, exception_retry_configuration=None)
        self._provider._request_session_manager = _Sessions()  # web3 has no door to it
        self._chain_id: int | None = None

    @property
    def chain_id(self) -> int:
        """Which chain it is on; asked once."""
        if self._chain_id is None:
            self._chain_id = int(self.rpc("eth_chainId", []), 16)
        return self._chain_id

    def rpc(self, method: str, params: list[Any]) -> Any:
        """Ask the node; ChainError where it does not answer, or answers with an error."""
        return result_of(self.ask(method, params))

    def ask(self, method: str, params: Any) -> RPCResponse:
        """Answer what the node says, be it an error; ChainError only where it says nothing, or nothing that is JSON-RPC.

        TooMuchAsked where that may be for how much was asked.
        """
        try:
            answered: Any = self._provider.make_request(RPCEndpoint(method), params)
        except (OSError, ValueError, HTTPError) as error:  # no way there, no HTTP, no JSON, half an answer
            kind = TooMuchAsked if _may_be_too_much(error) else ChainError
            # Its own words hold the whole address, and a trace would show them.
            raise kind(f"{self.name} does not answer: {self._reason(error)}") from None
        return checked(answered, self.name)

    def provider(self) -> BaseProvider:
        """Answer what web3 asks this node through."""
        return Provider(self.ask)

    def advance(self, at_s: int) -> None:
        """Leave it to the node: it seals when its own clock says so."""

    def close(self) -> None:
        """Close the connections that are kept open, one for each thread that asked."""
        sessions = self._provider._request_session_manager.session_cache
        while len(sessions):
            sessions.popitem()[1].close()

    def _reason(self, error: Exception) -> str:
        """Say in a few words why there is no answer."""
        status = _status(error)
        if status is not None:
            return f"HTTP {status}"
        if "Timeout" in type(error).__name__ or "timed out" in str(error):
            return f"nothing whole in {self._timeout_s:g} s"
        if isinstance(error, ValueError) and not isinstance(error, OSError):
            return "what comes is no JSON"
        said = SYSTEM_SAYS.search(str(error))
        return (said[1] or said[2]).strip() if said else f"the connection fails ({type(error).__name__})"


class Provider(JSONBaseProvider):
    """What web3 asks through, where somebody else does the asking."""

    def __init__(self, ask: Callable[[str, Any], RPCResponse]) -> None:
        super().__init__()
        self._ask = ask

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """Ask; ChainError, which is an OSError, where nobody answers."""
        return self._ask(method, params)

    def make_batch_request(self, requests: list[tuple[RPCEndpoint, Any]]) -> list[RPCResponse]:
        """Ask one after the other: each may find another node."""
        return [self._ask(method, params) for method, params in requests]


class _Sessions(HTTPSessionManager):
    """Web3's connections, which read an answer in pieces: no node keeps a home waiting drop by drop, or fills its memory.

    OSError or ValueError where one tries to.
    """

    @staticmethod
    def _handle_streaming_response(response: Any, start: float, timeout: float) -> bytes:
        parts, size = [], 0
        while part := response.raw.read1(CHUNK, decode_content=True):
            parts.append(part)
            size += len(part)
            if time.time() - start > timeout:
                raise TimeoutError
            if size > MOST_BYTES:
                raise OSError(errno.EMSGSIZE, f"more than {MOST_BYTES // 2**20} MiB in one answer")
        return shallow.checked(b"".join(parts))


def _status(error: Exception) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)


def _may_be_too_much(error: Exception) -> bool:
    """Tell whether less may be answered, from no way there."""
    too_long = isinstance(error, TimeoutError) or "ReadTimeout" in type(error).__name__
    return too_long or getattr(error, "errno", None) == errno.EMSGSIZE or _status(error) in TOO_MUCH


def checked(answered: Any, node: str) -> RPCResponse:
    """Answer what a node answered, if it is a JSON-RPC answer; else ChainError."""
    if isinstance(answered, dict):
        told = answered.get("error")
        if isinstance(told, dict) or (told is None and "result" in answered):
            return cast(RPCResponse, answered)
    raise ChainError(f"{node} answers what is no JSON-RPC: {answered!r:.80}")


def result_of(answered: RPCResponse) -> Any:
    """Answer the result of a JSON-RPC answer; ChainError, with its code and data, where it is an error."""
    told: Any = answered.get("error")
    if told is None:
        return answered["result"]
    said = " ".join(str(told.get("message") or "an error of which it says nothing").split())
    raise ChainError(said, told.get("code"), told.get("data"))
