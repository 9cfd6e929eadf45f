"""The channels of a board that are sources of the same load. At most one is ever closed, the old one opens before the new one
closes, read-back is what is reported, and a group that nobody has spoken to for a while goes to its safe source.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from daisee.errors import InterlockViolation, RelayError
from daisee.model.source import Source
from daisee.relay.board import Board

log = logging.getLogger(__name__)


class SourceGroup:
    """The sources of one load."""

    def __init__(
        self, name: str, board: Board, channels: Mapping[Source, int], safe: Source, failsafe_s: float, now_s: float
    ) -> None:
        """Take over the channels of a board. A board that has more than one of them closed is an InterlockViolation, one
        that has none closed is switched to the safe source.
        """
        if safe not in channels or len(set(channels.values())) != len(channels):
            raise ValueError("each source has a channel of its own, the safe one included")
        self.name = name
        self.safe = safe
        self.switches = 0
        """How often the load went from one source to another."""
        self._board = board
        self._channels = dict(channels)
        self._failsafe_s = failsafe_s
        self._heard_at_s = now_s
        if self.read_back() is None:
            self._close(safe)

    @property
    def sources(self) -> tuple[Source, ...]:
        """List the sources that can be chosen."""
        return tuple(self._channels)

    def read_back(self) -> Source | None:
        """Answer the source whose contact is closed, or None; two at once are an InterlockViolation."""
        closed = [source for source, channel in self._channels.items() if self._board.is_closed(channel)]
        if len(closed) > 1:
            raise InterlockViolation(self.name, tuple(self._channels[source] for source in closed))
        return closed[0] if closed else None

    def hear(self, now_s: float) -> None:
        """Note that the controller is alive."""
        self._heard_at_s = now_s

    def switch(self, source: Source, now_s: float) -> None:
        """Feed the load from another source; to the one in use is no switch.

        RelayError where the source is not in this group, where the old contact does not open (the new one then stays open:
        no source is better than two), or where the new one does not close (the safe source is tried).
        """
        self.hear(now_s)
        if source not in self._channels:
            raise RelayError(f"group {self.name} has no source {source}; it has {', '.join(self._channels)}")
        if self.read_back() == source:
            return
        self._open_all()
        try:
            self._close(source)
        except RelayError:
            if source != self.safe:
                self._close(self.safe)
            raise
        self.switches += 1

    def watch(self, now_s: float) -> bool:
        """Go to the safe source if no controller has spoken for too long; answer whether that happened now."""
        if now_s - self._heard_at_s < self._failsafe_s or self.read_back() == self.safe:
            return False
        log.warning("group %s: no controller for %.0f s, going to %s", self.name, now_s - self._heard_at_s, self.safe)
        self._open_all()
        self._close(self.safe)
        self.switches += 1
        return True

    def _open_all(self) -> None:
        for source, channel in self._channels.items():
            if self._board.is_closed(channel):
                self._board.set_closed(channel, False)
            if self._board.is_closed(channel):
                raise RelayError(f"group {self.name}: the contact of {source} (channel {channel}) does not open; check it")

    def _close(self, source: Source) -> None:
        channel = self._channels[source]
        self._board.set_closed(channel, True)
        if not self._board.is_closed(channel):
            raise RelayError(f"group {self.name}: the contact of {source} (channel {channel}) does not close; check it")
