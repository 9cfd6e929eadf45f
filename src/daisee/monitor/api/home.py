"""What a home measured: now, as readings, as slots of a quarter of an hour, and as energy by day, week, month or year."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import asdict
from datetime import date
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response, StreamingResponse

from daisee.config import near
from daisee.model.calendar import Period, date_of, first_day, label, midnight_s, next_first_day
from daisee.model.readings import SLOT_S, Reading
from daisee.monitor.api.asking import Moment, span, tagged
from daisee.monitor.api.gate import Gate
from daisee.monitor.running import Monitor
from daisee.monitor.store import Meter

MOST_READINGS = 5_000
MOST_SLOTS = 40_000
"""A year and more."""
MOST_PERIODS = 4_000
DAY_S = 86_400
LIVE_S = 1.0
HEARTBEAT_S = 15.0
CHECK_S = 15.0
"""How often an open stream's token is looked at again: it may have been revoked."""


class MeterNow(BaseModel):
    """A meter, and what it said last."""

    name: str
    role: str = Field(description="grid, production, battery, load or sub-load")
    kind: str = Field(description="Of sensor, as the configuration names it")
    at: float | None = Field(description="When it spoke last, Unix seconds")
    power_w: float | None
    forward_j: int | None = Field(description="Its counter, in its forward direction: import, production, charging, use")
    reverse_j: int | None
    state_of_charge: float | None = Field(description="0 to 1")
    voltage_v: float | None
    wrong: str | None = Field(description="What is wrong with its sensor, in words; null where nothing is")


class HomeNow(BaseModel):
    """A home at this moment; null for what no meter tells."""

    home: str
    zone: str = Field(examples=["Europe/Paris"])
    at: float | None = Field(description="Of the newest reading, Unix seconds")
    consumption_w: float | None
    production_w: float | None
    grid_w: float | None = Field(description="Positive for import")
    battery_w: float | None = Field(description="Positive while it charges")
    state_of_charge: float | None
    meters: list[MeterNow]


class ReadingSeen(BaseModel):
    """A reading, as it came."""

    id: int = Field(description="Its number in its meter's life")
    at: float
    power_w: float | None
    mean_over_s: float | None = Field(description="Where the power is a mean: over how long before")
    forward_j: int | None
    reverse_j: int | None
    state_of_charge: float | None
    voltage_v: float | None


class Readings(BaseModel):
    """Readings in order of time."""

    meter: str
    readings: list[ReadingSeen]
    next: float | None = Field(description="Ask with `from` = this for more; null where there are none")


class HomeSlot(BaseModel):
    """A quarter of an hour of the home."""

    start: int = Field(description="Unix seconds, a multiple of 900", examples=[1790812800])
    consumed_j: int
    produced_j: int
    own_j: int = Field(description="Used from its own production or battery, where an agent settles it")
    imported_j: int
    exported_j: int
    drawn_j: int = Field(description="Used from neighbours")
    covered_s: float = Field(description="How much of it was measured, 0 to 900")
    min_w: float | None
    max_w: float | None
    quality: int = Field(
        description="1 spread over a gap, 2 a counter was reset, 4 corrected by hand, 8 filled in later, 16 told by power; summed"
    )


class MeterSlotSeen(BaseModel):
    """A quarter of an hour of one meter."""

    start: int
    forward_j: int
    reverse_j: int
    covered_s: float
    min_w: float | None
    max_w: float | None
    quality: int


class Energy(BaseModel):
    """The energy of a day, week, month or year."""

    period: str = Field(examples=["2026-10-05", "2026-W41", "2026-10", "2026"])
    start: int
    end: int
    consumed_j: int
    produced_j: int
    own_j: int
    imported_j: int
    exported_j: int
    drawn_j: int
    covered_s: float = Field(description="How much of it was measured")


class MeterEnergy(BaseModel):
    """The energy of one meter in a day, week, month or year."""

    period: str
    start: int
    end: int
    forward_j: int
    reverse_j: int
    covered_s: float


