"""How many blocks are waited for, on chains that may take blocks back and on those that never do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.chain import geth
from web3 import Web3
from web3.middleware import ExtraDataToPOAMiddleware
from web3.providers.base import JSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from daisee.chain.client import web3_on
from daisee.chain.embedded import EmbeddedChain
from daisee.errors import ChainError
from daisee.ledger.depth import BELIEVED, FOR_GOOD, believed_after, for_good_after, is_instant

GETH = "Geth/v1.13.15-stable/linux-amd64/go1.21.9"
OF_DEV = {"timestamp": "0x0", "extraData": "0x", "withdrawalsRoot": "0x" + 32 * "56"}
OF_CLIQUE = {"timestamp": "0x0", "extraData": "0x" + 32 * "00" + 20 * "ab" + 65 * "00"}


class Node(JSONBaseProvider):
    """A node that says only which chain it is on, how that began, whom it knows, and who made it."""

    def __init__(self, chain_id: int, version: object, genesis: Mapping[str, str] = OF_DEV, peers: int = 0) -> None:
        super().__init__()
        self.said: dict[str, Any] = {
            "eth_chainId": hex(chain_id), "web3_clientVersion": version, "eth_getBlockByNumber": genesis,
            "net_peerCount": hex(peers),
        }  # fmt: skip

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        told = self.said[method]
        if isinstance(told, Exception):
            raise told
        if isinstance(told, RPCError):
            return {"jsonrpc": "2.0", "id": 1, "error": {"code": told.code, "message": told.message}}
        return {"jsonrpc": "2.0", "id": 1, "result": told}


class RPCError(NamedTuple):
    """What a node answers that has no answer."""

    code: int
    message: str


UNKNOWN = RPCError(-32601, "the method web3_clientVersion does not exist/is not available")


@pytest.mark.parametrize(
    ("node", "instant"),
    [
        (Node(1337, GETH), True),
        (Node(31337, "anvil/v1.0.0"), True),
        (Node(31337, "HardhatNetwork/2.22.2/@nomicfoundation/ethereumjs-util/9.0.4"), True),
        (Node(1337, "Ganache/v7.9.2/EthereumJS TestRPC/v7.9.2/ethereum-js"), True),
        (Node(1337, "EthereumJS TestRPC/v2.13.2/ethereum-js"), True),
        (Node(2017, "daisee/0.1.0/embedded/py-evm"), True),
        (Node(2017, GETH), False),
        (Node(2017, None), False),
        (Node(2017, UNKNOWN), False),
        (Node(1337, GETH, OF_CLIQUE), False),
        (Node(1337, GETH, {**OF_DEV, "timestamp": "0x65000000"}), False),
        (Node(1337, GETH, peers=2), False),
        (Node(1337, "besu/v24.9.1/linux-x86_64/openjdk-java-21"), False),
        (Node(31337, GETH), False),
    ],
)
def test_nobody_waits_for_more_blocks_where_none_comes_by_itself(node: Node, instant: bool) -> None:
    web3 = Web3(node, middleware=[ExtraDataToPOAMiddleware])  # as `web3_on` has it
    assert is_instant(web3) == instant
    assert (believed_after(web3), for_good_after(web3)) == ((1, 1) if instant else (BELIEVED, FOR_GOOD))


def test_the_embedded_chain_is_one_of_those() -> None:
    chain = EmbeddedChain(chain_id=2017, genesis_time_s=1_700_000_000, balances={})
    assert is_instant(Web3(chain.provider()))


@pytest.mark.geth
def test_of_real_geths_the_developers_is_one_and_a_validator_with_the_same_id_is_not(
    geth_dev: geth.Node, geth_path: str, tmp_path: Path
) -> None:
    assert is_instant(web3_on(geth_dev.chain))
    with geth.clique(geth_path, tmp_path, {}, chain_id=1337) as node:
        assert not is_instant(web3_on(node.chain))


@pytest.mark.parametrize("lost", [TimeoutError("timed out"), RPCError(-32005, "too many requests")])
def test_a_lost_answer_says_nothing_of_the_chain(lost: object) -> None:
    with pytest.raises(ChainError, match="the node does not answer: t"):
        is_instant(Web3(Node(2017, lost)))


def test_a_node_that_is_not_there_is_a_chain_error() -> None:
    with pytest.raises(ChainError, match="the node does not answer"):
        is_instant(Web3(Web3.HTTPProvider("http://127.0.0.1:1", exception_retry_configuration=None)))
