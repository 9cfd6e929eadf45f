"""The methods of a node: one table from JSON-RPC's names to functions that ask the embedded chain.

There is no method that signs, mines or unlocks: nothing but a signed transaction changes anything, and no key is held.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from eth.abc import StateAPI
from eth_typing import Address as CanonicalAddress
from eth_utils.crypto import keccak

from daisee import __version__
from daisee.chain.embedded import calls, questions
from daisee.chain.embedded.answers import block_json, data, log_json, quantity, receipt_json, transaction_json, word
from daisee.chain.embedded.blocks import Blocks, Sealed
from daisee.chain.embedded.machine import SERVER_ERROR
from daisee.chain.embedded.pool import LEAST_GAS_PRICE
from daisee.chain.embedded.proofs import proof_json
from daisee.errors import ChainError

NO_SUCH_METHOD = -32601
MOST_LOGS = 10_000
"""The most logs that one answer holds."""


def answer(chain: Blocks, method: str, params: list[Any]) -> Any:
    """Answer one call; ChainError with a JSON-RPC code where there is no answer."""
    known = METHODS.get(method)
    if known is None:
        raise ChainError(f"the method {method[:80]} does not exist/is not available", NO_SUCH_METHOD)
    fewest, most = ARITY[method]
    if len(params) < fewest:
        raise ChainError(f"missing value for required argument {len(params)}", questions.INVALID_PARAMS)
    if len(params) > most:
        raise ChainError(f"too many arguments, want at most {most}", questions.INVALID_PARAMS)
    return known(chain, *params)


def _state(chain: Blocks, at: Any) -> StateAPI:
    return chain.vm_after(questions.block(chain, at)).state


def _account(text: Any) -> CanonicalAddress:
    return CanonicalAddress(questions.account(text))


def _get_balance(chain: Blocks, account: Any, at: Any) -> str:
    return quantity(_state(chain, at).get_balance(_account(account)))


def _get_code(chain: Blocks, account: Any, at: Any) -> str:
    return data(_state(chain, at).get_code(_account(account)))


def _get_storage(chain: Blocks, account: Any, slot: Any, at: Any) -> str:
    return word(_state(chain, at).get_storage(_account(account), questions.slot(slot)))


def _get_proof(chain: Blocks, account: Any, slots: Any, at: Any) -> dict[str, Any]:
    state = _state(chain, at)
    nodes = chain.nodes_of(state)
    return proof_json(nodes, state.state_root, _account(account), questions.slots(slots))


def _get_nonce(chain: Blocks, account: Any, at: Any) -> str:
    if at == "pending":
        return quantity(chain.pool.next_nonce(_account(account), chain.head_state))
    return quantity(_state(chain, at).get_nonce(_account(account)))


def _send_raw(chain: Blocks, raw: Any) -> str:
    return data(chain.take(questions.octets(raw)))


def _get_transaction(chain: Blocks, asked: Any) -> dict[str, Any] | None:
    wanted = questions.octets(asked, 32)
    found = chain.find_transaction(wanted)
    if found is not None:
        sealed, index = found
        return transaction_json(sealed.transactions[index], sealed, index)
    waiting = chain.pool.get(wanted)
    return None if waiting is None else transaction_json(waiting, None, None)


def _get_receipt(chain: Blocks, asked: Any) -> dict[str, Any] | None:
    found = chain.find_transaction(questions.octets(asked, 32))
    return None if found is None else receipt_json(*found)


def _get_block_receipts(chain: Blocks, at: Any) -> list[dict[str, Any]] | None:
    sealed = questions.find_block(chain, at)
    return None if sealed is None else [receipt_json(sealed, index) for index in range(len(sealed.transactions))]


def _get_block_by_number(chain: Blocks, at: Any, full: Any) -> Any:
    sealed = questions.find_block(chain, at)
    return None if sealed is None else block_json(sealed, bool(full))


def _get_block_by_hash(chain: Blocks, block_hash: Any, full: Any) -> Any:
    sealed = chain.find_block(questions.octets(block_hash, 32))
    return None if sealed is None else block_json(sealed, bool(full))


def _count_by_number(chain: Blocks, at: Any) -> str | None:
    return _count(questions.find_block(chain, at))


def _count_by_hash(chain: Blocks, block_hash: Any) -> str | None:
    return _count(chain.find_block(questions.octets(block_hash, 32)))


def _count(sealed: Sealed | None) -> str | None:
    return None if sealed is None else quantity(len(sealed.transactions))


def _get_logs(chain: Blocks, asked: Any) -> list[dict[str, Any]]:
    if not isinstance(asked, Mapping):
        raise questions.unfit("a filter is an object")
    addresses, topics = questions.choices(asked.get("address"), 20), questions.topics(asked.get("topics"))
    found: list[dict[str, Any]] = []
    for sealed in _blocks_of(chain, asked):
        place = 0
        for index, receipt in enumerate(sealed.receipts):
            for entry in receipt.logs:
                if _wanted(data(entry.address), [word(topic) for topic in entry.topics], addresses, topics):
                    found.append(log_json(sealed, index, entry, place))
                place += 1
        if len(found) > MOST_LOGS:
            raise ChainError(f"more than {MOST_LOGS} logs; ask for fewer blocks at a time", SERVER_ERROR)
    return found


def _blocks_of(chain: Blocks, asked: Mapping[str, Any]) -> list[Sealed]:
    """List the blocks a filter names in which there are any logs."""
    if asked.get("blockHash") is not None:
        if asked.get("fromBlock") is not None or asked.get("toBlock") is not None:
            raise questions.unfit("a filter names a block, or from which to which, not both")
        sealed = chain.find_block(questions.octets(asked["blockHash"], 32))
        if sealed is None:
            raise ChainError("unknown block", SERVER_ERROR)
        return [sealed]
    said = [asked.get("fromBlock") or "latest", asked.get("toBlock") or "latest"]
    numbers = [questions.number(each) for each in said if str(each).startswith("0x")]
    if len(numbers) == 2 and numbers[0] > numbers[1] > 0:  # as in geth, for which no block is before the genesis
        raise ChainError("invalid block range params", SERVER_ERROR)
    first, last = (questions.find_block(chain, each) for each in said)
    if first is None:
        return []
    last = last or chain.head
    return list(chain.blocks_with_logs(first.number, last.number))


def _wanted(address: str, topics: list[str], addresses: set[str] | None, wanted: list[set[str] | None]) -> bool:
    if addresses is not None and address not in addresses:
        return False
    if len(wanted) > len(topics):
        return False
    return all(choice is None or topic in choice for choice, topic in zip(wanted, topics, strict=False))


METHODS: dict[str, Callable[..., Any]] = {
    "web3_clientVersion": lambda _chain: f"daisee/{__version__}/embedded/py-evm",
    "web3_sha3": lambda _chain, text: data(keccak(questions.octets(text))),
    "net_version": lambda chain: str(chain.chain_id),
    "net_listening": lambda _chain: False,
    "net_peerCount": lambda _chain: quantity(0),
    "eth_chainId": lambda chain: quantity(chain.chain_id),
    "eth_syncing": lambda _chain: False,
    "eth_mining": lambda _chain: False,
    "eth_accounts": lambda _chain: [],
    "eth_blockNumber": lambda chain: quantity(chain.head.number),
    "eth_gasPrice": lambda _chain: quantity(LEAST_GAS_PRICE),
    "eth_getBalance": _get_balance,
    "eth_getCode": _get_code,
    "eth_getStorageAt": _get_storage,
    "eth_getProof": _get_proof,
    "eth_getTransactionCount": _get_nonce,
    "eth_call": calls.call,
    "eth_estimateGas": calls.estimate_gas,
    "eth_sendRawTransaction": _send_raw,
    "eth_getTransactionByHash": _get_transaction,
    "eth_getTransactionReceipt": _get_receipt,
    "eth_getBlockReceipts": _get_block_receipts,
    "eth_getBlockByNumber": _get_block_by_number,
    "eth_getBlockByHash": _get_block_by_hash,
    "eth_getBlockTransactionCountByNumber": _count_by_number,
    "eth_getBlockTransactionCountByHash": _count_by_hash,
    "eth_getLogs": _get_logs,
}
"""eth_feeHistory and eth_maxPriorityFeePerGas are left out: there is no base fee, and a wallet that gets an answer to them makes
transactions of a type that this chain does not take."""


def _arity(method: Callable[..., Any]) -> tuple[int, int]:
    parameters = list(inspect.signature(method).parameters.values())[1:]
    return sum(each.default is each.empty for each in parameters), len(parameters)


ARITY = {name: _arity(method) for name, method in METHODS.items()}
"""The fewest and the most parameters of each."""
