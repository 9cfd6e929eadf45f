"""`daisee chain import-spec`: the community of a Parity chain as a network of Clique or QBFT, with its keys or without."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from eth_account import Account
from eth_keyfile.keyfile import create_keyfile_json

from daisee.chain.network import read_network
from daisee.chain.remote import RemoteChain
from daisee.cli import daisee
from daisee.errors import ChainError, KeystoreError, UsageError
from daisee.keystore import Keystore

SPEC = Path(__file__).parent.parent / "chain" / "data" / "parity-spec.json"
KEYS = [bytes([number] * 32) for number in (1, 2, 3)]
VALIDATORS = [str(Account.from_key(key).address) for key in KEYS]
PASSWORDS = ["first", "second one", "dritte"]
RICH = "0x00000000000000000000000000000000000000A1"
OTHER = "0x00000000000000000000000000000000000000AA"


def parity_key_file(folder: Path, key: bytes, password: str) -> Path:
    """Write a key as Parity wrote it: version 3, named after the key file's own id, its address without 0x."""
    told = create_keyfile_json(key, password.encode(), kdf="pbkdf2", iterations=10_240)
    told.update(address=Account.from_key(key).address[2:].lower(), name="", meta="{}")
    folder.mkdir(exist_ok=True)
    path = folder / f"UTC--2017-10-05T12-00-00Z--{told['id']}"
    path.write_text(json.dumps(told))
    return path


@pytest.fixture
def keystore(tmp_path: Path) -> Path:
    """Answer a Parity's keys' folder: the three validators', and that of a home."""
    folder = tmp_path / "keys"
    for key, password in zip([*KEYS, bytes([9] * 32)], [*PASSWORDS, "of no matter"], strict=True):
        parity_key_file(folder, key, password)
    (folder / "address_book.json").write_text("{}")
    (tmp_path / "passwords").write_text("\n".join(PASSWORDS) + "\n")
    return folder


def run(*arguments: object) -> str:
    """Run the command; its error is raised, as `daisee` itself turns it into a line."""
    told = CliRunner().invoke(daisee, ["chain", "import-spec", *map(str, arguments)], catch_exceptions=True)
    if isinstance(told.exception, SystemExit):
        raise UsageError(told.output)
    if told.exception:
        raise told.exception
    return told.output


def imported(tmp_path: Path, *arguments: object) -> str:
    return run(SPEC, tmp_path / "street", *arguments)


def with_keys(tmp_path: Path) -> Sequence[object]:
    return "--keystore", tmp_path / "keys", "--password-file", tmp_path / "passwords"


def test_the_community_is_the_same(tmp_path: Path, keystore: Path) -> None:
    told = imported(tmp_path, *with_keys(tmp_path))
    network = read_network(tmp_path / "street")
    assert (network.client, network.chain_id, network.period_s, network.gas_limit) == ("geth", 20_170, 5, 6_000_000)
    assert [node.validator for node in network.nodes] == VALIDATORS
    genesis = json.loads((tmp_path / "street" / "genesis.json").read_text())
    assert genesis["extraData"][66:-130] == "".join(sorted(each[2:].lower() for each in VALIDATORS))
    assert genesis["alloc"][RICH] == {"balance": str(10**22)}
    assert len(genesis["alloc"]) == 6
    assert "Not taken over of Three roofs:\n  - The contracts" in told
    assert "has no key yet" not in told
    assert told.splitlines()[-1] == f"Next: daisee chain up {tmp_path / 'street'}"


def test_each_validators_key_is_in_its_nodes_folder_under_a_new_password(tmp_path: Path, keystore: Path) -> None:
    imported(tmp_path, *with_keys(tmp_path))
    for number, (key, validator) in enumerate(zip(KEYS, VALIDATORS, strict=True), 1):
        folder = tmp_path / "street" / f"node{number}"
        password = (folder / "password").read_text().strip()
        assert password not in PASSWORDS
        accounts = Keystore(folder / "keystore")
        assert [str(each) for each in accounts.accounts()] == [validator]
        assert bytes(accounts.open(next(iter(accounts.accounts())), password).key) == key


def test_a_validator_that_keeps_its_key_is_told_where_to_put_it(tmp_path: Path) -> None:
    file = parity_key_file(tmp_path / "one", KEYS[1], PASSWORDS[1])
    (tmp_path / "passwords").write_text(PASSWORDS[1])
    told = imported(tmp_path, "--key", file, "--password-file", tmp_path / "passwords")
    street = tmp_path / "street"
    assert f"node1 has no key yet: its owner puts the key file of {VALIDATORS[0]} into {street}/node1/keystore/" in told
    assert f"into {street}/node1/password" in told
    assert "node2 has no key" not in told
    assert "node3 has no key yet" in told
    network = read_network(street)
    assert [node.validator for node in network.nodes] == VALIDATORS
    for number in (1, 3):
        folder = street / f"node{number}"
        assert list((folder / "keystore").iterdir()) == []
        assert (folder / "keystore").stat().st_mode & 0o777 == 0o700
        assert not (folder / "password").exists()
        assert VALIDATORS[number - 1] in (folder / "start").read_text()


