"""The demo's own network of real nodes, where another one is running already."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from daisee.chain.founding import DEVELOPERS_IDS, Plan
from daisee.demo.nodes import own_nodes
from daisee.errors import PortTaken


@pytest.mark.parametrize("place", [0, 2])
def test_a_port_that_is_taken_is_said_with_the_demo_s_own_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    monkeypatch.setattr("daisee.demo.nodes.program", lambda: "geth")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(PortTaken, match=f"port {port} is taken by another program; .* with --rpc-port"),
            own_nodes(tmp_path, 7, 3, port - place, print),
        ):
            raise AssertionError("it runs")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("chain_id", [*DEVELOPERS_IDS, 77])
def test_nodes_are_on_no_developer_s_chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chain_id: int) -> None:
    class Planned(Exception):
        """It would be founded now."""

    def found(_folder: Path, plan: Plan) -> None:
        raise Planned(plan.chain_id)

    monkeypatch.setattr("daisee.demo.nodes.program", lambda: "geth")
    monkeypatch.setattr("daisee.demo.nodes.found", found)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(Planned) as planned, own_nodes(tmp_path, chain_id, 1, port, print):
        raise AssertionError("it runs")
    (planned_id,) = planned.value.args
    assert planned_id == 77 if chain_id == 77 else planned_id >= 2**31
