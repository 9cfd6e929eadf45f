"""`eth_getProof` (EIP-1186): what an account and places in its storage hold, with the path to each from the state's root.

The path leaves out nodes of fewer than 32 bytes, which lie inside the node above them, as geth does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import rlp  # type: ignore[import-untyped]  # it has no stubs
from eth.constants import BLANK_ROOT_HASH
from eth.rlp.accounts import Account
from eth_utils.crypto import keccak
from trie.hexary import HexaryTrie

from daisee.chain.embedded.answers import data, quantity

NOTHING = b"\0" * 32
HASHED = 32
"""From so many bytes on, a node is known to the one above it by its hash."""


def proof_json(nodes: Mapping[bytes, bytes], state_root: bytes, account: bytes, slots: Sequence[str]) -> dict[str, Any]:
    """Write an account of a state, and places in its storage, as they were asked for."""
    written, path = _find(nodes, state_root, account)
    # Of an account that is not there, geth tells hashes of zeros.
    found = rlp.decode(written, sedes=Account) if written else Account(storage_root=NOTHING, code_hash=NOTHING)
    return {
        "address": data(account),
        "accountProof": path,
        "balance": quantity(found.balance),
        "codeHash": data(found.code_hash),
        "nonce": quantity(found.nonce),
        "storageHash": data(found.storage_root),
        "storageProof": [_slot_json(nodes, found.storage_root, slot) for slot in slots],
    }


def _slot_json(nodes: Mapping[bytes, bytes], storage_root: bytes, slot: str) -> dict[str, Any]:
    place = int(slot, 16)
    written, path = _find(nodes, storage_root, place.to_bytes(32, "big"))
    value = int.from_bytes(rlp.decode(written), "big") if written else 0
    # As it was asked for: a place of full length is one of 32 bytes, any other is a number.
    return {"key": slot.lower() if len(slot) == 66 else quantity(place), "value": quantity(value), "proof": path}


def _find(nodes: Mapping[bytes, bytes], root: bytes, key: bytes) -> tuple[bytes, list[str]]:
    """Answer what is at a key, nothing where nothing is, and the path to it."""
    if root in (BLANK_ROOT_HASH, NOTHING):
        return b"", []
    trie = HexaryTrie(nodes, root)
    path = [rlp.encode(node) for node in trie.get_proof(keccak(key))]  # type: ignore[no-untyped-call]  # it has half its types
    return trie.get(keccak(key)), [data(node) for place, node in enumerate(path) if place == 0 or len(node) >= HASHED]
