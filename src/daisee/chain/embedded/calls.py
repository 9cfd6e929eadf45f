"""`eth_call` and `eth_estimateGas`: what would happen, and for how much gas. Refusals of a contract come as geth's do, with
the words of a plain reason in the message and all that the contract gave back in the data; estimates are found as geth finds
them, and come out the same. A test compares both with geth. One thing differs: without a limit of its own a call has the gas
of a block, which is no more than a transaction could have; geth gives it 50,000,000.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from eth.abc import ComputationAPI, VirtualMachineAPI
from eth.exceptions import (
    FullStack,
    InsufficientStack,
    InvalidInstruction,
    InvalidJumpDestination,
    OutOfBoundsRead,
    OutOfGas,
    Revert,
    WriteProtection,
)
from eth_typing import Address as CanonicalAddress
from eth_utils.crypto import keccak

from daisee.chain.embedded import questions
from daisee.chain.embedded.answers import data, quantity
from daisee.chain.embedded.blocks import Blocks
from daisee.chain.embedded.machine import (
    CALL_TIMEOUT_S,
    SERVER_ERROR,
    Call,
    TooLittleGas,
    TooLittleMoney,
    execute,
    within,
)
from daisee.errors import ChainError

EXECUTION_REVERTED = 3
"""geth's code for a contract's refusal that says why; one that does not is a mere `SERVER_ERROR`."""
ERROR_STRING = keccak(b"Error(string)")[:4]
PANIC = keccak(b"Panic(uint256)")[:4]
PANICS = {
    0x00: "generic panic",
    0x01: "assert(false)",
    0x11: "arithmetic underflow or overflow",
    0x12: "division or modulo by zero",
    0x21: "enum overflow",
    0x22: "invalid encoded storage byte array accessed",
    0x31: "out-of-bounds array access; popping on an empty array",
    0x32: "out-of-bounds access of an array or bytesN",
    0x41: "out of memory",
    0x51: "uninitialized function",
}
"""geth's words for what Solidity's own checks find; of accounts/abi/abi.go."""
FAILURES = {
    FullStack: "stack limit reached 1024 (1023)",
    InsufficientStack: "stack underflow",
    InvalidInstruction: "invalid opcode",
    InvalidJumpDestination: "invalid jump destination",
    OutOfBoundsRead: "return data out of bounds",
    OutOfGas: "out of gas",
    WriteProtection: "write protection",
}
"""geth's words, without its numbers, for code that no compiler makes."""
LEAST_GAS = 21_000
STIPEND = 2_300
"""Gas that goes along with a payment inside of a contract, on top of what was given."""
TOLERANCE = 0.015
"""How much above the least an estimate may be, as in geth: each halving executes the call once more."""


def call(chain: Blocks, asked: Any, at: Any = "latest", overrides: Any = None) -> str:
    """Answer what a call gives back. It takes at most the gas of a block, and `CALL_TIMEOUT_S`."""
    if overrides:
        raise questions.unfit("state overrides are not taken here")
    wanted, gas = questions.call(asked)
    sealed = questions.block(chain, at)
    limit = sealed.block.header.gas_limit
    given = limit if gas is None else min(gas, limit)
    try:
        with within(CALL_TIMEOUT_S):
            computation = execute(chain.vm_after(sealed), wanted, given)
    except (TooLittleGas, TooLittleMoney) as error:
        raise ChainError(f"err: {error} (supplied gas {given})", SERVER_ERROR) from error
    refusal = _refusal(computation)
    if refusal is not None:
        raise refusal
    return data(computation.output)


def estimate_gas(chain: Blocks, asked: Any, at: Any = "latest") -> str:
    """Answer the least gas with which a call goes through, or a little more; within `CALL_TIMEOUT_S`."""
    wanted, gas = questions.call(asked)
    sealed = questions.block(chain, at)
    vm = chain.vm_after(sealed)
    most = min(_affordable(vm, wanted), sealed.block.header.gas_limit)
    if gas is not None and gas >= LEAST_GAS:  # as in geth, less is taken for nothing having been said
        most = min(most, gas)
    with within(CALL_TIMEOUT_S):
        return quantity(_estimate(vm, wanted, most))


def _estimate(vm: VirtualMachineAPI, wanted: Call, most: int) -> int:
    if wanted.to and not wanted.data and not vm.state.get_code(CanonicalAddress(wanted.to)):
        with suppress(ChainError):
            plain = _try(vm, wanted, LEAST_GAS)
            if plain is not None and not plain.is_error:
                return LEAST_GAS
    computation = _try(vm, wanted, most)
    if computation is None or (computation.is_error and isinstance(computation.error, OutOfGas)):
        raise ChainError(f"gas required exceeds allowance ({most})", SERVER_ERROR)
    refusal = _refusal(computation)
    if refusal is not None:
        raise refusal
    taken = most - computation.get_gas_remaining()
    back = min(computation.get_gas_refund(), taken // 2)  # of which no more than half is given, until London
    return _halve(vm, wanted, taken - back, back, most)


def _halve(vm: VirtualMachineAPI, wanted: Call, used: int, back: int, most: int) -> int:
    """Find the least gas that is enough, from what was used after `back` was given back."""
    fails, works = used - 1, most

    def goes_through(gas: int) -> bool:
        computation = _try(vm, wanted, gas)
        return computation is not None and not computation.is_error

    likely = (used + back + STIPEND) * 64 // 63  # a call into another contract keeps a 64th back
    if likely < works:
        fails, works = (fails, likely) if goes_through(likely) else (likely, works)
    while fails + 1 < works and (works - fails) / works >= TOLERANCE:
        middle = min((fails + works) // 2, fails * 2)
        fails, works = (fails, middle) if goes_through(middle) else (middle, works)
    return works


def _try(vm: VirtualMachineAPI, wanted: Call, gas: int) -> ComputationAPI | None:
    """Execute a call with so much gas; None where that is not even enough to begin."""
    try:
        return execute(vm, wanted, gas)
    except TooLittleGas:
        return None
    except TooLittleMoney as error:
        raise ChainError(f"failed with {gas} gas: {error}", SERVER_ERROR) from error


def _affordable(vm: VirtualMachineAPI, wanted: Call) -> int:
    """Answer how much gas the sender can pay at the price it names; without a price there is no bound."""
    if not wanted.gas_price:
        return questions.LARGEST
    left = vm.state.get_balance(CanonicalAddress(wanted.sender)) - wanted.value
    if left <= 0:
        raise ChainError("insufficient funds for transfer", SERVER_ERROR)
    return left // wanted.gas_price


def _refusal(computation: ComputationAPI) -> ChainError | None:
    """Answer why a call failed; None where it did not."""
    if not computation.is_error:
        return None
    error, output = computation.error, computation.output
    if isinstance(error, Revert) and output:
        return ChainError(f"execution reverted{_reason(output)}", EXECUTION_REVERTED, data(output))
    if isinstance(error, Revert):
        return ChainError("execution reverted", SERVER_ERROR)
    return ChainError(FAILURES.get(type(error), str(error) or type(error).__name__), SERVER_ERROR)


def _reason(output: bytes) -> str:
    """Read the words of a plain `Error(string)` or of a panic, as geth adds them to its message."""
    if output[:4] == PANIC and len(output) >= 36:
        code = int.from_bytes(output[4:36], "big")
        return f": {PANICS.get(code, f'unknown panic code: {code:#x}')}"
    if output[:4] != ERROR_STRING or len(output) < 68:
        return ""
    length = int.from_bytes(output[36:68], "big")
    return ": " + output[68 : 68 + length].decode(errors="replace") if length <= len(output) - 68 else ""
