"""An account that signs calls in this process and sends them; the node never holds a key.

What makes a call happen once is its nonce: of all transactions of an account with the same nonce, a chain takes one. So a
call is sent under one nonce, as often as it takes and for more money when it is stuck, and gets another nonce only when a
transaction that is not ours is seen to have taken that one, so deep in the chain that it stays. A call waits for all with a
lower nonce: they are looked after first, and only for what is next is more paid where blocks pass it by.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import cached_property

from eth_account.signers.local import LocalAccount
from eth_typing import HexStr
from hexbytes import HexBytes
from web3 import Web3
from web3.exceptions import BlockNotFound, TransactionIndexingInProgress, TransactionNotFound, Web3RPCError
from web3.types import TxReceipt

from daisee.errors import ChainError, StoreError, TransactionLost
from daisee.ledger.answers import NODE_ERRORS, PASSING, POOR, TAKEN, said, words
from daisee.ledger.depth import for_good_after
from daisee.ledger.outbox import Outbox, Posted
from daisee.ledger.reverts import reason_of
from daisee.ledger.sent import Sent as Sent
from daisee.ledger.signing import nothing_by, sign
from daisee.ledger.taker import TakerSearch
from daisee.ledger.transactions import Call, Outcome, hash_of, outcome_of
from daisee.units import Address

log = logging.getLogger(__name__)

GAS_PRICE = 1
"""What gas costs on a community's chain."""
MAX_GAS_PRICE = 10 * 10**9
"""The most that is offered where nobody says otherwise, 10 gwei: a community's chain asks 1 wei, `geth --dev` 1 to 2 gwei."""
PATIENCE_S = 30.0
"""How long a transaction may wait in a node before it is looked after."""
MOST_TIMES_PRICE = 100
"""How many times the first price a stuck transaction is offered for, at most."""
POLL_S = 0.25


