"""Files of others, known by their headers, and read with what they mean."""

import gzip
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daisee.errors import DataFileError, UsageError
from daisee.model.readings import Reading
from daisee.monitor.formats import Clock, Run
from daisee.monitor.formats.files import FORMATS, opened
from daisee.monitor.formats.own import run_of
from daisee.monitor.staging import readings_of
from daisee.units import Joules

T0 = 1_748_736_000
T0_ISO = "2025-06-01T00:00:00Z"
PARIS = ZoneInfo("Europe/Paris")

Found = tuple[str, list[tuple[int, str, Reading]], list[tuple[int, str]]]


def read(path: Path, units: Mapping[str, str] | None = None, zone: Any = UTC, name: str | None = None) -> Found:
    refused: list[tuple[int, str]] = []
    rows: list[tuple[int, str, Reading]] = []
    with opened(path, lambda line, why: refused.append((line, why)), lambda _share: None, zone, units or {}, name) as (
        shape,
        source,
    ):
        for each in shape.read(source):
            if isinstance(each, Run):
                rows += [(line, each.name, reading) for line, reading in readings_of(each)]
            else:
                rows.append((each.line, each.name, each.reading))
    return shape.name, rows, refused


def said(tmp_path: Path, text: str, **more: Any) -> Found:
    path = tmp_path / "file.csv"
    path.write_text(text, "utf-8")
    return read(path, **more)


def test_our_own_columns_say_all_that_a_reading_can(tmp_path: Path) -> None:
    header = "at,power_w,mean_over_s,forward_kwh,reverse_kwh,state_of_charge,voltage_v,meter\n"
    shape, rows, refused = said(
        tmp_path, header + f"{T0_ISO},-5.5,60,1.5,0.25,0.75,230.5,roof\n" + ',,,,,,,\n"2025-06-01 02:00:10+02:00",,,,,,231,\n'
    )
    assert shape == "daisee"
    assert rows == [
        (
            2,
            "roof",
            Reading(
                at_s=T0,
                power_w=-5.5,
                mean_over_s=60,
                forward_j=Joules(5_400_000),
                reverse_j=Joules(900_000),
                state_of_charge=0.75,
                voltage_v=230.5,
            ),
        ),
        (4, "", Reading(at_s=T0 + 10, voltage_v=231.0)),
    ]
    assert refused == []


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_semicolons_and_decimal_commas_are_read(tmp_path: Path, delimiter: str) -> None:
    _, rows, _ = said(tmp_path, f"at,power_w,voltage_v\n{T0},450.5,230\n".replace(",", delimiter).replace("450.5", "450,5"))
    assert rows[0][2] == Reading(at_s=T0, power_w=450.5, voltage_v=230.0)


def test_a_state_of_home_assistant_lasts_until_the_next(tmp_path: Path) -> None:
    text = "entity_id,state,last_changed\n" + "".join(
        f"sensor.house_power,{state},2025-06-01T{at}Z\n"
        for state, at in (
            ("100", "00:00:00.000"),
            ("250.5", "00:05:00.500"),
            ("unavailable", "00:06:00.000"),
            ("1", "03:00:00.000"),
            ("2", "09:00:00.000"),
        )
    )
    shape, rows, refused = said(tmp_path, text)
    assert shape == "homeassistant"
    assert [(reading.at_s - T0, reading.power_w, reading.mean_over_s) for _, _, reading in rows] == [
        (300.5, 100.0, 300.5),
        (360.0, 250.5, 59.5),
        (14_400.0, 1.0, 3_600.0),
    ]
    assert refused == [(4, "its state is unavailable")]


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("sensor.grid_power", "W"), ("sensor.grid_energy", "kWh"), ("sensor.house_kW", "kW"), ("sensor.meter_wh", "Wh"),
        ("sensor.solar_production", None), ("sensor.power_meter_import", None), ("sensor.powerwall_energy_imported", None),
        ("sensor.power_consumption", None), ("sensor.saw", None),
    ],
)  # fmt: skip
def test_the_units_of_home_assistants_history_are_those_its_names_end_with_and_else_asked_for(
    tmp_path: Path, name: str, unit: str | None
) -> None:
    text = "entity_id,state,last_changed\n" + "".join(f"{name},2,2025-06-01T0{hour}:00:00Z\n" for hour in (0, 1))
    _, rows, refused = said(tmp_path, text)
    if unit is None:
        assert (rows, len(refused)) == ([], 2)
        assert f"--unit {name}=W" in refused[0][1]
    else:
        reading = rows[-1][2]
        scale = {"W": 1, "kW": 1_000, "Wh": 3_600, "kWh": 3_600_000}[unit]
        assert 2 * scale == (reading.power_w if unit in ("W", "kW") else reading.forward_j)
    _, rows, refused = said(tmp_path, text, units={name: "MWh"})
    assert (rows[0][2].forward_j, refused) == (7_200_000_000, [])


