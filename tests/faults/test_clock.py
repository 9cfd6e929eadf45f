"""A validator whose clock is a minute ahead: it is named, the others go on, and it is one of them again with its clock set."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.faults import latergeth
from tests.faults.conftest import Make
from tests.faults.nodes import others, until
from tests.faults.results import Fault
from tests.faults.street import Street

import need

pytestmark = [pytest.mark.geth, pytest.mark.timeout(900)]


@pytest.fixture(scope="session")
def later_geth() -> str:
    """Answer a geth whose clock is ahead; built the first time, in some minutes."""
    why = latergeth.why_not()
    if why and need.in_ci():
        pytest.fail(f"{why} (CI=true: nothing may be missing)", pytrace=False)
    if why:
        pytest.skip(why)
    return latergeth.get()


@pytest.fixture
def three(later_geth: str, make: Make) -> Iterator[Street]:
    """Answer a street on three validators on loopback, where `daisee chain status` asks a node for its time."""
    street = make(validators=3, homes=4)
    yield street
    street.close()
    street.nodes.close()


@pytest.mark.fault("clock-ahead")
def test_a_clock_that_is_ahead_is_named(three: Street, later_geth: str, fault: Fault) -> None:
    nodes = three.nodes
    assert "clock" not in nodes.troubles()
    nodes.stop("node3")
    nodes.start("node3", program=later_geth)
    with three.trading():
        nodes.grow(6, seen_by="node1")
        (told,) = (trouble for trouble in nodes.status()["troubles"] if trouble.startswith("the clock of"))
        assert told.startswith(f"the clock of node3 is {latergeth.AHEAD_S} s ahead")
        for name in others(nodes.names, "node3"):
            assert three.homes[name][0].meant, f"the homes of {name} do not report"
        nodes.stop("node3")
        nodes.start("node3")
        fault.recovered_s = nodes.recover()
        until(lambda: not nodes.troubles(), 60, "something is still wrong")
    three.check()
    fault.note = told
