"""What well-known devices say in JSON, by MQTT or HTTP, and in which units: each turns a message into facts of its meters.

Sources: Tasmota's documentation (MQTT, energy monitoring), Shelly's API references (Gen1 MQTT; Gen2 component status and RPC
notifications), and Zigbee2MQTT's exposes (power, energy, voltage).
What of a message is no number is left out, and the rest of it counts.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from daisee.model.readings import Reading
from daisee.monitor.sensors import Refuse
from daisee.units import Joules

MOST_W = 1_000_000.0
LARGEST = 2**53
"""Beyond it, not every whole number is one of floating point."""
SCALES = {"W": 1.0, "kW": 1e3, "J": 1.0, "Wh": 3_600.0, "kWh": 3.6e6, "Wmin": 60.0, "%": 0.01, "1": 1.0, "V": 1.0}
"""What one of each unit is: in watts, joules, shares of one, or volts."""
_OF_ENERGY = ("J", "Wh", "kWh", "Wmin")
UNITS = {"power": ("W", "kW"), "forward": _OF_ENERGY, "reverse": _OF_ENERGY, "charge": ("%", "1"), "voltage": ("V",)}
"""Which units a word may have."""
WITHOUT_POWER = ("HWE-WTR", "HWE-DSP")
"""HomeWizard's water meter and display."""

Fact = tuple[str, Any, str]
"""What it is of (`power`, `forward`, `reverse`, `charge`, `voltage`), the value as it was said, and its unit.

`both` is a counter of both directions together: less `reverse`, where that is told, it is `forward`.
"""
Facts = Iterator[tuple[str, list[Fact]]]
"""For each part that a message speaks of, its facts."""

GEN1 = re.compile(r"(?P<what>emeter|relay|light|roller)/(?P<number>\d{1,2})/(?P<field>\w+)")
GEN1_FIELDS = {
    ("emeter", "power"): ("power", "W"),
    ("emeter", "total"): ("forward", "Wh"),
    ("emeter", "total_returned"): ("reverse", "Wh"),
    ("emeter", "voltage"): ("voltage", "V"),
    **{(what, "power"): ("power", "W") for what in ("relay", "light", "roller")},
    **{(what, "energy"): ("forward", "Wmin") for what in ("relay", "light", "roller")},
}
GEN2_OUTPUTS = ("switch", "pm1", "cover", "light", "cct", "rgb", "rgbw")
"""Components of a later Shelly that measure what goes through them."""
PHASES = ("a", "b", "c")


@dataclass(frozen=True, slots=True)
class Preset:
    """A make of devices."""

    topics: tuple[str, ...]
    """What to subscribe to, with `{device}` for the device's name."""
    facts: Callable[[str, Any], Facts]
    """Read a message: what its topic has after the device's name, and its JSON. ValueError for what it cannot be."""
    every_s: float
    """How seldom it speaks, as it comes from its maker, while nothing changes."""
    json: bool = True
    """Whether what it says is JSON, else it is one number."""


def tasmota(_tail: str, said: Any) -> Facts:
    """Read a telemetry message of Tasmota; of several phases it tells lists, which are summed."""
    energy = said.get("ENERGY") if isinstance(said, dict) else None
    if not isinstance(energy, dict):
        return
    power = energy.get("Power")
    told = [each for each in power if each is not None] if isinstance(power, list) else power
    facts = [("power", summed(told), "W"), ("forward", summed(energy.get("Total")), "kWh")]
    voltage = energy.get("Voltage")
    facts.append(("voltage", voltage[0] if isinstance(voltage, list) and voltage else voltage, "V"))
    exported = energy.get("ExportActive", energy.get("TotalExport"))
    yield "", [*facts, ("reverse", summed(exported), "kWh")]


def summed(said: Any) -> Any:
    """Answer the sum of what is said of several phases, None where one says nothing; what is no list of numbers as it is."""
    if not isinstance(said, list) or not all(each is None or _is_number(each) for each in said):
        return said
    # A counter without one of its phases would seem to fall.
    return None if None in said or not said else sum(said)


def _is_number(said: Any) -> bool:
    return isinstance(said, int | float) and not isinstance(said, bool) and -LARGEST <= said <= LARGEST


