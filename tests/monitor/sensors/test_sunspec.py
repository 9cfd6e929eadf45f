"""SunSpec over Modbus TCP: the registers of a real inverter, and those of the published models, through pymodbus's own server."""

from __future__ import annotations

import asyncio
import math
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice
from tests.monitor.sensors.devices import Heard, hear_simulated, listen, serve

from daisee.errors import SensorError
from daisee.monitor.sensors.facts import Fact
from daisee.monitor.sensors.sunspec import END, KIND, MARKER, MODELS, SunSpecSensor, facts_of
from daisee.units import Joules

FRONIUS = [
    word
    for (word,) in struct.iter_unpack(
        ">H", bytes.fromhex((Path(__file__).parent / "recorded" / "fronius_ig_plus.hex").read_text())
    )
]
COMMON = [1, 66, *[0] * 66]
SOLAREDGE = [1, 65, *struct.unpack(">8H", b"SolarEdge \0\0\0\0\0\0"), *[0] * 57]


@asynccontextmanager
async def device(registers: Sequence[int], base: int = 40_000, unit: int = 1) -> AsyncIterator[tuple[str, int]]:
    server: Any = ModbusTcpServer(
        SimDevice(unit, simdata=[SimData(base, values=list(registers), datatype=DataType.REGISTERS)]), address=("127.0.0.1", 0)
    )
    await server.serve_forever(background=True)
    try:
        yield server.transport.sockets[0].getsockname()
    finally:
        await server.shutdown()


def hear(
    registers: Sequence[int], count: int = 1, base: int = 40_000, unit: int = 1, ends_with: str | None = None, **more: Any
) -> Heard:
    heard = Heard()

    async def story() -> None:
        async with device(registers, base, unit) as (host, port):
            await listen(SunSpecSensor(host, port, unit, 0.02, **more), heard, count=count, ends_with=ends_with)

    asyncio.run(story())
    return heard


def model(model_id: int, length: int, **values: int) -> list[int]:
    """Fill a model with what is not implemented, but for some registers, named by the letter r and their offset."""
    registers = [model_id, length] + [0x8000] * length
    for name, value in values.items():
        registers[int(name[1:])] = value % 0x10000
    return registers


def map_of(*models: Sequence[int], common: Sequence[int] = COMMON) -> list[int]:
    return [*MARKER, *common, *(word for each in models for word in each), END, 0]


def test_a_fronius_says_what_it_said_on_that_day() -> None:
    (reading,) = hear(FRONIUS).readings
    assert (reading.part, reading.power_w, reading.voltage_v) == ("inverter", 1_307.0, 243.0)
    assert reading.forward_j == Joules(0x1A4287 * 3_600)


@pytest.mark.parametrize("base", [40_000, 50_000, 0])
def test_the_map_is_found_where_it_may_begin(base: int) -> None:
    assert hear(FRONIUS, base=base, unit=7).readings[0].power_w == 1_307.0


def test_a_hybrid_has_an_inverter_two_meters_and_a_battery() -> None:
    inverter = model(103, 50, r14=297, r15=1, r24=18, r25=54919, r26=0)
    grid = model(203, 105, r18=-1_200, r22=0, r38=1, r39=0, r46=2, r47=0, r54=1, r8=2301, r15=-1)
    sub = model(203, 105, r18=500, r22=0)
    battery = model(802, 62, r11=873, r56=-1, r16=3, r47=1_500, r63=0, r34=512, r59=-1)
    found = {reading.part: reading for reading in hear(map_of(inverter, grid, sub, battery), count=4).readings}
    assert (found["inverter"].power_w, found["inverter"].forward_j) == (2_970.0, Joules(1_234_567 * 3_600))
    assert found["meter"].power_w == -1_200.0
    assert found["meter"].voltage_v == pytest.approx(230.1)
    assert (found["meter"].reverse_j, found["meter"].forward_j) == (Joules(655_360 * 3_600), Joules(1_310_720 * 3_600))
    assert found["meter-2"].power_w == 500.0
    assert found["meter-2"].forward_j is None, "not implemented"
    assert found["battery"].state_of_charge == pytest.approx(0.873)
    assert found["battery"].voltage_v == pytest.approx(51.2)
    assert found["battery"].power_w == -1_500.0, "it says that it discharges, whatever sign its maker gives"


@pytest.mark.parametrize(
    ("common", "meter_power", "power_w"),
    [
        (COMMON, "auto", 1_500.0),
        (SOLAREDGE, "auto", -1_500.0),
        (SOLAREDGE, "import", 1_500.0),
        (COMMON, "export", -1_500.0),
    ],
)
def test_a_meter_that_says_export_with_a_plus_is_turned_and_its_counters_are_not(
    common: list[int], meter_power: str, power_w: float
) -> None:
    inverter = model(103, 50, r14=4_000, r15=0)
    meter = model(203, 105, r18=1_500, r22=0, r38=1, r39=0, r46=2, r47=0, r54=0)
    registers = map_of(inverter, COMMON, meter, common=common)
    made, seen = hear(registers, count=2, meter_power=meter_power).readings
    assert made.power_w == 4_000.0
    assert (seen.power_w, seen.forward_j, seen.reverse_j) == (power_w, Joules(131_072 * 3_600), Joules(65_536 * 3_600))


