"""An MQTT broker, as the configuration names it: for what is heard from it, and for what is told to it."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiomqtt

from daisee.config import Setting, flag, text, whole
from daisee.errors import SensorError
from daisee.files import read_secret

CONNECT_S = 10.0
KEEPALIVE_S = 30
MOST_WAITING = 1_000

SETTINGS = (
    Setting("host", "", "Where the broker is.", text, "127.0.0.1"),
    Setting("port", "", "Its port; 8883 with TLS.", whole(1, 65_535), 1883),
    Setting("user", "", "Whom it knows us as.", text, None),
    Setting("password_file", "", "A file with the password.", text, None),
    Setting("password", "", "The password; a file keeps it better.", text, None),
    Setting("tls", "", "Whether it speaks TLS; its certificate is checked.", flag, False),
)


def client_of(given: Mapping[str, Any], will: aiomqtt.Will | None = None) -> aiomqtt.Client:
    """Make what connects with the broker; `will` is what it tells the others when we are gone. SensorError."""
    password = given["password"]
    if given["password_file"]:
        try:
            password = read_secret(Path(given["password_file"]))
        except OSError as error:
            raise SensorError(f"{given['password_file']} cannot be read: {error.strerror}") from error
    return aiomqtt.Client(
        given["host"],
        given["port"],
        username=given["user"] or None,
        password=password or None,
        tls_context=ssl.create_default_context() if given["tls"] else None,
        timeout=CONNECT_S,
        keepalive=KEEPALIVE_S,
        max_queued_incoming_messages=MOST_WAITING,
        will=will,
    )


def no_broker(given: Mapping[str, Any], error: Exception) -> SensorError:
    """Say that it does not answer, and what to look at."""
    where = f"{given['host']}:{given['port']}"
    return SensorError(f"the MQTT broker at {where}: {error}; does it run, and do user and password fit?")