def shelly_gen1(tail: str, said: Any) -> Facts:
    """Read one of a first generation Shelly's topics, which each say one number."""
    found = GEN1.fullmatch(tail)
    kind = GEN1_FIELDS.get((found["what"], found["field"])) if found else None
    if found and kind:
        yield f"{found['what']}{found['number']}", [(kind[0], said, kind[1])]


def gen1_status(status: Mapping[str, Any]) -> Facts:
    """Read the status of a first generation Shelly: its `emeters` count Wh, its `meters` watt-minutes.

    Three emeters are the phases of a 3EM, whose sum comes first; a sum without one of them would be another meter.
    """
    emeters = _list(status, "emeters")
    valid = [said for said in emeters if isinstance(said, dict) and said.get("is_valid", True) is True]
    if len(emeters) == len(PHASES):
        if len(valid) < len(PHASES):
            raise ValueError("a phase that it has not measured")
        sums = {field: summed([said.get(field) for said in valid]) for field in ("power", "total", "total_returned")}
        yield "emeter", _emeter({**sums, "voltage": valid[0].get("voltage")})
    for number, said in enumerate(emeters):
        if said in valid:
            yield f"emeter{number}", _emeter(said)
    for number, said in enumerate(_list(status, "meters")):
        if isinstance(said, dict) and said.get("is_valid", True) is True:
            yield f"relay{number}", [("power", said.get("power"), "W"), ("forward", said.get("total"), "Wmin")]


def _emeter(said: Mapping[str, Any]) -> list[Fact]:
    return [
        ("power", said.get("power"), "W"),
        ("voltage", said.get("voltage"), "V"),
        ("forward", said.get("total"), "Wh"),
        ("reverse", said.get("total_returned"), "Wh"),
    ]


def _list(said: Mapping[str, Any], key: str) -> list[Any]:
    found = said.get(key, [])
    if not isinstance(found, list):
        raise ValueError("an answer without meters")
    return found


def shelly_gen2(tail: str, said: Any) -> Facts:
    """Read a status, or a notification of what changed in it, of a later Shelly."""
    if not isinstance(said, dict):
        return
    components = said.get("params", {}) if tail == "events/rpc" else {tail.removeprefix("status/"): said}
    if isinstance(components, dict):
        for name, status in components.items():
            if isinstance(status, dict):
                yield from gen2_component(str(name), status)


def gen2_component(name: str, said: Mapping[str, Any]) -> Facts:
    """Read the status of a component of a later Shelly: `switch:0`, `pm1:0`, `em:0`, `emdata:0`, `em1:0`, `em1data:0`.

    What a switch or a pm1 sent back is counted in its `aenergy` too (Shelly's pages on Switch and PM1); in em and em1 it is not.
    """
    kind, _, number = name.partition(":")
    if kind in GEN2_OUTPUTS:
        both, back = said.get("aenergy"), said.get("ret_aenergy")
        yield (
            name,
            [
                ("power", said.get("apower"), "W"),
                ("voltage", said.get("voltage"), "V"),
                ("both", both.get("total") if isinstance(both, dict) else None, "Wh"),
                ("reverse", back.get("total") if isinstance(back, dict) else None, "Wh"),
            ],
        )
    elif kind == "em":
        yield f"em:{number}", [("power", said.get("total_act_power"), "W"), ("voltage", said.get("a_voltage"), "V")]
        for phase in PHASES:
            yield f"em:{number}{phase}", [("power", said.get(f"{phase}_act_power"), "W")]
    elif kind == "emdata":
        yield f"em:{number}", [("forward", said.get("total_act"), "Wh"), ("reverse", said.get("total_act_ret"), "Wh")]
        for phase in PHASES:
            energies = [
                ("forward", said.get(f"{phase}_total_act_energy"), "Wh"),
                ("reverse", said.get(f"{phase}_total_act_ret_energy"), "Wh"),
            ]
            yield f"em:{number}{phase}", energies
    elif kind == "em1":
        yield f"em1:{number}", [("power", said.get("act_power"), "W"), ("voltage", said.get("voltage"), "V")]
    elif kind == "em1data":
        forward, back = said.get("total_act_energy"), said.get("total_act_ret_energy")
        yield f"em1:{number}", [("forward", forward, "Wh"), ("reverse", back, "Wh")]


