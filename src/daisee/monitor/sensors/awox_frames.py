"""What is spoken with an AWOX SmartPlug SMP-B16: its frames, and what of its history fills the time that nobody listened.

Frames: 0x0f, length of payload and checksum, payload, checksum, 0xff 0xff. Sources: the prototype of 2017; smartplugctl
(github.com/sourceperl/smartplugctl), which has the history's unit, Wh; and the notes on the sibling Voltcraft SEM6000
(github.com/Heckie75/voltcraft-sem-6000), by which the newest of the values is of the hour, or day, that still runs.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from daisee.model.readings import Reading

BEGIN, END = 0x0F, b"\xff\xff"
AROUND = 4
"""What a frame has beside what its length counts: begin, length, end."""
STATUS, HOURS, DAYS = (bytes([word, 0, 0, 0]) for word in (0x04, 0x0A, 0x0B))
ON, OFF = (bytes([0x03, 0, state, 0, 0]) for state in (1, 0))
"""Commands, as payloads."""
HOUR_S = 3_600
SIBLINGS = 256
"""By what a number of 24 bits and a zero is too great, read as one of 32 bits."""
ENOUGH_DAYS = 3
"""Days with energy that all divide by it, in no other case."""
MOST_W = 10_000
"""The plug is made for 16 A."""


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
    """Its last 30 days, in 32 bits each as 2017 read them, or in 24 bits and a zero as its sibling writes them."""


@dataclass(frozen=True, slots=True)
class Switched:
    """It did as it was told."""


Answer = Status | Hours | Days | Switched


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
            return Days(_plausible(_days(struct.unpack_from(">30I", payload, 2)), 24))
        case 0x03, 3:
            if payload[2]:
                raise ValueError(f"a switch that was not done, for {payload[2]}")
            return Switched()
    raise ValueError(f"an answer that is not known: {frame[:12].hex(' ')}")


def _days(energies_wh: tuple[int, ...]) -> tuple[int, ...]:
    days = [each for each in energies_wh if each]
    if not days or any(each % SIBLINGS for each in days):
        return energies_wh
    if len(days) < ENOUGH_DAYS:
        raise ValueError("a history of too few days to tell how they are written")
    return tuple(each // SIBLINGS for each in energies_wh)


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


def missed_hours(hours: Hours, last_s: float, now_s: float) -> list[Reading]:
    """Answer the hours of a history that lie wholly between the last reading and now, oldest first."""
    return [_mean(end_s - HOUR_S, end_s, wh) for end_s, wh in _ended(hours, now_s) if end_s - HOUR_S >= last_s]


def missed_days(days: Days, hours: Hours, last_s: float, now_s: float) -> list[Reading]:
    """Answer what a history by the day knows of the time between the last reading and the first hour that it knows, oldest first.

    Whole days, by this machine's midnights; and of the day in which its hours begin, what went through before them.
    """
    ended = _ended(hours, now_s)
    hours_from_s = ended[0][0] - HOUR_S
    found = []
    for back in range(1, len(days.energies_wh)):
        start_s, end_s = midnight(now_s, back), midnight(now_s, back - 1)
        if start_s < last_s:
            break
        later_wh = sum(wh for hour_end_s, wh in ended if hours_from_s < hour_end_s <= end_s)
        until_s, before_wh = min(end_s, hours_from_s), days.energies_wh[-1 - back] - later_wh
        # Less in a day than in hours of it: the plug's midnight is another than ours.
        if until_s > start_s and before_wh >= 0:
            found.append(_mean(start_s, until_s, before_wh))
    return found[::-1]


def _ended(hours: Hours, now_s: float) -> list[tuple[float, int]]:
    """Answer when each hour that has ended ended, and its energy, oldest first."""
    ran_from_s = now_s // HOUR_S * HOUR_S
    return [(ran_from_s - HOUR_S * back, wh) for back, wh in enumerate(reversed(hours.energies_wh[:-1]))][::-1]


def _mean(start_s: float, end_s: float, energy_wh: float) -> Reading:
    return Reading(at_s=end_s, power_w=energy_wh * HOUR_S / (end_s - start_s), mean_over_s=end_s - start_s)


def midnight(now_s: float, days_back: int) -> float:
    """Answer when a day began, by this machine's time: today, or so many days ago."""
    today = datetime.fromtimestamp(now_s).astimezone().replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    return (today - timedelta(days=days_back)).timestamp()
