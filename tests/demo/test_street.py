"""The street's configuration: what is read from TOML, what is refused with its key, and what is derived from data alone."""

from __future__ import annotations

import tomllib
from array import array
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from daisee.config import REQUIRED
from daisee.demo.data import GapCounts, Measured, Rows, load
from daisee.demo.plan import wired_to
from daisee.demo.settings import SECTIONS, STREET, reference
from daisee.demo.street import COMMUNITY_STREET, HomePlan, Street, derive, describe, load_street
from daisee.errors import ConfigurationError
from daisee.model.attribution import Kind
from daisee.model.tariff import Tariff
from daisee.units import base_units, joules_from_kwh

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        path = tmp_path / "street.toml"
        path.write_text(text)
        return path

    return write


def homes(powers: dict[str, list[tuple[float, float]]], left_out: tuple[str, ...] = (), step_s: int = 3600) -> Measured:
    """Make measured homes out of pairs of consumption and production, one for each step."""
    packed = {
        name: Rows(
            array("q", range(0, step_s * len(rows), step_s)),
            array("d", (row[0] for row in rows)),
            array("d", (row[1] for row in rows)),
            array("d"),
        )
        for name, rows in powers.items()
    }
    length = max(map(len, packed.values()))
    return Measured("homes.csv", packed, step_s, 0, step_s * length, sum(map(len, packed.values())), GapCounts(), left_out)


SUN = [(500.0, 0.0), (500.0, 4000.0), (500.0, 3000.0), (500.0, 0.0)]
HALF_SUN = [(2000.0, 0.0), (1000.0, 2500.0), (6000.0, 2500.0), (2000.0, 0.0)]
NO_SUN = [(800.0, 0.0)] * 4


def village() -> Measured:
    return homes({"sunny": SUN, "half": HALF_SUN, "shade": NO_SUN})


def plan(street: Street, home: str) -> HomePlan:
    return next(one for one in street.homes if one.home == home)


def refused(path: Path, key: str, measured: Measured | None = None) -> str:
    """Answer the message of a street that is refused; it names the file and the key and is one line."""
    with pytest.raises(ConfigurationError) as caught:
        load_street(path, measured or village())
    assert caught.value.key == key
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ------------------------------------------------------------------------------------------------ the street that ships


def test_the_street_that_ships_tells_the_story_of_home_a_and_home_b() -> None:
    street = load_street(None, load(None, days=0.1))
    assert [one.home for one in street.homes] == ["dev-1", "dev-2", "dev-3", "dev-4", "dev-5", "dev-6"]
    a, b = plan(street, "dev-2"), plan(street, "dev-1")
    assert (a.kind, a.grid, a.sells_at_per_kwh) == (Kind.ISLANDED, False, None)
    assert a.battery is not None
    assert a.battery.kind.product == "Tesla Powerwall 2"
    assert a.battery.kind.capacity_j == 13.5 * 3_600_000
    assert (a.battery.kind.round_trip_efficiency, a.battery.kind.max_discharge_w) == (0.9, 5000)
    assert (a.buy_below_soc, a.resume_above_soc, a.min_dwell_s) == (0.30, 0.45, 600)
    assert (b.kind, b.sells_at_per_kwh, b.battery) == (Kind.GRID_TIED, base_units("0.18"), None)
    assert a.buys_up_to_per_kwh is not None
    assert b.sells_at_per_kwh is not None
    assert a.buys_up_to_per_kwh >= b.sells_at_per_kwh
    assert street.supplier == Tariff(Decimal("0.30"), Decimal("0.05"), "EUR")
    assert not street.derived
    assert not any(one.derived for one in street.homes)
    assert len({one.title for one in street.homes}) == 6


def test_the_street_that_ships_can_be_copied(write: Write) -> None:
    measured = load(None, days=0.1)
    assert load_street(write(COMMUNITY_STREET.read_text()), measured) == load_street(None, measured)


def test_the_street_that_ships_explains_every_key_it_uses_and_uses_most() -> None:
    text = COMMUNITY_STREET.read_text()
    written = tomllib.loads(text)
    known = {setting.name for settings in SECTIONS.values() for setting in settings}
    used = set(written["street"]) | set(written["supplier"])
    for home in written["homes"].values():
        used |= set(home) | set(home.get("battery", {}))
    assert used - {"battery"} == known


