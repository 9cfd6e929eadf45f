"""The contracts' tests take the contracts' branches; how that is counted, tools/cover.py says."""

from __future__ import annotations

import pytest

from cover import GOAL, Branch, measure, share
from trial import TESTS, Trial


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    made = Trial(tmp_path_factory.mktemp("trial"))
    assert made.compile() == ""
    return made


def told(branches: list[Branch]) -> list[str]:
    return [f"{branch.file}:{branch.line} {branch.text}" for branch in branches]


@pytest.mark.timeout(600)  # a minute where nothing else runs
def test_nearly_every_branch_goes_both_ways(trial: Trial) -> None:
    branches = measure(trial, *TESTS)
    one_way = told([branch for branch in branches if branch.jumps and len(branch.outcomes) < 2])
    for contract in ("DaiseeCoin.sol", "EnergyExchange.sol"):
        assert share([branch for branch in branches if branch.file == contract]) >= GOAL, one_way
    assert share(branches) >= GOAL, one_way
    (not_counted,) = (branch for branch in branches if not branch.jumps)
    assert not_counted.text.startswith("try IERC20Permit"), "another branch that is none in the code"


@pytest.mark.timeout(300)
def test_what_the_tests_leave_out_is_seen(trial: Trial) -> None:
    branches = measure(trial, "tests/contracts/test_coin.py")
    assert share([branch for branch in branches if branch.file == "DaiseeCoin.sol"]) > 0.5
    assert share([branch for branch in branches if branch.file == "EnergyExchange.sol"]) < 0.1
