"""INA219: a chip on I2C that measures direct current by the voltage across a shunt, and the voltage behind it.

Each measurement is asked for (the chip's triggered mode) and waited for, so that all registers are of one conversion. Power is
positive from VIN+ to VIN-; the chip's own power register has no sign, and serves to check the others. Source: the datasheet of
Texas Instruments, SBOS448.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import math
import re
import struct
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from daisee.config import Setting, number, via, whole
from daisee.errors import SensorError
from daisee.model.home import Role
from daisee.model.readings import Reading
from daisee.monitor.sensors import House, Kind, Refuse, Sensor
from daisee.monitor.sensors.i2c import Bus, MemoryBus, open_bus, serve_bus, swapped

CONFIG, SHUNT, BUS, POWER, CURRENT, CALIBRATION = range(6)
"""The registers, each of 16 bits, most significant byte first."""
SHUNT_LSB_V = 10e-6
BUS_LSB_V = 4e-3
SCALE = 0.04096
"""Fixed inside the chip: calibration = trunc(0.04096 / (current_lsb x r_shunt))."""
RANGES_V = (0.04, 0.08, 0.16, 0.32)
"""What the shunt voltage may be at most, for each gain of its amplifier (PG)."""
WIDE_BUS = 1 << 13
"""BRNG: 32 V is full scale, of which the chip may be given 26."""
MOST_BUS = 8_000
AVERAGED = 0b1111 << 7 | 0b1111 << 3
"""BADC and SADC: 128 samples of each voltage, averaged."""
TRIGGERED = 0b011
"""MODE: measure shunt and bus once."""
CONVERSION_S = 2 * 0.0751
"""128 samples of shunt, then of bus, at the most that the datasheet gives."""
RESET_CONFIG = 0x399F
READY, OVERFLOW = 1 << 1, 1 << 0
"""Of the bus register: CNVR and OVF."""
MOST_CALIBRATION = 0x7FFE
"""Its bit 0 is always zero. More is of no use: at the smallest range the current register is full already."""
PATIENCE_S = 10.0
"""A measurement takes a fifth of a second; the kernel gives up on a stuck bus after one."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How a chip is set for its shunt."""

    shunt_ohm: float
    gain: int
    """PG, 0 to 3: an index of RANGES_V."""
    calibration: int

    @property
    def current_lsb_a(self) -> float:
        """Answer the amperes of one step of the current register."""
        return SCALE / (self.calibration * self.shunt_ohm)

    @property
    def config(self) -> int:
        """Answer what the configuration register is set to: 32 V, the gain, averaging, and one measurement."""
        return WIDE_BUS | self.gain << 11 | AVERAGED | TRIGGERED


def scale_for(shunt_ohm: float, most_a: float | None) -> Scale:
    """Answer the finest scale that a current of `most_a` fits in; None is as much as the chip can measure with this shunt.

    ValueError where the current is more than that.
    """
    most_v = RANGES_V[-1] if most_a is None else most_a * shunt_ohm
    if most_v > RANGES_V[-1] * (1 + 1e-9):
        able_a = RANGES_V[-1] / shunt_ohm
        raise ValueError(f"{most_a:g} A is more than a shunt of {shunt_ohm:g} ohm can show, which is {able_a:g} A")
    gain = next(index for index, range_v in enumerate(RANGES_V) if most_v <= range_v * (1 + 1e-9))
    lsb_a = RANGES_V[gain] / shunt_ohm / 0x7FFF
    return Scale(shunt_ohm, gain, calibration_for(lsb_a, shunt_ohm))


def calibration_for(current_lsb_a: float, shunt_ohm: float) -> int:
    """Answer the calibration register for a step of the current register; its lowest bit cannot be set."""
    return min(MOST_CALIBRATION, math.trunc(SCALE / (current_lsb_a * shunt_ohm)) & 0xFFFE)


