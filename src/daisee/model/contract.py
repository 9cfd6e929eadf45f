"""What a home's supplier asks by the hour, the day and the season, and the bill that follows. Money is decimal throughout.

A bill has a line for each price. A line is rounded to cents once, half away from zero, and the sums are of the rounded lines, so
that anyone with a pencil comes to the same total.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from daisee.model.calendar import date_of, midnight_s
from daisee.units import JOULES_PER_KWH

CENT = Decimal("0.01")
EVERY_DAY = frozenset(range(7))
QUARTER_MIN = 15
DAY_MIN = 1_440
SLOT_S = 900


@dataclass(frozen=True, slots=True)
class PricePeriod:
    """When another price holds than the usual one. All that is said must fit."""

    name: str
    price: Decimal
    """Of a kilowatt-hour."""
    days: frozenset[int] = EVERY_DAY
    """Of the week, 0 for Monday."""
    from_min: int = 0
    """When it begins, in minutes since midnight."""
    to_min: int = DAY_MIN
    """When it ends; where that is not later than its beginning, it lasts over midnight, and is of the day it began on."""
    season: tuple[tuple[int, int], tuple[int, int]] | None = None
    """First and last day, each as month and day; it may last over New Year. None for all the year."""

    def holds(self, local: datetime) -> bool:
        """Tell whether it holds at a moment of the local clock."""
        minute = local.hour * 60 + local.minute
        day = local.date()
        if self.from_min < self.to_min:
            inside = self.from_min <= minute < self.to_min
        elif minute < self.to_min:
            inside, day = True, day - timedelta(days=1)
        else:
            inside = minute >= self.from_min
        return inside and day.weekday() in self.days and self._in_season(day)

    def _in_season(self, day: date) -> bool:
        if self.season is None:
            return True
        first, last = self.season
        at = (day.month, day.day)
        return first <= at <= last if first <= last else at >= first or at <= last


@dataclass(frozen=True, slots=True)
class Contract:
    """A supplier's prices, while they are valid."""

    name: str
    currency: str
    """As ISO 4217 names it."""
    valid_from: date
    valid_to: date | None
    """The last day; None for no end yet."""
    price: Decimal
    """Of a kilowatt-hour from the grid, where no period says otherwise."""
    periods: tuple[PricePeriod, ...] = ()
    """The first that holds counts."""
    export_price: Decimal = Decimal(0)
    """Paid for a kilowatt-hour that is given to the grid; no tax is on it."""
    standing_per_day: Decimal = Decimal(0)
    standing_per_month: Decimal = Decimal(0)
    """Asked for each day by the share of its month."""
    levy_per_kwh: Decimal = Decimal(0)
    """What the state asks for each kilowatt-hour, whatever it costs."""
    vat: Decimal = Decimal(0)
    """The share that is added to all of it: 0.2 for 20 %."""
    slot_prices: Mapping[int, Decimal] | None = field(default=None, hash=False)
    """A price for each quarter of an hour, by its start in Unix seconds; `price` is then what the supplier adds to it."""

    def is_valid(self, day: date) -> bool:
        """Tell whether it holds on a day."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)

    def price_at(self, start_s: int, zone: ZoneInfo) -> tuple[str, Decimal | None]:
        """Answer which price a quarter of an hour has, by name, and how much; None where a price for it is not known."""
        if self.slot_prices is not None:
            price = self.slot_prices.get(start_s)
            return "by the hour", None if price is None else price + self.price
        local = datetime.fromtimestamp(start_s, zone)
        for period in self.periods:
            if period.holds(local):
                return period.name, period.price
        return "energy", self.price


class BilledSlot(Protocol):
    """What a bill wants to know of a quarter of an hour."""

    start_s: int
    consumed_j: int
    produced_j: int
    own_j: int
    imported_j: int
    exported_j: int
    covered_s: float

    @property
    def drawn_j(self) -> Mapping[Any, int]:
        """Answer what came from each neighbour."""
        ...


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a bill."""

    what: str
    amount: Decimal
    """In whole cents; below zero for what the supplier pays."""
    energy_j: int | None = None
    price: Decimal | None = None
    """Of a kilowatt-hour; a mean, rounded, where there was one for each quarter of an hour."""


@dataclass(frozen=True, slots=True)
class Energies:
    """The energy of a bill, in joules."""

    consumed_j: int = 0
    imported_j: int = 0
    exported_j: int = 0
    produced_j: int = 0
    own_j: int = 0
    """Used of what it made itself."""
    drawn_j: int = 0
    """Used from neighbours."""

    @property
    def local_share(self) -> Decimal | None:
        """Answer which share of what was used came from its own roof and from neighbours; None where nothing was used."""
        return Decimal(self.own_j + self.drawn_j) / self.consumed_j if self.consumed_j else None


@dataclass(frozen=True, slots=True)
class Bill:
    """What a home owes its supplier for some days."""

    first: date
    last: date
    currency: str
    lines: tuple[Line, ...]
    vat: tuple[Line, ...]
    """The tax on the lines, for each of its rates."""
    credit: tuple[Line, ...]
    """What the supplier pays for what it got."""
    energies: Energies
    covered: Decimal
    """Which share of the time was measured."""
    unpriced_j: int
    """What came from the grid, and has no price here: no contract was valid, or its price of the hour is not known."""

    @property
    def total(self) -> Decimal:
        """Answer what is to be paid; below zero where the supplier owes the home."""
        return sum((line.amount for line in (*self.lines, *self.vat, *self.credit)), Decimal(0))


