"""The customer's output of a French Linky meter (and of the electronic meters before it), TIC, in both its modes.

A frame lies between STX and ETX and has lines `label data checksum`; in historic mode they are parted by a space, in standard
mode by a tab, where data may have a time before it. Source: Enedis-NOI-CPT_54E, "Sorties de teleinformation client des appareils
de comptage Linky utilises en generalise par Enedis".
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from daisee.config import Setting, one_of
from daisee.model.home import Role
from daisee.model.readings import Reading
from daisee.monitor.sensors import House, Kind, Refuse, Sensor
from daisee.monitor.sensors.link import ADDRESS, Line, open_link
from daisee.monitor.simulated import serve
from daisee.units import Joules

STX, ETX = b"\x02", b"\x03"
LONGEST = 4_096
"""A frame in standard mode, with three phases, has some 1,400 bytes."""
MODES = {"historic": Line(1_200, 7, "E"), "standard": Line(9_600, 7, "E")}
J_PER_WH = 3_600
HISTORIC_INDEXES = (
    ("BASE",),
    ("HCHC", "HCHP"),
    ("EJPHN", "EJPHPM"),
    ("BBRHCJB", "BBRHPJB", "BBRHCJW", "BBRHPJW", "BBRHCJR", "BBRHPJR"),
)
"""The counters of each contract (Wh): all of one are summed."""
MOST_VA = 99_999


def checksum(text: str) -> str:
    """Answer the character that ends a line: six bits of the sum of what is checked, moved to where they can be printed."""
    return chr((sum(map(ord, text)) & 0x3F) + 0x20)


def lines_of(frame: bytes) -> dict[str, str]:
    """Map the labels of a frame to what they say, times left out. ValueError for a line whose checksum does not fit."""
    try:
        text = frame.decode("ascii")
    except UnicodeDecodeError:
        raise ValueError("a frame with bytes that are no text; is its line 7E1?") from None
    said: dict[str, str] = {}
    for line in filter(None, (each.rstrip("\r") for each in text.split("\n"))):
        # In standard mode the last tab is checked too, in historic mode the last space is not.
        checked = line[:-1] if "\t" in line else line[:-2]
        if len(line) < 4 or checksum(checked) != line[-1]:
            raise ValueError(f"a line whose checksum does not fit: {line[:24]!r}")
        label, *data = checked.rstrip("\t").split("\t") if "\t" in line else checked.split(" ", 1)
        said[label] = data[-1].strip() if data else ""
    return said


def decode(frame: bytes, now_s: float) -> Reading:
    """Read a frame, of what lies between STX and ETX. ValueError, with what is odd about it."""
    said = lines_of(frame)
    if "EAST" in said:
        power_va, back_va = _number(said, "SINSTS"), _number(said, "SINSTI")
        forward_wh, reverse_wh, volts = _number(said, "EAST"), _number(said, "EAIT"), _number(said, "URMS1")
    else:
        power_va, back_va, reverse_wh, volts = _number(said, "PAPP"), None, None, None
        contract = next((labels for labels in HISTORIC_INDEXES if labels[0] in said), None)
        forward_wh = None if contract is None else sum(_number(said, label) or 0 for label in contract)
        if contract is not None and not set(contract) <= said.keys():
            raise ValueError(f"a frame that has {contract[0]} and not all of {', '.join(contract)}")
    if forward_wh is None and power_va is None:
        raise ValueError("a frame without power and counter")
    return Reading(
        at_s=now_s,
        power_w=None if power_va is None else float(power_va - (back_va or 0)),
        forward_j=None if forward_wh is None else Joules(forward_wh * J_PER_WH),
        reverse_j=None if reverse_wh is None else Joules(reverse_wh * J_PER_WH),
        voltage_v=None if volts is None else float(volts),
    )


def _number(said: Mapping[str, str], label: str) -> int | None:
    if label not in said:
        return None
    if not re.fullmatch(r"\d{1,9}", said[label]):
        raise ValueError(f"a frame whose {label} is {said[label][:20]!r}")
    number = int(said[label])
    if label in ("PAPP", "SINSTS", "SINSTI") and number > MOST_VA:
        raise ValueError(f"a frame of {number} VA")
    return number


def cut_frames(data: bytes, refuse: Refuse) -> tuple[bytes, list[bytes]]:
    """Cut whole frames out of what came; answer what is left, which is never more than the longest frame, and them."""
    frames = []
    while (end := data.find(ETX)) >= 0:
        whole, data = data[:end], data[end + 1 :]
        begin = whole.rfind(STX)
        if begin < 0:
            refuse("half a frame")
        else:
            frames.append(whole[begin + 1 :])
    if len(data) > LONGEST:
        refuse("a frame without an end; is this a meter's TIC, and its mode right?")
        data = b""
    return data, frames


class LinkySensor:
    """A Linky meter's customer output."""

    def __init__(self, address: str, mode: str = "historic", clock: Callable[[], float] = time.time) -> None:
        """Name the line, and which mode the meter is in."""
        self._address = address
        self._line = MODES[mode]
        self._clock = clock

    async def readings(self, refuse: Refuse) -> AsyncIterator[Reading]:
        """Listen to the meter."""
        async with open_link(self._address, self._line) as link:
            waiting, begun = b"", False
            while True:
                waiting += await link.read()
                # What lies before the first beginning is the end of a frame that was not heard.
                if not begun and STX in waiting:
                    waiting, begun = waiting[waiting.index(STX) :], True
                waiting, frames = cut_frames(waiting, refuse if begun else _quietly)
                for frame in frames:
                    try:
                        reading = decode(frame, self._clock())
                    except ValueError as error:
                        refuse(str(error))
                    else:
                        yield reading


