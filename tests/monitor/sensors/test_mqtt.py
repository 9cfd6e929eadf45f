"""MQTT: messages as the makers' documents have them, and a real broker that keeps, floods, refuses and ends.

The messages are of Tasmota's documentation, of Shelly's API references and of Zigbee2MQTT's pages; the values are theirs.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.monitor import mosquitto
from tests.monitor.sensors.devices import Heard, listen

from daisee.config import read_section
from daisee.errors import SensorError, UsageError
from daisee.model.readings import Reading
from daisee.monitor.sensors.facts import PRESETS, at_path, readings_of
from daisee.monitor.sensors.mqtt import HELD_S, KIND, MqttSensor, Phases
from daisee.units import Joules

AT_S = 1_700_000_000.0
TASMOTA = {
    "Time": "2018-12-10T17:16:25",
    "ENERGY": {
        "TotalStartTime": "2018-11-23T15:33:47", "Total": 0.017, "Yesterday": 0.000, "Today": 0.002, "Power": 9.87,
        "ApparentPower": 12.34, "ReactivePower": 4.56, "Factor": 0.80, "Voltage": 234, "Current": 0.05,
    },
}  # fmt: skip
GEN2_SWITCH = {
    "id": 0, "source": "init", "output": True, "apower": 8.9, "voltage": 237.5, "current": 0.022,
    "aenergy": {"total": 6.532, "by_minute": [45.199, 47.141, 88.397], "minute_ts": 1626935779}, "temperature": {"tC": 23.5},
}  # fmt: skip
GEN2_EM = {
    "id": 0, "a_current": 4.029, "a_voltage": 236.1, "a_act_power": 951.2, "a_aprt_power": 951.9, "b_act_power": -451.0,
    "c_act_power": 2_445.8, "total_current": 18.9, "total_act_power": 2_484.782, "total_aprt_power": 2_486.7,
}  # fmt: skip
GEN2_EMDATA = {"id": 0, "a_total_act_energy": 5.0, "a_total_act_ret_energy": 0.0, "total_act": 11.7, "total_act_ret": 2.5}
ZIGBEE = {"power": 12.5, "energy": 104.06, "voltage": 231, "current": 0.05, "state": "ON", "linkquality": 120}


def said(preset: str, tail: str, message: Any) -> list[Reading]:
    return heard(preset, tail, message)[0]


def heard(preset: str, tail: str, message: Any) -> tuple[list[Reading], list[str]]:
    """Answer what is made of a message, and what of it is refused."""
    refused: list[str] = []
    return readings_of(PRESETS[preset].facts(tail, message), AT_S, refused.append), refused


def test_tasmota_s_telemetry_is_read() -> None:
    assert said("tasmota", "SENSOR", TASMOTA) == [Reading(at_s=AT_S, power_w=9.87, forward_j=Joules(61_200), voltage_v=234.0)]
    phases = {"ENERGY": {"Total": 1.5, "Power": [100, 200, -50], "Voltage": [230, 231, 232], "ExportActive": [0.1, 0.2, 0.3]}}
    assert said("tasmota", "SENSOR", phases) == [
        Reading(at_s=AT_S, power_w=250.0, forward_j=Joules(5_400_000), reverse_j=Joules(2_160_000), voltage_v=230.0)
    ]
    split = {"ENERGY": {"Total": [11.2, 3.5], "Power": [100, None], "Voltage": [230, None]}}
    assert said("tasmota", "SENSOR", split) == [
        Reading(at_s=AT_S, power_w=100.0, forward_j=Joules(52_920_000), voltage_v=230.0)
    ], "energies too after SetOption129; a phase that says nothing is no refusal"
    unknown = {"ENERGY": {"Total": [11.2, None], "Power": [100, 50]}}
    assert said("tasmota", "SENSOR", unknown) == [Reading(at_s=AT_S, power_w=150.0)], "a counter without a phase would fall"
    assert said("tasmota", "SENSOR", {"Time": "2018-12-10T17:16:25", "DHT11": {"Temperature": 21}}) == []


def test_a_shelly_of_the_first_generation_says_one_number_a_topic() -> None:
    assert said("shelly-gen1", "emeter/1/power", -66.53) == [Reading(at_s=AT_S, part="emeter1", power_w=-66.53)]
    assert said("shelly-gen1", "emeter/0/total_returned", "12.5") == [
        Reading(at_s=AT_S, part="emeter0", reverse_j=Joules(45_000))
    ]
    assert said("shelly-gen1", "relay/0/energy", 120) == [Reading(at_s=AT_S, part="relay0", forward_j=Joules(7_200))], (
        "watt-minutes"
    )
    assert said("shelly-gen1", "relay/0/command", "on") == []
    assert said("shelly-gen1", "light/0/power", 12.5) == [Reading(at_s=AT_S, part="light0", power_w=12.5)]
    assert said("shelly-gen1", "roller/1/energy", "60") == [Reading(at_s=AT_S, part="roller1", forward_j=Joules(3_600))]


def test_a_later_shelly_s_status_and_notifications_are_read() -> None:
    switch = Reading(at_s=AT_S, part="switch:0", power_w=8.9, forward_j=Joules(23_515), voltage_v=237.5)
    assert said("shelly-gen2", "status/switch:0", GEN2_SWITCH) == [switch]
    told = {
        "src": "shellypro4pm-f008d1d8b8b8",
        "dst": "user_1",
        "method": "NotifyStatus",
        "params": {"ts": 1631186545.04, "switch:0": GEN2_SWITCH},
    }
    assert said("shelly-gen2", "events/rpc", told) == [switch]
    assert [(each.part, each.power_w) for each in said("shelly-gen2", "status/em:0", GEN2_EM)] == [
        ("em:0", 2_484.782), ("em:0a", 951.2), ("em:0b", -451.0), ("em:0c", 2_445.8),
    ]  # fmt: skip
    whole, phase = said("shelly-gen2", "status/emdata:0", GEN2_EMDATA)
    assert (whole.part, whole.forward_j, whole.reverse_j) == ("em:0", 42_120, 9_000)
    assert (phase.part, phase.forward_j, phase.reverse_j) == ("em:0a", 18_000, 0)
    one = said("shelly-gen2", "status/em1data:1", {"id": 1, "total_act_energy": 1.0, "total_act_ret_energy": 2.0})
    assert [(each.part, each.forward_j, each.reverse_j) for each in one] == [("em1:1", 3_600, 7_200)]


def test_what_a_switch_sent_back_is_no_use_of_it() -> None:
    """Shelly counts it in `aenergy` too: a balcony's panel behind a plug would be counted as use."""
    back = {**GEN2_SWITCH, "apower": -400.0, "aenergy": {"total": 1_069.437}, "ret_aenergy": {"total": 1_000.0}}
    for name in ("switch:0", "pm1:0"):
        assert said("shelly-gen2", f"status/{name}", back) == [
            Reading(at_s=AT_S, part=name, power_w=-400.0, voltage_v=237.5, forward_j=Joules(249_973), reverse_j=Joules(3_600_000))
        ]
    assert heard("shelly-gen2", "status/switch:0", {**back, "aenergy": {"total": 1}})[1] == [
        "a counter that is smaller than what of it went back"
    ]
    two_way: set[str] = set()
    parts = [PRESETS["shelly-gen2"].facts("status/switch:0", each) for each in (back, {"apower": 1, "aenergy": {"total": 2_000}})]
    found = [readings_of(each, AT_S, pytest.fail, two_way)[0].forward_j for each in parts]
    assert found == [249_973, None], "who has sent back says nothing by both directions alone"


