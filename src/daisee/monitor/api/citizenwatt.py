"""The paths and answers of the CitizenWatt monitor of 2017, for the clients that were written for it.

What was wrong in it is mended: powers are divided by the time that was measured, the last group ends where it ends, and no
straight line is drawn across a gap. docs/reference/monitor-api.md lists each mend.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse, Response

from daisee.model.calendar import date_of, midnight_s
from daisee.model.readings import Reading
from daisee.monitor.api.described import of_2017
from daisee.monitor.api.gate import Gate
from daisee.monitor.rates import Rates, clock
from daisee.monitor.running import Monitor
from daisee.monitor.sensors import kind_names
from daisee.monitor.store import Meter
from daisee.monitor.stretches import Stretch, stretches_between
from daisee.units import JOULES_PER_KWH

MOST = 500
MOST_STEPS = 20_000
MOST_BODY = 4_096
MOST_DAYS = 366 * 3
MOST_SPAN_S = 86_400 * MOST_DAYS
TOO_MANY = f"Too many values to return. (Maximum is set to {MOST})"
FORBIDDEN = "Access forbidden"
WHATS = ("watts", "kwatthours", "euros")
FARTHEST = 2**53


class BadRange(Exception):
    """A range that makes no sense: 400."""


class TooMany(Exception):
    """A range of more than may be asked for: 403, in the words of 2017."""


class OldHome:
    """A monitor, as 2017 saw one."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self._store = monitor.store
        self._types = {name: number for number, name in enumerate(kind_names(), 1)}
        self._rates_on = lru_cache(MOST_DAYS)(monitor.rates_on)

    @property
    def rates(self) -> Rates:
        """Answer the prices of now."""
        return self._monitor.rates

    def _rate_at(self, at_s: float) -> tuple[Rates, bool]:
        """Answer the prices that were valid at a moment, and whether it was night."""
        zone = self._monitor.settings.zone
        rates = self._rates_on(date_of(at_s, zone))
        return rates, rates.is_night(at_s, zone)

    def _changes(self, from_s: float, to_s: float) -> Iterator[float]:
        """Answer when what a kilowatt-hour costs changes between two moments."""
        zone = self._monitor.settings.zone
        day, last = date_of(from_s, zone), date_of(to_s, zone)
        while day <= last:
            midnight = midnight_s(day, zone)
            if midnight > from_s:
                yield midnight
            day += timedelta(days=1)
            begin_s, end_s = max(float(midnight), from_s), min(float(midnight_s(day, zone)), to_s)
            yield from self._rate_at(begin_s)[0].borders(begin_s, end_s, zone)

    def sensors(self) -> list[dict[str, Any]]:
        """List the meters, as sensors."""
        return [self._sensor(number, name) for name, number in self._store.meter_ids.items()]

    def _sensor(self, number: int, name: str) -> dict[str, Any]:
        kind = self._store.meters[name].kind
        return {"id": number, "name": name, "type": kind, "type_id": self._types.get(kind)}

    def sensor(self, number: int) -> dict[str, Any] | None:
        """Answer one."""
        return next((each for each in self.sensors() if each["id"] == number), None)

    def types(self) -> list[dict[str, Any]]:
        """List the kinds of sensors."""
        return [{"id": number, "name": name} for name, number in self._types.items()]

    def providers(self) -> list[dict[str, Any]]:
        """List the tariffs: the one of now."""
        rates = self.rates
        told: dict[str, Any] = {
            "id": 1,
            "name": rates.name,
            "type_id": 1,
            "day_slope_watt_euros": float(rates.day_price),
            "day_constant_watt_euros": 0.0,
            "night_slope_watt_euros": float(rates.night_price),
            "night_constant_watt_euros": 0.0,
            "current": 1,
            "threshold": 0,
        }
        if rates.night_from_s is not None:
            told |= {"start_night_rate": clock(rates.night_from_s), "end_night_rate": clock(rates.night_to_s)}
        return [told]

    def rate_now(self) -> str:
        """Answer day or night."""
        return "night" if self.rates.is_night(time.time(), self._monitor.settings.zone) else "day"

    def meter_of(self, number: int) -> Meter | None:
        """Answer a meter by its number."""
        names = {number: name for name, number in self._store.meter_ids.items()}
        return self._store.meters[names[number]] if number in names else None

    def measure(self, meter: Meter, number: int, reading: Reading) -> dict[str, Any]:
        """Answer a reading as a measure; one without a power has none."""
        return {
            "id": number,
            "sensor_id": self._store.meter_ids[meter.name],
            "value": reading.power_w,
            "timestamp": reading.at_s,
            "night_rate": int(self._rate_at(reading.at_s)[1]),
        }

    def end(self, meter: Meter) -> int:
        """Answer the number that the next reading will have."""
        return max((first + count for _start, first, count in self._store.numbered(meter.name)), default=1)

    def by_numbers(self, meter: Meter, first: int, end: int) -> list[dict[str, Any]]:
        """List measures by their numbers."""
        return [self.measure(meter, number, each) for number, each in self._store.readings_by_number(meter.name, first, end)]

    def by_times(self, meter: Meter, from_s: float, to_s: float, most: int) -> list[dict[str, Any]]:
        """List measures by their times."""
        return [self.measure(meter, number, each) for number, each in self._store.readings_from(meter.name, from_s, to_s, most)]

    def entries(self, meter: Meter, what: str, moments: Sequence[float]) -> list[dict[str, Any] | None]:
        """Answer an entry for each stretch between two moments; None where nothing was measured."""
        fine = sorted({*moments, *self._changes(moments[0], moments[-1])})
        gap_s, most_w = self._monitor.settings.max_gap_s, self._monitor.settings.most_w
        pieces = stretches_between(self._store, meter.name, fine, gap_s, most_w)
        answer, place = [], 0
        for _begin, end in pairwise(moments):
            mine = []
            while place < len(pieces) and pieces[place].end_s <= end:
                mine.append(pieces[place])
                place += 1
            answer.append(self._entry(what, mine))
        return answer

    def _entry(self, what: str, pieces: list[Stretch]) -> dict[str, Any] | None:
        if not any(piece.known for piece in pieces):
            return None
        rated = [(*self._rate_at(piece.start_s), piece.net_j) for piece in pieces]
        if what == "euros":
            prices = ((rates.night_price if night else rates.day_price, net_j) for rates, night, net_j in rated)
            cost = sum((price * Decimal(net_j) for price, net_j in prices), Decimal(0))
            return {"value": float(cost / JOULES_PER_KWH)}
        night_j = sum(net_j for _rates, night, net_j in rated if night)
        day_j = sum(net_j for _rates, night, net_j in rated if not night)
        covered_s = sum(piece.covered_s for piece in pieces)
        if what == "watts" and not covered_s:
            return None
        by = covered_s if what == "watts" else 3.6e6
        return {"value": (day_j + night_j) / by, "day_rate": day_j / by, "night_rate": night_j / by}


