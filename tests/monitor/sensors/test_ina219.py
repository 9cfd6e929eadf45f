"""The INA219: its datasheet's example, its registers one by one, a bus in memory and behind a Unix socket."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
import threading
import tomllib
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.monitor.sensors.devices import Heard, listen

from daisee.config import read_section, table_of
from daisee.errors import SensorError
from daisee.monitor.sensors import ina219
from daisee.monitor.sensors.i2c import MemoryBus, SocketBus, answer_to, swapped
from daisee.monitor.sensors.ina219 import (
    BUS,
    CALIBRATION,
    CONFIG,
    CURRENT,
    KIND,
    POWER,
    READY,
    SHUNT,
    Ina219Chip,
    Ina219Sensor,
    calibration_for,
    decode,
    measure,
    read_register,
    scale_for,
    write_register,
)

DATASHEET = {"config": 0x019F, "shunt": 0x07D0, "bus": 0x5D9A, "power": 0x1766, "current": 0x2710, "calibration": 0x5000}
"""SBOS448F, table 3: 10 A through 2 milliohm at 12 V. CNVR is set here, which the table leaves out (5D98h)."""
DATASHEET_OHM = 0.002
SHUNT_CODES = [
    (0.04, 0x0FA0, 0), (-0.04, 0xF060, 0), (0.08, 0x1F40, 1), (-0.08, 0xE0C0, 1),
    (0.16, 0x3E80, 2), (-0.16, 0xC180, 2), (0.32, 0x7D00, 3), (-0.32, 0x8300, 3), (0.00001, 0x0001, 3), (-0.00001, 0xFFFF, 3),
]  # fmt: skip
"""SBOS448F, table 7: what the shunt register holds, by the gain."""


def image(**changed: int) -> bytes:
    """Write all registers of the datasheet's example as they come over the wire, with some of them changed."""
    return struct.pack(">6H", *{**DATASHEET, **changed}.values())


