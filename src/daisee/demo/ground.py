"""What a street's ledger stands on: an embedded chain on the street's own clock, or real nodes, which seal when they do."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from eth_account.signers.local import LocalAccount
from eth_typing import HexStr

from daisee.chain.client import ChainClient, web3_on
from daisee.chain.embedded import EmbeddedChain
from daisee.demo.clock import StreetClock
from daisee.errors import ChainError, UsageError
from daisee.ledger.depth import believed_after
from daisee.ledger.sender import GAS_PRICE, Sender
from daisee.ledger.transactions import Call
from daisee.units import Address

log = logging.getLogger(__name__)

OPERATOR_WEALTH = 10**24
HOME_WEALTH = 10**21
"""Gas money in an embedded chain's genesis. At 1 base unit of the chain's own money for each gas, a report costs some 40,000."""

PAYMENT_GAS = 21_000
SETUP_GAS = 15_000_000
"""What both deployments cost, twice over."""
HOME_SETUP_GAS = 1_000_000
STEP_GAS = 100_000
"""More than a home uses in a step of the data, on the average; a report costs some 40,000, and there is one in many steps."""
BLOCK_S = 20.0
"""How long a block is waited for; a chain that takes longer is said to wait, and the street goes on without it."""
POLL_S = 0.2


class Ground(Protocol):
    """A chain, and how time passes on it."""

    chain: ChainClient
    operator: LocalAccount
    """Who deploys the contracts and admits the homes; it has money for gas."""
    gas_price: int | None
    """What homes offer for gas; None for what the node says."""
    confirmations: int
    """After how many blocks, its own the first, a transaction is believed."""

    def fund(self, operator: Sender, homes: Mapping[str, Address], steps: int) -> Sequence[Call]:
        """Answer the payments that give homes money for gas; UsageError where the operator has too little."""
        ...

    def waits(self, senders: Sequence[Sender]) -> bool:
        """Tell whether a transaction waits for a block."""
        ...

    def seal(self, clock: StreetClock) -> None:
        """Let the next block be sealed."""
        ...


class OwnGround:
    """An embedded chain in this process: a block is sealed when the street says so, at the street's time."""

    gas_price: int | None = GAS_PRICE
    confirmations = 1

    def __init__(self, chain_id: int, began_at_s: int, operator: LocalAccount, homes: Sequence[Address]) -> None:
        """Begin a chain in which everybody has money."""
        wealth = {Address(operator.address): OPERATOR_WEALTH, **dict.fromkeys(homes, HOME_WEALTH)}
        self.operator = operator
        self._embedded = EmbeddedChain(chain_id=chain_id, genesis_time_s=began_at_s, balances=wealth)
        self.chain: ChainClient = self._embedded

    def fund(self, operator: Sender, homes: Mapping[str, Address], steps: int) -> Sequence[Call]:
        """Pay nothing: they have it from the genesis."""
        return ()

    def waits(self, senders: Sequence[Sender]) -> bool:
        """Tell whether a transaction is in the pool."""
        return bool(self._embedded.pending_count)

    def seal(self, clock: StreetClock) -> None:
        """Seal a block at the street's time."""
        self.chain.advance(int(clock()))


class NodeGround:
    """Nodes with a clock of their own. What is sent is waited for, in the world's time."""

    gas_price: int | None = None

    def __init__(self, chain: ChainClient, operator: LocalAccount) -> None:
        """Stand on nodes; the operator is an account that has money there."""
        self.chain = chain
        self.operator = operator
        self.confirmations = believed_after(web3_on(chain))

    def fund(self, operator: Sender, homes: Mapping[str, Address], steps: int) -> Sequence[Call]:
        """Give each home enough for what it will do."""
        price = int(self.chain.rpc("eth_gasPrice", []), 16)
        # The price may rise on the way: a developer's node has a base fee.
        for_each = 2 * price * (HOME_SETUP_GAS + steps * STEP_GAS)
        needed = len(homes) * for_each + 2 * price * (SETUP_GAS + len(homes) * HOME_SETUP_GAS)
        there = int(self.chain.rpc("eth_getBalance", [operator.address, "latest"]), 16)
        if there < needed:
            raise UsageError(
                f"{operator.address} has {there} of the chain's own money, and a street of {len(homes)} homes needs {needed} for "
                "gas; fund it with `daisee ledger account fund`, or name another with --as"
            )
        return [Call("fund", address, HexStr("0x"), PAYMENT_GAS, for_each) for address in homes.values()]

    def waits(self, senders: Sequence[Sender]) -> bool:
        """Look after what was sent, and tell whether something still waits. A node that is silent for a moment is asked again."""
        try:
            waiting = [self._looks_after(sender) for sender in senders]
        except ChainError as error:
            log.info("%s", error)
            return True
        return any(waiting)

    def _looks_after(self, sender: Sender) -> bool:
        for sent in list(sender.in_flight):
            sender.outcome(sent)
        return bool(sender.in_flight)

    def seal(self, clock: StreetClock) -> None:
        """Wait for the next block, for a while."""
        until = time.monotonic() + BLOCK_S
        before = self._block()
        while time.monotonic() < until and (before is None or (self._block() or 0) <= before):
            before = before if before is not None else self._block()
            time.sleep(POLL_S)

    def _block(self) -> int | None:
        try:
            return int(self.chain.rpc("eth_blockNumber", []), 16)
        except ChainError:
            return None
