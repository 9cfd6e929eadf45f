"""Reads a street from TOML, makes one where there is none, and says what it is.

The street of the package's own data is `street.toml`, beside this file; `settings` holds every key of such a file with its
unit, its default and what it means, `derive` makes the plan of a home that the file does not name.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from daisee.config import check_keys, dotted, read_section
from daisee.demo.data import Measured
from daisee.demo.derive import derive
from daisee.demo.plan import MOST_NEIGHBOURS, Battery, HomePlan, Street
from daisee.demo.settings import BATTERY, HOME, STREET, SUPPLIER
from daisee.errors import ConfigurationError
from daisee.model.attribution import Kind
from daisee.model.battery import BatteryType
from daisee.model.tariff import Tariff
from daisee.units import Coins, coins, kwh

__all__ = ["COMMUNITY_STREET", "Battery", "HomePlan", "Street", "derive", "describe", "load_street"]

COMMUNITY_STREET = Path(__file__).parent / "street.toml"
"""The street of the homes that ship with the package."""

LARGEST_FILE = 256 * 1024
"""Characters; some four hundred homes, each with a battery."""
DESCRIBED = 24
"""So many homes get a line of their own."""


def load_street(path: Path | None, measured: Measured) -> Street:
    """Read the street of measured homes.

    None: the package's own, if it names all these homes, else one derived from the data. A home that the file does not name gets
    a derived plan. A file that cannot be read, or names a home that is not in the data, is a ConfigurationError.
    """
    if path is not None:
        return _street(path, _read(path), measured)
    written = _read(COMMUNITY_STREET)
    if set(measured.homes) <= set(written["homes"]):
        chosen = {name: home for name, home in written["homes"].items() if name in measured.homes}
        return _street(COMMUNITY_STREET, {**written, "homes": chosen}, measured)
    return derive(measured)


def _read(path: Path) -> dict[str, Any]:
    """Read TOML, its numbers as decimals."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigurationError(path, "", "there is no such file; expected TOML, like the street.toml of the package") from error
    except IsADirectoryError as error:
        raise ConfigurationError(path, "", "expected a file, found a folder") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(path, "", "expected text in UTF-8, found other bytes") from error
    except OSError as error:
        raise ConfigurationError(path, "", f"expected a file that can be read: {error.strerror or error}") from error
    if len(text) > LARGEST_FILE:
        raise ConfigurationError(path, "", f"expected at most {LARGEST_FILE} characters, found {len(text)}")
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(path, "", f"expected TOML: {str(error).splitlines()[0]}") from error
    except (ArithmeticError, ValueError) as error:
        raise ConfigurationError(path, "", "expected numbers of a sensible size, found one beyond it") from error
    except RecursionError as error:
        raise ConfigurationError(path, "", "expected keys in sections, found brackets within brackets without end") from error


def _street(file: Path, written: Mapping[str, Any], measured: Measured) -> Street:
    check_keys(file, "", written, ["street", "supplier", "homes"])
    settings = read_section(file, "street", written.get("street", {}), STREET)
    if settings["block_period_s"] >= measured.step_s:
        raise ConfigurationError(file, "street.block_period_s", f"expected less than the data's step of {measured.step_s} s")
    supplier = Tariff(**read_section(file, "supplier", written.get("supplier", {}), SUPPLIER))
    homes = written.get("homes", {})
    check_keys(file, "homes", homes, [*measured.homes, *measured.left_out], what="home in the data")
    plans = {name: _home(file, name, home) for name, home in homes.items()}  # the left out ones, too, must make sense
    unplanned = [name for name in measured.homes if name not in plans]
    if unplanned:
        derived = derive(measured, supplier, settings["coin_value"])
        plans |= {plan.home: plan for plan in derived.homes if plan.home in unplanned}
    return Street(supplier=supplier, homes=tuple(plans[name] for name in measured.homes), derived=not homes, **settings)


