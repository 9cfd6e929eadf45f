"""Many homes that write to one database: a community's meters, heard in one place. What waits of all of them goes down in one
transaction, in few statements, so that a thousand homes are a light load.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from daisee.errors import StoreError
from daisee.model.readings import Reading
from daisee.monitor.collector import KEEP_RAW_S, MAX_GAP_S, Collector
from daisee.monitor.database import Database
from daisee.monitor.rows import write_all
from daisee.monitor.sqlstore import SqlStore
from daisee.monitor.store import Meter

log = logging.getLogger(__name__)

AT_ONCE = 200
"""Homes that are written in one transaction: a failed one has to be tried again whole."""


class ManyHomes:
    """The homes of a community, in one database. Not for several threads at once."""

    def __init__(
        self,
        database: Database,
        homes: Mapping[str, Iterable[Meter]],
        max_gap_s: float = MAX_GAP_S,
        keep_raw_s: float = KEEP_RAW_S,
    ) -> None:
        """Open each home by its name, with its meters; the database stays somebody else's to close."""
        self._database = database
        self.stores = {name: SqlStore(database, name, flush_every_s=float("inf")) for name in homes}
        self.collectors = {
            name: Collector(self.stores[name], meters, max_gap_s=max_gap_s, keep_raw_s=keep_raw_s)
            for name, meters in homes.items()
        }
        self._stuck = False

    def take(self, home: str, meter: str, readings: Iterable[Reading]) -> None:
        """Take what a home's meter said."""
        self.collectors[home].take(meter, readings)

    def flush(self) -> bool:
        """Write down what waits of all homes; where that fails, it waits on, and that is told once. Tell whether it went well."""
        stores = list(self.stores.values())
        some: list[SqlStore] = []
        try:
            for begin in range(0, len(stores), AT_ONCE):
                some = stores[begin : begin + AT_ONCE]
                with self._database.writing() as connection:
                    write_all(connection, self._database, [store.waiting(connection) for store in some])
                for store in some:
                    store.written()
        except StoreError as error:
            for store in some:
                store.not_written()
            if not self._stuck:
                log.error("%s; what is measured waits in memory until then", error)
            self._stuck = True
            return False
        if self._stuck:
            log.warning("%s can be written again; nothing was lost", self._database.name)
        self._stuck = False
        return True

    def close(self) -> None:
        """Write down what waits, slots that still grow too."""
        for store in self.stores.values():
            store.close()
