"""The settings of a street, as one table: it feeds what is read, what is there without being written, and the reference.

A setting is written as people write it (kWh, whole coins, a share of 1); `read` turns it into what the street works with.
Numbers in TOML arrive as decimals, so that 0.18 is 0.18.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from daisee.errors import ConfigurationError
from daisee.model.attribution import Kind
from daisee.model.readings import SLOT_S
from daisee.units import base_units, joules_from_kwh

MOST_DECIMALS = 18
"""What a number may have after its point; a coin has no more."""
REQUIRED = object()
"""The default of a setting that has none."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of the file."""

    name: str
    """As written in the file."""
    unit: str
    help: str
    """A sentence for who writes the file."""
    read: Callable[[Any], Any]
    """Turns what is written into what is meant; a ValueError says what was expected."""
    default: Any = REQUIRED
    """What it is where it is not written, as it would be written; None for nothing."""
    field: str = ""
    """What the street calls it, where that is another name."""


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable() or len(value) > 300:
        raise ValueError("a line of text, in quotes")
    return value.strip()


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def _one_of(*words: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in words:
            raise ValueError(" or ".join(f'"{word}"' for word in words))
        return str(value)

    return read


def _number(least: str, most: str, *, above: bool = False) -> Callable[[Any], Decimal]:
    """Make a reader of decimals from `least` to `most`; `above` leaves out the least itself."""

    def read(value: Any) -> Decimal:
        expected = f"a number {'above' if above else 'from'} {least} {'and at most' if above else 'to'} {most}"
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise ValueError(expected + ", without quotes")
        number = Decimal(value)
        if number.is_finite() and int(number.as_tuple().exponent) < -MOST_DECIMALS:
            raise ValueError(f"at most {MOST_DECIMALS} decimals")
        if not number.is_finite() or not Decimal(least) <= number <= Decimal(most) or (above and number == Decimal(least)):
            raise ValueError(expected)
        return number

    return read


def _whole(least: int, most: int, multiple_of: int = 1) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most or value % multiple_of:
            of = f", a multiple of {multiple_of}" if multiple_of > 1 else ""
            raise ValueError(f"a whole number from {least} to {most}{of}")
        return value

    return read


def _via(into: Callable[[Any], Any], read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: into(read(value))


def _coins(least: str, most: str, *, above: bool = False) -> Callable[[Any], Any]:
    read = _number(least, most, above=above)

    return _via(base_units, read)


_share = _via(float, _number("0", "1"))
_power = _via(float, _number("1", "1000000"))
_energy = _via(joules_from_kwh, _number("0", "100000"))

STREET = (
    Setting("name", "", "The street's name.", _text, "A street"),
    Setting("coin_value", "currency", "What a coin is worth in the supplier's currency.", _number("0.0001", "1000000"), 1),
    Setting(
        "report_every_s",
        "s",
        "How often a home reports to the ledger: every slot of a quarter of an hour, or every few of them.",
        _whole(SLOT_S, 86_400, SLOT_S),
        SLOT_S,
    ),
    Setting("block_period_s", "s", "The time between two blocks that bear transactions.", _whole(1, 300), 5),
    Setting("chain_id", "", "What wallets tell this chain from others by.", _whole(1, 2**31 - 1), 1337),
)
"""The section [street]."""

SUPPLIER = (
    Setting("import_price_per_kwh", "currency/kWh", "What the supplier asks for a kWh.", _number("0", "1000"), Decimal("0.30")),
    Setting("export_price_per_kwh", "currency/kWh", "What the supplier pays for a kWh.", _number("0", "1000"), Decimal("0.05")),
    Setting("currency", "", "The supplier's currency, as ISO 4217 names it.", _text, "EUR"),
)
"""The section [supplier]."""

HOME = (
    Setting("title", "", "The home's name for people; its name in the data where there is none.", _text, None),
    Setting(
        "kind",
        "",
        '"islanded": a relay feeds the load from exactly one source, its battery, a neighbour or the grid. '
        '"grid-tied": its own production serves the load first, and a neighbour or the grid the rest.',
        _via(Kind, _one_of(*Kind)),
        "grid-tied",
    ),
    Setting(
        "grid",
        "",
        "Whether the public grid can feed the load; a grid-tied home always has it. Without, it may go dark.",
        _flag,
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
        _via(joules_from_kwh, _number("0.01", "1000")),
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
    Setting("min_dwell_s", "s", "The least time between two switches that nothing forces.", _whole(0, 86_400), 600),
    Setting("note", "", "A line for who reads the street.", _text, None),
)
"""A section [homes.NAME], with NAME as in the data."""

BATTERY = (
    Setting("product", "", "Maker and model.", _text),
    Setting("source", "", "Where the figures are from.", _text),
    Setting(
        "capacity_kwh",
        "kWh",
        "What can be used between empty and full.",
        _via(lambda kwh: float(joules_from_kwh(kwh)), _number("0.001", "100000")),
        field="capacity_j",
    ),
    Setting(
        "round_trip_efficiency",
        "0 to 1",
        "What comes out for what went in.",
        _via(float, _number("0.01", "1")),
    ),
    Setting("max_charge_w", "W", "The most that goes in.", _power),
    Setting("max_discharge_w", "W", "The most that comes out.", _power),
    Setting("opening_soc", "0 to 1", "How full it is when the data begins.", _share, Decimal("0.5")),
)
"""A section [homes.NAME.battery], of an islanded home."""

SECTIONS = {"street": STREET, "supplier": SUPPLIER, "homes.NAME": HOME, "homes.NAME.battery": BATTERY}


def read_section(
    file: str | Path, key: str, written: Any, settings: Iterable[Setting], more: Iterable[str] = ()
) -> dict[str, Any]:
    """Answer a section's settings by the street's names for them, with defaults for what is not written.

    `key` is the section's own, dotted; `more` are keys that the caller reads itself. An unknown key, a wrong value and a
    missing one are a ConfigurationError.
    """
    check_keys(file, key, written, [*(setting.name for setting in settings), *more])
    values: dict[str, Any] = {}
    for setting in settings:
        value = written.get(setting.name, setting.default)
        if value is REQUIRED:
            raise ConfigurationError(file, f"{key}.{setting.name}", f"is missing; expected: {setting.help}")
        try:
            values[setting.field or setting.name] = None if value is None else setting.read(value)
        except ValueError as error:
            raise ConfigurationError(file, f"{key}.{setting.name}", f"expected {error}, found {_shown(value)}") from error
    return values


def check_keys(file: str | Path, key: str, written: Any, known: Iterable[str], what: str = "key") -> None:
    """Refuse what is no section, and a key that is not known, with the one that may have been meant."""
    if not isinstance(written, Mapping):
        raise ConfigurationError(file, key, f"expected a section [{key}], found {_shown(written)}")
    known = list(known)
    for name in written:
        if name not in known:
            raise ConfigurationError(file, dotted(key, name), f"there is no such {what}; {near(name, known)}")


def near(name: str, known: Iterable[str], most: int = 12) -> str:
    """Say which known name may have been meant, or which there are."""
    known = list(known)
    meant = get_close_matches(name, known, n=1)
    if meant:
        return f"did you mean {meant[0]}?"
    return f"there are {', '.join(known[:most])}" + (f" and {len(known) - most} more" if len(known) > most else "")


def dotted(key: str, name: str) -> str:
    """Join a section's key and a name in it as TOML writes them: a name that is not plain is quoted."""
    plain = name if name.replace("-", "").replace("_", "").isalnum() else repr(name)
    return f"{key}.{plain}" if key else plain


def _shown(value: Any) -> str:
    """Write a value as TOML does, within one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and value.bit_length() > 128:
        return "a number of very many digits"
    text = str(value)
    text = text if len(text) <= 40 else text[:37] + "..."
    if not text.isprintable():
        text = repr(text)[1:-1]
    return f'"{text}"' if isinstance(value, str) else text


def reference() -> str:
    """Write the table of all settings, as Markdown."""
    lines = []
    for section, settings in SECTIONS.items():
        lines += [f"## [{section}]", "", "| key | unit | default | what |", "|---|---|---|---|"]
        for setting in settings:
            default = "required" if setting.default is REQUIRED else "" if setting.default is None else _shown(setting.default)
            lines.append(f"| `{setting.name}` | {setting.unit} | {default} | {setting.help} |")
        lines.append("")
    return "\n".join(lines)
