"""Which transaction took a nonce: found by halves where a node knows the counts of the past, else block by block."""

from __future__ import annotations

import contextlib
from bisect import bisect_left
from collections.abc import Sequence
from typing import cast

from eth_typing import HexStr
from eth_utils.address import to_checksum_address
from hexbytes import HexBytes
from web3 import Web3
from web3.exceptions import Web3RPCError
from web3.types import TxData

from daisee.units import Address

DEEPEST_REORGANISATION = 64
"""How many blocks before the one in which a call got its nonce are searched for another's transaction with it."""
BLOCKS_AT_ONCE = 64
"""How many are read each time where they are read one by one."""


class TakerSearch:
    """The search for an account's transaction with a nonce that is known to be taken; it goes on where it stopped."""

    def __init__(self, web3: Web3, account: Address, nonce: int, since_block: int) -> None:
        """Search from some blocks before the one in which the nonce was given out."""
        self._web3 = web3
        self._account = account
        self._nonce = nonce
        self._next = max(0, since_block - DEEPEST_REORGANISATION)
        self._found: HexStr | None = None

    def up_to(self, deep: int) -> HexStr | None:
        """Answer it; None as long as it is not found. `deep` is a block by which it is taken, and which stays."""
        if self._found is None and self._next <= deep:
            # A node that has pruned the past does not know its counts, and mostly has its blocks.
            with contextlib.suppress(Web3RPCError):
                self._next = self._halved(deep)
            for number in range(self._next, min(deep, self._next + BLOCKS_AT_ONCE - 1) + 1):
                self._found = self._in(number)
                self._next = number + 1
                if self._found is not None:
                    break
        return self._found

    def _halved(self, deep: int) -> int:
        """Answer the first block by which it is taken."""
        first = bisect_left(range(deep), True, lo=self._next, key=self._is_taken_by)
        return first if first > self._next else bisect_left(range(first), True, key=self._is_taken_by)

    def _is_taken_by(self, number: int) -> bool:
        return self._web3.eth.get_transaction_count(to_checksum_address(self._account), number) > self._nonce

    def _in(self, number: int) -> HexStr | None:
        # web3 types what it answers here as a hash or a transaction; asked for in full, it is the latter.
        found = cast(Sequence[TxData], self._web3.eth.get_block(number, full_transactions=True)["transactions"])
        for transaction in found:
            if Address(transaction["from"]) == self._account and transaction["nonce"] == self._nonce:
                return HexStr(HexBytes(transaction["hash"]).to_0x_hex())
        return None
