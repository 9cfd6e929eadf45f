"""Who trusts nobody: everything that the contracts answer follows from their events, and a changed number is found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hexbytes import HexBytes
from web3.exceptions import BlockNotFound

from daisee.errors import ChainError
from daisee.ledger.exchange import OPERATOR_ROLE, Interval, Purchase
from daisee.ledger.follow import Follower, Undone
from daisee.ledger.verify import ATTEMPTS, verify
from daisee.units import Coins, Joules, base_units, joules_from_kwh


def test_what_is_answered_follows_from_the_events(lived: Any) -> None:
    found = verify(lived.web3, lived.exchange.address)
    assert found.sound, (found.differences, found.against_the_rules)
    assert (found.block, found.events > 30, found.numbers > 40) == (lived.web3.eth.block_number, True, True)


def test_an_order_followed_and_a_purchase_by_approval_are_in_it(lived: Any) -> None:
    a, b = lived.homes["A"], lived.homes["B"]
    credit = lived.exchange.credit(a.address, b.address)
    assert credit.bought_j == 2 * joules_from_kwh(1) + 400_000 + 77, "what was not paid was bought in addition"
    assert lived.coin.frozen(b.address)
    assert lived.exchange.home(b.address).suspended


EXCHANGE, COIN = "EnergyExchange", "DaiseeCoin"
OPERATOR = "0x" + OPERATOR_ROLE.hex()
TAMPERED = [
    ("members", EXCHANGE, "_members", [], -1),
    ("sellers", EXCHANGE, "_sellers", [], -1),
    ("closed", EXCHANGE, "_closing", [], 1 | 1 << 8),
    ("suspended of B", EXCHANGE, "_books", ["B"], -1),
    ("until_s of A", EXCHANGE, "_books", ["A"], 1 << 8),
    ("opening_j of A", EXCHANGE, "_openingJ", ["A"], 1),
    ("produced_j of A", EXCHANGE, "_books", ["A"], 1 << 48),
    ("own_j of A", EXCHANGE, "_books", ["A"], 1 << 112),
    ("sold_j of B", EXCHANGE, "_books", ["B"], 1 << 176),
    ("surplus_j of B", EXCHANGE, "_books", ["B"], 1 << 176),
    ("overdrawn_j of A", EXCHANGE, "_books", ["A"], 1 << 112),
    ("standing order of A", EXCHANGE, "_orders", ["A"], 1 << 80),
    ("offer of B", EXCHANGE, "_offers", ["B"], 1),
    ("bought_j of A with B", EXCHANGE, "_pairs", ["A", "B"], 1),
    ("drawn_j of B with A", EXCHANGE, "_pairs", ["B", "A"], 1 << 64),
    ("credit_j of A with B", EXCHANGE, "_pairs", ["A", "B"], 1),
    ("unpaid_j of B with A", EXCHANGE, "_pairs", ["B", "A"], 1 << 64),
    ("supply", COIN, "_supply", [], 1),
    ("sum of balances", COIN, "_accounts", ["A"], 1),
    ("balance of A", COIN, "_accounts", ["A"], 1),
    ("frozen of B", COIN, "_accounts", ["B"], -(1 << 255)),
    ("allowance of A for exchange", COIN, "_allowances", ["A", "exchange"], -1),
    ("role 0x97667070... of operator in EnergyExchange", EXCHANGE, "_roles", [OPERATOR, "operator"], -1),
    ("admin of EnergyExchange", EXCHANGE, "_currentDefaultAdmin", [], 1),
    ("admin of DaiseeCoin", COIN, "_currentDefaultAdmin", [], 1),
    ("next admin of EnergyExchange", EXCHANGE, "_pendingDefaultAdmin", [], 1),
    ("next admin of DaiseeCoin", COIN, "_pendingDefaultAdmin", [], 1),
]


@pytest.mark.parametrize(("kind", "contract", "variable", "path", "add"), TAMPERED, ids=[each[0] for each in TAMPERED])
def test_each_number_that_is_changed_is_named(
    lived: Any, kind: str, contract: str, variable: str, path: list[str], add: int
) -> None:
    with lived.tampered(contract, variable, path, add) as who:
        found = verify(lived.web3, lived.exchange.address)
    what = " ".join(who.get(word, word) for word in kind.split())
    assert not found.sound
    assert what in {difference.what for difference in found.differences}


def test_a_list_whose_last_seller_gets_a_base_unit_less_is_by_the_rules(community: Any) -> None:
    operator, a, sellers = community.operator, community.homes["A"], [community.homes["B"], community.homes["C"]]
    community.do(operator, community.coin.mint(a.address, base_units(10)))
    for seller in sellers:
        community.do(seller, community.exchange.report(0, [Interval(community.now_s - 900, Joules(10), Joules(0))]))
        community.do(seller, community.exchange.offer(Coins(1), Joules(1)))
    wanted = Purchase([seller.address for seller in sellers], Joules(2), Coins(1))
    community.do(a, community.coin.approve_and_call(community.exchange.address, Coins(1), wanted.data()))
    assert [community.coin.balance_of(seller.address) for seller in sellers] == [1, 0]
    found = verify(community.web3, community.exchange.address)
    assert found.sound, (found.differences, found.against_the_rules)


def changing(lived: Any, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Let the chain change each time that the newest block was compared, so often."""
    left, newest, hash_of = [times], lived.web3.eth.block_number, Follower._hash_of

    def other(follower: Any, number: int) -> str | None:
        if number == newest and left[0]:  # asked when all is compared
            left[0] -= 1
            return HexBytes(32).to_0x_hex()
        return hash_of(follower, number)

    monkeypatch.setattr(Follower, "_hash_of", other)


