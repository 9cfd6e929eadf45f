"""Any contract, by its address and its ABI: what it can be asked and told, with arguments as people write them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import decode, encode, is_encodable, is_encodable_type
from eth_abi.exceptions import DecodingError, EncodingError
from eth_typing import HexStr
from eth_utils.abi import collapse_if_tuple
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from web3 import Web3
from web3.exceptions import Web3RPCError

from daisee.errors import ChainError, UsageError
from daisee.ledger.addresses import read_address
from daisee.ledger.answers import NODE_ERRORS
from daisee.ledger.reverts import reason_of
from daisee.units import Address

LIST = re.compile(r"(.*)\[([0-9]*)\]")
MOST_BRACKETS = 100
"""In one type; reading it goes as deep as they nest."""


@dataclass(frozen=True, slots=True)
class Function:
    """One function of an ABI."""

    name: str
    inputs: tuple[tuple[str, str], ...]
    """Names and types."""
    outputs: tuple[tuple[str, str], ...]
    changes: bool
    """Whether calling it takes a transaction."""
    takes_payment: bool
    selector: bytes

    @property
    def signature(self) -> str:
        """Write it as Solidity would, for telling two of one name apart."""
        return f"{self.name}({','.join(kind for _, kind in self.inputs)})"

    @property
    def told(self) -> str:
        """Write it for people, with the names of its arguments."""
        inputs = ", ".join(f"{kind} {name}".rstrip() for name, kind in self.inputs)
        outputs = ", ".join(f"{kind} {name}".rstrip() for name, kind in self.outputs)
        return f"{self.name}({inputs})" + (f" -> {outputs}" if outputs else "")

    def data(self, arguments: Sequence[str]) -> HexStr:
        """Encode a call from what people wrote. UsageError names the argument that does not fit, and what would."""
        if len(arguments) != len(self.inputs):
            wanted = f"{len(self.inputs)} argument{'' if len(self.inputs) == 1 else 's'}"
            raise UsageError(f"{self.told} takes {wanted}, not {len(arguments)}")
        values = [read_argument(text, kind, name) for text, (name, kind) in zip(arguments, self.inputs, strict=True)]
        try:
            return HexStr("0x" + (self.selector + encode([kind for _, kind in self.inputs], values)).hex())
        except EncodingError as error:
            raise UsageError(f"{self.told} does not take these arguments: {error}") from error


class AnyContract:
    """A contract that may be anybody's."""

    def __init__(self, web3: Web3, address: Address, abi: Sequence[Any]) -> None:
        self.address = address
        self._web3 = web3
        self.functions = functions_of(abi)

    def function(self, wanted: str, arguments: int) -> Function:
        """Find a function by its name or its signature; UsageError lists what there is."""
        found = [each for each in self.functions if wanted in (each.name, each.signature)]
        if not found:
            names = ", ".join(sorted({each.name for each in self.functions}))
            raise UsageError(f"the ABI has no function {wanted}; it has {names or 'none'}")
        fitting = [each for each in found if len(each.inputs) == arguments] or found
        if len(fitting) > 1:
            raise UsageError(f"there are several: {', '.join(each.signature for each in fitting)}; name one so, in quotes")
        return fitting[0]

    def ask(self, function: Function, arguments: Sequence[str]) -> Any:
        """Call a function without a transaction; answer its value, or a mapping of its values by their names.

        Values that have not all a name of their own are told by their places, from 0. TransactionReverted where it refuses;
        ChainError where what is there does not answer like this ABI.
        """
        data = function.data(arguments)
        try:
            answered = self._web3.eth.call({"to": to_checksum_address(self.address), "data": data})
        except NODE_ERRORS as error:
            raise reason_of(error) from error
        try:
            values = decode([kind for _, kind in function.outputs], answered)
        except (DecodingError, UnicodeDecodeError) as error:
            raise ChainError(
                f"{self.address} does not answer {function.name} as the ABI says; is it the right contract, or file?"
            ) from error
        plain = [_plain(value, kind) for value, (_, kind) in zip(values, function.outputs, strict=True)]
        if len(plain) == 1:
            return plain[0]
        names = [name for name, _ in function.outputs]
        if not all(names) or len(set(names)) < len(names):
            names = [str(place) for place in range(len(names))]
        return dict(zip(names, plain, strict=True))

    def state(self) -> dict[str, Any]:
        """Ask everything that can be asked without saying more; what is wrong with one value is told in its place.

        ChainError where the node does not answer.
        """
        told: dict[str, Any] = {}
        for function in self.functions:
            if function.changes or function.inputs or not function.outputs:
                continue
            try:
                told[function.name] = self.ask(function, [])
            except Exception as error:  # whatever a stranger's contract does, the others are still shown
                if isinstance(error, ChainError) and not _of_this_call(error):
                    raise
                told[function.name] = f"({error})"
        return told


def functions_of(abi: Sequence[Any]) -> list[Function]:
    """Answer the functions of an ABI; ValueError says which entry makes no sense, and why."""
    found = []
    for place, entry in enumerate(abi):
        if not isinstance(entry, dict):
            raise ValueError(f"entry {place} is no object")
        if entry.get("type", "function") != "function":  # as the ABI's specification has it where no type is said
            continue
        try:
            found.append(_function(entry))
        except ValueError as error:
            raise ValueError(f"entry {place}, {entry.get('name') or 'without a name'}: {error}") from error
    return found


