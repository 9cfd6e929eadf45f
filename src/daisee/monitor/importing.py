"""Takes files of measurements into a home's store: all of what can be, whole or not at all, and each moment once.

A file is read and staged, what a store has already is set against it, and the rest is counted by the same rules as live readings.
Readings that are younger than a home keeps them are kept; of older ones the slots remain. A quarter of an hour that is counted
already, and whose readings are gone, is left as it is: its lines are refused, and told. Nothing else may write to the store
meanwhile.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from pathlib import Path

from daisee.config import near
from daisee.errors import UsageError
from daisee.model.energy import PLAUSIBLE_W
from daisee.model.home import Role
from daisee.monitor.bulk import write
from daisee.monitor.collector import KEEP_RAW_S, MAX_GAP_S
from daisee.monitor.formats import MS, Row, Run
from daisee.monitor.formats.files import opened
from daisee.monitor.merging import Merge, Written
from daisee.monitor.sqlstore import SqlStore
from daisee.monitor.staging import Stage, readings_of, turned, turned_run
from daisee.monitor.store import Meter

AHEAD_S = 300.0
"""How far a file's times may be ahead of this machine's clock."""
MOST_TOLD = 20
"""So many refused lines are told with their numbers; the others are counted."""
REVERSED = ":reverse"

Progress = Callable[[str, float], None]
"""Told what is done, and which share of it, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How files are to be taken."""

    format: str | None = None
    """The format's name; None for the one that fits the header."""
    meter: str | None = None
    """Whose readings they are, where a file has those of one meter."""
    role: Role | None = None
    """Of a meter that the home does not have yet."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Which meter a file's name means: a meter, `meter:reverse` for its other direction, or nothing to leave it out."""
    units: Mapping[str, str] = field(default_factory=dict)
    """Units that a file does not say, by its names; that of all others is at the empty name."""
    zone: tzinfo = UTC
    """Of times that name none."""
    max_gap_s: float = MAX_GAP_S
    most_w: float = PLAUSIBLE_W
    keep_raw_s: float = KEEP_RAW_S
    dry_run: bool = False
    now_s: float | None = None
    """The time of now; None for this machine's clock."""


@dataclass(slots=True)
class Refused:
    """Lines that were not taken."""

    count: int = 0
    first: list[tuple[str, int, str]] = field(default_factory=list)
    """The file, the line, and why, of the first of them."""
    why: Counter[str] = field(default_factory=Counter)

    def add(self, file: str, line: int, why: str, lines: int = 1) -> None:
        """Count lines that are refused for one reason."""
        self.count += lines
        if len(self.why) < 1_000 or why in self.why:
            self.why[why] += lines
        if len(self.first) < MOST_TOLD:
            self.first.append((file, line, why if lines == 1 else f"{why} ({lines} readings)"))


@dataclass(slots=True)
class Outcome:
    """What an import did, or would do."""

    dry_run: bool = False
    formats: dict[str, str] = field(default_factory=dict)
    """The format of each file."""
    units: dict[str, str] = field(default_factory=dict)
    """In what each name was read, where a file has no units."""
    read: int = 0
    """Readings that the files have; a line of several meters has several."""
    doubled: int = 0
    """Of these, those that were there already, in the files or in the store: they count once."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Readings of names that were not asked for."""
    refused: Refused = field(default_factory=Refused)
    meters: dict[str, Written] = field(default_factory=dict)
    """What is new of each meter."""
    consumed_j: int = 0
    """What is new of the home's use."""
    slots: int = 0
    """How many quarters of an hour of the home are counted, or counted anew."""

    @property
    def new(self) -> int:
        """Answer how many readings are new."""
        return sum(written.readings for written in self.meters.values())


def import_files(
    store: SqlStore,
    meters: Iterable[Meter],
    files: Sequence[Path],
    wish: Wish,
    progress: Progress = lambda _what, _share: None,
) -> Outcome:
    """Import files into a home's store; the meters are those of its configuration. UsageError, DataFileError, StoreError."""
    known = {**store.meters, **{meter.name: meter for meter in meters}}
    outcome = Outcome(dry_run=wish.dry_run)
    store.flush()
    reader = _Reader(store, known, wish, outcome)
    for place, file in enumerate(files):
        reader.read(file, lambda share, done=place: progress("read", (done + share) / len(files)))  # type: ignore[misc]
    reader.check_names()
    merge = Merge(store, reader.meters, reader.stage, wish.max_gap_s, wish.most_w)
    outcome.doubled += merge.set_against_store(outcome.refused.add)
    merge.count(lambda share: progress("count", share))
    now_s = wish.now_s if wish.now_s is not None else time.time()
    young_s = now_s - wish.keep_raw_s
    outcome.meters, outcome.consumed_j, outcome.slots = merge.difference(young_s)
    if not wish.dry_run and outcome.new:
        for name in outcome.meters:
            if store.meters.get(name) != reader.meters[name]:
                store.has_meter(reader.meters[name])
        write(store, merge, young_s, lambda share: progress("write", share))
        store.reread()
    return outcome


