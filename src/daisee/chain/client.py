"""What a chain client is to the rest of the house: something that speaks JSON-RPC, and seals blocks as time goes by."""

from __future__ import annotations

import warnings
from typing import Any, Protocol

from web3 import Web3
from web3.middleware import ExtraDataToPOAMiddleware
from web3.providers.base import BaseProvider


class ChainClient(Protocol):
    """A node that can be asked and told."""

    @property
    def chain_id(self) -> int:
        """Which chain it is on."""
        ...

    def rpc(self, method: str, params: list[Any]) -> Any:
        """Answer a JSON-RPC call with its result; ChainError, with JSON-RPC's code and data, where there is none."""
        ...

    def provider(self) -> BaseProvider:
        """Answer what web3 asks this node through."""
        ...

    def advance(self, at_s: int) -> None:
        """Let blocks be sealed up to a moment. A node with a clock of its own seals when it does, and does nothing here."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


def web3_on(client: ChainClient) -> Web3:
    """Answer a web3 that asks a node, whichever seals its blocks.

    A validator of a Clique chain signs in a block's extra data, which is longer than web3 believes a block's can be.
    """
    web3 = Web3(client.provider())
    # A contract that refuses may name an address to look at instead (EIP-3668); nobody is asked because a stranger says so.
    web3.provider.global_ccip_read_enabled = False
    # Of an error's data that is no text; it is read by us.
    warnings.filterwarnings("ignore", "Could not decode revert reason as UTF-8", RuntimeWarning)
    web3.middleware_onion.inject(ExtraDataToPOAMiddleware, layer=0)
    return web3