def old_routes(monitor: Monitor, gate: Gate) -> APIRouter:
    """Answer the paths of 2017. GET needs a token in its header; POST one in the place of the password, where that is allowed."""
    router = APIRouter(tags=["CitizenWatt, 2017"])
    home = OldHome(monitor)

    def route(path: str, answer: Callable[..., Any], summary: str) -> None:
        async def get(request: Request) -> Response:
            await run_in_threadpool(gate.reads, request)
            return await run_in_threadpool(_answered, monitor, answer, request.path_params)

        async def post(request: Request) -> Response:
            if not await _let_in(request, monitor, gate):
                return PlainTextResponse(FORBIDDEN, status_code=403)
            return await run_in_threadpool(_answered, monitor, answer, request.path_params)

        name = path.strip("/").translate({ord(each): "_" for each in "/{}"})
        router.add_api_route(
            path,
            get,
            methods=["GET"],
            summary=summary,
            operation_id=f"old_{name}",
            response_class=JSONResponse,
            openapi_extra=of_2017(path, form=False),
        )
        router.add_api_route(
            path,
            post,
            methods=["POST"],
            summary=f"{summary}, as clients of 2017 ask",
            operation_id=f"old_{name}_by_form",
            response_class=JSONResponse,
            openapi_extra=of_2017(path, form=True),
        )

    for path, answer, summary in _paths(home):
        route(path, answer, summary)
    return router


