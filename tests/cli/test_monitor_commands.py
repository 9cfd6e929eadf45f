"""The monitor's commands as people type them: devices that do not exist, but speak; a home that hears them; who asks it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.monitor import mosquitto

from daisee.cli import daisee
from daisee.cli.monitor.simulate import _toml
from daisee.model.home import Role
from daisee.model.readings import Reading
from daisee.monitor.collector import Collector
from daisee.monitor.sensors.p1 import P1Sensor
from daisee.monitor.sqlstore import SqlStore
from daisee.monitor.store import Meter

DAISEE = [sys.executable, "-m", "daisee"]
PATIENCE_S = 150.0


def told(*arguments: object, code: int = 0) -> str:
    done = subprocess.run([*DAISEE, *map(str, arguments)], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def refused(*arguments: object) -> str:
    done = subprocess.run([*DAISEE, *map(str, arguments)], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    return done.stderr


@contextmanager
def running(*arguments: object, until: str) -> Iterator[subprocess.Popen[str]]:
    """Run a command in the background, from when it has said something."""
    process = subprocess.Popen(
        [*DAISEE, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    said: list[str] = []
    try:
        for line in process.stdout:
            said.append(line)
            if until in line:
                break
        else:
            pytest.fail("".join(said))
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            rest, _ = process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        said.append(rest)
        assert process.returncode == 0, "".join(said)


def ask(port: int, path: str, token: str) -> Any:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.mark.mosquitto
@pytest.mark.postgresql
@pytest.mark.timeout(300)
def test_every_kind_simulated_feeds_one_home_with_real_mqtt_and_postgresql(
    mosquitto_path: str, postgres_url: str, tmp_path: Path
) -> None:
    config = tmp_path / "daisee.toml"
    with mosquitto.broker(mosquitto_path) as broker:
        simulate = (
            "monitor", "simulate", "all", "--write", config, "--mqtt", f"127.0.0.1:{broker.port}", "--store", postgres_url,
            "--seed", 1,
        )  # fmt: skip
        with running(*simulate, until="devices are there"):
            port = free_port()
            config.write_text(config.read_text().replace('home = "simulated"', f'home = "simulated"\nport = {port}'))
            found = json.loads(told("monitor", "check", "--config", config, "--seconds", 40, "--json"))
            assert [one["name"] for one in found if not one["ok"]] == []
            token = told("monitor", "token", "new", "me", "--config", config).strip()
            pushes = told("monitor", "token", "new", "it", "--scope", "push", "--config", config).strip()
            with running("monitor", "run", "--config", config, until="It answers at"):
                push = ("monitor", "simulate", "push", "--at", f"http://{pushes}@127.0.0.1:{port}/push")
                with running(*push, until="[monitor.sensors.push]"):
                    meters = _all_heard(port, token)
                    time.sleep(3)
            assert {meter["kind"] for meter in meters} >= {"p1", "mqtt", "sunspec", "ina219", "awox", "push", "citizenwatt"}
            hours = json.loads(told("monitor", "history", "--days", 1, "--json", "--config", config))
            assert sum(hour["covered_s"] for hour in hours) > 0
            store = json.loads(told("monitor", "check", "--config", config, "--seconds", 40, "--json"))[0]
            assert "measured up to" in store["says"], "it is in PostgreSQL"
            assert "127.0.0.1" in store["says"]
            assert postgres_url.split(":")[2].split("@")[0] not in store["says"], "without its password"


def _all_heard(port: int, token: str) -> list[dict[str, Any]]:
    until = time.monotonic() + PATIENCE_S
    while True:
        meters: list[dict[str, Any]] = ask(port, "/api/v1/meters", token)
        silent = [meter["name"] for meter in meters if meter["at"] is None]
        if not silent:
            return meters
        assert time.monotonic() < until, f"never heard: {silent}"
        time.sleep(0.5)


def test_read_shows_what_a_sensor_says(tmp_path: Path) -> None:
    config = tmp_path / "daisee.toml"
    simulate = subprocess.Popen([*DAISEE, "monitor", "simulate", "p1", "--seed", "3"], stdout=subprocess.PIPE, text=True)
    assert simulate.stdout is not None
    try:
        lines = [simulate.stdout.readline() for _ in range(3)]
        config.write_text("[monitor]\n" + "".join(lines))
        two = [
            json.loads(line) for line in told("monitor", "read", "p1", "--count", 2, "--json", "--config", config).splitlines()
        ]
        assert two[0]["at_s"] < two[1]["at_s"]
        assert "counter" in told("monitor", "read", "p1", "--count", 1, "--config", config)
        assert told("monitor", "check", "--config", config).count("ok") == 2
    finally:
        simulate.send_signal(signal.SIGINT)
        simulate.communicate(timeout=30)
    said = told("monitor", "check", "--config", config, "--seconds", 5, code=1)
    assert "WRONG" in said
    assert "is it on, and the port right?" in " ".join(said.split())


def run(*arguments: object) -> Any:
    return CliRunner().invoke(daisee, ["monitor", *map(str, arguments)])


@contextmanager
def shelly(status: Mapping[str, Any]) -> Iterator[str]:
    """Be a later Shelly on loopback."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said = json.dumps({"mac": "AABBCC", "gen": 2} if self.path == "/shelly" else status).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_check_says_of_each_sensor_what_it_has_whatever_becomes_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def odd(*_: object) -> None:
        raise TypeError("int() argument must be a string")

    monkeypatch.setattr(P1Sensor, "readings", odd)
    config = tmp_path / "daisee.toml"
    meters = {"em1:1": {"act_power": 5.0}, "em1:0": {"act_power": 7.0}, "em1:2": {"act_power": 9.0}}
    half = {"em:0": {"total_act_power": "much", "a_voltage": 230.0}}
    with shelly(meters) as address, shelly(half) as other:
        config.write_text(
            "[monitor]\n"
            f'[monitor.sensors.one]\nkind = "shelly"\naddress = "{address}"\n'
            f'[monitor.sensors.two]\nkind = "shelly"\naddress = "{address}"\nparts = {{"em1:1" = "grid", "em1:2" = "load"}}\n'
            f'[monitor.sensors.less]\nkind = "shelly"\naddress = "{address}"\nmost_w = 6\n'
            f'[monitor.sensors.none]\nkind = "shelly"\naddress = "{address}"\nparts = {{"em:0" = "grid"}}\n'
            f'[monitor.sensors.half]\nkind = "shelly"\naddress = "{other}"\npoll_s = 60\n'
            '[monitor.sensors.odd]\nkind = "p1"\naddress = "127.0.0.1:1"\n'
        )
        done = run("check", "--config", config, "--seconds", 2, "--json")
        says = {one["name"]: (one["ok"], one["says"]) for one in json.loads(done.stdout)}
    left = "left alone: give each meter that counts its role with `parts`"
    assert says["one"] == (True, f"em1:0 7.0 W; it has em1:1, em1:2 too, {left}; em1:0 is meant by its role")
    assert says["two"] == (True, f"em1:1 5.0 W; em1:2 9.0 W; it has em1:0 too, {left}")
    assert says["less"][1].startswith("nothing heard in 2 s; refused 1: 7 W, where most_w of its section is 6")
    assert says["half"] == (True, "em:0 230.0 V; left out 1: a power of 'much'")
    assert says["none"] == (False, f"none of its meters is meant: it has em1:1, em1:0, em1:2 too, {left}")
    assert says["odd"][0] is False
    assert "what was not foreseen: TypeError" in says["odd"][1]
    assert "what was not foreseen: TypeError" in str(run("read", "odd", "--config", config).exception)


