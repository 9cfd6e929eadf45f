"""Hall sensors ACS712 behind an Arduino on a serial line at 9600 baud, a line each second: `watts`, or `vcell|soc|watts` with a
fuel gauge MAX17043 beside. hardware/acs712/acs712.ino is what the Arduino runs; the lines are those of the prototype of 2017.

The Arduino takes the voltage for a nominal one, and half its supply for zero: both are mended here, by `zero_w` and `volts`.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from decimal import Decimal
from statistics import fmean
from typing import Any

from daisee.config import Setting, number, via
from daisee.model.home import Role
from daisee.model.readings import Reading
from daisee.monitor.sensors import House, Kind, Refuse, Sensor
from daisee.monitor.sensors.link import ADDRESS, Line, lines, open_link
from daisee.monitor.simulated import serve

LINE = Line(9_600, hangs_up=False)
LONGEST = 80
NOMINAL_V = 3.7
"""What the prototype's sketch multiplies its amperes with: one lithium cell."""
MOST_W = 100_000.0
FLOAT = r"[+-]?\d{1,9}(?:\.\d{1,9})?"
WATTS = re.compile(FLOAT)
GAUGED = re.compile(rf"(?P<cell_v>{FLOAT})\|(?P<soc>{FLOAT})\|(?P<watts>{FLOAT})")
LEAST_CELL_V, MOST_CELL_V = 1.0, 6.0
"""What a MAX17043 can measure of one cell, and a little more."""
MOST_SOC = 110.0
"""The gauge's guess goes beyond full for a while, which is full."""


def decode(line: bytes) -> Reading:
    """Read a line of watts, at no time yet. ValueError, with what is odd about it."""
    text = _text(line)
    if not WATTS.fullmatch(text):
        raise ValueError(f"a line that is no number: {text[:20]!r}")
    return Reading(at_s=0.0, power_w=_watts(text))


def decode_gauged(line: bytes) -> Reading:
    """Read a line of `vcell|soc|watts`, at no time yet. ValueError, with what is odd about it."""
    text = _text(line)
    found = GAUGED.fullmatch(text)
    if found is None:
        raise ValueError(f"a line that is no vcell|soc|watts: {text[:30]!r}")
    cell_v, soc = float(found["cell_v"]), float(found["soc"])
    if not LEAST_CELL_V <= cell_v <= MOST_CELL_V:
        raise ValueError(f"a cell of {cell_v:g} V")
    if not 0 <= soc <= MOST_SOC:
        raise ValueError(f"a state of charge of {soc:g} %")
    return Reading(at_s=0.0, power_w=_watts(found["watts"]), voltage_v=cell_v, state_of_charge=min(1.0, soc / 100))


def _text(line: bytes) -> str:
    try:
        return line.decode("ascii").strip()
    except UnicodeDecodeError:
        raise ValueError("a line that is no text; is its speed 9600 baud?") from None


def _watts(text: str) -> float:
    power_w = float(text)
    if abs(power_w) > MOST_W:
        raise ValueError(f"a line of {power_w:.0f} W")
    return power_w


def zero_of(powers_w: Sequence[float]) -> float:
    """Answer the `zero_w` by what was seen while nothing was drawn. ValueError for none."""
    if not powers_w:
        raise ValueError("nothing was seen")
    return round(fmean(powers_w), 4)


class Acs712Sensor:
    """An Arduino with a Hall sensor."""

    def __init__(
        self,
        address: str,
        zero_w: float = 0.0,
        volts: float = NOMINAL_V,
        gauged: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Name the line, what it shows while nothing is drawn, and the voltage that there really is."""
        self._address = address
        self._zero_w = zero_w
        self._factor = volts / NOMINAL_V
        self._decode = decode_gauged if gauged else decode
        self._clock = clock

    async def readings(self, refuse: Refuse) -> AsyncIterator[Reading]:
        """Listen to the Arduino."""
        async with open_link(self._address, LINE) as link, aclosing(lines(link, LONGEST, refuse)) as said:
            # The first line is mostly the end of one: 4.12 may have been 14.12.
            await anext(said)
            async for line in said:
                try:
                    seen = self._decode(line)
                except ValueError as error:
                    if line.strip():
                        refuse(str(error))
                else:
                    power_w = ((seen.power_w or 0.0) - self._zero_w) * self._factor
                    yield Reading(
                        at_s=self._clock(), power_w=power_w, voltage_v=seen.voltage_v, state_of_charge=seen.state_of_charge
                    )


def _simulate(told: Callable[[Reading], str]) -> Callable[..., Any]:
    async def simulate(house: House, where: str | None, ready: Callable[[Mapping[str, Any]], None]) -> None:
        """Be an Arduino behind a network port: a line each second."""

        async def speak(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                writer.write(told(house.at(time.time())).encode() + b"\r\n")
                await writer.drain()
                await asyncio.sleep(1.0)

        await serve(where or "127.0.0.1:0", speak, lambda address: ready({"address": address}))

    return simulate


def _open(**settings: Any) -> Sensor:
    return Acs712Sensor(**settings)


def _open_gauged(**settings: Any) -> Sensor:
    return Acs712Sensor(**settings, gauged=True)


SETTINGS = (
    ADDRESS,
    Setting(
        "zero_w",
        "W",
        "What it shows while nothing is drawn: `daisee monitor calibrate` finds it.",
        via(float, number("-1000", "1000")),
        0,
    ),
    Setting(
        "volts",
        "V",
        "The voltage that there really is; the sketch takes it for 3.7.",
        via(float, number("0.1", "500")),
        Decimal("3.7"),
    ),
)
ROLES = (Role.LOAD, Role.SUB_LOAD, Role.PRODUCTION, Role.BATTERY, Role.GRID)
EXAMPLE = 'kind = "{}"\nrole = "load"\naddress = "/dev/ttyUSB0"\nzero_w = 0.12\nvolts = 12.4\n'

KIND = Kind(
    name="acs712",
    title="ACS712 Hall sensor by an Arduino",
    needs="an Arduino that runs hardware/acs712/acs712.ino, on a USB port",
    settings=SETTINGS,
    open=_open,
    roles=ROLES,
    simulate=_simulate(lambda seen: f"{seen.power_w or 0:.2f}"),
    example=EXAMPLE.format("acs712"),
)
GAUGED_KIND = Kind(
    name="acs712-gauge",
    title="ACS712 Hall sensor and MAX17043 fuel gauge by an Arduino",
    needs="an Arduino that runs hardware/acs712/acs712.ino with GAUGE on, on a USB port",
    settings=SETTINGS,
    open=_open_gauged,
    roles=ROLES,
    simulate=_simulate(lambda seen: f"3.8712|{100 * (seen.state_of_charge or 0):.2f}|{seen.power_w or 0:.2f}"),
    example=EXAMPLE.format("acs712-gauge"),
)
