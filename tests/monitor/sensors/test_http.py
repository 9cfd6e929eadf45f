"""Meters over HTTP: what real ones answered, and what a device on a network may do instead."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.monitor.sensors.devices import Heard, listen

from daisee.config import read_section
from daisee.errors import SensorError
from daisee.model.readings import Reading
from daisee.monitor.sensors import Kind
from daisee.monitor.sensors.facts import gen1_status
from daisee.monitor.sensors.http import HOMEWIZARD, SHELLY, TASMOTA
from daisee.units import Joules

RECORDED = Path(__file__).parent / "recorded"
Answer = Callable[[web.Request], web.StreamResponse | Any]


def recorded(name: str) -> Any:
    return json.loads((RECORDED / f"{name}.json").read_text())


PLUG, EM3 = recorded("shelly_plug_s"), recorded("shelly_pro_3em")
OF_PLUG = {"/shelly": PLUG["shelly"], "/status": PLUG["status"]}
OF_EM3 = {"/shelly": EM3["shelly"], "/rpc/Shelly.GetStatus": EM3["status"]}
OF_P1 = {
    "/api": {"product_type": "HWE-P1", "serial": "3c39e7aabbcc", "api_version": "v1"},
    "/api/v1/data": recorded("homewizard_p1"),
}
OF_TASMOTA = {
    "/cm?cmnd=Status%205": {"StatusNET": {"Hostname": "tasmota-4520", "Mac": "5C:CF:7F:D3:A8:4C"}},
    "/cm?cmnd=Status%208": {
        "StatusSNS": {"Time": "2019-11-03T20:45:37", "ENERGY": {"Total": 3.185, "Power": 1_246, "Voltage": 227, "Current": 5.503}}
    },
}


@asynccontextmanager
async def device(answer: Any) -> AsyncIterator[str]:
    """Be a device on loopback, which answers by its path, or as a function says."""

    async def respond(request: web.Request) -> web.StreamResponse:
        if isinstance(answer, Mapping):
            said = answer.get(request.path_qs)
            return web.json_response(said) if said is not None else web.Response(status=404)
        return await answer(request)  # type: ignore[no-any-return]

    app = web.Application()
    app.router.add_get("/{path:.*}", respond)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def hear(kind: Kind, answer: Any, count: int | None = 1, ends_with: str | None = None, **more: Any) -> Heard:
    heard = Heard()

    async def story() -> None:
        async with device(answer) as address:
            settings = read_section("test", "test", {"address": address, "poll_s": 1, **more}, kind.settings)
            settings["poll_s"] = 0.02
            await listen(kind.open(**settings, clock=lambda: 1.0), heard, ends_with, count)

    asyncio.run(story())
    return heard


def test_a_plug_of_the_first_generation_counts_watt_minutes() -> None:
    assert hear(SHELLY, OF_PLUG).readings == [Reading(at_s=1.0, part="relay0", power_w=0.0, forward_j=Joules(2_632 * 60))]


def test_a_meter_of_three_phases_tells_the_whole_first() -> None:
    whole, *phases = hear(SHELLY, OF_EM3, 4).readings
    assert whole == Reading(
        at_s=1.0,
        part="em:0",
        power_w=558.965,
        forward_j=Joules(9_323_184_204),
        reverse_j=Joules(3_695_796),
        voltage_v=229.0,
    )
    assert [(each.part, each.power_w, each.forward_j) for each in phases] == [
        ("em:0a", 375.5, 7_324_620_156),
        ("em:0b", 170.8, 668_472_804),
        ("em:0c", 12.7, 1_330_091_280),
    ]


def test_the_three_phases_of_the_first_3em_are_summed_first() -> None:
    phases = [
        {"power": 1_000.5, "voltage": 231.1, "is_valid": True, "total": 100_000.0, "total_returned": 0.0},
        {"power": 700.0, "voltage": 230.0, "is_valid": True, "total": 200_000.0, "total_returned": 12.0},
        {"power": -200.0, "voltage": 229.0, "is_valid": True, "total": 300_000.0, "total_returned": 500.0},
    ]
    shelly = {"type": "SHEM-3", "mac": "C45BBE5FAA11", "auth": False, "num_emeters": 3}
    whole, *rest = hear(SHELLY, {"/shelly": shelly, "/status": {"emeters": phases}}, 4).readings
    assert whole == Reading(
        at_s=1.0, part="emeter", power_w=1_500.5, voltage_v=231.1, forward_j=Joules(2_160_000_000), reverse_j=Joules(1_843_200)
    )
    assert [(each.part, each.power_w) for each in rest] == [("emeter0", 1_000.5), ("emeter1", 700.0), ("emeter2", -200.0)]
    with pytest.raises(ValueError, match="a phase that it has not measured"):
        list(gen1_status({"emeters": [*phases[:2], {"is_valid": False}]}))
    assert [part for part, _facts in gen1_status({"emeters": phases[:2]})] == ["emeter0", "emeter1"], "no phases of one"


@pytest.mark.parametrize("status", [401, 200])
def test_a_tasmota_with_a_password_wants_it_in_the_query_and_it_is_shown_nowhere(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def answer(request: web.Request) -> web.Response:
        if (request.query.get("user"), request.query.get("password")) != ("admin", "ge&heim +%"):
            return web.json_response({"WARNING": "Need user=<username>&password=<password>"}, status=status)
        assert "Authorization" not in request.headers
        return web.json_response(OF_TASMOTA["/cm?cmnd=" + request.query["cmnd"].replace(" ", "%20")])

    caplog.set_level("DEBUG")
    assert hear(TASMOTA, answer, password="ge&heim +%").readings[0].power_w == 1_246.0
    hear(TASMOTA, answer, None, "asks for a password", password="wrong&geheim")
    hear(TASMOTA, answer, None, "asks for a password")
    with pytest.raises(SensorError) as told:
        hear(TASMOTA, {}, None, password="ge&heim +%")
    assert "heim" not in str(told.value) + caplog.text


def test_an_answer_that_is_odd_in_its_kind_is_refused_or_said() -> None:
    hear(SHELLY, {"/shelly": {"mac": "AA", "gen": [1]}}, None, "a Shelly of no generation")
    body = b'{"em:0": {"id": 0, "total_act_power": ' + b"9" * 400 + b', "a_voltage": 230}}'

    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"mac": "AA", "gen": 2}) if request.path == "/shelly" else web.Response(body=body)

    heard = hear(SHELLY, answer)
    assert heard.readings == [Reading(at_s=1.0, part="em:0", voltage_v=230.0)]
    assert heard.refused == ["a power of '99999999999999999999'"]
    water = {"product_type": "HWE-WTR", "product_name": "Watermeter", "serial": "aabbccddeeff", "api_version": "v1"}
    hear(HOMEWIZARD, {"/api": water}, None, "it is a HWE-WTR, which measures no electricity")


def test_a_p1_meter_of_homewizard_is_read() -> None:
    assert hear(HOMEWIZARD, OF_P1).readings == [
        Reading(at_s=1.0, power_w=-543.0, forward_j=Joules(49_605_616_800), reverse_j=Joules(0))
    ]
    old = {key: value for key, value in OF_P1["/api/v1/data"].items() if key not in ("total_power_import_kwh",)}
    assert hear(HOMEWIZARD, {**OF_P1, "/api/v1/data": old}).readings[0].forward_j == 49_605_616_800, "summed by tariff"


def test_a_plug_with_tasmota_is_read() -> None:
    assert hear(TASMOTA, OF_TASMOTA).readings == [
        Reading(at_s=1.0, power_w=1_246.0, forward_j=Joules(11_466_000), voltage_v=227.0)
    ]


def test_basic_and_digest_are_answered_as_they_are_asked_for() -> None:
    def basic(answers: Mapping[str, Any]) -> Answer:
        async def answer(request: web.Request) -> web.Response:
            if request.headers.get("Authorization") != "Basic YWRtaW46Z2VoZWlt":
                return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="shelly"'})
            return web.json_response(answers[request.path_qs])

        return answer

    def digest(answers: Mapping[str, Any]) -> Answer:
        async def answer(request: web.Request) -> web.Response:
            told = dict(re.findall(r'(\w+)="?([^",]+)"?', request.headers.get("Authorization", "")))
            ha1 = hashlib.sha256(b"admin:shellypro3em:geheim").hexdigest()
            ha2 = hashlib.sha256(f"GET:{told.get('uri')}".encode()).hexdigest()
            right = f"{ha1}:n0nce:{told.get('nc')}:{told.get('cnonce')}:auth:{ha2}"
            if told.get("response") != hashlib.sha256(right.encode()).hexdigest():
                asks = 'Digest qop="auth", realm="shellypro3em", nonce="n0nce", algorithm=SHA-256'
                return web.Response(status=401, headers={"WWW-Authenticate": asks})
            return web.json_response(answers[request.path_qs])

        return answer

    assert hear(SHELLY, basic(OF_PLUG), 2, password="geheim").readings[1].part == "relay0"
    assert hear(SHELLY, digest(OF_EM3), 6, password="geheim").readings[0].part == "em:0"
    for answers in (basic(OF_PLUG), digest(OF_EM3)):
        hear(SHELLY, answers, None, "asks for a password", password="wrong")
        hear(SHELLY, answers, None, "asks for a password")


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ({"/shelly": {"hello": 1}}, "does not say it is a Shelly"),
        ({}, "answers 404 to /shelly"),
        ({"/shelly": [1]}, "without a device"),
        ({"/shelly": PLUG["shelly"]}, "answers 404 to /status"),
    ],
)
def test_what_is_no_such_device_is_said_so(answers: Mapping[str, Any], why: str) -> None:
    hear(SHELLY, answers, None, why)


def test_rubbish_is_refused_and_asking_goes_on() -> None:
    bodies = [
        b"<html>",
        b"[" * 100_000,
        b'{"meters": 5}',
        b'{"meters": [5, {"power": "much"}]}',
        b'{"meters": [{"power": 9e9}]}',
        b"",
    ]

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/shelly":
            return web.json_response(PLUG["shelly"])
        return web.Response(body=bodies.pop(0)) if bodies else web.json_response(PLUG["status"])

    heard = hear(SHELLY, answer)
    assert heard.readings[0].forward_j == 2_632 * 60
    assert len(heard.refused) == 6


def test_a_flood_is_cut_off_and_a_redirection_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daisee.monitor.sensors.http.TIMEOUT_S", 1.0)

    async def flood(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(100_000):
            await response.write(b" " * 65_536)
        return response

    hear(SHELLY, flood, None, "is no JSON")

    async def away(_request: web.Request) -> web.Response:
        raise web.HTTPFound("http://127.0.0.1:9/")

    hear(SHELLY, away, None, "answers 302")

    async def slow(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.1)

    hear(SHELLY, slow, None, "is it on?")


def test_another_device_at_the_same_address_is_not_believed() -> None:
    macs = ["AABBCCDDEEFF"]

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/shelly":
            return web.json_response({**PLUG["shelly"], "mac": macs.pop() if macs else "112233445566"})
        return web.json_response(PLUG["status"])

    assert len(hear(SHELLY, answer, None, "another device answers").readings) > 10


def test_a_device_that_is_gone_is_said_so() -> None:
    with pytest.raises(SensorError, match="is it on, and its address right"):
        asyncio.run(listen(TASMOTA.open(address="127.0.0.1:9", poll_s=1.0), Heard()))


@pytest.mark.parametrize("written", ["ftp://x", "a b", "http://u:p@host", "", 5, "http://host/path"])
def test_an_address_that_is_none_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="the device's address"):
        SHELLY.settings[0].read(written)


@pytest.mark.parametrize("kind", [SHELLY, HOMEWIZARD, TASMOTA], ids=lambda kind: str(kind.name))
def test_the_simulator_is_a_device_that_the_sensor_asks(kind: Kind, simulated: Callable[..., Heard]) -> None:
    heard = simulated(kind, {"poll_s": 0.05}, 3)
    assert not heard.refused
    assert heard.readings[0].power_w == pytest.approx(heard.house.power_w(heard.readings[0].at_s), abs=5)