def zigbee2mqtt(_tail: str, said: Any) -> Facts:
    """Read what Zigbee2MQTT says of a device that measures."""
    if isinstance(said, dict):
        yield (
            "",
            [
                ("power", said.get("power"), "W"),
                ("forward", said.get("energy"), "kWh"),
                ("reverse", said.get("produced_energy"), "kWh"),
                ("voltage", said.get("voltage"), "V"),
            ],
        )


def reading_of(part: str, facts: Iterable[Fact], at_s: float, refuse: Refuse) -> Reading | None:
    """Make a reading of what was said; None where nothing of it is a number. What cannot be is refused, and the rest taken."""
    seen: dict[str, float] = {}
    odd: set[str] = set()
    for word, value, unit in facts:
        if value is None:
            continue
        try:
            seen[word] = _number_of(word, value, unit)
        except ValueError as error:
            odd.add(word)
            refuse(str(error))
    if "both" in seen and "reverse" not in odd:
        forward = seen["both"] - seen.get("reverse", 0.0)
        if forward >= 0:
            seen["forward"] = forward
        else:
            refuse("a counter that is smaller than what of it went back")
    seen.pop("both", None)
    if not seen:
        return None
    return Reading(
        at_s=at_s,
        part=part,
        power_w=seen.get("power"),
        forward_j=_joules(seen, "forward"),
        reverse_j=_joules(seen, "reverse"),
        state_of_charge=seen.get("charge"),
        voltage_v=seen.get("voltage"),
    )


def _number_of(word: str, value: Any, unit: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"a {word} that is no number")
    shown = str(value)[:20]
    try:
        number = float(value) * SCALES[unit]
    except (ValueError, OverflowError):
        raise ValueError(f"a {word} of {shown!r}") from None
    if not math.isfinite(number) or abs(number) > LARGEST or (word == "power" and abs(number) > MOST_W):
        raise ValueError(f"a {word} of {shown} {unit}")
    if number < 0 and word in ("both", "forward", "reverse"):
        raise ValueError(f"a counter below zero: {shown} {unit}")
    if word == "charge" and not 0 <= number <= 1:
        raise ValueError(f"a charge of {shown} {unit}")
    return number


def _joules(seen: Mapping[str, float], word: str) -> Joules | None:
    return Joules(round(seen[word])) if word in seen else None


def at_path(said: Any, path: str) -> Any:
    """Answer what lies at a path of keys and numbers, parted by dots; an empty path is all; None where there is nothing."""
    for key in filter(None, path.split(".")):
        if isinstance(said, dict):
            said = said.get(key)
        elif isinstance(said, list) and key.isdigit() and int(key) < len(said):
            said = said[int(key)]
        else:
            return None
    return said


def readings_of(
    parts: Iterable[tuple[str, Iterable[Fact]]], at_s: float, refuse: Refuse, two_way: set[str] | None = None
) -> list[Reading]:
    """Make a reading of all that was said of each part at one moment; what cannot be is refused.

    `two_way` keeps which parts ever told what went back: of them, a counter of both directions says nothing alone.
    """
    said: dict[str, dict[str, Fact]] = {}
    for part, facts in parts:
        said.setdefault(part, {}).update({fact[0]: fact for fact in facts if fact[1] is not None})
    two_way = set() if two_way is None else two_way
    two_way.update(part for part, known in said.items() if "reverse" in known)
    for part in two_way & said.keys():
        if "reverse" not in said[part]:
            said[part].pop("both", None)
    found = [reading_of(part, known.values(), at_s, refuse) for part, known in said.items()]
    return [reading for reading in found if reading is not None]


PRESETS: dict[str, Preset] = {
    "tasmota": Preset(("tele/{device}/SENSOR",), tasmota, every_s=300.0),
    "shelly-gen1": Preset(
        tuple(f"shellies/{{device}}/{what}/+/+" for what in ("emeter", "relay", "light", "roller")),
        shelly_gen1,
        every_s=30.0,
        json=False,
    ),
    "shelly-gen2": Preset(("{device}/events/rpc", "{device}/status/+"), shelly_gen2, every_s=60.0),
    "zigbee2mqtt": Preset(("zigbee2mqtt/{device}",), zigbee2mqtt, every_s=3_600.0),
}
