"""How many blocks are waited for, on chains that may take blocks back and on those that never do."""

from __future__ import annotations

from typing import Any

import pytest
from web3 import Web3
from web3.providers.base import JSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from daisee.chain.embedded import EmbeddedChain
from daisee.errors import ChainError
from daisee.ledger.depth import BELIEVED, FOR_GOOD, believed_after, for_good_after, is_instant


class Node(JSONBaseProvider):
    """A node that says only which chain it is on, and who made it."""

    def __init__(self, chain_id: int, version: str | None) -> None:
        super().__init__()
        self._said = {"eth_chainId": hex(chain_id), "web3_clientVersion": version}

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        return {"jsonrpc": "2.0", "id": 1, "result": self._said[method]}


@pytest.mark.parametrize(
    ("chain_id", "version", "instant"),
    [
        (1337, "Geth/v1.13.15-stable/linux-amd64/go1.21.9", True),
        (31337, "anvil/v1.0.0", True),
        (2017, "daisee/0.1.0/embedded/py-evm", True),
        (2017, "Geth/v1.13.15-stable/linux-amd64/go1.21.9", False),
        (2017, None, False),
    ],
)
def test_nobody_waits_for_more_blocks_where_none_comes_by_itself(chain_id: int, version: str | None, instant: bool) -> None:
    web3 = Web3(Node(chain_id, version))
    assert is_instant(web3) == instant
    assert (believed_after(web3), for_good_after(web3)) == ((1, 1) if instant else (BELIEVED, FOR_GOOD))


def test_the_embedded_chain_is_one_of_those() -> None:
    chain = EmbeddedChain(chain_id=2017, genesis_time_s=1_700_000_000, balances={})
    assert is_instant(Web3(chain.provider()))


def test_a_node_that_is_not_there_is_a_chain_error() -> None:
    with pytest.raises(ChainError, match="the node does not answer"):
        is_instant(Web3(Web3.HTTPProvider("http://127.0.0.1:1", exception_retry_configuration=None)))
