"""A home's own energy, from the meters it has: what it uses is what the grid, the sun and the battery give it, less what goes
back; nothing is counted twice. A sub-load is a part of what is used already.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from daisee.model.readings import Flow, Quality, Span, cut_flow
from daisee.units import Joules, Watts


class Role(StrEnum):
    """What a meter measures of its home. In brackets, its forward direction."""

    GRID = "grid"
    """All that comes from the public grid (import), and goes back to it."""
    PRODUCTION = "production"
    """What the home makes (made)."""
    BATTERY = "battery"
    """What its battery takes (charging), and gives."""
    LOAD = "load"
    """All that the home uses (use). Where there is such a meter, use is not derived."""
    SUB_LOAD = "sub-load"
    """A part of what the home uses (use), like a fridge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """A home at this moment. What no meter tells is None."""

    at_s: float
    """Of the newest reading, Unix seconds."""
    consumption_w: Watts | None = None
    production_w: Watts | None = None
    grid_power_w: float | None = None
    """Positive for import."""
    battery_power_w: float | None = None
    """Positive while it charges."""
    state_of_charge: float | None = None
    """Of its battery, 0 to 1."""


class HomeMeters:
    """Turns the flows of a home's meters into spans of the home."""

    def __init__(self, roles: Mapping[str, Role], hold_s: float) -> None:
        """Begin a home whose meters have these roles. One that is silent is waited for no longer than `hold_s`."""
        self._roles = {name: role for name, role in roles.items() if role is not Role.SUB_LOAD}
        there = set(self._roles.values())
        self._has_grid = Role.GRID in there
        counts: dict[Role, int] = {}
        if Role.LOAD in there:
            counts = {Role.LOAD: 1}
        elif self._has_grid or Role.BATTERY in there:  # the sun alone says nothing of what is used
            counts = {Role.GRID: 1, Role.PRODUCTION: 1, Role.BATTERY: -1}
        self._parts = {
            name: (counts.get(role, 0), role is Role.PRODUCTION, role is Role.GRID) for name, role in self._roles.items()
        }
        """How each meter's energy counts as use; whether it is what the home makes, or its grid's."""
        self._hold_s = hold_s
        self._waiting: dict[str, deque[Flow]] = {name: deque() for name in self._roles}
        self._known_to_s: dict[str, float] = {}
        self._rhythm_s: dict[str, float] = {}
        """How long each meter's last stretch was."""
        self._done_to_s: float | None = None
        self.rest_j = 0
        """What was used less than nothing, for the meters do not answer at the same moment; it is taken off what is used next."""

    @property
    def until_s(self) -> float | None:
        """Answer up to when all is known that its meters will say in time; None before any flow."""
        return self._done_to_s

    def add(self, name: str, flow: Flow) -> list[Span]:
        """Take a meter's next flow; answer the spans that are known by it, and none for a meter that is no part of the home.

        Together they have all that the flows had: consumption is grid + production - battery, to the joule.
        """
        if name not in self._roles:
            return []
        past: list[Span] = []
        if self._done_to_s is None:
            self._done_to_s = flow.start_s
        if flow.start_s < self._done_to_s:
            late, flow_now = _cut_once(flow, self._done_to_s)
            # Its energy counts, where and when it was; what of it was covered is told with those that were in time.
            past.append(self._span(late.start_s, late.end_s, {name: [late]}, covered=False))
            if flow_now is None:
                return past
            flow = flow_now
        if len(self._roles) == 1:
            # Nobody to wait for: its own stretches are the home's.
            self._done_to_s = self._known_to_s[name] = flow.end_s
            return [*past, self._span(flow.start_s, flow.end_s, {name: [flow]}, covered=flow.covered)]
        self._waiting[name].append(flow)
        self._known_to_s[name] = flow.end_s
        newest_s = max(self._known_to_s.values())
        if flow.covered:
            self._rhythm_s[name] = flow.duration_s
        # Who speaks once an hour is not silent after a minute.
        hold_s = max(self._hold_s, 1.5 * max(self._rhythm_s.values(), default=0.0))
        until_s = min(max(self._known_to_s.get(each, self._done_to_s), newest_s - hold_s) for each in self._roles)
        return [*past, *self._until(until_s)]

    def add_run(self, name: str, start_s: float, end_s: float, last_s: float) -> bool:
        """Take note of covered flows that went forward alone, where each is a span as it is: of the home's only meter.

        They go on where the last flow ended; the last of them took `last_s`. False, and nothing is noted, where they are not
        spans as they are.
        """
        plain = self._roles.get(name) in (Role.GRID, Role.LOAD, Role.PRODUCTION) and len(self._roles) == 1
        if not plain or self.rest_j or self._waiting[name] or self._done_to_s != start_s:
            return False
        self._done_to_s = self._known_to_s[name] = end_s
        self._rhythm_s[name] = last_s
        return True

    def _until(self, until_s: float) -> list[Span]:
        """Answer the spans up to a moment: one for each stretch in which no meter's flow begins or ends."""
        if self._done_to_s is None or until_s <= self._done_to_s:
            return []
        taken = {name: self._take(name, until_s) for name in self._roles}
        # Where there is one meter, or all answer together, its own stretches stay as they are.
        longest = max(taken.values(), key=len)
        borders = {flow.end_s for flow in longest} | {flow.start_s for flow in longest if flow.start_s > self._done_to_s}
        spans, begin = [], self._done_to_s
        for end in sorted(borders | {until_s}):
            here = {name: _within(flows, begin, end) for name, flows in taken.items()}
            covered = all(_covers(flows, begin, end) for flows in here.values())
            if covered or any(here.values()):
                spans.append(self._span(begin, end, here, covered=covered))
            begin = end
        self._done_to_s = until_s
        return spans

    def _take(self, name: str, until_s: float) -> list[Flow]:
        """Take from what waits of a meter what lies before a moment."""
        waiting, taken = self._waiting[name], []
        while waiting and waiting[0].start_s < until_s:
            early, late = _cut_once(waiting.popleft(), until_s)
            taken.append(early)
            if late is not None:
                waiting.appendleft(late)
        return taken

    def _span(self, start_s: float, end_s: float, flows: Mapping[str, list[Flow]], *, covered: bool) -> Span:
        used_j, made_j, came_j, left_j, quality = self.rest_j, 0, 0, 0, Quality.MEASURED
        for name, some in flows.items():
            sign, makes, is_grid = self._parts[name]
            for flow in some:
                used_j += sign * (flow.forward_j - flow.reverse_j)
                if makes:
                    made_j += flow.forward_j
                if is_grid:
                    came_j += flow.forward_j
                    left_j += flow.reverse_j
                if flow.quality:
                    quality |= flow.quality
        consumed_j = used_j if used_j > 0 else 0
        self.rest_j = used_j - consumed_j
        return Span(
            start_s,
            end_s,
            Joules(consumed_j),
            Joules(made_j),
            covered,
            Joules(came_j) if self._has_grid else None,
            Joules(left_j) if self._has_grid else None,
            quality,
        )


def _cut_once(flow: Flow, at_s: float) -> tuple[Flow, Flow | None]:
    pieces = cut_flow(flow, [at_s])
    return pieces[0], pieces[1] if len(pieces) > 1 else None


def _within(flows: list[Flow], start_s: float, end_s: float) -> list[Flow]:
    """Answer what of some flows lies between two moments."""
    found = []
    for flow in flows:
        if start_s <= flow.start_s and flow.end_s <= end_s:
            found.append(flow)
        elif flow.start_s < end_s and flow.end_s > start_s:
            pieces = cut_flow(flow, [start_s, end_s])
            found += [piece for piece in pieces if start_s <= piece.start_s and piece.end_s <= end_s]
    return found


def _covers(flows: list[Flow], start_s: float, end_s: float) -> bool:
    return sum(flow.duration_s for flow in flows if flow.covered) >= (end_s - start_s) * 0.999
