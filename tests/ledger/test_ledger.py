"""The contracts as Python objects, on a real chain: what they answer, what they refuse, and what is never told."""

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.abi import function_signature_to_4byte_selector
from eth_utils.crypto import keccak
from tests.conftest import Community
from web3.providers.base import JSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from daisee.chain.client import web3_on
from daisee.errors import ChainError, DaiseeError, TransactionReverted, UsageError
from daisee.ledger.coin import Coin
from daisee.ledger.contract import Contract
from daisee.ledger.events import events_in
from daisee.ledger.exchange import ALL_SURPLUS, Exchange, Interval, Purchase
from daisee.ledger.home import HomeLedger
from daisee.ledger.reverts import decode_revert
from daisee.units import Address, Coins, Joules, base_units, joules_from_kwh

PRICE = base_units("0.20")


@pytest.fixture
def market(community: Any) -> Any:
    """B has made 5 kWh and offers all of it; A has 10 coins."""
    b, exchange = community.homes["B"], community.exchange
    community.do(community.operator, community.coin.mint(community.homes["A"].address, base_units(10)))
    community.do(b, exchange.report(0, [Interval(community.now_s - 900, joules_from_kwh(5), Joules(0))]))
    community.do(b, exchange.offer(PRICE, ALL_SURPLUS))
    return community


def test_a_purchase_is_seen_alike_from_every_side(market: Any) -> None:
    a, b = market.homes["A"], market.homes["B"]
    market.do(a, market.exchange.buy(b.address, joules_from_kwh(2), PRICE))
    seen = market.exchange.market(a.address, [b.address])
    assert seen.balance == market.coin.balance_of(a.address) == base_units("9.6")
    assert seen.offers[b.address] == market.exchange.offer_of(b.address)
    assert seen.offers[b.address].available_j == joules_from_kwh(3)
    assert seen.credits[b.address] == market.exchange.credit(a.address, b.address)
    assert seen.home == market.exchange.home(a.address)
    assert market.exchange.home(b.address).sold_j == joules_from_kwh(2)


def test_a_fresh_account_buys_with_a_permit_in_one_transaction(market: Any) -> None:
    a, b = market.homes["A"], market.homes["B"]
    market.do(a, market.coin.approve(market.exchange.address, Coins(0)))
    permit = market.coin.permit(a._account, market.exchange.address, base_units("0.2"), market.now_s + 600)
    market.do(a, market.exchange.buy_with_permit(Purchase([b.address], joules_from_kwh(1), PRICE), permit))
    assert market.exchange.credit(a.address, b.address).credit_j == joules_from_kwh(1)


def test_members_are_listed_in_the_order_of_their_admission(community: Any) -> None:
    assert list(community.exchange.homes()) == [home.address for home in community.homes.values()]
    assert community.exchange.coin() == community.coin.address


def test_a_refusal_comes_with_its_name_and_its_facts(market: Any) -> None:
    a, b = market.homes["A"], market.homes["B"]
    refused = market.exchange.buy(b.address, joules_from_kwh(6), PRICE)
    outcome = market.settle(a.send(refused))
    assert not outcome.succeeded
    assert a.why(refused) == "the contract refused: ExchangeInsufficientEnergy (remainingJ 18000000, requestedJ 21600000)"
    dear = market.exchange.buy(b.address, Joules(1), Coins(PRICE - 1))
    assert "ExchangePriceAboveMaximum" in a.why(dear)
    assert a.why(market.exchange.buy(b.address, Joules(1), PRICE)) == "it would be taken now"


def test_as_many_sellers_as_a_purchase_may_name_are_paid_in_one_transaction() -> None:
    buyer, *sellers = [f"home {number}" for number in range(17)]
    community = Community(buyer, *sellers)
    a, exchange, coin = community.homes[buyer], community.exchange, community.coin
    community.do(community.operator, coin.mint(a.address, base_units(10)))
    for seller in sellers:
        community.do(community.homes[seller], exchange.report(0, [Interval(community.now_s - 900, Joules(1_000), Joules(0))]))
        community.do(community.homes[seller], exchange.offer(PRICE, Joules(1_000)))
    wanted = Purchase([community.homes[seller].address for seller in sellers], Joules(16_000), PRICE)
    for call in (coin.approve_and_call, coin.transfer_and_call):
        asked = call(exchange.address, base_units(1), wanted.data())
        answered = community.web3.eth.call({"from": a.address, "to": coin.address, "data": asked.data, "gas": asked.gas})
        assert answered[31], f"{asked.name} has gas enough"


def test_a_report_that_fits_into_no_block_is_refused_before_it_is_sent(market: Any) -> None:
    sellers = [Address(f"0x{number:040x}") for number in range(1, 17)]
    day = [Interval(second, Joules(1), Joules(1), dict.fromkeys(sellers, 1)) for second in range(1, 97)]
    with pytest.raises(UsageError, match="96 intervals with 1536 draws do not fit into a block; report them in parts"):
        market.exchange.report(0, day)
    assert market.exchange.report(0, day[:30]).gas < 6_000_000