@pytest.mark.parametrize("says", [b"", None])
def test_a_device_that_is_silent_or_hangs_up_elsewhere_is_found_where_it_speaks(
    says: bytes | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("daisee.monitor.sensors.sunspec.TIMEOUT_S", 0.2)
    registers = dict(enumerate(FRONIUS))
    asked: list[int] = []

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readexactly(7)
                _code, address, count = struct.unpack(">BHH", await reader.readexactly(5))
                asked.append(address)
                if address + count <= len(registers):
                    body = struct.pack(f">BB{count}H", 3, 2 * count, *(registers[address + each] for each in range(count)))
                    writer.write(head[:4] + struct.pack(">HB", len(body) + 1, head[6]) + body)
                elif says is None:
                    break
        writer.close()

    async def story() -> None:
        server = await asyncio.start_server(speak, "127.0.0.1", 0)
        async with server:
            host, port = server.sockets[0].getsockname()
            heard = Heard()
            await listen(SunSpecSensor(host, port, 1, 0.02), heard, count=1)
            assert heard.readings[0].power_w == 1_307.0
            assert {40_000, 50_000} < set(asked)
            asked.clear()
            await listen(SunSpecSensor(host, port, 1, 0.02, base=0), heard, count=2)
            assert asked[0] == 0
            assert max(asked) < 1_000
            await asyncio.sleep(0.1)  # all have hung up

    asyncio.run(story())
    assert not caplog.records, "what pymodbus says of each try"


def test_the_float_models_are_read() -> None:
    def floats(model_id: int, length: int, **values: float) -> list[int]:
        registers = [model_id, length] + [0x7FC0, 0] * (length // 2)
        for name, value in values.items():
            registers[int(name[1:]) : int(name[1:]) + 2] = struct.unpack(">HH", struct.pack(">f", value))
        return registers

    inverter = floats(113, 60, r22=1_234.5, r32=5_000.0)
    meter = floats(213, 124, r28=-250.25, r60=1_000.0)
    found = {reading.part: reading for reading in hear(map_of(inverter, meter), count=2).readings}
    assert (found["inverter"].power_w, found["inverter"].forward_j) == (1_234.5, Joules(18_000_000))
    assert (found["inverter"].voltage_v, found["meter"].forward_j) == (None, None)
    assert (found["meter"].power_w, found["meter"].reverse_j) == (-250.25, Joules(3_600_000))


def test_the_charge_of_model_124_is_read() -> None:
    (reading,) = hear(map_of(model(124, 24, r8=5_550, r22=-2, r10=0xFFFF, r24=0))).readings
    assert reading.state_of_charge == pytest.approx(0.555)
    assert (reading.part, reading.voltage_v) == ("battery", None)


def test_a_scale_that_makes_no_sense_is_refused_and_the_rest_is_heard() -> None:
    heard = hear(map_of(model(103, 50, r14=297, r15=40), model(203, 105, r18=70, r22=0)))
    assert heard.readings[0].power_w == 70.0
    assert heard.refused == ["its model 103 says a scale factor of 40"]


@pytest.mark.parametrize(
    ("registers", "words"),
    [
        ([0] * 200, "does not speak SunSpec"),
        (map_of(model(120, 26)), "no inverter, meter or storage"),
        ([*MARKER, 1, 40_000, *[0] * 100], "is 40000 registers long"),
    ],
)
def test_what_is_no_such_device_is_said(registers: list[int], words: str) -> None:
    hear(registers, ends_with=words)


def test_nobody_there_is_said_with_what_to_look_at() -> None:
    async def story() -> None:
        async with device(FRONIUS) as (host, port):
            pass
        await listen(SunSpecSensor(host, port, 1, 1), Heard(), ends_with="Modbus TCP switched on")

    asyncio.run(story())


def test_a_device_that_answers_nonsense_or_nothing_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daisee.monitor.sensors.sunspec.TIMEOUT_S", 0.3)

    async def story(pieces: list[bytes]) -> None:
        async with serve(pieces) as where:
            host, port = where.split(":")
            await listen(SunSpecSensor(host, int(port), 1, 1), Heard(), ends_with="has not answered")

    asyncio.run(story([b"HTTP/1.1 400 Bad Request\r\n\r\n" * 50]))
    asyncio.run(story([]))


def test_a_device_that_goes_away_is_said() -> None:
    async def story() -> None:
        heard = Heard()
        async with device(FRONIUS) as (host, port):
            task = asyncio.ensure_future(listen(SunSpecSensor(host, port, 1, 0.05), heard, ends_with="has not answered"))
            await heard.wait_for(2)
        await task

    asyncio.run(story())


def test_the_simulator_is_heard() -> None:
    heard = hear_simulated(KIND, {"unit": 1, "poll_s": 0.1}, count=6)
    assert [reading.part for reading in heard.readings] == ["inverter", "meter", "battery"] * 2
    seen = heard.readings[1]
    assert seen.power_w == pytest.approx(heard.house.power_w(seen.at_s), abs=100)
    assert not heard.refused


@given(st.sampled_from(sorted(MODELS)), st.lists(st.integers(0, 0xFFFF), min_size=17, max_size=130))
def test_whatever_the_registers_are_it_is_a_number_or_nothing(model_id: int, registers: list[int]) -> None:
    facts: list[Fact] = []
    with suppress(ValueError):
        _part, facts = facts_of(model_id, registers)
    assert all(value is None or isinstance(value, float) for _word, value, _unit in facts)
    assert not any(value is not None and math.isnan(value) for _word, value, _unit in facts)


def test_no_host_is_an_error_of_the_sensor() -> None:
    with pytest.raises(SensorError):
        asyncio.run(listen(SunSpecSensor("127.0.0.1", 1, 1, 1), Heard()))
