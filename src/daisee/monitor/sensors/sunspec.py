"""Inverters, meters and batteries that speak SunSpec over Modbus TCP.

Models 101 to 103 and 111 to 113 are inverters, 201 to 204 and 211 to 214 meters, 124 and 802 storage.

A device's registers begin with the letters SunS, then one model after the other, each with its number and length. A value of an
integer model has a scale factor; each type has a value that means "not implemented". Source: the SunSpec Alliance's information
models, as published in its repository of models, and its Information Model Specification 1.9. SolarEdge's meters say power with
the other sign, and their counters as the models have them (WillCodeForCats/solaredge-modbus-multi and sdeigm/uni-meter, issues).
"""

from __future__ import annotations

import asyncio
import logging
import math
import struct
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pymodbus import ModbusException
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from daisee.config import Setting, number, one_of, text, via, whole
from daisee.errors import SensorError
from daisee.model.home import Role
from daisee.model.readings import Reading
from daisee.monitor.sensors import House, Kind, Refuse
from daisee.monitor.sensors.facts import Fact, readings_of

BASES = (40_000, 50_000, 0)
MARKER = (0x5375, 0x6E53)
"""SunS."""
END = 0xFFFF
MOST_AT_ONCE = 125
"""Registers in one answer of Modbus."""
MOST_MODELS = 200
MOST_LENGTH = 2_000
TIMEOUT_S = 5.0
CHARGE_STATUS = 16
"""Where model 802 says what its battery does."""
DISCHARGING, CHARGING = 3, 4
COMMON, MAKER = 1, slice(2, 18)
"""The model that names its maker, and where in it."""
EXPORT_IS_POSITIVE = ("solaredge",)
"""Makers whose meters say power that goes out with a plus."""
AUTO, IMPORT, EXPORT = "auto", "import", "export"


@dataclass(frozen=True, slots=True)
class Point:
    """Where a model has a value, counted from its number on, of which type, and where its scale factor is."""

    word: str
    """What it is of: `power`, `forward`, `reverse`, `charge` or `voltage`."""
    offset: int
    kind: str
    """`int16`, `uint16`, `acc32` or `float32`."""
    unit: str
    scale_at: int | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """What is read of a model."""

    part: str
    points: tuple[Point, ...]


_INVERTER = Model(
    "inverter",
    (Point("power", 14, "int16", "W", 15), Point("forward", 24, "acc32", "Wh", 26), Point("voltage", 10, "uint16", "V", 13)),
)
_INVERTER_FLOAT = Model(
    "inverter", (Point("power", 22, "float32", "W"), Point("forward", 32, "float32", "Wh"), Point("voltage", 16, "float32", "V"))
)
_METER = Model(
    "meter",
    (
        Point("power", 18, "int16", "W", 22),
        Point("reverse", 38, "acc32", "Wh", 54),
        Point("forward", 46, "acc32", "Wh", 54),
        Point("voltage", 8, "int16", "V", 15),
    ),
)
_METER_FLOAT = Model(
    "meter",
    (
        Point("power", 28, "float32", "W"),
        Point("reverse", 60, "float32", "Wh"),
        Point("forward", 68, "float32", "Wh"),
        Point("voltage", 12, "float32", "V"),
    ),
)
MODELS: Mapping[int, Model] = {
    **dict.fromkeys((101, 102, 103), _INVERTER),
    **dict.fromkeys((111, 112, 113), _INVERTER_FLOAT),
    **dict.fromkeys((201, 202, 203, 204), _METER),
    **dict.fromkeys((211, 212, 213, 214), _METER_FLOAT),
    124: Model("battery", (Point("charge", 8, "uint16", "%", 22), Point("voltage", 10, "uint16", "V", 24))),
    802: Model(
        "battery",
        (Point("charge", 11, "uint16", "%", 56), Point("voltage", 34, "uint16", "V", 59), Point("power", 47, "int16", "W", 63)),
    ),
}

