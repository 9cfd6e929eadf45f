"""Hall sensors by an Arduino: the prototype's lines, over a serial line; zero and volts."""

from __future__ import annotations

import asyncio
import errno
import os
import pty
import termios
import tty
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.monitor.sensors.devices import Heard, listen

from daisee.errors import SensorError
from daisee.model.readings import Reading
from daisee.monitor.sensors.acs712 import GAUGED_KIND, KIND, LINE, Acs712Sensor, decode, decode_gauged, zero_of
from daisee.monitor.sensors.link import Line, open_link


@pytest.mark.parametrize(("line", "power_w"), [(b"4.12", 4.12), (b"-0.31\r", -0.31), (b" 12 ", 12.0), (b"0.00", 0.0)])
def test_a_line_of_watts_keeps_its_sign(line: bytes, power_w: float) -> None:
    assert decode(line) == Reading(at_s=0.0, power_w=power_w)


def test_a_line_of_cell_charge_and_watts_is_not_mixed_up() -> None:
    """In 2017 the monitor took the charge for watts, and the agent the cell's volts for the charge."""
    assert decode_gauged(b"3.8712|71.45|4.12") == Reading(at_s=0.0, power_w=4.12, voltage_v=3.8712, state_of_charge=0.7145)
    assert decode_gauged(b"4.1|104.2|-1").state_of_charge == 1.0


@pytest.mark.parametrize("line", [b"", b"nan", b"inf", b"1e9", b"4,12", b"999999999", b"12|3", b"\xff\xfe", b"--3", b"1" * 40])
def test_what_is_no_line_of_watts_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match="a line"):
        decode(line)


@pytest.mark.parametrize(
    "line", [b"3.8|71|", b"4.12", b"0|50|1", b"9|50|1", b"3.8|-1|1", b"3.8|111|1", b"3.8|nan|1", b"3.8|50|999999"]
)
def test_what_is_no_line_of_a_gauge_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"a line|a cell|a state"):
        decode_gauged(line)


@given(st.binary(max_size=60))
def test_no_bytes_do_more_than_be_refused(line: bytes) -> None:
    for read in (decode, decode_gauged):
        try:
            assert abs(read(line).power_w or 0) <= 100_000
        except ValueError as error:
            assert str(error)  # noqa: PT017  # it says why


def on_a_port(sensor: Callable[[str], Acs712Sensor], pieces: list[bytes], heard: Heard, count: int) -> None:
    """Let a sensor listen on a serial line that says these pieces."""

    async def story() -> None:
        arduino, port = pty.openpty()
        tty.setraw(port)
        listening = asyncio.create_task(listen(sensor(os.ttyname(port)), heard, count=count))
        await asyncio.sleep(0.2)
        for piece in pieces:
            os.write(arduino, piece)
            await asyncio.sleep(0.02)
        await listening
        for end in (arduino, port):
            os.close(end)

    asyncio.run(story())


def test_an_arduino_is_listened_to_over_its_serial_line() -> None:
    heard = Heard()
    pieces = [b"7\r\n3.", b"70\r\n", b"\r\n-7.4\r\nrubbish\r\n", b"x" * 300, b"\r\n11.1\r\n"]
    on_a_port(lambda address: Acs712Sensor(address, zero_w=0.37, volts=12.0), pieces, heard, 3)
    factor = 12.0 / 3.7
    assert [reading.power_w for reading in heard.readings] == pytest.approx(
        [(watts - 0.37) * factor for watts in (3.7, -7.4, 11.1)]
    )
    assert heard.refused == ["a line that is no number: 'rubbish'", "a line of more than 80 bytes"]


def test_the_half_of_a_line_at_the_beginning_is_passed_over() -> None:
    heard = Heard()
    on_a_port(lambda address: Acs712Sensor(address, gauged=True), [b"2|71.4|4.12\r\n3.87|71.45|4.12\r\n"], heard, 1)
    assert (heard.readings[0].voltage_v, heard.refused) == (3.87, [])


def test_zero_is_the_mean_of_what_is_seen_while_nothing_is_drawn() -> None:
    assert zero_of([0.1, 0.2, 0.3]) == 0.2
    with pytest.raises(ValueError, match="nothing"):
        zero_of([])


@pytest.mark.parametrize("kind", [KIND, GAUGED_KIND])
def test_the_simulator_is_an_arduino_that_the_sensor_hears(kind: object, simulated: Callable[..., Heard]) -> None:
    heard = simulated(kind, {}, 2)
    assert not heard.refused
    assert heard.readings[0].power_w == pytest.approx(heard.house.power_w(heard.readings[0].at_s), abs=0.1)
    assert (heard.readings[0].state_of_charge is not None) == (kind is GAUGED_KIND)


def test_closing_the_port_of_an_arduino_leaves_its_line_up_and_others_fall() -> None:
    """DTR that rises starts an Arduino anew: after the first opening it stays up."""

    async def story(line: Line) -> bool:
        arduino, port = pty.openpty()
        usual = termios.tcgetattr(port)
        usual[2] |= termios.HUPCL
        termios.tcsetattr(port, termios.TCSANOW, usual)
        async with open_link(os.ttyname(port), line):
            hangs_up = bool(termios.tcgetattr(port)[2] & termios.HUPCL)
        for end in (arduino, port):
            os.close(end)
        return hangs_up

    assert not asyncio.run(story(LINE))
    assert asyncio.run(story(Line(9_600)))


def test_a_port_that_does_not_do_its_parity_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object) -> None:
        raise termios.error(errno.EINVAL, "Invalid argument")

    async def story() -> None:
        arduino, port = pty.openpty()
        monkeypatch.setattr(termios, "tcsetattr", refuses)
        try:
            with pytest.raises(SensorError, match=r"cannot be opened \(Invalid argument\); it does not do this speed and parity"):
                async with open_link(os.ttyname(port), Line(1_200, 7, "E")):
                    pass
        finally:
            for end in (arduino, port):
                os.close(end)

    asyncio.run(story())
