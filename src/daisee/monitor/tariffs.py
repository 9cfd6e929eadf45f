"""[[monitor.tariffs]] of daisee.toml: what the supplier asks, and since when."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

from daisee.config import Setting, number, read_section, text
from daisee.errors import ConfigurationError, DaiseeError
from daisee.model.contract import DAY_MIN, EVERY_DAY, QUARTER_MIN, Contract, PricePeriod, contract_on
from daisee.monitor.prices import load_prices
from daisee.monitor.rates import FREE, Rates

log = logging.getLogger(__name__)

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOURS = re.compile(r"([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")
MOST_PRICE = "100000"
PRICE = number(f"-{MOST_PRICE}", MOST_PRICE)


def _day(written: Any) -> date:
    if type(written) is not date:
        raise ValueError("a date without quotes, like 2026-01-01")
    return written


def _days(written: Any) -> frozenset[int]:
    if not isinstance(written, list) or not written or any(each not in DAYS for each in written):
        raise ValueError(f"days in brackets, like {list(DAYS[:2])}")
    return frozenset(DAYS.index(each) for each in written)


def _hours(written: Any) -> tuple[int, int]:
    found = HOURS.fullmatch(written) if isinstance(written, str) else None
    if found is None:
        raise ValueError('hours like "22:00-06:00"')
    begin, end = (int(found[at]) * 60 + int(found[at + 1]) for at in (1, 3))
    if max(begin, end) > DAY_MIN or begin % QUARTER_MIN or end % QUARTER_MIN:
        raise ValueError("hours that begin and end at a quarter of an hour, for that is what is measured")
    return begin % DAY_MIN, end


def _season(written: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    try:
        first, last = (date.fromisoformat(f"2024-{each}") for each in written)
    except (TypeError, ValueError):
        raise ValueError('the first and the last day, like ["11-01", "03-31"]') from None
    return (first.month, first.day), (last.month, last.day)


def _currency(written: Any) -> str:
    if not isinstance(written, str) or not re.fullmatch("[A-Z]{3}", written):
        raise ValueError('three letters of ISO 4217, like "EUR"')
    return written


PERIOD = (
    Setting("name", "", "What the bill calls it.", text),
    Setting("price", "per kWh", "The price while it holds.", PRICE),
    Setting("hours", "", "From when to when, by the home's clock; it may last over midnight.", _hours, "00:00-24:00"),
    Setting("days", "", "On which days of the week; over midnight, the day it begins on counts.", _days, list(DAYS)),
    Setting("season", "", "First and last day of the year, where it is not for all of it.", _season, None),
)
"""The sections [[monitor.tariffs.periods]]."""
TARIFF = (
    Setting("name", "", "What you call it.", text),
    Setting("currency", "", "Three letters, as ISO 4217 has them.", _currency, "EUR"),
    Setting("valid_from", "", "Its first day.", _day),
    Setting("valid_to", "", "Its last day; none where it has no end yet.", _day, None),
    Setting("price", "per kWh", "The usual price; with `prices`, what is added to each of them.", PRICE, 0),
    Setting("export_price", "per kWh", "What is paid for what you give to the grid; no tax is added.", PRICE, 0),
    Setting("standing_per_day", "per day", "A charge for each day.", PRICE, 0),
    Setting("standing_per_month", "per month", "A charge for each month, by the day.", PRICE, 0),
    Setting("levy_per_kwh", "per kWh", "What the state asks for each kilowatt-hour.", PRICE, 0),
    Setting("vat", "", "The share that is added to all: 0.2 for 20 %.", number("0", "1"), 0),
    Setting("prices", "", "A file, or a URL, with a price for each hour or quarter of one.", text, None),
)
"""The sections [[monitor.tariffs]]."""


def read_tariffs(
    file: Path, written: Any, *, fetch: bool = True, days: tuple[date, date] = (date.min, date.max)
) -> list[Contract]:
    """Read a home's tariffs, in order of time. ConfigurationError where they make no sense, or two hold on one day.

    Prices by the hour are asked for where a tariff holds on one of the `days`, from the first to the last. Without `fetch`,
    they are what was fetched before, and a file of them that is not right is logged alone.
    """
    if not isinstance(written, list):
        raise ConfigurationError(file, "monitor.tariffs", "expected sections [[monitor.tariffs]]")
    contracts = sorted(
        (_contract(file, f"monitor.tariffs[{place}]", each, fetch, days) for place, each in enumerate(written, 1)),
        key=lambda contract: contract.valid_from,
    )
    for one, other in pairwise(contracts):
        if one.valid_to is None or one.valid_to >= other.valid_from:
            last = other.valid_from - timedelta(days=1)
            told = f"{one.name} and {other.name} both hold on {other.valid_from}; give {one.name} valid_to = {last}"
            raise ConfigurationError(file, "monitor.tariffs", told)
    if len({contract.currency for contract in contracts}) > 1:
        raise ConfigurationError(file, "monitor.tariffs", "all of a home's tariffs are in one currency")
    return contracts


def _contract(file: Path, key: str, written: Any, fetch: bool, days: tuple[date, date]) -> Contract:
    values = read_section(file, key, written, TARIFF, more=("periods",))
    periods = written.get("periods", [])
    if not isinstance(periods, list):
        raise ConfigurationError(file, f"{key}.periods", "expected sections [[monitor.tariffs.periods]]")
    if values["valid_to"] is not None and values["valid_to"] < values["valid_from"]:
        raise ConfigurationError(file, f"{key}.valid_to", f"is before valid_from, {values['valid_from']}")
    source = values.pop("prices")
    if source and periods:
        raise ConfigurationError(file, f"{key}.prices", "a tariff has periods, or prices by the hour, not both")
    slot_prices: dict[int, Decimal] | None = {} if source else None
    try:
        if source and values["valid_from"] <= days[1] and (values["valid_to"] or date.max) >= days[0]:
            slot_prices = load_prices(source, file.parent, fetch=fetch)
    except DaiseeError as error:
        if fetch:
            raise ConfigurationError(file, f"{key}.prices", str(error)) from error
        log.warning("%s: its prices are not known: %s", values["name"], error)
    return Contract(
        **values,
        slot_prices=slot_prices,
        periods=tuple(_period(file, f"{key}.periods[{n}]", each) for n, each in enumerate(periods, 1)),
    )


def _period(file: Path, key: str, written: Any) -> PricePeriod:
    values = read_section(file, key, written, PERIOD)
    begin, end = values.pop("hours")
    return PricePeriod(**values, from_min=begin, to_min=end)


def rates_on(contracts: Iterable[Contract], day: date) -> Rates:
    """Answer day and night as clients of 2017 know them: what a kilowatt-hour costs with all that is added to it.

    The night is the first period that is of hours alone; a tariff of another kind has one price for them.
    """
    contract = contract_on(contracts, day)
    if contract is None:
        return FREE
    night = next((each for each in contract.periods if each.days == EVERY_DAY and each.season is None), None)

    def whole(price: Decimal) -> Decimal:
        return (price + contract.levy_per_kwh) * (1 + contract.vat)

    if night is None:
        return Rates(contract.name, whole(contract.price), whole(contract.price))
    return Rates(contract.name, whole(contract.price), whole(night.price), night.from_min * 60, night.to_min * 60)
