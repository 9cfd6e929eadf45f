"""The one decoder for refusals, whichever client sent them: revert data becomes a `TransactionReverted` with its facts."""

from __future__ import annotations

from functools import cache
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_utils.abi import collapse_if_tuple, function_abi_to_4byte_selector
from web3.exceptions import ContractLogicError

from daisee.errors import ChainError, DaiseeError, TransactionReverted
from daisee.ledger.artifacts import load

NO_REASON = "no reason given"
_STRING_ERROR = bytes.fromhex("08c379a0")
_PANIC = bytes.fromhex("4e487b71")


def reason_of(error: Exception) -> DaiseeError:
    """Turn what web3 raised into our own error: a refusal with its name and facts, or a ChainError."""
    if not isinstance(error, ContractLogicError):
        return ChainError(f"the node answered with an error: {error}")
    data = error.data
    if isinstance(data, str) and data.startswith("0x"):
        return decode_revert(bytes.fromhex(data[2:]))
    # A client that sends no data has put all there is into its words; of a refusal without a reason, geth has only these.
    told = str(error.message or "").removeprefix("execution reverted").removeprefix(": ")
    return TransactionReverted(told or NO_REASON)


def decode_revert(data: bytes) -> TransactionReverted:
    """Read the data of a revert: one of our contracts' errors, a reason in words, a panic, nothing, or something unknown."""
    if not data:
        return TransactionReverted(NO_REASON)
    selector, rest = data[:4], data[4:]
    try:
        if selector == _STRING_ERROR:
            return TransactionReverted(decode(["string"], rest)[0])
        if selector == _PANIC:
            return TransactionReverted("Panic", {"code": decode(["uint256"], rest)[0]})
        known = _errors().get(selector)
        if known is None:
            return TransactionReverted("unknown error", {"data": "0x" + data.hex()})
        values = decode([collapse_if_tuple(field) for field in known["inputs"]], rest)
    except DecodingError:
        return TransactionReverted("unreadable error", {"data": "0x" + data.hex()})
    return TransactionReverted(
        known["name"], {field["name"]: value for field, value in zip(known["inputs"], values, strict=True)}
    )


@cache
def _errors() -> dict[bytes, Any]:
    """Map the selectors of all errors that our contracts can raise to their ABI entries."""
    entries: list[Any] = [*load("EnergyExchange").abi, *load("DaiseeCoin").abi]
    return {function_abi_to_4byte_selector(entry): entry for entry in entries if entry["type"] == "error"}
