"""The virtual machine of the embedded chain: py-evm's at the Berlin fork, with no reward for a block.

`execute` answers what a call would do on a state and leaves the state as it was; gas counts, but nobody pays for it. What it
raises is in geth's words.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

import rlp  # type: ignore[import-untyped]  # it has no stubs
from eth.abc import ComputationAPI, ReceiptAPI, VirtualMachineAPI
from eth.vm.forks.berlin import BerlinVM
from eth.vm.forks.berlin.computation import BerlinComputation
from eth.vm.forks.berlin.constants import ACCESS_LIST_ADDRESS_COST_EIP_2930, ACCESS_LIST_STORAGE_KEY_COST_EIP_2930
from eth.vm.message import Message
from eth_typing import Address as CanonicalAddress
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from daisee.errors import ChainError

SERVER_ERROR = -32000
"""JSON-RPC's code, as geth uses it, for what a node refuses."""


CALL_TIMEOUT_S = 2.0
"""The most processor time that a question may take, so that a busy machine refuses nothing; ours take hundredths. A block's
transactions take what they take."""
LOOPING = (0x56, 0x57, 0xF0, 0xF1, 0xF2, 0xF4, 0xF5, 0xFA)
"""Jumps, calls and creations: without them, code ends soon."""


class TooLittleGas(ChainError):
    """Less gas than is gone before the first instruction."""


class TooLittleMoney(ChainError):
    """The sender has less than the call would cost and send."""


_ends_at: ContextVar[float] = ContextVar("ends_at", default=math.inf)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Let what is executed in here take so much of the processor and no more: a ChainError, in geth's words."""
    token = _ends_at.set(time.thread_time() + seconds)
    try:
        yield
    finally:
        _ends_at.reset(token)


def _timed(opcode: Callable[..., None]) -> Callable[..., None]:
    @wraps(opcode)
    def run(computation: ComputationAPI) -> None:
        if time.thread_time() > _ends_at.get():
            raise ChainError(f"execution aborted (timeout = {CALL_TIMEOUT_S:g}s)", SERVER_ERROR)
        opcode(computation=computation)

    return run


class TimedComputation(BerlinComputation):
    """What a question is executed by."""

    opcodes = {**BerlinComputation.opcodes, **{code: _timed(BerlinComputation.opcodes[code]) for code in LOOPING}}  # noqa: RUF012  # as in py-evm


class EmbeddedVM(BerlinVM):
    """The rules of the embedded chain."""

    @staticmethod
    def get_block_reward() -> int:
        """Answer zero: no block makes money."""
        return 0

    @classmethod
    def validate_receipt(cls, receipt: ReceiptAPI) -> None:
        """Believe it: it was made a moment ago, here."""


@dataclass(frozen=True, slots=True)
class Call:
    """What somebody wants to know the outcome of."""

    sender: bytes
    to: bytes
    """Empty for the making of a contract."""
    value: int
    data: bytes
    gas_price: int
    """What the contract sees. Nobody pays it, but the sender must be able to."""
    access_list: tuple[tuple[bytes, tuple[int, ...]], ...] = field(default=())

    def intrinsic_gas(self, vm: VirtualMachineAPI) -> int:
        """Answer the gas that is gone before the first instruction."""
        plain = vm.create_unsigned_transaction(
            nonce=0, gas_price=0, gas=0, to=CanonicalAddress(self.to), value=self.value, data=self.data
        )
        slots = sum(len(keys) for _account, keys in self.access_list)
        listed = len(self.access_list) * ACCESS_LIST_ADDRESS_COST_EIP_2930 + slots * ACCESS_LIST_STORAGE_KEY_COST_EIP_2930
        return int(plain.intrinsic_gas) + listed


def execute(vm: VirtualMachineAPI, call: Call, gas: int) -> ComputationAPI:
    """Execute a call with so much gas, and put the state back. TooLittleMoney, TooLittleGas where it cannot even begin."""
    state = vm.state
    have, want = state.get_balance(CanonicalAddress(call.sender)), call.value + gas * call.gas_price
    if have < want:
        who = to_checksum_address(call.sender)
        told = f"insufficient funds for gas * price + value: address {who} have {have} want {want}"
        raise TooLittleMoney(told, SERVER_ERROR)
    least = call.intrinsic_gas(vm)
    if gas < least:
        raise TooLittleGas(f"intrinsic gas too low: have {gas}, want {least}", SERVER_ERROR)
    snapshot = state.snapshot()
    try:
        return _apply(state, call, gas - least)
    finally:
        state.revert(snapshot)


def _apply(state: Any, call: Call, gas: int) -> ComputationAPI:
    sender, to = CanonicalAddress(call.sender), CanonicalAddress(call.to)
    context = state.get_transaction_context_class()(gas_price=call.gas_price, origin=sender)
    created = None if to else contract_address(sender, state.get_nonce(sender))
    state.mark_address_warm(sender)
    state.mark_address_warm(created or to)
    for account, slots in call.access_list:
        state.mark_address_warm(account)
        for slot in slots:
            state.mark_storage_warm(account, slot)
    message = Message(
        gas=gas,
        to=to,
        sender=sender,
        value=call.value,
        data=call.data if to else b"",
        code=state.get_code(to) if to else call.data,
        create_address=created,  # type: ignore[arg-type]  # None where nothing is made
    )
    state.increment_nonce(sender)
    apply = TimedComputation.apply_message if to else TimedComputation.apply_create_message
    computation: ComputationAPI = apply(state, message, context)
    return computation


def contract_address(sender: bytes, nonce: int) -> CanonicalAddress:
    """Answer where a contract comes to be that an account makes with this nonce."""
    return CanonicalAddress(keccak(rlp.encode([sender, nonce]))[12:])
