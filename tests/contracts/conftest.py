"""One chain for all tests of the contracts; each test gets contracts of its own on it."""

from __future__ import annotations

import pytest
from tests.contracts.ground import Ground


@pytest.fixture(scope="session")
def shared_ground() -> Ground:
    return Ground()


@pytest.fixture
def ground(shared_ground: Ground) -> Ground:
    """Answer a chain with a coin and an exchange that nobody has used."""
    shared_ground.deploy()
    return shared_ground
