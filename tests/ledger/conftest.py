"""A community with a past, for those who look whether it adds up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.conftest import Community

from daisee.ledger.coin import UNLIMITED
from daisee.ledger.exchange import ALL_SURPLUS, Interval, Purchase, StandingOrder
from daisee.units import Address, Joules, base_units, joules_from_kwh

PRICE = base_units("0.20")
STRANGER = Address("0x" + "77" * 20)


class Lived(Community):
    """A community in which everything has happened once: reports, debts, offers, purchases, orders, freezing, suspension."""

    def __init__(self) -> None:
        super().__init__("A", "B", "C")
        live(self)

    def address_of(self, contract: str) -> Address:
        """Answer where a contract is."""
        return self.exchange.address if contract == "EnergyExchange" else self.coin.address

    @contextmanager
    def tampered(self, contract: str, variable: str, path: list[str], add: int) -> Iterator[dict[str, Address]]:
        """Change a slot, as no transaction could, and put it back; answer who is who. X is a stranger."""
        who = {name: home.address for name, home in self.homes.items()}
        who |= {"operator": self.operator.address, "exchange": self.exchange.address, "X": STRANGER}
        keys = [who.get(step, Address(step)) for step in path]
        self.tamper(self.address_of(contract), contract, variable, keys, add)
        yield who
        self.tamper(self.address_of(contract), contract, variable, keys, -add)


@pytest.fixture(scope="module")
def lived() -> Lived:
    """Answer a community with a past; who changes something behind the contracts' back puts it back."""
    return Lived()


def live(community: Community) -> None:
    """Let everything happen once."""
    operator, a, b = community.operator, community.homes["A"], community.homes["B"]
    coin, exchange, do = community.coin, community.exchange, community.do
    do(operator, coin.mint(a.address, base_units(10)))
    do(a, coin.approve(exchange.address, base_units(9)))
    now_s = community.now_s
    do(b, exchange.report(0, [Interval(now_s - 900, joules_from_kwh(5), Joules(7))]))
    do(b, exchange.offer(PRICE, joules_from_kwh(3)))
    do(a, exchange.buy(b.address, joules_from_kwh(1), PRICE))
    do(
        a,
        exchange.report(
            0, [Interval(now_s - 900, Joules(0), Joules(50)), Interval(now_s, Joules(1), Joules(2), {b.address: 4_000_000})]
        ),
    )
    do(b, exchange.offer(PRICE, ALL_SURPLUS, now_s + 100_000))
    do(a, exchange.place_order(StandingOrder(0.3, joules_from_kwh(1), PRICE, (b.address,))))
    do(a, exchange.report(now_s, [Interval(now_s + 1, Joules(0), Joules(0))], state_of_charge=0.2))
    do(a, coin.approve_and_call(exchange.address, UNLIMITED, Purchase([b.address], Joules(77), PRICE).data()))
    do(operator, coin.freeze(b.address))
    do(operator, exchange.suspend(b.address))
