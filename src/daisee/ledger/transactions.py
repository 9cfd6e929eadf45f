"""What an account can ask of a contract, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass

from eth_typing import HexStr
from hexbytes import HexBytes
from web3.types import TxReceipt

from daisee.units import Address


@dataclass(frozen=True, slots=True)
class Call:
    """What a contract should do, ready to be signed."""

    name: str
    """The function, for people."""
    to: Address | None
    """The contract; None to make one."""
    data: HexStr
    gas: int
    """The most gas it may use. What it does not use is not paid."""
    value: int = 0
    """How much of the chain's own money goes along, in its smallest unit."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a transaction that is in a block."""

    transaction: HexStr
    succeeded: bool
    block: int
    gas_used: int
    contract: Address | None
    """The contract that it made, if it made one."""


def hash_of(receipt: TxReceipt) -> HexStr:
    """Answer which transaction a receipt is of."""
    return HexStr(HexBytes(receipt["transactionHash"]).to_0x_hex())


def outcome_of(receipt: TxReceipt) -> Outcome:
    """Read a receipt."""
    contract = receipt.get("contractAddress")
    return Outcome(
        transaction=hash_of(receipt),
        succeeded=receipt["status"] == 1,
        block=receipt["blockNumber"],
        gas_used=receipt["gasUsed"],
        contract=Address(contract) if contract else None,
    )
