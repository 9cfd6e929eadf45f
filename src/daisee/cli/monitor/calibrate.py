"""`daisee monitor calibrate`: finds what an ACS712 shows while nothing is drawn, and how its watts compare with true ones."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import aclosing
from pathlib import Path
from statistics import stdev
from typing import Any, cast

import click

from daisee.cli.monitor.home import config_option, sensor_of
from daisee.cli.ranges import Within
from daisee.errors import SensorError, UsageError
from daisee.monitor.sensors.acs712 import NOMINAL_V, zero_of
from daisee.monitor.settings import SensorPlan, read_settings

ENOUGH = 5
"""Readings, for a mean that means something."""


@click.command("calibrate")
@click.argument("sensor")
@config_option
@click.option("--seconds", type=Within(5, 3600), default=30, show_default=True, help="How long to listen.")
@click.option("--true-watts", type=Within(0.1, 100_000), metavar="W", help="A load of so many watts, by a true meter, is on.")
@click.option("--true-volts", type=Within(0.1, 500), metavar="V", help="The voltage, by a voltmeter.")
def calibrate_command(sensor: str, config: Path, seconds: float, true_watts: float | None, true_volts: float | None) -> None:
    """Find the settings zero_w and volts of SENSOR, an ACS712, and print the lines for the configuration.

    First with nothing connected, without options: it finds zero_w. Then, with a known load and --true-watts, or with a
    voltmeter and --true-volts: it finds volts. Nothing is written: the lines go into the sensor's section by hand.
    """
    plan = sensor_of(read_settings(config), sensor)
    if plan.kind.name not in ("acs712", "acs712-gauge"):
        raise UsageError(f"{sensor} is {plan.kind.title}, which needs no calibration; an ACS712 does")
    if true_watts and true_volts:
        raise UsageError("give --true-watts or --true-volts, not both: either says what volts is")
    if true_volts:
        click.echo(f"volts = {true_volts:g}")
        return
    zero_w, volts = float(plan.settings["zero_w"]), float(plan.settings["volts"])
    click.echo(
        f"Listening to {sensor} for {seconds:.0f} s" + ("" if true_watts else "; nothing may be drawn through it"), err=True
    )
    # What the Arduino itself says: without the zero and the voltage that are configured now.
    raw_w = [power_w / (volts / NOMINAL_V) + zero_w for power_w in asyncio.run(_listen(plan, seconds))]
    if len(raw_w) < ENOUGH:
        raise SensorError(
            f"{sensor} said {len(raw_w)} lines in {seconds:.0f} s; {ENOUGH} are needed: listen longer, or `daisee monitor check`"
        )
    if true_watts is None:
        click.echo(f"zero_w = {zero_of(raw_w)}")
        click.echo(f"{len(raw_w)} readings, spread {stdev(raw_w):.3f} W", err=True)
        return
    seen_w = zero_of(raw_w) - zero_w
    if seen_w < 10 * stdev(raw_w) / len(raw_w) ** 0.5 or seen_w <= 0:
        raise UsageError(
            f"it shows {seen_w:.2f} W above its zero, too little to compare; is the load on, and zero_w calibrated first?"
        )
    click.echo(f"volts = {round(NOMINAL_V * true_watts / seen_w, 3):g}")


async def _listen(plan: SensorPlan, seconds: float) -> list[float]:
    heard: list[float] = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds), aclosing(cast(Any, plan.open().readings(lambda _why: None))) as readings:
            async for reading in readings:
                heard.append(reading.power_w)
    return heard
