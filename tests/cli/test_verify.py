"""`daisee ledger verify`: right on an honest ledger, red when one number was changed behind the contracts' back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from eth_utils.address import to_canonical_address

from daisee.chain.embedded.rpc import METHODS
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
    monkeypatch.setattr("daisee.cli.ledger.book.RemoteChain", lambda _url: community.chain)
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
    assert told["storage_compared"]
    assert {"what": f"produced_j of {a.address}", "derived": 5, "answered": 6} in told["differences"]


def test_what_was_not_compared_is_said(
    community: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daisee.cli.ledger.book.RemoteChain", lambda _url: community.chain)
    code, said = verified(community, capsys)
    assert (code, "numbers, the code and the whole storage of both contracts compared" in said) == (0, True)
    monkeypatch.delitem(METHODS, "eth_getProof")
    code, said = verified(community, capsys)
    assert (code, "does not answer eth_getProof" in said, "the whole storage" in said) == (0, True, False)


def test_doctored_code_turns_it_red(community: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daisee.cli.ledger.book.RemoteChain", lambda _url: community.chain)
    state, account = community.chain.head_state, to_canonical_address(community.exchange.address)
    state.set_code(account, state.get_code(account) + b"\xfe")
    code, said = verified(community, capsys)
    assert (code, "code of EnergyExchange: another" in said, "1 are not right" in said) == (1, True, True)