@dataclass(frozen=True, slots=True)
class Measured:
    """What a chip's registers say."""

    shunt_v: float
    bus_v: float
    current_a: float
    """Positive from VIN+ to VIN-."""
    power_w: float
    """With the current's sign."""


def decode(image: bytes, shunt_ohm: float) -> Measured:
    """Read all six registers, as they come over the wire, one after the other.

    ValueError where they are no measurement: an overflow, a shunt or bus beyond the range, a conversion that is not done, a chip
    that has lost its calibration, registers that contradict each other (I2C has no checksum).
    """
    if len(image) != 12:
        raise ValueError(f"{len(image)} bytes of registers, not 12")
    config, shunt, bus, power, current, calibration = struct.unpack(">HhHHhH", image)
    if not calibration:
        raise ValueError("the chip has lost its calibration; had it no power?")
    if not bus & READY:
        raise ValueError("a measurement that is not done")
    most = round(RANGES_V[config >> 11 & 0b11] / SHUNT_LSB_V)
    if bus & OVERFLOW:
        raise ValueError("an overflow; more current flows than this scale has room for")
    if abs(shunt) >= most:
        raise ValueError(f"{abs(shunt) / 100:g} mV at the shunt, its whole range; more current flows than it can show")
    steps = bus >> 3
    if steps > MOST_BUS:
        raise ValueError(f"a bus of {steps * BUS_LSB_V:g} V")
    if abs(current - shunt * calibration / 4096) > 1 or abs(power - abs(current) * steps / 5000) > 1:
        raise ValueError("registers that do not fit each other; are its wires long, or loose?")
    current_lsb_a = SCALE / (calibration * shunt_ohm)
    return Measured(
        shunt_v=shunt * SHUNT_LSB_V,
        bus_v=steps * BUS_LSB_V,
        current_a=current * current_lsb_a,
        # Finer than the power register.
        power_w=current * current_lsb_a * steps * BUS_LSB_V,
    )


def read_register(bus: Bus, address: int, register: int) -> int:
    """Answer a register. An SMBus word has its low byte first, the chip's registers their high one."""
    return swapped(bus.read_word_data(address, register))


def write_register(bus: Bus, address: int, register: int, value: int) -> None:
    """Set a register."""
    bus.write_word_data(address, register, swapped(value))


def measure(bus: Bus, address: int, scale: Scale) -> bytes:
    """Let the chip measure once; answer all its registers as bytes. OSError where it does not answer.

    SensorError where what answers is no INA219.
    """
    if read_register(bus, address, CALIBRATION) != scale.calibration:
        write_register(bus, address, CALIBRATION, scale.calibration)
    write_register(bus, address, CONFIG, scale.config)
    kept = (read_register(bus, address, CONFIG), read_register(bus, address, CALIBRATION))
    if kept != (scale.config, scale.calibration):
        raise SensorError(f"what answers at {address:#x} does not keep what an INA219 keeps; is it another chip?")
    end = time.monotonic() + 2 * CONVERSION_S
    time.sleep(CONVERSION_S)
    while not (state := read_register(bus, address, BUS)) & READY and time.monotonic() < end:
        time.sleep(CONVERSION_S / 20)
    shunt, current = read_register(bus, address, SHUNT), read_register(bus, address, CURRENT)
    power = read_register(bus, address, POWER)
    again = read_register(bus, address, CALIBRATION)
    return struct.pack(">6H", scale.config, shunt, state, power, current, again)