def test_a_unit_in_home_assistants_history_counts_more_than_a_name(tmp_path: Path) -> None:
    text = f"entity_id,state,last_changed,unit_of_measurement\nsensor.x_energy,2,{T0_ISO},Wh\nsensor.warm,3,{T0_ISO},°C\n"
    _, rows, refused = said(tmp_path, text)
    assert rows[0][2].forward_j == 7_200
    assert refused == [(3, "°C is no unit of electricity that is known here")]


def test_home_assistants_history_with_a_climate_has_lines_shorter_than_its_header(tmp_path: Path) -> None:
    text = (
        "entity_id,state,last_changed,current_temperature,hvac_action,target_temp_high,target_temp_low,temperature\n"
        f"climate.living,heat,{T0_ISO},19.5,heating,,,20\n"
        f"sensor.grid_power,100,{T0_ISO}\nsensor.grid_power,200,2025-06-01T00:10:00Z\n"
    )
    _, rows, refused = said(tmp_path, text)
    assert [(reading.power_w, reading.mean_over_s) for _, _, reading in rows] == [(100.0, 600.0)]
    assert [line for line, _ in refused] == [2]


def test_a_line_of_home_assistants_history_that_goes_back_is_told(tmp_path: Path) -> None:
    text = "entity_id,state,last_changed\n" + "".join(
        f"sensor.grid_power,{state},2025-06-01T00:{minute}:00Z\n" for minute, state in (("30", 300), ("00", 100), ("40", 200))
    )
    _, rows, refused = said(tmp_path, text)
    assert [(reading.power_w, reading.mean_over_s) for _, _, reading in rows] == [(300.0, 600.0)]
    assert refused[0][0] == 3
    assert "sort the file" in refused[0][1]


def test_home_assistants_statistics_are_means_and_sums_of_hours(tmp_path: Path) -> None:
    text = (
        "statistic_id\tunit\tstart\tmin\tmax\tmean\tsum\tstate\n"
        "sensor.power\tkW\t01.06.2025 02:00\t0\t1\t0.5\t\t\n"
        "sensor.energy\tkWh\t01.06.2025 02:00\t\t\t\t10.5\t99\n"
        "sensor.energy\tkWh\t01.06.2025 03:00\t\t\t\t11\t99.5\n"
        "sensor.energy\tkWh\t01.06.2025 06:00\t\t\t\t12\t100.5\n"
        "sensor.warm\t°C\t01.06.2025 02:00\t20\t21\t20.5\t\t\n"
    )
    shape, rows, refused = said(tmp_path, text, zone=PARIS)
    assert shape == "homeassistant-statistics"
    assert [(name, reading.at_s - T0, reading.power_w, reading.forward_j, reading.mean_over_s) for _, name, reading in rows] == [
        ("sensor.power", 3_600, 500.0, None, 3_600),
        ("sensor.energy", 3_600, None, 37_800_000, None),
        ("sensor.energy", 7_200, None, 39_600_000, 3_600),
        ("sensor.energy", 18_000, None, 43_200_000, None),
    ]
    assert "°C is no unit" in refused[0][1]


