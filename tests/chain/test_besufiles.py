"""What is written for Besu, compared with Besu's own documentation: Besu itself is not run here (docs/how-to/besu.md)."""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from daisee.chain.founding import Plan, add_node, found
from daisee.chain.genesis import qbft_extra_data, qbft_genesis
from daisee.chain.network import NodeFolder, read_network
from daisee.errors import UsageError
from daisee.units import Address

KEYS = tuple(bytes([number] * 32) for number in (1, 2, 3))
ADDRESSES = tuple(Address(Account.from_key(key).address) for key in KEYS)
RICH = Address("0x00000000000000000000000000000000000000AA")

# The two worked examples of https://besu.hyperledger.org/private-networks/how-to/configure/consensus/qbft: the one beside
# `besu rlp encode`, and the one in its genesis file. Their validators stand in the order of the example.
ENCODED = {
    "0xf87aa00000000000000000000000000000000000000000000000000000000000000000f854944592c8e45706cc08b8f44b11e43cba0cfc5892cb9406e2"
    "3768a0f59cf365e18c2e0c89e151bcdedc7094c5327f96ee02d7bcbc1bf1236b8c15148971e1de94ab5e7f4061c605820d3744227eed91ff8e2c8908c0"
    "80c0": (
        "4592c8e45706cc08b8f44b11e43cba0cfc5892cb",
        "06e23768a0f59cf365e18c2e0c89e151bcdedc70",
        "c5327f96ee02d7bcbc1bf1236b8c15148971e1de",
        "ab5e7f4061c605820d3744227eed91ff8e2c8908",
    ),
    "0xf87aa00000000000000000000000000000000000000000000000000000000000000000f8549464a702e6263b7297a96638cac6ae65e6541f4169943923"
    "390ad55e90c237593b3b0e401f3b08a0318594aefdb9a738c9f433e5b6b212a6d62f6370c2f69294c7eeb9a4e00ce683cf93039b212648e01c6c6b78c0"
    "80c0": (
        "64a702e6263b7297a96638cac6ae65e6541f4169",
        "3923390ad55e90c237593b3b0e401f3b08a03185",
        "aefdb9a738c9f433e5b6b212a6d62f6370c2f692",
        "c7eeb9a4e00ce683cf93039b212648e01c6c6b78",
    ),
    "0xe5a00000000000000000000000000000000000000000000000000000000000000000c0c080c0": (),
}
MIX_HASH = "0x63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365"

# As Besu's own app/src/test/resources/everything_config.toml has them, in which every option of its release is.
OPTIONS = {
    "data-path": str, "genesis-file": str, "sync-mode": str, "sync-min-peers": int, "logging": str, "color-enabled": bool,
    "node-private-key-file": str, "static-nodes-file": str, "discovery-enabled": bool, "p2p-host": str, "p2p-interface": str,
    "p2p-port": int, "nat-method": str, "max-peers": int, "rpc-http-enabled": bool, "rpc-http-host": str, "rpc-http-port": int,
    "rpc-http-api": list, "host-allowlist": list, "strict-tx-replay-protection-enabled": bool, "min-gas-price": int,
    "tx-pool-no-local-priority": bool, "target-gas-limit": int,
}  # fmt: skip


def plan(**changed: Any) -> Plan:
    told = {
        "client": "besu", "chain_id": 20_171, "period_s": 5, "gas_limit": 6_000_000, "validators": 3,
        "balances": {RICH: 10**24}, "keys": KEYS,
    }  # fmt: skip
    return Plan(**{**told, **changed})


@pytest.fixture
def network(tmp_path: Path) -> Path:
    found(tmp_path / "street", plan())
    return tmp_path / "street"


def decode(data: bytes) -> Any:
    """Decode RLP as the Yellow Paper's appendix B has it, independently of what encoded it."""
    item, rest = _item(data)
    assert rest == b"", "something is left behind the first item"
    return item


