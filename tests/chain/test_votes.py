"""Which votes are refused, and which are taken back first: the chain must be able to go on when they have passed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.chain.test_diagnosis import KEYS, NAMES, NETWORK, NOW_S, SIGNERS, A, B, C, D

from daisee.chain.ipc import NodeSocket
from daisee.chain.network import NodeFolder
from daisee.chain.standing import passing, standing
from daisee.chain.view import CastVote, NodeView
from daisee.chain.votes import Here, check, vote, withdraw
from daisee.errors import ChainError, UsageError
from daisee.units import Address

STRANGER = Address("0x000000000000000000000000000000000000dEaD")


def view(place: int, **other: Any) -> NodeView:
    """A node that has the genesis only, and is connected with nobody."""
    first = NodeView(name=NAMES[place], chain_id=7, genesis="0x11", validators=SIGNERS, peers=(), peer_count=0)
    return replace(first, **other)


def here(*views: NodeView, silent: tuple[str, ...] = (), elsewhere: bool = False) -> Here:
    nodes = [replace(node, host="192.168.1.21") if elsewhere else node for node in NETWORK.nodes]
    running = {each.name: NodeFolder.__new__(NodeFolder) for each in views}
    return Here(NETWORK.with_nodes(nodes), running, frozenset(silent), views, max(views, key=lambda each: each.head))


def removed(account: Address, seen: Here, *, force: bool = False) -> None:
    check(account, join=False, here=seen, now_s=NOW_S, force=force)


def test_before_the_first_block_those_count_who_are_here() -> None:
    removed(A, here(*(view(place) for place in range(4))))
    with pytest.raises(
        UsageError, match="2 of 3 validators must seal, and nothing is seen of node3, node4: the chain would stop"
    ):
        removed(A, here(view(0), view(1)))
    removed(A, here(view(0), view(1)), force=True)


def test_peers_are_awake() -> None:
    removed(A, here(view(0, peers=(KEYS[1], KEYS[2]))))


def test_who_sealed_a_while_ago_is_not_awake() -> None:
    lately = dict.fromkeys((B, C, D), NOW_S - 10)
    removed(A, here(view(0, sealed_at_s=lately), elsewhere=True))
    with pytest.raises(UsageError, match="nothing is seen of node2, node3, node4"):
        removed(A, here(view(0, sealed_at_s=dict.fromkeys((B, C, D), NOW_S - 300)), elsewhere=True))
    # Its node is of this machine and does not answer: it was killed a moment ago.
    with pytest.raises(UsageError, match="nothing is seen of node3, node4"):
        removed(A, here(view(0, sealed_at_s=lately), view(1, sealed_at_s=lately), silent=("node3", "node4")))


def test_a_validator_that_the_chain_would_wait_for_is_not_voted_in() -> None:
    two = [view(place, validators=(A, B)) for place in (0, 1)]
    check(STRANGER, join=True, here=here(*two), now_s=NOW_S, force=False)
    alone = here(view(0, validators=(A,)))
    with pytest.raises(UsageError, match=f"with {STRANGER}, 2 of 2 validators must seal, and nothing is seen of {STRANGER}"):
        check(STRANGER, join=True, here=alone, now_s=NOW_S, force=False)
    check(STRANGER, join=True, here=alone, now_s=NOW_S, force=True)


def test_the_last_validator_stays_whatever_is_said() -> None:
    with pytest.raises(UsageError, match="is the only validator"):
        removed(A, here(view(0, validators=(A,))), force=True)


def test_votes_stand_that_are_in_blocks_or_that_nodes_are_told_to_give() -> None:
    cast = (CastVote(B, A, False, 90),)
    votes = standing([view(0, proposals={A: False, STRANGER: True, B: True}, votes=cast), view(2)], NETWORK)
    assert {(each.voter, each.about, each.join, each.block, each.node, each.goes_on) for each in votes} == {
        (A, STRANGER, True, None, "node1", True),
        (A, A, False, None, "node1", True),
        (B, A, False, 90, None, False),
    }
    assert passing(votes, SIGNERS) == []
    assert {each.about for each in passing(votes, (A, B, C))} == {A}
    assert {each.about for each in passing(votes, (A,))} == {A, STRANGER}
    assert standing([NodeView(name="node1", silent="it does not run")], NETWORK) == []


class Chain:
    """Nodes that are asked by their sockets; votes pass at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *views: NodeView) -> None:
        self.views = {each.name: each for each in views}
        self.asked: list[tuple[str, str, list[Any]]] = []
        self.dead = False
        monkeypatch.setattr("daisee.chain.votes.view_of", lambda name, _asked: self.views[name])
        monkeypatch.setattr(NodeSocket, "rpc", lambda its, method, params=None: self.rpc(its.path, method, params or []))

    def rpc(self, path: Path, method: str, params: list[Any]) -> Any:
        name = path.parent.parent.name
        self.asked.append((name, method, params))
        if method == "clique_getSigners":
            if self.dead:
                raise ChainError("Connection refused")
            return [validator for validator in SIGNERS[:2] if validator != B]
        return "0x7"

    def did(self, method: str) -> list[tuple[str, Any]]:
        return [(name, params[0]) for name, asked, params in self.asked if asked == method]

    def folders(self, path: Path) -> list[NodeFolder]:
        return [NodeFolder.write(path / name, NETWORK, name) for name in self.views]