class Clock:
    """A clock that is moved on by hand."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Line:
    """A chip in a line whose voltages are set by hand, on a bus in memory."""

    def __init__(self, shunt_v: float, bus_v: float) -> None:
        self.shunt_v, self.bus_v = shunt_v, bus_v
        self.clock = Clock()
        self.chip = Ina219Chip(lambda: (self.shunt_v, self.bus_v), self.clock)
        self.bus = MemoryBus({0x40: self.chip})

    def __getitem__(self, register: int) -> int:
        return read_register(self.bus, 0x40, register)

    def __setitem__(self, register: int, value: int) -> None:
        write_register(self.bus, 0x40, register, value)


def test_the_datasheets_example_is_ten_amperes_at_twelve_volts() -> None:
    seen = decode(image(), DATASHEET_OHM)
    assert (seen.shunt_v, seen.bus_v, seen.current_a, seen.power_w) == pytest.approx((0.02, 11.98, 10.0, 119.8))
    assert calibration_for(0.001, DATASHEET_OHM) == 0x5000


def test_the_simulated_chip_computes_the_datasheets_example() -> None:
    line = Line(0.02, 11.98)
    line[CALIBRATION] = 0x5000
    line[CONFIG] = 0x019F
    line.clock.now_s += 1
    found = [line[register] for register in (CONFIG, SHUNT, BUS, POWER, CURRENT, CALIBRATION)]
    assert found == list(DATASHEET.values())


def test_a_current_that_comes_back_has_a_sign_though_the_power_register_has_none() -> None:
    seen = decode(image(shunt=0x10000 - 0x07D0, current=0x10000 - 0x2710), DATASHEET_OHM)
    assert (seen.shunt_v, seen.bus_v, seen.current_a, seen.power_w) == pytest.approx((-0.02, 11.98, -10.0, -119.8))


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"bus": 0x5D9B}, "an overflow"),
        ({"bus": 0x5D98}, "not done"),
        ({"calibration": 0}, "lost its calibration"),
        ({"shunt": 0x0FA0, "current": 0x4E20, "power": 0x2ECC}, "40 mV at the shunt"),
        ({"shunt": 0xF060, "current": 0xB1E0, "power": 0x2ECC}, "40 mV at the shunt"),
        ({"bus": 0xFFFE}, r"a bus of 32\.764 V"),
        ({"current": 0x2712}, "do not fit"),
        ({"power": 0x1768}, "do not fit"),
        ({"shunt": 0xFFFF, "bus": 0xFFFE, "current": 0xFFFF, "power": 0xFFFF, "calibration": 0xFFFF}, "a bus"),
    ],
)
def test_registers_that_are_no_measurement_are_refused_whole(changed: dict[str, int], why: str) -> None:
    """In 2017 what was out of range was counted as 0 W."""
    with pytest.raises(ValueError, match=why):
        decode(image(**changed), DATASHEET_OHM)


@given(st.binary(max_size=14), st.floats(0.0001, 100))
def test_no_bytes_do_more_than_be_refused(data: bytes, shunt_ohm: float) -> None:
    try:
        seen = decode(data, shunt_ohm)
    except ValueError as error:
        assert str(error)  # noqa: PT017  # it says why
    else:
        assert abs(seen.power_w) <= 1_000_000


@given(
    st.floats(0.0001, 100),
    st.one_of(st.none(), st.floats(0.001, 1)),
    st.floats(-0.99, 0.99),
    st.floats(0, 26),
)
def test_what_flows_is_what_is_measured(shunt_ohm: float, share: float | None, part: float, bus_v: float) -> None:
    most_a = None if share is None else share * 0.32 / shunt_ohm
    scale = scale_for(shunt_ohm, most_a)
    flows_a = part * (0.32 / shunt_ohm if most_a is None else most_a)
    line = Line(flows_a * shunt_ohm, bus_v)
    line[CALIBRATION] = scale.calibration
    line[CONFIG] = scale.config
    line.clock.now_s += 1
    seen = decode(struct.pack(">6H", *(line[each] for each in (CONFIG, SHUNT, BUS, POWER, CURRENT, CALIBRATION))), shunt_ohm)
    step_a = max(scale.current_lsb_a, 10e-6 / shunt_ohm)
    assert seen.current_a == pytest.approx(flows_a, abs=2 * step_a)
    assert seen.bus_v == pytest.approx(bus_v, abs=0.0021)
    assert seen.power_w == pytest.approx(flows_a * bus_v, abs=3 * step_a * 26 + 40 * scale.current_lsb_a + abs(flows_a) * 0.005)


@given(st.floats(0.0001, 100), st.floats(0.0001, 1))
def test_the_scale_has_room_for_the_current_and_fits_its_register(shunt_ohm: float, share: float) -> None:
    most_a = share * 0.32 / shunt_ohm
    scale = scale_for(shunt_ohm, most_a)
    assert 0 < scale.calibration <= 0x7FFE
    assert scale.calibration % 2 == 0
    assert most_a <= 0x7FFF * scale.current_lsb_a * (1 + 1e-9)
    assert most_a * shunt_ohm <= ina219.RANGES_V[scale.gain] * (1 + 1e-9)


def test_the_usual_shunt_shows_up_to_three_amperes() -> None:
    scale = scale_for(0.1, None)
    assert (scale.gain, scale.config) == (3, 0x3FFB)
    assert scale.current_lsb_a == pytest.approx(97.7e-6, rel=1e-3)
    assert scale_for(0.1, 0.4).gain == 0
    with pytest.raises(ValueError, match=r"5 A is more than a shunt of 0\.1 ohm can show, which is 3\.2 A"):
        scale_for(0.1, 5.0)


@pytest.mark.parametrize(("shunt_v", "code", "gain"), SHUNT_CODES)
def test_the_simulated_chip_writes_the_shunts_voltage_as_the_datasheet_says(shunt_v: float, code: int, gain: int) -> None:
    line = Line(shunt_v, 12.0)
    line[CONFIG] = 0x2007 | gain << 11
    line.clock.now_s += 1
    assert line[SHUNT] == code
    # Beyond its range it stays there.
    line.shunt_v = shunt_v * 40_000
    line.clock.now_s += 1
    assert line[SHUNT] == (SHUNT_CODES[2 * gain + (shunt_v < 0)][1])


def test_the_simulated_chip_says_when_a_conversion_is_done_and_no_sooner() -> None:
    line = Line(0.02, 12.0)
    line[CALIBRATION] = 0x1000
    line[CONFIG] = 0x3FFB
    assert not line[BUS] & READY
    line.clock.now_s += 0.1
    assert not line[BUS] & READY
    line.clock.now_s += 0.05
    assert line[BUS] == 3_000 << 3 | READY
    line.shunt_v = 0.01
    line.clock.now_s += 1
    assert line[SHUNT] == 2_000  # it was asked for one measurement
    assert line[POWER] == 2_000 * 3_000 // 5_000
    assert not line[BUS] & READY  # reading the power clears it
    line[CONFIG] = 0x3FFB
    line.clock.now_s += 1
    assert (line[SHUNT], line[BUS] & READY) == (1_000, READY)


def test_the_simulated_chip_is_reset_by_its_highest_bit_and_keeps_what_may_not_be_written() -> None:
    line = Line(0.02, 40.0)
    assert [line[each] for each in (CONFIG, CALIBRATION)] == [0x399F, 0]
    line[CALIBRATION] = 0x5001
    line[SHUNT] = 0x1234
    line.clock.now_s += 1
    assert (line[CALIBRATION], line[SHUNT], line[BUS] >> 3) == (0x5000, 2_000, 8_000)
    line[CONFIG] = 0x019F
    line.clock.now_s += 1
    assert line[BUS] >> 3 == 4_000  # 16 V are all that it shows then
    line[CONFIG] = 0x8000
    assert [line[each] for each in (CONFIG, CURRENT, CALIBRATION)] == [0x399F, 0, 0]
    line[CONFIG] = 0x3998
    line.clock.now_s += 1
    assert line[BUS] & READY == 0  # asleep


def test_the_simulated_chip_overflows_where_the_current_register_has_no_room() -> None:
    line = Line(0.3, 20.0)
    line[CALIBRATION] = 0x5000
    line[CONFIG] = 0x3FFB
    line.clock.now_s += 1
    assert line[BUS] & ina219.OVERFLOW


def test_a_word_on_the_bus_has_its_low_byte_first() -> None:
    line = Line(0.02, 12.0)
    assert line.bus.read_word_data(0x40, CONFIG) == 0x9F39
    line.bus.write_word_data(0x40, CALIBRATION, 0x0050)
    assert line[CALIBRATION] == 0x5000
    for address, register in ((0x41, CONFIG), (0x40, 6)):
        with pytest.raises(OSError) as caught:
            line.bus.read_word_data(address, register)
        assert caught.value.errno == errno.EREMOTEIO


@given(st.integers(0, 0xFFFF))
def test_a_word_swapped_twice_is_itself(word: int) -> None:
    assert swapped(swapped(word)) == word


def test_a_measurement_is_taken_from_the_chip_and_a_lost_calibration_given_back() -> None:
    chip = Ina219Chip(lambda: (0.01, 12.0))
    bus = MemoryBus({0x40: chip})
    scale = scale_for(0.1, None)
    for _ in range(2):
        seen = decode(measure(bus, 0x40, scale), 0.1)
        assert (seen.current_a, seen.power_w) == pytest.approx((0.1, 1.2), rel=2e-3)
        chip.write(CONFIG, 0x8000)  # its power was gone for a moment


def test_another_chip_at_the_address_is_found_out() -> None:
    class Ina226(Ina219Chip):
        def read(self, register: int) -> int:
            return super().read(register) | (0x4000 if register == CONFIG else 0)

    with pytest.raises(SensorError, match=r"at 0x40 does not keep .* another chip"):
        measure(MemoryBus({0x40: Ina226(lambda: (0, 0))}), 0x40, scale_for(0.1, None))


@pytest.mark.parametrize(
    ("request_", "answer"),
    [("r 40 00", "9f39"), ("w 40 05 0050", "ok"), ("r 41 00", "no"), ("w 41 05 0050", "no"), ("r 40 7f", "no")],
)
def test_a_simulated_bus_answers_a_line_with_a_line(request_: str, answer: str) -> None:
    assert answer_to(Line(0.0, 12.0).bus, request_) == answer


@given(st.text(max_size=30))
def test_no_line_does_more_than_be_refused(line: str) -> None:
    assume(not line.startswith(("r ", "w ")))
    with pytest.raises(ValueError, match="no request"):
        answer_to(Line(0.0, 12.0).bus, line)


@contextmanager
def says(path: Path, answers: bytes | None) -> Iterator[None]:
    """Be a bus that says only this, whatever it is asked, and then hangs up; or that says nothing."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(path))
        server.listen()
        server.settimeout(30)
        done = threading.Event()

        def speak() -> None:
            met, _ = server.accept()
            with met:
                if answers is None:
                    done.wait(5)
                    return
                met.recv(64)
                met.sendall(answers)

        thread = threading.Thread(target=speak)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


