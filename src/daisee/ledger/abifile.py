"""ABIs in files, as solc writes them (alone, in its combined and in its standard JSON), Truffle, Hardhat and Foundry.

A file of several contracts is named with the one that is meant, as `FILE:NAME`.
"""

from __future__ import annotations

from collections.abc import Iterator
from json import JSONDecodeError
from pathlib import Path
from typing import Any

from daisee import shallow
from daisee.errors import ConfigurationError, UsageError
from daisee.files import read_some
from daisee.ledger.anycontract import functions_of
from daisee.ledger.artifacts import load

OURS = {"coin": "DaiseeCoin", "exchange": "EnergyExchange"}
MOST_BYTES = 64 * 2**20
"""Of a file; what Hardhat builds of a large project has some ten million."""
MOST_NESTED = 500
"""How deep it may nest; a compiler adds whole syntax trees."""
MOST_NAMED = 12
"""How many contracts are named to choose from."""


def read_abi(name: str) -> list[Any]:
    """Read an ABI: `coin` or `exchange` for ours, else a file, or FILE:NAME. UsageError where there is none, or more than one."""
    if name in OURS:
        return load(OURS[name]).abi
    path, wanted = _taken_apart(name)
    try:
        abi = _chosen(path, _abis_in(shallow.parse(read_some(path, MOST_BYTES), MOST_NESTED)), wanted)
        if isinstance(abi, str):  # so solc wrote it in its combined JSON, until 0.7
            abi = shallow.parse(abi.encode())
        if not isinstance(abi, list):
            raise ConfigurationError(path, "", 'is no ABI: that is a list, or an object with a list "abi"')
        functions_of(abi)
    except UsageError:
        raise
    except JSONDecodeError as error:
        raise ConfigurationError(path, "", "is no ABI: it is not JSON; or name ours, `coin` or `exchange`") from error
    except OSError as error:
        why = f"cannot be read as an ABI: {error.strerror}; or name ours, `coin` or `exchange`"
        raise ConfigurationError(path, "", why) from error
    except ValueError as error:
        raise ConfigurationError(path, "", f"is no ABI: {error}") from error
    return abi


def _taken_apart(name: str) -> tuple[Path, str]:
    """Tell a file from the contract that is meant, in whose name there may be colons too."""
    parts = name.split(":")
    for end in range(1, len(parts)):
        path = Path(":".join(parts[:end]))
        if path.is_file():
            return path, ":".join(parts[end:])
    return Path(name), ""


def _abis_in(told: Any) -> dict[str, Any]:
    """Map the contracts of a file to their ABIs; a single one may have no name."""
    if isinstance(told, dict) and isinstance(told.get("output"), dict):
        told = told["output"]  # of Hardhat's build-info, and of solc's metadata
    if not isinstance(told, dict):
        return {"": told}
    contracts = told.get("contracts")
    if "abi" in told or not isinstance(contracts, dict):
        return {str(told.get("contractName") or ""): told.get("abi")}
    return dict(_compiled(contracts))


def _compiled(contracts: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Go through what solc compiled: a level for the files in its standard JSON, none in its combined."""
    for file, inside in contracts.items():
        if not isinstance(inside, dict):
            continue
        if "abi" in inside:
            yield file, inside["abi"]
            continue
        for name, contract in inside.items():
            if isinstance(contract, dict) and "abi" in contract:
                yield f"{file}:{name}", contract["abi"]


def _chosen(path: Path, abis: dict[str, Any], wanted: str) -> Any:
    """Answer the ABI that is meant: the one of that name, or the only one."""
    names = [name for name in abis if not wanted or wanted in (name, name.rpartition(":")[2])]
    if len(names) == 1:
        return abis[names[0]]
    known = ", ".join(sorted(filter(None, names or abis))[:MOST_NAMED])
    if names:
        raise UsageError(f"which contract of {path}? Name one as FILE:NAME; there are {known}")
    if wanted and known:
        raise UsageError(f"there is no {wanted} in {path}; there are {known}")
    raise UsageError(f"there is one ABI without a name in {path}; name the file alone" if abis else f"there is no ABI in {path}")
