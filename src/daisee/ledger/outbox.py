"""What is in flight, on disk: written before it is sent, so that a crash forgets nothing. There is no key in it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from daisee.errors import StoreError
from daisee.files import write_whole
from daisee.ledger.transactions import Call


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
    """One account's file, for one chain."""

    def __init__(self, path: Path) -> None:
        """Name a file; its folder is made when there is something to write."""
        self.path = path

    def read(self) -> list[Posted]:
        """Answer what is in flight. StoreError where the file is not one of ours."""
        try:
            told = json.loads(self.path.read_text("utf-8"))
            return [Posted(Call(**each.pop("call")), **each) for each in told]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise StoreError(
                f"{self.path} should say what is still on its way, and cannot be read ({error}); move it away if nothing is"
            ) from error

    def write(self, posted: Sequence[Posted]) -> None:
        """Write it down, the whole of it or nothing. StoreError where that cannot be."""
        try:
            write_whole(self.path, json.dumps([asdict(each) for each in posted], indent=1) + "\n")
        except OSError as error:
            raise StoreError(f"{self.path} cannot be written: {error.strerror}") from error
