"""What tests of sensors share."""

from collections.abc import Callable

import pytest
from tests.monitor.sensors.devices import Heard, hear_simulated


@pytest.fixture
def simulated() -> Callable[..., Heard]:
    """Answer what runs a kind's simulator and lets its sensor listen."""
    return hear_simulated
