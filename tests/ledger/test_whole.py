"""Code and storage of coin and exchange as a whole: nothing is there that should not be, however the community has lived."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from eth_utils.address import to_canonical_address
from tests.ledger.conftest import PRICE, Lived

from daisee.chain.embedded.rpc import METHODS
from daisee.ledger.artifacts import load
from daisee.ledger.contract import Contract
from daisee.ledger.deploy import deploy
from daisee.ledger.exchange import ALL_SURPLUS, OPERATOR_ROLE, Interval, Purchase
from daisee.ledger.verify import Verification, verify
from daisee.units import Coins, Joules, base_units, joules_from_kwh

EXCHANGE, COIN = "EnergyExchange", "DaiseeCoin"


@pytest.mark.parametrize(
    ("contract", "variable", "path", "add", "slots"),
    [
        (EXCHANGE, "_books", ["X"], 1 | 9_000_000_000 << 48, []),
        (EXCHANGE, "_pairs", ["X", "B"], 10**9, []),
        (EXCHANGE, "_offers", ["X"], 1 << 208 | (2**40 - 1) << 168 | (2**72 - 1) << 96 | 1, []),
        (EXCHANGE, "_openingJ", ["X"], 5, []),
        (EXCHANGE, "_books", ["A"], -(1 << 255), ["_books"]),
        (EXCHANGE, "_offers", ["B"], -(1 << 208), ["_offers"]),
        (EXCHANGE, "_closing", [], 1, ["_closing,"]),
        (EXCHANGE, "_pendingDelay", [], 1 << 208, ["_currentDefaultAdmin,"]),
        (COIN, "_accounts", ["X"], 10**24, []),
        (COIN, "_allowances", ["B", "X"], 10**18, []),
        (COIN, "_nonces", ["X"], 1, []),
        (COIN, "_balances", ["A"], 1, []),
    ],
)
def test_what_no_view_shows_is_found(
    lived: Lived, contract: str, variable: str, path: list[str], add: int, slots: list[str]
) -> None:
    with lived.tampered(contract, variable, path, add):
        found = verify(lived.web3, lived.exchange.address)
    whole, *named = (difference.what for difference in found.differences)
    assert whole == f"storage of {contract} as a whole"
    # What may be there is named; what should not be there at all is in one of countless places.
    assert [each.split()[2] for each in named] == slots


def test_a_node_that_does_not_prove_is_said_to_leave_that_open(lived: Lived, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(METHODS, "eth_getProof")
    found = verify(lived.web3, lived.exchange.address)
    assert (found.sound, found.storage_compared) == (True, False)
    monkeypatch.setitem(METHODS, "eth_getProof", lambda _chain, _account, _slots, _at: None)
    assert not verify(lived.web3, lived.exchange.address).storage_compared


def flipped(code: bytes, *places: int) -> bytes:
    """Answer code with a bit turned over in each of these bytes."""
    changed = bytearray(code)
    for place in places:
        changed[place] ^= 1
    return bytes(changed)


def doctored(lived: Lived, contract: str, change: Callable[[bytes], bytes]) -> Verification:
    """Answer what comes of it when a contract's code is another for a while."""
    account, state = to_canonical_address(lived.address_of(contract)), lived.chain.head_state
    code = state.get_code(account)
    state.set_code(account, change(code))
    found = verify(lived.web3, lived.exchange.address)
    state.set_code(account, code)
    return found


@pytest.mark.parametrize("contract", [EXCHANGE, COIN])
@pytest.mark.parametrize(
    "change",
    [lambda code: code + b"\xfe\x42", lambda code: flipped(code, len(code) - 60), lambda code: code[:-1]],
    ids=["longer", "changed", "cut off"],
)
def test_a_doctored_contract_is_found(lived: Lived, contract: str, change: Callable[[bytes], bytes]) -> None:
    found = doctored(lived, contract, change)
    assert [difference.what for difference in found.differences] == [f"code of {contract}"]


def test_a_value_of_the_constructor_is_the_same_at_all_its_places(lived: Lived) -> None:
    first = load(EXCHANGE).immutables[0][-1].stop - 1
    found = doctored(lived, EXCHANGE, lambda code: flipped(code, first))
    assert f"code of {EXCHANGE}" in [difference.what for difference in found.differences]


