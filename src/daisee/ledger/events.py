"""What the contracts said, in the order in which they said it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from eth_typing import ABIEvent, HexStr
from eth_utils.abi import event_abi_to_log_topic
from hexbytes import HexBytes
from web3 import Web3
from web3._utils.events import get_event_data
from web3.types import LogReceipt, TxReceipt

from daisee.ledger.artifacts import load
from daisee.units import Address


@dataclass(frozen=True, slots=True)
class LedgerEvent:
    """One event of one of our contracts."""

    name: str
    """As in the contract: `EnergyBought`, `Transfer`."""
    facts: dict[str, Any]
    """Its arguments by name; energies in joules, money in base units."""
    contract: Address
    block: int
    transaction: HexStr
    index: int
    """Its place among all events of its block."""


def events_in(web3: Web3, receipt: TxReceipt, ours: Collection[Address]) -> list[LedgerEvent]:
    """List what our contracts said in a transaction; what others said, however alike, is left out unread."""
    return decode_logs(web3, receipt["logs"], ours)


def decode_logs(web3: Web3, logs: Sequence[LogReceipt], ours: Collection[Address]) -> list[LedgerEvent]:
    """Decode those of some logs that our contracts wrote, in their order."""
    found = []
    for entry in logs:
        if Address(entry["address"]) not in ours:
            continue
        abi = _abis().get(bytes(entry["topics"][0])) if entry["topics"] else None
        if abi is None:
            continue
        told = get_event_data(web3.codec, abi, entry)
        found.append(
            LedgerEvent(
                name=told["event"],
                facts=dict(told["args"]),
                contract=Address(entry["address"]),
                block=entry["blockNumber"],
                transaction=HexStr(HexBytes(entry["transactionHash"]).to_0x_hex()),
                index=entry["logIndex"],
            )
        )
    return found


@cache
def _abis() -> dict[bytes, ABIEvent]:
    entries: list[Any] = [*load("EnergyExchange").abi, *load("DaiseeCoin").abi]
    return {bytes(event_abi_to_log_topic(entry)): entry for entry in entries if entry["type"] == "event"}
