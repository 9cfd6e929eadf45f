"""Meters that announce themselves: what their makers say that they announce, and real announcements on the loopback interface."""

from __future__ import annotations

import asyncio
import re
import socket
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zeroconf import ServiceInfo
from zeroconf._dns import DNSRecord
from zeroconf._protocol.outgoing import DNSOutgoing
from zeroconf.asyncio import AsyncZeroconf

from daisee.config import read_section
from daisee.errors import SensorError
from daisee.monitor import discover as discover_module
from daisee.monitor.discover import (
    HOMEWIZARD,
    HOMEWIZARD_2,
    HTTP,
    MQTT,
    SERVICES,
    SHELLY,
    Announced,
    Found,
    discover,
    found_of,
    sorted_out,
)
from daisee.monitor.sensors import Kind, http, mqtt

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (http.SHELLY, http.HOMEWIZARD, http.TASMOTA, mqtt.KIND)}
LOOPBACK = "127.0.0.1"

SHELLY_3EM = Announced(SHELLY, "shellypro3em-08f9e0e5c790", ["192.168.1.20"], 80, {"gen": "2", "app": "Pro3EM", "ver": "1.4.4"})
SHELLY_PLUG = Announced(HTTP, "shellyplug-s-C8D0E4", ["192.168.1.21"], 80, {"id": "shellyplug-s-C8D0E4", "arch": "esp8266"})
P1 = Announced(
    HOMEWIZARD,
    "p1meter-AABBCC",
    ["192.168.1.22"],
    80,
    {"api_enabled": "1", "path": "/api/v1", "serial": "5c2fafaabbcc", "product_name": "P1 meter", "product_type": "HWE-P1"},
)
P1_V2 = Announced(
    HOMEWIZARD_2,
    "p1meter-AABBCC",
    ["192.168.1.22"],
    443,
    {"api_version": "2.0.0", "id": "appliance/p1dongle/5c2fafaabbcc", "product_type": "HWE-P1"},
)
TASMOTA = Announced(HTTP, "fridge", ["192.168.1.23"], 80, {"devicetype": "tasmota"})
BROKER = Announced(MQTT, "mosquitto", ["192.168.1.2"], 1884, {})


@pytest.mark.parametrize(
    ("announced", "kind", "address", "role", "says"),
    [
        (SHELLY_3EM, "shelly", "192.168.1.20", "grid", "Shelly Pro3EM, generation 2, version 1.4.4"),
        (SHELLY_PLUG, "shelly", "192.168.1.21", "sub-load", "Shelly shellyplug, generation 1"),
        (P1, "homewizard", "192.168.1.22", "grid", "HomeWizard P1 meter (HWE-P1)"),
        (TASMOTA, "tasmota", "192.168.1.23", "sub-load", "Tasmota"),
        (BROKER, "mqtt", "192.168.1.2:1884", "sub-load", "an MQTT broker; meters may publish there"),
    ],
)
def test_a_device_is_known_by_what_it_announces(announced: Announced, kind: str, address: str, role: str, says: str) -> None:
    found = found_of(announced)
    assert found is not None
    assert (found.kind, found.address, found.name, found.says) == (kind, address, announced.name, says)
    assert section_of(found.toml)["role"] == role


def section_of(toml: str) -> dict[str, Any]:
    """Answer the only sensor of these lines, which its kind takes as they are."""
    (sensor,) = tomllib.loads(toml)["monitor"]["sensors"].values()
    kind = KINDS[sensor["kind"]]
    own = {key: sensor[key] for key in sensor if key not in ("kind", "role", "parts")}
    read_section("daisee.toml", "sensor", own, kind.settings)
    assert {sensor["role"]} if "role" in sensor else set(sensor["parts"].values()) <= set(kind.roles)
    assert isinstance(sensor, dict)
    return sensor


@pytest.mark.parametrize(
    "model", ["shellyem-1", "shellyem3-1", "shellyproem50-1", "shellyplug-s-1", "shellyemg3-1", "shellyemminig4-1"]
)
def test_a_shelly_that_is_an_energy_meter_is_likely_the_grids(model: str) -> None:
    found = found_of(Announced(HTTP, model, ["192.168.1.20"], 80, {}))
    assert found is not None
    section = section_of(found.toml)
    assert ("grid" in section.get("parts", {}).values() or section.get("role") == "grid") == bool(re.search("em", model))


