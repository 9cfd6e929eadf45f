"""Follows what the contracts say, as the chain grows: each event once and in order, over restarts and reorganisations.

A `Cursor` says how far somebody has read; it can be written down and read again. A `Follower` reads on from there. It gives
out what is so many blocks deep that its reader trusts it; should the chain take back more than that, it says `Undone` with
the last block that still stands, and goes on from there on the chain's new branch.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from eth_typing import BlockNumber
from eth_utils.address import to_checksum_address
from hexbytes import HexBytes
from web3 import Web3
from web3.exceptions import BlockNotFound, Web3Exception

from daisee.errors import ChainError, LedgerError
from daisee.ledger.events import LedgerEvent, decode_logs
from daisee.units import Address

REMEMBERED = 128
"""How many blocks back the follower can tell where two branches part; further back it begins anew."""
ATTEMPTS = 10
"""How often one look begins anew where the chain changes meanwhile; then it is left to the next look."""
PAGE_BLOCKS = 2_000
"""How many blocks are asked for at once; fewer where a node finds that too many."""


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
            return cls(int(told["chain_id"]), int(told["block"]), {int(number): str(seen) for number, seen in told["trail"]})
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
        chain_id = _asked(lambda: web3.eth.chain_id)
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
            last = _asked(lambda: self._web3.eth.block_number) - self._depth
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
        while seen is not None:
            try:
                logs = self._web3.eth.get_logs(
                    {
                        "address": [to_checksum_address(each) for each in self._contracts],
                        "fromBlock": BlockNumber(first),
                        "toBlock": BlockNumber(last),
                    }
                )
                break
            except (Web3Exception, OSError) as error:
                # Nodes limit what one answer holds, each in words of its own; a single block they must be able to tell.
                if last == first:
                    raise ChainError(f"the node does not tell the events of block {first}: {error}") from error
                last = first + (last - first) // 2
                self._page = max(1, last - first + 1)
                seen = self._hash_of(last)
        if seen is None or self._hash_of(last) != seen or not self._stands(first - 1):
            return None
        events = decode_logs(self._web3, logs, self._contracts)
        return sorted(events, key=lambda event: (event.block, event.index)), last, seen

    def _rewind(self) -> Undone | None:
        """Go back to the newest block read that is still the chain's; None where that is the newest one read."""
        if self._is_behind() or self._stands(self.cursor.block):
            return None
        standing = next((number for number in sorted(self.cursor.trail, reverse=True) if self._stands(number)), self._begin - 1)
        self.cursor.block = standing
        self.cursor.trail = {number: seen for number, seen in self.cursor.trail.items() if number <= standing}
        return Undone(standing)

    def _is_behind(self) -> bool:
        return int(_asked(lambda: self._web3.eth.block_number)) < self.cursor.block

    def _stands(self, number: int) -> bool:
        """Tell whether a block that was read is the chain's own still; of those not remembered nothing else is known."""
        return number not in self.cursor.trail or self._hash_of(number) == self.cursor.trail[number]

    def _move(self, number: int, seen: str) -> None:
        self.cursor.block = number
        self.cursor.trail[number] = seen
        for old in sorted(self.cursor.trail)[:-REMEMBERED]:
            del self.cursor.trail[old]

    def _hash_of(self, number: int) -> str | None:
        try:
            block = _asked(lambda: self._web3.eth.get_block(BlockNumber(number)))
        except BlockNotFound:
            return None
        return HexBytes(block["hash"]).to_0x_hex()


def _asked(ask: Any) -> Any:
    """Ask the node; ChainError where it does not answer."""
    try:
        return ask()
    except BlockNotFound:
        raise
    except (Web3Exception, OSError) as error:
        if isinstance(error, ChainError):
            raise
        raise ChainError(f"the node does not answer: {error}") from error
