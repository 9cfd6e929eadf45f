"""Parity's chain specification: what of it a new chain takes over, what is said not to be, and what is refused, and how."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from daisee.chain.parityspec import read_spec
from daisee.errors import UsageError
from daisee.units import Address

SPEC = Path(__file__).parent / "data" / "parity-spec.json"
VALIDATORS = (
    "0x1a642f0E3c3aF545E7AcBD38b07251B3990914F1",
    "0x5050A4F4b3f9338C3472dcC01A87C76A144b3c9c",
    "0x3325a78425F17a7E487Eb5666b2bFd93aBb06c70",
)
OTHER = Address("0x00000000000000000000000000000000000000AA")
BALANCES = {
    "0x0000000000000000000000000000000000000001": 1,
    "0x0000000000000000000000000000000000000002": 1,
    "0x00000000000000000000000000000000000000A1": 10**22,
    "0x00000000000000000000000000000000000000a2": 10**22,
    "0x00000000000000000000000000000000000000A3": 12_345,
    "0x00000000000000000000000000000000000000C0": 1,
}

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Answer what writes the specification with one thing changed: the last word names it, those before lead there."""

    def written(*place: str, value: Any = None, without: bool = False) -> Path:
        told = json.loads(SPEC.read_text())
        part = told
        for word in place[:-1]:
            part = part[word]
        if without:
            del part[place[-1]]
        else:
            part[place[-1]] = value
        path = tmp_path / "spec.json"
        path.write_text(json.dumps(told))
        return path

    return written


PARAMS = ("engine", "authorityRound", "params")


def test_a_community_is_read_as_its_chain_had_it() -> None:
    spec = read_spec(SPEC)
    assert (spec.name, spec.chain_id, spec.period_s, spec.gas_limit) == ("Three roofs", 20_170, 5, 6_000_000)
    assert spec.validators == VALIDATORS
    assert {address.lower(): balance for address, balance in spec.balances.items()} == {
        address.lower(): balance for address, balance in BALANCES.items()
    }


def test_what_cannot_be_taken_over_is_said() -> None:
    told = "\n".join(read_spec(SPEC).left)
    for said in (
        "The contracts that it had from the beginning: 0x00000000000000000000000000000000000000C0, 0x",
        "The nonces of 0x00000000000000000000000000000000000000a2;",
        "The network id 2017:",
        "The registrar",
        "The history:",
        "The steps: in AuRa",
        "The boot nodes, of which it has 1:",
        "When the chain took which fork",
    ):
        assert said.lower() in told.lower()
    assert "0000000001" not in told, "what every chain has built in is not lost"
    assert "reward" not in told, "there was none"


def test_without_a_chain_id_the_network_id_counts(write: Write) -> None:
    spec = read_spec(write("params", "chainID", without=True))
    assert spec.chain_id == 2_017
    assert "network id" not in "".join(spec.left)


def test_authorities_are_what_validators_were_called_first(write: Write) -> None:
    path = write("engine", value={"AuthorityRound": {"params": {"stepDuration": 3, "authorities": list(VALIDATORS[:2])}}})
    assert (read_spec(path).validators, read_spec(path).period_s) == (VALIDATORS[:2], 3)


@pytest.mark.parametrize(
    ("sets", "expected", "said"),
    [
        ({"0": {"list": [VALIDATORS[0]]}}, VALIDATORS[:1], None),
        (
            {"0": {"list": [VALIDATORS[0]]}, "0x64": {"list": [VALIDATORS[1]]}, "20": {"list": [OTHER]}},
            VALIDATORS[1:2], "the last set",
        ),
        (
            {"0": {"list": [VALIDATORS[2]]}, "90": {"safeContract": OTHER}},
            VALIDATORS[2:], "the list since block 0, not the contract",
        ),
    ],
)  # fmt: skip
def test_of_several_sets_of_validators_the_last_list_is_taken(write: Write, sets: Any, expected: Any, said: str | None) -> None:
    spec = read_spec(write(*PARAMS, "validators", value={"multi": sets}))
    assert spec.validators == expected
    told = [each for each in spec.left if "(multi)" in each]
    assert (said in told[0]) if said else not told