def test_a_bare_key_needs_no_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAISEE_PASSWORD", raising=False)
    (tmp_path / "bare").write_text(KEYS[0].hex())
    told = json.loads(imported(tmp_path, "--key", tmp_path / "bare", "--json"))
    assert told["keys_missing"] == ["node2", "node3"]
    assert told["chain_id"] == 20_170
    assert any("history" in each for each in told["not_taken_over"])


def test_a_validator_whose_money_is_open_to_its_machine_is_named(tmp_path: Path) -> None:
    (tmp_path / "bare").write_text(KEYS[0].hex())
    told = imported(tmp_path, "--key", tmp_path / "bare", "--fund", VALIDATORS[1])
    assert f"node2 seals with {VALIDATORS[1]}, which has money: any program on its machine can spend that" in told
    assert told.count("which has money") == 1
    told = run(SPEC, tmp_path / "other", "--fund", VALIDATORS[1], "--json")
    assert json.loads(told)["validators_with_money"] == ["node2"]


def test_one_password_may_be_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAISEE_PASSWORD", PASSWORDS[2])
    file = parity_key_file(tmp_path / "one", KEYS[2], PASSWORDS[2])
    assert json.loads(imported(tmp_path, "--key", file, "--json"))["keys_missing"] == ["node1", "node2"]


def test_besu_seals_with_the_same_keys(tmp_path: Path, keystore: Path) -> None:
    imported(tmp_path, "--client", "besu", *with_keys(tmp_path))
    for number, key in enumerate(KEYS, 1):
        assert (tmp_path / "street" / f"node{number}" / "key").read_text() == f"0x{key.hex()}\n"
    config = json.loads((tmp_path / "street" / "genesis.json").read_text())["config"]
    assert (config["chainId"], config["qbft"]["blockperiodseconds"]) == (20_170, 5)


def test_besu_needs_all_of_the_keys(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"there is none of {', '.join(VALIDATORS)}"):
        imported(tmp_path, "--client", "besu")
    assert not (tmp_path / "street").exists()


def test_what_is_named_counts_instead_of_the_specification(tmp_path: Path) -> None:
    imported(
        tmp_path, "--period", 2, "--gas-limit", 9_000_000, "--validator", OTHER, "--fund", OTHER, "--fund", RICH,
        "--hosts", "pi-1.local", "--rpc-port", 9_000, "--p2p-port", 9_001,
    )  # fmt: skip
    network = read_network(tmp_path / "street")
    assert (network.period_s, network.gas_limit) == (2, 9_000_000)
    (node,) = network.nodes
    assert (node.validator, node.host, node.rpc_port, node.p2p_port) == (OTHER, "pi-1.local", 9_000, 9_001)
    alloc = json.loads((tmp_path / "street" / "genesis.json").read_text())["alloc"]
    assert (alloc[OTHER]["balance"], alloc[RICH]["balance"]) == (str(10**24), str(10**24 + 10**22))


def test_a_password_that_fits_no_key_is_refused(tmp_path: Path, keystore: Path) -> None:
    (tmp_path / "passwords").write_text("wrong\nand wrong\n")
    with pytest.raises(KeystoreError, match=r"none of the 2 passwords is that of .*UTC--2017"):
        imported(tmp_path, *with_keys(tmp_path))
    (tmp_path / "passwords").write_text("wrong\n")
    with pytest.raises(KeystoreError, match=r"that is not the password of .*UTC--2017"):
        imported(tmp_path, *with_keys(tmp_path))
    (tmp_path / "passwords").write_text("\n")
    with pytest.raises(UsageError, match="is empty; write each key file's password"):
        imported(tmp_path, *with_keys(tmp_path))
    (tmp_path / "passwords").unlink()
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        imported(tmp_path, *with_keys(tmp_path))
    assert not (tmp_path / "street").exists(), "nothing is left half done"


def test_a_key_of_nobody_who_seals_is_refused(tmp_path: Path, keystore: Path) -> None:
    (tmp_path / "bare").write_text((b"\x09" * 32).hex())
    (tmp_path / "nobody's").mkdir()
    with pytest.raises(UsageError, match=r"bare is the key of 0x\w+, who is no validator of Three roofs"):
        imported(tmp_path, "--key", tmp_path / "bare")
    with pytest.raises(UsageError, match=f"no validator's key is in .*; the validators are {VALIDATORS[0]}"):
        imported(tmp_path, "--keystore", tmp_path / "nobody's")
    with pytest.raises(KeystoreError, match="is no key file"):
        imported(tmp_path, "--key", SPEC, "--password-file", tmp_path / "passwords")