def pair(**of_first: Any) -> tuple[NodeView, NodeView]:
    """Two validators, the first of which may have been told something before."""
    return view(0, validators=(A, B), **of_first), view(1, validators=(A, B))


@pytest.mark.parametrize(("about", "join"), [(A, False), (STRANGER, True)])
def test_a_vote_that_would_then_pass_by_itself_is_taken_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, about: Address, join: bool
) -> None:
    chain = Chain(monkeypatch, *pair(proposals={about: join}))
    said: list[str] = []
    assert vote(chain.folders(tmp_path), B, join=False, timeout_s=1, say=said.append).passed
    assert ("node1", about) in chain.did("clique_discard")
    assert chain.asked.index(("node1", "clique_discard", [about])) < chain.asked.index(("node1", "clique_propose", [B, False]))
    assert "which would pass by itself then" in said[0]
    # And about who is out, nobody goes on voting.
    assert {name for name, account in chain.did("clique_discard") if account == B} == {"node1", "node2"}


def test_a_vote_given_elsewhere_that_would_then_pass_by_itself_is_in_the_way(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    of_others = (CastVote(C, A, False, 5), CastVote(D, A, False, 5))
    chain = Chain(monkeypatch, *(view(place, peers=KEYS[2:], votes=of_others) for place in (0, 1)))
    with pytest.raises(UsageError, match="then node1 would be voted out too, by what node3 and node4 voted before: on their"):
        vote(chain.folders(tmp_path), B, join=False, timeout_s=1)
    assert chain.did("clique_propose") == []
    assert vote(chain.folders(tmp_path), B, join=False, timeout_s=1, force=True).passed
    # What nodes here voted, and are told no longer, is in blocks and passes no more by itself.
    of_ours = (CastVote(A, D, False, 5), CastVote(B, D, False, 5))
    chain.views = {name: replace(each, votes=of_ours) for name, each in chain.views.items()}
    assert vote(chain.folders(tmp_path), C, join=False, timeout_s=1).passed


def test_what_others_voted_where_they_are_is_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    chain = Chain(monkeypatch, view(0, validators=(A, B, C), votes=(CastVote(C, B, False, 5),), peers=(KEYS[2],)))
    done = vote(chain.folders(tmp_path), B, join=False, timeout_s=1)
    assert (done.passed, done.voted, done.others) == (True, (A,), (B,))


def test_votes_are_withdrawn_where_they_were_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    chain = Chain(monkeypatch, *pair(proposals={B: False}, votes=(CastVote(A, B, False, 5),)))
    done = withdraw(chain.folders(tmp_path), B)
    assert (done.nodes, done.counted, done.until_block) == (("node1",), (A,), 30_000)
    assert chain.did("clique_discard") == [("node1", B)]
    with pytest.raises(UsageError, match="no node here votes on"):
        withdraw(chain.folders(tmp_path), STRANGER)
    with pytest.raises(UsageError, match=f"is a validator already; `daisee chain validator withdraw {B}` takes back"):
        vote(chain.folders(tmp_path), B, join=True, timeout_s=1)


def test_nodes_that_end_while_a_vote_is_waited_for_are_said_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    chain = Chain(monkeypatch, *pair())
    chain.dead = True
    with pytest.raises(ChainError, match=r"the nodes here ended while the vote was waited for \(Connection refused\); see"):
        vote(chain.folders(tmp_path), B, join=False, timeout_s=1)
