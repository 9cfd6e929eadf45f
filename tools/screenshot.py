"""Takes the picture of the README (`make picture`): the demo, at a noon with trade, as Chromium sees it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import httpx2
from playwright.sync_api import sync_playwright

from need import NEEDS, find

PICTURE = Path(__file__).parent.parent / "docs" / "street.png"
PORT, RPC_PORT = 18080, 18545
MOMENT = "T11:"
"""A June noon, when home B has sun to sell and home A's battery is low."""
PATIENCE_S = 300


def main() -> None:
    """Open, wait, look, close."""
    chromium = next(path for need in NEEDS if need.marker == "chromium" and (path := find(need)))
    options = ["--seed", "1", "--speed", "1500", "--port", str(PORT), "--rpc-port", str(RPC_PORT)]
    street = subprocess.Popen([sys.executable, "-m", "daisee", "demo", *options])
    try:
        _wait_for_the_moment()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
            page = browser.new_page(viewport={"width": 1280, "height": 840}, color_scheme="light")
            page.goto(f"http://127.0.0.1:{PORT}/")
            page.wait_for_timeout(2500)
            page.screenshot(path=PICTURE)
            browser.close()
    finally:
        street.terminate()
        street.wait()


def _wait_for_the_moment() -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        time.sleep(0.5)
        try:
            view = httpx2.get(f"http://127.0.0.1:{PORT}/api/street").json()
        except httpx2.TransportError:
            continue
        if MOMENT in view["now"] and any(flow["from"] == "dev-1" and flow["to"] == "dev-2" for flow in view["flows"]):
            return
    raise SystemExit(f"the street showed no trade at {MOMENT} within {PATIENCE_S} s")


if __name__ == "__main__":
    main()
