"""Follows what the contracts say, as the chain grows: each event once and in order, over restarts and reorganisations.

A `Cursor` says how far somebody has read; it can be written down and read again. A `Follower` reads on from there. It gives
out what is so many blocks deep that its reader trusts it; should the chain take back more than that, it says `Undone` with
the last block that still stands, and goes on from there on the chain's new branch. Each question may be answered by another
node, one of which may be some blocks behind.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from eth_typing import BlockNumber, HexStr
from eth_utils.address import to_checksum_address
from hexbytes import HexBytes
from web3 import Web3
from web3.exceptions import BlockNotFound, TransactionNotFound, Web3Exception, Web3RPCError
from web3.types import LogReceipt

from daisee.errors import ChainError, LedgerError
from daisee.ledger.answers import NODE_ERRORS, reason, said
from daisee.ledger.asking import asked
from daisee.ledger.events import LedgerEvent, decode_logs
from daisee.units import Address

REMEMBERED = 128
"""How many blocks back the follower can tell where two branches part; further back it begins anew. It knows the first one too:
by that it knows a chain that was founded anew, and is shorter."""
ATTEMPTS = 10
"""How often one look begins anew where the chain changes meanwhile; then it is left to the next look."""
FRESH = 16
"""So many of the newest blocks are read one by one, by their hashes: of a range, a node that has not come so far tells what it
has, and does not say so. One that is a minute behind, a dozen blocks, is not asked (`chain.failover`)."""
PAGE_BLOCKS = 2_000
"""How many older ones are asked for at once; fewer where a node finds that too many."""
EASY_PAGES = 4
"""After so many pages without trouble, twice as many blocks are asked for."""


@dataclass(frozen=True, slots=True)
class Undone:
    """Everything after a block was taken back by the chain: events that were given out of later blocks do not count."""

    block: int


@dataclass(slots=True)
class Cursor:
    """How far somebody has read what some contracts say on a chain."""

    chain_id: int
    contracts: tuple[Address, ...]
    block: int = -1
    """The newest block that was read whole; -1 for none."""
    trail: dict[int, str] = field(default_factory=dict)
    """Hashes of blocks that were read, by number, the newest ones; by them a reorganisation is seen."""

    def written(self) -> str:
        """Answer it as one line of JSON."""
        told = {"chain_id": self.chain_id, "contracts": self.contracts, "block": self.block, "trail": sorted(self.trail.items())}
        return json.dumps(told)

    @classmethod
    def read(cls, text: str) -> Cursor:
        """Read what `written` wrote; LedgerError for anything else."""
        try:
            told = json.loads(text)
            contracts = tuple(sorted(Address(to_checksum_address(each)) for each in told["contracts"]))
            trail = {_whole(number, 0): _hash(seen) for number, seen in told["trail"]}
            cursor = cls(_whole(told["chain_id"], 0), contracts, _whole(told["block"], -1), trail)
            if len(trail) != len(told["trail"]) or cursor.block != max(trail, default=-1):
                raise ValueError("the trail does not lead to the block")
        except (ValueError, KeyError, TypeError) as error:
            raise LedgerError("this is no cursor of events; remove it to read from the beginning") from error
        return cursor


class _Block(NamedTuple):
    """What is asked of a block."""

    seen: str
    """Its hash."""
    parent: str
    transactions: list[str]


class _Page(NamedTuple):
    """What was read."""

    events: list[LedgerEvent]
    last: int
    seen: str
    """The hash of the last block."""


class Follower:
    """Reads the events of some contracts."""

    def __init__(
        self, web3: Web3, contracts: Collection[Address], cursor: Cursor | None = None, *, depth: int = 0, begin: int = 0
    ) -> None:
        """Read on from a cursor, and nothing before the block `begin`; give out what has `depth` blocks on top of it.

        ChainError where the node does not answer, LedgerError for a cursor of another chain or of other contracts.
        """
        self._web3 = web3
        self._contracts = [to_checksum_address(contract) for contract in contracts]
        self._depth = depth
        self._begin = begin
        self._most = PAGE_BLOCKS
        self._easy = 0
        chain_id = asked(lambda: int(web3.eth.chain_id))
        ours = tuple(sorted(map(Address, self._contracts)))
        self.cursor = cursor or Cursor(chain_id, ours)
        if self.cursor.chain_id != chain_id:
            raise LedgerError(
                f"the cursor is of chain {self.cursor.chain_id}, and this is chain {chain_id}; is it the right node?"
            )
        if self.cursor.contracts != ours:
            raise LedgerError("the cursor is of other contracts than these; is it the right exchange?")

    def poll(self) -> Iterator[LedgerEvent | Undone]:
        """Yield what is new. Nothing, while the node is behind what was read already.

        The cursor moves when a page of blocks, or what is undone, has been yielded whole: who stops before gets it again.
        ChainError where the node does not answer, or what makes no sense.
        """
        yield from self._undo()
        attempts = ATTEMPTS
        while attempts:
            head = self._head()
            first, last = max(self.cursor.block + 1, self._begin), head - self._depth
            if last < first:
                return
            settled = min(last, head - FRESH, first + self._most - 1)
            page = self._read_block(first) if settled < first else self._read_page(first, settled)
            if page is None:
                attempts -= 1
                yield from self._undo()
                continue
            yield from page.events
            self._move(page.last, page.seen)

    def stands(self, number: int) -> bool:
        """Tell whether a block that was read is the chain's own still; of those not remembered nothing else is known."""
        return number not in self.cursor.trail or self._hash_of(number) == self.cursor.trail[number]

    def _read_block(self, number: int) -> _Page | None:
        """Read a block; None where the chain changed its mind meanwhile, or who was asked has not come so far."""
        block = self._block(number)
        if block is None or self.cursor.trail.get(number - 1, block.parent) != block.parent:
            return None
        with said(f"the node does not tell the events of block {number}"):
            try:
                logs: list[LogReceipt] | None = self._web3.eth.get_logs(
                    {"address": self._contracts, "blockHash": HexBytes(block.seen)}
                )
            except Web3RPCError:
                if self._hash_of(number) != block.seen:
                    return None
                raise
            if not logs and block.transactions:
                # Besu says of a block that it does not have that there is nothing in it.
                logs = self._in_receipts(block)
        return self._page(logs, number, number, block.seen)

    def _in_receipts(self, block: _Block) -> list[LogReceipt] | None:
        """Read a block's logs where each transaction has its own; None where who was asked does not have the block."""
        try:
            receipts = [self._web3.eth.get_transaction_receipt(HexStr(each)) for each in block.transactions]
        except TransactionNotFound:
            return None
        if any(_hash(receipt["blockHash"]) != block.seen for receipt in receipts):
            return None
        return [entry for receipt in receipts for entry in receipt["logs"]]

    def _read_page(self, first: int, last: int) -> _Page | None:
        """Read some older blocks; None where the chain changed its mind meanwhile."""
        seen = self._hash_of(last)
        while seen is not None and (logs := self._logs(first, last)) is None:
            last = first + (last - first) // 2
            self._most, self._easy = last - first + 1, 0
            seen = self._hash_of(last)
        if seen is None or self._hash_of(last) != seen or not self.stands(first - 1):
            return None
        self._grow()
        return self._page(logs, first, last, seen)

    def _logs(self, first: int, last: int) -> list[LogReceipt] | None:
        """Ask for logs; None where that may be too many at once. ChainError where the node does not tell."""
        try:
            return self._web3.eth.get_logs(
                {"address": self._contracts, "fromBlock": BlockNumber(first), "toBlock": BlockNumber(last)}
            )
        except NODE_ERRORS as error:
            # Nodes limit what one answer holds, each in words of its own; a single block they must be able to tell.
            if last > first and isinstance(error, Web3Exception | TimeoutError):
                return None
            raise ChainError(f"the node does not tell the events of block {first}: {reason(error)}") from error

    def _page(self, logs: list[LogReceipt] | None, first: int, last: int, seen: str) -> _Page | None:
        """Answer the events in some logs, in order; None where the last block of these is another one."""
        if logs is None:
            return None
        with said(f"the node does not tell the events of block {first}"):
            if any(not first <= entry["blockNumber"] <= last for entry in logs):
                raise ValueError("they are of other blocks than was asked")
            if any(entry["blockNumber"] == last and _hash(entry["blockHash"]) != seen for entry in logs):
                return None
            events = decode_logs(self._web3, logs, self.cursor.contracts)
            return _Page(sorted(events, key=lambda event: (event.block, event.index)), last, seen)

    def _grow(self) -> None:
        """Ask for more at once after some pages that were no trouble: what stood against it may be over."""
        self._easy += 1
        if self._easy == EASY_PAGES:
            self._most, self._easy = min(PAGE_BLOCKS, 2 * self._most), 0

    def _undo(self) -> Iterator[Undone]:
        """Say what was taken back, if anything was; then go back there."""
        standing = self._standing()
        if standing is not None:
            yield Undone(max(standing, self._begin - 1))
            self.cursor.trail = {number: seen for number, seen in self.cursor.trail.items() if number <= standing}
            self.cursor.block = standing

    def _standing(self) -> int | None:
        """Answer the newest block read that is still the chain's, -1 where none is; None where nothing was taken back.

        Nothing is known of blocks that a node does not have: it may be behind.
        """
        head, gone = self._head(), False
        for number in sorted((number for number in self.cursor.trail if number <= head), reverse=True):
            seen = self._hash_of(number)
            if seen is None:
                return None
            if seen == self.cursor.trail[number]:
                return number if gone else None
            gone = True
        return -1 if gone else None

    def _move(self, number: int, seen: str) -> None:
        self.cursor.block = number
        self.cursor.trail[number] = seen
        for old in sorted(self.cursor.trail)[1:-REMEMBERED]:
            del self.cursor.trail[old]

    def _head(self) -> int:
        return asked(lambda: int(self._web3.eth.block_number))

    def _hash_of(self, number: int) -> str | None:
        """Answer a block's hash; None where the node has no such block."""
        block = self._block(number)
        return block and block.seen

    def _block(self, number: int) -> _Block | None:
        """Answer what is asked of a block; None where the node has no such block."""

        def ask() -> _Block | None:
            try:
                told = self._web3.eth.get_block(BlockNumber(number))
            except BlockNotFound:
                return None
            return _Block(_hash(told["hash"]), _hash(told["parentHash"]), [_hash(each) for each in told["transactions"]])

        return asked(ask)


def _whole(told: object, least: int) -> int:
    """Answer a whole number of JSON's; ValueError for anything else, and below the least."""
    if type(told) is not int or told < least:
        raise ValueError(f"{told!r} is no whole number from {least} on")
    return told


def _hash(told: Any) -> str:
    """Answer a hash as text; ValueError or TypeError for what is none."""
    found = HexBytes(told)
    if len(found) != 32:
        raise ValueError(f"{found.to_0x_hex()} is no hash")
    return found.to_0x_hex()
