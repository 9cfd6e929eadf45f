"""Every decoder of bytes, behind one face: bytes in, readings out, or a ValueError; and bytes to begin with."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable
from pathlib import Path

from daisee import shallow
from daisee.model.readings import Reading
from daisee.monitor.sensors import acs712, awox_frames, citizenwatt, ina219, linky, p1, sunspec
from daisee.monitor.sensors.facts import PRESETS, readings_of

NOW_S = 1_790_805_600.0
MOST_W = 1_000_000
KEY = bytes(range(16))
RECORDED = Path(__file__).parent / "sensors" / "recorded"


def plausible(readings: Iterable[Reading]) -> None:
    """Refuse what no home has."""
    for reading in readings:
        assert reading.power_w is None or abs(reading.power_w) <= MOST_W, reading
        for counter in (reading.forward_j, reading.reverse_j):
            assert counter is None or counter >= 0, reading
        for number in (reading.at_s, reading.state_of_charge, reading.voltage_v):
            assert number is None or math.isfinite(number), reading


def _p1(data: bytes) -> list[Reading]:
    _rest, telegrams = p1.cut_telegrams(data, lambda _why: None)
    return [p1.decode(each, NOW_S, checked=False) for each in (data, *telegrams)]


def _linky(data: bytes) -> list[Reading]:
    _rest, frames = linky.cut_frames(data, lambda _why: None)
    return [linky.decode(each, NOW_S) for each in (data, *frames)]


def _citizenwatt(data: bytes) -> list[Reading]:
    frame = citizenwatt.decode(data, KEY)
    return [Reading(at_s=NOW_S, power_w=frame.power_w, voltage_v=frame.voltage_v)]


def _awox(data: bytes) -> list[Reading]:
    answer = awox_frames.decode(data)
    if isinstance(answer, awox_frames.Status):
        return [Reading(at_s=NOW_S, power_w=answer.power_w, voltage_v=answer.voltage_v)]
    if isinstance(answer, awox_frames.Days):
        return awox_frames.missed_days(answer, awox_frames.Hours((0,) * 24), NOW_S - 2_592_000, NOW_S)
    return awox_frames.missed_hours(answer, NOW_S - 36_000, NOW_S) if isinstance(answer, awox_frames.Hours) else []


def _ina219(data: bytes) -> list[Reading]:
    seen = ina219.decode(data, 0.1)
    return [Reading(at_s=NOW_S, power_w=seen.power_w, voltage_v=seen.bus_v)]


def _sunspec(data: bytes) -> list[Reading]:
    if not data:
        return []
    models = sorted(sunspec.MODELS)
    words = [word for (word,) in struct.iter_unpack(">H", data[1 : 1 + len(data[1:]) // 2 * 2])]
    return readings_of([sunspec.facts_of(models[data[0] % len(models)], words)], NOW_S, lambda _why: None)


def _json(data: bytes) -> list[Reading]:
    said = shallow.parse(data)
    found: list[Reading] = []
    for preset in PRESETS.values():
        for tail in ("emeter/0/power", "events/rpc", "status/em:0", "SENSOR"):
            found += readings_of(preset.facts(tail, said), NOW_S, lambda _why: None)
    return found


TARGETS: dict[str, tuple[Callable[[bytes], Iterable[Reading]], tuple[bytes, ...]]] = {
    "acs712": (lambda data: [acs712.decode(data)], (b"12.34\r\n", b"-0.5")),
    "acs712-gauge": (lambda data: [acs712.decode_gauged(data)], (b"3.8712|87.50|12.34\r\n",)),
    "awox": (
        _awox,
        (
            awox_frames.encode(awox_frames.Status(True, 12.5, 230.0)),
            awox_frames.encode(awox_frames.Hours(tuple(range(24)))),
            awox_frames.encode(awox_frames.Days(tuple(range(30)))),
        ),
    ),
    "citizenwatt": (_citizenwatt, (citizenwatt.encode(citizenwatt.Frame(412, 230, 3_300, 8_000), KEY),)),
    "ina219": (_ina219, (bytes.fromhex("199f07d05d8a13872710 5000".replace(" ", "")),)),
    "json": (_json, (b'{"ENERGY":{"Power":[1,2],"Total":3.5}}', b'{"params":{"em:0":{"total_act_power":5}}}')),
    "linky": (_linky, (linky.encode(Reading(at_s=NOW_S, power_w=500.0)),)),
    "p1": (_p1, tuple(file.read_bytes() for file in sorted(RECORDED.glob("p1_*.txt")))),
    "sunspec": (_sunspec, (b"\x00" + bytes(120),)),
}
