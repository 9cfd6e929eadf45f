"""The account of a street: who used, made, sold and paid what, and whether the laws were kept. Every figure that the ledger
knows is read back from the chain; the rest comes from the homes' stores.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from daisee.demo.home import BatterySensor
from daisee.demo.laws import Books, Journal, check_laws, read_books
from daisee.demo.run import StreetHome, StreetRun
from daisee.monitor.store import Slot, total
from daisee.units import BASE_UNITS_PER_COIN, Joules

CENT = Decimal("0.01")


def make_report(run: StreetRun, wall_s: float) -> dict[str, Any]:
    """Read everything back and add it up; as JSON would have it: joules are integers, coins are strings of base units."""
    journal = run.watch.journal
    books = read_books(run.contracts.exchange, run.contracts.coin, journal)
    stored = {home.address: total(home.store.slots()) for home in run.homes.values()}
    reported = {home.address: total(home.store.slots(to_s=books.homes[home.address].until_s)) for home in run.homes.values()}
    homes = [_home(run, home, books, journal, stored[home.address]) for home in run.homes.values()]
    measured = run.measured
    return {
        "data": {
            "file": measured.file,
            "from": _iso(measured.from_s - measured.moved_s),
            "to": _iso(measured.to_s - measured.moved_s),
            "lived_to": _iso(measured.from_s - measured.moved_s + run.lived_s),
            "moved_s": measured.moved_s,
            "step_s": measured.step_s,
            "homes": len(measured.homes),
            "rows": measured.rows,
            "gaps": measured.gaps.total,
        },
        "homes": homes,
        "ledger": _ledger(run, books),
        "street": _street(homes),
        "laws": check_laws(books, journal, stored, reported),
        "seconds": {"simulated": run.lived_s, "wall": round(wall_s, 3)},
    }


def _iso(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat().replace("+00:00", "Z")


def _home(run: StreetRun, home: StreetHome, books: Books, journal: Journal, stored: Slot) -> dict[str, Any]:
    address = home.address
    ledger = books.homes[address]
    as_buyer = [pair for (buyer, _), pair in books.pairs.items() if buyer == address]
    as_seller = [pair for (_, seller), pair in books.pairs.items() if seller == address]
    with_street, without = _costs(run, home, stored, journal)
    return {
        "home": home.plan.home,
        "address": address,
        "kind": str(home.plan.kind),
        "consumed_j": stored.consumed_j,
        "produced_j": stored.produced_j,
        "own_j": ledger.own_j,
        "drawn_j": sum(pair.drawn_j for pair in as_buyer),
        "imported_j": stored.imported_j,
        "exported_j": stored.exported_j,
        "bought_j": sum(pair.bought_j for pair in as_buyer),
        "sold_j": ledger.sold_j,
        "delivered_j": sum(pair.drawn_j for pair in as_seller),
        "credit_j": sum(pair.credit_j for pair in as_buyer),
        "unpaid_j": sum(pair.unpaid_j for pair in as_buyer),
        "overdrawn_j": ledger.overdrawn_j,
        "unserved_j": round(home.sensor.unserved_j) if isinstance(home.sensor, BatterySensor) else 0,
        "covered_s": int(stored.covered_s),
        "reports": journal.reports.get(address, 0),
        "purchases": journal.purchases.get(address, 0),
        "switches": home.relay.switches,
        "opening_coins": str(journal.opening_coins.get(address, 0)),
        "paid_coins": str(journal.paid.get(address, 0)),
        "earned_coins": str(journal.earned.get(address, 0)),
        "balance_coins": str(books.balances[address]),
        "cost_with": str(with_street),
        "cost_without": str(without),
    }


def _costs(run: StreetRun, home: StreetHome, stored: Slot, journal: Journal) -> tuple[Decimal, Decimal]:
    """Answer what a home pays with the street and what it would have paid without, in the supplier's currency.

    With: its supplier for what it imported, its neighbours in coins at the street's rate; what it sold is not exported for
    money too. Without: a grid-tied home would have imported what it drew and exported what it sold; an islanded one's supplier
    would have given what its battery alone could not.
    """
    tariff = run.street.supplier
    bill = tariff.cost(Joules(stored.imported_j), Joules(max(0, stored.exported_j - journal.sold_j.get(home.address, 0))))
    net_coins = journal.paid.get(home.address, 0) - journal.earned.get(home.address, 0)
    with_street = bill + run.street.coin_value * net_coins / BASE_UNITS_PER_COIN
    if isinstance(home.sensor, BatterySensor):
        without = tariff.cost(Joules(round(home.sensor.alone_imported_j)), Joules(0))
    else:
        without = tariff.cost(Joules(stored.consumed_j - stored.own_j), Joules(stored.exported_j))
    return with_street.quantize(CENT), without.quantize(CENT)


def _ledger(run: StreetRun, books: Books) -> dict[str, Any]:
    return {
        "chain_id": run.chain.chain_id,
        "coin": run.contracts.coin.address,
        "exchange": run.contracts.exchange.address,
        "supply": str(books.supply),
        "sum_of_balances": str(sum(books.balances.values())),
        "blocks": run.watch.block,
        "transactions": run.watch.transactions,
        "reverted": run.watch.reverted,
        "gas_used": run.watch.gas_used,
    }


def _street(homes: list[dict[str, Any]]) -> dict[str, Any]:
    """Add the homes up. Self-sufficiency: the share of what was used that came from no supplier but from the street's own roofs
    and batteries, what these held at the beginning included. Self-consumption: the share of what was made that stayed: used
    at home, shared, or put into a battery.
    """
    consumed_j, produced_j = sum(h["consumed_j"] for h in homes), sum(h["produced_j"] for h in homes)
    shared_j = sum(h["drawn_j"] for h in homes)
    local_j = sum(h["own_j"] for h in homes) + shared_j
    left_j = max(0, sum(h["exported_j"] for h in homes) - shared_j)
    return {
        "shared_j": shared_j,
        "self_sufficiency": round(local_j / consumed_j, 4) if consumed_j else None,
        "self_consumption": round(1 - left_j / produced_j, 4) if produced_j else None,
    }
