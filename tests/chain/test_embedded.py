"""The embedded chain, seen by those who do not trust it: py-evm's own import of its blocks, and the memory it takes."""

from __future__ import annotations

import gc
import tracemalloc
from typing import Any, cast

import pytest
from eth.abc import ReceiptAPI
from eth.exceptions import BlockNotFound, HeaderNotFound
from eth.rlp.headers import BlockHeader
from eth_tester.backends.pyevm.main import PyEVMBackend, get_default_genesis_params  # type: ignore[import-untyped]  # no types
from eth_utils.address import to_canonical_address
from eth_utils.exceptions import ValidationError
from tests.chain.ground import ANNA, BERT, CARL, CHAIN_ID, GENESIS_S, RICH, Town

from daisee.chain.embedded.machine import EmbeddedVM

KNOWN = (HeaderNotFound, BlockNotFound)


class PlainVM(EmbeddedVM):
    """The same rules, and nothing believed."""

    def configure_header(self, **fields: Any) -> BlockHeader:
        """Take the difficulty as it is: there is no work behind it that could be checked."""
        return cast(BlockHeader, self.get_header().copy(**fields))

    @classmethod
    def validate_receipt(cls, receipt: ReceiptAPI) -> None:
        super(EmbeddedVM, cls).validate_receipt(receipt)


def stranger() -> Any:
    """Answer a chain of py-evm's and eth-tester's making, with the same genesis."""
    state = {
        to_canonical_address(account.address): {"balance": RICH, "nonce": 0, "code": b"", "storage": {}}
        for account in (ANNA, BERT, CARL)
    }
    genesis = get_default_genesis_params({"timestamp": GENESIS_S, "gas_limit": 6_000_000, "difficulty": 1})
    chain = PyEVMBackend(genesis, state, vm_configuration=((0, PlainVM),)).chain
    type(chain).chain_id = CHAIN_ID
    return chain


def live(town: Town) -> None:
    """Put something of everything into a few blocks."""
    cupboard = town.cupboard()
    for name in ("put", "refuse", "burn", "dive", "put"):
        data = cupboard.encode_abi(name, [7] if name == "put" else [])
        for account in (ANNA, BERT):
            town.send(account, to=cupboard.address, value=0, data=data, gas=500_000)
        town.seal()
    listed = [{"address": cupboard.address, "storageKeys": ["0x" + "00" * 32]}]
    town.do(CARL, to=cupboard.address, value=0, data=cupboard.encode_abi("put", [0]), gas=90_000, type=1, accessList=listed)
    town.seal()


def test_py_evm_imports_its_blocks_and_finds_nothing_wrong(embedded: Town) -> None:
    live(embedded)
    other = stranger()
    assert other.get_canonical_block_by_number(0).hash == embedded.chain.blocks[0].block.hash
    for sealed in embedded.chain.blocks[1:]:
        imported = other.import_block(sealed.block).imported_block
        assert imported.hash == sealed.block.hash
        assert imported.get_receipts(other.chaindb) == sealed.receipts
    assert len(embedded.chain.blocks) > 7


def test_py_evm_does_find_it_when_something_is_wrong(embedded: Town) -> None:
    live(embedded)
    sealed = embedded.chain.blocks[1].block
    for field in ("gas_used", "state_root", "receipt_root", "bloom", "timestamp"):
        value: Any = {"gas_used": sealed.header.gas_used + 1, "bloom": 1, "timestamp": GENESIS_S}.get(field, b"\x11" * 32)
        wrong = sealed.copy(header=sealed.header.copy(**{field: value}))
        with pytest.raises((ValidationError, *KNOWN)):
            stranger().import_block(wrong)


def test_asking_takes_no_memory_that_stays(embedded: Town) -> None:
    cupboard = embedded.cupboard()
    embedded.put(cupboard, 5)
    calls = [{"to": cupboard.address, "data": cupboard.encode_abi(name)} for name in ("look", "now", "dive")]

    def ask(times: int) -> None:
        for _ in range(times):
            for call in calls[:2]:
                embedded.client.rpc("eth_call", [call, "latest"])
                embedded.client.rpc("eth_call", [call, "0x1"])
            embedded.client.rpc("eth_getLogs", [{"fromBlock": "0x0"}])

    ask(20)
    tracemalloc.start()
    try:
        gc.collect()
        before, _peak = tracemalloc.get_traced_memory()
        ask(150)
        gc.collect()
        after, _peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 30_000, "600 calls and 150 looks at logs"
