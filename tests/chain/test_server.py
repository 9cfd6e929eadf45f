"""The port: its lock, and what it answers to those who do not speak as JSON-RPC has it."""

from __future__ import annotations

import http.client
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.chain.ground import ANNA, CHAIN_ID, new_chain, served, signed
from web3.providers.base import BaseProvider

from daisee.chain.embedded import EmbeddedChain
from daisee.chain.embedded.server import MOST_BYTES, MOST_CALLS, create_rpc_app

ASK = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}


class Broken:
    """A chain that cannot."""

    chain_id = 1

    def __init__(self) -> None:
        self.asked = threading.Event()

    def rpc(self, method: str, params: list[Any]) -> Any:
        if method == "slow":
            self.asked.set()
            time.sleep(1.5)
            return "done"
        raise RuntimeError("a secret of the house")

    def provider(self) -> BaseProvider:
        raise NotImplementedError

    def advance(self, at_s: int) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


@pytest.fixture(scope="module")
def chain() -> EmbeddedChain:
    return new_chain()


@pytest.fixture(scope="module")
def port(chain: EmbeddedChain) -> Iterator[int]:
    with served(create_rpc_app(chain)) as port:
        yield port


def request(port: int, body: bytes | str | None, method: str = "POST", **headers: str) -> tuple[int, bytes, dict[str, str]]:
    """Speak HTTP as plainly as it goes."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.putrequest(method, "/", skip_host="Host" in named)
        for name, value in named.items():
            connection.putheader(name, value)
        sent = body.encode() if isinstance(body, str) else body
        if sent is not None:
            connection.putheader("Content-Length", str(len(sent)))
        connection.endheaders(sent)
        answered = connection.getresponse()
        return answered.status, answered.read(), {name.lower(): value for name, value in answered.getheaders()}
    finally:
        connection.close()


def ask(port: int, asked: Any, **headers: str) -> Any:
    status, body, _headers = request(port, json.dumps(asked), **headers)
    assert status == 200, body
    return json.loads(body)


def test_a_call_is_answered(port: int) -> None:
    assert ask(port, ASK) == {"jsonrpc": "2.0", "id": 1, "result": hex(CHAIN_ID)}
    assert ask(port, {**ASK, "id": "a name"})["id"] == "a name"
    assert ask(port, {**ASK, "id": None})["result"] == hex(CHAIN_ID)
    assert ask(port, {**ASK, "id": 2.5})["id"] == 2.5
    assert ask(port, {key: value for key, value in ASK.items() if key != "params"})["result"] == hex(CHAIN_ID)


def test_what_is_nested_just_so_deep_is_read(port: int) -> None:
    for depth, code in ((20, -32602), (40, -32700)):
        nested = "[" * depth + '"]["' + "]" * depth
        told = json.loads(request(port, json.dumps(ASK)[:-3] + nested + "}")[1])
        assert told["error"]["code"] == code
    many = [{**ASK, "method": "web3_sha3", "params": ["0x"], "note": "}]\\" * 3, "more": [[], {}] * 50}] * 3
    assert len(ask(port, many)) == 3


@pytest.mark.parametrize(
    "body", ['"' + r"\"" * 400_000, '"' + r"\"" * 400_000 + "\\", '"' * 900_000, "[]" * 450_000, "\\" * 900_000]
)
def test_no_body_takes_long_to_refuse(port: int, body: str) -> None:
    began = time.monotonic()
    assert json.loads(request(port, body)[1])["error"]["code"] == -32700
    assert time.monotonic() - began < 20


def test_a_look_with_a_browser_says_what_this_is(port: int) -> None:
    status, body, _headers = request(port, None, "GET")
    assert status == 200
    assert b"JSON-RPC" in body


@pytest.mark.parametrize("name", ["127.0.0.1", "127.0.0.1:8545", "localhost:1", "LOCALHOST", "[::1]:8545", "[::1]"])
def test_it_answers_to_the_names_of_this_machine(port: int, name: str) -> None:
    assert ask(port, ASK, Host=name)["result"] == hex(CHAIN_ID)


@pytest.mark.parametrize(
    "name",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example:80",
        "evil.example:127",
        "0.0.0.0",
        "[::]",
        "127.0.0.1@x",
        "",
    ],
)
@pytest.mark.parametrize("method", ["POST", "GET", "OPTIONS"])
def test_it_answers_to_no_other_name(port: int, name: str, method: str) -> None:
    assert request(port, json.dumps(ASK), method, Host=name)[0] == 403


def test_a_request_without_a_name_is_refused(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as plain:
        plain.sendall(b"POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}")
        assert plain.recv(100).split()[1] == b"403"


@pytest.mark.parametrize(
    "origin", ["http://localhost:8080", "http://127.0.0.1", "chrome-extension://nkbihfbeogae", "moz-extension://1-2"]
)
def test_wallets_and_this_machine_s_pages_may_ask(port: int, origin: str) -> None:
    status, _body, headers = request(port, json.dumps(ASK), Origin=origin)
    assert status == 200
    assert headers["access-control-allow-origin"] == origin
    asked = {"Origin": origin, "Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "content-type"}
    status, _body, headers = request(port, None, "OPTIONS", **asked)
    assert (status, headers["access-control-allow-origin"]) == (200, origin)


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost.evil.example", "file://", "http://127.0.0.1:1@evil.example"]
)
@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
def test_scripts_of_other_pages_may_not(port: int, chain: EmbeddedChain, origin: str, method: str) -> None:
    raw = {**ASK, "method": "eth_sendRawTransaction", "params": [signed(ANNA, 0)]}
    status, body, headers = request(port, json.dumps(raw), method, Origin=origin, Content_Type="text/plain")
    assert status == 403
    assert b"0x" not in body
    assert "access-control-allow-origin" not in headers
    assert chain.pending_count == 0


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe", b'{"jsonrpc": NaN}', b"[" * 100_000, b'{"a":' * 50_000, b"1" * 5_000, b"'", b'"\\ud800', b"\0"],
    ids=["empty", "open", "no text", "NaN", "deep list", "deep object", "long number", "quote", "cut", "zero"],
)
def test_what_is_no_json_is_said_to_be_none(port: int, body: bytes) -> None:
    status, answered, _headers = request(port, body)
    assert status == 200
    assert json.loads(answered)["error"]["code"] == -32700
    assert ask(port, ASK)["result"] == hex(CHAIN_ID), "and the next one is answered"


@pytest.mark.parametrize(
    "asked",
    [7, "hello", None, {}, [], {**ASK, "jsonrpc": "1.0"}, {**ASK, "method": 7}, {**ASK, "id": {}}, {**ASK, "id": True},
     [ASK] * (MOST_CALLS + 1)],
)  # fmt: skip
def test_what_is_no_request_is_said_to_be_none(port: int, asked: Any) -> None:
    assert ask(port, asked)["error"]["code"] == -32600


def test_parameters_by_name_are_refused(port: int) -> None:
    assert ask(port, {**ASK, "params": {"a": 1}})["error"]["code"] == -32602


def test_a_batch_is_answered_in_order_and_only_where_an_answer_is_wanted(port: int) -> None:
    notification = {"jsonrpc": "2.0", "method": "eth_chainId"}
    answered = ask(port, [ASK, notification, {**ASK, "id": 2, "method": "no_such"}, 7, {**ASK, "id": 3}])
    assert [(told["id"], told.get("error", {}).get("code")) for told in answered] == [
        (1, None),
        (2, -32601),
        (None, -32600),
        (3, None),
    ]
    assert request(port, json.dumps([notification]))[:2] == (204, b"")
    assert request(port, json.dumps(notification))[:2] == (204, b"")


def test_a_notification_acts(port: int, chain: EmbeddedChain) -> None:
    raw = {"jsonrpc": "2.0", "method": "eth_sendRawTransaction", "params": [signed(ANNA, 0)]}
    assert request(port, json.dumps(raw))[0] == 204
    assert chain.pending_count == 1


def test_a_body_has_an_end(port: int) -> None:
    fits = json.dumps({**ASK, "method": "web3_sha3", "params": ["0x" + "00" * 400_000]})
    assert len(fits) < MOST_BYTES
    assert "result" in json.loads(request(port, fits)[1])
    status, body, _headers = request(port, b" " * (MOST_BYTES + 1))
    assert (status, json.loads(body)["error"]["code"]) == (413, -32600)
    assert ask(port, ASK)["result"] == hex(CHAIN_ID)


def test_who_hangs_up_in_the_middle_harms_nobody(port: int, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as plain:
        plain.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{")
    time.sleep(0.2)
    assert ask(port, ASK)["result"] == hex(CHAIN_ID)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_a_mistake_of_ours_is_logged_and_not_told(caplog: pytest.LogCaptureFixture) -> None:
    with served(create_rpc_app(Broken())) as port:
        answered = ask(port, [{**ASK, "method": "broken"}, {**ASK, "method": "\ud800"}])
        assert [told["error"]["code"] for told in answered] == [-32603, -32603]
        assert "secret" not in json.dumps(answered)
    assert "a secret of the house" in caplog.text


def test_a_slow_call_keeps_nobody_else_waiting() -> None:
    chain = Broken()
    with served(create_rpc_app(chain)) as port:
        done: list[Any] = []
        thread = threading.Thread(target=lambda: done.append(ask(port, {**ASK, "method": "slow"})["result"]))
        thread.start()
        assert chain.asked.wait(60)
        assert request(port, None, "GET")[0] == 200
        assert done == [], "the slow one is still at it"
        thread.join(60)
        assert done == ["done"]
