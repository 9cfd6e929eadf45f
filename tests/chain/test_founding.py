"""A network's folders: what is in them, whose secrets are where, and what is refused."""

from __future__ import annotations

import json
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest
from eth_account import Account
from eth_keys.datatypes import PrivateKey

from daisee.chain.founding import Plan, add_node, found, tell
from daisee.chain.gethfiles import PEERS, START
from daisee.chain.network import NETWORK, Network, NodeFolder, folders_here, read_network
from daisee.errors import UsageError
from daisee.keystore import Keystore
from daisee.units import Address

HOSTS = ("192.168.1.21", "pi-2.local", "192.168.1.23")
RICH = Address("0x00000000000000000000000000000000000000AA")


def plan(**other: object) -> Plan:
    told = {"client": "geth", "chain_id": 77, "period_s": 5, "gas_limit": 6_000_000, "validators": 3, "balances": {RICH: 5}}
    return Plan(**{**told, **other})  # type: ignore[arg-type]  # each test names the fields


@pytest.fixture
def street(tmp_path: Path) -> Path:
    found(tmp_path / "street", plan())
    return tmp_path / "street"


def test_the_genesis_names_the_validators_and_stops_at_berlin(street: Path) -> None:
    genesis = json.loads((street / "genesis.json").read_text())
    network = read_network(street)
    validators = sorted(node.validator[2:].lower() for node in network.nodes if node.validator)
    assert genesis["extraData"] == "0x" + 64 * "0" + "".join(validators) + 130 * "0"
    assert genesis["config"]["chainId"] == 77
    assert genesis["config"]["clique"] == {"period": 5, "epoch": 30_000}
    assert genesis["config"]["berlinBlock"] == 0
    assert "londonBlock" not in genesis["config"]
    assert int(genesis["gasLimit"], 16) == 6_000_000
    assert genesis["alloc"] == {RICH: {"balance": "5"}}


def test_each_node_has_its_own_keys_and_none_of_the_others(street: Path) -> None:
    secrets: list[str] = []
    for folder in folders_here(street):
        node_key = (folder.path / "nodekey").read_text().strip()
        assert PrivateKey(bytes.fromhex(node_key)).public_key.to_hex()[2:] == folder.entry.public_key
        password = (folder.path / "password").read_text().strip()
        assert folder.entry.validator is not None
        account = Keystore(folder.path / "keystore").open(folder.entry.validator, password)
        secrets += [node_key, password, bytes(account.key).hex()]
    assert len(set(secrets)) == 9
    for path in street.rglob("*"):
        if path.is_file() and path.name not in ("nodekey", "password"):
            assert not any(secret in path.read_text() for secret in secrets), path
    assert {path.parent for path in street.rglob("password")} == {folder.path for folder in folders_here(street)}


def test_only_the_owner_reads_what_is_secret(street: Path) -> None:
    for folder in folders_here(street):
        assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
        for secret in (folder.path / "nodekey", folder.path / "password", *(folder.path / "keystore").iterdir()):
            assert stat.S_IMODE(secret.stat().st_mode) == 0o600, secret


def test_nodes_of_one_machine_have_ports_of_their_own_and_stay_on_it(street: Path) -> None:
    nodes = read_network(street).nodes
    assert [(node.p2p_port, node.rpc_port) for node in nodes] == [(30_303, 8_545), (30_304, 8_546), (30_305, 8_547)]
    peers = (street / "node2" / PEERS).read_text()
    assert 'ListenAddr = "127.0.0.1:30304"' in peers
    assert nodes[0].enode in peers
    assert nodes[2].enode in peers
    assert nodes[1].enode not in peers


def test_nodes_of_several_machines_have_the_usual_ports_each(tmp_path: Path) -> None:
    network = found(tmp_path / "village", plan(hosts=HOSTS))
    assert [(node.host, node.p2p_port, node.rpc_port) for node in network.nodes] == [(host, 30_303, 8_545) for host in HOSTS]
    peers = (tmp_path / "village" / "node1" / PEERS).read_text()
    assert 'ListenAddr = ":30303"' in peers
    assert f"enode://{network.nodes[1].public_key}@pi-2.local:30303" in peers
    assert "--http.addr 127.0.0.1" in (tmp_path / "village" / "node1" / START).read_text()


