"""The monitor's own API: who may ask, and what it answers."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from tests.monitor.api.conftest import DAY_S, HOME, T0, Asked, monitor_of

from daisee.errors import StoreError
from daisee.model.readings import Reading
from daisee.monitor.api.gate import Gate
from daisee.monitor.api.home import Facts, _stream
from daisee.monitor.store import total
from daisee.monitor.tokens import Tokens

PATHS = [
    "/api/v1/home", "/api/v1/meters", "/api/v1/readings?meter=meter", "/api/v1/slots", "/api/v1/energy", "/api/v1/live",
    "/metrics", "/api/sensors", "/api/types", "/api/time", "/api/1/get/watts/by_id/-1", "/api/energy_providers",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_told_without_a_token_or_with_one_for_something_else(path: str, asked: Asked) -> None:
    for wrong in ({"Authorization": ""}, {"Authorization": "Bearer daisee_x"}, {"Authorization": f"Basic {asked.read}"}):
        answer = asked.client.get(path, headers=wrong)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="daisee"')
    assert asked.client.get(path, headers={"Authorization": f"Bearer {asked.push}"}).status_code == 403
    assert (
        asked.client.get(f"{path}{'&' if '?' in path else '?'}token={asked.read}", headers={"Authorization": ""}).status_code
        == 401
    )


def test_a_revoked_token_is_worth_nothing(asked: Asked) -> None:
    assert asked.client.get("/api/v1/home").status_code == 200
    Tokens(asked.monitor.store).revoke("reads")
    assert asked.client.get("/api/v1/home").status_code == 401


def test_the_token_itself_is_not_in_the_database(asked: Asked, tmp_path: Path) -> None:
    asked.monitor.store.flush()
    assert asked.read.encode() not in b"".join(file.read_bytes() for file in tmp_path.glob("daisee.sqlite*"))


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8080", 200), ("localhost", 200), ("192.168.1.5:8080", 200), ("[::1]:8080", 200), ("energy.example", 200),
        ("evil.example", 421), ("", 421), ("a b", 421), ("127.0.0.1.evil.example", 421),
    ],
)  # fmt: skip
def test_only_its_own_names_are_answered(host: str, status: int, asked: Asked) -> None:
    assert asked.client.get("/api/v1/home", headers={"Host": host}).status_code == status


def test_the_home_of_now_and_its_meters(day: Asked) -> None:
    home = day.client.get("/api/v1/home").json()
    assert (home["home"], home["zone"], home["at"]) == ("b", "Europe/Paris", T0 + DAY_S)
    assert (home["consumption_w"], home["production_w"], home["grid_w"], home["battery_w"]) == (1_500, 500, 1_000, None)
    meters = {meter["name"]: meter for meter in home["meters"]}
    assert meters["meter"]["forward_j"] == 5_000_000 + DAY_S * 1_000
    assert (meters["fridge"]["at"], meters["fridge"]["role"], meters["fridge"]["wrong"]) == (None, "sub-load", None)


def test_energy_by_day_is_what_the_slots_say_and_a_gap_is_time_not_measured(day: Asked) -> None:
    (told,) = day.client.get("/api/v1/energy?by=day&from=2026-10-01&to=2026-10-02").json()
    assert (told["period"], told["start"], told["end"]) == ("2026-10-01", T0, T0 + DAY_S)
    # The counter knows of the hour; the roof's power does not.
    assert told["imported_j"] == DAY_S * 1_000
    assert told["produced_j"] == 23 * 3_600 * 500
    assert told["consumed_j"] == told["imported_j"] + told["produced_j"]
    assert told["covered_s"] == pytest.approx(23 * 3_600)
    (month,) = day.client.get("/api/v1/energy?by=month&from=2026-10-01&to=2026-10-02").json()
    assert (month["period"], month["consumed_j"], month["end"] - month["start"]) == (
        "2026-10",
        told["consumed_j"],
        31 * DAY_S + 3_600,
    )
    meter = day.client.get("/api/v1/energy?by=week&from=2026-10-01&to=2026-10-02&meter=roof").json()
    assert [(each["period"], each["forward_j"]) for each in meter] == [("2026-W40", told["produced_j"])]


def test_energy_is_the_same_whether_it_is_written_down_or_waits(day: Asked) -> None:
    path = "/api/v1/energy?by=day&from=2026-09-30&to=2026-10-03"
    waiting = day.client.get(path).json()
    day.monitor.store.flush()
    assert day.client.get(path).json() == waiting
    store = day.monitor.store
    assert sum(each["consumed_j"] for each in waiting) == total(store.slots()).consumed_j == store.totals().consumed_j


def test_a_tag_spares_who_knows_the_answer_already(day: Asked) -> None:
    path = "/api/v1/energy?from=2026-10-01&to=2026-10-02"
    tag = day.client.get(path).headers["ETag"]
    again = day.client.get(path, headers={"If-None-Match": f'"x", W/{tag}'})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    assert day.client.get(path, headers={"If-None-Match": '"x"'}).status_code == 200


def test_readings_come_page_by_page_and_each_once(day: Asked) -> None:
    found: list[dict[str, Any]] = []
    from_: float | None = T0
    while from_ is not None:
        page = day.client.get(f"/api/v1/readings?meter=meter&from={from_}&to={T0 + 7_200}&limit=300").json()
        found += page["readings"]
        from_ = page["next"]
    assert [each["at"] for each in found] == [T0 + at for at in range(0, 7_200, 10)]
    assert [each["id"] for each in found] == list(range(1, 721))
    assert found[0]["voltage_v"] == 230.0


def test_slots_of_the_home_and_of_a_meter(day: Asked) -> None:
    slots = day.client.get(f"/api/v1/slots?from={T0 + 11 * 3_600}&to={T0 + 14 * 3_600}").json()
    assert [slot["covered_s"] for slot in slots] == [900.0] * 4 + [0.0] * 4 + [900.0] * 4
    assert slots[0]["consumed_j"] == 1_350_000
    assert [slot["quality"] for slot in slots] == [0] * 4 + [1] * 4 + [0] * 4
    meter = day.client.get(f"/api/v1/slots?from={T0}&to={T0 + 900}&meter=meter").json()
    assert meter == [
        {"start": T0, "forward_j": 900_000, "reverse_j": 0, "covered_s": 900.0, "min_w": 1_000.0, "max_w": 1_000.0, "quality": 0}
    ]


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/api/v1/energy?from=yesterday", 400, "write it like"),
        ("/api/v1/energy?from=2026-10-02&to=2026-10-01", 400, "before"),
        ("/api/v1/energy?from=1970-01-02&to=2900-01-01", 400, "ask for less"),
        ("/api/v1/energy?from=9e99", 400, "1970 to 3000"),
        ("/api/v1/energy?from=nan", 400, "1970 to 3000"),
        ("/api/v1/slots?from=1970-01-01&to=2026-01-01", 400, "ask for less"),
        ("/api/v1/readings?meter=frige", 404, "did you mean fridge"),
        ("/api/v1/energy?by=decade", 422, "day"),
        ("/api/v1/readings?meter=meter&limit=0", 422, "greater"),
    ],
)
def test_what_makes_no_sense_is_said(path: str, status: int, words: str, asked: Asked) -> None:
    answer = asked.client.get(path)
    assert (answer.status_code, words in answer.text) == (status, True), answer.text


def test_pushed_readings_count_once_and_are_on_the_disk_when_acknowledged(asked: Asked, tmp_path: Path) -> None:
    body = {"meter": "roof", "readings": [{"at": T0 + at, "power_w": 600} for at in range(0, 600, 10)]}
    assert asked.pushes(body).json() == {"taken": 60, "known": 0, "refused": []}
    with closing(sqlite3.connect(tmp_path / "daisee.sqlite")) as other:
        assert other.execute("SELECT sum(count) FROM readings").fetchone() == (60,)
    assert asked.pushes(body).json() == {"taken": 0, "known": 60, "refused": []}
    assert asked.monitor.store.meter_totals()["roof"].forward_j == 590 * 600


def test_a_counter_and_old_readings_are_filled_in(asked: Asked) -> None:
    said = [("2026-10-01T12:00:00+02:00", 5_000.0), ("2026-10-01T10:30:00Z", 5_500.0), ("2026-10-01T12:15:00+02:00", 5_250.0)]
    body = {"meter": "fridge", "readings": [{"at": at, "forward_wh": counter} for at, counter in said]}
    assert asked.pushes(body).json()["taken"] == 3
    assert asked.monitor.store.meter_totals()["fridge"].forward_j == 500 * 3_600
    late = {"meter": "fridge", "readings": [{"at": "2026-10-01T09:45:00Z", "forward_wh": 4_900.0}]}
    assert asked.pushes(late).json()["taken"] == 1
    assert asked.monitor.store.meter_totals()["fridge"].forward_j == 600 * 3_600


def test_what_cannot_be_is_refused_by_its_place_and_the_rest_is_taken(asked: Asked) -> None:
    readings = [
        {"at": T0, "power_w": 1}, {"at": "2026-10-01T12:00:00", "power_w": 1}, {"at": 4e9, "power_w": 1}, {"at": T0 + 1},
        {"at": T0 + 2, "power_w": 9e9}, {"at": 5.0, "power_w": 1}, {"at": T0 + 3, "power_w": 2},
    ]  # fmt: skip
    told = asked.pushes({"meter": "roof", "readings": readings}).json()
    assert (told["taken"], told["known"], [each["index"] for each in told["refused"]]) == (2, 0, [1, 2, 3, 4, 5])
    assert "names no zone" in told["refused"][0]["why"]
    assert "future" in told["refused"][1]["why"]
    before = asked.pushes({"meter": "roof", "readings": [{"at": -5, "power_w": 1}]}).json()["refused"]
    assert "older than" in before[0]["why"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"meter": "rof", "readings": [{"at": T0, "power_w": 1}]}, 404),
        ({"meter": "roof", "readings": []}, 422),
        ({"meter": "roof", "readings": [{"at": T0, "power": 1}]}, 422),
        ({"meter": "roof", "readings": [{"at": T0, "power_w": "nan"}]}, 422),
        ({"meter": "roof", "readings": [{"at": T0, "forward_wh": -1}]}, 422),
        ({"meter": "roof", "readings": [{"at": T0, "power_w": True}]}, 422),
        ({"meter": "roof", "readings": [{"at": True, "power_w": 1}]}, 422),
        ({"meter": "roof", "readings": [{"at": T0, "forward_wh": 5, "forward_j": 90_000}]}, 422),
        ({"meter": "roof", "readings": [{"at": T0, "forward_wh": 5, "forward_j": 18_100}]}, 200),
        ([], 422),
    ],
)
def test_a_push_that_makes_no_sense_is_refused_whole(body: Any, status: int, asked: Asked) -> None:
    assert asked.pushes(body).status_code == status


def test_a_push_token_writes_to_no_meter_that_has_a_sensor_of_its_own(asked: Asked) -> None:
    answer = asked.pushes({"meter": "meter", "readings": [{"at": T0, "power_w": 1}]})
    assert (answer.status_code, "a sensor of its own (p1)" in answer.text) == (403, True)
    assert asked.monitor.collector.taken["meter"] == 0


def test_who_may_read_may_not_push(asked: Asked) -> None:
    assert asked.pushes({"meter": "roof", "readings": [{"at": T0, "power_w": 1}]}, asked.read).status_code == 403


def test_a_push_that_cannot_be_written_is_not_acknowledged(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    body = {"meter": "roof", "readings": [{"at": T0, "power_w": 1}, {"at": T0 + 10, "power_w": 1}]}
    with monkeypatch.context() as broken:

        def fails() -> None:
            raise StoreError("the disk is full")

        broken.setattr(asked.monitor.store, "flush", fails)
        answer = asked.pushes(body)
        assert (answer.status_code, answer.headers["Retry-After"], "disk is full" in answer.text) == (503, "60", True)
    assert asked.pushes(body).json() == {"taken": 0, "known": 2, "refused": []}


def test_many_may_push_and_ask_at_once(asked: Asked) -> None:
    def push(number: int) -> int:
        readings = [{"at": T0 + 10 * at, "power_w": 100} for at in range(number, 400, 8)]
        asked.client.get("/api/v1/energy?by=day")
        return int(asked.pushes({"meter": "roof", "readings": readings}).json()["taken"])

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(push, range(8))) == 400
    assert asked.monitor.store.meter_totals()["roof"].forward_j == 3_990 * 100


def test_the_live_stream_tells_the_home_at_once_and_when_it_changes(day: Asked) -> None:
    async def story() -> list[dict[str, Any]]:
        stream = _stream(Facts(day.monitor), lambda: True)
        first = await anext(stream)
        day.monitor.collector.take("meter", [Reading(at_s=T0 + DAY_S + 10, power_w=250.0)])
        second = await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]
        return [json.loads(each.partition("data: ")[2]) for each in (first, second)]

    first, second = asyncio.run(story())
    assert (first["grid_w"], second["grid_w"]) == (1_000, 250)


def test_a_live_stream_ends_with_its_token_and_with_the_monitor(day: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daisee.monitor.api.home.CHECK_S", -1.0)
    gate, headers = Gate(day.monitor), [(b"authorization", f"Bearer {day.read}".encode())]
    request = Request({"type": "http", "headers": headers})

    async def told(end: Callable[[], None]) -> int:
        stream = _stream(Facts(day.monitor), partial(gate.still_reads, request))
        assert "event: home" in await anext(stream)
        end()
        return len([each async for each in stream])

    async def story() -> None:
        assert await asyncio.wait_for(told(lambda: Tokens(day.monitor.store).revoke("reads")), 5) == 0
        monkeypatch.setattr(gate, "still_reads", lambda _request: True)
        assert await asyncio.wait_for(told(day.monitor.over.set), 0.9) == 0

    asyncio.run(story())


def test_prometheus_can_read_it(day: Asked) -> None:
    text = day.client.get("/metrics").text
    assert 'daisee_power_watts{meter="meter",role="grid"} 1000.0' in text
    assert 'daisee_energy_joules_total{direction="forward",meter="meter",role="grid"} 8.64e+07' in text
    assert 'daisee_readings_total{meter="roof",outcome="taken"} 8282.0' in text
    assert 'daisee_counter_resets_total{meter="meter"} 0.0' in text
    assert "daisee_store_stuck 0.0" in text


def test_what_can_be_asked_is_written_down_and_the_page_of_it_loads_nothing_from_elsewhere(asked: Asked) -> None:
    document = asked.client.get("/openapi.json", headers={"Authorization": ""}).json()
    assert {"/api/v1/home", "/api/v1/energy", "/api/readings", "/api/{sensor}/get/{what}/by_time/{one}/{two}"} <= document[
        "paths"
    ].keys()
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert document["security"] == [{"token": []}]
    refusals = {
        (path, method): (operation.get("security"), {int(status) for status in operation["responses"]} - {200, 422})
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    assert refusals["/healthz", "get"] == ([], {421})
    assert refusals["/api/v1/home", "get"] == (None, {401, 403, 421, 503})
    assert refusals["/api/v1/readings", "get"] == (None, {400, 401, 403, 404, 421, 503})
    assert refusals["/api/readings", "post"] == (None, {401, 403, 404, 413, 421, 503})
    assert refusals["/api/sensors/{sensor}", "get"] == (None, {400, 401, 403, 421, 503})
    assert refusals["/api/sensors/{sensor}", "post"] == ([], {400, 403, 413, 421, 503})
    page = asked.client.get("/docs").text
    assert not re.search(r"(src|href)=\"https?:", page)
    assert "/api/v1/energy" in page


def test_a_year_of_days_has_its_short_and_its_long_day(tmp_path: Path) -> None:
    for monitor in monitor_of(tmp_path, HOME):
        days = Facts(monitor).energy("day", T0 - 200 * DAY_S, T0 + 100 * DAY_S, None)  # type: ignore[arg-type]
        hours = {each["period"]: (each["end"] - each["start"]) / 3_600 for each in days}
        assert (hours["2026-03-29"], hours["2026-10-25"], hours["2026-10-24"]) == (23, 25, 24)
        assert len(hours) == len(days)


def test_a_body_that_would_fill_the_memory_is_refused_and_one_that_goes_too_deep(asked: Asked) -> None:
    headers = {"Authorization": f"Bearer {asked.push}", "Content-Type": "application/json"}
    long = asked.client.post("/api/readings", content=b" " * 2_000_001, headers=headers)
    assert (long.status_code, "send less" in long.text) == (413, True)
    for deep in (b"[" * 100_000, b'{"meter":' * 50_000, b'{"meter": "roof", "readings": ' + b"[" * 100_000):
        assert asked.client.post("/api/readings", content=deep, headers=headers).status_code in (400, 422)
    assert asked.pushes({"meter": "roof", "readings": [{"at": T0, "power_w": 1}]}).status_code == 200


def test_a_token_of_one_home_opens_no_other_in_the_same_database(asked: Asked, tmp_path: Path) -> None:
    other = HOME.replace('home = "b"', 'home = "c"\nstore = "daisee.sqlite"')
    for monitor in monitor_of(tmp_path, other):
        assert monitor.store.database.name == asked.monitor.store.database.name
        theirs = Asked(monitor)
        assert theirs.client.get("/api/v1/home").json()["home"] == "c"
        assert theirs.client.get("/api/v1/home", headers={"Authorization": f"Bearer {asked.read}"}).status_code == 401
        assert asked.client.get("/api/v1/home", headers={"Authorization": f"Bearer {theirs.read}"}).status_code == 401