def _item(data: bytes) -> tuple[Any, bytes]:
    first = data[0]
    if first < 0x80:
        return data[:1], data[1:]
    is_list = first >= 0xC0
    short = first - (0xC0 if is_list else 0x80)
    size_of_length = max(0, short - 55)
    length = int.from_bytes(data[1 : 1 + size_of_length], "big") if size_of_length else short
    start = 1 + size_of_length
    body, rest = data[start : start + length], data[start + length :]
    assert len(body) == length, "an item is cut off"
    if not is_list:
        return body, rest
    items = []
    while body:
        item, body = _item(body)
        items.append(item)
    return items, rest


@pytest.mark.parametrize(("encoded", "validators"), ENCODED.items())
def test_the_extra_data_is_that_of_besus_documentation(encoded: str, validators: tuple[str, ...]) -> None:
    assert "0x" + qbft_extra_data([bytes.fromhex(each) for each in validators]).hex() == encoded


@pytest.mark.parametrize("count", [1, 3, 4, 50])
def test_the_extra_data_names_the_validators_in_order_with_no_vote_round_or_seal(count: int) -> None:
    validators = [Address(Account.from_key(bytes([7] * 31 + [number + 1])).address) for number in range(count)]
    genesis = qbft_genesis(1, 5, 6_000_000, validators, {})
    vanity, named, vote, round_number, seals = decode(bytes.fromhex(genesis["extraData"][2:]))
    assert named == sorted(bytes.fromhex(each[2:]) for each in validators)
    assert (vanity, vote, round_number, seals) == (bytes(32), [], b"", [])


def test_the_genesis_is_a_qbft_chain_at_berlin_without_a_base_fee(network: Path) -> None:
    genesis = json.loads((network / "genesis.json").read_text())
    config = genesis["config"]
    assert config["chainId"] == 20_171
    assert config["qbft"] == {"blockperiodseconds": 5, "epochlength": 30_000, "requesttimeoutseconds": 10}
    assert config["berlinBlock"] == config["muirGlacierBlock"] == config["istanbulBlock"] == 0
    assert not {"londonBlock", "clique", "ibft2"} & set(config)
    assert config["zeroBaseFee"] is True
    assert "baseFeePerGas" not in genesis
    assert (genesis["difficulty"], genesis["mixHash"], int(genesis["gasLimit"], 16)) == ("0x1", MIX_HASH, 6_000_000)
    assert genesis["alloc"] == {RICH: {"balance": str(10**24)}}
    assert all(
        (network / f"node{number}" / "genesis.json").read_text() == (network / "genesis.json").read_text() for number in (1, 2, 3)
    )


def test_a_round_is_never_shorter_than_small_computers_need() -> None:
    assert qbft_genesis(1, 1, 6_000_000, ADDRESSES, {})["config"]["qbft"]["requesttimeoutseconds"] == 4


def test_the_options_are_besus(network: Path) -> None:
    options = tomllib.loads((network / "node2" / "config.toml").read_text())
    assert {name: type(value) for name, value in options.items()} == OPTIONS
    assert (options["rpc-http-host"], options["rpc-http-port"], options["p2p-port"]) == ("127.0.0.1", 8_546, 30_304)
    assert options["rpc-http-api"] == ["ETH", "NET", "WEB3", "QBFT"]
    assert (options["min-gas-price"], options["target-gas-limit"], options["sync-mode"]) == (1, 6_000_000, "FULL")
    folder = network / "node2"
    for named in ("genesis-file", "node-private-key-file", "static-nodes-file"):
        assert (folder / options[named]).is_file(), f"{named} names a file that is not there"
    assert folder / options["data-path"] == NodeFolder(folder).data


