"""What measures by itself and tells us: a script, a gateway, another program, by `POST /api/readings`.

Nobody is listened to here; this kind gives such a meter its name and role. Readings are taken for meters of this kind alone: a
token for them writes to no other.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from daisee.errors import SensorError
from daisee.model.home import Role
from daisee.monitor.sensors import House, Kind, Sensor

EVERY_S = 2.0


def _open() -> Sensor:
    raise SensorError("it is not listened to: it tells us, by POST /api/readings")


async def simulate(house: House, where: str | None, ready: Callable[[Mapping[str, Any]], None]) -> None:
    """Push readings to a monitor, named like `http://TOKEN@127.0.0.1:8080/METER`."""
    import aiohttp  # a client, which who only knows of this kind does without

    address, _, meter = (where or "").rpartition("/")
    scheme, _, rest = address.partition("://")
    token, _, host = rest.rpartition("@")
    if not (scheme and token and host and meter):
        raise SensorError("name a monitor, a token with the scope push, and a meter, like http://TOKEN@127.0.0.1:8080/heatpump")
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:
        told = False
        while True:
            seen = house.at(time.time())
            reading = {"at": datetime.fromtimestamp(seen.at_s, UTC).isoformat(), "power_w": seen.power_w}
            body = json.dumps({"meter": meter, "readings": [reading]})
            try:
                async with session.post(
                    f"{scheme}://{host}/api/readings", data=body, headers={"Content-Type": "application/json"}
                ) as answer:
                    if answer.status != 200:
                        raise SensorError(f"the monitor at {host} answers {answer.status}: {(await answer.text())[:200]}")
            except aiohttp.ClientError as error:
                raise SensorError(
                    f"no monitor answers at {host} ({type(error).__name__}); start it with `daisee monitor run`"
                ) from error
            if not told:
                told = True
                ready({})
            await asyncio.sleep(EVERY_S)


KIND = Kind(
    name="push",
    title="Anything that can send JSON by HTTP",
    needs="a token with the scope push: `daisee monitor token new NAME --scope push`",
    settings=(),
    open=_open,
    roles=(Role.SUB_LOAD, *(role for role in Role if role is not Role.SUB_LOAD)),
    listens=False,
    simulate=simulate,
    example='kind = "push"\nrole = "sub-load"\n',
)