def _paths(home: OldHome) -> list[tuple[str, Callable[..., Any], str]]:
    get = _Get(home)
    return [
        ("/api/sensors", lambda: {"data": home.sensors() or None}, "The meters"),
        ("/api/sensors/{sensor}", lambda sensor: {"data": home.sensor(_whole(sensor))}, "One meter"),
        ("/api/types", lambda: {"data": home.types()}, "The kinds of sensors"),
        ("/api/time", lambda: {"data": time.time()}, "The time here"),
        ("/api/{sensor}/get/watts/by_id/{one}", get.watt_by_id, "One measure; -1 is the last"),
        ("/api/{sensor}/get/{what}/by_id/{one}/{two}", get.by_id, "Measures, energy or cost by number"),
        ("/api/{sensor}/get/{what}/by_id/{one}/{two}/{step}", get.by_id, "The same, in groups"),
        ("/api/{sensor}/get/watts/by_time/{one}", get.watt_by_time, "The measure at a time"),
        ("/api/{sensor}/get/{what}/by_time/{one}/{two}", get.by_time, "Measures, energy or cost by time"),
        ("/api/{sensor}/get/{what}/by_time/{one}/{two}/{step}", get.by_time, "The same, in steps"),
        ("/api/energy_providers", lambda: {"data": home.providers()}, "The tariff"),
        ("/api/energy_providers/{provider}", lambda provider: {"data": _provider(home, provider)}, "The tariff"),
        (
            "/api/{provider}/watt_to_euros/{rate}/{energy}",
            lambda provider, rate, energy: {"data": _euros(home, provider, rate, energy)},
            "What energy costs",
        ),
    ]


