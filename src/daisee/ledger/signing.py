"""What an account signs: a call under a nonce for a price of gas, in wei, or nothing in its place."""

from __future__ import annotations

from eth_account.signers.local import LocalAccount
from eth_typing import HexStr
from eth_utils.address import to_checksum_address
from hexbytes import HexBytes
from web3.types import Nonce, TxParams, Wei

from daisee.ledger.transactions import Call
from daisee.units import Address

NOTHING_GAS = 21_000


def nothing_by(account: Address) -> Call:
    """Answer the call that does nothing: an empty payment to itself, which uses a nonce up."""
    return Call("nothing", account, HexStr("0x"), NOTHING_GAS)


def sign(account: LocalAccount, chain_id: int, call: Call, nonce: int, price: int) -> HexBytes:
    """Answer a transaction as it is sent; of the same call, nonce and price it is always the same."""
    fields: TxParams = {
        "nonce": Nonce(nonce),
        "gas": call.gas,
        "gasPrice": Wei(price),
        "chainId": chain_id,
        "value": Wei(call.value),
        "data": call.data,
    }
    if call.to is not None:
        fields["to"] = to_checksum_address(call.to)
    return account.sign_transaction(fields).raw_transaction  # type: ignore[arg-type]  # eth-account's own narrower dict
