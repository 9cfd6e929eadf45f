"""Whether what was bought was paid: the coins that moved in a transaction, held against the purchases in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from daisee.ledger.events import LedgerEvent
from daisee.units import Address, Coins, Joules, cost_of


@dataclass(slots=True)
class Payments:
    """What was bought, and what was paid, in one transaction."""

    exchange: Address
    transaction: str = ""
    purchases: list[LedgerEvent] = field(default_factory=list)
    moved: Counter[tuple[Address, Address, int]] = field(default_factory=Counter)
    """How often so many base units went from one account to another."""

    def buy(self, event: LedgerEvent) -> str | None:
        """Take a purchase down; say what is wrong with its cost.

        It is rounded up. Where a buyer buys of several sellers, what all of them get together is at most that of their energy
        together at the buyer's price: so from the second on a purchase may cost a base unit less, and never two.
        """
        facts = event.facts
        energy_j, price, cost = facts["energyJ"], facts["pricePerKwh"], facts["cost"]
        least = most = cost_of(Joules(energy_j), Coins(price))
        if any(earlier.facts["buyer"] == facts["buyer"] for earlier in self.purchases):
            least = Coins(most - 1)
        self.purchases.append(event)
        return None if least <= cost <= most else f"{energy_j} J at {price} cost {most}, and {cost} was told"

    def move(self, sender: Address, receiver: Address, value: int) -> None:
        """Take down that coins have moved."""
        self.moved[sender, receiver, value] += 1

    def unpaid(self) -> Iterator[tuple[LedgerEvent, str]]:
        """Yield the purchases for which no coins moved, when the transaction is over.

        The buyer pays the seller; or the exchange does, with what the buyer has sent it in the same transaction.
        """
        left, sent = self.moved.copy(), Counter[Address]()
        for (sender, receiver, value), times in self.moved.items():
            if receiver == self.exchange:
                sent[sender] += value * times
        for event in self.purchases:
            buyer, seller, cost = (event.facts[name] for name in ("buyer", "seller", "cost"))
            if not cost:
                continue
            if left[buyer, seller, cost]:
                left[buyer, seller, cost] -= 1
            elif left[self.exchange, seller, cost] and sent[buyer] >= cost:
                left[self.exchange, seller, cost] -= 1
                sent[buyer] -= cost
            else:
                yield event, f"{buyer} bought for {cost} base units of {seller}, and did not pay them"
