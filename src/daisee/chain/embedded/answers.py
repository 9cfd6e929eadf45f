"""What a node answers, in geth's words: quantities as hex without leading zeros, hashes and addresses as lower-case hex.

Where a field exists only on chains of a later fork (a base fee, withdrawals), it is not there: that is how a wallet sees that
this chain takes legacy transactions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import rlp  # type: ignore[import-untyped]  # it has no stubs
from eth.abc import LogAPI, ReceiptAPI

from daisee.chain.embedded.blocks import Sealed
from daisee.chain.embedded.machine import contract_address
from daisee.chain.embedded.pool import Transaction

TYPE_OF_ACCESS_LIST = 1


def quantity(value: int) -> str:
    """Write a number."""
    return hex(value)


def data(value: bytes) -> str:
    """Write bytes."""
    return "0x" + value.hex()


def word(value: int) -> str:
    """Write a number as 32 bytes."""
    return f"0x{value:064x}"


def transaction_json(transaction: Transaction, sealed: Sealed | None, index: int | None) -> dict[str, Any]:
    """Write a transaction, in a block or waiting."""
    signed = transaction.signed
    typed = signed.type_id == TYPE_OF_ACCESS_LIST
    written: dict[str, Any] = {
        "blockHash": None if sealed is None else data(sealed.block.hash),
        "blockNumber": None if sealed is None else quantity(sealed.number),
        "transactionIndex": None if index is None else quantity(index),
        "hash": data(transaction.hash),
        "from": data(transaction.sender),
        "to": data(signed.to) if signed.to else None,
        "nonce": quantity(signed.nonce),
        "gas": quantity(signed.gas),
        "gasPrice": quantity(signed.gas_price),
        "value": quantity(signed.value),
        "input": data(signed.data),
        "type": quantity(signed.type_id or 0),
        "chainId": None if signed.chain_id is None else quantity(signed.chain_id),
        "r": quantity(signed.r),
        "s": quantity(signed.s),
        "v": quantity(signed.y_parity if typed else signed.v),  # type: ignore[attr-defined]  # a legacy one has it
    }
    if typed:
        written["yParity"] = quantity(signed.y_parity)
        written["accessList"] = [
            {"address": data(account), "storageKeys": [word(key) for key in keys]} for account, keys in signed.access_list
        ]
    return written


def receipt_json(sealed: Sealed, index: int) -> dict[str, Any]:
    """Write what became of a transaction in a block."""
    transaction, receipt = sealed.transactions[index], sealed.receipts[index]
    signed = transaction.signed
    gas_before = sealed.receipts[index - 1].gas_used if index else 0
    first_log = sum(len(earlier.logs) for earlier in sealed.receipts[:index])
    return {
        "transactionHash": data(transaction.hash),
        "transactionIndex": quantity(index),
        "blockHash": data(sealed.block.hash),
        "blockNumber": quantity(sealed.number),
        "from": data(transaction.sender),
        "to": data(signed.to) if signed.to else None,
        "cumulativeGasUsed": quantity(receipt.gas_used),
        "gasUsed": quantity(receipt.gas_used - gas_before),
        "effectiveGasPrice": quantity(signed.gas_price),
        "contractAddress": None if signed.to else data(contract_address(transaction.sender, signed.nonce)),
        "logs": [log_json(sealed, index, entry, first_log + place) for place, entry in enumerate(receipt.logs)],
        "logsBloom": bloom(receipt),
        "status": quantity(1 if receipt.state_root == b"\x01" else 0),
        "type": quantity(signed.type_id or 0),
    }


def bloom(receipt: ReceiptAPI) -> str:
    """Write the filter of a receipt's logs."""
    return f"0x{receipt.bloom:0512x}"


def log_json(sealed: Sealed, index: int, entry: LogAPI, place: int) -> dict[str, Any]:
    """Write what a contract said; `place` counts within the block."""
    return {
        "address": data(entry.address),
        "topics": [word(topic) for topic in entry.topics],
        "data": data(entry.data),
        "blockNumber": quantity(sealed.number),
        "blockHash": data(sealed.block.hash),
        "transactionHash": data(sealed.transactions[index].hash),
        "transactionIndex": quantity(index),
        "logIndex": quantity(place),
        "removed": False,
    }


def block_json(sealed: Sealed, full: bool) -> Mapping[str, Any]:
    """Write a block, with its transactions or their hashes."""
    header = sealed.block.header
    transactions: list[Any] = [data(transaction.hash) for transaction in sealed.transactions]
    if full:
        transactions = [transaction_json(each, sealed, index) for index, each in enumerate(sealed.transactions)]
    return {
        "number": quantity(sealed.number),
        "hash": data(header.hash),
        "parentHash": data(header.parent_hash),
        "nonce": data(header.nonce),
        "sha3Uncles": data(header.uncles_hash),
        "logsBloom": f"0x{header.bloom:0512x}",
        "transactionsRoot": data(header.transaction_root),
        "stateRoot": data(header.state_root),
        "receiptsRoot": data(header.receipt_root),
        "miner": data(header.coinbase),
        "difficulty": quantity(header.difficulty),
        "totalDifficulty": quantity(header.difficulty * (sealed.number + 1)),
        "extraData": data(header.extra_data),
        "mixHash": data(header.mix_hash),
        "size": quantity(len(rlp.encode(sealed.block))),
        "gasLimit": quantity(header.gas_limit),
        "gasUsed": quantity(header.gas_used),
        "timestamp": quantity(header.timestamp),
        "transactions": transactions,
        "uncles": [],
    }
