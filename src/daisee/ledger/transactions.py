"""Calls of contracts, signed in this process and sent; the node never holds a key.

A `Call` is what a contract should do; a `Sender` is an account that signs and sends it and later finds out what became of
it. Gas costs one base unit of the chain's own money, by the community's genesis; nobody pays more.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from eth_account.signers.local import LocalAccount
from eth_typing import HexStr
from eth_utils.address import to_checksum_address
from hexbytes import HexBytes
from web3 import Web3
from web3.exceptions import TransactionIndexingInProgress, TransactionNotFound, Web3Exception
from web3.types import Nonce, TxParams, Wei

from daisee.errors import ChainError
from daisee.ledger.reverts import reason_of
from daisee.units import Address

log = logging.getLogger(__name__)

GAS_PRICE = 1
"""What gas costs on a community's chain."""


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


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a transaction that is in a block."""

    transaction: HexStr
    succeeded: bool
    block: int
    gas_used: int
    contract: Address | None
    """The contract that it made, if it made one."""


class Sender:
    """One account. Its key stays in here and is in no log, no repr and no error."""

    def __init__(self, web3: Web3, account: LocalAccount, *, gas_price: int = GAS_PRICE) -> None:
        self._web3 = web3
        self._account = account
        self._gas_price = Wei(gas_price)
        self._chain_id = web3.eth.chain_id
        self._nonce: int | None = None
        self.address = Address(account.address)

    def send(self, call: Call) -> HexStr:
        """Sign a call and hand it to the node; answer its transaction hash. ChainError where the node does not take it."""
        try:
            if self._nonce is None:
                self._nonce = self._web3.eth.get_transaction_count(self._account.address, "pending")
            transaction = self._web3.eth.send_raw_transaction(self._sign(call, self._nonce))
        except (Web3Exception, OSError) as error:
            self._nonce = None  # asked again next time: the node may have taken it all the same
            raise ChainError(f"the node did not take {call.name}: {error}") from error
        self._nonce += 1
        log.debug("%s sent %s as %s", self.address, call.name, transaction.to_0x_hex())
        return HexStr(transaction.to_0x_hex())

    def _sign(self, call: Call, nonce: int) -> HexBytes:
        fields: TxParams = {
            "nonce": Nonce(nonce),
            "gas": call.gas,
            "gasPrice": self._gas_price,
            "chainId": self._chain_id,
            "value": Wei(0),
            "data": call.data,
        }
        if call.to is not None:
            fields["to"] = to_checksum_address(call.to)
        return self._account.sign_transaction(fields).raw_transaction  # type: ignore[arg-type]  # eth-account's own narrower dict

    def unsettled(self) -> bool:
        """Tell whether the node holds transactions of this account that are in no block. ChainError where it does not answer."""
        try:
            pending, settled = (self._web3.eth.get_transaction_count(self._account.address, at) for at in ("pending", "latest"))
        except (Web3Exception, OSError) as error:
            raise ChainError(f"the node does not answer: {error}") from error
        return pending > settled

    def outcome(self, transaction: HexStr) -> Outcome | None:
        """Answer what became of a transaction; None while it is in no block. ChainError where the node does not answer.

        What is asked of the newest block afterwards knows of it: geth has a receipt a moment before its block is the newest.
        """
        try:
            receipt = self._web3.eth.get_transaction_receipt(transaction)
            if self._web3.eth.block_number < receipt["blockNumber"]:
                return None
        except (TransactionNotFound, TransactionIndexingInProgress):  # which is what geth says before its first block
            return None
        except (Web3Exception, OSError) as error:
            raise ChainError(f"the node does not answer: {error}") from error
        contract = receipt.get("contractAddress")
        return Outcome(
            transaction=transaction,
            succeeded=receipt["status"] == 1,
            block=receipt["blockNumber"],
            gas_used=receipt["gasUsed"],
            contract=Address(contract) if contract else None,
        )

    def why(self, call: Call) -> str:
        """Say in words why a call is refused now; what a contract refused in a block is mostly refused after it too."""
        try:
            self._web3.eth.call({"from": self._account.address, "to": call.to, "data": call.data, "gas": call.gas})  # type: ignore[typeddict-item]
        except (Web3Exception, OSError) as error:
            return str(reason_of(error))
        return "it would be taken now"
