"""The customer's port of a smart meter, P1: a telegram each second or each ten, of lines like `1-0:1.7.0(00.244*kW)`.

One reading of all variants: Dutch DSMR 2.2 to 5, Belgian, Hungarian, Swedish, Luxembourgish in the clear, Irish, and the German
and Austrian meters that speak alike. A line is known by its OBIS code (IEC 62056-61), whatever meter says it; those of gas and
water are passed over. The check over the whole is dsmr-parser's. Sources: DSMR 5.0.2 P1 companion standard, e-MUCS P1 1.7.1.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from dsmr_parser.parsers import TelegramParser

from daisee.config import Setting, one_of
from daisee.model.home import Role
from daisee.model.readings import Reading
from daisee.monitor.sensors import House, Kind, Refuse, Sensor
from daisee.monitor.sensors.link import ADDRESS, Line, open_link
from daisee.monitor.simulated import serve
from daisee.units import Joules

LONGEST = 8_192
"""A telegram of DSMR 5 has some 1,000 bytes; one with a text message up to 3,000."""
BELIEVED_S = 300.0
"""A meter's own time is taken where it is no further from ours."""
MOST_W = 1_000_000
SPEEDS = {"dsmr5": Line(115_200), "dsmr2": Line(9_600, 7, "E")}
LINE = re.compile(
    r"1-\d{1,3}:(?P<code>\d{1,3}\.\d{1,3}\.\d{1,3})(?:\*(?P<storage>\d{1,3}))?"
    r"\((?P<value>-?\d{1,12}(?:\.\d{1,12})?)\*(?P<unit>[A-Za-z]{1,4})\)"
)
WHEN = re.compile(r"0-0:1\.0\.0\((?P<at>\d{12})(?P<season>[SW])\)")
SIGNED = "16.7.0"
"""Power in less power out, as some meters say it: the one that has a sign."""
CHECK = re.compile(rb"!(?P<crc>[0-9A-Fa-f]{1,4})?\r?\n")
TO_J = {"kWh": Decimal(3_600_000), "Wh": Decimal(3_600)}
TO_W = {"kW": Decimal(1_000), "W": Decimal(1)}
SEASONS = {"S": timedelta(hours=2), "W": timedelta(hours=1)}
"""How far a meter's summer and winter time are ahead of UTC, in the countries that have such meters; the Irish are an hour off,
and then ours counts."""


def decode(telegram: bytes, now_s: float, *, checked: bool = True) -> Reading:
    """Read a telegram, from its `/` to the end of the line with its `!`. ValueError, with what is odd about it.

    One whose check does not fit is refused whole. Meters of before DSMR 4 send no check: from them, it is not asked for.
    """
    end = CHECK.search(telegram)
    if not telegram.startswith(b"/") or end is None:
        raise ValueError("half a telegram")
    body = telegram[: end.start() + 1].decode("latin-1")
    if checked and not end["crc"]:
        raise ValueError('a telegram without a check; if the meter is older than DSMR 4, say version = "dsmr2"')
    if end["crc"] and TelegramParser.crc16(body) != int(end["crc"], 16):
        raise ValueError("a telegram whose check does not fit")
    if not body.isascii():
        raise ValueError("a telegram with bytes that are no text")
    said = _said(body)
    forward, reverse = _energy(said, "1.8"), _energy(said, "2.8")
    power_w = _power(said)
    if forward is None and power_w is None:
        raise ValueError("a telegram without electricity")
    if power_w is not None and abs(power_w) > MOST_W:
        raise ValueError(f"a telegram of {power_w:.0f} W")
    return Reading(
        at_s=_at(body, now_s),
        power_w=power_w,
        forward_j=forward,
        reverse_j=reverse,
        voltage_v=float(said["32.7.0"][0]) if said.get("32.7.0", (0, ""))[1] == "V" else None,
    )


def _said(body: str) -> dict[str, tuple[Decimal, str]]:
    """Map what a telegram says of electricity by its OBIS code; a code that is there twice is a ValueError."""
    said: dict[str, tuple[Decimal, str]] = {}
    for line in body.splitlines():
        found = LINE.fullmatch(line.strip())
        # A number of storage is of an earlier billing period: 255 is the present.
        if found is None or found["storage"] not in (None, "255"):
            continue
        if found["value"].startswith("-") and found["code"] != SIGNED:
            continue
        if found["code"] in said:
            raise ValueError(f"a telegram that has {found['code']} twice")
        said[found["code"]] = (Decimal(found["value"]), found["unit"])
    return said


def _energy(said: Mapping[str, tuple[Decimal, str]], code: str) -> Joules | None:
    """Answer a counter: the whole, where the meter says it, else the sum of its tariffs."""
    told = (
        [said[f"{code}.0"]]
        if f"{code}.0" in said
        else [said[f"{code}.{each}"] for each in range(1, 5) if f"{code}.{each}" in said]
    )
    if not told:
        return None
    return Joules(round(sum((_in(TO_J, *each) for each in told), Decimal(0))))


