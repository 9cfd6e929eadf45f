"""One home against real contracts: what it does when the world is kind, and when it is not."""

import logging
from collections.abc import Sequence
from typing import Any

import pytest

from daisee.agent.agent import Agent
from daisee.errors import ChainError, RelayError
from daisee.ledger.exchange import Interval, StandingOrder
from daisee.ledger.home import HomeLedger
from daisee.model.attribution import Kind
from daisee.model.decision import Policy
from daisee.model.home import Role
from daisee.model.readings import Reading
from daisee.model.source import OWN, Source, from_neighbour
from daisee.monitor.collector import PolledCollector
from daisee.monitor.store import MemoryStore, total
from daisee.relay.board import VirtualBoard
from daisee.relay.group import SourceGroup
from daisee.units import Joules, base_units, joules_from_kwh

PRICE = base_units("0.20")
POLICY = Policy(kind=Kind.ISLANDED, has_grid=False, buys_up_to_per_kwh=base_units("0.30"))


class Meter:
    """A sensor that measures what the test sets."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self.consumption_w, self.state_of_charge, self.silent = 600.0, 0.8, False

    def read(self) -> Sequence[Reading]:
        if self.silent:
            return []
        return [
            Reading(
                at_s=self.world.now_s,
                part="load",
                power_w=self.consumption_w,
                mean_over_s=60.0,
                state_of_charge=self.state_of_charge,
            )
        ]


class House:
    """Home A with all its parts, B as its neighbour with 10 kWh to sell, and time that goes by a minute at a time."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self.a, self.b = world.homes["A"], world.homes["B"]
        self.from_b: Source = from_neighbour(self.b.address)
        self.meter, self.store, self.board = Meter(world), MemoryStore(), VirtualBoard(2)
        self.agent = self.open_agent()
        world.do(world.operator, world.coin.mint(self.a.address, base_units(5)))
        world.do(self.b, world.exchange.report(0, [Interval(world.now_s - 60, joules_from_kwh(10), Joules(0))]))
        world.do(self.b, world.exchange.offer(PRICE, joules_from_kwh(10)))

    def open_agent(self) -> Agent:
        wiring = {OWN: 0, self.from_b: 1}
        self.relay = SourceGroup("A", self.board, wiring, OWN, 300, self.world.now_s)
        ledger = HomeLedger(self.world.web3, self.world.exchange, self.a, [self.b.address])
        collector = PolledCollector(self.meter, {"load": Role.LOAD}, self.store)
        return Agent("A", POLICY, collector, self.store, self.relay, ledger, lambda: self.world.now_s, 900)

    def minute(self, seal: bool = True) -> None:
        """A reading, a decision, and a block five seconds later with another decision."""
        self.world.now_s += 60
        self.agent.measure()
        self.agent.act()
        if seal and self.world.chain.pending_count:
            self.world.now_s += 5
            self.world.seal()
            self.agent.act()
            self.world.now_s -= 5

    def minutes(self, number: int) -> None:
        for _ in range(number):
            self.minute()


@pytest.fixture
def house(community: Any) -> House:
    return House(community)


def test_a_low_battery_is_fed_by_the_neighbour_one_block_after_the_measurement(house: House) -> None:
    house.minutes(3)
    assert house.relay.read_back() == OWN
    house.meter.state_of_charge = 0.29
    house.minute()
    assert house.relay.read_back() == house.from_b
    assert house.agent.switched_at_s == house.world.now_s + 5
    credit = house.world.exchange.credit(house.a.address, house.b.address)
    assert credit.credit_j == POLICY.buy_j
    assert house.world.coin.balance_of(house.b.address) == PRICE // 2


def test_what_was_drawn_is_split_at_the_switch_and_reported_to_the_joule(house: House) -> None:
    house.meter.state_of_charge = 0.29
    house.minutes(20)
    ledger = house.world.exchange.home(house.a.address)
    credit = house.world.exchange.credit(house.a.address, house.b.address)
    whole = total(house.store.slots(to_s=ledger.until_s))
    assert whole.own_j == ledger.own_j == 600 * 60 + 600 * 5, "a minute, and the five seconds to the block"
    assert whole.drawn_j == {house.b.address: credit.drawn_j}
    assert whole.consumed_j == whole.own_j + credit.drawn_j == 600 * 60 * 15


def test_credit_is_topped_up_before_it_ends_and_nothing_stays_unpaid(house: House) -> None:
    house.meter.state_of_charge = 0.29
    house.meter.consumption_w = 3000.0
    house.minutes(90)
    credit = house.world.exchange.credit(house.a.address, house.b.address)
    assert credit.bought_j > 4 * POLICY.buy_j
    assert credit.unpaid_j == 0
    assert house.relay.read_back() == house.from_b


