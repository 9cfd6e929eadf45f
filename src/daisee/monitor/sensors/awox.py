"""AWOX SmartPlug SMP-B16: a plug that measures, by Bluetooth Low Energy. It is asked for its status every few seconds; the whole
hours that were missed meanwhile are filled from its own history.

Frames: 0x0f, length of payload and checksum, payload, checksum, 0xff 0xff. Sources: the prototype of 2017; smartplugctl
(github.com/sourceperl/smartplugctl), which has the history's unit, Wh; and the notes on the sibling Voltcraft SEM6000
(github.com/Heckie75/voltcraft-sem-6000), by which the newest of the values is of the hour that still runs.
"""

from __future__ import annotations

import asyncio
import re
import struct
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from daisee.config import Setting, number, via
from daisee.errors import SensorError
from daisee.model.home import Role
from daisee.model.readings import Reading
from daisee.monitor.sensors import House, Kind, Refuse, Sensor
from daisee.monitor.sensors.gatt import PIECE, Gatt, Profile, gatt_at, serve_gatt

PROFILE = Profile("0000fff0-0000-1000-8000-00805f9b34fb", "0000fff3-0000-1000-8000-00805f9b34fb")
BEGIN, END = 0x0F, b"\xff\xff"
AROUND = 4
"""What a frame has beside what its length counts: begin, length, end."""
STATUS, HOURS, DAYS = (bytes([word, 0, 0, 0]) for word in (0x04, 0x0A, 0x0B))
ON, OFF = (bytes([0x03, 0, state, 0, 0]) for state in (1, 0))
"""Commands, as payloads."""
HOUR_S = 3_600
MOST_W = 10_000
"""The plug is made for 16 A."""
ANSWER_S = 5.0
MOST_UNANSWERED = 3
MOST_WAITING = 64
"""Notifications; the longest answer has seven."""
GONE = "the plug is gone; is it plugged in and near?"
BORDER_S = 30.0
"""Around a full hour, the plug's clock and ours may not agree which hour runs."""


@dataclass(frozen=True, slots=True)
class Status:
    """What the plug does now."""

    on: bool
    power_w: float
    voltage_v: float


@dataclass(frozen=True, slots=True)
class History:
    """What went through the plug, oldest first. The last value is of the hour, or day, that still runs."""

    energies_wh: tuple[int, ...]


class Hours(History):
    """Its last 24 hours."""


class Days(History):
    """Its last 30 days, as 2017 read them, in 32 bits each; its sibling has 24 bits and a zero. No reading is made of them."""


@dataclass(frozen=True, slots=True)
class Switched:
    """It did as it was told."""


Answer = Status | Hours | Days | Switched
A = TypeVar("A", Status, Hours, Days, Switched)


def checksum(payload: bytes) -> int:
    """Answer the sum of a payload, and one, in a byte."""
    return sum(payload) + 1 & 0xFF


def framed(payload: bytes) -> bytes:
    """Put a payload into a frame."""
    return bytes([BEGIN, len(payload) + 1]) + payload + bytes([checksum(payload)]) + END


def unframed(frame: bytes) -> bytes:
    """Answer the payload of a frame. ValueError for what is none."""
    if len(frame) < AROUND + 2 or frame[0] != BEGIN or len(frame) != frame[1] + AROUND or frame[-2:] != END:
        raise ValueError(f"what is no frame: {frame[:12].hex(' ')}")
    payload = frame[2:-3]
    if frame[-3] != checksum(payload):
        raise ValueError(f"a frame whose checksum does not fit: {frame[:12].hex(' ')}")
    return payload


def decode(frame: bytes) -> Answer:
    """Read an answer. ValueError, with what is odd about it."""
    payload = unframed(frame)
    match payload[0], len(payload):
        case 0x04, 14:
            on, power_mw, voltage_v = struct.unpack_from(">BxIB", payload, 2)
            if on > 1 or power_mw > MOST_W * 1000:
                raise ValueError(f"a status of {power_mw / 1000:g} W, switched {on}")
            return Status(on == 1, power_mw / 1000, float(voltage_v))
        case 0x0A, 50:
            return Hours(_plausible(struct.unpack_from(">24H", payload, 2), 1))
        case 0x0B, 122:
            return Days(_plausible(struct.unpack_from(">30I", payload, 2), 24))
        case 0x03, 3:
            if payload[2]:
                raise ValueError(f"a switch that was not done, for {payload[2]}")
            return Switched()
    raise ValueError(f"an answer that is not known: {frame[:12].hex(' ')}")


def _plausible(energies_wh: tuple[int, ...], hours: int) -> tuple[int, ...]:
    if max(energies_wh) > MOST_W * hours:
        raise ValueError(f"a history of {max(energies_wh)} Wh in {hours} h")
    return energies_wh