class Ina219Sensor:
    """One chip on a bus."""

    def __init__(
        self,
        bus: int | str = 1,
        address: int = 0x40,
        shunt_ohm: float = 0.1,
        most_a: float | None = None,
        poll_s: float = 1.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Name the bus, the chip's address on it and its shunt."""
        self._bus = bus
        self._address = address
        self._shunt_ohm, self._most_a = shunt_ohm, most_a
        self._poll_s = poll_s
        self._clock = clock

    async def readings(self, refuse: Refuse) -> AsyncIterator[Reading]:
        """Ask the chip, again and again."""
        try:
            scale = scale_for(self._shunt_ohm, self._most_a)
        except ValueError as error:
            raise SensorError(f"{error}; correct shunt_ohm or most_a") from error
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                image = await asyncio.wait_for(asyncio.to_thread(self._measure, scale), PATIENCE_S)
            except TimeoutError as error:
                raise SensorError(f"the I2C bus {self._bus} is stuck; look at its wires, or restart the board") from error
            try:
                seen = decode(image, scale.shunt_ohm)
            except ValueError as error:
                refuse(str(error))
            else:
                yield Reading(at_s=self._clock(), power_w=seen.power_w, voltage_v=seen.bus_v)
            await asyncio.sleep(max(0.0, self._poll_s - (loop.time() - began)))

    def _measure(self, scale: Scale) -> bytes:
        """Open the bus, measure, and close it: so whoever leaves meanwhile leaves nothing open."""
        try:
            with contextlib.closing(open_bus(self._bus)) as bus:
                return measure(bus, self._address, scale)
        except SensorError:
            raise
        except OSError as error:
            raise SensorError(f"the INA219 at {self._address:#x} on bus {self._bus}: {_advice(error)}") from error


def _advice(error: OSError) -> str:
    if isinstance(error, TimeoutError) or error.errno == errno.ETIMEDOUT:
        return "no answer in time; are its wires SDA and SCL right?"
    if error.errno in (errno.ENOENT, errno.ENODEV, errno.ECONNREFUSED):
        return "there is no such bus; on a Pi, switch it on: sudo raspi-config nonint do_i2c 0"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "this user may not; let it be of the group i2c: sudo adduser $USER i2c, then log in anew"
    if error.errno == errno.EBUSY:
        return "the kernel has it; unload its driver: sudo rmmod ina2xx"
    return f"no answer ({error.strerror or error}); are its wires and its address right? i2cdetect -y 1 shows who is there"


class Ina219Chip:
    """The chip as it looks from the bus: six registers and a converter. `sees` answers shunt and bus voltage at this moment."""

    def __init__(self, sees: Callable[[], tuple[float, float]], clock: Callable[[], float] = time.monotonic) -> None:
        """Power it on."""
        self._sees = sees
        self._clock = clock
        self._reset()

    def _reset(self) -> None:
        self._registers = [RESET_CONFIG, 0, 0, 0, 0, 0]
        self._flags = 0
        self._done_at: float | None = self._clock() + self._takes_s()

    def _takes_s(self) -> float:
        config = self._registers[CONFIG]
        mode = config & 0b111
        # The times of a datasheet's typical chip, by the bits of BADC and SADC: one of 9 to 12 bits, or 2 to 128 samples.
        each = [
            532e-6 * 2 ** (bits & 0b111) if bits & 0b1000 else (84e-6, 148e-6, 276e-6, 532e-6)[bits & 0b11]
            for bits in (config >> 3 & 0b1111, config >> 7 & 0b1111)
        ]
        return (each[0] if mode & 0b001 else 0.0) + (each[1] if mode & 0b010 else 0.0)

    def read(self, register: int) -> int:
        """Answer a register, most significant byte first. Reading the power clears CNVR."""
        if not 0 <= register <= CALIBRATION:
            raise OSError(errno.EREMOTEIO, "the chip has no such register")
        self._convert()
        value = self._registers[register] | (self._flags if register == BUS else 0)
        if register == POWER:
            self._flags &= ~READY
        return value

    def write(self, register: int, value: int) -> None:
        """Set configuration or calibration; what is written to the others is lost."""
        self._convert()
        if register == CALIBRATION:
            self._registers[CALIBRATION] = value & 0xFFFE
        elif register == CONFIG and value & 0x8000:
            self._reset()
        elif register == CONFIG:
            self._registers[CONFIG] = value & 0x3FFF
            if value & 0b011:
                self._flags &= ~READY
                self._done_at = self._clock() + self._takes_s()
            else:
                self._done_at = None

    def _convert(self) -> None:
        """Catch up with what was converted until now."""
        now = self._clock()
        if self._done_at is None or now < self._done_at:
            return
        config = self._registers[CONFIG]
        self._done_at = now + self._takes_s() if config & 0b100 else None
        shunt_v, bus_v = self._sees()
        most = round(RANGES_V[config >> 11 & 0b11] / SHUNT_LSB_V)
        if config & 0b001:
            self._registers[SHUNT] = max(-most, min(most, round(shunt_v / SHUNT_LSB_V))) & 0xFFFF
        if config & 0b010:
            full = MOST_BUS if config & WIDE_BUS else MOST_BUS // 2
            self._registers[BUS] = max(0, min(full, round(bus_v / BUS_LSB_V))) << 3
        self._multiply()

    def _multiply(self) -> None:
        shunt = struct.unpack(">h", struct.pack(">H", self._registers[SHUNT]))[0]
        current = int(shunt * self._registers[CALIBRATION] / 4096)
        power = abs(current) * (self._registers[BUS] >> 3) // 5000
        self._flags = READY | (OVERFLOW if abs(current) > 0x7FFF or power > 0xFFFF else 0)
        self._registers[CURRENT], self._registers[POWER] = current & 0xFFFF, power & 0xFFFF


SIMULATED_SHUNT_OHM = 0.001
SIMULATED_V = 24.0


async def simulate(house: House, where: str | None, ready: Callable[[Mapping[str, Any]], None]) -> None:
    """Be a chip on a bus behind a Unix socket, in the 24 V line of a house."""

    def sees() -> tuple[float, float]:
        current_a = (house.at(time.time()).power_w or 0.0) / SIMULATED_V
        return current_a * SIMULATED_SHUNT_OHM, SIMULATED_V

    with tempfile.TemporaryDirectory(prefix="daisee-") as folder:
        path = where or str(Path(folder) / "i2c")
        bus = MemoryBus({0x40: Ina219Chip(sees)})
        await serve_bus(bus, path, lambda: ready({"bus": f"sim:{path}", "shunt_ohm": SIMULATED_SHUNT_OHM}))


def _bus(written: Any) -> int | str:
    if isinstance(written, int) and not isinstance(written, bool) and 0 <= written <= 99:
        return written
    if isinstance(written, str) and re.fullmatch(r"sim:/[^\x00-\x1f]{1,200}", written):
        return written
    raise ValueError('the number of an I2C bus, like 1, or "sim:/path" of a simulated one')


def _open(**settings: Any) -> Sensor:
    return Ina219Sensor(**settings)


KIND = Kind(
    name="ina219",
    title="INA219 (direct current, I2C)",
    needs="the chip's wires VCC, GND, SDA and SCL on a Pi's pins 1, 6, 3 and 5, its shunt in the line, I2C switched on",
    settings=(
        Setting("bus", "", "The I2C bus that it is on; on a Pi it is 1.", _bus, 1),
        Setting("address", "", "Its address on the bus, 64 to 79: 64 (0x40) where nothing is soldered.", whole(0x40, 0x4F), 0x40),
        Setting("shunt_ohm", "ohm", "The resistance of its shunt.", via(float, number("0.0001", "100")), Decimal("0.1")),
        Setting(
            "most_a",
            "A",
            "The most current that is to be measured; less is measured finer. Without it, all that the shunt can show.",
            via(float, number("0", "32000", above=True)),
            None,
        ),
        Setting("poll_s", "s", "How often it measures.", via(float, number("0.2", "3600")), 1),
    ),
    open=_open,
    roles=(Role.BATTERY, *(role for role in Role if role is not Role.BATTERY)),
    simulate=simulate,
    example='kind = "ina219"\nrole = "battery"\nbus = 1\naddress = 0x40\nshunt_ohm = 0.1\n',
)
