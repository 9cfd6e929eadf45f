"""Bills to the cent, whatever the clock and the calendar do."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daisee.model.calendar import midnight_s
from daisee.model.contract import Contract, PricePeriod, bill_of

PARIS = ZoneInfo("Europe/Paris")
KWH = 3_600_000
NIGHT = PricePeriod("night", Decimal("0.10"), from_min=22 * 60, to_min=6 * 60)
PLAIN = Contract("plain", "EUR", date(2026, 1, 1), None, Decimal("0.25"))


@dataclass
class Slot:
    start_s: int
    consumed_j: int = 0
    produced_j: int = 0
    own_j: int = 0
    imported_j: int = 0
    exported_j: int = 0
    covered_s: float = 900.0
    drawn_j: dict[str, int] = field(default_factory=dict)


def slots_of(first: date, last: date, each_j: int = KWH // 4, zone: ZoneInfo = PARIS) -> list[Slot]:
    """A kilowatt from the grid, all the time."""
    begin, end = midnight_s(first, zone), midnight_s(last + timedelta(days=1), zone)
    return [Slot(at_s, consumed_j=each_j, imported_j=each_j) for at_s in range(begin, end, 900)]


@pytest.mark.parametrize(
    ("zone", "day", "hours", "night_hours"),
    [
        ("Europe/Paris", date(2026, 10, 25), 25, 9), ("Europe/Paris", date(2026, 3, 29), 23, 7),
        ("Europe/London", date(2026, 10, 25), 25, 9), ("America/New_York", date(2026, 11, 1), 25, 9),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5, 8.5), ("Australia/Lord_Howe", date(2026, 10, 4), 23.5, 7.5),
    ],
)  # fmt: skip
def test_a_night_on_which_clocks_change_is_as_long_as_it_was(zone: str, day: date, hours: float, night_hours: float) -> None:
    here = ZoneInfo(zone)
    contract = replace(PLAIN, periods=(NIGHT,))
    bill = bill_of([contract], slots_of(day, day, zone=here), day, day, here)
    assert {line.what: (line.energy_j or 0) / KWH for line in bill.lines} == {"energy": hours - night_hours, "night": night_hours}
    assert bill.covered == 1
    assert bill.total == Decimal("0.25") * Decimal(hours - night_hours) + Decimal("0.1") * Decimal(night_hours)


def test_yesterday_s_bill_does_not_change_when_today_s_price_does() -> None:
    old = replace(PLAIN, valid_to=date(2026, 10, 14))
    new = replace(PLAIN, name="new", valid_from=date(2026, 10, 15), price=Decimal("0.50"))
    slots = slots_of(date(2026, 10, 1), date(2026, 10, 31))
    first_half = bill_of([old], slots, date(2026, 10, 1), date(2026, 10, 14), PARIS)
    assert bill_of([old, new], slots, date(2026, 10, 1), date(2026, 10, 14), PARIS) == first_half
    both = bill_of([old, new], slots, date(2026, 10, 1), date(2026, 10, 31), PARIS)
    assert [line.amount for line in both.lines] == [Decimal("84.00"), Decimal("204.50")], "14 days of 24 h; 17 days and an hour"


def test_weekends_and_seasons_have_their_prices() -> None:
    weekend = PricePeriod("weekend", Decimal("0.2"), days=frozenset({5, 6}))
    winter = PricePeriod("winter peak", Decimal("0.4"), from_min=18 * 60, to_min=20 * 60, season=((11, 1), (3, 31)))
    contract = replace(PLAIN, periods=(weekend, winter))
    bill = bill_of([contract], slots_of(date(2026, 10, 30), date(2026, 11, 2)), date(2026, 10, 30), date(2026, 11, 2), PARIS)
    assert {line.what: (line.energy_j or 0) // KWH for line in bill.lines} == {"energy": 46, "weekend": 48, "winter peak": 2}


def test_a_night_over_midnight_is_of_the_day_it_began_on() -> None:
    sunday = replace(NIGHT, days=frozenset({6}))
    bill = bill_of(
        [replace(PLAIN, periods=(sunday,))],
        slots_of(date(2026, 10, 4), date(2026, 10, 5)),
        date(2026, 10, 4),
        date(2026, 10, 5),
        PARIS,
    )
    assert {line.what: (line.energy_j or 0) // KWH for line in bill.lines} == {"energy": 40, "night": 8}


def test_charges_taxes_and_what_is_given_to_the_grid() -> None:
    contract = replace(
        PLAIN, standing_per_month=Decimal(12), standing_per_day=Decimal("0.1"), levy_per_kwh=Decimal("0.02"), vat=Decimal("0.2"),
        export_price=Decimal("0.08"),
    )  # fmt: skip
    first, last = date(2026, 10, 1), date(2026, 10, 31)
    slots = slots_of(first, last)
    slots[0].exported_j = 10 * KWH
    bill = bill_of([contract], slots, first, last, PARIS)
    # 745 hours: clocks go back.
    assert [line.amount for line in bill.lines] == [Decimal("186.25"), Decimal("14.90"), Decimal("15.10")]
    assert [line.amount for line in bill.vat] == [Decimal("43.25")]
    assert [line.amount for line in bill.credit] == [Decimal("-0.80")]
    assert bill.total == Decimal("258.70")


def test_a_price_for_each_quarter_is_paid_for_what_was_used_then() -> None:
    day = date(2026, 10, 1)
    slots = slots_of(day, day)
    prices = {slot.start_s: Decimal("0.1") if place % 2 else Decimal("-0.02") for place, slot in enumerate(slots) if place < 90}
    bill = bill_of([replace(PLAIN, price=Decimal("0.05"), slot_prices=prices)], slots, day, day, PARIS)
    (line,) = bill.lines
    assert (line.amount, line.energy_j, line.price) == (Decimal("2.03"), 90 * KWH // 4, Decimal("0.09000"))
    assert bill.unpriced_j == 6 * KWH // 4, "an hour and a half has no price, and is said"


def test_days_without_a_tariff_are_said_and_not_free() -> None:
    bill = bill_of(
        [replace(PLAIN, valid_from=date(2026, 10, 2))],
        slots_of(date(2026, 10, 1), date(2026, 10, 2)),
        date(2026, 10, 1),
        date(2026, 10, 2),
        PARIS,
    )
    assert (bill.unpriced_j, bill.total) == (24 * KWH, Decimal("6.00"))
    assert (
        bill_of([], slots_of(date(2026, 10, 1), date(2026, 10, 1)), date(2026, 10, 1), date(2026, 10, 1), PARIS).unpriced_j
        == 24 * KWH
    )


def test_the_local_share_has_its_own_sun_and_its_neighbours() -> None:
    day = date(2026, 10, 1)
    at_s = midnight_s(day, PARIS)
    settled = Slot(at_s, consumed_j=100, own_j=30, imported_j=50, drawn_j={"x": 20})
    alone = Slot(at_s + 900, consumed_j=100, imported_j=60, produced_j=70, exported_j=30)
    bill = bill_of([], [settled, alone], day, day, PARIS)
    assert (bill.energies.own_j, bill.energies.drawn_j, bill.energies.local_share) == (70, 20, Decimal("0.45"))
    assert bill_of([], [], day, day, PARIS).energies.local_share is None


@given(st.integers(0, 2**31), st.lists(st.integers(0, 4 * KWH), min_size=96 * 3 + 4, max_size=96 * 3 + 4))
def test_the_order_of_slots_does_not_matter_and_days_add_up_but_for_rounding(seed: int, energies: list[int]) -> None:
    contract = replace(PLAIN, periods=(NIGHT,), levy_per_kwh=Decimal("0.013"))
    first, last = date(2026, 10, 24), date(2026, 10, 26)
    slots = [replace(slot, imported_j=each) for slot, each in zip(slots_of(first, last), energies, strict=True)]
    bill = bill_of([contract], slots, first, last, PARIS)
    mixed = random.Random(seed).sample(slots, len(slots))
    assert bill_of([contract], mixed, first, last, PARIS) == bill
    days = [bill_of([contract], slots, first + timedelta(days=place), first + timedelta(days=place), PARIS) for place in range(3)]
    assert abs(sum((each.total for each in days), Decimal(0)) - bill.total) <= Decimal("0.05")
    assert sum(each.energies.imported_j for each in days) == bill.energies.imported_j == sum(energies)
    assert all(line.amount == line.amount.quantize(Decimal("0.01")) for line in bill.lines)
