"""Transactions that wait for a block: taken in when they could one day be part of one, handed out in an order in which they can.

One transaction waits for each nonce of an account. As geth has it, those whose turn can come are pending, and those whose
nonce is ahead of it are queued until the nonces between have come too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from eth.abc import SignedTransactionAPI, TransactionDecoderAPI
from eth.exceptions import UnrecognizedTransactionType
from eth_typing import Address as CanonicalAddress
from eth_utils.exceptions import ValidationError
from rlp.exceptions import RLPException  # type: ignore[import-untyped]  # it has no stubs

from daisee.chain.machine import SERVER_ERROR
from daisee.errors import ChainError

LEAST_GAS_PRICE = 1
MOST_WAITING = 5_000
"""As many as geth's pool holds, roughly; a flood on the port must not fill the memory."""
MOST_BYTES = 131_072
"""The size of the largest transaction, as in geth."""
FURTHEST_AHEAD = 64
"""How far ahead of its turn a nonce may be; geth queues as many for each account."""


class Accounts(Protocol):
    """What is asked of the newest state."""

    def get_nonce(self, address: CanonicalAddress) -> int:
        """Answer an account's next nonce."""

    def get_balance(self, address: CanonicalAddress) -> int:
        """Answer what an account has."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """A signed transaction, with what is dear to reckon."""

    signed: SignedTransactionAPI
    hash: bytes
    sender: CanonicalAddress
    arrival: int
    """Counts up."""


class Pool:
    """What waits. Not locked: its chain is."""

    def __init__(self, chain_id: int, gas_limit: int, decoder: type[TransactionDecoderAPI]) -> None:
        """Hold transactions of one chain, none of which asks for more gas than a block has."""
        self._chain_id = chain_id
        self._gas_limit = gas_limit
        self._decoder = decoder
        self._arrivals = 0
        self._by_hash: dict[bytes, Transaction] = {}
        self._by_sender: dict[CanonicalAddress, dict[int, Transaction]] = {}

    def __len__(self) -> int:
        return len(self._by_hash)

    def get(self, transaction_hash: bytes) -> Transaction | None:
        """Answer what waits under a hash."""
        return self._by_hash.get(transaction_hash)

    def take(self, raw: bytes, accounts: Accounts) -> Transaction:
        """Take a signed transaction in. ChainError, in geth's words, where it could never be in a block."""
        signed, sender = self._read(raw)
        transaction = Transaction(signed, bytes(signed.hash), sender, self._arrivals)
        self._check(transaction, accounts)
        theirs = self._by_sender.setdefault(sender, {})
        earlier = theirs.get(signed.nonce)
        if earlier is not None:
            if signed.gas_price <= earlier.signed.gas_price:
                raise ChainError("replacement transaction underpriced", SERVER_ERROR)
            del self._by_hash[earlier.hash]
        theirs[signed.nonce] = self._by_hash[transaction.hash] = transaction
        self._arrivals += 1
        return transaction

    def next_nonce(self, account: CanonicalAddress, accounts: Accounts) -> int:
        """Answer the nonce after all that is pending of an account."""
        nonce = accounts.get_nonce(account)
        theirs = self._by_sender.get(account, {})
        while nonce in theirs:
            nonce += 1
        return nonce

    def ready(self, accounts: Accounts) -> list[Transaction]:
        """List what is pending: by arrival, but never before the same account's nonce before."""
        lines = {sender: list(self._line(sender, accounts.get_nonce(sender))) for sender in self._by_sender}
        # A later nonce that arrived first is held until its own turn, and then counts from there.
        turns = []
        for line in lines.values():
            latest = -1
            for transaction in line:
                latest = max(latest, transaction.arrival)
                turns.append((latest, transaction.signed.nonce, transaction))
        return [transaction for _arrival, _nonce, transaction in sorted(turns, key=lambda turn: turn[:2])]

    def drop(self, transaction: Transaction) -> None:
        """Forget one, because it is in a block or can be in none."""
        if self._by_hash.pop(transaction.hash, None) is None:
            return
        theirs = self._by_sender[transaction.sender]
        del theirs[transaction.signed.nonce]
        if not theirs:
            del self._by_sender[transaction.sender]

    def _line(self, sender: CanonicalAddress, nonce: int) -> Iterator[Transaction]:
        theirs = self._by_sender[sender]
        while nonce in theirs:
            yield theirs[nonce]
            nonce += 1

    def _read(self, raw: bytes) -> tuple[SignedTransactionAPI, CanonicalAddress]:
        """Decode, check the signature, and say who signed."""
        if len(raw) > MOST_BYTES:
            raise ChainError(f"oversized data: transaction size {len(raw)}, limit {MOST_BYTES}", SERVER_ERROR)
        try:
            signed = self._decoder.decode(raw)
            if signed.chain_id is None:
                raise ChainError("only replay-protected (EIP-155) transactions allowed over RPC", SERVER_ERROR)
            if signed.chain_id != self._chain_id:
                told = f"invalid chain id for signer: have {signed.chain_id} want {self._chain_id}"
                raise ChainError(told, SERVER_ERROR)
            least = signed.intrinsic_gas
            if signed.gas < least:
                raise ChainError(f"intrinsic gas too low: gas {signed.gas}, minimum needed {least}", SERVER_ERROR)
            signed.validate()
            return signed, signed.sender
        except (ValidationError, RLPException, UnrecognizedTransactionType, RecursionError, TypeError, ValueError) as error:
            raise ChainError(f"this is no signed transaction of this chain: {error}", SERVER_ERROR) from error

    def _check(self, transaction: Transaction, accounts: Accounts) -> None:
        signed, sender = transaction.signed, transaction.sender
        if transaction.hash in self._by_hash:
            raise ChainError("already known", SERVER_ERROR)
        if signed.gas_price < LEAST_GAS_PRICE:
            raise ChainError(f"transaction underpriced: gas costs at least {LEAST_GAS_PRICE}", SERVER_ERROR)
        if signed.gas > self._gas_limit:
            raise ChainError("exceeds block gas limit", SERVER_ERROR)
        following = accounts.get_nonce(sender)
        if signed.nonce < following:
            raise ChainError(f"nonce too low: next nonce {following}, tx nonce {signed.nonce}", SERVER_ERROR)
        have, cost = accounts.get_balance(sender), signed.value + signed.gas * signed.gas_price
        if have < cost:
            raise ChainError(f"insufficient funds for gas * price + value: balance {have}, tx cost {cost}", SERVER_ERROR)
        if len(self) >= MOST_WAITING or signed.nonce > following + FURTHEST_AHEAD + len(self._by_sender.get(sender, ())):
            raise ChainError("txpool is full", SERVER_ERROR)
