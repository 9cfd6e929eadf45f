"""DaiseeCoin: who may make coins, and spending by a signature alone."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from tests.contracts.ground import ADMIN, ANNA, BERT, CHAIN_ID, HOMES, STRANGER, SUPPLY, Ground
from web3 import Web3

from daisee.errors import TransactionReverted

MINTER_ROLE = Web3.keccak(text="MINTER_ROLE")
PERMIT = {
    "Permit": [
        {"name": "owner", "type": "address"},
        {"name": "spender", "type": "address"},
        {"name": "value", "type": "uint256"},
        {"name": "nonce", "type": "uint256"},
        {"name": "deadline", "type": "uint256"},
    ]
}


def permit(ground: Ground, signer: LocalAccount, owner: LocalAccount, value: int, deadline_s: int) -> tuple[Any, ...]:
    """Sign, for an owner, that Bert may spend; answer the arguments of the call that hands it in."""
    nonce = ground.coin.functions.nonces(owner.address).call()
    domain = {"name": "DaiseeCoin", "version": "1", "chainId": CHAIN_ID, "verifyingContract": ground.coin.address}
    message = {"owner": owner.address, "spender": BERT.address, "value": value, "nonce": nonce, "deadline": deadline_s}
    signed = signer.sign_typed_data(domain, PERMIT, message)
    parts = (signed.v, signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big"))
    return (owner.address, BERT.address, value, deadline_s, *parts)


def test_the_coin_says_what_it_is(ground: Ground) -> None:
    coin = ground.coin.functions
    assert (coin.name().call(), coin.symbol().call(), coin.decimals().call()) == ("DaiseeCoin", "DSC", 18)


def test_the_opening_supply_is_the_admins(ground: Ground) -> None:
    assert ground.balance_of(ADMIN) == SUPPLY == ground.coin.functions.totalSupply().call()


def test_making_coins_is_told(ground: Ground) -> None:
    assert ground.pay(ADMIN, "mint", BERT.address, 3).facts() == [
        ("Transfer", {"from": "0x" + "0" * 40, "to": BERT.address, "value": 3}),
        ("CoinsMinted", {"minter": ADMIN.address, "to": BERT.address, "amount": 3}),
    ]


def test_who_sends_to_itself_has_what_it_had(ground: Ground) -> None:
    told = ground.pay(ADMIN, "transfer", ADMIN.address, SUPPLY)
    assert told.facts() == [("Transfer", {"from": ADMIN.address, "to": ADMIN.address, "value": SUPPLY})]
    assert ground.balance_of(ADMIN) == SUPPLY


def test_coins_stay_below_two_to_the_255(ground: Ground) -> None:
    with pytest.raises(TransactionReverted) as refusal:
        ground.pay(ADMIN, "mint", BERT.address, 2**255 - SUPPLY)
    assert refusal.value.error == "CoinSupplyTooLarge"
    assert refusal.value.facts == {"supply": 2**255, "most": 2**255 - 1}
    ground.pay(ADMIN, "mint", BERT.address, 2**255 - SUPPLY - 1)
    assert ground.coin.functions.totalSupply().call() == 2**255 - 1


def test_the_sum_of_balances_is_the_supply(ground: Ground) -> None:
    for number, home in enumerate(HOMES, start=1):
        ground.pay(ADMIN, "mint", home.address, number * 7)
    ground.pay(ANNA, "transfer", BERT.address, 5)
    balances = sum(ground.balance_of(account) for account in (ADMIN, *HOMES))
    assert balances == ground.coin.functions.totalSupply().call() == SUPPLY + 70


def test_nobody_mints_without_the_role(ground: Ground) -> None:
    with pytest.raises(TransactionReverted) as refusal:
        ground.pay(STRANGER, "mint", STRANGER.address, 1)
    assert refusal.value.error == "AccessControlUnauthorizedAccount"
    assert refusal.value.facts == {"account": STRANGER.address.lower(), "neededRole": bytes(MINTER_ROLE)}


def test_the_admin_makes_and_unmakes_minters(ground: Ground) -> None:
    ground.pay(ADMIN, "grantRole", MINTER_ROLE, ANNA.address)
    ground.pay(ANNA, "mint", BERT.address, 3)
    ground.pay(ADMIN, "revokeRole", MINTER_ROLE, ANNA.address)
    with pytest.raises(TransactionReverted, match="AccessControlUnauthorizedAccount"):
        ground.pay(ANNA, "mint", BERT.address, 3)
    assert ground.balance_of(BERT) == 3


def test_who_may_freeze_may_not_mint(ground: Ground) -> None:
    ground.pay(ADMIN, "grantRole", Web3.keccak(text="FREEZER_ROLE"), ANNA.address)
    ground.pay(ANNA, "freeze", BERT.address)
    with pytest.raises(TransactionReverted, match="AccessControlUnauthorizedAccount"):
        ground.pay(ANNA, "mint", ANNA.address, 3)


def test_nobody_is_given_a_role_but_by_the_admin(ground: Ground) -> None:
    with pytest.raises(TransactionReverted, match="AccessControlUnauthorizedAccount"):
        ground.pay(STRANGER, "grantRole", MINTER_ROLE, STRANGER.address)


def test_a_permit_lets_another_spend(ground: Ground) -> None:
    ground.pay(ADMIN, "transfer", ANNA.address, 100)
    # Handed in by a stranger: Anna signs, and needs no money of the chain for it.
    ground.pay(STRANGER, "permit", *permit(ground, ANNA, ANNA, 60, ground.next_s))
    ground.pay(BERT, "transferFrom", ANNA.address, BERT.address, 60)
    assert (ground.balance_of(ANNA), ground.balance_of(BERT)) == (40, 60)


def test_a_permit_counts_once(ground: Ground) -> None:
    handed_in = permit(ground, ANNA, ANNA, 60, ground.next_s + 10)
    ground.pay(STRANGER, "permit", *handed_in)
    with pytest.raises(TransactionReverted, match="ERC2612InvalidSigner"):
        ground.pay(STRANGER, "permit", *handed_in)


def test_a_permit_of_another_key_is_refused(ground: Ground) -> None:
    with pytest.raises(TransactionReverted, match="ERC2612InvalidSigner"):
        ground.pay(BERT, "permit", *permit(ground, BERT, ANNA, 60, ground.next_s))


def test_a_permit_past_its_deadline_is_refused(ground: Ground) -> None:
    handed_in = permit(ground, ANNA, ANNA, 60, ground.next_s - 1)
    with pytest.raises(TransactionReverted, match="ERC2612ExpiredSignature"):
        ground.pay(STRANGER, "permit", *handed_in)
