"""Home Assistant's exports: the history of entities (`entity_id,state,last_changed`), long-term statistics
(`statistic_id,unit,start,...`), and the energy dashboard's table (`entity_id,type,unit`, then a column for each hour or day).

History has no units: a name may end with one, or who imports it says it. Its lines have fewer columns than its header, where
an entity of the house's climate is among them. A state lasts until the next one, as Home Assistant writes down changes alone; no
longer than an hour, though, for then it may be dead.

Sources: Home Assistant's frontend (the pages history and energy), and the integration Import Statistics.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from daisee.model.readings import Reading
from daisee.monitor.formats import HOUR_S, POWERS, UNITS, Clock, Format, Intervals, Row, Source, counter, power

LONGEST_HOLD_S = HOUR_S
NO_STATE = ("unavailable", "unknown", "none", "")
ENDS = re.compile(r"[._](power|energy|w|kw|wh|kwh|mwh)$", re.IGNORECASE)
UNIT_OF = {"power": "W", "energy": "kWh", **{unit.lower(): unit for unit in ("W", "kW", "Wh", "kWh", "MWh")}}
"""What a name that ends so is in: as Home Assistant's own integrations name them, and told to who imports."""


def read_history(source: Source) -> Iterator[Row]:
    """Read states of entities."""
    clocks: dict[str, Clock] = {}
    held: dict[str, tuple[float, float]] = {}
    """Since when, and what power, by the entity."""
    for line, row in source.rows(padded=True):
        name = row["entity_id"].strip()
        try:
            state = row["state"].strip()
            at_s = clocks.setdefault(name, Clock(source.zone)).s(row["last_changed"])
            unit = unit_of(name, row.get("unit_of_measurement", "").strip(), source)
            if name in held and at_s < held[name][0]:
                raise ValueError(f"it is earlier than the line of {name} before it; sort the file by its times")
            # What was held is known up to now, whatever comes after it.
            since_s, power_w = held.pop(name, (at_s, 0.0))
            if at_s > since_s:
                over_s = min(at_s - since_s, LONGEST_HOLD_S)
                yield Row(line, name, Reading(at_s=since_s + over_s, power_w=power_w, mean_over_s=over_s))
            if state.lower() in NO_STATE:
                raise ValueError(f"its state is {state or 'empty'}")
            if unit in POWERS:
                held[name] = (at_s, power(state, UNITS[unit], "state"))
            else:
                yield Row(line, name, Reading(at_s=at_s, forward_j=counter(state, UNITS[unit], "state")))
        except ValueError as error:
            source.refuse(line, str(error))


def unit_of(name: str, written: str, source: Source) -> str:
    """Answer an entity's unit: as it was said, as the file has it, or as its name ends. ValueError where none of them tells."""
    ends = ENDS.search(name)
    unit = source.units.get(name) or written or source.units.get("") or (UNIT_OF[ends[1].lower()] if ends else "")
    if not unit:
        raise ValueError(f"the unit of {name} is not known; say it, like --unit {name}=W, or =kWh")
    if unit not in UNITS:
        raise ValueError(f"{unit} is no unit of electricity that is known here")
    source.taken_for[name] = unit
    return unit


def read_statistics(source: Source) -> Iterator[Row]:
    """Read long-term statistics: of each hour a mean power, or what a counter had reached when it ended."""
    ends: dict[str, float] = {}
    clocks: dict[str, Clock] = {}
    for line, row in source.rows():
        name, unit = row["statistic_id"].strip(), row["unit"].strip()
        try:
            if unit not in UNITS:
                raise ValueError(f"{unit or 'no unit'} is no unit of electricity that is known here")
            start_s = clocks.setdefault(name, Clock(source.zone)).s(row["start"])
            end_s = start_s + HOUR_S
            if unit in POWERS:
                reading = Reading(at_s=end_s, power_w=power(row.get("mean", ""), UNITS[unit], "mean"), mean_over_s=HOUR_S)
            else:
                # A sum goes on where a meter begins anew; it is what the dashboard counts by.
                said = row.get("sum", "").strip() or row.get("state", "")
                reached_j = counter(said, UNITS[unit], "sum")
                over_s = HOUR_S if ends.get(name) == start_s else None
                reading = Reading(at_s=end_s, forward_j=reached_j, mean_over_s=over_s)
            ends[name] = end_s
            yield Row(line, name, reading)
        except ValueError as error:
            source.refuse(line, str(error))


def read_energy(source: Source) -> Iterator[Row]:
    """Read the energy dashboard's table: each line has an entity, and what it counted in each hour, or day."""
    try:
        stretches = _stretches([Clock(source.zone).s(moment) for moment in source.header[3:]])
    except ValueError as error:
        source.refuse(1, f"the header's times are not read: {error}")
        return
    for line, cells in source.lines:
        if len(cells) != len(source.header):
            source.refuse(line, f"{len(cells)} columns, and the header has {len(source.header)}")
            continue
        name, kind, unit, *changes = (cell.strip() for cell in cells)
        try:
            if not name:
                raise ValueError(f"{kind} is calculated from the others")
            if unit not in UNITS or unit in POWERS:
                raise ValueError(f"{name} is in {unit or 'no unit'}, which is no energy that is known here")
        except ValueError as error:
            source.refuse(line, str(error))
            continue
        intervals = Intervals(source.reached)
        for (start_s, end_s), change in zip(stretches, changes, strict=True):
            if not change:
                continue
            try:
                energy_j = counter(change, UNITS[unit], name)
                yield from intervals.rows(line, name, start_s, end_s, energy_j, None, end_s - start_s)
            except ValueError as error:
                source.refuse(line, str(error))


def _stretches(starts: list[float]) -> list[tuple[float, float]]:
    """Answer when each column begins and ends. The last is as long as the one before it; a single one is a day.

    A column is missing where nothing at all was known; months and summer time make some longer by a few per cent.
    """
    steps = [end - start for start, end in pairwise(starts)]
    shortest_s = min(steps, default=24 * HOUR_S)
    if shortest_s <= 0:
        raise ValueError("they do not grow")
    lengths = [step_s if step_s < 1.2 * shortest_s else shortest_s for step_s in steps]
    lengths.append(lengths[-1] if lengths else shortest_s)
    return [(start_s, start_s + step_s) for start_s, step_s in zip(starts, lengths, strict=True)]


def _fits_history(header: Sequence[str]) -> bool:
    return list(header[:3]) == ["entity_id", "state", "last_changed"]


def _fits_statistics(header: Sequence[str]) -> bool:
    says = {"mean", "sum", "state"} & set(header)
    return {"statistic_id", "unit", "start"} <= set(header) and bool(says)


def _fits_energy(header: Sequence[str]) -> bool:
    return list(header[:3]) == ["entity_id", "type", "unit"] and len(header) > 3


HISTORY = Format("homeassistant", "Home Assistant's history of entities", _fits_history, read_history)
STATISTICS = Format("homeassistant-statistics", "Home Assistant's long-term statistics", _fits_statistics, read_statistics, True)
ENERGY = Format("homeassistant-energy", "the table of Home Assistant's energy dashboard", _fits_energy, read_energy, True)
