"""The compiled contracts, as the build laid them beside this file: what a contract is called with, and what it is made of."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from daisee.errors import LedgerError


@dataclass(frozen=True, slots=True)
class Artifact:
    """One compiled contract."""

    abi: list[Any]
    """Its functions, events and errors, as Solidity's JSON ABI has them."""
    bytecode: str
    """What deploys it, 0x-hex; the constructor's arguments come after it."""
    code: bytes
    """What lies on the chain afterwards, with zeros where the constructor writes what never changes."""
    immutables: tuple[tuple[slice, ...], ...]
    """For each value that the constructor writes there, its places."""
    storage_layout: dict[str, Any]
    """Which variable lies in which slot, as solc says it."""


@cache
def load(name: str) -> Artifact:
    """Answer a compiled contract by its name; LedgerError where it was not built."""
    file = files("daisee.ledger") / "artifacts" / f"{name}.json"
    try:
        compiled = json.loads(file.read_text())
    except FileNotFoundError as error:
        raise LedgerError(f"the contract {name} is not compiled; run `make build` in the checkout") from error
    return Artifact(
        abi=compiled["abi"],
        bytecode=compiled["bytecode"],
        code=bytes.fromhex(compiled["deployedBytecode"][2:]),
        immutables=tuple(
            tuple(slice(place["start"], place["start"] + place["length"]) for place in places)
            for places in compiled["immutableReferences"].values()
        ),
        storage_layout=compiled["storageLayout"],
    )
