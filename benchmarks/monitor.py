"""What the monitor costs, beside how the prototype of 2017 did the same on the same data in the same run.

    make bench-monitor

2017: one row and one commit for each sample; energy as the average of two neighbours times their distance, summed in Python over
objects of the database's rows. A sensor-year is a sample each eight seconds: 3,942,000. The table is written to
build/bench/monitor.json too.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

OUTPUT = Path("build/bench/monitor.json")
STEP_S = 8
YEAR = 3_942_000
"""Samples."""
DAY_S = 86_400
END_S = int(time.time()) // DAY_S * DAY_S
"""The year ends where today begins, so that its last 90 days are kept as readings."""
BEGIN_S = END_S - YEAR * STEP_S
HOME = """
[monitor]
home = "bench"
zone = "Europe/Paris"
store = "home.sqlite"
port = {port}
[monitor.sensors.load]
kind = "push"
role = "load"
"""
FIVE = ("citizenwatt", "awox", "ina219", "acs712", "acs712-gauge")
"""The sensors of 2017."""
LIVE_DAYS = 4
OLD_COMMITS = 3_000
ASKED = 10
STARTS = 3
HOMES, PG_MINUTES = 1_000, 32
PYTHON = sys.executable


def powers(count: int, seed: int = 7) -> Iterator[int]:
    """Answer what a home with a fridge and people draws, in whole watts as meters say it."""
    drawn = random.Random(seed)
    level = 250.0
    for _ in range(count):
        if drawn.random() < 0.01:
            level = drawn.choice((120.0, 210.0, 340.0, 800.0, 2_100.0))
        yield round(level + drawn.gauss(0, 6))


def free_port() -> int:
    """Answer a port that nobody has now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def home_in(folder: Path, text: str = HOME) -> tuple[Path, int]:
    """Write a home's configuration; answer it, and its port."""
    port = free_port()
    file = folder / "daisee.toml"
    file.write_text(text.format(port=port))
    return file, port