@pytest.mark.parametrize(
    ("name", "app", "parts"),
    [
        ("shellyem-1", None, {"emeter0": "grid", "emeter1": "production"}),
        ("shellyem3-1", None, None),
        ("shellyproem50-1", "ProEM", {"em1:0": "grid", "em1:1": "production"}),
        ("shellyemg3-1", "EMG3", {"em1:0": "grid", "em1:1": "production"}),
        ("shellypro3em-1", "Pro3EM", None),
        ("shelly2pmg3-1", "S2PMG3", {"switch:0": "sub-load", "switch:1": "sub-load"}),
        ("shellypro4pm-1", "Pro4PM", {f"switch:{number}": "sub-load" for number in range(4)}),
        ("shellyplus1pm-1", "Plus1PM", None),
        ("shellyswitch25-1", None, {"relay0": "sub-load", "relay1": "sub-load"}),
    ],
)
def test_a_shelly_with_several_meters_is_written_with_its_parts(name: str, app: str | None, parts: dict[str, str] | None) -> None:
    found = found_of(Announced(SHELLY if app else HTTP, name, ["192.168.1.20"], 80, {"app": app} if app else {}))
    assert found is not None
    assert section_of(found.toml).get("parts") == parts
    assert ("monophase" in found.toml) == (app == "Pro3EM")


@pytest.mark.parametrize(
    "announced",
    [
        Announced(HTTP, "Office printer", ["192.168.1.9"], 80, {"note": "tasmota"}),
        Announced(HOMEWIZARD, "watermeter-1", ["192.168.1.9"], 80, {"product_type": "HWE-WTR"}),
        Announced(SHELLY, "shellyem-1", [], 80, {}),
        Announced(SHELLY, "shellyem-1", ["fe80::1%3", "no address"], 80, {}),
    ],
)
def test_what_is_no_meter_or_has_no_address_is_left_out(announced: Announced) -> None:
    assert found_of(announced) is None


def test_another_port_and_an_address_of_ipv6_are_written_as_the_sensor_takes_them() -> None:
    for addresses, port, address in ((["192.168.1.20"], 8080, "192.168.1.20:8080"), (["fe80::1", "fd00::5"], 80, "[fd00::5]")):
        found = found_of(Announced(SHELLY, "shellyem-1", addresses, port, {}))
        assert found is not None
        assert (found.address, section_of(found.toml)["address"]) == (address, address)


def test_who_speaks_another_version_or_is_switched_off_is_shown_with_what_to_do() -> None:
    for announced, words in (
        (P1_V2, "version 2 of its API alone"),
        (Announced(HOMEWIZARD, "p1", ["10.0.0.1"], 80, {"api_enabled": "0"}), "local API"),
    ):
        found = found_of(announced)
        assert found is not None
        assert words in found.says
        assert re.search(f"^# .*{words}", found.toml, re.MULTILINE)


def test_a_device_that_announces_itself_twice_is_told_once_and_each_section_has_its_own_name() -> None:
    twin = Announced(SHELLY, "Shellypro3em 08f9e0e5c790", ["192.168.1.30"], 80, {})
    again = Announced(HTTP, SHELLY_3EM.name, SHELLY_3EM.addresses, 80, {"gen": "2"})
    found = sorted_out([again, P1_V2, SHELLY_3EM, twin, P1, BROKER])
    assert [(each.kind, each.address) for each in found] == [
        ("homewizard", "192.168.1.22"), ("mqtt", "192.168.1.2:1884"), ("shelly", "192.168.1.30"), ("shelly", "192.168.1.20"),
    ]  # fmt: skip
    assert "version 2" not in found[0].says
    assert "1.4.4" in found[3].says
    pasted = tomllib.loads("".join(each.toml for each in found))
    assert len(pasted["monitor"]["sensors"]) == 4


@given(
    st.lists(
        st.builds(
            Announced,
            st.sampled_from(SERVICES),
            st.text(max_size=80) | st.just('shelly"\n[monitor]\nzone="x'),
            st.lists(st.ip_addresses().map(str) | st.text(max_size=20), max_size=3),
            st.integers(1, 65_535),
            st.dictionaries(
                st.sampled_from(["app", "gen", "ver", "product_type", "product_name", "id", "devicetype"]), st.none() | st.text()
            ),
        ),
        max_size=4,
    )
)
def test_whatever_is_announced_its_lines_are_sensors_and_no_more(announced: list[Announced]) -> None:
    found = sorted_out(announced)
    pasted = tomllib.loads("".join(each.toml for each in found)) if found else {"monitor": {"sensors": {}}}
    assert pasted.keys() == {"monitor"}
    assert pasted["monitor"].keys() == {"sensors"}
    assert len(pasted["monitor"]["sensors"]) == len(found)
    for each in found:
        section_of(each.toml)
        assert each.says.isprintable()
        assert each.name.isprintable()