def test_what_is_simulated_is_written_as_toml_whatever_its_name(tmp_path: Path) -> None:
    for value in ('a"b', "a\\b", "a\tb", "é😀"):
        assert tomllib.loads(f"store = {_toml(value)}") == {"store": value}


def test_names_that_are_none_are_said_with_those_there_are(tmp_path: Path) -> None:
    config = tmp_path / "daisee.toml"
    config.write_text('[monitor]\n[monitor.sensors.meter]\nkind = "p1"\naddress = "127.0.0.1:1"\n')
    for arguments, words in (
        (("read", "metre"), "did you mean meter"), (("calibrate", "meter"), "needs no calibration"),
        (("simulate", "shely"), "did you mean shelly"),
        (("example", "p2"), "there is no kind of sensor"), (("token", "revoke", "x"), "there is no token x"),
        (("simulate", "all"), "--write"), (("simulate", "p1", "--write", "x"), "go with"),
        (("simulate", "push"), "name a monitor"),
    ):  # fmt: skip
        more = ["--config", str(config)] if arguments[0] in ("read", "calibrate", "token") else []
        assert words in str(run(*arguments, *more).exception), arguments


def test_tokens_are_made_listed_and_taken_back(tmp_path: Path) -> None:
    config = tmp_path / "daisee.toml"
    config.write_text("[monitor]\n")
    token = run("token", "new", "me", "--config", config).stdout.strip()
    assert token.startswith("daisee_")
    assert "already" in str(run("token", "new", "me", "--config", config).exception)
    listed = run("token", "list", "--config", config).output
    assert "me" in listed
    assert token not in listed
    assert "worth nothing" in run("token", "revoke", "me", "--config", config).output
    assert "no tokens" in run("token", "list", "--config", config).output


