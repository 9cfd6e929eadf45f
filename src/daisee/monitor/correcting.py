"""Amends what a meter counted in a past quarter of an hour, by a person and for a reason.

What was there before stays in the table of corrections; undoing is another correction. The home's slot follows by the difference.
Both are marked, and from then on no recount touches them. Who fed the home was settled, and stays as it was.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy import insert, select

from daisee.config import near
from daisee.errors import UsageError
from daisee.model.energy import PLAUSIBLE_W
from daisee.model.home import Role
from daisee.model.readings import SLOT_S, Quality, slot_start
from daisee.monitor.schema import CORRECTIONS
from daisee.monitor.sqlstore import SqlStore
from daisee.monitor.store import MeterSlot, Slot

MOST_J = int(PLAUSIBLE_W * SLOT_S)
LONGEST_REASON = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What was amended, and what had been there."""

    meter: str
    start_s: int
    forward_j_before: int
    reverse_j_before: int
    forward_j: int
    reverse_j: int
    reason: str
    corrected_at_s: float
    consumed_j_before: int = 0
    """What the home used in this slot, before and after; not kept in the table."""
    consumed_j: int = 0


def correct(
    store: SqlStore,
    meter: str,
    start_s: int,
    forward_j: int | None,
    reverse_j: int | None,
    reason: str,
    now_s: float | None = None,
    dry_run: bool = False,
) -> Correction:
    """Amend a slot of a meter; None leaves that direction as it is. UsageError where it cannot be, StoreError."""
    now_s = time.time() if now_s is None else now_s
    _check(store, meter, start_s, forward_j, reverse_j, reason, now_s)
    store.flush()
    before = next(iter(store.meter_slots(meter, start_s, start_s + 1)), MeterSlot(start_s))
    home_before = next(iter(store.slots(start_s, start_s + 1)), Slot(start_s))
    after = replace(
        before,
        forward_j=before.forward_j if forward_j is None else forward_j,
        reverse_j=before.reverse_j if reverse_j is None else reverse_j,
        quality=before.quality | Quality.CORRECTED,
    )
    home_after = _home_after(store, meter, before, after, home_before)
    correction = Correction(
        meter=meter,
        start_s=start_s,
        forward_j_before=before.forward_j,
        reverse_j_before=before.reverse_j,
        forward_j=after.forward_j,
        reverse_j=after.reverse_j,
        reason=reason.strip(),
        corrected_at_s=now_s,
        consumed_j_before=home_before.consumed_j,
        consumed_j=home_after.consumed_j,
    )
    if not dry_run:
        _write(store, correction, after, home_after)
    return correction


def corrections(store: SqlStore, meter: str | None = None) -> list[Correction]:
    """List what was amended, the oldest first."""
    names = {number: name for name, number in store.meter_ids.items() if meter in (None, name)}
    wanted = select(CORRECTIONS).where(CORRECTIONS.c.meter_id.in_(names)).order_by(CORRECTIONS.c.id)
    fields = ("start_s", "forward_j_before", "reverse_j_before", "forward_j", "reverse_j", "reason", "corrected_at_s")
    with store.database.reading() as connection:
        rows = connection.execute(wanted).all()
    return [Correction(meter=names[row.meter_id], **{name: getattr(row, name) for name in fields}) for row in rows]


def _check(
    store: SqlStore, meter: str, start_s: int, forward_j: int | None, reverse_j: int | None, reason: str, now_s: float
) -> None:
    if meter not in store.meters:
        raise UsageError(f"the home has no meter {meter}; {near(meter, store.meters) if store.meters else 'it has none yet'}")
    if start_s != slot_start(start_s):
        slots = datetime.fromtimestamp(slot_start(start_s), UTC)
        raise UsageError(f"a correction is of a whole quarter of an hour, like the one from {slots:%Y-%m-%d %H:%M} UTC")
    if start_s + 2 * SLOT_S > now_s:
        raise UsageError("that quarter of an hour is not over for long enough; wait until a quarter of an hour after its end")
    if forward_j is None and reverse_j is None:
        raise UsageError("say what it was: its energy forward, or the other way, or both")
    for energy_j in (forward_j, reverse_j):
        if energy_j is not None and not 0 <= energy_j <= MOST_J:
            raise UsageError(f"an energy of a quarter of an hour is from 0 to {MOST_J / 3.6e6:.0f} kWh")
    if not reason.strip() or not reason.strip().isprintable() or len(reason) > LONGEST_REASON:
        raise UsageError(f"a correction has a reason: a line of text of at most {LONGEST_REASON} characters")


def _home_after(store: SqlStore, meter: str, before: MeterSlot, after: MeterSlot, home: Slot) -> Slot:
    """Answer the home's slot with the difference of its meter in it; what it used is never below zero."""
    role = store.meters[meter].role
    more_j, back_j = after.forward_j - before.forward_j, after.reverse_j - before.reverse_j
    slot = replace(home, drawn_j=dict(home.drawn_j))
    if role is Role.SUB_LOAD:
        return slot
    slot.quality |= Quality.CORRECTED
    if role is Role.GRID:
        slot.imported_j = max(0, slot.imported_j + more_j)
        slot.exported_j = max(0, slot.exported_j + back_j)
    elif role is Role.PRODUCTION:
        slot.produced_j = max(0, slot.produced_j + more_j)
    roles = {each.role for each in store.meters.values()}
    if Role.LOAD in roles:
        counts = 1 if role is Role.LOAD else 0
    elif Role.GRID in roles or Role.BATTERY in roles:
        counts = -1 if role is Role.BATTERY else 1
    else:
        counts = 0
    used_j = home.consumed_j
    if counts and not used_j:
        # It may have been less than nothing, as after another correction: what its meters say together tells by how much.
        used_j = min(0, _derived_j(store, before.start_s))
    slot.consumed_j = max(0, used_j + counts * (more_j - back_j))
    return slot


def _derived_j(store: SqlStore, start_s: int) -> int:
    """Answer what the home used by what its meters say of a slot, below zero where they say so."""
    sums = dict.fromkeys(Role, 0)
    for name, meter in store.meters.items():
        for slot in store.meter_slots(name, start_s, start_s + 1):
            sums[meter.role] += slot.forward_j - slot.reverse_j
    if any(meter.role is Role.LOAD for meter in store.meters.values()):
        return sums[Role.LOAD]
    return sums[Role.GRID] + sums[Role.PRODUCTION] - sums[Role.BATTERY]


def _write(store: SqlStore, correction: Correction, after: MeterSlot, home_after: Slot) -> None:
    """Write down the correction and both slots, whole or not at all."""
    row = {
        "meter_id": store.meter_ids[correction.meter],
        "start_s": correction.start_s,
        "forward_j_before": correction.forward_j_before,
        "reverse_j_before": correction.reverse_j_before,
        "forward_j": correction.forward_j,
        "reverse_j": correction.reverse_j,
        "reason": correction.reason,
        "corrected_at_s": correction.corrected_at_s,
    }
    with store.database.writing() as connection:
        connection.execute(insert(CORRECTIONS), [row])
        store.put(connection, correction.meter, after, home_after)
    store.reread()