def test_a_part_of_the_homes_that_ship_keeps_their_plans() -> None:
    street = load_street(None, load(None, homes=["dev-2", "dev-4"], days=0.1))
    assert [one.title for one in street.homes] == ["Battery house", "Big house"]
    assert not street.derived


def test_homes_that_nobody_knows_get_a_derived_street() -> None:
    assert load_street(None, village()).derived


# ----------------------------------------------------------------------------------------------------------- what is read


def test_an_empty_file_is_a_street_made_from_the_data(write: Write) -> None:
    assert load_street(write(""), village()).homes == derive(village()).homes


def test_every_setting_has_its_unit_turned_into_the_streets(write: Write) -> None:
    path = write(
        """
        [street]
        name = "Ours"
        coin_value = 0.5
        report_every_s = 1800
        block_period_s = 2
        chain_id = 77
        [supplier]
        import_price_per_kwh = 1
        export_price_per_kwh = 0.125
        currency = "SEK"
        [homes.sunny]
        title = "The sun"
        opening_coins = 0.5
        sells_at_per_kwh = 0.000000000000000001
        keep_kwh = 1.5
        note = "why"
        [homes.half]
        kind = "islanded"
        buys_up_to_per_kwh = 3
        buy_kwh = 0.25
        buy_below_soc = 0.2
        resume_above_soc = 1
        min_dwell_s = 0
        grid = false
        [homes.half.battery]
        product = "P"
        source = "S"
        capacity_kwh = 2
        round_trip_efficiency = 1
        max_charge_w = 1
        max_discharge_w = 2.5
        """
    )
    street = load_street(path, village())
    assert (street.name, street.coin_value, street.report_every_s, street.block_period_s) == ("Ours", Decimal("0.5"), 1800, 2)
    assert (street.chain_id, street.supplier) == (77, Tariff(Decimal(1), Decimal("0.125"), "SEK"))
    sunny, half = plan(street, "sunny"), plan(street, "half")
    assert (sunny.title, sunny.kind, sunny.grid, sunny.note) == ("The sun", Kind.GRID_TIED, True, "why")
    assert (sunny.opening_coins, sunny.sells_at_per_kwh, sunny.keep_j) == (5 * 10**17, 1, 5_400_000)
    assert (sunny.buys_up_to_per_kwh, sunny.buy_j, sunny.min_dwell_s) == (None, joules_from_kwh("0.5"), 600)
    assert (half.title, half.kind, half.grid, half.buys_up_to_per_kwh) == ("half", Kind.ISLANDED, False, 3 * 10**18)
    assert (half.buy_j, half.buy_below_soc, half.resume_above_soc, half.min_dwell_s) == (900_000, 0.2, 1.0, 0)
    assert half.battery is not None
    assert (half.battery.kind.capacity_j, half.battery.kind.max_discharge_w) == (7_200_000, 2.5)
    assert (half.battery.opening_soc, half.battery.source) == (0.5, "S")
    assert not street.derived


def test_a_home_that_the_file_does_not_name_gets_a_derived_plan_at_the_files_prices(write: Write) -> None:
    path = write("[supplier]\nimport_price_per_kwh = 3\nexport_price_per_kwh = 1\n[homes.shade]\ntitle = 'S'")
    street = load_street(path, village())
    assert [(one.home, one.derived) for one in street.homes] == [("sunny", True), ("half", True), ("shade", False)]
    assert plan(street, "sunny").sells_at_per_kwh == base_units("1.8")
    assert not street.derived


def test_a_home_that_was_left_out_by_choice_may_be_in_the_file(write: Write) -> None:
    measured = homes({"sunny": SUN, "half": HALF_SUN}, ("shade",))
    street = load_street(write("[homes.shade]\n[homes.sunny]"), measured)
    assert [one.home for one in street.homes] == ["sunny", "half"]


# ---------------------------------------------------------------------------------------------------------- what is refused

ISLANDED = """
[homes.half]
kind = "islanded"
[homes.half.battery]
product = "P"
source = "S"
capacity_kwh = 2
round_trip_efficiency = 0.9
max_charge_w = 1000
max_discharge_w = 1000
"""


