"""A desk to sit down at: `daisee ledger` on an embedded chain, in an empty folder."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest
from eth_keyfile.keyfile import create_keyfile_json
from tests.cli.desk import PASSWORD, PRICE, Desk

from daisee.ledger.exchange import ALL_SURPLUS, Interval
from daisee.units import base_units, joules_from_kwh


@pytest.fixture
def desk(community: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Sit down, in an empty folder."""
    for name in ("ACCOUNT", "DEBUG", "DEPLOYMENT", "EXCHANGE", "KEYSTORE", "MAX_GAS_PRICE", "RPC"):
        monkeypatch.delenv(f"DAISEE_{name}", raising=False)
    monkeypatch.setenv("DAISEE_PASSWORD", PASSWORD)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("daisee.cli.ledger.book.RemoteChain", lambda _url: community.chain)
    monkeypatch.setattr("daisee.ledger.sender.time.sleep", lambda _s: community.seal())
    quick = functools.partial(create_keyfile_json, iterations=2)
    monkeypatch.setattr("daisee.keystore.create_keyfile_json", quick)
    return Desk(community, tmp_path, capsys)


@pytest.fixture
def market(desk: Desk) -> Desk:
    """B has 4 kWh to sell for 0.20 a kWh; A has 10 coins."""
    community = desk.community
    b = community.homes["B"]
    community.do(community.operator, community.coin.mint(desk.a, base_units(10)))
    community.do(b, community.exchange.report(0, [Interval(community.now_s - 900, joules_from_kwh(5), joules_from_kwh(1))]))
    community.do(b, community.exchange.offer(PRICE, ALL_SURPLUS))
    return desk
