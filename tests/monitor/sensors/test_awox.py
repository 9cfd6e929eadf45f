"""The AWOX SmartPlug: its frames and its sibling's real notifications, its switch, its history, and a plug behind a socket."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Callable, Sequence
from contextlib import aclosing
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.monitor.sensors.bluez import FakeBluez, private_bus
from tests.monitor.sensors.devices import Heard, hear_simulated, listen

from daisee.config import read_section, table_of
from daisee.errors import SensorError
from daisee.model.readings import Reading
from daisee.monitor.sensors import awox
from daisee.monitor.sensors.awox import KIND, AwoxSensor, FakePlug, Plug, switch
from daisee.monitor.sensors.awox_frames import (
    AROUND,
    DAYS,
    HOURS,
    OFF,
    ON,
    STATUS,
    Answer,
    Days,
    Hours,
    Joiner,
    Status,
    Switched,
    decode,
    encode,
    framed,
    midnight,
    missed_days,
    missed_hours,
    unframed,
)
from daisee.monitor.sensors.gatt import Gatt, Lost, Notified, Profile
from daisee.monitor.simulated import SimulatedHouse
from daisee.units import Joules

RECORDED = Path(__file__).parent / "recorded"
NOON_S = 1_764_000_000 // 3_600 * 3_600.0
STATUS_ON = bytes.fromhex("0f0f04000100 000124f8 e7 0000000000 0a ffff".replace(" ", ""))
"""75 W at 231 V, by the layout of 2017."""


def notifications(name: str) -> list[bytes]:
    """Answer the notifications of a real device, in the pieces in which they came."""
    return [bytes.fromhex(line) for line in (RECORDED / name).read_text("ascii").split()]


def frames_of(pieces: Sequence[bytes]) -> list[bytes]:
    joiner = Joiner()
    return [frame for piece in pieces for frame in joiner.join(piece)]


@pytest.mark.parametrize(
    ("command", "frame"),
    [
        (ON, "0f06030001000005ffff"),
        (OFF, "0f06030000000004ffff"),
        (STATUS, "0f050400000005ffff"),
        (HOURS, "0f050a0000000bffff"),
        (DAYS, "0f050b0000000cffff"),
    ],
)
def test_the_commands_are_those_that_the_plug_was_seen_to_take(command: bytes, frame: str) -> None:
    """The first three as smartplugctl wrote them before it computed checksums, the last as its sibling's notes have it."""
    assert framed(command) == bytes.fromhex(frame)
    assert unframed(bytes.fromhex(frame)) == command


def test_a_status_has_its_power_in_milliwatts_and_its_volts() -> None:
    assert decode(STATUS_ON) == Status(on=True, power_w=75.0, voltage_v=231.0)
    assert STATUS_ON.startswith(b"\x0f\x0f\x04")


def test_a_real_history_of_hours_comes_in_three_pieces_the_running_hour_last() -> None:
    (frame,) = frames_of(notifications("sem6000_hours.txt"))
    assert decode(frame) == Hours((14, 14, 14, 14, 12, 9, 8, 11, 14, 14, 17, 15, 16, 15, 13, 14, 14, 14, 14, 14, 14, 14, 13, 0))


def test_a_real_history_of_days_comes_in_seven_pieces_and_its_last_is_today() -> None:
    """The sibling has three bytes of Wh and a zero where the plug of 2017 was read as having four: they are told apart."""
    (frame,) = frames_of(notifications("sem6000_days.txt"))
    assert decode(frame) == Days((0,) * 25 + (227, 311, 291, 311, 111))
    days = Days((0,) * 25 + (228, 311, 291, 311, 111))
    assert decode(encode(days)) == days, "in 32 bits"
    with pytest.raises(ValueError, match="too few days to tell"):
        decode(encode(Days((0,) * 28 + (512, 256))))


