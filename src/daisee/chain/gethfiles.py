"""What geth needs in a node's folder, as files that a person can read: how it starts, whom it knows, its keys."""

from __future__ import annotations

import json
from pathlib import Path

from eth_account import Account

from daisee.chain.geth import NAMED_BY, VERSION
from daisee.chain.network import LOOPBACK, READABLE, NodeEntry, NodeFolder
from daisee.files import write_whole
from daisee.keystore import Keystore

START = "start"
STARTABLE = 0o755
PEERS = "geth.toml"
NODE_KEY = "nodekey"
PASSWORD = "password"  # noqa: S105  # the name of a file
ROUNDS = 1_000
"""Of a validator's password, which is drawn and stands beside its key: a Pi need not think long about it at each start."""

_BEGIN = """\
#!/bin/sh
# Runs {name} of the network {chain_id}, with geth {version}. `daisee chain run` runs this file too: what is changed here counts.
set -eu
cd "$(dirname "$0")"
umask 077
geth=${{{variable}:-geth}}

# The first time, the chain begins with the community's genesis.
if [ ! -e data/genesis.json ]; then
    "$geth" --datadir data init genesis.json
    cp genesis.json data/genesis.json
fi

# Whom it knows: geth.toml, with the address that each name has now. geth does not start with a name that has none: such a peer is
# left out, and calls by itself; `daisee chain run` calls it too once its name has an address.
while IFS= read -r line || [ -n "$line" ]; do
    host=${{line##*@}}
    host=${{host%%:*}}
    case $line in
    [[:space:]]*'"enode://'*@*:*)
        if [ -n "${{host##*[!0-9.]*}}" ] || ! command -v getent >/dev/null; then
            printf '%s\\n' "$line"
        elif address=$(getent ahostsv4 "$host"); then
            printf '%s\\n' "${{line%@*}}@${{address%%[[:space:]]*}}:${{line##*:}}"
        else
            echo "$host has no address now: the peer of that name is left out" >&2
        fi
        ;;
    *) printf '%s\\n' "$line" ;;
    esac
done <geth.toml >data/{peers}

# Its own key among its peers; and how much memory it may fill with what it has read.
set -- --datadir data --nodekey nodekey --config data/{peers} --networkid {chain_id} --nat none --maxpeers 50 --cache 64

# Each block is checked, and its state is on the disk before the next: a street that loses its power loses no block.
set -- "$@" --syncmode full --gcmode archive

# JSON-RPC for programs on this machine alone, who can ask, and send what is signed already.
set -- "$@" --http --http.addr {loopback} --http.port {rpc_port} --http.api eth,net,web3 --authrpc.port 0
set -- "$@" --rpc.allow-unprotected-txs=false

# Gas costs one base unit of the chain's own money, here as with every peer, and that is what it says when it is asked; what
# comes by JSON-RPC is nothing special.
set -- "$@" --miner.gasprice 1 --miner.gaslimit {gas_limit} --txpool.pricelimit 1 --txpool.nolocals
set -- "$@" --gpo.ignoreprice 1 --gpo.maxprice 1

# It says when a peer is on another chain; eth/ is named because rpc/ has a handler too, which would tell of every request.
set -- "$@" --log.vmodule eth/handler.go=4
"""

_SEAL = """
# It seals blocks as this account, once the other validators let it; the account should have no other use. geth lets it be
# unlocked beside JSON-RPC only when told twice.
validator={validator}
set -- "$@" --mine --miner.etherbase "$validator" --unlock "$validator" --keystore keystore --password password
set -- "$@" --allow-insecure-unlock
"""

_UNIT = """\
# Runs {name} from the start of the machine on. Copy this folder to {home}, let it be of a user `daisee`, then
#   sudo cp {home}/daisee-{name}.service /etc/systemd/system/ && sudo systemctl enable --now daisee-{name}
# It needs {program} {version}: on the PATH below, or named in {variable}.{mends}
[Unit]
Description=DAISEE chain {chain_id}, {name}
Wants=network-online.target
After=network-online.target

[Service]
User=daisee
WorkingDirectory={home}
Environment=PATH=/usr/local/bin:/usr/bin:/bin
ExecStart={home}/start
Restart=on-failure
RestartSec=10
# It closes its database first.
TimeoutStopSec=120
NoNewPrivileges=yes
PrivateTmp=yes
ProtectSystem=strict
# It writes into its own folder alone; that, geth and DAISEE may be in somebody's home.
ProtectHome=read-only
ReadWritePaths={home}

[Install]
WantedBy=multi-user.target
"""


_MENDS = """
# Where DAISEE is installed, let ExecStart run `daisee chain run` of this folder instead: it gets out of a deadlock by itself."""


def write_start(folder: NodeFolder) -> None:
    """Write how this node starts: the file that a person or systemd runs, and the unit."""
    entry, network = folder.entry, folder.network
    text = _BEGIN.format(
        name=entry.name,
        chain_id=network.chain_id,
        variable=NAMED_BY,
        version=VERSION,
        loopback=LOOPBACK,
        rpc_port=entry.rpc_port,
        gas_limit=network.gas_limit,
        peers=PEERS,
    )
    if entry.validator:
        text += _SEAL.format(validator=entry.validator)
    write_whole(folder.path / START, text + '\nexec "$geth" "$@"\n', STARTABLE)
    write_unit(folder, "geth", VERSION, NAMED_BY, _MENDS)


def write_unit(folder: NodeFolder, program: str, version: str, variable: str, mends: str = "") -> None:
    """Write what systemd needs to run a start file."""
    unit = _UNIT.format(
        name=folder.name,
        home=f"/opt/daisee/{folder.name}",
        program=program,
        version=version,
        variable=variable,
        mends=mends,
        chain_id=folder.network.chain_id,
    )
    write_whole(folder.path / f"daisee-{folder.name}.service", unit, READABLE)


def write_peers(folder: NodeFolder) -> None:
    """Write whom a node knows: all the others, whom it calls and keeps calling, and the first, which tells it of later ones."""
    others = [node for node in folder.network.nodes if node.name != folder.name]
    first = folder.network.nodes[0]
    text = (
        "# Whom this node talks to. `daisee chain node add` and `daisee chain peers` write this file.\n"
        "[Node.P2P]\n"
        f'ListenAddr = "{folder.entry.listens_at}:{folder.entry.p2p_port}"\n'
        f"StaticNodes = {_enodes(others)}\n"
        f"BootstrapNodes = {_enodes([first])}\n"
        "BootstrapNodesV5 = []\n"
    )
    write_whole(folder.path / PEERS, text, READABLE)


def _enodes(nodes: list[NodeEntry]) -> str:
    if not nodes:
        return "[]"
    return "[\n" + "".join(f"    {json.dumps(node.enode)},\n" for node in nodes) + "]"


def write_node_key(path: Path, key: bytes) -> None:
    """Keep the key by which a node is known to its peers."""
    write_whole(path / NODE_KEY, key.hex() + "\n")


def write_validator_key(path: Path, key: bytes, password: str) -> None:
    """Keep a validator's key, encrypted, and the password beside it: who has the machine has both."""
    Keystore(keystore_of(path)).add(Account.from_key(key), password, rounds=ROUNDS)
    write_whole(path / PASSWORD, password + "\n")


def keystore_of(path: Path) -> Path:
    """Answer where a validator's key is in its node's folder; its owner may have to put it there."""
    return path / "keystore"