class Facts:
    """What the home's store and collector tell, each answer taken under the lock."""

    def __init__(self, monitor: Monitor) -> None:
        self.monitor = monitor

    def meter(self, name: str) -> Meter:
        """Answer a meter by its name; 404 where there is none."""
        known = self.monitor.store.meters
        if name not in known:
            raise HTTPException(404, f"there is no meter {name}; {near(name, known)}")
        return known[name]

    def now(self) -> dict[str, Any]:
        """Answer the home at this moment."""
        with self.monitor.books.lock:
            live, newest = self.monitor.collector.latest, dict(self.monitor.collector.newest)
            meters = list(self.monitor.collector.meters.values())
        return {
            "home": self.monitor.settings.home,
            "zone": str(self.monitor.settings.zone),
            "at": live and live.at_s,
            "consumption_w": live and live.consumption_w,
            "production_w": live and live.production_w,
            "grid_w": live and live.grid_power_w,
            "battery_w": live and live.battery_power_w,
            "state_of_charge": live and live.state_of_charge,
            "meters": [self._meter_now(meter, newest.get(meter.name)) for meter in meters],
        }

    def _meter_now(self, meter: Meter, reading: Any) -> dict[str, Any]:
        facts = ("power_w", "forward_j", "reverse_j", "state_of_charge", "voltage_v")
        return {
            "name": meter.name,
            "role": str(meter.role),
            "kind": meter.kind,
            "at": reading and reading.at_s,
            **{fact: reading and getattr(reading, fact) for fact in facts},
            "wrong": self.monitor.trouble_of(meter.name),
        }

    def energy(self, period: Period, from_s: float, to_s: float, meter: str | None) -> list[dict[str, Any]]:
        """Answer the energy of every period that has a part between two moments."""
        zone = self.monitor.settings.zone
        begin = first_day(date_of(from_s, zone), period)
        borders, moments = [begin], [midnight_s(begin, zone)]
        while moments[-1] < to_s:
            if len(borders) > MOST_PERIODS:
                raise HTTPException(400, f"more than {MOST_PERIODS} periods; ask for less at once")
            borders.append(next_first_day(borders[-1], period))
            moments.append(midnight_s(borders[-1], zone))
        with self.monitor.books.lock:
            sums = self.monitor.store.energy(moments, zone, meter)
        return [
            {"period": label(day, period), "start": start, "end": end, **facts}
            for day, start, end, facts in zip(borders, moments, moments[1:], sums, strict=False)
        ]


def home_routes(monitor: Monitor, gate: Gate) -> APIRouter:
    """Answer the routes under /api/v1 that read."""
    router = APIRouter(prefix="/api/v1", tags=["home"])
    facts = Facts(monitor)
    _now_routes(router, facts, gate)
    _past_routes(router, facts)
    _energy_routes(router, facts)
    return router


def _now_routes(router: APIRouter, facts: Facts, gate: Gate) -> None:
    @router.get("/home", summary="The home at this moment", response_model=HomeNow)
    def home(request: Request) -> Response:
        return tagged(request, facts.now())

    @router.get("/meters", summary="Its meters, and what they said last", response_model=list[MeterNow])
    def meters(request: Request) -> Response:
        return tagged(request, facts.now()["meters"])

    @router.get("/live", summary="The home, whenever it changes, as server-sent events", response_class=StreamingResponse)
    async def live(request: Request) -> StreamingResponse:
        stream = _stream(facts, partial(gate.still_reads, request))
        return StreamingResponse(stream, media_type="text/event-stream", headers={"Cache-Control": "no-store"})


