"""What web3 asks a chain through when the chain is in this process: the same answers as over HTTP, without the way there."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

from web3.providers.base import JSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from daisee.errors import ChainError

INTERNAL_ERROR = -32603

Rpc = Callable[[str, list[Any]], Any]
"""Answers a method's result, or raises ChainError."""


class RpcProvider(JSONBaseProvider):
    """Hands each request to a function, and turns its error into what a node would answer.

    Parameters go through JSON, as they would on the wire: web3 leaves some as bytes until then.
    """

    def __init__(self, rpc: Rpc) -> None:
        super().__init__()
        self._rpc = rpc

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """Ask."""
        written = json.loads(self.encode_rpc_request(method, params))
        return cast(RPCResponse, respond(self._rpc, written["id"], method, written["params"]))

    def make_batch_request(self, requests: list[tuple[RPCEndpoint, Any]]) -> list[RPCResponse]:
        """Ask one after the other."""
        return [self.make_request(method, params) for method, params in requests]

    def is_connected(self, show_traceback: bool = False) -> bool:
        """Say that it is there: it is in this process."""
        return True


def respond(rpc: Rpc, request_id: Any, method: str, params: list[Any]) -> dict[str, Any]:
    """Ask, and answer as JSON-RPC 2.0 has it."""
    try:
        return {"jsonrpc": "2.0", "id": request_id, "result": rpc(method, params)}
    except ChainError as error:
        return refusal(request_id, INTERNAL_ERROR if error.code is None else error.code, str(error), error.data)


def refusal(request_id: Any, code: int, message: str, data: object = None) -> dict[str, Any]:
    """Answer no, as JSON-RPC 2.0 has it."""
    told: dict[str, Any] = {"code": code, "message": message}
    if data is not None:
        told["data"] = data
    return {"jsonrpc": "2.0", "id": request_id, "error": told}