@pytest.mark.parametrize(
    ("text", "key", "told"),
    [
        ("[streets]", "streets", "did you mean street?"),
        ("street = 3", "street", "expected a section [street], found 3"),
        ("homes = []", "homes", "expected a section [homes]"),
        ("[homes]\nsunny = 1", "homes.sunny", "expected a section [homes.sunny], found 1"),
        ("[street]\nnames = 'x'", "street.names", "there is no such key; did you mean name?"),
        ("[homes.sunny]\nsell_at_per_kwh = 1", "homes.sunny.sell_at_per_kwh", "did you mean sells_at_per_kwh?"),
        ("[homes.suny]", "homes.suny", "there is no such home in the data; did you mean sunny?"),
        ("[homes.villa]", "homes.villa", "there are sunny, half, shade"),
        ("[street]\nname = 3", "street.name", "expected a line of text, in quotes, found 3"),
        ("[street]\nname = ''", "street.name", "expected a line of text"),
        ('[street]\nname = "a\\nb"', "street.name", "expected a line of text"),
        ("[street]\ncoin_value = 0", "street.coin_value", "expected a number from 0.0001 to 1000000, found 0"),
        ("[street]\ncoin_value = true", "street.coin_value", "found true"),
        ("[street]\nreport_every_s = 1000", "street.report_every_s", "a multiple of 900, found 1000"),
        ("[street]\nreport_every_s = 900.0", "street.report_every_s", "a whole number from 900"),
        ("[street]\nblock_period_s = 0", "street.block_period_s", "a whole number from 1"),
        ("[street]\nchain_id = -1", "street.chain_id", "a whole number from 1"),
        ("[supplier]\nimport_price_per_kwh = '0.3'", "supplier.import_price_per_kwh", 'without quotes, found "0.3"'),
        ("[supplier]\nexport_price_per_kwh = -0.1", "supplier.export_price_per_kwh", "from 0 to 1000, found -0.1"),
        ("[supplier]\nexport_price_per_kwh = nan", "supplier.export_price_per_kwh", "from 0 to 1000, found NaN"),
        ("[homes.sunny]\nkind = 'island'", "homes.sunny.kind", 'expected "islanded" or "grid-tied", found "island"'),
        ("[homes.sunny]\nkind = ['islanded']", "homes.sunny.kind", 'expected "islanded" or "grid-tied"'),
        ("[homes.sunny]\ngrid = 1", "homes.sunny.grid", "expected true or false, found 1"),
        ("[homes.sunny]\ngrid = false", "homes.sunny.grid", "a grid-tied home has the grid"),
        ("[homes.sunny]\nopening_coins = -1", "homes.sunny.opening_coins", "from 0"),
        ("[homes.sunny]\nopening_coins = 1e-19", "homes.sunny.opening_coins", "at most 18 decimals"),
        ("[homes.sunny]\nsells_at_per_kwh = 0", "homes.sunny.sells_at_per_kwh", "above 0"),
        ("[homes.sunny]\nsells_at_per_kwh = 1e11", "homes.sunny.sells_at_per_kwh", "at most 1000000"),
        ("[homes.sunny]\nbuy_kwh = 0", "homes.sunny.buy_kwh", "from 0.01"),
        ("[homes.sunny]\nbuy_below_soc = 30", "homes.sunny.buy_below_soc", "from 0 to 1, found 30"),
        ("[homes.sunny]\nbuy_below_soc = 0.45", "homes.sunny.resume_above_soc", "more than buy_below_soc (0.45)"),
        ("[homes.sunny]\nmin_dwell_s = 1.5", "homes.sunny.min_dwell_s", "a whole number"),
        ("[homes.sunny]\nkind = 'islanded'", "homes.sunny.battery", "is missing"),
        ("[homes.sunny]\nbattery = 3", "homes.sunny.battery", "expected a section"),
        (ISLANDED.replace('kind = "islanded"', ""), "homes.half.battery", 'expected kind = "islanded"'),
        (ISLANDED.replace("capacity_kwh = 2", ""), "homes.half.battery.capacity_kwh", "is missing; expected: What can be used"),
        (ISLANDED.replace("= 2", "= 0"), "homes.half.battery.capacity_kwh", "from 0.001"),
        (ISLANDED.replace("0.9", "1.1"), "homes.half.battery.round_trip_efficiency", "to 1, found 1.1"),
        (ISLANDED.replace("0.9", "0"), "homes.half.battery.round_trip_efficiency", "from 0.01"),
        (ISLANDED + "opening_soc = 50", "homes.half.battery.opening_soc", "from 0 to 1, found 50"),
        (ISLANDED + "capacity_j = 5", "homes.half.battery.capacity_j", "did you mean capacity_kwh?"),
    ],
)
def test_what_cannot_be_is_refused_with_its_key(write: Write, text: str, key: str, told: str) -> None:
    assert told in refused(write(text), key)


