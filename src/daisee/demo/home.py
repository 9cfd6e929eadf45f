"""The stand-ins of one home: a relay board in memory, and a sensor that replays measured rows through a battery that is not
there. Everything that looks at them is the real thing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from daisee.demo.data import Row
from daisee.model.battery import BatteryState
from daisee.model.readings import Reading
from daisee.model.source import OWN, Source
from daisee.monitor.sensors.replay import MeasuredRow, means
from daisee.relay.board import VirtualBoard


class WiredBoard(VirtualBoard):
    """A board whose contacts lead somewhere: it knows which source fed the load at each moment of late."""

    def __init__(self, wiring: dict[Source, int], clock: Callable[[], float]) -> None:
        super().__init__(len(wiring))
        self._wiring = wiring
        self._clock = clock
        self._fed: list[tuple[float, Source | None]] = [(0.0, None)]

    def set_closed(self, channel: int, closed: bool) -> None:
        """Move a contact, and note what feeds the load from now on."""
        super().set_closed(channel, closed)
        feeding = [source for source, wired in self._wiring.items() if self.is_closed(wired)]
        self._fed.append((self._clock(), feeding[0] if feeding else None))

    def fed(self, start_s: float, end_s: float) -> list[tuple[Source | None, float]]:
        """List what fed the load between two moments, and for how many seconds each. Earlier moments are forgotten."""
        stretches = []
        for (from_s, source), (to_s, _) in zip(self._fed, [*self._fed[1:], (end_s, None)], strict=True):
            seconds = min(to_s, end_s) - max(from_s, start_s)
            if seconds > 0:
                stretches.append((source, seconds))
        begun = [index for index, (at_s, _) in enumerate(self._fed) if at_s <= end_s]
        self._fed = self._fed[begun[-1] :]
        return stretches


class BatterySensor:
    """Replays the load and the sun of an islanded home, and lets its battery, its relay and its darkness be what follows.

    The battery takes what the sun gives. It feeds the load while the relay has the home's own source closed; what it cannot
    feed then stays dark and is not measured. Beside it runs the same battery in a home without neighbours, whose supplier
    gives what the battery cannot: the measure of what the street is worth.
    """

    def __init__(
        self,
        rows: Iterable[MeasuredRow],
        step_s: int,
        clock: Callable[[], float],
        board: WiredBoard,
        battery: BatteryState,
    ) -> None:
        self._rows = iter(rows)
        self._step_s = step_s
        self._clock = clock
        self._board = board
        self._next = next(self._rows, None)
        self.battery = battery
        self.alone = BatteryState(battery.kind, battery.state_of_charge)
        self.alone_imported_j = 0.0
        """What a supplier would have given to the home without neighbours."""
        self.unserved_j = 0.0
        """What the home would have used, had it not been dark."""
        self.dark = False
        """Whether a part of the latest step was."""

    def read(self) -> Sequence[Reading]:
        """Answer the rows whose step has ended since the last call, as this home's meter would have seen them."""
        readings: list[Reading] = []
        while self._next is not None and self._next.at_s + self._step_s <= self._clock():
            readings += self._live_through(self._next)
            self._next = next(self._rows, None)
        return readings

    def _live_through(self, row: MeasuredRow) -> list[Reading]:
        dark_j = 0.0
        for source, seconds in self._board.fed(row.at_s, row.at_s + self._step_s):
            load_j, production_j = row.consumption_w * seconds, row.production_w * seconds
            if source == OWN:
                dark_j += self.battery.serve(load_j, production_j, seconds)
            else:
                self.battery.serve(0.0, production_j, seconds)
                dark_j += load_j if source is None else 0.0
        self.alone_imported_j += self.alone.serve(row.consumption_w * self._step_s, row.production_w * self._step_s, self._step_s)
        self.unserved_j += dark_j
        self.dark = dark_j > 0
        served_w = max(0.0, row.consumption_w - dark_j / self._step_s)
        seen = Row(row.at_s, served_w, row.production_w, self.battery.state_of_charge)
        return means(row.at_s + self._step_s, self._step_s, seen)
