"""Keys for the accounts of a street that lasts as long as the process.

Bytes of zero are cheaper to send than others, so an address with one in it would make the gas bill a matter of chance. Keys
are drawn until the addresses, and those of the two contracts that the operator will make, have none: then two runs differ in
their addresses alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from hashlib import sha256
from itertools import count

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_canonical_address
from eth_utils.crypto import keccak
from rlp import encode  # type: ignore[import-untyped]  # it has no stubs

CONTRACTS_MADE = 2
"""The operator's first transactions: it deploys the coin, then the exchange."""


def draw_keys(names: list[str], seed: int | None) -> tuple[LocalAccount, dict[str, LocalAccount]]:
    """Draw an operator's key and one for each name: secret ones, or with a seed always the same ones."""
    root = secrets.token_bytes(32) if seed is None else sha256(f"daisee street {seed}".encode()).digest()
    operator = next(account for account in _accounts(root, "operator") if _plain(account, CONTRACTS_MADE))
    return operator, {name: next(a for a in _accounts(root, f"home {name}") if _plain(a, 0)) for name in names}


def _accounts(root: bytes, name: str) -> Iterator[LocalAccount]:
    for number in count():
        yield Account.from_key(sha256(root + f"/{name}/{number}".encode()).digest())


def _plain(account: LocalAccount, contracts: int) -> bool:
    sender = to_canonical_address(account.address)
    made = [keccak(encode([sender, nonce]))[12:] for nonce in range(contracts)]
    return all(0 not in address for address in (sender, *made))
