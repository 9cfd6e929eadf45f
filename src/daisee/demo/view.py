"""What the page shows of a street, read off its homes and its chain."""

from __future__ import annotations

from datetime import UTC, datetime

from daisee.demo.home import BatterySensor
from daisee.demo.run import StreetHome, StreetRun
from daisee.demo.watch import TimedEvent
from daisee.errors import RelayError
from daisee.ledger.events import LedgerEvent
from daisee.ledger.exchange import ALL_SURPLUS
from daisee.model.attribution import Kind
from daisee.model.home import Live
from daisee.model.source import GRID, OWN, seller_of
from daisee.monitor.store import total
from daisee.units import Address, coins, wh
from daisee.web.view import ChainView, CreditView, FlowView, HomeView, OfferView, StreetView, TodayView, TransactionView

SHOWN = 30
KINDS = {
    "EnergyReported": "reported",
    "EnergyBought": "bought",
    "EnergyOffered": "offered",
    "EnergyDrawn": "drawn",
    "EnergyOverdrawn": "overdrawn",
    "EnergyUnpaid": "unpaid",
    "HomeAdmitted": "admitted",
}
"""The contract's words, and the page's."""

QUIET_W = 1.0
"""Less than this is not drawn as a flow."""


def view_of(run: StreetRun, speed: float | None, rpc_url: str, *, running: bool) -> StreetView:
    """Take a picture of the street."""
    now = datetime.fromtimestamp(run.clock(), UTC)
    homes = [_home(run, home) for home in run.homes.values()]
    return StreetView(
        now=now,
        speed=speed,
        running=running,
        title=run.street.name,
        chain=ChainView(
            chain_id=run.chain.chain_id,
            block=run.watch.block,
            block_time=datetime.fromtimestamp(run.watch.sealed_at_s, UTC),
            transactions=run.watch.transactions,
            rpc_url=rpc_url,
            coin=run.contracts.coin.address,
            exchange=run.contracts.exchange.address,
        ),
        homes=homes,
        flows=[flow for home in run.homes.values() for flow in _flows(run, home)],
        transactions=_transactions(run),
        today=_today(run),
    )


def _fed_by(run: StreetRun, home: StreetHome) -> str:
    """Name what feeds a home's load: `own`, `grid`, a neighbour's name, or `none` where nothing does or nobody knows."""
    try:
        source = home.relay.read_back()
    except RelayError:
        return "none"
    if source is None or (isinstance(home.sensor, BatterySensor) and home.sensor.dark):
        return "none"
    if _needed_w(home) <= QUIET_W and home.agent.policy.kind is Kind.GRID_TIED:
        return str(OWN)  # its own sun gives it all; the source in use gives nothing
    seller = seller_of(source)
    return run.names[seller] if seller else str(source)


def _fresh(run: StreetRun, home: StreetHome) -> Live | None:
    """Answer a home's latest reading, unless its sensor has been silent since."""
    latest = home.agent.collector.latest
    return latest if latest and run.clock() - latest.at_s <= 2 * run.measured.step_s else None


def _needed_w(home: StreetHome) -> float:
    """Answer what the source in use has to give, by the latest reading."""
    latest = home.agent.collector.latest
    if latest is None:
        return 0.0
    made_w = (latest.production_w or 0.0) if home.agent.policy.kind is Kind.GRID_TIED else 0.0
    return max(0.0, (latest.consumption_w or 0.0) - made_w)


