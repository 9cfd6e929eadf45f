"""What must lie in each slot of coin and exchange: the books that follow from the events, written as the contracts write them.

The places are solc's own (`storageLayout`), OpenZeppelin's variables among them. All slots together make the contract's
storage root, so that not only a number that is wrong is seen, but also one that should not be there at all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import rlp  # type: ignore[import-untyped]  # it has no stubs
from eth_utils.address import to_canonical_address
from eth_utils.crypto import keccak
from trie.hexary import HexaryTrie

from daisee.ledger.artifacts import load
from daisee.ledger.derive import NOBODY, Derived, DerivedHome, DerivedOffer, DerivedOrder
from daisee.ledger.exchange import ALL_SURPLUS
from daisee.units import Address

FROZEN = 1 << 255
HAS_ORDER = 1 << 255
LISTED = 1 << 208
NO_LIMIT = 2**72 - 1
SHORT = 32
"""From so many bytes on, a text lies in slots of its own; a coin's name is then kept for its permits as well."""


@dataclass(slots=True)
class Unsaid:
    """What no event tells of a coin or an exchange, and a view or the slot itself is believed for."""

    admin_delay_s: int
    pending_delay: tuple[int, int]
    """The delay that is to come, and from when on."""
    name: str = ""
    symbol: str = ""
    nonces: dict[Address, int] = field(default_factory=dict)
    """How many permits of each account were used."""


