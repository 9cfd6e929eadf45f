"""The customer's port of a smart meter: telegrams of thirteen meters, broken ones, and a port that is pulled."""

from __future__ import annotations

import asyncio
import os
import pty
import tty
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from dsmr_parser.parsers import TelegramParser
from hypothesis import given
from hypothesis import strategies as st
from tests.monitor.sensors.devices import Heard, listen, serve

from daisee.errors import SensorError
from daisee.model.readings import Reading
from daisee.monitor.sensors.p1 import KIND, LONGEST, P1Sensor, cut_telegrams, decode, encode
from daisee.units import Joules

RECORDED = Path(__file__).parent / "recorded"
NOW_S = 1_700_000_000.0
WITHOUT_A_CHECK = {"v2_2", "v3", "esy5q3da1004_v304", "esy5q3db1024_v304"}


def telegram(name: str) -> bytes:
    return (RECORDED / f"p1_{name}.txt").read_bytes()


def whole(name: str) -> bytes:
    (found,) = cut_telegrams(telegram(name), pytest.fail)[1]
    return found


def kwh(value: float) -> Joules:
    return Joules(round(value * 3_600_000))


@pytest.mark.parametrize(
    ("name", "power_w", "forward_kwh", "reverse_kwh", "voltage_v"),
    [
        ("v2_2", 1_010.0, 2.002, 2.002, None),
        ("v3", 1_190.0, 24_691.356, 24_691.356, None),
        ("v4_2", 2_027.0, 1_581.123 + 1_435.706, 0.0, None),
        ("v5", 244.0, 4.426 + 2.399, 2.444, 230.0),
        ("v5_two_mbus", 111.0, 2_130.115 + 245.467, 0.0, 229.9),
        ("v5_eon_hu", -2_601.0, 173.640, 627.177, 240.4),
        ("fluvius_v171", 0.0, 0.034 + 15.758, 0.011, 234.7),
        ("fluvius_v171_alt", 338.0, 301.548 + 270.014, 0.005, 232.9),
        ("iskra_ie", 170.0 - 270.0, 10.181 + 10.182, 10.281 + 10.282, 242.5),
        ("sagemcom_t210_d_r", 286.0, 6_545.766, 0.058, None),
        ("esy5q3da1004_v304", 1_688.21, 32_549.5061662, None, None),
        ("esy5q3db1024_v304", 2_124.86, 52_185.7825309, 19_949.3221493, None),
    ],
)
def test_a_meter_s_telegram_is_read(
    name: str, power_w: float, forward_kwh: float, reverse_kwh: float | None, voltage_v: float | None
) -> None:
    checked = name not in WITHOUT_A_CHECK
    reading = decode(whole(name), NOW_S, checked=checked)
    assert reading.power_w == pytest.approx(power_w)
    assert reading.forward_j == kwh(forward_kwh)
    assert reading.reverse_j == (None if reverse_kwh is None else kwh(reverse_kwh))
    assert reading.voltage_v == voltage_v
    assert reading.at_s == NOW_S, "a telegram of years ago is not of now: our clock counts"


def test_a_meter_s_own_time_counts_where_it_is_near_ours() -> None:
    said_s = datetime(2017, 1, 2, 18, 20, 2, tzinfo=UTC).timestamp()  # 170102192002W
    assert decode(whole("v5"), said_s + 7).at_s == said_s
    assert decode(whole("v5"), said_s + 3_600).at_s == said_s + 3_600
    summer_s = datetime(2023, 7, 24, 13, 7, 30, tzinfo=UTC).timestamp()  # 230724150730S
    assert decode(whole("v5_eon_hu"), summer_s - 60).at_s == summer_s


def test_an_old_meter_s_telegram_is_taken_only_from_an_old_meter() -> None:
    for name in WITHOUT_A_CHECK:
        with pytest.raises(ValueError, match="older than DSMR 4"):
            decode(whole(name), NOW_S)


def test_a_telegram_of_heat_alone_is_refused_and_no_error() -> None:
    with pytest.raises(ValueError, match="without electricity"):
        decode(whole("unpadded_crc"), NOW_S)


