"""Settings as people write them in TOML, each in one table: it feeds what is read, what is there unwritten, and the reference.

A setting is written as people write it (kWh, whole coins, a share of 1); `read` turns it into what a room works with.
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
    """What the room calls it, where that is another name."""


def text(value: Any) -> str:
    """Read a line of text."""
    if not isinstance(value, str) or not value.strip() or not value.isprintable() or len(value) > 300:
        raise ValueError("a line of text, in quotes")
    return value.strip()


def flag(value: Any) -> bool:
    """Read a yes or no."""
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def one_of(*words: str) -> Callable[[Any], str]:
    """Make a reader of one of these words."""

    def read(value: Any) -> str:
        if value not in words:
            raise ValueError(" or ".join(f'"{word}"' for word in words))
        return str(value)

    return read


def number(least: str, most: str, *, above: bool = False) -> Callable[[Any], Decimal]:
    """Make a reader of decimals from `least` to `most`; `above` leaves out the least itself."""

    def read(value: Any) -> Decimal:
        expected = f"a number {'above' if above else 'from'} {least} {'and at most' if above else 'to'} {most}"
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise ValueError(expected + ", without quotes")
        given = Decimal(value)
        if given.is_finite() and int(given.as_tuple().exponent) < -MOST_DECIMALS:
            raise ValueError(f"at most {MOST_DECIMALS} decimals")
        if not given.is_finite() or not Decimal(least) <= given <= Decimal(most) or (above and given == Decimal(least)):
            raise ValueError(expected)
        return given

    return read


def whole(least: int, most: int, multiple_of: int = 1) -> Callable[[Any], int]:
    """Make a reader of whole numbers from `least` to `most`."""

    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most or value % multiple_of:
            of = f", a multiple of {multiple_of}" if multiple_of > 1 else ""
            raise ValueError(f"a whole number from {least} to {most}{of}")
        return value

    return read


def via(into: Callable[[Any], Any], read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Make a reader that turns what another read into what is meant."""
    return lambda value: into(read(value))


def read_section(
    file: str | Path, key: str, written: Any, settings: Iterable[Setting], more: Iterable[str] = ()
) -> dict[str, Any]:
    """Answer a section's settings by the room's names for them, with defaults for what is not written.

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
            raise ConfigurationError(file, f"{key}.{setting.name}", f"expected {error}, found {shown(value)}") from error
    return values


def check_keys(file: str | Path, key: str, written: Any, known: Iterable[str], what: str = "key") -> None:
    """Refuse what is no section, and a key that is not known, with the one that may have been meant."""
    if not isinstance(written, Mapping):
        raise ConfigurationError(file, key, f"expected a section [{key}], found {shown(written)}")
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


def shown(value: Any) -> str:
    """Write a value as TOML does, within one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and value.bit_length() > 128:
        return "a number of very many digits"
    told = str(value)
    told = told if len(told) <= 40 else told[:37] + "..."
    if not told.isprintable():
        told = repr(told)[1:-1]
    return f'"{told}"' if isinstance(value, str) else told


def table_of(settings: Iterable[Setting]) -> list[str]:
    """Write the lines of a table of settings, as Markdown."""
    lines = ["| key | unit | default | what |", "|---|---|---|---|"]
    for setting in settings:
        default = "required" if setting.default is REQUIRED else "" if setting.default is None else shown(setting.default)
        lines.append(f"| `{setting.name}` | {setting.unit} | {default} | {setting.help} |")
    return lines