def test_names_of_this_machine_share_its_ports(tmp_path: Path) -> None:
    network = found(tmp_path / "s", plan(hosts=("localhost", "127.0.0.2", "127.0.0.1")))
    assert [(node.p2p_port, node.rpc_port) for node in network.nodes] == [(30_303, 8_545), (30_304, 8_546), (30_305, 8_547)]
    listen = [(tmp_path / "s" / f"node{number}" / PEERS).read_text().split('ListenAddr = "')[1] for number in (1, 2, 3)]
    assert [each.partition('"')[0] for each in listen] == ["127.0.0.1:30303", "127.0.0.2:30304", "127.0.0.1:30305"]
    with pytest.raises(UsageError, match="overlap: each of 2 nodes here"):
        found(tmp_path / "t", plan(validators=2, hosts=("pi.local", "PI.local"), rpc_port=30_304))


def test_the_start_file_is_a_shell_script_that_says_what_it_would_do(street: Path, tmp_path: Path) -> None:
    told = tmp_path / "geth"
    told.write_text('#!/bin/sh\nmkdir -p data\necho "$@" >> told\n')
    told.chmod(0o755)
    subprocess.run(["sh", "start"], cwd=street / "node1", env={"DAISEE_GETH": str(told), "PATH": "/usr/bin:/bin"}, check=True)
    begun, run = (street / "node1" / "told").read_text().splitlines()
    assert begun == "--datadir data init genesis.json"
    validator = read_network(street).nodes[0].validator
    assert "--config data/geth.toml" in run
    for part in (
        "--gcmode archive", "--miner.gasprice 1", "--txpool.pricelimit 1", "--miner.gaslimit 6000000", f"--unlock {validator}",
        "--http.addr 127.0.0.1", "--http.api eth,net,web3", "--mine",
    ):  # fmt: skip
        assert part in run
    assert NodeFolder(street / "node1").begun_with.read_bytes() == (street / "genesis.json").read_bytes()


def test_a_peer_whose_name_has_no_address_is_left_out_and_the_others_are_called_by_address(tmp_path: Path) -> None:
    found(tmp_path / "s", plan(hosts=("localhost", "nobody.invalid", "192.168.1.23")))
    node, stand_in = tmp_path / "s" / "node3", tmp_path / "geth"
    stand_in.write_text("#!/bin/sh\nmkdir -p data\n")
    stand_in.chmod(0o755)
    ran = subprocess.run(
        ["sh", "start"], cwd=node, env={"DAISEE_GETH": str(stand_in), "PATH": "/usr/bin:/bin"}, check=True, capture_output=True
    )
    assert ran.stderr == b"nobody.invalid has no address now: the peer of that name is left out\n"
    before, told = tomllib.loads((node / PEERS).read_text()), tomllib.loads((node / "data" / PEERS).read_text())
    (first, _second), p2p = before["Node"]["P2P"]["StaticNodes"], told["Node"]["P2P"]
    assert p2p["StaticNodes"] == p2p["BootstrapNodes"] == [first.replace("localhost", "127.0.0.1")]
    assert p2p["ListenAddr"] == before["Node"]["P2P"]["ListenAddr"]


def test_the_unit_finds_what_is_in_somebody_s_home(street: Path) -> None:
    unit = (street / "node1" / "daisee-node1.service").read_text()
    assert "\nProtectHome=read-only\n" in unit
    assert "\nReadWritePaths=/opt/daisee/node1\n" in unit


def test_a_folder_can_be_carried_elsewhere_and_stays_the_same_node(street: Path, tmp_path: Path) -> None:
    before = NodeFolder(street / "node2").entry
    (street / "node2").rename(tmp_path / "elsewhere")
    carried = NodeFolder(tmp_path / "elsewhere")
    assert (carried.name, carried.entry) == ("node2", before)
    assert [folder.name for folder in folders_here(street)] == ["node1", "node3"]


def test_a_node_that_is_added_is_known_to_the_others_and_follows(street: Path) -> None:
    added = add_node(street, "shed", "127.0.0.1", validator=False)
    assert (added.entry.p2p_port, added.entry.rpc_port, added.entry.validator) == (30_306, 8_548, None)
    assert not (added.path / "password").exists()
    assert "--mine " not in (added.path / START).read_text()
    assert added.entry.enode in (street / "node1" / PEERS).read_text()
    assert [node.name for node in NodeFolder(street / "node1").network.nodes] == ["node1", "node2", "node3", "shed"]
    assert read_network(street).node("shed") == added.entry
    sealing = add_node(street, "barn", "192.168.1.30", validator=True)
    assert (sealing.entry.p2p_port, sealing.entry.rpc_port) == (30_303, 8_545)
    assert sealing.entry.validator is not None
    assert (sealing.path / "genesis.json").read_bytes() == (street / "genesis.json").read_bytes()


