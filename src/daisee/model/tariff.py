"""What a supplier outside the street asks for energy and pays for it. Money is a decimal in a currency, never a float."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from daisee.units import JOULES_PER_KWH, Joules


@dataclass(frozen=True, slots=True)
class Tariff:
    """A supplier's flat prices."""

    import_price_per_kwh: Decimal
    """Asked for what a home takes from the grid."""
    export_price_per_kwh: Decimal
    """Paid for what a home gives to the grid."""
    currency: str
    """As ISO 4217 names it."""

    def cost(self, imported_j: Joules, exported_j: Joules) -> Decimal:
        """Answer what a home owes its supplier; below zero where the supplier owes the home."""
        asked = self.import_price_per_kwh * imported_j / JOULES_PER_KWH
        return asked - self.export_price_per_kwh * exported_j / JOULES_PER_KWH
