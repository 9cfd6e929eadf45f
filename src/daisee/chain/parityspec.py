"""The chain specification of Parity (2016 to 2020), as far as it says what a community of proof of authority is: who seals, how
often, how much gas a block has, and who has how much of the chain's own money. Numbers are JSON's, or text, decimal or
with 0x, as Parity took them. What a new chain cannot take over is said in words, and nothing is left out in silence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_utils.address import is_checksum_address, to_checksum_address

from daisee.errors import ConfigurationError, UsageError
from daisee.shallow import parse
from daisee.units import Address

LONGEST_STEP_S = 3_600
LEAST_GAS_LIMIT, MOST_GAS_LIMIT = 1_000_000, 2**53
MOST_BALANCE = 2**256 - 1
MOST_BYTES = 50_000_000
DEFAULT_CODE_BYTES = 24_576
"""As long as a contract may be since EIP-170, here too."""
CONTRACT_SETS = ("safeContract", "contract")

_FORK = re.compile(r"(eip\d+[a-z]*(Disable|Reenable)?|homestead|maxCodeSize)Transition")
"""When which rules began to hold, of which one sentence tells."""
_OF_PARAMS = {
    # Taken over, or told of.
    "chainID", "networkID", "accountStartNonce", "maxCodeSize", "registrar",
    # A chain has these of its client, and nobody in the community sees them.
    "maximumExtraDataSize", "minGasLimit", "gasLimitBoundDivisor", "subprotocolName", "validateChainIdTransition",
    "validateReceiptsTransition",
}  # fmt: skip
_OF_ENGINE = {
    "stepDuration", "validators", "authorities", "blockReward", "blockRewardContractAddress", "blockRewardContractTransition",
    # How AuRa keeps its steps in order.
    "startStep", "validateScoreTransition", "validateStepTransition", "maximumUncleCount", "maximumUncleCountTransition",
    "gasLimitBoundDivisor",
}  # fmt: skip
_OF_ACCOUNT = {"balance", "nonce", "builtin", "constructor", "code", "storage"}

NUMBER = re.compile(r"[0-9]{1,80}|0[xX][0-9a-fA-F]{0,64}")
ADDRESS = re.compile(r"(0x)?[0-9a-fA-F]{40}")

_FIX = {
    "stepDuration": "say what it shall be with --period",
    "gasLimit": "say what it shall be with --gas-limit",
    "validators": "name them with --validator",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ParitySpec:
    """A community, as its Parity chain had it."""

    name: str
    chain_id: int
    period_s: int
    gas_limit: int
    validators: tuple[Address, ...]
    balances: Mapping[Address, int]
    left: tuple[str, ...]
    """What a new chain cannot take over, a sentence each."""


def read_spec(
    path: Path, *, validators: Sequence[Address] = (), period_s: int | None = None, gas_limit: int | None = None
) -> ParitySpec:
    """Read a specification; what is named here counts instead of what it says. UsageError where it is none, or is not whole."""
    spec = _Part(path, "", _load(path))
    left: list[str] = []
    params, genesis = spec.part("params"), spec.part("genesis")
    engine = _authority_round(spec)
    name = spec.facts.get("name")
    read = ParitySpec(
        name=name if isinstance(name, str) else "",
        chain_id=params.number("chainID") if "chainID" in params.facts else params.number("networkID"),
        period_s=period_s or _step(engine, left),
        gas_limit=gas_limit or genesis.number("gasLimit", LEAST_GAS_LIMIT, MOST_GAS_LIMIT),
        validators=tuple(validators) or _validators(engine, left),
        balances=_balances(spec, left),
        left=(),
    )
    left += _of_engine(engine) + _of_params(params) + _of_genesis(spec)
    accounts = spec.part("accounts")
    besides = [*_besides(params, _OF_PARAMS), *_besides(engine, _OF_ENGINE)]
    besides += [each for key in accounts.facts for each in _besides(accounts.part(key), _OF_ACCOUNT)]
    if besides:
        left.append(f"What else it says, which the new chain does not do: {', '.join(besides)}.")
    return ParitySpec(**{**{field: getattr(read, field) for field in read.__slots__}, "left": tuple(left)})


class _Part:
    """An object of the file, which knows where it is in it."""

    def __init__(self, path: Path, place: str, facts: Any) -> None:
        self.path, self.place = path, place
        if not isinstance(facts, dict):
            raise self.bad("", "this is an object in Parity's format")
        self.facts: dict[str, Any] = facts

    def bad(self, key: str, expected: str) -> ConfigurationError:
        """Answer an error that names a key of this part."""
        return ConfigurationError(self.path, ".".join(filter(None, (self.place, key))), expected)

    def part(self, key: str) -> _Part:
        """Answer an object in this one; an empty one where there is none."""
        return _Part(self.path, ".".join(filter(None, (self.place, key))), self.facts.get(key, {}))

    def number(self, key: str, least: int = 0, most: int = MOST_BALANCE, value: Any = None) -> int:
        """Answer a number between two others; `value` where it is not what the key has."""
        told = self.facts.get(key) if value is None else value
        if told is None:
            raise self.bad(key, f"is missing; {_FIX.get(key, 'a chain has it')}")
        number = _number(told)
        if number is None:
            raise self.bad(key, f"{_short(told)} is no number, which is decimal or begins with 0x")
        if not least <= number <= most:
            fix = f"; {_FIX[key]}" if key in _FIX else ""
            raise self.bad(key, f"{_short(told)} is not between {least} and {most}{fix}")
        return number

    def address(self, key: str, told: Any) -> Address:
        """Answer an address that is said at a key; upper and lower case together are a checksum (EIP-55)."""
        if not isinstance(told, str) or not ADDRESS.fullmatch(told):
            raise self.bad(key, f"{_short(told)} is no address, which has 40 hex digits")
        digits = told.removeprefix("0x")
        if digits not in (digits.lower(), digits.upper()) and not is_checksum_address("0x" + digits):
            raise self.bad(key, f"{told} is mistyped: its capital letters are a checksum, and do not fit")
        return Address(to_checksum_address("0x" + digits.lower()))


def _load(path: Path) -> Any:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UsageError(f"{path} is too large to be a chain specification; export the state's accounts another way")
        told = parse(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{path} is no JSON, as Parity's chain specifications are: {error}") from error
    if not isinstance(told, dict) or not {"engine", "genesis", "params"} <= set(told):
        raise UsageError(f"{path} is no chain specification of Parity's, which has `engine`, `genesis` and `params`")
    return told


def _authority_round(spec: _Part) -> _Part:
    """Answer the parameters of the engine; an error where it is not proof of authority by rounds."""
    engines = spec.part("engine").facts
    for name in engines:
        if name.lower() == "authorityround":
            return spec.part("engine").part(name).part("params")
    named = ", ".join(engines) or "nothing"
    raise spec.bad("engine", f"it is {named}, and authorityRound is what can be taken over: it names who seals")


def _step(engine: _Part, left: list[str]) -> int:
    told = engine.facts.get("stepDuration")
    if isinstance(told, dict):
        steps = {engine.number("stepDuration", value=at): step for at, step in told.items()}
        if not steps:
            raise engine.bad("stepDuration", f"it is empty; {_FIX['stepDuration']}")
        if len(steps) > 1:
            left.append("The step's duration changed in time (stepDuration); the last one is taken.")
        told = steps[max(steps)]
    return engine.number("stepDuration", 1, LONGEST_STEP_S, told)


def _validators(engine: _Part, left: list[str]) -> tuple[Address, ...]:
    """Answer who seals; of several sets one after the other, the last that is a list."""
    if "validators" not in engine.facts and "authorities" in engine.facts:
        return _listed(engine, "authorities", engine.facts["authorities"])
    told = engine.facts.get("validators")
    if told is None:
        raise engine.bad("validators", f"there is none; {_FIX['validators']}")
    validators = engine.part("validators")
    if "multi" not in validators.facts:
        return _of_set(validators)
    multi = validators.part("multi")
    sets = {multi.number(at, value=at): multi.part(at) for at in multi.facts}
    lists = {at: each for at, each in sets.items() if "list" in each.facts}
    if not lists:
        return _of_set(sets[max(sets)] if sets else multi)
    if len(sets) > 1:
        since = "the last set" if max(lists) == max(sets) else f"the list since block {max(lists)}, not the contract after it"
        left.append(f"The validators changed in time (multi): {since} is taken; --validator names others.")
    return _of_set(lists[max(lists)])


def _of_set(validators: _Part) -> tuple[Address, ...]:
    if "list" in validators.facts:
        return _listed(validators, "list", validators.facts["list"])
    for kind in CONTRACT_SETS:
        if kind in validators.facts:
            raise validators.bad(
                kind,
                f"the contract {_short(validators.facts[kind])} says who seals, and a new chain does not have it; ask it "
                "on the old chain (getValidators()), and name them with --validator",
            )
    raise validators.bad("", f"there is no list of validators in it; {_FIX['validators']}")


def _listed(part: _Part, key: str, told: Any) -> tuple[Address, ...]:
    if not isinstance(told, list) or not told:
        raise part.bad(key, f"there is none; {_FIX['validators']}")
    named = [part.address(f"{key}[{place}]", each) for place, each in enumerate(told)]
    for place, address in enumerate(named):
        if address in named[:place]:
            raise part.bad(f"{key}[{place}]", f"{address} is a validator twice")
    return tuple(named)


def _balances(spec: _Part, left: list[str]) -> dict[Address, int]:
    """Answer who has money; say which accounts have more than that."""
    accounts = spec.part("accounts")
    balances: dict[Address, int] = {}
    seen: set[Address] = set()
    contracts, used = [], []
    for key in accounts.facts:
        address, account = accounts.address(key, key), accounts.part(key)
        if address in seen:
            raise accounts.bad(key, "the same account is there twice")
        seen.add(address)
        balance = account.number("balance") if "balance" in account.facts else 0
        if balance:
            balances[address] = balance
        if "builtin" in account.facts:
            continue
        if {"constructor", "code", "storage"} & set(account.facts):
            contracts.append(address)
        if "nonce" in account.facts and account.number("nonce"):
            used.append(address)
    if sum(balances.values()) > MOST_BALANCE:
        raise accounts.bad("", "together they have more than 2^256, which no chain can count")
    if contracts:
        left.append(f"The contracts that it had from the beginning: {', '.join(contracts)}; deploy them anew.")
    if used:
        left.append(f"The nonces of {', '.join(used)}; each account counts from 0 again.")
    return balances


def _of_engine(engine: _Part) -> list[str]:
    left = [
        "The steps: in AuRa the clock says whose turn it is; on the new chain it is the next in the row of those who are there."
    ]
    reward = engine.facts.get("blockReward")
    if (
        isinstance(reward, dict)
        or (reward is not None and engine.number("blockReward"))
        or "blockRewardContractAddress" in engine.facts
    ):
        left.append("The reward for a block: who seals on the new chain earns the gas and nothing else.")
    return left


def _of_params(params: _Part) -> list[str]:
    left = []
    if "chainID" in params.facts and "networkID" in params.facts:
        network_id = params.number("networkID")
        if network_id != params.number("chainID"):
            left.append(f"The network id {network_id}: on the new chain it is the chain id.")
    if params.facts.get("accountStartNonce") and params.number("accountStartNonce"):
        left.append("The nonce that accounts began with (accountStartNonce): they begin with 0.")
    if params.facts.get("maxCodeSize") and params.number("maxCodeSize") > DEFAULT_CODE_BYTES:
        left.append(f"The longest contract (maxCodeSize): it is {DEFAULT_CODE_BYTES} bytes.")
    if params.facts.get("registrar"):
        left.append("The registrar, and the names and permissions in it.")
    return left


def _of_genesis(spec: _Part) -> list[str]:
    left = [
        "The history: the new chain begins at block 0 with the balances of the specification, whatever was paid since.",
        "The genesis's own seal, author, extra data and time.",
        "When the chain took which fork: on the new one all rules up to Berlin hold from the first block.",
    ]
    nodes = spec.facts.get("nodes")
    if isinstance(nodes, list) and nodes:
        left.append(f"The boot nodes, of which it has {len(nodes)}: the new nodes have keys of their own to be known by.")
    return left


def _besides(part: _Part, known: set[str]) -> list[str]:
    """List where a part says something that is neither taken over, nor told of, nor of no matter."""
    return [
        f"{part.place}.{key}"
        for key, told in part.facts.items()
        if told is not None and key not in known and not _FORK.fullmatch(key)
    ]


def _number(told: Any) -> int | None:
    """Read a number as Parity did, for which no digits are zero; None for what is none."""
    if isinstance(told, int) and not isinstance(told, bool):
        return told
    if not isinstance(told, str) or (told and not NUMBER.fullmatch(told)):
        return None
    if told[:2].lower() == "0x":
        return int(told[2:] or "0", 16)
    return int(told or "0")


def _short(told: Any) -> str:
    text = told if isinstance(told, str) else json.dumps(told)
    return text if len(text) <= 60 else text[:57] + "..."
