"""Votes on validators that were given and have not passed, and what would become of them once others validate (EIP-225).

A node that was told to vote does so in each block that it seals, until it stops or is told otherwise. What it voted is counted
from then on, until the vote passes, its voter is voted out, or the epoch ends; and when fewer validate, fewer votes are enough.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from daisee.chain.diagnosis import needed
from daisee.chain.network import Network
from daisee.chain.view import NodeView
from daisee.units import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One validator's vote on an account."""

    voter: Address
    about: Address
    join: bool
    block: int | None
    """In which it is; None where it is in none yet."""
    node: str | None
    """Its node, where that answers here."""
    goes_on: bool
    """Whether that node is told to go on voting so; of one elsewhere it is not known."""


def standing(views: Sequence[NodeView], network: Network | None, joining: Address | None = None) -> list[Standing]:
    """List the votes that stand: those in blocks, and those that the nodes that answer here are told to give.

    A node that does not validate gives none; what one is told that is about to join is listed with the others.
    """
    knowing = [view for view in views if view.answers and view.validators is not None]
    if not knowing:
        return []
    best = max(knowing, key=lambda view: view.head)
    validators = best.validators or ()
    blocks = {(vote.voter, vote.about, vote.join): vote.block for vote in best.votes}
    accounts = {node.name: node.validator for node in network.nodes} if network else {}
    voters = {account: view for view in knowing if (account := accounts.get(view.name)) and account in (*validators, joining)}
    told = {(account, about, join) for account, view in voters.items() for about, join in view.proposals.items()}
    return [
        Standing(
            voter=voter, about=about, join=join, block=blocks.get((voter, about, join)),
            node=voters[voter].name if voter in voters else None, goes_on=(voter, about, join) in told,
        )
        for voter, about, join in sorted({*blocks, *told})
        # To vote in who is in means nothing, and is in no block.
        if join != (about in validators)
    ]  # fmt: skip


def passing(votes: Iterable[Standing], validators: Collection[Address]) -> list[Standing]:
    """Of these votes, list those that would be enough to pass if these accounts validated."""
    by_aim: dict[tuple[Address, bool], list[Standing]] = {}
    for vote in votes:
        if vote.voter in validators:
            by_aim.setdefault((vote.about, vote.join), []).append(vote)
    return [vote for given in by_aim.values() if len(given) >= needed(len(validators)) for vote in given]