@pytest.mark.parametrize(
    ("answers", "why"), [(b"zzzz\n", "no sense"), (b"", "hung up"), (b"1" * 500, "no end"), (b"ok\n", "without a word")]
)
def test_a_bus_that_speaks_nonsense_is_an_error_and_no_wait(tmp_path: Path, answers: bytes, why: str) -> None:
    with says(tmp_path / "i2c", answers):
        bus = SocketBus(str(tmp_path / "i2c"))
        with pytest.raises(OSError, match=why):
            bus.read_word_data(0x40, 0)
        bus.close()


def test_a_bus_that_is_silent_is_not_waited_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daisee.monitor.sensors.i2c.TIMEOUT_S", 0.2)
    with says(tmp_path / "i2c", None):
        asyncio.run(listen(Ina219Sensor(bus=f"sim:{tmp_path / 'i2c'}"), Heard(), ends_with="no answer in time"))


def test_what_is_wrong_with_the_bus_is_said_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for bus, words in ((97, "raspi-config"), (f"sim:{tmp_path / 'none'}", "there is no such bus")):
        asyncio.run(listen(Ina219Sensor(bus=bus), Heard(), ends_with=words))
    for number, words in ((errno.EACCES, "group i2c"), (errno.EREMOTEIO, "i2cdetect"), (errno.EBUSY, "rmmod")):

        def fails(_bus: object, number: int = number) -> None:
            raise OSError(number, "as the kernel says it")

        monkeypatch.setattr(ina219, "open_bus", fails)
        asyncio.run(listen(Ina219Sensor(), Heard(), ends_with=words))
    asyncio.run(listen(Ina219Sensor(most_a=9.0), Heard(), ends_with="correct shunt_ohm or most_a"))


