"""Asks a node what would come of a call, before it is sent. Times are Unix seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from eth_utils.address import to_checksum_address
from web3 import Web3
from web3.types import RPCEndpoint, TxParams, Wei

from daisee.errors import TransactionReverted
from daisee.ledger.answers import NODE_ERRORS
from daisee.ledger.depth import is_instant
from daisee.ledger.reverts import reason_of
from daisee.ledger.transactions import Call
from daisee.units import Address


def try_out(web3: Web3, account: Address, call: Call, clock: Callable[[], float] = time.time) -> None:
    """Ask what would come of a call of an account; nothing is sent.

    A node executes it as of its newest block's time. Where blocks come only when there is something for them, that may be long
    ago, and the call's own block will not be: there it is tried as of now, if the node takes that (geth does).
    TransactionReverted where it would be refused, ChainError where the node does not answer.
    """
    if is_instant(web3) and _would_go_through_now(web3, account, call, int(clock())):
        return
    asked: TxParams = {"from": to_checksum_address(account), "data": call.data, "gas": call.gas, "value": Wei(call.value)}
    if call.to is not None:
        asked["to"] = to_checksum_address(call.to)
    try:
        web3.eth.call(asked)
    except NODE_ERRORS as error:
        raise reason_of(error) from error


def _would_go_through_now(web3: Web3, account: Address, call: Call, now_s: int) -> bool:
    """Tell whether a call would go through in the next block; also False for a node that takes no time with a question."""
    asked: dict[str, Any] = {"from": account, "data": call.data, "gas": hex(call.gas), "value": hex(call.value)}
    if call.to is not None:
        asked["to"] = call.to
    try:
        at_s = max(now_s, int(web3.eth.get_block("latest")["timestamp"]) + 1)
        web3.manager.request_blocking(RPCEndpoint("eth_call"), [asked, "latest", {}, {"time": hex(at_s)}])
    except NODE_ERRORS as error:
        reason = reason_of(error)
        if isinstance(reason, TransactionReverted):
            raise reason from error
        return False
    return True
