"""What the fault tests stand on: networks of real geth nodes with homes that trade, and a record of what held.

`make test-chain` runs them; `make test` does not, for they take minutes.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import FrameType

import pytest
from eth_account import Account
from rich.console import Console
from tests.faults.lan import Lan, why_not
from tests.faults.nodes import Nodes
from tests.faults.results import OUTPUT, Fault, Results
from tests.faults.street import Street

import need
from daisee.demo.keys import draw_keys
from daisee.units import Address

WEALTH_WEI = 10**24
PATIENCE = 1.25
"""Of the time between two blocks: then a home does not wait for the next any longer before it reports."""
RESULTS = pytest.StashKey[Results]()
FAILED = pytest.StashKey[bool]()

Make = Callable[..., Street]
"""Makes a street: validators, homes, and whether its links can be cut."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the time under load be chosen."""
    parser.addoption("--load-minutes", type=float, default=5.0, help="How long homes report under load.")


def pytest_configure(config: pytest.Config) -> None:
    """Begin a record, and let an end by TERM clean up as Ctrl-C does."""
    config.stash[RESULTS] = Results()

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note whether a fault held, and why not."""
    report = yield
    name, results = _name_of(item), item.config.stash[RESULTS]
    if report.skipped:
        results.skipped[name] = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
    elif report.failed:
        item.stash[FAILED] = True
        fault = results.faults.setdefault(name, Fault())
        fault.held = False
        fault.note = f"{report.when}: {call_line(report)}"
    elif report.when == "call":
        results.faults[name].held = True
    return report


def call_line(report: pytest.TestReport) -> str:
    """Answer the line that says what failed."""
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(getattr(crash, "message", report.longrepr)).partition("\n")[0][:200]


def pytest_terminal_summary(config: pytest.Config) -> None:
    """Show what held, and write it down."""
    results = config.stash[RESULTS]
    if results.faults or results.skipped:
        results.write(config.rootpath / OUTPUT)
        console = Console(highlight=False)
        console.print()
        results.show(console)
        console.print(f"Written to {OUTPUT}.")


def _name_of(item: pytest.Item) -> str:
    """Answer what a fault is called: its test's mark says so."""
    mark = item.get_closest_marker("fault")
    return str(mark.args[0]) if mark else item.name


@pytest.fixture
def fault(request: pytest.FixtureRequest) -> Fault:
    """Answer where a test notes what came of its fault."""
    node: pytest.Item = request.node
    return node.config.stash[RESULTS].faults.setdefault(_name_of(node), Fault())


@pytest.fixture(scope="session")
def make(geth_path: str, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Make:
    """Answer what makes a street that trades; whoever makes one closes it."""
    results = request.config.stash[RESULTS]

    def made(*, validators: int, homes: int, cut: bool = False, period_s: int = 1) -> Street:
        path = tmp_path_factory.mktemp("net")
        operator, keys = draw_keys([f"home{number}" for number in range(homes)], seed=1)
        accounts = [operator, *(Account.from_key(key.key) for key in keys.values())]
        balances = {Address(account.address): WEALTH_WEI for account in accounts}
        lan = Lan() if cut else None
        try:
            nodes = Nodes(path / "net", geth_path, balances, validators=validators, period_s=period_s, lan=lan)
            nodes.on_deadlock = results.count_deadlock
        except BaseException:
            if lan:
                lan.close()
            raise
        try:
            nodes.begin()
            return Street(nodes, path, operator, list(keys.values()), PATIENCE * period_s)
        except BaseException:
            nodes.close()
            raise

    return made


class Kept:
    """A street that tests share, one after the other, as long as it is whole."""

    def __init__(self) -> None:
        self.street: Street | None = None

    def close(self) -> None:
        """End it."""
        street, self.street = self.street, None
        if street:
            try:
                street.close()
            finally:
                street.nodes.close()


@pytest.fixture(scope="session")
def kept() -> Iterator[Kept]:
    """Keep the street of four validators until the end."""
    keeper = Kept()
    yield keeper
    keeper.close()


@pytest.fixture
def four(request: pytest.FixtureRequest, kept: Kept, make: Make) -> Iterator[Street]:
    """Answer a street on four validators whose links can be cut, where this machine allows it; new after a failure."""
    if kept.street is None:
        kept.street = make(validators=4, homes=8, cut=not why_not())
    yield kept.street
    if request.node.stash.get(FAILED, False):
        kept.close()


@pytest.fixture
def cuttable() -> None:
    """Skip a test that cuts links where that cannot be; with CI=true it fails."""
    if why_not() and need.in_ci():
        pytest.fail(f"{why_not()} (CI=true: nothing may be missing)", pytrace=False)
    if why_not():
        pytest.skip(why_not())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Answer a folder of the test's own."""
    return tmp_path
