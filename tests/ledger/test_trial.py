"""A call is tried as of the block that it will be in: on a chain that is idle, that is now, where the node can be asked so."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from eth_typing import HexStr
from web3.providers.base import JSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from daisee.chain.client import web3_on
from daisee.errors import ChainError, TransactionReverted
from daisee.ledger.transactions import Call
from daisee.ledger.trial import try_out
from daisee.units import Address

ANNA = Address("0x" + "11" * 20)
CALL = Call("report", Address("0x" + "22" * 20), HexStr("0x1234"), 50_000)
DEVELOPERS, COMMUNITYS = "anvil/v1.0.0", "besu/v25.1.0/linux-x86_64/openjdk-java-21"
HEAD_S, NOW_S = 1_000, 5_000
REVERTED = {"code": -32000, "message": "execution reverted"}
TOO_MANY = {"code": -32602, "message": "too many arguments, want at most 3"}


class Idle(JSONBaseProvider):
    """A node whose newest block is old, and which refuses what is executed before `opens_s`."""

    def __init__(self, client: str, opens_s: int, *, takes_time: bool = True) -> None:
        super().__init__()
        self.asked_at_s: list[int] = []
        self._client, self._opens_s, self._takes_time = client, opens_s, takes_time

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        if method != "eth_call":
            answers: dict[str, Any] = {
                "web3_clientVersion": self._client,
                "eth_chainId": hex(1337),
                "eth_getBlockByNumber": {"number": "0x1", "timestamp": hex(HEAD_S)},
            }
            return {"jsonrpc": "2.0", "id": 1, "result": answers[method]}
        if len(params) > 3 and not self._takes_time:
            return {"jsonrpc": "2.0", "id": 1, "error": TOO_MANY}  # type: ignore[typeddict-item]  # as nodes do
        at_s = int(params[3]["time"], 16) if len(params) > 3 else HEAD_S
        self.asked_at_s.append(at_s)
        answer: Any = {"result": "0x"} if at_s >= self._opens_s else {"error": REVERTED}
        return {"jsonrpc": "2.0", "id": 1, **answer}  # type: ignore[typeddict-item]


def tried(node: Idle, now_s: int = NOW_S) -> list[int]:
    client: Any = SimpleNamespace(provider=lambda: node)
    try_out(web3_on(client), ANNA, CALL, lambda: now_s)
    return node.asked_at_s


def test_on_a_developers_chain_that_is_idle_a_call_is_tried_as_of_now() -> None:
    assert tried(Idle(DEVELOPERS, NOW_S)) == [NOW_S]
    assert tried(Idle(DEVELOPERS, HEAD_S + 1), now_s=HEAD_S - 500) == [HEAD_S + 1], "a block is later than the one before"
    with pytest.raises(TransactionReverted):
        tried(Idle(DEVELOPERS, NOW_S + 1))


def test_a_node_that_takes_no_time_is_asked_without() -> None:
    assert tried(Idle(DEVELOPERS, HEAD_S, takes_time=False)) == [HEAD_S]
    with pytest.raises(TransactionReverted):
        tried(Idle(DEVELOPERS, NOW_S, takes_time=False))


def test_a_chain_that_should_go_on_by_itself_is_asked_as_of_its_newest_block() -> None:
    with pytest.raises(TransactionReverted):
        tried(Idle(COMMUNITYS, NOW_S))
    assert tried(Idle(COMMUNITYS, HEAD_S)) == [HEAD_S]


def test_a_node_that_fails_is_a_chain_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_asked: Any) -> Any:
        raise ConnectionError("gone")

    node = Idle(DEVELOPERS, HEAD_S)
    client: Any = SimpleNamespace(provider=lambda: node)
    monkeypatch.setattr(node, "make_request", fails)
    with pytest.raises(ChainError):
        try_out(web3_on(client), ANNA, CALL)
