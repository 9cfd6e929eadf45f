"""How the exchange lies in storage, as solc says it."""

from __future__ import annotations

from daisee.ledger.artifacts import load


def test_each_mapping_keeps_a_value_in_one_slot() -> None:
    layout = load("EnergyExchange").storage_layout
    kept = {each["label"]: layout["types"][each["type"]] for each in layout["storage"]}
    for variable in ("_books", "_pairs", "_offers"):
        kind = kept[variable]
        while "value" in kind:
            kind = layout["types"][kind["value"]]
        assert kind["numberOfBytes"] == "32", variable
