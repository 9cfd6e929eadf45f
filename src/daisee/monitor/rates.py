"""Day and night, as the CitizenWatt of 2017 knew them: two prices, and when the night is, by the home's own clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Rates:
    """What a kilowatt-hour costs."""

    name: str
    day_price: Decimal
    night_price: Decimal
    night_from_s: int | None = None
    """When the night begins, in seconds since local midnight; None where there is none."""
    night_to_s: int | None = None
    """When it ends; it may be before it begins, which is on the next day."""

    def is_night(self, at_s: float, zone: ZoneInfo) -> bool:
        """Tell whether a moment lies in the night."""
        if self.night_from_s is None or self.night_to_s is None:
            return False
        local = datetime.fromtimestamp(at_s, zone)
        second = local.hour * 3_600 + local.minute * 60 + local.second
        if self.night_from_s <= self.night_to_s:
            return self.night_from_s <= second < self.night_to_s
        return second >= self.night_from_s or second < self.night_to_s

    def borders(self, from_s: float, to_s: float, zone: ZoneInfo) -> Iterator[float]:
        """Answer when night and day change between two moments; they change at quarters of an hour."""
        at_s = from_s - from_s % 900 + 900
        was_night = self.is_night(at_s - 900, zone)
        while at_s < to_s:
            if (night := self.is_night(at_s, zone)) is not was_night:
                yield at_s
            was_night = night
            at_s += 900


FREE = Rates("none", Decimal(0), Decimal(0))
"""Where no tariff is configured."""


def clock(second: int | None) -> str | None:
    """Write a second of the day as hh:mm."""
    return None if second is None else f"{second // 3_600:02}:{second % 3_600 // 60:02}"
