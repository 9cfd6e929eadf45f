"""The meters of a home. One file each, and an entry point in the group `daisee.sensors`, so that others can add theirs.

What a device sends is material from outside: a decoder answers readings or refuses with a ValueError that says what was odd;
it never believes a frame halfway.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, Protocol, runtime_checkable

from daisee.config import Setting, near
from daisee.errors import UsageError
from daisee.model.home import Role
from daisee.model.readings import Reading

GROUP = "daisee.sensors"

Refuse = Callable[[str], None]
"""Told why a frame was not taken; listening goes on. The first of many alike is logged, all are counted."""


class Sensor(Protocol):
    """A device that measures, while it is listened to."""

    def readings(self, refuse: Refuse) -> AsyncIterator[Reading]:
        """Listen, and answer each reading as it comes, until the device is gone: SensorError, and then it is tried again.

        It waits for the device without holding up anything else: what blocks runs in a thread. Leaving it closes what is open.
        """
        ...


@runtime_checkable
class Remembering(Protocol):
    """A sensor whose device remembers what it measured while nobody listened."""

    def heard_before(self, at_s: float) -> None:
        """Take note of when it was heard last, by an earlier run."""
        ...


class House(Protocol):
    """A home that does not exist, for devices that do not exist: what they would measure at this moment."""

    def at(self, now_s: float) -> Reading:
        """Answer power (positive for use), both counters, state of charge and voltage at a moment."""
        ...


Simulate = Callable[[House, str | None, Callable[[Mapping[str, Any]], None]], Awaitable[None]]
"""Be the device, until cancelled: `await simulate(house, where, ready)`.

`where` is a port, a path or an address of the kind that the device has, None for any that is free, on this machine alone;
`ready` is told the settings by which the sensor finds it.
"""


def _polled_every_s(settings: Mapping[str, Any]) -> float:
    return float(settings.get("poll_s", 0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A make of sensor, as the configuration names it."""

    name: str
    """As in `kind = "p1"`."""
    title: str
    """What people call it."""
    needs: str
    """The wires, addresses and rights that it needs, in a sentence."""
    settings: tuple[Setting, ...]
    """What the section of such a sensor may say, beside `kind` and `role`."""
    open: Callable[..., Sensor]
    """Make one; it takes the settings by their names, and connects when it is listened to."""
    roles: tuple[Role, ...] = tuple(Role)
    """What it can measure; the first is meant where nothing is said."""
    parts: Mapping[str, Role] | None = None
    """Where one device has several meters: each part's usual role."""
    listens: bool = True
    """Whether it is listened to; else it tells us by itself."""
    every_s: Callable[[Mapping[str, Any]], float] = _polled_every_s
    """How seldom it may speak while all is well, by its settings; zero where nobody knows."""
    simulate: Simulate | None = None
    """Be such a device."""
    example: str = ""
    """The lines of a working example in the configuration."""


class Polled(Protocol):
    """A sensor that is asked, and answers at once: a replay, whose clock is not this machine's."""

    def read(self) -> Sequence[Reading]:
        """Answer what was measured since the last call, in order of time, and empty where nothing was."""
        ...


def kind_names() -> list[str]:
    """List the kinds of sensors that are installed, without loading any: each brings libraries of its own."""
    return sorted({entry.name for entry in entry_points(group=GROUP)})


def kinds() -> dict[str, Kind]:
    """Map the kinds of sensors that are installed by their names."""
    return {name: kind_of(name) for name in kind_names()}


def kind_of(name: str) -> Kind:
    """Load a kind of sensor; UsageError where there is none, with the one that may have been meant."""
    for entry in entry_points(group=GROUP, name=name):
        kind: Kind = entry.load()
        return kind
    raise UsageError(f"there is no kind of sensor {name}; {near(name, kind_names())}")
