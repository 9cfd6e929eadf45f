"""A street lived for real: measured rows in, real contracts, and a report whose every sum is checked against the rows."""

import csv
import json
import math
from pathlib import Path
from typing import Any

import pytest

from daisee.cli import main
from daisee.demo.laws import check_laws
from daisee.units import BASE_UNITS_PER_COIN

T0 = 1_748_736_000
STEP_S = 300
HOURS = 8
STREET = """
[street]
name = "Three homes"

[supplier]
import_price_per_kwh = 0.30
export_price_per_kwh = 0.05
currency = "EUR"

[homes.A]
kind = "islanded"
grid = false
opening_coins = 10
buys_up_to_per_kwh = 0.30

[homes.A.battery]
product = "Tesla Powerwall 2"
source = "its data sheet"
capacity_kwh = 13.5
round_trip_efficiency = 0.90
max_charge_w = 5000
max_discharge_w = 5000
opening_soc = 0.35

[homes.B]
opening_coins = 1
sells_at_per_kwh = 0.18

[homes.C]
opening_coins = 2
buys_up_to_per_kwh = 0.25
"""


def measured() -> list[dict[str, Any]]:
    """A uses much, B makes much, C uses some; C is silent for an hour."""
    rows = []
    for step in range(HOURS * 3600 // STEP_S):
        at = f"2025-06-01T{step * STEP_S // 3600:02}:{step * STEP_S // 60 % 60:02}:00Z"
        wave = math.sin(step / 7)
        rows.append({"timestamp": at, "home": "A", "consumption_w": round(900 + 300 * wave, 1), "production_w": 50})
        rows.append({"timestamp": at, "home": "B", "consumption_w": 300.5, "production_w": round(3000 + 500 * wave, 1)})
        if not 40 <= step < 52:
            rows.append({"timestamp": at, "home": "C", "consumption_w": 450 + step, "production_w": 0})
    return rows


def live(folder: Path, *options: str) -> dict[str, Any]:
    data, street, report = folder / "homes.csv", folder / "street.toml", folder / "report.json"
    with data.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["timestamp", "home", "consumption_w", "production_w"])
        writer.writeheader()
        writer.writerows(measured())
    street.write_text(STREET)
    with pytest.raises(SystemExit) as ended:
        main(["demo", "--headless", "--data", str(data), "--street", str(street), "--report", str(report), *options])
    assert ended.value.code == 0
    answer: dict[str, Any] = json.loads(report.read_text())
    return answer


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return live(tmp_path_factory.mktemp("street"))


