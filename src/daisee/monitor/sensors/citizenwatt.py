"""The CitizenWatt radio sensor of 2017: an encrypted frame of 16 bytes each eight seconds, by an nRF24L01+.

The radio is read by a process of its own, which writes each frame as a line of hex: hardware/nrf24/radio.py does so with pyrf24,
whose licence (GPL-2) is another than ours, and which is neither part nor need of this package. Source of the frame: CitizenWatt's
sketch and base, read off as facts: AES-128, one block, of the little-endian `<HHHLlH`.
"""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import struct
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from daisee.config import Setting, flag, text
from daisee.errors import SensorError, UsageError
from daisee.model.home import Role
from daisee.model.readings import Reading
from daisee.monitor.sensors import House, Kind, Refuse, Sensor
from daisee.monitor.sensors.link import Line, lines, open_link
from daisee.monitor.simulated import serve

FRAME = struct.Struct("<HHHLlH")
"""Power (W), voltage (V), supply voltage (mV), timer (ms), and padding."""
EXAMPLE_KEY = bytes(range(16))
"""What the sketch comes with: who has read it can send frames."""
WRAPS_MS = 4_233_600_000
"""Of the timer, 49 days: above it, the next frame may begin anew."""
MOST_W = 40_000
"""The sensor's clamp sees some 100 A of one phase; its field holds up to 65,535."""
MOST_V = 500
MOST_SUPPLY_MV = 6_000
"""It runs on batteries, or on a supply of 5 V."""
LONGEST = 256
NEW_AFTER_S = 600.0
"""A sensor that was silent for so long may have had its batteries changed; its timer then begins anew."""
AGREEING = 3
LAG_S = 5.0
END_S = 5.0
PERIOD_S = 8.0


@dataclass(frozen=True, slots=True)
class Frame:
    """What the sensor sent."""

    power_w: int
    voltage_v: int
    supply_mv: int
    timer_ms: int


def decode(frame: bytes, key: bytes) -> Frame:
    """Read a frame of 16 bytes with its key of 16. ValueError, with what is odd about it: mostly it is another's."""
    if len(frame) != 16:
        raise ValueError(f"a frame of {len(frame)} bytes, not 16")
    cipher = Cipher(algorithms.AES128(key), modes.ECB()).decryptor()  # noqa: S305  # one block, as the sensor does it
    power_w, voltage_v, supply_mv, timer_ms, _padding, _more = FRAME.unpack(cipher.update(frame) + cipher.finalize())
    # Nothing in a frame proves its key; another key makes numbers of all sizes.
    if power_w > MOST_W or voltage_v > MOST_V or supply_mv > MOST_SUPPLY_MV:
        raise ValueError(f"a frame of {power_w} W, {voltage_v} V, supply {supply_mv} mV: is it this sensor's key?")
    return Frame(power_w, voltage_v, supply_mv, timer_ms)


def encode(frame: Frame, key: bytes) -> bytes:
    """Write a frame as the sensor does."""
    told = FRAME.pack(frame.power_w, frame.voltage_v, frame.supply_mv, frame.timer_ms, 0, 0)
    cipher = Cipher(algorithms.AES128(key), modes.ECB()).encryptor()  # noqa: S305
    return cipher.update(told) + cipher.finalize()


class Replays:
    """Refuses frames that were heard before: a sensor's timer only grows, until it wraps.

    One that begins anew, since its batteries were changed, is believed after a while of silence, when three frames in a row have
    a timer that goes on as our clock does.
    """

    def __init__(self) -> None:
        self._last_ms: int | None = None
        self._last_s = 0.0
        self._anew: list[tuple[int, float]] = []

    def check(self, timer_ms: int, now_s: float) -> None:
        """Take the next frame's timer; ValueError for one that was there before."""
        last_ms = self._last_ms
        if last_ms is not None and timer_ms <= last_ms <= WRAPS_MS and not self._began_anew(timer_ms, now_s):
            raise ValueError("a frame that was heard before, or a sensor that began anew and is not believed yet")
        self._last_ms, self._last_s, self._anew = timer_ms, now_s, []

    def _began_anew(self, timer_ms: int, now_s: float) -> bool:
        if now_s - self._last_s < NEW_AFTER_S:
            return False
        if self._anew:
            before_ms, before_s = self._anew[-1]
            if abs((timer_ms - before_ms) / 1000 - (now_s - before_s)) > LAG_S or timer_ms <= before_ms:
                self._anew = []
        self._anew.append((timer_ms, now_s))
        return len(self._anew) >= AGREEING


