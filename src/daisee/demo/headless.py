"""A street lived as fast as the machine allows, without a page. Ctrl-C ends it after the step at hand, books closed."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType
from typing import Any

from daisee.demo.report import make_report
from daisee.demo.run import StreetRun


def run_headless(run: StreetRun, advance: Callable[[int, int], None]) -> tuple[dict[str, Any], bool]:
    """Live through all of the data; answer the report, and whether the end was reached.

    `advance` is told how many seconds were lived, and the street's time, after each step.
    """
    began = time.monotonic()
    with stop_on_signal() as stopped:
        for at_s in run.steps:
            if stopped.is_set():
                break
            run.live(at_s)
            advance(run.lived_s, at_s)
    run.close_books()
    return make_report(run, time.monotonic() - began), not stopped.is_set()


@contextmanager
def stop_on_signal() -> Iterator[Event]:
    """Set an event on the first Ctrl-C or TERM, so that nothing is torn in the middle; a second one ends the process."""
    stopped = Event()

    def stop(number: int, _frame: FrameType | None) -> None:
        stopped.set()
        signal.signal(number, signal.SIG_DFL)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