@pytest.fixture
def homes(lived: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {home["home"]: home for home in lived["homes"]}


def test_every_law_is_kept_and_the_street_has_traded(lived: dict[str, Any], homes: dict[str, dict[str, Any]]) -> None:
    assert len(lived["laws"]) == 6
    assert all(lived["laws"].values()), lived["laws"]
    assert homes["A"]["purchases"] > 0
    assert homes["A"]["switches"] > 0
    assert homes["C"]["purchases"] > 0
    assert homes["B"]["sold_j"] == homes["A"]["bought_j"] + homes["C"]["bought_j"] > 0


@pytest.mark.parametrize("name", ["A", "B", "C"])
def test_what_was_used_and_made_is_what_the_rows_say(homes: dict[str, dict[str, Any]], name: str) -> None:
    rows = [row for row in measured() if row["home"] == name]
    home = homes[name]
    assert home["consumed_j"] == pytest.approx(sum(row["consumption_w"] for row in rows) * STEP_S, abs=1)
    assert home["produced_j"] == pytest.approx(sum(row["production_w"] for row in rows) * STEP_S, abs=1)
    assert home["covered_s"] == len(rows) * STEP_S
    assert home["unserved_j"] == 0


def test_the_parts_add_up_for_each_home(homes: dict[str, dict[str, Any]]) -> None:
    for home in homes.values():
        assert home["own_j"] + home["drawn_j"] + home["imported_j"] == home["consumed_j"]
        assert home["bought_j"] - home["drawn_j"] == home["credit_j"] - home["unpaid_j"]
        paid, earned = int(home["paid_coins"]), int(home["earned_coins"])
        assert int(home["opening_coins"]) - paid + earned == int(home["balance_coins"])
    assert homes["A"]["imported_j"] == 0, "there is no grid at A"
    assert homes["B"]["own_j"] + homes["B"]["exported_j"] == homes["B"]["produced_j"]
    assert homes["B"]["delivered_j"] == homes["A"]["drawn_j"] + homes["C"]["drawn_j"]


def test_money_on_the_ledger_is_the_price_of_what_was_bought(homes: dict[str, dict[str, Any]]) -> None:
    for home in homes.values():
        exact = home["bought_j"] * 18 * BASE_UNITS_PER_COIN // 100 / 3_600_000
        assert int(home["paid_coins"]) == pytest.approx(exact, abs=max(1, home["purchases"]))


def test_the_costs_are_what_the_supplier_and_the_neighbours_were_paid(homes: dict[str, dict[str, Any]]) -> None:
    def kwh(energy_j: int) -> float:
        return energy_j / 3_600_000

    c = homes["C"]
    assert float(c["cost_without"]) == pytest.approx(0.30 * kwh(c["consumed_j"]), abs=0.006)
    with_street = 0.30 * kwh(c["imported_j"]) + int(c["paid_coins"]) / BASE_UNITS_PER_COIN
    assert float(c["cost_with"]) == pytest.approx(with_street, abs=0.006)
    b = homes["B"]
    assert float(b["cost_without"]) == pytest.approx(-0.05 * kwh(b["exported_j"]), abs=0.006)
    assert float(b["cost_with"]) < float(b["cost_without"]), "selling to neighbours pays better than the supplier"


def test_the_street_reports_what_it_replayed(lived: dict[str, Any]) -> None:
    data = lived["data"]
    assert (data["from"], data["to"]) == ("2025-06-01T00:00:00Z", "2025-06-01T08:00:00Z")
    assert (data["step_s"], data["homes"], data["rows"]) == (STEP_S, 3, len(measured()))
    assert data["gaps"] > 0
    assert lived["seconds"]["simulated"] == HOURS * 3600
    shared_j = sum(home["drawn_j"] for home in lived["homes"])
    own_j = sum(home["own_j"] for home in lived["homes"])
    consumed_j = sum(home["consumed_j"] for home in lived["homes"])
    assert lived["street"]["shared_j"] == shared_j
    assert lived["street"]["self_sufficiency"] == round((own_j + shared_j) / consumed_j, 4)
    left_j = sum(home["exported_j"] for home in lived["homes"]) - shared_j
    produced_j = sum(home["produced_j"] for home in lived["homes"])
    assert lived["street"]["self_consumption"] == round(1 - left_j / produced_j, 4)
    assert data["lived_to"] == data["to"]
    assert lived["ledger"]["supply"] == lived["ledger"]["sum_of_balances"] == str(13 * BASE_UNITS_PER_COIN)


def without_chance(report: dict[str, Any], *, addresses: bool) -> dict[str, Any]:
    """A report less what may differ between two runs."""
    kept: dict[str, Any] = json.loads(json.dumps(report))
    del kept["seconds"]["wall"], kept["data"]["file"]
    if not addresses:
        del kept["ledger"]["coin"], kept["ledger"]["exchange"]
        for home in kept["homes"]:
            del home["address"]
    return kept


def test_two_runs_differ_in_addresses_and_wall_time_alone(lived: dict[str, Any], tmp_path: Path) -> None:
    again = live(tmp_path)
    assert again["homes"][0]["address"] != lived["homes"][0]["address"]
    assert without_chance(again, addresses=False) == without_chance(lived, addresses=False)


def test_a_seed_repeats_the_addresses_too(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one, two = live(tmp_path / "one", "--seed", "7", "--days", "0.1"), live(tmp_path / "two", "--seed", "7", "--days", "0.1")
    assert without_chance(one, addresses=True) == without_chance(two, addresses=True)


def test_a_broken_law_is_told_and_is_exit_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def with_one_broken(*books: Any) -> dict[str, bool]:
        return check_laws(*books) | {"ledger_is_store": False}

    monkeypatch.setattr("daisee.demo.report.check_laws", with_one_broken)
    with pytest.raises(AssertionError):
        live(tmp_path, "--days", "0.05")
    told = capsys.readouterr()
    assert "broken: ledger_is_store" in told.err
    assert json.loads((tmp_path / "report.json").read_text())["laws"]["ledger_is_store"] is False


def test_the_stores_are_kept_where_they_are_wanted_and_not_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    live(tmp_path, "--folder", str(tmp_path / "stores"), "--days", "0.05", "--seed", "1")
    assert len(list((tmp_path / "stores").glob("*.sqlite"))) == 3
    with pytest.raises(AssertionError):
        live(tmp_path, "--folder", str(tmp_path / "stores"), "--days", "0.05", "--seed", "1")
    assert "choose an empty folder" in capsys.readouterr().err
