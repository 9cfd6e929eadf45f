"""Takes the readings of a home's sensor, keeps them, and turns them into energy in slots. Live power comes from memory."""

from __future__ import annotations

from daisee.model.energy import Integrator
from daisee.model.readings import Reading, Span, cut, slot_borders, slot_start
from daisee.monitor.sensors import Sensor
from daisee.monitor.store import Store


class Collector:
    """One home's readings on their way to its store."""

    def __init__(self, sensor: Sensor, store: Store, max_gap_s: float = 60.0) -> None:
        self._sensor = sensor
        self._store = store
        self._integrator = Integrator(max_gap_s)
        self.latest: Reading | None = None
        """The newest reading, for live power."""
        self._began_s: float | None = None

    @property
    def out_of_order(self) -> int:
        """Readings that came too late to be energy; they are kept among the raw ones."""
        return self._integrator.out_of_order

    @property
    def whole_slots_until_s(self) -> int:
        """Answer up to when slots are whole: none of them will grow again. Zero while none is."""
        if self.latest is None or self._began_s is None or slot_start(self.latest.at_s) <= self._began_s:
            return 0
        return slot_start(self.latest.at_s)

    def collect(self) -> list[Span]:
        """Fetch what the sensor has; answer the energy that it was, cut at slot borders and already stored."""
        spans: list[Span] = []
        for reading in self._sensor.read():
            self._store.add_reading(reading)
            span = self._integrator.add(reading)
            if self.latest is None or reading.at_s > self.latest.at_s:
                self.latest = reading
            if span is not None:
                spans.extend(cut(span, slot_borders(span.start_s, span.end_s)))
        for span in spans:
            self._began_s = span.start_s if self._began_s is None else self._began_s
            self._store.add_span(span)
        return spans