def _power(said: Mapping[str, tuple[Decimal, str]]) -> float | None:
    """Answer what comes in less what goes out, of all phases together."""
    for whole in (("1.7.0", "2.7.0"), (SIGNED,), ("21.7.0", "22.7.0", "41.7.0", "42.7.0", "61.7.0", "62.7.0")):
        signs = {code: 1 if code == SIGNED or code[-5] == "1" else -1 for code in whole}
        there = [_in(TO_W, *said[code]) * sign for code, sign in signs.items() if code in said]
        if there:
            return float(sum(there))
    return None


def _in(units: Mapping[str, Decimal], value: Decimal, unit: str) -> Decimal:
    if unit not in units:
        raise ValueError(f"a telegram that counts in {unit}")
    return value * units[unit]


def _at(body: str, now_s: float) -> float:
    """Answer when it was said, by the meter's clock where that is near ours."""
    told = WHEN.search(body)
    if told is not None:
        try:
            at = datetime.strptime(told["at"], "%y%m%d%H%M%S").replace(tzinfo=timezone(SEASONS[told["season"]]))
        except ValueError:
            return now_s
        if abs(at.timestamp() - now_s) <= BELIEVED_S:
            return at.timestamp()
    return now_s


class P1Sensor:
    """A smart meter's customer port."""

    def __init__(self, address: str, version: str = "dsmr5", clock: Callable[[], float] = time.time) -> None:
        """Name the port, and how fast it speaks."""
        self._address = address
        self._line = SPEEDS[version]
        self._checked = version == "dsmr5"
        self._clock = clock

    async def readings(self, refuse: Refuse) -> AsyncIterator[Reading]:
        """Listen to the meter."""
        async with open_link(self._address, self._line) as link:
            waiting = b""
            while True:
                waiting += await link.read()
                waiting, telegrams = cut_telegrams(waiting, refuse)
                for telegram in telegrams:
                    try:
                        reading = decode(telegram, self._clock(), checked=self._checked)
                    except ValueError as error:
                        refuse(str(error))
                    else:
                        yield reading


def cut_telegrams(data: bytes, refuse: Refuse) -> tuple[bytes, list[bytes]]:
    """Cut whole telegrams out of what came; answer what is left, which is never more than the longest telegram, and them."""
    telegrams = []
    while (ends := CHECK.search(data)) is not None:
        whole, data = data[: ends.end()], data[ends.end() :]
        begins = whole.rfind(b"/", 0, ends.start())
        # A slash within a text message is no beginning: those begin a line.
        while begins > 0 and whole[begins - 1 : begins] != b"\n":
            begins = whole.rfind(b"/", 0, begins)
        if begins < 0:
            refuse("half a telegram")
        else:
            telegrams.append(whole[begins:])
    if len(data) > LONGEST:
        refuse("a telegram without an end; is this a P1 port, and its speed right?")
        data = b""
    return data, telegrams


async def simulate(house: House, where: str | None, ready: Callable[[Mapping[str, Any]], None]) -> None:
    """Be a DSMR 5 meter behind a network port: a telegram each second."""

    async def speak(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(encode(house.at(time.time())))
            await writer.drain()
            await asyncio.sleep(1.0)

    await serve(where or "127.0.0.1:0", speak, lambda address: ready({"address": address}))


def encode(reading: Reading) -> bytes:
    """Write a telegram as a DSMR 5 meter would."""
    at = datetime.fromtimestamp(reading.at_s, timezone(SEASONS["W"]))
    power_w = reading.power_w or 0.0
    lines = [
        "/DAI5SIMULATED", "", "1-3:0.2.8(50)", f"0-0:1.0.0({at:%y%m%d%H%M%S}W)",
        f"1-0:1.8.1({_kwh(reading.forward_j)}*kWh)", "1-0:1.8.2(000000.000*kWh)",
        f"1-0:2.8.1({_kwh(reading.reverse_j)}*kWh)", "1-0:2.8.2(000000.000*kWh)",
        f"1-0:1.7.0({max(0.0, power_w) / 1000:06.3f}*kW)", f"1-0:2.7.0({max(0.0, -power_w) / 1000:06.3f}*kW)",
        f"1-0:32.7.0({reading.voltage_v or 230.0:05.1f}*V)", "!",
    ]  # fmt: skip
    body = "\r\n".join(lines)
    return f"{body}{TelegramParser.crc16(body):04X}\r\n".encode("ascii")


def _kwh(counter_j: int | None) -> str:
    return f"{(counter_j or 0) / 3_600_000:010.3f}"


def _open(**settings: Any) -> Sensor:
    return P1Sensor(**settings)


KIND = Kind(
    name="p1",
    title="P1 smart meter (DSMR, Belgium, Hungary, Sweden, Luxembourg)",
    needs="a P1 cable to a USB port, or a network adapter that gives the port's bytes at host:port",
    settings=(
        ADDRESS,
        Setting(
            "version",
            "",
            "How fast it speaks: dsmr2 for DSMR 2 and 3, dsmr5 for all others.",
            one_of(*SPEEDS),
            "dsmr5",
        ),
    ),
    open=_open,
    roles=(Role.GRID, *(role for role in Role if role is not Role.GRID)),
    simulate=simulate,
    example='kind = "p1"\nrole = "grid"\naddress = "/dev/ttyUSB0"\n',
)
