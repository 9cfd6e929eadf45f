"""Validators are added and removed by their own votes, on a running chain (EIP-225): each votes in the blocks that it seals."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eth_utils.address import to_checksum_address

from daisee.chain.diagnosis import needed
from daisee.chain.ipc import NodeSocket
from daisee.chain.network import NodeFolder
from daisee.chain.view import NodeView, view_of
from daisee.errors import ChainError, UsageError
from daisee.units import Address

POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class Vote:
    """What became of a vote."""

    passed: bool
    block: int
    voted: tuple[Address, ...]
    """The validators who vote from here."""
    still_needed: int
    """How many more must vote; 0 where it has passed."""
    others: tuple[Address, ...]
    """The validators who have not voted from here."""


def look(folders: Sequence[NodeFolder]) -> tuple[dict[str, NodeFolder], NodeView]:
    """Answer the nodes that run here by name, and what one of them sees; ChainError where none runs."""
    running, best = {}, None
    for folder in folders:
        view = view_of(folder.name, NodeSocket(folder.socket))
        if view.answers and view.validators is not None:
            running[folder.name] = folder
            best = view if best is None or view.head > best.head else best
    if best is None:
        raise ChainError(
            "no node of the network runs here, and votes are given to running ones; start them, or do this where they run"
        )
    return running, best


def check(account: Address, *, join: bool, seen: NodeView, force: bool) -> None:
    """Refuse a vote that makes no sense, or after which the chain could not go on. UsageError."""
    validators = seen.validators or ()
    if join:
        if account in validators:
            raise UsageError(f"{account} is a validator already")
        if int(account, 16) == 0:
            raise UsageError(f"{account} is nobody's address: a block without a vote names it")
        return
    if account not in validators:
        raise UsageError(f"{account} is no validator; `daisee chain validator list` shows them")
    left = [validator for validator in validators if validator != account]
    if not left:
        raise UsageError(f"{account} is the only validator: without it nobody would seal; vote another in first")
    awake = [validator for validator in left if validator in seen.sealers]
    if len(awake) < needed(len(left)) and not force:
        raise UsageError(
            f"without {account}, {needed(len(left))} of {len(left)} validators must seal, and only {len(awake)} of those sealed "
            f"any of the last {len(seen.sealers)} blocks: the chain would stop; start the others, or insist with --force"
        )


def vote(
    folders: Sequence[NodeFolder],
    account: Address,
    *,
    join: bool,
    timeout_s: float,
    force: bool = False,
    say: Callable[[str], None] = lambda _line: None,
) -> Vote:
    """Let every validator that runs here vote a validator in or out, and wait until the vote has passed.

    Where too few are here, their votes stand until enough others have voted, or until their nodes stop. ChainError where the
    chain does not go on meanwhile.
    """
    running, seen = look(folders)
    check(account, join=join, seen=seen, force=force)
    validators = seen.validators or ()
    voters = {folder.entry.validator: folder for folder in running.values() if folder.entry.validator in validators}
    for folder in voters.values():
        NodeSocket(folder.socket).rpc("clique_propose", [account, join])
        say(f"{folder.name} votes")
    # More than half of those who are validators now; one that is voted out may vote on it itself.
    lacking = max(0, needed(len(validators)) - len(voters))
    others = tuple(validator for validator in validators if validator not in voters)
    told = tuple(validator for validator in validators if validator in voters)
    watched = next(iter(running.values()))
    passed_at = _wait(watched, account, join, timeout_s if not lacking else 0.0)
    if passed_at is None and not lacking:
        raise ChainError(
            f"the vote has not passed after {timeout_s:.0f} s; it stands, and passes when enough validators have sealed a block: "
            "see `daisee chain status`"
        )
    if passed_at is None:
        return Vote(False, seen.head, told, lacking, others)
    for folder in voters.values():
        # Else they would vote on, block after block.
        NodeSocket(folder.socket).rpc("clique_discard", [account])
    return Vote(True, passed_at, told, 0, others)


def _wait(folder: NodeFolder, account: Address, join: bool, timeout_s: float) -> int | None:
    """Answer the block by which a vote has passed; None where it has not in that time."""
    asked = NodeSocket(folder.socket)
    until = time.monotonic() + timeout_s
    while True:
        validators = {Address(to_checksum_address(validator)) for validator in asked.rpc("clique_getSigners")}
        if (account in validators) == join:
            return int(asked.rpc("eth_blockNumber"), 16)
        if time.monotonic() >= until:
            return None
        time.sleep(POLL_S)
