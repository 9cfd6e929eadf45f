"""What Besu needs in a node's folder, as files that a person can read: how it starts, whom it knows, its one key.

The options are those of Besu's reference of 2026 (besu.hyperledger.org, Options). Besu is not run in our tests; the page
docs/how-to/besu.md says how to look whether what is written here does what it should.
"""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path

from daisee.chain.gethfiles import START, STARTABLE, write_unit
from daisee.chain.network import LOOPBACK, READABLE, NodeFolder
from daisee.errors import UsageError
from daisee.files import write_whole

VERSION = "26.9.0"
"""Whose options these are. All nodes of a network want the same: QBFT's messages changed between 25 and 26."""
CONFIG = "config.toml"
PEERS = "static-nodes.json"
NODE_KEY = "key"

_START = """\
#!/bin/sh
# Runs {name} of the network {chain_id}, with Besu {version}, which needs Java; what it does is in {config}.
set -eu
cd "$(dirname "$0")"
umask 077
besu=${{BESU:-besu}}

# The first time, the chain begins with the community's genesis; later Besu itself refuses another one.
if [ ! -e data/genesis.json ]; then
    mkdir -p data
    cp genesis.json data/genesis.json
fi

exec "$besu" --config-file={config}
"""

_CONFIG = """\
# How {name} of the network {chain_id} runs, in Besu's own options; `start` reads it. What is changed here counts.
data-path="data"
genesis-file="genesis.json"
sync-mode="FULL"
sync-min-peers=1
logging="INFO"
color-enabled=false

# Its only key: its peers know it by this, and if it is a validator, it seals with it.
node-private-key-file="{node_key}"

# Whom it talks to: those of {peers}, whom it calls and keeps calling, and who calls it. It looks for nobody else.
static-nodes-file="{peers}"
discovery-enabled=false
p2p-host="{host}"
p2p-interface="{interface}"
p2p-port={p2p_port}
nat-method="NONE"
max-peers=50

# JSON-RPC for programs on this machine alone. QBFT is there to show and to vote on validators.
rpc-http-enabled=true
rpc-http-host="{loopback}"
rpc-http-port={rpc_port}
rpc-http-api=["ETH","NET","WEB3","QBFT"]
host-allowlist=["localhost","{loopback}"]
strict-tx-replay-protection-enabled=true

# Gas costs one base unit of the chain's own money, here as with every peer; what comes by JSON-RPC is nothing special.
min-gas-price=1
tx-pool-no-local-priority=true
target-gas-limit={gas_limit}
"""


def check_host(host: str) -> None:
    """Refuse a name: Besu finds peers by their addresses alone, but for networks with permissions. UsageError."""
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        raise UsageError(f"Besu finds its peers by IPv4 addresses, and {host} is none; write it like 192.168.1.21") from None


def write_start(folder: NodeFolder) -> None:
    """Write how this node starts: its options, the file that a person or systemd runs, and the unit."""
    entry, network = folder.entry, folder.network
    config = _CONFIG.format(
        name=entry.name,
        chain_id=network.chain_id,
        node_key=NODE_KEY,
        peers=PEERS,
        host=entry.host,
        interface=entry.listens_at or "0.0.0.0",  # noqa: S104  # its peers are elsewhere
        p2p_port=entry.p2p_port,
        loopback=LOOPBACK,
        rpc_port=entry.rpc_port,
        gas_limit=network.gas_limit,
    )
    write_whole(folder.path / CONFIG, config, READABLE)
    start = _START.format(name=entry.name, chain_id=network.chain_id, version=VERSION, config=CONFIG)
    write_whole(folder.path / START, start, STARTABLE)
    write_unit(folder, "Besu", VERSION, "BESU")


def write_peers(folder: NodeFolder) -> None:
    """Write whom a node knows: all the others, whom it calls and keeps calling."""
    others = [node.enode for node in folder.network.nodes if node.name != folder.name]
    write_whole(folder.path / PEERS, json.dumps(others, indent=2) + "\n", READABLE)


def write_node_key(path: Path, key: bytes) -> None:
    """Keep the node's key, which is its validator's too if it is one's: not encrypted, as Besu reads it."""
    write_whole(path / NODE_KEY, "0x" + key.hex() + "\n")