def test_on_several_machines_a_new_node_s_must_be_said(tmp_path: Path) -> None:
    found(tmp_path / "s", plan(hosts=HOSTS))
    with pytest.raises(
        UsageError, match=r"node1 is on 192\.168\.1\.21, which cannot reach a node at 127\.0\.0\.1: say with --host"
    ):
        add_node(tmp_path / "s", "shed", None, validator=False)
    assert add_node(tmp_path / "s", "shed", "192.168.1.30", validator=False).entry.host == "192.168.1.30"


def test_without_a_host_a_new_node_is_where_all_others_are(street: Path) -> None:
    assert add_node(street, "shed", None, validator=False).entry.host == "127.0.0.1"


def test_a_network_is_read_as_it_was_written(street: Path) -> None:
    network = read_network(street)
    assert Network.from_json(json.loads(network.to_json())) == network
    assert tell(NodeFolder(street / "node1"), network).network == network


def test_validators_can_bring_their_own_keys(tmp_path: Path) -> None:
    keys = tuple(bytes([number] * 32) for number in (1, 2, 3))
    network = found(tmp_path / "street", plan(keys=keys))
    assert [node.validator for node in network.nodes] == [Account.from_key(key).address for key in keys]


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"validators": 0}, "a chain needs a validator"),
        ({"client": "parity"}, "there is no client parity; there are geth and besu"),
        ({"hosts": ("a", "b")}, "3 validators need 3 hosts, and 2 are named"),
        ({"hosts": ("a", "b", "c d")}, "'c d' is no host's name"),
        ({"hosts": ("a", "b", "")}, "'' is no host's name"),
        *(
            ({"hosts": ("10.0.0.1", "10.0.0.2", wrong)}, f"'{wrong}' is no host's name or IPv4 address")
            for wrong in ("999.1.1.1", "1.2.3", "7", "0.0.0.0", "224.0.0.1", "255.255.255.255", "010.0.0.1")
        ),
        ({"chain_id": 0}, "a chain id is a number from 1 on"),
        ({"chain_id": 1337}, "1337 is the id of developers' chains, which are no networks; choose another"),
        ({"chain_id": 31337}, "31337 is the id of developers' chains"),
        ({"keys": (bytes([1] * 32),) * 3}, "each its own"),
    ],
)
def test_a_plan_that_is_none_is_refused_and_nothing_is_left(tmp_path: Path, other: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        found(tmp_path / "street", plan(**other))
    assert list(tmp_path.iterdir()) == []


def test_a_community_that_had_a_developers_id_before_keeps_it(tmp_path: Path) -> None:
    keys = tuple(bytes([number] * 32) for number in (1, 2, 3))
    addresses = tuple(Address(Account.from_key(key).address) for key in keys)
    assert found(tmp_path / "street", plan(chain_id=1337, keys=keys, addresses=addresses)).chain_id == 1337


def test_a_disk_without_room_is_said_so_and_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_written: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("daisee.chain.gethfiles.write_whole", full)
    with pytest.raises(UsageError, match="street cannot be written: No space left on device; nothing was"):
        found(tmp_path / "street", plan())
    assert list(tmp_path.iterdir()) == []


def test_an_existing_network_is_not_touched(street: Path) -> None:
    before = {path: path.read_bytes() for path in street.rglob("*") if path.is_file()}
    with pytest.raises(UsageError, match="has a network already"):
        found(street, plan())
    assert {path: path.read_bytes() for path in street.rglob("*") if path.is_file()} == before


def test_a_folder_with_something_else_in_it_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "letters").write_text("dear")
    with pytest.raises(UsageError, match="has something else in it"):
        found(tmp_path, plan())


@pytest.mark.parametrize(
    ("name", "says"),
    [("node1", "there is a node1 already"), ("No de", "small letters"), ("../x", "small letters")],
)
def test_a_node_with_such_a_name_is_refused(street: Path, name: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        add_node(street, name, "127.0.0.1", validator=False)


def test_what_is_no_network_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is no network's folder: it has no network\.json; `daisee chain init` makes one"):
        folders_here(tmp_path)
    (tmp_path / NETWORK).write_text("{")
    with pytest.raises(UsageError, match="is no JSON"):
        folders_here(tmp_path)
    (tmp_path / NETWORK).write_text('{"nodes": []}')
    with pytest.raises(UsageError, match="is not whole"):
        folders_here(tmp_path)
