"""Where the contracts are tested: the compiled artifacts on the embedded chain, and accounts to use them with.

Blocks are a second apart, and the node answers a call as if it were in the block a second later; so a call on the block
before says why a transaction was refused. It is a `TransactionReverted`, with the error's own name and facts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from hexbytes import HexBytes
from web3 import Web3
from web3.contract import Contract
from web3.exceptions import ContractLogicError
from web3.types import TxParams, TxReceipt, Wei

from daisee.chain.embedded import EmbeddedChain
from daisee.errors import DaiseeError, TransactionReverted
from daisee.ledger.artifacts import load
from daisee.ledger.events import LedgerEvent, events_in
from daisee.ledger.reverts import reason_of
from daisee.units import Address

CHAIN_ID = 2017
GENESIS_S = 1_760_000_000
SKEW_S = 60
ADMIN_DELAY_S = 3_600
NO_END_S = 2**40 - 1
"""The end of an offer that has none."""
PRICE = 3 * 10**17 + 1
"""Of a kWh; at it no round energy costs a round number."""
UNKNOWN = 2**16 - 1
"""The state of charge of which nothing is known."""
GAS_LIMIT = 3_500_000
"""Of each transaction: enough for any, and two of the largest fit into one block."""
DEPLOY_GAS = 5_900_000
SUPPLY = 10**24
UINT64 = 2**64 - 1
UINT96 = 2**96 - 1
UINT256 = 2**256 - 1
KWH_J = 3_600_000


def account_of(name: str) -> LocalAccount:
    """Answer an account that is always the same for a name; its key guards nothing."""
    account: LocalAccount = Account.from_key(Web3.keccak(text=f"daisee test account {name}"))
    return account


ADMIN = account_of("admin")
ANNA, BERT, CARA, DORA = (account_of(name) for name in ("anna", "bert", "cara", "dora"))
HOMES = (ANNA, BERT, CARA, DORA)
STRANGER = account_of("stranger")


@dataclass(frozen=True, slots=True)
class Told:
    """What a transaction did: what the contracts said, and its gas."""

    events: list[LedgerEvent]
    gas: int

    def facts(self) -> list[tuple[str, dict[str, Any]]]:
        """List the events, without where they came from."""
        return [(event.name, event.facts) for event in self.events]


PACKED = {
    "_books": {"status": 8, "until": 40, "madeJ": 64, "ownJ": 64, "soldJ": 64, "below": 15, "order": 1},
    "_pairs": {"boughtJ": 64, "drawnJ": 64},
    "_offers": {"pricePerKwh": 96, "limitJ": 72, "until": 40, "listed": 1},
}
"""The bits of each field of a slot, from the lowest up; one without a name is not used."""


def unpack(word: int, fields: dict[str, int]) -> dict[str, int]:
    """Take a slot apart; what is beyond its fields, and what is not used, must be zero."""
    values = {}
    for name, bits in fields.items():
        values[name] = word & (1 << bits) - 1
        word >>= bits
    assert (values.pop("", 0), word) == (0, 0), "bits are set that nothing uses"
    return values


class Ground:
    """A chain with a coin and an exchange, made anew by `deploy`."""

    def __init__(self) -> None:
        rich = {Address(account.address): 10**30 for account in (ADMIN, *HOMES, STRANGER)}
        self.chain = EmbeddedChain(chain_id=CHAIN_ID, genesis_time_s=GENESIS_S, balances=rich)
        self.web3 = Web3(self.chain.provider())
        self.now_s = GENESIS_S
        self.deploy()

    def deploy(self) -> None:
        """Put a new coin and a new exchange on the chain, with no members."""
        self.coin = self.create("DaiseeCoin", "DaiseeCoin", "DSC", ADMIN.address, ADMIN_DELAY_S, SUPPLY)
        self.exchange = self.create("EnergyExchange", self.coin.address, ADMIN.address, ADMIN_DELAY_S, SKEW_S)

    def create(self, name: str, *arguments: Any) -> Contract:
        """Deploy a contract by its artifact."""
        artifact = load(name)
        factory = self.web3.eth.contract(abi=artifact.abi, bytecode=artifact.bytecode)
        (receipt,) = self._seal((ADMIN, factory.constructor(*arguments)), gas=DEPLOY_GAS)
        made: Contract = factory(receipt["contractAddress"])
        return made

    def ask(self, name: str, *arguments: Any) -> Any:
        """Call a view of the exchange."""
        try:
            return self.exchange.functions[name](*arguments).call()
        except ContractLogicError as refusal:
            raise reason_of(refusal) from refusal

    def do(self, who: LocalAccount, name: str, *arguments: Any) -> Told:
        """Have an account call the exchange in a block of its own."""
        return self.send(who, self.exchange.functions[name](*arguments))

    def pay(self, who: LocalAccount, name: str, *arguments: Any) -> Told:
        """Have an account call the coin in a block of its own."""
        return self.send(who, self.coin.functions[name](*arguments))

    def send(self, who: LocalAccount, call: Any) -> Told:
        """Have an account call a contract; TransactionReverted where the contract refuses."""
        (receipt,) = self._seal((who, call))
        ours = {Address(self.coin.address), Address(self.exchange.address)}
        return Told(events_in(self.web3, receipt, ours), receipt["gasUsed"])

    def passes(self, seconds: int) -> None:
        """Let time pass without a transaction."""
        self.now_s += seconds
        self.chain.mine(self.now_s)

    @property
    def next_s(self) -> int:
        """When the next block is."""
        return self.now_s + 1

    def admit(self, *homes: LocalAccount, opening_j: int = 0) -> None:
        """Admit homes, in one block."""
        self._seal(*((ADMIN, self.exchange.functions.admit(home.address, opening_j)) for home in homes))

    def equip(self, *homes: LocalAccount, coins: int = 10**21) -> None:
        """Give homes coins, all of which the exchange may take, in one block."""
        functions = self.coin.functions
        self._seal(
            *((ADMIN, functions.transfer(home.address, coins)) for home in homes),
            *((home, functions.approve(self.exchange.address, UINT256)) for home in homes),
        )

    def report(
        self, home: LocalAccount, produced_j: int = 0, own_j: int = 0, draws: dict[LocalAccount, int] | None = None
    ) -> Told:
        """Have a home report the time up to the block that its report is in."""
        drawn = [(seller.address, energy_j) for seller, energy_j in (draws or {}).items()]
        return self.do(home, "report", self.until(home), self.next_s, produced_j, own_j, drawn)

    def until(self, home: LocalAccount) -> int:
        """Answer how far a home has reported."""
        return self.stored("_books", home)["until"]

    def home(self, home: LocalAccount) -> dict[str, int]:
        """Answer what the exchange holds for a home, by name."""
        return self._named("home", home.address)

    def credit(self, buyer: LocalAccount, seller: LocalAccount) -> dict[str, int]:
        """Answer what the exchange holds for a buyer with a seller, by name."""
        return self._named("credit", buyer.address, seller.address)

    def offer_of(self, seller: LocalAccount) -> dict[str, int]:
        """Answer a seller's offer, by name."""
        return self._named("offerOf", seller.address)

    def stored(self, variable: str, *keys: LocalAccount) -> dict[str, int]:
        """Answer a slot of a mapping, field by field, as contracts/libraries packs it. Quicker than to ask a view."""
        (found,) = (each for each in load("EnergyExchange").storage_layout["storage"] if each["label"] == variable)
        slot = int(found["slot"]).to_bytes(32, "big")
        for key in keys:
            slot = bytes(Web3.keccak(bytes.fromhex(key.address[2:]).rjust(32, b"\0") + slot))
        word = int(self.chain.rpc("eth_getStorageAt", [self.exchange.address, "0x" + slot.hex(), "latest"]), 16)
        return unpack(word, PACKED[variable])

    def balance_of(self, account: LocalAccount) -> int:
        """Answer an account's coins, in base units."""
        return int(self.coin.functions.balanceOf(account.address).call())

    def _named(self, view: str, *arguments: Any) -> dict[str, int]:
        (abi,) = (entry for entry in self.exchange.abi if entry.get("name") == view)
        fields = [field["name"] for field in abi["outputs"][0]["components"]]  # type: ignore[typeddict-item]
        return dict(zip(fields, self.ask(view, *arguments), strict=True))

    def _seal(self, *calls: tuple[LocalAccount, Any], gas: int = GAS_LIMIT) -> list[TxReceipt]:
        """Put calls in one block; TransactionReverted where one is refused."""
        sent = [(who, *self._submit(who, call, gas)) for who, call in calls]
        self.passes(1)
        receipts = []
        for who, fields, transaction in sent:
            receipt = self.web3.eth.get_transaction_receipt(transaction)
            if receipt["status"] != 1:
                raise self._refusal(who, fields, receipt["blockNumber"] - 1)
            receipts.append(receipt)
        return receipts

    def _submit(self, who: LocalAccount, call: Any, gas: int) -> tuple[TxParams, HexBytes]:
        nonce = self.web3.eth.get_transaction_count(who.address, "pending")
        fields: TxParams = {"nonce": nonce, "gas": gas, "gasPrice": Wei(1), "chainId": CHAIN_ID, "value": Wei(0)}
        fields = call.build_transaction(fields)
        return fields, self.web3.eth.send_raw_transaction(who.sign_transaction(fields).raw_transaction)  # type: ignore[arg-type]

    def _refusal(self, who: LocalAccount, fields: TxParams, block: int) -> DaiseeError:
        asked: TxParams = {"from": who.address, "data": fields["data"], "gas": fields["gas"]}
        if fields.get("to"):
            asked["to"] = fields["to"]
        try:
            self.web3.eth.call(asked, block_identifier=block)
        except ContractLogicError as refusal:
            return reason_of(refusal)
        return TransactionReverted("no reason to be found")
