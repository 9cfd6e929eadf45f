"""The same town through both kinds of client."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.chain.ground import Town, new_chain, served

from daisee.chain.embedded.server import create_rpc_app
from daisee.chain.remote import RemoteChain


@pytest.fixture(params=["embedded", "remote"])
def town(request: pytest.FixtureRequest) -> Iterator[Town]:
    """Answer a new chain, asked within the process and, in a second run, over HTTP."""
    chain = new_chain()
    if request.param == "embedded":
        yield Town(chain, chain)
        return
    with served(create_rpc_app(chain)) as port:
        remote = RemoteChain(f"http://127.0.0.1:{port}")
        yield Town(chain, remote)
        remote.close()


@pytest.fixture
def embedded() -> Town:
    """Answer a new chain, asked within the process."""
    chain = new_chain()
    return Town(chain, chain)
