"""An account that signs calls in this process and sends them; the node never holds a key.

What makes a call happen once is its nonce: of all transactions of an account with the same nonce, a chain takes one. So a
call is sent under one nonce, as often as it takes and for more money when it is stuck, and gets another nonce only when a
transaction that is not ours is seen to have taken that one, as deep in the chain as the caller asks.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast

from eth_account.signers.local import LocalAccount
from eth_typing import HexStr
from eth_utils.address import to_checksum_address
from hexbytes import HexBytes
from web3 import Web3
from web3.exceptions import (
    BlockNotFound,
    TransactionIndexingInProgress,
    TransactionNotFound,
    Web3Exception,
    Web3RPCError,
)
from web3.types import Nonce, TxData, TxParams, TxReceipt, Wei

from daisee.errors import ChainError, StoreError, TransactionLost
from daisee.ledger.outbox import Outbox, Posted
from daisee.ledger.reverts import reason_of
from daisee.ledger.transactions import Call, Outcome
from daisee.units import Address

log = logging.getLogger(__name__)

GAS_PRICE = 1
"""What gas costs on a community's chain."""
PATIENCE_S = 30.0
"""How long a transaction may wait in a node before it is looked after."""
MOST_TIMES_PRICE = 100
"""How many times the first price a stuck transaction is offered for, at most."""
POLL_S = 0.25
DEEPEST_REORGANISATION = 64
"""How many blocks before the one in which a call got its nonce are searched for another's transaction with it."""
NOTHING_GAS = 21_000

TAKEN = re.compile(r"already ?known|known transaction|already imported|already in (the )?(tx)?pool", re.IGNORECASE)
"""What geth, Besu, Nethermind, Erigon, anvil and Parity say of a transaction that they have."""
REFUSED = re.compile(
    r"insufficient ?funds|upfront cost|sender doesn't have enough|intrinsic gas|gas limit|invalid sender"
    r"|invalid signature|chain ?id|not authori[sz]ed|oversized|base fee|price below"
    r"|^(?!.*replacement).*underpriced",
    re.IGNORECASE,
)
"""What they say of one that they will not take, however often it comes; what is in neither list may pass."""


@dataclass(slots=True)
class Sent:
    """A call on its way; its sender knows what becomes of it."""

    posted: Posted
    hashes: list[HexStr] = field(default_factory=list)
    """Of each price that was offered; at most one of them is ever in the chain."""
    handed_over_at_s: float | None = None
    """When the node last said that it has it; None while it did not."""
    told: str = ""
    """What the node last had against it."""
    seen_in: int | None = None
    """The block that has it, not yet deep enough."""
    outcome: Outcome | None = None

    @property
    def call(self) -> Call:
        """Answer what is to be done."""
        return self.posted.call


