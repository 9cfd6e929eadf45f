"""The street's clock: time as the measured data tells it, moved on by whoever replays it."""

from __future__ import annotations


class StreetClock:
    """A clock that is set."""

    def __init__(self, now_s: float) -> None:
        self.now_s = now_s
        """Unix seconds of the street."""

    def __call__(self) -> float:
        """Answer the street's time, as `time.time` answers the world's."""
        return self.now_s
