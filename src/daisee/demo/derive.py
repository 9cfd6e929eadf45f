"""Makes a street for homes that nobody planned, from nothing but what was measured.

Who made more than it used at the same moment sells; who needs more than it makes buys; the home that comes closest to living
on its own sun gets a battery and a relay. Prices lie between what the supplier pays and what it asks, so that every trade is
better for both sides, and purses are filled by each home's fair part of what there is to sell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Context, Decimal
from math import ceil

from daisee.config import read_section
from daisee.demo.data import Measured, Row
from daisee.demo.plan import Battery, HomePlan, Street
from daisee.demo.settings import HOME, STREET, SUPPLIER
from daisee.model.attribution import Kind
from daisee.model.battery import BatteryType
from daisee.model.tariff import Tariff
from daisee.units import Coins, Joules, base_units, joules_from_kwh, kwh

UNIT = BatteryType(
    product="Tesla Powerwall 2",
    capacity_j=float(joules_from_kwh("13.5")),
    round_trip_efficiency=0.90,
    max_charge_w=5_000.0,
    max_discharge_w=5_000.0,
)
"""The battery that an islanded home gets, once or as often as its load needs."""
UNIT_SOURCE = "Tesla Powerwall 2 AC data sheet: 13.5 kWh usable, 90 % round trip, 5 kW continuous"

LEAST_OWN_SHARE = 0.2
"""A home that makes less than this share of what it uses would live on its neighbours, not on its battery."""
LEAST_SURPLUS_J = joules_from_kwh("0.1")
"""Less than a tenth of a kWh in all is nothing to sell: an offer is renewed by as much."""
CHEAPEST, DEAREST = Decimal("0.4"), Decimal("0.6")
"""Where between the supplier's two prices the sellers ask: the one with most to sell is the cheapest."""
ISLANDED_PURSE = Decimal("1.5")
"""An islanded home has no other supplier that it likes: coins for all it may need, and half as much again."""
LEAST_PURSE = 2


@dataclass(frozen=True, slots=True)
class _Profile:
    """What was measured of a home, added up."""

    home: str
    consumed_j: float
    produced_j: float
    surplus_j: float
    """Made beyond what was used at the same moment."""
    need_j: float
    """Used beyond what was made at the same moment."""
    max_load_w: float

    @property
    def own_share(self) -> float:
        """Answer how much of what was used was made at home, be it at another time."""
        return self.produced_j / self.consumed_j if self.consumed_j else 0.0

    @property
    def sells(self) -> bool:
        """Tell whether there is enough left over to be worth an offer."""
        return self.surplus_j >= LEAST_SURPLUS_J


