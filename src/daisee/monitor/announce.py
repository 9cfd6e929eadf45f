"""Tells a home's numbers by MQTT, so that Home Assistant shows them by itself, its energy dashboard included.

Each number is announced as an MQTT sensor with the device class, state class and unit that Home Assistant's energy dashboard
asks for (its documentation: MQTT discovery; sensor entities), retained; and whether we are there at all, by a last will.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import aiomqtt

from daisee import __version__
from daisee.config import Setting, text, whole
from daisee.errors import SensorError, StoreError
from daisee.model.home import Live, Role
from daisee.monitor.broker import SETTINGS as BROKER
from daisee.monitor.broker import client_of, no_broker
from daisee.monitor.store import Meter, MeterSlot, Slot

log = logging.getLogger(__name__)

TOPIC = re.compile(r"[^/+#\s]+(?:/[^/+#\s]+)*")
LONGEST_PAUSE_S = 60.0
UNITS = {"energy": "kWh", "power": "W", "battery": "%"}


def _topic(written: Any) -> str:
    if not TOPIC.fullmatch(text(written)):
        raise ValueError('the beginning of a topic, like "daisee", without + and #')
    return str(written)


SETTINGS = (
    *BROKER,
    Setting("topic", "", "What our topics begin with; the home's name follows.", _topic, "daisee"),
    Setting("discovery", "", "Where Home Assistant looks for what there is.", _topic, "homeassistant"),
    Setting("every_s", "s", "How often the numbers are told.", whole(1, 3_600), 10),
)
"""The section [monitor.mqtt]."""


@dataclass(frozen=True, slots=True)
class Entity:
    """A number of the home, as Home Assistant knows it."""

    key: str
    """Its name in the state message."""
    name: str
    """As people read it."""
    device_class: str
    """`energy` (kWh that only grow), `power` (W) or `battery` (%)."""


def entities(meters: Iterable[Meter]) -> list[Entity]:
    """List what a home with these meters has to tell."""
    meters = list(meters)
    roles = {meter.role for meter in meters}
    found = []
    if roles & {Role.LOAD, Role.GRID, Role.BATTERY}:
        found += [Entity("consumption_w", "Consumption", "power"), Entity("consumed_kwh", "Consumed", "energy")]
    if Role.PRODUCTION in roles:
        found += [Entity("production_w", "Production", "power"), Entity("produced_kwh", "Produced", "energy")]
    if Role.GRID in roles:
        found += [
            Entity("grid_w", "Grid", "power"),
            Entity("imported_kwh", "Grid import", "energy"),
            Entity("exported_kwh", "Grid export", "energy"),
        ]
    if Role.BATTERY in roles:
        found += [
            Entity("battery_w", "Battery", "power"),
            Entity("charged_kwh", "Battery charged", "energy"),
            Entity("discharged_kwh", "Battery discharged", "energy"),
        ]
    if roles:
        found.append(Entity("state_of_charge", "State of charge", "battery"))
    found += [Entity(_key_of(meter), meter.name, "energy") for meter in meters if meter.role is Role.SUB_LOAD]
    return found


def state_of(live: Live | None, totals: Slot, meter_totals: Mapping[str, MeterSlot], meters: Iterable[Meter]) -> dict[str, Any]:
    """Answer the home's numbers by the keys of its entities; None for what is not known now."""

    def battery_j(field: str) -> int:
        return sum(getattr(meter_totals[meter.name], field) for meter in meters if meter.role is Role.BATTERY)

    meters = list(meters)
    live = live or Live(at_s=0.0)
    charge = live.state_of_charge
    return {
        "consumption_w": _whole(live.consumption_w),
        "production_w": _whole(live.production_w),
        "grid_w": _whole(live.grid_power_w),
        "battery_w": _whole(live.battery_power_w),
        "state_of_charge": None if charge is None else round(100 * charge, 1),
        "consumed_kwh": _kwh(totals.consumed_j),
        "produced_kwh": _kwh(totals.produced_j),
        "imported_kwh": _kwh(totals.imported_j),
        "exported_kwh": _kwh(totals.exported_j),
        "charged_kwh": _kwh(battery_j("forward_j")),
        "discharged_kwh": _kwh(battery_j("reverse_j")),
        **{_key_of(each): _kwh(meter_totals[each.name].forward_j) for each in meters if each.role is Role.SUB_LOAD},
    }


