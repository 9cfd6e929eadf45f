"""DaiseeCoin as a Python object. Amounts are base units."""

from __future__ import annotations

from web3 import Web3

from daisee.ledger.contract import Contract
from daisee.ledger.transactions import Call
from daisee.units import Address, Coins

UNLIMITED = Coins(2**256 - 1)
"""An allowance that is never used up."""


class Coin:
    """The community's coin at an address."""

    def __init__(self, web3: Web3, address: Address) -> None:
        self.address = address
        self._contract = Contract(web3, "DaiseeCoin", address)

    def balance_of(self, account: Address) -> Coins:
        """Answer what an account has."""
        return Coins(self._contract.ask("balanceOf", account))

    def total_supply(self) -> Coins:
        """Answer how many base units there are."""
        return Coins(self._contract.ask("totalSupply"))

    def mint(self, to: Address, amount: Coins) -> Call:
        """Make coins; for who has the minter's role."""
        return self._contract.call("mint", [to, amount], 120_000)

    def transfer(self, to: Address, amount: Coins) -> Call:
        """Send coins of one's own."""
        return self._contract.call("transfer", [to, amount], 100_000)

    def approve(self, spender: Address, amount: Coins) -> Call:
        """Let another take up to so much."""
        return self._contract.call("approve", [spender, amount], 80_000)
