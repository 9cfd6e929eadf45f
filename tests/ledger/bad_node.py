"""A node that does all that nodes do to a sender: it loses requests and answers, hears twice or late, forgets, and reorganises.

It knows no contract and no money, only whose nonce is next; what it is asked comes through web3, as JSON-RPC.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal, get_args

import rlp  # type: ignore[import-untyped]  # it has no stubs
from eth_account import Account
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from web3.providers.base import JSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

CHAIN_ID = 7
Fault = Literal["request lost", "answer lost", "twice", "late", "busy", "crash", "a block first", "a reorganisation first"]
FAULTS: tuple[Fault, ...] = get_args(Fault)
DIALECTS = {
    "geth": ("already known", "nonce too low: next nonce 9, tx nonce 2", "replacement transaction underpriced"),
    "besu": ("Known transaction", "Nonce too low", "Replacement transaction underpriced"),
    "nethermind": ("AlreadyKnown", "OldNonce, Current nonce: 9, nonce of rejected tx: 2", "ReplacementNotAllowed"),
    "anvil": ("transaction already imported", "nonce too low", "replacement transaction underpriced"),
    "parity": (
        "Transaction with the same hash was already imported.",
        "Transaction nonce is too low. Try incrementing the nonce.",
        "Transaction gas price is too low. There is another transaction with same nonce in the queue.",
    ),
}
POOR = {
    "geth": "insufficient funds for gas * price + value: balance 0, tx cost 21000, overshot 21000",
    "besu": "Upfront cost exceeds account balance",
    "nethermind": "InsufficientFunds, Account balance: 0, cumulative cost: 21000",
    "anvil": "Insufficient funds for gas * price + value",
    "parity": "Insufficient funds. The account you tried to send transaction from does not have enough funds.",
}


CHEAP = {
    "geth": "transaction underpriced: gas tip cap 1, minimum needed 3",
    "besu": "Gas price below configured minimum gas price",
    "nethermind": "FeeTooLow, MaxFeePerGas too low. MaxFeePerGas: 1, BaseFee: 3, MaxPriorityFeePerGas:1, Block number: 9",
    "anvil": "max fee per gas less than block base fee",
    "parity": "Transaction gas price supplied is too low. It does not satisfy your node's minimal gas price.",
}


class Crash(BaseException):
    """The process is gone, in the midst of asking."""


class Refused(Exception):
    """A JSON-RPC error."""


@dataclass(frozen=True, slots=True)
class Tx:
    """A transaction, as a node knows it."""

    hash: str
    sender: str
    nonce: int
    price: int
    data: str


@dataclass(frozen=True, slots=True)
class Block:
    """A block."""

    hash: str
    transactions: tuple[Tx, ...]


class BadNode(JSONBaseProvider):
    """One node with a chain, a pool and a temper."""

    def __init__(self) -> None:
        super().__init__()
        self.chain = [Block("0x" + keccak(b"genesis").hex(), ())]
        self.pool: dict[tuple[str, int], Tx] = {}
        self.gone: list[Tx] = []
        """Transactions that this node forgot and another may still have."""
        self.late: list[str] = []
        self.faults: list[Fault | None] = []
        """What befalls the next requests."""
        self.dialect = "geth"
        self.poor = False
        self.affords: int | None = None
        """The highest price that an account can pay for; None for any."""
        self.remembers: int | None = None
        """Of how many blocks it knows what accounts had in them; None for all."""
        self.read_in_full = 0
        self.least_price = 1
        """What a block's maker asks for gas."""
        self.refuses_less = False
        """Whether it refuses what offers less than that; else it keeps it, and blocks pass it by."""
        self.client: str | None = None
        """What it says it is; None where it does not know that one can ask for it."""
        self._made = 0

    # ---- what happens to it

    def seal(self) -> None:
        """Make a block of all that can be in it."""
        taken: list[Tx] = []
        for (sender, nonce), tx in sorted(self.pool.items()):
            if nonce == self._count(sender, taken) and tx.price >= self.least_price:
                taken.append(tx)
        self._made += 1
        self.chain.append(Block("0x" + keccak(self.chain[-1].hash.encode() + bytes([self._made % 256])).hex(), tuple(taken)))
        self._drop_stale()

    def reorganise(self, depth: int, forget: bool) -> None:
        """Lose the last blocks and put others in their place, with what was in them in the pool again or forgotten."""
        depth = min(depth, len(self.chain) - 1)
        undone = [tx for block in self.chain[len(self.chain) - depth :] for tx in block.transactions]
        del self.chain[len(self.chain) - depth :]
        if forget:
            self.gone += undone
        else:
            for tx in undone:
                self._replace(tx)
        for _ in range(depth):
            self._made += 1
            self.chain.append(Block("0x" + keccak(self.chain[-1].hash.encode() + bytes([self._made % 256])).hex(), ()))
        self.seal()

    def forget_pool(self) -> None:
        """Start again, without the pool."""
        self.gone += self.pool.values()
        self.pool.clear()

    def hear_of(self, index: int) -> None:
        """Be told by another node of what was forgotten here."""
        tx = self.gone[index % len(self.gone)]
        if tx.nonce >= self._count(tx.sender):
            self._replace(tx)

    def deliver(self) -> None:
        """Let what was on its way arrive."""
        while self.late:
            raw = self.late.pop(0)
            try:
                self._send(raw)
            except Refused:
                continue

    def all_transactions(self) -> list[Tx]:
        """Answer what is in the chain, in order."""
        return [tx for block in self.chain for tx in block.transactions]

    def _replace(self, tx: Tx) -> None:
        there = self.pool.get((tx.sender, tx.nonce))
        if there is None or tx.price > there.price:
            self.pool[tx.sender, tx.nonce] = tx

    def _drop_stale(self) -> None:
        for sender, nonce in list(self.pool):
            if nonce < self._count(sender):
                del self.pool[sender, nonce]

    def _count(self, sender: str, more: list[Tx] | None = None, until: int | None = None) -> int:
        blocks = self.chain if until is None else self.chain[: until + 1]
        return sum(tx.sender == sender for block in blocks for tx in block.transactions) + sum(
            tx.sender == sender for tx in more or []
        )

    # ---- what it is asked

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """Answer, or not, as it is in the mood to."""
        asked = json.loads(self.encode_rpc_request(method, params))["params"]
        fault = self.faults.pop(0) if self.faults else None
        if fault == "crash":
            raise Crash
        if fault == "request lost":
            raise ConnectionError("no route to host")
        if fault == "busy":
            return {"jsonrpc": "2.0", "id": 1, "error": {"code": -32005, "message": "too many requests"}}
        if fault == "late":
            if method == "eth_sendRawTransaction":
                self.late.append(asked[0])
            raise TimeoutError("timed out")
        if fault == "a block first":
            self.seal()
        if fault == "a reorganisation first":
            self.reorganise(1, forget=False)
        answered = self._answer(method, asked)
        if fault == "twice":
            answered = self._answer(method, asked)
        if fault == "answer lost":
            raise TimeoutError("timed out")
        return answered

    def _answer(self, method: str, asked: list[Any]) -> RPCResponse:
        try:
            return {"jsonrpc": "2.0", "id": 1, "result": self._result(method, asked)}
        except Refused as error:
            return {"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": str(error)}}

    def _result(self, method: str, asked: list[Any]) -> Any:
        match method:
            case "eth_chainId":
                return hex(CHAIN_ID)
            case "web3_clientVersion" if self.client is not None:
                return self.client
            case "eth_gasPrice":
                return hex(self.least_price)
            case "eth_blockNumber":
                return hex(len(self.chain) - 1)
            case "eth_getTransactionCount":
                return hex(self._counted(asked[0], asked[1]))
            case "eth_sendRawTransaction":
                return self._send(asked[0])
            case "eth_getTransactionReceipt":
                return self._receipt(asked[0])
            case "eth_getTransactionByHash":
                found = any(tx.hash == asked[0] for tx in [*self.pool.values(), *self.all_transactions()])
                return {"hash": asked[0], "input": "0x"} if found else None
            case "eth_getBlockByNumber":
                return self._block(int(asked[0], 16))
        raise Refused(f"the method {method} does not exist")

    def _counted(self, account: str, at: str) -> int:
        sender = to_checksum_address(account)
        if at == "pending":
            count = self._count(sender)
            while (sender, count) in self.pool:
                count += 1
            return count
        if at == "latest":
            return self._count(sender)
        if self.remembers is not None and int(at, 16) < len(self.chain) - self.remembers:
            raise Refused(f"missing trie node 0d1f (path ) state 0x0d1f of block {at} is not available")
        return self._count(sender, until=int(at, 16))

    def _send(self, raw: str) -> str:
        known, stale, underpriced = DIALECTS[self.dialect]
        fields = rlp.decode(bytes.fromhex(raw[2:]))
        nonce, price = (int.from_bytes(field, "big") for field in fields[:2])
        sent = "0x" + keccak(hexstr=raw).hex()
        tx = Tx(sent, Account.recover_transaction(raw), nonce, price, "0x" + fields[5].hex())
        there = self.pool.get((tx.sender, nonce))
        if there == tx:
            raise Refused(known)
        if nonce < self._count(tx.sender):
            raise Refused(stale)
        if self.poor or (self.affords is not None and price > self.affords):
            raise Refused(POOR[self.dialect])
        if self.refuses_less and price < self.least_price:
            raise Refused(CHEAP[self.dialect])
        if there is not None and price * 10 < there.price * 11:
            raise Refused(underpriced)
        self.pool[tx.sender, nonce] = tx
        return sent

    def _receipt(self, wanted: str) -> Any:
        for number, block in enumerate(self.chain):
            for tx in block.transactions:
                if tx.hash == wanted:
                    return {
                        "transactionHash": wanted, "blockNumber": hex(number), "blockHash": block.hash, "status": "0x1",
                        "gasUsed": "0x5208", "contractAddress": None,
                    }  # fmt: skip
        return None

    def _block(self, number: int) -> Any:
        if number >= len(self.chain):
            return None
        block = self.chain[number]
        self.read_in_full += 1
        written = [{"hash": tx.hash, "from": tx.sender, "nonce": hex(tx.nonce), "input": tx.data} for tx in block.transactions]
        return {"hash": block.hash, "number": hex(number), "transactions": written, "extraData": "0x", "timestamp": hex(number)}