class CitizenWattSensor:
    """The radio sensor, by the process that has the radio."""

    def __init__(self, radio: str, key: bytes, example_key: bool = False, clock: Callable[[], float] = time.time) -> None:
        """Name the process to start, or the path of a socket or serial line, that gives frames in hex; and the sensor's key."""
        if key == EXAMPLE_KEY and not example_key:
            raise UsageError("the key 0-1-2-...-15 is everybody's; set another in the sensor, or say example_key = true")
        self._radio = radio
        # A path that is no program: a socket, or a serial line.
        self._is_path = radio.startswith("/") and " " not in radio and not Path(radio).is_file()
        self._key = key
        self._clock = clock
        self._replays = Replays()

    async def readings(self, refuse: Refuse) -> AsyncIterator[Reading]:
        """Listen to the radio."""
        async with aclosing(self._lines(refuse)) as heard:
            async for line in heard:
                now_s = self._clock()
                try:
                    frame = decode(_bytes_of(line), self._key)
                    self._replays.check(frame.timer_ms, now_s)
                except ValueError as error:
                    refuse(str(error))
                else:
                    yield Reading(at_s=now_s, power_w=float(frame.power_w), voltage_v=float(frame.voltage_v) or None)

    async def _lines(self, refuse: Refuse) -> AsyncGenerator[bytes, None]:
        if self._is_path:
            async with open_link(self._radio, Line(115_200)) as link:
                async for line in lines(link, LONGEST, refuse):
                    yield line
        else:
            async with aclosing(_said_by(shlex.split(self._radio))) as said:
                async for line in said:
                    yield line


def _bytes_of(line: bytes) -> bytes:
    try:
        return bytes.fromhex(line.decode("ascii"))
    except ValueError:
        raise ValueError("a line that is no hex") from None


async def _said_by(command: list[str]) -> AsyncGenerator[bytes, None]:
    """Start a process, answer its lines, and end it. SensorError where it does not start, or ends by itself."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, limit=LONGEST
        )
    except OSError as error:
        raise SensorError(f"{command[0]} does not start ({error.strerror})") from error
    assert process.stdout is not None
    try:
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:
                continue  # longer than any frame: the rest of it is no frame either
            if not line:
                code = await process.wait()
                raise SensorError(f"{command[0]} has ended (exit code {code}); run it by hand to see why")
            yield line.strip()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), END_S)
        except TimeoutError:
            process.kill()
            await process.wait()


def _key(written: Any) -> bytes:
    """Read a key: 16 numbers joined by hyphens, as CitizenWatt's page asks for it, or 32 hex digits."""
    expected = "16 numbers from 0 to 255, joined by hyphens, or 32 hex digits"
    if not isinstance(written, str):
        raise ValueError(expected)
    with contextlib.suppress(ValueError):
        key = bytes(map(int, written.split("-"))) if "-" in written else bytes.fromhex(written)
        if len(key) == 16:
            return key
    raise ValueError(expected)


async def simulate(house: House, where: str | None, ready: Callable[[Mapping[str, Any]], None]) -> None:
    """Be the process that has the radio, behind a Unix socket: a frame each eight seconds, with the example key."""
    folder = tempfile.TemporaryDirectory(prefix="citizenwatt-")
    path = where or f"{folder.name}/radio"

    async def speak(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            now_s = time.time()
            seen = house.at(now_s)
            frame = Frame(max(0, round(seen.power_w or 0)), round(seen.voltage_v or 0), 3_000, round(now_s * 1000) % 2**32)
            writer.write(encode(frame, EXAMPLE_KEY).hex().encode() + b"\n")
            await writer.drain()
            await asyncio.sleep(PERIOD_S)

    with folder:
        await serve(path, speak, lambda at: ready({"radio": at, "key": EXAMPLE_KEY, "example_key": True}))


def _open(**settings: Any) -> Sensor:
    return CitizenWattSensor(**settings)


KIND = Kind(
    name="citizenwatt",
    title="CitizenWatt radio sensor (nRF24L01+)",
    needs="an nRF24L01+ on SPI, and a process that reads it, like hardware/nrf24/radio.py",
    settings=(
        Setting("radio", "", "The command that gives frames as lines of hex, or the path of a socket that does.", text),
        Setting("key", "", "The sensor's key: 16 numbers joined by hyphens, or 32 hex digits.", _key),
        Setting("example_key", "", "Take the key that the sketch comes with, which is everybody's.", flag, False),
    ),
    open=_open,
    roles=(Role.LOAD, *(role for role in Role if role is not Role.LOAD)),
    simulate=simulate,
    example='kind = "citizenwatt"\nrole = "load"\nradio = "python3 /opt/daisee/radio.py --channel 0x4c"\n'
    'key = "200-13-7-99-1-54-38-90-17-66-201-5-123-44-8-250"\n',
)