def test_without_coins_the_home_goes_back_to_its_own_source_when_the_credit_ends(house: House) -> None:
    house.meter.state_of_charge = 0.29
    house.minute()
    balance = house.world.coin.balance_of(house.a.address)
    house.world.do(house.a, house.world.coin.transfer(house.b.address, balance))
    house.minutes(60)
    assert house.relay.read_back() == OWN
    credit = house.world.exchange.credit(house.a.address, house.b.address)
    assert (credit.bought_j, credit.unpaid_j) == (POLICY.buy_j, 0)


def test_the_charge_is_reported_to_who_has_left_an_order_and_then_it_is_followed(house: House) -> None:
    house.meter.state_of_charge = 0.5  # the agent itself buys at 30 %
    house.minutes(20)
    assert house.agent._report(house.world.now_s).name == "report", "without an order it would cost gas for nothing"
    order = StandingOrder(0.6, joules_from_kwh(1), PRICE, (house.b.address,))
    house.world.do(house.a, house.world.exchange.place_order(order))
    house.minutes(15)
    assert house.world.exchange.credit(house.a.address, house.b.address).credit_j == joules_from_kwh(1)
    unplug(house).down = True
    assert house.agent._report(house.world.now_s).name == "report", "what is not known is not asked for twice"


def test_a_recovered_battery_takes_the_home_back(house: House) -> None:
    house.meter.state_of_charge = 0.29
    house.minutes(12)
    house.meter.state_of_charge = 0.5
    house.minute()
    assert house.relay.read_back() == OWN
    assert house.relay.switches == 2


def test_an_agent_that_starts_anew_goes_on_from_the_ledger_and_reports_nothing_twice(house: House) -> None:
    house.meter.state_of_charge = 0.29
    house.minutes(40)
    before = house.world.exchange.home(house.a.address)
    house.agent = house.open_agent()
    house.agent.act()
    assert house.world.chain.pending_count == 0, "there is nothing to say"
    assert house.relay.read_back() == house.from_b, "the load stays where it was"
    house.minutes(20)
    after = house.world.exchange.home(house.a.address)
    credit = house.world.exchange.credit(house.a.address, house.b.address)
    assert after.until_s == before.until_s + 1800
    whole = total(house.store.slots(to_s=after.until_s))
    assert (whole.own_j, whole.drawn_j[house.b.address]) == (after.own_j, credit.drawn_j)


class Plug:
    """The way to the node, which is gone while `down`."""

    def __init__(self, provider: Any) -> None:
        self.ask, self.down = provider._rpc, False
        provider._rpc = self

    def __call__(self, method: str, params: list[Any]) -> Any:
        if self.down:
            raise ConnectionError("connection refused")
        return self.ask(method, params)


def unplug(house: House) -> Plug:
    return Plug(house.world.web3.provider)


