"""A node elsewhere, over HTTP: geth, Besu, or the port of a demo. It has a clock of its own, and no key of ours."""

from __future__ import annotations

from typing import Any

from web3 import HTTPProvider
from web3.providers.base import BaseProvider
from web3.types import RPCEndpoint

from daisee.errors import ChainError

TIMEOUT_S = 10.0


class RemoteChain:
    """A node that has its own mind about when to seal a block."""

    def __init__(self, url: str) -> None:
        """Name a node; it is asked when something is asked."""
        self.url = url
        # Not tried again in here: whoever asks knows better how long an answer is worth waiting for.
        self._provider = HTTPProvider(url, request_kwargs={"timeout": TIMEOUT_S}, exception_retry_configuration=None)
        self._chain_id: int | None = None

    @property
    def chain_id(self) -> int:
        """Which chain it is on; asked once."""
        if self._chain_id is None:
            self._chain_id = int(self.rpc("eth_chainId", []), 16)
        return self._chain_id

    def rpc(self, method: str, params: list[Any]) -> Any:
        """Ask the node; ChainError where it does not answer, or answers with an error."""
        try:
            answered: Any = self._provider.make_request(RPCEndpoint(method), params)
        except (OSError, ValueError) as error:  # no way there, no HTTP, no JSON
            raise ChainError(f"{self.url} does not answer: {error}") from error
        told = answered.get("error") if isinstance(answered, dict) else f"{answered!r:.80}"
        if told is None and "result" in answered:
            return answered["result"]
        if not isinstance(told, dict):
            raise ChainError(f"{self.url} answers what is no JSON-RPC: {told}")
        raise ChainError(str(told.get("message")), told.get("code"), told.get("data"))

    def provider(self) -> BaseProvider:
        """Answer what web3 asks this node through."""
        return self._provider

    def advance(self, at_s: int) -> None:
        """Leave it to the node: it seals when its own clock says so."""

    def close(self) -> None:
        """Close the connections that are kept open, one for each thread that asked."""
        sessions = self._provider._request_session_manager.session_cache  # web3 has no door to it
        while len(sessions):
            sessions.popitem()[1].close()
