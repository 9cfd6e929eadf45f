"""The section [monitor] of daisee.toml: which sensors a home has, where it keeps what they say, and who may ask."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import ceil
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from daisee.config import Setting, check_keys, dotted, flag, number, one_of, read_section, text, via, whole
from daisee.errors import ConfigurationError, UsageError
from daisee.model.home import Role
from daisee.monitor.announce import SETTINGS as MQTT
from daisee.monitor.announce import slug
from daisee.monitor.sensors import Kind, Sensor, kind_names, kind_of
from daisee.monitor.store import Meter

FILE = "daisee.toml"


def _zone(written: Any) -> ZoneInfo:
    try:
        return ZoneInfo(text(written))
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError('the name of a time zone, like "Europe/Paris"') from None


def _names(written: Any) -> tuple[str, ...]:
    if not isinstance(written, list | tuple) or not all(isinstance(name, str) for name in written):
        raise ValueError('names in brackets, like ["energy.example"]')
    return tuple(map(text, written))


MONITOR = (
    Setting("home", "", "The home's name; where many homes write to one database, each has its own.", text, "home"),
    Setting(
        "store",
        "",
        "Where it keeps what it measures: a file, or a database, like postgresql://daisee@db.example/daisee. The password "
        "of one is taken from the file that PGPASSFILE names, or from PGPASSWORD.",
        text,
        "daisee.sqlite",
    ),
    Setting("zone", "", "The time zone that its days and bills are of.", _zone, "Europe/Paris"),
    Setting("host", "", "The address that it listens on. Only what is on this machine can reach 127.0.0.1.", text, "127.0.0.1"),
    Setting("port", "", "The port that it listens on.", whole(1, 65_535), 8080),
    Setting("names", "", "Names that it may be asked by, beside this machine's own and any address in numbers.", _names, []),
    Setting("max_gap_s", "s", "Power is not joined across a longer silence.", via(float, number("1", "86400")), 60),
    Setting("most_w", "W", "More power than this is no reading of this home.", via(float, number("1", "100000000")), 1_000_000),
    Setting("keep_raw_days", "days", "Readings are kept so long; slots of a quarter of an hour for ever.", whole(1, 36_500), 90),
    Setting(
        "flush_every_s", "s", "How often it writes to the disk; what is younger is lost when the power goes.", whole(1, 3_600), 60
    ),
    Setting(
        "old_login",
        "",
        "Let clients of the CitizenWatt of 2017 in, which send a password in the body: they send a token there.",
        flag,
        False,
    ),
)
"""The section [monitor]."""

SENSOR = (
    Setting("role", "", "What it measures: grid, production, battery, load (all that is used) or sub-load.", one_of(*Role), None),
    Setting("parts", "", "Where one device has several meters: which part has which role, or false to leave it.", dict, None),
    Setting(
        "invert", "", "Its forward direction is the other one: for a clamp that was put on the wrong way round.", flag, False
    ),
    Setting(
        "scale",
        "",
        "What is measured is multiplied by this, for a meter that sees one of several turns.",
        via(float, number("0.001", "1000")),
        1,
    ),
    Setting(
        "most_w",
        "W",
        "A greater power is refused. Where it is not said: 100 kW, and 50 kW for a sub-load.",
        via(float, number("1", "100000000")),
        None,
    ),
    Setting(
        "silent_after_s",
        "s",
        "It is said to be silent when it has not spoken for so long. Where it is not said: 120, or two and a half times what it "
        "may take to speak.",
        whole(1, 86_400),
        None,
    ),
)
"""What each section [monitor.sensors.NAME] may say, beside what its kind asks for."""
MOST_W = {role: 50_000.0 if role is Role.SUB_LOAD else 100_000.0 for role in Role}
"""A home's connection has up to three phases of 100 A, which are 69 kW; its greatest load, a wallbox, takes up to 43 kW."""
SILENT_AFTER_S, SILENT_AFTER = 120, 2.5
"""Seconds, and how many times it may take that long to speak."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorPlan:
    """One sensor, as it is configured."""

    name: str
    kind: Kind
    settings: Mapping[str, Any]
    """As its kind names them."""
    roles: Mapping[str, Role]
    """The role of each of its parts that is used; the part of a device with one meter is empty."""
    invert: bool
    scale: float
    silent_after_s: int
    most_w: float | None = None
    """A greater power is refused; None for what is usual of its role."""

    def open(self) -> Sensor:
        """Make the sensor; it connects when it is listened to."""
        return self.kind.open(**self.settings)

    @property
    def every_s(self) -> float:
        """Answer how seldom it may speak; zero where nobody knows."""
        return self.kind.every_s(self.settings)

    def most_w_of(self, part: str) -> float:
        """Answer what power one of its parts may have."""
        return self.most_w or MOST_W[self.roles[part]]

    def meter_of(self, part: str) -> str:
        """Answer the name of a part's meter."""
        return f"{self.name}-{part}" if part else self.name

    @property
    def meters(self) -> list[Meter]:
        """List its meters."""
        return [Meter(self.meter_of(part), role, self.kind.name) for part, role in self.roles.items()]


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorSettings:
    """All of a home's monitor."""

    file: Path
    home: str
    store: str
    zone: ZoneInfo
    host: str
    port: int
    names: tuple[str, ...]
    max_gap_s: float
    most_w: float
    keep_raw_days: int
    flush_every_s: int
    old_login: bool
    sensors: tuple[SensorPlan, ...]
    mqtt: Mapping[str, Any] | None
    tariffs: Any
    """As written in [[monitor.tariffs]]; `daisee.monitor.tariffs` reads it."""

    @property
    def meters(self) -> list[Meter]:
        """List the home's meters."""
        return [meter for sensor in self.sensors for meter in sensor.meters]

    @property
    def where(self) -> Path | str:
        """Answer where its store is: a file beside this one, or a database's address."""
        return self.store if "://" in self.store else self.file.parent / self.store


