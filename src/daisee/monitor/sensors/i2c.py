"""An I2C bus, with the two calls of smbus2 that chips of 16-bit registers need: the kernel's, one in memory, and one behind a
Unix socket, where the one in memory is served to whoever has no chip.

On the socket each request is a line, `r ADDRESS REGISTER` or `w ADDRESS REGISTER WORD`, in hexadecimal; the answer is the word,
`ok`, or `no`. A word is as SMBus has it, its low byte first on the wire.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import re
import socket
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from smbus2 import SMBus

from daisee.monitor.simulated import serve

SIMULATED = "sim:"
TIMEOUT_S = 2.0
LONGEST = 40
REQUEST = re.compile(r"(?:r ([0-9a-f]{2}) ([0-9a-f]{2})|w ([0-9a-f]{2}) ([0-9a-f]{2}) ([0-9a-f]{4}))")
ANSWER = re.compile(r"[0-9a-f]{4}|ok|no")


class Bus(Protocol):
    """What smbus2 has, as far as it is needed here. OSError where no chip answers."""

    def read_word_data(self, i2c_addr: int, register: int, /) -> int:
        """Answer a register of a chip, the low byte first on the wire."""
        ...

    def write_word_data(self, i2c_addr: int, register: int, value: int, /) -> Any:
        """Set a register of a chip."""
        ...

    def close(self) -> None:
        """Let go of the bus."""
        ...


class Chip(Protocol):
    """A chip of 16-bit registers, seen from inside: its words are as its datasheet has them, high byte first."""

    def read(self, register: int) -> int:
        """Answer a register; OSError where there is none."""
        ...

    def write(self, register: int, value: int) -> None:
        """Set a register."""
        ...


def open_bus(bus: int | str) -> Bus:
    """Open the kernel's bus of this number, or the one that is simulated at `sim:/path`. OSError where there is none."""
    if isinstance(bus, str) and bus.startswith(SIMULATED):
        return SocketBus(bus.removeprefix(SIMULATED))
    opened: Bus = SMBus(bus)
    return opened


def swapped(word: int) -> int:
    """Answer a word with its two bytes the other way round."""
    return (word & 0xFF) << 8 | word >> 8 & 0xFF


class MemoryBus:
    """A bus on which chips hang that do not exist."""

    def __init__(self, chips: Mapping[int, Chip]) -> None:
        """Hang chips on it, by their addresses."""
        self._chips = dict(chips)

    def read_word_data(self, i2c_addr: int, register: int) -> int:
        """Answer a register of a chip, the low byte first on the wire."""
        return swapped(self._chip(i2c_addr).read(register))

    def write_word_data(self, i2c_addr: int, register: int, value: int) -> None:
        """Set a register of a chip."""
        self._chip(i2c_addr).write(register, swapped(value))

    def close(self) -> None:
        """Let go of the bus."""

    def _chip(self, address: int) -> Chip:
        if address not in self._chips:
            # As the kernel says it where nobody acknowledges.
            raise OSError(errno.EREMOTEIO, "no chip acknowledges")
        return self._chips[address]


class SocketBus:
    """A bus behind a Unix socket. It blocks, as smbus2 does, and never for longer than TIMEOUT_S."""

    def __init__(self, path: str) -> None:
        """Connect. OSError where nobody listens there."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(TIMEOUT_S)
        try:
            self._socket.connect(path)
        except OSError:
            self._socket.close()
            raise

    def read_word_data(self, i2c_addr: int, register: int) -> int:
        """Answer a register of a chip, the low byte first on the wire."""
        answer = self._ask(f"r {i2c_addr:02x} {register:02x}")
        if answer == "ok":
            raise OSError(errno.EPROTO, "an answer without a word")
        return int(answer, 16)

    def write_word_data(self, i2c_addr: int, register: int, value: int) -> None:
        """Set a register of a chip."""
        self._ask(f"w {i2c_addr:02x} {register:02x} {value:04x}")

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _ask(self, request: str) -> str:
        self._socket.sendall(request.encode() + b"\n")
        heard = b""
        while not heard.endswith(b"\n"):
            if len(heard) > LONGEST:
                raise OSError(errno.EPROTO, "an answer that has no end")
            piece = self._socket.recv(LONGEST)
            if not piece:
                raise OSError(errno.EPIPE, "the simulated bus has hung up")
            heard += piece
        answer = heard.decode("ascii", "replace").strip()
        if not ANSWER.fullmatch(answer):
            raise OSError(errno.EPROTO, "an answer that makes no sense")
        if answer == "no":
            raise OSError(errno.EREMOTEIO, "no chip acknowledges")
        return answer


def answer_to(bus: Bus, request: str) -> str:
    """Do what a line asks for on a bus, and answer as the socket does. ValueError for a line that asks for nothing."""
    asked = REQUEST.fullmatch(request)
    if asked is None:
        raise ValueError(f"a line that is no request: {request[:20]!r}")
    reads = asked[1] is not None
    address, register = (int(asked[each], 16) for each in ((1, 2) if reads else (3, 4)))
    try:
        if reads:
            return f"{bus.read_word_data(address, register):04x}"
        bus.write_word_data(address, register, int(asked[5], 16))
    except OSError:
        return "no"
    return "ok"


async def serve_bus(bus: Bus, path: str, ready: Callable[[], None]) -> None:
    """Serve a bus at a Unix socket, until cancelled. Who sends nonsense is hung up on."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ValueError):  # a line without an end, or that is no request
            while line := await reader.readline():
                writer.write(answer_to(bus, line.decode("ascii", "replace").rstrip("\r\n")).encode() + b"\n")
                await writer.drain()

    await serve(path, speak, lambda _: ready())
