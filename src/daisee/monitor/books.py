"""Takes what many sensors say into one store, one after the other, in a thread of its own: a slow disk holds up no sensor.

It writes down what waits, lets go of readings that are too old, and counts in what came late. Whoever else uses the store or
the collector holds `lock` meanwhile.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from types import TracebackType

from daisee.errors import StoreError
from daisee.model.readings import Reading, slot_start
from daisee.monitor.collector import Collector
from daisee.monitor.history import History

log = logging.getLogger(__name__)

LOOK_S = 1.0
SETTLE_S = 30.0
"""How long what came late may wait for more of its like, before all is counted anew."""
TIDY_S = 3_600.0
MOST_AT_ONCE = 500


class Books:
    """A store that is written by one thread."""

    def __init__(
        self,
        collector: Collector,
        store: History,
        flush_every_s: float,
        keep_raw_s: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Begin when entered, with `with`; on leaving, all that was taken is written down."""
        self.collector = collector
        self.store = store
        self.lock = threading.RLock()
        self._flush_every_s, self._keep_raw_s = flush_every_s, keep_raw_s
        self._clock = clock
        self._coming: SimpleQueue[tuple[str, Reading]] = SimpleQueue()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="books", daemon=True)
        now_s = clock()
        self._flushed_s, self._settled_s, self._tidied_s = now_s, now_s, 0.0
        self._stuck = False

    def __enter__(self) -> Books:
        """Begin to take."""
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Take and write down what waits, and end."""
        self._stopped.set()
        self._thread.join()
        with self.lock:
            self._guarded(self.collector.settle)
            self.store.flush_or_wait()

    def take(self, meter: str, reading: Reading) -> None:
        """Take what a sensor said, as soon as there is time."""
        self._coming.put((meter, reading))

    def _keep(self) -> None:
        while not (self._stopped.is_set() and self._coming.empty()):
            batch = self._next()
            with self.lock:
                for meter, reading in batch:
                    self._guarded(partial(self.collector.take, meter, [reading]))
                self._guarded(self._look_after)

    def _next(self) -> list[tuple[str, Reading]]:
        """Wait for what comes, and answer all of it."""
        batch: list[tuple[str, Reading]] = []
        with suppress(Empty):
            batch.append(self._coming.get(timeout=LOOK_S))
            while len(batch) < MOST_AT_ONCE:
                batch.append(self._coming.get_nowait())
        return batch

    def _look_after(self) -> None:
        now_s = self._clock()
        if now_s - self._flushed_s >= self._flush_every_s:
            self._flushed_s = now_s
            if self.store.flush_or_wait():
                self._stuck = False
        if self.collector.has_late and now_s - self._settled_s >= SETTLE_S:
            self._settled_s = now_s
            self.collector.settle()
        if now_s - self._tidied_s >= TIDY_S:
            self._tidied_s = now_s
            self.store.drop_readings(slot_start(now_s - self._keep_raw_s))

    def _guarded(self, act: Callable[[], object]) -> None:
        """Act; what fails is told once, and measuring goes on."""
        try:
            act()
        except StoreError as error:
            self._trouble(f"{error}; what is measured waits in memory until then")
        except Exception as error:  # whatever it is: who ends here, measures nothing any more, and nobody sees it
            log.debug("books", exc_info=True)
            self._trouble(f"what was not foreseen: {error!r}; please tell the makers of DAISEE, with what -vv says")

    def _trouble(self, told: str) -> None:
        if not self._stuck:
            log.error("%s", told)
        self._stuck = True