def test_the_node_key_is_the_validators_and_nobody_elses_to_read(network: Path) -> None:
    for number, (key, address) in enumerate(zip(KEYS, ADDRESSES, strict=True), 1):
        path = network / f"node{number}" / "key"
        assert path.read_text() == f"0x{key.hex()}\n"
        assert path.stat().st_mode & 0o777 == 0o600
        assert NodeFolder(network / f"node{number}").entry.validator == address
        assert Account.from_key(key)._key_obj.public_key.to_hex() == "0x" + NodeFolder(network / f"node{number}").entry.public_key
    secrets = {path.name for path in (network / "node1").rglob("*") if KEYS[0].hex() in path.read_text()}
    assert secrets == {"key"}


def test_each_node_calls_all_the_others(network: Path) -> None:
    nodes = read_network(network).nodes
    for node in nodes:
        called = json.loads((network / node.name / "static-nodes.json").read_text())
        assert called == [other.enode for other in nodes if other is not node]


def test_a_node_on_one_machine_listens_to_that_machine_and_one_elsewhere_to_its_network(tmp_path: Path, network: Path) -> None:
    found(tmp_path / "far", plan(hosts=("10.0.0.1", "10.0.0.2", "10.0.0.3")))
    here, far = (tomllib.loads((path / "node1" / "config.toml").read_text()) for path in (network, tmp_path / "far"))
    assert (here["p2p-host"], here["p2p-interface"]) == ("127.0.0.1", "127.0.0.1")
    assert (far["p2p-host"], far["p2p-interface"]) == ("10.0.0.1", "0.0.0.0")


def test_a_node_that_is_added_is_told_to_the_others_and_their_options_are_left_alone(network: Path) -> None:
    edited = network / "node1" / "config.toml"
    edited.write_text(edited.read_text().replace("max-peers=50", "max-peers=9"))
    added = add_node(network, "kiosk", "127.0.0.1", validator=False)
    assert json.loads((network / "node1" / "static-nodes.json").read_text())[-1] == added.entry.enode
    assert len(json.loads((added.path / "static-nodes.json").read_text())) == 3
    assert "max-peers=9" in edited.read_text()
    assert added.entry.validator is None


@pytest.mark.parametrize("host", ["pi-2.local", "pi", "300.1.1.1"])
def test_besu_is_given_addresses_and_no_names(tmp_path: Path, network: Path, host: str) -> None:
    with pytest.raises(UsageError, match=rf"IPv4 addresses, and {host} is none"):
        found(tmp_path / "far", plan(hosts=("10.0.0.1", host, "10.0.0.3")))
    with pytest.raises(UsageError, match="IPv4"):
        add_node(network, "kiosk", host, validator=False)
    assert not (tmp_path / "far").exists()
    assert not (network / "kiosk").exists()


def test_without_a_validators_key_there_is_no_besu_network(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"all of them are needed here, and there is none of {ADDRESSES[2]}"):
        found(tmp_path / "street", plan(addresses=ADDRESSES, keys=KEYS[:2]))
    assert not (tmp_path / "street").exists()


def test_the_start_file_runs_besu_in_its_folder_and_keeps_the_genesis_it_began_with(network: Path, tmp_path: Path) -> None:
    stand_in = tmp_path / "besu"
    stand_in.write_text('#!/bin/sh\necho "$PWD" "$@"\n')
    stand_in.chmod(0o755)
    folder = NodeFolder(network / "node1")
    for _ in range(2):
        told = subprocess.run(
            [folder.path / "start"], env={**os.environ, "BESU": str(stand_in)}, capture_output=True, text=True, check=True,
            timeout=20, cwd=tmp_path,
        )  # fmt: skip
        assert told.stdout.split() == [str(folder.path), "--config-file=config.toml"]
        assert folder.begun_with.read_text() == folder.genesis.read_text()


def test_the_unit_starts_it_as_a_user_of_its_own(network: Path) -> None:
    unit = (network / "node3" / "daisee-node3.service").read_text()
    assert "ExecStart=/opt/daisee/node3/start" in unit
    assert "User=daisee" in unit
    assert "Besu 26" in unit
