"""Where the chain is tested: an embedded chain with accounts, and clients that ask it within the process and over real HTTP."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import uvicorn
from eth_account import Account
from eth_account.signers.local import LocalAccount
from starlette.types import ASGIApp
from tests.chain.assembler import CUPBOARD, CUPBOARD_ABI, assemble, deployment
from web3 import Web3
from web3.contract import Contract
from web3.types import TxReceipt

from daisee.chain.client import ChainClient
from daisee.chain.embedded import EmbeddedChain
from daisee.units import Address

CHAIN_ID = 2_017
GENESIS_S = 1_700_000_000
PERIOD_S = 5
RICH = 10**18
ANNA, BERT, CARL = (Account.from_key(bytes([9] * 31 + [place])) for place in (1, 2, 3))
NOBODY = Account.from_key(bytes([9] * 31 + [4]))
"""Has nothing."""


def new_chain(gas_limit: int = 6_000_000) -> EmbeddedChain:
    balances = {Address(account.address): RICH for account in (ANNA, BERT, CARL)}
    return EmbeddedChain(chain_id=CHAIN_ID, genesis_time_s=GENESIS_S, balances=balances, gas_limit=gas_limit)


def signed(account: LocalAccount, nonce: int, **fields: Any) -> str:
    """Sign a payment to Carl, or what the fields make of it."""
    transaction = {"nonce": nonce, "gas": 21_000, "gasPrice": 1, "chainId": CHAIN_ID, "to": CARL.address, "value": 1, **fields}
    wanted = {key: value for key, value in transaction.items() if value is not None}
    return str(account.sign_transaction(wanted).raw_transaction.to_0x_hex())


class Town:
    """An embedded chain, and a client through which it is seen."""

    def __init__(self, chain: EmbeddedChain, client: ChainClient) -> None:
        self.chain = chain
        self.client = client
        self.web3: Any = Web3(client.provider())  # its types are for those who know what they ask
        self.now_s = GENESIS_S

    def seal(self) -> int:
        self.now_s += PERIOD_S
        return self.chain.mine(self.now_s)

    def send(self, account: LocalAccount, **fields: Any) -> str:
        nonce = self.web3.eth.get_transaction_count(account.address, "pending")
        return str(self.client.rpc("eth_sendRawTransaction", [signed(account, nonce, **fields)]))

    def do(self, account: LocalAccount, **fields: Any) -> TxReceipt:
        """Send, seal and answer the receipt."""
        sent = self.send(account, **fields)
        self.seal()
        receipt: TxReceipt = self.web3.eth.get_transaction_receipt(sent)
        return receipt

    def cupboard(self) -> Contract:
        """Deploy the contract that is written by hand."""
        code = "0x" + deployment(assemble(CUPBOARD)).hex()
        receipt = self.do(ANNA, to=None, value=0, data=code, gas=1_000_000)
        assert receipt["status"] == 1
        cupboard: Contract = self.web3.eth.contract(receipt["contractAddress"], abi=CUPBOARD_ABI)
        return cupboard

    def put(self, cupboard: Contract, number: int, account: LocalAccount = BERT) -> TxReceipt:
        data = cupboard.encode_abi("put", [number])
        return self.do(account, to=cupboard.address, value=0, data=data, gas=100_000)


@contextlib.contextmanager
def served(app: ASGIApp) -> Iterator[int]:
    """Serve an app over real HTTP, in a thread, on a port of this machine's choosing; answer the port."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        until = time.monotonic() + 60
        while not server.started:
            assert time.monotonic() < until, "the server does not start"
            time.sleep(0.01)
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(60)
        listening.close()
        assert not thread.is_alive(), "the server does not stop"