def test_the_energy_dashboards_table_is_counters_from_zero(tmp_path: Path) -> None:
    text = (
        "entity_id,type,unit,2025-06-01T00:00:00.000Z,2025-06-01T01:00:00.000Z,2025-06-01T03:00:00.000Z\n"
        "sensor.import,grid_consumption,kWh,1.5,,0.25\n"
        "sensor.import_cost,grid_consumption_cost,EUR,0.4,0.1,0\n"
        ",calculated_consumed_grid,kWh,1,1,1\n"
    )
    shape, rows, refused = said(tmp_path, text)
    assert shape == "homeassistant-energy"
    assert [(reading.at_s - T0, reading.forward_j, reading.mean_over_s) for _, _, reading in rows] == [
        (0, 0, None),
        (3_600, 5_400_000, 3_600),
        (10_800, 5_400_000, None),
        (14_400, 6_300_000, 3_600),
    ]
    assert ["EUR" in refused[0][1], "calculated" in refused[1][1]] == [True, True]


DSMR_HOUR = (
    "Hour Start,Electricity 1 (Low Tariff),Electricity 2 (High Tariff),"
    "Electricity 1 Returned (Low Tariff),Electricity 2 Returned (High Tariff),Gas\n"
)


def test_dsmr_readers_hours_and_days_are_both_tariffs_together(tmp_path: Path) -> None:
    shape, rows, _ = said(tmp_path, DSMR_HOUR + "2025-06-01 02:00:00,0.1,0.25,0.0,1.5,0.3\n", zone=PARIS)
    assert shape == "dsmrreader"
    assert [(reading.at_s - T0, reading.forward_j, reading.reverse_j) for _, _, reading in rows] == [
        (0, 0, 0),
        (3_600, 1_260_000, 5_400_000),
    ]
    # A day of spring has 23 hours.
    _, rows, refused = said(
        tmp_path,
        DSMR_HOUR.replace("Hour Start", "Date") + "2025-03-30,1,2,0,0,0\n2025-03-31,1,2,0,0,0\nsum,1,1,1,1,1\n",
        zone=PARIS,
    )
    assert [row[2].mean_over_s for row in rows] == [None, 23 * 3_600, 24 * 3_600]
    assert rows[-1][2].forward_j == 6 * 3_600_000
    assert refused == [(4, "sum is no time")]


DSMR_COLUMNS = [
    *("id", "timestamp", "electricity_delivered_1", "electricity_returned_1", "electricity_delivered_2"),
    *("electricity_returned_2", "electricity_currently_delivered", "electricity_currently_returned", "phase"),
]
DSMR_CELLS = ["7", "2025-06-01 00:00:10+00:00", "1000.5", "1.25", "2000.25", "2.5", "0.45", "0.1", ""]


@pytest.mark.parametrize("dump", [False, True])
def test_dsmr_readers_table_of_readings_is_read_from_a_csv_and_from_a_dump(tmp_path: Path, dump: bool) -> None:
    if dump:
        cells = "\t".join(cell or "\\N" for cell in DSMR_CELLS)
        columns = ", ".join(f'"{name}"' if name == "timestamp" else name for name in DSMR_COLUMNS)
        head = "--\n-- PostgreSQL database dump\n--\nSET client_encoding = 'UTF8';\n"
        text = f"{head}COPY public.dsmr_datalogger_dsmrreading ({columns}) FROM stdin;\n{cells}\n\\.\n"
    else:
        text = ",".join(DSMR_COLUMNS) + "\n" + ",".join(DSMR_CELLS) + "\n"
    shape, rows, refused = said(tmp_path, text)
    assert (shape, refused) == ("dsmrreader-readings", [])
    assert rows[0][2] == Reading(at_s=T0 + 10, power_w=350.0, forward_j=Joules(10_802_700_000), reverse_j=Joules(13_500_000))


MEASURES = [(1, 2, 245.0, T0, 0), (2, 2, 251.5, T0 + 8, 1), (3, 5, 40.0, T0 + 9, 0)]