def test_a_real_answer_that_is_not_known_has_a_right_checksum_and_is_refused() -> None:
    (frame,) = frames_of(notifications("sem6000_schedulers.txt"))
    assert unframed(frame)[:1] == b"\x14"
    with pytest.raises(ValueError, match="not known: 0f 28 14"):
        decode(frame)


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (b"", "no frame"),
        (STATUS_ON[:-1], "no frame"),
        (STATUS_ON[:-2] + b"\xff\xfe", "no frame"),
        (STATUS_ON[:9] + b"\x00" + STATUS_ON[10:], "checksum"),
        (framed(b"\x04\x00\x02" + bytes(11)), "switched 2"),
        (framed(b"\x04\x00\x01\x00\xff\xff\xff\xff" + bytes(6)), "a status of 4.29497e"),
        (framed(b"\x0a\x00" + b"\xff\xff" * 24), "65535 Wh in 1 h"),
        (framed(b"\x0b\x00" + b"\xff" * 120), "Wh in 24 h"),
        (framed(b"\x03\x00\x01"), "not done"),
        (framed(b"\x04\x00\x01"), "not known"),
    ],
)
def test_what_is_no_answer_is_refused_whole(frame: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        decode(frame)


answers = st.one_of(
    st.builds(Status, st.booleans(), st.integers(0, 10_000_000).map(lambda mw: mw / 1000), st.integers(0, 255).map(float)),
    st.builds(Hours, st.tuples(*[st.integers(0, 10_000)] * 24)),
    st.tuples(*[st.integers(0, 239_999)] * 30).map(lambda all_wh: Days((*all_wh[:-1], all_wh[-1] | 1))),
    st.just(Switched()),
)


@given(answers)
def test_what_is_encoded_decodes_to_itself(answer: Answer) -> None:
    assert decode(encode(answer)) == answer


@given(st.binary(max_size=140) | st.binary(min_size=1, max_size=130).map(framed))
def test_no_bytes_do_more_than_be_refused(data: bytes) -> None:
    try:
        answer = decode(data)
    except ValueError as error:
        assert str(error)  # noqa: PT017  # it says why
    else:
        assert not isinstance(answer, Status) or 0 <= answer.power_w <= 10_000


@given(st.lists(answers, min_size=1, max_size=4), st.data())
def test_answers_are_joined_however_they_are_cut(said: list[Answer], data: st.DataObject) -> None:
    told = b"".join(encode(each) for each in said)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(told) - 1), max_size=12)))
    pieces = [told[since:to] for since, to in zip([0, *cuts], [*cuts, len(told)], strict=True)]
    assert [decode(frame) for frame in frames_of(pieces)] == said


@given(st.lists(st.binary(max_size=40), max_size=60))
def test_a_joiner_keeps_no_more_than_a_frame(pieces: list[bytes]) -> None:
    joiner = Joiner()
    for piece in pieces:
        for frame in joiner.join(piece):
            assert frame
        assert len(joiner._waiting) <= 255 + AROUND


def test_missed_hours_are_those_that_lie_wholly_between() -> None:
    hours = Hours(tuple(range(24)))  # the 23 is of the hour that runs
    now_s = NOON_S + 600
    found = missed_hours(hours, NOON_S - 3 * 3_600, now_s)
    assert [(each.at_s, each.power_w, each.mean_over_s) for each in found] == [
        (NOON_S - 7_200, 20.0, 3_600.0), (NOON_S - 3_600, 21.0, 3_600.0), (NOON_S, 22.0, 3_600.0),
    ]  # fmt: skip
    assert len(missed_hours(hours, NOON_S - 3 * 3_600 + 1, now_s)) == 2
    assert missed_hours(hours, NOON_S - 3_599, now_s) == []
    assert missed_hours(hours, NOON_S + 300, now_s) == []
    assert len(missed_hours(hours, 0.0, now_s)) == 23


class Clock:
    """A clock that is set by hand."""

    def __init__(self, now_s: float) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


class House:
    """A house that always uses 100 W."""

    def at(self, now_s: float) -> Reading:
        return Reading(at_s=now_s, power_w=100.0, voltage_v=230.0, forward_j=Joules(int(100 * now_s)))


