"""`daisee ledger verify`: right on an honest ledger, red when one number was changed behind the contracts' back."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from daisee.cli import main
from daisee.ledger.exchange import Interval
from daisee.units import Joules


def verified(community: Any, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        main(["ledger", "--exchange", community.exchange.address, "verify", *options])
    return int(ended.value.code or 0), capsys.readouterr().out


def test_one_slot_that_was_changed_turns_it_red(
    community: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["daisee.cli.ledger.book"], "RemoteChain", lambda _url: community.chain)
    a = community.homes["A"]
    community.do(a, community.exchange.report(0, [Interval(community.now_s - 900, Joules(5), Joules(7))]))
    code, said = verified(community, capsys)
    assert (code, "all are right" in said) == (0, True)
    community.tamper(community.exchange.address, "EnergyExchange", "_books", [a.address], 1 << 48)
    code, said = verified(community, capsys)
    assert (code, f"produced_j of {a.address}: 6, and from the events follows 5" in said) == (1, True)
    code, said = verified(community, capsys, "--json")
    told = json.loads(said)
    assert (code, told["sound"]) == (1, False)
    assert {"what": f"produced_j of {a.address}", "derived": 5, "answered": 6} in told["differences"]