def _home(file: Path, name: str, written: Any) -> HomePlan:
    key = dotted("homes", name)
    values = read_section(file, key, written, HOME, more=["battery"])
    battery = _battery(file, f"{key}.battery", written["battery"]) if "battery" in written else None
    if values["kind"] is Kind.ISLANDED and battery is None:
        raise ConfigurationError(file, f"{key}.battery", "is missing; expected the battery that an islanded home lives on")
    if values["kind"] is Kind.GRID_TIED and battery is not None:
        told = 'expected kind = "islanded" beside it: the battery of a grid-tied home is in its measured data already'
        raise ConfigurationError(file, f"{key}.battery", told)
    if values["kind"] is Kind.GRID_TIED and not values["grid"]:
        raise ConfigurationError(file, f"{key}.grid", "expected true: a grid-tied home has the grid")
    if values["buy_below_soc"] >= values["resume_above_soc"]:
        told = f"expected more than buy_below_soc ({values['buy_below_soc']:g}), or the relay would flap"
        raise ConfigurationError(file, f"{key}.resume_above_soc", told)
    return HomePlan(home=name, battery=battery, **{**values, "title": values["title"] or name, "note": values["note"] or ""})


def _battery(file: Path, key: str, written: Any) -> Battery:
    values = read_section(file, key, written, BATTERY)
    opening_soc, source = values.pop("opening_soc"), values.pop("source")
    return Battery(BatteryType(**values), opening_soc, source)


def describe(street: Street, *, real: bool = False) -> list[str]:
    """Say what a street is and why, a line each, for people. With real nodes, blocks come in the world's time."""
    supplier, money = street.supplier, street.supplier.currency
    asks, pays = _plain(supplier.import_price_per_kwh), _plain(supplier.export_price_per_kwh)
    lines = [
        f"{street.name}. The supplier asks {asks} {money} a kWh and pays {pays}.",
        f"A coin is worth {_plain(street.coin_value)} {money}. Homes report every {street.report_every_s // 60} minutes.",
    ]
    if not real:
        lines.append(f"Chain {street.chain_id} seals a block every {street.block_period_s} s while it has transactions.")
    if street.derived:
        lines.append(
            "Nobody planned this street, so it is made from the data: who has energy to spare sells, at a price between "
            "the supplier's two; who at times needs more than it makes buys; a purse holds a home's fair part of what is "
            "to spare."
        )
    if sum(plan.sells_at_per_kwh is not None for plan in street.homes) > MOST_NEIGHBOURS:
        lines.append(f"A home that buys is wired to the {MOST_NEIGHBOURS} nearest doors that sell.")
    lines += [_line(plan) for plan in street.homes[:DESCRIBED]]
    if len(street.homes) > DESCRIBED:
        rest = street.homes[DESCRIBED:]
        sell = sum(plan.sells_at_per_kwh is not None for plan in rest)
        buy = sum(plan.buys_up_to_per_kwh is not None for plan in rest)
        lines.append(f"  and {len(rest)} homes more: {sell} of them sell, {buy} buy")
    return lines


def _line(plan: HomePlan) -> str:
    name = plan.home if plan.title == plan.home else f"{plan.home}, {plan.title}"
    does = [_supply(plan)]
    if plan.sells_at_per_kwh is not None:
        keeps = f", keeps {kwh(plan.keep_j):g} kWh" if plan.keep_j else ""
        does.append(f"sells at {_price(plan.sells_at_per_kwh)}{keeps}")
    if plan.buys_up_to_per_kwh is not None:
        does.append(f"buys up to {_price(plan.buys_up_to_per_kwh)}")
    does.append(f"opens with {_price(plan.opening_coins)} coins")
    why = f" ({plan.note})" if plan.note else ""
    return f"  {name}: {'; '.join(does)}{why}"


def _supply(plan: HomePlan) -> str:
    if plan.battery is None:
        return str(plan.kind)
    kind = plan.battery.kind
    grid = "with the grid behind it" if plan.grid else "without the grid"
    limits = f"{kind.max_charge_w / 1000:g} kW in, {kind.max_discharge_w / 1000:g} kW out"
    return (
        f"{plan.kind} {grid}, on a {kind.product} ({kwh(int(kind.capacity_j)):g} kWh, {kind.round_trip_efficiency:.0%} round "
        f"trip, {limits}, {plan.battery.opening_soc:.0%} full), looks for a neighbour at {plan.buy_below_soc:.0%} and comes "
        f"back at {plan.resume_above_soc:.0%}"
    )


def _plain(number: Decimal) -> str:
    """Write a number with two decimals, or more where it has more."""
    return f"{number:.2f}" if number == number.quantize(Decimal("0.01")) else f"{number.normalize():f}"


def _price(amount: Coins) -> str:
    return _plain(coins(amount))
