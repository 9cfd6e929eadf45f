"""A home that does not exist, for devices that do not exist: a fridge, people, a roof in the sun, a battery between them."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import time
from collections.abc import Awaitable, Callable

from daisee.errors import SensorError
from daisee.model.energy import PLAUSIBLE_W
from daisee.model.readings import Reading
from daisee.units import Joules

DAY_S = 86_400
STEP_S = 1.0
LONGEST_STEP_S = 3_600.0


class SimulatedHouse:
    """Answers what a meter of this home would show. Its counters begin when it is made, and only grow."""

    def __init__(self, seed: int | None = None, clock: Callable[[], float] = time.time, sun_w: float = 0.0) -> None:
        """Draw a home; with `sun_w`, it has so much of a roof, and may send power back."""
        drawn = random.Random(seed)  # nothing secret
        self._phase = drawn.random() * 600
        self._base_w = drawn.uniform(80, 250)
        self._people_w = drawn.uniform(300, 1_200)
        self._sun_w = sun_w
        self._at_s = clock()
        self._forward_j = drawn.uniform(1, 9) * 1e9
        self._reverse_j = drawn.uniform(1, 9) * 1e8
        self._charge = drawn.uniform(0.3, 0.9)

    def power_w(self, at_s: float) -> float:
        """Answer what it uses less what its roof gives, at a moment."""
        fridge_w = 90.0 if (at_s + self._phase) % 1_800 < 600 else 0.0
        hour = at_s % DAY_S / 3_600
        people_w = self._people_w * (math.exp(-((hour - 8) ** 2) / 3) + math.exp(-((hour - 19.5) ** 2) / 5))
        kettle_w = 1_900.0 if (at_s + 3 * self._phase) % 5_400 < 150 else 0.0
        sun_w = self._sun_w * max(0.0, math.sin((hour - 6) / 12 * math.pi)) if 6 < hour < 18 else 0.0
        return round(self._base_w + fridge_w + people_w + kettle_w - sun_w, 1)

    def at(self, now_s: float) -> Reading:
        """Answer all that a meter could show at a moment; moments are asked for in order."""
        while self._at_s < now_s:
            step_s = min(max(STEP_S, (now_s - self._at_s) / 1_000), LONGEST_STEP_S, now_s - self._at_s)
            energy_j = self.power_w(self._at_s) * step_s
            self._forward_j += max(0.0, energy_j)
            self._reverse_j += max(0.0, -energy_j)
            self._charge = min(1.0, max(0.05, self._charge - energy_j / 36_000_000))
            self._at_s += step_s
        power_w = self.power_w(now_s)
        assert abs(power_w) < PLAUSIBLE_W
        return Reading(
            at_s=now_s,
            power_w=power_w,
            forward_j=Joules(int(self._forward_j)),
            reverse_j=Joules(int(self._reverse_j)),
            state_of_charge=round(self._charge, 3),
            voltage_v=round(230 + 3 * math.sin(now_s / 97), 1),
        )


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""Speak with whoever connected, as long as they listen."""


async def serve(where: str, talk: Talk, ready: Callable[[str], None]) -> None:
    """Listen on this machine, until cancelled: on `host:port`, or a Unix socket where `where` is a path.

    `ready` is told where. SensorError where nothing can listen there.
    """

    async def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await talk(reader, writer)
        writer.close()

    host, _, port = where.rpartition(":")
    try:
        if where.startswith("/"):
            server = await asyncio.start_unix_server(met, where)
        else:
            server = await asyncio.start_server(met, host or "127.0.0.1", int(port))
    except (OSError, ValueError) as error:
        raise SensorError(f"nothing can listen at {where} ({error}); name another port, like 127.0.0.1:8888") from error
    async with server:
        at = server.sockets[0].getsockname()
        ready(where if where.startswith("/") else f"{at[0]}:{at[1]}")
        await server.serve_forever()
