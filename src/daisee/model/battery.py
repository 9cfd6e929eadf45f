"""A battery as physics: what goes in, what comes out, what is lost, and what its power limits do not let through.

Energies are joules at the home's side, powers watts; losses are split evenly between charging and discharging, so that what
is stored comes out times the square root of the round-trip efficiency. State is a float: this is a model, not a ledger.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt


@dataclass(frozen=True, slots=True)
class BatteryType:
    """A battery as its data sheet gives it."""

    product: str
    """Maker and model."""
    capacity_j: float
    """What can be stored between empty and full."""
    round_trip_efficiency: float
    """What comes out for what went in, above 0 and at most 1."""
    max_charge_w: float
    """The most that goes in."""
    max_discharge_w: float
    """The most that comes out."""


class BatteryState:
    """What one battery holds."""

    def __init__(self, kind: BatteryType, state_of_charge: float) -> None:
        if not 0 <= state_of_charge <= 1:
            raise ValueError(f"a state of charge is from 0 to 1, not {state_of_charge}")
        self.kind = kind
        self.stored_j = kind.capacity_j * state_of_charge
        """What is inside, 0 to `capacity_j`."""

    @property
    def state_of_charge(self) -> float:
        """Answer the share of the capacity that is stored, 0 to 1."""
        return self.stored_j / self.kind.capacity_j

    def serve(self, load_j: float, production_j: float, duration_s: float) -> float:
        """Feed a load from production and then from what is stored, keep what is left over; answer what could not be fed.

        All three are what flowed within `duration_s`. Production that neither the load nor the battery takes is curtailed.
        """
        one_way = sqrt(self.kind.round_trip_efficiency)
        direct_j = min(load_j, production_j)
        spare_j = min(production_j - direct_j, self.kind.max_charge_w * duration_s)
        self.stored_j = min(self.kind.capacity_j, self.stored_j + spare_j * one_way)
        wanted_j = load_j - direct_j
        given_j = min(wanted_j, self.kind.max_discharge_w * duration_s, self.stored_j * one_way)
        self.stored_j = max(0.0, self.stored_j - given_j / one_way)
        return wanted_j - given_j