def test_history_draws_days_and_hours_and_says_what_was_not_measured(tmp_path: Path) -> None:
    config = tmp_path / "daisee.toml"
    config.write_text('[monitor]\nzone = "UTC"\n')
    store = SqlStore(tmp_path / "daisee.sqlite")
    collector = Collector(store, [Meter("load", Role.LOAD)])
    begin = 1_790_812_800
    collector.take("load", [Reading(at_s=begin + at, power_w=1_000.0) for at in range(0, 36 * 3_600 + 1, 60)])
    store.close()
    days = run("history", "--days", 2, "--until", "2026-10-02", "--config", config).output
    assert "Thu 2026-10-01 24.00" in days
    assert "50% measured" in days
    assert "█" * 20 in days
    hours = json.loads(run("history", "--days", 1, "--until", "2026-10-02", "--json", "--config", config).output)
    assert [hour["consumed_j"] for hour in hours][:13] == [3_600_000] * 12 + [0]
    assert "nothing was measured" in run("history", "--until", "2020-01-01", "--config", config).output


def test_an_acs712_is_calibrated_by_what_it_shows(tmp_path: Path) -> None:
    """An Arduino that says 2.5 W with nothing drawn, and 12.5 W where a true meter says 40 W."""
    says = {"watts": "2.50"}
    server = socket.create_server(("127.0.0.1", 0))

    def speak() -> None:
        while True:
            try:
                link, _ = server.accept()
                with link:
                    while True:
                        link.sendall(says["watts"].encode() + b"\r\n")
                        time.sleep(0.1)
            except OSError:
                if server.fileno() < 0:
                    return

    threading.Thread(target=speak, daemon=True).start()
    config = tmp_path / "daisee.toml"
    head = f'[monitor]\n[monitor.sensors.pump]\nkind = "acs712"\naddress = "127.0.0.1:{server.getsockname()[1]}"\n'
    config.write_text(head)
    assert run("calibrate", "pump", "--seconds", 5, "--config", config).stdout.splitlines()[-1] == "zero_w = 2.5"
    says["watts"] = "12.50"
    config.write_text(head + "zero_w = 2.5\n")
    assert (
        run("calibrate", "pump", "--seconds", 5, "--true-watts", 40, "--config", config).stdout.splitlines()[-1] == "volts = 14.8"
    )
    says["watts"] = "2.50"
    assert "too little to compare" in str(
        run("calibrate", "pump", "--seconds", 5, "--true-watts", 40, "--config", config).exception
    )
    server.close()


