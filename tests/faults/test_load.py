"""Twenty homes that report with every block, over three validators: what the chain carries, and what that takes of a disk."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

import pytest
from tests.faults import forks
from tests.faults.conftest import RESULTS, Make
from tests.faults.nodes import Nodes
from tests.faults.results import Fault
from tests.faults.street import Street

pytestmark = [pytest.mark.geth, pytest.mark.timeout(3_600)]

HOMES = 20
PERIOD_S = 2
LEAST_SHARE = 0.9
"""Of the reports that twenty homes would make if each made one in every block; a busy machine misses some."""


@pytest.fixture
def crowd(make: Make) -> Iterator[Street]:
    """Answer a street of twenty homes on three validators."""
    street = make(validators=3, homes=HOMES, period_s=PERIOD_S)
    yield street
    street.close()
    street.nodes.close()


def disk_bytes(nodes: Nodes, name: str) -> int:
    """Answer what a node's chain takes of the disk."""
    told = subprocess.run(
        ["du", "-s", "--block-size=1", nodes.folder(name).data], capture_output=True, text=True, check=True, timeout=60
    )
    return int(told.stdout.split()[0])


@pytest.mark.fault("load")
def test_twenty_homes_report_with_every_block(crowd: Street, fault: Fault, request: pytest.FixtureRequest) -> None:
    nodes = crowd.nodes
    minutes = float(request.config.getoption("--load-minutes"))
    took_bytes, first = disk_bytes(nodes, "node1"), nodes.head("node1")
    began_s = time.monotonic()
    with crowd.trading():
        time.sleep(minutes * 60)
        last, lasted_s = nodes.head("node1"), time.monotonic() - began_s
    crowd.check()
    blocks = [forks.block(nodes, "node1", number) for number in range(first + 1, last + 1)]
    transactions = sum(len(block["transactions"]) for block in blocks)
    reports = crowd.reports()
    request.config.stash[RESULTS].load = {
        "homes": HOMES,
        "reports_sent": reports,
        "reports_found": crowd.found("node1"),
        "tx_per_s": round(transactions / lasted_s, 2),
        "gas_share": round(sum(int(block["gasUsed"], 16) / int(block["gasLimit"], 16) for block in blocks) / len(blocks), 4),
        "bytes_per_report": round((disk_bytes(nodes, "node1") - took_bytes) / reports),
        "minutes": minutes,
    }
    assert crowd.found("node1") == reports
    assert reports >= LEAST_SHARE * HOMES * len(blocks), f"only {reports} reports in {len(blocks)} blocks"
    fault.note = f"{reports} reports in {len(blocks)} blocks, each once"
