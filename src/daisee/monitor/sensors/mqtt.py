"""What other programs and devices publish by MQTT: any topic and path in its JSON, and presets for what many homes have.

A message that the broker kept for who comes later (retained) is of some time ago, nobody knows when: it is no reading. Messages
that come together, as a Shelly's single numbers do, are one reading.

Source for the phases of the Shelly 3EM: Shelly's API reference, Gen1 MQTT.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import aiomqtt

from daisee import shallow
from daisee.config import Setting, one_of, text
from daisee.errors import SensorError, UsageError
from daisee.model.home import Role
from daisee.model.readings import Reading
from daisee.monitor.broker import CONNECT_S, MOST_WAITING, SETTINGS, client_of, no_broker
from daisee.monitor.sensors import House, Kind, Refuse, Sensor
from daisee.monitor.sensors.facts import PRESETS, UNITS, Fact, at_path, readings_of
from daisee.units import Joules

MOST_BYTES = 65_536
TOGETHER_S = 0.2
"""What comes within so short a time is said of one moment."""
WORDS = tuple(UNITS)
REFUSED = 128
"""From here on, what a broker answers to a subscription is that it does not grant it."""
HELD_S = 40.0
"""A Shelly of the first generation tells all its numbers each 30 s, as it comes: by then it is known how many phases it has."""
FRESH_S = 100.0
"""Three times that: what was told before is no part of a sum of now."""


class MqttSensor:
    """Somebody's messages at a broker."""

    def __init__(self, clock: Callable[[], float] = time.time, **settings: Any) -> None:
        """Take the settings as KIND names them."""
        self._settings = settings
        self._clock = clock
        preset = settings["preset"]
        self._preset = PRESETS.get(preset)
        if self._preset is not None:
            if not settings["device"]:
                raise UsageError(f"the preset {preset} needs device = the device's name at the broker")
            self.topics = tuple(topic.format(device=settings["device"]) for topic in self._preset.topics)
            self._heads = {topic.partition("{device}")[0] + settings["device"] + "/" for topic in self._preset.topics}
        else:
            if not settings["topic"]:
                raise UsageError('preset = "json" needs a topic')
            self.topics = (settings["topic"],)
        self._paths = [(word, *_path_and_unit(word, settings[word])) for word in WORDS if settings[word]]
        if self._preset is None and not self._paths:
            raise UsageError('preset = "json" needs where its power or a counter is, like power = "ENERGY.Power W"')
        self._two_way: set[str] = set()
        self._phases = Phases()

    async def readings(self, refuse: Refuse) -> AsyncIterator[Reading]:
        """Listen to the broker."""
        waiting: asyncio.Queue[aiomqtt.Message] = asyncio.Queue(MOST_WAITING)
        try:
            async with client_of(self._settings) as client:
                await self._subscribe(client, refuse)
                heard = asyncio.create_task(_pump(client, waiting, refuse))
                try:
                    while True:
                        for reading in await self._together(waiting, heard, refuse):
                            yield reading
                finally:
                    heard.cancel()
                    await asyncio.gather(heard, return_exceptions=True)
        except aiomqtt.MqttError as error:
            raise no_broker(self._settings, error) from error

    async def _subscribe(self, client: aiomqtt.Client, refuse: Refuse) -> None:
        """Ask for all topics; SensorError where the broker grants none of them."""
        answers = {topic: await client.subscribe(topic) for topic in self.topics}
        denied = [topic for topic, (code, *_) in answers.items() if (code if isinstance(code, int) else code.value) >= REFUSED]
        who = self._settings["user"] or "nobody in particular"
        if len(denied) == len(answers):
            raise SensorError(f"the MQTT broker does not let {who} read {', '.join(denied)}; look at its list of rights (ACL)")
        for topic in denied:
            refuse(f"the MQTT broker does not let {who} read {topic}")

    async def _together(
        self, waiting: asyncio.Queue[aiomqtt.Message], heard: asyncio.Task[None], refuse: Refuse
    ) -> list[Reading]:
        """Wait for a message, and answer what it and those that come with it say."""
        first = asyncio.create_task(waiting.get())
        await asyncio.wait({first, heard}, return_when=asyncio.FIRST_COMPLETED)
        if not first.done():
            first.cancel()
            heard.result()
            raise SensorError("the MQTT broker has closed the connection")
        at_s = self._clock()
        messages = [first.result()]
        await asyncio.sleep(TOGETHER_S)
        while not waiting.empty():
            messages.append(waiting.get_nowait())
        parts: list[tuple[str, list[Fact]]] = []
        for message in messages:
            try:
                parts += self._facts(str(message.topic), message.payload)
            except ValueError as error:
                refuse(str(error))
        return self._phases.with_whole(readings_of(parts, at_s, refuse, self._two_way))

    def _facts(self, topic: str, payload: Any) -> Iterable[tuple[str, list[Fact]]]:
        """Read a message. ValueError for what is no JSON, or too much of it."""
        if not isinstance(payload, bytes | bytearray) or len(payload) > MOST_BYTES:
            raise ValueError("a message without text, or with too much of it")
        try:
            said = shallow.parse(bytes(payload))
        except ValueError:
            if self._preset is None or self._preset.json:
                raise ValueError(f"a message at {topic} that is no JSON") from None
            said = payload.decode("utf-8", "replace")
        if self._preset is None:
            return [("", [(word, at_path(said, path), unit) for word, path, unit in self._paths])]
        tail = next((topic.removeprefix(head) for head in self._heads if topic.startswith(head)), "")
        return list(self._preset.facts(tail, said))