def street(folder: Path, **homes: str) -> Path:
    """Write a folder of homes, each with one meter that is pushed to; beside what each says for itself."""
    folder.mkdir()
    for name, more in homes.items():
        meter = '[monitor.sensors.roof]\nkind = "push"\nrole = "production"\n'
        (folder / f"{name}.toml").write_text(f'[monitor]\nstore = "../street.sqlite"\nzone = "UTC"\n{more}\n{meter}')
    return folder


def push(port: int, path: str, token: str, body: object) -> tuple[int, str]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", json.dumps(body).encode(), headers={"Authorization": f"Bearer {token}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(answer.status), answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_many_homes_are_collected_in_one_process_each_with_its_own_door(tmp_path: Path) -> None:
    homes, port = street(tmp_path / "homes", a='home = "a"', b='home = "b"'), free_port()
    (homes / "a.toml").write_text(
        (homes / "a.toml").read_text() + '[monitor.sensors.grid]\nkind = "p1"\naddress = "127.0.0.1:1"\nrole = "grid"\n'
    )
    tokens = {
        name: told("monitor", "token", "new", "--config", homes / f"{name}.toml", "gateway", "--scope", "push").strip()
        for name in "ab"
    }
    reads = told("monitor", "token", "new", "--config", homes / "b.toml", "me").strip()
    readings = [{"at": 1_790_805_600 + second, "power_w": 1_000} for second in range(0, 901, 30)]
    body = {"meter": "roof", "readings": readings}
    with running("monitor", "collect", homes, "--port", port, until="They answer at") as process:
        assert push(port, "/homes/b/api/readings", tokens["b"], body)[0] == 200
        assert push(port, "/homes/a/api/readings", tokens["b"], body)[0] == 401, "each home has its own tokens"
        assert push(port, "/homes/c/api/readings", tokens["b"], body)[0] == 404
        assert push(port, "/api/readings", tokens["b"], body)[0] == 404
        roof = ask(port, "/homes/b/api/v1/slots?meter=roof&from=1790805600&to=1790806500", reads)
        assert [slot["forward_j"] for slot in roof] == [900_000]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/homes/a/docs", timeout=60) as answer:
            assert 'href="openapi.json"' in answer.read().decode()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/homes/a/openapi.json", timeout=60) as answer:
            assert "/api/v1/slots" in json.loads(answer.read())["paths"]
        assert process.stdout is not None
        for line in process.stdout:
            if "a, grid" in line:
                break
        else:
            pytest.fail("nobody was told that a device is away, and in which home")
    assert "900000" in told("monitor", "export", "--config", homes / "b.toml")


@pytest.mark.parametrize(
    ("homes", "why"),
    [
        ({}, "has no *.toml"),
        ({"a": 'home = "a"', "b": 'home = "a"'}, '"a" is the home of a.toml already'),
        ({"a": 'home = "a"', "b": 'home = "b"\n[monitor.mqtt]\nhots = "x"'}, "monitor.mqtt.hots"),
        ({"a": 'home = "a/b"'}, "no / in it"),
    ],
)
def test_homes_that_cannot_be_collected_are_refused(tmp_path: Path, homes: dict[str, str], why: str) -> None:
    assert why in refused("monitor", "collect", street(tmp_path / "homes", **homes))


def test_homes_with_other_stores_are_not_collected_together(tmp_path: Path) -> None:
    folder = street(tmp_path / "homes", a='home = "a"', b='home = "b"')
    (folder / "b.toml").write_text((folder / "b.toml").read_text().replace("../street.sqlite", "b.sqlite"))
    assert "another store than that of a.toml" in refused("monitor", "collect", folder)
