"""A relay board: channels that are open or closed, and tell which when asked. `VirtualBoard` is one in memory."""

from __future__ import annotations

from typing import Protocol

from daisee.errors import RelayError


class Board(Protocol):
    """Some relays on one piece of hardware."""

    @property
    def channels(self) -> int:
        """How many channels there are; they are numbered from 0."""
        ...

    def set_closed(self, channel: int, closed: bool) -> None:
        """Close or open a channel; RelayError where there is no such channel or the board does not answer."""
        ...

    def is_closed(self, channel: int) -> bool:
        """Answer what the contact does, not what it was told; RelayError as above."""
        ...


class VirtualBoard:
    """A board without hardware: all channels open at first, each move remembered."""

    def __init__(self, channels: int) -> None:
        self._closed = [False] * channels
        self.moves: list[tuple[int, bool]] = []
        """Each channel that was set, in order, and whether it was closed."""

    @property
    def channels(self) -> int:
        """How many channels there are."""
        return len(self._closed)

    def set_closed(self, channel: int, closed: bool) -> None:
        """Close or open a channel."""
        self._check(channel)
        self._closed[channel] = closed
        self.moves.append((channel, closed))

    def is_closed(self, channel: int) -> bool:
        """Answer whether a channel is closed."""
        self._check(channel)
        return self._closed[channel]

    def _check(self, channel: int) -> None:
        if not 0 <= channel < len(self._closed):
            raise RelayError(f"there is no channel {channel}: this board has channels 0 to {len(self._closed) - 1}")