Read = Callable[[int, int], Awaitable[Sequence[int] | None]]
"""Ask for registers from an address on: `await read(address, count)`."""


def value_of(registers: Sequence[int], point: Point) -> float | None:
    """Answer a value of a model's registers, which begin with its number; None where the device does not implement it.

    ValueError where it is longer than the model, or its scale makes no sense.
    """
    size = 2 if point.kind in ("acc32", "float32") else 1
    words = registers[point.offset : point.offset + size]
    if len(words) < size:
        return None  # an older, shorter edition of the model
    if point.kind == "float32":
        number_: float = struct.unpack(">f", struct.pack(">HH", *words))[0]
        return None if math.isnan(number_) else number_
    raw = words[0] if size == 1 else words[0] << 16 | words[1]
    if (point.kind, raw) in (("int16", 0x8000), ("uint16", 0xFFFF), ("acc32", 0)):
        return None
    if point.kind == "int16" and raw >= 0x8000:
        raw -= 0x10000
    scale = 0
    if point.scale_at is not None:
        if point.scale_at >= len(registers) or registers[point.scale_at] == 0x8000:
            return None
        scale = registers[point.scale_at]
        scale -= 0x10000 if scale >= 0x8000 else 0
        if not -10 <= scale <= 10:
            raise ValueError(f"a scale factor of {scale}")
    return raw * 10.0**scale


def facts_of(model_id: int, registers: Sequence[int], *, export_is_positive: bool = False) -> tuple[str, list[Fact]]:
    """Answer what a model says; where a meter's power has the other sign, that alone is turned, and no counter."""
    model = MODELS[model_id]
    seen = {point.word: (value_of(registers, point), point.unit) for point in model.points}
    power_w = seen.get("power", (None, ""))[0]
    if model_id == 802 and power_w is not None and registers[CHARGE_STATUS] in (DISCHARGING, CHARGING):
        # The model does not say which sign is which, and makers differ; the battery itself says what it does.
        seen["power"] = (math.copysign(power_w, registers[CHARGE_STATUS] - 3.5), "W")
    elif power_w is not None and model.part == "meter" and export_is_positive:
        seen["power"] = (-power_w, "W")
    return model.part, [(word, value, unit) for word, (value, unit) in seen.items()]


@dataclass(frozen=True, slots=True)
class Map:
    """What a device has."""

    maker: str
    """As its common model names it."""
    models: Sequence[tuple[int, int, int]]
    """Number, address and length of each model that is known here."""


async def has_map(read: Read, base: int) -> bool:
    """Tell whether a device's map begins at an address."""
    marker = await read(base, 2)
    return marker is not None and tuple(marker) == MARKER


async def read_map(read: Read, base: int) -> Map:
    """Walk a device's models. SensorError where none of them is known here."""
    address, found, maker = base + 2, [], ""
    for _ in range(MOST_MODELS):
        head = await read(address, 2)
        if head is None or head[0] == END:
            break
        if head[1] > MOST_LENGTH:
            raise SensorError(f"its model {head[0]} is {head[1]} registers long; that is no SunSpec")
        if head[0] in MODELS:
            found.append((head[0], address, head[1] + 2))
        elif head[0] == COMMON and not maker:
            # The first one is the device's own: a meter behind an inverter may have one of another maker.
            common = await read(address, MAKER.stop) if head[1] + 2 >= MAKER.stop else None
            maker = struct.pack(f">{MAKER.stop - MAKER.start}H", *common[MAKER]).decode("latin-1") if common else ""
        address += head[1] + 2
    if not found:
        raise SensorError("the device speaks SunSpec, and has no inverter, meter or storage that is known here")
    return Map(maker.strip("\0 "), found)