def test_later_shellys_that_dim_are_read() -> None:
    for name in ("light:0", "cct:0", "rgb:0", "rgbw:0", "cover:0"):
        told = {"id": 0, "apower": 5.0, "voltage": 230.0, "aenergy": {"total": 2.0}}
        assert said("shelly-gen2", f"status/{name}", told) == [
            Reading(at_s=AT_S, part=name, power_w=5.0, voltage_v=230.0, forward_j=Joules(7_200))
        ]


@pytest.mark.parametrize(
    ("odd", "why", "rest"),
    [
        ({"voltage": "unknown"}, "a voltage of 'unknown'", {"power_w": 12.5, "forward_j": 374_616_000}),
        ({"energy": -0.01}, "a counter below zero: -0.01 kWh", {"power_w": 12.5, "voltage_v": 231.0}),
        ({"power": ""}, "a power of ''", {"forward_j": 374_616_000, "voltage_v": 231.0}),
        ({"power": True}, "a power that is no number", {"forward_j": 374_616_000, "voltage_v": 231.0}),
        ({"power": 10**400}, "a power of '10000000000000000000'", {"forward_j": 374_616_000, "voltage_v": 231.0}),
        ({"power": 1e9}, "a power of 1000000000.0 W", {"forward_j": 374_616_000, "voltage_v": 231.0}),
    ],
)
def test_one_field_that_is_odd_leaves_the_others_their_worth(odd: dict[str, Any], why: str, rest: dict[str, Any]) -> None:
    (reading,), refused = heard("zigbee2mqtt", "", {**ZIGBEE, **odd})
    assert reading == Reading(at_s=AT_S, **rest)
    assert refused == [why]


