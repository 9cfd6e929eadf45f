"""The one decoder for refusals, whichever client sent them: revert data becomes a `TransactionReverted` with its facts."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_utils.abi import collapse_if_tuple, function_abi_to_4byte_selector
from web3.exceptions import ContractLogicError, Web3RPCError

from daisee.errors import ChainError, DaiseeError, TransactionReverted
from daisee.ledger.answers import words
from daisee.ledger.artifacts import load
from daisee.plain import plain

NO_REASON = "no reason given"
LONGEST = 300
"""Of a reason that a contract gives, in characters; nobody reads more of it in a line."""
_STRING_ERROR = bytes.fromhex("08c379a0")
_PANIC = bytes.fromhex("4e487b71")
_HEX = re.compile(r"(?:Reverted )?0x([0-9a-fA-F]*)")
_WORDS = re.compile(r"^((execution reverted|VM execution error\.?|reverted)(: |$))+", re.IGNORECASE)
"""What stands before a reason, or instead of one: geth's and its kin's, Besu's, Parity's and Nethermind's."""
_REFUSED = re.compile(r"execution reverted|VM execution error|VM Exception.*revert|^reverted", re.IGNORECASE)
"""What a node says, whatever its code, where a contract refused; Hardhat's and Ganache's words too."""
_PANIC_CODE = re.compile(r"[0-9a-fA-F]{2}")
_MORE_GAS = "; that takes more gas than was given (--gas, where a command has it), or than the node lets a question take"


def reason_of(error: Exception) -> DaiseeError:
    """Turn what web3 raised into our own error: a refusal with its name and facts, or a ChainError."""
    if isinstance(error, KeyError) and _PANIC_CODE.fullmatch(str(*error.args[:1])):
        return TransactionReverted("Panic", {"code": int(error.args[0], 16)})  # one that web3 has no words for
    if isinstance(error, ContractLogicError):
        told, data = plain(str(error.message or "")), _data_in(error.data)
    elif isinstance(error, Web3RPCError):
        told, data = words(error), _data_in(error.rpc_response)
        if not _REFUSED.search(told) and not _is_known(data):
            return ChainError(f"the node answered with an error: {told}" + (_MORE_GAS if "out of gas" in told.lower() else ""))
    else:
        return ChainError(f"the node answered with an error: {plain(str(error))}")
    if data:
        return decode_revert(data)
    # A client that sends no data has put all there is into its words; of a refusal without a reason, geth has only these.
    return TransactionReverted(_WORDS.sub("", told[:LONGEST]) or NO_REASON)


def _data_in(told: object) -> bytes:
    """Find the data of a revert in what a client says beside its words; nothing where there is none that can be read.

    Most have it as hex, Parity and Nethermind with a word before it, Hardhat as `data` or `result` in an object, Ganache in an
    object for each transaction.
    """
    if isinstance(told, str):
        found = _HEX.fullmatch(told.strip())
        return bytes.fromhex(found[1]) if found and len(found[1]) % 2 == 0 else b""
    if not isinstance(told, dict):
        return b""
    named = [told[name] for name in ("error", "data", "result", "return") if name in told]
    return next(filter(None, map(_data_in, named or told.values())), b"")


def _is_known(data: bytes) -> bool:
    return data[:4] in (_STRING_ERROR, _PANIC) or data[:4] in _errors()


def decode_revert(data: bytes) -> TransactionReverted:
    """Read the data of a revert: one of our contracts' errors, a reason in words, a panic, nothing, or something unknown."""
    if not data:
        return TransactionReverted(NO_REASON)
    selector, rest = data[:4], data[4:]
    try:
        if selector == _STRING_ERROR:
            return TransactionReverted(plain(decode(["string"], rest)[0][:LONGEST]) or NO_REASON)
        if selector == _PANIC:
            return TransactionReverted("Panic", {"code": decode(["uint256"], rest)[0]})
        known = _errors().get(selector)
        if known is None:
            return TransactionReverted("unknown error", {"data": f"0x{data.hex()[:LONGEST]}"})
        values = decode([collapse_if_tuple(field) for field in known["inputs"]], rest)
    except (DecodingError, UnicodeDecodeError, OverflowError):
        return TransactionReverted("unreadable error", {"data": f"0x{data.hex()[:LONGEST]}"})
    return TransactionReverted(
        known["name"], {field["name"]: value for field, value in zip(known["inputs"], values, strict=True)}
    )


@cache
def _errors() -> dict[bytes, Any]:
    """Map the selectors of all errors that our contracts can raise to their ABI entries."""
    entries: list[Any] = [*load("EnergyExchange").abi, *load("DaiseeCoin").abi]
    return {function_abi_to_4byte_selector(entry): entry for entry in entries if entry["type"] == "error"}
