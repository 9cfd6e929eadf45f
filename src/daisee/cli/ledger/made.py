"""What a deployment has made so far, in a file beside the one that it will write: whatever cuts it off loses no address."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eth_typing import HexAddress, HexStr
from web3 import Web3
from web3.types import Nonce
from web3.utils.address import get_create_address

from daisee import shallow
from daisee.cli.ledger.hand import Hand
from daisee.errors import DaiseeError, LedgerError, UsageError
from daisee.files import read_some, write_whole
from daisee.ledger.addresses import read_address
from daisee.ledger.answers import NODE_ERRORS
from daisee.ledger.deploy import CREATES_COIN, genesis_of
from daisee.ledger.sender import Sent
from daisee.ledger.transactions import Outcome
from daisee.units import Address

MOST_BYTES = 10_000


class Made:
    """The coin and the exchange of a deployment that is not yet written down."""

    def __init__(self, hand: Hand, output: Path) -> None:
        self.path = output.with_name(f"{output.name}.part")
        self.coin: Address | None = None
        self.exchange: Address | None = None
        """Each known when it is certain."""
        self._hand = hand
        self._told: dict[str, str] = {}

    def must_be_nothing(self) -> None:
        """Refuse to begin anew while there is something to go on with, which is named. UsageError."""
        try:
            told = shallow.parse(read_some(self.path, MOST_BYTES))
            genesis, *found = (str(told.get(name, "")) for name in ("genesis", "coin", "exchange"))
            coin, exchange = (read_address(each) if each else None for each in found)
        except FileNotFoundError:
            return
        except (OSError, ValueError, AttributeError) as error:
            raise UsageError(
                f"{self.path} should say what an earlier deployment made, and cannot be read; move it away"
            ) from error
        web3 = self._hand.book.web3
        if genesis != genesis_of(web3):
            raise UsageError(
                f"{self.path} tells of a deployment on another chain that was cut off, with the coin {coin}; name the right node "
                "with --rpc, or move the file away"
            )
        coin, exchange = (each if each and _is_there(web3, each) else None for each in (coin, exchange))
        if coin or exchange:
            raise UsageError(
                f"an earlier deployment was cut off: {_way(coin, exchange)}. To begin another, move {self.path} away"
            )

    def begin(self, coin: Address | None) -> None:
        """Begin the file, with the coin where there is one. UsageError where it cannot be written, and no address could be."""
        self.coin = coin
        self._told = {"coin": coin} if coin else {}
        try:
            self._note("genesis", genesis_of(self._hand.book.web3))
        except OSError as error:
            raise UsageError(f"{self.path} cannot be written: {error.strerror}") from error

    def settle(self, sent: Sent) -> Outcome:
        """Wait for a contract to be there. Where it will be follows from its nonce, so that is noted before."""
        name = "coin" if sent.call.name == CREATES_COIN else "exchange"
        self._note(name, get_create_address(HexAddress(HexStr(self._hand.address)), Nonce(sent.posted.nonce)))
        outcome = self._hand.wait(self._hand.sender, sent)
        if outcome.contract is not None:
            self._note(name, outcome.contract)
            setattr(self, name, outcome.contract)
        return outcome

    @contextmanager
    def told(self) -> Iterator[None]:
        """Say with any error what is there, and how to go on with it. LedgerError."""
        try:
            yield
        except (DaiseeError, *NODE_ERRORS) as error:
            if not (self.coin or self.exchange):
                raise
            raise LedgerError(f"{error}; {_way(self.coin, self.exchange)}") from error

    def forget(self) -> None:
        """Remove the file, once all that it says is written down elsewhere."""
        self.path.unlink(missing_ok=True)

    def _note(self, name: str, told: str) -> None:
        if self._told.get(name) != told:
            self._told[name] = told
            write_whole(self.path, json.dumps(self._told) + "\n", 0o644)


def _way(coin: Address | None, exchange: Address | None) -> str:
    if exchange:
        return f"the exchange is at {exchange}; write that down with `daisee ledger deploy --exchange {exchange}`"
    return f"the coin is at {coin}; go on with `daisee ledger deploy --coin {coin}`"


def _is_there(web3: Web3, contract: Address) -> bool:
    return bool(web3.eth.get_code(Web3.to_checksum_address(contract)))
