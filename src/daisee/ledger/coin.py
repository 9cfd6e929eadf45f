"""DaiseeCoin as a Python object. Amounts are base units."""

from __future__ import annotations

from dataclasses import dataclass

from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak
from web3 import Web3
from web3.types import BlockIdentifier

from daisee.ledger.contract import Contract
from daisee.ledger.transactions import Call
from daisee.units import Address, Coins

UNLIMITED = Coins(2**256 - 1)
"""An allowance that is never used up."""
MINTER_ROLE = keccak(text="MINTER_ROLE")
FREEZER_ROLE = keccak(text="FREEZER_ROLE")


@dataclass(frozen=True, slots=True)
class Permit:
    """A signed word (ERC-2612) that lets a spender take coins of its signer, once, until a time."""

    value: Coins
    deadline_s: int
    v: int
    r: bytes
    s: bytes


class Coin:
    """The community's coin at an address."""

    def __init__(self, web3: Web3, address: Address, at: BlockIdentifier = "latest") -> None:
        """Stand for the contract at an address, its books as of a block."""
        self.address = address
        self._web3 = web3
        self._contract = Contract(web3, "DaiseeCoin", address, at)

    def name(self) -> str:
        """Answer what people call it."""
        return str(self._contract.ask("name"))

    def symbol(self) -> str:
        """Answer its abbreviation."""
        return str(self._contract.ask("symbol"))

    def balance_of(self, account: Address) -> Coins:
        """Answer what an account has."""
        return Coins(self._contract.ask("balanceOf", account))

    def allowance(self, owner: Address, spender: Address) -> Coins:
        """Answer what a spender may take of an owner's coins."""
        return Coins(self._contract.ask("allowance", owner, spender))

    def total_supply(self) -> Coins:
        """Answer how many base units there are."""
        return Coins(self._contract.ask("totalSupply"))

    def frozen(self, account: Address) -> bool:
        """Tell whether an account can neither send nor receive."""
        return bool(self._contract.ask("frozen", account))

    def mint(self, to: Address, amount: Coins) -> Call:
        """Make coins; for who has the minter's role."""
        return self._contract.call("mint", [to, amount], 120_000)

    def freeze(self, account: Address) -> Call:
        """Stop an account from sending and receiving; for who has the freezer's role."""
        return self._contract.call("freeze", [account], 80_000)

    def unfreeze(self, account: Address) -> Call:
        """Let an account send and receive again; for who has the freezer's role."""
        return self._contract.call("unfreeze", [account], 80_000)

    def transfer(self, to: Address, amount: Coins) -> Call:
        """Send coins of one's own."""
        return self._contract.call("transfer", [to, amount], 100_000)

    def approve(self, spender: Address, amount: Coins) -> Call:
        """Let another take up to so much."""
        return self._contract.call("approve", [spender, amount], 80_000)

    def approve_and_call(self, spender: Address, amount: Coins, data: bytes) -> Call:
        """Let a contract take up to so much, in place of what it was allowed, and tell it something at once (ERC-1363)."""
        return self._contract.call("approveAndCall(address,uint256,bytes)", [spender, amount, data], _gas_of_calling(data))

    def transfer_and_call(self, to: Address, amount: Coins, data: bytes) -> Call:
        """Send coins to a contract, and tell it something at once (ERC-1363)."""
        return self._contract.call("transferAndCall(address,uint256,bytes)", [to, amount, data], _gas_of_calling(data))

    def permit(self, account: LocalAccount, spender: Address, value: Coins, deadline_s: int) -> Permit:
        """Sign, off the chain, that a spender may take coins until a time."""
        domain = {
            "name": self.name(),
            "version": "1",
            "chainId": self._web3.eth.chain_id,
            "verifyingContract": self.address,
        }
        types = {
            "Permit": [
                {"name": "owner", "type": "address"},
                {"name": "spender", "type": "address"},
                {"name": "value", "type": "uint256"},
                {"name": "nonce", "type": "uint256"},
                {"name": "deadline", "type": "uint256"},
            ]
        }
        message = {
            "owner": account.address,
            "spender": spender,
            "value": value,
            "nonce": self._contract.ask("nonces", account.address),
            "deadline": deadline_s,
        }
        signed = account.sign_typed_data(domain, types, message)
        return Permit(value, deadline_s, signed.v, signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big"))


def _gas_of_calling(data: bytes) -> int:
    """Answer gas enough for what is told: each seller of a purchase is a word of 32 bytes, and costs up to 80,000."""
    return 250_000 + 100_000 * (len(data) // 32)