def _past_routes(router: APIRouter, facts: Facts) -> None:
    monitor = facts.monitor

    @router.get("/readings", summary="Readings of a meter, as they came, while they are kept", response_model=Readings)
    def readings(
        request: Request,
        meter: str,
        from_: Annotated[Moment, Query(alias="from")] = None,
        to: Moment = None,
        limit: Annotated[int, Query(ge=1, le=MOST_READINGS)] = 1_000,
    ) -> Response:
        facts.meter(meter)
        from_s, to_s = span(from_, to, time.time() - 3_600, time.time() + DAY_S)
        with monitor.books.lock:
            found = monitor.store.readings_from(meter, from_s, to_s, limit + 1)
        more = found[limit:]
        told = [_reading_told(number, reading) for number, reading in found[:limit]]
        return tagged(request, {"meter": meter, "readings": told, "next": more[0][1].at_s if more else None})

    @router.get(
        "/slots", summary="Quarters of an hour, of the home or of a meter", response_model=list[HomeSlot] | list[MeterSlotSeen]
    )
    def slots(
        request: Request, from_: Annotated[Moment, Query(alias="from")] = None, to: Moment = None, meter: str | None = None
    ) -> Response:
        from_s, to_s = span(from_, to, time.time() - DAY_S, time.time() + DAY_S)
        if (to_s - from_s) / SLOT_S > MOST_SLOTS:
            raise HTTPException(400, f"more than {MOST_SLOTS} slots; ask for less at once")
        first = -(-int(from_s) // SLOT_S) * SLOT_S
        with monitor.books.lock:
            if meter is not None:
                facts.meter(meter)
                found: list[Any] = list(monitor.store.meter_slots(meter, first, int(to_s)))
            else:
                found = list(monitor.store.slots(first, int(to_s)))
            told = [_slot_told(slot) for slot in found]  # while nobody counts into them
        return tagged(request, told)


def _energy_routes(router: APIRouter, facts: Facts) -> None:
    monitor = facts.monitor

    @router.get(
        "/energy",
        summary="Energy by day, week, month or year of the home's time zone",
        response_model=list[Energy] | list[MeterEnergy],
    )
    def energy(
        request: Request,
        by: Period = Period.DAY,
        from_: Annotated[Moment, Query(alias="from")] = None,
        to: Moment = None,
        meter: str | None = None,
    ) -> Response:
        if meter is not None:
            facts.meter(meter)
        from_s, to_s = span(_day(from_, monitor), _day(to, monitor), time.time() - 31 * DAY_S, time.time())
        return tagged(request, facts.energy(by, from_s, to_s, meter))


def _reading_told(number: int, reading: Reading) -> dict[str, Any]:
    told = asdict(reading)
    del told["part"]
    return {"id": number, "at": told.pop("at_s"), **told}


def _slot_told(slot: Any) -> dict[str, Any]:
    told = asdict(slot)
    told["start"] = told.pop("start_s")
    if "drawn_j" in told:
        told["drawn_j"] = sum(told["drawn_j"].values())
    return {**told, "quality": int(told["quality"])}


def _day(written: str | None, monitor: Monitor) -> str | None:
    """Read a date without a time as the home's own midnight."""
    if written is None or len(written) != 10:
        return written
    try:
        return str(midnight_s(date.fromisoformat(written), monitor.settings.zone))
    except ValueError:
        return written


async def _stream(facts: Facts, may_go_on: Callable[[], bool]) -> AsyncIterator[str]:
    """Tell the home at once, and whenever it changes, at most once a second; a silent stream says now and then that it lives.

    It ends with the monitor, and when its token is revoked.
    """
    last, told_at, checked_at = None, 0.0, time.monotonic()
    while not facts.monitor.over.is_set():
        if time.monotonic() - checked_at > CHECK_S:
            checked_at = time.monotonic()
            if not await asyncio.to_thread(may_go_on):
                return
        now = await asyncio.to_thread(facts.now)
        if now != last:
            last, told_at = now, time.monotonic()
            yield f"event: home\ndata: {json.dumps(now)}\n\n"
        elif time.monotonic() - told_at > HEARTBEAT_S:
            told_at = time.monotonic()
            yield ": alive\n\n"
        with suppress(TimeoutError):
            await asyncio.wait_for(facts.monitor.over.wait(), LIVE_S)
