"""Whatever several homes do in whatever order, the exchange and the story told beside it agree: on every number, on every
event, on every refusal; and the laws hold after each step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import pytest
from eth_account.signers.local import LocalAccount
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.contracts.books import Books, Event, OfferBook, PairBook, Refused
from tests.contracts.ground import ADMIN, ANNA, BERT, CARA, DORA, NO_END_S, SUPPLY, UINT64, UINT96, UINT256, Ground

from daisee.errors import TransactionReverted

STREET = (ANNA, BERT, CARA)
"""Whom the machine starts with; Dora stays a stranger until she is admitted."""
ACCOUNTS = (*STREET, DORA)
NO_OFFER = OfferBook(0, 0)
NO_PAIR = PairBook()
Couple = tuple[LocalAccount, LocalAccount]

anyone = st.sampled_from(ACCOUNTS)
# Mostly homes of the street, so that most of what is tried means something.
someone = st.one_of(st.sampled_from(STREET), st.sampled_from(STREET), anyone)
usual = st.integers(0, 3_000)
energies = st.one_of(*[usual] * 8, st.sampled_from([0, 1, 2**63, UINT64]))
affordable = st.sampled_from([1, 3_600_000, 10**18, 10**18 + 1])
prices = st.one_of(affordable, affordable, affordable, st.integers(0, UINT96))
# Mostly two neighbours; now and then a stranger, or one with itself.
neighbours = st.permutations(STREET).map(lambda order: (order[0], order[1]))
couples = st.one_of(neighbours, neighbours, neighbours, st.tuples(anyone, anyone))
draw_lists = st.lists(st.tuples(someone, energies), max_size=3)


def lower(facts: Mapping[str, object]) -> dict[str, str]:
    """Write facts so that addresses compare, whichever way their letters are written."""
    return {name: str(fact).lower() for name, fact in facts.items()}


class Street(RuleBasedStateMachine):
    """One ground for all runs; each run has contracts of its own on it."""

    ground: ClassVar[Ground | None] = None

    @initialize(opening_j=st.integers(500, 5_000))
    def opens(self, opening_j: int) -> None:
        """Three homes; two offer all they have and can pay well, one has little, and allows less."""
        ground = Street.ground = Street.ground or Ground()
        ground.deploy()
        self.here = ground
        self.books = Books(exchange=ground.exchange.address)
        for home in STREET:
            self.admit(home, opening_j)
        ground.equip(ANNA, BERT, coins=10**20)
        ground.pay(ADMIN, "transfer", CARA.address, 10**15)
        ground.pay(CARA, "approve", ground.exchange.address, 10**14)
        self.books.balances = {ADMIN.address: SUPPLY - 2 * 10**20 - 10**15, ANNA.address: 10**20, BERT.address: 10**20}
        self.books.balances[CARA.address] = 10**15
        self.books.allowances = {ANNA.address: UINT256, BERT.address: UINT256, CARA.address: 10**14}
        for seller in (ANNA, BERT):
            self.offer(seller, 10**18, UINT64)

    @rule(home=st.sampled_from([DORA, DORA, DORA, ANNA]), opening_j=energies)
    @precondition(lambda self: len(self.books.homes) < len(ACCOUNTS))
    def admit(self, home: LocalAccount, opening_j: int) -> None:
        self.agree(
            lambda: self.books.admit(home.address, opening_j), lambda: self.here.do(ADMIN, "admit", home.address, opening_j)
        )

    @rule(
        who=someone,
        later_s=st.sampled_from([1, 1, 1, 1, 1, 0, 60, 61, 62]),
        produced_j=energies,
        own_j=energies,
        draws=draw_lists,
    )
    def report(self, who: LocalAccount, later_s: int, produced_j: int, own_j: int, draws: list[tuple[LocalAccount, int]]) -> None:
        block_s = self.here.next_s
        home = self.books.homes.get(who.address)
        # Mostly a second that was not reported; now and then the edges of the skew, one that was reported, and a gap before it.
        reported_s = home.until_s if home else 0
        until_s = max(block_s, reported_s + 1) if later_s == 1 else reported_s if later_s == 0 else block_s + later_s
        since_s = reported_s + (later_s == 62)
        drawn = [(str(seller.address), energy_j) for seller, energy_j in draws]
        self.agree(
            lambda: self.books.report(who.address, block_s, since_s, until_s, produced_j, own_j, drawn),
            lambda: self.here.do(who, "report", since_s, until_s, produced_j, own_j, drawn),
        )

    @rule(who=someone, price=prices, amount_j=st.one_of(energies, st.just(UINT64)))
    def offer(self, who: LocalAccount, price: int, amount_j: int) -> None:
        self.agree(
            lambda: self.books.offer(who.address, price, amount_j), lambda: self.here.do(who, "offer", price, amount_j, NO_END_S)
        )

    @rule(who=someone)
    @precondition(lambda self: len(self.books.offers) > 1)
    def withdraw(self, who: LocalAccount) -> None:
        self.agree(lambda: self.books.withdraw(who.address), lambda: self.here.do(who, "withdrawOffer"))

    @rule(couple=couples, amount_j=energies, max_price=st.one_of(st.just(UINT96), st.just(UINT96), prices))
    def buy(self, couple: Couple, amount_j: int, max_price: int) -> None:
        self.purchase(*couple, amount_j, max_price)

    @rule(couple=couples, beyond_j=st.sampled_from([0, 0, 1]))
    def buy_all_that_is_left(self, couple: Couple, beyond_j: int) -> None:
        """Where mistakes of one joule hide."""
        available_j = self.books.available_j(couple[1].address)
        self.purchase(*couple, min(max(available_j + beyond_j, 1), UINT64), UINT96)

    @rule(couple=couples, beyond_j=st.sampled_from([0, 1, 1]))
    def draw_all_that_was_bought(self, couple: Couple, beyond_j: int) -> None:
        """Here, too."""
        buyer, seller = couple
        credit_j = self.books.pairs.get((buyer.address, seller.address), NO_PAIR).credit_j
        self.report(buyer, 1, 0, 0, [(seller, min(credit_j + beyond_j, UINT64))])

    def purchase(self, who: LocalAccount, seller: LocalAccount, amount_j: int, max_price: int) -> None:
        self.agree(
            lambda: self.books.buy(who.address, seller.address, amount_j, max_price),
            lambda: self.here.do(who, "buy", seller.address, amount_j, max_price),
        )

    def agree(self, expect: Callable[[], list[Event]], attempt: Callable[[], Any]) -> None:
        """Have both do the same, and compare what they say."""
        try:
            expected = expect()
        except Refused as refusal:
            with pytest.raises(TransactionReverted) as reverted:
                attempt()
            told = (reverted.value.error, lower(reverted.value.facts))
            assert told == (refusal.error, lower(refusal.facts))  # noqa: PT017  # both sides refused; they are compared
            return
        self.same(expected, attempt)

    def same(self, expected: list[Event], attempt: Callable[[], Any]) -> None:
        assert attempt().facts() == expected

    @invariant()
    def every_number_kept_is_the_same(self) -> None:
        """And so nobody's numbers move but by its own transaction, or by a purchase from it."""
        if not hasattr(self, "books"):
            return
        for account in ACCOUNTS:
            status, until_s, opening_j, produced_j, own_j, sold_j, *_ = self.home_of(account.address)
            kept = self.here.stored("_books", account)
            assert tuple(kept.values()) == (status, until_s, opening_j + produced_j, own_j, sold_j, 0)
            asked = self.books.offers.get(account.address, NO_OFFER)
            offered = self.here.stored("_offers", account)
            assert (offered["pricePerKwh"], offered["amountJ"]) == (asked.price_per_kwh, asked.left_j)
            for seller in ACCOUNTS:
                pair = self.books.pairs.get((account.address, seller.address), NO_PAIR)
                assert tuple(self.here.stored("_pairs", account, seller).values()) == (pair.bought_j, pair.drawn_j)

    def teardown(self) -> None:
        """Compare every number there is, and the laws; once a run, for it takes as long as ten steps."""
        if not hasattr(self, "books"):
            return
        addresses = [str(account.address) for account in ACCOUNTS]
        markets = {address: self.here.ask("market", address, addresses) for address in addresses}
        for address, (home, balance, allowance, offers, credits) in markets.items():
            assert tuple(home) == self.home_of(address)
            assert (balance, allowance) == (self.books.balances.get(address, 0), self.books.allowances.get(address, 0))
            for seller, offer, credit in zip(addresses, offers, credits, strict=True):
                asked = self.books.offers.get(seller, NO_OFFER)
                price, left_j, _, available_j = offer
                assert (price, left_j, available_j) == (asked.price_per_kwh, asked.left_j, self.books.available_j(seller))
                pair = self.books.pairs.get((address, seller), NO_PAIR)
                assert tuple(credit) == (pair.bought_j, pair.drawn_j, pair.credit_j, pair.unpaid_j)
        self.the_laws_hold(markets)

    def the_laws_hold(self, markets: dict[str, Any]) -> None:
        """Hold what the exchange says against itself, without the story beside it."""
        assert sum(market[1] for market in markets.values()) + self.here.balance_of(ADMIN) == SUPPLY
        for place, (home, *_) in enumerate(markets.values()):
            _, _, opening_j, produced_j, own_j, sold_j, surplus_j, overdrawn_j = home
            assert surplus_j - overdrawn_j == opening_j + produced_j - own_j - sold_j
            assert min(surplus_j, overdrawn_j) == 0
            assert sold_j <= opening_j + produced_j
            assert sold_j == sum(market[4][place][0] for market in markets.values())
        for *_, credits in markets.values():
            for bought_j, drawn_j, credit_j, unpaid_j in credits:
                assert credit_j == bought_j - drawn_j + unpaid_j
                assert min(credit_j, unpaid_j) == 0

    def home_of(self, address: str) -> tuple[int, ...]:
        """The home's books in the order of the contract's answer."""
        home = self.books.homes.get(address)
        if home is None:
            return (0,) * 8
        numbers = (home.until_s, home.opening_j, home.produced_j, home.own_j, home.sold_j, home.surplus_j, home.overdrawn_j)
        return (1, *numbers)


TestStreet = Street.TestCase
# Some 30 ms a step. What fails is not made shorter, which would take minutes.
TestStreet.settings = settings(max_examples=30, stateful_step_count=20, phases=[Phase.explicit, Phase.reuse, Phase.generate])
