"""Takes what many sensors say into the store of a home, or of many homes, one after the other, in a thread of its own: a slow
disk holds up no sensor.

It writes down what waits, lets go of readings that are too old, and counts in what came late. Whoever else uses a store or
a collector of it holds `lock` meanwhile.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
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
RESTED = 10
"""After counting anew, it is not done again for so many times as long as it took."""
TIDY_S = 3_600.0
MOST_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Kept:
    """A home of which books are kept."""

    collector: Collector
    store: History
    keep_raw_s: float


class Books:
    """Stores that are written by one thread."""

    def __init__(self, flush: Callable[[], bool], flush_every_s: float, clock: Callable[[], float] = time.time) -> None:
        """Begin when entered, with `with`; on leaving, all that was taken is written down.

        `flush` writes down what waits, or says why it cannot; it tells whether it went well.
        """
        self.lock = threading.RLock()
        self._homes: list[Kept] = []
        self._flush, self._flush_every_s = flush, flush_every_s
        self._clock = clock
        self._coming: SimpleQueue[tuple[Collector, str, Reading]] = SimpleQueue()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="books", daemon=True)
        now_s = clock()
        self._flushed_s, self._settled_s, self._tidied_s = now_s, now_s, 0.0
        self._stuck = False

    def keep(self, collector: Collector, store: History, keep_raw_s: float) -> Callable[[str, Reading], None]:
        """Keep a home's books too; answer what takes a reading of one of its meters, as soon as there is time."""
        self._homes.append(Kept(collector, store, keep_raw_s))
        return lambda meter, reading: self._coming.put((collector, meter, reading))

    def __enter__(self) -> Books:
        """Begin to take."""
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Take and write down what waits, and end."""
        self._stopped.set()
        self._thread.join()
        with self.lock:
            self._settle()
            self._flush()

    def _keep(self) -> None:
        while not (self._stopped.is_set() and self._coming.empty()):
            batch = self._next()
            with self.lock:
                for collector, meter, reading in batch:
                    self._guarded(partial(collector.take, meter, [reading]))
                self._look_after()

    def _next(self) -> list[tuple[Collector, str, Reading]]:
        """Wait for what comes, and answer all of it."""
        batch: list[tuple[Collector, str, Reading]] = []
        with suppress(Empty):
            batch.append(self._coming.get(timeout=LOOK_S))
            while len(batch) < MOST_AT_ONCE:
                batch.append(self._coming.get_nowait())
        return batch

    def _look_after(self) -> None:
        now_s = self._clock()
        if now_s - self._flushed_s >= self._flush_every_s:
            self._flushed_s = now_s
            if self._flush():
                self._stuck = False
        if now_s - self._settled_s >= SETTLE_S and any(home.collector.has_late for home in self._homes):
            began_s = time.perf_counter()
            for home in self._homes:
                self._guarded(home.collector.settle_some)
            # Others want the lock, and a small computer has more to do: what is left of it waits for its turn.
            self._settled_s = now_s + RESTED * (time.perf_counter() - began_s) - SETTLE_S
            if not any(home.collector.has_late for home in self._homes):
                self._settled_s += SETTLE_S
        if now_s - self._tidied_s >= TIDY_S:
            self._tidied_s = now_s
            for home in self._homes:
                self._guarded(partial(home.store.drop_readings, slot_start(now_s - home.keep_raw_s)))

    def _settle(self) -> None:
        for home in self._homes:
            self._guarded(home.collector.settle)

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
