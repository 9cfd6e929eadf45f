"""What the contracts cost does not grow unnoticed, and stays within what a community on one chain is worked out from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks.gas import measure, variants

SNAPSHOT = Path(__file__).parents[2] / "benchmarks" / "gas.json"
GOALS = {"report_own": 31_000, "report_one_draw": 40_000, "buy_and_draw": 68_000, "extra_interval": 6_000}
GOALS["buy_limited_offer_and_draw"] = GOALS["buy_and_draw"]
GROWTH = 1.02


@pytest.fixture(scope="module")
def measured() -> dict[str, int]:
    return {figure.name: figure.steady for figure in (*measure(), *variants())}


def test_nothing_costs_more_than_it_did(measured: dict[str, int]) -> None:
    before = json.loads(SNAPSHOT.read_text())
    assert measured.keys() == before.keys()
    grown = {name: (before[name], gas) for name, gas in measured.items() if gas > before[name] * GROWTH}
    assert not grown, "if that is wanted: make bench-gas, and copy build/bench/gas.json to benchmarks/gas.json"


@pytest.mark.parametrize("name", GOALS)
def test_the_promises_are_kept(measured: dict[str, int], name: str) -> None:
    assert measured[name] <= GOALS[name]


def test_both_contracts_fit_into_a_block_and_into_the_limit_of_a_contracts_size(measured: dict[str, int]) -> None:
    assert max(measured["deploy_coin"], measured["deploy_exchange"]) < 6_000_000
