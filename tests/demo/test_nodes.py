"""The demo's own network of real nodes, where another one is running already."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

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