def test_a_home_whose_name_is_no_plain_key_is_named_in_quotes(write: Write) -> None:
    measured = homes({"the mill": SUN, "half": HALF_SUN})
    assert "found true" in refused(write("[homes.'the mill']\ntitle = true"), "homes.'the mill'.title", measured)


def test_blocks_that_are_not_shorter_than_a_step_are_refused(write: Write) -> None:
    told = refused(write("[street]\nblock_period_s = 10"), "street.block_period_s", homes({"a": SUN, "b": NO_SUN}, step_s=10))
    assert "less than the data's step of 10 s" in told


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"[street", "expected TOML"),
        (b"a = 1\na = 2", "expected TOML"),
        (b"name = '\xff'", "UTF-8"),
        (b"\x1f\x8b\x08\x00", "UTF-8"),
    ],
)
def test_a_file_that_is_no_toml_is_refused(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "street.toml").write_bytes(content)
    assert told in refused(tmp_path / "street.toml", "")


def test_a_street_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "there is no such file" in refused(tmp_path / "none.toml", "")
    assert "a folder" in refused(tmp_path, "")


# --------------------------------------------------------------------------------------------------------- what is derived


def test_who_has_energy_to_spare_sells_and_who_needs_more_buys() -> None:
    street = derive(village())
    assert [one.home for one in street.homes if one.sells_at_per_kwh is not None] == ["sunny"]
    assert [one.home for one in street.homes if one.buys_up_to_per_kwh is not None] == ["half", "shade"]
    assert street.derived
    assert all(one.derived for one in street.homes)


def test_the_home_closest_to_living_on_its_own_sun_gets_batteries_for_its_greatest_load_and_keeps_the_grid() -> None:
    half = plan(derive(village()), "half")
    assert (half.kind, half.grid) == (Kind.ISLANDED, True)
    assert half.battery is not None
    assert half.battery.kind.product == "2 × Tesla Powerwall 2"  # 6 kW, at 5 kW each
    assert half.battery.kind.max_discharge_w == 10_000
    assert half.battery.kind.capacity_j == 27 * 3_600_000
    assert "closest to living on its own sun" in half.note


def test_no_home_is_islanded_where_no_other_could_sell_to_it() -> None:
    street = derive(homes({"half": HALF_SUN, "shade": NO_SUN}))
    assert {one.kind for one in street.homes} == {Kind.GRID_TIED}


def test_no_home_is_islanded_that_makes_hardly_anything() -> None:
    street = derive(homes({"sunny": SUN, "dim": [(1000.0, 100.0)] * 4}))
    assert {one.kind for one in street.homes} == {Kind.GRID_TIED}


def test_prices_lie_between_what_the_supplier_pays_and_what_it_asks_and_who_has_most_is_cheapest() -> None:
    more = [(consumption_w, 2 * production_w) for consumption_w, production_w in SUN]
    street = derive(homes({"sunny": SUN, "more": more, "half": HALF_SUN, "shade": NO_SUN}))
    low, high = base_units("0.05"), base_units("0.30")
    prices = [one.sells_at_per_kwh for one in street.homes if one.sells_at_per_kwh is not None]
    assert prices == [base_units("0.2"), base_units("0.15")]
    assert all(low < price < high for price in prices)
    assert {one.buys_up_to_per_kwh for one in street.homes} == {high}


def test_two_sellers_buy_from_each_other_when_they_need_to() -> None:
    street = derive(homes({"early": SUN, "late": list(reversed(SUN))}))
    assert all(one.buys_up_to_per_kwh is not None and one.sells_at_per_kwh is not None for one in street.homes)


def test_a_street_without_sun_neither_sells_nor_buys_and_still_is_a_street() -> None:
    street = derive(homes({"shade": NO_SUN, "cellar": NO_SUN}))
    assert all(one.sells_at_per_kwh is None and one.buys_up_to_per_kwh is None for one in street.homes)
    assert describe(street)


def test_a_silent_home_has_a_plan_too() -> None:
    street = derive(homes({"sunny": SUN, "silent": [], "shade": NO_SUN}))
    assert plan(street, "silent").buys_up_to_per_kwh is None


@pytest.mark.parametrize("coin_value", ["0.0001", "0.333", "1", "1000000"])
def test_derived_prices_follow_what_a_coin_is_worth(coin_value: str) -> None:
    street = derive(village(), Tariff(Decimal("0.30"), Decimal("0.05"), "EUR"), Decimal(coin_value))
    price = plan(street, "sunny").sells_at_per_kwh
    assert price is not None
    assert Decimal(price) * Decimal(coin_value) / 10**18 == pytest.approx(Decimal("0.15"), rel=Decimal("0.01"))


