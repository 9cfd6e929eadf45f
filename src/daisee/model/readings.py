"""What a sensor says, and the energy it stands for.

A `Reading` is a moment and what was seen then. A `Span` is a stretch of time and the joules that flowed in it. Power is in
watts and never negative, energy in whole joules, time in Unix seconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from daisee.units import Joules, Watts

SLOT_S = 900
"""The lasting unit of energy: a quarter of an hour, as European meters settle it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One answer of a sensor. What a device does not measure is None."""

    at_s: float
    """The moment of measuring, Unix seconds."""
    consumption_w: Watts | None = None
    """What the home uses."""
    production_w: Watts | None = None
    """What the home makes."""
    mean_over_s: float | None = None
    """Where the device answers means: the seconds up to `at_s` that both powers are the mean of. None: powers of the moment."""
    consumed_counter_j: Joules | None = None
    """A counter of all that was ever used; where there is one, its differences count and power only shapes them."""
    produced_counter_j: Joules | None = None
    """A counter of all that was ever made."""
    state_of_charge: float | None = None
    """Of the home's battery, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Span:
    """Energy that flowed between two moments."""

    start_s: float
    end_s: float
    consumed_j: Joules
    """Used by the home, at least zero."""
    produced_j: Joules
    """Made by the home, at least zero."""
    covered: bool = True
    """False where only a counter knows of this stretch: its energy counts, its time does not."""

    @property
    def duration_s(self) -> float:
        """Answer the length of the stretch."""
        return self.end_s - self.start_s


def slot_start(at_s: float) -> int:
    """Answer when the slot began that a moment lies in. A moment on the border belongs to the slot that begins there."""
    return int(at_s // SLOT_S) * SLOT_S


def slot_borders(start_s: float, end_s: float) -> list[float]:
    """List the slot borders strictly between two moments."""
    first = slot_start(start_s) + SLOT_S
    last = int(-(-end_s // SLOT_S)) * SLOT_S
    return [float(border) for border in range(first, last, SLOT_S)]


def cut(span: Span, moments: Iterable[float]) -> list[Span]:
    """Cut a span at moments, in proportion to time. The pieces add up to the span, to the joule; moments outside are ignored."""
    inner = sorted({moment for moment in moments if span.start_s < moment < span.end_s})
    if not inner:
        return [span]
    pieces, begin, consumed_j, produced_j = [], span.start_s, 0, 0
    for end in [*inner, span.end_s]:
        # Cumulative rounding: each piece is the difference of two rounded totals, so nothing is lost between them.
        part = (end - span.start_s) / span.duration_s
        consumed_to = round(span.consumed_j * part) if end < span.end_s else span.consumed_j
        produced_to = round(span.produced_j * part) if end < span.end_s else span.produced_j
        pieces.append(Span(begin, end, Joules(consumed_to - consumed_j), Joules(produced_to - produced_j), covered=span.covered))
        begin, consumed_j, produced_j = end, consumed_to, produced_to
    return pieces
