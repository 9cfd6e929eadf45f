"""Listens to a home's sensors, each in a task of its own: one that hangs, floods or answers slowly holds up no other.

The household's story is told once: when a sensor begins to speak, when it stops, what is wrong with it, and when it is back.
Which of a device's meters are the home's is decided here, and which watts are none of a home's.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, cast

from daisee.errors import DaiseeError
from daisee.model.home import Role
from daisee.model.readings import Reading
from daisee.monitor.sensors import Refuse, Remembering, Sensor
from daisee.monitor.settings import SensorPlan
from daisee.units import Joules

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
CLOSEST_S = 0.05
"""Of two readings of one meter that come closer together, the second is left out: no home changes so fast."""
AHEAD_S = 300.0
"""How far a device's clock may be ahead of ours."""
ANEW_AFTER = 3
"""After so many times the time in which it is silent, its connection is made anew."""

FIRST = re.compile(r".*(?<!\d)0|\D*")
"""What a device calls its only meter, or the first of several: without a number, or with 0, like `em1:0`."""

Take = Callable[[str, Reading], None]
Since = Callable[[str], float | None]
"""When a meter was heard last by an earlier run; None where it never was."""


@dataclass(slots=True)
class Health:
    """How a sensor does."""

    heard_at_s: float | None = None
    """When it spoke last, by our clock."""
    readings: int = 0
    refused: int = 0
    """Frames that made no sense, readings of the future, and powers that cannot be."""
    left_out: int = 0
    """Readings that came too close together."""
    wrong: str | None = None
    """What is wrong with it; None where nothing is."""
    silent: bool = False
    """Whether it has not spoken for longer than it may."""


class Parts:
    """Which of a device's meters are the home's: those that have a role; with one role alone, the device's first."""

    def __init__(self, roles: Mapping[str, Role], patience_s: float) -> None:
        """Take the roles as they are configured; after `patience_s` without a first meter, the one with the lowest name is it."""
        self._roles = roles
        self._patience_s = patience_s
        self._only: str | None = None
        self._since_s: float | None = None
        self.others: list[str] = []
        """Meters that the device has, and that have no role, as they came."""

    def used(self, part: str, now_s: float) -> str | None:
        """Answer the configured part that a reading is of; None where it is of none.

        Of several phases, the whole is told first, and is the first meter; which message comes first must not matter.
        """
        if part in self._roles:
            return part
        self._since_s = now_s if self._since_s is None else self._since_s
        if self._only is None and "" in self._roles:
            if FIRST.fullmatch(part):
                self._only = part
            elif now_s - self._since_s > self._patience_s:
                self._only = min([part, *self.others])
        if part == self._only:
            return ""
        is_phase = self._only is not None and part.startswith(self._only)
        if part not in self.others and not is_phase:
            self.others.append(part)
        return None

    @property
    def told(self) -> str:
        """Say which meters are left alone; empty where none is."""
        others = [part for part in self.others if part != self._only]
        if not others:
            return ""
        taken = f"; {self._only} is meant by its role" if self._only else ""
        return f"it has {', '.join(others)} too, left alone: give each meter that counts its role with `parts`{taken}"