def test_a_node_that_is_gone_stops_no_measuring_and_is_told_everything_later(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    plug = unplug(house)
    house.minutes(3)
    plug.down = True
    with caplog.at_level(logging.WARNING):
        house.minutes(30)
    assert "does not answer" in caplog.text
    assert total(house.store.slots()).covered_s == 33 * 60
    plug.down = False
    house.minutes(2)
    ledger = house.world.exchange.home(house.a.address)
    assert ledger.until_s > house.world.now_s - 900
    assert ledger.own_j == total(house.store.slots(to_s=ledger.until_s)).own_j


def test_a_home_whose_credit_cannot_be_checked_goes_to_its_own_source(house: House) -> None:
    plug = unplug(house)
    house.meter.state_of_charge = 0.29
    house.minutes(2)
    assert house.relay.read_back() == house.from_b
    house.meter.consumption_w = 12_000.0
    house.minute(seal=False)
    assert house.agent.waits, "a purchase is on its way when the node goes"
    house.meter.consumption_w = 600.0
    plug.down = True
    house.minutes(10)
    assert house.relay.read_back() == house.from_b, "it waits a while"
    house.minutes(8)
    assert house.relay.read_back() == OWN


def test_a_silent_sensor_counts_no_energy(house: House) -> None:
    house.meter.state_of_charge = 0.29
    house.minutes(2)
    house.meter.silent = True
    house.minutes(30)
    assert total(house.store.slots()).covered_s == 120
    assert house.relay.read_back() == OWN


def test_a_purchase_that_somebody_else_was_quicker_for_is_said_and_nothing_is_paid(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    world, other = house.world, house.world.homes["C"]
    world.do(world.operator, world.coin.mint(other.address, base_units(5)))
    house.meter.state_of_charge = 0.29
    world.now_s += 60
    house.agent.measure()
    house.agent.ledger.look()
    world.do(other, world.exchange.buy(house.b.address, joules_from_kwh("9.9"), PRICE))
    house.agent.ledger.look = lambda market=house.agent.ledger._market: market  # type: ignore[method-assign,misc]
    house.agent.act()
    del house.agent.ledger.look
    world.seal()
    with caplog.at_level(logging.INFO):
        house.agent.act()
    assert "ExchangeInsufficientEnergy (remainingJ 360000, requestedJ 1800000)" in caplog.text
    assert world.coin.balance_of(house.a.address) == base_units(5)


def test_a_contact_that_does_not_open_keeps_the_home_where_it_is_and_nothing_is_counted_as_drawn(house: House) -> None:
    welded = house.board.is_closed

    def is_closed(channel: int) -> bool:
        return True if channel == 0 else welded(channel)

    house.board.is_closed = is_closed  # type: ignore[method-assign]
    house.meter.state_of_charge = 0.29
    house.minutes(20)
    assert total(house.store.slots()).drawn_j == {}
    assert house.world.exchange.credit(house.a.address, house.b.address).drawn_j == 0


def test_closing_reports_the_rest_of_a_slot(house: House) -> None:
    house.minutes(20)
    house.agent.close()
    house.world.seal()
    ledger = house.world.exchange.home(house.a.address)
    assert ledger.until_s == house.world.now_s
    assert ledger.own_j == 20 * 60 * 600


def test_the_node_that_does_not_answer_is_an_error_that_can_be_tried_again(house: House) -> None:
    unplug(house).down = True
    with pytest.raises(ChainError, match="does not answer"):
        house.agent.ledger.look()


def test_an_agent_that_starts_while_a_report_is_on_its_way_waits_for_it(house: House) -> None:
    house.minutes(14)
    house.minute(seal=False)
    assert house.world.chain.pending_count == 1, "the report of the first quarter"
    house.agent = house.open_agent()
    for _ in range(16):
        house.minute(seal=False)
    assert house.world.chain.pending_count == 1, "nothing is said again while something is on its way"
    house.minutes(16)
    ledger = house.world.exchange.home(house.a.address)
    whole = total(house.store.slots(to_s=ledger.until_s))
    assert ledger.own_j == whole.own_j > 0


def test_a_purchase_whose_answer_was_lost_is_not_made_twice(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.minutes(3)
    house.meter.state_of_charge = 0.29
    eth, answers = house.world.web3.eth, 3
    send = eth.send_raw_transaction

    def lose_the_answer(raw: bytes) -> Any:
        nonlocal answers
        sent = send(raw)
        answers -= 1
        if answers >= 0:
            raise ConnectionError("timed out")
        return sent

    monkeypatch.setattr(eth, "send_raw_transaction", lose_the_answer)
    house.minute(seal=False)
    house.minute(seal=False)
    house.minute(seal=False)
    house.minutes(2)
    assert house.world.exchange.credit(house.a.address, house.b.address).bought_j == POLICY.buy_j
    assert house.relay.read_back() == house.from_b


def test_a_relay_that_went_to_its_safe_source_by_itself_ends_what_is_drawn(house: House) -> None:
    house.meter.state_of_charge = 0.29
    house.minutes(5)
    assert house.relay.read_back() == house.from_b
    house.meter.state_of_charge = 0.40  # between the thresholds: the agent wants to change nothing
    drawn_before = total(house.store.slots()).drawn_j[house.b.address]
    house.world.now_s += 301
    house.relay.watch(house.world.now_s)
    assert house.relay.read_back() == OWN
    house.meter.state_of_charge = 0.6
    house.minutes(5)
    assert total(house.store.slots()).drawn_j[house.b.address] == drawn_before


def test_a_relay_that_does_not_answer_counts_nothing_as_drawn(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.meter.state_of_charge = 0.29
    house.minutes(5)
    assert house.relay.read_back() == house.from_b
    drawn_before = total(house.store.slots()).drawn_j[house.b.address]

    def silent() -> Any:
        raise RelayError("no answer from the board")

    monkeypatch.setattr(house.relay, "read_back", silent)
    house.minutes(5)
    assert total(house.store.slots()).drawn_j[house.b.address] == drawn_before
