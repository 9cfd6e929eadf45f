"""Real homes, imported: every figure here was found by a program that knows nothing of DAISEE (awk, over the file's columns)."""

import gzip
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from daisee.demo.data import COMMUNITY
from daisee.model.home import Role
from daisee.model.readings import Quality
from daisee.monitor.importing import Outcome, Wish, import_files
from daisee.monitor.sqlstore import SqlStore
from daisee.monitor.store import Meter, total

DATA = Path(__file__).parents[1] / "data"
GRID = Meter("meter", Role.GRID)
WH_J = 3_600


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    with_nothing = SqlStore(tmp_path / "home.sqlite", flush_every_s=float("inf"))
    yield with_nothing
    with_nothing.close()


def utc(text: str) -> int:
    return int(time.mktime(time.strptime(text, "%Y-%m-%d %H:%M"))) - time.timezone


@pytest.fixture
def dutch(store: SqlStore) -> Outcome:
    return import_files(store, [GRID], [DATA / "p1_registers_1min.csv.gz"], Wish())


def test_a_dutch_meters_month_is_what_its_registers_grew_by(store: SqlStore, dutch: Outcome) -> None:
    """Both tariffs together went from 21,013.822 to 21,676.264 kWh in, and from 13,808.328 to 13,918.956 kWh back."""
    assert (dutch.read, dutch.new, dutch.refused.count) == (43_980, 43_980, 0)
    assert dutch.meters["meter"].forward_j == 662_442 * WH_J
    assert dutch.meters["meter"].reverse_j == 110_628 * WH_J
    whole = total(store.slots())
    assert (whole.imported_j, whole.exported_j) == (662_442 * WH_J, 110_628 * WH_J)
    # What was used is the one less the other, but where more went back in a moment than was ever made good in the month.
    assert whole.consumed_j == 560_852 * WH_J


def test_the_dip_of_2024_02_24_counts_once(store: SqlStore, dutch: Outcome) -> None:
    """At 22:17 UTC both registers jumped ahead, by 112 and 308 Wh, and a minute later they were back.

    The mark that they had reached stays; what they show again below it is no energy: in the hour from the jump on, 112 Wh went
    in and 311 Wh back, as they showed at 22:17, and not the double.
    """
    slots = store.meter_slots("meter", utc("2024-02-24 22:15"), utc("2024-02-24 23:15"))
    assert [(slot.forward_j // WH_J, slot.reverse_j // WH_J) for slot in slots] == [(112, 311), (0, 0), (0, 0), (0, 0)]
    assert not any(slot.quality & Quality.RESET for slot in slots)


def test_the_outage_of_eleven_hours_is_time_that_was_not_measured(store: SqlStore, dutch: Outcome) -> None:
    """From 23:01 to 10:10 the next day nothing was read. The registers had shown already what they show after it: no energy."""
    first, last = utc("2024-02-24 23:00"), utc("2024-02-25 10:15")
    slots = {slot.start_s: slot for slot in store.meter_slots("meter", first, last)}
    assert {start: slot.covered_s for start, slot in slots.items()} == {first: 60, utc("2024-02-25 10:00"): 300}
    assert sum(slot.forward_j for slot in slots.values()) == 0
    assert sum(slot.reverse_j for slot in slots.values()) == 22 * WH_J
    # 43,980 rows are 43,979 minutes, less the one that is the outage.
    assert dutch.meters["meter"].covered_s == (43_979 - 1) * 60


def test_an_outage_in_which_a_counter_went_on_counts_once_and_covers_no_time(store: SqlStore, tmp_path: Path) -> None:
    """The same meter without the glitch, which had hidden it: 109 Wh came in while nobody looked, and are spread over it."""
    lines = gzip.decompress((DATA / "p1_registers_1min.csv.gz").read_bytes()).decode().splitlines()
    path = tmp_path / "without.csv"
    path.write_text("\n".join(line for line in lines if not line.startswith("2024-02-24T22:17")) + "\n")
    outcome = import_files(store, [GRID], [path], Wish())
    assert outcome.meters["meter"].forward_j == 662_442 * WH_J
    slots = store.meter_slots("meter", utc("2024-02-24 23:15"), utc("2024-02-25 10:00"))
    assert len(slots) == 43
    assert all(slot.covered_s == 0 and slot.quality & Quality.SPREAD for slot in slots)
    spread_j = sum(slot.forward_j for slot in store.meter_slots("meter", utc("2024-02-24 23:00"), utc("2024-02-25 10:15")))
    assert spread_j == 109 * WH_J
    assert outcome.meters["meter"].covered_s == (43_978 - 2) * 60


def test_five_hundred_days_of_a_home_are_what_its_counter_grew_by(store: SqlStore) -> None:
    """From 1,957.823 to 9,096.274 kWh: 7,138,451 Wh, to the watt-hour, and every minute of it covered.

    The file's column of powers comes to 7,138,531 Wh. The 80 Wh more are its last row: 320 W for the quarter of an hour that
    begins where the counter was read last. The counter counts.
    """
    outcome = import_files(store, [GRID], [DATA / "longhome.csv.gz"], Wish(meter="meter"))
    assert (outcome.read, outcome.new, outcome.refused.count) == (48_091, 48_091, 0)
    assert total(store.slots()).consumed_j == 7_138_451 * WH_J
    assert outcome.meters["meter"].covered_s == 48_090 * 900
    assert outcome.meters["meter"].kept == 2, "from which another file goes on"
    assert len(store.slots()) == 48_090


def test_five_hundred_days_in_two_files_are_the_same(store: SqlStore, tmp_path: Path) -> None:
    header, *lines = gzip.decompress((DATA / "longhome.csv.gz").read_bytes()).decode().splitlines()
    for part in (lines[:20_000], lines[20_000:]):
        path = tmp_path / "part.csv"
        path.write_text("\n".join([header, *part]) + "\n")
        import_files(store, [GRID], [path], Wish(meter="meter"))
    assert total(store.slots()).consumed_j == 7_138_451 * WH_J
    assert len(store.slots()) == 48_090


def test_a_home_of_the_community_is_what_its_rows_add_up_to(store: SqlStore) -> None:
    """9,384 minutes of dev-1: 238,079,694 J used, 669,076,614 J made; the 696 minutes that are missing are no time."""
    names = {f"dev-{number}/{part}": "" for number in range(2, 7) for part in ("load", "production")}
    wish = Wish(names={**names, "dev-1/load": "house", "dev-1/production": "roof"})
    meters = [Meter("house", Role.LOAD), Meter("roof", Role.PRODUCTION)]
    outcome = import_files(store, meters, [COMMUNITY], replace(wish))
    whole = total(store.slots())
    assert (whole.consumed_j, whole.produced_j, whole.covered_s) == (238_079_694, 669_076_614, 9_384 * 60)
    assert sum(outcome.left_out.values()) == 100_800
