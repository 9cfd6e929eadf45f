"""The embedded client: a chain in this process that answers JSON-RPC like a node. For demonstrations and tests, never more."""

from __future__ import annotations

from typing import Any

from web3.providers.base import BaseProvider

from daisee.chain.embedded.blocks import Blocks
from daisee.chain.embedded.provider import RpcProvider
from daisee.chain.embedded.rpc import answer


class EmbeddedChain(Blocks):
    """A node of one."""

    def rpc(self, method: str, params: list[Any]) -> Any:
        """Answer a JSON-RPC call as a node would; one at a time."""
        with self.lock:
            return answer(self, method, params)

    def provider(self) -> BaseProvider:
        """Answer what web3 asks this chain through, without a network in between."""
        return RpcProvider(self.rpc)

    def advance(self, at_s: int) -> None:
        """Seal a block at a moment."""
        self.mine(at_s)

    def close(self) -> None:
        """Nothing is held outside of this process."""
