"""Devices for tests of sensors: what was heard, a port that says what it is told to, and any kind's own simulator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any, cast

import pytest

from daisee.errors import SensorError
from daisee.model.readings import Reading
from daisee.monitor.sensors import Kind, Sensor
from daisee.monitor.simulated import SimulatedHouse

PATIENCE_S = 60.0


class Heard:
    """What a sensor said, and what it would not take."""

    def __init__(self) -> None:
        self.readings: list[Reading] = []
        self.refused: list[str] = []
        self.house = SimulatedHouse(seed=1)

    async def wait_for(self, count: int) -> None:
        """Wait until so many readings are there."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.readings) < count:  # noqa: ASYNC110  # filled by whoever listens
                await asyncio.sleep(0.01)


async def listen(sensor: Sensor, heard: Heard, ends_with: str | None = None, count: int | None = None) -> None:
    """Listen until so many readings are there, or until the device is gone, which must be said with these words."""
    async with asyncio.timeout(PATIENCE_S), aclosing(cast(Any, sensor.readings(heard.refused.append))) as readings:
        try:
            async for reading in readings:
                heard.readings.append(reading)
                if count is not None and len(heard.readings) >= count:
                    return
        except SensorError as error:
            if ends_with is None or ends_with not in str(error):
                raise
            return
    if ends_with is not None:
        pytest.fail("the device is not gone")


@asynccontextmanager
async def serve(pieces: Iterable[bytes]) -> AsyncIterator[str]:
    """Listen on loopback; say these pieces to whoever connects, and hang up."""

    async def speak(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.05)
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


def hear_simulated(kind: Kind, more: Mapping[str, Any], count: int, where: str | None = None) -> Heard:
    """Run a kind's simulator, and let its sensor hear so many readings of it."""
    heard = Heard()

    async def story() -> None:
        found: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        assert kind.simulate is not None
        device = asyncio.ensure_future(kind.simulate(heard.house, where, found.set_result))
        try:
            waited: list[asyncio.Future[Any]] = [device, found]
            await asyncio.wait(waited, timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
            if device.done():
                device.result()
            await listen(kind.open(**{**found.result(), **more}), heard, count=count)
        finally:
            device.cancel()
            await asyncio.gather(device, return_exceptions=True)

    asyncio.run(story())
    return heard
