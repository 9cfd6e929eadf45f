"""Homes that trade through a test's nodes, as real ones would, and the books that are held against the chain afterwards.

Each home has a key, an outbox on disk and one node that it asks. It reports again and again, buys and draws; what it meant is
written down here when its sender has taken it, and must be on the chain exactly once, whatever happened in between.
"""

from __future__ import annotations

import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

from eth_account.signers.local import LocalAccount
from tests.faults.nodes import POLL_S, Nodes, until
from web3 import Web3

from daisee.chain.client import web3_on
from daisee.chain.remote import RemoteChain
from daisee.errors import ChainError
from daisee.ledger.coin import UNLIMITED
from daisee.ledger.deploy import Deployment, deploy
from daisee.ledger.events import LedgerEvent
from daisee.ledger.exchange import ALL_SURPLUS, Exchange, Interval
from daisee.ledger.follow import Follower, Undone
from daisee.ledger.outbox import Outbox
from daisee.ledger.sender import Sender
from daisee.ledger.transactions import Call
from daisee.ledger.verify import verify
from daisee.units import Address, Joules, base_units

PRICE = base_units("0.30")
OPENING_J = Joules(10**12)
"""So much that nothing is refused for want of energy: what is tried here is the chain."""
COINS = base_units(1_000_000)
MOST_IN_FLIGHT = 12
BUY_EACH = 3
"""Every third report of a buyer is followed by a purchase."""
FIRST_J = 1_000
DRAWN_J = 300
SETTLE_S = 120.0
TICK_S = 0.3


@dataclass(frozen=True, slots=True)
class Books:
    """What a chain's events say that homes did, in the order in which they did it."""

    reported: dict[Address, list[tuple[int, int, int]]]
    """Until when, produced, own."""
    drawn: dict[Address, list[tuple[Address, int, int]]]
    """Of whom, until when, how much."""
    bought: dict[Address, list[tuple[Address, int]]]
    """Of whom, how much."""