def info_of(announced: Announced) -> ServiceInfo:
    """Answer a service as its maker's device registers it, on the loopback interface."""
    return ServiceInfo(
        announced.service,
        f"{announced.name}.{announced.service}",
        addresses=[socket.inet_aton(LOOPBACK)],
        port=announced.port,
        properties=dict(announced.said),
        server=f"{announced.name.replace(' ', '-')}.local.",
    )


def packet_of(announced: Announced, *, whole: bool = True) -> bytes:
    """Write an announcement as it goes over the network; half of one names the device, and no address."""
    info, out = info_of(announced), DNSOutgoing(0x8400)  # an answer, with authority
    records: list[DNSRecord] = [info.dns_pointer()]
    if whole:
        records += [info.dns_service(), info.dns_text(), *info.dns_addresses()]
    for record in records:
        out.add_answer_at_time(record, 0)
    (packet,) = out.packets()
    return packet


async def hear(packets: Sequence[bytes], seconds: float = 1.0) -> list[Found]:
    """Discover, while these packets come."""
    listening = asyncio.create_task(discover(seconds, [LOOPBACK]))
    await asyncio.sleep(seconds / 2)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as device:
        for packet in packets:
            device.sendto(packet, (LOOPBACK, 5353))
    return await listening


def test_what_is_announced_on_the_network_is_found() -> None:
    packets = [packet_of(each) for each in (SHELLY_3EM, P1, P1_V2, TASMOTA, BROKER)]
    found = {each.name: each for each in asyncio.run(hear([b"", b"rubbish", packets[0][:30], *packets, *packets]))}
    assert {name: each.kind for name, each in found.items()} == {
        SHELLY_3EM.name: "shelly", P1.name: "homewizard", TASMOTA.name: "tasmota", BROKER.name: "mqtt",
    }  # fmt: skip
    assert found[SHELLY_3EM.name].address == LOOPBACK
    assert found[SHELLY_3EM.name].says == "Shelly Pro3EM, generation 2, version 1.4.4"
    assert found[P1.name].says == "HomeWizard P1 meter (HWE-P1)"
    assert found[BROKER.name].address == f"{LOOPBACK}:1884"


def test_who_announces_half_and_answers_nothing_is_left_out_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discover_module, "RESOLVE_S", 0.3)

    async def story() -> None:
        async with asyncio.timeout(60):
            assert await hear([packet_of(SHELLY_3EM, whole=False)]) == []

    asyncio.run(story())


def test_devices_that_register_themselves_by_multicast_are_found() -> None:
    """The whole of it, questions too; it needs multicast to 224.0.0.251 by way of the loopback interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(LOOPBACK))
        try:
            probe.sendto(b"", ("224.0.0.251", 5353))
        except OSError as error:
            pytest.skip(f"no multicast by way of loopback: {error}")

    async def story() -> None:
        speakers = [AsyncZeroconf(interfaces=[LOOPBACK]) for _ in range(2)]
        try:
            for speaker, announced in zip(speakers, (SHELLY_3EM, TASMOTA), strict=True):
                await (await speaker.async_register_service(info_of(announced)))
            found = {each.name: each.kind for each in await discover(1.5, [LOOPBACK])}
        finally:
            await asyncio.gather(*(speaker.async_close() for speaker in speakers))
        assert found.items() >= {(SHELLY_3EM.name, "shelly"), (TASMOTA.name, "tasmota")}

    asyncio.run(story())


def test_nothing_is_found_where_nobody_speaks_and_nothing_is_left_open() -> None:
    async def story() -> None:
        before = asyncio.all_tasks()
        assert [each for each in await discover(0.1, [LOOPBACK]) if each.name == "nobody"] == []
        assert asyncio.all_tasks() == before

    asyncio.run(story())


def test_a_machine_that_cannot_listen_says_so() -> None:
    with pytest.raises(SensorError, match="nobody can listen"):
        asyncio.run(discover(0.1, ["203.0.113.7"]))


def test_who_floods_the_network_fills_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discover_module, "MOST_FOUND", 5)
    flood = [packet_of(replace(TASMOTA, name=f"plug-{number}", port=1000 + number)) for number in range(50)]
    assert len(asyncio.run(hear(flood))) == 5
