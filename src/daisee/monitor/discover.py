"""Finds the meters on a home's network by what they announce of themselves (mDNS, DNS-SD): Shelly, HomeWizard, Tasmota, and MQTT
brokers, at which there may be more.

Anybody on the network can announce anything: what is announced is shown and quoted, never believed further. Nothing is asked of
the devices beyond that, and nothing is written. Sources: Shelly's API references (mDNS), HomeWizard's API documentation
(Discovery), Tasmota's sources (it announces itself after SetOption55 1).
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from zeroconf import BadTypeInNameException, InterfaceChoice, ServiceStateChange
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from daisee.errors import SensorError
from daisee.monitor.sensors.facts import WITHOUT_POWER

SHELLY, HTTP, HOMEWIZARD, HOMEWIZARD_2, MQTT = (
    f"_{name}._tcp.local." for name in ("shelly", "http", "hwenergy", "homewizard", "mqtt")
)
SERVICES = (SHELLY, HOMEWIZARD, HOMEWIZARD_2, HTTP, MQTT)
"""What is looked for. Where a device announces itself twice, the first one counts."""
RESOLVE_S = 3.0
CHANNELS: Sequence[tuple[re.Pattern[str], Mapping[str, str]]] = (
    (re.compile(r"shellyem"), {"emeter0": "grid", "emeter1": "production"}),
    (re.compile(r"(shelly)?(pro)?em(50)?(g\d)?"), {"em1:0": "grid", "em1:1": "production"}),
    (re.compile(r"shellyswitch25"), {f"relay{number}": "sub-load" for number in range(2)}),
    (re.compile(r".*2pm(g\d)?"), {f"switch:{number}": "sub-load" for number in range(2)}),
    (re.compile(r".*(4pm|powerstrip.*)"), {f"switch:{number}": "sub-load" for number in range(4)}),
)
"""Models of Shelly that have several meters, which parts those are, and what they may be for."""
PHASES_NOTE = (
    'In its monophase profile it has three meters: parts = {"em1:0" = ..., "em1:1" = ..., "em1:2" = ...} in place of role.'
)
MOST_FOUND = 200
LONGEST = 60
HTTP_PORT = 80


@dataclass(frozen=True, slots=True)
class Found:
    """A device that announces itself."""

    kind: str
    """Of sensor, as the configuration names it."""
    address: str
    """A host, with its port where that is not the usual one."""
    name: str
    """As the device calls itself."""
    says: str
    """What else it says of itself, and what is to be done before it can be read."""
    toml: str
    """Lines for the configuration; the role is a guess."""


@dataclass(frozen=True, slots=True)
class Announced:
    """A service, as it was announced."""

    service: str
    """One of SERVICES."""
    name: str
    """Of the instance, without the service."""
    addresses: Sequence[str]
    port: int
    said: Mapping[str, str | None]
    """Its TXT record."""


def found_of(announced: Announced) -> Found | None:
    """Answer what a service is of; None for what is no meter that is known here."""
    host = _host(announced.addresses)
    told = _told(announced)
    if host is None or told is None:
        return None
    kind, meant, says, notes = told
    name = _shown(announced.name)
    if kind == "mqtt":
        address = f"{host}:{announced.port}"
        lines = [f"host = {_quoted(host.strip('[]'))}", f"port = {announced.port}", 'preset = "tasmota"', 'device = "fridge"']
    else:
        address = host if announced.port == HTTP_PORT or announced.service == HOMEWIZARD_2 else f"{host}:{announced.port}"
        lines = [f"address = {_quoted(address)}"]
    section = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:LONGEST] or kind
    head = [f"[monitor.sensors.{section}]", *(f"# {note}" for note in notes), f'kind = "{kind}"', meant]
    return Found(kind, address, name, says, "\n".join([*head, *lines]) + "\n")


def _told(announced: Announced) -> tuple[str, str, str, list[str]] | None:
    """Answer kind, the line of its likely role or roles, what it says of itself, and notes for who pastes its lines."""
    said = {key.lower(): _shown(value or "") for key, value in announced.said.items()}
    name = announced.name.lower()
    if announced.service == SHELLY or (announced.service == HTTP and name.startswith("shelly")):
        model = said.get("app") or _shown(name).partition("-")[0]
        says = f"Shelly {model}, generation {said.get('gen') or '1'}" + (f", version {said['ver']}" if said.get("ver") else "")
        return "shelly", _of_model(model.lower()), says, [PHASES_NOTE] if re.match(r"(shelly)?(pro)?3em", model.lower()) else []
    if announced.service == HTTP and (said.get("devicetype") == "tasmota" or name.startswith("tasmota")):
        return "tasmota", _role("sub-load"), "Tasmota", []
    if announced.service in (HOMEWIZARD, HOMEWIZARD_2):
        return _homewizard(said, speaks_1=announced.service == HOMEWIZARD)
    if announced.service == MQTT:
        note = "Which of its devices? daisee reads one a section: its preset, and its name at the broker."
        return "mqtt", _role("sub-load"), "an MQTT broker; meters may publish there", [note]
    return None


def _of_model(model: str) -> str:
    for pattern, parts in CHANNELS:
        if pattern.fullmatch(model):
            return "parts = {" + ", ".join(f'"{part}" = "{role}"' for part, role in parts.items()) + "}"
    return _role("grid" if re.search(r"em(mini)?(g\d)?\d*$", model) else "sub-load")


def _role(role: str) -> str:
    return f'role = "{role}"'


def _homewizard(said: Mapping[str, str], *, speaks_1: bool) -> tuple[str, str, str, list[str]] | None:
    product = said.get("product_type") or [*said.get("id", "").split("/"), ""][1] or "HomeWizard"
    if product.upper() in WITHOUT_POWER:
        return None
    role = _role({"HWE-P1": "grid", "HWE-SKT": "sub-load", "HWE-BAT": "battery"}.get(product.upper(), "production"))
    says = f"HomeWizard {said.get('product_name') or product} ({product})"
    if not speaks_1:
        note = "It announces version 2 of its API alone; daisee speaks version 1."
        return "homewizard", role, f"{says}; {note}", [note]
    if said.get("api_enabled") == "0":
        note = "Switch its local API on first: in the app, Settings, Meters, this one, Local API."
        return "homewizard", role, f"{says}; its local API is off", [note]
    return "homewizard", role, says, []


def _host(addresses: Sequence[str]) -> str | None:
    """Answer an address that can be written down: one of IPv4, or else of IPv6 where it holds beyond one cable."""
    known = []
    for address in addresses:
        try:
            known.append(ipaddress.ip_address(address.partition("%")[0]))
        except ValueError:
            continue
    for each in known:
        if each.version == 4:
            return str(each)
    return next((f"[{each}]" for each in known if not each.is_link_local), None)


def _shown(text: str) -> str:
    """Answer a line that is safe to show, and to write behind a `#`."""
    return "".join(each if each.isprintable() else "?" for each in text[:LONGEST]).strip()


def _quoted(text: str) -> str:
    # What JSON writes of ASCII, TOML reads.
    return json.dumps(text)


def sorted_out(all_found: Sequence[Announced]) -> list[Found]:
    """Answer each device once, by kind and address, and each with a section of its own name."""
    by_rank = sorted(all_found, key=lambda each: (SERVICES.index(each.service), each.name))
    devices: dict[tuple[str, str], Found] = {}
    for announced in by_rank:
        found = found_of(announced)
        if found is not None:
            devices.setdefault((found.kind, found.address), found)
    sections: set[str] = set()
    answer = []
    for found in sorted(devices.values(), key=lambda each: (each.kind, each.name, each.address)):
        section = wanted = found.toml[: found.toml.index("]")].removeprefix("[monitor.sensors.")
        number = 2
        while section in sections:
            section, number = f"{wanted}-{number}", number + 1
        sections.add(section)
        answer.append(replace(found, toml=found.toml.replace(f"[monitor.sensors.{wanted}]", f"[monitor.sensors.{section}]", 1)))
    return answer


async def discover(seconds: float, interfaces: Sequence[str] | None = None) -> list[Found]:
    """Listen for so long to what announces itself, on the interfaces with these addresses, or all.

    It takes three seconds longer at most, to ask for what was only half announced. SensorError where nobody can listen.
    """
    try:
        for each in interfaces or ():
            # zeroconf leaves a socket open where an address is none of this machine's.
            with socket.socket(socket.AF_INET6 if ":" in each else socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.bind((each, 0))
        zeroconf = AsyncZeroconf(interfaces=InterfaceChoice.All if interfaces is None else list(interfaces))
    except OSError as error:
        told = error.strerror or error
        raise SensorError(
            f"nobody can listen for devices ({told}); is there a network, and may UDP port 5353 be used?"
        ) from error
    asking: dict[tuple[str, str], asyncio.Task[Announced | None]] = {}

    def heard(zeroconf: Any, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        if state_change is not ServiceStateChange.Removed and (service_type, name) not in asking and len(asking) < MOST_FOUND:
            asking[service_type, name] = asyncio.ensure_future(_ask(zeroconf, service_type, name))

    try:
        async with AsyncServiceBrowser(zeroconf.zeroconf, list(SERVICES), handlers=[heard]):
            await asyncio.sleep(seconds)
        if asking:
            await asyncio.wait(asking.values(), timeout=RESOLVE_S)
        done = [task.result() for task in asking.values() if task.done()]
    finally:
        for task in asking.values():
            task.cancel()
        await asyncio.gather(*asking.values(), return_exceptions=True)
        await zeroconf.async_close()
    return sorted_out([each for each in done if each is not None])


async def _ask(zeroconf: Any, service_type: str, name: str) -> Announced | None:
    """Ask for address, port and TXT record of an instance; None where nobody answers, or the name makes no sense."""
    try:
        info = AsyncServiceInfo(service_type, name)
    except BadTypeInNameException:
        return None
    if not await info.async_request(zeroconf, RESOLVE_S * 1000) or info.port is None:
        return None
    instance = name.removesuffix(f".{service_type}")
    return Announced(service_type, instance, info.parsed_addresses(), info.port, info.decoded_properties)
