"""The CitizenWatt radio sensor: frames by the formula of 2017, those of strangers, replays, and the process with the radio."""

from __future__ import annotations

import asyncio
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st
from tests.monitor.sensors.devices import Heard, listen

from daisee.errors import SensorError, UsageError
from daisee.model.home import Role
from daisee.model.readings import Reading
from daisee.monitor.listening import Listener
from daisee.monitor.sensors.citizenwatt import (
    EXAMPLE_KEY,
    KIND,
    NEW_AFTER_S,
    WRAPS_MS,
    CitizenWattSensor,
    Frame,
    Replays,
    decode,
    encode,
)
from daisee.monitor.settings import SensorPlan

KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")


def sent(power_w: int, timer_ms: int = 1_000, key: bytes = KEY, padding: tuple[int, int] = (0, 0)) -> bytes:
    """Answer a frame as the sensor's sketch makes it, not as our own code does."""
    cipher = Cipher(algorithms.AES128(key), modes.ECB()).encryptor()
    return cipher.update(struct.pack("<HHHLlH", power_w, 230, 3_012, timer_ms, *padding))


def test_a_frame_is_the_sensor_s_own_struct() -> None:
    assert decode(sent(1_234, 86_400_000), KEY) == Frame(1_234, 230, 3_012, 86_400_000)
    assert decode(sent(7, padding=(-77, 65_535)), KEY).power_w == 7, "what is in the padding is no matter"
    assert encode(Frame(1_234, 230, 3_012, 5), KEY) == sent(1_234, 5)


def test_the_cipher_is_aes_as_its_standard_has_it() -> None:
    """FIPS 197, appendix B: the block 3243f6a8885a308d313198a2e0370734 becomes 3925841d02dc09fbdc118597196a0b32."""
    plain = struct.unpack("<HHHLlH", bytes.fromhex("3243f6a8885a308d313198a2e0370734"))
    assert plain[0] > 0
    with pytest.raises(ValueError, match=f"{plain[0]} W, {plain[1]} V"):
        decode(bytes.fromhex("3925841d02dc09fbdc118597196a0b32"), KEY)


@given(st.binary(max_size=40), st.binary(min_size=16, max_size=16))
def test_no_bytes_do_more_than_be_refused(frame: bytes, key: bytes) -> None:
    try:
        assert 0 <= decode(frame, key).power_w <= 40_000
    except ValueError as error:
        assert str(error)  # noqa: PT017  # it says why


def test_a_stranger_s_frames_are_refused_nearly_always() -> None:
    taken = 0
    for number in range(2_000):
        try:
            decode(sent(100, number, key=number.to_bytes(16, "big")), KEY)
        except ValueError:
            continue
        taken += 1
    assert taken < 10


def test_a_frame_that_was_heard_before_is_refused_until_the_timer_wraps() -> None:
    replays = Replays()
    for second, timer_ms in enumerate((1_000, 9_000, 17_000)):
        replays.check(timer_ms, 8.0 * second)
    for again in (17_000, 9_000, 0):
        with pytest.raises(ValueError, match="heard before"):
            replays.check(again, 30.0)
    replays.check(WRAPS_MS + 1, 40.0)
    replays.check(3, 48.0)
    with pytest.raises(ValueError, match="heard before"):
        replays.check(2, 56.0)


def test_new_batteries_are_believed_after_silence_and_three_frames_that_go_as_time_does() -> None:
    replays, late = Replays(), NEW_AFTER_S + 1
    replays.check(1_000_000, 0.0)
    for at_s, timer_ms in ((100.0, 50), (late, 100), (late + 8, 8_100), (late + 16, 500_000), (late + 24, 508_000)):
        with pytest.raises(ValueError, match="not believed yet"):
            replays.check(timer_ms, at_s)
    replays.check(516_100, late + 32)
    replays.check(524_000, late + 40)


def test_everybody_s_key_is_refused_unless_it_is_wanted() -> None:
    with pytest.raises(UsageError, match="everybody's"):
        CitizenWattSensor("radio", EXAMPLE_KEY)
    CitizenWattSensor("radio", EXAMPLE_KEY, example_key=True)


@pytest.mark.parametrize("written", ["0-1-2", "1-2-3-4-5-6-7-8-9-10-11-12-13-14-15-256", "zz" * 16, "00" * 15, 7, ""])
def test_a_key_that_is_none_is_refused(written: object) -> None:
    (setting,) = [each for each in KIND.settings if each.name == "key"]
    with pytest.raises(ValueError, match="16 numbers"):
        setting.read(written)
    assert setting.read("-".join(map(str, KEY))) == setting.read(KEY.hex()) == KEY


def test_the_process_with_the_radio_is_listened_to_and_ended(tmp_path: Path) -> None:
    said = [sent(100, 1), sent(100, 1), b"\xff" * 3, sent(300, 9), sent(500, 17)]
    script = tmp_path / "radio.py"
    lines = [*(frame.hex() for frame in said), "x" * 9_999, "nonsense", sent(700, 25).hex()]
    pid = tmp_path / "pid"
    script.write_text(f"""
import os, pathlib, time
pathlib.Path({str(pid)!r}).write_text(str(os.getpid()))
for line in {lines!r}:
    print(line, flush=True)
time.sleep(60)
""")
    heard = Heard()
    asyncio.run(listen(CitizenWattSensor(f"{sys.executable} {script}", KEY), heard, count=4))
    assert [reading.power_w for reading in heard.readings] == [100, 300, 500, 700]
    assert {reading.voltage_v for reading in heard.readings} == {230}
    assert [why[:20] for why in heard.refused[:2]] == ["a frame that was hea", "a frame of 3 bytes, "]
    assert not Path(f"/proc/{pid.read_text()}").exists(), "it was ended"


def test_a_process_that_ends_or_is_not_there_says_so() -> None:
    for radio, why in ((f"{sys.executable} -c 'raise SystemExit(3)'", "exit code 3"), ("no-such-radio", "does not start")):
        with pytest.raises(SensorError, match=why):
            asyncio.run(listen(CitizenWattSensor(radio, KEY), Heard()))


def test_the_simulator_is_a_radio_that_the_sensor_hears(simulated: Callable[..., Heard], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daisee.monitor.sensors.citizenwatt.PERIOD_S", 0.05)
    heard = simulated(KIND, {}, 3)
    assert not heard.refused
    assert heard.readings[0].power_w == pytest.approx(heard.house.power_w(heard.readings[0].at_s), abs=1)


def test_what_was_heard_before_is_refused_after_the_connection_was_made_anew_too(tmp_path: Path) -> None:
    radio, began = tmp_path / "radio.py", tmp_path / "began"
    radio.write_text(f"""
import pathlib, time
began = pathlib.Path({str(began)!r})
print({sent(777, 5_000).hex()!r} if began.exists() else {sent(100, 1_000_000).hex()!r}, flush=True)
began.touch()
""")
    settings = {"radio": f"{sys.executable} {radio}", "key": KEY}
    plan = SensorPlan(
        name="radio", kind=KIND, settings=settings, roles={"": Role.LOAD}, invert=False, scale=1.0, silent_after_s=60
    )
    taken: list[Reading] = []
    listener = Listener(plan, lambda _meter, reading: taken.append(reading))

    async def story() -> None:
        listening = asyncio.create_task(listener.listen())
        async with asyncio.timeout(60):
            while not listener.health.refused:  # noqa: ASYNC110  # it tells nobody
                await asyncio.sleep(0.05)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)

    asyncio.run(story())
    assert [reading.power_w for reading in taken] == [100.0]
