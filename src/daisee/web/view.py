"""What the page of a street shows, as plain values: whoever runs a street fills them in, and the page only draws them.

Power is in watts, energy in watt-hours (what people read), both at least zero: direction is a word, never a sign. Coins
and prices are decimal strings of whole coins, already rounded for people. Times are aware and leave as ISO 8601.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class HomeKind(StrEnum):
    """How a home hangs on the world."""

    ISLANDED = "islanded"
    """A relay feeds it from exactly one source."""
    GRID_TIED = "grid-tied"
    """Its own production comes first, and only the rest from the source in use."""


class Feed(StrEnum):
    """What feeds a home's load where it is no neighbour; a neighbour is named by its home's name."""

    OWN = "own"
    GRID = "grid"
    NONE = "none"
    """Nothing: the home is dark, or nobody knows."""


class TransactionKind(StrEnum):
    """What the ledger wrote down, in the words of the page."""

    ADMITTED = "admitted"
    REPORTED = "reported"
    OFFERED = "offered"
    BOUGHT = "bought"
    DRAWN = "drawn"
    OVERDRAWN = "overdrawn"
    UNPAID = "unpaid"


@dataclass(frozen=True, slots=True)
class ChainView:
    """The state of the ledger's network."""

    chain_id: int
    block: int
    """The number of the newest block."""
    block_time: datetime | None
    """When it was sealed, by the street's clock."""
    transactions: int
    """How many there have been in all."""
    rpc_url: str
    """Where a wallet or a script can look on."""
    coin: str
    """The coin's contract address."""
    exchange: str
    """The exchange's contract address."""


@dataclass(frozen=True, slots=True)
class CreditView:
    """What a home has bought from one seller, and what is left of it."""

    seller: str
    """The seller's home name."""
    bought_wh: float
    drawn_wh: float
    credit_wh: float
    """What remains."""


@dataclass(frozen=True, slots=True)
class OfferView:
    """What a home sells."""

    price_per_kwh: str
    """Coins for a kWh."""
    available_wh: float


@dataclass(frozen=True, slots=True)
class HomeView:
    """One home as its neighbours may see it."""

    home: str
    """Its name, unique in the street. It may be anything that a data file says."""
    kind: str
    """A `HomeKind`."""
    address: str
    """Its account on the ledger."""
    consumption_w: float | None
    """None where no sensor speaks: nothing is invented."""
    production_w: float | None
    source: str
    """The source in use: a `Feed`, or a neighbour's name. A grid-tied home that makes all it uses is shown as its own."""
    coins: str
    """Its balance."""
    title: str = ""
    """Words for people, where the street has any, such as "the home with the battery"."""
    state_of_charge: float | None = None
    """Of its battery, 0 to 1; None where it has none."""
    battery_wh: float | None = None
    battery_product: str | None = None
    credits: Sequence[CreditView] = ()
    offer: OfferView | None = None
    switched_at: datetime | None = None
    """When its source last changed."""
    note: str | None = None
    """What a neighbour would want to know, such as a silent sensor."""


@dataclass(frozen=True, slots=True)
class FlowView:
    """Energy that flows right now. Both ends are home names or `grid`: from the grid is import, to the grid export."""

    from_: str
    to: str
    power_w: float


@dataclass(frozen=True, slots=True)
class TransactionView:
    """One energy transaction of the ledger."""

    kind: str
    """A `TransactionKind`."""
    block: int
    time: datetime
    from_: str
    to: str
    """Home names; empty where there is no such side, as in a home's own report."""
    energy_wh: float | None
    """None where the transaction names no amount, as an offer of all there is."""
    coins: str | None
    """None where no coins moved."""
    hash: str


@dataclass(frozen=True, slots=True)
class TodayView:
    """The street's day so far; own, drawn and imported add up to consumed."""

    consumed_wh: float
    own_wh: float
    drawn_wh: float
    """Bought from neighbours, and used."""
    imported_wh: float
    self_sufficiency: float | None
    """The share of consumption that the street covered itself, 0 to 1; None before anything was consumed."""


@dataclass(frozen=True, slots=True)
class StreetView:
    """All that the page shows, at one moment."""

    now: datetime
    """The street's own time, aware, UTC."""
    speed: float | None
    """How many times faster than life the street goes; None where it has no steady speed."""
    running: bool
    """False once the data has ended."""
    title: str
    chain: ChainView
    homes: Sequence[HomeView]
    flows: Sequence[FlowView]
    transactions: Sequence[TransactionView]
    """Newest first, up to 30."""
    today: TodayView
    zone: str = "UTC"
    """The IANA time zone of the street's wall clock."""


@dataclass(frozen=True, slots=True)
class ChartPoint:
    """The power of the whole street at one moment; own, neighbours and imported add up to consumed."""

    time: datetime
    consumed_w: float
    own_w: float
    neighbours_w: float
    imported_w: float


def chart_point(view: StreetView) -> ChartPoint | None:
    """Add up the street's power. Homes whose consumption nobody knows are left out; None where that is every home.

    What flows in from a neighbour or the grid is no more than what the street consumes; the rest is its own.
    """
    if all(home.consumption_w is None for home in view.homes):
        return None
    homes = {home.home for home in view.homes}
    consumed_w = sum(home.consumption_w or 0.0 for home in view.homes)
    inward = [flow for flow in view.flows if flow.to in homes]
    imported_w = min(consumed_w, sum(flow.power_w for flow in inward if flow.from_ == Feed.GRID))
    neighbours_w = min(consumed_w - imported_w, sum(flow.power_w for flow in inward if flow.from_ != Feed.GRID))
    return ChartPoint(
        time=view.now,
        consumed_w=consumed_w,
        own_w=consumed_w - imported_w - neighbours_w,
        neighbours_w=neighbours_w,
        imported_w=imported_w,
    )


def as_json(value: object) -> Any:
    """Turn a view into what JSON can carry: times become ISO 8601, a field's last underscore goes (`from_`, `from`)."""
    if is_dataclass(value):
        return {field.name.rstrip("_"): as_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (list, tuple)):
        return [as_json(each) for each in value]
    return value