async def _ask_all(
    read: Read, models: Sequence[tuple[int, int, int]], export_is_positive: bool, refuse: Refuse
) -> list[tuple[str, list[Fact]]]:
    """Ask for all models; of several meters or inverters in one device, the second is the part `meter-2`, and so on."""
    parts, seen = [], Counter[int]()
    for model_id, address, length in models:
        seen[model_id] += 1
        registers = await read(address, length)
        if registers is None or registers[0] != model_id:
            refuse(f"its model {model_id} is not where it was")
            continue
        try:
            part, facts = facts_of(model_id, registers, export_is_positive=export_is_positive)
        except ValueError as error:
            refuse(f"its model {model_id} says {error}")
            continue
        parts.append((part if seen[model_id] == 1 else f"{part}-{seen[model_id]}", facts))
    return parts


class SunSpecSensor:
    """A device with SunSpec's models."""

    def __init__(
        self,
        host: str,
        port: int,
        unit: int,
        poll_s: float,
        base: int | None = None,
        meter_power: str = AUTO,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Name the device, how often it is asked, where its map begins, and which way its meter's power has a plus."""
        self._host, self._port, self._unit = host, port, unit
        self._poll_s = poll_s
        self._bases = BASES if base is None else (base,)
        self._meter_power = meter_power
        self._clock = clock
        # What it says of each try, in bytes, is said once and in words by us.
        logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)

    async def readings(self, refuse: Refuse) -> AsyncIterator[Reading]:
        """Ask the device, again and again."""
        loop = asyncio.get_running_loop()
        client, base = await self._found()
        read = partial(self._registers, client)
        try:
            found = await read_map(read, base)
            by_maker = self._meter_power == AUTO and found.maker.lower().startswith(EXPORT_IS_POSITIVE)
            is_turned = by_maker or self._meter_power == EXPORT
            while True:
                began = loop.time()
                for reading in readings_of(await _ask_all(read, found.models, is_turned, refuse), self._clock(), refuse):
                    yield reading
                await asyncio.sleep(max(0.0, self._poll_s - (loop.time() - began)))
        finally:
            client.close()

    async def _found(self) -> tuple[AsyncModbusTcpClient, int]:
        """Connect, and answer where the device's map begins. SensorError where there is none."""
        silent: list[SensorError] = []
        client: AsyncModbusTcpClient | None = None
        for base in self._bases:
            client = client or await self._connected()
            try:
                if await has_map(partial(self._registers, client), base):
                    return client, base
            except SensorError as error:
                # Some devices are silent, or hang up, when asked for an address that they have not.
                silent.append(error)
                client.close()
                client = None
            except BaseException:
                client.close()
                raise
        if client is not None:
            client.close()
        if len(silent) == len(self._bases):
            raise silent[0]
        raise SensorError("the device does not speak SunSpec; is it switched on in its menu, and the unit right?")

    async def _connected(self) -> AsyncModbusTcpClient:
        client = AsyncModbusTcpClient(self._host, port=self._port, timeout=TIMEOUT_S, retries=1, reconnect_delay=0)
        if not await client.connect():
            client.close()
            raise SensorError(f"no Modbus TCP at {self._host}:{self._port}; is the device on, and Modbus TCP switched on in it?")
        return client

    async def _registers(self, client: AsyncModbusTcpClient, address: int, count: int) -> list[int] | None:
        """Answer registers, asked for in pieces that fit; None where the device has none there."""
        registers: list[int] = []
        while len(registers) < count:
            piece = min(MOST_AT_ONCE, count - len(registers))
            try:
                answer = await client.read_holding_registers(address + len(registers), count=piece, device_id=self._unit)
            except (ModbusException, OSError) as error:
                raise SensorError(
                    f"{self._host}:{self._port} has not answered; is it on, and the unit {self._unit} right?"
                ) from error
            if answer.isError() or len(answer.registers) != piece:
                return None
            registers += answer.registers
        return registers


def _words(value: float, size: int = 1) -> list[int]:
    whole_ = round(value) % (1 << 16 * size)
    return [whole_ >> 16 * place & 0xFFFF for place in reversed(range(size))]