def test_phases_that_are_odd_are_refused_and_no_more() -> None:
    for power in ([10**400, 1.5], ["a", 1], [True, 2], [[1], 2], [float("nan"), 1]):
        (reading,), refused = heard("tasmota", "SENSOR", {"ENERGY": {"Power": power, "Total": 1}})
        assert (reading.power_w, reading.forward_j) == (None, 3_600_000)
        assert refused == ["a power that is no number"]


def phase(number: int, at_s: float = AT_S, **more: Any) -> Reading:
    return Reading(at_s=at_s, part=f"emeter{number}", **more)


def test_the_three_phases_of_a_3em_are_summed_and_none_is_taken_for_all() -> None:
    phases = Phases()
    assert phases.with_whole([phase(0, power_w=100.0)]) == []
    assert phases.with_whole([phase(0, forward_j=Joules(10)), phase(1, power_w=50.0, forward_j=Joules(20))]) == []
    last = [phase(2, AT_S + 1, power_w=-30.0, forward_j=Joules(5), voltage_v=231.0)]
    whole = Reading(at_s=AT_S + 1, part="emeter", power_w=120.0, forward_j=Joules(35))
    assert phases.with_whole(last) == [whole, *last]
    later = [phase(0, AT_S + 200, power_w=1.0)]
    assert phases.with_whole(later) == later, "the others are silent: nobody knows the sum"
    relay = [Reading(at_s=AT_S, part="relay0", power_w=1.0)]
    assert phases.with_whole(relay) == relay


def test_an_em_of_two_channels_is_told_when_it_is_known_that_it_has_no_third() -> None:
    phases = Phases()
    assert phases.with_whole([phase(0, power_w=100.0), phase(1, power_w=1.0)]) == []
    later = [phase(0, AT_S + HELD_S, power_w=100.0)]
    assert phases.with_whole(later) == later


def test_zigbee2mqtt_s_messages_are_read() -> None:
    assert said("zigbee2mqtt", "", ZIGBEE) == [Reading(at_s=AT_S, power_w=12.5, forward_j=Joules(374_616_000), voltage_v=231.0)]


KEYS = [
    "ENERGY", "Power", "Total", "Voltage", "params", "switch:0", "em:0", "emdata:0", "aenergy", "total", "apower", "power",
]  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(
    st.sampled_from(sorted(PRESETS)),
    st.sampled_from(["", "SENSOR", "events/rpc", "status/switch:0", "emeter/0/power", "status/em:0"]),
    JSON,
)
def test_no_message_does_more_than_be_refused(preset: str, tail: str, message: Any) -> None:
    try:
        for reading in said(preset, tail, message):
            assert abs(reading.power_w or 0) <= 1e6
            assert reading.state_of_charge is None or 0 <= reading.state_of_charge <= 1
    except (ValueError, TypeError) as error:
        assert isinstance(error, ValueError), error  # noqa: PT017  # and nothing else


