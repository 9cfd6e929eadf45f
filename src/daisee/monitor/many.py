"""Many homes that write to one database: a community's meters, heard in one place. What waits of all of them goes down in one
transaction, in few statements, so that a thousand homes are a light load.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

from daisee.errors import StoreError
from daisee.monitor.books import Books
from daisee.monitor.database import Database
from daisee.monitor.history import History
from daisee.monitor.rows import write_all
from daisee.monitor.running import Monitor
from daisee.monitor.settings import MonitorSettings

log = logging.getLogger(__name__)

AT_ONCE = 200
"""Homes that are written in one transaction: a failed one has to be tried again whole."""


class ManyHomes:
    """The homes of a community, in one database and with books in common."""

    def __init__(
        self,
        database: Database,
        homes: Iterable[MonitorSettings],
        flush_every_s: float = 60.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Open each home, to be its writer; the database stays somebody else's to close."""
        self._database = database
        self._stuck = False
        self.books = Books(self.flush, flush_every_s, clock)
        self.monitors: dict[str, Monitor] = {}
        """By the home's name."""
        for settings in homes:
            store = History(database, settings.home, flush_every_s=float("inf"))
            store.hold()
            self.monitors[settings.home] = Monitor(settings, store, clock, self.books)

    def flush(self) -> bool:
        """Write down what waits of all homes; where that fails, it waits on, and that is told once. Tell whether it went well."""
        stores = [monitor.store for monitor in self.monitors.values()]
        for begin in range(0, len(stores), AT_ONCE):
            some = stores[begin : begin + AT_ONCE]
            try:
                with self._database.writing() as connection:
                    write_all(connection, self._database, [store.waiting(connection) for store in some])
            except StoreError as error:
                for store in some:
                    store.not_written()
                self._tell(stores, error)
                return False
            for store in some:
                store.written()
        self._tell(stores, None)
        return True

    def _tell(self, stores: Iterable[History], error: StoreError | None) -> None:
        """Tell once that it cannot be written, and once that it can again."""
        was_stuck, self._stuck = self._stuck, error is not None
        for store in stores:
            store.is_stuck = self._stuck
        if error is not None and not was_stuck:
            log.error("%s; what is measured waits in memory until then", error)
        elif error is None and was_stuck:
            log.warning("%s can be written again; nothing was lost", self._database.name)

    def close(self) -> None:
        """Write down what waits, slots that still grow too."""
        for monitor in self.monitors.values():
            monitor.store.close()
