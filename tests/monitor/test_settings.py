"""A home's daisee.toml: what may stand there, and what is said of what may not."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from daisee.cli import daisee
from daisee.errors import ConfigurationError, UsageError
from daisee.model.home import Role
from daisee.monitor.sensors import kinds
from daisee.monitor.settings import MonitorSettings, read_settings

LISTENED_TO = [name for name, kind in kinds().items() if kind.listens]


def home(tmp_path: Path, text: str) -> MonitorSettings:
    file = tmp_path / "daisee.toml"
    file.write_text(text)
    return read_settings(file)


def of(tmp_path: Path, sensor: str) -> MonitorSettings:
    return home(tmp_path, f"[monitor]\n[monitor.sensors.x]\n{sensor}")


@pytest.mark.parametrize("name", kinds())
def test_every_kind_s_example_can_be_read_and_opened(name: str, tmp_path: Path) -> None:
    (plan,) = of(tmp_path, kinds()[name].example).sensors
    assert plan.kind.name == name
    if plan.kind.listens:
        assert hasattr(plan.open(), "readings")


@pytest.mark.parametrize("name", kinds())
def test_every_setting_s_default_is_one_that_may_be_written(name: str, tmp_path: Path) -> None:
    text = CliRunner().invoke(daisee, ["monitor", "example", name, "--all-settings"]).output
    assert "nan" not in text
    # All that is offered as a comment, taken as it stands.
    kind = kinds()[name]
    section = text[text.index(f"[monitor.sensors.{name}]") :]
    lines = [line.removeprefix("# ") for line in section.splitlines()[1:]]
    given = [line for line in lines if " = " in line and line.partition(" = ")[0].isidentifier()]
    known = {setting.name for setting in kind.settings} | {"role", "parts", "invert", "scale", "most_w", "silent_after_s", "kind"}
    assert {line.partition(" = ")[0] for line in given} <= known
    tomllib.loads("\n".join(given))
    of(tmp_path, "\n".join(given))


def test_the_example_is_a_home_that_can_be_read(tmp_path: Path) -> None:
    text = CliRunner().invoke(daisee, ["monitor", "example", "p1", "shelly", "shelly"]).output
    assert [meter.name for meter in home(tmp_path, text).meters] == ["p1", "shelly-2", "shelly-3"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[monitr]", "there is no section \\[monitor\\]"),
        ("[monitor]\nzon = 1", "did you mean zone"),
        ('[monitor]\nzone = "Mars"', "time zone"),
        ("[monitor]\nport = 0", "1 to 65535"),
        ("[monitor]\nmax_gap_s = 0", "monitor.max_gap_s"),
        ("[monitor]\nsensors = 3", "expected sections"),
        ("[monitor.sensors.x]\nrole = 'grid'", 'kind = "..."'),
        ("[monitor.sensors.x]\nkind = 'shely'", "did you mean shelly"),
        ("[monitor.sensors.x]\nkind = 'p1'", "address: is missing"),
        ("[monitor.sensors.x]\nkind = 'p1'\naddress = 3", "monitor.sensors.x.address"),
        ("[monitor.sensors.x]\nkind = 'p1'\naddress = '/dev/x'\nrole = 'gird'", '"grid" or'),
        ("[monitor.sensors.x]\nkind = 'p1'\naddress = '/dev/x'\npol = 1", "there is no such key"),
        ("[monitor.sensors.x]\nkind='sunspec'\nhost='h'\nparts={inverter='sun'}", "parts.inverter"),
        ("[monitor.sensors.x]\nkind='sunspec'\nhost='h'\nparts={inverter='production'}\nrole='grid'", "no other role beside"),
        ("[monitor.mqtt]\nhst = 1", "did you mean host"),
        ("x = ", "no TOML"),
    ],
)
def test_what_cannot_be_is_said_with_its_place(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=words):
        home(tmp_path, text)


def test_two_meters_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="two of its meters"):
        home(
            tmp_path,
            "[monitor.sensors.x]\nkind='sunspec'\nhost='h'\nparts={a='grid'}\n[monitor.sensors.x-a]\nkind='p1'\naddress='/dev/x'",
        )


def test_no_file_is_said_with_the_command_that_shows_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="daisee monitor example"):
        read_settings(tmp_path / "none.toml")


def test_a_device_of_several_meters_has_those_that_are_given_a_role(tmp_path: Path) -> None:
    settings = of(tmp_path, "kind='sunspec'\nhost='h'\nparts={inverter='production', meter='grid', battery=false}")
    assert {meter.name: meter.role for meter in settings.meters} == {"x-inverter": Role.PRODUCTION, "x-meter": Role.GRID}


def test_settings_that_do_not_go_together_are_said_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"monitor\.sensors\.x: the preset tasmota needs device"):
        of(tmp_path, 'kind = "mqtt"\npreset = "tasmota"')


def test_two_meters_of_one_name_by_mqtt_are_refused_where_it_is_told(tmp_path: Path) -> None:
    meters = "".join(f'[monitor.sensors."{name}"]\nkind = "push"\nrole = "sub-load"\n' for name in ("heat pump", "heat-pump"))
    assert len(home(tmp_path, "[monitor]\n" + meters).sensors) == 2
    with pytest.raises(ConfigurationError, match="by MQTT it has the same name as heat pump"):
        home(tmp_path, "[monitor]\n[monitor.mqtt]\n" + meters)


@pytest.mark.parametrize(
    ("sensor", "silent_after_s"),
    [
        ("kind='p1'\naddress='/dev/x'", 120),
        ("kind='shelly'\naddress='h'", 120),
        ("kind='shelly'\naddress='h'\npoll_s=600", 1_500),
        ("kind='mqtt'\npreset='tasmota'\ndevice='x'", 750),
        ("kind='mqtt'\npreset='shelly-gen2'\ndevice='x'", 150),
        ("kind='mqtt'\npreset='tasmota'\ndevice='x'\nsilent_after_s=30", 30),
    ],
)
def test_what_speaks_seldom_is_called_silent_late(sensor: str, silent_after_s: int, tmp_path: Path) -> None:
    (plan,) = of(tmp_path, sensor).sensors
    assert plan.silent_after_s == silent_after_s


def test_the_greatest_power_is_by_the_role_or_as_it_is_said(tmp_path: Path) -> None:
    (hybrid,) = of(tmp_path, "kind='sunspec'\nhost='h'\nparts={inverter='production', meter='sub-load'}").sensors
    assert [hybrid.most_w_of(part) for part in hybrid.roles] == [100_000.0, 50_000.0]
    (plug,) = of(tmp_path, "kind='shelly'\naddress='h'\nrole='sub-load'\nmost_w=3680").sensors
    assert plug.most_w_of("") == 3_680.0
