"""How deep a block lies before one may rely on it. The newest ones of a chain may be replaced; how many, nobody promises."""

from __future__ import annotations

from web3 import Web3

from daisee.ledger.answers import NODE_ERRORS, said

BELIEVED = 3
"""After how many blocks, its own the first, a transaction is believed: of three to five validators, more than half have built
on it by then."""
FOR_GOOD = 12
"""How deep lies what decides whether something is done a second time; a minute of a community's chain."""
INSTANT_CHAINS = (1337, 31337)
"""The ids of developers' chains: `geth --dev` and Ganache; Hardhat and anvil."""


def is_instant(web3: Web3) -> bool:
    """Tell whether one program makes the chain's blocks, when there is something for them, and never takes one back.

    Nobody waits there for more blocks: none comes by itself. ChainError where the node does not answer.
    """
    with said("the node does not answer"):
        if web3.eth.chain_id in INSTANT_CHAINS:
            return True
    try:
        return str(web3.client_version).startswith("daisee/")
    except NODE_ERRORS:
        return False


def believed_after(web3: Web3) -> int:
    """Answer after how many blocks, its own the first, a transaction is believed where nobody says otherwise."""
    return 1 if is_instant(web3) else BELIEVED


def for_good_after(web3: Web3) -> int:
    """Answer how many blocks, its own the first, make what is in it certain."""
    return 1 if is_instant(web3) else FOR_GOOD