class Announcer:
    """One home, told to a broker."""

    def __init__(
        self, given: Mapping[str, Any], home: str, meters: Iterable[Meter], state: Callable[[], Mapping[str, Any]]
    ) -> None:
        """Take the section [monitor.mqtt] as it was read, and what answers the home's numbers; it may take its time."""
        self._given = given
        self._id = f"daisee_{slug(home)}"
        self._home = home
        self._entities = entities(meters)
        self._state = state
        base = f"{given['topic']}/{slug(home)}"
        self.state_topic, self.availability_topic = f"{base}/state", f"{base}/availability"

    async def announce(self) -> None:
        """Tell for ever; a broker that is gone is said once, and tried again."""
        pause_s, gone = 1.0, False
        while True:
            try:
                async with self._connected() as client:
                    if gone:
                        log.warning("the MQTT broker is back")
                    pause_s, gone = 1.0, False
                    await self._tell(client)
            except (aiomqtt.MqttError, SensorError) as error:
                if not gone:
                    log.warning(
                        "%s (it is tried again)", error if isinstance(error, SensorError) else no_broker(self._given, error)
                    )
                gone = True
            await asyncio.sleep(pause_s)
            pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)

    async def try_once(self) -> None:
        """Tell who we are, once. SensorError where the broker does not answer."""
        try:
            async with self._connected() as client:
                await self._introduce(client)
        except aiomqtt.MqttError as error:
            raise no_broker(self._given, error) from error

    def configurations(self) -> dict[str, dict[str, Any]]:
        """Map the topics of discovery to what is announced there."""
        device = {"identifiers": [self._id], "name": f"DAISEE {self._home}", "manufacturer": "DAISEE", "sw_version": __version__}
        found = {}
        for entity in self._entities:
            unique = f"{self._id}_{entity.key}"
            found[f"{self._given['discovery']}/sensor/{self._id}/{entity.key}/config"] = {
                "name": entity.name,
                "unique_id": unique,
                "default_entity_id": f"sensor.{unique}",
                "device_class": entity.device_class,
                "state_class": "total_increasing" if entity.device_class == "energy" else "measurement",
                "unit_of_measurement": UNITS[entity.device_class],
                "state_topic": self.state_topic,
                "value_template": f"{{{{ value_json.{entity.key} }}}}",
                "availability_topic": self.availability_topic,
                "device": device,
                "origin": {"name": "DAISEE", "sw_version": __version__},
            }
        return found

    @contextlib.asynccontextmanager
    async def _connected(self) -> Any:
        will = aiomqtt.Will(self.availability_topic, "offline", qos=1, retain=True)
        async with client_of(self._given, will) as client:
            try:
                yield client
            finally:
                with contextlib.suppress(aiomqtt.MqttError, asyncio.CancelledError):
                    await client.publish(self.availability_topic, "offline", qos=1, retain=True)

    async def _introduce(self, client: aiomqtt.Client) -> None:
        for topic, said in self.configurations().items():
            await client.publish(topic, json.dumps(said), qos=1, retain=True)

    async def _tell(self, client: aiomqtt.Client) -> None:
        await self._introduce(client)
        known: bool | None = None
        while True:
            try:
                state = await asyncio.to_thread(self._state)
            except StoreError as error:
                log.debug("%s", error)
                state = None
            if (state is not None) != known:
                known = state is not None
                await client.publish(self.availability_topic, "online" if known else "offline", qos=1, retain=True)
            if state is not None:
                await client.publish(self.state_topic, json.dumps(state), retain=True)
            await asyncio.sleep(self._given["every_s"])


def _key_of(sub_load: Meter) -> str:
    return f"sub_{slug(sub_load.name)}_kwh"


def slug(name: str) -> str:
    """Answer a name in the letters that topics and keys are made of; one that has others too keeps apart by a few of its hash."""
    plain = unicodedata.normalize("NFKD", name.lower()).encode("ascii", "ignore").decode()
    kept = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    if name.isascii() and kept:
        return kept
    return "_".join(filter(None, (kept, hashlib.sha256(name.encode()).hexdigest()[:6])))


def _kwh(energy_j: int) -> float:
    return round(energy_j / 3.6e6, 3)


def _whole(power_w: float | None) -> int | None:
    return None if power_w is None else round(power_w)