def test_a_supplier_that_gives_energy_away_leaves_nothing_to_trade() -> None:
    street = derive(village(), Tariff(Decimal(0), Decimal(0), "EUR"))
    assert all(one.sells_at_per_kwh is None and one.buys_up_to_per_kwh is None for one in street.homes)


def test_purses_hold_a_fair_part_and_the_islanded_home_has_enough() -> None:
    street = derive(load(None))
    purses = {one.home: one.opening_coins // 10**18 for one in street.homes}
    assert purses["dev-2"] == max(purses.values())
    assert purses["dev-4"] >= purses["dev-6"] > 0  # the one that needs more can buy more


# -------------------------------------------------------------------------------------------------------- what people read


def test_a_street_is_described_by_a_line_for_each_home() -> None:
    lines = describe(load_street(None, load(None, days=0.1)))
    assert "asks 0.30 EUR a kWh and pays 0.05" in lines[0]
    about_a = next(line for line in lines if "dev-2" in line)
    for told in ("Battery house", "Tesla Powerwall 2", "13.5 kWh", "90% round trip", "5 kW out", "without the grid", "at 30%"):
        assert told in about_a
    assert "sells at 0.18, keeps 1 kWh" in next(line for line in lines if "dev-1" in line)


def test_a_derived_street_says_that_and_why() -> None:
    text = "\n".join(describe(derive(village())))
    assert "Nobody planned this street" in text
    assert "makes 7.0 kWh, 6.0 kWh of it to spare; uses 2.0 kWh" in text


def test_a_long_street_is_summed_up() -> None:
    lines = describe(derive(homes({f"h{n}": SUN if n % 2 else NO_SUN for n in range(30)})))
    assert lines[-1] == "  and 6 homes more: 3 of them sell, 6 buy"
    assert len(lines) == 30, "three about the street, two about how it was made, 24 homes, and how many there are more"


def test_the_reference_names_every_setting_with_its_unit_and_default() -> None:
    text = reference()
    for section, settings in SECTIONS.items():
        assert f"## [{section}]" in text
        for setting in settings:
            assert f"| `{setting.name}` | {setting.unit} |" in text
            assert setting.help.endswith(".")
    assert "| `capacity_kwh` | kWh | required |" in text


def test_every_default_can_be_read() -> None:
    for settings in SECTIONS.values():
        for setting in settings:
            if setting.default not in (REQUIRED, None):
                setting.read(setting.default)
    assert {setting.name for setting in STREET} == {"name", "coin_value", "report_every_s", "block_period_s", "chain_id"}


def test_a_home_that_buys_is_wired_to_the_nearest_doors_that_sell() -> None:
    street = derive(village())
    some = street.homes[0]
    selling = [True, True, False, True, True, True]
    doors = tuple(
        replace(some, home=f"h{n}", sells_at_per_kwh=base_units(1) if sells else None, buys_up_to_per_kwh=base_units(2))
        for n, sells in enumerate(selling)
    )
    street = replace(street, homes=doors)
    assert wired_to(street, doors[2]) == ["h1", "h3", "h0", "h4"]
    assert wired_to(street, doors[5]) == ["h4", "h3", "h1", "h0"]
    assert wired_to(street, replace(doors[0], buys_up_to_per_kwh=None)) == []
    assert "wired to the 4 nearest" in "".join(describe(street))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[supplier]\nimport_price_per_kwh = 1e-30", "at most 18 decimals"),
        ("[supplier]\nimport_price_per_kwh = 1e99999999999999999999", "numbers of a sensible size"),
        ("[street]\nchain_id = " + "9" * 5000, "numbers of a sensible size"),
        ("[street]\nchain_id = 0x" + "f" * 5000, "a number of very many digits"),
        ("a = " + "[" * 5000, "brackets within brackets|expected TOML"),
        ("#" * 300_000, "at most 262144 characters"),
        ('[homes.sunny.battery]\nproduct = "p"\nsource = "s"\ncapacity_kwh = 1e-7', "from 0.001"),
    ],
)
def test_numbers_and_files_beyond_all_sense_are_refused_in_a_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "street.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=told) as refused:
        load_street(path, village())
    assert "\n" not in str(refused.value)