def test_a_bus_that_never_comes_back_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(ina219, "PATIENCE_S", 0.2)
    monkeypatch.setattr(ina219, "open_bus", lambda _bus: over.wait(5))

    async def story() -> None:
        await listen(Ina219Sensor(), Heard(), ends_with="is stuck")
        over.set()

    asyncio.run(story())


class Watched(MemoryBus):
    """A bus that counts how often it was let go of."""

    closed = 0

    def close(self) -> None:
        Watched.closed += 1


def test_an_overflow_is_no_reading_and_measuring_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    shunts_v = [0.5, -0.01, 0.01]
    bus = Watched({0x41: Ina219Chip(lambda: (shunts_v[0], 12.0))})
    monkeypatch.setattr(ina219, "open_bus", lambda _bus: bus)
    monkeypatch.setattr(Watched, "close", lambda _self: shunts_v.pop(0))  # the next one after each measurement
    heard = Heard()
    asyncio.run(listen(Ina219Sensor(address=0x41, poll_s=0.01, clock=lambda: 7.0), heard, count=2))
    assert [reading.power_w for reading in heard.readings] == pytest.approx([-1.2, 1.2], rel=2e-3)
    assert [(reading.at_s, reading.voltage_v) for reading in heard.readings] == [(7.0, 12.0)] * 2
    assert heard.refused == ["320 mV at the shunt, its whole range; more current flows than it can show"]


