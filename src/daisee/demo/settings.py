"""The settings of a street, as one table: it feeds what is read, what is there without being written, and the reference."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from daisee.config import Setting, flag, number, one_of, table_of, text, via, whole
from daisee.model.attribution import Kind
from daisee.model.readings import SLOT_S
from daisee.units import base_units, joules_from_kwh


def _coins(least: str, most: str, *, above: bool = False) -> Callable[[Any], Any]:
    read = number(least, most, above=above)

    return via(base_units, read)


_share = via(float, number("0", "1"))
_power = via(float, number("1", "1000000"))
_energy = via(joules_from_kwh, number("0", "100000"))

STREET = (
    Setting("name", "", "The street's name.", text, "A street"),
    Setting("coin_value", "currency", "What a coin is worth in the supplier's currency.", number("0.0001", "1000000"), 1),
    Setting(
        "report_every_s",
        "s",
        "How often a home reports to the ledger: every slot of a quarter of an hour, or every few of them.",
        whole(SLOT_S, 86_400, SLOT_S),
        SLOT_S,
    ),
    Setting("block_period_s", "s", "The time between two blocks that bear transactions.", whole(1, 300), 5),
    Setting("chain_id", "", "What wallets tell this chain from others by.", whole(1, 2**31 - 1), 1337),
)
"""The section [street]."""

SUPPLIER = (
    Setting("import_price_per_kwh", "currency/kWh", "What the supplier asks for a kWh.", number("0", "1000"), Decimal("0.30")),
    Setting("export_price_per_kwh", "currency/kWh", "What the supplier pays for a kWh.", number("0", "1000"), Decimal("0.05")),
    Setting("currency", "", "The supplier's currency, as ISO 4217 names it.", text, "EUR"),
)
"""The section [supplier]."""

HOME = (
    Setting("title", "", "The home's name for people; its name in the data where there is none.", text, None),
    Setting(
        "kind",
        "",
        '"islanded": a relay feeds the load from exactly one source, its battery, a neighbour or the grid. '
        '"grid-tied": its own production serves the load first, and a neighbour or the grid the rest.',
        via(Kind, one_of(*Kind)),
        "grid-tied",
    ),
    Setting(
        "grid",
        "",
        "Whether the public grid can feed the load; a grid-tied home always has it. Without, it may go dark.",
        flag,
        True,
    ),
    Setting("opening_coins", "coins", "What it has in its purse on the first day.", _coins("0", "1000000000"), 10),
    Setting(
        "sells_at_per_kwh",
        "coins/kWh",
        "The price it asks of its neighbours; without, it does not sell.",
        _coins("0", "1000000", above=True),
        None,
    ),
    Setting("keep_kwh", "kWh", "Surplus that a seller keeps for itself.", _energy, 0, field="keep_j"),
    Setting(
        "buys_up_to_per_kwh",
        "coins/kWh",
        "The most it pays a neighbour; without, it does not buy.",
        _coins("0", "1000000", above=True),
        None,
    ),
    Setting(
        "buy_kwh",
        "kWh",
        "The least amount of one purchase; half a kWh is a quarter of an hour at 2 kW.",
        via(joules_from_kwh, number("0.01", "1000")),
        Decimal("0.5"),
        field="buy_j",
    ),
    Setting(
        "buy_below_soc",
        "0 to 1",
        "At or below this state of charge an islanded home looks for a neighbour.",
        _share,
        Decimal("0.30"),
    ),
    Setting("resume_above_soc", "0 to 1", "At or above this one it goes back to its own battery.", _share, Decimal("0.45")),
    Setting("min_dwell_s", "s", "The least time between two switches that nothing forces.", whole(0, 86_400), 600),
    Setting("note", "", "A line for who reads the street.", text, None),
)
"""A section [homes.NAME], with NAME as in the data."""

BATTERY = (
    Setting("product", "", "Maker and model.", text),
    Setting("source", "", "Where the figures are from.", text),
    Setting(
        "capacity_kwh",
        "kWh",
        "What can be used between empty and full.",
        via(lambda kwh: float(joules_from_kwh(kwh)), number("0.001", "100000")),
        field="capacity_j",
    ),
    Setting(
        "round_trip_efficiency",
        "0 to 1",
        "What comes out for what went in.",
        via(float, number("0.01", "1")),
    ),
    Setting("max_charge_w", "W", "The most that goes in.", _power),
    Setting("max_discharge_w", "W", "The most that comes out.", _power),
    Setting("opening_soc", "0 to 1", "How full it is when the data begins.", _share, Decimal("0.5")),
)
"""A section [homes.NAME.battery], of an islanded home."""

SECTIONS = {"street": STREET, "supplier": SUPPLIER, "homes.NAME": HOME, "homes.NAME.battery": BATTERY}


def reference() -> str:
    """Write the table of all settings, as Markdown."""
    return "\n".join(line for section, settings in SECTIONS.items() for line in (f"## [{section}]", "", *table_of(settings), ""))