class Storage:
    """The slots of a contract."""

    def __init__(self, contract: str) -> None:
        layout = load(contract).storage_layout
        self._variables = {each["label"]: each for each in layout["storage"]}
        self._types = layout["types"]
        self.words: dict[int, int] = {}
        """By slot; a zero where there is nothing, though there might be."""
        self.names: dict[int, str] = {}

    def put(self, variable: str, value: Any, *path: bytes | str) -> None:
        """Write a variable, or what is in it: by keys of mappings, 32 bytes at most, and names of a struct's fields."""
        entry = self._variables[variable]
        slot, kind, offset = int(entry["slot"]), entry["type"], entry["offset"]
        for step in path:
            if isinstance(step, str):
                field = self._field(kind, step)
                slot, kind, offset = slot + int(field["slot"]), field["type"], field["offset"]
            else:
                slot = int.from_bytes(keccak(step.rjust(32, b"\0") + slot.to_bytes(32, "big")), "big")
                kind = self._types[kind]["value"]
        told = " ".join(step if isinstance(step, str) else f"0x{step.hex()}" for step in path)
        self._write(f"{variable} {told}".strip(), slot, offset, kind, value)

    def place_of(self, variable: str) -> tuple[int, int, int]:
        """Answer a number's slot, how many bytes lie below it there, and how many it has."""
        entry = self._variables[variable]
        return int(entry["slot"]), entry["offset"], int(self._types[entry["type"]]["numberOfBytes"])

    def root(self) -> bytes:
        """Answer the root of the trie that a chain makes of it."""
        trie = HexaryTrie({})
        for slot, word in self.words.items():
            if word:
                trie[keccak(slot.to_bytes(32, "big"))] = rlp.encode(word)
        return bytes(trie.root_hash)

    def _field(self, kind: str, name: str) -> Any:
        return next(each for each in self._types[kind]["members"] if each["label"] == name)

    def _write(self, name: str, slot: int, offset: int, kind: str, value: Any) -> None:
        shape = self._types[kind]
        if shape["encoding"] == "dynamic_array":
            self._or(name, slot, len(value))
            first = int.from_bytes(keccak(slot.to_bytes(32, "big")), "big")
            for place, each in enumerate(value):
                self._write(f"{name}[{place}]", first + place, 0, shape["base"], each)
        elif shape["encoding"] == "bytes":
            self._write_text(name, slot, value.encode())
        else:
            number = int(value, 16) if isinstance(value, str) else int(value)
            # What the rules forbid may not fit; it is told elsewhere, and here must not spoil its neighbours.
            number %= 1 << 8 * int(shape["numberOfBytes"])
            self._or(name, slot, number << 8 * offset)

    def _write_text(self, name: str, slot: int, text: bytes) -> None:
        if len(text) < SHORT:
            self._or(name, slot, int.from_bytes(text.ljust(31, b"\0") + bytes([2 * len(text)]), "big"))
            return
        self._or(name, slot, 2 * len(text) + 1)
        first = int.from_bytes(keccak(slot.to_bytes(32, "big")), "big")
        for place in range(0, len(text), 32):
            self._or(name, first + place // 32, int.from_bytes(text[place : place + 32].ljust(32, b"\0"), "big"))

    def _or(self, name: str, slot: int, bits: int) -> None:
        self.words[slot] = self.words.get(slot, 0) | bits
        self.names[slot] = f"{self.names[slot]}, {name}" if slot in self.names else name


def storage_of_exchange(books: Derived, unsaid: Unsaid) -> Storage:
    """Write an exchange down."""
    storage = Storage("EnergyExchange")
    _put_roles(storage, books, books.exchange, unsaid)
    storage.put("_closing", books.closing_sellers is not None)
    storage.put("_closedSellers", books.closing_sellers or 0)
    storage.put("_members", list(books.homes))
    storage.put("_sellers", books.sellers)
    for account, home in books.homes.items():
        storage.put("_books", _word_of(home, books.orders.get(account)), _key(account))
        storage.put("_openingJ", home.opening_j, _key(account))
    for (buyer, seller), pair in books.pairs.items():
        storage.put("_pairs", pair.drawn_j << 64 | pair.bought_j, _key(buyer), _key(seller))
    for seller, offer in books.offers.items():
        storage.put("_offers", _word_of_offer(offer, books.homes[seller].sold_j), _key(seller))
    for account, order in books.orders.items():
        storage.put("_orders", order.below_permille, _key(account), "belowPermille")
        storage.put("_orders", order.amount_j, _key(account), "amountJ")
        storage.put("_orders", order.max_price_per_kwh, _key(account), "maxPricePerKwh")
        storage.put("_orders", order.sellers, _key(account), "sellers")
    return storage


def _word_of_offer(offer: DerivedOffer, sold_j: int) -> int:
    """Pack an offer as contracts/libraries/Offer.sol does; its limit is what will have been sold when nothing is left of it."""
    if not offer.price_per_kwh:
        return LISTED
    limit_j = NO_LIMIT if offer.amount_j == ALL_SURPLUS else sold_j + offer.amount_j
    return LISTED | offer.until_s << 168 | limit_j << 96 | offer.price_per_kwh


def storage_of_coin(books: Derived, unsaid: Unsaid) -> Storage:
    """Write a coin down."""
    storage = Storage("DaiseeCoin")
    _put_roles(storage, books, books.coin, unsaid)
    storage.put("_name", unsaid.name)
    storage.put("_symbol", unsaid.symbol)
    if len(unsaid.name.encode()) >= SHORT:
        storage.put("_nameFallback", unsaid.name)
    storage.put("_supply", books.supply)
    for account in {*books.balances, *books.frozen}:
        frozen = FROZEN if books.frozen.get(account) else 0
        storage.put("_accounts", books.balances.get(account, 0) | frozen, _key(account))
    for (owner, spender), allowance in books.allowances.items():
        storage.put("_allowances", allowance, _key(owner), _key(spender))
    for account, nonce in unsaid.nonces.items():
        storage.put("_nonces", nonce, _key(account))
    return storage


def _put_roles(storage: Storage, books: Derived, contract: Address, unsaid: Unsaid) -> None:
    for (where, role, account), held in books.roles.items():
        if where == contract:
            storage.put("_roles", held, role, "hasRole", _key(account))
    admin, accept_s = books.handovers.get(contract, (NOBODY, 0))
    storage.put("_pendingDefaultAdmin", admin)
    storage.put("_pendingDefaultAdminSchedule", accept_s)
    storage.put("_currentDefaultAdmin", books.admin_of(contract))
    storage.put("_currentDelay", unsaid.admin_delay_s)
    storage.put("_pendingDelay", unsaid.pending_delay[0])
    storage.put("_pendingDelaySchedule", unsaid.pending_delay[1])


def _word_of(home: DerivedHome, order: DerivedOrder | None) -> int:
    """Pack a home's books as `Books.sol` draws them."""
    made_j = home.opening_j + home.produced_j
    word = home.status | home.until_s << 8 | made_j << 48 | home.own_j << 112 | home.sold_j << 176
    return word if order is None else word | HAS_ORDER | order.below_permille << 240


def _key(account: Address) -> bytes:
    return bytes(to_canonical_address(account))
