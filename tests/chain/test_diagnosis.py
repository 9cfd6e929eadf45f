"""What is said of a chain, for each way in which it can be wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest

from daisee.chain.diagnosis import NOBODY_SEALS, barred, diagnose, needed
from daisee.chain.network import Network, NodeEntry
from daisee.chain.view import NodeView
from daisee.units import Address

NOW_S = 1_000_000
A, B, C, D = (Address(f"0x{number:040x}") for number in (10, 11, 12, 13))
SIGNERS = (A, B, C, D)
NAMES = ("node1", "node2", "node3", "node4")
KEYS = tuple(f"{number:0128x}" for number in range(4))
NETWORK = Network(
    client="geth", chain_id=7, period_s=5, gas_limit=6_000_000,
    nodes=tuple(
        NodeEntry(name=name, host="127.0.0.1", p2p_port=1, rpc_port=2, public_key=key, validator=signer)
        for name, key, signer in zip(NAMES, KEYS, SIGNERS, strict=True)
    ),
)  # fmt: skip


def view(place: int, **other: object) -> NodeView:
    """A node that sees a chain on which all is well."""
    well = NodeView(
        name=NAMES[place], chain_id=7, genesis="0x11" * 8, head=100, head_hash="0xaa", head_at_s=NOW_S - 3, difficulty=200,
        sealers=SIGNERS * 6, validators=SIGNERS, peers=tuple(key for key in KEYS if key != KEYS[place]), peer_count=3, pending=0,
        queued=0, clock_ahead_s=0.3,
    )  # fmt: skip
    return replace(well, **other)  # type: ignore[arg-type]  # each test names the fields


def well() -> list[NodeView]:
    return [view(place) for place in range(4)]


def away(place: int) -> NodeView:
    return NodeView(name=NAMES[place], silent="it does not run")


def troubles(views: list[NodeView]) -> list[str]:
    return diagnose(views, NOW_S, 5, NETWORK).troubles


def test_nothing_is_said_of_a_chain_that_is_well() -> None:
    found = diagnose(well(), NOW_S, 5, NETWORK)
    assert found.troubles == []
    assert found.goes_on
    assert not found.deadlocked


@pytest.mark.parametrize(("validators", "must"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (6, 4)])
def test_more_than_half_must_seal(validators: int, must: int) -> None:
    assert needed(validators) == must


@pytest.mark.parametrize(("validators", "must"), [(1, 1), (2, 2), (3, 2), (4, 3), (6, 4), (7, 5)])
def test_with_besu_two_thirds_must_seal(validators: int, must: int) -> None:
    assert needed(validators, "besu") == must


def test_who_sealed_just_now_may_not_seal() -> None:
    assert barred([A, B, C, D], 4) == {A, B}
    assert barred([A, B, C], 3) == {A}
    assert barred([A], 1) == set()


def test_a_chain_without_enough_validators_waits() -> None:
    two = [view(place, head_at_s=NOW_S - 60, peers=(KEYS[1 - place],)) for place in (0, 1)]
    found = diagnose([*two, away(2), away(3)], NOW_S, 5, NETWORK)
    assert "3 of 4 validators needed, 2 seen: the chain waits (no block for 60 s)" in found.troubles
    assert "node3: it does not run" in found.troubles
    assert not found.goes_on


def test_a_validator_elsewhere_counts_while_somebody_is_connected_with_it() -> None:
    alone = view(0, head_at_s=NOW_S - 60, peers=(KEYS[1],))
    assert troubles([alone]) == ["3 of 4 validators needed, 2 seen: the chain waits (no block for 60 s)"]


def test_a_validator_that_is_away_is_named_while_the_chain_goes_on() -> None:
    three = [view(place, sealers=(A, B, D) * 8) for place in (0, 1, 3)]
    assert troubles([*three, away(2)]) == ["node3: it does not run", "node3 sealed none of the last 12 blocks"]


def test_equal_forks_on_which_nobody_may_seal_are_a_deadlock() -> None:
    left = {"head": 102, "head_hash": "0xbb", "sealers": (B, A, D, C, B, A), "head_at_s": NOW_S - 60}
    right = {"head": 102, "head_hash": "0xcc", "sealers": (D, C, B, A, D, C), "head_at_s": NOW_S - 58}
    forks = [view(0, **left), view(1, **left), view(2, **right), view(3, **right)]
    found = diagnose(forks, NOW_S, 5, NETWORK)
    assert found.deadlocked
    assert len(found.troubles) == 1
    assert "deadlock, no block for 58 s" in found.troubles[0]
    assert "node1 and node2 at block 102 (0xbb)" in found.troubles[0]
    assert "daisee chain unstick" in found.troubles[0]


def test_forks_on_which_somebody_may_seal_are_no_deadlock() -> None:
    left = {"head": 102, "head_hash": "0xbb", "sealers": (B, A, D, C, B, A), "head_at_s": NOW_S - 60}
    right = {"head": 102, "head_hash": "0xcc", "sealers": (D, A, C, B, A, D), "head_at_s": NOW_S - 58}
    found = diagnose([view(0, **left), view(1, **left), view(2, **right), view(3, **right)], NOW_S, 5, NETWORK)
    assert not found.deadlocked
    assert found.troubles == ["no block for 58 s, and the nodes disagree about the newest one; are they connected?"]


def test_a_clock_that_is_ahead_is_named() -> None:
    (found,) = troubles([*well()[:3], view(3, clock_ahead_s=60.2)])
    assert found.startswith("the clock of node4 is 60 s ahead: the others refuse its blocks as of the future; on its machine, ")


def test_our_own_clock_is_at_fault_where_all_nodes_agree_against_it() -> None:
    found = troubles([view(place, clock_ahead_s=60.0 + place / 10, head_at_s=NOW_S + 58) for place in range(4)])
    assert len(found) == 1
    assert found[0].startswith("the clock of this machine is 60 s behind: all nodes agree against it")


def test_a_node_of_another_chain_is_told_from_the_others() -> None:
    found = troubles([*well()[:3], view(3, genesis="0x22" * 8)])
    assert len(found) == 1
    assert "node4 is on another chain than node1" in found[0]
    assert "genesis.json" in found[0]


def test_of_two_chains_that_is_wrong_which_is_not_the_network_s() -> None:
    right, wrong = view(0, genesis="0x11", validators=(A, B)), view(1, genesis="0x22", validators=(A, B), head_hash="0xbb")
    for genesis, name, first in (("0x11", "node2", "node1"), ("0x22", "node1", "node2")):
        (found,) = diagnose([right, wrong], NOW_S, 5, NETWORK, genesis=genesis).troubles
        assert found.startswith(f"{name} is on another chain than {first}")
    (found,) = troubles([right, wrong])
    assert found.startswith(
        "the nodes are on different chains (node1 has id 7 and genesis 0x11, node2 has id 7 and genesis 0x22)"
    )
    # Of three, most are right, wherever the wrong one stands.
    (found,) = troubles([wrong, right, view(2, genesis="0x11")])
    assert found.startswith("node2 is on another chain than node1")


@pytest.mark.parametrize("genesis", ["0x11", None])
def test_two_chains_are_no_deadlock(genesis: str | None) -> None:
    one = {"head": 1, "head_at_s": NOW_S - 60, "validators": (A, B), "peers": (), "peer_count": 0}
    found = diagnose(
        [
            view(0, **one, genesis="0x11", head_hash="0xaa", sealers=(A,)),
            view(1, **one, genesis="0x22", head_hash="0xbb", sealers=(B,)),
        ],
        NOW_S, 5, NETWORK, genesis=genesis,
    )  # fmt: skip
    assert not found.deadlocked
    assert not any("unstick" in each for each in found.troubles)
    assert any("2 of 2 validators needed, 1 seen" in each for each in found.troubles) == (genesis is not None)


def test_a_chain_that_has_no_validators_is_said_to_have_none() -> None:
    found = diagnose([view(0, validators=(), head_at_s=NOW_S - 60)], NOW_S, 5, NETWORK)
    assert found.troubles == [NOBODY_SEALS]


@pytest.mark.parametrize(("period_s", "behind"), [(1, 6), (3, 2), (5, 2)])
def test_a_few_blocks_behind_are_nothing(period_s: int, behind: int) -> None:
    views = [*well()[:3], view(3, head=100 - behind)]
    assert diagnose(views, NOW_S, period_s, NETWORK).troubles == []
    (found,) = diagnose([*well()[:3], view(3, head=99 - behind)], NOW_S, period_s, NETWORK).troubles
    assert f"{behind + 1} blocks behind" in found


def test_a_node_that_is_behind_or_alone_is_named() -> None:
    assert troubles([*well()[:3], view(3, head=50, behind=50)]) == ["node4 is catching up: 50 blocks are missing"]
    assert troubles([*well()[:3], view(3, head=50)]) == ["node4 is 50 blocks behind node1"]
    lonely = troubles([*well()[:3], view(3, peers=(), peer_count=0)])
    assert lonely == ["node4 is connected with nobody; see its peers with `daisee chain peers`"]


def test_a_network_of_one_node_has_nobody_to_be_connected_with() -> None:
    alone = view(0, validators=(A,), sealers=(A,) * 24, peers=(), peer_count=0)
    assert diagnose([alone], NOW_S, 5, NETWORK).troubles == []


def test_silence_of_all_is_said() -> None:
    found = diagnose([away(0), away(1)], NOW_S, 5, NETWORK)
    assert found.troubles == ["node1: it does not run", "node2: it does not run"]
    assert not found.goes_on
