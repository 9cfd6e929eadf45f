"""Tariffs as they are written, prices by the hour from files and from the net, and the bill as a person sees it."""

from __future__ import annotations

import asyncio
import csv
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from daisee.cli import daisee
from daisee.errors import ConfigurationError, UsageError
from daisee.model.contract import Contract
from daisee.model.home import Role
from daisee.model.readings import Reading
from daisee.monitor.api import create_monitor_app
from daisee.monitor.collector import Collector
from daisee.monitor.prices import load_prices, prices_of
from daisee.monitor.rates import FREE
from daisee.monitor.running import Monitor, live, open_store
from daisee.monitor.settings import read_settings
from daisee.monitor.sqlstore import SqlStore
from daisee.monitor.store import Meter
from daisee.monitor.tariffs import rates_on, read_tariffs
from daisee.serving import listen

T0 = 1_790_805_600
"""2026-10-01, midnight in Paris."""
FLAT = """
[[monitor.tariffs]]
name = "Blue"
valid_from = 2026-01-01
price = 0.2
export_price = 0.05
vat = 0.2
levy_per_kwh = 0.05
[[monitor.tariffs.periods]]
name = "night"
price = 0.1
hours = "22:00-06:00"
"""


def tariffs(folder: Path, text: str) -> list[Contract]:
    file = folder / "daisee.toml"
    file.write_text("[monitor]\n" + text)
    settings = read_settings(file)
    return read_tariffs(file, settings.tariffs)


def test_a_tariff_is_read_with_its_periods(tmp_path: Path) -> None:
    (blue,) = tariffs(tmp_path, FLAT)
    assert (blue.price, blue.vat, blue.currency, blue.valid_to) == (Decimal("0.2"), Decimal("0.2"), "EUR", None)
    (night,) = blue.periods
    assert (night.name, night.from_min, night.to_min, night.price) == ("night", 1_320, 360, Decimal("0.1"))
    rates = rates_on([blue], date(2026, 10, 1))
    assert (rates.day_price, rates.night_price) == (Decimal("0.3"), Decimal("0.18"))
    assert (rates.night_from_s, rates.night_to_s) == (79_200, 21_600)
    assert rates_on([blue], date(2025, 12, 31)) == FREE


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (FLAT + "hous = 1", "did you mean hours"),
        (FLAT.replace("22:00", "22:10"), "quarter of an hour"),
        (FLAT.replace("22:00", "24:15"), "quarter of an hour"),
        (FLAT.replace('"22:00-06:00"', '"10pm"'), 'like "22:00-06:00"'),
        (FLAT + 'days = ["monday"]', "in brackets"),
        (FLAT + 'season = ["11-01"]', "first and the last day"),
        (FLAT + 'season = ["11-31", "02-01"]', "first and the last day"),
        (FLAT.replace("price = 0.2", 'price = "0.2"'), "without quotes"),
        (FLAT.replace("2026-01-01", '"2026-01-01"'), "a date without quotes"),
        (FLAT.replace("vat = 0.2", "vat = 20"), "from 0 to 1"),
        (FLAT.replace("price = 0.2", 'currency = "euro"'), "ISO 4217"),
        (FLAT.replace("price = 0.2", "valid_to = 2025-01-01"), "before valid_from"),
        (FLAT + FLAT.replace("Blue", "Red").replace("2026-01", "2026-06"), "valid_to = 2026-05-31"),
        (FLAT.replace("price = 0.2", 'prices = "x.csv"'), "not both"),
        ('[[monitor.tariffs]]\nname = "x"\nvalid_from = 2026-01-01\nprices = "none.csv"', "cannot be read"),
        ("tariffs = 3", r"expected sections \[\[monitor.tariffs\]\]"),
    ],
)
def test_a_tariff_that_makes_no_sense_is_said(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=words):
        tariffs(tmp_path, text)


CSV = "start,price_per_kwh\n2026-10-01T00:00+02:00,0.10\n2026-10-01T01:00+02:00,0.20\n"


