"""The blocks of a chain in this process: eth-tester's chain on py-evm at the Berlin fork, with a pool of our own.

Blocks are sealed when the caller says so and bear the time that it names; nothing is random and nothing asks the world's
clock, so the same transactions make the same blocks. There is no base fee, no reward and no node-held key. It is for
demonstrations and tests, and never more than that.
"""

from __future__ import annotations

import logging
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import RLock

from eth.abc import BlockAPI, BlockHeaderAPI, DatabaseAPI, MiningChainAPI, ReceiptAPI, StateAPI, VirtualMachineAPI
from eth_tester.backends.pyevm.main import (  # type: ignore[import-untyped]  # it has no types
    PyEVMBackend,
    get_default_genesis_params,
)
from eth_typing import Address as CanonicalAddress
from eth_utils.address import to_canonical_address
from eth_utils.exceptions import ValidationError

from daisee.chain.embedded.machine import SERVER_ERROR, EmbeddedVM
from daisee.chain.embedded.pool import Pool, Transaction
from daisee.errors import ChainError
from daisee.units import Address

log = logging.getLogger(__name__)

DIFFICULTY = 1
LEAST_GAS = 21_000
"""What the cheapest transaction asks for; a block with less left is full."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A block, with what is not in py-evm's."""

    block: BlockAPI
    transactions: tuple[Transaction, ...]
    receipts: tuple[ReceiptAPI, ...]

    @property
    def number(self) -> int:
        """Count from the genesis, which is 0."""
        return int(self.block.header.block_number)