def read_settings(file: Path) -> MonitorSettings:
    """Read a home's file; ConfigurationError, with the key, where it says what cannot be."""
    try:
        written = tomllib.loads(file.read_text("utf-8"), parse_float=Decimal)
    except FileNotFoundError:
        raise UsageError(f"there is no {file}; write one, `daisee monitor example` shows how, or name it with --config") from None
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(file, "", f"this is no TOML: {error}") from error
    section = written.get("monitor")
    if section is None:
        raise ConfigurationError(file, "monitor", "there is no section [monitor]; `daisee monitor example` shows one")
    values = read_section(file, "monitor", section, MONITOR, more=("sensors", "mqtt", "tariffs"))
    sensors = section.get("sensors", {})
    if not isinstance(sensors, dict):
        raise ConfigurationError(file, "monitor.sensors", "expected sections [monitor.sensors.NAME]")
    plans = tuple(_sensor(file, name, each) for name, each in sensors.items())
    mqtt = read_section(file, "monitor.mqtt", section["mqtt"], MQTT) if "mqtt" in section else None
    settings = MonitorSettings(file=file, sensors=plans, mqtt=mqtt, tariffs=section.get("tariffs", []), **values)
    _check_names(file, settings)
    return settings


def _sensor(file: Path, name: str, written: Any) -> SensorPlan:
    key = dotted("monitor.sensors", name)
    if not isinstance(written, dict) or not isinstance(written.get("kind"), str):
        raise ConfigurationError(file, key, f'expected a section with kind = "..."; there are {", ".join(kind_names())}')
    try:
        kind = kind_of(written["kind"])
    except UsageError as error:
        raise ConfigurationError(file, f"{key}.kind", str(error)) from error
    common = read_section(file, key, {name: value for name, value in written.items() if name in _COMMON}, SENSOR)
    check_keys(file, key, written, [*_COMMON, "kind", *(setting.name for setting in kind.settings)])
    own = {name: value for name, value in written.items() if name not in _COMMON and name != "kind"}
    settings = read_section(file, key, own, kind.settings)
    plan = SensorPlan(
        name=name,
        kind=kind,
        settings=settings,
        roles=_roles(file, key, kind, common["role"], common["parts"]),
        invert=common["invert"],
        scale=common["scale"],
        silent_after_s=common["silent_after_s"] or max(SILENT_AFTER_S, ceil(SILENT_AFTER * kind.every_s(settings))),
        most_w=common["most_w"],
    )
    if kind.listens:
        try:
            plan.open()  # it connects with nothing yet, but knows what of its settings does not go together
        except UsageError as error:
            raise ConfigurationError(file, key, str(error)) from error
    return plan


_COMMON = tuple(setting.name for setting in SENSOR)


def _roles(file: Path, key: str, kind: Kind, role: str | None, parts: Mapping[str, Any] | None) -> dict[str, Role]:
    if kind.parts is None and parts is None:
        return {"": Role(role) if role else kind.roles[0]}
    if role is not None:
        told = "a role for each of its meters stands in `parts`, and no other role beside it"
        raise ConfigurationError(file, f"{key}.role", told)
    roles = dict(kind.parts or {})
    for part, given in (parts or {}).items():
        if given is False:
            roles.pop(part, None)
        elif given in tuple(Role):
            roles[part] = Role(given)
        else:
            raise ConfigurationError(file, f"{key}.parts.{part}", f"expected {', '.join(Role)} or false")
    if not roles:
        raise ConfigurationError(file, f"{key}.parts", "expected at least one of its meters, with a role")
    return roles


def _check_names(file: Path, settings: MonitorSettings) -> None:
    names = [meter.name for meter in settings.meters]
    for name in names:
        if names.count(name) > 1:
            raise ConfigurationError(file, dotted("monitor.sensors", name), "two of its meters have this name")
    slugs: dict[str, str] = {}
    for meter in settings.meters:
        other = slugs.setdefault(slug(meter.name), meter.name)
        if settings.mqtt is not None and other != meter.name:
            told = f"by MQTT it has the same name as {other}; give one of them another"
            raise ConfigurationError(file, dotted("monitor.sensors", meter.name), told)
