"""Validators are added and removed by their own votes, on a running chain (EIP-225): each votes in the blocks that it seals."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from eth_utils.address import to_checksum_address

from daisee.chain.diagnosis import STALE_LEAST_S, needed
from daisee.chain.genesis import EPOCH_BLOCKS
from daisee.chain.ipc import NodeSocket
from daisee.chain.network import LOOPBACK, Network, NodeEntry, NodeFolder, machine_of
from daisee.chain.standing import Standing, passing, standing
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
    """The validators of whom no vote is known here."""


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What became of votes that were taken back."""

    nodes: tuple[str, ...]
    """Those that vote so no longer."""
    counted: tuple[Address, ...]
    """Whose vote is in a block already, and counts on."""
    until_block: int
    """Where such votes are forgotten."""


@dataclass(frozen=True, slots=True)
class Here:
    """What is seen of a chain from this machine."""

    network: Network
    running: dict[str, NodeFolder]
    """The nodes that answer here, by name."""
    silent: frozenset[str]
    """The nodes whose folders are here, and that do not answer."""
    views: tuple[NodeView, ...]
    best: NodeView
    """The one that is furthest."""

    @property
    def validators(self) -> tuple[Address, ...]:
        """Answer who validates now."""
        return self.best.validators or ()

    @property
    def standing(self) -> list[Standing]:
        """List the votes that have not passed."""
        return standing(self.views, self.network)

    def is_awake(self, validator: Address, now_s: float) -> bool:
        """Tell whether a validator answers here, is a peer of one that does, or sealed of late where neither can be known."""
        node = self._node_of(validator)
        if node and (node.name in self.running or any(node.public_key in (view.peers or ()) for view in self.views)):
            return True
        if self.is_down(validator):
            return False
        # Long enough for its turn to come twice.
        recent_s = max(STALE_LEAST_S, 2 * len(self.validators) * self.network.period_s)
        return now_s - self.best.sealed_at_s.get(validator, 0) <= recent_s

    def is_down(self, validator: Address) -> bool:
        """Tell whether a validator's node belongs to this machine, and does not answer."""
        node = self._node_of(validator)
        return node is not None and node.name in self.silent and machine_of(node.host) == LOOPBACK

    def _node_of(self, validator: Address) -> NodeEntry | None:
        return next((node for node in self.network.nodes if node.validator == validator), None)


def look(folders: Sequence[NodeFolder]) -> Here:
    """Look at a chain from the nodes that run here; ChainError where none does."""
    views = [view_of(folder.name, NodeSocket(folder.socket)) for folder in folders]
    seen = [view for view in views if view.answers and view.validators is not None]
    if not seen:
        raise ChainError(
            "no node of the network runs here, and votes are given to running ones; start them, or do this where they run"
        )
    running = {folder.name: folder for folder in folders if folder.name in {view.name for view in seen}}
    best = max(seen, key=lambda view: view.head)
    silent = frozenset(folder.name for folder in folders if folder.name not in running)
    return Here(running[best.name].network, running, silent, tuple(seen), best)


