"""Any contract: arguments as people write them, answers of every shape, and values that cannot be had."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi.abi import encode
from web3 import Web3
from web3.exceptions import Web3RPCError

from daisee.errors import ChainError, UsageError
from daisee.ledger.anycontract import AnyContract, read_argument
from daisee.units import Address

SOMEWHERE = Address("0x" + "11" * 20)


def view(name: str, *outputs: str) -> dict[str, Any]:
    fields = [{"type": "uint256", "name": output} for output in outputs]
    return {"type": "function", "name": name, "inputs": [], "outputs": fields, "stateMutability": "view"}


def answering(monkeypatch: pytest.MonkeyPatch, *answers: Any) -> Web3:
    """Answer a web3 whose node says this of each call, one after the other."""
    web3, left = Web3(), list(answers)

    def call(*_asked: Any) -> bytes:
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return bytes(answer)

    monkeypatch.setattr(web3.eth, "call", call)
    return web3


def test_a_value_that_cannot_be_had_does_not_spoil_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    web3 = answering(monkeypatch, Web3RPCError("out of gas"), encode(["uint256"], [7]), b"\x01", encode(["uint256"], [8]))
    contract = AnyContract(web3, SOMEWHERE, [view(name, "") for name in ("heavy", "light", "odd", "last")])
    state = contract.state()
    assert (state["light"], state["last"]) == (7, 8)
    assert "out of gas" in state["heavy"]
    assert "does not answer odd as the ABI says" in state["odd"]


@pytest.mark.parametrize("silence", [ConnectionError("refused"), ChainError("no node answers")])
def test_a_node_that_does_not_answer_has_no_state_to_show(silence: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ChainError):
        AnyContract(answering(monkeypatch, silence), SOMEWHERE, [view("light", "")]).state()


def test_values_are_told_by_name_or_else_all_by_their_places(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = encode(["uint256", "uint256"], [5, 6])
    abi = [view("named", "a", "b"), view("half", "a", ""), view("twice", "a", "a")]
    contract = AnyContract(answering(monkeypatch, answer, answer, answer), SOMEWHERE, abi)
    answered = [contract.ask(function, []) for function in contract.functions]
    assert answered == [{"a": 5, "b": 6}, {"0": 5, "1": 6}, {"0": 5, "1": 6}]


def test_what_only_looks_like_an_address_is_shown_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    digits = "0x" + "ab" * 20
    kinds = ["string", "address", "string[]", "(address,string)[2]", "bytes2"]
    outputs = [{"type": kind, "name": name} for name, kind in zip("abcde", kinds, strict=True)]
    outputs[3] |= {"type": "tuple[2]", "components": [{"type": "address", "name": ""}, {"type": "string", "name": ""}]}  # type: ignore[dict-item]
    answer = encode(kinds, [digits, digits, [digits], [(digits, digits)] * 2, b"\x01\x02"])
    contract = AnyContract(answering(monkeypatch, answer), SOMEWHERE, [{**view("told"), "outputs": outputs}])
    written = Web3.to_checksum_address(digits)
    assert contract.ask(contract.functions[0], []) == {
        "a": digits, "b": written, "c": [digits], "d": [[written, digits]] * 2, "e": "0x0102",
    }  # fmt: skip


def test_a_function_without_a_type_is_a_function() -> None:
    contract = AnyContract(Web3(), SOMEWHERE, [{"name": "sun", "inputs": [{"name": "at", "type": "uint256"}]}, {"type": "event"}])
    assert [each.signature for each in contract.functions] == ["sun(uint256)"]


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("١", "uint256", "is no whole number"),
        ("\uff11", "uint8", "is no whole number"),
        ("1\n", "uint8", "is no whole number"),
        ("sun\udcff", "string", "is not UTF-8"),
        ('["sun\\udcff"]', "string[]", "is not UTF-8"),
    ],
)
def test_an_argument_that_only_looks_like_one_is_refused(text: str, kind: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read_argument(text, kind, "it")