@pytest.mark.parametrize("kind", ["contract", "safeContract"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_validators_of_a_contract_must_be_named(write: Write, kind: str, wrapped: bool) -> None:
    told = {kind: "0x0000000000000000000000000000000000000005"}
    path = write(*PARAMS, "validators", value={"multi": {"0": told}} if wrapped else told)
    with pytest.raises(UsageError, match=r"the contract 0x0+5 says who seals, .* name them with --validator"):
        read_spec(path)
    assert read_spec(path, validators=[OTHER]).validators == (OTHER,)


def test_a_step_that_changed_is_the_last(write: Write) -> None:
    spec = read_spec(write(*PARAMS, "stepDuration", value={"0": 5, "1500000000": "0x4", "900": 7}))
    assert spec.period_s == 4
    assert any("stepDuration" in each for each in spec.left)
    assert not any("stepDuration" in each for each in read_spec(write(*PARAMS, "stepDuration", value={"0": 5})).left)


def test_what_is_named_counts_instead_of_what_cannot_be_read(write: Write) -> None:
    assert read_spec(write(*PARAMS, "stepDuration", value="soon"), period_s=9).period_s == 9
    assert read_spec(write("genesis", "gasLimit", value="0x1"), gas_limit=2_000_000).gas_limit == 2_000_000


@pytest.mark.parametrize("reward", ["0x10", 5, {"0": "5"}])
def test_a_reward_is_lost(write: Write, reward: Any) -> None:
    assert any("reward" in each for each in read_spec(write(*PARAMS, "blockReward", value=reward)).left)


def test_other_rules_for_accounts_and_contracts_are_lost(write: Write) -> None:
    assert any("(accountStartNonce)" in each for each in read_spec(write("params", "accountStartNonce", value="0x100000")).left)
    assert any("(maxCodeSize)" in each for each in read_spec(write("params", "maxCodeSize", value=100_000)).left)
    assert not any("(maxCodeSize)" in each for each in read_spec(write("params", "maxCodeSize", value="0x6000")).left)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        *((("params", key), "0x0000000000000000000000000000000000000005") for key in (
            "transactionPermissionContract", "nodePermissionContract", "feeCollector", "eip1559FeeCollector",
        )),
        *((("params", key), 7) for key in ("forkBlock", "forkCanonHash", "gasPriceBoundary", "wasmActivationTransition")),
        *(((*PARAMS, key), 7) for key in (
            "blockGasLimitContractTransitions", "emptyStepsTransition", "immediateTransitions", "randomnessContractAddress",
            "posdaoTransition", "twoThirdsMajorityTransition",
        )),
        (("accounts", "0x00000000000000000000000000000000000000a1", "version"), 1),
    ],
)  # fmt: skip
def test_what_we_do_not_know_is_not_left_out_in_silence(write: Write, place: tuple[str, ...], value: Any) -> None:
    told = [each for each in read_spec(write(*place, value=value)).left if each.startswith("What else it says")]
    assert told == [f"What else it says, which the new chain does not do: {'.'.join(place)}."]


@pytest.mark.parametrize("key", ["eip1283DisableTransition", "eip161abcTransition", "subprotocolName", "maxCodeSizeTransition"])
def test_what_is_of_no_matter_is_not_told(write: Write, key: str) -> None:
    assert not any(key in each for each in read_spec(write("params", key, value=1)).left)