def encode(answer: Answer) -> bytes:
    """Write an answer as the plug does."""
    match answer:
        case Status(on, power_w, voltage_v):
            return framed(b"\x04\x00" + struct.pack(">BxIB5x", on, round(power_w * 1000), round(voltage_v)))
        case Hours(energies_wh):
            return framed(b"\x0a\x00" + struct.pack(">24H", *energies_wh))
        case Days(energies_wh):
            return framed(b"\x0b\x00" + struct.pack(">30I", *energies_wh))
        case Switched():
            return framed(b"\x03\x00\x00")


class Joiner:
    """Joins the pieces of notifications to frames, by the length that a frame says. It keeps no more than one frame."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._waiting = b""

    def clear(self) -> None:
        """Forget what has not become whole."""
        self._waiting = b""

    def join(self, piece: bytes) -> Iterator[bytes]:
        """Take a piece, and answer the frames that are whole by it. What does not begin like a frame is answered as it is."""
        data, self._waiting = self._waiting + piece, b""
        while data:
            if data[0] != BEGIN:
                yield data
                return
            if len(data) < 2 or len(data) < data[1] + AROUND:
                self._waiting = data
                return
            frame, data = data[: data[1] + AROUND], data[data[1] + AROUND :]
            yield frame


class Plug:
    """A plug that is spoken with, a question at a time."""

    def __init__(self, gatt: Gatt, refuse: Refuse) -> None:
        """Name the device; what it says and cannot mean is refused."""
        self._gatt = gatt
        self.refuse = refuse
        self._joiner = Joiner()
        self._heard: asyncio.Queue[bytes | None] = asyncio.Queue(MOST_WAITING)
        """Notifications, and None where nothing will come any more."""
        self._is_lost = False

    async def __aenter__(self) -> Plug:
        """Connect."""
        try:
            await self._gatt.connect(self._notified, self._lost)
        except BaseException:
            await self._gatt.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let go of it."""
        await self._gatt.close()

    def _notified(self, piece: bytes) -> None:
        if self._heard.full():
            self.refuse("more notifications than can be read")
        else:
            self._heard.put_nowait(piece)

    def _lost(self) -> None:
        self._is_lost = True
        self._forget()
        self._heard.put_nowait(None)

    def _forget(self) -> None:
        self._joiner.clear()
        while not self._heard.empty():
            self._heard.get_nowait()

    async def ask(self, command: bytes, kind: type[A]) -> A | None:
        """Write a command and answer what comes of the kind; None where nothing does. SensorError where the plug is gone."""
        if self._is_lost:
            raise SensorError(GONE)
        self._forget()
        await self._gatt.write(framed(command))
        try:
            async with asyncio.timeout(ANSWER_S):
                while True:
                    for frame in self._joiner.join(await self._next()):
                        try:
                            answer = decode(frame)
                        except ValueError as error:
                            self.refuse(str(error))
                        else:
                            if isinstance(answer, kind):
                                return answer
        except TimeoutError:
            return None

    async def _next(self) -> bytes:
        piece = None if self._is_lost else await self._heard.get()
        if piece is None:
            raise SensorError(GONE)
        return piece


async def switch(address: str, on: bool) -> None:
    """Switch a plug on or off. SensorError where it does not say that it did."""
    odd: list[str] = []
    async with Plug(gatt_at(address, PROFILE), odd.append) as plug:
        if await plug.ask(ON if on else OFF, Switched) is None:
            told = odd[-1] if odd else "no answer"
            raise SensorError(f"the plug {address} has not switched ({told}); try again, nearer to it")


def missed(hours: Hours, last_s: float, now_s: float) -> list[Reading]:
    """Answer the hours of a history that lie wholly between the last reading and now, oldest first."""
    ran_from_s = now_s // HOUR_S * HOUR_S
    ended = [(ran_from_s - HOUR_S * back, energy_wh) for back, energy_wh in enumerate(reversed(hours.energies_wh[:-1]))]
    return [
        # So many Wh in an hour are so many watts.
        Reading(at_s=end_s, power_w=float(energy_wh), mean_over_s=float(HOUR_S))
        for end_s, energy_wh in reversed(ended)
        if end_s - HOUR_S >= last_s
    ]


