"""The monitor of a home as it runs, or of many: sensors, books, a port, and who else is told, in one process."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from datetime import date
from typing import Any

from daisee.errors import DaiseeError
from daisee.model.calendar import date_of
from daisee.monitor.announce import Announcer, state_of
from daisee.monitor.books import Books
from daisee.monitor.collector import Collector
from daisee.monitor.database import Database
from daisee.monitor.history import History
from daisee.monitor.listening import Listener
from daisee.monitor.rates import Rates
from daisee.monitor.settings import MonitorSettings
from daisee.monitor.tariffs import rates_on, read_tariffs
from daisee.serving import HttpServer

log = logging.getLogger(__name__)

DAY_S = 86_400
PRICES_S = 3_600
AGAIN_S = 60.0

Work = Callable[[], Coroutine[Any, Any, None]]
"""What is done for ever."""


@contextmanager
def open_store(settings: MonitorSettings, *, writes: bool = False) -> Iterator[History]:
    """Open what a home's configuration names; StoreError, UsageError. Of those who write measurements there is one at a time."""
    # Whoever keeps the books writes down what waits, by this machine's clock.
    never = float("inf")
    with ExitStack() as opened:
        where = settings.where
        database = opened.enter_context(closing(Database(where))) if isinstance(where, str) else where
        store = opened.enter_context(closing(History(database, settings.home, never)))
        if writes:
            store.hold()
        yield store


class Monitor:
    """One home, measured as long as it runs."""

    def __init__(
        self,
        settings: MonitorSettings,
        store: History,
        clock: Callable[[], float] = time.time,
        books: Books | None = None,
    ) -> None:
        """Go on where the store ends; nothing is listened to yet. Many homes may have their `books` in common."""
        self.settings = settings
        self.over = asyncio.Event()
        """Set when it ends: whoever is told what happens is told no more."""
        self.store = store
        self._clock = clock
        # Prices by the hour are no prices of day and night: what they are now is not asked for.
        self._contracts = read_tariffs(settings.file, settings.tariffs, fetch=False)
        keep_raw_s = settings.keep_raw_days * DAY_S
        silent_after_s = {meter.name: float(plan.silent_after_s) for plan in settings.sensors for meter in plan.meters}
        self.collector = Collector(store, settings.meters, settings.max_gap_s, settings.most_w, keep_raw_s, clock, silent_after_s)
        self.books = books or Books(store.flush_or_wait, settings.flush_every_s, clock)
        self.take = self.books.keep(self.collector, store, keep_raw_s)
        # Where many homes are told of in one log, each sensor is told of with its home.
        home = f"{settings.home}, " if books else ""
        self.listeners = [
            Listener(plan, self.take, clock, home + plan.name, self._heard_before)
            for plan in settings.sensors
            if plan.kind.listens
        ]
        self.announcer = (
            Announcer(settings.mqtt, settings.home, settings.meters, self.state) if settings.mqtt is not None else None
        )

    def _heard_before(self, meter: str) -> float | None:
        """Answer when a meter was heard last; StoreError."""
        with self.books.lock:
            last = self.store.last_before(meter, self._clock())
        return None if last is None else last.at_s

    def state(self) -> Mapping[str, Any]:
        """Answer the home's numbers of now, as MQTT tells them; StoreError."""
        with self.books.lock:
            return state_of(self.collector.latest, self.store.totals(), self.store.meter_totals(), self.settings.meters)

    @property
    def rates(self) -> Rates:
        """Answer what a kilowatt-hour costs today, by day and by night."""
        return self.rates_on(date_of(self._clock(), self.settings.zone))

    def rates_on(self, day: date) -> Rates:
        """Answer what it cost on a day, or will."""
        return rates_on(self._contracts, day)

    def trouble_of(self, meter: str) -> str | None:
        """Say what is wrong with a meter's sensor; None where nothing is, or nobody listens to it."""
        for listener in self.listeners:
            if any(each.name == meter for each in listener.plan.meters):
                return listener.trouble
        return None

    async def _fetch_prices(self) -> None:
        """Fetch prices by the hour, each hour: many sources tell of today and tomorrow alone."""
        while True:
            try:
                await asyncio.to_thread(read_tariffs, self.settings.file, self.settings.tariffs)
            except DaiseeError as error:
                log.warning("%s", error)
            await asyncio.sleep(PRICES_S)

    def works(self) -> list[Work]:
        """List what is to be done as long as the home lives."""
        works: list[Work] = [listener.listen for listener in self.listeners]
        if self.announcer is not None:
            works.append(self.announcer.announce)
        if any(isinstance(each.get("prices"), str) for each in self.settings.tariffs if isinstance(each, dict)):
            works.append(self._fetch_prices)
        return works


async def _for_ever(work: Work) -> None:
    """Do what is to be done for ever; should it fail in a way that was not foreseen, say so and begin again."""
    while True:
        try:
            await work()
        except Exception as error:
            log.debug("%s", work, exc_info=True)
            log.error("what was not foreseen: %r; it is tried again. Please tell the makers of DAISEE, with what -vv says", error)
        await asyncio.sleep(AGAIN_S)


async def live(
    books: Books, monitors: Iterable[Monitor], told_to_stop: asyncio.Event, app: Any, listening: socket.socket
) -> None:
    """Measure homes, whose books these are, until told to stop; then all that was measured is written down."""
    server, monitors = HttpServer(app), list(monitors)
    with books:
        tasks = [asyncio.create_task(_for_ever(work)) for monitor in monitors for work in monitor.works()]
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            await told_to_stop.wait()
        finally:
            for monitor in monitors:
                monitor.over.set()
            server.should_exit = True
            for task in tasks:
                task.cancel()
            await asyncio.gather(serving, *tasks, return_exceptions=True)