def check(account: Address, *, join: bool, here: Here, now_s: float, force: bool) -> None:
    """Refuse a vote that makes no sense, or after which the chain could not go on. UsageError."""
    validators = here.validators
    if join == (account in validators):
        told = (
            f"{account} is a validator already"
            if join
            else f"{account} is no validator; `daisee chain validator list` shows them"
        )
        against = any(vote.about == account for vote in here.standing)
        raise UsageError(f"{told}; `daisee chain validator withdraw {account}` takes back what others vote" if against else told)
    if join and int(account, 16) == 0:
        raise UsageError(f"{account} is nobody's address: a block without a vote names it")
    then = _then(account, join, validators)
    if not then:
        raise UsageError(f"{account} is the only validator: without it nobody would seal; vote another in first")
    asleep = [validator for validator in then if not here.is_awake(validator, now_s)]
    if len(then) - len(asleep) < needed(len(then)) and not force:
        raise UsageError(
            f"with{'' if join else 'out'} {here.network.name_of(account)}, {needed(len(then))} of {len(then)} validators must "
            f"seal, and nothing is seen of {', '.join(map(here.network.name_of, asleep))}: the chain would stop; start "
            f"{'it' if len(asleep) == 1 else 'them'}, or insist with --force"
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
    here = look(folders)
    check(account, join=join, here=here, now_s=time.time(), force=force)
    _clear_the_way(account, join, here, force, say)
    validators = here.validators
    voters = {folder.entry.validator: folder for folder in here.running.values() if folder.entry.validator in validators}
    for folder in voters.values():
        NodeSocket(folder.socket).rpc("clique_propose", [account, join])
        say(f"{folder.name} votes")
    # Others may have voted where they are; it is in their blocks.
    voted = {*voters, *(each.voter for each in here.standing if each.about == account)}
    # More than half of those who are validators now; one that is voted out may vote on it itself.
    lacking = max(0, needed(len(validators)) - len(voted))
    others = tuple(validator for validator in validators if validator not in voted)
    told = tuple(validator for validator in validators if validator in voters)
    passed_at = _wait(here, account, join, timeout_s if not lacking else 0.0)
    if passed_at is None and not lacking:
        raise ChainError(
            f"the vote has not passed after {timeout_s:.0f} s; it stands, and passes when enough validators have sealed a block: "
            "see `daisee chain status`"
        )
    if passed_at is None:
        return Vote(False, here.best.head, told, lacking, others)
    # Else they would vote on, block after block, or again once it is the other way round.
    _discard(account, here.running.values())
    return Vote(True, passed_at, told, 0, others)


def withdraw(folders: Sequence[NodeFolder], account: Address) -> Withdrawn:
    """Let no node that runs here vote on an account any longer. UsageError where none does."""
    here = look(folders)
    names = tuple(view.name for view in here.views if account in view.proposals)
    if not names:
        raise UsageError(f"no node here votes on {account}; `daisee chain validator list` shows what is voted on")
    _discard(account, [here.running[name] for name in names])
    counted = tuple(each.voter for each in here.standing if each.about == account and each.block and each.node in names)
    return Withdrawn(names, counted, (here.best.head // EPOCH_BLOCKS + 1) * EPOCH_BLOCKS)


def _then(account: Address, join: bool, validators: Sequence[Address]) -> tuple[Address, ...]:
    """Answer who validates once a vote has passed."""
    return (*validators, account) if join else tuple(validator for validator in validators if validator != account)


def _clear_the_way(account: Address, join: bool, here: Here, force: bool, say: Callable[[str], None]) -> None:
    """Take back votes given from here that this one would let pass too; UsageError where such a vote is given elsewhere.

    With fewer validators, fewer votes are enough. What nobody goes on voting is in blocks, and passes no more by itself.
    """
    others = [each for each in standing(here.views, here.network, account if join else None) if each.about != account]
    for about in sorted({each.about for each in passing(others, _then(account, join, here.validators))}):
        votes = [each for each in others if each.about == about]
        named, way = here.network.name_of(about), "in" if votes[0].join else "out"
        elsewhere = [here.network.name_of(each.voter) for each in votes if not (each.node or here.is_down(each.voter))]
        if elsewhere and not force:
            raise UsageError(
                f"then {named} would be voted {way} too, by what {' and '.join(elsewhere)} voted before: on their machines, "
                f"`daisee chain validator withdraw {about}`; if that was done, insist with --force"
            )
        nodes = [each.node for each in votes if each.node and each.goes_on]
        _discard(about, [here.running[name] for name in nodes])
        if nodes:
            say(f"{' and '.join(nodes)} no longer vote{'' if nodes[1:] else 's'} {named} {way}, which would pass by itself then")


def _discard(account: Address, folders: Iterable[NodeFolder]) -> None:
    for folder in folders:
        with suppress(ChainError):  # one that has ended meanwhile has forgotten it
            NodeSocket(folder.socket).rpc("clique_discard", [account])


def _wait(here: Here, account: Address, join: bool, timeout_s: float) -> int | None:
    """Answer the block by which a vote has passed; None where it has not in that time. ChainError where no node answers."""
    until = time.monotonic() + timeout_s
    while True:
        told = ""
        for folder in here.running.values():
            asked = NodeSocket(folder.socket)
            try:
                validators = {Address(to_checksum_address(validator)) for validator in asked.rpc("clique_getSigners")}
                if (account in validators) == join:
                    return int(asked.rpc("eth_blockNumber"), 16)
                break
            except ChainError as error:
                told = str(error)
        else:
            raise ChainError(
                f"the nodes here ended while the vote was waited for ({told}); see `daisee chain status`, and start them"
            )
        if time.monotonic() >= until:
            return None
        time.sleep(POLL_S)
