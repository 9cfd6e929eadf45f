"""A street that is made up, the same every time, and a real server of its page on a port of this machine's choosing."""

from __future__ import annotations

import dataclasses
import math
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import uvicorn
from starlette.types import ASGIApp

from daisee.web.street import StreetBoard, create_street_app
from daisee.web.view import (
    ChainView,
    CreditView,
    FlowView,
    HomeView,
    OfferView,
    StreetView,
    TodayView,
    TransactionView,
)

NOON = datetime(2017, 6, 14, 12, tzinfo=UTC)
STEP = timedelta(minutes=5)
NAMES = ("Ada", "Ben", "Chidi", "Dora", "Emil", "Fatima")


def made_up_view(now: datetime = NOON, homes: int = 6, **changes: object) -> StreetView:
    """A street at a moment: the second home makes the most, the first and every seventh have a battery and no panels."""
    names = [NAMES[n] if n < len(NAMES) else f"home-{n + 1}" for n in range(homes)]
    made_up = [_home(n, names, now) for n in range(homes)]
    block = int((now - NOON).total_seconds() // 60) + 4_000
    view = StreetView(
        now=now,
        speed=360.0,
        running=True,
        title="A street that is made up",
        chain=ChainView(
            chain_id=1337,
            block=block,
            block_time=now - timedelta(seconds=40),
            transactions=block * 6,
            rpc_url="http://127.0.0.1:8545",
            coin="0x" + "c0" * 20,
            exchange="0x" + "ec" * 20,
        ),
        homes=made_up,
        flows=[flow for home in made_up for flow in _flows(home)],
        transactions=[_transaction(n, names, now, block) for n in range(30)],
        today=TodayView(consumed_wh=41_200, own_wh=23_900, drawn_wh=4_100, imported_wh=13_200, self_sufficiency=28_000 / 41_200),
    )
    return dataclasses.replace(view, **changes)  # type: ignore[arg-type]  # named by the tests


def _home(number: int, names: list[str], now: datetime) -> HomeView:
    hour = now.hour + now.minute / 60
    sun = max(0.0, math.sin((hour - 5.5) / 15 * math.pi)) if 5.5 < hour < 20.5 else 0.0
    evening = math.exp(-((hour - 19) ** 2) / 6) + 0.6 * math.exp(-((hour - 7.5) ** 2) / 3)
    wobble = 1 + 0.2 * math.sin(number * 2.1 + hour * (3 + number % 4))
    islanded = number % 7 == 0
    made_w = 0.0 if islanded or number % 3 == 2 else sun * (3_900 if number == 1 else 1_500 + 90 * number) * wobble
    used_w = (180 + 40 * (number % 5) + 1_300 * evening * (0.6 + number % 3 * 0.4)) * wobble * (0.3 if islanded else 1)
    charge = 0.5 + 0.45 * math.sin((hour - 9) / 24 * 2 * math.pi) if islanded or number % 5 == 1 else None
    bought = islanded and charge is not None and (charge < 0.45 or hour > 17)
    silent = number == 4 and 13 < hour < 14
    return HomeView(
        home=names[number],
        title="the home with the battery" if number == 0 else "",
        kind="islanded" if islanded else "grid-tied",
        address=f"0x{number + 0xA0:040x}",
        consumption_w=None if silent else used_w,
        production_w=None if silent else made_w,
        source=names[1] if bought else "own" if islanded or made_w > used_w else "grid",
        state_of_charge=charge,
        battery_wh=None if charge is None else 5_120.0,
        battery_product=None if charge is None else "a battery of 5.12 kWh",
        coins=f"{20 + 7.25 * number:.2f}",
        credits=[CreditView(names[1], 1_500.0, 1_140.0, 360.0)] if islanded else (),
        offer=OfferView("0.20", 3_250.0) if number == 1 else None,
        switched_at=now.replace(minute=0) if islanded else None,
        note="no reading: the sensor is silent" if silent else None,
    )


def _flows(home: HomeView) -> Iterator[FlowView]:
    if home.consumption_w is None or home.production_w is None:
        return
    spare_w = home.production_w - home.consumption_w
    if home.source not in ("own", "none"):
        yield FlowView(home.source, home.home, max(1.0, -spare_w))
    elif home.kind == "grid-tied" and spare_w > 0:
        yield FlowView(home.home, "grid", spare_w)


def _transaction(number: int, names: list[str], now: datetime, block: int) -> TransactionView:
    kind = "bought" if number % 5 == 1 else "offered" if number % 11 == 3 else "drawn" if number % 7 == 4 else "reported"
    buyer = names[0] if number % 2 or len(names) < 8 else names[7]
    seller = names[1] if kind in ("bought", "offered", "drawn") else names[(number + block) % len(names)]
    return TransactionView(
        kind=kind,
        block=block - number // 6,
        time=now - timedelta(minutes=number // 6),
        from_=seller,
        to=buyer if kind in ("bought", "drawn") else "",
        energy_wh=None if kind == "offered" else 500.0 if kind == "bought" else 31.5 + number,
        coins="0.1000" if kind == "bought" else None,
        hash=f"0x{block - number // 6:032x}{number % 6:032x}",
    )


class Served:
    """A page on a port, and a thread that serves it."""

    def __init__(self, app: ASGIApp, port: int = 0) -> None:
        self._socket = socket.create_server(("127.0.0.1", port))
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=5)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]})
        self._thread.start()
        while not self._server.started:
            time.sleep(0.005)

    def stop(self) -> float:
        """Stop serving, and answer how many seconds that took."""
        began = time.monotonic()
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()
        return time.monotonic() - began


@pytest.fixture
def view() -> StreetView:
    return made_up_view()


@pytest.fixture
def view_at() -> Callable[..., StreetView]:
    return made_up_view


@pytest.fixture
def board() -> Iterator[StreetBoard]:
    made = StreetBoard()
    yield made
    made.close()


@pytest.fixture
def serve(board: StreetBoard) -> Iterator[Callable[..., Served]]:
    """Serve a board's page, on a port that may be named."""
    running: list[Served] = []

    def started(feed: StreetBoard = board, port: int = 0) -> Served:
        served = Served(create_street_app(feed), port)
        running.append(served)
        return served

    yield started
    board.close()
    for served in running:
        served.stop()
