"""What people write on the command line: energies with their unit, coins, accounts, times, states of charge."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NoReturn

import click

from daisee.chain.url import is_url, shown
from daisee.errors import UsageError
from daisee.ledger.addresses import read_address
from daisee.units import BASE_UNITS_PER_COIN, JOULES_PER_KWH, JOULES_PER_WH, Address, Coins, Joules, base_units

AMOUNT = re.compile(r"(?P<sign>-?)(?P<number>[0-9]+(?:\.[0-9]+)?) *(?P<unit>[^\d\s.].*)?")
"""In the digits of ASCII alone: what looks like another number to whoever checks it is none."""
MOST_J = 2**64 - 2
"""What the ledger can count, less the one number that stands for all surplus."""
MOST_PRICE = 2**96 - 1
JOULES_OF = {"J": 1, "kJ": 1_000, "MJ": 1_000_000, "Wh": JOULES_PER_WH, "kWh": JOULES_PER_KWH, "MWh": 1_000 * JOULES_PER_KWH}
LAST_S = 253_402_300_799
"""The last second of the year 9999, after which there are no dates."""
WEI_OF = {"wei": 1, "gwei": 10**9, "ether": 10**18}


class Written(click.ParamType[Any]):
    """A parameter that people write in one of a few ways."""

    above_zero = False
    """Whether nothing at all is refused."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read it; what is not text was read before."""
        return self.read(value, param, ctx) if isinstance(value, str) else value

    def read(self, text: str, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read what was written."""
        raise NotImplementedError

    def unfit(self, text: str, why: str, param: click.Parameter | None, ctx: click.Context | None) -> NoReturn:
        """Refuse it."""
        self.fail(f"{text} {why}", param, ctx)

    def split(self, text: str, example: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Decimal, str]:
        """Take a number from its unit."""
        found = AMOUNT.fullmatch(text.strip(" "))
        if found is None or len(text) > 100:
            self.unfit(text[:100], f"is no amount; write it like {example}", param, ctx)
        if found["sign"]:
            self.unfit(text, f"is below zero; write it like {example}", param, ctx)
        number = Decimal(found["number"])
        if self.above_zero and not number:
            self.unfit(text, f"is nothing; write more than that, like {example}", param, ctx)
        return number, (found["unit"] or "").strip()


class EnergyType(Written):
    """An energy with its unit, as joules."""

    name = "energy"

    def __init__(self, *, above_zero: bool = False) -> None:
        self.above_zero = above_zero

    def read(self, text: str, param: click.Parameter | None, ctx: click.Context | None) -> Joules:
        """Read `1.5kWh`."""
        number, unit = self.split(text, "1.5kWh", param, ctx)
        if unit not in JOULES_OF:
            known = ", ".join(JOULES_OF)
            told = f"has an unknown unit, {unit}" if unit else "has no unit"
            self.unfit(text, f"{told}; write it like 1.5kWh or 250Wh (units: {known})", param, ctx)
        energy_j = number * JOULES_OF[unit]
        if energy_j > MOST_J:
            self.unfit(text, "is more than the ledger can count", param, ctx)
        if energy_j != energy_j.to_integral_value():
            self.unfit(text, "is not a whole number of joules, which is what the ledger counts in", param, ctx)
        return Joules(int(energy_j))


@dataclass(frozen=True, slots=True)
class Money:
    """Coins with the symbol that was written beside them; empty for none."""

    amount: Coins
    symbol: str


class MoneyType(Written):
    """Coins, with or without their symbol."""

    name = "coins"

    def __init__(self, *, per_kwh: bool = False, above_zero: bool = False) -> None:
        self.per_kwh = per_kwh
        self.above_zero = above_zero

    def read(self, text: str, param: click.Parameter | None, ctx: click.Context | None) -> Money:
        """Read `3DSC`, or of a price `0.2DSC/kWh`."""
        example = "0.2DSC" if self.per_kwh else "3DSC"
        number, unit = self.split(text, example, param, ctx)
        if self.per_kwh:
            unit = unit.removesuffix("/kWh")
        if not re.fullmatch(r"[^\W\d]*", unit):
            self.unfit(text, f"is no amount of coins; write it like {example}", param, ctx)
        try:
            amount = base_units(number)
        except ValueError:
            self.unfit(text, "has more than the 18 decimals of a coin", param, ctx)
        if amount > (MOST_PRICE if self.per_kwh else 2**256 - 1):
            self.unfit(text, "is more than the ledger can hold", param, ctx)
        return Money(amount, unit)


class GasMoneyType(Written):
    """An amount of the chain's own money, in its smallest unit."""

    name = "amount"

    def __init__(self, *, above_zero: bool = False) -> None:
        self.above_zero = above_zero

    def read(self, text: str, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read `1ether`, `5gwei`, `21000wei`."""
        number, unit = self.split(text, "1ether", param, ctx)
        if unit not in WEI_OF:
            self.unfit(text, "is no amount of the chain's own money; write it like 1ether, 5gwei or 21000wei", param, ctx)
        amount = number * WEI_OF[unit]
        if amount != amount.to_integral_value() or amount > BASE_UNITS_PER_COIN**4:
            self.unfit(text, "is no amount that an account can have", param, ctx)
        return int(amount)


class AccountType(Written):
    """The address of an account or a contract."""

    name = "address"

    def read(self, text: str, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        """Read 0x and 40 hex digits."""
        try:
            return read_address(text)
        except UsageError as error:
            self.fail(str(error), param, ctx)


class NodeUrlType(Written):
    """Where a node's JSON-RPC is."""

    name = "URL"

    def read(self, text: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read an address of HTTP. What it may have of a password is not shown."""
        if not is_url(text):
            why = "is no node's address; write it like http://192.168.1.20:8545 (in a password, / is %2F and @ is %40)"
            self.unfit(shown(text), why, param, ctx)
        return text


class TimeType(Written):
    """A moment, as Unix seconds."""

    name = "time"

    def read(self, text: str, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read `2026-11-24T18:00`, of this machine's time zone where none is named, or Unix seconds."""
        try:
            at_s = int(text) if re.fullmatch(r"[0-9]{1,12}", text) else int(datetime.fromisoformat(text).astimezone().timestamp())
        except (ValueError, OverflowError):
            self.unfit(text, "is no time; write it like 2026-11-24T18:00, or in Unix seconds", param, ctx)
        if not 0 <= at_s <= LAST_S:
            self.unfit(text, "is no time that the ledger has; write one from 1970 to the year 9999", param, ctx)
        return at_s


class ChargeType(Written):
    """A state of charge, 0 to 1; as a bound above zero, and such as the ledger keeps it."""

    name = "charge"

    def __init__(self, *, as_bound: bool = False) -> None:
        self.as_bound = as_bound

    def read(self, text: str, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read `30%` or `0.3`."""
        found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) *(%?)", text.strip(" "))
        share = float(found[1]) / (100 if found[2] else 1) if found else -1.0
        if not 0 <= share <= 1:
            self.unfit(text, "is no state of charge; write it like 30% or 0.3", param, ctx)
        if found and self.as_bound:
            permille = Decimal(found[1]) * (10 if found[2] else 1_000)
            if not permille or permille != permille.to_integral_value():
                self.unfit(text, "is no bound that the ledger keeps: it is 0.1% to 100%, in tenths of a percent", param, ctx)
        return share


class DrawType(Written):
    """What was drawn of a seller."""

    name = "address=energy"

    def read(self, text: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Address, Joules]:
        """Read `0x...=0.3kWh`."""
        seller, equals, energy = text.partition("=")
        if not (equals and seller and energy):
            self.unfit(text, "does not say how much of whom; write it like 0x...=0.3kWh", param, ctx)
        return ACCOUNT.read(seller, param, ctx), ENERGY.read(energy, param, ctx)


ACCOUNT, NODE_URL, TIME, DRAW = AccountType(), NodeUrlType(), TimeType(), DrawType()
CHARGE, CHARGE_BOUND = ChargeType(), ChargeType(as_bound=True)
ENERGY, COINS, GAS_MONEY = EnergyType(), MoneyType(), GasMoneyType()
SOME_ENERGY, SOME_COINS, SOME_GAS_MONEY = EnergyType(above_zero=True), MoneyType(above_zero=True), GasMoneyType(above_zero=True)
PRICE = MoneyType(per_kwh=True, above_zero=True)
