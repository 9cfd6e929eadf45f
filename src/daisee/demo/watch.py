"""Reads a street's chain block by block as it grows, as anybody could who can reach its port."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from web3 import Web3
from web3.exceptions import Web3Exception

from daisee.demo.laws import Journal, enter
from daisee.errors import ChainError
from daisee.ledger.deploy import Deployment
from daisee.ledger.events import LedgerEvent, events_in

KEPT_EVENTS = 60


@dataclass(frozen=True, slots=True)
class TimedEvent:
    """An event and when its block was sealed, Unix seconds."""

    event: LedgerEvent
    sealed_at_s: int


class ChainWatch:
    """What happened on a chain so far."""

    def __init__(self, web3: Web3, contracts: Deployment, depth: int = 0) -> None:
        """Begin where the contracts do. The newest `depth` blocks may be replaced, and are read later."""
        self._web3 = web3
        self._depth = depth
        self._ours = {contracts.coin.address, contracts.exchange.address}
        self.journal = Journal()
        self.block = max(0, contracts.block - 1)
        """The newest block that was read."""
        self.sealed_at_s = 0
        """When it was sealed."""
        self.transactions = 0
        self.reverted = 0
        """Transactions that a contract refused; they are in their blocks all the same."""
        self.gas_used = 0
        self.latest: deque[TimedEvent] = deque(maxlen=KEPT_EVENTS)
        """The newest events of both contracts, newest last."""
        self.catch_up()

    def catch_up(self, *, to_the_end: bool = False) -> None:
        """Read the blocks that are new; ChainError where the node is silent."""
        try:
            self._catch_up(0 if to_the_end else self._depth)
        except (Web3Exception, OSError) as error:
            raise ChainError(f"the node does not answer: {error}") from error

    def _catch_up(self, depth: int) -> None:
        head = self._web3.eth.block_number - depth
        while self.block < head:
            self._read(self.block + 1)

    def _read(self, number: int) -> None:
        block = self._web3.eth.get_block(number)
        self.sealed_at_s = block["timestamp"]
        self.gas_used += block["gasUsed"]
        for receipt in self._web3.eth.get_block_receipts(number):
            self.transactions += 1
            self.reverted += receipt["status"] == 0
            for event in events_in(self._web3, receipt, self._ours):
                enter(self.journal, event)
                self.latest.append(TimedEvent(event, self.sealed_at_s))
        self.block = number
