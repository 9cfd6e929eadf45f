"""What the commands that change something share: whose account signs, and a call that is tried, sent, waited for and told."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import click
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address

from daisee.cli.keys import password_file_option, password_from
from daisee.cli.ledger.advice import advice_on, going_on, lacking
from daisee.cli.ledger.amounts import ACCOUNT, GAS_MONEY
from daisee.cli.ledger.book import Book
from daisee.cli.ranges import Within
from daisee.cli.saying import json_option, say
from daisee.errors import LedgerError, TransactionLost, TransactionReverted, UsageError
from daisee.ledger.deploy import genesis_of
from daisee.ledger.depth import BELIEVED, believed_after, is_instant
from daisee.ledger.events import LedgerEvent, decode_logs
from daisee.ledger.outbox import Outbox
from daisee.ledger.sender import MAX_GAS_PRICE, Sender, Sent
from daisee.ledger.transactions import Call, Outcome
from daisee.ledger.trial import try_out
from daisee.units import Address

PATIENCE_S = 12.0
STALLED_S = 120.0
"""A chain whose newest block is older than this while something waits does not go on."""
BY_THE_CLOCK = ("AccessControlEnforcedDefaultAdminDelay", "ExchangeReportAhead")
"""Refusals of what a later block takes."""


@dataclass
class Hand:
    """An account of the keystore that signs."""

    book: Book
    named: Address | None
    password_file: Path | None
    max_gas_price: int
    confirmations: int | None
    """None for what is safe on this chain."""
    timeout_s: float
    as_json: bool

    @cached_property
    def address(self) -> Address:
        """Answer whose account it is: the one that was named, else the only one."""
        if self.named is None:
            return self.book.only_account("--as")
        self.book.keystore.path_of(self.named)
        return self.named

    @cached_property
    def account(self) -> LocalAccount:
        """Answer the account, its key decrypted."""
        return self.book.keystore.open(self.address, password_from(self.password_file, self.address))

    @cached_property
    def sender(self) -> Sender:
        """Answer the account's sender, when nothing of an earlier command is left to do."""
        self._finish_what_was_begun(self.unfinished)
        return self.unfinished

    @cached_property
    def unfinished(self) -> Sender:
        """Answer the account's sender, with what an earlier command may have left on its way."""
        web3 = self.book.web3
        self.book.must_be_up_to_date()
        outbox = Outbox(self.book.keystore.folder.parent / "outbox" / f"{self.address}-{genesis_of(web3)[2:10]}.json")
        click.get_current_context().call_on_close(outbox.close)
        return Sender(
            web3, self.account, gas_price=None, max_gas_price=self.max_gas_price,
            confirmations=self.confirmations or believed_after(web3), outbox=outbox, patience_s=PATIENCE_S,
        )  # fmt: skip

    def do(self, call: Call, told: str, **facts: Any) -> list[LedgerEvent]:
        """Try a call, send it, wait for it, and say what came of it; answer what the contracts said."""
        outcome, events = self.send(call)
        say(
            self.as_json,
            {**facts, **asdict(outcome), "events": [asdict(event) for event in events]},
            f"{told} (block {outcome.block}, {outcome.gas_used:,} gas)",
        )
        return events

    def send(self, call: Call) -> tuple[Outcome, list[LedgerEvent]]:
        """Try a call, send it and wait for it. LedgerError where it is refused; then nothing has changed."""
        sender = self.sender
        self.try_out(call)
        outcome = self.wait(sender, sender.send(call))
        if not outcome.succeeded:
            raise LedgerError(f"{call.name} was refused in block {outcome.block}, and changed nothing: {sender.why(call)}")
        web3 = self.book.web3
        ours = {call.to} if call.to else set()
        if self.book.has_met_the_exchange:
            ours |= {self.book.exchange.address, self.book.coin.address}
        return outcome, decode_logs(web3, web3.eth.get_transaction_receipt(outcome.transaction)["logs"], ours)

    def try_out(self, call: Call) -> None:
        """Ask the node what would come of a call, before anything is sent."""
        self.must_afford(call.gas, call.value)
        try:
            try_out(self.book.web3, self.address, call)
        except TransactionReverted as refusal:
            told = advice_on(refusal, self.book.symbol if self.book.has_met_the_exchange else "")
            may_be_late = refusal.error in BY_THE_CLOCK and not is_instant(self.book.web3)
            raise LedgerError(f"{told}{self._stalled() if may_be_late else ''}") from refusal

    def must_afford(self, gas: int, value: int = 0) -> None:
        """Refuse what would cost more than the account has: so much gas, at the most, and so much to give."""
        fee, there = gas * self.sender.gas_price(), self.book.web3.eth.get_balance(to_checksum_address(self.address))
        if there < fee + value:
            raise UsageError(lacking(self.address, there, fee, value))

    def wait(self, sender: Sender, sent: Sent) -> Outcome:
        """Wait for a call as long as the command may; LedgerError says what to do where that is not long enough."""
        try:
            return sender.wait(sent, self.timeout_s)
        except TransactionLost as error:
            raise LedgerError(
                f"{error}. {sent.call.name} stays on its way, and the next command of this account goes on with it; "
                f"`daisee ledger account unstick` gives it up{self._stalled()}"
            ) from error

    def _stalled(self) -> str:
        """Say that no block came for long, of a chain on which they come by themselves."""
        age_s = self.book.head_age_s()
        return f"; the newest block is {age_s / 60:.0f} minutes old: does anybody seal?" if age_s > STALLED_S else ""

    def _finish_what_was_begun(self, sender: Sender) -> None:
        """Settle what an earlier command left on its way, and stop: perhaps that was what is wanted now."""
        left = list(sender.in_flight)
        if not left:
            return
        lines = []
        for sent in left:
            outcome = self.wait(sender, sent)
            lines.append(became(sent) + going_on(outcome, sent.call))
        raise LedgerError(
            f"an earlier command of {self.address} was not finished; it is now: {', '.join(lines)}. "
            "Nothing new was sent; run the command again if it is still wanted"
        )