class _Get:
    """The answers under /api/SENSOR/get."""

    def __init__(self, home: OldHome) -> None:
        self._home = home

    def _said(self, data: Any) -> dict[str, Any]:
        return {"data": data, "rate": self._home.rate_now()}

    def watt_by_id(self, sensor: str, one: str) -> dict[str, Any]:
        """Answer one measure."""
        meter, number = self._home.meter_of(_whole(sensor)), _whole(one)
        if meter is None:
            return self._said(None)
        if number < 0:
            number += self._home.end(meter)
        found = self._home.by_numbers(meter, number, number + 1)
        return self._said(found[0] if found else None)

    def by_id(self, sensor: str, what: str, one: str, two: str, step: str | None = None) -> dict[str, Any]:
        """Answer measures from one number to before another, or what they add up to."""
        first, end = _whole(one), _whole(two)
        group = None if step is None else _whole(step)
        _check(what, first <= end and (first >= 0) == (end >= 0) and (group is None or group > 0))
        meter = self._home.meter_of(_whole(sensor))
        if end - first > MOST:
            raise TooMany
        if meter is None or end == first:
            return self._said(None)
        if first < 0:
            last = self._home.end(meter)
            first, end = max(1, first + last), end + last
        measures = self._home.by_numbers(meter, first, end)
        if what == "watts" and group is None:
            return self._said(measures or None)
        if group is None:
            return self._said(self._of(meter, what, [measures])[0])
        groups = [[each for each in measures if start <= each["id"] < start + group] for start in range(first, end, group)]
        return self._said(self._of(meter, what, groups))

    def _of(self, meter: Meter, what: str, groups: list[list[dict[str, Any]]]) -> list[Any]:
        """Answer what groups of measures add up to, each up to the first of the next: together, they are the whole."""
        some = [group for group in groups if group]
        if not some:
            return [None] * len(groups)
        moments = [*(group[0]["timestamp"] for group in some), some[-1][-1]["timestamp"]]
        entries = iter(self._home.entries(meter, what, moments))
        told = [(group, next(entries) if group else None) for group in groups]
        return [_alone(*group) if what == "watts" and entry is None and len(group) == 1 else entry for group, entry in told]

    def watt_by_time(self, sensor: str, one: str) -> dict[str, Any]:
        """Answer the measure of a second."""
        meter, at_s = self._home.meter_of(_whole(sensor)), _number(one)
        found = [] if meter is None else self._home.by_times(meter, at_s, at_s + 1, 1)
        return self._said(found[0] if found else None)

    def by_time(self, sensor: str, what: str, one: str, two: str, step: str | None = None) -> dict[str, Any]:
        """Answer measures from one time to before another, or what they add up to."""
        from_s, to_s = _number(one), _number(two)
        step_s = None if step is None else _number(step)
        _check(what, 0 <= from_s <= to_s and (step_s is None or step_s > 0))
        if to_s - from_s > MOST_SPAN_S or (step_s and (to_s - from_s) / step_s > MOST_STEPS):
            raise TooMany
        meter = self._home.meter_of(_whole(sensor))
        if meter is None or from_s == to_s:
            return self._said(None)
        if what == "watts" and step_s is None:
            measures = self._home.by_times(meter, from_s, to_s, MOST_STEPS + 1)
            if len(measures) > MOST_STEPS:
                raise TooMany
            return self._said(measures or None)
        moments = [from_s, to_s]
        if step_s is not None:
            count = int(-(-(to_s - from_s) // step_s))
            moments = [*(from_s + step_s * place for place in range(count)), to_s]
        entries = self._home.entries(meter, what, moments)
        return self._said(entries[0] if step_s is None else entries)


def _alone(measure: dict[str, Any]) -> dict[str, Any]:
    power_w = measure["value"] or 0.0
    return {
        "value": power_w,
        "day_rate": 0.0 if measure["night_rate"] else power_w,
        "night_rate": power_w if measure["night_rate"] else 0.0,
    }


def _provider(home: OldHome, which: str) -> dict[str, Any] | None:
    return home.providers()[0] if which == "current" or _whole(which) == 1 else None


def _euros(home: OldHome, provider: str, rate: str, energy: str) -> float | None:
    if rate not in ("day", "night"):
        raise BadRange
    if provider != "current" and _whole(provider) != 1:
        return None
    price = home.rates.day_price if rate == "day" else home.rates.night_price
    return float(price * Decimal(_number(energy)))


def _check(what: str, range_is_right: bool) -> None:
    if what not in WHATS or not range_is_right:
        raise BadRange


def _whole(written: str) -> int:
    """Read a whole number; 2017's clients may write it with a point."""
    number = _number(written)
    if number != int(number):
        raise BadRange
    return int(number)


def _number(written: str) -> float:
    try:
        number = float(written)
    except ValueError:
        raise BadRange from None
    if not -FARTHEST < number < FARTHEST:
        raise BadRange
    return number


def _answered(monitor: Monitor, answer: Callable[..., Any], given: dict[str, str]) -> Response:
    try:
        with monitor.books.lock:
            return JSONResponse(answer(**given))
    except BadRange:
        raise HTTPException(400, "a range that makes no sense") from None
    except TooMany:
        return PlainTextResponse(TOO_MANY, status_code=403)


async def _let_in(request: Request, monitor: Monitor, gate: Gate) -> bool:
    """Tell whether a body of 2017, urlencoded whatever its header says, has a token for its password."""
    if not monitor.settings.old_login:
        return False
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BODY:
            return False
    said = parse_qs(body.decode("utf-8", "replace"))
    if not said.get("login"):
        return False
    return await run_in_threadpool(gate.may_read, said.get("password", [""])[0])