@pytest.mark.parametrize(
    "how", ["csv", "pg_dump", "sqlite dump", "sqlite", "inserts", "column inserts", "rows per insert", "many rows in a line"]
)
def test_a_citizenwatts_measures_are_read_however_they_were_saved(tmp_path: Path, how: str) -> None:
    path = tmp_path / "measures"
    columns = ["id", "sensor_id", "value", "timestamp", "night_rate"]
    with closing(sqlite3.connect(tmp_path / "base.sqlite")) as base:
        base.execute("CREATE TABLE providers (id INTEGER, name TEXT)")
        base.execute("INSERT INTO providers VALUES (1, 'EDF')")
        base.execute(
            "CREATE TABLE measures "
            "(id INTEGER PRIMARY KEY, sensor_id INTEGER, value FLOAT, timestamp INTEGER, night_rate INTEGER)"
        )
        base.executemany("INSERT INTO measures VALUES (?, ?, ?, ?, ?)", MEASURES)
        base.commit()
        dump = "\n".join(base.iterdump())
    if how == "csv":
        path.write_text("\n".join([",".join(columns), *(",".join(map(str, row)) for row in MEASURES)]))
    elif how == "pg_dump":
        rows = "\n".join("\t".join(map(str, row)) for row in MEASURES)
        copied = f'COPY public.measures (id, sensor_id, value, "timestamp", night_rate) FROM stdin;\n{rows}\n\\.\n'
        path.write_text(
            "--\n-- PostgreSQL database dump\n--\n\nCOPY public.types (id, name) FROM stdin;\n1\tW\n\\.\n\n"
            f"{copied}\nALTER TABLE x;\n"
        )
    elif how == "sqlite dump":
        path.write_text(dump)
    elif how == "many rows in a line":
        rows = ",".join(f"({','.join(map(str, row))})" for row in MEASURES)
        path.write_text(f"-- MySQL dump 10.13\nINSERT INTO `types` VALUES (1,'W');\nINSERT INTO `measures` VALUES {rows};\n")
    elif "insert" in how:
        into = "INSERT INTO public.measures" + (f" ({', '.join(columns)})" if how == "column inserts" else "") + " VALUES"
        tuples = [f"({', '.join(map(str, row))})" for row in MEASURES]
        one, each = f"{into}\n\t" + ",\n\t".join(tuples) + ";", "\n".join(f"{into} {row};" for row in tuples)
        inserted = one if how == "rows per insert" else each
        path.write_text(
            "--\n-- PostgreSQL database dump\n--\n\nINSERT INTO public.types VALUES\n\t(1, 'W'),\n\t(2, 'V');\n\n"
            f"{inserted}\n\nINSERT INTO public.users VALUES\n\t(1, 2, 3, 4, 5);\n"
        )
    else:
        path = tmp_path / "base.sqlite"
    shape, found, refused = read(path)
    assert (shape, refused) == ("citizenwatt", [])
    assert [(name, reading) for _, name, reading in found] == [
        (str(sensor), Reading(at_s=float(at_s), power_w=watts)) for _, sensor, watts, at_s, _ in MEASURES
    ]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is empty"),
        (b"a,b\n1,2\n", "no format that is known"),
        (b"PGDMP\x01\x0e", "--format=plain"),
        (b"SQLite format 3\x00" + bytes(100), "SQLite file"),
        (b"\x1f\x8b\x08\x00garbage", "damaged or cut off"),
        (b"-- a dump\nCREATE TABLE x;\n", "no table of measures"),
        (b"timestamp,power_w,voltage_v\n" + b"1" * 70_000, "longer than"),
        (b"x" * 1_100_000, "no end"),
    ],
)
def test_what_is_no_file_of_measurements_is_told_in_words(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)
    with pytest.raises(DataFileError, match=why):
        read(path)
    with pytest.raises(UsageError, match="there is no file"):
        read(tmp_path / "other")
    with pytest.raises(UsageError, match="cannot be read"):
        read(tmp_path)


