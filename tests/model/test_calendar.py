"""Days of a zone's own clock, the short and the long ones included."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daisee.model.calendar import Period, date_of, first_day, label, midnight_s, next_first_day, offset_s, stretches

ZONES = sorted(available_timezones())


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Paris", date(2026, 3, 29), 23), ("Europe/Paris", date(2026, 10, 25), 25), ("Europe/Paris", date(2026, 6, 1), 24),
        ("Europe/London", date(2026, 3, 29), 23), ("Europe/London", date(2026, 10, 25), 25),
        ("America/New_York", date(2026, 3, 8), 23), ("America/New_York", date(2026, 11, 1), 25),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5), ("Australia/Lord_Howe", date(2026, 10, 4), 23.5),
        ("America/Havana", date(2026, 3, 8), 23),
        ("Asia/Beirut", date(2026, 3, 29), 23), ("Asia/Kathmandu", date(2026, 3, 8), 24),
    ],
)  # fmt: skip
def test_a_day_is_as_long_as_its_zone_says(zone: str, day: date, hours: float) -> None:
    here = ZoneInfo(zone)
    assert (midnight_s(day + timedelta(days=1), here) - midnight_s(day, here)) / 3_600 == hours


@given(st.sampled_from(ZONES), st.integers(1990, 2035))
def test_the_days_of_a_year_add_up_to_the_year_in_every_zone(name: str, year: int) -> None:
    zone = ZoneInfo(name)
    first, end = date(year, 1, 1), date(year + 1, 1, 1)
    days = [first + timedelta(days=place) for place in range((end - first).days + 1)]
    borders = [midnight_s(day, zone) for day in days]
    assert all(one <= other for one, other in pairwise(borders)), "an island that skipped a day has one of no length"
    for day, begin, after in zip(days, borders, borders[1:], strict=False):
        if begin < after:
            assert (date_of(begin, zone), date_of(after - 1, zone)) == (day, day)
            assert date_of(begin - 1, zone) < day
    found = stretches(borders[0], borders[-1], zone)
    assert sum(end_s - begin_s for begin_s, end_s, _ in found) == borders[-1] - borders[0]
    assert all(one[1] == other[0] and one[2] != other[2] for one, other in pairwise(found))
    for begin_s, end_s, offset in found:
        assert {offset_s(at_s, zone) for at_s in (begin_s, (begin_s + end_s) // 2, end_s - 1)} == {offset}


def test_clocks_change_where_they_do() -> None:
    begin, end = (int(datetime(2026, month, 1, tzinfo=ZoneInfo("UTC")).timestamp()) for month in (3, 11))
    changes = [
        datetime.fromtimestamp(begin_s, ZoneInfo("UTC")) for begin_s, _, _ in stretches(begin, end, ZoneInfo("Europe/Paris"))
    ]
    assert [f"{each:%Y-%m-%d %H:%M}" for each in changes[1:]] == ["2026-03-29 01:00", "2026-10-25 01:00"]


@given(st.dates(date(1990, 1, 1), date(2050, 1, 1)), st.sampled_from(Period))
def test_every_day_lies_in_its_period(day: date, period: Period) -> None:
    first = first_day(day, period)
    after = next_first_day(first, period)
    assert first <= day < after
    assert first_day(after, period) == after
    assert label(first, period) != label(after, period)


def test_periods_are_named_as_iso_8601_names_them() -> None:
    day = date(2027, 1, 2)
    named = [label(first_day(day, period), period) for period in Period]
    assert named == ["2027-01-02", "2026-W53", "2027-01", "2027"]