class Blocks:
    """A chain of blocks, what waits for the next one, and the state that they lead to."""

    def __init__(
        self, *, chain_id: int, genesis_time_s: int, balances: Mapping[Address, int], gas_limit: int = 6_000_000
    ) -> None:
        """Make a chain whose genesis gives these accounts the chain's own money, and nothing to anybody else."""
        state = {
            to_canonical_address(account): {"balance": balance, "nonce": 0, "code": b"", "storage": {}}
            for account, balance in balances.items()
        }
        genesis = get_default_genesis_params({"timestamp": genesis_time_s, "gas_limit": gas_limit, "difficulty": DIFFICULTY})
        self._chain: MiningChainAPI = PyEVMBackend(genesis, state, vm_configuration=((0, EmbeddedVM),)).chain
        type(self._chain).chain_id = chain_id  # eth-tester makes a class for each chain
        self.chain_id = chain_id
        self._gas_limit = gas_limit
        self.lock = RLock()
        """Held by whoever changes something, or executes on a state that is put back afterwards."""
        self.pool = Pool(chain_id, gas_limit, EmbeddedVM.get_transaction_builder())
        self.blocks: list[Sealed] = []
        """All of them; the place is the number."""
        self._numbers: dict[bytes, int] = {}
        self._places: dict[bytes, tuple[int, int]] = {}
        self._logged: list[int] = []
        self._head_vm: VirtualMachineAPI | None = None
        self._remember(Sealed(self._chain.get_canonical_block_by_number(0), (), ()))

    @property
    def pending_count(self) -> int:
        """How many transactions wait for a block and can be in one; what is queued behind a missing nonce does not count."""
        with self.lock:
            return len(self.pool.ready(self.head_state)) if len(self.pool) else 0

    @property
    def head(self) -> Sealed:
        """The newest block."""
        return self.blocks[-1]

    @property
    def head_state(self) -> StateAPI:
        """Everything after the newest block."""
        return self.vm_after(self.head).state

    def take(self, raw: bytes) -> bytes:
        """Take a signed transaction into the pool; answer its hash. ChainError where it could never be in a block."""
        return self.pool.take(raw, self.head_state).hash

    def find_block(self, block_hash: bytes) -> Sealed | None:
        """Find a block by its hash."""
        number = self._numbers.get(block_hash)
        return None if number is None else self.blocks[number]

    def find_transaction(self, transaction_hash: bytes) -> tuple[Sealed, int] | None:
        """Find the block that holds a transaction, and its place there."""
        place = self._places.get(transaction_hash)
        return None if place is None else (self.blocks[place[0]], place[1])

    def blocks_with_logs(self, first: int, last: int) -> Sequence[Sealed]:
        """List the blocks from one number to another, both included, in which a contract said something."""
        numbers = self._logged[bisect_left(self._logged, first) : bisect_right(self._logged, last)]
        return [self.blocks[number] for number in numbers]

    def vm_after(self, sealed: Sealed) -> VirtualMachineAPI:
        """Answer a machine whose state is that after a block. Whoever executes in it puts its state back."""
        if sealed is not self.head:
            return self._chain.get_vm(self._header_after(sealed, sealed.block.header.timestamp + 1))
        if self._head_vm is None:
            self._head_vm = self._chain.get_vm(self._header_after(sealed, sealed.block.header.timestamp + 1))
        return self._head_vm

    def nodes_of(self, state: StateAPI) -> DatabaseAPI:
        """Answer what the tries of a state consist of, by their hashes."""
        state.persist()
        return self._chain.chaindb.db

    def mine(self, at_s: int) -> int:
        """Seal one block, later than the last, with what is pending and fits, in order of arrival; answer its number."""
        with self.lock:
            last_s = self.head.block.header.timestamp
            if at_s <= last_s:
                raise ChainError(f"a block at {at_s} is not after the last one at {last_s}", SERVER_ERROR)
            header = self._header_after(self.head, at_s)
            vm = self._chain.get_vm(header)
            included, receipts, header = self._apply(vm, header)
            signed = [transaction.signed for transaction in included]
            filled = vm.set_block_transactions_and_withdrawals(vm.get_block(), header, signed, receipts)
            block = vm.finalize_block(filled).block
            self._chain.chaindb.persist_header(block.header)  # which is where BLOCKHASH looks
            self._remember(Sealed(block, tuple(included), tuple(receipts)))
            return self.head.number

    def _apply(self, vm: VirtualMachineAPI, header: BlockHeaderAPI) -> tuple[list[Transaction], list[ReceiptAPI], BlockHeaderAPI]:
        """Execute what is pending and fits; what can no longer be paid is dropped."""
        included: list[Transaction] = []
        receipts: list[ReceiptAPI] = []
        waiting: set[CanonicalAddress] = set()
        for transaction in self.pool.ready(vm.state) if len(self.pool) else []:
            left = header.gas_limit - header.gas_used
            if left < LEAST_GAS:
                break
            if transaction.sender in waiting or transaction.signed.gas > left:
                waiting.add(transaction.sender)
                continue
            try:
                receipt, _computation = vm.apply_transaction(header, transaction.signed)
            except ValidationError as error:
                log.info("transaction 0x%s is dropped: %s", transaction.hash.hex(), error)
                self.pool.drop(transaction)
                waiting.add(transaction.sender)
                continue
            header = vm.add_receipt_to_header(header, receipt)
            included.append(transaction)
            receipts.append(receipt)
        return included, receipts, header

    def _header_after(self, sealed: Sealed, at_s: int) -> BlockHeaderAPI:
        """Answer the header of a block that would follow."""
        return self._chain.create_header_from_parent(
            sealed.block.header, timestamp=at_s, gas_limit=self._gas_limit, difficulty=DIFFICULTY, extra_data=b""
        )

    def _remember(self, sealed: Sealed) -> None:
        self.blocks.append(sealed)
        self._numbers[bytes(sealed.block.hash)] = sealed.number
        self._head_vm = None
        if any(receipt.logs for receipt in sealed.receipts):
            self._logged.append(sealed.number)
        for index, transaction in enumerate(sealed.transactions):
            self._places[transaction.hash] = (sealed.number, index)
            self.pool.drop(transaction)
