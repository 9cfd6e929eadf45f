"""The ledger as one home sees and uses it: what it asks, and what it sends in its own name."""

from __future__ import annotations

from collections.abc import Sequence

from web3 import Web3
from web3.exceptions import Web3Exception

from daisee.errors import ChainError
from daisee.ledger.exchange import Exchange, Market
from daisee.ledger.sender import Sender
from daisee.units import Address


class HomeLedger:
    """A home's account, the exchange, and the neighbours that it deals with."""

    def __init__(
        self, web3: Web3, exchange: Exchange, sender: Sender, sellers: Sequence[Address], *, sells: bool = False
    ) -> None:
        """Deal with some neighbours as a buyer, and where it `sells` keep an eye on its own offer."""
        self.exchange = exchange
        self.sender = sender
        self.sellers = tuple(seller for seller in sellers if seller != sender.address)
        self._web3 = web3
        self._asked = (*self.sellers, sender.address) if sells else self.sellers
        self._block: int | None = None
        self._market: Market | None = None

    @property
    def address(self) -> Address:
        """Answer the home's own address."""
        return self.sender.address

    def has_order(self) -> bool:
        """Tell whether the home has left a standing order."""
        return self.exchange.order_of(self.address) is not None

    def look(self) -> Market:
        """Answer the newest block's view. It is asked for once a block; ChainError where the node does not answer."""
        try:
            block = self._web3.eth.block_number
            if self._market is None or block != self._block:
                self._market = self.exchange.market(self.address, self._asked)
                self._block = block
        except (Web3Exception, OSError) as error:
            if isinstance(error, ChainError):
                raise
            raise ChainError(f"the node does not answer: {error}") from error
        return self._market
