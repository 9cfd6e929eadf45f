"""One home's agent. It measures through the collector, says who fed the load, asks the pure function what to do, and does it.

It holds no rule and no file: what it has reported is on the ledger, what it measured is in the store, what feeds the load is
what the relay reads back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from daisee.errors import ChainError, RelayError
from daisee.ledger.exchange import ALL_SURPLUS, HomeBooks, Interval, Market
from daisee.ledger.home import HomeLedger
from daisee.ledger.sender import Sent
from daisee.ledger.transactions import Call
from daisee.model.attribution import Switched, attribute
from daisee.model.decision import Action, Buy, Offer, OfferEnergy, Policy, Report, Situation, Switch, decide
from daisee.model.source import Source
from daisee.monitor.collector import PolledCollector
from daisee.monitor.store import Store, total
from daisee.relay.group import SourceGroup
from daisee.units import Address, Coins, Joules, kwh

log = logging.getLogger(__name__)


class Agent:
    """One home, run."""

    def __init__(
        self,
        home: str,
        policy: Policy,
        collector: PolledCollector,
        store: Store,
        relay: SourceGroup,
        ledger: HomeLedger,
        clock: Callable[[], float],
        report_every_s: int,
    ) -> None:
        """Take charge of a home. `report_every_s` is a multiple of a slot; `clock` answers Unix seconds."""
        self.home = home
        self.policy = policy
        self.ledger = ledger
        self.relay = relay
        self.store = store
        self.collector = collector
        self._clock = clock
        self._report_every_s = report_every_s
        self._in_flight: dict[type[Action], Sent] = {}
        self._switches = [Switched(0.0, relay.read_back() or policy.safe_source)]
        self._market: Market | None = None
        self._ledger_at_s: float | None = None
        self._ledger_silent = False
        self._started_at_s = clock()
        self._fed_at_s = self._started_at_s
        """When the relay last said what feeds the load."""
        self._unsure = True
        """Whether something may be on its way from before this agent started."""

    @property
    def market(self) -> Market | None:
        """Answer what the ledger said last; None before it ever answered."""
        return self._market

    @property
    def switched_at_s(self) -> float | None:
        """Answer when the source last changed; None while it has not."""
        return self._switches[-1].at_s or None

    @property
    def waits(self) -> bool:
        """Tell whether transactions of this home are on their way."""
        return bool(self._in_flight)

    def measure(self) -> None:
        """Take what the sensor has, and write down who fed the load with it."""
        self._note_source()
        spans = self.collector.collect()
        for span in spans:
            for share in attribute(span, self._switches, self.policy.kind):
                self.store.add_share(share)
        if spans:
            past = [switched for switched in self._switches if switched.at_s <= spans[-1].end_s]
            self._switches = self._switches[max(0, len(past) - 1) :]

    def act(self) -> None:
        """Look at the world, decide, and carry it out."""
        self.relay.hear(self._clock())
        self._look()
        for action in decide(self._situation(), self.policy):
            self._carry_out(action)

    def close(self) -> None:
        """Report what is measured and not yet reported, be the slot whole or not; for when no more will be measured.

        A report that is still on its way must be in a block before, else it would be counted twice: then nothing is sent.
        """
        self._look()
        latest = self.collector.latest
        if latest is None or self._market is None or self._unsure or Report in self._in_flight:
            return
        if latest.at_s > self._market.home.until_s:
            self._carry_out(Report(int(latest.at_s)))

    def _look(self) -> None:
        """Ask the ledger what became of what was sent, and how things stand."""
        try:
            for kind, sent in list(self._in_flight.items()):
                outcome = self.ledger.sender.outcome(sent)
                if outcome is None:
                    continue
                del self._in_flight[kind]
                if not outcome.succeeded:
                    why = self.ledger.sender.why(sent.call)
                    # Mostly somebody was quicker; it is decided anew, with what the ledger says now.
                    log.info("%s: %s was refused in block %d: %s", self.home, sent.call.name, outcome.block, why)
            self._unsure = self._unsure and self.ledger.sender.unsettled()
            self._market = self.ledger.look()
            self._ledger_at_s = self._clock()
        except ChainError as error:
            if not self._ledger_silent:
                log.warning("%s: %s; measuring goes on, reports wait", self.home, error)
            self._ledger_silent = True
            return
        if self._ledger_silent:
            log.warning("%s: the ledger answers again", self.home)
        self._ledger_silent = False

    def _situation(self) -> Situation:
        latest, market = self.collector.latest, self._market
        home = market.home if market else None
        reported_until_s = home.until_s if home else 0
        reportable_until_s = self._reportable_until_s() if market else 0
        offers = {
            seller: Offer(seller, offer.price_per_kwh, offer.available_j, offer.amount_j == ALL_SURPLUS)
            for seller, offer in (market.offers.items() if market else ())
            if offer.price_per_kwh
        }
        own_offer = offers.pop(self.ledger.address, None)
        return Situation(
            now_s=self._clock(),
            started_at_s=self._started_at_s,
            source=self._read_back(),
            switched_at_s=self.switched_at_s,
            measured_at_s=latest.at_s if latest else None,
            consumption_w=(latest.consumption_w or 0.0) if latest else 0.0,
            production_w=(latest.production_w or 0.0) if latest else 0.0,
            state_of_charge=latest.state_of_charge if latest else None,
            ledger_at_s=self._ledger_at_s,
            reported_until_s=reported_until_s,
            reportable_until_s=reportable_until_s,
            surplus_j=self._surplus_j(home, reportable_until_s) if home else Joules(0),
            own_offer=own_offer,
            balance=market.balance if market else Coins(0),
            offers=tuple(offers.values()),
            credit_j=self._credits(market, reported_until_s) if market else {},
            in_flight=frozenset({Report, OfferEnergy, Buy} if self._unsure else self._in_flight),
        )

    def _reportable_until_s(self) -> int:
        return self.collector.whole_slots_until_s // self._report_every_s * self._report_every_s

    def _surplus_j(self, home: HomeBooks, reportable_until_s: int) -> Joules:
        """Answer what the home may sell once it has reported what it can report now; so that report and offer go together."""
        due = total(self.store.slots(home.until_s, reportable_until_s))
        return Joules(max(0, home.surplus_j - home.overdrawn_j + due.produced_j - due.own_j))

    def _credits(self, market: Market, reported_until_s: int) -> dict[Address, int]:
        """Answer the credit with each neighbour, less what is measured and not yet reported."""
        unreported = total(self.store.slots(reported_until_s)).drawn_j
        return {
            seller: market.credits[seller].credit_j - market.credits[seller].unpaid_j - unreported.get(seller, 0)
            for seller in self.ledger.sellers
        }

    def _read_back(self) -> Source | None:
        try:
            return self.relay.read_back()
        except RelayError as error:
            log.error("%s: %s", self.home, error)
            return None

    def _carry_out(self, action: Action) -> None:
        match action:
            case Switch(source, reason):
                self._switch(source, reason)
            case Report(until_s):
                self._send(action, self._report(until_s))
            case OfferEnergy(price_per_kwh, amount_j):
                self._send(action, self.ledger.exchange.offer(price_per_kwh, ALL_SURPLUS if amount_j is None else amount_j))
            case Buy(seller, amount_j, max_price_per_kwh):
                log.info("%s buys %.2f kWh of %s", self.home, kwh(amount_j), seller)
                self._send(action, self.ledger.exchange.buy(seller, amount_j, max_price_per_kwh))

    def _report(self, until_s: int) -> Call:
        from_s = self._market.home.until_s if self._market else 0
        whole = total(self.store.slots(from_s, until_s))
        interval = Interval(until_s, Joules(whole.produced_j), Joules(whole.own_j), whole.drawn_j)
        return self.ledger.exchange.report(from_s, [interval], self._charge_for_order())

    def _charge_for_order(self) -> float | None:
        """Answer the state of charge where the home has left an order that goes by it; to report it costs gas."""
        charge = self.collector.latest.state_of_charge if self.collector.latest else None
        try:
            return charge if charge is not None and self.ledger.has_order() else None
        except ChainError:
            return None  # The report will not get through either.

    def _send(self, action: Action, call: Call) -> None:
        try:
            self._in_flight[type(action)] = self.ledger.sender.send(call)
        except ChainError as error:
            # Nothing was sent; it is decided anew at the next look.
            log.info("%s: %s", self.home, error)

    def _switch(self, source: Source, reason: str) -> None:
        try:
            self.relay.switch(source, self._clock())
        except RelayError as error:
            log.error("%s: %s", self.home, error)
        if self._note_source(self._clock()):
            log.info("%s is fed by %s: %s", self.home, self._switches[-1].source, reason)

    def _note_source(self, since_s: float | None = None) -> bool:
        """Write down what the relay says feeds the load, and tell whether that is new.

        What is new without a switch of ours holds since the relay was last heard, and where it says nothing, nobody is
        taken to have fed the load but the home itself.
        """
        fed_by = self._read_back()
        new = (fed_by or self.policy.safe_source) != self._switches[-1].source
        if new:
            at_s = max(self._switches[-1].at_s, self._fed_at_s if since_s is None else since_s)
            self._switches.append(Switched(at_s, fed_by or self.policy.safe_source))
        if fed_by is not None:
            self._fed_at_s = self._clock()
        return new
