"""A line of bytes from a device: a serial port, a Unix socket, or a port on the network that has a serial line behind it.

Opened by address: `/dev/ttyUSB0` is a serial port, another path a Unix socket, `host:port` or `tcp://host:port` a network one.
Reading waits as long as the device is silent, without holding up anything; what is gone is a SensorError.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import stat
import termios
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import serial

from daisee.config import Setting
from daisee.errors import SensorError
from daisee.monitor.sensors import Refuse

CONNECT_S = 10.0
CHUNK = 4096
NETWORK = re.compile(r"(?:tcp://)?(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(?P<port>\d{1,5})")


def _address(written: Any) -> str:
    if not isinstance(written, str) or not (written.startswith("/") or NETWORK.fullmatch(written)):
        raise ValueError('a serial port like "/dev/ttyUSB0", or "host:port"')
    return written


ADDRESS = Setting("address", "", "The serial port, like /dev/ttyUSB0, or host:port where a network has the line.", _address)
"""The setting of a sensor on such a line."""


@dataclass(frozen=True, slots=True)
class Line:
    """How a serial line is spoken on."""

    baud: int
    bits: int = 8
    parity: str = "N"
    hangs_up: bool = True
    """Whether DTR falls when it is closed. An Arduino starts anew when it rises again, at the next opening."""


class Link(Protocol):
    """An open line."""

    async def read(self) -> bytes:
        """Answer what came, at least a byte; SensorError where the line has ended."""
        ...

    async def write(self, data: bytes) -> None:
        """Send; SensorError where the line has ended."""
        ...


@asynccontextmanager
async def open_link(address: str, line: Line) -> AsyncIterator[Link]:
    """Open a line, and close it afterwards. SensorError where that cannot be, with what to look at."""
    network = NETWORK.fullmatch(address)
    if network:
        async with _stream(asyncio.open_connection(network["host"].strip("[]"), int(network["port"])), address) as link:
            yield link
        return
    try:
        is_socket = stat.S_ISSOCK(os.stat(address).st_mode)  # noqa: PTH116  # of the file itself
    except OSError as error:
        raise SensorError(f"there is no {address} ({error.strerror}); is it plugged in?") from error
    if is_socket:
        async with _stream(asyncio.open_unix_connection(address), address) as link:
            yield link
        return
    port = _SerialLink(address, line)
    try:
        yield port
    finally:
        port.close()


async def lines(link: Link, longest: int, refuse: Refuse) -> AsyncGenerator[bytes, None]:
    """Answer each line as it ends, without its end. What is longer than `longest` is refused, and the next line listened for."""
    waiting, skipping = b"", False
    while True:
        waiting += await link.read()
        *whole, waiting = waiting.split(b"\n")
        for line in whole:
            if skipping or len(line) > longest:
                skipping = False
                refuse(f"a line of more than {longest} bytes")
                continue
            yield line.rstrip(b"\r")
        if len(waiting) > longest:
            waiting, skipping = b"", True


class _StreamLink:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str) -> None:
        self._reader = reader
        self._writer = writer
        self._address = address

    async def read(self) -> bytes:
        try:
            data = await self._reader.read(CHUNK)
        except OSError as error:
            raise SensorError(f"{self._address} broke off ({error.strerror or error})") from error
        if not data:
            raise SensorError(f"{self._address} has closed the line")
        return data

    async def write(self, data: bytes) -> None:
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise SensorError(f"{self._address} broke off ({error.strerror or error})") from error


@asynccontextmanager
async def _stream(opening: Any, address: str) -> AsyncIterator[_StreamLink]:
    try:
        reader, writer = await asyncio.wait_for(opening, CONNECT_S)
    except TimeoutError as error:
        raise SensorError(f"{address} does not answer; is it on, and reachable from here?") from error
    except OSError as error:
        raise SensorError(f"{address} does not let us in ({error.strerror or error}); is it on, and the port right?") from error
    try:
        yield _StreamLink(reader, writer, address)
    finally:
        writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            await asyncio.wait_for(writer.wait_closed(), CONNECT_S)


class _SerialLink:
    """A serial port, watched by the event loop: no thread is needed to wait for it."""

    def __init__(self, address: str, line: Line) -> None:
        self._address = address
        try:
            self._port = serial.Serial(
                address, line.baud, bytesize=line.bits, parity=line.parity, timeout=0, write_timeout=0, exclusive=True
            )
            if not line.hangs_up:
                _hang_up_never(self._port.fileno())
        except (OSError, ValueError, termios.error) as error:
            raise SensorError(f"{address} cannot be opened ({_said(error)}); {_advice(error)}") from error

    async def read(self) -> bytes:
        loop = asyncio.get_running_loop()
        while True:
            ready = loop.create_future()
            loop.add_reader(self._port.fileno(), _done, ready)
            try:
                await ready
            finally:
                loop.remove_reader(self._port.fileno())
            try:
                data = os.read(self._port.fileno(), CHUNK)
            except BlockingIOError:
                continue
            except OSError as error:
                raise SensorError(f"{self._address} is gone ({error.strerror}); was it pulled out?") from error
            if not data:
                raise SensorError(f"{self._address} is gone; was it pulled out?")
            return data

    async def write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except OSError as error:
            raise SensorError(f"{self._address} cannot be written to ({_said(error)})") from error

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._port.close()


def _hang_up_never(port: int) -> None:
    attributes = termios.tcgetattr(port)
    attributes[2] &= ~termios.HUPCL
    termios.tcsetattr(port, termios.TCSANOW, attributes)


def _done(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


def _said(error: Exception) -> str:
    number = error.args[0] if isinstance(error, termios.error) else getattr(error, "errno", None)
    return os.strerror(number) if number else str(error)


def _advice(error: Exception) -> str:
    if isinstance(error, PermissionError) or getattr(error, "errno", None) == 13:
        return "let this user be of the group dialout: sudo adduser $USER dialout, then log in anew"
    if isinstance(error, termios.error):
        return "it does not do this speed and parity; is it the right port?"
    return "does another program use it?"
