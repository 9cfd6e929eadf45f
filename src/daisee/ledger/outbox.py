"""What is in flight, on disk: written before it is sent, so that a crash forgets nothing. There is no key in it.

One program at a time has it: another one would write over what this one has on its way.
"""

from __future__ import annotations

import json
import re
import weakref
from collections.abc import Callable, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from eth_utils.address import is_address

from daisee import shallow
from daisee.errors import StoreError
from daisee.files import hold, read_some, remove_unfinished, write_whole
from daisee.ledger.transactions import Call

MOST_BYTES = 64 * 2**20
"""A deployment is some 60 kB."""
HEX = re.compile(r"0x([0-9a-fA-F]{2})*")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Posted:
    """A call with all that its signature is made of, but the key."""

    call: Call
    nonce: int
    since_block: int
    """The newest block when it got its nonce."""
    gas_prices: list[int]
    """What was offered for gas, one after the other."""
    empty_prices: list[int] = field(default_factory=list)
    """What was offered for an empty payment in its place, where the call is given up."""

    @property
    def prices(self) -> list[int]:
        """Answer what was offered for what should be in the chain now: the call, or nothing."""
        return self.empty_prices or self.gas_prices


class Outbox:
    """One account's file, for one chain. Who has it holds a lock file beside it, until `close` or the end of this object."""

    def __init__(self, path: Path) -> None:
        """Take a file for oneself; its folder is made. StoreError where another program has it, or its folder cannot be used."""
        self.path = path
        try:
            held = hold(path.with_name(f"{path.name}.lock"))
        except BlockingIOError:
            raise StoreError(
                f"another program of this account is at work, and has {path}; wait until it has ended, or end it, and try again"
            ) from None
        except OSError as error:
            raise StoreError(f"{path} cannot be locked: {error.strerror}") from error
        self._let_go = weakref.finalize(self, held.close)
        try:
            remove_unfinished(path)
        except OSError as error:
            self.close()
            raise StoreError(f"the folder of {path} cannot be used: {error.strerror}") from error

    def close(self) -> None:
        """Let others have it. Nothing can be written after that."""
        self._let_go()

    def read(self) -> list[Posted]:
        """Answer what is in flight. StoreError where the file is not one of ours."""
        try:
            told = shallow.parse(read_some(self.path, MOST_BYTES))
            if not isinstance(told, list):
                raise ValueError("what should be a list is none")
            return [_posted(each) for each in told]
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            why = "it is not JSON" if isinstance(error, json.JSONDecodeError) else getattr(error, "strerror", None) or error
            raise StoreError(
                f"{self.path} should say what is still on its way, and cannot be read ({why}); move it away if nothing is"
            ) from error

    def write(self, posted: Sequence[Posted]) -> None:
        """Write it down, the whole of it or nothing. StoreError where that cannot be."""
        if not self._let_go.alive:
            raise StoreError(f"{self.path} cannot be written: it was let go, and may be another program's by now")
        try:
            write_whole(self.path, json.dumps([asdict(each) for each in posted], indent=1) + "\n")
        except OSError as error:
            raise StoreError(f"{self.path} cannot be written: {error.strerror}") from error


def _posted(told: Any) -> Posted:
    """Read what is in flight; ValueError where anything of it is not what it should be, lest half of it is signed."""
    posted = _read_as(Posted, {**told, "call": _read_as(Call, told.get("call"))} if isinstance(told, dict) else told)
    if not posted.gas_prices:
        raise ValueError("there is no gas price")
    return posted


def _read_as(kind: type[T], told: Any) -> T:
    """Make a dataclass of a JSON object; ValueError where a field is missing, of another type, or unknown."""
    if not isinstance(told, dict):
        raise ValueError("what should be an object is none")
    known = {each.name: each for each in fields(kind)}  # type: ignore[arg-type]  # a dataclass of ours
    for name, each in known.items():
        if name not in told and each.default is MISSING and each.default_factory is MISSING:
            raise ValueError(f"there is no {name}")
        if name in told and not FITS[str(each.type)](told[name]):
            raise ValueError(f"{name} is not what it should be")
    if set(told) - set(known):
        raise ValueError(f"nobody knows what {', '.join(sorted(set(told) - set(known)))} is")
    return kind(**told)


def _is_number(told: Any) -> bool:
    return isinstance(told, int) and not isinstance(told, bool) and 0 <= told < 2**256


FITS: dict[str, Callable[[Any], bool]] = {
    "str": lambda told: isinstance(told, str),
    "int": _is_number,
    "list[int]": lambda told: isinstance(told, list) and all(map(_is_number, told)),
    "HexStr": lambda told: isinstance(told, str) and bool(HEX.fullmatch(told)),
    "Address | None": lambda told: told is None or (isinstance(told, str) and is_address(told)),
    "Call": lambda told: isinstance(told, Call),
}
"""Whether a value of JSON can be a field of that type, as it is written in the dataclass."""
