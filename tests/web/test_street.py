from __future__ import annotations

import dataclasses
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import pytest
from starlette.testclient import TestClient

from daisee.web.board import StreetBoard
from daisee.web.street import create_street_app
from daisee.web.view import StreetView

Serve = Callable[..., Any]
ROUTES = ["/", "/api/street", "/api/street/history", "/healthz", "/static/street.js", "/static/street.css"]


@pytest.fixture
def client(board: StreetBoard, view: StreetView) -> Iterator[TestClient]:
    board.publish(view)
    with TestClient(create_street_app(board), base_url="http://127.0.0.1:8080") as client:
        yield client


@pytest.mark.parametrize("path", ROUTES)
def test_every_route_answers_get_and_head(client: TestClient, path: str) -> None:
    got, asked = client.get(path), client.head(path)
    assert got.status_code == asked.status_code == 200
    assert got.content
    assert not asked.content


def test_the_latest_view_is_what_was_published(client: TestClient, view: StreetView) -> None:
    told = client.get("/api/street").json()
    assert told["title"] == view.title
    assert [home["home"] for home in told["homes"]] == [home.home for home in view.homes]
    assert told["power"]["consumed_w"] == sum(home.consumption_w or 0 for home in view.homes)


def test_the_history_is_the_board_s(client: TestClient, board: StreetBoard) -> None:
    points = client.get("/api/street/history").json()["points"]
    assert [point["time"] for point in points] == [point.time.isoformat() for point in board.history()]


def test_a_street_that_has_not_begun_says_so() -> None:
    with TestClient(create_street_app(StreetBoard()), base_url="http://localhost") as client:
        assert client.get("/api/street").status_code == 503
        assert client.get("/api/street/history").json() == {"points": []}
        assert client.get("/").status_code == 200
        assert client.get("/healthz").json() == {"status": "ok"}


def test_names_and_titles_cannot_become_markup(board: StreetBoard, view: StreetView) -> None:
    evil = "</script><img src=x onerror=alert(1)>"
    homes = [dataclasses.replace(view.homes[0], home=evil)]
    board.publish(dataclasses.replace(view, title=evil, homes=homes))
    with TestClient(create_street_app(board), base_url="http://127.0.0.1") as client:
        page = client.get("/").text
    assert "<img src=x" not in page
    assert page.count("</script>") == page.count("<script")


def test_the_page_names_no_other_machine(client: TestClient) -> None:
    page = client.get("/").text
    for attribute in ("src=", "href="):
        for part in page.split(attribute)[1:]:
            assert part.startswith(('"/static/', '"/api/', '"#')), part[:60]


@pytest.mark.parametrize(
    "path", ["/docs", "/redoc", "/openapi.json", "/nothing", "/static/../street.py", "/static/%2e%2e/street.py"]
)
def test_there_is_nothing_else(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


# ---- the lock


@pytest.mark.parametrize("path", [*ROUTES, "/nothing"])
def test_every_answer_tells_the_browser_to_stay_here(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == ("no-cache" if path.startswith("/static/") else "no-store")
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
@pytest.mark.parametrize("path", ["/", "/api/street", "/api/street/live", "/static/street.js", "/nothing"])
def test_nothing_but_looking_is_allowed(client: TestClient, method: str, path: str) -> None:
    answer = client.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8080", "localhost:1", "LOCALHOST", "[::1]", "[::1]:8080"])
def test_this_machine_s_own_names_are_answered(client: TestClient, host: str) -> None:
    assert client.get("/api/street", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8080",
        "127.0.0.1.evil.example",
        "localhost.",
        "127.0.0.1:x",
        "127.0.0.1@evil.example",
        "",
        "[::1",
        "192.168.0.5",
    ],
)
@pytest.mark.parametrize("path", ["/", "/api/street", "/api/street/live", "/static/street.js"])
def test_a_borrowed_host_name_is_refused(client: TestClient, host: str, path: str) -> None:
    assert client.get(path, headers={"host": host}).status_code == 403


def test_whoever_serves_it_elsewhere_names_the_hosts(board: StreetBoard) -> None:
    app = create_street_app(board, allowed_hosts=["Street.home.arpa"])
    with TestClient(app, base_url="http://street.home.arpa:8080") as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/healthz", headers={"host": "localhost"}).status_code == 403


# ---- the stream


def listen(url: str) -> tuple[HTTPConnection, HTTPResponse]:
    connection = HTTPConnection(url.removeprefix("http://"), timeout=30)
    connection.request("GET", "/api/street/live")
    return connection, connection.getresponse()


def event(answer: HTTPResponse) -> list[str]:
    lines = iter(lambda: answer.readline().decode().rstrip("\n"), "")
    return list(lines)


def test_the_stream_begins_with_the_newest_view_and_tells_each_change(
    serve: Serve, board: StreetBoard, view_at: Callable[..., StreetView]
) -> None:
    board.publish(view_at())
    connection, answer = listen(serve().url)
    assert answer.getheader("content-type") == "text/event-stream; charset=utf-8"
    assert event(answer) == ["retry: 1000"]
    for title in ("A street that is made up", "Another"):
        name, told = event(answer)
        assert name == "event: street"
        assert json.loads(told.removeprefix("data: "))["title"] == title
        board.publish(view_at(title="Another"))
    connection.close()


def test_a_silent_stream_says_that_it_is_alive(board: StreetBoard) -> None:
    with TestClient(create_street_app(board, heartbeat_s=0.01), base_url="http://127.0.0.1") as client:
        closing = threading.Timer(0.3, board.close)
        closing.start()
        told = client.get("/api/street/live").text
        closing.join()
    assert ": still here\n\n" in told


def test_the_server_stops_at_once_with_pages_open(serve: Serve, board: StreetBoard, view: StreetView) -> None:
    board.publish(view)
    served = serve()
    streams = [listen(served.url) for _ in range(3)]
    for _, answer in streams:
        assert [event(answer)[0] for _ in range(2)] == ["retry: 1000", "event: street"]
    board.close()
    assert served.stop() < 1
    for connection, answer in streams:
        assert answer.read() == b""  # ended as it should, not torn
        connection.close()


def test_a_page_that_goes_away_is_forgotten(serve: Serve, board: StreetBoard, view: StreetView) -> None:
    board.publish(view)
    connection, answer = listen(serve().url)
    assert [event(answer)[0] for _ in range(2)] == ["retry: 1000", "event: street"]
    assert board.readers == 1
    answer.close()
    connection.close()
    patience = time.monotonic() + 30
    while board.readers and time.monotonic() < patience:
        time.sleep(0.01)
    assert board.readers == 0