class _Reader:
    """Reads files into a stage, and finds which meter each name means."""

    def __init__(self, store: SqlStore, known: Mapping[str, Meter], wish: Wish, outcome: Outcome) -> None:
        self.stage = Stage()
        self._store = store
        self._relative = False
        """Whether the counters of the file that is read are sums of its own."""
        self.meters = dict(known)
        self._wish = wish
        self._outcome = outcome
        self._found: dict[str, tuple[str, bool] | None] = {}
        self._strange: list[str] = []
        self._only: str | None = None
        """The one name of the files that has no meter of its own, and is of the meter that was named."""
        for name in [*([wish.meter] if wish.meter else []), *(target.removesuffix(REVERSED) for target in wish.names.values())]:
            if name and name not in self.meters:
                if wish.role is None:
                    told = near(name, self.meters) if self.meters else "it has none yet"
                    raise UsageError(f"the home has no meter {name} ({told}); for a new one, say its role with --role")
                self.meters[name] = Meter(name, wish.role, "import")

    def read(self, file: Path, told: Callable[[float], None]) -> None:
        """Read a file."""
        wish, name = self._wish, file.name
        self.stage.file = name

        def refuse(line: int, why: str) -> None:
            self._outcome.refused.add(name, line, why)

        latest_s = (wish.now_s if wish.now_s is not None else time.time()) + AHEAD_S
        with opened(file, refuse, told, wish.zone, wish.units, wish.format) as (shape, source):
            self._outcome.formats[name] = shape.name
            self._relative, source.reached = shape.relative, self._reached
            for each in shape.read(source):
                if isinstance(each, Run):
                    self._take_run(each, latest_s)
                else:
                    self._take(each, latest_s)
            self._outcome.units |= source.taken_for

    def _take_run(self, run: Run, latest_s: float) -> None:
        target = self._target(run.name)
        plain = max(run.power_w) <= self._wish.most_w and min(run.power_w) >= -self._wish.most_w
        if target is not None and plain and run.at_ms[-1] / 1000 <= latest_s:
            meter, reverse = target
            if self.stage.add_run(meter, turned_run(run) if reverse else run):
                self._outcome.read += len(run.at_ms)
                return
        for line, reading in readings_of(run):
            self._take(Row(line, run.name, reading), latest_s)

    def _take(self, row: Row, latest_s: float) -> None:
        self._outcome.read += 1
        target = self._target(row.name)
        if target is None:
            self._outcome.left_out[row.name] += 1
            return
        meter, reverse = target
        try:
            if row.reading.at_s > latest_s:
                raise ValueError("it is of the future")
            if row.reading.power_w is not None and abs(row.reading.power_w) > self._wish.most_w:
                raise ValueError(f"{row.reading.power_w:.0f} W are more than this home has")
            reading = turned(row.reading) if reverse else row.reading
            if self._relative and (reading.forward_j, reading.reverse_j) != (None, None):
                self.stage.relative.add(meter)
            if row.known is not None:
                self.stage.known[meter, row.known[0]] = row.known[1]
            if not self.stage.add(meter, row.line, reading):
                self._outcome.doubled += 1
        except ValueError as error:
            self._outcome.refused.add(self.stage.file, row.line, str(error))

    def _reached(self, name: str, at_s: float) -> tuple[int, int]:
        """Answer what a meter's counters showed last, in these files or in the store."""
        target = self._target(name)
        if target is None:
            return 0, 0
        meter, reverse = target
        there = (self.stage.last_until(meter, at_s), self._store.last_before(meter, at_s + 1 / MS))
        forward_j = next((each.forward_j for each in there if each and each.forward_j is not None), 0)
        reverse_j = next((each.reverse_j for each in there if each and each.reverse_j is not None), 0)
        return (reverse_j, forward_j) if reverse else (forward_j, reverse_j)

    def _target(self, name: str) -> tuple[str, bool] | None:
        """Answer which meter a name means, and whether its other direction; None where it is left out."""
        if name not in self._found:
            self._found[name] = self._find(name)
        return self._found[name]

    def _find(self, name: str) -> tuple[str, bool] | None:
        wish = self._wish
        if name in wish.names:
            target = wish.names[name]
            return (target.removesuffix(REVERSED), target.endswith(REVERSED)) if target else None
        if wish.meter is not None and (name == "" or self._only is None):
            self._only = name or self._only
            return wish.meter, False
        if name in self.meters:
            return name, False
        if name == "" and len(self.meters) == 1:
            return next(iter(self.meters)), False
        self._strange.append(name)
        return None

    def check_names(self) -> None:
        """Refuse files whose names mean no meter: whoever imports says which they are."""
        if not self._strange:
            return
        known = ", ".join(self.meters) or "none yet"
        if self._strange == [""]:
            raise UsageError(f"the file does not say which meter it is of; name it with --meter (the home has {known})")
        names = ", ".join(self._strange[:20]) + (" and more" if len(self._strange) > 20 else "")
        told = f"the file has {names}, which the home does not (it has {known})"
        raise UsageError(f"{told}; say --as NAME=METER for each, or --as NAME= to leave it out")
