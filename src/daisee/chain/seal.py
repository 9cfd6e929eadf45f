"""Who sealed a block of a Clique chain: its header is signed, with the signature in its extra data (EIP-225)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import rlp  # type: ignore[import-untyped]  # it has no stubs
from eth_keys.datatypes import Signature
from eth_keys.exceptions import BadSignature
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError

from daisee.units import Address

SEAL_BYTES = 65
VANITY_BYTES = 32

_FIELDS = (
    "parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom", "difficulty",
    "number", "gasLimit", "gasUsed", "timestamp", "extraData", "mixHash", "nonce",
)  # fmt: skip
_NUMBERS = ("difficulty", "number", "gasLimit", "gasUsed", "timestamp")

VOTE_IN = "0xffffffffffffffff"
NOBODY = "0x" + 40 * "0"


def sealer_of(block: Mapping[str, Any]) -> Address | None:
    """Answer who sealed a block, as JSON-RPC tells it; None where it has no such seal: the genesis, another engine's block."""
    extra = bytes.fromhex(block["extraData"][2:])
    if len(extra) < VANITY_BYTES + SEAL_BYTES or not any(extra[-SEAL_BYTES:]):
        return None
    header = [_field(name, block[name]) for name in _FIELDS]
    header[_FIELDS.index("extraData")] = extra[:-SEAL_BYTES]
    try:
        signed = Signature(extra[-SEAL_BYTES:]).recover_public_key_from_msg_hash(keccak(rlp.encode(header)))
    except (BadSignature, ValidationError):
        return None
    return Address(signed.to_checksum_address())


def vote_of(block: Mapping[str, Any]) -> tuple[str, bool] | None:
    """Answer for or against whom a block's sealer voted in it; None for a block without a vote."""
    if block["miner"] == NOBODY or len(block["extraData"]) > 2 + 2 * (VANITY_BYTES + SEAL_BYTES):
        return None
    return block["miner"], block["nonce"] == VOTE_IN


def _field(name: str, value: str) -> bytes:
    if name in _NUMBERS:
        number = int(value, 16)
        return number.to_bytes((number.bit_length() + 7) // 8, "big")
    return bytes.fromhex(value[2:])
