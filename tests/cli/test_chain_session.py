"""docs/three-pis.md, as a reader would follow it: every line of it, in an empty folder, with real nodes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.test_ledger_session import PASSWORD

PAGE = Path(__file__).resolve().parents[2] / "docs" / "three-pis.md"
OWN_TERMINAL = ("daisee chain up ", "daisee chain run ")


def lines_of(page: str) -> list[str]:
    return [line for block in re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL) for line in block.splitlines()]


@pytest.mark.geth
@pytest.mark.timeout(900)
def test_the_page_does_what_it_says(geth_path: str, tmp_path: Path) -> None:
    lines = lines_of(PAGE.read_text("utf-8"))
    assert [line for line in lines if line.startswith(OWN_TERMINAL)] == [
        "daisee chain up street",
        "daisee chain run street/node4",
        "daisee chain run street/node3",
    ]
    script = "set -euo pipefail\n"
    for place, line in enumerate(lines):
        if line.startswith(OWN_TERMINAL):
            script += f"{line} > terminal-{place} 2>&1 & echo $! >> terminals\n"
        else:
            script += f"echo '##' {place}\n{line}\n"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("DAISEE_")} | {
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), str(Path(geth_path).parent), os.environ["PATH"])),
        "COLUMNS": "100",
    }
    try:
        done = subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, env=environment, input=f"{PASSWORD}\n", capture_output=True, text=True,
            timeout=600, check=False,
        )  # fmt: skip
    finally:
        _end(tmp_path / "terminals")
    said = done.stdout + done.stderr
    terminals = "".join(path.read_text("utf-8") for path in sorted(tmp_path.glob("terminal-*")))
    assert done.returncode == 0, said + terminals
    told: dict[str, str] = dict(re.findall(r"^## (\d+)\n(.*?)(?=^## |\Z)", done.stdout, re.MULTILINE | re.DOTALL))
    answers = {line: told[str(place)] for place, line in enumerate(lines) if str(place) in told}

    def answer(begins: str) -> str:
        return next(answer for line, answer in answers.items() if line.startswith(begins))

    assert "bought 2.000 kWh for 0.400000 DSC" in answer("daisee ledger exchange buy 2kWh")
    assert re.search(r"2\.000 +\S 0\.000 +\S 2\.000", answer("daisee ledger --rpc http://127.0.0.1:8547 exchange credits"))
    assert "node4 is a validator, from block" in answer("daisee chain validator add node4")
    assert "node1 is no longer a validator" in answer("daisee chain validator remove node1")
    assert "bought 1.000 kWh" in answer("daisee ledger exchange buy 1kWh")
    assert "node3: it does not run; start it with `daisee chain run" in answer("daisee chain status street || true")
    assert "All is well." in [told for line, told in answers.items() if line.startswith("until daisee chain status")][-1]
    assert answer("daisee ledger verify").rstrip().endswith("all are right.")
    assert "node3 was killed (signal 9)" in terminals
    assert "votes node1 out" in terminals
    assert PASSWORD not in said + terminals


def _end(pids: Path) -> None:
    """End the terminals that the page opened, each by its own id, as closing the terminal would."""
    for pid in map(int, pids.read_text().split() if pids.exists() else ()):
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            continue
        _wait_for(pid)


def _wait_for(pid: int) -> None:
    subprocess.run(["tail", f"--pid={pid}", "-f", "/dev/null"], timeout=90, check=True)
