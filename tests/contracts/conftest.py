"""One chain for all tests of the contracts; each test gets contracts of its own on it."""

from __future__ import annotations

import pytest
from tests.contracts.ground import ANNA, BERT, CARA, NO_END_S, PRICE, UINT64, Ground


@pytest.fixture(scope="session")
def shared_ground() -> Ground:
    return Ground()


@pytest.fixture
def ground(shared_ground: Ground) -> Ground:
    """Answer a chain with a coin and an exchange that nobody has used."""
    shared_ground.deploy()
    return shared_ground


@pytest.fixture
def street(ground: Ground) -> Ground:
    """Anna has 10,000 J and offers all that she has over; Bert and Cara can pay."""
    ground.admit(ANNA, opening_j=10_000)
    ground.admit(BERT, CARA)
    ground.equip(BERT, CARA)
    ground.do(ANNA, "offer", PRICE, UINT64, NO_END_S)
    return ground
