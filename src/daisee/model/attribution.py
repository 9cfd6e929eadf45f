"""Who fed the load: the one place that splits what a home consumed into its own, what it drew from each neighbour, and what
it imported. The three always add up to what was consumed, to the joule, and a span is cut at the moment of a switch.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from daisee.model.readings import Span, cut, slot_borders
from daisee.model.source import GRID, OWN, Source, seller_of
from daisee.units import Address, Joules


class Kind(StrEnum):
    """How a home hangs on the world."""

    ISLANDED = "islanded"
    """A relay feeds the load from exactly one source: all that is consumed while it is in use was drawn from it."""
    GRID_TIED = "grid-tied"
    """Own production serves the load first, span by span; only the rest is drawn from the source in use."""


@dataclass(frozen=True, slots=True)
class Switched:
    """A moment from which another source feeds the load."""

    at_s: float
    source: Source


@dataclass(frozen=True, slots=True)
class Share:
    """A span, split by who fed it: `own_j + drawn_j + imported_j == span.consumed_j`."""

    span: Span
    own_j: Joules
    """Consumed from the home's own production or battery."""
    drawn_j: Joules
    """Consumed from `seller`; zero where no neighbour fed the load."""
    imported_j: Joules
    """Consumed from the public grid."""
    exported_j: Joules
    """Made and neither consumed nor kept: what left a grid-tied home through its meter. Zero for an islanded one."""
    seller: Address | None = field(default=None)
    """The neighbour in use, if one was."""


def attribute(span: Span, switches: Sequence[Switched], kind: Kind) -> list[Share]:
    """Split a span into shares, cut at switches and slot borders.

    `switches` are in order of time; the first one says what fed the load before and up to the second. An empty list is a
    ValueError: somebody always fed the load.
    """
    if not switches:
        raise ValueError("no source is known for this span")
    moments = [switched.at_s for switched in switches]
    pieces = cut(span, [*moments[1:], *slot_borders(span.start_s, span.end_s)])
    return [_share(piece, switches[max(0, bisect_right(moments, piece.start_s) - 1)].source, kind) for piece in pieces]


def _share(piece: Span, source: Source, kind: Kind) -> Share:
    first_j = min(piece.consumed_j, piece.produced_j) if kind is Kind.GRID_TIED else 0
    exported_j = piece.produced_j - first_j if kind is Kind.GRID_TIED else 0
    rest_j = piece.consumed_j - first_j
    return Share(
        span=piece,
        own_j=Joules(first_j + (rest_j if source == OWN else 0)),
        drawn_j=Joules(rest_j if seller_of(source) else 0),
        imported_j=Joules(rest_j if source == GRID else 0),
        exported_j=Joules(exported_j),
        seller=seller_of(source),
    )
