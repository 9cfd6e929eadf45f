"""What was taken is there after a power cut, once, and the sums are those of the readings."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.timeout(600)
def test_two_hundred_kills_lose_nothing_and_count_nothing_twice(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "tests.monitor.killed", str(tmp_path), "200", "7"],
        check=True, capture_output=True, text=True, timeout=580,
    )  # fmt: skip
    found = json.loads(told.stdout)
    assert found["kills"] == 200
    assert (found["lost"], found["wrong"]) == ([], [])
    assert found["taken"] > 200, "it was killed before it could take anything"