def read_argument(text: str, kind: str, name: str) -> Any:
    """Read one argument of a type; lists and tuples are written as JSON. UsageError says what would fit."""
    where = f"{name or 'the argument'} ({kind})"
    if kind.endswith("]") or kind.startswith("("):
        try:
            return _inside(json.loads(text, parse_float=str, parse_int=str), kind, where)
        except ValueError as error:
            if isinstance(error, UsageError):
                raise
            raise UsageError(f'{where} is a list: write it as JSON, like ["0x...", 5]') from error
    return _simple(text, kind, where)


def _inside(value: Any, kind: str, where: str) -> Any:
    listed = LIST.fullmatch(kind)
    if listed or kind.startswith("("):
        if not isinstance(value, list):
            raise UsageError(f"{where}: {value} should be a list")
        kinds = [listed[1]] * len(value) if listed else _parts(kind)
        if len(kinds) != len(value) or (listed and listed[2] and int(listed[2]) != len(value)):
            raise UsageError(f"{where}: {kind} has another number of parts than {len(value)}")
        return [_inside(each, part, where) for each, part in zip(value, kinds, strict=True)]
    return _simple(str(value).lower() if isinstance(value, bool) else str(value), kind, where)


def _simple(text: str, kind: str, where: str) -> Any:
    value: Any = text
    if kind == "address":
        try:
            return read_address(text)
        except UsageError as error:
            raise UsageError(f"{where}: {error}") from error
    if kind == "bool":
        if text not in ("true", "false"):
            raise UsageError(f"{where}: write true or false, not {text}")
        return text == "true"
    if kind.startswith(("uint", "int")):
        if not re.fullmatch(r"-?([0-9]{1,80}|0x[0-9a-fA-F]{1,64})", text):
            raise UsageError(f"{where}: {text} is no whole number")
        value = int(text, 0) if "x" in text else int(text)
    elif kind.startswith("bytes"):
        if not re.fullmatch(r"0x([0-9a-fA-F]{2})*", text):
            raise UsageError(f"{where}: {text} is not 0x and pairs of hex digits")
        value = bytes.fromhex(text[2:])
        if kind != "bytes" and len(value) != int(kind.removeprefix("bytes")):
            raise UsageError(f"{where}: {text} has {len(value)} bytes")
    elif kind == "string" and not _is_text(text):
        raise UsageError(f"{where}: what was written is not UTF-8")
    if not is_encodable(kind, value):
        raise UsageError(f"{where}: {text} does not fit")
    return value


def _is_text(text: str) -> bool:
    """Tell whether it can be encoded: bytes of a command line that are no letters come as halves of letters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _of_this_call(error: ChainError) -> bool:
    """Tell whether the node answered, if only that this one call came to nothing: out of gas, say, or out of time."""
    return isinstance(error.__cause__, Web3RPCError | DecodingError | UnicodeDecodeError)


def _parts(kind: str) -> list[str]:
    """Take the types of a tuple apart."""
    parts, depth, begin = [], 0, 1
    for place, letter in enumerate(kind[:-1]):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and depth == 1:
            parts.append(kind[begin:place])
            begin = place + 1
    return [*parts, kind[begin:-1]]


def _function(entry: dict[str, Any]) -> Function:
    name, inputs, outputs = entry.get("name"), _fields(entry, "inputs"), _fields(entry, "outputs")
    if not isinstance(name, str) or not name:
        raise ValueError("a function has a name")
    return Function(
        name=name,
        inputs=inputs,
        outputs=outputs,
        changes=entry.get("stateMutability") not in ("view", "pure") and not entry.get("constant", False),
        takes_payment=entry.get("stateMutability") == "payable" or bool(entry.get("payable", False)),
        selector=keccak(text=f"{name}({','.join(kind for _, kind in inputs)})")[:4],
    )


def _fields(entry: dict[str, Any], part: str) -> tuple[tuple[str, str], ...]:
    """Answer the names and types of what goes in or comes out; ValueError for what is none."""
    told = entry.get(part) or []
    if not isinstance(told, list) or not all(isinstance(field, dict) for field in told):
        raise ValueError(f"its {part} are no list of objects")
    return tuple((str(field.get("name") or ""), _kind(field)) for field in told)


def _kind(field: dict[str, Any]) -> str:
    """Answer a type, a tuple's as its parts in brackets; ValueError for what is none."""
    try:
        kind = collapse_if_tuple(field)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{field.get('type', 'nothing')} is no type, or lacks its components") from error
    if len(re.findall(r"[(\[]", kind)) > MOST_BRACKETS or not is_encodable_type(kind):
        raise ValueError(f"{kind[:60]} is no type")
    return kind


def _plain(value: Any, kind: str) -> Any:
    """Turn what a contract answers, of a type, into what JSON has: bytes as hex, addresses with their checksum."""
    listed = LIST.fullmatch(kind)
    if listed or kind.startswith("("):
        kinds = [listed[1]] * len(value) if listed else _parts(kind)
        return [_plain(each, part) for each, part in zip(value, kinds, strict=True)]
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return to_checksum_address(value) if kind == "address" else value
