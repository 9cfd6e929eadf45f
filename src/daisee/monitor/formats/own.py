"""Our own columns: `timestamp` (or `at`), and any of `power_w`, `mean_over_s`, `forward_kwh` or `forward_j`, `reverse_kwh` or
`reverse_j`, `state_of_charge` (0 to 1), `voltage_v`, and `meter`.

Counters are of all that ever went that way. A file of times and powers alone is read many lines at a time.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from math import isfinite
from operator import lt

from daisee.model.readings import Reading
from daisee.monitor.formats import (
    EARLIEST_MS,
    LATEST_MS,
    MOST_W,
    MS,
    Clock,
    Format,
    Row,
    Run,
    Source,
    counter,
    number,
    power,
)

MOMENTS = ("timestamp", "at")
COUNTERS = {"forward_kwh": 3.6e6, "forward_j": 1.0, "reverse_kwh": 3.6e6, "reverse_j": 1.0}
SAYS = ("power_w", *COUNTERS, "state_of_charge", "voltage_v")
MOST_MEAN_S = 366 * 86_400.0


def fits(header: Sequence[str]) -> bool:
    """Tell whether these are our columns."""
    known = {*MOMENTS, *SAYS, "mean_over_s", "meter"}
    return len(set(header) & set(MOMENTS)) == 1 and bool(set(header) & set(SAYS)) and set(header) <= known


def read(source: Source) -> Iterator[Row | Run]:
    """Read readings, line by line, or many at once where they are nothing but powers."""
    header = [name.strip().lower() for name in source.header]
    if source.chunks is not None and len(header) == 2 and header[0] in MOMENTS and header[1] == "power_w":
        yield from _runs(source)
        return
    clocks: dict[str, Clock] = {}
    for line, row in source.rows():
        try:
            name = row.get("meter", "").strip()
            yield Row(line, name, _reading(row, clocks.setdefault(name, Clock(source.zone))))
        except ValueError as error:
            source.refuse(line, str(error))


def _reading(row: dict[str, str], clock: Clock) -> Reading:
    written = {name: value for name, value in row.items() if value.strip()}
    if not any(name in written for name in SAYS):
        raise ValueError("it measures nothing")
    at = next((written[name] for name in MOMENTS if name in written), "")
    facts: dict[str, float] = {}
    if "power_w" in written:
        facts["power_w"] = power(written["power_w"])
    for name, scale in COUNTERS.items():
        if name in written:
            facts[name.split("_", 1)[0] + "_j"] = counter(written[name], scale, name)
    for name, least, most in (("state_of_charge", 0, 1), ("voltage_v", -1e6, 1e6), ("mean_over_s", 1e-3, MOST_MEAN_S)):
        if name in written:
            facts[name] = _within(number(written[name], name), least, most, name)
    return Reading(at_s=clock.s(at), **facts)  # type: ignore[arg-type]


def _within(found: float, least: float, most: float, what: str) -> float:
    if not least <= found <= most:
        raise ValueError(f"{what} is {found:g}, which is not between {least:g} and {most:g}")
    return found


def _runs(source: Source) -> Iterator[Row | Run]:
    """Read many lines at once; where some of them are odd, line by line."""
    assert source.chunks is not None
    clock = Clock(source.zone)
    last_ms = 0
    for first, text in source.chunks():
        run = run_of(first, text)
        if run is not None and run.at_ms[0] > last_ms:
            last_ms = run.at_ms[-1]
            yield run
            continue
        for row in _by_line(source, clock, first, text):
            last_ms = max(last_ms, round(row.reading.at_s * MS))
            yield row


def _by_line(source: Source, clock: Clock, first: int, text: str) -> Iterable[Row]:
    for line, written in enumerate(text.split("\n"), first):
        cells = written.split(",")
        if not written.strip():
            continue
        try:
            if len(cells) != 2:
                raise ValueError(f"{len(cells)} columns, and the header has 2")
            yield Row(line, "", Reading(at_s=clock.s(cells[0]), power_w=power(cells[1].strip().strip('"'))))
        except ValueError as error:
            source.refuse(line, str(error))


def run_of(first: int, text: str) -> Run | None:
    """Answer many lines of a time and a power as a run; None where any of them is not as plain as that."""
    lines = text.count("\n")
    cells = text.replace("\n", ",").split(",")
    if not lines or "_" in text or '"' in text or len(cells) != 2 * lines + 1 or text.count(",") != lines or cells[-1]:
        return None
    try:
        power_w = array("d", map(float, cells[1::2]))
        at_ms = _moments(cells[0:-1:2])
    except (ValueError, OverflowError):
        return None
    plain = isfinite(sum(power_w)) and max(power_w) <= MOST_W and min(power_w) >= -MOST_W
    growing = all(map(lt, at_ms, at_ms[1:])) and at_ms[0] >= EARLIEST_MS and at_ms[-1] < LATEST_MS
    return Run(first, "", at_ms, power_w) if plain and growing else None


def _moments(written: list[str]) -> array[int]:
    """Read Unix seconds, or dates that name their zone; ValueError where one is neither."""
    if written[0][4:5] == "-":
        read_date = datetime.fromisoformat
        moments = [read_date(each) for each in written]
        if any(moment.tzinfo is None for moment in moments):
            raise ValueError("a time without a zone")
        return array("q", [round(moment.timestamp() * MS) for moment in moments])
    return array("q", [round(float(each) * MS) for each in written])


FORMAT = Format("daisee", "DAISEE's own columns", fits, read)