class Sender:
    """One account. Its key stays in here and is in no log, no repr and no error."""

    def __init__(
        self,
        web3: Web3,
        account: LocalAccount,
        *,
        gas_price: int | None = GAS_PRICE,
        confirmations: int = 1,
        outbox: Outbox | None = None,
        patience_s: float = PATIENCE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Send as an account. With no gas price, the node says what it is.

        A transaction is settled when so many `confirmations`, its own block the first, hold it. What an `outbox` remembers
        from before is in flight from the beginning.
        """
        self._web3 = web3
        self._account = account
        self._gas_price = gas_price
        self._confirmations = confirmations
        self._outbox = outbox
        self._patience_s = patience_s
        self._clock = clock
        self._chain_id = web3.eth.chain_id
        self._head = 0
        self._next_nonce: int | None = None
        self.address = Address(account.address)
        self.in_flight = [self._signed(Sent(posted)) for posted in (outbox.read() if outbox else [])]
        """What is not settled, the oldest first."""

    def send(self, call: Call) -> Sent:
        """Sign a call and hand it to the node. Where the node is silent after that, `outcome` hands it over again.

        ChainError where nothing was sent: the node does not say what comes next, or will not have this.
        """
        with _said(f"{call.name} was not sent"):
            if self._next_nonce is None:
                self._next_nonce, self._head = self._following(), self._web3.eth.block_number
            price = self._web3.eth.gas_price if self._gas_price is None else self._gas_price
        sent = self._signed(Sent(Posted(call, self._next_nonce, self._head, [int(price)])))
        self.in_flight.append(sent)
        try:
            self._remember()
        except StoreError:
            self.in_flight.remove(sent)
            raise
        self._hand_over(sent)
        if REFUSED.search(sent.told) and not self._may_be_there(sent):
            self.in_flight.remove(sent)
            self._remember()
            raise ChainError(f"the node did not take {call.name}: {sent.told}")
        self._next_nonce += 1
        log.debug("%s sent %s as %s", self.address, call.name, sent.hashes[-1])
        return sent

    def outcome(self, sent: Sent) -> Outcome | None:
        """Answer what became of a call, looking after it on the way; None while it is not settled.

        What is asked of the newest block afterwards knows of it: geth has a receipt a moment before its block is the newest.
        ChainError where the node does not answer.
        """
        if sent.outcome is not None:
            return sent.outcome
        with _said("the node does not answer"):
            receipt = self._receipt(sent)
            self._head = self._web3.eth.block_number
            if receipt is None:
                self._look_after(sent)
                return None
            sent.seen_in = receipt["blockNumber"]
            if self._head - receipt["blockNumber"] + 1 < self._confirmations or not self._holds(receipt):
                return None
        contract = receipt.get("contractAddress")
        sent.outcome = Outcome(
            transaction=HexStr(HexBytes(receipt["transactionHash"]).to_0x_hex()),
            succeeded=receipt["status"] == 1,
            block=receipt["blockNumber"],
            gas_used=receipt["gasUsed"],
            contract=Address(contract) if contract else None,
        )
        self.in_flight.remove(sent)
        self._remember()
        return sent.outcome

    def wait(self, sent: Sent, timeout_s: float) -> Outcome:
        """Answer what became of a call when it is settled; TransactionLost after a time, though it stays in flight."""
        until = self._clock() + timeout_s
        while (outcome := self.outcome(sent)) is None:
            if self._clock() > until:
                raise TransactionLost(sent.hashes[-1], timeout_s, sent.told)
            time.sleep(POLL_S)
        return outcome

    def unsettled(self) -> bool:
        """Tell whether transactions of this account are on their way, ours or another's. ChainError where nobody answers."""
        for sent in list(self.in_flight):
            self.outcome(sent)
        with _said("the node does not answer"):
            return bool(self.in_flight) or self._count("pending") > self._count("latest")

    def why(self, call: Call) -> str:
        """Say in words why a call is refused now; what a contract refused in a block is mostly refused after it too."""
        try:
            self._web3.eth.call({"from": self._account.address, "to": call.to, "data": call.data, "gas": call.gas})  # type: ignore[typeddict-item]
        except (Web3Exception, OSError) as error:
            return str(reason_of(error))
        return "it would be taken now"

    def _following(self) -> int:
        """Answer the nonce after all that the node and the outbox know of."""
        return max([self._count("pending"), *(sent.posted.nonce + 1 for sent in self.in_flight)])

    def _count(self, at: str | int) -> int:
        return self._web3.eth.get_transaction_count(self._account.address, at)  # type: ignore[arg-type]  # a plain int is a number

    def _signed(self, sent: Sent) -> Sent:
        """Sign for the prices that are not yet signed for; a signature is always the same."""
        for price in sent.posted.gas_prices[len(sent.hashes) :]:
            sent.hashes.append(HexStr(Web3.keccak(self._sign(sent.posted, price)).to_0x_hex()))
        return sent

    def _sign(self, posted: Posted, price: int) -> HexBytes:
        fields: TxParams = {
            "nonce": Nonce(posted.nonce),
            "gas": posted.call.gas,
            "gasPrice": Wei(price),
            "chainId": self._chain_id,
            "value": Wei(posted.call.value),
            "data": posted.call.data,
        }
        if posted.call.to is not None:
            fields["to"] = to_checksum_address(posted.call.to)
        return self._account.sign_transaction(fields).raw_transaction  # type: ignore[arg-type]  # eth-account's own narrower dict

    def _hand_over(self, sent: Sent) -> None:
        """Send it for its last price, and note what the node says."""
        sent.handed_over_at_s, sent.told = None, ""
        try:
            self._web3.eth.send_raw_transaction(self._sign(sent.posted, sent.posted.gas_prices[-1]))
        except Web3RPCError as error:
            told = _words(error)
            if not TAKEN.search(told):
                log.info("%s: the node says of %s: %s", self.address, sent.call.name, told)
                sent.told = told
                return
        except (Web3Exception, OSError) as error:
            log.info("%s: %s may not have arrived: %s", self.address, sent.call.name, error)
            return
        sent.handed_over_at_s = self._clock()

    def _may_be_there(self, sent: Sent) -> bool:
        """Tell whether the node has it all the same, or does not say: a request may have come to it twice."""
        try:
            self._web3.eth.get_transaction(sent.hashes[-1])
        except TransactionNotFound:
            return False
        except (Web3Exception, OSError):
            return True
        return True

    def _receipt(self, sent: Sent) -> TxReceipt | None:
        for transaction in sent.hashes:
            try:
                return self._web3.eth.get_transaction_receipt(transaction)
            except (TransactionNotFound, TransactionIndexingInProgress):  # the latter is what geth says before its first block
                continue
        return None

    def _holds(self, receipt: TxReceipt) -> bool:
        """Tell whether the block of a receipt is still in the chain; of the newest, the receipt itself says so."""
        if self._confirmations == 1:
            return True
        try:
            return self._web3.eth.get_block(receipt["blockNumber"])["hash"] == receipt["blockHash"]
        except BlockNotFound:
            return False

    def _look_after(self, sent: Sent) -> None:
        """Do what can be done for a transaction that is in no block: hand it over again, pay more, or choose another nonce."""
        if sent.seen_in is not None:
            log.info("%s: block %d with %s is gone; it is sent again", self.address, sent.seen_in, sent.call.name)
            sent.seen_in = sent.handed_over_at_s = None
        if sent.handed_over_at_s is not None and self._clock() - sent.handed_over_at_s < self._patience_s:
            return
        settled = self._head - self._confirmations + 1
        if settled >= 0 and self._count(settled) > sent.posted.nonce:
            self._if_another_took_it(sent, settled)
            return
        self._fill_gap(sent)
        if sent.handed_over_at_s is not None:
            self._pay_more(sent)
        self._hand_over(sent)

    def _if_another_took_it(self, sent: Sent, settled: int) -> None:
        """Give a call another nonce where a transaction that is not ours is found under this one, as deep as is asked."""
        taker = self._taker(sent.posted, settled)
        if taker is None or taker in sent.hashes:
            return  # its receipt will be there in a moment
        nonce = max(self._next_nonce or 0, self._following())
        log.info("%s: nonce %d of %s went to another transaction, %s", self.address, sent.posted.nonce, sent.call.name, taker)
        self._next_nonce = nonce + 1
        sent.posted = Posted(sent.call, nonce, settled, sent.posted.gas_prices[-1:])
        sent.hashes = []
        self._signed(sent)
        self._remember()
        self._hand_over(sent)

    def _taker(self, posted: Posted, settled: int) -> HexStr | None:
        """Find the transaction of this account that has a nonce, between the block when it was given and one that is settled."""
        for number in range(settled, max(0, posted.since_block - DEEPEST_REORGANISATION) - 1, -1):
            # web3 types what it answers here as a hash or a transaction; asked for in full, it is the latter.
            found = cast(Sequence[TxData], self._web3.eth.get_block(number, full_transactions=True)["transactions"])
            for transaction in found:
                if Address(transaction["from"]) == self.address and transaction["nonce"] == posted.nonce:
                    return HexStr(HexBytes(transaction["hash"]).to_0x_hex())
        return None

    def _pay_more(self, sent: Sent) -> None:
        """Offer an eighth more for what the node has and no block takes; nodes ask for a tenth to replace one."""
        if not self._may_be_there(sent):
            return  # the node has forgotten it; it will do as it was
        price = sent.posted.gas_prices[-1]
        more = max(price + 1, price * 9 // 8, self._web3.eth.gas_price if self._gas_price is None else 0)
        if more <= sent.posted.gas_prices[0] * MOST_TIMES_PRICE:
            log.info("%s: %s is stuck; it is sent for a gas price of %d", self.address, sent.call.name, more)
            sent.posted.gas_prices.append(more)
            self._signed(sent)
            self._remember()

    def _fill_gap(self, sent: Sent) -> None:
        """Send nothing, to itself, where a nonce before ours is free: what had it is gone, and ours would wait for ever."""
        free = self._count("latest")
        if self._count("pending") == free < min(other.posted.nonce for other in self.in_flight):
            log.info("%s: nothing has nonce %d any more; an empty payment takes it", self.address, free)
            nothing = Call("nothing", self.address, HexStr("0x"), NOTHING_GAS)
            self._hand_over(Sent(Posted(nothing, free, self._head, sent.posted.gas_prices[:1])))

    def _remember(self) -> None:
        if self._outbox is not None:
            self._outbox.write([sent.posted for sent in self.in_flight])


@contextmanager
def _said(what: str) -> Iterator[None]:
    """Turn whatever comes of asking a node into a ChainError that begins with these words."""
    try:
        yield
    except (Web3Exception, OSError) as error:
        raise ChainError(f"{what}: {error}") from error


def _words(error: Web3RPCError) -> str:
    """Answer a node's own words, without web3's round them."""
    response = error.rpc_response or {}
    told = response.get("error")
    return str(told.get("message") if isinstance(told, dict) else error.message)
