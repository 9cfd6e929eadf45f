"""Watts, joules, coins, and the only conversions between them.

Power is a float of watts as measured. Energy that is owed or stored is an integer of joules (1 W for 1 s; 3,600,000 J are a
kWh). Money on the ledger is an integer of base units of DaiseeCoin (10^18 to a coin); a price is base units per kWh. People
see Wh, kWh and coins; nothing else does. Supplier money is a `Decimal` and is none of this module's business.
"""

from __future__ import annotations

from decimal import Context, Decimal
from typing import NewType

Watts = NewType("Watts", float)
"""Power, as measured. Never negative here: direction is a word, not a sign."""

Joules = NewType("Joules", int)
"""Energy, an integer."""

Coins = NewType("Coins", int)
"""Base units of DaiseeCoin; 10^18 make the coin that people see."""

Address = NewType("Address", str)
"""An EIP-55 checksummed account or contract address."""

_EXACT = Context(prec=120)
"""Enough digits for whatever the ledger can hold."""

JOULES_PER_WH = 3_600
JOULES_PER_KWH = 3_600_000
COIN_DECIMALS = 18
BASE_UNITS_PER_COIN = 10**COIN_DECIMALS


def cost_of(energy_j: Joules, price_per_kwh: Coins) -> Coins:
    """Price an energy, rounded up to the next base unit. Twin of `EnergyMath.costOf` in Solidity.

    Both arguments are at least zero (ValueError otherwise); zero energy costs nothing.
    """
    if energy_j < 0 or price_per_kwh < 0:
        raise ValueError(f"energy and price are at least zero, not {energy_j} J at {price_per_kwh} per kWh")
    return Coins(-(-energy_j * price_per_kwh // JOULES_PER_KWH))


def affordable_j(balance: Coins, price_per_kwh: Coins) -> Joules:
    """Answer the most energy whose `cost_of` is within a balance; the price is above zero."""
    return Joules(balance * JOULES_PER_KWH // price_per_kwh)


def energy_j(power_w: float, duration_s: float) -> Joules:
    """Turn a steady power into energy, rounded to the nearest joule."""
    return Joules(round(power_w * duration_s))


def joules_from_kwh(energy_kwh: Decimal | float | int | str) -> Joules:
    """Turn kilowatt-hours, as people write them, into joules, rounded to the nearest."""
    return Joules(round(_EXACT.multiply(Decimal(str(energy_kwh)), Decimal(JOULES_PER_KWH))))


def kwh(energy_j: int) -> float:
    """Turn joules into kilowatt-hours, for people."""
    return energy_j / JOULES_PER_KWH


def wh(energy_j: int) -> float:
    """Turn joules into watt-hours, for people."""
    return energy_j / JOULES_PER_WH


def base_units(coins: Decimal | float | int | str) -> Coins:
    """Turn coins, as people write them, into base units; more than 18 decimals are a ValueError."""
    scaled = _EXACT.scaleb(Decimal(str(coins)), COIN_DECIMALS)
    if scaled != scaled.to_integral_value():
        raise ValueError(f"a coin has {COIN_DECIMALS} decimals, {coins} has more")
    return Coins(int(scaled))


def coins(amount: int) -> Decimal:
    """Turn base units into coins, exactly, for people."""
    return _EXACT.scaleb(Decimal(amount), -COIN_DECIMALS)