def _quietly(_why: str) -> None:
    """Take no note."""


async def simulate(house: House, where: str | None, ready: Callable[[Mapping[str, Any]], None]) -> None:
    """Be a Linky in standard mode behind a network port: a frame each second."""

    async def speak(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(encode(house.at(time.time())))
            await writer.drain()
            await asyncio.sleep(1.0)

    await serve(where or "127.0.0.1:0", speak, lambda address: ready({"address": address, "mode": "standard"}))


def encode(reading: Reading) -> bytes:
    """Write a frame as a Linky in standard mode would."""
    power_va = round(reading.power_w or 0)
    groups = [
        "ADSC\t000000000000", "VTIC\t02", f"DATE\tH{time.strftime('%y%m%d%H%M%S', time.gmtime(reading.at_s))}\t",
        "NGTF\t      BASE      ", f"EAST\t{(reading.forward_j or 0) // J_PER_WH:09d}",
        f"EAIT\t{(reading.reverse_j or 0) // J_PER_WH:09d}", f"URMS1\t{round(reading.voltage_v or 230):03d}",
        f"SINSTS\t{max(0, power_va):05d}", f"SINSTI\t{max(0, -power_va):05d}",
    ]  # fmt: skip
    told = "".join(f"\n{group}\t{checksum(group + chr(9))}\r" for group in groups)
    return STX + told.encode("ascii") + ETX


def _open(**settings: Any) -> Sensor:
    return LinkySensor(**settings)


KIND = Kind(
    name="linky",
    title="Linky meter (TIC, historic and standard mode)",
    needs="an adapter on the meter's outputs I1 and I2, to a USB port or the Pi's serial port, or at host:port",
    settings=(
        ADDRESS,
        Setting("mode", "", "The mode of its output, which the supplier sets: historic or standard.", one_of(*MODES), "historic"),
    ),
    open=_open,
    roles=(Role.GRID, *(role for role in Role if role is not Role.GRID)),
    simulate=simulate,
    example='kind = "linky"\nrole = "grid"\naddress = "/dev/ttyS0"\nmode = "standard"\n',
)
