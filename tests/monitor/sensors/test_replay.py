"""A file that is played as if it were measured now."""

import asyncio
import gzip
import time
from contextlib import aclosing
from pathlib import Path
from typing import Any, cast

import pytest
from tests.monitor.sensors.devices import Heard, listen

from daisee.errors import SensorError
from daisee.model.energy import Integrator
from daisee.model.readings import Reading
from daisee.monitor.sensors import replay
from daisee.monitor.sensors.replay import KIND

T0 = 1_748_736_000


def written(path: Path, *lines: str, header: str = "timestamp,power_w") -> Path:
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def test_its_times_are_laid_on_now_at_its_own_pace(tmp_path: Path) -> None:
    file = written(tmp_path / "a.csv", *(f"{T0 + 0.1 * step:.1f},{step}" for step in range(6)))
    heard, began_s = Heard(), time.time()
    asyncio.run(listen(KIND.open(file=file, speed=1.0, repeat=False), heard, ends_with="is played to its end"))
    assert [reading.power_w for reading in heard.readings] == [0, 1, 2, 3, 4, 5]
    times = [reading.at_s - heard.readings[0].at_s for reading in heard.readings]
    assert times == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5], abs=1e-3)
    assert began_s <= heard.readings[0].at_s <= time.time()
    assert time.time() - began_s >= 0.5


def test_faster_its_counters_and_powers_say_the_same(tmp_path: Path) -> None:
    lines = [f"{T0 + 60 * step},720,{1_000_000 + 43_200 * step}" for step in range(10)]
    file = written(tmp_path / "a.csv", *lines, header="timestamp,power_w,forward_j")
    heard = Heard()
    asyncio.run(listen(KIND.open(file=file, speed=1_000.0, repeat=False), heard, count=10))
    integrator = Integrator(60)
    flows = [flow for reading in heard.readings for flow in integrator.add(reading)]
    assert sum(flow.forward_j for flow in flows) == pytest.approx(720 * 0.54, abs=2)
    assert all(0.05 < flow.duration_s < 0.07 for flow in flows)


def test_repeated_it_goes_on_and_its_counters_grow_on(tmp_path: Path) -> None:
    file = written(tmp_path / "a.csv", f"{T0},5", f"{T0 + 10},1005", header="timestamp,forward_j")
    heard = Heard()
    asyncio.run(listen(KIND.open(file=file, speed=100.0, repeat=True), heard, count=6))
    times = [round(reading.at_s - heard.readings[0].at_s, 3) for reading in heard.readings]
    assert times == [0, 0.1, 0.2, 0.3, 0.4, 0.5]
    assert [reading.forward_j for reading in heard.readings] == [5, 15, 15, 25, 25, 35]


def test_ended_it_is_not_played_again(tmp_path: Path) -> None:
    file = written(tmp_path / "a.csv", f"{T0},5")
    heard = Heard()
    for word in ("is played to its end", "was played to its end"):
        asyncio.run(listen(KIND.open(file=file, speed=1.0, repeat=False), heard, ends_with=word))
    assert len(heard.readings) == 1


def test_several_meters_are_its_parts(tmp_path: Path) -> None:
    file = tmp_path / "a.csv.gz"
    file.write_bytes(gzip.compress(f"at,meter,power_w\n{T0},grid,5\n{T0},roof,7\n".encode()))
    heard = Heard()
    asyncio.run(listen(KIND.open(file=file, speed=1.0, repeat=False), heard, count=2))
    assert [(reading.part, reading.power_w) for reading in heard.readings] == [("grid", 5), ("roof", 7)]


def test_what_is_bad_is_refused_and_it_goes_on(tmp_path: Path) -> None:
    file = written(tmp_path / "a.csv", f"{T0 + 1},5", "soon,5", f"{T0},6", f"{T0 + 1},nan", f"{T0 + 2},1e7", f"{T0 + 2},8")
    heard = Heard()
    asyncio.run(listen(KIND.open(file=file, speed=100.0, repeat=False), heard, ends_with="is played to its end"))
    assert [reading.power_w for reading in heard.readings] == [5, 8]
    assert len(heard.refused) == 4
    assert any("goes back in time" in why for why in heard.refused)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "there is no file"),
        ("", "it is empty"),
        ("a,b\n1,2\n", "not those of daisee"),
        ("timestamp,power_w\n", "has no reading"),
        ("timestamp,power_w\n" + "5" * 400_000, "longer than"),
    ],
)
def test_a_file_that_is_none_is_a_sensor_that_is_gone(tmp_path: Path, content: str | None, why: str) -> None:
    file = tmp_path / "a.csv"
    if content is not None:
        file.write_text(content)
    heard = Heard()
    for repeat in (False, True):
        asyncio.run(listen(KIND.open(file=file, speed=1.0, repeat=repeat), heard, ends_with=why))
    assert heard.readings == []


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_leaving_closes_the_file(tmp_path: Path) -> None:
    file = written(tmp_path / "a.csv", *(f"{T0 + step},5" for step in range(1_000)))

    async def story() -> None:
        before = open_files()
        async with aclosing(
            cast(Any, KIND.open(file=file, speed=1.0, repeat=False).readings(Heard().refused.append))
        ) as readings:
            async for _reading in readings:
                break
        assert open_files() == before

    asyncio.run(story())


def test_told_to_stop_while_it_reads_it_closes_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_arguments: Any) -> Any:
        with file.open():
            time.sleep(0.3)
            yield 2, Reading(at_s=float(T0), power_w=5.0)

    file = written(tmp_path / "a.csv", f"{T0},5")
    monkeypatch.setattr(replay, "_lines", slow)

    async def story() -> None:
        before = open_files()
        heard = asyncio.ensure_future(listen(KIND.open(file=file, speed=2.0, repeat=False), Heard(), count=2))
        await asyncio.sleep(0.1)
        heard.cancel()
        (ended,) = await asyncio.gather(heard, return_exceptions=True)
        assert isinstance(ended, asyncio.CancelledError)
        assert open_files() == before

    asyncio.run(story())


def test_it_is_no_device_that_could_be_simulated() -> None:
    assert KIND.simulate is None
    assert issubclass(SensorError, OSError)