def test_prices_are_read_and_hold_for_an_hour_at_most() -> None:
    prices = prices_of(CSV.encode())
    assert [prices.get(T0 + 900 * place) for place in (0, 3, 4, 7, 8)] == [
        Decimal("0.10"), Decimal("0.10"), Decimal("0.20"), Decimal("0.20"), None,
    ]  # fmt: skip
    rows = [{"start": "2026-10-01T00:00:00+02:00", "price": 0.1}, {"start": "2026-09-30T22:15:00Z", "price": "-0.02"}]
    quarters = prices_of(json.dumps({"prices": rows}).encode())
    assert (quarters[T0], quarters[T0 + 900], len(quarters)) == (Decimal("0.1"), Decimal("-0.02"), 5)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\xff\xfe", "no text"), (b"", "no prices"), (b"a,b\n1,2\n", "row 1: expected start"), (b"[1]", "row 1"),
        (b'{"x": 1}', "no list"),
        (b"start,price\n2026-10-01T00:00,1\n", "names no zone"), (b"start,price\n2026-10-01T00:07Z,1\n", "quarter of an hour"),
        (b"start,price\n2026-10-01T00:00Z,cheap\n", "a price like"), (b"start,price\n2026-10-01T00:00Z,nan\n", "at most"),
        (b"start,price\n2026-10-01T00:00Z,1\n2026-10-01T02:00+02:00,1\n", "row 2"),
    ],
)  # fmt: skip
def test_prices_that_make_no_sense_are_refused_with_their_row(data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        prices_of(data)


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_prices_with_semicolons_and_decimal_commas_are_read(delimiter: str) -> None:
    assert prices_of(CSV.replace(",", delimiter).replace("0.", "0,").encode()) == prices_of(CSV.encode())


@pytest.fixture
def source() -> Iterator[tuple[str, dict[str, Any]]]:
    """Serve prices on loopback, as the test says."""
    says: dict[str, Any] = {"status": 200, "body": CSV.encode()}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(says["status"])
            self.end_headers()
            self.wfile.write(says["body"])

        def log_message(self, *_args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/prices?token=secret", says
    server.shutdown()
    server.server_close()


def test_fetched_prices_are_kept_and_yesterday_s_stay(
    source: tuple[str, dict[str, Any]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url, says = source
    assert load_prices(url, tmp_path)[T0] == Decimal("0.10")
    says["body"] = b"start,price\n2026-10-02T00:00+02:00,0.30\n"
    both = load_prices(url, tmp_path)
    assert (both[T0], both[T0 + 86_400]) == (Decimal("0.10"), Decimal("0.30"))
    for trouble in ({"status": 500}, {"status": 200, "body": b"<html>"}):
        says.update(trouble)
        with caplog.at_level(logging.WARNING):
            assert load_prices(url, tmp_path) == both
    assert caplog.text.count("those of before are taken") == 2
    assert "secret" not in caplog.text
    assert load_prices(url, tmp_path, fetch=False) == both


def test_prices_that_were_never_had_are_an_error_without_secrets(source: tuple[str, dict[str, Any]], tmp_path: Path) -> None:
    url, says = source
    says["status"] = 404
    with pytest.raises(UsageError, match="is the address right") as found:
        load_prices(url, tmp_path)
    assert "secret" not in str(found.value)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """October 1st: 1 kW from the grid, all day, and a roof that gives 1 kWh at noon."""
    file = tmp_path / "daisee.toml"
    file.write_text('[monitor]\n[monitor.sensors.meter]\nkind = "p1"\naddress = "127.0.0.1:1"\n' + FLAT)
    store = SqlStore(tmp_path / "daisee.sqlite")
    collector = Collector(store, [Meter("meter", Role.GRID, "p1")])
    collector.take("meter", [Reading(at_s=T0 + at, power_w=1_000.0) for at in range(0, 86_401, 60)])
    store.close()
    return file


def run(home: Path, *options: str) -> Result:
    return CliRunner().invoke(daisee, ["monitor", "bill", "--config", str(home), *options])


def test_the_bill_of_a_month_as_people_and_programs_see_it(home: Path, tmp_path: Path) -> None:
    told = run(home, "--month", "2026-10", "--csv", str(tmp_path / "bill.csv")).output
    assert "used 24.000 kWh" in told
    assert "3.2% of the time was measured" in told
    found = json.loads(run(home, "--month", "2026-10", "--json").output)
    assert [(line["what"], line["amount"]) for line in found["lines"]] == [
        ("energy", "3.20"),
        ("night", "0.80"),
        ("levies", "1.20"),
    ]
    assert (found["total"], found["vat"][0]["amount"], found["consumed_j"]) == ("6.24", "1.04", 24 * 3_600_000)
    rows = list(csv.reader((tmp_path / "bill.csv").read_text().splitlines()))
    assert ["2026-10-01", "2026-10-31", "total", "", "", "6.24", ""] in rows
    said = {row[2]: (row[3], row[6]) for row in rows}
    assert (said["used"], said["from the grid without a price"]) == (("24.000", ""), ("0.000", ""))
    assert (said["local share"], said["measured"]) == (("", "0.0000"), ("", "0.0322"))
    assert json.loads(run(home, "--from", "2026-10-01", "--to", "2026-10-01", "--json").output)["total"] == "6.24"
    assert json.loads(run(home, "--year", "2026", "--json").output)["total"] == "6.24"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--month", "10-2026"], "like 2026-10"), (["--month", "2026-10", "--year", "2026"], "name one of"),
        (["--from", "2026-10-02", "--to", "2026-10-01"], "the first one first"), (["--from", "2026-10-02"], "both days"),
    ],
)  # fmt: skip
def test_days_that_make_no_sense_are_said(options: list[str], words: str, home: Path) -> None:
    assert words in str(run(home, *options).exception)


def test_a_home_without_a_meter_of_the_grid_pays_for_what_it_did_not_make_itself(tmp_path: Path) -> None:
    file = tmp_path / "daisee.toml"
    file.write_text("[monitor]\n" + FLAT)
    store = SqlStore(tmp_path / "daisee.sqlite")
    collector = Collector(store, [Meter("load", Role.LOAD), Meter("roof", Role.PRODUCTION)])
    for at in range(0, 86_401, 60):
        noon = 12 * 3_600 <= at < 14 * 3_600
        collector.take("load", [Reading(at_s=T0 + at, power_w=1_000.0, mean_over_s=60.0)])
        collector.take("roof", [Reading(at_s=T0 + at, power_w=3_000.0 if noon else 0.0, mean_over_s=60.0)])
    store.close()
    found = json.loads(run(file, "--from", "2026-10-01", "--to", "2026-10-01", "--json").output)
    assert found["imported_j"] / 3_600_000 == pytest.approx(22, abs=0.1)
    assert found["exported_j"] / 3_600_000 == pytest.approx(4, abs=0.1)
    assert found["local_share"] == pytest.approx(2 / 24, abs=0.005)
    assert "No meter of the grid" in run(file, "--from", "2026-10-01", "--to", "2026-10-01").output


def test_a_running_monitor_fetches_prices_before_they_are_asked_for(source: tuple[str, dict[str, Any]], tmp_path: Path) -> None:
    url, _ = source
    file = tmp_path / "daisee.toml"
    tariff = f'[[monitor.tariffs]]\nname = "x"\nvalid_from = 2026-01-01\nprices = "{url}"\n'
    file.write_text(f'[monitor]\n[monitor.sensors.x]\nkind = "push"\n{tariff}')

    async def story() -> None:
        settings = read_settings(file)
        with listen(0, "port") as listening, open_store(settings) as store:
            monitor = Monitor(settings, store)
            told_to_stop = asyncio.Event()
            living = asyncio.create_task(live(monitor.books, [monitor], told_to_stop, create_monitor_app(monitor), listening))
            async with asyncio.timeout(60):
                while not list(tmp_path.glob("prices-*.json")):  # noqa: ASYNC110, ASYNC240  # written by whoever fetches
                    await asyncio.sleep(0.05)
            told_to_stop.set()
            await living

    asyncio.run(story())
    assert load_prices(url, tmp_path, fetch=False)[T0] == Decimal("0.10")


def test_prices_that_are_not_new_are_not_written_again(source: tuple[str, dict[str, Any]], tmp_path: Path) -> None:
    url, _ = source
    load_prices(url, tmp_path)
    (kept,) = tmp_path.glob("prices-*.json")
    before = kept.stat().st_mtime_ns
    load_prices(url, tmp_path)
    assert kept.stat().st_mtime_ns == before
    assert not list(tmp_path.glob("*.new"))


def test_a_source_that_speaks_no_http_and_one_with_a_password_are_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def babble() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1_000)
                connection.sendall(b"hello\r\n\r\n")

        babbling = threading.Thread(target=babble)
        babbling.start()
        with pytest.raises(UsageError, match="no prices from"):
            load_prices(f"http://127.0.0.1:{server.getsockname()[1]}/", tmp_path)
        babbling.join()
    with pytest.raises(UsageError) as told:
        load_prices("http://anna:geheim@prices.example/p", tmp_path)
    assert "geheim" not in str(told.value)


def test_work_that_fails_unforeseen_is_told_and_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("daisee.monitor.running.AGAIN_S", 0.05)
    file = tmp_path / "daisee.toml"
    file.write_text('[monitor]\n[monitor.sensors.x]\nkind = "push"\n')
    done: list[float] = []

    async def breaks() -> None:
        done.append(time.monotonic())
        raise ZeroDivisionError("by nothing")

    async def story() -> None:
        settings = read_settings(file)
        with listen(0, "port") as listening, open_store(settings) as store:
            monitor = Monitor(settings, store)
            monkeypatch.setattr(monitor, "works", lambda: [breaks])
            told_to_stop = asyncio.Event()
            living = asyncio.create_task(live(monitor.books, [monitor], told_to_stop, create_monitor_app(monitor), listening))
            async with asyncio.timeout(60):
                while len(done) < 2:  # noqa: ASYNC110  # it tells nobody
                    await asyncio.sleep(0.05)
            told_to_stop.set()
            await living

    asyncio.run(story())
    assert "by nothing" in caplog.text


def test_a_price_of_what_is_over_stays_though_its_source_tells_otherwise_later(
    source: tuple[str, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, says = source
    monkeypatch.setattr("daisee.monitor.prices.time.time", lambda: T0 + 3_600.0)
    assert load_prices(url, tmp_path)[T0] == Decimal("0.10")
    says["body"] = CSV.replace("0.10", "0.90").replace("0.20", "0.80").encode()
    for prices in (load_prices(url, tmp_path), load_prices(url, tmp_path, fetch=False)):
        assert (prices[T0], prices[T0 + 2_700], prices[T0 + 3_600]) == (Decimal("0.10"), Decimal("0.10"), Decimal("0.80"))


def test_only_prices_of_the_days_that_are_asked_for_are_needed(tmp_path: Path) -> None:
    gone = 'prices = "http://127.0.0.1:1/x"\n'
    text = FLAT.replace("2026-01-01", "2026-01-01\nvalid_to = 2026-09-30")
    text += f'[[monitor.tariffs]]\nname = "By the hour"\nvalid_from = 2026-10-01\n{gone}'
    file = tmp_path / "daisee.toml"
    file.write_text("[monitor]\n" + text)
    written = read_settings(file).tariffs
    september = read_tariffs(file, written, days=(date(2026, 9, 1), date(2026, 9, 30)))
    assert [contract.slot_prices for contract in september] == [None, {}]
    with pytest.raises(ConfigurationError, match="no prices"):
        read_tariffs(file, written, days=(date(2026, 9, 1), date(2026, 10, 1)))
    bill = CliRunner().invoke(daisee, ["monitor", "bill", "--month", "2026-09", "--config", str(file)])
    assert bill.exit_code == 0, bill.output


@pytest.mark.parametrize("there", ["", "nonsense"])
def test_a_home_is_measured_though_its_file_of_prices_is_not_right(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, there: str
) -> None:
    if there:
        (tmp_path / "p.csv").write_text(there)
    file = tmp_path / "daisee.toml"
    file.write_text('[monitor]\n[[monitor.tariffs]]\nname = "By the hour"\nvalid_from = 2026-01-01\nprices = "p.csv"\n')
    settings = read_settings(file)
    with open_store(settings) as store, caplog.at_level(logging.WARNING):
        assert Monitor(settings, store).rates_on(date(2026, 10, 1)).name == "By the hour"
    assert "its prices are not known" in caplog.text
