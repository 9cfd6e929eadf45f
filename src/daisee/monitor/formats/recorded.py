"""Recorded homes, as our own examples have them: a Dutch meter's registers minute by minute, homes with their use and roof step
by step, a home's counter with its use, and the slots that `daisee monitor export` writes.

A row of a home is the mean over the step that begins at its time, as in what the demo replays.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from daisee.model.readings import SLOT_S, Reading
from daisee.monitor.formats import Clock, Format, Intervals, Row, Source, counter, number, power
from daisee.units import Joules

REGISTERS = ("verbr_kwh_181", "verbr_kwh_182", "gelvr_kwh_281", "gelvr_kwh_282")
LONGEST_STEP_S = 3_600.0
SLOT_COLUMNS = ("slot_start", "meter", "slot_forward_j", "slot_reverse_j", "covered_s")


def read_registers(source: Source) -> Iterator[Row]:
    """Read a meter's registers: both tariffs of what came in, and of what went back."""
    clock = Clock(source.zone)
    for line, row in source.rows():
        try:
            came, came_too, went, went_too = (counter(row[name], what=name) for name in REGISTERS)
            powers = [row.get(name, "").strip() for name in ("act_verbr_kw_170", "act_gelvr_kw_270")]
            power_w = power(powers[0], 1e3) - power(powers[1], 1e3) if all(powers) else None
            at_s = clock.s(row["timestamp"])
            forward_j, reverse_j = Joules(came + came_too), Joules(went + went_too)
            yield Row(line, "", Reading(at_s=at_s, power_w=power_w, forward_j=forward_j, reverse_j=reverse_j))
        except ValueError as error:
            source.refuse(line, str(error))


def read_counter(source: Source) -> Iterator[Row]:
    """Read a home's counter. Its mean power says the same again, and is left.

    From one step to the next the counter covers the time; across a gap it counts, and the time stays open.
    """
    clocks: dict[str, Clock] = {}
    last_s: dict[str, float] = {}
    step_s: dict[str, float] = {}
    for line, row in source.rows():
        try:
            name = row["home"].strip()
            at_s = clocks.setdefault(name, Clock(source.zone)).s(row["timestamp"])
            forward_j = counter(row["grid_import_counter_kwh"], what="grid_import_counter_kwh")
            since_s = at_s - last_s.get(name, at_s)
            if since_s > 0:
                step_s[name] = min(since_s, step_s.get(name, LONGEST_STEP_S))
            last_s[name] = at_s
            over_s = since_s if 0 < since_s <= step_s.get(name, 0.0) else None
            yield Row(line, name, Reading(at_s=at_s, forward_j=forward_j, mean_over_s=over_s))
        except ValueError as error:
            source.refuse(line, str(error))


def read_steps(source: Source) -> Iterator[Row]:
    """Read homes with their use and roof; each has two meters, `HOME/load` and `HOME/production`.

    The shortest step of a file is that of all its rows, so the first rows wait until two of one home are there.
    """
    clocks: dict[str, Clock] = {}
    step_s = None
    waiting: list[tuple[int, dict[str, str], float]] = []
    seen: dict[str, float] = {}
    for line, row in source.rows():
        try:
            at_s = clocks.setdefault(row["home"], Clock(source.zone)).s(row["timestamp"])
        except ValueError as error:
            source.refuse(line, str(error))
            continue
        before_s = seen.setdefault(row["home"], at_s)
        waiting.append((line, row, at_s))
        if step_s is None and at_s > before_s:
            step_s = at_s - before_s
        if step_s is not None:
            for each in waiting:
                yield from _step(source, *each, step_s)
            waiting.clear()
    for line, _row, _at_s in waiting:
        source.refuse(line, "how long its step is cannot be told: no home has two rows")


def _step(source: Source, line: int, row: dict[str, str], at_s: float, step_s: float) -> Iterator[Row]:
    home = row["home"].strip()
    try:
        used_w = power(row["consumption_w"], what="consumption_w")
        charge = row.get("battery_soc", "").strip()
        share = number(charge, "battery_soc") / 100 if charge else None
        if share is not None and not 0 <= share <= 1:
            raise ValueError(f"battery_soc is {charge}, which is not between 0 and 100")
        made_w = power(row["production_w"], what="production_w") if row["production_w"].strip() else None
    except ValueError as error:
        source.refuse(line, str(error))
        return
    if made_w is not None:
        yield Row(line, f"{home}/production", Reading(at_s=at_s + step_s, power_w=made_w, mean_over_s=step_s))
    yield Row(line, f"{home}/load", Reading(at_s=at_s + step_s, power_w=used_w, mean_over_s=step_s, state_of_charge=share))


def read_slots(source: Source) -> Iterator[Row]:
    """Read quarters of an hour that were exported: their energy to the joule, how much was measured, and their quality."""
    clock, intervals = Clock(source.zone), Intervals(source.reached)
    for line, row in source.rows():
        try:
            start_s = clock.s(row["slot_start"])
            if start_s % SLOT_S:
                raise ValueError(f"{row['slot_start']} is not the beginning of a quarter of an hour")
            forward_j, reverse_j = (counter(row[name], 1.0, name) for name in ("slot_forward_j", "slot_reverse_j"))
            covered_s = min(number(row["covered_s"], "covered_s"), float(SLOT_S))
            name, end_s = row["meter"].strip(), start_s + SLOT_S
            quality = number(row.get("quality", "").strip() or "0", "quality")
            if quality not in range(16):
                raise ValueError(f"a quality of {row['quality']} is none")
            for each in intervals.rows(line, name, start_s, end_s, forward_j, reverse_j, covered_s):
                yield replace(each, known=(int(start_s), int(quality)))
        except ValueError as error:
            source.refuse(line, str(error))


def _fits_registers(header: Sequence[str]) -> bool:
    return {"timestamp", *REGISTERS} <= set(header)


def _fits_counter(header: Sequence[str]) -> bool:
    return {"timestamp", "home", "grid_import_counter_kwh"} <= set(header)


def _fits_steps(header: Sequence[str]) -> bool:
    return {"timestamp", "home", "consumption_w", "production_w"} <= set(header)


def _fits_slots(header: Sequence[str]) -> bool:
    return set(SLOT_COLUMNS) <= set(header)


SLOTS = Format("slots", "what `daisee monitor export` wrote of meters' slots", _fits_slots, read_slots, relative=True)
P1_REGISTERS = Format("p1-registers", "the registers of a Dutch meter", _fits_registers, read_registers)
COUNTER = Format("counter", "homes with the counter of their import", _fits_counter, read_counter)
STEPS = Format("homes", "homes with their use and roof, step by step", _fits_steps, read_steps)
