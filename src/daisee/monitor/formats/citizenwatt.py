"""What a CitizenWatt of 2017 had measured: its table `measures` with id, sensor, watts, whole Unix seconds, and whether it was
night. It is a CSV with these names, or the block of that table in what `pg_dump` or SQLite's `.dump` write.

The night's rate is a matter of the tariff and is left; a sensor is named by its number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from daisee.model.readings import Reading
from daisee.monitor.formats import Clock, Format, Row, Source, power

COLUMNS = ("id", "sensor_id", "value", "timestamp", "night_rate")


def fits(header: Sequence[str]) -> bool:
    """Tell whether this is the table of measures."""
    return {"sensor_id", "value", "timestamp"} <= set(header) <= set(COLUMNS)


def read(source: Source) -> Iterator[Row]:
    """Read measures."""
    clock = Clock(source.zone)
    for line, row in source.rows():
        try:
            reading = Reading(at_s=clock.s(row["timestamp"]), power_w=power(row["value"], what="value"))
            yield Row(line, row["sensor_id"].strip(), reading)
        except ValueError as error:
            source.refuse(line, str(error))


FORMAT = Format("citizenwatt", "the measures of a CitizenWatt", fits, read)