@dataclass(slots=True)
class Home:
    """A home's client."""

    account: LocalAccount
    web3: Web3
    exchange: Exchange
    outbox: Outbox
    confirmations: int
    patience_s: float
    """Where no new block comes for so long, it reports all the same."""
    seller: Address | None = None
    """Of whom it buys; None for who sells."""
    meant: list[Interval] = field(default_factory=list)
    """What it reported, or has in its outbox."""
    bought: list[tuple[Address, int]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """What a contract refused: nothing should be."""
    sender: Sender = field(init=False)
    reported_at: tuple[int, float] = (-1, 0.0)
    """The newest block when it last reported, and when that was."""

    def __post_init__(self) -> None:
        """Begin with what the outbox remembers."""
        self.restart()

    @property
    def address(self) -> Address:
        """Answer its account."""
        return Address(self.account.address)

    def restart(self) -> None:
        """Begin anew, as its program does after a crash: all that it has of before is its outbox."""
        self.sender = Sender(self.web3, self.account, outbox=self.outbox, confirmations=self.confirmations)

    def act(self) -> None:
        """Report with each new block, and sometimes buy, where not too much is on its way. ChainError where nobody answers."""
        self.settle()
        now_s, block = time.time(), self._newest()
        last_block, last_s = self.reported_at
        waits = block <= last_block and now_s < last_s + self.patience_s
        if waits or len(self.sender.in_flight) >= MOST_IN_FLIGHT:
            return
        since_s = self.meant[-1].until_s if self.meant else 0
        if int(now_s) <= since_s:
            return
        number = len(self.meant)
        drawn = {self.seller: DRAWN_J + number} if self.seller and self.bought else {}
        told = Interval(int(now_s), Joules(FIRST_J + number), Joules(number % 7), drawn)
        self.sender.send(self.exchange.report(since_s, [told]))
        self.meant.append(told)
        self.reported_at = (block, now_s)
        if self.seller and number % BUY_EACH == 0:
            amount_j = Joules(FIRST_J + number)
            self.sender.send(self.exchange.buy(self.seller, amount_j, PRICE))
            self.bought.append((self.seller, amount_j))

    def _newest(self) -> int:
        try:
            return int(self.web3.eth.block_number)
        except OSError as error:
            raise ChainError(f"its node does not answer: {error}") from error

    def settle(self) -> None:
        """See what became of what is on its way, the oldest first: nothing later is settled before it."""
        while self.sender.in_flight:
            sent = self.sender.in_flight[0]
            outcome = self.sender.outcome(sent)
            if outcome is None:
                return
            if not outcome.succeeded:
                self.refused.append(f"{sent.call.name} in block {outcome.block}: {self.sender.why(sent.call)}")


class Street:
    """Homes on a network of nodes, with contracts of their own."""

    def __init__(self, nodes: Nodes, path: Path, operator: LocalAccount, keys: Sequence[LocalAccount], patience_s: float) -> None:
        """Deploy, admit the homes, and let them be ready to trade: each asks a node, one home in two buys of another."""
        self.nodes = nodes
        self._clients: list[RemoteChain] = []
        self._stopped = Event()
        self._threads: list[Thread] = []
        self._failures: list[BaseException] = []
        web3 = self._web3(nodes.names[0])
        self._operator = Sender(web3, operator)
        self.made: Deployment = deploy(web3, self._operator, lambda sent: self._operator.wait(sent, SETTLE_S))
        # As many as seal: what so many different validators have built on stays, for no fork of fewer is longer.
        self.confirmations = len(nodes.names) // 2 + 1
        self.homes: dict[str, list[Home]] = defaultdict(list)
        for key, name in zip(keys, itertools.cycle(nodes.names), strict=False):
            web3 = self.homes[name][0].web3 if self.homes[name] else self._web3(name)
            outbox = Outbox(path / f"outbox-{key.address}.json")
            exchange = Exchange(web3, self.made.exchange.address)
            self.homes[name].append(Home(key, web3, exchange, outbox, self.confirmations, patience_s))
        self._open()

    @property
    def all(self) -> list[Home]:
        """List the homes."""
        return [home for homes in self.homes.values() for home in homes]

    @contextmanager
    def trading(self) -> Iterator[None]:
        """Let the homes trade, a thread for those of each node; what fails in one fails the test."""
        self._stopped.clear()
        self._threads = [Thread(target=self._serve, args=(homes,), daemon=True) for homes in self.homes.values()]
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            for thread in self._threads:
                thread.join(SETTLE_S)
        assert not self._failures, self._failures

    def reports(self) -> int:
        """Count what was reported, or is on its way."""
        return sum(len(home.meant) for home in self.all)

    def settle(self, timeout_s: float = SETTLE_S) -> None:
        """Wait until nothing is on its way."""
        end_s = time.monotonic() + timeout_s
        for home in self.all:
            while home.sender.in_flight:
                home.settle()
                assert time.monotonic() < end_s, f"{home.address} still waits for {home.sender.in_flight} at its node"
                time.sleep(POLL_S)

    def check(self) -> None:
        """Settle everything, and hold every node's chain against what the homes meant; AssertionError names what differs."""
        self.settle()
        mark = self.nodes.highest()
        until(lambda: self.nodes.agree(mark), SETTLE_S, "the nodes do not agree")
        assert not [told for home in self.all for told in home.refused]
        for name in self.nodes.running:
            self._hold_against(name)

    def found(self, name: str) -> int:
        """Count the reports that a node's chain has."""
        return sum(map(len, self.books(name).reported.values()))

    def books(self, name: str) -> Books:
        """Read what the events on a node's chain say."""
        books = Books(defaultdict(list), defaultdict(list), defaultdict(list))
        client = RemoteChain(self.nodes.url(name))
        try:
            # As deep as the homes trust it: above that a block may yet give way to one that was sealed at the same time.
            depth = self.confirmations - 1
            follower = Follower(web3_on(client), [self.made.exchange.address], begin=self.made.block, depth=depth)
            for event in follower.poll():
                assert not isinstance(event, Undone), "blocks that homes trusted were taken back"
                _enter(books, event)
        finally:
            client.close()
        return books

    def close(self) -> None:
        """Let go of the nodes."""
        self._stopped.set()
        for thread in self._threads:
            thread.join(SETTLE_S)
        for client in self._clients:
            client.close()

    def _hold_against(self, name: str) -> None:
        books = self.books(name)
        for home in self.all:
            reports = [(told.until_s, told.produced_j, told.own_j) for told in home.meant]
            assert books.reported[home.address] == reports, f"reports of {home.address} on {name}"
            draws = [(seller, told.until_s, drawn_j) for told in home.meant for seller, drawn_j in told.drawn_j.items()]
            assert books.drawn[home.address] == draws, f"draws of {home.address} on {name}"
            assert sorted(books.bought[home.address]) == sorted(home.bought), f"purchases of {home.address} on {name}"
        client = RemoteChain(self.nodes.url(name))
        try:
            found = verify(web3_on(client), self.made.exchange.address, begin=self.made.block)
        finally:
            client.close()
        assert found.sound, f"{name}: {found.differences} {found.against_the_rules}"

    def _serve(self, homes: Sequence[Home]) -> None:
        while not self._stopped.wait(TICK_S):
            for home in homes:
                try:
                    home.act()
                except ChainError:
                    continue  # its node is away; it tries again
                except BaseException as failure:
                    self._failures.append(failure)
                    return

    def _web3(self, name: str) -> Web3:
        self._clients.append(RemoteChain(self.nodes.url(name)))
        return web3_on(self._clients[-1])

    def _open(self) -> None:
        coin, exchange, sellers, buyers = self.made.coin, self.made.exchange, self.all[0::2], self.all[1::2]
        for seller, buyer in zip(itertools.cycle(sellers), buyers, strict=False):
            buyer.seller = seller.address
        first = [self._operator.send(exchange.admit(home.address, OPENING_J)) for home in self.all]
        first += [self._operator.send(coin.mint(buyer.address, COINS)) for buyer in buyers]
        self._do(buyers, lambda home: coin.approve(exchange.address, UNLIMITED))
        for sent in first:
            assert self._operator.wait(sent, SETTLE_S).succeeded, sent.call.name
        self._do(sellers, lambda home: home.exchange.offer(PRICE, ALL_SURPLUS))

    @staticmethod
    def _do(homes: Sequence[Home], call: Callable[[Home], Call]) -> None:
        for home in homes:
            home.sender.send(call(home))
        for home in homes:
            assert home.sender.wait(home.sender.in_flight[0], SETTLE_S).succeeded


def _enter(books: Books, event: LedgerEvent) -> None:
    facts = event.facts
    if event.name == "EnergyReported":
        books.reported[Address(facts["home"])].append((facts["until"], facts["producedJ"], facts["ownJ"]))
    elif event.name == "EnergyDrawn":
        books.drawn[Address(facts["buyer"])].append((Address(facts["seller"]), facts["until"], facts["energyJ"]))
    elif event.name == "EnergyBought":
        books.bought[Address(facts["buyer"])].append((Address(facts["seller"]), facts["energyJ"]))