ACCOUNT = "0x00000000000000000000000000000000000000a1"
REFUSED: dict[str, tuple[tuple[str, ...], Any, str]] = {
    "another engine": (("engine",), {"Ethash": {"params": {}}}, r"engine: it is Ethash, and authorityRound is what can be"),
    "no engine": (("engine",), {}, r"engine: it is nothing"),
    "an engine of no form": (("engine",), ["authorityRound"], r"engine: this is an object"),
    "no validators": ((*PARAMS, "validators"), {"list": []}, r"validators\.list: there is none; name them with --validator"),
    "no list": ((*PARAMS, "validators"), {}, r"params\.validators: there is no list of validators"),
    "validators of no form": ((*PARAMS, "validators"), "me", r"params\.validators: this is an object"),
    "nothing in multi": ((*PARAMS, "validators"), {"multi": {}}, r"multi: there is no list"),
    "a block that is none": ((*PARAMS, "validators"), {"multi": {"soon": {"list": [OTHER]}}}, r"multi\.soon: soon is no number"),
    "a short address": ((*PARAMS, "validators"), {"list": ["0x12"]}, r"list\[0\]: 0x12 is no address"),
    "a mistyped address": (
        (*PARAMS, "validators"), {"list": [VALIDATORS[0].replace("E3c3a", "e3c3a")]}, r"list\[0\]: 0x1a.* is mistyped",
    ),
    "a validator twice": (
        (*PARAMS, "validators"), {"list": [VALIDATORS[0], VALIDATORS[0].lower()]}, r"list\[1\]: 0x1a.* is a validator twice",
    ),
    "a step of nothing": ((*PARAMS, "stepDuration"), 0, r"stepDuration: 0 is not between 1 and 3600; .* --period"),
    "a step of a day": ((*PARAMS, "stepDuration"), "86400", r"stepDuration: 86400 is not between"),
    "a step in words": ((*PARAMS, "stepDuration"), "soon", r"stepDuration: soon is no number"),
    "no steps": ((*PARAMS, "stepDuration"), {}, r"stepDuration: it is empty"),
    "no gas": (("genesis", "gasLimit"), "0x1", r"genesis\.gasLimit: 0x1 is not between .* --gas-limit"),
    "endless gas": (("genesis", "gasLimit"), "0x" + "f" * 64, r"genesis\.gasLimit: 0xf+\.\.\. is not between"),
    "a true balance": (("accounts", ACCOUNT, "balance"), True, r"accounts\.0x0+a1\.balance: true is no number"),
    "a balance in parts": (("accounts", ACCOUNT, "balance"), 1.5, r"balance: 1\.5 is no number"),
    "a balance in words": (("accounts", ACCOUNT, "balance"), "a lot", r"balance: a lot is no number"),
    "a balance in a list": (("accounts", ACCOUNT, "balance"), ["1"], r"balance: \[\"1\"\] is no number"),
    "a debt": (("accounts", ACCOUNT, "balance"), -5, r"balance: -5 is not between 0 and"),
    "too much for one": (("accounts", ACCOUNT, "balance"), str(2**256), r"balance: 11579.* is not between"),
    "too much for all": (("accounts", ACCOUNT, "balance"), str(2**256 - 1), r"accounts: together they have more than 2\^256"),
    "digits without end": (("accounts", ACCOUNT, "balance"), "9" * 5_000, r"balance: 9{57}\.\.\. is no number"),
    "an account of no form": (("accounts", ACCOUNT), "rich", r"accounts\.0x0+a1: this is an object"),
    "an account of no address": (("accounts", "bert"), {"balance": "1"}, r"accounts\.bert: bert is no address"),
    "an account twice": (("accounts", ACCOUNT[2:].upper()), {"balance": "1"}, r"accounts\.0+A1: the same account is there twice"),
    "accounts of no form": (("accounts",), [], r"accounts: this is an object"),
    "a nonce in words": (("accounts", ACCOUNT, "nonce"), "first", r"nonce: first is no number"),
    "a chain id in words": (("params", "chainID"), "ours", r"params\.chainID: ours is no number"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_meant_is_refused_in_one_line(write: Write, name: str) -> None:
    place, value, expected = REFUSED[name]
    with pytest.raises(UsageError, match=expected) as refused:
        read_spec(write(*place, value=value))
    assert str(refused.value).startswith(str(write(*place, value=value)))
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (("params", "networkID"), None),
        (("genesis", "gasLimit"), r"genesis\.gasLimit: is missing; say what it shall be with --gas-limit"),
        ((*PARAMS, "stepDuration"), r"params\.stepDuration: is missing; say what it shall be with --period"),
        ((*PARAMS, "validators"), r"params\.validators: there is none; name them with --validator"),
        (("accounts",), None),
        (("nodes",), None),
        (("name",), None),
    ],
)
def test_only_what_a_chain_needs_must_be_there(write: Write, place: tuple[str, ...], expected: str | None) -> None:
    path = write(*place, without=True)
    if expected is None:
        assert read_spec(path).validators == VALIDATORS
        return
    with pytest.raises(UsageError, match=expected):
        read_spec(path)


def test_a_chain_without_an_id_is_refused(write: Write) -> None:
    path = write("params", value={})
    with pytest.raises(UsageError, match=r"params\.networkID: is missing; a chain has it"):
        read_spec(path)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is no JSON"),
        (b"{", "is no JSON"),
        (b"\xff\xfe", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (b"1" * 10_000, "is no JSON"),
        (b"[]", "is no chain specification of Parity's"),
        (b'{"config": {"chainId": 1}, "alloc": {}}', "is no chain specification of Parity's"),
        (b'{"engine": [], "genesis": [], "params": []}', "params: this is an object"),
    ],
    ids=["empty", "open", "no text", "deep", "one number", "a list", "geth's", "of lists"],
)
def test_what_is_no_specification_is_said_to_be_none(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "spec.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=expected) as refused:
        read_spec(path)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_or_is_too_large_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"nothing\.json cannot be read: No such file"):
        read_spec(tmp_path / "nothing.json")
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        read_spec(tmp_path)
    monkeypatch.setattr("daisee.chain.parityspec.MOST_BYTES", 100)
    with pytest.raises(UsageError, match="is too large"):
        read_spec(SPEC)