def test_permits_are_signed_for_this_coin_and_no_other(lived: Lived) -> None:
    said = set()
    for (place,) in load(COIN).immutables:
        found = doctored(lived, COIN, lambda code, at=place.stop - 1: flipped(code, at))  # type: ignore[misc]  # a loop's lambda
        said |= {difference.what for difference in found.differences}
    assert {"domain of permits", "domain of permits in words"} <= said


def test_comments_may_have_been_others(lived: Lived) -> None:
    assert doctored(lived, EXCHANGE, lambda code: flipped(code, len(code) - 30)).sound


def sound(community: Any) -> bool:
    found = verify(community.web3, community.exchange.address)
    assert found.storage_compared
    assert (found.differences, found.against_the_rules) == ((), ())
    return found.sound


def test_long_names_and_no_names_are_kept_where_they_should_be(community: Any) -> None:
    for name, symbol in (("Coin of all who live in the long street", "C" * 64), ("", "")):
        made = deploy(community.web3, community.operator, community.settle, Coins(7), name=name, symbol=symbol)
        community.coin, community.exchange = made.coin, made.exchange
        assert sound(community)


def test_a_permit_that_was_used_and_coins_that_were_sent_along_are_accounted_for(community: Any) -> None:
    a, b = community.homes["A"], community.homes["B"]
    community.do(community.operator, community.coin.mint(a.address, base_units(10)))
    community.do(b, community.exchange.report(0, [Interval(community.now_s - 900, joules_from_kwh(5), Joules(0))]))
    community.do(b, community.exchange.offer(PRICE, ALL_SURPLUS))
    purchase = Purchase([b.address], joules_from_kwh(1), PRICE)
    permit = community.coin.permit(a._account, community.exchange.address, base_units(1), community.now_s + 10_000)
    community.do(a, community.exchange.buy_with_permit(purchase, permit))
    community.do(a, community.coin.transfer_and_call(community.exchange.address, base_units(1), purchase.data()))
    assert sound(community)


@pytest.mark.parametrize("contract", [EXCHANGE, COIN])
def test_an_admin_that_hands_over_is_followed(community: Any, contract: str) -> None:
    operator, a, b = community.operator, community.homes["A"], community.homes["B"]
    address = community.exchange.address if contract == EXCHANGE else community.coin.address
    rules = Contract(community.web3, contract, address)

    def do(who: Any, function: str, *arguments: Any, later_s: int = 0) -> None:
        community.now_s += later_s
        community.do(who, rules.call(function, arguments, 200_000))
        assert sound(community)

    day_s = 86_400
    do(operator, "changeDefaultAdminDelay", 3 * day_s)
    do(operator, "rollbackDefaultAdminDelay")
    do(operator, "changeDefaultAdminDelay", day_s)
    do(operator, "rollbackDefaultAdminDelay", later_s=3 * day_s)  # too late: it has come to be, and no event says more
    do(operator, "changeDefaultAdminDelay", 0)
    do(operator, "beginDefaultAdminTransfer", a.address, later_s=3 * day_s)
    do(operator, "beginDefaultAdminTransfer", b.address)
    do(operator, "cancelDefaultAdminTransfer")
    do(operator, "beginDefaultAdminTransfer", b.address)
    do(b, "acceptDefaultAdminTransfer", later_s=60)
    do(b, "grantRole", OPERATOR_ROLE, a.address)
    do(b, "revokeRole", OPERATOR_ROLE, a.address)
    do(b, "beginDefaultAdminTransfer", "0x" + "0" * 40)
    do(b, "renounceRole", bytes(32), b.address, later_s=60)


def test_an_exchange_that_is_closed_in_parts_is_sound_from_the_first(community: Any) -> None:
    for home in community.homes.values():
        community.do(home, community.exchange.offer(PRICE, ALL_SURPLUS))
    community.do(community.homes["A"], community.exchange.withdraw())
    for sellers in (0, 1, 2):
        community.do(community.operator, community.exchange.close(sellers))
        assert sound(community)
    assert community.exchange.closed()
