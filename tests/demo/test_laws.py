"""Each law, broken on purpose, is told as broken, and no other is."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from eth_typing import HexStr

from daisee.demo.laws import NOBODY, Books, Journal, check_laws, enter
from daisee.ledger.events import LedgerEvent
from daisee.ledger.exchange import CreditBooks, HomeBooks
from daisee.monitor.store import Slot
from daisee.units import Address, Joules

A = Address("0x00000000000000000000000000000000000000aA")
B = Address("0x00000000000000000000000000000000000000bB")


def books_of(made_j: int, own_j: int, sold_j: int) -> HomeBooks:
    left_j = made_j - own_j - sold_j
    return HomeBooks(
        admitted=True,
        suspended=False,
        until_s=900,
        opening_j=Joules(0),
        produced_j=Joules(made_j),
        own_j=Joules(own_j),
        sold_j=Joules(sold_j),
        surplus_j=Joules(max(0, left_j)),
        overdrawn_j=Joules(max(0, -left_j)),
    )


class Street:
    """A bought 60 J of B and drew 50 of them; B made 100, used 10 of them itself and imported 5."""

    def __init__(self) -> None:
        nothing = CreditBooks(Joules(0), Joules(0), Joules(0), Joules(0))
        self.books = Books(
            homes={A: books_of(0, 30, 0), B: books_of(100, 10, 60)},
            pairs={
                (A, A): nothing,
                (B, B): nothing,
                (B, A): nothing,
                (A, B): CreditBooks(Joules(60), Joules(50), Joules(10), Joules(0)),
            },
            balances={A: 40, B: 60},
            supply=100,
        )
        self.journal = Journal()
        for name, facts in [
            ("HomeAdmitted", {"home": A, "openingJ": 0}),
            ("HomeAdmitted", {"home": B, "openingJ": 0}),
            ("Transfer", {"from": NOBODY, "to": A, "value": 100}),
            ("EnergyReported", {"home": B, "producedJ": 100, "ownJ": 10, "until": 900}),
            ("EnergyBought", {"buyer": A, "seller": B, "energyJ": 60, "cost": 60, "pricePerKwh": 1}),
            ("EnergyReported", {"home": A, "producedJ": 0, "ownJ": 30, "until": 900}),
            ("EnergyDrawn", {"buyer": A, "seller": B, "energyJ": 50, "until": 900}),
        ]:
            self.enter(name, facts)
        self.stored = {
            A: Slot(0, consumed_j=80, own_j=30, drawn_j={B: 50}),
            B: Slot(0, consumed_j=15, produced_j=100, own_j=10, imported_j=5),
        }
        self.reported = dict(self.stored)

    def enter(self, name: str, facts: dict[str, object]) -> None:
        enter(self.journal, LedgerEvent(name, facts, Address("0xexchange"), 1, HexStr("0x01"), 0))

    def broken(self) -> list[str]:
        laws = check_laws(self.books, self.journal, self.stored, self.reported)
        return [name for name, kept in laws.items() if not kept]


def test_a_street_whose_books_add_up_breaks_no_law() -> None:
    assert Street().broken() == []


def a_second_is_dropped(street: Street) -> None:
    street.stored[A] = replace(street.stored[A], consumed_j=81)


def a_coin_appears(street: Street) -> None:
    street.books.balances[B] += 1


def a_purchase_gives_a_joule_too_much(street: Street) -> None:
    street.books.pairs[A, B] = CreditBooks(Joules(60), Joules(50), Joules(11), Joules(0))


def credit_and_debt_stand_side_by_side(street: Street) -> None:
    street.books.pairs[A, B] = CreditBooks(Joules(60), Joules(50), Joules(11), Joules(1))


def a_home_buys_of_itself(street: Street) -> None:
    street.books.pairs[A, A] = CreditBooks(Joules(0), Joules(1), Joules(0), Joules(1))


def a_sale_is_not_counted(street: Street) -> None:
    street.books.homes[B] = books_of(100, 10, 50)


def more_is_sold_than_was_made(street: Street) -> None:
    street.enter("EnergyBought", {"buyer": A, "seller": B, "energyJ": 31, "cost": 0, "pricePerKwh": 1})
    street.books.homes[B] = books_of(100, 10, 91)
    street.books.pairs[A, B] = CreditBooks(Joules(91), Joules(50), Joules(41), Joules(0))


def a_surplus_is_invented(street: Street) -> None:
    street.books.homes[B] = replace(street.books.homes[B], surplus_j=Joules(31))


def the_ledger_has_a_joule_that_the_store_has_not(street: Street) -> None:
    street.reported[B] = replace(street.reported[B], produced_j=99)


def the_ledger_has_another_seller_than_the_store(street: Street) -> None:
    street.reported[A] = replace(street.reported[A], drawn_j={A: 50})


@pytest.mark.parametrize(
    ("breaking", "law"),
    [
        (a_second_is_dropped, "consumed_is_own_and_drawn_and_imported"),
        (a_coin_appears, "sum_of_balances_is_supply"),
        (a_purchase_gives_a_joule_too_much, "credit_is_bought_less_drawn_and_unpaid"),
        (credit_and_debt_stand_side_by_side, "credit_is_bought_less_drawn_and_unpaid"),
        (a_sale_is_not_counted, "sold_is_what_was_bought"),
        (more_is_sold_than_was_made, "nothing_is_sold_beyond_surplus"),
        (a_surplus_is_invented, "nothing_is_sold_beyond_surplus"),
        (the_ledger_has_a_joule_that_the_store_has_not, "ledger_is_store"),
        (the_ledger_has_another_seller_than_the_store, "ledger_is_store"),
    ],
    ids=lambda value: value.__name__ if callable(value) else value,
)
def test_a_law_that_is_broken_is_told_and_no_other(breaking: Callable[[Street], None], law: str) -> None:
    street = Street()
    breaking(street)
    assert street.broken() == [law]


def test_a_home_that_draws_on_itself_is_seen() -> None:
    street = Street()
    a_home_buys_of_itself(street)
    assert "credit_is_bought_less_drawn_and_unpaid" in street.broken()
