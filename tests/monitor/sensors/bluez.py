"""A D-Bus of a test's own, and on it, where wanted, what BlueZ shows of a plug that does not exist: bleak's real way to
a device is gone, all but the radio."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><listen>unix:path={}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy></busconfig>
"""
ADAPTER = "/org/bluez/hci0"
SERVICE_UUID, COMMAND_UUID, NOTIFY_UUID = (f"0000{each}-0000-1000-8000-00805f9b34fb" for each in ("fff0", "fff3", "fff4"))


@contextmanager
def private_bus(folder: Path) -> Iterator[str]:
    """Run a D-Bus daemon; answer its address. For tests marked `dbus`, which run only where there is one."""
    daemon = shutil.which("dbus-daemon")
    assert daemon is not None, "a test that uses private_bus is marked with @pytest.mark.dbus"
    (folder / "bus.conf").write_text(CONFIGURATION.format(folder / "bus"))
    command = [daemon, f"--config-file={folder / 'bus.conf'}", "--nofork", "--nopidfile", "--print-address"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline()
            yield f"unix:path={folder / 'bus'}"
        finally:
            process.terminate()


class FakeBluez:
    """BlueZ with one controller and one plug near."""

    def __init__(self, bus_address: str, address: str, answer: Callable[[bytes], list[bytes]]) -> None:
        self._bus = MessageBus(bus_address=bus_address)
        self._answer = answer
        self._device = f"{ADAPTER}/dev_{address.replace(':', '_')}"
        self._service = f"{self._device}/service0010"
        self._command, self._notify = (f"{self._service}/char00{each}" for each in ("11", "14"))
        self.called: list[str] = []
        self.objects: dict[str, dict[str, dict[str, Variant]]] = {
            ADAPTER: {
                "org.bluez.Adapter1": {
                    "Address": Variant("s", "00:11:22:33:44:55"),
                    "Powered": Variant("b", True),
                    "Roles": Variant("as", ["central", "peripheral"]),
                }
            },
            self._device: {
                "org.bluez.Device1": {
                    "Address": Variant("s", address),
                    "Alias": Variant("s", "SMP-B16"),
                    "Name": Variant("s", "SMP-B16"),
                    "Adapter": Variant("o", ADAPTER),
                    "Connected": Variant("b", False),
                    "ServicesResolved": Variant("b", False),
                    "Paired": Variant("b", False),
                    "UUIDs": Variant("as", [SERVICE_UUID]),
                }
            },
            self._service: {
                "org.bluez.GattService1": {
                    "UUID": Variant("s", SERVICE_UUID),
                    "Device": Variant("o", self._device),
                    "Primary": Variant("b", True),
                }
            },
            self._command: self._characteristic(COMMAND_UUID, "write"),
            self._notify: self._characteristic(NOTIFY_UUID, "notify"),
        }

    def _characteristic(self, uuid: str, flag: str) -> dict[str, dict[str, Variant]]:
        return {
            "org.bluez.GattCharacteristic1": {
                "UUID": Variant("s", uuid),
                "Service": Variant("o", self._service),
                "Flags": Variant("as", [flag]),
                "MTU": Variant("q", 23),
            }
        }

    async def __aenter__(self) -> FakeBluez:
        self._bus.add_message_handler(self._handle)
        await self._bus.connect()
        await self._bus.request_name("org.bluez")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._bus.disconnect()
        await self._bus.wait_for_disconnect()  # type: ignore[no-untyped-call]

    def leave(self) -> None:
        """Let the plug be gone."""
        self._change(self._device, "org.bluez.Device1", Connected=Variant("b", False), ServicesResolved=Variant("b", False))

    def _handle(self, message: Message) -> Message | bool | None:
        if message.message_type is not MessageType.METHOD_CALL or message.interface == "org.freedesktop.DBus.Peer":
            return None
        self.called.append(str(message.member))
        match message.member:
            case "GetManagedObjects":
                return Message.new_method_return(message, "a{oa{sa{sv}}}", [self.objects])
            case "StartDiscovery":
                # As a device that sends an advertisement now and then.
                for tenths in range(1, 30):
                    asyncio.get_running_loop().call_later(tenths / 10, self._advertise, -50 - tenths)
            case "Connect":
                # The radio takes its time: connected, then the answer, then its services.
                loop, on = asyncio.get_running_loop(), Variant("b", True)
                self._change(self._device, "org.bluez.Device1", Connected=on)
                loop.call_later(0.05, self._bus.send, Message.new_method_return(message))
                loop.call_later(0.1, lambda: self._change(self._device, "org.bluez.Device1", ServicesResolved=on))
                return True
            case "Disconnect":
                # Who has gone already is not said to go again.
                if self.objects[self._device]["org.bluez.Device1"]["Connected"].value:
                    self.leave()
            case "WriteValue":
                assert message.path == self._command
                for piece in self._answer(bytes(message.body[0])):
                    self._later(self._notifier(piece))
        return Message.new_method_return(message)

    def _advertise(self, rssi: int) -> None:
        if self._bus.connected:
            self._change(self._device, "org.bluez.Device1", RSSI=Variant("n", rssi))

    def _notifier(self, piece: bytes) -> Callable[[], None]:
        return lambda: self._change(self._notify, "org.bluez.GattCharacteristic1", Value=Variant("ay", piece))

    def _later(self, call: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_soon(call)

    def _change(self, path: str, interface: str, **values: Any) -> None:
        self.objects[path][interface].update({name: value for name, value in values.items() if name != "Value"})
        sent = self._bus.send(
            Message.new_signal(path, "org.freedesktop.DBus.Properties", "PropertiesChanged", "sa{sv}as", [interface, values, []])
        )
        assert not sent.done() or sent.exception() is None
