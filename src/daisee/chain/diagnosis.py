"""What is wrong with a chain, in words, from what its nodes say; and what to do about it. Nothing is asked or changed in here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from daisee.chain.network import Network
from daisee.chain.view import TURNS, NodeView
from daisee.units import Address

STALE_PERIODS = 6
"""A chain whose head is older than so many of its periods does not go on."""
STALE_LEAST_S = 20.0
LAG_S = 6
"""The nodes are not asked at one moment, and a block takes a moment to all: so much older may be what one of them has."""
CLOCK_TOLERANCE_S = 5.0
"""Further apart, and blocks are waited for, or refused as of the future."""
SET_CLOCK = "let it be set by the network (timedatectl set-ntp true)"
NOBODY_SEALS = (
    "the chain has no validator left, and geth does not start on it any more; its blocks up to the last vote can be exported, "
    "and gone on from: docs/reference/chain.md, What fails, says how"
)
DEADLOCK = (
    "the validators stand on forks of equal weight ({forks}), and each sealed on its own too recently to seal again; "
    "`daisee chain unstick` rewinds one of them"
)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is found."""

    goes_on: bool
    """Whether blocks are being sealed, as far as can be seen."""
    troubles: list[str] = field(default_factory=list)
    deadlocked: bool = False


def needed(validators: int, client: str = "geth") -> int:
    """Answer how many validators must be there, so that a chain goes on: with Clique more than half, with QBFT two thirds."""
    return validators // 2 + 1 if client == "geth" else -(-2 * validators // 3)


def barred(sealers: Sequence[Address | None], validators: int) -> set[Address]:
    """Answer who may not seal on a head with these last sealers, the newest first: each may seal one of so many in a row."""
    return {sealer for sealer in sealers[: needed(validators) - 1] if sealer}


def diagnose(
    views: Sequence[NodeView],
    now_s: float,
    period_s: int,
    network: Network | None = None,
    notes: Sequence[str] = (),
    genesis: str | None = None,
) -> Diagnosis:
    """Say what is wrong. `network` is what should be there, where that is known, and `genesis` the hash of its first block.

    `notes` are troubles that somebody else saw.
    """
    answering = [view for view in views if view.answers]
    troubles = [f"{view.name}: {view.silent}" for view in views if not view.answers]
    if not answering:
        return Diagnosis(False, troubles or ["no node is here"])
    troubles += notes
    ours = on_our_chain(answering, network, genesis)
    troubles += _other_chains(answering, ours, network)
    troubles += _clocks(answering)
    if not ours:
        return Diagnosis(False, troubles)
    best = max(ours, key=lambda view: (view.difficulty or view.head, view.head))
    age_s = now_s - max(view.head_at_s for view in ours)
    goes_on = age_s <= max(STALE_PERIODS * period_s, STALE_LEAST_S)
    troubles += _behind(ours, best, period_s)
    deadlocked = False
    if best.validators == ():
        troubles.append(NOBODY_SEALS)
    elif not goes_on:
        # Heads of different chains are no forks, and nothing can be taken back to where they are one.
        waits, deadlocked = _why_it_waits(ours, best, age_s, network, may_deadlock=len(ours) == len(answering))
        troubles += waits
    else:
        troubles += _missing(best, network)
    return Diagnosis(goes_on, troubles, deadlocked)


def on_our_chain(views: Sequence[NodeView], network: Network | None, genesis: str | None = None) -> list[NodeView]:
    """Answer those that are on the network's chain: with its genesis, else with that of most; none where that is open."""
    if network and any(view.chain_id == network.chain_id for view in views):
        views = [view for view in views if view.chain_id == network.chain_id]
    counted = Counter(view.genesis for view in views).most_common(2)
    if genesis is None and counted and (len(counted) == 1 or counted[0][1] > counted[1][1]):
        genesis = counted[0][0]
    return [view for view in views if view.genesis == genesis]


def _other_chains(views: Sequence[NodeView], ours: Sequence[NodeView], network: Network | None) -> list[str]:
    others = [view for view in views if view not in ours]
    if not ours:
        told = ", ".join(f"{view.name} has id {view.chain_id} and genesis {view.genesis[:10]}" for view in views)
        return [
            f"the nodes are on different chains ({told}); give the network's genesis.json to who has another one, and reset it"
        ]
    first = ours[0]
    found = [
        f"{view.name} is on another chain than {first.name}: id {view.chain_id} and genesis {view.genesis[:10]}, "
        f"not id {first.chain_id} and genesis {first.genesis[:10]}; give it the network's genesis.json and reset it"
        for view in others
    ]
    if network and first.chain_id != network.chain_id:
        found.append(f"{first.name} is on chain {first.chain_id}, and the network is {network.chain_id}")
    return found


