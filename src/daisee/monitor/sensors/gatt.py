"""A device of Bluetooth Low Energy, as far as a sensor needs one: connect, write commands, hear notifications, close.

Two stand behind it: bleak, which speaks with BlueZ on Linux, and a Unix socket at `sim:/path`, where a device is simulated: there
a write and a notification are a byte of length and so many bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from bleak import BleakClient
from bleak.exc import BleakBluetoothNotAvailableError, BleakDBusError, BleakDeviceNotFoundError, BleakError

from daisee.errors import SensorError
from daisee.monitor.simulated import serve

SIMULATED = "sim:"
CONNECT_S = 30.0
WRITE_S = 5.0
CLOSE_S = 5.0
PIECE = 20
"""What a notification has room for, unless more was agreed on: an MTU of 23, less the header's 3."""
NOBODY = tuple(f"org.freedesktop.DBus.Error.{name}" for name in ("ServiceUnknown", "NameHasNoOwner"))
"""What D-Bus says where BlueZ is not on it."""

Notified = Callable[[bytes], None]
"""Told each notification; it must not wait."""
Lost = Callable[[], None]
"""Told once when the device is gone; it must not wait."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Where a device takes commands, and by which service it answers."""

    service: str
    command: str
    """Written to. What is heard are all characteristics of the service that notify."""


class Gatt(Protocol):
    """An open or closed device."""

    async def connect(self, notified: Notified, lost: Lost) -> None:
        """Connect, and listen to its notifications. SensorError where that cannot be, with what to look at."""
        ...

    async def write(self, data: bytes) -> None:
        """Write a command; SensorError where it does not arrive."""
        ...

    async def close(self) -> None:
        """Let go of the device, connected or not."""
        ...


def gatt_at(address: str, profile: Profile) -> Gatt:
    """Answer the device at a Bluetooth address, or the simulated one at `sim:/path`."""
    if address.startswith(SIMULATED):
        return SocketGatt(address.removeprefix(SIMULATED))
    return BleakGatt(address, profile)


class BleakGatt:
    """A device that bleak speaks with."""

    def __init__(self, address: str, profile: Profile, client: Callable[..., Any] = BleakClient) -> None:
        """Name the device; `client` is bleak's class, or one that is like it."""
        self._address = address
        self._profile = profile
        self._make = client
        self._client: Any = None
        self._command: Any = None

    async def connect(self, notified: Notified, lost: Lost) -> None:
        """Connect, and listen to what notifies."""
        await self._within(CONNECT_S, self._open(notified, lost))

    async def _open(self, notified: Notified, lost: Lost) -> None:
        self._client = self._make(self._address, disconnected_callback=lambda _: lost(), timeout=CONNECT_S)
        await self._client.connect()
        service = self._client.services.get_service(self._profile.service)
        self._command = service and service.get_characteristic(self._profile.command)
        heard = [] if not service else [each for each in service.characteristics if {"notify", "indicate"} & set(each.properties)]
        if self._command is None or not heard:
            raise SensorError(f"{self._address} is another kind of device; look its address up: bluetoothctl scan le")
        for each in heard:
            await self._client.start_notify(each, lambda _, data: notified(bytes(data)))

    async def write(self, data: bytes) -> None:
        """Write a command."""
        assert self._client is not None, "connect first"
        await self._within(WRITE_S, self._client.write_gatt_char(self._command, data))

    async def close(self) -> None:
        """Disconnect, if that is possible within a few seconds; BlueZ does it in the end."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(SensorError):
                await self._within(CLOSE_S, client.disconnect())

    async def _within(self, limit_s: float, doing: Awaitable[None]) -> None:
        try:
            await asyncio.wait_for(doing, limit_s)
        except SensorError:
            raise
        except TimeoutError as error:
            raise SensorError(
                f"{self._address} does not answer; is it plugged in, near, and no phone connected with it?"
            ) from error
        except (BleakError, OSError, EOFError) as error:
            raise SensorError(f"{self._address}: {_advice(error)}") from error


def _advice(error: Exception) -> str:
    if isinstance(error, FileNotFoundError | ConnectionError | PermissionError):
        return (
            f"D-Bus does not let us in ({error.strerror}), and BlueZ is spoken with by it; sudo apt install bluez, "
            "and in a container, let it see /run/dbus"
        )
    if isinstance(error, BleakDBusError) and error.dbus_error in NOBODY:
        return "BlueZ does not run; sudo apt install bluez, and sudo systemctl start bluetooth"
    if isinstance(error, BleakBluetoothNotAvailableError):
        return f"no Bluetooth here ({error.args[0]}); does bluetoothctl show a controller, and is it powered on?"
    if isinstance(error, BleakDeviceNotFoundError):
        return "no such device is near; look its address up: bluetoothctl scan le"
    return f"Bluetooth says: {str(error) or type(error).__name__}; try bluetoothctl connect with this address"


class SocketGatt:
    """A simulated device behind a Unix socket."""

    def __init__(self, path: str) -> None:
        """Name the socket."""
        self._path = path
        self._writer: asyncio.StreamWriter | None = None
        self._hearing: asyncio.Task[None] | None = None

    async def connect(self, notified: Notified, lost: Lost) -> None:
        """Connect, and listen."""
        try:
            reader, self._writer = await asyncio.wait_for(asyncio.open_unix_connection(self._path), CONNECT_S)
        except OSError as error:  # TimeoutError too
            raise SensorError(f"nobody simulates a device at {self._path} ({error.strerror or error}); start one") from error

        async def hear() -> None:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                while True:
                    notified(await read_piece(reader))
            lost()

        self._hearing = asyncio.create_task(hear())

    async def write(self, data: bytes) -> None:
        """Write a command."""
        assert self._writer is not None, "connect first"
        try:
            write_piece(self._writer, data)
            await asyncio.wait_for(self._writer.drain(), WRITE_S)
        except OSError as error:
            raise SensorError(f"the simulated device at {self._path} is gone") from error

    async def close(self) -> None:
        """Hang up."""
        if self._hearing is not None:
            self._hearing.cancel()
            await asyncio.gather(self._hearing, return_exceptions=True)
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(OSError):
                await asyncio.wait_for(self._writer.wait_closed(), CLOSE_S)


async def read_piece(reader: asyncio.StreamReader) -> bytes:
    """Read a write or a notification from a socket; IncompleteReadError at its end."""
    (length,) = await reader.readexactly(1)
    return await reader.readexactly(length)


def write_piece(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Put a write or a notification on a socket."""
    writer.write(bytes([len(data)]) + data)


async def serve_gatt(path: str, answer: Callable[[bytes], list[bytes]], ready: Callable[[], None]) -> None:
    """Be a device at a Unix socket, until cancelled: `answer` is given each write, and answers what is notified then."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                for each in answer(await read_piece(reader)):
                    write_piece(writer, each)
                await writer.drain()

    await serve(path, speak, lambda _: ready())