def contract_on(contracts: Iterable[Contract], day: date) -> Contract | None:
    """Answer the contract that is valid on a day."""
    return next((contract for contract in contracts if contract.is_valid(day)), None)


def bill_of(contracts: Sequence[Contract], slots: Iterable[BilledSlot], first: date, last: date, zone: ZoneInfo) -> Bill:
    """Answer the bill of the days from `first` to `last`, both counted, of the home's own clock.

    The order of the slots does not matter; those of other days are left alone.
    """
    begin_s, end_s = midnight_s(first, zone), midnight_s(last + timedelta(days=1), zone)
    tally = _Tally(contracts, zone)
    for slot in slots:
        if begin_s <= slot.start_s < end_s:
            tally.add(slot)
    lines, vat, credit = tally.lines(), list[Line](), list[Line]()
    for place, contract in enumerate(contracts):
        mine = [*lines.get(place, []), *_standing(contract, first, last)]
        lines[place] = mine
        taxed = sum((line.amount for line in mine), Decimal(0))
        if contract.vat and mine:
            vat.append(Line(f"VAT {(contract.vat * 100).normalize():f} % of {taxed}", _cents(taxed * contract.vat)))
        given_j = tally.exported_j[place]
        if given_j and contract.export_price:
            amount = -_cents(contract.export_price * given_j / JOULES_PER_KWH)
            credit.append(Line("given to the grid", amount, given_j, contract.export_price))
    return Bill(
        first=first,
        last=last,
        currency=contracts[-1].currency if contracts else "",
        lines=tuple(line for place in sorted(lines) for line in lines[place]),
        vat=tuple(vat),
        credit=tuple(credit),
        energies=tally.energies(),
        covered=Decimal(round(tally.covered_s)) / (end_s - begin_s),
        unpriced_j=tally.unpriced_j,
    )


class _Tally:
    """Adds up slots by contract and price."""

    def __init__(self, contracts: Sequence[Contract], zone: ZoneInfo) -> None:
        self._contracts = contracts
        self._zone = zone
        self._by_price: defaultdict[tuple[int, str, Decimal], int] = defaultdict(int)
        self._by_slot: defaultdict[int, tuple[int, Decimal]] = defaultdict(lambda: (0, Decimal(0)))
        self.exported_j: defaultdict[int, int] = defaultdict(int)
        self._sums: defaultdict[str, int] = defaultdict(int)
        self.covered_s = 0.0
        self.unpriced_j = 0

    def add(self, slot: BilledSlot) -> None:
        drawn_j = sum(slot.drawn_j.values())
        # Where nobody settles who fed the home, what did not come from outside was its own.
        own_j = slot.own_j or max(0, slot.consumed_j - slot.imported_j - drawn_j)
        for name in ("consumed_j", "imported_j", "exported_j", "produced_j"):
            self._sums[name] += getattr(slot, name)
        self._sums["own_j"] += own_j
        self._sums["drawn_j"] += drawn_j
        self.covered_s += slot.covered_s
        day = date_of(slot.start_s, self._zone)
        place = next((place for place, each in enumerate(self._contracts) if each.is_valid(day)), None)
        if place is None:
            self.unpriced_j += slot.imported_j
            return
        self.exported_j[place] += slot.exported_j
        contract = self._contracts[place]
        name, price = contract.price_at(slot.start_s, self._zone)
        if price is None:
            self.unpriced_j += slot.imported_j
        elif contract.slot_prices is None:
            self._by_price[place, name, price] += slot.imported_j
        else:
            energy_j, exact = self._by_slot[place]
            self._by_slot[place] = energy_j + slot.imported_j, exact + price * slot.imported_j

    def energies(self) -> Energies:
        return Energies(**self._sums)

    def lines(self) -> dict[int, list[Line]]:
        """Map each contract to its lines: energy by price, and the levy on it."""
        found: defaultdict[int, list[Line]] = defaultdict(list)
        energy_j: defaultdict[int, int] = defaultdict(int)
        for (place, name, price), used_j in sorted(self._by_price.items()):
            energy_j[place] += used_j
            found[place].append(Line(name, _cents(price * used_j / JOULES_PER_KWH), used_j, price))
        for place, (used_j, exact) in sorted(self._by_slot.items()):
            energy_j[place] += used_j
            mean = (exact / used_j).quantize(Decimal("0.00001")) if used_j else None
            found[place].append(Line("by the hour", _cents(exact / JOULES_PER_KWH), used_j, mean))
        for place, used_j in energy_j.items():
            levy = self._contracts[place].levy_per_kwh
            if levy and used_j:
                found[place].append(Line("levies", _cents(levy * used_j / JOULES_PER_KWH), used_j, levy))
        return found


def _standing(contract: Contract, first: date, last: date) -> list[Line]:
    """Answer the standing charge of the days on which a contract is valid."""
    days = 0
    months = Decimal(0)
    day = max(first, contract.valid_from)
    while day <= (last if contract.valid_to is None else min(last, contract.valid_to)):
        days += 1
        months += Decimal(1) / _days_of_month(day)
        day += timedelta(days=1)
    amount = _cents(contract.standing_per_day * days + contract.standing_per_month * months)
    return [Line(f"standing charge, {days} days", amount)] if amount else []


def _days_of_month(day: date) -> int:
    first = day.replace(day=1)
    return ((first + timedelta(days=32)).replace(day=1) - first).days


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)