def test_a_head_that_changes_meanwhile_is_compared_anew(lived: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    changing(lived, monkeypatch, ATTEMPTS - 1)
    assert verify(lived.web3, lived.exchange.address).sound


def test_a_head_that_always_changes_makes_no_verdict(lived: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    changing(lived, monkeypatch, ATTEMPTS)
    with pytest.raises(ChainError, match="the chain keeps changing"):
        verify(lived.web3, lived.exchange.address)


def test_blocks_that_are_always_taken_back_make_no_verdict(lived: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Follower, "poll", lambda _follower: iter([Undone(3)]))
    with pytest.raises(ChainError, match="the chain keeps changing"):
        verify(lived.web3, lived.exchange.address)


def refuse(error: Exception) -> Callable[..., Any]:
    """Answer a method that does not answer."""

    def method(*_asked: Any) -> Any:
        raise error

    return method


@pytest.mark.parametrize("method", ["get_block", "get_code", "get_proof", "get_storage_at"])
@pytest.mark.parametrize("error", [ConnectionError("gone"), TimeoutError("too slow")])
def test_a_node_that_falls_silent_is_said_to(lived: Any, monkeypatch: pytest.MonkeyPatch, method: str, error: Exception) -> None:
    monkeypatch.setattr(lived.web3.eth, method, refuse(error))
    with pytest.raises(ChainError, match="the node does not answer"):
        verify(lived.web3, lived.exchange.address)


def test_a_node_that_lost_the_block_meanwhile_is_asked_anew(lived: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lived.web3.eth, "get_code", refuse(BlockNotFound("gone")))
    with pytest.raises(ChainError, match="the node does not answer"):
        verify(lived.web3, lived.exchange.address)
    changing(lived, monkeypatch, ATTEMPTS)
    with pytest.raises(ChainError, match="the chain keeps changing"):
        verify(lived.web3, lived.exchange.address)


def test_a_node_that_has_not_come_so_far_is_waited_for(lived: Any) -> None:
    with pytest.raises(ChainError, match="has not come as far as block 9000"):
        verify(lived.web3, lived.exchange.address, 9_000)
