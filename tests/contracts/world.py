"""The contracts on an EVM in Rust, pyrevm, the model beside them, and the story so far; each call is made to both and compared.

It takes some ten microseconds a call, where the embedded chain takes milliseconds. Everything said or refused is compared,
byte for byte, with what the model says; then every number that the call could have changed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

from eth_abi.abi import encode
from eth_account.signers.local import LocalAccount
from eth_utils.abi import collapse_if_tuple, event_abi_to_log_topic
from pyrevm import EVM, BlockEnv, CfgEnv, Env
from tests.chain.assembler import assemble, deployment, selector
from tests.contracts.ground import ADMIN_DELAY_S, CHAIN_ID, GENESIS_S, SKEW_S, account_of
from tests.contracts.model import NOBODY, Event, Model, Refused, Silent
from web3 import Web3

from daisee.ledger.artifacts import load
from daisee.ledger.coin import FREEZER_ROLE, MINTER_ROLE
from daisee.ledger.contract import Contract
from daisee.ledger.deploy import constructor
from daisee.ledger.exchange import OPERATOR_ROLE
from daisee.units import Address

NAMES = ("operator", "anna", "bert", "cara", "dora", "emil", "fred", "mallory")
KEYS: dict[str, LocalAccount] = {str(account_of(name).address): account_of(name) for name in NAMES}
OPERATOR, *PEOPLE = KEYS
MALLORY = PEOPLE[-1]
KINDS = {"coin": "DaiseeCoin", "exchange": "EnergyExchange"}
CONTRACTS = {name: Contract(Web3(), kind, Address(NOBODY)) for name, kind in KINDS.items()}
ROLES = {"minter": MINTER_ROLE, "freezer": FREEZER_ROLE, "operator": OPERATOR_ROLE}
SUPPLY = 10**24
OUTPUT = re.compile(r"output: 0x([0-9a-f]*)")

PUPPET = assemble(f"""
    CALLDATASIZE 32 EQ @arm JUMPI
    0 CALLDATALOAD 224 SHR
    DUP1 {selector("onTransferReceived(address,address,uint256,bytes)")} EQ @strike JUMPI
    DUP1 {selector("onApprovalReceived(address,uint256,bytes)")} EQ @strike JUMPI
    32 CALLDATASIZE SUB DUP1 32 0 CALLDATACOPY
    0 0 DUP3 0 0 0 CALLDATALOAD GAS CALL
    RETURNDATASIZE 0 0 RETURNDATACOPY
    @good JUMPI RETURNDATASIZE 0 REVERT
    good: RETURNDATASIZE 0 RETURN
    arm: 0 CALLDATALOAD DUP1 1 SSTORE 255 SHR 2 SSTORE 0 0 SSTORE STOP
    strike: 1 SLOAD ISZERO @answer JUMPI 0 SLOAD @answer JUMPI
            1 0 SSTORE 0 0 0 0 1 SLOAD GAS DELEGATECALL POP
    answer: 2 SLOAD @lie JUMPI 0 CALLDATALOAD 224 SHR 224 SHL 0 MSTORE 32 0 RETURN
    lie: 0 0 MSTORE 32 0 RETURN