class Listener:
    """One sensor, listened to as long as the home lives."""

    def __init__(
        self,
        plan: SensorPlan,
        take: Take,
        clock: Callable[[], float] = time.time,
        name: str | None = None,
        since: Since | None = None,
    ) -> None:
        """Listen to a sensor of the configuration; `take` is given the name of the meter, and what it said.

        The log has it by its `name`, where that is another than the configuration's. `since` is asked when it was heard last,
        where it can tell what it measured meanwhile.
        """
        self.plan = plan
        self._since = since
        self._name = name or plan.name
        self.health = Health()
        self._sensor: Sensor | None = None
        self._take = take
        self._clock = clock
        self._pause_s = FIRST_PAUSE_S
        self._last_s: dict[str, float] = {}
        self._parts = Parts(plan.roles, plan.silent_after_s)
        self._begun_s = clock()

    @property
    def trouble(self) -> str | None:
        """Say what is wrong with it; None where nothing is."""
        return self.health.wrong or ("it is silent" if self.health.silent else None)

    async def listen(self) -> None:
        """Listen for ever: what fails is tried again, after a pause that grows to a minute."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._mind_silence())
            while True:
                await self._listen_once()
                await asyncio.sleep(self._pause_s)
                self._pause_s = min(LONGEST_PAUSE_S, 2 * self._pause_s)

    async def _listen_once(self) -> None:
        """Listen until the device is gone, or has been silent for so long that its connection is made anew."""
        heard = asyncio.create_task(self._hear())
        self._begun_s = self._clock()
        limit_s = ANEW_AFTER * self.plan.silent_after_s
        try:
            while not heard.done():
                await asyncio.wait([heard], timeout=1.0)
                if self._clock() - max(self._begun_s, self.health.heard_at_s or 0.0) > limit_s:
                    break
        finally:
            heard.cancel()
            await asyncio.gather(heard, return_exceptions=True)

    async def _hear(self) -> None:
        try:
            # One sensor for as long as we live: it knows what it heard before its connection was made anew.
            self._sensor = self._sensor or self._opened()
            # Closed here and now, whatever it waits for.
            async with aclosing(cast(Any, self._sensor.readings(self._refuse))) as readings:
                async for reading in readings:
                    self._heard(reading)
                    await asyncio.sleep(0)  # a flood leaves time for the others
        except DaiseeError as error:
            self._wrong(str(error))
        except Exception as error:
            log.debug("%s", self._name, exc_info=True)
            self._wrong(unforeseen(error))
        else:
            self._wrong("it has ended")

    def _opened(self) -> Sensor:
        sensor = self.plan.open()
        if self._since is not None and isinstance(sensor, Remembering):
            heard = [at_s for part in self.plan.roles if (at_s := self._since(self.plan.meter_of(part))) is not None]
            if heard:
                sensor.heard_before(max(heard))
        return sensor

    def _heard(self, reading: Reading) -> None:
        now_s = self._clock()
        known = len(self._parts.others)
        part = self._parts.used(reading.part, now_s)
        if len(self._parts.others) > known:
            # Who gave parts their roles has looked at what there is.
            log.log(logging.WARNING if "" in self.plan.roles else logging.INFO, "%s: %s", self._name, self._parts.told)
        if part is None:
            return
        if reading.at_s > now_s + AHEAD_S:
            self._refuse(f"a reading of the future, {reading.at_s - now_s:.0f} s ahead; set the device's clock")
            return
        if 0 <= reading.at_s - self._last_s.get(part, -CLOSEST_S) < CLOSEST_S:
            self.health.left_out += 1
            return
        seen = possible(turned(reading, self.plan), self.plan.most_w_of(part), self._refuse)
        if seen is None:
            return
        self._last_s[part] = reading.at_s
        if self.health.wrong or self.health.silent:
            log.warning("%s is back", self._name)
        elif self.health.heard_at_s is None:
            log.info("%s measures", self._name)
        self.health.heard_at_s, self.health.wrong, self.health.silent = now_s, None, False
        self.health.readings += 1
        self._pause_s = FIRST_PAUSE_S
        self._take(self.plan.meter_of(part), seen)

    def _refuse(self, why: str) -> None:
        self.health.refused += 1
        if self.health.refused == 1:
            log.warning("%s: not taken: %s. Others like it are counted, and not told", self._name, why)
        else:
            log.debug("%s: not taken: %s", self._name, why)

    def _wrong(self, why: str) -> None:
        if self.health.wrong is None:
            log.warning("%s: %s (it is tried again)", self._name, why)
        self.health.wrong = why

    async def _mind_silence(self) -> None:
        began_s = self._clock()
        while True:
            await asyncio.sleep(1.0)
            health = self.health
            silent_s = self._clock() - (health.heard_at_s or began_s)
            if silent_s > self.plan.silent_after_s and not health.silent and health.wrong is None:
                health.silent = True
                log.warning("%s has been silent for %.0f s", self._name, silent_s)


def unforeseen(error: Exception) -> str:
    """Say that a fault is ours."""
    return f"what was not foreseen: {error!r}; please tell the makers of DAISEE, with what -vv says"


def possible(reading: Reading, most_w: float, refuse: Refuse) -> Reading | None:
    """Answer a reading without a power that its meter cannot have, which is refused; None where nothing is left of it."""
    if reading.power_w is None or abs(reading.power_w) <= most_w:
        return reading
    refuse(f"{reading.power_w:.0f} W, where most_w of its section is {most_w:.0f}")
    without = replace(reading, power_w=None, mean_over_s=None)
    return None if (without.forward_j, without.reverse_j, without.state_of_charge) == (None, None, None) else without


def turned(reading: Reading, plan: SensorPlan) -> Reading:
    """Answer a reading as its clamp should have seen it: turned round, and scaled, where the configuration says so."""
    if plan.scale == 1.0 and not plan.invert:
        return reading
    counters = [_scaled(counter, plan.scale) for counter in (reading.forward_j, reading.reverse_j)]
    forward_j, reverse_j = reversed(counters) if plan.invert else counters
    power_w = None if reading.power_w is None else reading.power_w * plan.scale * (-1 if plan.invert else 1)
    return replace(reading, power_w=power_w, forward_j=forward_j, reverse_j=reverse_j)


def _scaled(counter_j: Joules | None, scale: float) -> Joules | None:
    return None if counter_j is None else Joules(round(counter_j * scale))
