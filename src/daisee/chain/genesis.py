"""The first block of a community's chain, as its clients read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import rlp  # type: ignore[import-untyped]  # it has no stubs

from daisee.units import Address

FORKS = ("homestead", "eip150", "eip155", "eip158", "byzantium", "constantinople", "petersburg", "istanbul", "berlin")
"""All of them from the first block on. With London, which is next, gas would have a base fee: a community that fills its
blocks would then price itself out, by 12.5 % a block."""
EPOCH_BLOCKS = 30_000
"""How often Clique writes the list of validators into a block, and both Clique and QBFT forget votes that were not finished."""

BESU_FORKS = (*FORKS[:-1], "muirGlacier", FORKS[-1])
"""The same rules; Besu counts one more, which only put off the bomb of proof of work."""
QBFT_MIX_HASH = "0x" + b"ctical byzantine fault tolerance".hex()
"""By which Besu knows a block of QBFT: the end of \"practical byzantine fault tolerance\", in 32 bytes."""
LEAST_ROUND_S = 4
"""A round that ends before all have answered is a block lost; small computers want some seconds."""

VANITY = bytes(32)
NO_SEAL = bytes(65)


def clique_genesis(
    chain_id: int, period_s: int, gas_limit: int, validators: Sequence[Address], balances: Mapping[Address, int]
) -> dict[str, Any]:
    """Write the genesis of a Clique chain (EIP-225), as geth reads it."""
    return {
        "config": {
            "chainId": chain_id,
            **{f"{fork}Block": 0 for fork in FORKS},
            "clique": {"period": period_s, "epoch": EPOCH_BLOCKS},
        },
        "difficulty": "0x1",
        "gasLimit": hex(gas_limit),
        "extraData": "0x" + (VANITY + b"".join(sorted(map(_raw, validators))) + NO_SEAL).hex(),
        "alloc": alloc(balances),
    }


def qbft_genesis(
    chain_id: int, period_s: int, gas_limit: int, validators: Sequence[Address], balances: Mapping[Address, int]
) -> dict[str, Any]:
    """Write the genesis of a QBFT chain, as Besu reads it (besu.hyperledger.org, Configure QBFT consensus)."""
    return {
        "config": {
            "chainId": chain_id,
            **{f"{fork}Block": 0 for fork in BESU_FORKS},
            # Without effect at Berlin; on the day on which a community goes on to London, gas stays as cheap as it is.
            "zeroBaseFee": True,
            "qbft": {
                "blockperiodseconds": period_s,
                "epochlength": EPOCH_BLOCKS,
                "requesttimeoutseconds": max(LEAST_ROUND_S, 2 * period_s),
            },
        },
        "nonce": "0x0",
        "timestamp": "0x0",
        "difficulty": "0x1",
        "gasLimit": hex(gas_limit),
        "mixHash": QBFT_MIX_HASH,
        "coinbase": "0x" + bytes(20).hex(),
        "extraData": "0x" + qbft_extra_data(sorted(map(_raw, validators))).hex(),
        "alloc": alloc(balances),
    }


def qbft_extra_data(validators: Sequence[bytes]) -> bytes:
    """Write who may seal, as QBFT does in a header: vanity, validators, no vote, round 0, and no seals yet, in RLP."""
    written: bytes = rlp.encode([VANITY, list(validators), [], 0, []])
    return written


def alloc(balances: Mapping[Address, int]) -> dict[str, dict[str, str]]:
    """Write who has how much of the chain's own money from the beginning."""
    return {account: {"balance": str(balance)} for account, balance in balances.items()}


def _raw(account: Address) -> bytes:
    return bytes.fromhex(account[2:])
