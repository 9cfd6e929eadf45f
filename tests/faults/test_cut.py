"""Links between validators that are cut and mended: one history at the end, in which everything is once."""

from __future__ import annotations

import pytest
from tests.faults import forks
from tests.faults.nodes import until
from tests.faults.results import Fault
from tests.faults.street import Street

pytestmark = [pytest.mark.geth, pytest.mark.timeout(300), pytest.mark.usefixtures("cuttable")]

WAIT_S = 60.0


@pytest.mark.fault("cut-3+1")
def test_a_validator_that_is_cut_off_gives_its_own_block_up(four: Street, fault: Fault) -> None:
    nodes = four.nodes
    with four.trading():
        paused = forks.pause(nodes)
        alone = paused.c
        forks.cut(nodes, [alone])
        until(lambda: nodes.head(alone) > paused.block, WAIT_S, f"{alone} seals nothing")
        nodes.grow(6, seen_by=paused.a)
        assert nodes.head(alone) == paused.block + 1, "one of four has sealed two blocks in a row"
        lost = set(forks.carried(nodes, alone, paused.block + 1)) - set(forks.carried(nodes, paused.a, paused.block + 1))
        assert lost, f"no home of {alone} has reported into its fork alone"
        own, theirs = (forks.block(nodes, name, paused.block + 1)["hash"] for name in (alone, paused.a))
        assert own != theirs
        nodes.lan.mend()
        fault.recovered_s = nodes.recover()
    four.check()
    assert {forks.block(nodes, name, paused.block + 1)["hash"] for name in nodes.names} == {theirs}
    fault.note = f"{len(lost)} transactions were in the lone side's block alone; all came after"


@pytest.mark.fault("cut-2+2")
def test_two_halves_wait_and_one_gives_way(four: Street, fault: Fault) -> None:
    nodes = four.nodes
    with four.trading():
        paused = forks.pause(nodes)
        loser, winner = paused.d, paused.c
        forks.cut(nodes, [paused.a, loser])
        until(lambda: nodes.head(loser) == paused.block + 1, WAIT_S, f"{loser} seals nothing")
        until(lambda: nodes.head(winner) == paused.block + 2, WAIT_S, f"{winner} and {paused.b} do not seal")
        lost, kept = (set(forks.carried(nodes, name, paused.block + 1)) for name in (loser, winner))
        assert lost - kept, "no home has reported into the lighter fork alone"
        heavier = forks.block(nodes, winner, paused.block + 1)["hash"]
        waits = {name: nodes.head(name) for name in nodes.names}
        nodes.lan.mend()
        fault.recovered_s = nodes.recover(max(waits.values()))
    four.check()
    assert {forks.block(nodes, name, paused.block + 1)["hash"] for name in nodes.names} == {heavier}
    fault.note = f"{len(lost - kept)} transactions were in the lighter block alone; all came after"
