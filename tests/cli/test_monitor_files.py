"""`daisee monitor import`, `export` and `correct`, as people type them."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from daisee.cli import daisee
from daisee.errors import UsageError

START_S = int(time.time()) // 900 * 900 - 7 * 86_400

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    config = tmp_path / "daisee.toml"
    config.write_text('[monitor]\nzone = "UTC"\n[monitor.sensors.meter]\nkind = "push"\nrole = "grid"\n')

    def run(command: str, *arguments: object) -> Result:
        words = ["monitor", command, *map(str, arguments), "--config", str(config)]
        found = CliRunner().invoke(daisee, words, catch_exceptions=False, standalone_mode=False)
        assert found.exception is None
        return found

    return run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.csv"
    path.write_text("timestamp,power_w\n" + "".join(f"{START_S + 10 * step},360\n" for step in range(361)) + "soon,5\n")
    return path


def told(result: Result) -> Any:
    return json.loads(result.output)


def test_a_file_is_looked_at_taken_and_taken_again(run: Run, file: Path) -> None:
    dry = run("import", file, "--dry-run")
    assert "361 would be new" in dry.output
    assert "nothing was written" in dry.output
    assert "a.csv, line 363: soon is no time" in dry.output
    done = told(run("import", file, "--json"))
    assert (done["new"], done["refused"], done["consumed_j"]) == (361, 1, 1_296_000)
    again = run("import", file)
    assert "0 are new, 361 were there already" in again.output
    assert again.return_value == 0


def test_units_that_a_file_does_not_have_are_told(run: Run, tmp_path: Path) -> None:
    path, start = tmp_path / "ha.csv", time.strftime("%Y-%m-%dT%H", time.gmtime(START_S))
    path.write_text("entity_id,state,last_changed\n" + "".join(f"sensor.x_power,5,{start}:0{n}:00Z\n" for n in range(3)))
    dry = run("import", path, "--meter", "meter", "--dry-run")
    assert "sensor.x_power is read in W; if that is wrong, say --unit sensor.x_power=UNIT" in dry.output
    asked = told(run("import", path, "--meter", "meter", "--unit", "kW", "--json"))
    assert asked["units"] == {"sensor.x_power": "kW"}
    assert asked["consumed_j"] == 5_000 * 120


def test_where_nothing_can_be_taken_the_exit_code_says_so(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "b.csv"
    path.write_text("timestamp,power_w\nsoon,5\n")
    assert run("import", path).return_value == 1


def test_wrong_words_are_refused_with_the_right_ones(run: Run, file: Path) -> None:
    for arguments, why in (
        (["--as", "meter"], "NAME=METER"),
        (["--unit", "x=horses"], "there are W"),
        (["--meter", "metre"], "did you mean meter"),
        (["--format", "slots"], "not those of slots"),
    ):
        with pytest.raises(UsageError, match=why):
            run("import", file, *arguments)


def test_what_is_exported_is_imported_again(run: Run, file: Path, tmp_path: Path) -> None:
    run("import", file)
    for what, rows in (("meters", 4), ("home", 4), ("readings", 361)):
        path = tmp_path / f"{what}.csv.gz"
        assert f"{rows} rows would be" in run("export", path, "--what", what, "--dry-run").output
        assert not path.exists()
        assert told(run("export", path, "--what", what, "--json"))["rows"] == rows
    again = told(run("import", tmp_path / "readings.csv.gz", "--json"))
    assert (again["new"], again["doubled"]) == (0, 361)
    shown = run("export", "--what", "meters").output.splitlines()
    assert shown[0].startswith("slot_start,meter,slot_forward_j")
    assert len(shown) == 5
    with pytest.raises(UsageError, match="of no single meter"):
        run("export", "--what", "home", "--meter", "meter")
    assert told(run("export", tmp_path / "a.parquet", "--json"))["rows"] == 4


def test_a_slot_is_amended_and_the_list_says_so(run: Run, file: Path) -> None:
    run("import", file)
    slot = time.strftime("%Y-%m-%d %H:%M", time.gmtime(START_S + 900))
    assert run("correct").output == "nothing was amended\n"
    dry = run("correct", "meter", slot, "--forward-kwh", "0.5", "--reason", "a slipped clamp", "--dry-run")
    assert "would change forward 0.090 to 0.500 kWh" in dry.output
    made = told(run("correct", "meter", slot, "--forward-kwh", "0.5", "--reason", "a slipped clamp", "--json"))
    assert (made["forward_j_before"], made["forward_j"], made["consumed_j"]) == (324_000, 1_800_000, 1_800_000)
    assert "0.090 to 0.500" in run("correct").output
    assert told(run("correct", "meter", "--json"))[0]["reason"] == "a slipped clamp"
    for arguments, why in (
        (["meter", "soon", "--forward-kwh", "1"], "no time"),
        (["meter", slot[:-1] + "1", "--forward-kwh", "1"], "not the beginning"),
        (["--reason", "because"], "which meter"),
        (["meter", slot, "--forward-kwh", "1"], "has a reason"),
    ):
        with pytest.raises(UsageError, match=why):
            run("correct", *arguments)
