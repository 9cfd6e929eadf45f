"""A Linky's customer output: lines with the checksums that meters really sent, both modes, and what is odd.

The lines with their last characters are as meters of French homes sent them, and as the public documents of the format and of its
users quote them; no line of them was computed here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.monitor.sensors.devices import Heard, listen, serve

from daisee.model.readings import Reading
from daisee.monitor.sensors.linky import KIND, LONGEST, LinkySensor, checksum, cut_frames, decode, encode, lines_of
from daisee.units import Joules

NOW_S = 1_700_000_000.0
HISTORIC = (
    "ADCO 031428097115 @", "OPTARIF HC.. <", "ISOUSC 45 ?", "HCHC 014460852 $", "HCHP 012506372 -", "PTEC HP..  ",
    "IINST 002 Y", "IMAX 044 G", "PAPP 00460 +", "HHPHC D /", "MOTDETAT 000000 B",
)  # fmt: skip
BASE = ("OPTARIF BASE 0", "ISOUSC 30 9", "BASE 002815235 %", "PAPP 00460 +")
STANDARD = (
    "VTIC\t02\tJ", "NTARF\t01\tN", "RELAIS\t000\tB", "NGTF\t      BASE      \t<", "PREF\t06\tE", "PCOUP\t09\t\"",
    "STGE\t003A0001\t:", "EASF02\t000000000\t#", "EASF10\t000000000\t\"", "SINSTI\t00000\t<", "URMS1\t230\t?",
)  # fmt: skip


def frame(*lines: str) -> bytes:
    return "".join(f"\n{line}\r" for line in lines).encode()


def closed(label: str, data: str) -> str:
    """Close a line of standard mode, for what no quoted line has."""
    return f"{label}\t{data}\t{checksum(f'{label}{chr(9)}{data}{chr(9)}')}"


@pytest.mark.parametrize("line", [*HISTORIC, *BASE, *STANDARD])
def test_the_checksum_is_the_one_that_meters_send(line: str) -> None:
    assert len(lines_of(frame(line))) == 1
    with pytest.raises(ValueError, match="checksum does not fit"):
        lines_of(frame(line[:-1] + chr(ord(line[-1]) ^ 1)))


def test_a_frame_in_historic_mode_sums_the_counters_of_its_contract() -> None:
    assert decode(frame(*HISTORIC), NOW_S) == Reading(
        at_s=NOW_S, power_w=460.0, forward_j=Joules((14_460_852 + 12_506_372) * 3_600)
    )
    assert decode(frame(*BASE), NOW_S).forward_j == 2_815_235 * 3_600
    with pytest.raises(ValueError, match="not all of HCHC, HCHP"):
        decode(frame(*(line for line in HISTORIC if not line.startswith("HCHP"))), NOW_S)


def test_a_frame_in_standard_mode_tells_both_ways() -> None:
    told = decode(
        frame(
            *STANDARD,
            closed("EAST", "015423521"),
            closed("EAIT", "000000071"),
            closed("SINSTS", "01240"),
            closed("DATE", "H231114221320\t"),
        ),
        NOW_S,
    )
    assert told == Reading(
        at_s=NOW_S, power_w=1_240.0, forward_j=Joules(15_423_521 * 3_600), reverse_j=Joules(71 * 3_600), voltage_v=230.0
    )


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["ISOUSC 30 9"], "without power"),
        ([closed("EAST", "12x")], "EAST is '12x'"),
        ([closed("EAST", "1"), closed("SINSTS", "999999")], "999999 VA"),
        (["x"], "does not fit"),
    ],
)
def test_what_a_meter_cannot_mean_is_refused(lines: list[str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        decode(frame(*lines), NOW_S)


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(data: bytes) -> None:
    left, frames = cut_frames(b"\x02" + data + b"\x03" + data, lambda _why: None)
    assert len(left) <= LONGEST
    for each in frames:
        try:
            decode(each, NOW_S)
        except ValueError as error:
            assert str(error)  # noqa: PT017  # it says why


@given(st.binary(min_size=1, max_size=3), st.integers(0, 400))
def test_a_frame_with_bytes_among_it_is_refused_or_the_same(noise: bytes, place: int) -> None:
    right = frame(*HISTORIC)
    try:
        seen = decode(right[:place] + noise + right[place:], NOW_S)
    except ValueError:
        return
    assert seen == decode(right, NOW_S)


@given(st.integers(-99_999, 99_999), st.integers(0, 999_999_999), st.integers(0, 999_999_999))
def test_what_the_simulator_says_is_what_is_read(power_w: int, forward_wh: int, reverse_wh: int) -> None:
    said = Reading(
        at_s=NOW_S,
        power_w=float(power_w),
        forward_j=Joules(forward_wh * 3600),
        reverse_j=Joules(reverse_wh * 3600),
        voltage_v=231,
    )
    left, (one,) = cut_frames(encode(said), pytest.fail)
    assert (decode(one, NOW_S), left) == (said, b"")


def test_a_meter_is_listened_to_from_the_middle_of_a_frame_on() -> None:
    heard = Heard()

    async def story() -> None:
        tail = frame(*BASE)[30:] + b"\x03"
        broken = b"\x02" + frame(*BASE).replace(b"00460 +", b"00461 +") + b"\x03"
        async with serve([tail, b"\x02" + frame(*HISTORIC), b"\x03", broken, b"\x02" + frame(*BASE) + b"\x03"]) as address:
            await listen(LinkySensor(address, clock=lambda: NOW_S), heard, "has closed the line")

    asyncio.run(story())
    assert [reading.forward_j for reading in heard.readings] == [26_967_224 * 3_600, 2_815_235 * 3_600]
    assert heard.refused == ["a line whose checksum does not fit: 'PAPP 00461 +'"]


def test_the_simulator_is_a_meter_that_the_sensor_hears(simulated: Callable[..., Heard]) -> None:
    heard = simulated(KIND, {}, 2)
    assert not heard.refused
    assert heard.readings[0].power_w == pytest.approx(heard.house.power_w(heard.readings[0].at_s), abs=1)
