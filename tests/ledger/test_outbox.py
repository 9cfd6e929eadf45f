"""What is on its way, on disk: it is read back as it was written, and nothing else is taken for it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from eth_typing import HexStr

from daisee.errors import StoreError
from daisee.ledger.outbox import Outbox, Posted
from daisee.ledger.transactions import Call
from daisee.units import Address

POSTED = Posted(Call("buy", Address("0x" + "11" * 20), HexStr("0x0102"), 50_000, 7), 3, 12, [1, 2])
CREATING = Posted(Call("create", None, HexStr("0x"), 50_000), 4, 12, [1])


def test_what_was_written_is_read(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.json")
    assert outbox.read() == []
    outbox.write([POSTED, CREATING])
    assert outbox.read() == [POSTED, CREATING]


def changed(place: str, value: Any) -> Any:
    """Answer what a file holds, one value of it replaced."""
    told = asdict(POSTED)
    inside = told["call"] if place in told["call"] else told
    inside[place] = value
    return [told]


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({}, "what should be a list is none"),
        ([5], "what should be an object is none"),
        ([{}], "what should be an object is none"),
        ([{"call": {}}], "there is no name"),
        (changed("call", 5), "what should be an object is none"),
        (changed("nonce", "3"), "nonce is not what it should be"),
        (changed("nonce", True), "nonce is not what it should be"),
        (changed("since_block", None), "since_block is not"),
        (changed("gas_prices", []), "there is no gas price"),
        (changed("gas_prices", [1, "2"]), "gas_prices is not"),
        (changed("to", 5), "to is not"),
        (changed("to", "0x12"), "to is not"),
        (changed("data", "buy"), "data is not"),
        (changed("gas", -1), "gas is not"),
        (changed("value", 1.5), "value is not"),
        ([{**asdict(POSTED), "sun": 5}], "nobody knows what sun is"),
        ("[" * 100_000, "nested too deep"),
        ("half of", "it is not JSON"),
    ],
)
def test_a_file_that_says_something_else_is_named_with_what_can_be_done(told: Any, words: str, tmp_path: Path) -> None:
    path = tmp_path / "outbox.json"
    path.write_text(told if isinstance(told, str) else json.dumps(told))
    with pytest.raises(StoreError, match=words) as refused:
        Outbox(path).read()
    assert str(path) in str(refused.value)
    assert "move it away if nothing is" in str(refused.value)
