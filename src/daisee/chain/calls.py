"""`eth_call` and `eth_estimateGas`: what would happen, and for how much gas. Refusals of a contract come as geth's do, with
the words of a plain reason in the message and all that the contract gave back in the data.
"""

from __future__ import annotations

from typing import Any

from eth.abc import ComputationAPI, VirtualMachineAPI
from eth.exceptions import OutOfGas, Revert
from eth_typing import Address as CanonicalAddress
from eth_utils.crypto import keccak

from daisee.chain import questions
from daisee.chain.answers import data, quantity
from daisee.chain.blocks import Blocks
from daisee.chain.machine import CALL_TIMEOUT_S, SERVER_ERROR, Call, execute, within
from daisee.chain.pool import LEAST_GAS_PRICE
from daisee.errors import ChainError

EXECUTION_REVERTED = 3
"""geth's code for a contract's refusal."""
ERROR_STRING = keccak(b"Error(string)")[:4]
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
    with within(CALL_TIMEOUT_S):
        computation = execute(chain.vm_after(sealed), wanted, limit if gas is None else min(gas, limit))
    refusal = _refusal(computation)
    if refusal is not None:
        raise refusal
    return data(computation.output)


def estimate_gas(chain: Blocks, asked: Any, at: Any = "latest") -> str:
    """Answer the least gas with which a call goes through, or a little more; within `CALL_TIMEOUT_S`."""
    with within(CALL_TIMEOUT_S):
        return _estimate(chain, asked, at)


def _estimate(chain: Blocks, asked: Any, at: Any) -> str:
    wanted, gas = questions.call(asked)
    sealed = questions.block(chain, at)
    vm = chain.vm_after(sealed)
    most = min(_affordable(vm, wanted), sealed.block.header.gas_limit)
    if gas is not None and gas >= LEAST_GAS:  # as in geth, less is taken for nothing having been said
        most = min(most, gas)
    computation = execute(vm, wanted, most)
    refusal = _refusal(computation)
    if refusal is not None:
        if isinstance(computation.error, OutOfGas):
            raise ChainError(f"gas required exceeds allowance ({most})", SERVER_ERROR)
        raise refusal
    taken = most - computation.get_gas_remaining()
    return quantity(_halve(vm, wanted, taken, most))


def _halve(vm: VirtualMachineAPI, wanted: Call, taken: int, most: int) -> int:
    """Find the least gas that is enough. Half of what was taken cannot be: no more than half is ever given back."""

    def goes_through(gas: int) -> bool:
        return not execute(vm, wanted, gas).is_error

    if taken == wanted.intrinsic_gas(vm):  # no instruction ran, so it takes no less and no more
        return taken
    fails, works = taken // 2 - 1, most
    likely = (taken + STIPEND) * 64 // 63  # a call into another contract keeps a 64th back
    if likely < works and goes_through(likely):
        works = likely
    fails = max(fails, wanted.intrinsic_gas(vm) - 1)
    while fails + 1 < works and (works - fails) / works > TOLERANCE:
        middle = (fails + works) // 2
        if goes_through(middle):
            works = middle
        else:
            fails = middle
    return works


def _affordable(vm: VirtualMachineAPI, wanted: Call) -> int:
    """Answer how much gas the sender can pay at the price it names; without a price there is no bound."""
    if wanted.gas_price < LEAST_GAS_PRICE:
        return questions.LARGEST
    left = vm.state.get_balance(CanonicalAddress(wanted.sender)) - wanted.value
    if left < 0:
        raise ChainError("insufficient funds for transfer", SERVER_ERROR)
    return left // wanted.gas_price


def _refusal(computation: ComputationAPI) -> ChainError | None:
    """Answer why a call failed; None where it did not."""
    if not computation.is_error:
        return None
    error = computation.error
    if isinstance(error, Revert):
        return ChainError(f"execution reverted{_reason(computation.output)}", EXECUTION_REVERTED, data(computation.output))
    if isinstance(error, OutOfGas):
        return ChainError("out of gas", SERVER_ERROR)
    return ChainError(str(error) or type(error).__name__, SERVER_ERROR)


def _reason(output: bytes) -> str:
    """Read the words of a plain `Error(string)`, as geth adds them to its message."""
    if output[:4] != ERROR_STRING or len(output) < 68:
        return ""
    length = int.from_bytes(output[36:68], "big")
    return ": " + output[68 : 68 + length].decode(errors="replace") if length <= len(output) - 68 else ""
