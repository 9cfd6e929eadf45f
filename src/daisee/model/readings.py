"""What a meter says, and the energy it stands for.

A `Reading` is a moment and what one meter showed then. A `Flow` is a stretch of time and the joules that went through that
meter, a `Span` a stretch and the joules that its home used and made. Power is in watts, energy in whole joules, time in Unix
seconds.

A meter's forward direction is the one in which its power is positive: import for a grid's, what is made for a production's,
charging for a battery's, use for a load's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntFlag

from daisee.units import Joules

SLOT_S = 900
"""The lasting unit of energy: a quarter of an hour, as European meters settle it."""


class Quality(IntFlag):
    """What is to be known about a stretch of energy, or of a slot that has some of it."""

    MEASURED = 0
    SPREAD = 1
    """A counter knows how much it was, nobody knows when: it is spread over the time between two readings."""
    RESET = 2
    """A counter began anew, or jumped: what it counted meanwhile is not known."""
    CORRECTED = 4
    """A person amended it, with a reason."""
    FILLED = 8
    """It came later, from a device's own memory, a file or a push."""
    POWER = 16
    """Its counter was silent meanwhile: power alone tells how much it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One answer of one meter. What a device does not measure is None."""

    at_s: float
    """The moment of measuring, Unix seconds."""
    part: str = ""
    """Which of a device's meters it is of, where the device has several, like `l1` or `battery`."""
    power_w: float | None = None
    """Positive in the forward direction."""
    mean_over_s: float | None = None
    """Where the device answers means: the seconds up to `at_s` that the power is the mean of. None: power of the moment."""
    forward_j: Joules | None = None
    """A counter of all that ever went forward; where there is one, its differences count and power only shapes them."""
    reverse_j: Joules | None = None
    """A counter of all that ever went the other way."""
    state_of_charge: float | None = None
    """Of a battery, 0 to 1."""
    voltage_v: float | None = None
    """Of the mains, or of a battery."""


@dataclass(frozen=True, slots=True)
class Flow:
    """Energy that went through one meter between two moments."""

    start_s: float
    end_s: float
    forward_j: Joules
    """In the meter's forward direction, at least zero."""
    reverse_j: Joules = Joules(0)
    """The other way, at least zero."""
    covered: bool = True
    """False where only a counter knows of this stretch: its energy counts, its time does not."""
    quality: Quality = Quality.MEASURED

    @property
    def duration_s(self) -> float:
        """Answer the length of the stretch."""
        return self.end_s - self.start_s

    @property
    def mean_w(self) -> float:
        """Answer the mean power, positive where more went forward."""
        return (self.forward_j - self.reverse_j) / self.duration_s


@dataclass(frozen=True, slots=True)
class Span:
    """Energy that a home used and made between two moments."""

    start_s: float
    end_s: float
    consumed_j: Joules
    """Used by the home, at least zero."""
    produced_j: Joules
    """Made by the home, at least zero."""
    covered: bool = True
    """False where only a counter knows of this stretch: its energy counts, its time does not."""
    imported_j: Joules | None = None
    """What came in through the meter of its grid; None where there is no such meter."""
    exported_j: Joules | None = None
    """What left through the meter of its grid; None where there is no such meter."""
    quality: Quality = Quality.MEASURED

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
    if end_s <= first:
        return []  # as nearly always
    last = int(-(-end_s // SLOT_S)) * SLOT_S
    return [float(border) for border in range(first, last, SLOT_S)]


def slot_of(stretch: Flow | Span) -> int:
    """Answer the start of the slot that a stretch lies in; ValueError where it lies in more than one."""
    start = slot_start(stretch.start_s)
    if stretch.end_s > start + SLOT_S:
        raise ValueError(f"{stretch.start_s} to {stretch.end_s} crosses the border of a slot; cut it first")
    return start


def cut(span: Span, moments: Iterable[float]) -> list[Span]:
    """Cut a span at moments, in proportion to time. The pieces add up to the span, to the joule; moments outside are ignored."""
    inner = _inner(span, moments)
    if not inner:
        return [span]
    whole = (span.consumed_j, span.produced_j, span.imported_j, span.exported_j)
    return [
        Span(start_s, end_s, Joules(used or 0), Joules(made or 0), span.covered, _joules(came), _joules(left), span.quality)
        for start_s, end_s, (used, made, came, left) in _pieces(span, whole, inner)
    ]


def cut_flow(flow: Flow, moments: Iterable[float]) -> list[Flow]:
    """Cut a flow at moments, as `cut` does a span."""
    inner = _inner(flow, moments)
    if not inner:
        return [flow]
    return [
        Flow(start_s, end_s, Joules(forward or 0), Joules(reverse or 0), flow.covered, flow.quality)
        for start_s, end_s, (forward, reverse) in _pieces(flow, (flow.forward_j, flow.reverse_j), inner)
    ]


def _inner(stretch: Flow | Span, moments: Iterable[float]) -> list[float]:
    if not moments:
        return []
    return sorted({moment for moment in moments if stretch.start_s < moment < stretch.end_s})


def _pieces(
    stretch: Flow | Span, whole: Sequence[int | None], inner: Iterable[float]
) -> Iterable[tuple[float, float, list[int | None]]]:
    begin, given = stretch.start_s, [0] * len(whole)
    for end in [*inner, stretch.end_s]:
        # Cumulative rounding: each piece is the difference of two rounded totals, so nothing is lost between them.
        part = (end - stretch.start_s) / stretch.duration_s if end < stretch.end_s else 1
        totals = [0 if each is None else round(each * part) if part < 1 else each for each in whole]
        yield begin, end, [None if each is None else to - since for each, to, since in zip(whole, totals, given, strict=True)]
        begin, given = end, totals


def _joules(energy_j: int | None) -> Joules | None:
    return None if energy_j is None else Joules(energy_j)
