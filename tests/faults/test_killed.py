"""Validators that lose their power: the chain goes on with more than half of them, and waits with fewer."""

from __future__ import annotations

import pytest
from tests.faults.nodes import others, until
from tests.faults.results import Fault
from tests.faults.street import Street

pytestmark = [pytest.mark.geth, pytest.mark.timeout(300)]


@pytest.mark.fault("one-of-four-killed")
def test_trading_goes_on_while_one_of_four_is_away(four: Street, fault: Fault) -> None:
    nodes = four.nodes
    with four.trading():
        nodes.grow(3, seen_by="node1")
        nodes.kill("node4")
        before = {name: sum(len(home.meant) for home in four.homes[name]) for name in others(nodes.names, "node4")}
        nodes.grow(8, seen_by="node1")
        for name, count in before.items():
            assert sum(len(home.meant) for home in four.homes[name]) >= count + 4, f"the homes of {name} do not report"
        mark = nodes.highest()
        nodes.start("node4")
        fault.recovered_s = nodes.recover(mark)
        sealed_by_it = nodes.validator("node4")
        until(lambda: sealed_by_it in nodes.view("node1").sealers[:8], 60, "node4 does not seal again")
    four.check()
    fault.note = f"8 blocks without it; {four.reports()} reports, each once"


@pytest.mark.fault("two-of-four-killed")
def test_the_chain_waits_for_the_third_of_four_and_loses_nothing(four: Street, fault: Fault) -> None:
    nodes = four.nodes
    with four.trading():
        nodes.grow(2, seen_by="node1")
        nodes.kill("node3", "node4")
        # Each of the two others may seal one block yet.
        until(lambda: "3 of 4 validators needed, 2 seen: the chain waits" in nodes.troubles(), 60, "it is not said that it waits")
        silent_at = nodes.highest()
        assert not nodes.status()["goes_on"]
    # The homes' programs are started anew while nothing moves: all that they know is in their outboxes.
    waiting = sum(len(home.sender.in_flight) for home in four.all)
    for home in four.all:
        if home.web3.is_connected():
            home.restart()
    assert waiting, "no home waits"
    assert sum(len(home.sender.in_flight) for home in four.all) == waiting
    assert nodes.highest() == silent_at
    with four.trading():
        nodes.start("node3", "node4")
        fault.recovered_s = nodes.recover(silent_at)
        nodes.grow(4, seen_by="node3")
    four.check()
    fault.note = f"silent at block {silent_at}; {waiting} transactions waited; all there, each once"
