"""Real nodes for tests: geth as its own one-man chain (`--dev`), and as the one validator of a Clique chain at Berlin.

Each listens on loopback alone, on a port that the system chose, knows no peer, keeps all in a folder of the test's, and is
ended by its own id whatever happened. What it logged is shown when it does not start and when a test marked `geth` fails.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_account import Account

from daisee.chain.remote import RemoteChain
from daisee.units import Address

START_S = 60.0
END_S = 30.0
PERIOD_S = 1
"""As often as Clique can. `--dev` with no period seals when something comes, but what comes while it seals waits for the next."""
GAS_LIMIT = 6_000_000
DEV_GAS_PRICE = 2 * 10**9
"""`--dev` lives after the merge: its base fee begins at 1 gwei, falls with each block that is less than half full, and what
offers less waits for ever."""
LISTENS = re.compile(r"HTTP server started\s+endpoint=(?P<endpoint>127\.0\.0\.1:\d+) auth=false")
LOG_TAIL = 6_000

VALIDATOR = Account.from_key(bytes([9] * 31 + [9]))
"""Seals the Clique chain, and has nothing else to do with it."""

ALONE = (
    "--ipcdisable", "--nodiscover", "--maxpeers=0", "--nat=none", "--authrpc.port=0",
    "--http", "--http.addr=127.0.0.1", "--http.port=0", "--http.api=eth,net,web3",
)  # fmt: skip
POOL = ("--miner.gasprice=1", "--txpool.pricelimit=1", "--txpool.nolocals", "--rpc.allow-unprotected-txs=false")
"""Without `nolocals`, what comes over HTTP is the node's own: even a free transaction is taken, and sent on to nobody."""


@dataclass(frozen=True, slots=True)
class Node:
    """A geth that answers."""

    url: str
    chain: RemoteChain
    gas_price: int
    """What gas is to be offered for, so that a transaction is in a block soon."""
    log: Path


RUNNING: list[Node] = []
"""Whose logs are worth a look when a test fails."""


@contextlib.contextmanager
def dev(program: str, folder: Path, balances: Mapping[Address, int], period_s: int = PERIOD_S) -> Iterator[Node]:
    """Run `geth --dev`; its own account, which has all the money, pays these first. With no period it is idle in between."""
    with _running(program, folder, ["--dev", f"--dev.period={period_s}"], DEV_GAS_PRICE) as node:
        for account, balance in balances.items():
            _pay(node.chain, account, balance)
        yield node


@contextlib.contextmanager
def clique(program: str, folder: Path, balances: Mapping[Address, int], chain_id: int = 2_017) -> Iterator[Node]:
    """Run the one validator of a Clique chain that stops at Berlin, a block a second; the genesis gives these their money."""
    folder.mkdir(parents=True, exist_ok=True)
    genesis, password, keys = folder / "genesis.json", folder / "password", folder / "keystore"
    genesis.write_text(json.dumps(_genesis(balances, chain_id)))
    password.write_text("only a test")
    keys.mkdir()
    # Few rounds: the secret is in this file, and geth would otherwise think for a second about each of its keys.
    (keys / "validator.json").write_text(json.dumps(Account.encrypt(VALIDATOR.key, "only a test", iterations=2)))
    made = subprocess.run(
        [program, "--datadir", folder, "init", genesis], capture_output=True, text=True, stdin=subprocess.DEVNULL,
        timeout=START_S, check=False,
    )  # fmt: skip
    assert made.returncode == 0, f"geth makes no chain:\n{made.stdout}{made.stderr}"
    # Without this it would listen for peers on every address; `--dev` does so by itself.
    settings = folder / "geth.toml"
    settings.write_text('[Node.P2P]\nListenAddr = ""\n')
    sealing = [f"--config={settings}", "--mine", f"--miner.etherbase={VALIDATOR.address}", f"--miner.gaslimit={GAS_LIMIT}"]
    # geth lets a key be unlocked beside HTTP only when told twice; nobody but this test can reach it.
    unlocked = [f"--unlock={VALIDATOR.address}", f"--password={password}", "--allow-insecure-unlock"]
    with _running(program, folder, [*sealing, *unlocked, "--syncmode=full"], gas_price=1) as node:
        yield node


def tail_of(log: Path) -> str:
    """Answer the end of a log."""
    return log.read_text("utf-8", "replace")[-LOG_TAIL:] if log.exists() else ""


@contextlib.contextmanager
def _running(program: str, folder: Path, arguments: list[str], gas_price: int) -> Iterator[Node]:
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "geth.log"
    with log.open("wb") as written:
        process = subprocess.Popen(
            [program, "--datadir", folder, *ALONE, *POOL, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=subprocess.STDOUT,
        )
    try:
        url = _wait_until_it_listens(process, log)
        node = Node(url, RemoteChain(url), gas_price, log)
        RUNNING.append(node)
        try:
            yield node
        finally:
            RUNNING.remove(node)
            node.chain.close()
    finally:
        _end(process)


def _wait_until_it_listens(process: subprocess.Popen[bytes], log: Path) -> str:
    """Answer the address that geth says it listens on; it answers from then on."""
    until = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < until:
        found = LISTENS.search(log.read_text("utf-8", "replace"))
        if found:
            return f"http://{found['endpoint']}"
        time.sleep(0.02)
    raise AssertionError(f"geth does not start; it said:\n{tail_of(log)}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(END_S)


def _pay(chain: RemoteChain, account: Address, balance: int) -> None:
    payer = chain.rpc("eth_accounts", [])[0]
    sent = chain.rpc("eth_sendTransaction", [{"from": payer, "to": account, "value": hex(balance)}])
    until = time.monotonic() + START_S
    while chain.rpc("eth_getTransactionByHash", [sent])["blockNumber"] is None:
        assert time.monotonic() < until, "geth --dev does not pay"
        time.sleep(0.01)


def _genesis(balances: Mapping[Address, int], chain_id: int) -> dict[str, Any]:
    forks = (
        "homestead", "eip150", "eip155", "eip158", "byzantium", "constantinople", "petersburg", "istanbul", "berlin",
    )  # fmt: skip
    return {
        "config": {
            "chainId": chain_id,
            **{f"{fork}Block": 0 for fork in forks},
            "clique": {"period": PERIOD_S, "epoch": 30_000},
        },
        "difficulty": "0x1",
        "gasLimit": hex(GAS_LIMIT),
        "extraData": "0x" + "00" * 32 + VALIDATOR.address[2:].lower() + "00" * 65,
        "alloc": {account: {"balance": hex(balance)} for account, balance in balances.items()},
    }