""")
"""The hostile contract. An address and data: it calls that. One word: when it is called back next, it runs the code at that
address as its own, once; with the highest bit set it gives the wrong answer then."""


def strike_code(target: str, data: bytes) -> bytes:
    """Answer code that calls a contract, whatever comes of it."""
    return assemble(f"{len(data)} 1 @data ADD 0 CODECOPY 0 0 {len(data)} 0 0 {target} GAS CALL STOP data:") + data


def word(value: int) -> bytes:
    """Answer a number as the EVM has it."""
    return value.to_bytes(32, "big")


class World:
    """The contracts on an EVM, the model beside them, and the story so far."""

    def __init__(self) -> None:
        self.evm = EVM(spec_id="BERLIN", env=Env(cfg=CfgEnv(chain_id=CHAIN_ID)))
        self.now_s = GENESIS_S
        coin = self._deploy("DaiseeCoin", "DaiseeCoin", "DSC", OPERATOR, ADMIN_DELAY_S, SUPPLY)
        exchange = self._deploy("EnergyExchange", coin, OPERATOR, ADMIN_DELAY_S, SKEW_S)
        self.hostile = Web3.to_checksum_address(self.evm.deploy(MALLORY, deployment(PUPPET)))
        self.model = Model(coin, exchange, OPERATOR, self.hostile, ROLES, SUPPLY)
        self.addresses = {"coin": coin, "exchange": exchange}
        self.accounts = [*KEYS, self.hostile]
        self.names = dict(zip(KEYS, NAMES, strict=True))
        self.names |= {self.hostile: "puppet", NOBODY: "nobody", coin: "coin", exchange: "exchange"}
        self.story: list[str] = []
        self.calls: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.wait(0)

    def _deploy(self, name: str, *arguments: object) -> str:
        return str(Web3.to_checksum_address(self.evm.deploy(OPERATOR, _creation(name, arguments))))

    def wait(self, seconds: int) -> None:
        """Let time go by."""
        self.now_s += seconds
        self.model.now_s = self.now_s
        self.evm.set_block_env(BlockEnv(number=self.now_s - GENESIS_S + 1, timestamp=self.now_s))

    # ---- calling

    def ask(self, contract: str, view: str, *arguments: Any) -> bytes:
        """Answer what a view answers."""
        return bytes(self.evm.message_call(OPERATOR, self.addresses[contract], _question(contract, view, arguments)))

    def send(self, who: str, contract: str, data: bytes) -> tuple[bool, bytes]:
        """Send a call, the hostile contract's through its owner; answer whether it was taken, and what came back."""
        to, sent = self.addresses[contract], data
        sender = who
        if who == self.hostile:
            sender, to, sent = MALLORY, self.hostile, word(int(to, 16)) + data
        try:
            return True, bytes(self.evm.message_call(sender, to, sent))
        except RuntimeError as refusal:
            found = OUTPUT.search(str(refusal))
            if found is None:
                raise AssertionError(f"the EVM stopped: {refusal}") from refusal
            return False, bytes.fromhex(found[1])

    def act(self, who: str, contract: str, function: str, arguments: list[Any], expected: Callable[[], Any]) -> None:
        """Have both do the same, and compare what they say."""
        struck_before = self.model.state.struck
        self.story.append(
            f"{self.now_s - GENESIS_S:>7} s  {self.named(who)}: {contract}.{function}{self.named(tuple(arguments))}"
        )
        self.calls[function.partition("(")[0]] += 1
        said: list[Event] = []
        refused: bytes | None = None
        try:
            said = self.model.call(expected)
        except Refused as refusal:
            refused = refusal.encoded()
            self.refusals[refusal.error] += 1
            self.story[-1] += f"  refused: {refusal.error}{self.named(refusal.facts)}"
        except Silent:
            refused = b""
            self.refusals["(no reason)"] += 1
        taken, answered = self.send(who, contract, encoded(contract, function, arguments))
        if refused is None:
            assert taken, f"the model takes it, the contract does not: 0x{answered.hex()}"
            assert self._logs() == [self._log(event) for event in said]
        else:
            assert not taken, "the contract takes it, the model does not"
            assert answered == refused, f"the contract refuses otherwise: 0x{answered.hex()}"
        self.model.laws()
        if self.model.state.struck != struck_before:
            self.every_number_is_the_same()
        else:
            touched = {who, *(each for each in _flat(arguments) if each in self.names)}
            self.the_numbers_are_the_same(touched & set(self.accounts))

    def _logs(self) -> list[tuple[str, list[bytes], bytes]]:
        result = self.evm.result
        return [(log.address.lower(), *map(_bytes, log.data)) for log in (result.logs if result else [])]

    def _log(self, event: Event) -> tuple[str, list[bytes], bytes]:
        contract, name, values = event
        topic, fields = _event(contract, name)
        topics = [word(int(v, 16)) for v, (_, indexed) in zip(values, fields, strict=True) if indexed]
        plain = [(kind, v) for v, (kind, indexed) in zip(values, fields, strict=True) if not indexed]
        return self.addresses[contract].lower(), [topic, *topics], encode([k for k, _ in plain], [v for _, v in plain])

    def named(self, value: Any) -> str:
        """Write accounts by their names."""
        if isinstance(value, str):
            return self.names.get(value, value)
        if isinstance(value, tuple | list):
            return f"({', '.join(map(self.named, value))})"
        return f"0x{value.hex()[:16]}" if isinstance(value, bytes) else str(value)

    # ---- comparing

    def the_numbers_are_the_same(self, accounts: set[str]) -> None:
        """Compare what the ledger holds for some accounts, with all others."""
        for account in accounts:
            answered = self.ask("exchange", "market", account, tuple(self.accounts))
            assert answered == self._market(account), f"the numbers of {self.named(account)} differ"

    def _market(self, account: str) -> bytes:
        model, state = self.model, self.model.state
        home = state.homes.get(account)
        words = list(home.words()) if home else [0] * 8
        words += [model.balance(account), model.allowed(account, model.exchange), 384, 384 + 32 + 128 * len(self.accounts)]
        words.append(len(self.accounts))
        for seller in self.accounts:
            asked = model.offer_of(seller)
            words += [asked.price, asked.amount_j, asked.until_s, model.available_j(seller)]
        words.append(len(self.accounts))
        for seller in self.accounts:
            pair = state.pairs.get((account, seller))
            words += [pair.bought_j, pair.drawn_j, pair.credit_j, pair.unpaid_j] if pair else [0] * 4
        return b"".join(map(word, words))

    def every_number_is_the_same(self) -> None:
        """Compare all that both contracts hold."""
        model, state = self.model, self.model.state
        self.the_numbers_are_the_same(set(self.accounts))
        assert self.ask("coin", "totalSupply") == word(model.supply)
        assert self.ask("coin", "balanceOf", model.exchange) == word(model.balance(model.exchange))
        assert self.ask("exchange", "closed") == word(state.closing and state.swept == len(model.sellers))
        assert self.ask("exchange", "memberCount") == word(len(state.homes))
        assert self.ask("exchange", "sellerCount") == word(len(model.sellers))
        for account in self.accounts:
            assert self.ask("coin", "frozen", account) == word(account in state.frozen)
            assert self.ask("coin", "nonces", account) == word(state.nonces.get(account, 0))
            below, amount_j, price, sellers = state.orders.get(account, (0, 0, 0, ()))
            rule = encode(["(uint16,uint64,uint96,address[])"], [(below, amount_j, price, sellers)])
            assert self.ask("exchange", "orderOf", account) == rule
            for spender in self.accounts:
                assert self.ask("coin", "allowance", account, spender) == word(model.allowed(account, spender))
        assert self._listed("members") == list(state.homes)
        assert self._listed("offers") == model.sellers

    def _listed(self, view: str) -> list[str]:
        page = self.ask("exchange", view, 0, 100)
        count = int.from_bytes(page[64:96], "big")
        return [Web3.to_checksum_address(page[96 + 32 * place + 12 : 128 + 32 * place]) for place in range(count)]


def encoded(contract: str, function: str, arguments: Sequence[Any]) -> bytes:
    """Answer what is sent to call a function."""
    return bytes.fromhex(CONTRACTS[contract].call(function, arguments, 0).data[2:])


@cache
def _question(contract: str, view: str, arguments: tuple[Any, ...]) -> bytes:
    return encoded(contract, view, arguments)


@cache
def _creation(name: str, arguments: tuple[object, ...]) -> bytes:
    return bytes.fromhex(constructor(name, arguments).data[2:])


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, tuple | list):
        for each in value:
            yield from _flat(each)
    elif isinstance(value, str):
        yield value


def _bytes(value: Any) -> Any:
    return [bytes(each) for each in value] if isinstance(value, list) else bytes(value)


@cache
def _event(contract: str, name: str) -> tuple[bytes, list[tuple[str, bool]]]:
    abi = load(KINDS[contract]).abi
    entry = next(each for each in abi if each["type"] == "event" and each["name"] == name)
    return bytes(event_abi_to_log_topic(entry)), [(collapse_if_tuple(f), f["indexed"]) for f in entry["inputs"]]
