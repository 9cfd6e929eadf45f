"""How figures of the ledger are written for people. What is little is not written as nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from daisee.cli.ledger.amounts import LAST_S
from daisee.units import JOULES_PER_WH, coins, kwh, wh

LITTLE_J = 100 * JOULES_PER_WH
"""Less than this is no figure of three decimals in kWh."""


def written(number: Decimal, digits: int) -> str:
    """Write an exact number with so many decimals, or with all that it has where there are more."""
    whole, _, decimals = f"{number:,f}".partition(".")
    decimals = decimals.rstrip("0").ljust(digits, "0")
    return f"{whole}.{decimals}" if decimals else whole


def in_kwh(energy_j: int, more_digits: int = 0) -> str:
    """Write an energy: in kWh, a little one in Wh, and less than one Wh in joules. Four `more_digits` tell every joule."""
    if 0 < energy_j < JOULES_PER_WH:
        return f"{energy_j:,} J"
    number, digits, unit = (wh(energy_j), 1, "Wh") if 0 < energy_j < LITTLE_J else (kwh(energy_j), 3, "kWh")
    return f"{written(round(Decimal(number), digits + more_digits), digits)} {unit}"


def in_column(number: Decimal | float, digits: int) -> str:
    """Write a number for a table, with so many decimals; what they do not show is less than the last of them."""
    text = f"{number:.{digits}f}"
    return f"<{10.0**-digits:.{digits}f}" if number > 0 and not float(text) else text


def in_ether(amount: int) -> str:
    """Write an amount of the chain's own money, which has as many decimals as the coin, with the digits that there are."""
    return f"{written(coins(amount), 0)} ether"


def moment(at_s: int) -> str:
    """Write a time; any number that a contract takes for one."""
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%M:%S} UTC" if at_s <= LAST_S else "after the year 9999"
