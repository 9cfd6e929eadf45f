"""A street of homes in one process: real monitors, agents, contracts and laws around a clock that is set.

`StreetRun` opens a chain, deploys the contracts, admits the homes and then lives through the data step by step. How fast,
and who looks on, is its caller's business.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from eth_account.signers.local import LocalAccount

from daisee.agent.agent import Agent
from daisee.chain.client import web3_on
from daisee.demo.clock import StreetClock
from daisee.demo.data import Measured
from daisee.demo.ground import Ground, OwnGround
from daisee.demo.home import BatterySensor, WiredBoard
from daisee.demo.keys import draw_keys
from daisee.demo.plan import HomePlan, Street, wired_to
from daisee.demo.watch import ChainWatch
from daisee.errors import ChainError, LedgerError, StoreError, TransactionLost
from daisee.ledger.coin import UNLIMITED
from daisee.ledger.deploy import Deployment, deploy
from daisee.ledger.home import HomeLedger
from daisee.ledger.sender import Sender, Sent
from daisee.ledger.transactions import Call, Outcome
from daisee.model.attribution import Kind
from daisee.model.battery import BatteryState
from daisee.model.decision import Policy
from daisee.model.source import GRID, Source, from_neighbour
from daisee.monitor.collector import PolledCollector
from daisee.monitor.sensors.replay import PARTS, ReplaySensor
from daisee.monitor.sqlstore import SqlStore
from daisee.relay.group import SourceGroup
from daisee.units import Address, Joules

log = logging.getLogger(__name__)

SETUP_S = 3600
"""How long before the data the chain begins; a street needs a block for every dozen homes to be set up."""
MOST_BLOCKS = 50
"""A transaction that is in none of so many blocks is lost; a street needs a block for every dozen homes to be set up."""
FAILSAFE_STEPS = 5
"""A relay goes to its safe source when its agent has been silent for so many steps of the data."""


@dataclass(frozen=True, slots=True)
class StreetHome:
    """One home with all its parts."""

    plan: HomePlan
    agent: Agent
    relay: SourceGroup
    board: WiredBoard
    store: SqlStore
    sensor: ReplaySensor | BatterySensor
    address: Address


class StreetRun:
    """The street while it lives."""

    def __init__(
        self, measured: Measured, street: Street, folder: Path, seed: int | None = None, ground: Ground | None = None
    ) -> None:
        """Open everything; each home's store is a file in `folder`, which must not hold one already (StoreError).

        Without a `ground`, the chain is an embedded one, in this process. With one, the data must not lie ahead of its clock.
        """
        self.measured = measured
        self.street = street
        self.clock = StreetClock(measured.from_s - SETUP_S)
        operator, keys = draw_keys([plan.home for plan in street.homes], seed)
        self._ground = ground or OwnGround(
            street.chain_id, int(self.clock()), operator, [Address(key.address) for key in keys.values()]
        )
        self.chain = self._ground.chain
        self.web3 = web3_on(self.chain)
        self._operator = self._sender(self._ground.operator)
        self.operator = self._operator.address
        self._senders = {home: self._sender(key) for home, key in keys.items()}
        self.addresses = {home: sender.address for home, sender in self._senders.items()}
        self.names = {address: home for home, address in self.addresses.items()}
        self.contracts = self._found_community()
        self.watch = ChainWatch(self.web3, self.contracts, self._ground.confirmations - 1)
        self.lived_s = 0
        """How much of the data has been lived through."""
        self.homes = {plan.home: self._move_in(plan, folder) for plan in street.homes}

    @property
    def steps(self) -> range:
        """Answer the ends of the data's steps, in order."""
        return range(self.measured.from_s + self.measured.step_s, self.measured.to_s + 1, self.measured.step_s)

    def live(self, at_s: int) -> None:
        """Live through one step of the data, which ends at `at_s`: measure, decide, and give the chain time for a few blocks."""
        self.clock.now_s = at_s
        for home in self.homes.values():
            home.agent.measure()
        for home in self.homes.values():
            home.agent.act()
        self._settle(until_s=at_s + self.measured.step_s)
        for home in self.homes.values():
            home.relay.watch(self.clock())
        self._catch_up()
        self.lived_s = at_s - self.measured.from_s

    def close_books(self) -> None:
        """Report what is measured and not yet reported. Nothing is measured, bought or switched after that."""
        self._seal_all()
        for home in self.homes.values():
            home.agent.close()
        self._seal_all()
        self.watch.catch_up(to_the_end=True)

    def close(self) -> None:
        """Write the stores down and let go of everything; a store that cannot be written is said, and the others still close."""
        for home in self.homes.values():
            try:
                home.store.close()
            except StoreError as error:
                log.error("%s", error)
        self.chain.close()

    def _settle(self, until_s: int) -> None:
        """Seal blocks, one period apart, while something waits for one; after each, let the homes act on it."""
        while self._ground.waits(self._everybody) and self.clock() + self.street.block_period_s < until_s:
            self.clock.now_s += self.street.block_period_s
            self._ground.seal(self.clock)
            for home in self.homes.values():
                home.agent.act()

    def _found_community(self) -> Deployment:
        """Deploy the contracts, give the homes their opening coins, admit them, and let the exchange take what they pay."""
        payments = self._ground.fund(self._operator, self.addresses, len(self.steps))
        contracts = deploy(self.web3, self._operator, self._mined)
        coin, exchange = contracts.coin, contracts.exchange
        posted: list[tuple[Sender, Sent]] = []

        def send(sender: Sender, call: Call) -> None:
            posted.append((sender, sender.send(call)))

        for payment in payments:
            send(self._operator, payment)
        self._seal_all()
        for plan in self.street.homes:
            address = self.addresses[plan.home]
            send(self._operator, exchange.admit(address, _opening_j(plan)))
            send(self._operator, coin.mint(address, plan.opening_coins))
            send(self._senders[plan.home], coin.approve(exchange.address, UNLIMITED))
        self._seal_all()
        for sender, sent in posted:
            outcome = sender.outcome(sent)
            if outcome is None or not outcome.succeeded:
                raise LedgerError(f"{sent.call.name} was refused while the street was set up: {sender.why(sent.call)}")
        return contracts

    def _mined(self, sent: Sent) -> Outcome:
        """Seal blocks until a call is settled, and answer what became of it."""
        self._seal_all()
        outcome = self._operator.outcome(sent)
        if outcome is None:
            raise TransactionLost(sent.hashes[-1], MOST_BLOCKS)
        return outcome

    def _seal_all(self) -> None:
        """Seal blocks until nothing waits for one, each a second after the last: before and after the data, there is time."""
        for _ in range(MOST_BLOCKS):
            if not self._ground.waits(self._everybody):
                return
            self.clock.now_s += 1
            self._ground.seal(self.clock)
        log.warning("what was sent is in no block after %d of them", MOST_BLOCKS)

    def _catch_up(self) -> None:
        """Read the new blocks; later, where the node is silent for a moment."""
        try:
            self.watch.catch_up()
        except ChainError as error:
            log.info("%s", error)

    @property
    def _everybody(self) -> list[Sender]:
        return [self._operator, *self._senders.values()]

    def _sender(self, account: LocalAccount) -> Sender:
        return Sender(self.web3, account, gas_price=self._ground.gas_price, confirmations=self._ground.confirmations)

    def _move_in(self, plan: HomePlan, folder: Path) -> StreetHome:
        policy = _policy(plan, self.measured.step_s)
        neighbours = [self.addresses[home] for home in wired_to(self.street, plan)]
        sources = [policy.safe_source, *([GRID] if policy.has_grid and policy.safe_source != GRID else [])]
        wiring: dict[Source, int] = {s: n for n, s in enumerate([*sources, *map(from_neighbour, neighbours)])}
        board = WiredBoard(wiring, self.clock)
        relay = SourceGroup(plan.home, board, wiring, policy.safe_source, FAILSAFE_STEPS * self.measured.step_s, self.clock())
        path = folder / f"{self.addresses[plan.home]}.sqlite"
        if path.exists():
            raise StoreError(f"{path} is there already; a street begins with empty stores, so choose an empty folder")
        store = SqlStore(path, flush_every_s=self.street.report_every_s)
        sensor = self._sensor(plan, board)
        agent = Agent(
            home=plan.home,
            policy=policy,
            collector=PolledCollector(sensor, PARTS, store),
            store=store,
            relay=relay,
            ledger=HomeLedger(
                self.web3,
                self.contracts.exchange,
                self._senders[plan.home],
                neighbours,
                sells=plan.sells_at_per_kwh is not None,
            ),
            clock=self.clock,
            report_every_s=self.street.report_every_s,
        )
        return StreetHome(plan, agent, relay, board, store, sensor, self.addresses[plan.home])

    def _sensor(self, plan: HomePlan, board: WiredBoard) -> ReplaySensor | BatterySensor:
        rows, step_s = self.measured.homes[plan.home], self.measured.step_s
        if plan.battery is None:
            return ReplaySensor(rows, step_s, self.clock)
        battery = BatteryState(plan.battery.kind, plan.battery.opening_soc)
        return BatterySensor(rows, step_s, self.clock, board, battery)


def _opening_j(plan: HomePlan) -> Joules:
    """Answer what a home's battery holds on the day of admission."""
    return Joules(int(plan.battery.kind.capacity_j * plan.battery.opening_soc)) if plan.battery else Joules(0)


def _policy(plan: HomePlan, step_s: int) -> Policy:
    return Policy(
        kind=Kind(plan.kind),
        has_grid=plan.grid,
        sells_at_per_kwh=plan.sells_at_per_kwh,
        keep_j=plan.keep_j,
        buys_up_to_per_kwh=plan.buys_up_to_per_kwh,
        buy_j=plan.buy_j,
        buy_below_soc=plan.buy_below_soc,
        resume_above_soc=plan.resume_above_soc,
        min_dwell_s=plan.min_dwell_s,
        act_every_s=step_s,
        safe_after_s=max(900, 4 * step_s),
    )
