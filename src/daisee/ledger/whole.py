"""Coin and exchange compared as a whole: their code with what we compile, all of their storage with what the events make of it.

What no event tells is asked and believed here, as far as the rules allow: see `Unsaid`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from eth_abi.abi import encode
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from web3 import Web3
from web3.exceptions import Web3Exception
from web3.types import BlockIdentifier

from daisee.errors import ChainError
from daisee.ledger.asking import asked
from daisee.ledger.code import is_ours
from daisee.ledger.coin import Coin
from daisee.ledger.contract import Contract
from daisee.ledger.derive import Derived
from daisee.ledger.storage import Storage, Unsaid, storage_of_coin, storage_of_exchange
from daisee.units import Address

log = logging.getLogger(__name__)

SLOTS = 500
"""How many places are asked for at once; some nodes refuse more than 1,024."""
DOMAIN_TYPE = keccak(text="EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")

OUR_CODE = "that of this version of DAISEE"

Compared = tuple[str, Any, Any]
"""What is compared, what it should be, what it is."""


def compare_permits(web3: Web3, coin: Coin, block: int) -> Iterator[Compared]:
    """Yield what a permit is signed for: this coin on this chain, and nothing else (EIP-712)."""
    contract = Contract(web3, "DaiseeCoin", coin.address, block)
    name, chain_id = coin.name(), asked(lambda: web3.eth.chain_id)
    fields = (DOMAIN_TYPE, keccak(text=name), keccak(text="1"), chain_id, coin.address)
    domain = keccak(encode(["bytes32", "bytes32", "bytes32", "uint256", "address"], fields))
    yield "domain of permits", _hex(domain), _hex(contract.ask("DOMAIN_SEPARATOR"))
    _, *said, _, _ = contract.ask("eip712Domain")
    yield "domain of permits in words", [name, "1", chain_id, coin.address.lower()], said


def compare_code(web3: Web3, books: Derived, block: int) -> Iterator[Compared]:
    """Yield what the contracts do."""
    for name, address in books.contracts.items():
        found = bytes(asked(web3.eth.get_code, to_checksum_address(address), block))
        yield f"code of {name}", OUR_CODE, OUR_CODE if is_ours(name, found) else f"another, of {len(found)} bytes"


def compare_storage(web3: Web3, books: Derived, block: int) -> list[Compared] | None:
    """List the storage of both contracts; where one is not as it should be, also each slot that may be filled.

    None where the node does not answer eth_getProof.
    """
    compared: list[Compared] = []
    for name, address in books.contracts.items():
        proof = _proof(web3, address, [], block)
        if proof is None:
            return None
        storage = (_exchange if name == "EnergyExchange" else _coin)(web3, books, block)
        root, found = storage.root(), bytes(proof["storageHash"])
        compared.append((f"storage of {name} as a whole", _hex(root), _hex(found)))
        if root != found:
            compared += _slots(web3, name, address, storage, block)
    return compared


def _slots(web3: Web3, name: str, address: Address, storage: Storage, block: int) -> Iterator[Compared]:
    slots = list(storage.words)
    for start in range(0, len(slots), SLOTS):
        page = slots[start : start + SLOTS]
        proof = _proof(web3, address, page, block)
        values = [int.from_bytes(each["value"], "big") for each in proof["storageProof"]] if proof else []
        for slot, value in zip(page, values, strict=False):
            yield f"slot of {storage.names[slot]} in {name}", hex(storage.words[slot]), hex(value)


def _proof(web3: Web3, address: Address, slots: Sequence[int], block: int) -> Any:
    """Ask for an account; None where the node does not tell."""
    ask: Callable[..., Any] = web3.eth.get_proof
    try:
        return ask(to_checksum_address(address), slots, block)
    except OSError as error:
        raise ChainError(f"the node does not answer: {error}") from error
    except Web3Exception as error:
        log.debug("eth_getProof: %s", error)
        return None


def _exchange(web3: Web3, books: Derived, block: int) -> Storage:
    return storage_of_exchange(books, _unsaid(web3, books, books.exchange, "EnergyExchange", block))


def _coin(web3: Web3, books: Derived, block: int) -> Storage:
    coin, contract = Coin(web3, books.coin, block), Contract(web3, "DaiseeCoin", books.coin, block)
    unsaid = _unsaid(web3, books, books.coin, "DaiseeCoin", block)
    unsaid.name, unsaid.symbol = coin.name(), coin.symbol()
    # Whoever used a permit is among them: it tells an Approval.
    unsaid.nonces = {owner: int(contract.ask("nonces", owner)) for owner in {owner for owner, _ in books.allowances}}
    return storage_of_coin(books, unsaid)


def _unsaid(web3: Web3, books: Derived, address: Address, name: str, block: int) -> Unsaid:
    """Ask how long the handing over of the admin's role takes: the delay of the constructor is in no event.

    One that is to come is; only to take it back after it came to be leaves no event either.
    """
    told = _read(web3, address, name, ("_currentDelay", "_pendingDelay", "_pendingDelaySchedule"), block)
    coming = books.delays.get(address, (0, 0))
    if told[1:] == (0, 0) and coming[1] < asked(web3.eth.get_block, block)["timestamp"]:
        coming = 0, 0
    return Unsaid(told[0], coming)


def _read(web3: Web3, address: Address, name: str, variables: Sequence[str], block: BlockIdentifier) -> tuple[int, ...]:
    """Read numbers from where they lie."""
    storage, found = Storage(name), []
    for variable in variables:
        slot, offset, size = storage.place_of(variable)
        word = asked(web3.eth.get_storage_at, to_checksum_address(address), slot, block)
        found.append(int.from_bytes(word, "big") >> 8 * offset & (1 << 8 * size) - 1)
    return tuple(found)


def _hex(value: bytes) -> str:
    return "0x" + value.hex()