def derive(measured: Measured, supplier: Tariff | None = None, coin_value: Decimal = Decimal(1)) -> Street:
    """Make a street of measured homes. Without a supplier it is the one that the settings have as their default."""
    if supplier is None:
        supplier = Tariff(**read_section("", "supplier", {}, SUPPLIER))
    profiles = [_profile(home, rows, measured.step_s) for home, rows in measured.homes.items()]
    islanded = _islanded(profiles)
    asked = _asked([profile for profile in profiles if profile.sells and profile.home != islanded], supplier, coin_value)
    ceiling = _to_coins(supplier.import_price_per_kwh, coin_value)
    mean_price = Coins(sum(asked.values()) // len(asked)) if asked else Coins(0)
    purses = _purses(profiles, asked, islanded, mean_price)
    settings = read_section("", "street", {"name": f"A street of {len(profiles)} homes"}, STREET)
    homes = []
    for profile in profiles:
        buys = ceiling if ceiling and profile.need_j and set(asked) - {profile.home} else None
        plan = _grid_tied(profile, asked.get(profile.home), buys, purses[profile.home])
        homes.append(_on_battery(plan, profile) if profile.home == islanded else plan)
    return Street(supplier=supplier, homes=tuple(homes), derived=True, **{**settings, "coin_value": coin_value})


def _profile(home: str, rows: Iterable[Row], step_s: int) -> _Profile:
    consumed_w = produced_w = surplus_w = need_w = most_w = 0.0
    for row in rows:
        consumed_w += row.consumption_w
        produced_w += row.production_w
        surplus_w += max(0.0, row.production_w - row.consumption_w)
        need_w += max(0.0, row.consumption_w - row.production_w)
        most_w = max(most_w, row.consumption_w)
    return _Profile(home, consumed_w * step_s, produced_w * step_s, surplus_w * step_s, need_w * step_s, most_w)


def _islanded(profiles: Sequence[_Profile]) -> str | None:
    """Choose the home that makes most of what it uses and still not all; None where no other home could sell to it."""
    candidates = [profile for profile in profiles if LEAST_OWN_SHARE <= profile.own_share < 1]
    best = max(candidates, key=lambda profile: profile.own_share, default=None)
    if best is None or not any(profile.sells for profile in profiles if profile is not best):
        return None
    return best.home


def _to_coins(price: Decimal, coin_value: Decimal) -> Coins:
    """Turn a price of the supplier's into coins, to three digits: people read it."""
    return base_units(Context(prec=3).divide(price, coin_value))


def _asked(sellers: Sequence[_Profile], supplier: Tariff, coin_value: Decimal) -> dict[str, Coins]:
    """Set the sellers' prices, the cheapest for who has most to sell."""
    low, high = sorted((supplier.export_price_per_kwh, supplier.import_price_per_kwh))
    ranked = sorted(sellers, key=lambda profile: -profile.surplus_j)
    prices = {}
    for rank, profile in enumerate(ranked):
        part = CHEAPEST + (DEAREST - CHEAPEST) * rank / max(1, len(ranked) - 1)
        price = _to_coins(low + (high - low) * part, coin_value)
        if price:
            prices[profile.home] = price
    return prices


def _purses(
    profiles: Sequence[_Profile], asked: Mapping[str, Coins], islanded: str | None, mean_price: Coins
) -> dict[str, Coins]:
    """Fill each purse for the home's part of all that is for sale, by its part of all that is needed; whole coins."""
    on_sale_j = sum(profile.surplus_j for profile in profiles if profile.home in asked)
    needed_j = sum(profile.need_j for profile in profiles)
    part = min(1.0, on_sale_j / needed_j) if needed_j else 0.0
    purses = {}
    for profile in profiles:
        need_kwh = Decimal(kwh(Joules(round(profile.need_j)))) * mean_price
        wanted = need_kwh * (ISLANDED_PURSE if profile.home == islanded else Decimal(part))
        purses[profile.home] = base_units(max(LEAST_PURSE, ceil(wanted / base_units(1))))
    return purses


def _grid_tied(profile: _Profile, asks: Coins | None, buys: Coins | None, purse: Coins) -> HomePlan:
    values = read_section("", profile.home, {}, HOME)
    sun = f"makes {kwh(int(profile.produced_j)):.1f} kWh" if profile.produced_j else "makes nothing"
    over = f", {kwh(int(profile.surplus_j)):.1f} kWh of it to spare" if profile.produced_j else ""
    values |= {
        "home": profile.home,
        "title": profile.home,
        "sells_at_per_kwh": asks,
        "buys_up_to_per_kwh": buys,
        "opening_coins": purse,
        "note": f"{sun}{over}; uses {kwh(int(profile.consumed_j)):.1f} kWh",
    }
    return HomePlan(battery=None, derived=True, **values)


def _on_battery(plan: HomePlan, profile: _Profile) -> HomePlan:
    """Put a home behind a relay, with as many batteries as its greatest load needs. It keeps the grid: nobody goes dark."""
    units = max(1, ceil(profile.max_load_w / UNIT.max_discharge_w))
    kind = BatteryType(
        product=UNIT.product if units == 1 else f"{units} × {UNIT.product}",
        capacity_j=UNIT.capacity_j * units,
        round_trip_efficiency=UNIT.round_trip_efficiency,
        max_charge_w=UNIT.max_charge_w * units,
        max_discharge_w=UNIT.max_discharge_w * units,
    )
    return replace(
        plan,
        kind=Kind.ISLANDED,
        battery=Battery(kind, 0.5, UNIT_SOURCE),
        sells_at_per_kwh=None,
        note=f"{plan.note}: closest to living on its own sun, so it gets a battery and a relay",
    )
