"""What the contracts cost: whole transactions, each in a block of its own, on the embedded chain.

A table beside the figures of the prototype of 2017 and of others, and the steady figures in build/bench/gas.json. The purchase
of the table is of an offer of all surplus, by a buyer whose allowance has no limit; below it stands what the same costs done
otherwise. A virtual machine that is called again and again in one state keeps storage warm and flatters; a block of its own
for each does not.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from eth_account import Account
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from web3 import Web3

from daisee.chain.embedded import EmbeddedChain
from daisee.errors import LedgerError
from daisee.ledger.coin import UNLIMITED
from daisee.ledger.deploy import deploy
from daisee.ledger.exchange import ALL_SURPLUS, Interval, Purchase, StandingOrder
from daisee.ledger.sender import Sender, Sent
from daisee.ledger.transactions import Call, Outcome
from daisee.units import Address, Coins, Joules, base_units, joules_from_kwh

OUTPUT = Path("build/bench/gas.json")
GENESIS_S = 1_760_000_000
QUARTER_S = 900
PRICE = base_units("0.30")
ELSEWHERE = """2017, first and steady: setProduction 45,383 and 28,283; consumeEnergy 73,851 and 39,651;
buyEnergy 134,345 and 59,973. TradeRES: produce 42,430, consume 42,375. Eberhardt: 31,501 for a hash alone."""
AMOUNT_J = joules_from_kwh(1)


@dataclass(frozen=True, slots=True)
class Figure:
    """What one thing costs, in gas."""

    name: str
    """Its key in the JSON."""
    what: str
    first: int
    """When storage is written that was empty."""
    steady: int
    """From then on."""
    elsewhere: str
    """What others published for the like."""


class Bench:
    """A chain with two homes: one makes energy and sells, one buys."""

    def __init__(self) -> None:
        keys = [Account.from_key(Web3.keccak(text=f"daisee gas {name}")) for name in ("operator", "seller", "buyer")]
        self.chain = EmbeddedChain(
            chain_id=2017, genesis_time_s=GENESIS_S, balances={Address(key.address): 10**18 for key in keys}
        )
        self.now_s = GENESIS_S
        web3 = Web3(self.chain.provider())
        self.operator, self.seller, self.buyer = (Sender(web3, key) for key in keys)
        self.deployed: list[int] = []
        contracts = deploy(web3, self.operator, self._deployed, base_units(1_000))
        self.coin, self.exchange = contracts.coin, contracts.exchange
        self.reported_s = {self.seller.address: 0, self.buyer.address: 0}

    def _deployed(self, sent: Sent) -> Outcome:
        outcome = self._settle(self.operator, sent)
        self.deployed.append(outcome.gas_used)
        return outcome

    def _settle(self, sender: Sender, sent: Sent) -> Outcome:
        self.now_s += QUARTER_S
        self.chain.advance(self.now_s)
        outcome = sender.outcome(sent)
        if outcome is None or not outcome.succeeded:
            raise LedgerError(f"a transaction of the benchmark was refused: {sent.call.name}")
        return outcome

    def do(self, sender: Sender, call: Call) -> int:
        """Put a call in a block of its own; answer its gas."""
        return self._settle(sender, sender.send(call)).gas_used

    def report(self, home: Sender, drawn_j: int = 0, intervals: int = 1, own_j: int = 27_000, charge: float | None = None) -> int:
        """Report some intervals that end just before the block."""
        since_s = self.reported_s[home.address]
        ends = [self.now_s - intervals + n + 1 for n in range(intervals)]
        drawn = {self.seller.address: drawn_j} if drawn_j else {}
        told = [Interval(end_s, Joules(31_500), Joules(own_j), drawn) for end_s in ends]
        self.reported_s[home.address] = ends[-1]
        return self.do(home, self.exchange.report(since_s, told, charge))


def measure() -> list[Figure]:
    """Measure everything, first and steady."""
    bench = Bench()
    coin, exchange, operator, seller, buyer = bench.coin, bench.exchange, bench.operator, bench.seller, bench.buyer
    purchase = exchange.buy(seller.address, AMOUNT_J, PRICE)

    def twice(sender: Sender, first: Call, second: Call | None = None) -> tuple[int, int]:
        return bench.do(sender, first), bench.do(sender, second or first)

    admit = twice(operator, exchange.admit(seller.address, joules_from_kwh(50)), exchange.admit(buyer.address, Joules(0)))
    mint = twice(operator, coin.mint(buyer.address, base_units(100)))
    transfer = twice(operator, coin.transfer(seller.address, Coins(1)))
    approve = twice(buyer, coin.approve(exchange.address, Coins(1)), coin.approve(exchange.address, UNLIMITED))
    offer = twice(seller, exchange.offer(PRICE, Joules(1)), exchange.offer(PRICE, ALL_SURPLUS))
    report = bench.report(seller), bench.report(seller)
    buy = twice(buyer, purchase)
    bench.report(buyer)
    one_draw = bench.report(buyer, drawn_j=100_000), bench.report(buyer, drawn_j=100_000)
    bare = bench.report(buyer)
    many = bench.report(seller, intervals=1), bench.report(seller, intervals=2), bench.report(seller, intervals=10)
    buy_and_draw = buy[0] + one_draw[0] - bare, bench.do(buyer, purchase) + bench.report(buyer, drawn_j=100_000) - bare
    extra = many[1] - many[0], (many[2] - many[1]) // 8
    return [
        Figure("report_own", "report of production and own use", *report, "67,934 in 2017"),
        Figure("report_one_draw", "report with one draw", *one_draw, "39,651 in 2017"),
        Figure("extra_interval", "each extra interval in one report", *extra, "-"),
        Figure("buy", "purchase", *buy, "59,973 in 2017"),
        Figure("buy_and_draw", "purchase, and what its draw adds to a report", *buy_and_draw, "99,624 in 2017"),
        Figure("offer", "offer", *offer, "-"),
        Figure("approve", "approval of what the exchange may take", *approve, "-"),
        Figure("transfer", "transfer of coins", *transfer, "-"),
        Figure("mint", "making of coins", *mint, "-"),
        Figure("admit", "admission of a home", *admit, "-"),
        Figure("deploy_coin", "deployment of the coin", bench.deployed[0], bench.deployed[0], "2,467,010 for both in 2017"),
        Figure("deploy_exchange", "deployment of the exchange", bench.deployed[1], bench.deployed[1], "-"),
    ]


def variants() -> list[Figure]:
    """Measure the same things done otherwise, first and steady."""
    bench = Bench()
    coin, exchange, operator, seller, buyer = bench.coin, bench.exchange, bench.operator, bench.seller, bench.buyer
    bench.do(operator, exchange.admit(seller.address, joules_from_kwh(50)))
    bench.do(operator, exchange.admit(buyer.address, Joules(0)))
    bench.do(operator, coin.mint(buyer.address, base_units(100)))
    bench.do(operator, coin.transfer(seller.address, Coins(1)))
    bench.do(buyer, coin.approve(exchange.address, UNLIMITED))
    bench.do(seller, exchange.offer(PRICE, joules_from_kwh(40)))
    purchase, listed = exchange.buy(seller.address, AMOUNT_J, PRICE), Purchase([seller.address], AMOUNT_J, PRICE)

    def twice(call: Call) -> tuple[int, int]:
        return bench.do(buyer, call), bench.do(buyer, call)

    limited = twice(purchase)
    bench.report(buyer)
    drawing = [bench.report(buyer, drawn_j=100_000) for _ in range(2)]
    bare = bench.report(buyer)
    drawn = limited[0] + drawing[0] - bare, limited[1] + drawing[1] - bare
    bench.do(seller, exchange.offer(PRICE, ALL_SURPLUS))
    from_list = twice(exchange.buy_from(listed))
    bench.do(buyer, coin.approve(exchange.address, base_units(9)))
    allowed = twice(purchase)
    by_approval = twice(coin.approve_and_call(exchange.address, base_units("0.5"), listed.data()))
    bench.do(buyer, exchange.place_order(StandingOrder(0.3, AMOUNT_J, PRICE, (seller.address,))))
    waiting = bench.report(buyer, charge=0.8), bench.report(buyer, charge=0.8)
    overdrawn = bench.report(buyer, own_j=10**9), bench.report(buyer, own_j=31_501)
    return [
        Figure("buy_limited_offer", "purchase, of an offer of an amount", *limited, "-"),
        Figure("buy_limited_offer_and_draw", "the same, and what its draw adds to a report", *drawn, "-"),
        Figure("buy_limited_allowance", "purchase, by an allowance with a limit", *allowed, "-"),
        Figure("buy_from_list", "purchase, of a list of one seller", *from_list, "-"),
        Figure("buy_by_approval", "purchase, of a list of one seller with its payment", *by_approval, "-"),
        Figure("report_waiting_order", "report with a charge, and an order that waits", *waiting, "-"),
        Figure("report_overdrawn", "report of a home that overdraws further", *overdrawn, "-"),
    ]


def _table(title: str, figures: list[Figure]) -> Table:
    table = Table(title, "first", "steady", "elsewhere", box=SIMPLE_HEAD, pad_edge=False)
    for column in table.columns[1:3]:
        column.justify = "right"
    for figure in figures:
        table.add_row(figure.what, f"{figure.first:,}", f"{figure.steady:,}", figure.elsewhere)
    return table


def main() -> None:
    """Print the tables, and write the steady figures down."""
    figures, otherwise = measure(), variants()
    Console().print(_table("gas", figures))
    Console().print(ELSEWHERE, soft_wrap=True)
    Console().print(_table("done otherwise", otherwise))
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps({figure.name: figure.steady for figure in (*figures, *otherwise)}, indent=1) + "\n")
    Console().print(f"Written to {OUTPUT}.")


if __name__ == "__main__":
    main()