def _clocks(views: Sequence[NodeView]) -> list[str]:
    """Say whose clock is wrong: a node's, or ours where most nodes agree against us."""
    told = {view.name: view.clock_ahead_s for view in views if view.clock_ahead_s is not None}
    wrong = {name: ahead_s for name, ahead_s in told.items() if abs(ahead_s) > CLOCK_TOLERANCE_S}
    alike = wrong and max(wrong.values()) - min(wrong.values()) < CLOCK_TOLERANCE_S
    if len(wrong) == len(told) > 1 and alike:
        off_s = sum(wrong.values()) / len(wrong)
        side = "behind" if off_s > 0 else "ahead"
        return [f"the clock of this machine is {abs(off_s):.0f} s {side}: all nodes agree against it; {SET_CLOCK}"]
    return [
        f"the clock of {name} is {abs(ahead_s):.0f} s "
        + ("ahead: the others refuse its blocks as of the future; " if ahead_s > 0 else "behind: it refuses the others' blocks; ")
        + f"on its machine, {SET_CLOCK}"
        for name, ahead_s in wrong.items()
    ]


def _behind(views: Sequence[NodeView], best: NodeView, period_s: int) -> list[str]:
    found = []
    for view in views:
        if view.peer_count == 0 and (len(views) > 1 or (view.validators and len(view.validators) > 1)):
            found.append(f"{view.name} is connected with nobody; see its peers with `daisee chain peers`")
        if view.behind:
            found.append(f"{view.name} is catching up: {view.behind} blocks are missing")
        elif best.head - view.head > max(2, LAG_S // period_s):
            found.append(f"{view.name} is {best.head - view.head} blocks behind {best.name}")
    return found


def _missing(best: NodeView, network: Network | None) -> list[str]:
    """Name the validators who sealed none of the last blocks, while the chain goes on without them."""
    turns = TURNS * len(best.validators or ())
    if not best.validators or len(best.sealers) < turns:
        return []
    away = [validator for validator in best.validators if validator not in best.sealers[:turns]]
    named = [network.name_of(validator) if network else validator for validator in away]
    return [f"{name} sealed none of the last {turns} blocks" for name in named]


def _why_it_waits(
    views: Sequence[NodeView], best: NodeView, age_s: float, network: Network | None, *, may_deadlock: bool
) -> tuple[list[str], bool]:
    silent = f"no block for {age_s:.0f} s"
    if best.validators is None:
        return [f"{silent}: do enough of its validators run?"], False
    count = len(best.validators)
    seen = _seen(views, best, network)
    least = needed(count, network.client if network else "geth")
    if len(seen) < least:
        return [f"{least} of {count} validators needed, {len(seen)} seen: the chain waits ({silent})"], False
    # Each stands on its own fork, on which it sealed too recently to seal again; and no fork is heavier than the other.
    own = {network.node(view.name).validator: view for view in views} if network is not None else {}
    may_seal = [
        validator
        for validator, view in own.items()
        if validator in best.validators and validator not in barred(view.sealers, count)
    ]
    heads = {view.head_hash for view in views}
    if may_deadlock and len(heads) > 1 and own and not may_seal:
        forks = "; ".join(
            f"{' and '.join(view.name for view in views if view.head_hash == head)} at block "
            f"{next(view.head for view in views if view.head_hash == head)} ({head[:10]})"
            for head in sorted(heads)
        )
        return [f"deadlock, {silent}: {DEADLOCK.format(forks=forks)}"], True
    if len(heads) > 1:
        return [f"{silent}, and the nodes disagree about the newest one; are they connected?"], False
    return [f"{silent}, though {len(seen)} of {count} validators are connected; see their logs"], False


def _seen(views: Sequence[NodeView], best: NodeView, network: Network | None) -> set[Address]:
    """Answer the validators that answer, or that somebody who answers is connected with."""
    if network is None or best.validators is None:
        return set(best.validators or ())
    peers = {key for view in views for key in view.peers or ()}
    names = {view.name for view in views}
    return {
        node.validator
        for node in network.nodes
        if node.validator in best.validators and (node.name in names or node.public_key in peers)
    }