@pytest.mark.parametrize("name", ["v4_2", "v5", "fluvius_v171", "iskra_ie", "v5_eon_hu", "sagemcom_t210_d_r"])
def test_a_telegram_with_any_bit_turned_is_refused(name: str) -> None:
    """A CRC of 16 bits sees every turned bit; where the `!` or what follows it is hit, there is no whole telegram."""
    right = whole(name)
    for place in range(0, len(right) * 8, 7):
        wrong = bytearray(right)
        wrong[place // 8] ^= 1 << place % 8
        refused: list[str] = []
        for each in cut_telegrams(bytes(wrong), refused.append)[1]:
            try:
                reading = decode(each, NOW_S)
            except ValueError:
                continue
            # Where it is the `!` itself, its hex digits' case, or a byte of the line's end, nothing that is read was hit.
            assert reading == decode(right, NOW_S), place


def signed(*lines: str) -> bytes:
    body = "\r\n".join(["/DAI5", "", *lines, "!"])
    return f"{body}{TelegramParser.crc16(body):04X}\r\n".encode()


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["1-0:1.7.0(99999.000*kW)"], "99999000 W"),
        (["1-0:1.8.1(000001.000*kWh)", "1-0:1.8.1(000002.000*kWh)"], "twice"),
        (["1-0:1.7.0(00.100*kvar)"], "counts in kvar"),
        (["0-0:96.13.0()"], "without electricity"),
    ],
)
def test_what_a_meter_cannot_mean_is_refused(lines: list[str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        decode(signed(*lines), NOW_S)


def test_telegrams_are_cut_out_of_whatever_comes() -> None:
    refused: list[str] = []
    data = b"5)\r\n!1234\r\n" + telegram("v5") + b"/half\r\n" + telegram("v5_eon_hu") + telegram("v2_2")[:40]
    left, found = cut_telegrams(data, refused.append)
    assert [each[:14] for each in found] == [b"/ISk5\\2MT382-1", b"/SAG5SAG-METER"]
    assert (refused, left) == (["half a telegram"], telegram("v2_2")[:40])
    assert cut_telegrams(b"x" * (LONGEST + 1), refused.append) == (b"", [])
    assert "its speed right" in refused[-1]


@given(st.binary(max_size=400))
def test_no_bytes_do_more_than_be_refused(data: bytes) -> None:
    for each in (data, b"/" + data + b"!\r\n"):
        left, found = cut_telegrams(each, lambda _why: None)
        assert len(left) <= LONGEST
        for one in found:
            try:
                decode(one, NOW_S)
            except ValueError as error:
                assert str(error)  # noqa: PT017  # it says why


@given(st.integers(-99_999, 99_999), st.integers(0, 999_999_999), st.integers(0, 999_999_999))
def test_what_the_simulator_says_is_what_is_read(power_w: int, forward_wh: int, reverse_wh: int) -> None:
    said = Reading(
        at_s=NOW_S,
        power_w=float(power_w),
        forward_j=Joules(forward_wh * 3600),
        reverse_j=Joules(reverse_wh * 3600),
        voltage_v=231.5,
    )
    (one,) = cut_telegrams(encode(said), pytest.fail)[1]
    assert decode(one, NOW_S) == said


def test_a_port_on_the_network_is_listened_to_until_it_is_closed() -> None:
    heard = Heard()

    async def story() -> None:
        pieces = [telegram("v5")[:300], telegram("v5")[300:], b"noise\r\n", telegram("fluvius_v171")]
        async with serve(pieces) as address:
            await listen(P1Sensor(address, clock=lambda: NOW_S), heard, "has closed the line")

    asyncio.run(story())
    assert [reading.power_w for reading in heard.readings] == [244.0, 0.0]


def test_a_serial_port_is_listened_to_and_pulled() -> None:
    heard = Heard()

    async def story() -> None:
        meter, port = pty.openpty()
        tty.setraw(port)
        listening = asyncio.create_task(listen(P1Sensor(os.ttyname(port), "dsmr5", lambda: NOW_S), heard, "was it pulled out"))
        await asyncio.sleep(0.2)
        os.close(port)
        for _ in range(2):
            os.write(meter, telegram("v5"))
        await heard.wait_for(2)
        os.close(meter)
        await asyncio.wait_for(listening, 30)

    asyncio.run(story())
    assert [reading.forward_j for reading in heard.readings] == [kwh(6.825)] * 2


@pytest.mark.parametrize(
    ("address", "why"),
    [("/dev/ttyNOT", "is it plugged in"), ("127.0.0.1:9", "is it on, and the port"), ("/dev/null", "cannot be opened")],
)
def test_a_port_that_cannot_be_opened_says_what_to_look_at(address: str, why: str) -> None:
    async def story() -> None:
        with pytest.raises(SensorError, match=why):
            async for _ in P1Sensor(address).readings(pytest.fail):
                pass

    asyncio.run(story())


def test_the_simulator_is_a_meter_that_the_sensor_hears(simulated: Callable[..., Heard]) -> None:
    heard = simulated(KIND, {}, 2)
    assert heard.readings[1].at_s > heard.readings[0].at_s
    assert heard.readings[0].power_w == pytest.approx(heard.house.at(heard.readings[0].at_s).power_w, abs=1)
    assert heard.readings[1].forward_j >= heard.readings[0].forward_j  # type: ignore[operator]


def test_a_number_of_storage_is_of_an_earlier_bill() -> None:
    telegram = signed("1-0:1.8.0*255(000100.000*kWh)", "1-0:1.8.0*96(000090.000*kWh)", "1-0:1.8.0*01(000080.000*kWh)")
    assert decode(telegram, NOW_S).forward_j == 360_000_000


def test_a_power_with_a_sign_is_read_with_it() -> None:
    telegram = signed("1-0:1.8.0*255(000100.000*kWh)", "1-0:16.7.0*255(-000245.50*W)", "1-0:36.7.0*255(-000080.00*W)")
    assert decode(telegram, NOW_S).power_w == -245.5