def became(sent: Sent) -> str:
    """Say what became of a call that is settled."""
    outcome = sent.outcome
    assert outcome is not None
    if not sent.happened:
        return f"{sent.call.name} was given up, and did not happen"
    return f"{sent.call.name} {'is' if outcome.succeeded else 'was refused'} in block {outcome.block}"


def signs(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of an account that signs, and hand it over as `hand`."""

    @click.option(
        "--as", "named", type=ACCOUNT, envvar="DAISEE_ACCOUNT", show_envvar=True,
        help="The account that signs; the keystore's only one if there is no other.",
    )  # fmt: skip
    @password_file_option
    @click.option(
        "--max-gas-price", type=GAS_MONEY, default=f"{MAX_GAS_PRICE // 10**9}gwei", show_default=True, metavar="PRICE",
        envvar="DAISEE_MAX_GAS_PRICE", show_envvar=True,
        help="The most that is paid for a unit of gas, whatever the node asks.",
    )  # fmt: skip
    @click.option(
        "--confirmations", type=click.IntRange(1, 60), show_default=f"{BELIEVED}, and 1 on a developer's chain",
        help="Wait for so many blocks, its own the first.",
    )  # fmt: skip
    @click.option(
        "--timeout", "timeout_s", default=120.0, show_default=True, type=Within(1, 86_400), help="Wait so many seconds."
    )
    @json_option
    @click.pass_obj  # type: ignore[arg-type]  # wraps gives it the command's own type
    @functools.wraps(command)
    def signing(
        book: Book,
        named: Address | None,
        password_file: Path | None,
        max_gas_price: int,
        confirmations: int | None,
        timeout_s: float,
        as_json: bool,
        **rest: Any,
    ) -> Any:
        return command(Hand(book, named, password_file, max_gas_price, confirmations, timeout_s, as_json), **rest)

    return signing


def must(condition: bool, told: str) -> None:
    """Refuse what cannot be meant, before anything is asked or sent."""
    if not condition:
        raise UsageError(told)
