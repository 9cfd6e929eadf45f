"""A monitor with a day of measurements, and who asks it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from daisee.model.readings import Reading
from daisee.monitor.api import create_monitor_app
from daisee.monitor.running import Monitor, open_store
from daisee.monitor.settings import read_settings
from daisee.monitor.tokens import Tokens
from daisee.units import Joules

T0 = 1_790_805_600
"""2026-10-01, midnight in Paris."""
HOME = """
[monitor]
home = "b"
old_login = true
names = ["energy.example"]
[monitor.sensors.meter]
kind = "p1"
address = "127.0.0.1:1"
[monitor.sensors.roof]
kind = "push"
role = "production"
[monitor.sensors.fridge]
kind = "push"
"""
DAY_S = 86_400
NOW_S = T0 + DAY_S + 3_600


class Asked:
    """A running monitor's port, and tokens for it."""

    def __init__(self, monitor: Monitor) -> None:
        self.monitor = monitor
        self.client = TestClient(create_monitor_app(monitor), base_url="http://127.0.0.1:8080")
        tokens = Tokens(monitor.store)
        self.read, self.push = tokens.make("reads", ["read"]), tokens.make("pushes", ["push"])
        self.client.headers["Authorization"] = f"Bearer {self.read}"

    def pushes(self, body: object, token: str | None = None) -> Any:
        return self.client.post("/api/readings", json=body, headers={"Authorization": f"Bearer {token or self.push}"})


def monitor_of(folder: Path, text: str = HOME, now_s: float = NOW_S) -> Iterator[Monitor]:
    file = folder / "daisee.toml"
    file.write_text(text)
    settings = read_settings(file)
    with open_store(settings) as store:
        yield Monitor(settings, store, lambda: float(now_s))


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    for monitor in monitor_of(tmp_path):
        yield Asked(monitor)


@pytest.fixture
def day(asked: Asked) -> Asked:
    """A day of 1 kW from the grid and 500 W from the roof, a reading every ten seconds, but for an hour from noon on."""
    for at_s in range(0, DAY_S + 1, 10):
        if not 12 * 3_600 < at_s < 13 * 3_600:
            counter = Joules(5_000_000 + at_s * 1_000)
            asked.monitor.collector.take("meter", [Reading(at_s=T0 + at_s, power_w=1_000.0, forward_j=counter, voltage_v=230.0)])
            asked.monitor.collector.take("roof", [Reading(at_s=T0 + at_s, power_w=500.0)])
    return asked
