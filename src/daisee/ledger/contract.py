"""A contract at an address: its functions by name, asked or made ready to be sent.

web3's own contract objects look a function's ABI up anew at each call; a home asks the same few questions at every block, so
here each function is looked up once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_typing import HexStr
from eth_utils.abi import collapse_if_tuple, function_abi_to_4byte_selector
from eth_utils.address import to_checksum_address
from web3 import Web3
from web3.types import BlockIdentifier

from daisee.errors import ChainError
from daisee.ledger.answers import NODE_ERRORS
from daisee.ledger.artifacts import load
from daisee.ledger.reverts import reason_of
from daisee.ledger.transactions import Call
from daisee.units import Address


class Contract:
    """One of our contracts on a chain."""

    def __init__(self, web3: Web3, name: str, address: Address, at: BlockIdentifier = "latest") -> None:
        """Stand for the contract `name` at an address, its views as of a block."""
        self.address = address
        self._at = at
        self._web3 = web3
        self._name = name

    def ask(self, function: str, *arguments: Any) -> Any:
        """Call a view; answer its one value, or the tuple of them.

        TransactionReverted where it refuses, ChainError where the node does or where this is another contract.
        """
        data, outputs = self._encode(function, arguments)
        try:
            answered = self._web3.eth.call({"to": to_checksum_address(self.address), "data": data}, self._at)
        except NODE_ERRORS as error:
            raise reason_of(error) from error
        try:
            values = decode(outputs, answered)
        except DecodingError as error:
            raise ChainError(
                f"the contract at {self.address} does not answer like {self._name}; is the address right?"
            ) from error
        return values[0] if len(values) == 1 else values

    def call(self, function: str, arguments: Sequence[Any], gas: int) -> Call:
        """Make a call ready to be signed and sent."""
        return Call(function, self.address, self._encode(function, arguments)[0], gas)

    def _encode(self, function: str, arguments: Sequence[Any]) -> tuple[HexStr, list[str]]:
        selector, inputs, outputs = _functions(self._name)[function]
        return HexStr("0x" + (selector + encode(inputs, arguments)).hex()), outputs


@cache
def _functions(contract: str) -> dict[str, tuple[bytes, list[str], list[str]]]:
    """Map a contract's functions, by name and by signature, to their selector and the types of what goes in and comes out."""
    return {
        name: (
            function_abi_to_4byte_selector(entry),
            [collapse_if_tuple(field) for field in entry["inputs"]],
            [collapse_if_tuple(field) for field in entry["outputs"]],
        )
        for entry in load(contract).abi
        if entry["type"] == "function"
        for name in (entry["name"], _signature(entry))
    }


def _signature(entry: Any) -> str:
    return f"{entry['name']}({','.join(collapse_if_tuple(field) for field in entry['inputs'])})"