def image_of(seen: Reading) -> list[int]:
    """Answer the registers of a device that is an inverter, a meter and a battery, in a house: what it shows at a moment."""

    def model(model_id: int, length: int, **at: tuple[int, Sequence[int]]) -> list[int]:
        registers = [model_id, length] + [0xFFFF] * length
        for offset, words in at.values():
            registers[offset : offset + len(words)] = words
        return registers

    wh, back = (seen.forward_j or 0) / 3600, (seen.reverse_j or 0) / 3600
    power_w, volts = seen.power_w or 0.0, (seen.voltage_v or 230.0) * 10
    tenths = _words(-1)
    return [
        *MARKER,
        *model(1, 66),
        *model(
            103, 50, w=(14, [*_words(max(0.0, -power_w)), 0]), wh=(24, [*_words(back, 2), 0]), v=(10, _words(volts)),
            v_scale=(13, tenths),
        ),
        *model(
            203, 105, w=(18, [*_words(power_w), 0x8000, 0x8000, 0x8000, 0]), back=(38, _words(back, 2)), wh=(46, _words(wh, 2)),
            wh_scale=(54, [0]), v=(8, _words(volts)), v_scale=(15, tenths),
        ),
        *model(
            802, 62, soc=(11, _words((seen.state_of_charge or 0) * 1000)), soc_scale=(56, tenths), does=(16, [CHARGING]),
            v=(34, _words(480)), v_scale=(59, tenths), w=(47, _words(abs(power_w) / 4)), w_scale=(63, [0]),
        ),
        END,
        0,
    ]  # fmt: skip


async def simulate(house: House, where: str | None, ready: Callable[[Mapping[str, Any]], None]) -> None:
    """Be such a device on a port of this machine, by pymodbus's own server."""

    async def refresh(_code: int, start: int, _at: int, _count: int, registers: list[int], _set: Any) -> None:
        fresh = image_of(house.at(time.time()))
        registers[BASES[0] - start : BASES[0] - start + len(fresh)] = fresh

    host, _, port = (where or "127.0.0.1:0").rpartition(":")
    first = SimData(BASES[0], values=image_of(house.at(time.time())), datatype=DataType.REGISTERS)
    try:
        server: Any = ModbusTcpServer(SimDevice(1, simdata=[first], action=refresh), address=(host or "127.0.0.1", int(port)))
        await server.serve_forever(background=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise SensorError(f"nothing can listen at {where}; name another port, like 127.0.0.1:5020") from error
    try:
        at = server.transport.sockets[0].getsockname()
        ready({"host": at[0], "port": at[1]})
        await asyncio.Event().wait()
    finally:
        await server.shutdown()


KIND = Kind(
    name="sunspec",
    title="Inverters, meters and batteries with SunSpec over Modbus TCP",
    needs="its address, and Modbus TCP with SunSpec switched on in the device's menu",
    settings=(
        Setting("host", "", "Where the device is: an address or a name.", text),
        Setting("port", "", "Its port for Modbus.", whole(1, 65_535), 502),
        Setting("unit", "", "Its number on the bus, where there are several.", whole(0, 255), 1),
        Setting("poll_s", "s", "How often it is asked.", via(float, number("0.5", "3600")), 5),
        Setting("base", "", "Where its registers begin; else 40000, 50000 and 0 are tried.", whole(0, 65_535), None),
        Setting(
            "meter_power",
            "",
            "Which way its meter's power has a plus: import, as the standard has it, export, or auto, by its maker.",
            one_of(AUTO, IMPORT, EXPORT),
            AUTO,
        ),
    ),
    open=SunSpecSensor,
    every_s=lambda settings: settings["poll_s"] + (len(BASES) * 2 * TIMEOUT_S if settings["base"] is None else 0),
    roles=(Role.PRODUCTION, Role.GRID, Role.BATTERY, Role.LOAD, Role.SUB_LOAD),
    simulate=simulate,
    example='kind = "sunspec"\nhost = "192.168.1.50"\n'
    "# What of it is meant: an inverter alone is its production. Leave out the parts that it has not.\n"
    'parts = {inverter = "production", meter = "grid", battery = "battery"}\n',
)