def test_a_path_leads_through_objects_and_lists() -> None:
    told = {"a": [{"b": 5}, 7]}
    assert [at_path(told, path) for path in ("a.0.b", "a.1", "a.2", "a.x", "c.d", "")] == [5, 7, None, None, None, told]


def settings(**more: Any) -> dict[str, Any]:
    return read_section("test", "monitor.sensors.test", more, KIND.settings)


@pytest.mark.parametrize(
    ("given_", "why"),
    [
        ({}, "needs a topic"),
        ({"topic": "a"}, "where its power or a counter is"),
        ({"topic": "a", "power": "x"}, "has no unit"),
        ({"topic": "a", "power": "x horses"}, "has no unit"),
        ({"topic": "a", "power": "x Wh"}, r"has no unit of a power \(W or kW\)"),
        ({"topic": "a", "forward": "x W"}, "has no unit of a forward"),
        ({"topic": "a", "charge": "x V"}, "has no unit of a charge"),
        ({"preset": "tasmota"}, "needs device"),
    ],
)
def test_settings_that_do_not_fit_say_what_is_missing(given_: dict[str, Any], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        MqttSensor(**settings(**given_))


def test_a_charge_beyond_full_is_refused_and_not_made_full() -> None:
    refused: list[str] = []
    sensor = MqttSensor(**settings(topic="a", charge="soc 1", power="p W"))
    (reading,) = readings_of(sensor._facts("a", b'{"soc": 55, "p": 1}'), AT_S, refused.append)
    assert (reading.state_of_charge, refused) == (None, ["a charge of 55 1"])


def test_a_device_s_name_may_be_the_end_of_another_word_of_the_topic() -> None:
    sensor = MqttSensor(**settings(preset="shelly-gen1", device="shellies"))
    assert [*sensor._facts("shellies/shellies/relay/0/power", b"5")] == [("relay0", [("power", 5, "W")])]
    sensor = MqttSensor(**settings(preset="shelly-gen1", device="s"))
    assert [*sensor._facts("shellies/s/relay/0/power", b"5")] == [("relay0", [("power", 5, "W")])]


def test_a_subscription_that_the_broker_denies_is_said_so() -> None:
    """Mosquitto 2 grants what its list of rights denies, and then sends nothing; others answer so."""

    async def broker(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.read(2):
            body = await reader.read(head[1])
            if head[0] >> 4 == 1:
                writer.write(b"\x20\x02\x00\x00")
            elif head[0] >> 4 == 8:
                writer.write(bytes([0x90, 3, *body[:2], 0x80]))
        writer.close()

    async def story() -> None:
        server = await asyncio.start_server(broker, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            denied = "does not let nobody in particular read a; look at its list of rights"
            await listen(MqttSensor(**settings(port=port, topic="a", power="p W")), Heard(), denied)

    asyncio.run(story())


def test_how_seldom_it_speaks_is_known_of_each_preset() -> None:
    every_s = {preset: KIND.every_s(settings(preset=preset, device="x")) for preset in PRESETS}
    assert every_s == {"tasmota": 300.0, "shelly-gen1": 30.0, "shelly-gen2": 60.0, "zigbee2mqtt": 3_600.0}
    assert KIND.every_s(settings(topic="a", power="p W")) == 0.0


# ------------------------------------------------------------------------------------------------------ with a real broker


async def publish(port: int, messages: list[tuple[str, Any, bool]]) -> None:
    async with aiomqtt.Client("127.0.0.1", port) as client:
        for topic, message, retain in messages:
            await client.publish(topic, message if isinstance(message, str | bytes) else json.dumps(message), retain=retain)


def hear(port: int, more: dict[str, Any], messages: list[tuple[str, Any, bool]], count: int, pause_s: float = 0.0) -> Heard:
    heard = Heard()

    async def story() -> None:
        sensor = MqttSensor(clock=lambda: AT_S, **settings(port=port, **more))
        listening = asyncio.create_task(listen(sensor, heard, count=count))
        await asyncio.sleep(0.3)
        for message in messages:
            await publish(port, [message])
            await asyncio.sleep(pause_s)
        await listening

    asyncio.run(story())
    return heard


@pytest.mark.mosquitto
def test_messages_that_come_together_are_one_reading(mosquitto_broker: mosquitto.Broker) -> None:
    messages = [(f"shellies/plug/relay/0/{field}", value, False) for field, value in (("power", "120.5"), ("energy", "10"))]
    heard = Heard()

    async def story() -> None:
        sensor = MqttSensor(clock=lambda: AT_S, **settings(port=mosquitto_broker.port, preset="shelly-gen1", device="plug"))
        listening = asyncio.create_task(listen(sensor, heard, count=1))
        await asyncio.sleep(0.3)
        await publish(mosquitto_broker.port, messages)
        await listening

    asyncio.run(story())
    assert heard.readings == [Reading(at_s=AT_S, part="relay0", power_w=120.5, forward_j=Joules(600))]


@pytest.mark.mosquitto
def test_what_the_broker_kept_is_no_reading_and_rubbish_is_refused(mosquitto_broker: mosquitto.Broker, tmp_path: Path) -> None:
    asyncio.run(publish(mosquitto_broker.port, [("house/meter", {"p": 1.0}, True)]))
    (tmp_path / "secret").write_text(f"{mosquitto.PASSWORD}\n")
    login = {"user": mosquitto.USER, "password_file": str(tmp_path / "secret")}
    messages = [
        ("house/meter", message, False)
        for message in (b"\xff\xfe", "[" * 50_000, {"p": True}, {"p": 1e12}, {"q": 1}, b"x" * 70_000, {"p": 2.5, "e": "3.25"})
    ]
    heard = hear(mosquitto_broker.port, {"topic": "house/+", "power": "p kW", "forward": "e kWh", **login}, messages, 1, 0.3)
    assert heard.readings == [Reading(at_s=AT_S, power_w=2_500.0, forward_j=Joules(11_700_000))]
    assert len(heard.refused) == 5


@pytest.mark.mosquitto
def test_a_wrong_password_is_said_so_and_not_told(mosquitto_broker: mosquitto.Broker) -> None:
    sensor = MqttSensor(**settings(port=mosquitto_broker.port, topic="a", power="p W", user=mosquitto.USER, password="geheim"))
    with pytest.raises(SensorError, match="user and password fit") as told:
        asyncio.run(listen(sensor, Heard()))
    assert "geheim" not in str(told.value)


@pytest.mark.mosquitto
def test_a_broker_that_ends_is_said_so(mosquitto_path: str) -> None:
    async def story() -> None:
        with mosquitto.broker(mosquitto_path) as broker:
            sensor = MqttSensor(**settings(port=broker.port, topic="a", power="p W"))
            listening = asyncio.create_task(listen(sensor, Heard(), "does it run"))
            await asyncio.sleep(0.3)
            broker.process.kill()
            await listening

    asyncio.run(story())


def test_no_broker_is_said_so() -> None:
    with pytest.raises(SensorError, match=r"127.0.0.1:9: .*does it run"):
        asyncio.run(listen(MqttSensor(**settings(port=9, topic="a", power="p W")), Heard()))


@pytest.mark.mosquitto
def test_the_simulator_is_a_plug_that_the_sensor_hears(
    mosquitto_broker: mosquitto.Broker, simulated: Callable[..., Heard]
) -> None:
    heard = simulated(
        KIND,
        settings(preset="tasmota") | {"device": "simulated", "port": mosquitto_broker.port},
        2,
        f"127.0.0.1:{mosquitto_broker.port}",
    )
    assert not heard.refused
    assert heard.readings[0].power_w == pytest.approx(heard.house.power_w(heard.readings[0].at_s), abs=5)
