"""What a home tells by MQTT, heard at a real broker as Home Assistant hears it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import aiomqtt
import pytest
from tests.monitor import mosquitto

from daisee.config import read_section
from daisee.errors import ConfigurationError, SensorError
from daisee.model.home import Live, Role
from daisee.monitor.announce import SETTINGS, Announcer, entities, slug, state_of
from daisee.monitor.store import Meter, MeterSlot, Slot
from daisee.units import Watts

METERS = [
    Meter("meter", Role.GRID),
    Meter("roof", Role.PRODUCTION),
    Meter("store", Role.BATTERY),
    Meter("Heat pump", Role.SUB_LOAD),
]
KWH = 3_600_000
STATE = state_of(
    Live(at_s=0, consumption_w=Watts(412.4), grid_power_w=-88.0, state_of_charge=0.5),
    Slot(0, consumed_j=2 * KWH, produced_j=3 * KWH, imported_j=KWH, exported_j=KWH // 2),
    {"meter": MeterSlot(0), "roof": MeterSlot(0), "store": MeterSlot(0, 5 * KWH, 4 * KWH), "Heat pump": MeterSlot(0, KWH)},
    METERS,
)
pytestmark = pytest.mark.mosquitto


def settings(port: int, **more: Any) -> Mapping[str, Any]:
    return read_section("daisee.toml", "monitor.mqtt", {"port": port, "every_s": 1, **more}, SETTINGS)


async def gather(port: int, enough: int, seconds: float = 40) -> dict[str, Any]:
    """Come to the broker later than all was told, and answer what it kept."""
    found: dict[str, Any] = {}
    async with aiomqtt.Client("127.0.0.1", port) as client:
        await client.subscribe("#")
        async with asyncio.timeout(seconds):
            async for message in client.messages:
                text = bytes(message.payload).decode()
                found[str(message.topic)] = json.loads(text) if text.startswith("{") else text
                if len(found) >= enough:
                    return found
    raise AssertionError(f"only {sorted(found)}")


def test_home_assistant_finds_the_home_and_its_energy_dashboard_can_use_it(mosquitto_path: str) -> None:
    async def story() -> dict[str, Any]:
        with mosquitto.broker(mosquitto_path) as broker:
            announcer = Announcer(settings(broker.port), "Maison B", METERS, lambda: STATE)
            task = asyncio.create_task(announcer.announce())
            await asyncio.sleep(1)
            found = await gather(broker.port, len(announcer.configurations()) + 2)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            gone = await gather(broker.port, len(found))
        assert (found["daisee/maison_b/availability"], gone["daisee/maison_b/availability"]) == ("online", "offline")
        return found

    found = asyncio.run(story())
    state = found["daisee/maison_b/state"]
    told = {topic: said for topic, said in found.items() if topic.startswith("homeassistant/sensor/")}
    assert len({said["unique_id"] for said in told.values()}) == len(told) == len(entities(METERS))
    for said in told.values():
        key = said["value_template"].removeprefix("{{ value_json.").removesuffix(" }}")
        assert key in state
        assert said["state_topic"] == "daisee/maison_b/state"
        assert said["availability_topic"] == "daisee/maison_b/availability"
        # What the energy dashboard asks for: https://www.home-assistant.io/docs/energy/faq/
        expected = {"energy": ("total_increasing", "kWh"), "power": ("measurement", "W"), "battery": ("measurement", "%")}
        assert (said["state_class"], said["unit_of_measurement"]) == expected[said["device_class"]]
    assert (state["consumption_w"], state["grid_w"], state["battery_w"], state["state_of_charge"]) == (412, -88, None, 50.0)
    energies = {key: state[key] for key in state if key.endswith("_kwh")}
    assert energies == {
        "consumed_kwh": 2.0, "produced_kwh": 3.0, "imported_kwh": 1.0, "exported_kwh": 0.5, "charged_kwh": 5.0,
        "discharged_kwh": 4.0, "sub_heat_pump_kwh": 1.0,
    }  # fmt: skip


def test_who_is_cut_off_is_said_to_be_away_by_the_broker(mosquitto_path: str) -> None:
    async def story() -> str:
        with mosquitto.broker(mosquitto_path) as broker:
            announcer = Announcer(settings(broker.port), "b", METERS, lambda: STATE)
            async with announcer._connected() as client:
                await announcer._introduce(client)
                await client.publish(announcer.availability_topic, "online", qos=1, retain=True)
                client._client._sock_close()  # as a pulled plug does: no goodbye
                await asyncio.sleep(1)
                found = await gather(broker.port, len(announcer.configurations()) + 1)
        return str(found[announcer.availability_topic])

    assert asyncio.run(story()) == "offline"


def test_a_broker_that_goes_and_comes_back_is_said_once_each_and_told_all_again(
    mosquitto_path: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> dict[str, Any]:
        with mosquitto.broker(mosquitto_path) as broker:
            port = broker.port
            announcer = Announcer(settings(port), "b", METERS, lambda: STATE)
            task = asyncio.create_task(announcer.announce())
            await gather(port, 3)
        await asyncio.sleep(3.5)
        with mosquitto.broker(mosquitto_path, port):
            found = await gather(port, len(announcer.configurations()) + 2, seconds=40)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return found

    assert asyncio.run(story())["daisee/b/state"]["consumed_kwh"] == 2.0
    told = [record.message for record in caplog.records if "broker" in record.message]
    assert [("is tried again" in line, "is back" in line) for line in told] == [(True, False), (False, True)]


def test_a_broker_that_does_not_let_us_in_is_said(mosquitto_path: str) -> None:
    with mosquitto.broker(mosquitto_path) as broker:
        wrong = settings(broker.port, user=mosquitto.USER, password="another")
        with pytest.raises(SensorError, match="user and password fit"):
            asyncio.run(Announcer(wrong, "b", METERS, dict).try_once())
        asyncio.run(
            Announcer(settings(broker.port, user=mosquitto.USER, password=mosquitto.PASSWORD), "b", METERS, dict).try_once()
        )


@pytest.mark.parametrize("topic", ["a/#", "+", "", "a b", "/a"])
def test_a_topic_that_cannot_be_is_refused(topic: str) -> None:
    with pytest.raises(ConfigurationError, match=r"monitor\.mqtt\.topic"):
        settings(1883, topic=topic)


def test_names_stay_apart_and_no_sub_load_stands_for_the_home() -> None:
    assert len({slug(name) for name in ("東京", "大阪", "Küche", "K che", "Kuche")}) == 5
    assert slug("Heat pump") == "heat_pump"
    meters = [Meter("load", Role.LOAD), Meter("Consumed", Role.SUB_LOAD)]
    found = state_of(None, Slot(0, consumed_j=100 * KWH), {"Consumed": MeterSlot(0, 2 * KWH)}, meters)
    assert (found["consumed_kwh"], found["sub_consumed_kwh"]) == (100.0, 2.0)
    assert len({entity.key for entity in entities(meters)}) == len(entities(meters))