def test_a_validator_is_named_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="2 validators have as many addresses, each its own; 1 are named"):
        imported(tmp_path, "--validator", OTHER, "--validator", OTHER)


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    imported(tmp_path)
    before = (tmp_path / "street" / "genesis.json").read_text()
    with pytest.raises(UsageError, match="has a network already"):
        imported(tmp_path, "--period", 9)
    assert (tmp_path / "street" / "genesis.json").read_text() == before


def free_ports(count: int) -> list[int]:
    """Answer a first port of so many in a row that are free now."""
    for first in range(20_000 + int(time.time_ns() // 1_000 % 11_000), 32_700, 16):
        with ExitStack() as sockets:
            try:
                for port in range(first, first + count):
                    sockets.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
            return list(range(first, first + count))
    raise AssertionError("no ports are free")


@contextmanager
def running(street: Path, program: str) -> Iterator[list[RemoteChain]]:
    """Run all nodes of a network, each by its own start file, and end them."""
    with ExitStack() as open_nodes:
        chains = []
        for entry in read_network(street).nodes:
            process = started(street / entry.name, program)
            open_nodes.callback(process.wait, 30)
            open_nodes.callback(process.terminate)
            chains.append(RemoteChain(entry.rpc_url))
            open_nodes.callback(chains[-1].close)
        yield chains


def started(folder: Path, program: str) -> subprocess.Popen[bytes]:
    """Start a node as a person or systemd would."""
    with (folder / "client.log").open("wb") as log:
        return subprocess.Popen(
            [folder / "start"], env={**os.environ, "DAISEE_GETH": program}, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )


def wait_for_block(chain: RemoteChain, number: int, until_s: float) -> dict[str, Any]:
    """Answer a block when it is there."""
    while time.monotonic() < until_s:
        try:
            block: dict[str, Any] | None = chain.rpc("eth_getBlockByNumber", [hex(number), False])
        except ChainError:
            block = None
        if block:
            return block
        time.sleep(0.2)
    raise AssertionError(f"there is no block {number}")


@pytest.mark.geth
def test_the_imported_community_seals_blocks_with_its_own_keys(tmp_path: Path, keystore: Path, geth_path: str) -> None:
    ports = free_ports(6)
    imported(tmp_path, "--period", 1, "--p2p-port", ports[0], "--rpc-port", ports[3], *with_keys(tmp_path))
    with running(tmp_path / "street", geth_path) as chains:
        until_s = time.monotonic() + 90
        fourth = [wait_for_block(chain, 4, until_s) for chain in chains]
        assert len({block["hash"] for block in fourth}) == 1, "they are on one chain"
        first = chains[0]
        assert int(first.rpc("eth_chainId", []), 16) == 20_170
        assert int(first.rpc("eth_getBalance", [RICH, "latest"]), 16) == 10**22
        sealed = {_sealer(first, number) for number in range(1, 5)}
        assert len(sealed) >= 2
        assert sealed <= {each.lower() for each in VALIDATORS}
        assert {int(first.rpc("eth_getBlockByNumber", [hex(n), False])["gasLimit"], 16) for n in range(5)} == {6_000_000}


def _sealer(chain: RemoteChain, number: int) -> str:
    """Answer who sealed a block: whose signature is at the end of its extra data, over the header without it (EIP-225)."""
    import rlp  # type: ignore[import-untyped]  # it has no stubs
    from eth_keys.datatypes import Signature
    from eth_utils.crypto import keccak

    block = chain.rpc("eth_getBlockByNumber", [hex(number), False])
    names = (
        "parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom", "difficulty",
        "number", "gasLimit", "gasUsed", "timestamp", "extraData", "mixHash", "nonce",
    )  # fmt: skip
    numbers = {"difficulty", "number", "gasLimit", "gasUsed", "timestamp"}
    fields = [int(block[name], 16) if name in numbers else bytes.fromhex(block[name][2:]) for name in names]
    extra = fields[12]
    assert isinstance(extra, bytes)
    fields[12] = extra[:-65]
    public = Signature(extra[-65:]).recover_public_key_from_msg_hash(keccak(rlp.encode(fields)))
    return public.to_address()


@pytest.mark.geth
def test_a_node_without_its_key_seals_when_its_owner_has_put_it_there(tmp_path: Path, geth_path: str) -> None:
    ports = free_ports(2)
    told = imported(tmp_path, "--period", 1, "--validator", VALIDATORS[0], "--p2p-port", ports[0], "--rpc-port", ports[1])
    street = tmp_path / "street"
    process = started(street / "node1", geth_path)
    try:
        assert process.wait(60) != 0, "without the key it does not start"
    finally:
        process.kill()
    assert "Failed to read password file" in (street / "node1" / "client.log").read_text()
    places = re.search(r"into (\S+)/\n.*into (\S+)\n", told)
    assert places
    parity_key_file(Path(places[1]), KEYS[0], PASSWORDS[0])
    Path(places[2]).write_text(PASSWORDS[0] + "\n")
    with running(street, geth_path) as (chain,):
        wait_for_block(chain, 2, time.monotonic() + 60)
        assert _sealer(chain, 1) == VALIDATORS[0].lower()