def test_a_format_that_is_named_must_fit(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("timestamp,power_w\n")
    with pytest.raises(DataFileError, match="not those of slots"):
        read(path, name="slots")
    with pytest.raises(UsageError, match="did you mean slots"):
        read(path, name="slot")


def test_many_lines_at_once_are_the_same_as_one_by_one(tmp_path: Path) -> None:
    lines = "".join(f"{T0 + 8 * step},{step % 977 / 10}\n" for step in range(40_000))
    _, at_once, _ = said(tmp_path, "timestamp,power_w\n" + lines)
    _, one_by_one, _ = said(tmp_path, "timestamp;power_w\n" + lines.replace(",", ";"))
    assert at_once == one_by_one
    assert len(at_once) == 40_000


@pytest.mark.parametrize(
    "line", ["1_748_736_000,5", '1748736000,"5"', "1748736000,5,5", "1748736000", "1748736000,inf", "2025-06-01,5", "5,5"]
)
def test_lines_that_are_not_plain_are_never_read_at_once(line: str) -> None:
    assert run_of(2, f"{T0 - 8},1\n{line}\n") is None
    assert run_of(2, f"{T0 - 8},1\n{T0},5\n") is not None


HEADERS = [
    "timestamp,power_w", "at,power_w,mean_over_s,forward_j,reverse_kwh,meter", "entity_id,state,last_changed",
    "statistic_id,unit,start,mean,sum", "entity_id,type,unit,2025-06-01,2025-06-02", DSMR_HOUR.strip(), ",".join(DSMR_COLUMNS),
    "id,sensor_id,value,timestamp,night_rate", "timestamp,home,consumption_w,production_w,battery_soc",
    "timestamp,home,consumption_w,grid_import_counter_kwh", "slot_start,meter,slot_forward_j,slot_reverse_j,covered_s",
    "timestamp,VERBR_KWH_181,VERBR_KWH_182,GELVR_KWH_281,GELVR_KWH_282",
    "COPY public.measures (id, sensor_id, value, timestamp, night_rate) FROM stdin;",
    "-- x\nINSERT INTO measures VALUES(1,2,3,4,5);", "-- x\nINSERT INTO `measures` VALUES (1,2,3,4,5),(",
]  # fmt: skip
CELLS = st.sampled_from(
    [
        *("", "0", "1", "-1", "1e400", "nan", "kWh", "kW", "sensor.power", "sensor.energy", T0_ISO, str(T0), "9" * 30),
        *("2025-06-01 02:30", '"', "\\.", "é", "2024-03-31 02:30:00", "0001-01-01", "9999-12-31T23:59:59-14:00"),
        *("12,5", "unavailable"),
    ]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(HEADERS), st.lists(st.lists(CELLS, max_size=10)), st.binary(max_size=60), st.booleans())
def test_whatever_a_file_holds_it_is_read_or_refused(
    tmp_path_factory: Any, header: str, lines: list[list[str]], tail: bytes, gz: bool
) -> None:
    path = tmp_path_factory.mktemp("any") / "a.csv"
    content = "\n".join([header, *(",".join(cells) for cells in lines)]).encode() + b"\n" + tail
    path.write_bytes(gzip.compress(content) if gz else content)
    _, rows, _ = read(path, zone=PARIS)
    for _, _, reading in rows:
        assert reading.power_w is None or abs(reading.power_w) <= 2_000_000
        assert all(each is None or 0 <= each <= 2**60 for each in (reading.forward_j, reading.reverse_j))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_whatever_bytes_are_no_file_are_told_in_words(tmp_path_factory: Any, content: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "a"
    path.write_bytes(content)
    with pytest.raises(DataFileError):
        read(path)


@given(st.text(max_size=30))
def test_no_text_is_a_wrong_moment(text: str) -> None:
    try:
        at_s = Clock(PARIS).s(text)
    except ValueError:
        return
    assert 946_684_800 <= at_s < 4_102_444_800


def test_every_format_has_a_name_and_a_title() -> None:
    assert all(name == each.name and each.title for name, each in FORMATS.items())