def test_who_leaves_in_the_middle_leaves_no_bus_open(monkeypatch: pytest.MonkeyPatch) -> None:
    Watched.closed = 0
    bus = Watched({0x40: Ina219Chip(lambda: (0.01, 12.0))})
    monkeypatch.setattr(ina219, "open_bus", lambda _bus: bus)

    async def story() -> None:
        async with aclosing(cast(Any, Ina219Sensor(poll_s=0.01).readings(pytest.fail))) as readings:
            waiting = asyncio.ensure_future(anext(readings))
            await asyncio.sleep(0.05)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

    asyncio.run(story())  # which waits for threads to end
    assert Watched.closed == 1


def test_the_simulator_is_a_chip_that_the_sensor_hears_over_a_socket(simulated: Callable[..., Heard]) -> None:
    heard = simulated(KIND, {"poll_s": 0.01}, 2)
    assert not heard.refused
    assert heard.readings[0].power_w == pytest.approx(heard.house.power_w(heard.readings[0].at_s), abs=2)
    assert heard.readings[0].voltage_v == 24.0


def test_the_simulator_hangs_up_on_nonsense_and_serves_the_next(tmp_path: Path) -> None:
    path = tmp_path / "i2c"

    async def story() -> None:
        assert KIND.simulate is not None
        found: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        device = asyncio.ensure_future(KIND.simulate(Heard().house, str(path), found.set_result))
        assert await found == {"bus": f"sim:{path}", "shunt_ohm": 0.001}
        for sent, heard in ((b"x" * 100_000, b""), (b"r 40 zz\n", b""), (b"r 40 00\nr 40 05\n", b"9f39\n0000\n")):
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(sent)
            writer.write_eof()
            assert await asyncio.wait_for(reader.read(), 30) == heard
            writer.close()
        device.cancel()
        await asyncio.gather(device, return_exceptions=True)

    asyncio.run(story())


@pytest.mark.parametrize("written", [True, -1, 100, "1", "sim:relative", "sim:/a\nb", 1.0])
def test_what_is_no_bus_is_not_taken(written: object) -> None:
    with pytest.raises(ValueError, match="number of an I2C bus"):
        KIND.settings[0].read(written)


def test_every_default_is_one_that_may_be_written() -> None:
    for setting in KIND.settings:
        if setting.default is not None:
            setting.read(setting.default)
    assert KIND.settings[0].read("sim:/tmp/bus") == "sim:/tmp/bus"


def test_the_reference_page_has_its_settings_and_an_example_that_loads() -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "sensors" / "ina219.md").read_text("utf-8")
    assert "\n".join(table_of(KIND.settings)) in page
    example = page.partition("```toml\n")[2].partition("```")[0]
    (sensor,) = tomllib.loads(example, parse_float=Decimal)["monitor"]["sensors"].values()
    assert example.partition("\n")[2] == KIND.example
    assert (sensor.pop("kind"), sensor.pop("role") in tuple(KIND.roles)) == (KIND.name, True)
    KIND.open(**read_section("daisee.toml", "sensor", sensor, KIND.settings))
