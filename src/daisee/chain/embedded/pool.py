"""Transactions that wait for a block: taken in when they could one day be part of one, handed out in an order in which they can.

One transaction waits for each nonce of an account. As geth has it, those whose turn can come are pending, and those whose
nonce is ahead of it are queued until the nonces between have come too. What is refused is refused in the order and in the
words of geth 1.13.15 with `--txpool.nolocals`; a test compares them. Two things differ, so that a flood on the port cannot
fill the memory: geth takes a nonce however far ahead, and drops it later; and it drops another's when it is full.
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

from daisee.chain.embedded.machine import SERVER_ERROR
from daisee.errors import ChainError

LEAST_GAS_PRICE = 1
PRICE_BUMP_PERCENT = 10
"""By how much a transaction must pay better than the one it replaces, and more in any case."""
DYNAMIC_FEE = 2
"""The type of transaction that came with London."""
MOST_WAITING = 5_000
"""As many as geth's pool holds, roughly; a flood on the port must not fill the memory."""
MOST_BYTES = 131_072
"""The size of the largest transaction, as in geth."""
FURTHEST_AHEAD = 64
"""How far ahead of its turn a nonce may be; geth queues as many for each account."""
UNREADABLE = (ValidationError, RLPException, RecursionError, TypeError, ValueError)
"""All that py-evm raises over bytes that are no signed transaction of the chain."""


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
        signed = self._read(raw)
        if bytes(signed.hash) in self._by_hash:
            raise ChainError("already known", SERVER_ERROR)
        sender = self._check(signed)
        self._check_account(signed, sender, accounts)
        theirs = self._by_sender.get(sender, {})
        earlier = theirs.get(signed.nonce)
        if earlier is not None:
            bumped = earlier.signed.gas_price * (100 + PRICE_BUMP_PERCENT) // 100
            if signed.gas_price <= earlier.signed.gas_price or signed.gas_price < bumped:
                raise ChainError("replacement transaction underpriced", SERVER_ERROR)
            del self._by_hash[earlier.hash]
        elif len(self) >= MOST_WAITING or signed.nonce > accounts.get_nonce(sender) + FURTHEST_AHEAD + len(theirs):
            raise ChainError("txpool is full", SERVER_ERROR)
        transaction = Transaction(signed, bytes(signed.hash), sender, self._arrivals)
        self._by_sender.setdefault(sender, theirs)[signed.nonce] = self._by_hash[transaction.hash] = transaction
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

    def _read(self, raw: bytes) -> SignedTransactionAPI:
        """Decode."""
        if len(raw) > MOST_BYTES:
            raise ChainError(f"oversized data: transaction size {len(raw)}, limit {MOST_BYTES}", SERVER_ERROR)
        if not raw or (len(raw) == 1 and raw[0] < 0x80):
            raise ChainError("typed transaction too short", SERVER_ERROR)
        try:
            signed = self._decoder.decode(raw)
            if signed.chain_id is None:
                raise ChainError("only replay-protected (EIP-155) transactions allowed over RPC", SERVER_ERROR)
        except UnrecognizedTransactionType as error:
            told = f": type {DYNAMIC_FEE} rejected, pool not yet in London" if raw[0] == DYNAMIC_FEE else ""
            raise ChainError(f"transaction type not supported{told}", SERVER_ERROR) from error
        except UNREADABLE as error:
            raise ChainError(f"rlp: this is no transaction: {error}", SERVER_ERROR) from error
        return signed

    def _check(self, signed: SignedTransactionAPI) -> CanonicalAddress:
        """Check what does not depend on any account, and answer who signed."""
        if signed.gas > self._gas_limit:
            raise ChainError("exceeds block gas limit", SERVER_ERROR)
        try:
            if signed.chain_id != self._chain_id:
                raise ValidationError("this is another chain's")
            least = signed.intrinsic_gas
            if signed.gas >= least:  # about which py-evm has words of its own
                signed.validate()
            sender = signed.sender
        except UNREADABLE as error:
            raise ChainError("invalid sender", SERVER_ERROR) from error
        if signed.gas < least:
            raise ChainError(f"intrinsic gas too low: gas {signed.gas}, minimum needed {least}", SERVER_ERROR)
        if signed.gas_price < LEAST_GAS_PRICE:
            told = f"transaction underpriced: gas tip cap {signed.gas_price}, minimum needed {LEAST_GAS_PRICE}"
            raise ChainError(told, SERVER_ERROR)
        return sender

    def _check_account(self, signed: SignedTransactionAPI, sender: CanonicalAddress, accounts: Accounts) -> None:
        """Check that a nonce is not over, and that an account can pay for this beside all that waits of it already."""
        following = accounts.get_nonce(sender)
        if signed.nonce < following:
            raise ChainError(f"nonce too low: next nonce {following}, tx nonce {signed.nonce}", SERVER_ERROR)
        balance, cost = accounts.get_balance(sender), _cost(signed)
        queued = {nonce: _cost(each.signed) for nonce, each in self._by_sender.get(sender, {}).items()}
        spent = sum(queued.values())
        if balance < cost:
            told, over = f"tx cost {cost}", cost - balance
        elif signed.nonce in queued:
            bumped = cost - queued[signed.nonce]
            told, over = f"queued cost {spent}, tx bumped {bumped}", spent + bumped - balance
        else:
            told, over = f"queued cost {spent}, tx cost {cost}", spent + cost - balance
        if over > 0:
            told = f"insufficient funds for gas * price + value: balance {balance}, {told}, overshot {over}"
            raise ChainError(told, SERVER_ERROR)


def _cost(signed: SignedTransactionAPI) -> int:
    """Answer the most that a transaction can take from its sender."""
    return int(signed.value + signed.gas * signed.gas_price)
