"""`daisee monitor simulate`: devices that do not exist, on this machine, for who has none yet."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from daisee.cli.ranges import Within
from daisee.errors import DaiseeError, UsageError
from daisee.model.home import Role
from daisee.monitor.sensors import Kind, kind_of, kinds
from daisee.monitor.simulated import SimulatedHouse

ALL = "all"
WHOLE = "p1"
NEEDS_PLACE = ("mqtt", "push")
"""Kinds that speak with somebody's server, and need to know which."""


@click.command("simulate")
@click.argument("kind")
@click.option(
    "--at", "where", metavar="PLACE", help="The port, path or address to be at; any free one of this machine otherwise."
)
@click.option("--sun", "sun_w", type=Within(0, 1e6), default=0.0, help="It has a roof of so many watts, and may send back.")
@click.option("--seed", type=int, help="Be the same house every time.")
@click.option(
    "--write",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="With all: write a home's configuration with every kind to this new file.",
)
@click.option("--mqtt", "broker", metavar="HOST:PORT", help="With all: a broker for the MQTT device, and to tell our numbers to.")
@click.option("--store", help="With all: where the home keeps what it measures.")
def simulate_command(
    kind: str, where: str | None, sun_w: float, seed: int | None, write: Path | None, broker: str | None, store: str | None
) -> None:
    """Be a device of KIND, until Ctrl-C, and print the lines by which a home finds it. `all` is one of each kind.

    Each is a stand-in for the device alone: it speaks the real protocol, on a real port, with measured-looking numbers.
    """
    if kind != ALL:
        if write or broker or store:
            raise UsageError("--write, --mqtt and --store go with `daisee monitor simulate all`")
        asyncio.run(_be([kind_of(kind)], {kind: where}, sun_w, seed, lambda found: click.echo(_lines(found))))
        return
    if write is None:
        raise UsageError("say where the home's configuration shall go, with --write FILE")
    if write.exists():
        raise UsageError(f"{write} is there already; name another file, or remove it")
    simulated = [
        one for one in kinds().values() if one.simulate and (one.name not in NEEDS_PLACE or (one.name == "mqtt" and broker))
    ]

    def ready(found: Mapping[str, Mapping[str, Any]]) -> None:
        head = ["[monitor]", 'home = "simulated"', 'zone = "UTC"', *([f"store = {_toml(store)}"] if store else [])]
        host, _, port = (broker or "").rpartition(":")
        out = ["", "[monitor.mqtt]", f"host = {_toml(host)}", f"port = {port}"] if broker else []
        told_us = ["[monitor.sensors.push]", 'kind = "push"']
        write.write_text("\n".join([*head, *out, "", _lines(found), *told_us, ""]), "utf-8")
        click.echo(f"{len(found)} devices are there; {write} has them all. In another terminal:")
        click.echo(f"  daisee monitor check --config {write}\n  daisee monitor run --config {write}\nStop them with Ctrl-C.")

    asyncio.run(_be(simulated, {"mqtt": broker}, sun_w, seed, ready))


async def _be(all_kinds: list[Kind], places: Mapping[str, str | None], sun_w: float, seed: int | None, ready: Any) -> None:
    """Be devices until told to stop; `ready` is told the settings of each, once all are there."""
    found: dict[str, Mapping[str, Any]] = {}
    told_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told_to_stop.set)

    def one_ready(name: str, settings: Mapping[str, Any]) -> None:
        found[name] = settings
        if len(found) == len(all_kinds):
            ready(found)

    devices = [asyncio.create_task(_one(kind, places.get(kind.name), sun_w, seed, one_ready)) for kind in all_kinds]
    stop = asyncio.create_task(told_to_stop.wait())
    done, _ = await asyncio.wait([*devices, stop], return_when=asyncio.FIRST_COMPLETED)
    for task in (*devices, stop):
        task.cancel()
    await asyncio.gather(*devices, stop, return_exceptions=True)
    for task in done - {stop}:
        task.result()


async def _one(kind: Kind, where: str | None, sun_w: float, seed: int | None, ready: Any) -> None:
    if kind.simulate is None:
        raise UsageError(f"there is no simulator of {kind.name}")
    house = SimulatedHouse(seed=seed, sun_w=sun_w)
    try:
        await kind.simulate(house, where, lambda settings: ready(kind.name, settings))
    except DaiseeError as error:
        raise type(error)(f"{kind.name}: {error}") from error


def _lines(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Write the sections by which a home finds devices; of many, one is its meter of the grid, the others parts of its use."""
    sections = []
    for name, settings in sorted(found.items()):
        lines = [f"[monitor.sensors.{name}]", f'kind = "{name}"', *(f"{key} = {_toml(value)}" for key, value in settings.items())]
        if len(found) > 1 and kind_of(name).parts is None:
            lines.append(f'role = "{Role.GRID if name == WHOLE else Role.SUB_LOAD}"')
        sections.append("\n".join(lines) + "\n")
    return "\n".join(sections)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, bytes):
        return f'"{value.hex()}"'
    # What JSON escapes, TOML does; but it writes what is beyond the BMP as it is.
    return json.dumps(str(value), ensure_ascii=False) if isinstance(value, str | Path) else str(value)
