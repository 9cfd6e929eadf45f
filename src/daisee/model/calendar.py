"""Local time: stretches in which a zone's clock keeps its distance from UTC, and the days, weeks, months and years of that clock.

A day has 23, 24 or 25 hours, or half an hour more or less where clocks change by that.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

DAY_S = 86_400
EPOCH = date(1970, 1, 1)


class Period(StrEnum):
    """What energy is summed up over."""

    DAY = "day"
    WEEK = "week"
    """Monday to Sunday (ISO 8601)."""
    MONTH = "month"
    YEAR = "year"


LONGEST = {
    Period.DAY: timedelta(days=1), Period.WEEK: timedelta(days=7), Period.MONTH: timedelta(days=32),
    Period.YEAR: timedelta(days=366),
}  # fmt: skip
"""From its first day on, in the next one; and never two ahead."""


def offset_s(at_s: int, zone: ZoneInfo) -> int:
    """Answer how far a zone's clock is ahead of UTC at a moment."""
    ahead = datetime.fromtimestamp(at_s, UTC).astimezone(zone).utcoffset()
    assert ahead is not None, "a zone's time always has an offset"
    return int(ahead.total_seconds())


def stretches(from_s: int, to_s: int, zone: ZoneInfo) -> list[tuple[int, int, int]]:
    """List the stretches of one offset between two moments: begin, end, offset; in seconds."""
    found: list[tuple[int, int, int]] = []
    begin = from_s
    while begin < to_s:
        offset = offset_s(begin, zone)
        end = _changes_at(begin, to_s, offset, zone)
        found.append((begin, end, offset))
        begin = end
    return found


def _changes_at(begin: int, to_s: int, offset: int, zone: ZoneInfo) -> int:
    """Answer the first moment with another offset, or the end; no zone has changed its clock twice within a week."""
    same = begin
    while same < to_s:
        ahead = min(same + 7 * DAY_S, to_s)
        if offset_s(ahead, zone) == offset:
            same = ahead
            continue
        other = ahead
        while other - same > 1:
            middle = (same + other) // 2
            same, other = (middle, other) if offset_s(middle, zone) == offset else (same, middle)
        return other
    return to_s


@lru_cache(maxsize=4_000)
def midnight_s(day: date, zone: ZoneInfo) -> int:
    """Answer when a day begins in a zone: its first moment, where clocks skip midnight."""
    local = datetime(day.year, day.month, day.day, tzinfo=zone)
    at_s = int(local.timestamp())
    # Where midnight is skipped, Python answers a time as if it were not; then the day begins when clocks have jumped.
    if datetime.fromtimestamp(at_s, zone).date() < day:
        at_s = _changes_at(at_s - 1, at_s + DAY_S, offset_s(at_s - 1, zone), zone)
    return at_s


def date_of(at_s: float, zone: ZoneInfo) -> date:
    """Answer the day that a moment lies in."""
    return datetime.fromtimestamp(at_s, zone).date()


def first_day(day: date, period: Period) -> date:
    """Answer the first day of the period that a day lies in."""
    if period is Period.WEEK:
        return day - timedelta(days=day.weekday())
    if period is Period.MONTH:
        return day.replace(day=1)
    return day.replace(month=1, day=1) if period is Period.YEAR else day


def next_first_day(day: date, period: Period) -> date:
    """Answer the first day of the period after the one that begins with a day."""
    return first_day(day + LONGEST[period], period)


def label(day: date, period: Period) -> str:
    """Name the period that begins with a day, as ISO 8601 does: 2026-10-05, 2026-W41, 2026-10, 2026."""
    if period is Period.WEEK:
        year, week, _ = day.isocalendar()
        return f"{year}-W{week:02}"
    return day.isoformat()[: {Period.DAY: 10, Period.MONTH: 7, Period.YEAR: 4}[period]]


def day_of_clock(number: int) -> date:
    """Answer the day of a clock's count of days since 1970."""
    return EPOCH + timedelta(days=number)
