"""Validators that come and go while homes trade: no node refuses a block of another."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from tests.faults.conftest import Make
from tests.faults.lan import why_not
from tests.faults.nodes import Nodes, others, until
from tests.faults.results import Fault
from tests.faults.street import Street

from daisee.chain.network import LOOPBACK

pytestmark = [pytest.mark.geth, pytest.mark.timeout(400)]


@pytest.fixture
def three(make: Make) -> Iterator[Street]:
    """Answer a street on three validators."""
    street = make(validators=3, homes=6, cut=not why_not())
    yield street
    street.close()
    street.nodes.close()


def seals(nodes: Nodes, name: str) -> bool:
    """Tell whether a validator sealed one of the last blocks."""
    return nodes.validator(name) in nodes.view("node1").sealers


@pytest.mark.fault("validators-under-load")
def test_validators_are_voted_in_and_out_under_load(three: Street, fault: Fault) -> None:
    nodes = three.nodes
    with three.trading():
        nodes.grow(2, seen_by="node1")
        for name in ("node4", "node5"):
            host = LOOPBACK if why_not() else nodes.lan.add(name).host
            nodes.daisee("chain", "node", "add", str(nodes.path), name, "--host", host, "--validator")
            nodes.settle_in(name)
            nodes.start(name)
            nodes.recover()
            nodes.daisee("chain", "validator", "add", name, str(nodes.path))
            until(partial(seals, nodes, name), 60, f"{name} does not seal")
        first = nodes.validator("node1")
        nodes.daisee("chain", "validator", "remove", "node1", str(nodes.path))
        assert set(nodes.view("node2").validators or ()) == {nodes.validator(name) for name in others(nodes.names, "node1")}
        mark = nodes.highest()
        nodes.grow(8, seen_by="node2")
        seen = nodes.view("node2")
        assert first not in seen.sealers[: seen.head - mark - 1]
        fault.recovered_s = nodes.recover()
    three.check()
    assert not nodes.refusals()
    fault.note = f"3 to 5 to 4 validators, {three.reports()} reports, no block refused"
