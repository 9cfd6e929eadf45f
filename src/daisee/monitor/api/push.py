"""Readings that others measured, and send: taken once, however often they come, and on the disk when they are acknowledged."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from starlette.concurrency import run_in_threadpool

from daisee.config import near
from daisee.model.readings import Reading
from daisee.monitor.running import Monitor
from daisee.monitor.sensors.push import KIND
from daisee.units import Joules

MOST = 10_000
MOST_WH = 2**53 / 3_600
NO_ZONE_S = float("-inf")
"""Where a time names no zone: nobody knows when it was."""


class Pushed(BaseModel):
    """A reading. At least a power or a counter."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    at: float | datetime = Field(
        description="When it was measured: Unix seconds, or ISO 8601 with its zone", examples=["2026-10-05T12:00:00Z"]
    )
    power_w: float | None = Field(None, description="Positive in the meter's forward direction")
    mean_over_s: float | None = Field(None, gt=0, description="Where the power is a mean: over how long before `at`")
    forward_wh: float | None = Field(None, ge=0, le=MOST_WH, description="The counter of its forward direction")
    reverse_wh: float | None = Field(None, ge=0, le=MOST_WH, description="The counter of the other")
    forward_j: int | None = Field(None, ge=0, le=2**53)
    reverse_j: int | None = Field(None, ge=0, le=2**53)
    state_of_charge: float | None = Field(None, ge=0, le=1)
    voltage_v: float | None = None

    @model_validator(mode="before")
    @classmethod
    def _has_no_booleans(cls, told: Any) -> Any:
        if isinstance(told, dict) and any(isinstance(value, bool) for value in told.values()):
            raise ValueError("true and false are no numbers")
        return told

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Pushed:
        for energy_wh, energy_j in ((self.forward_wh, self.forward_j), (self.reverse_wh, self.reverse_j)):
            if energy_wh is not None and energy_j is not None and abs(energy_wh * 3_600 - energy_j) > 3_600:
                raise ValueError("a counter in watt-hours and the same in joules say different things; send one of them")
        return self


class Push(BaseModel):
    """Readings of one meter."""

    model_config = ConfigDict(extra="forbid")

    meter: str = Field(examples=["heatpump"])
    readings: list[Pushed] = Field(min_length=1, max_length=MOST)


class Refused(BaseModel):
    """A reading that could not be taken."""

    index: int
    why: str


class Acknowledged(BaseModel):
    """What became of them. All that was taken or known is on the disk."""

    taken: int
    known: int = Field(description="Those of a moment of which there is a reading already; that one stays")
    refused: list[Refused]


def push_routes(monitor: Monitor) -> APIRouter:
    """Answer the routes that take readings."""
    router = APIRouter(tags=["push"])
    described: dict[str, Any] = {
        "requestBody": {"required": True, "content": {"application/json": {"schema": _schema()}}},
        "responses": {
            "403": {"description": "This token is for something else, or the meter has a sensor of its own"},
            "404": {"description": "No such meter"},
            "422": {"description": "What makes no sense in it"},
        },
    }

    @router.post("/api/v1/readings", summary="Send readings of a meter", openapi_extra=described)
    @router.post(
        "/api/readings", summary="Send readings of a meter (the same)", operation_id="push_short", openapi_extra=described
    )
    async def push(request: Request) -> Acknowledged:
        """Send readings, in any order, also old ones; sending them again changes nothing.

        They are on the disk when this answers. 503: they may not be; send them again.
        """
        body = await request.body()
        try:
            # By pydantic's own reader: however deep a stranger's JSON nests, it overruns no stack.
            sent = Push.model_validate_json(body)
        except ValidationError as error:
            raise HTTPException(422, error.errors(include_url=False, include_context=False, include_input=False)) from None
        return await run_in_threadpool(_take, monitor, sent)

    return router


def _schema() -> dict[str, Any]:
    schema = Push.model_json_schema()
    schema["properties"]["readings"]["items"] = schema.pop("$defs")["Pushed"]
    return schema


def _take(monitor: Monitor, sent: Push) -> Acknowledged:
    collector = monitor.collector
    if sent.meter not in collector.meters:
        raise HTTPException(404, f"there is no meter {sent.meter} in the configuration; {near(sent.meter, collector.meters)}")
    kind = collector.meters[sent.meter].kind
    if kind != KIND.name:
        told = f"{sent.meter} has a sensor of its own ({kind}); readings are taken for meters of kind push alone"
        raise HTTPException(403, f"{told}, and `daisee monitor import` takes files for any")
    refused: list[Refused] = []
    with monitor.books.lock:
        taken_before = collector.taken[sent.meter]
        # In order of time, so that no more is counted anew than must be.
        for index, pushed in sorted(enumerate(sent.readings), key=lambda each: _at_s(each[1])):
            reading = _reading(pushed)
            if isinstance(reading, str):
                why: str | None = reading
            else:
                why = collector.oddity(sent.meter, reading)
            if why is None and isinstance(reading, Reading):
                collector.take(sent.meter, [reading])
            else:
                refused.append(Refused(index=index, why=why or ""))
        taken = collector.taken[sent.meter] - taken_before
        monitor.store.flush()
    while collector.has_late:
        with monitor.books.lock:  # part by part: others are answered in between
            collector.settle_some()
            monitor.store.flush()
    refused.sort(key=lambda each: each.index)
    return Acknowledged(taken=taken, known=len(sent.readings) - taken - len(refused), refused=refused)


def _at_s(pushed: Pushed) -> float:
    if isinstance(pushed.at, datetime):
        return pushed.at.timestamp() if pushed.at.tzinfo else NO_ZONE_S
    return pushed.at


def _reading(pushed: Pushed) -> Reading | str:
    """Answer a reading, or what is odd about it."""
    at_s = _at_s(pushed)
    if at_s == NO_ZONE_S:
        return "its time names no zone; write it like 2026-10-05T12:00:00Z"
    if (
        pushed.power_w
        is pushed.forward_wh
        is pushed.reverse_wh
        is pushed.forward_j
        is pushed.reverse_j
        is pushed.state_of_charge
        is None
    ):
        return "it has neither a power nor a counter"
    return Reading(
        at_s=at_s,
        power_w=pushed.power_w,
        mean_over_s=pushed.mean_over_s,
        forward_j=_joules(pushed.forward_j, pushed.forward_wh),
        reverse_j=_joules(pushed.reverse_j, pushed.reverse_wh),
        state_of_charge=pushed.state_of_charge,
        voltage_v=pushed.voltage_v,
    )


def _joules(energy_j: int | None, energy_wh: float | None) -> Any:
    if energy_j is None and energy_wh is not None:
        energy_j = round(energy_wh * 3_600)
    return None if energy_j is None else Joules(energy_j)
