"""DSMR-reader's exports: the statistics of hours and of days, and its table of readings.

The statistics' header is written in the language of who exports it, so they are known by their first columns: a time, then the
two tariffs that came in, then the two that went back, in kWh. Readings have the names of the table, as `psql` writes them.

Sources: DSMR-reader's export page and its models of statistics and readings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time, timedelta

from daisee.model.readings import Reading
from daisee.monitor.formats import HOUR_S, MS, Clock, Format, Intervals, Row, Source, counter, power
from daisee.units import Joules

WORDS = ("electricity", "elektriciteit", "electricity1", "electricity2", "electricity1_returned", "electricity2_returned")
CAME = ("electricity_delivered_1", "electricity_delivered_2")
WENT = ("electricity_returned_1", "electricity_returned_2")
NOW = ("electricity_currently_delivered", "electricity_currently_returned")


def read_statistics(source: Source) -> Iterator[Row]:
    """Read what came in, and went back, in each hour or day."""
    clock, intervals = Clock(source.zone), Intervals(source.reached)
    for line, cells in source.lines:
        try:
            if len(cells) < 5:
                raise ValueError(f"{len(cells)} columns, and the header has {len(source.header)}")
            start_ms, whole_day = clock.ms(cells[0]), ":" not in cells[0]
            start_s = start_ms / MS
            end_s = _next_day(start_s, source) if whole_day else start_s + HOUR_S
            came, came_too, went, went_too = (counter(cell, what="energy") for cell in cells[1:5])
            yield from intervals.rows(line, "", start_s, end_s, came + came_too, went + went_too, end_s - start_s)
        except ValueError as error:
            source.refuse(line, str(error))


def _next_day(start_s: float, source: Source) -> float:
    """Answer when the next day begins; two of the year are not as long as the others."""
    day = datetime.fromtimestamp(start_s, UTC).astimezone(source.zone).date() + timedelta(days=1)
    return datetime.combine(day, time(), source.zone).timestamp()


def read_readings(source: Source) -> Iterator[Row]:
    """Read what the meter said."""
    clock = Clock(source.zone)
    for line, row in source.rows():
        try:
            forward_j = sum(counter(row[name], what=name) for name in CAME)
            reverse_j = sum(counter(row[name], what=name) for name in WENT)
            came_w, went_w = (power(row[name], 1e3, name) for name in NOW)
            reading = Reading(
                at_s=clock.s(row["timestamp"]),
                power_w=came_w - went_w,
                forward_j=Joules(forward_j),
                reverse_j=Joules(reverse_j),
            )
            yield Row(line, "", reading)
        except ValueError as error:
            source.refuse(line, str(error))


def _fits_statistics(header: Sequence[str]) -> bool:
    return len(header) >= 5 and all(name.replace("(", " ").split(" ")[0] in WORDS for name in header[1:5])


def _fits_readings(header: Sequence[str]) -> bool:
    return {"timestamp", *CAME, *WENT, *NOW} <= set(header)


STATISTICS = Format("dsmrreader", "DSMR-reader's statistics of hours or days", _fits_statistics, read_statistics)
READINGS = Format("dsmrreader-readings", "DSMR-reader's table of readings", _fits_readings, read_readings)