class MemoryGatt:
    """A plug in memory; `more` is notified before each of its answers."""

    def __init__(self, answer: Callable[[bytes], list[bytes]], more: Sequence[bytes] = ()) -> None:
        self.answer, self.more = answer, more
        self.asked: list[bytes] = []
        self.closed = 0
        self.fails: SensorError | None = None

    async def connect(self, notified: Notified, lost: Lost) -> None:
        self.notified, self.lost = notified, lost
        if self.fails is not None:
            raise self.fails

    async def write(self, data: bytes) -> None:
        self.asked.append(unframed(data))
        for each in [*self.more, *self.answer(data)]:
            self.notified(each)

    async def close(self) -> None:
        self.closed += 1


def sensor_of(gatt: Gatt, clock: Callable[[], float], last_s: float | None = None) -> AwoxSensor:
    def here(address: str, profile: Profile) -> Gatt:
        assert (address, profile.service[4:8], profile.command[4:8]) == ("plug", "fff0", "fff3")
        return gatt

    sensor = AwoxSensor("plug", 0.01, here, clock)
    if last_s is not None:
        sensor.heard_before(last_s)
    return sensor


def test_what_was_missed_while_the_plug_was_away_is_told_first_and_once() -> None:
    clock = Clock(NOON_S + 600)
    fake, heard, gatts = FakePlug(House(), clock), Heard(), []
    fake.energies_wh = {int(NOON_S // 3_600) - back: 10.0 * back for back in range(24)}

    def connect(_address: str, _profile: Profile) -> Gatt:
        gatts.append(MemoryGatt(fake.answer))
        return gatts[-1]

    sensor = AwoxSensor("plug", 0.01, connect, clock)
    sensor.heard_before(NOON_S - 2 * 3_600)
    asyncio.run(listen(sensor, heard, count=4))
    assert heard.readings[:2] == [
        Reading(at_s=NOON_S - 3_600, power_w=20.0, mean_over_s=3_600.0),
        Reading(at_s=NOON_S, power_w=10.0, mean_over_s=3_600.0),
    ]
    assert heard.readings[2:] == [Reading(at_s=clock.now_s, power_w=100.0, voltage_v=230.0)] * 2
    assert (gatts[0].asked[:2], gatts[0].closed) == ([HOURS, STATUS], 1)
    asyncio.run(listen(sensor, heard, count=5))
    assert (gatts[1].asked, heard.refused) == ([STATUS], [])


def test_what_was_missed_for_days_is_told_by_the_day_and_then_by_the_hour() -> None:
    now_s = midnight(NOON_S, 0) + 12 * 3_600 + 600
    clock, heard = Clock(now_s), Heard()
    fake = FakePlug(House(), clock)
    fake.energies_wh = {int(now_s // 3_600) - back: float(1_000 if back > 23 else 10) for back in range(1, 200)}
    gatt = MemoryGatt(fake.answer)
    # It was heard last in the evening, four days ago: of that day, nobody knows what came after.
    asyncio.run(listen(sensor_of(gatt, clock, midnight(now_s, 4) + 20 * 3_600), heard, count=27))
    assert gatt.asked[:2] == [HOURS, DAYS]
    assert [(each.at_s, each.mean_over_s) for each in heard.readings[:3]] == [
        (midnight(now_s, 2), 86_400.0),
        (midnight(now_s, 1), 86_400.0),
        (midnight(now_s, 1) + 13 * 3_600, 13 * 3_600.0),
    ], "of yesterday, what its hours do not know"
    assert [each.power_w for each in heard.readings[:3]] == [1_000.0] * 3
    assert [each.at_s for each in heard.readings[3:26]] == [now_s - 600 - 3_600 * back for back in reversed(range(23))]
    assert heard.readings[26].mean_over_s is None
    days = Days((0,) * 28 + (5, 0))
    assert missed_days(days, Hours((10,) * 24), now_s - 86_400 * 3, now_s)[-1].at_s == midnight(now_s, 1), "another midnight"


def test_missed_hours_are_not_told_again_when_the_plug_goes_before_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(awox, "ANSWER_S", 0.05)
    clock, heard = Clock(NOON_S + 600), Heard()
    fake = FakePlug(House(), clock)
    gatt = MemoryGatt(lambda written: fake.answer(written) if unframed(written) == HOURS else [])
    sensor = sensor_of(gatt, clock, NOON_S - 2 * 3_600)
    for _ in range(2):
        asyncio.run(listen(sensor, heard, ends_with="does not answer"))
    assert [each.at_s for each in heard.readings] == [NOON_S - 3_600, NOON_S]


def test_a_plug_that_was_never_heard_has_missed_nothing() -> None:
    clock = Clock(NOON_S + 600)
    gatt = MemoryGatt(FakePlug(House(), clock).answer)
    asyncio.run(listen(sensor_of(gatt, clock), Heard(), count=1))
    assert gatt.asked == [STATUS]


@pytest.mark.parametrize("off_s", [-0.05, 0.0, 0.05])
def test_around_a_full_hour_the_history_is_waited_with(off_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(awox, "BORDER_S", 0.1)

    async def story() -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()

        def clock() -> float:
            return NOON_S + off_s + loop.time() - began

        class Looked(FakePlug):
            def answer(self, written: bytes) -> list[bytes]:
                if unframed(written) == HOURS:
                    asked_s.append(clock() - NOON_S)
                return super().answer(written)

        asked_s: list[float] = []
        heard = Heard()
        gatt = MemoryGatt(Looked(House(), clock).answer)
        await listen(sensor_of(gatt, clock, NOON_S - 7_300), heard, count=3)
        assert 0.09 <= asked_s[0] < 1
        assert [each.at_s for each in heard.readings[:2]] == [NOON_S - 3_600, NOON_S]

    asyncio.run(story())


def test_odd_notifications_are_refused_and_the_answer_still_heard() -> None:
    heard, clock = Heard(), Clock(NOON_S + 600)
    strange = [b"rubbish", b"", framed(b"\x14\x00\x00"), encode(Switched()), framed(b"\x04\x00\x07" + bytes(11))]
    gatt = MemoryGatt(FakePlug(House(), clock).answer, strange)
    asyncio.run(listen(sensor_of(gatt, clock), heard, count=1))
    assert heard.readings[0].power_w == 100.0
    assert heard.refused == [
        "what is no frame: 72 75 62 62 69 73 68",
        "an answer that is not known: 0f 04 14 00 00 15 ff ff",
        "a status of 0 W, switched 7",
    ]


@pytest.mark.parametrize("heard_of_it", [slice(1, None), slice(0, -1), slice(0, 3, 2)])
def test_a_piece_that_is_lost_spoils_one_answer_and_not_the_next(monkeypatch: pytest.MonkeyPatch, heard_of_it: slice) -> None:
    monkeypatch.setattr(awox, "ANSWER_S", 0.1)
    clock, heard = Clock(NOON_S + 600), Heard()
    fake = FakePlug(House(), clock)
    gatt = MemoryGatt(lambda written: fake.answer(written)[heard_of_it if unframed(written) == HOURS else slice(None)])
    asyncio.run(listen(sensor_of(gatt, clock, 0.0), heard, count=1))
    assert heard.readings[0].mean_over_s is None
    assert heard.refused[-1] == "no history; what went through it meanwhile is not known"


def test_who_floods_fills_nothing() -> None:
    heard, clock = Heard(), Clock(NOON_S + 600)
    gatt = MemoryGatt(lambda _: [], [b"x" * 200] * 5_000)
    sensor = sensor_of(gatt, clock)

    async def story() -> None:
        async with aclosing(cast(Any, sensor.readings(heard.refused.append))) as readings:
            waiting = asyncio.ensure_future(anext(readings))
            await asyncio.sleep(0.1)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

    asyncio.run(story())
    assert heard.refused.count("more notifications than can be read") == 5_000 - awox.MOST_WAITING
    assert gatt.closed == 1


def test_a_plug_that_does_not_answer_is_given_up_and_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(awox, "ANSWER_S", 0.05)
    gatt = MemoryGatt(lambda _: [])
    asyncio.run(listen(sensor_of(gatt, Clock(NOON_S)), Heard(), ends_with="is connected and does not answer"))
    assert (gatt.asked, gatt.closed) == ([STATUS] * 3, 1)


def test_a_plug_that_is_gone_is_not_waited_for() -> None:
    gatt = MemoryGatt(lambda _: [])

    async def story() -> None:
        listening = asyncio.create_task(listen(sensor_of(gatt, Clock(NOON_S)), Heard(), ends_with="the plug is gone"))
        await asyncio.sleep(0.05)
        gatt.lost()
        await asyncio.wait_for(listening, 20)

    asyncio.run(story())
    assert gatt.closed == 1


def test_what_cannot_be_connected_with_is_closed_too() -> None:
    gatt = MemoryGatt(lambda _: [])
    gatt.fails = SensorError("no such device is near")
    asyncio.run(listen(sensor_of(gatt, Clock(NOON_S)), Heard(), ends_with="no such device is near"))
    assert gatt.closed == 1


def test_leaving_lets_the_plug_go() -> None:
    clock = Clock(NOON_S + 600)
    gatt = MemoryGatt(FakePlug(House(), clock).answer)

    async def story() -> None:
        readings = cast(Any, sensor_of(gatt, clock).readings(pytest.fail))
        await anext(readings)
        await readings.aclose()
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(story())
    assert gatt.closed == 1


def test_the_simulated_plug_counts_its_hours_and_days_and_nothing_while_it_is_off() -> None:
    clock = Clock(NOON_S)
    fake = FakePlug(House(), clock)

    def told(command: bytes) -> Answer:
        (frame,) = frames_of(fake.answer(framed(command)))
        return decode(frame)

    assert told(STATUS) == Status(True, 100.0, 230.0)
    clock.now_s += 1_800
    assert told(HOURS) == Hours((0,) * 23 + (50,))
    assert told(OFF) == Switched()
    clock.now_s += 1_800
    assert told(STATUS) == Status(False, 0.0, 230.0)
    assert told(ON) == Switched()
    clock.now_s += 900
    assert told(HOURS) == Hours((0,) * 22 + (50, 25))
    days = told(DAYS)
    assert isinstance(days, Days)
    assert sum(days.energies_wh) == 75
    assert (
        fake.answer(b"nonsense") == fake.answer(framed(b"\x77\x00")) == fake.answer(framed(STATUS)[:-3] + b"\x00\xff\xff") == []
    )


def test_the_simulator_is_a_plug_that_the_sensor_hears_and_that_can_be_switched(tmp_path: Path) -> None:
    path = str(tmp_path / "plug")

    async def story() -> None:
        assert KIND.simulate is not None
        found: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        device = asyncio.ensure_future(KIND.simulate(SimulatedHouse(seed=1), path, found.set_result))
        assert await found == {"address": f"sim:{path}"}
        for on in (False, True):
            await switch(f"sim:{path}", on)
            heard = Heard()
            await listen(AwoxSensor(f"sim:{path}"), heard, count=1)
            assert bool(heard.readings[0].power_w) == on
            assert not heard.refused
        device.cancel()
        await asyncio.gather(device, return_exceptions=True)
        with pytest.raises(SensorError, match="nobody simulates"):
            await switch(f"sim:{path}", True)

    asyncio.run(story())


def test_the_simulators_power_is_the_houses() -> None:
    heard = hear_simulated(KIND, {"poll_s": 0.01}, 2)
    assert heard.readings[0].power_w == pytest.approx(heard.house.power_w(heard.readings[0].at_s), abs=2)


def test_a_switch_that_says_nothing_or_no_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(awox, "ANSWER_S", 0.05)
    for answer, words in ((b"", "no answer"), (framed(b"\x03\x00\x01"), "a switch that was not done")):
        gatt = MemoryGatt(lambda _, answer=answer: [answer])  # type: ignore[misc]
        monkeypatch.setattr(awox, "gatt_at", lambda _address, _profile, gatt=gatt: gatt)
        with pytest.raises(SensorError, match=words):
            asyncio.run(switch("plug", True))
        assert (gatt.asked, gatt.closed) == ([ON], 1)


def test_a_late_answer_is_not_taken_for_the_next_ones() -> None:
    async def story() -> None:
        gatt = MemoryGatt(lambda _: [])
        async with Plug(gatt, pytest.fail) as plug:
            gatt.notified(STATUS_ON)
            gatt.notified(STATUS_ON[:7])
            gatt.answer = lambda _: [encode(Status(False, 1.0, 230.0))]
            assert await plug.ask(STATUS, Status) == Status(False, 1.0, 230.0)

    asyncio.run(story())


@pytest.mark.parametrize("written", ["98:7B:F3:34:78", "98-7B-F3-34-78-52", 7, "sim:relative", ""])
def test_what_is_no_address_is_not_taken(written: object) -> None:
    with pytest.raises(ValueError, match="Bluetooth address"):
        KIND.settings[0].read(written)


def test_settings_are_read_as_they_are_written() -> None:
    assert KIND.settings[0].read("98:7b:f3:34:78:52") == "98:7B:F3:34:78:52"
    assert KIND.settings[0].read("sim:/tmp/Plug") == "sim:/tmp/Plug"
    assert KIND.settings[1].read(KIND.settings[1].default) == 10.0


def test_the_reference_page_has_its_settings_and_an_example_that_loads() -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "sensors" / "awox.md").read_text("utf-8")
    assert "\n".join(table_of(KIND.settings)) in page
    example = page.partition("```toml\n")[2].partition("```")[0]
    (sensor,) = tomllib.loads(example, parse_float=Decimal)["monitor"]["sensors"].values()
    assert example.partition("\n")[2] == KIND.example
    assert (sensor.pop("kind"), sensor.pop("role") in tuple(KIND.roles)) == (KIND.name, True)
    KIND.open(**read_section("daisee.toml", "sensor", sensor, KIND.settings))


@pytest.mark.dbus
def test_a_plug_is_heard_and_switched_by_way_of_bleaks_own_bluez_backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real D-Bus, and on it what BlueZ shows of a plug: all but the radio is as it will be."""
    address = "98:7B:F3:34:78:52"

    async def story(bus: str) -> None:
        clock = Clock(NOON_S + 600)
        fake = FakePlug(House(), clock)
        fake.energies_wh = {int(NOON_S // 3_600) - back: 10.0 * back for back in range(24)}
        async with FakeBluez(bus, address, fake.answer) as bluez:
            heard = Heard()
            sensor = AwoxSensor(address, 0.01, clock=clock)
            sensor.heard_before(NOON_S - 3_600)
            await listen(sensor, heard, count=3)
            assert [(each.power_w, each.mean_over_s) for each in heard.readings] == [
                (10.0, 3_600.0),
                (100.0, None),
                (100.0, None),
            ]
            assert not heard.refused
            assert bluez.called[-1] == "Disconnect"
            await switch(address, False)
            assert not fake.on
            listening = asyncio.create_task(listen(AwoxSensor(address, 0.01), heard, ends_with="gone"))
            await heard.wait_for(5)
            bluez.leave()
            await listening

    with private_bus(tmp_path) as bus:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus)
        asyncio.run(story(bus))


@pytest.mark.dbus
def test_a_machine_whose_bluez_does_not_run_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with private_bus(tmp_path) as bus:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus)
        asyncio.run(listen(AwoxSensor("98:7B:F3:34:78:52"), Heard(), ends_with="BlueZ does not run"))
