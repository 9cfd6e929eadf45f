"""docs/ledger.md, as a reader would follow it: every line of it, in an empty folder, against a real `geth --dev`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.chain.geth import Node

PAGE = Path(__file__).resolve().parents[2] / "docs" / "ledger.md"
PASSWORD = "two words"


def lines_of(page: str) -> list[str]:
    """Answer the page's commands; those that keep a terminal to themselves are the node, which runs already."""
    blocks = re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if not line.startswith("geth ")]


@pytest.mark.geth
@pytest.mark.timeout(600)
def test_the_page_does_what_it_says(geth_dev: Node, tmp_path: Path) -> None:
    page = PAGE.read_text("utf-8")
    assert "geth --dev --http\n" in page
    script = "set -euo pipefail\n" + "".join(f"echo '##' {place}\n{line}\n" for place, line in enumerate(lines_of(page)))
    environment = {key: value for key, value in os.environ.items() if not key.startswith("DAISEE_")} | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "DAISEE_RPC": geth_dev.url,
        "COLUMNS": "100",
    }
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, input=f"{PASSWORD}\n", capture_output=True, text=True,
        timeout=550, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    told: dict[str, str] = dict(re.findall(r"^## (\d+)\n(.*?)(?=^## |\Z)", done.stdout, re.MULTILINE | re.DOTALL))
    answers = {line: told[str(place)] for place, line in enumerate(lines_of(page))}

    def answer(begins: str) -> str:
        return next(answer for line, answer in answers.items() if line.startswith(begins))

    assert "bought 2.000 kWh for 0.400000 DSC" in answer("daisee ledger exchange buy 2kWh")
    assert "together 2.000 kWh for 0.400000 DSC" in answer("daisee ledger exchange quote")
    assert re.search(r"0x\w{40} \S 0\.2000 +\S 5\.50", answer("daisee ledger exchange offers"))
    assert re.search(r"2\.000 +\S 0\.500 +\S 1\.500", answer("daisee ledger exchange credits"))
    assert "EnergyBought" in answer("daisee ledger exchange events")
    verified = [text for line, text in answers.items() if line == "daisee ledger verify"]
    assert all(text.rstrip().endswith("all are right.") for text in verified)
    assert said.count("all are right.") == 2
    assert PASSWORD not in said
    assert {path.name for path in tmp_path.iterdir()} == {"keys", "outbox", "deployment.json"}
    assert [path.read_text() for path in (tmp_path / "outbox").glob("*.json")] == ["[]\n"] * 3
