"""Bluetooth's two ways to a device: bleak's own client on a backend that is not there, and a Unix socket."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakDBusError,
    BleakDeviceNotFoundError,
    BleakError,
)

from daisee.errors import SensorError
from daisee.monitor.sensors import gatt
from daisee.monitor.sensors.awox import PROFILE
from daisee.monitor.sensors.gatt import BleakGatt, SocketGatt, gatt_at, serve_gatt

ADDRESS = "98:7B:F3:34:78:52"
BASE = "0000{}-0000-1000-8000-00805f9b34fb"


class Radio(BaseBleakClient):
    """What is under bleak's client: a device with the characteristics that the SmartPlug's sibling has."""

    services_there: tuple[str, ...] = ("fff0",)
    notifying: tuple[str, ...] = ("fff4",)
    connecting: BaseException | None = None
    writing: BaseException | None = None
    leaving: BaseException | None = None
    answer: Callable[[bytes], list[bytes]] = staticmethod(lambda written: [written])
    log: list[object]

    @property
    def name(self) -> str:
        return "SMP-B16"

    @property
    def mtu_size(self) -> int:
        return 23

    @property
    def is_connected(self) -> bool:
        return bool(self.services)

    async def connect(self, pair: bool, **_: Any) -> None:
        if self.connecting is not None:
            raise self.connecting
        self.services = BleakGATTServiceCollection()
        self.heard: dict[str, Any] = {}
        for at, uuid in enumerate(self.services_there):
            service = BleakGATTService(None, 100 * at, BASE.format(uuid))
            self.services.add_service(service)
            for each, (name, properties) in enumerate(
                {"fff1": ["read"], "fff3": ["write"], "fff4": ["read"], "fff5": ["read"]}.items()
            ):
                told: Any = ["notify"] if name in self.notifying else properties
                self.services.add_characteristic(
                    BleakGATTCharacteristic(None, 100 * at + each + 1, BASE.format(name), told, lambda: 20, service)
                )

    async def disconnect(self) -> None:
        self.log.append("disconnected")
        if self.leaving is not None:
            raise self.leaving

    async def write_gatt_char(self, characteristic: BleakGATTCharacteristic, data: Any, response: bool) -> None:
        if self.writing is not None:
            raise self.writing
        self.log.append((characteristic.uuid[4:8], bytes(data), response))
        for each in self.answer(bytes(data)):
            for callback in self.heard.values():
                callback(bytearray(each))

    async def start_notify(self, characteristic: BleakGATTCharacteristic, callback: Any, **_: Any) -> None:
        self.heard[characteristic.uuid[4:8]] = callback

    def leave(self) -> None:
        assert self._disconnected_callback is not None
        self._disconnected_callback()

    async def pair(self, *_: Any, **__: Any) -> None: ...
    async def unpair(self) -> None: ...
    async def read_gatt_char(self, *_: Any, **__: Any) -> bytearray:
        return bytearray()

    async def read_gatt_descriptor(self, *_: Any, **__: Any) -> bytearray:
        return bytearray()

    async def write_gatt_descriptor(self, *_: Any, **__: Any) -> None: ...
    async def stop_notify(self, *_: Any, **__: Any) -> None: ...


def unheard(data: bytes) -> None:
    """Be told of a notification that should not have come."""
    pytest.fail(f"heard {data!r}")


@pytest.fixture
def radio() -> type[Radio]:
    """Answer a radio whose behaviour a test may change."""
    return type("ThisRadio", (Radio,), {"log": []})


def by_bleak(radio: type[Radio]) -> BleakGatt:
    """Answer the device that this radio hears, by bleak's own client."""
    return BleakGatt(ADDRESS, PROFILE, functools.partial(BleakClient, backend=radio))


def connecting(device: BleakGatt, limit_s: float = 5.0) -> str:
    """Connect where that cannot be; answer what is said, after the device was closed."""

    async def story() -> str:
        async with asyncio.timeout(limit_s):
            with pytest.raises(SensorError) as caught:
                await device.connect(unheard, pytest.fail)
            await device.close()
            return str(caught.value)

    return asyncio.run(story())


