"""A real MQTT broker for tests: Mosquitto on a free loopback port, with a user and a password, and without a disk."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

START_S = 20.0
USER, PASSWORD = "daisee", "only a test"


@dataclass
class Broker:
    """A broker that runs."""

    port: int
    process: subprocess.Popen[bytes]


@contextmanager
def broker(program: str, port: int | None = None) -> Iterator[Broker]:
    """Run a broker, and end it. Who says nothing is let in too, as at many homes; who says a wrong password is not."""
    with tempfile.TemporaryDirectory(prefix="mosquitto-") as folder:
        if port is None:
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
        passwords = Path(folder) / "passwords"
        passwords.write_text(f"{USER}:{PASSWORD}\n")
        subprocess.run(["mosquitto_passwd", "-U", passwords], check=True, capture_output=True)
        settings = Path(folder) / "settings"
        settings.write_text(f"listener {port} 127.0.0.1\npassword_file {passwords}\nallow_anonymous true\nuser root\n")
        process = subprocess.Popen([program, "-c", settings], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _wait(port)
            yield Broker(port, process)
        finally:
            process.terminate()
            process.wait(START_S)


def _wait(port: int) -> None:
    until = time.monotonic() + START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return
