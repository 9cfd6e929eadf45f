"""Files of measured homes: what is read from them, what is counted as a gap, and what is refused with its line."""

from __future__ import annotations

import gzip
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daisee.demo.data import COMMUNITY, GapCounts, Measured, Row, load
from daisee.errors import DataFileError, UsageError

HEADER = "timestamp,home,consumption_w,production_w"
MIDNIGHT = "2025-06-01T00:00:00Z"
T0 = 1_748_736_000
MINUTES = [f"2025-06-01T00:{minute:02}:00Z" for minute in range(60)]
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file of lines, or of bytes, and answer where it is."""

    def write(*lines: str | bytes, name: str = "homes.csv", header: str | None = HEADER, end: str = "\n") -> Path:
        path = tmp_path / name
        written = ([header] if header is not None else []) + list(lines)
        path.write_bytes(b"".join(one if isinstance(one, bytes) else (one + end).encode() for one in written))
        return path

    return write


def two_homes(times: Sequence[str] = MINUTES[:5], tail: str = "") -> list[str]:
    return [f"{at},{home},{power},0{tail}" for at in times for home, power in (("a", 100), ("b", 200))]


def refused(path: Path, **choice: object) -> DataFileError:
    """Answer the error of a file that is refused; it names the file and is one line."""
    with pytest.raises(DataFileError) as caught:
        load(path, **choice)  # type: ignore[arg-type]
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value


def rows_of(measured: Measured, home: str) -> list[tuple[int, float, float, float | None]]:
    return [(row.at_s - T0, row.consumption_w, row.production_w, row.state_of_charge) for row in measured.homes[home]]


# ------------------------------------------------------------------------------------------------------------ what is read


def test_the_package_brings_a_week_of_six_homes() -> None:
    began = time.monotonic()
    measured = load(None)
    assert time.monotonic() - began < 15  # a second on an idle machine
    assert measured.file == "community.csv.gz"
    assert list(measured.homes) == ["dev-1", "dev-2", "dev-3", "dev-4", "dev-5", "dev-6"]
    assert (measured.step_s, measured.rows) == (60, 59_784)
    assert (measured.from_s, measured.to_s) == (T0, T0 + 7 * 86_400)
    assert measured.gaps == GapCounts(missing_stretches=50, missing_rows=696)
    assert measured.homes["dev-1"][0] == Row(T0, 255.0, 0.0, 0.84)
    assert measured.homes["dev-2"][0] == Row(T0, 232.8, 0.0, None)


def test_the_data_says_where_it_is_from_and_what_may_be_done_with_it() -> None:
    text = (COMMUNITY.parent / "README.md").read_text()
    assert "Home-Assistant-Import-Energy-Data" in text
    assert "MIT" in text


def test_a_row_is_read_with_its_unit_and_its_time(write: Write) -> None:
    measured = load(write(*two_homes()))
    assert rows_of(measured, "a") == [(60 * n, 100.0, 0.0, None) for n in range(5)]
    assert (measured.step_s, measured.from_s, measured.to_s, measured.rows) == (60, T0, T0 + 300, 10)
    assert measured.gaps == GapCounts()
    assert measured.gaps.total == 0


def test_homes_keep_the_order_in_which_they_appear(write: Write) -> None:
    lines = [f"{at},{home},1,0" for at in MINUTES[:2] for home in ("zoe", "adam", "mia")]
    assert list(load(write(*lines)).homes) == ["zoe", "adam", "mia"]


def test_homes_may_come_one_after_the_other(write: Write) -> None:
    lines = sorted(two_homes(), key=lambda line: line.split(",")[1])
    assert load(write(*lines)).rows == 10


def test_columns_come_in_any_order_and_others_are_passed_over(write: Write) -> None:
    header = "weather,battery_soc, Production_W ,home,consumption_w,timestamp"
    lines = [f"sunny,50,20,{home},10,{at}" for at in MINUTES[:2] for home in "ab"]
    assert rows_of(load(write(*lines, header=header)), "b") == [(0, 10.0, 20.0, 0.5), (60, 10.0, 20.0, 0.5)]


def test_a_byte_order_mark_and_windows_line_ends_are_no_obstacle(write: Write) -> None:
    path = write(b"\xef\xbb\xbf", HEADER, *two_homes(), header=None, end="\r\n")
    assert load(path).rows == 10


def test_blank_lines_and_quotes_are_no_obstacle(write: Write) -> None:
    lines = [f'"{at}","{home}","1","0"' for at in MINUTES[:2] for home in "ab"]
    assert load(write("", *lines, "", "")).rows == 4


def test_gzip_is_known_by_its_content_and_not_by_its_name(write: Write) -> None:
    packed = gzip.compress("\n".join([HEADER, *two_homes()]).encode())
    assert load(write(packed, name="homes.csv", header=None)).rows == 10
    assert load(write(packed, name="homes.csv.gz", header=None)).rows == 10


def test_an_offset_is_a_time_like_z(write: Write) -> None:
    lines = [f"2025-06-01T02:0{minute}:00+02:00,{home},1,0" for minute in range(3) for home in "ab"]
    assert load(write(*lines)).from_s == T0


def test_a_file_without_a_last_line_end_loses_nothing(write: Write) -> None:
    measured = load(write(*two_homes()[:-1], two_homes()[-1].encode()))
    assert (measured.rows, measured.gaps.total) == (10, 0)


def test_a_last_row_that_is_half_written_is_left_out_and_counted(write: Write) -> None:
    measured = load(write(*two_homes(), f"{MINUTES[5]},a,1".encode()))
    assert (measured.rows, measured.gaps) == (10, GapCounts(partial_rows=1))


@pytest.mark.parametrize("step_s", [10, 60, 300, 420, 900, 3600])
def test_every_regular_step_from_ten_seconds_to_an_hour_is_found(write: Write, step_s: int) -> None:
    times = [datetime.fromtimestamp(T0 + 7 + n * step_s, UTC).isoformat() for n in range(8)]
    measured = load(write(*two_homes(times)))
    assert (measured.step_s, measured.from_s, measured.gaps.total) == (step_s, T0 + 7, 0)


def test_a_battery_is_read_in_per_cent_and_kept_as_a_share(write: Write) -> None:
    lines = [f"{MINUTES[n]},{home},1,0,{soc}" for n, soc in enumerate(["0", "100", "", "nan", "33.5"]) for home in "ab"]
    measured = load(write(*lines, header=f"{HEADER},battery_soc"))
    assert [row.state_of_charge for row in measured.homes["a"]] == [0.0, 1.0, None, None, 0.335]
    assert measured.gaps.total == 0


def test_rows_can_be_asked_for_by_number_and_by_slice(write: Write) -> None:
    rows = load(write(*two_homes())).homes["b"]
    assert rows[-1] == list(rows)[-1] == Row(T0 + 240, 200.0, 0.0, None)
    assert list(rows[1:3]) == list(rows)[1:3]
    with pytest.raises(IndexError):
        rows[5]


def test_a_minus_before_a_zero_is_no_direction(write: Write) -> None:
    lines = [f"{at},{home},-0.0,-0" for at in MINUTES[:2] for home in "ab"]
    assert str(load(write(*lines)).homes["a"][0].production_w) == "0.0"


# ------------------------------------------------------------------------------------------------ what is counted as a gap


def test_a_missing_stretch_is_counted_and_nothing_is_put_in_its_place(write: Write) -> None:
    lines = two_homes(MINUTES[:10])
    measured = load(write(*(line for line in lines if line[14:16] not in ("04", "05") or ",b," in line)))
    assert [row.at_s - T0 for row in measured.homes["a"]] == [0, 60, 120, 180, 360, 420, 480, 540]
    assert measured.gaps == GapCounts(missing_stretches=1, missing_rows=2)


def test_a_home_that_comes_late_and_leaves_early_is_missing_before_and_after(write: Write) -> None:
    lines = [line for line in two_homes(MINUTES[:10]) if ",b," in line or line[14:16] in ("03", "04", "05")]
    assert load(write(*lines)).gaps == GapCounts(missing_stretches=2, missing_rows=7)


def test_a_single_step_that_is_missing_at_either_end_is_a_stretch(write: Write) -> None:
    lines = two_homes()
    assert load(write(*lines[1:-2], lines[-1])).gaps == GapCounts(missing_stretches=2, missing_rows=2)


@pytest.mark.parametrize("power", ["nan", "NaN", "inf", "-inf", "", " "])
@pytest.mark.parametrize("column", ["consumption", "production"])
def test_a_power_that_is_no_number_is_a_gap(write: Write, power: str, column: str) -> None:
    lines = two_homes()
    lines[4] = f"{MINUTES[2]},a,{power},0" if column == "consumption" else f"{MINUTES[2]},a,100,{power}"
    measured = load(write(*lines))
    assert [row.at_s - T0 for row in measured.homes["a"]] == [0, 60, 180, 240]
    assert measured.gaps == GapCounts(missing_stretches=1, not_a_number=1)


def test_a_row_that_comes_twice_is_counted_once(write: Write) -> None:
    lines = two_homes()
    measured = load(write(*lines[:4], lines[2], "2025-06-01T00:01:00Z,b,200.0,0.00", *lines[4:]))
    assert (measured.rows, measured.gaps) == (10, GapCounts(duplicates=2))


def test_a_clock_that_jumps_ahead_leaves_a_gap(write: Write) -> None:
    late = [f"2025-06-01T05:0{n}:00Z" for n in range(5)]
    measured = load(write(*two_homes([*MINUTES[:5], *late])))
    assert measured.gaps == GapCounts(missing_stretches=2, missing_rows=2 * 295)


def test_a_few_rows_off_the_grid_are_left_out_and_counted(write: Write) -> None:
    times = [datetime.fromtimestamp(T0 + 60 * n + (7 if n == 50 else 0), UTC).isoformat() for n in range(200)]
    measured = load(write(*two_homes(times)))
    assert all(row.at_s % 60 == 0 for rows in measured.homes.values() for row in rows)
    assert measured.gaps == GapCounts(missing_stretches=2, missing_rows=2, clock_jumps=2)


def test_a_row_off_the_grid_that_holds_no_number_is_counted_once(write: Write) -> None:
    measured = load(write(*two_homes(), "2025-06-01T00:04:07Z,a,nan,0"))
    assert measured.gaps == GapCounts(clock_jumps=1)


def test_the_charge_beside_a_row_off_the_grid_leaves_with_it(write: Write) -> None:
    times = [datetime.fromtimestamp(T0 + 60 * n + (7 if n == 50 else 0), UTC).isoformat() for n in range(200)]
    lines = [f"{at},{home},1,0,{n % 100}" for n, at in enumerate(times) for home in "ab"]
    rows = load(write(*lines, header=f"{HEADER},battery_soc")).homes["a"]
    assert [row.state_of_charge for row in rows] == [n % 100 / 100 for n in range(200) if n != 50]


def test_the_total_of_gaps_counts_a_row_once(write: Write) -> None:
    lines = two_homes(MINUTES[:10])
    lines[6] = f"{MINUTES[3]},a,nan,0"
    del lines[9]
    gaps = load(write(*lines, lines[-1])).gaps
    assert gaps == GapCounts(missing_stretches=2, missing_rows=1, not_a_number=1, duplicates=1)
    assert gaps.total == 3


# --------------------------------------------------------------------------------------------------------- what is refused


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    error = refused(tmp_path / "none.csv")
    assert error.line is None
    assert "there is no such file" in str(error)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert "a folder" in str(refused(tmp_path))


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    assert "expected a file that can be read" in str(refused(tmp_path / ("x" * 300)))


def test_an_empty_file_is_refused(write: Write) -> None:
    assert "empty" in str(refused(write(header=None)))
    assert "empty" in str(refused(write(gzip.compress(b""), header=None)))


def test_a_header_alone_is_refused(write: Write) -> None:
    assert "expected rows under the header" in str(refused(write()))


def test_a_file_named_gz_that_is_not_gzip_is_refused(write: Write) -> None:
    assert "expected gzip data" in str(refused(write(*two_homes(), name="homes.csv.gz")))


def test_gzip_that_was_cut_off_is_refused_with_the_last_line_it_has(write: Write) -> None:
    packed = gzip.compress("\n".join([HEADER, *two_homes()]).encode())
    assert "cut off or damaged" in str(refused(write(packed[:-12], name="homes.csv.gz", header=None)))
    assert "cut off or damaged" in str(refused(write(packed[:5], name="homes.csv.gz", header=None)))


def test_gzip_that_was_damaged_is_refused(write: Write) -> None:
    packed = bytearray(gzip.compress("\n".join([HEADER, *two_homes()]).encode()))
    packed[-6] ^= 0xFF
    assert "cut off or damaged" in str(refused(write(bytes(packed), header=None)))


@pytest.mark.parametrize("rubbish", [b"\x89PNG\r\n\x1a\n\x00\x00", b"\xff\xfet\x00i\x00m\x00e\x00", bytes(range(256)) * 40])
def test_binary_rubbish_is_refused(write: Write, rubbish: bytes) -> None:
    assert refused(write(rubbish, header=None)).line in (1, 2)


def test_text_that_is_not_utf_8_is_refused_with_its_line(write: Write) -> None:
    error = refused(write(*two_homes(), f"{MINUTES[5]},caf".encode() + b"\xe9,1,0\n"))
    assert error.line == 12
    assert "UTF-8" in str(error)


@pytest.mark.parametrize("column", HEADER.split(","))
def test_a_missing_column_is_refused_by_name(write: Write, column: str) -> None:
    error = refused(write(*two_homes(), header=HEADER.replace(column, "other")))
    assert error.line == 1
    assert f"{column} is missing" in str(error)


def test_a_column_that_is_there_twice_is_refused(write: Write) -> None:
    assert "expected one column home, found 2" in str(refused(write(*two_homes(tail=",x"), header=f"{HEADER},home")))


def test_semicolons_are_refused_with_what_was_expected(write: Write) -> None:
    assert "separated by commas" in str(refused(write(header=HEADER.replace(",", ";"))))


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("2025-06-01T00:05:00Z,a\0,1,0", "expected text, found binary data"),
        ("2025-06-01T00:05:00Z,a,much,0", "expected a number of watts as consumption_w, found 'much'"),
        ("2025-06-01T00:05:00Z,a,1,1_000", "watts"),
        ('2025-06-01T00:05:00Z,a,"1,5",0', "expected a number of watts as consumption_w, found '1,5'"),
        ("2025-06-01T00:05:00Z,a,-1,0", "direction is a word"),
        ("2025-06-01T00:05:00Z,a,1,-0.5", "expected production_w of at least 0, found '-0.5'"),
        ("2025-06-01T00:05:00Z,a,1e12,0", "in watts, below 1,000,000"),
        ("2025-06-01T00:05:00Z,a,1", "expected 4 values, as in the header, found 3"),
        ("2025-06-01T00:05:00Z,a,1,0,0", "expected 4 values, as in the header, found 5"),
        ("2025-06-01T00:05:00,a,1,0", "expected a time with its zone"),
        ("2025-06-01,a,1,0", "expected a time with its zone"),
        ("noon,a,1,0", "expected a time as 2025-06-01T00:00:00Z, found 'noon'"),
        ("1748736300,a,1,0", "expected a time as"),
        (",a,1,0", "expected a time as"),
        ("1970-01-01T00:00:00Z,c,1,0", "is the clock set?"),
        ("9999-12-31T23:59:00-12:00,c,1,0", "is the clock set?"),
        ("2025-06-01T00:05:00Z,,1,0", "expected a home's name"),
        ("2025-06-01T00:05:00Z,a\tb,1,0", "printable"),
        (f"2025-06-01T00:05:00Z,{'a' * 65},1,0", "1 to 64 printable characters"),
        ("2025-06-01T00:05:00Z,grid,1,0", "the street's own word"),
        ("2025-06-01T00:03:00Z,a,1,0", "in order of time, found one 60 s before"),
        ("2025-06-01T00:04:00Z,a,1,0", "a second one that says something else"),
        ("2025-06-01T00:04:00Z,a,nan,0", "a second one that says something else"),
        ("2035-06-01T00:05:00Z,a,1,0", "at most a year apart, found 3652 days; did the clock jump?"),
        (f"2025-06-01T00:05:00Z,{'a' * 70_000},1,0", "a line of at most 65536 bytes"),
        ('2025-06-01T00:05:00Z,"a,1,0', "a quote that stands alone"),
    ],
)
def test_a_row_that_cannot_be_trusted_is_refused_with_its_line(write: Write, row: str, told: str) -> None:
    error = refused(write(*two_homes(), row))
    assert error.line == 12
    assert told in str(error)


@pytest.mark.parametrize("percent", ["-1", "100.5", "full", "inf", "1e400"])
def test_a_state_of_charge_beyond_per_cent_is_refused(write: Write, percent: str) -> None:
    error = refused(write(f"{MIDNIGHT},a,1,0,{percent}", header=f"{HEADER},battery_soc"))
    assert error.line == 2
    assert "per cent" in str(error)


def test_many_rows_off_the_grid_are_refused_at_the_first(write: Write) -> None:
    times = [datetime.fromtimestamp(T0 + 60 * n + (7 if n >= 60 else 0), UTC).isoformat() for n in range(100)]
    error = refused(write(*two_homes(times)))
    assert error.line == 2 + 2 * 60
    assert "expected rows every 60 s, as at 2025-06-01T01:00:00Z, found 2025-06-01T01:00:07Z" in str(error)


def test_times_between_two_seconds_are_refused(write: Write) -> None:
    assert "whole seconds" in str(refused(write(*two_homes([at.replace("00Z", "00.5Z") for at in MINUTES[:5]]))))


@pytest.mark.parametrize("step_s", [1, 5, 7200, 86_400])
def test_a_step_that_is_too_short_or_too_long_is_refused(write: Write, step_s: int) -> None:
    times = [datetime.fromtimestamp(T0 + n * step_s, UTC).isoformat() for n in range(8)]
    error = refused(write(*two_homes(times)))
    assert f"found {step_s} s" in str(error)
    assert error.line == 4


def test_two_homes_with_two_steps_are_refused(write: Write) -> None:
    lines = [f"{at},{home},1,0" for n, at in enumerate(MINUTES[:10]) for home in "ab" if home == "a" or n % 2 == 0]
    error = refused(write(*lines))
    assert "expected one step for all homes, found 60 s and, for 'b', 120 s" in str(error)
    assert error.line == 3


def test_homes_of_different_years_are_refused(write: Write) -> None:
    lines = [f"{at},a,1,0" for at in MINUTES[:5]] + [f"{at.replace('2025', '2020')},b,1,0" for at in MINUTES[:5]]
    assert "measured together" in str(refused(write(*lines)))


def test_one_row_of_each_home_is_refused_because_it_has_no_step(write: Write) -> None:
    assert "at least two rows" in str(refused(write(*two_homes(MINUTES[:1]))))


def test_one_home_is_refused_because_it_has_no_neighbour(write: Write) -> None:
    error = refused(write(*(line for line in two_homes() if ",a," in line)))
    assert "at least two homes" in str(error)


def test_a_file_without_any_number_is_refused(write: Write) -> None:
    assert "found no row" in str(refused(write(*(f"{at},{home},nan,0" for at in MINUTES[:3] for home in "ab"))))


# ---------------------------------------------------------------------------------------------------------- what is chosen


def test_chosen_homes_are_kept_in_the_order_of_the_file(write: Write) -> None:
    lines = [f"{at},{home},1,0" for at in MINUTES[:2] for home in ("a", "b", "c")]
    measured = load(write(*lines), homes=["c", "a"])
    assert (list(measured.homes), measured.left_out) == (["a", "c"], ("b",))


def test_a_home_that_was_not_chosen_cannot_spoil_the_others(write: Write) -> None:
    assert load(write(*two_homes(), f"{MINUTES[0]},c,-1,much"), homes=["a", "b"]).rows == 10


def test_an_unknown_home_is_refused_with_the_one_that_may_have_been_meant() -> None:
    with pytest.raises(UsageError, match=r"there is no 'dev-33' in .*; did you mean dev-3\? it has dev-1, dev-2"):
        load(None, homes=["dev-1", "dev-33"])


@pytest.mark.parametrize("homes", [[], ["dev-1"], ["dev-1", "dev-1"]])
def test_fewer_than_two_chosen_homes_are_refused(homes: list[str]) -> None:
    with pytest.raises(UsageError, match="at least two homes"):
        load(None, homes=homes)


def test_one_home_that_is_not_there_is_said_to_be_not_there() -> None:
    with pytest.raises(UsageError, match="there is no 'nobody' in"):
        load(None, homes=["nobody"])


def test_a_start_and_days_choose_a_part_and_its_gaps(write: Write) -> None:
    whole, part = load(None), load(None, start=datetime(2025, 6, 2, tzinfo=UTC), days=1.5)
    assert (part.from_s, part.to_s) == (T0 + 86_400, T0 + 216_000)
    assert list(part.homes["dev-4"]) == list(whole.homes["dev-4"])[1440:3600]
    assert part.rows + part.gaps.missing_rows == 6 * 2160


def test_gaps_outside_of_the_chosen_part_are_not_counted(write: Write) -> None:
    lines = two_homes(MINUTES[:20])
    lines[2] = f"{MINUTES[1]},a,nan,0"
    path = write(*lines, lines[-1])
    assert load(path, start=datetime(2025, 6, 1, 0, 5, tzinfo=UTC), days=10 / 1440).gaps.total == 0
    assert load(path).gaps == GapCounts(missing_stretches=1, not_a_number=1, duplicates=1)


def test_a_start_within_a_step_begins_with_the_next_one(write: Write) -> None:
    measured = load(write(*two_homes()), start=datetime(2025, 6, 1, 0, 1, 30, tzinfo=UTC))
    assert measured.from_s == T0 + 120


def test_days_beyond_the_data_end_with_it(write: Write) -> None:
    assert load(write(*two_homes()), days=1e6).to_s == T0 + 300


def test_a_part_of_a_step_is_the_whole_step(write: Write) -> None:
    assert load(write(*two_homes()), days=1e-6).to_s == T0 + 60


@pytest.mark.parametrize("start", ["2025-05-31T23:59:59Z", "2025-06-08T00:00:00Z", "2025-06-07T23:59:30Z"])
def test_a_start_outside_of_the_data_is_refused(start: str) -> None:
    with pytest.raises(UsageError, match="--start"):
        load(None, start=datetime.fromisoformat(start))


def test_a_start_without_a_zone_is_refused() -> None:
    with pytest.raises(UsageError, match="zone"):
        load(None, start=datetime(2025, 6, 1))  # noqa: DTZ001  # the point of the test


@pytest.mark.parametrize("days", [0, -1, float("nan"), float("inf")])
def test_days_that_are_not_above_zero_are_refused(days: float) -> None:
    with pytest.raises(UsageError, match="--days"):
        load(None, days=days)


def test_a_part_in_which_nothing_was_measured_is_refused(write: Write) -> None:
    late = [f"2025-06-01T05:0{n}:00Z" for n in range(5)]
    with pytest.raises(UsageError, match="has no row from 2025-06-01T01:00:00Z"):
        load(write(*two_homes([*MINUTES[:5], *late])), start=datetime(2025, 6, 1, 1, tzinfo=UTC), days=0.1)


# --------------------------------------------------------------------------------------------------------------- the whole


@st.composite
def measured_homes(draw: st.DrawFn) -> tuple[int, dict[str, dict[int, tuple[float, float, int | None]]]]:
    """Make a step and, per home, its rows by time; most of the neighbouring rows are one step apart."""
    step_s = draw(st.sampled_from([10, 60, 900, 3600]))
    count = draw(st.integers(4, 30))
    power = st.floats(0, 50_000, allow_nan=False).map(lambda power_w: round(power_w, 3))
    row = st.tuples(power, power, st.none() | st.integers(0, 100))
    homes = {}
    for name in draw(st.lists(st.sampled_from(["a", "b b", "ü", "dev-1", "[x]", "1"]), min_size=2, unique=True)):
        rows = draw(st.lists(row, min_size=count, max_size=count))
        missing = draw(st.integers(0, count - 1))
        homes[name] = {T0 + n * step_s: one for n, one in enumerate(rows) if n != missing}
    return step_s, homes


def as_csv(homes: dict[str, dict[int, tuple[float, float, int | None]]], by_time: bool) -> Iterator[str]:
    yield f"{HEADER},battery_soc"
    rows = [(at_s, home, *row) for home, all_rows in homes.items() for at_s, row in all_rows.items()]
    for at_s, home, consumption_w, production_w, soc in sorted(rows, key=lambda row: row[0]) if by_time else rows:
        at = datetime.fromtimestamp(at_s, UTC).isoformat()
        yield f"{at},{home},{consumption_w!r},{production_w!r},{'' if soc is None else soc}"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(measured_homes(), st.booleans(), st.booleans())
def test_no_energy_is_lost_or_made_between_the_file_and_the_street(
    write: Write, generated: tuple[int, dict[str, dict[int, tuple[float, float, int | None]]]], by_time: bool, packed: bool
) -> None:
    step_s, homes = generated
    text = "\n".join(as_csv(homes, by_time)).encode()
    measured = load(write(gzip.compress(text) if packed else text, header=None))
    assert set(measured.homes) == set(homes)
    assert measured.step_s == step_s
    for name, rows in homes.items():
        loaded = list(measured.homes[name])
        assert sum(row.consumption_w * step_s for row in loaded) == sum(row[0] * step_s for row in rows.values())
        assert sum(row.production_w * step_s for row in loaded) == sum(row[1] * step_s for row in rows.values())
        assert [row.state_of_charge for row in loaded] == [None if r[2] is None else r[2] / 100 for r in rows.values()]
        assert all(after.at_s > before.at_s for before, after in pairwise(loaded))
    steps = len(homes) * (measured.to_s - measured.from_s) // step_s
    assert measured.rows + measured.gaps.total == steps


def test_a_year_of_a_village_stays_small_in_memory(write: Write) -> None:
    times = [datetime.fromtimestamp(T0 + 900 * n, UTC).isoformat() for n in range(2000)]
    path = write(*(f"{at},home-{home},{home},0" for at in times for home in range(10)))
    tracemalloc.start()
    try:
        measured = load(path)
        assert tracemalloc.get_traced_memory()[1] < 20_000 * 100  # 3.5 million rows: under 400 MB
    finally:
        tracemalloc.stop()
    assert measured.rows == 20_000


def test_a_quote_that_stands_alone_is_refused_on_its_own_line(write: Write) -> None:
    rows = two_homes()
    with pytest.raises(DataFileError, match="line 4: expected a value in quotes to end on its line"):
        load(write(*rows[:2], f'{MINUTES[5]},"a,1,1', *rows[2:]))
