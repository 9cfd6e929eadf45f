"""What well-known devices say in JSON, by MQTT or HTTP, and in which units: each turns a message into facts of its meters.

Sources: Tasmota's documentation (MQTT, energy monitoring), Shelly's API references (Gen1 MQTT; Gen2 component status and RPC
notifications), and Zigbee2MQTT's exposes (power, energy, voltage).
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
SCALES = {"W": 1.0, "kW": 1e3, "J": 1.0, "Wh": 3_600.0, "kWh": 3.6e6, "Wmin": 60.0, "%": 0.01, "1": 1.0, "V": 1.0}
"""What one of each unit is: in watts, joules, shares of one, or volts."""

Fact = tuple[str, Any, str]
"""What it is of (`power`, `forward`, `reverse`, `charge`, `voltage`), the value as it was said, and its unit."""
Facts = Iterator[tuple[str, list[Fact]]]
"""For each part that a message speaks of, its facts."""

GEN1 = re.compile(r"(?P<what>emeter|relay)/(?P<number>\d{1,2})/(?P<field>\w+)")
GEN1_FIELDS = {
    ("emeter", "power"): ("power", "W"),
    ("emeter", "total"): ("forward", "Wh"),
    ("emeter", "total_returned"): ("reverse", "Wh"),
    ("emeter", "voltage"): ("voltage", "V"),
    ("relay", "power"): ("power", "W"),
    ("relay", "energy"): ("forward", "Wmin"),
}
PHASES = ("a", "b", "c")


@dataclass(frozen=True, slots=True)
class Preset:
    """A make of devices."""

    topics: tuple[str, ...]
    """What to subscribe to, with `{device}` for the device's name."""
    facts: Callable[[str, Any], Facts]
    """Read a message: what its topic has after the device's name, and its JSON. ValueError for what it cannot be."""
    json: bool = True
    """Whether what it says is JSON, else it is one number."""


def tasmota(_tail: str, said: Any) -> Facts:
    """Read a telemetry message of Tasmota; with several phases, their powers are a list, which is summed."""
    energy = said.get("ENERGY") if isinstance(said, dict) else None
    if not isinstance(energy, dict):
        return
    power = energy.get("Power")
    facts = [("power", _summed(power), "W"), ("forward", energy.get("Total"), "kWh")]
    voltage = energy.get("Voltage")
    facts.append(("voltage", voltage[0] if isinstance(voltage, list) and voltage else voltage, "V"))
    exported = energy.get("ExportActive", energy.get("TotalExport"))
    yield "", [*facts, ("reverse", _summed(exported), "kWh")]


def _summed(said: Any) -> Any:
    """Answer the sum of what is said of several phases; what is no list as it is."""
    if not isinstance(said, list):
        return said
    if not all(isinstance(each, int | float) and not isinstance(each, bool) for each in said):
        raise ValueError("phases that are no numbers")
    return sum(said) if said else None


def shelly_gen1(tail: str, said: Any) -> Facts:
    """Read one of a first generation Shelly's topics, which each say one number."""
    found = GEN1.fullmatch(tail)
    kind = GEN1_FIELDS.get((found["what"], found["field"])) if found else None
    if found and kind:
        yield f"{found['what']}{found['number']}", [(kind[0], said, kind[1])]


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
    """Read the status of a component of a later Shelly: `switch:0`, `pm1:0`, `em:0`, `emdata:0`, `em1:0`, `em1data:0`."""
    kind, _, number = name.partition(":")
    if kind in ("switch", "pm1", "cover"):
        forward, back = said.get("aenergy"), said.get("ret_aenergy")
        yield (
            name,
            [
                ("power", said.get("apower"), "W"),
                ("voltage", said.get("voltage"), "V"),
                ("forward", forward.get("total") if isinstance(forward, dict) else None, "Wh"),
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


def reading_of(part: str, facts: Iterable[Fact], at_s: float) -> Reading | None:
    """Make a reading of what was said; None where nothing of it is a number. ValueError for what cannot be."""
    seen: dict[str, float] = {}
    for word, value, unit in facts:
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError(f"a {word} that is no number")
        try:
            number = float(value) * SCALES[unit]
        except ValueError:
            raise ValueError(f"a {word} of {str(value)[:20]!r}") from None
        if not math.isfinite(number) or abs(number) > 2**53 or (word == "power" and abs(number) > MOST_W):
            raise ValueError(f"a {word} of {str(value)[:20]} {unit}")
        seen[word] = number
    if not seen:
        return None
    charge = seen.get("charge")
    return Reading(
        at_s=at_s,
        part=part,
        power_w=seen.get("power"),
        forward_j=_joules(seen, "forward"),
        reverse_j=_joules(seen, "reverse"),
        state_of_charge=None if charge is None else min(1.0, max(0.0, charge)),
        voltage_v=seen.get("voltage"),
    )


def _joules(seen: Mapping[str, float], word: str) -> Joules | None:
    if word not in seen:
        return None
    if seen[word] < 0:
        raise ValueError(f"a counter below zero: {seen[word]:.0f} J")
    return Joules(round(seen[word]))


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


def readings_of(parts: Iterable[tuple[str, Iterable[Fact]]], at_s: float, refuse: Refuse) -> list[Reading]:
    """Make a reading of all that was said of each part at one moment; what cannot be is refused."""
    said: dict[str, dict[str, Fact]] = {}
    for part, facts in parts:
        said.setdefault(part, {}).update({fact[0]: fact for fact in facts if fact[1] is not None})
    readings = []
    for part, known in said.items():
        try:
            reading = reading_of(part, known.values(), at_s)
        except ValueError as error:
            refuse(str(error))
        else:
            readings += [reading] if reading is not None else []
    return readings


PRESETS: dict[str, Preset] = {
    "tasmota": Preset(("tele/{device}/SENSOR",), tasmota),
    "shelly-gen1": Preset(("shellies/{device}/emeter/+/+", "shellies/{device}/relay/+/+"), shelly_gen1, json=False),
    "shelly-gen2": Preset(("{device}/events/rpc", "{device}/status/+"), shelly_gen2),
    "zigbee2mqtt": Preset(("zigbee2mqtt/{device}",), zigbee2mqtt),
}
