"""Follows what the contracts say, as the chain grows: each event once and in order, over restarts and reorganisations.

A `Cursor` says how far somebody has read; it can be written down and read again. A `Follower` reads on from there. It gives
out what is so many blocks deep that its reader trusts it; should the chain take back more than that, it says `Undone` with
the last block that still stands, and goes on from there on the chain's new branch.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from eth_typing import BlockNumber
from eth_utils.address import to_checksum_address
from hexbytes import HexBytes
from web3 import Web3
from web3.exceptions import BlockNotFound, Web3Exception
from web3.types import FilterParams, LogReceipt

from daisee.errors import ChainError, LedgerError
from daisee.ledger.asking import asked
from daisee.ledger.events import LedgerEvent, decode_logs
from daisee.units import Address

REMEMBERED = 128
"""How many blocks back the follower can tell where two branches part; further back it begins anew."""
ATTEMPTS = 10
"""How often one look begins anew where the chain changes meanwhile; then it is left to the next look."""
PAGE_BLOCKS = 2_000
"""How many blocks are asked for at once; fewer where a node finds that too many."""
EASY_PAGES = 4
"""After so many pages without trouble, twice as many blocks are asked for."""


@dataclass(frozen=True, slots=True)
class Undone:
    """Everything after a block was taken back by the chain: events that were given out of later blocks do not count."""

    block: int


@dataclass(slots=True)
class Cursor:
    """How far somebody has read a chain."""

    chain_id: int
    block: int = -1
    """The newest block that was read whole; -1 for none."""
    trail: dict[int, str] = field(default_factory=dict)
    """Hashes of blocks that were read, by number, the newest ones; by them a reorganisation is seen."""

    def written(self) -> str:
        """Answer it as one line of JSON."""
        return json.dumps({"chain_id": self.chain_id, "block": self.block, "trail": sorted(self.trail.items())})

    @classmethod
    def read(cls, text: str) -> Cursor:
        """Read what `written` wrote; LedgerError for anything else."""
        try:
            told = json.loads(text)
            chain_id, block = _whole(told["chain_id"], 0), _whole(told["block"], -1)
            return cls(chain_id, block, {_whole(number, 0): str(seen) for number, seen in told["trail"]})
        except (ValueError, KeyError, TypeError) as error:
            raise LedgerError("this is no cursor of events; remove it to read from the beginning") from error


class Follower:
    """Reads the events of some contracts."""

    def __init__(
        self, web3: Web3, contracts: Collection[Address], cursor: Cursor | None = None, *, depth: int = 0, begin: int = 0
    ) -> None:
        """Read on from a cursor, or from the block `begin`; give out what has `depth` blocks on top of it.

        ChainError where the node does not answer, LedgerError for a cursor of another chain.
        """
        self._web3 = web3
        self._contracts = [Address(to_checksum_address(contract)) for contract in contracts]
        self._depth = depth
        self._begin = begin
        self._page = PAGE_BLOCKS
        self._easy = 0
        chain_id = asked(lambda: web3.eth.chain_id)
        self.cursor = cursor or Cursor(chain_id, begin - 1)
        if self.cursor.chain_id != chain_id:
            raise LedgerError(
                f"the cursor is of chain {self.cursor.chain_id}, and this is chain {chain_id}; is it the right node?"
            )

    def poll(self) -> Iterator[LedgerEvent | Undone]:
        """Yield what is new. Nothing, while the node is behind what was read already.

        The cursor moves when a page of blocks has been yielded whole: who stops in the middle gets its events again.
        """
        undone = self._rewind()
        if undone is not None:
            yield undone
        attempts = ATTEMPTS
        while attempts:
            last = asked(lambda: self._web3.eth.block_number) - self._depth
            first = self.cursor.block + 1
            if last < first:
                return
            page = self._read(first, min(last, first + self._page - 1))
            if page is None:
                attempts -= 1
                undone = self._rewind()
                if undone is not None:
                    yield undone
                continue
            events, number, seen = page
            yield from events
            self._move(number, seen)

    def _read(self, first: int, last: int) -> tuple[list[LedgerEvent], int, str] | None:
        """Read some blocks; None where the chain changed its mind meanwhile."""
        seen = self._hash_of(last)
        while seen is not None and (logs := self._logs(first, last)) is None:
            last = first + (last - first) // 2
            self._page, self._easy = last - first + 1, 0
            seen = self._hash_of(last)
        if seen is None or logs is None or self._hash_of(last) != seen or not self.stands(first - 1):
            return None
        self._grow()
        events = decode_logs(self._web3, logs, self._contracts)
        return sorted(events, key=lambda event: (event.block, event.index)), last, seen

    def _logs(self, first: int, last: int) -> Sequence[LogReceipt] | None:
        """Ask for events; None where that may be too many at once. ChainError where the node does not tell."""
        wanted: FilterParams = {
            "address": [to_checksum_address(each) for each in self._contracts],
            "fromBlock": BlockNumber(first),
            "toBlock": BlockNumber(last),
        }
        try:
            return self._web3.eth.get_logs(wanted)
        except (Web3Exception, OSError) as error:
            # Nodes limit what one answer holds, each in words of its own; a single block they must be able to tell.
            if last > first and (not isinstance(error, OSError) or _took_too_long(error)):
                return None
            raise ChainError(f"the node does not tell the events of block {first}: {error}") from error

    def _grow(self) -> None:
        """Ask for more at once after some pages that were no trouble: what stood against it may be over."""
        self._easy += 1
        if self._easy == EASY_PAGES:
            self._page, self._easy = min(PAGE_BLOCKS, 2 * self._page), 0

    def _rewind(self) -> Undone | None:
        """Go back to the newest block read that is still the chain's; None where that is the newest one read."""
        if self._is_behind() or self.stands(self.cursor.block):
            return None
        standing = next((number for number in sorted(self.cursor.trail, reverse=True) if self.stands(number)), self._begin - 1)
        self.cursor.block = standing
        self.cursor.trail = {number: seen for number, seen in self.cursor.trail.items() if number <= standing}
        return Undone(standing)

    def _is_behind(self) -> bool:
        return int(asked(lambda: self._web3.eth.block_number)) < self.cursor.block

    def stands(self, number: int) -> bool:
        """Tell whether a block that was read is the chain's own still; of those not remembered nothing else is known."""
        return number not in self.cursor.trail or self._hash_of(number) == self.cursor.trail[number]

    def _move(self, number: int, seen: str) -> None:
        self.cursor.block = number
        self.cursor.trail[number] = seen
        for old in sorted(self.cursor.trail)[:-REMEMBERED]:
            del self.cursor.trail[old]

    def _hash_of(self, number: int) -> str | None:
        """Answer a block's hash; None where the node has no such block."""

        def ask() -> str | None:
            try:
                return HexBytes(self._web3.eth.get_block(BlockNumber(number))["hash"]).to_0x_hex()
            except BlockNotFound:
                return None

        return asked(ask)


def _whole(told: object, least: int) -> int:
    """Answer a whole number of JSON's; ValueError for anything else, and below the least."""
    if type(told) is not int or told < least:
        raise ValueError(f"{told!r} is no whole number from {least} on")
    return told


def _took_too_long(error: Exception) -> bool:
    """Tell whether a node was not done in time, which fewer blocks may mend, from one that is not there."""
    return isinstance(error, TimeoutError) or "timed out" in str(error)
