"""A client of 2017 asks a monitor of today, and gets the answers it knows."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.monitor.api.conftest import DAY_S, HOME, T0, Asked, monitor_of

from daisee.model.readings import Reading
from daisee.monitor.api import create_monitor_app
from daisee.monitor.rates import Rates
from daisee.monitor.running import Monitor
from daisee.monitor.tokens import Tokens

RATES = Rates("Day and night", Decimal("0.25"), Decimal("0.15"), 22 * 3_600, 6 * 3_600)
HEADERS = {"Content-Type": "application/json", "Authorization": ""}


@pytest.fixture
def old(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Asked:
    monkeypatch.setattr(Monitor, "rates_on", lambda _monitor, _day: RATES)
    day: Asked = request.getfixturevalue("day")
    return day


def ask(asked: Asked, path: str, password: str | None = None, status: int = 200) -> Any:
    """As the clients did: a form, under a header that says JSON."""
    answer = asked.client.post(path, content=f"login=me&password={password or asked.read}", headers=HEADERS)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.headers["content-type"] == "application/json" else answer.text


def test_a_client_of_2017_finds_its_sensors_and_the_time(old: Asked) -> None:
    sensors = ask(old, "/api/sensors")["data"]
    assert [(each["id"], each["name"], each["type"]) for each in sensors] == [
        (1, "meter", "p1"), (2, "roof", "push"), (3, "fridge", "push"),
    ]  # fmt: skip
    assert ask(old, "/api/sensors/2")["data"] == sensors[1]
    assert ask(old, "/api/sensors/9")["data"] is None
    types = {each["id"]: each["name"] for each in ask(old, "/api/types")["data"]}
    assert types[sensors[0]["type_id"]] == "p1"
    assert isinstance(ask(old, "/api/time")["data"], float)


def test_the_last_measure_is_minus_one_and_the_first_is_one(old: Asked) -> None:
    last = ask(old, "/api/1/get/watts/by_id/-1")
    assert last["data"] == {"id": 8282, "sensor_id": 1, "value": 1_000.0, "timestamp": T0 + DAY_S, "night_rate": 1}
    assert last["rate"] in ("day", "night")
    assert ask(old, "/api/1/get/watts/by_id/1")["data"]["timestamp"] == T0
    assert ask(old, "/api/1/get/watts/by_id/1.0")["data"]["timestamp"] == T0
    assert ask(old, "/api/1/get/watts/by_id/9999")["data"] is None
    assert ask(old, "/api/7/get/watts/by_id/-1")["data"] is None


def test_numbers_stay_when_readings_are_written_down_and_more_come(old: Asked) -> None:
    before = ask(old, "/api/1/get/watts/by_id/-3/-1")["data"]
    old.monitor.store.flush()
    assert ask(old, "/api/1/get/watts/by_id/-3/-1")["data"] == before
    old.monitor.collector.take("meter", [Reading(at_s=T0 + DAY_S + at, power_w=1.0) for at in range(10, 2_000, 10)])
    old.monitor.store.flush()
    assert ask(old, f"/api/1/get/watts/by_id/{before[0]['id']}/{before[-1]['id'] + 1}")["data"] == before
    ids = [each["id"] for each in ask(old, "/api/1/get/watts/by_id/8200/8481")["data"]]
    assert ids == list(range(8200, 8481))


def test_measures_energy_and_cost_by_number(old: Asked) -> None:
    assert [each["id"] for each in ask(old, "/api/1/get/watts/by_id/10/14")["data"]] == [10, 11, 12, 13]
    assert [each["id"] for each in ask(old, "/api/1/get/watts/by_id/-4/-1")["data"]] == [8279, 8280, 8281]
    # 361 measures are an hour of 1 kW, at night.
    energy = ask(old, "/api/1/get/kwatthours/by_id/1/362")["data"]
    assert energy == {"value": pytest.approx(1.0), "day_rate": 0.0, "night_rate": pytest.approx(1.0)}
    assert ask(old, "/api/1/get/euros/by_id/1/362")["data"] == {"value": pytest.approx(0.15)}
    groups = ask(old, "/api/1/get/watts/by_id/8181/8481/100")["data"]
    assert groups[0]["value"] == pytest.approx(1_000.0)
    assert groups[2] is None, "an empty group"


def test_energy_and_power_by_time_with_day_and_night(old: Asked) -> None:
    energy = ask(old, f"/api/1/get/kwatthours/by_time/{T0}/{T0 + DAY_S}")["data"]
    assert energy == {"value": pytest.approx(24.0), "day_rate": pytest.approx(16.0), "night_rate": pytest.approx(8.0)}
    assert ask(old, f"/api/1/get/euros/by_time/{T0}/{T0 + DAY_S}")["data"]["value"] == pytest.approx(16 * 0.25 + 8 * 0.15)
    hours = ask(old, f"/api/2/get/kwatthours/by_time/{T0 + 11 * 3_600}/{T0 + 14 * 3_600}/3600")["data"]
    assert [each and each["value"] for each in hours] == [pytest.approx(0.5), None, pytest.approx(0.5)], "nothing is bridged"
    minutes = ask(old, f"/api/1/get/watts/by_time/{T0 + 60}/{T0 + 600}/60")["data"]
    assert [each["value"] for each in minutes] == [pytest.approx(1_000.0)] * 9
    odd = ask(old, f"/api/1/get/kwatthours/by_time/{T0 + 7}/{T0 + 1_007}/333")["data"]
    assert sum(each["value"] for each in odd) == pytest.approx(1_000 / 3_600)
    assert len(ask(old, f"/api/1/get/watts/by_time/{T0}/{T0 + 100}")["data"]) == 10
    assert ask(old, f"/api/1/get/watts/by_time/{T0 + 20}")["data"]["id"] == 3
    assert ask(old, f"/api/1/get/watts/by_time/{T0 + 12 * 3_600 + 60}")["data"] is None


def test_energy_of_old_days_comes_from_slots_when_readings_are_gone(old: Asked) -> None:
    old.monitor.store.flush()
    assert old.monitor.store.drop_readings(T0 + 6 * 3_600 + 1_800) == 48
    energy = ask(old, f"/api/1/get/kwatthours/by_time/{T0 + 450}/{T0 + DAY_S}")["data"]
    assert energy["value"] == pytest.approx(24.0 - 0.125)
    assert ask(old, "/api/1/get/watts/by_id/1")["data"] is None
    assert ask(old, "/api/1/get/watts/by_id/2161")["data"]["timestamp"] == T0 + 6 * 3_600


@pytest.mark.parametrize(("first", "step"), [(1, 15), (4_301, 7), (4_301, 1)])
def test_groups_by_number_add_up_to_the_whole_across_an_outage_too(old: Asked, first: int, step: int) -> None:
    for what in ("kwatthours", "euros"):
        whole = ask(old, f"/api/1/get/{what}/by_id/{first}/{first + 150}")["data"]
        groups = ask(old, f"/api/1/get/{what}/by_id/{first}/{first + 150}/{step}")["data"]
        assert len(groups) == -(-150 // step)
        for name, value in whole.items():
            assert sum(each[name] for each in groups if each) == pytest.approx(value, abs=1e-9)
    powers = ask(old, f"/api/1/get/watts/by_id/1/151/{step}")["data"]
    assert [each["value"] for each in powers] == [pytest.approx(1_000.0)] * len(powers)


def test_yesterdays_euros_are_those_of_yesterdays_price(tmp_path: Path) -> None:
    text = HOME + "".join(
        f"""[[monitor.tariffs]]
        name = "{name}"
        valid_from = 2026-{since}
        valid_to = 2026-{until}
        price = {price}
        """
        for name, since, until, price in (("old", "01-01", "10-01", "0.10"), ("new", "10-02", "12-31", "0.30"))
    )
    for monitor in monitor_of(tmp_path, text, T0 + 2 * DAY_S):
        for at_s in range(0, 2 * DAY_S + 1, 60):
            monitor.collector.take("meter", [Reading(at_s=T0 + at_s, power_w=1_000.0)])
        old = Asked(monitor)
        days = ask(old, f"/api/1/get/euros/by_time/{T0}/{T0 + 2 * DAY_S}/{DAY_S}")["data"]
        assert days == [{"value": 2.4}, {"value": 7.2}]
        assert ask(old, f"/api/1/get/euros/by_time/{T0}/{T0 + 2 * DAY_S}")["data"] == {"value": 9.6}
        end = 1 + DAY_S // 60 + 60
        assert ask(old, f"/api/1/get/euros/by_id/{end - 120}/{end + 1}")["data"] == {"value": 0.4}


def test_prices(old: Asked) -> None:
    (provider,) = ask(old, "/api/energy_providers")["data"]
    assert (provider["day_slope_watt_euros"], provider["start_night_rate"], provider["end_night_rate"]) == (
        0.25,
        "22:00",
        "06:00",
    )
    assert ask(old, "/api/energy_providers/current")["data"] == ask(old, "/api/energy_providers/1")["data"] == provider
    assert ask(old, "/api/energy_providers/2")["data"] is None
    assert ask(old, "/api/current/watt_to_euros/night/10")["data"] == pytest.approx(1.5)
    assert ask(old, "/api/1/watt_to_euros/day/2.5")["data"] == pytest.approx(0.625)


@pytest.mark.parametrize(
    "path",
    [
        "/api/1/get/watts/by_id/5/2", "/api/1/get/watts/by_id/-1/5", "/api/1/get/watts/by_id/x",
        "/api/1/get/watts/by_id/1/5/0", "/api/current/watt_to_euros/noon/1",
        "/api/1/get/volts/by_id/1/5", "/api/1/get/watts/by_time/9/2", "/api/1/get/watts/by_time/-9/2",
        "/api/1/get/watts/by_time/nan/2",
        "/api/1/get/watts/by_time/1/2/-1", "/api/1.5/get/watts/by_id/1", "/api/1/get/watts/by_id/1e99",
    ],
)  # fmt: skip
def test_bad_ranges_are_400(path: str, old: Asked) -> None:
    ask(old, path, status=400)


def test_too_many_are_refused_in_the_words_of_2017(old: Asked) -> None:
    told = ask(old, "/api/1/get/watts/by_id/1/502", status=403)
    assert told == "Too many values to return. (Maximum is set to 500)"
    assert len(ask(old, "/api/1/get/watts/by_id/1/501")["data"]) == 500


def test_a_wrong_password_is_forbidden_in_the_words_of_2017(old: Asked) -> None:
    assert ask(old, "/api/sensors", password="wrong", status=403) == "Access forbidden"
    assert ask(old, "/api/sensors", password=old.push, status=403) == "Access forbidden"
    for body in ("", "password=x", json.dumps({"login": "me", "password": old.read}), "login=me&password=" + "x" * 10_000):
        answer = old.client.post("/api/sensors", content=body, headers=HEADERS)
        assert (answer.status_code, answer.text) == (403, "Access forbidden")


def test_the_old_login_is_off_unless_it_is_switched_on(tmp_path: Path) -> None:
    for monitor in monitor_of(tmp_path, HOME.replace("old_login = true", "")):
        client = TestClient(create_monitor_app(monitor), base_url="http://127.0.0.1")
        token = Tokens(monitor.store).make("x", ["read"])
        assert client.post("/api/sensors", content=f"login=x&password={token}").status_code == 403
        assert client.get("/api/sensors", headers={"Authorization": f"Bearer {token}"}).status_code == 200


def test_a_night_within_a_day_and_one_over_midnight(old: Asked) -> None:
    zone = old.monitor.settings.zone
    within = replace(RATES, night_from_s=3_600, night_to_s=7_200)
    assert [within.is_night(T0 + hour * 3_600, zone) for hour in (0, 1, 2)] == [False, True, False]
    assert [RATES.is_night(T0 + hour * 3_600, zone) for hour in (0, 5, 6, 21, 22)] == [True, True, False, False, True]