def daisee(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run([PYTHON, "-m", "daisee", *map(str, arguments)], check=True, capture_output=True, text=True)


def write_year(file: Path) -> None:
    """Write a year of samples as CSV."""
    with file.open("w") as out:
        out.write("timestamp,power_w\n")
        for place, power_w in enumerate(powers(YEAR)):
            out.write(f"{BEGIN_S + STEP_S * place},{power_w}\n")


@contextmanager
def running(config: Path, port: int, name: str) -> Iterator[Callable[[str], bytes]]:
    """Run `daisee monitor run`, and answer what asks it with a token."""
    token = daisee("monitor", "token", "new", name, "--config", config).stdout.strip()
    process = subprocess.Popen([PYTHON, "-m", "daisee", "monitor", "run", "--config", str(config)], stdout=subprocess.DEVNULL)

    def ask(path: str) -> bytes:
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  # our own port
            return bytes(answer.read())

    try:
        until = time.monotonic() + 60
        while True:
            try:
                ask("/healthz")
                break
            except OSError:
                if time.monotonic() > until or process.poll() is not None:
                    raise
                time.sleep(0.1)
        yield ask
    finally:
        process.terminate()
        process.wait(30)


def year_by_day(config: Path, port: int) -> tuple[float, float, int]:
    """Answer how long a year by day takes through the API, asked first after a start and again, in ms; and its energy."""
    first = datetime.fromtimestamp(BEGIN_S, UTC) - timedelta(days=1)
    path = f"/api/v1/energy?by=day&from={first:%Y-%m-%d}&to={datetime.fromtimestamp(END_S, UTC):%Y-%m-%d}"
    firsts: list[float] = []
    again: list[float] = []
    energy_j = 0
    for start in range(STARTS):
        with running(config, port, f"bench-{start}") as ask:
            ask("/api/v1/home")
            time.sleep(2)  # as long as it takes to open a browser after a start
            for place in range(ASKED):
                began = time.perf_counter()
                told = ask(path)
                (again if place else firsts).append(time.perf_counter() - began)
                energy_j = sum(day["consumed_j"] for day in json.loads(told))
    return statistics.median(firsts) * 1e3, statistics.median(again) * 1e3, energy_j


def part_old_year(folder: Path) -> dict[str, float]:
    """Sum a year as 2017 did: all rows as objects, two neighbours averaged in Python. In a process of its own, for its memory."""
    import resource

    from sqlalchemy import Column, Float, Integer, create_engine, insert, select
    from sqlalchemy.orm import DeclarativeBase, Session

    class Base(DeclarativeBase):
        pass

    class Measure(Base):
        __tablename__ = "measures"
        id = Column(Integer, primary_key=True)
        sensor_id = Column(Integer)
        value = Column(Float)
        timestamp = Column(Integer, index=True)
        night_rate = Column(Integer)

    engine = create_engine(f"sqlite:///{folder}/old.sqlite")
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        rows = (
            {"sensor_id": 1, "value": power_w, "timestamp": BEGIN_S + STEP_S * place, "night_rate": 0}
            for place, power_w in enumerate(powers(YEAR))
        )
        while some := [row for row, _ in zip(rows, range(50_000), strict=False)]:
            connection.execute(insert(Measure), some)
    disk_mb = (folder / "old.sqlite").stat().st_size / 1e6
    with Session(engine) as session:
        began = time.perf_counter()
        measures: Sequence[Any] = session.scalars(select(Measure).where(Measure.sensor_id == 1).order_by(Measure.timestamp)).all()
        days: dict[int, float] = {}
        for one, other in pairwise(measures):
            energy = (one.value + other.value) / 2 * (other.timestamp - one.timestamp)
            days[one.timestamp // DAY_S] = days.get(one.timestamp // DAY_S, 0.0) + energy
        took = time.perf_counter() - began
    memory_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return {"ms": took * 1e3, "memory_gb": memory_gb, "energy_j": sum(days.values()), "disk_mb": disk_mb}


def part_live(folder: Path) -> dict[str, float]:
    """Take samples as they come, written down each minute; and beside it, in turns, one commit for each sample."""
    import sqlite3

    from daisee.model.home import Role
    from daisee.model.readings import Reading
    from daisee.monitor.collector import Collector
    from daisee.monitor.sqlstore import SqlStore
    from daisee.monitor.store import Meter

    store = SqlStore(folder / "live.sqlite")
    collector = Collector(store, [Meter("load", Role.LOAD)])
    count = LIVE_DAYS * DAY_S // STEP_S
    readings = [Reading(at_s=float(BEGIN_S + STEP_S * place), power_w=power_w) for place, power_w in enumerate(powers(count))]
    old = sqlite3.connect(folder / "old-live.sqlite")
    old.execute(
        "CREATE TABLE measures (id INTEGER PRIMARY KEY, sensor_id INTEGER, value REAL, timestamp INTEGER, night_rate INTEGER)"
    )
    old.execute("CREATE INDEX by_time ON measures (timestamp)")
    turns, took, old_took, written, old_written = 20, 0.0, 0.0, 0, 0
    for turn in range(turns):
        mine = readings[turn * count // turns : (turn + 1) * count // turns]
        before, began = _written(), time.perf_counter()
        for reading in mine:
            collector.take("load", [reading])
        took += time.perf_counter() - began
        between, began = _written(), time.perf_counter()
        for reading in mine[: OLD_COMMITS // turns]:
            old.execute(
                "INSERT INTO measures (sensor_id, value, timestamp, night_rate) VALUES (1, ?, ?, 0)",
                (reading.power_w, reading.at_s),
            )
            old.commit()
        old_took += time.perf_counter() - began
        written += between - before
        old_written += _written() - between
    store.close()
    old.close()
    commits = OLD_COMMITS // turns * turns
    return {
        "us": took / count * 1e6,
        "old_us": old_took / commits * 1e6,
        "written_gb": written * YEAR / count / 1e9,
        "old_written_gb": old_written * YEAR / commits / 1e9,
    }


def _written() -> int:
    """Answer the bytes that this process has sent to the disk."""
    with Path("/proc/self/io").open() as said:
        return next(int(line.split()[1]) for line in said if line.startswith("write_bytes"))


def resident_kb() -> int:
    """Answer the memory that this process has now."""
    with Path("/proc/self/status").open() as said:
        return next(int(line.split()[1]) for line in said if line.startswith("VmRSS"))


def part_memory(folder: Path) -> dict[str, float]:
    """Run a monitor of five sensors through a simulated week, with its port open, and answer what it holds then."""
    import asyncio

    from daisee.model.readings import Reading
    from daisee.monitor.api import create_monitor_app
    from daisee.monitor.running import Monitor, open_store
    from daisee.monitor.running import live as live_on
    from daisee.monitor.sensors import kind_of
    from daisee.monitor.settings import read_settings
    from daisee.serving import listen

    sections = [f"[monitor.sensors.{name}]\n{kind_of(name).example}" for name in FIVE]
    config, port = home_in(folder, "[monitor]\nport = {port}\n" + "\n".join(sections))
    settings = read_settings(config)
    week = 7 * DAY_S // STEP_S

    async def live(monitor: Monitor) -> int:
        told_to_stop = asyncio.Event()
        with listen(port, "port") as listening:
            task = asyncio.create_task(live_on(monitor.books, [monitor], told_to_stop, create_monitor_app(monitor), listening))
            await asyncio.sleep(2)
            await asyncio.to_thread(simulate, monitor)
            memory_kb = resident_kb()
            told_to_stop.set()
            await task
            return memory_kb

    def simulate(monitor: Monitor) -> None:
        drawn = powers(week * len(settings.meters), 3)
        for place in range(week):
            at_s = float(END_S - 7 * DAY_S + STEP_S * place)
            with monitor.books.lock:
                for meter in settings.meters:
                    monitor.collector.take(meter.name, [Reading(at_s=at_s, power_w=next(drawn))])
                if place % 8 == 0:
                    monitor.store.flush()

    with open_store(settings) as store:
        monitor = Monitor(settings, store)
        memory_kb = asyncio.run(live(monitor))
    return {"mb": memory_kb / 1_000, "sensors": len(settings.meters)}


def cpu_s(pid: int) -> float:
    """Answer the processor's time that another process has taken so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def part_many(folder: Path) -> dict[str, float]:
    """Let a thousand homes write to one PostgreSQL, a reading each eight seconds, a flush each minute, a slot each quarter."""
    from tests.monitor.postgres import cluster

    from daisee.model.readings import Reading
    from daisee.monitor.database import Database
    from daisee.monitor.many import ManyHomes
    from daisee.monitor.settings import read_settings
    from need import NEEDS, find

    program = find(next(need for need in NEEDS if need.marker == "postgresql"))
    if program is None:
        raise SystemExit("no PostgreSQL here: apt-get install postgresql")
    with cluster(program) as url:
        database = Database(url)
        one = read_settings(home_in(folder)[0])
        homes = ManyHomes(database, (replace(one, home=f"home-{number}") for number in range(HOMES)))
        drawn = powers(10**9, 5)
        count = PG_MINUTES * 60 // STEP_S
        began, cpu = time.perf_counter(), time.process_time()
        for place in range(count):
            at_s = float(BEGIN_S + STEP_S * place)
            for monitor in homes.monitors.values():
                monitor.collector.take("load", [Reading(at_s=at_s, power_w=next(drawn))])
            if place % 8 == 7 and not homes.flush():
                raise SystemExit("PostgreSQL did not take what was measured")
        homes.close()
        took, cpu = time.perf_counter() - began, time.process_time() - cpu
        with database.reading() as connection:
            there = connection.exec_driver_sql("SELECT sum(count) FROM readings").scalar()
            its = connection.exec_driver_sql("SELECT pid FROM pg_stat_activity").scalars().all()
            pg_cpu = sum(map(cpu_s, its))
            slots = connection.exec_driver_sql("SELECT count(*) FROM slots").scalar()
        database.close()
    if there != count * HOMES:
        raise SystemExit(f"{there} readings of {count * HOMES} are there")
    of_time = {"share": cpu / (PG_MINUTES * 60), "pg_share": pg_cpu / (PG_MINUTES * 60)}
    return {"per_s": count * HOMES / took, "slots": float(slots or 0), **of_time}


PARTS: dict[str, Callable[[Path], dict[str, float]]] = {
    "old-year": part_old_year, "live": part_live, "memory": part_memory, "many": part_many,
}  # fmt: skip


def in_a_process(name: str, folder: Path) -> dict[str, float]:
    """Run a part alone, so that its memory and its bytes are its own."""
    told = subprocess.run(
        [PYTHON, "-m", "benchmarks.monitor", name, str(folder)], check=True, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([".", "tools", os.environ.get("PYTHONPATH", "")])},
    ).stdout  # fmt: skip
    found: dict[str, float] = json.loads(told.strip().splitlines()[-1])
    return found


def measure(folder: Path, step: Callable[[str], None]) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Answer the figures, and those of 2017's way beside."""
    step("a year of samples is written to a file")
    year = folder / "year.csv"
    write_year(year)
    config, port = home_in(folder)
    step("it is imported")
    began = time.perf_counter()
    daisee("monitor", "import", "--config", config, "--meter", "load", year)
    import_s = time.perf_counter() - began
    disk_mb = sum(file.stat().st_size for file in folder.glob("home.sqlite*")) / 1e6
    step("it is asked for by day")
    first_ms, by_day_ms, energy_j = year_by_day(config, port)
    step("the same, as in 2017")
    old = in_a_process("old-year", folder)
    step("live samples, now and as in 2017")
    live = in_a_process("live", folder)
    step("a week of five sensors")
    memory = in_a_process("memory", folder)
    step("a thousand homes, in PostgreSQL")
    many = in_a_process("many", folder)
    old["energy_difference"] = abs(energy_j - old["energy_j"]) / old["energy_j"]
    return {
        "year_by_day_ms": round(by_day_ms, 2),
        "year_by_day_first_ms": round(first_ms, 2),
        "year_by_day_ms_2017": round(old["ms"], 1),
        "sample_us": round(live["us"], 1),
        "sample_us_2017": round(live["old_us"], 1),
        "import_year_s": round(import_s, 1),
        "written_gb_per_sensor_year": round(live["written_gb"], 2),
        "disk_mb_per_sensor_year": round(disk_mb, 1),
        "pg_readings_per_s": round(many["per_s"]),
        "memory_mb": round(memory["mb"], 1),
    }, {"old": old, "live": live, "many": many}


def main() -> None:
    """Measure, print, and write it down."""
    console = Console()
    folder = Path(tempfile.mkdtemp(prefix="bench-monitor-", dir=os.environ.get("TMPDIR")))
    try:
        with Progress(console=console, transient=True) as progress:
            task = progress.add_task("", total=None)
            figures, beside = measure(folder, lambda told: progress.update(task, description=told))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    old, live, many = beside["old"], beside["live"], beside["many"]
    table = Table(box=SIMPLE_HEAD)
    for name in ("work", "2017's way", "now", "goal"):
        table.add_column(name, justify="left" if name == "work" else "right")
    old_year = f"{old['ms'] / 1e3:.1f} s, {old['memory_gb']:.1f} GB"
    disk = f"{figures['disk_mb_per_sensor_year']:.1f} MB"
    rate = f"{many['per_s']:.0f} readings/s, {many['share']:.1%} of a core, PostgreSQL's {many['pg_share']:.1%}"
    rows: list[tuple[str, str, str, str]] = [
        ("energy per day over a year, through the API", old_year, f"{figures['year_by_day_ms']:.1f} ms", "20 ms"),
        ("the same, asked first after a start", old_year, f"{figures['year_by_day_first_ms']:.1f} ms", "20 ms"),
        ("one live sample stored, with its slot", f"{live['old_us']:.0f} us", f"{live['us']:.1f} us", "50 us"),
        ("a year imported", f"{live['old_us'] * YEAR / 3.6e9:.2f} h", f"{figures['import_year_s']:.1f} s", "20 s"),
        ("bytes written in a sensor-year", f"{live['old_written_gb']:.0f} GB", f"{live['written_gb']:.2f} GB", "< 6 GB"),
        ("disk for a sensor-year, raw kept 90 days", f"{old['disk_mb']:.0f} MB", disk, "< 20 MB"),
        (f"{HOMES} homes into one PostgreSQL (they say 125/s)", "-", rate, "a core to spare"),
        ("memory, the 5 sensors of 2017, after a week", "-", f"{figures['memory_mb']:.0f} MB", "< 90 MB"),
    ]
    for row in rows:
        table.add_row(*row)
    console.print(table)
    console.print(f"The two sums over the year differ by {old['energy_difference']:.2e} of them.")
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(figures, indent=2) + "\n")
    console.print(f"Written to {OUTPUT}.")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        told: Any = PARTS[sys.argv[1]](Path(sys.argv[2]))
        sys.stdout.write(json.dumps(told) + "\n")
    else:
        main()
