"""Validators whose disk was lost: one has its keys still, one comes out of its backup; both are themselves again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.faults.nodes import Nodes, until
from tests.faults.results import Fault
from tests.faults.street import Street

pytestmark = [pytest.mark.geth, pytest.mark.timeout(300)]

SEALS_S = 90.0


def wait_until_it_seals(nodes: Nodes, name: str, after: int) -> None:
    """Wait until a validator has sealed a block that the others have, later than one."""
    validator = nodes.validator(name)

    def seals() -> bool:
        seen = nodes.view("node1")
        return validator in seen.sealers[: max(0, seen.head - after)]

    until(seals, SEALS_S, f"{name} does not seal again")


@pytest.mark.fault("wiped-disk")
def test_a_validator_comes_back_from_nothing_as_itself(four: Street, fault: Fault, tmp_path: Path) -> None:
    nodes, kept = four.nodes, tmp_path / "node3.tar.gz"
    nodes.daisee("chain", "backup", str(nodes.path / "node3"), str(kept))
    was = nodes.folder("node3").entry
    recovered = []
    with four.trading():
        nodes.grow(2, seen_by="node1")
        nodes.kill("node2")
        shutil.rmtree(nodes.path / "node2" / "data")
        nodes.grow(3, seen_by="node1")
        nodes.start("node2")
        mark = nodes.head("node1")
        recovered.append(nodes.recover(mark))
        wait_until_it_seals(nodes, "node2", mark)
        nodes.kill("node3")
        shutil.rmtree(nodes.path / "node3")
        nodes.grow(3, seen_by="node1")
        nodes.daisee("chain", "restore", str(kept), str(nodes.path / "node3"))
        assert nodes.folder("node3").entry == was
        nodes.start("node3")
        mark = nodes.head("node1")
        recovered.append(nodes.recover(mark))
        wait_until_it_seals(nodes, "node3", mark)
    four.check()
    fault.recovered_s = max(recovered)
    fault.note = f"data removed: back after {recovered[0]:.0f} s; folder restored from its backup: {recovered[1]:.0f} s"
