"""AWOX SmartPlug SMP-B16: a plug that measures, by Bluetooth Low Energy. It is asked for its status every few seconds; what was
missed meanwhile is filled from its own history, by the hour for a day and by the day before.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from daisee.config import Setting, number, via
from daisee.errors import SensorError
from daisee.model.home import Role
from daisee.model.readings import Reading
from daisee.monitor.sensors import House, Kind, Refuse, Sensor
from daisee.monitor.sensors.awox_frames import (
    DAYS,
    HOUR_S,
    HOURS,
    OFF,
    ON,
    STATUS,
    Answer,
    Days,
    Hours,
    Joiner,
    Status,
    Switched,
    decode,
    encode,
    framed,
    midnight,
    missed_days,
    missed_hours,
    unframed,
)
from daisee.monitor.sensors.gatt import PIECE, Gatt, Profile, gatt_at, serve_gatt

PROFILE = Profile("0000fff0-0000-1000-8000-00805f9b34fb", "0000fff3-0000-1000-8000-00805f9b34fb")
ANSWER_S = 5.0
MOST_UNANSWERED = 3
MOST_WAITING = 64
"""Notifications; the longest answer has seven."""
GONE = "the plug is gone; is it plugged in and near?"
BORDER_S = 30.0
"""Around a full hour, the plug's clock and ours may not agree which hour runs."""

A = TypeVar("A", Status, Hours, Days, Switched)


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


class AwoxSensor:
    """A plug that is listened to."""

    def __init__(
        self,
        address: str,
        poll_s: float = 10.0,
        gatt: Callable[[str, Profile], Gatt] = gatt_at,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Name the plug, and how often it is asked."""
        self._address = address
        self._poll_s = poll_s
        self._last_s: float | None = None
        """When it was heard last."""
        self._gatt = gatt
        self._clock = clock

    def heard_before(self, at_s: float) -> None:
        """Take note of when it was heard last, by an earlier run: what was missed since then is filled."""
        self._last_s = at_s

    async def readings(self, refuse: Refuse) -> AsyncIterator[Reading]:
        """Fill what was missed, then ask the plug, again and again."""
        loop = asyncio.get_running_loop()
        async with Plug(self._gatt(self._address, PROFILE), refuse) as plug:
            for reading in await self._missed(plug):
                self._last_s = reading.at_s
                yield reading
            unanswered = 0
            while True:
                began = loop.time()
                status = await plug.ask(STATUS, Status)
                if status is not None:
                    unanswered = 0
                    now_s = self._last_s = self._clock()
                    yield Reading(at_s=now_s, power_w=status.power_w, voltage_v=status.voltage_v)
                elif (unanswered := unanswered + 1) >= MOST_UNANSWERED:
                    raise SensorError(f"the plug {self._address} is connected and does not answer; pull it out and plug it in")
                await asyncio.sleep(max(0.0, self._poll_s - (loop.time() - began)))

    async def _missed(self, plug: Plug) -> list[Reading]:
        last_s = self._last_s
        if last_s is None or not missed_hours(Hours((0,) * 24), last_s, self._clock()):
            return []
        into_s = (self._clock() + BORDER_S) % HOUR_S
        if into_s < 2 * BORDER_S:
            await asyncio.sleep(2 * BORDER_S - into_s)
        hours = await plug.ask(HOURS, Hours)
        if hours is None:
            plug.refuse("no history; what went through it meanwhile is not known")
            return []
        now_s = self._clock()
        return [*await self._missed_before(plug, hours, last_s, now_s), *missed_hours(hours, last_s, now_s)]

    async def _missed_before(self, plug: Plug, hours: Hours, last_s: float, now_s: float) -> list[Reading]:
        """Answer what was missed before the hours that it keeps; where nothing was, it is not asked."""
        if not missed_days(Days((0,) * 30), Hours((0,) * 24), last_s, now_s):
            return []
        days = await plug.ask(DAYS, Days)
        if days is None:
            plug.refuse("no history by the day; what went through it before the last 24 hours is not known")
            return []
        return missed_days(days, hours, last_s, now_s)


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
            kept = {midnight(self._clock(), back): 0.0 for back in reversed(range(30))}
            for each, energy_wh in self.energies_wh.items():
                day = midnight(each * HOUR_S, 0)
                if day in kept:
                    kept[day] += energy_wh
            return Days(tuple(map(round, kept.values())))
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