class AwoxSensor:
    """A plug that is listened to."""

    def __init__(
        self,
        address: str,
        poll_s: float = 10.0,
        last_s: dict[str, float] | None = None,
        gatt: Callable[[str, Profile], Gatt] = gatt_at,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Name the plug, and how often it is asked. `last_s` keeps, by address, when each plug was heard last."""
        self._address = address
        self._poll_s = poll_s
        self._last_s = {} if last_s is None else last_s
        self._gatt = gatt
        self._clock = clock

    async def readings(self, refuse: Refuse) -> AsyncIterator[Reading]:
        """Fill what was missed, then ask the plug, again and again."""
        loop = asyncio.get_running_loop()
        async with Plug(self._gatt(self._address, PROFILE), refuse) as plug:
            for reading in await self._missed(plug):
                self._last_s[self._address] = reading.at_s
                yield reading
            unanswered = 0
            while True:
                began = loop.time()
                status = await plug.ask(STATUS, Status)
                if status is not None:
                    unanswered = 0
                    now_s = self._last_s[self._address] = self._clock()
                    yield Reading(at_s=now_s, power_w=status.power_w, voltage_v=status.voltage_v)
                elif (unanswered := unanswered + 1) >= MOST_UNANSWERED:
                    raise SensorError(f"the plug {self._address} is connected and does not answer; pull it out and plug it in")
                await asyncio.sleep(max(0.0, self._poll_s - (loop.time() - began)))

    async def _missed(self, plug: Plug) -> list[Reading]:
        last_s = self._last_s.get(self._address)
        if last_s is None or not missed(Hours((0,) * 24), last_s, self._clock()):
            return []
        into_s = (self._clock() + BORDER_S) % HOUR_S
        if into_s < 2 * BORDER_S:
            await asyncio.sleep(2 * BORDER_S - into_s)
        hours = await plug.ask(HOURS, Hours)
        if hours is None:
            plug.refuse("no history; what went through it meanwhile is not known")
            return []
        return missed(hours, last_s, self._clock())


class FakePlug:
    """A plug that does not exist, between the mains and a house."""

    def __init__(self, house: House, clock: Callable[[], float] = time.time) -> None:
        """Plug it in, switched on."""
        self.on = True
        self.energies_wh: dict[int, float] = {}
        """What went through it, by the hour since 1970."""
        self._house = house
        self._clock = clock
        self._joiner = Joiner()
        self._forward_j: int | None = None

    def answer(self, written: bytes) -> list[bytes]:
        """Take a write, and answer what is notified then, in pieces. What is no command is not answered."""
        pieces = []
        for frame in self._joiner.join(written):
            try:
                answer = self._obey(unframed(frame))
            except ValueError:
                continue
            if answer is not None:
                told = encode(answer)
                pieces += [told[at : at + PIECE] for at in range(0, len(told), PIECE)]
        return pieces

    def _obey(self, command: bytes) -> Answer | None:
        seen = self._measured()
        hour = int(self._clock() // HOUR_S)
        if command in (ON, OFF):
            self.on = command == ON
            return Switched()
        if command == STATUS:
            power_w = max(0.0, seen.power_w or 0.0) if self.on else 0.0
            return Status(self.on, power_w, seen.voltage_v or 0.0)
        if command == HOURS:
            return Hours(tuple(round(self.energies_wh.get(each, 0)) for each in range(hour - 23, hour + 1)))
        if command == DAYS:
            days = range(hour // 24 - 29, hour // 24 + 1)
            return Days(tuple(round(sum(self.energies_wh.get(24 * day + each, 0) for each in range(24))) for day in days))
        return None

    def _measured(self) -> Reading:
        seen = self._house.at(self._clock())
        forward_j = seen.forward_j or 0
        if self.on and self._forward_j is not None:
            hour = int(self._clock() // HOUR_S)
            self.energies_wh[hour] = self.energies_wh.get(hour, 0) + (forward_j - self._forward_j) / HOUR_S
        self._forward_j = forward_j
        return seen


async def simulate(house: House, where: str | None, ready: Callable[[Mapping[str, Any]], None]) -> None:
    """Be a plug behind a Unix socket."""
    with tempfile.TemporaryDirectory(prefix="daisee-") as folder:
        path = where or str(Path(folder) / "plug")
        await serve_gatt(path, FakePlug(house).answer, lambda: ready({"address": f"sim:{path}"}))


def _address(written: Any) -> str:
    if not isinstance(written, str) or not re.fullmatch(
        r"(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}|sim:/[^\x00-\x1f]{1,200}", written
    ):
        raise ValueError('the plug\'s Bluetooth address, like "98:7B:F3:34:78:52"')
    return written if written.startswith("sim:") else written.upper()


"""By address: a sensor that failed is made anew, and must know what it missed."""


def _open(**settings: Any) -> Sensor:
    return AwoxSensor(**settings)


KIND = Kind(
    name="awox",
    title="AWOX SmartPlug SMP-B16 (Bluetooth)",
    needs="Bluetooth with BlueZ, the plug within some ten metres, and no phone connected with it",
    settings=(
        Setting("address", "", "Its Bluetooth address; `bluetoothctl scan le` shows it as SMP-B16.", _address),
        Setting("poll_s", "s", "How often it is asked.", via(float, number("1", "3600")), 10),
    ),
    open=_open,
    roles=(Role.SUB_LOAD, *(role for role in Role if role is not Role.SUB_LOAD)),
    simulate=simulate,
    example='kind = "awox"\nrole = "sub-load"\naddress = "98:7B:F3:34:78:52"\n',
)