def _home(run: StreetRun, home: StreetHome) -> HomeView:
    latest, market = _fresh(run, home), home.agent.market
    battery = home.plan.battery
    own_offer = market.offers.get(home.address) if market else None
    switched_at_s = home.agent.switched_at_s
    return HomeView(
        home=home.plan.home,
        title=home.plan.title,
        kind=str(home.plan.kind),
        address=home.address,
        consumption_w=latest.consumption_w if latest else None,
        production_w=latest.production_w if latest else None,
        source=_fed_by(run, home),
        state_of_charge=latest.state_of_charge if latest else None,
        battery_wh=battery.kind.capacity_j / 3600 if battery else None,
        battery_product=battery.kind.product if battery else None,
        coins=f"{coins(market.balance if market else 0):.2f}",
        credits=[
            CreditView(
                seller=run.names[seller],
                bought_wh=wh(books.bought_j),
                drawn_wh=wh(books.drawn_j),
                credit_wh=wh(books.credit_j),
            )
            for seller, books in (market.credits.items() if market else ())
            if books.bought_j or books.drawn_j
        ],
        offer=(
            OfferView(price_per_kwh=f"{coins(own_offer.price_per_kwh):.2f}", available_wh=wh(own_offer.available_j))
            if own_offer and own_offer.available_j
            else None
        ),
        switched_at=datetime.fromtimestamp(switched_at_s, UTC) if switched_at_s else None,
        note=_note(run, home),
    )


def _note(run: StreetRun, home: StreetHome) -> str | None:
    """Say what a neighbour would want to know, if there is anything."""
    if _fresh(run, home) is None:
        return "no reading: the sensor is silent"
    if isinstance(home.sensor, BatterySensor) and home.sensor.dark:
        return "dark: the battery is empty and there is no credit"
    return None


def _flows(run: StreetRun, home: StreetHome) -> list[FlowView]:
    """Say what flows into a home from its source, and out of it into the grid, by its latest reading."""
    latest, fed_by, name = home.agent.collector.latest, _fed_by(run, home), home.plan.home
    if latest is None or _note(run, home):
        return []
    needed_w, spare_w = _needed_w(home), 0.0
    if home.agent.policy.kind is Kind.GRID_TIED:
        spare_w = (latest.production_w or 0.0) - (latest.consumption_w or 0.0)
    flows = []
    if fed_by not in (OWN, "none") and needed_w > QUIET_W:
        flows.append(FlowView(from_=fed_by, to=name, power_w=needed_w))
    if spare_w > QUIET_W:
        flows.append(FlowView(from_=name, to=str(GRID), power_w=spare_w))
    return flows


def _transactions(run: StreetRun) -> list[TransactionView]:
    """List the newest energy transactions, newest first."""
    shown = [_transaction(run, timed) for timed in reversed(run.watch.latest) if timed.event.name in KINDS]
    return shown[:SHOWN]


def _transaction(run: StreetRun, timed: TimedEvent) -> TransactionView:
    event = timed.event
    source, target = _parties(event)
    energies = ("energyJ", "producedJ", "amountJ", "openingJ", "overdrawnJ", "unpaidJ")
    energy_j = next((event.facts[name] for name in energies if name in event.facts), None)
    cost = event.facts.get("cost")
    return TransactionView(
        kind=KINDS[event.name],
        block=event.block,
        time=datetime.fromtimestamp(timed.sealed_at_s, UTC),
        from_=run.names.get(source, source) if source else "",
        to=run.names.get(target, target) if target else "",
        energy_wh=None if energy_j in (None, ALL_SURPLUS) else wh(energy_j),
        coins=None if cost is None else f"{coins(cost):.4f}",
        hash=event.transaction,
    )


def _parties(event: LedgerEvent) -> tuple[Address | None, Address | None]:
    """Answer from whom to whom the energy of an event goes; a home's own report and offer have no other side."""
    facts = event.facts
    return facts.get("seller") or facts.get("home"), facts.get("buyer")


def _today(run: StreetRun) -> TodayView:
    """Add up the day of the street, from midnight of its data."""
    now_s = int(run.clock())
    midnight_s = now_s - now_s % 86_400
    day = [total(home.store.slots(midnight_s)) for home in run.homes.values()]
    consumed_j, own_j = sum(s.consumed_j for s in day), sum(s.own_j for s in day)
    drawn_j, imported_j = sum(sum(s.drawn_j.values()) for s in day), sum(s.imported_j for s in day)
    return TodayView(
        consumed_wh=wh(consumed_j),
        own_wh=wh(own_j),
        drawn_wh=wh(drawn_j),
        imported_wh=wh(imported_j),
        self_sufficiency=(own_j + drawn_j) / consumed_j if consumed_j else None,
    )
