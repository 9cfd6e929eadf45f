"""How deep a block lies before one may rely on it. The newest ones of a chain may be replaced; how many, nobody promises."""

from __future__ import annotations

import re

from web3 import Web3
from web3.exceptions import Web3RPCError

from daisee.ledger.answers import PASSING, said, words

BELIEVED = 3
"""After how many blocks, its own the first, a transaction is believed: of three to five validators, more than half have built
on it by then."""
FOR_GOOD = 12
"""How deep lies what decides whether something is done a second time; a minute of a community's chain."""
INSTANT_CLIENTS = re.compile(r"daisee/|anvil/|hardhat|ganache|ethereumjs testrpc", re.IGNORECASE)
"""How the names of clients begin that are a chain by themselves: the demo's, Foundry's, Hardhat, and Ganache, old and new."""
GETH_DEV_ID = 1337
"""The chain id of `geth --dev`; other networks have it too."""


def is_instant(web3: Web3) -> bool:
    """Tell whether one program makes the chain's blocks, when there is something for them, and never takes one back.

    Nobody waits there for more blocks: none comes by itself. An id alone says nothing: anybody can give a network any.
    ChainError where the node does not answer.
    """
    with said("the node does not answer"):
        client = _client_of(web3)
        return bool(INSTANT_CLIENTS.match(client)) or (client.startswith("Geth/") and _is_geth_dev(web3))


def _client_of(web3: Web3) -> str:
    try:
        return str(web3.client_version)
    except Web3RPCError as error:
        if PASSING.search(words(error)):
            raise
        return ""  # it has no such method


def _is_geth_dev(web3: Web3) -> bool:
    """Tell whether a geth is one with `--dev`, since 1.13: alone, and on a chain that was after the merge when time began.

    No network of geth's has that: Clique's genesis knows no withdrawals, and a beacon chain begins at some time.
    """
    if web3.eth.chain_id != GETH_DEV_ID:
        return False
    genesis = web3.eth.get_block(0)
    return genesis["timestamp"] == 0 and "withdrawalsRoot" in genesis and web3.net.peer_count == 0


def believed_after(web3: Web3) -> int:
    """Answer after how many blocks, its own the first, a transaction is believed where nobody says otherwise."""
    return 1 if is_instant(web3) else BELIEVED


def for_good_after(web3: Web3) -> int:
    """Answer how many blocks, its own the first, make what is in it certain."""
    return 1 if is_instant(web3) else FOR_GOOD
