"""Where a street's thread leaves what there is to see, and where any number of pages pick it up.

The newest view replaces the one before it, so that a slow reader skips and nothing queues. The chart's past is kept for
a day of the street's time in buckets of a minute, which bounds it whatever the step of the data.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator
from datetime import timedelta
from threading import Lock
from typing import Protocol

from daisee.web.view import ChartPoint, StreetView, chart_point

MIN_INTERVAL_S = 0.2
"""Between two views for the same reader: people see no more, and a browser has a page to draw."""
CHART_KEPT = timedelta(hours=24)
CHART_BUCKET_S = 60
CHART_MAX_POINTS = 24 * 3600 // CHART_BUCKET_S + 1


class StreetFeed(Protocol):
    """Where the page's server gets what it shows."""

    def latest(self) -> StreetView | None:
        """Answer the newest view; None before there is any."""

    def history(self) -> list[ChartPoint]:
        """Answer the chart's last 24 hours of street time, oldest first."""

    def changes(self) -> AsyncIterator[StreetView]:
        """Yield the newest view now and each newer one, a few times a second at most; end with the feed."""


class StreetBoard:
    """A feed that a thread publishes to. All of it may be called from any thread; `changes` from any event loop."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._view: StreetView | None = None
        self._version = 0
        self._closed = False
        self._history: deque[ChartPoint] = deque(maxlen=CHART_MAX_POINTS)
        self._merged = 0
        """How many moments the newest point of the history is the mean of."""
        self._readers: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}

    @property
    def readers(self) -> int:
        """How many are reading right now."""
        with self._lock:
            return len(self._readers)

    def publish(self, view: StreetView) -> None:
        """Show a view from now on, and wake the readers."""
        with self._lock:
            self._view = view
            self._version += 1
            if (point := chart_point(view)) is not None:
                self._remember(point)
            self._wake()

    def close(self) -> None:
        """End what every reader reads, so that their server can stop at once. The newest view stays to be asked for."""
        with self._lock:
            self._closed = True
            self._wake()

    def latest(self) -> StreetView | None:
        """Answer the newest view; None before there is any."""
        with self._lock:
            return self._view

    def history(self) -> list[ChartPoint]:
        """Answer the chart's last 24 hours of street time, oldest first."""
        with self._lock:
            return list(self._history)

    async def changes(self) -> AsyncIterator[StreetView]:
        """Yield the newest view now and each newer one, one in MIN_INTERVAL_S at most; end when closed."""
        changed, seen = asyncio.Event(), 0
        with self._lock:
            self._readers[changed] = asyncio.get_running_loop()
        try:
            while True:
                changed.clear()
                with self._lock:
                    view, version, closed = self._view, self._version, self._closed
                if view is not None and version != seen:
                    seen = version
                    yield view
                    await asyncio.sleep(MIN_INTERVAL_S)
                elif closed:
                    return
                else:
                    await changed.wait()
        finally:
            with self._lock:
                del self._readers[changed]

    def _wake(self) -> None:
        for changed, loop in self._readers.items():
            with contextlib.suppress(RuntimeError):  # a loop that was closed with a reader on it, which is no more
                loop.call_soon_threadsafe(changed.set)

    def _remember(self, point: ChartPoint) -> None:
        """Put a moment into the history, as part of its minute's mean."""
        newest = self._history[-1] if self._history else None
        if newest is not None and point.time < newest.time:
            return  # a street's time goes forward; what does not is no point of the chart
        if newest is not None and _bucket(point) == _bucket(newest):
            self._merged += 1
            self._history[-1] = _blend(newest, point, 1 / self._merged)
            return
        self._merged = 1
        self._history.append(point)
        while self._history[0].time < point.time - CHART_KEPT:
            self._history.popleft()


def _bucket(point: ChartPoint) -> int:
    return int(point.time.timestamp() // CHART_BUCKET_S)


def _blend(mean: ChartPoint, point: ChartPoint, weight: float) -> ChartPoint:
    """Move a mean towards a point by the weight of it; the mean keeps its time."""

    def blended(old_w: float, new_w: float) -> float:
        return old_w + (new_w - old_w) * weight

    return ChartPoint(
        time=mean.time,
        consumed_w=blended(mean.consumed_w, point.consumed_w),
        own_w=blended(mean.own_w, point.own_w),
        neighbours_w=blended(mean.neighbours_w, point.neighbours_w),
        imported_w=blended(mean.imported_w, point.imported_w),
    )
