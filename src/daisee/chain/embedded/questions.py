"""What a node is asked: parameters of JSON-RPC, read strictly. Whatever does not fit is a ChainError with JSON-RPC's code
for invalid parameters, so that only a mistake of ours can ever look like one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from daisee.chain.embedded.answers import data
from daisee.chain.embedded.blocks import Blocks, Sealed
from daisee.chain.embedded.machine import SERVER_ERROR, Call
from daisee.errors import ChainError

INVALID_PARAMS = -32602

HEX = re.compile(r"0x[0-9a-fA-F]*")
QUANTITY = re.compile(r"0x(0|[1-9a-fA-F][0-9a-fA-F]{0,63})")
LARGEST = 2**256 - 1
NEWEST = ("latest", "pending")
"""Tags that mean the head: what is pending shows in the nonce of an account only."""
NEVER = ("safe", "finalized")
"""Tags that came with proof of stake; a chain before it has no such block, and geth says so."""


def unfit(told: str) -> ChainError:
    """Say what is wrong with a parameter."""
    return ChainError(f"invalid argument: {told}", INVALID_PARAMS)


def octets(text: Any, length: int | None = None) -> bytes:
    """Read bytes, of a length where one is given."""
    if not isinstance(text, str) or not HEX.fullmatch(text) or len(text) % 2:
        raise unfit(f"0x and pairs of hex digits are expected, not {_short(text)}")
    if length is not None and len(text) != 2 + 2 * length:
        raise unfit(f"{length} bytes are expected, not {_short(text)}")
    return bytes.fromhex(text[2:])


def number(text: Any) -> int:
    """Read a quantity."""
    if not isinstance(text, str) or not QUANTITY.fullmatch(text):
        raise unfit(f"a quantity is 0x and 1 to 64 hex digits without leading zeros, not {_short(text)}")
    return int(text, 16)


def slot(text: Any) -> int:
    """Read a place in a contract's storage: up to 32 bytes, with or without leading zeros."""
    if not isinstance(text, str) or not 3 <= len(text) <= 66 or not HEX.fullmatch(text):
        raise unfit(f"a place is 0x and 1 to 64 hex digits, not {_short(text)}")
    return int(text, 16)


def slots(asked: Any) -> list[str]:
    """Read a list of such places; each is given back as it was written, which is how its answer names it."""
    for each in _list(asked):
        slot(each)
    return list(asked)


def account(text: Any) -> bytes:
    """Read an address; capitals are not looked at."""
    return octets(text, 20)


def find_block(chain: Blocks, asked: Any) -> Sealed | None:
    """Read a block's number, tag or EIP-1898 object; None where there is no such block."""
    if isinstance(asked, Mapping):
        if "blockHash" in asked:
            return chain.find_block(octets(asked["blockHash"], 32))
        asked = asked.get("blockNumber")
    if asked in NEWEST:
        return chain.head
    if asked in NEVER:
        raise ChainError(f"{asked} block not found", SERVER_ERROR)
    wanted = 0 if asked == "earliest" else number(asked)
    return chain.blocks[wanted] if wanted < len(chain.blocks) else None


def block(chain: Blocks, asked: Any) -> Sealed:
    """Read a block that must be there."""
    found = find_block(chain, asked)
    if found is None:
        by_hash = isinstance(asked, Mapping) and "blockHash" in asked
        raise ChainError("header for hash not found" if by_hash else "header not found", SERVER_ERROR)
    return found


def call(asked: Any) -> tuple[Call, int | None]:
    """Read what is to be executed, and the most gas it may take, where that is said."""
    if not isinstance(asked, Mapping):
        raise unfit(f"a call is an object, not {_short(asked)}")
    given = {key: value for key, value in asked.items() if value is not None}
    sent = octets(given.get("data", "0x"))
    if "input" in given and "data" in given and octets(given["input"]) != sent:
        raise unfit("input and data differ; say it once")
    wanted = Call(
        sender=account(given["from"]) if "from" in given else bytes(20),
        to=account(given["to"]) if "to" in given else b"",
        value=number(given.get("value", "0x0")),
        data=octets(given["input"]) if "input" in given else sent,
        gas_price=number(given.get("gasPrice", "0x0")),
        access_list=tuple(_access(entry) for entry in _list(given.get("accessList", []))),
    )
    return wanted, number(given["gas"]) if "gas" in given else None


def choices(asked: Any, length: int) -> set[str] | None:
    """Read one wanted value of so many bytes, or a list of which one is wanted; None and an empty list want anything."""
    if asked is None:
        return None
    return {data(octets(each, length)) for each in (asked if isinstance(asked, list) else [asked])} or None


def topics(asked: Any) -> list[set[str] | None]:
    """Read the topics of a filter."""
    return [choices(each, 32) for each in _list([] if asked is None else asked)]


def _access(entry: Any) -> tuple[bytes, tuple[int, ...]]:
    if not isinstance(entry, Mapping):
        raise unfit("an entry of an access list is an object")
    keys = _list(entry.get("storageKeys", []))
    return account(entry.get("address")), tuple(int.from_bytes(octets(key, 32), "big") for key in keys)


def _list(asked: Any) -> list[Any]:
    if not isinstance(asked, list):
        raise unfit(f"a list is expected, not {_short(asked)}")
    return asked


def _short(asked: Any) -> str:
    told = repr(asked)
    return told if len(told) <= 80 else told[:77] + "..."