class Sender:
    """One account. Its key stays in here and is in no log, no repr and no error."""

    def __init__(
        self,
        web3: Web3,
        account: LocalAccount,
        *,
        gas_price: int | None = GAS_PRICE,
        max_gas_price: int = MAX_GAS_PRICE,
        confirmations: int = 1,
        outbox: Outbox | None = None,
        patience_s: float = PATIENCE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Send as an account. With no gas price, the node says what it is; more than the maximum is never offered.

        A transaction is settled when so many `confirmations`, its own block the first, hold it. What an `outbox` remembers
        from before is in flight from the beginning. ChainError where the node does not answer.
        """
        self._web3 = web3
        self._account = account
        self._gas_price = gas_price
        self._max_gas_price = max_gas_price
        self._confirmations = confirmations
        self._outbox = outbox
        self._patience_s = patience_s
        self._clock = clock
        with said("the node does not answer"):
            self._chain_id = int(web3.eth.chain_id)
        self._head = 0
        self._next_nonce: int | None = None
        self.address = Address(account.address)
        self._nothing = nothing_by(self.address)
        left = [self._signed(Sent(posted)) for posted in (outbox.read() if outbox else [])]
        self.in_flight = [sent for sent in left if sent.call != self._nothing]
        """What is not settled, the oldest first."""
        self._filler = next((sent for sent in left if sent.call == self._nothing), None)
        """The empty payment that fills a gap before what is in flight."""

    def gas_price(self) -> int:
        """Answer what is offered for gas now. ChainError where the node asks more than is ever offered."""
        with said("the node does not say what gas costs"):
            price = int(self._web3.eth.gas_price) if self._gas_price is None else self._gas_price
        self._must_be_allowed(price)
        return price

    def send(self, call: Call) -> Sent:
        """Sign a call and hand it to the node. Where the node is silent after that, `outcome` hands it over again.

        ChainError where nothing was sent: the node does not say what comes next, asks too much, or will not have this. What it
        will not have stays in flight all the same where it cannot be struck out on the disk: who reads that will send it.
        StoreError where it could not be written down, and was not sent.
        """
        with said(f"{call.name} was not sent"):
            if self._next_nonce is None:
                self._next_nonce, self._head = self._following(), int(self._web3.eth.block_number)
            price = self.gas_price()
        sent = self._signed(Sent(Posted(call, self._next_nonce, self._head, [price])))
        self.in_flight.append(sent)
        try:
            self._remember()
        except StoreError as error:
            self.in_flight.remove(sent)
            raise StoreError(f"{error}; {call.name} was not sent") from error
        self._hand_over(sent)
        if sent.told and not PASSING.search(sent.told) and self._is_nowhere(sent):
            self.in_flight.remove(sent)
            if self._remembered():
                raise ChainError(f"the node did not take {call.name}: {sent.told}")
            self.in_flight.append(sent)
        self._next_nonce += 1
        log.debug("%s sent %s as %s", self.address, call.name, sent.hashes[-1])
        return sent

    def give_up(self, sent: Sent) -> None:
        """Offer an empty payment in a call's place, under its nonce, for more: the chain takes one of both, never two.

        Which one, `outcome` says, and `Sent.happened`. ChainError where it would cost too much; StoreError where it could not
        be written down. Then nothing has changed.
        """
        price = max(self.gas_price(), _more_than(max(sent.posted.gas_prices + sent.posted.empty_prices)))
        self._must_be_allowed(price)
        before = sent.posted
        sent.posted = replace(before, empty_prices=[*before.empty_prices, price])
        try:
            self._remember()
        except StoreError:
            sent.posted = before
            raise
        self._signed(sent)
        self._hand_over(sent)

    def outcome(self, sent: Sent) -> Outcome | None:
        """Answer what became of a call, looking after it on the way; None while it is not settled.

        What is asked of the newest block afterwards knows of it: geth has a receipt a moment before its block is the newest.
        ChainError where the node does not answer.
        """
        if sent.outcome is not None:
            return sent.outcome
        with said("the node does not answer"):
            receipt = self._receipt(sent)
            self._head = int(self._web3.eth.block_number)
            if receipt is None:
                self._look_after(sent)
                return None
            sent.seen_in = receipt["blockNumber"]
            if not self._is_settled(sent, receipt):
                return None
            sent.outcome = outcome_of(receipt)
        self.in_flight.remove(sent)
        self._remembered()
        return sent.outcome

    def wait(self, sent: Sent, timeout_s: float) -> Outcome:
        """Answer what became of a call when it is settled; TransactionLost after a time, though it stays in flight.

        A node that does not answer is asked again until then; ChainError where it did not answer in the end.
        """
        until = self._clock() + timeout_s
        while True:
            silent: ChainError | None = None
            try:
                if (outcome := self.outcome(sent)) is not None:
                    return outcome
            except ChainError as error:
                silent = error
            if self._clock() > until:
                raise silent or TransactionLost(sent.hashes[-1], timeout_s, sent.told)
            time.sleep(POLL_S)

    def unsettled(self) -> bool:
        """Tell whether transactions of this account are on their way, ours or another's. ChainError where nobody answers."""
        for sent in list(self.in_flight):
            self.outcome(sent)
        with said("the node does not answer"):
            return bool(self.in_flight) or self._count("pending") > self._count("latest")

    def why(self, call: Call) -> str:
        """Say in words why a call is refused now; what a contract refused in a block is mostly refused after it too."""
        try:
            self._web3.eth.call({"from": self._account.address, "to": call.to, "data": call.data, "gas": call.gas})  # type: ignore[typeddict-item]
        except NODE_ERRORS as error:
            return str(reason_of(error))
        return "it would be taken now"

    def _following(self) -> int:
        """Answer the nonce after all that the node and the outbox know of."""
        return max([self._count("pending"), *(sent.posted.nonce + 1 for sent in self.in_flight)])

    def _count(self, at: str | int) -> int:
        return int(self._web3.eth.get_transaction_count(self._account.address, at))  # type: ignore[arg-type]  # a plain int is a number

    def _must_be_allowed(self, price: int) -> None:
        if price > self._max_gas_price:
            raise ChainError(
                f"gas would cost {_gwei(price)}, and no more than {_gwei(self._max_gas_price)} is paid; wait, ask another node, "
                "or allow more with --max-gas-price"
            )

    def _signed(self, sent: Sent) -> Sent:
        """Sign for the prices that are not yet signed for; a signature is always the same."""
        posted = sent.posted
        for hashes, prices, call in (
            (sent.hashes, posted.gas_prices, posted.call), (sent.empty_hashes, posted.empty_prices, self._nothing)
        ):  # fmt: skip
            for price in prices[len(hashes) :]:
                hashes.append(HexStr(Web3.keccak(self._sign(call, posted.nonce, price)).to_0x_hex()))
        return sent

    def _sign(self, call: Call, nonce: int, price: int) -> HexBytes:
        return sign(self._account, self._chain_id, call, nonce, price)

    def _hand_over(self, sent: Sent) -> None:
        """Send it for its last price, or where the account has not so much, for the one before; note what the node says."""
        sent.handed_over_at_s, sent.handed_over_in, sent.told = None, self._head, ""
        call = self._nothing if sent.posted.empty_prices else sent.call
        for price in reversed(sent.posted.prices):
            try:
                self._web3.eth.send_raw_transaction(self._sign(call, sent.posted.nonce, price))
            except Web3RPCError as error:
                sent.told = words(error)
            except NODE_ERRORS as error:
                log.info("%s: %s may not have arrived: %s", self.address, call.name, error)
                return
            else:
                sent.told = ""
            if not sent.told or TAKEN.search(sent.told):
                sent.handed_over_at_s, sent.told = self._clock(), ""
                return
            log.info("%s: the node says of %s: %s", self.address, call.name, sent.told)
            if not POOR.search(sent.told):
                return

    def _may_be_there(self, sent: Sent) -> bool:
        """Tell whether the node has it all the same, or does not say: a request may have come to it twice."""
        try:
            self._web3.eth.get_transaction((sent.empty_hashes or sent.hashes)[-1])
        except TransactionNotFound:
            return False
        except NODE_ERRORS:
            return True
        return True

    def _is_nowhere(self, sent: Sent) -> bool:
        """Tell whether the node says that it does not have it, nor anything else with its nonce."""
        try:
            return self._count("pending") <= sent.posted.nonce and not self._may_be_there(sent)
        except NODE_ERRORS:
            return False

    def _receipt(self, sent: Sent) -> TxReceipt | None:
        for transaction in (*sent.hashes, *sent.empty_hashes):
            try:
                return self._web3.eth.get_transaction_receipt(transaction)
            except (TransactionNotFound, TransactionIndexingInProgress):  # the latter is what geth says before its first block
                continue
        return None

    @cached_property
    def _for_good(self) -> int:
        return max(self._confirmations, for_good_after(self._web3))

    def _is_settled(self, sent: Sent, receipt: TxReceipt) -> bool:
        """Tell whether a receipt's block is as deep as is asked, and still in the chain.

        That a call did not happen is known only for good: it may be wanted again.
        """
        wanted = self._confirmations if hash_of(receipt) in sent.hashes else self._for_good
        if self._head - receipt["blockNumber"] + 1 < wanted:
            return False
        try:
            return self._web3.eth.get_block(receipt["blockNumber"])["hash"] == receipt["blockHash"]
        except BlockNotFound:
            return False

    def _look_after(self, sent: Sent) -> None:
        """Do what can be done for a transaction that is in no block: hand it over again, pay more, or choose another nonce."""
        if sent.seen_in is not None:
            log.info("%s: block %d with %s is gone; it is sent again", self.address, sent.seen_in, sent.call.name)
            sent.seen_in = sent.handed_over_at_s = None
        if self._is_patient_with(sent):
            return
        following, deep = self._count("latest"), self._head - self._for_good + 1
        if following > sent.posted.nonce and deep >= 0 and self._count(deep) > sent.posted.nonce:
            self._if_another_took_it(sent, deep)
            return
        if following < sent.posted.nonce:
            self._look_before(sent, following)
        self._pay_more(sent, following)
        self._hand_over(sent)

    def _is_patient_with(self, sent: Sent) -> bool:
        return sent.handed_over_at_s is not None and self._clock() - sent.handed_over_at_s < self._patience_s

    def _look_before(self, sent: Sent, following: int) -> None:
        """Look after what has the account's next nonce: a call would wait for it for ever."""
        for earlier in self.in_flight:
            if earlier.posted.nonce == following:
                self._look_after(earlier)
                return
        self._fill_gap(sent, following)

    def _if_another_took_it(self, sent: Sent, deep: int) -> None:
        """Give a call another nonce where a transaction that is not ours is found under this one, so deep that it stays."""
        if sent.search is None:
            sent.search = TakerSearch(self._web3, self.address, sent.posted.nonce, sent.posted.since_block)
        taker = sent.search.up_to(deep)
        if taker is None or taker in sent.hashes or taker in sent.empty_hashes:
            return  # its receipt will be there in a moment
        if sent.posted.empty_prices:
            sent.empty_hashes.append(taker)  # the call was given up, and this did it as well
            return
        before, nonce = sent.posted, max(self._next_nonce or 0, self._following())
        sent.posted = replace(before, nonce=nonce, since_block=deep, gas_prices=list(before.gas_prices))
        if not self._remembered():
            sent.posted = before
            return
        log.info("%s: nonce %d of %s went to another transaction, %s", self.address, before.nonce, sent.call.name, taker)
        self._next_nonce = nonce + 1
        sent.hashes, sent.search = [], None
        self._signed(sent)
        self._hand_over(sent)

    def _pay_more(self, sent: Sent, following: int) -> None:
        """Offer more for what the node has and blocks pass by, and for what it refuses and asks more for."""
        prices = sent.posted.prices
        wanted = least = _more_than(prices[-1])
        if sent.handed_over_at_s is None:
            if not sent.told or PASSING.search(sent.told) or POOR.search(sent.told):
                return
            wanted, least = int(self._web3.eth.gas_price), prices[-1] + 1
        elif sent.posted.nonce != following or self._head <= sent.handed_over_in or not self._may_be_there(sent):
            return  # where no block came, more money makes none come; and what the node forgot will do as it was
        elif self._gas_price is None:
            wanted = max(least, int(self._web3.eth.gas_price))
        more = min(wanted, max(prices[0], 1) * MOST_TIMES_PRICE, self._max_gas_price)
        if more < least:
            return
        prices.append(more)
        if not self._remembered():
            prices.pop()
            return
        log.info("%s: %s is stuck; it is sent for a gas price of %d", self.address, sent.call.name, more)
        self._signed(sent)

    def _fill_gap(self, sent: Sent, free: int) -> None:
        """Send nothing, to itself, where a nonce before ours is free: what had it is gone, and ours would wait for ever."""
        if self._filler is None or self._filler.posted.nonce != free:
            if self._count("pending") != free:
                return
            log.info("%s: nothing has nonce %d any more; an empty payment takes it", self.address, free)
            self._filler = self._signed(Sent(Posted(self._nothing, free, self._head, sent.posted.prices[-1:])))
            self._remembered()
        if not self._is_patient_with(self._filler):
            self._pay_more(self._filler, free)
            self._hand_over(self._filler)

    def _remember(self) -> None:
        if not self.in_flight:
            self._filler = None  # nothing waits for it
        if self._outbox is not None:
            written = ([self._filler] if self._filler else []) + self.in_flight
            self._outbox.write([sent.posted for sent in written])

    def _remembered(self) -> bool:
        """Write down what is in flight, where a call is on its way already and a full disk is no reason to lose sight of it."""
        try:
            self._remember()
        except StoreError as error:
            log.warning("%s", error)
            return False
        return True


def _more_than(price: int) -> int:
    """Answer an eighth more, rounded up; nodes ask for a tenth, or for that, to replace a transaction."""
    return price + max(1, -(-price // 8))


def _gwei(price: int) -> str:
    return f"{price} wei" if price < 10**6 else f"{(Decimal(price) / 10**9).normalize():f} gwei"
