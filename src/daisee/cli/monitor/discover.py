"""`daisee monitor discover`: the meters that announce themselves on the home's network."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

import click

from daisee.cli.ranges import Within
from daisee.cli.saying import json_option, say_table
from daisee.monitor.discover import discover


@click.command("discover")
@click.option("--seconds", type=Within(1, 120), default=5, show_default=True, help="How long to listen.")
@click.option(
    "--interface",
    "interfaces",
    multiple=True,
    metavar="ADDRESS",
    help="Only on the interface with this address; may be repeated.",
)
@json_option
def discover_command(seconds: float, interfaces: tuple[str, ...], as_json: bool) -> None:
    """Find Shelly, HomeWizard, Tasmota and MQTT brokers on this network, and print the lines for daisee.toml.

    It listens to what devices announce by mDNS, and asks nothing of them. SunSpec inverters and serial meters do not announce
    themselves.
    """
    if not as_json:
        click.echo(f"Listening for {seconds:g} s ...", err=True)
    found = asyncio.run(discover(seconds, interfaces or None))
    rows = [(one.kind, one.address, one.name, one.says) for one in found]
    say_table(as_json, [asdict(one) for one in found], ("kind", "address", "name", "says"), rows, "nothing announces itself here")
    if found and not as_json:
        click.echo("\n" + "\n".join(one.toml for one in found).rstrip())