SUSPENDED = "0x" + function_signature_to_4byte_selector("ExchangeSuspended(address)").hex() + "11".rjust(64, "0")
NOT_TEXT = "0x08c379a0" + "20".rjust(64, "0") + "01".rjust(64, "0") + "ff".ljust(64, "0")


class Saying(JSONBaseProvider):
    """A node that answers every question but one with an error; web3 asks for the chain's id before others."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__()
        self._error = error

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        if method == "eth_chainId":
            return {"jsonrpc": "2.0", "id": 1, "result": "0x1"}
        return {"jsonrpc": "2.0", "id": 1, "error": self._error}  # type: ignore[typeddict-item]  # as strangers do


def refusal_of(error: dict[str, Any]) -> DaiseeError:
    client: Any = SimpleNamespace(provider=lambda: Saying(error))
    with pytest.raises(DaiseeError) as refused:
        Exchange(web3_on(client), Address("0x" + "22" * 20)).closed()
    return refused.value


@pytest.mark.parametrize(
    "error",
    [
        {"code": 3, "message": "execution reverted", "data": SUSPENDED},  # geth, Erigon, Nethermind, anvil
        {"code": -32000, "message": "Execution reverted", "data": SUSPENDED},  # Besu
        {"code": -32015, "message": "VM execution error.", "data": f"Reverted {SUSPENDED}"},  # Parity, Nethermind before 1.26
        {"code": -32603, "message": "VM Exception: revert", "data": {"message": "..", "data": SUSPENDED}},  # Hardhat
        {"code": -32000, "message": "revert", "data": {"hash": None, "result": SUSPENDED}},  # Ganache 7
        {"code": -32000, "message": "revert", "data": {"0xabc": {"return": SUSPENDED}, "name": "E"}},  # Ganache 6
    ],
)
def test_a_refusal_has_its_name_whichever_client_says_it(error: dict[str, Any]) -> None:
    refused = refusal_of(error)
    assert isinstance(refused, TransactionReverted)
    assert (refused.error, refused.facts) == ("ExchangeSuspended", {"home": "0x" + "11".rjust(40, "0")})


REASON = f"0x08c379a0{encode(['string'], ['not yours']).hex()}"
WORDLESS = "VM Exception while processing transaction: revert"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ({"code": -32000, "message": "Execution reverted", "data": REASON}, "not yours"),  # Besu
        ({"code": -32000, "message": "Execution reverted: not yours", "data": REASON}, "not yours"),
        ({"code": -32000, "message": "Execution reverted: not yours"}, "not yours"),
        ({"code": -32000, "message": "Execution reverted", "data": "0x"}, "no reason given"),
        ({"code": -32000, "message": "Execution reverted"}, "no reason given"),
        ({"code": -32015, "message": "VM execution error.", "data": REASON}, "not yours"),  # Nethermind
        ({"code": -32015, "message": "VM execution error."}, "no reason given"),
        ({"code": -32000, "message": "Reverted"}, "no reason given"),
        (
            {"code": -32603, "message": "Error: VM Exception: reverted with reason string 'not yours'", "data": REASON},
            "not yours",
        ),
        ({"code": -32603, "message": "Internal error", "data": REASON}, "not yours"),
        ({"code": -32000, "message": WORDLESS}, WORDLESS),  # Ganache, Hardhat
        ({"code": 3, "message": "execution reverted", "data": f"0x4e487b71{0x99:064x}"}, "Panic (code 153)"),
    ],
)
def test_a_refusal_is_one_whatever_words_and_codes_a_client_has(error: dict[str, Any], told: str) -> None:
    refused = refusal_of(error)
    assert (type(refused), str(refused)) == (TransactionReverted, f"the contract refused: {told}")


@pytest.mark.parametrize("message", ["out of gas", "header not found", "method not found"])
def test_what_is_no_refusal_is_told_in_the_nodes_words(message: str) -> None:
    told = refusal_of({"code": -32000, "message": message})
    assert (type(told), f"error: {message}" in str(told), "{" in str(told)) == (ChainError, True, False)
    assert ("takes more gas" in str(told)) == (message == "out of gas")


def test_bytes_are_told_as_hex() -> None:
    refused = TransactionReverted("AccessControlUnauthorizedAccount", {"neededRole": b"\x12\xff"})
    assert str(refused) == "the contract refused: AccessControlUnauthorizedAccount (neededRole 0x12ff)"


@pytest.mark.parametrize(
    "data",
    [NOT_TEXT, f"Reverted {NOT_TEXT}", "0x123", "0xzz", "Reverted 0x08c379a0", "Reverted 0x123", {}, [], 7, None, SUSPENDED[:40]],
)
def test_what_is_said_of_a_refusal_may_be_anything(data: Any) -> None:
    assert "\n" not in str(refusal_of({"code": 3, "message": "execution reverted", "data": data}))


def test_a_reason_does_not_steer_the_terminal() -> None:
    text = b"\x1b[2Jgone\n\r\x07"
    words = bytes.fromhex("08c379a0") + (32).to_bytes(32) + len(text).to_bytes(32) + text.ljust(32, b"\0")
    told = [decode_revert(words), refusal_of({"code": 3, "message": f"execution reverted: {text.decode()}"})]
    assert all(isinstance(each, TransactionReverted) and str(each).isprintable() and "gone" in str(each) for each in told)


def test_nobody_is_asked_because_a_contract_says_so() -> None:
    lookup = keccak(text="OffchainLookup(address,string[],bytes,bytes4,bytes)")[:4] + encode(
        ["address", "string[]", "bytes", "bytes4", "bytes"], ["0x" + "22" * 20, ["http://127.0.0.1:1/{data}"], b"", b"1234", b""]
    )
    refused = refusal_of({"code": 3, "message": "execution reverted", "data": f"0x{lookup.hex()}"})
    assert "unknown error" in str(refused)


def test_a_reason_in_words_a_panic_and_an_unknown_error_are_told_apart() -> None:
    words = bytes.fromhex("08c379a0") + (32).to_bytes(32) + (3).to_bytes(32) + b"no!".ljust(32, b"\0")
    assert str(decode_revert(words)) == "the contract refused: no!"
    assert decode_revert(bytes.fromhex("4e487b71") + (0x11).to_bytes(32)).facts == {"code": 0x11}
    assert decode_revert(b"\1\2\3\4").error == "unknown error"
    assert decode_revert(b"").error == "no reason given"
    assert decode_revert(bytes.fromhex("08c379a0")).error == "unreadable error"


def test_an_address_without_the_contract_is_said_as_such(community: Any) -> None:
    nobody = community.homes["A"].address
    with pytest.raises(ChainError, match="does not answer like EnergyExchange"):
        Exchange(community.web3, nobody).home(nobody)
    with pytest.raises((ChainError, TransactionReverted)):
        Exchange(community.web3, community.coin.address).homes()


def test_events_say_what_happened_and_by_whom(market: Any) -> None:
    a, b = market.homes["A"], market.homes["B"]
    outcome = market.do(a, market.exchange.buy(b.address, Joules(3_600), PRICE))
    told = events_in(
        market.web3,
        market.web3.eth.get_transaction_receipt(outcome.transaction),
        {market.coin.address, market.exchange.address},
    )
    assert [event.name for event in told] == ["EnergyBought", "Transfer"]
    bought, paid = told
    cost = PRICE // 1000
    assert bought.facts == {
        "buyer": a.address,
        "seller": b.address,
        "energyJ": 3_600,
        "pricePerKwh": PRICE,
        "cost": cost,
    }
    assert (paid.facts["from"], paid.facts["to"], paid.facts["value"]) == (a.address, b.address, cost)
    assert (bought.contract, paid.contract) == (market.exchange.address, market.coin.address)
    assert bought.block == outcome.block


def test_many_transactions_of_one_account_are_in_one_block_in_order(community: Any) -> None:
    a = community.homes["A"]
    ends = [0, *(community.now_s - 600 + n for n in range(20))]
    reports = [(since, [Interval(until, Joules(n), Joules(0))]) for n, (since, until) in enumerate(pairwise(ends))]
    sent = [a.send(community.exchange.report(*report)) for report in reports]
    assert a.outcome(sent[0]) is None
    community.seal()
    outcomes = [a.outcome(transaction) for transaction in sent]
    assert all(outcome is not None and outcome.succeeded for outcome in outcomes)
    assert community.exchange.home(a.address).produced_j == sum(range(20))


def test_a_sender_goes_on_after_its_node_refused_something(community: Any) -> None:
    a = community.homes["A"]
    with pytest.raises(ChainError, match="did not take approve"):
        a.send(Contract(community.web3, "DaiseeCoin", community.coin.address).call("approve", [a.address, 1], 10_000_000))
    assert community.do(a, community.coin.approve(community.exchange.address, Coins(1))).succeeded


def test_a_key_is_in_no_repr(community: Any) -> None:
    account = community.homes["A"]._account
    told = repr(community.homes["A"]) + repr(vars(community.homes["A"])) + repr(account)
    assert account.key.hex() not in told


def test_a_home_asks_the_ledger_once_a_block(market: Any) -> None:
    a, b = market.homes["A"], market.homes["B"]
    ledger = HomeLedger(market.web3, market.exchange, a, [b.address])
    first = ledger.look()
    assert ledger.look() is first
    market.do(a, market.exchange.buy(b.address, Joules(1), PRICE))
    assert ledger.look().credits[b.address].bought_j == 1


def test_the_coin_knows_its_supply(market: Any) -> None:
    assert Coin(market.web3, market.coin.address).total_supply() == base_units(10)


def test_what_other_contracts_say_is_not_even_read(market: Any) -> None:
    transfer = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
    entry = {"address": "0x" + "77" * 20, "topics": [bytes.fromhex(transfer[2:])] * 4, "data": b""}
    assert events_in(market.web3, {"logs": [entry]}, {market.coin.address}) == []  # type: ignore[typeddict-item]
