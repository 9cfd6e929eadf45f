from __future__ import annotations

import asyncio
import dataclasses
import itertools
import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest

from daisee.web.board import CHART_KEPT, CHART_MAX_POINTS, MIN_INTERVAL_S, StreetBoard
from daisee.web.view import StreetView

ViewAt = Callable[..., StreetView]


def at(view_at: ViewAt, step: int, seconds: float = 300) -> StreetView:
    return view_at(view_at().now + timedelta(seconds=step * seconds), 2)


def with_power(view: StreetView, power_w: float) -> StreetView:
    homes = [dataclasses.replace(home, consumption_w=power_w) for home in view.homes]
    return dataclasses.replace(view, homes=homes)


async def read(board: StreetBoard, most: int) -> list[StreetView]:
    seen = []
    async for view in board.changes():
        seen.append(view)
        if len(seen) == most:
            break
    return seen


def test_a_board_has_nothing_until_something_is_published(board: StreetBoard, view: StreetView) -> None:
    assert board.latest() is None
    assert board.history() == []
    board.publish(view)
    assert board.latest() is view


def test_a_reader_gets_the_newest_view_first_and_then_each_change(board: StreetBoard, view_at: ViewAt) -> None:
    first, second = at(view_at, 0), at(view_at, 1)
    board.publish(first)
    later = threading.Timer(0.3, board.publish, [second])
    later.start()
    assert asyncio.run(read(board, 2)) == [first, second]
    later.join()


def test_a_slow_reader_skips_to_the_newest(board: StreetBoard, view_at: ViewAt) -> None:
    async def slow() -> list[StreetView]:
        seen = []
        async for view in board.changes():
            seen.append(view)
            if len(seen) == 2:
                break
            for step in range(1, 50):
                board.publish(at(view_at, step))
            await asyncio.sleep(0.05)
        return seen

    board.publish(at(view_at, 0))
    assert asyncio.run(slow()) == [at(view_at, 0), at(view_at, 49)]


def test_a_reader_gets_no_more_views_than_people_see(board: StreetBoard, view_at: ViewAt) -> None:
    stop = threading.Event()

    def publish() -> None:
        for step in itertools.count():
            board.publish(at(view_at, step))
            if stop.wait(0.005):
                return

    publisher = threading.Thread(target=publish)
    publisher.start()
    began = time.monotonic()
    asyncio.run(read(board, 4))
    took_s = time.monotonic() - began
    stop.set()
    publisher.join()
    assert 3 * MIN_INTERVAL_S <= took_s < 30 * MIN_INTERVAL_S


def test_closing_a_board_ends_what_is_read_from_it(board: StreetBoard, view: StreetView) -> None:
    board.publish(view)
    closing = threading.Timer(0.3, board.close)
    closing.start()
    began = time.monotonic()
    assert asyncio.run(asyncio.wait_for(read(board, 5), 20)) == [view]
    assert time.monotonic() - began < 10
    closing.join()


def test_a_reader_that_went_away_with_its_loop_does_not_stop_the_street(board: StreetBoard, view: StreetView) -> None:
    loop = asyncio.new_event_loop()
    reader = board.changes()
    waiting = asyncio.ensure_future(anext(reader), loop=loop)
    loop.run_until_complete(asyncio.sleep(0.05))
    assert board.readers == 1
    loop.close()
    board.publish(view)
    assert board.latest() is view
    assert not waiting.done()


def test_the_history_is_a_day_at_most_whatever_the_step(board: StreetBoard, view_at: ViewAt) -> None:
    for step in range(2 * 24 * 12):
        board.publish(at(view_at, step))
    times = [point.time for point in board.history()]
    assert times == sorted(times)
    assert times[-1] - times[0] == CHART_KEPT
    assert times[-1] == at(view_at, 2 * 24 * 12 - 1).now


def test_steps_of_seconds_make_a_point_a_minute_that_is_their_mean(board: StreetBoard, view_at: ViewAt) -> None:
    made = [with_power(at(view_at, step, 10), step**2) for step in range(60 * 6)]
    for view in made:
        board.publish(view)
    history = board.history()
    assert len(history) == 60
    assert len(history) < CHART_MAX_POINTS
    assert history[0].consumed_w == pytest.approx(2 * sum(step**2 for step in range(6)) / 6)


def test_a_moment_in_which_nothing_is_known_is_no_point_of_the_chart(board: StreetBoard, view: StreetView) -> None:
    board.publish(dataclasses.replace(view, homes=()))
    assert board.history() == []


def test_a_view_from_the_past_is_no_point_of_the_chart(board: StreetBoard, view_at: ViewAt) -> None:
    board.publish(at(view_at, 5))
    board.publish(at(view_at, 1))
    assert [point.time for point in board.history()] == [at(view_at, 5).now]
