"""The meters of a home. One file each; `Sensor` is all that the collector knows of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from daisee.model.readings import Reading


class Sensor(Protocol):
    """Something that measures a home."""

    def read(self) -> Sequence[Reading]:
        """Answer what was measured since the last call, in order of time; at once, and empty where nothing was.

        A device that speaks when it likes is listened to elsewhere, and its readings wait here to be fetched.
        """
        ...