@pytest.mark.parametrize("notifying", [("fff4",), ("fff5",), ("fff1", "fff4")])
def test_whatever_notifies_is_heard_and_commands_go_to_fff3(radio: type[Radio], notifying: tuple[str, ...]) -> None:
    radio.notifying = notifying
    heard: list[bytes] = []

    async def story() -> None:
        device = by_bleak(radio)
        await device.connect(heard.append, pytest.fail)
        await device.write(b"hello")
        await device.close()
        await device.close()

    asyncio.run(story())
    assert heard == [b"hello"] * len(notifying)
    assert radio.log == [("fff3", b"hello", True), "disconnected"]


def test_a_device_that_goes_is_said_to_be_lost(radio: type[Radio]) -> None:
    lost: list[str] = []

    async def story() -> None:
        device = by_bleak(radio)
        await device.connect(unheard, lambda: lost.append("lost"))
        device._client._backend.leave()
        radio.writing = BleakError("Not connected")
        with pytest.raises(SensorError, match="Bluetooth says: Not connected"):
            await device.write(b"hello")
        radio.leaving = EOFError()
        await device.close()

    asyncio.run(story())
    assert lost == ["lost"]


@pytest.mark.parametrize(("services", "notifying"), [(("180a",), ("fff4",)), ((), ()), (("fff0",), ())])
def test_another_kind_of_device_is_left_alone(radio: type[Radio], services: tuple[str, ...], notifying: tuple[str, ...]) -> None:
    radio.services_there, radio.notifying = services, notifying
    assert "another kind of device" in connecting(by_bleak(radio))
    assert radio.log == ["disconnected"]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FileNotFoundError(2, "No such file or directory"), r"D-Bus does not let us in .* sudo apt install bluez"),
        (BleakDeviceNotFoundError(ADDRESS, "not found"), "no such device is near; .* bluetoothctl scan le"),
        (
            BleakBluetoothNotAvailableError("No powered adapter", BleakBluetoothNotAvailableReason.POWERED_OFF),
            r"no Bluetooth here \(No powered adapter\)",
        ),
        (BleakDBusError("org.bluez.Error.Failed", ["le-connection-abort-by-local"]), "Bluetooth says: .*abort-by-local"),
        (TimeoutError(), "does not answer; is it plugged in"),
        (EOFError(), "Bluetooth says: EOFError"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_look_at(radio: type[Radio], error: Exception, words: str) -> None:
    radio.connecting = error
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(connecting(by_bleak(radio)))


def test_a_radio_that_hangs_is_given_up(radio: type[Radio], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONNECT_S", "CLOSE_S"):
        monkeypatch.setattr(gatt, name, 0.1)

    async def hangs(*_: object, **__: object) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(radio, "connect", hangs)
    monkeypatch.setattr(radio, "disconnect", hangs)
    assert "does not answer" in connecting(by_bleak(radio))


def test_a_machine_without_bluez_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Bleak's real backend, and a D-Bus that is not there."""
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path / 'nobody'}")
    device = gatt_at(ADDRESS, PROFILE)
    assert isinstance(device, BleakGatt)
    said = connecting(device, limit_s=20)
    assert "D-Bus does not let us in" in said
    assert "bluez" in said


def test_a_simulated_device_is_written_to_and_heard_over_a_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "device")

    async def story() -> None:
        heard: asyncio.Queue[bytes] = asyncio.Queue()
        lost = asyncio.Event()
        ready = asyncio.Event()
        device = asyncio.ensure_future(serve_gatt(path, lambda written: [written, b"", b"x" * 255], ready.set))
        await ready.wait()
        here = gatt_at(f"sim:{path}", PROFILE)
        assert isinstance(here, SocketGatt)
        await here.connect(heard.put_nowait, lost.set)
        await here.write(b"hello")
        assert [await asyncio.wait_for(heard.get(), 30) for _ in range(3)] == [b"hello", b"", b"x" * 255]
        assert not lost.is_set()
        await here.close()
        device.cancel()
        await asyncio.gather(device, return_exceptions=True)
        with pytest.raises(SensorError, match="nobody simulates a device"):
            await SocketGatt(path).connect(unheard, pytest.fail)

    asyncio.run(story())


def test_a_simulated_device_that_hangs_up_in_the_middle_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "device"

    async def story() -> None:
        async def speak(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"\x05hel")
            await writer.drain()
            writer.close()

        lost = asyncio.Event()
        async with await asyncio.start_unix_server(speak, path):
            here = SocketGatt(str(path))
            await here.connect(unheard, lost.set)
            await asyncio.wait_for(lost.wait(), 30)
            await here.close()

    asyncio.run(story())
