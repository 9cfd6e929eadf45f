"""Shows the monitor whole: a device of every kind, simulated, heard by one home, with a real Mosquitto and a real PostgreSQL.

Run by `make try-monitor`. It prints what `daisee monitor check` finds and what the running home then says of each meter, and ends
with exit code 1 where a check is red or a meter was never heard.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.monitor import mosquitto, postgres

from need import NEEDS, find

DAISEE = [sys.executable, "-m", "daisee", "monitor"]
PATIENCE_S = 90.0


def main() -> int:
    """Try it."""
    programs = {need.marker: find(need) for need in NEEDS}
    for name in ("mosquitto", "postgresql"):
        if programs[name] is None:
            sys.stderr.write(f"no {name} here; install it: apt-get install {name}\n")
            return 1
    with (
        tempfile.TemporaryDirectory(prefix="try-monitor-") as folder,
        postgres.cluster(str(programs["postgresql"])) as url,
        mosquitto.broker(str(programs["mosquitto"])) as broker,
    ):
        return _try(Path(folder) / "daisee.toml", url, f"127.0.0.1:{broker.port}")


def _try(config: Path, url: str, broker: str) -> int:
    with _running("simulate", "all", "--write", str(config), "--mqtt", broker, "--store", url, until="devices are there"):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        config.write_text(config.read_text().replace("[monitor]\n", f"[monitor]\nport = {port}\n", 1))
        checked = subprocess.run([*DAISEE, "check", "--config", str(config)], check=False).returncode
        read, push = (_token(config, scope) for scope in ("read", "push"))
        with (
            _running("run", "--config", str(config), until="It answers at"),
            _running("simulate", "push", "--at", f"http://{push}@127.0.0.1:{port}/push", until="[monitor.sensors.push]"),
        ):
            meters = _heard(port, read)
        for meter in meters:
            power = "-" if meter["power_w"] is None else f"{meter['power_w']:.1f} W"
            sys.stdout.write(f"{meter['name']:<14} {meter['role']:<10} {'heard' if meter['at'] else 'NEVER HEARD':<12} {power}\n")
    return 1 if checked or not all(meter["at"] for meter in meters) else 0


@contextmanager
def _running(*arguments: str, until: str) -> Iterator[None]:
    process = subprocess.Popen(
        [*DAISEE, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    for line in process.stdout:
        sys.stdout.write(line)
        if until in line:
            break
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        sys.stdout.write(process.communicate(timeout=30)[0])


def _token(config: Path, scope: str) -> str:
    made = subprocess.run(
        [*DAISEE, "token", "new", scope, "--scope", scope, "--config", str(config)], check=True, capture_output=True, text=True
    )
    return made.stdout.strip()


def _heard(port: int, token: str) -> list[dict[str, Any]]:
    until = time.monotonic() + PATIENCE_S
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/v1/meters", headers={"Authorization": f"Bearer {token}"})
    while True:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  # our own port
            meters: list[dict[str, Any]] = json.loads(answer.read())
        if all(meter["at"] for meter in meters) or time.monotonic() > until:
            return meters
        time.sleep(1)


if __name__ == "__main__":
    sys.exit(main())
