"""What a street is: its homes, what each of them wants, its supplier, and how its ledger is set.

Energies are joules, coins and prices base units, as the ledger holds them; the supplier's money is a decimal. People write
kWh and whole coins, in a TOML file that `street` reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from daisee.model.attribution import Kind
from daisee.model.battery import BatteryType
from daisee.model.tariff import Tariff
from daisee.units import Coins, Joules


@dataclass(frozen=True, slots=True)
class Battery:
    """A battery that stands in a home only as a model of a real product."""

    kind: BatteryType
    """The product, by its data sheet."""
    opening_soc: float
    """How full it is when the data begins, 0 to 1."""
    source: str
    """Where the figures are from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HomePlan:
    """What one home is and wants."""

    home: str
    """Its name in the data."""
    title: str
    """Its name for people."""
    kind: Kind
    battery: Battery | None
    """An islanded home has one; the measured battery of a grid-tied home is in its data already."""
    grid: bool
    """Whether the public grid can feed its load; always so for a grid-tied home."""
    opening_coins: Coins
    sells_at_per_kwh: Coins | None
    """None: it does not sell."""
    keep_j: Joules
    """Surplus that it keeps for itself."""
    buys_up_to_per_kwh: Coins | None
    """The most that it pays; None: it does not buy."""
    buy_j: Joules
    """The least amount of one purchase."""
    buy_below_soc: float
    """At or below this an islanded home looks for a neighbour,"""
    resume_above_soc: float
    """and at or above this it goes back to its own battery."""
    min_dwell_s: int
    """The least time between two switches that nothing forces."""
    note: str
    """Why it is planned so, for people."""
    derived: bool = False
    """True where the plan was made from the data and not written by a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Street:
    """A street, ready to be lived in."""

    name: str
    supplier: Tariff
    coin_value: Decimal
    """What a coin is worth in the supplier's currency."""
    report_every_s: int
    """How often a home reports to the ledger; a multiple of a slot."""
    block_period_s: int
    chain_id: int
    homes: tuple[HomePlan, ...]
    """In the order of the data."""
    derived: bool
    """True where nobody planned this street: all of it was made from the data."""


MOST_NEIGHBOURS = 4
"""The most neighbours that a home is wired to: with its own source and the grid that is a relay board of six channels."""


def wired_to(street: Street, plan: HomePlan) -> list[str]:
    """List the sellers whose energy can feed a home: the nearest doors, up and down the street.

    A home that buys nothing has none.
    """
    if plan.buys_up_to_per_kwh is None:
        return []
    names = [home.home for home in street.homes]
    here = names.index(plan.home)
    doors = [name for name in names if name != plan.home]
    nearest = sorted(doors, key=lambda name: (abs(names.index(name) - here), names.index(name)))
    selling = {home.home for home in street.homes if home.sells_at_per_kwh is not None}
    return [name for name in nearest if name in selling][:MOST_NEIGHBOURS]