class Phases:
    """The phases of a Shelly 3EM, which it tells one number at a time, and their sum, which it does not tell."""

    ALL = ("emeter0", "emeter1", "emeter2")

    def __init__(self) -> None:
        """Begin with nothing heard."""
        self._last: dict[str, Reading] = {}
        self._since_s: float | None = None

    def with_whole(self, readings: list[Reading]) -> list[Reading]:
        """Answer readings, the sum of three phases before them, as the part `emeter`.

        As long as nobody knows how many phases there are, none is told: one of three would be taken for all.
        """
        phases = [reading for reading in readings if reading.part in self.ALL]
        if not phases:
            return readings
        at_s = phases[0].at_s
        self._since_s = at_s if self._since_s is None else self._since_s
        for phase in phases:
            known = self._last.get(phase.part, phase)
            told = {name: getattr(phase, name) for name in ("power_w", "forward_j", "reverse_j", "voltage_v")}
            self._last[phase.part] = replace(
                known, at_s=at_s, **{name: value for name, value in told.items() if value is not None}
            )
        if len(self._last) < len(self.ALL) and at_s - self._since_s < HELD_S:
            return [reading for reading in readings if reading not in phases]
        fresh = [self._last[part] for part in self.ALL if part in self._last and at_s - self._last[part].at_s <= FRESH_S]
        return readings if len(fresh) < len(self.ALL) else [_sum(fresh), *readings]


def _sum(phases: list[Reading]) -> Reading:
    def summed(name: str) -> Any:
        told = [getattr(phase, name) for phase in phases]
        return None if None in told else sum(told)

    forward, reverse = summed("forward_j"), summed("reverse_j")
    return Reading(
        at_s=max(phase.at_s for phase in phases),
        part="emeter",
        power_w=summed("power_w"),
        forward_j=None if forward is None else Joules(forward),
        reverse_j=None if reverse is None else Joules(reverse),
        voltage_v=phases[0].voltage_v,
    )


async def _pump(client: aiomqtt.Client, waiting: asyncio.Queue[aiomqtt.Message], refuse: Refuse) -> None:
    async for message in client.messages:
        if message.retain:
            continue
        if waiting.full():
            refuse("more messages than can be read")
            continue
        waiting.put_nowait(message)


def _path_and_unit(word: str, written: str) -> tuple[str, str]:
    path, _, unit = written.rpartition(" ")
    if unit not in UNITS[word]:
        units = " or ".join(UNITS[word])
        raise UsageError(
            f'{word} = "{written}" has no unit of a {word} ({units}); write it like "ENERGY.Power W", '
            'or " W" for a message of one number'
        )
    return path.strip(), unit


def _every_s(settings: Mapping[str, Any]) -> float:
    preset = PRESETS.get(settings["preset"])
    return 0.0 if preset is None else preset.every_s


async def simulate(house: House, where: str | None, ready: Callable[[Mapping[str, Any]], None]) -> None:
    """Be a plug with Tasmota at a broker that runs at `where`: a message each second."""
    host, _, port = (where or "127.0.0.1:1883").rpartition(":")
    try:
        async with aiomqtt.Client(host, int(port), timeout=CONNECT_S) as client:
            ready({"host": host, "port": int(port), "preset": "tasmota", "device": "simulated"})
            while True:
                await client.publish("tele/simulated/SENSOR", encode(house.at(time.time())))
                await asyncio.sleep(1.0)
    except (aiomqtt.MqttError, ValueError) as error:
        raise SensorError(
            f"no MQTT broker at {host}:{port} lets us publish ({error}); start one, like: mosquitto -p 1883"
        ) from error


def encode(reading: Reading) -> str:
    """Write a message as Tasmota would."""
    said = {
        "Power": round(reading.power_w or 0),
        "Total": round((reading.forward_j or 0) / 3.6e6, 3),
        "Voltage": round(reading.voltage_v or 230),
    }
    return json.dumps({"Time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(reading.at_s)), "ENERGY": said})


def _open(**settings: Any) -> Sensor:
    return MqttSensor(**settings)


KIND = Kind(
    name="mqtt",
    title="MQTT: Tasmota, Shelly, Zigbee2MQTT, or any JSON",
    needs="an MQTT broker, like Mosquitto, and a user at it",
    settings=(
        *SETTINGS,
        Setting("preset", "", "What publishes: a known make, or json for anything else.", one_of(*PRESETS, "json"), "json"),
        Setting("device", "", "With a preset of a make: the device's name at the broker.", text, None),
        Setting("topic", "", "With json: the topic; + and # stand for any.", text, None),
        *(
            Setting(word, "", f"With json: where {what} is, and its unit, like {like!r}.", text, None)
            for word, what, like in (
                ("power", "the power", "ENERGY.Power W"),
                ("forward", "the counter of its forward direction", "total kWh"),
                ("reverse", "the counter of the other", "returned kWh"),
                ("charge", "the state of charge", "battery.soc %"),
                ("voltage", "the voltage", "voltage V"),
            )
        ),
    ),
    open=_open,
    roles=(Role.SUB_LOAD, *(role for role in Role if role is not Role.SUB_LOAD)),
    parts=None,
    every_s=_every_s,
    simulate=simulate,
    example='kind = "mqtt"\nrole = "sub-load"\npreset = "tasmota"\ndevice = "fridge"\nuser = "daisee"\npassword_file = "mqtt"\n',
)
