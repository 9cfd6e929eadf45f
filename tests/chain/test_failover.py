"""Several nodes as one, over real HTTP: whatever befalls one of them, another answers; and what none should do, none does."""

from __future__ import annotations

import logging
import socket
import threading
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from eth_typing import HexStr
from tests.chain.front import Front, Mood, basic
from tests.chain.geth import Node
from tests.chain.ground import ANNA, BERT, CARL, CHAIN_ID, GENESIS_S, PERIOD_S, RICH, new_chain, served, signed
from web3.exceptions import ContractCustomError, Web3RPCError

from daisee.chain.client import web3_on
from daisee.chain.embedded import EmbeddedChain
from daisee.chain.embedded.server import create_rpc_app
from daisee.chain.failover import FailoverChain
from daisee.chain.remote import RemoteChain, TooMuchAsked
from daisee.chain.url import credentials, shown
from daisee.demo.keys import draw_keys
from daisee.errors import ChainError
from daisee.ledger.follow import Follower
from daisee.ledger.sender import Sender, Sent
from daisee.ledger.signing import NOTHING_GAS
from daisee.ledger.transactions import Call
from daisee.units import Address

STALE_S = 60.0
EVERY_S = 30.0
PATIENCE_S = 2.0
"""Long enough for a slow machine to answer when it can."""
SECRET = "t0k+en"
ILL: tuple[Mood, ...] = (
    "hangs", "HTTP 500", "garbage", "no JSON-RPC", "no result", "answer lost", "drips", "floods", "nests", "cut off", "stalls",
)  # fmt: skip
TOO_MUCH: tuple[Mood, ...] = ("hangs", "drips", "stalls", "HTTP 413", "HTTP 502", "HTTP 504", "floods")
"""What a question looks like that is too big."""


@dataclass
class Nodes:
    """Fronts of one chain and of others, clocks that stand still, and the nodes as one."""

    fronts: list[Front] = field(default_factory=list)
    chains: list[EmbeddedChain] = field(default_factory=list)
    clients: list[FailoverChain] = field(default_factory=list)
    clock_s: float = 1000.0
    """What the intervals are measured by."""
    now_s: float = GENESIS_S + 1.0
    """The time of day, by which a block is old."""

    def front(self, chain: EmbeddedChain | None = None) -> Front:
        self.chains.append(chain or new_chain())
        front = Front(self.chains[-1].rpc)
        self.fronts.append(front)
        return front

    def client(self, *urls: str, **more: Any) -> FailoverChain:
        settings: dict[str, Any] = {
            "stale_s": STALE_S,
            "every_s": EVERY_S,
            "timeout_s": PATIENCE_S,
            "examination_timeout_s": PATIENCE_S,
        }
        client = FailoverChain(
            urls or [front.url for front in self.fronts], clock=lambda: self.clock_s, now=lambda: self.now_s,
            **{**settings, **more},
        )  # fmt: skip
        self.clients.append(client)
        return client

    def close(self) -> None:
        for client in self.clients:
            client.close()
        for front in self.fronts:
            front.close()


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    nodes = Nodes()
    yield nodes
    nodes.close()


@pytest.fixture
def two(nodes: Nodes) -> tuple[Front, Front]:
    """Two nodes of one chain."""
    chain = new_chain()
    return nodes.front(chain), nodes.front(chain)


def who_answers(client: FailoverChain, *fronts: Front) -> Front:
    """Ask something; answer who was asked it."""
    for front in fronts:
        front.asked.clear()
    client.rpc("net_version", [])
    (found,) = [front for front in fronts if "net_version" in front.asked]
    return found


def dead_url() -> str:
    """Answer an address where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"http://127.0.0.1:{listening.getsockname()[1]}"


def another_chain(chain_id: int = CHAIN_ID, genesis_time_s: int = GENESIS_S - 1) -> EmbeddedChain:
    return EmbeddedChain(chain_id=chain_id, genesis_time_s=genesis_time_s, balances={})


def genesis_of(chain: EmbeddedChain) -> str:
    return str(chain.rpc("eth_getBlockByNumber", ["0x0", False])["hash"])


# ---- which one is asked


def test_the_first_is_asked_and_the_others_are_left_in_peace(nodes: Nodes, two: tuple[Front, Front]) -> None:
    client = nodes.client()
    web3 = web3_on(client)
    assert client.chain_id == CHAIN_ID == web3.eth.chain_id
    assert web3.is_connected()
    assert web3.eth.get_balance(ANNA.address) > 0
    assert who_answers(client, *two) is two[0]
    assert not two[1].asked


def test_health_is_not_asked_for_with_every_call(nodes: Nodes, two: tuple[Front, Front]) -> None:
    client = nodes.client()
    for _ in range(5):
        client.rpc("net_version", [])
    assert two[0].asked.count("eth_syncing") == 1
    nodes.clock_s += EVERY_S
    client.rpc("net_version", [])
    assert two[0].asked.count("eth_syncing") == 2


def test_a_port_where_nothing_listens_is_passed_over(nodes: Nodes) -> None:
    front = nodes.front()
    assert who_answers(nodes.client(dead_url(), front.url), front) is front


@pytest.mark.parametrize("mood", ILL)
def test_a_node_that_is_ill_from_the_beginning_is_passed_over(nodes: Nodes, two: tuple[Front, Front], mood: Mood) -> None:
    two[0].mood = mood
    assert who_answers(nodes.client(), *two) is two[1]


@pytest.mark.parametrize("mood", ILL)
def test_a_node_that_falls_ill_in_use_is_left_within_the_call(nodes: Nodes, two: tuple[Front, Front], mood: Mood) -> None:
    client = nodes.client()
    web3 = web3_on(client)
    assert who_answers(client, *two) is two[0]
    two[0].mood = mood
    assert web3.eth.block_number == 0
    two[0].mood = "well"
    assert who_answers(client, *two) is two[1], "and stays left for a while"


def test_a_node_that_dies_in_use_is_gone_back_to_when_it_is_back_and_not_before_its_time(
    nodes: Nodes, two: tuple[Front, Front]
) -> None:
    client = nodes.client()
    assert who_answers(client, *two) is two[0]
    two[0].die()
    assert who_answers(client, *two) is two[1]
    two[0].open()
    nodes.clock_s += EVERY_S - 1
    assert who_answers(client, *two) is two[1]
    nodes.clock_s += 1
    assert who_answers(client, *two) is two[0]


def test_one_that_comes_and_goes_is_run_after_ever_more_seldom(nodes: Nodes, two: tuple[Front, Front]) -> None:
    client = nodes.client()
    two[0].mood, two[0].only_for = "HTTP 500", ("net_version",)  # it looks healthy, and fails in use
    tries = []
    for minute in range(20):
        two[0].asked.clear()
        client.rpc("net_version", [])
        if "eth_syncing" in two[0].asked:
            tries.append(minute)
        nodes.clock_s += EVERY_S
    assert tries == [0, 1, 3, 7, 15]
    two[0].mood = "well"
    nodes.clock_s += EVERY_S * 8
    for _ in range(3):  # having served from one look to the next, it is trusted again
        assert who_answers(client, *two) is two[0]
        nodes.clock_s += EVERY_S
    two[0].die()
    assert who_answers(client, *two) is two[1]
    two[0].open()
    nodes.clock_s += EVERY_S
    assert who_answers(client, *two) is two[0]


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("eth_chainId", 7),
        ("eth_chainId", ChainError("try\nlater", -32005)),
        ("eth_getBlockByNumber", {"hash": "0x00"}),
        ("eth_syncing", {"currentBlock": "0x5"}),
        ("eth_syncing", {"currentBlock": "five", "highestBlock": "0x99"}),
    ],
)
def test_a_node_that_says_of_itself_what_makes_no_sense_is_passed_over(
    nodes: Nodes, two: tuple[Front, Front], method: str, said: Any
) -> None:
    two[0].says[method] = said
    client = nodes.client()
    assert who_answers(client, *two) is two[1]
    two[1].die()
    with pytest.raises(ChainError, match=rf"^no node is healthy: {two[0].url} [^\n]+; {two[1].url} [^\n]+$"):
        client.rpc("net_version", [])


def test_who_asks_while_nobody_answers_makes_no_pause_longer(nodes: Nodes, two: tuple[Front, Front]) -> None:
    client = nodes.client()
    for front in two:
        front.die()
    for _ in range(5):
        with pytest.raises(ChainError):
            client.rpc("net_version", [])
    two[1].open()
    assert who_answers(client, *two) is two[1]
    two[0].open()
    nodes.clock_s += EVERY_S
    assert who_answers(client, *two) is two[0]


def test_a_node_that_is_far_behind_in_syncing_is_passed_over(nodes: Nodes, two: tuple[Front, Front]) -> None:
    two[0].says["eth_syncing"] = {"currentBlock": "0x5", "highestBlock": "0x99"}
    assert who_answers(nodes.client(), *two) is two[1]
    two[0].says["eth_syncing"] = {"currentBlock": "0x95", "highestBlock": "0x99"}
    assert who_answers(nodes.client(), *two) is two[0], "a few blocks are nothing"


# ---- which chain is right


def test_a_node_of_another_chain_is_never_used_and_a_line_names_both(nodes: Nodes, caplog: pytest.LogCaptureFixture) -> None:
    right = new_chain()
    strangers = [nodes.front(another_chain(chain_id=7)), nodes.front(another_chain())]
    front = nodes.front(right)
    with caplog.at_level(logging.WARNING):
        client = nodes.client(chain_id=CHAIN_ID, genesis=genesis_of(right).upper().replace("0X", "0x"))
        for _ in range(3):
            assert who_answers(client, *strangers, front) is front
            nodes.clock_s += EVERY_S
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2, "each is said once"
    for stranger, line in zip(strangers, lines, strict=True):
        assert line.startswith(f"{stranger.url} is on another chain (id ")
        assert f"(id {CHAIN_ID}, genesis {genesis_of(right)[:10]}...)" in line
        assert "\n" not in line
    front.die()
    with pytest.raises(ChainError, match="no node is healthy") as refused:
        client.rpc("net_version", [])
    assert str(refused.value).count("is on another chain") == 2
    assert not any("net_version" in stranger.asked for stranger in strangers)


def test_the_first_that_answers_says_which_chain_is_right(nodes: Nodes) -> None:
    first, other = nodes.front(), nodes.front(another_chain())
    client = nodes.client(dead_url(), first.url, other.url)
    assert who_answers(client, first, other) is first
    first.die()
    with pytest.raises(ChainError, match=f"{other.url} is on another chain"):
        client.rpc("net_version", [])


def test_where_only_the_id_is_said_the_first_of_it_says_the_rest(nodes: Nodes) -> None:
    wrong, right, other = nodes.front(another_chain(chain_id=7)), nodes.front(), nodes.front(another_chain())
    client = nodes.client(chain_id=CHAIN_ID)
    assert who_answers(client, wrong, right, other) is right
    right.die()
    with pytest.raises(ChainError):
        client.rpc("net_version", [])


# ---- how old the newest block is


def test_a_node_whose_newest_block_is_old_is_passed_over_and_gone_back_to(nodes: Nodes) -> None:
    stuck, well = new_chain(), new_chain()
    for chain in (stuck, well):
        chain.mine(GENESIS_S + PERIOD_S)
    fronts = nodes.front(stuck), nodes.front(well)
    nodes.now_s = GENESIS_S + PERIOD_S + STALE_S
    client = nodes.client()
    assert who_answers(client, *fronts) is fronts[0]
    nodes.now_s += 1
    nodes.clock_s += EVERY_S
    well.mine(int(nodes.now_s))
    assert who_answers(client, *fronts) is fronts[1]
    nodes.clock_s += EVERY_S
    stuck.mine(int(nodes.now_s))
    assert who_answers(client, *fronts) is fronts[0]


def test_where_all_are_old_the_chain_waits_and_the_one_that_has_come_furthest_is_asked(nodes: Nodes) -> None:
    chains = [new_chain() for _ in range(3)]
    fronts = [nodes.front(chain) for chain in chains]
    for chain in chains[1:]:
        chain.mine(GENESIS_S + PERIOD_S)
    nodes.now_s = GENESIS_S + 86_400.0
    client = nodes.client()
    assert who_answers(client, *fronts) is fronts[1], "the first of the furthest"
    nodes.clock_s += EVERY_S
    assert who_answers(client, *fronts) is fronts[1]
    fronts[1].die()
    assert who_answers(client, *fronts) is fronts[2]
    fronts[2].die()
    assert who_answers(client, *fronts) is fronts[0], "an old one is better than none"


def test_one_that_was_left_alone_is_looked_at_before_an_old_one_is_made_do_with(nodes: Nodes) -> None:
    stuck, well = new_chain(), new_chain()
    well.mine(GENESIS_S + 1000)
    fronts = nodes.front(well), nodes.front(stuck)
    nodes.now_s = GENESIS_S + 1000.0
    client = nodes.client()
    fronts[0].die()
    assert who_answers(client, *fronts) is fronts[1]
    fronts[0].open()
    nodes.clock_s += EVERY_S - 1
    assert who_answers(client, *fronts) is fronts[1]
    nodes.clock_s += 1
    fronts[0].die()
    assert who_answers(client, *fronts) is fronts[1], "now the first is left alone for twice as long"
    fronts[0].open()
    nodes.clock_s += EVERY_S
    assert who_answers(client, *fronts) is fronts[0]


# ---- none is healthy


def test_where_all_fail_one_line_says_what_is_wrong_with_each(nodes: Nodes) -> None:
    chain = new_chain()
    hangs, broken, garbage, syncing, other = (nodes.front(each) for each in [chain] * 4 + [another_chain()])
    hangs.mood, broken.mood, garbage.mood = "hangs", "HTTP 500", "garbage"
    syncing.says["eth_syncing"] = {"currentBlock": "0x5", "highestBlock": "0x99"}
    dead = dead_url()
    client = nodes.client(*(front.url for front in nodes.fronts), dead, chain_id=CHAIN_ID, genesis=genesis_of(chain))
    with pytest.raises(ChainError) as refused:
        client.rpc("eth_blockNumber", [])
    told = str(refused.value)
    for expected in (
        f"{hangs.url} does not answer: nothing whole in {PATIENCE_S:.0f} s",
        f"{broken.url} does not answer: HTTP 500",
        f"{garbage.url} does not answer: what comes is no JSON",
        f"{syncing.url} is still catching up (block 5 of 153)",
        f"{other.url} is on another chain (id {CHAIN_ID}, genesis {genesis_of(another_chain())[:10]}...)",
        f"{dead} does not answer: Connection refused",
    ):
        assert expected in told
    assert "\n" not in told
    with pytest.raises(OSError, match="no node is healthy"):
        web3_on(client).eth.block_number  # noqa: B018  # it is asked for
    hangs.mood = "well"
    assert client.rpc("eth_blockNumber", []) == "0x0", "no pause where there is nobody else"


def test_what_no_node_answers_is_not_asked_for_ever(nodes: Nodes, two: tuple[Front, Front]) -> None:
    for front in two:
        front.mood, front.only_for = "HTTP 500", ("eth_getLogs",)
    client = nodes.client()
    with pytest.raises(ChainError) as refused:
        client.rpc("eth_getLogs", [{}])
    assert all(f"{front.url} does not answer: HTTP 500" in str(refused.value) for front in two)
    assert client.rpc("eth_blockNumber", []) == "0x0"


# ---- what is too much


def blocks_asked(params: Any) -> int:
    """Count the blocks whose events are asked for; one where it is by its hash."""
    wanted = params[0]
    return int(wanted["toBlock"], 16) - int(wanted["fromBlock"], 16) + 1 if "toBlock" in wanted else 1


@pytest.mark.parametrize("mood", TOO_MUCH)
@pytest.mark.parametrize("several", [False, True], ids=["one node", "several"])
def test_events_are_read_to_the_end_in_pages_that_a_node_can_tell(
    nodes: Nodes, mood: Mood, several: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daisee.chain.remote.MOST_BYTES", 2**20)
    chain, least_s = new_chain(), 0.3
    for number in range(1, 41):
        chain.mine(GENESIS_S + number * PERIOD_S)
    front = nodes.front(chain)
    front.mood, front.only_for, front.only_if = mood, ("eth_getLogs",), lambda params: blocks_asked(params) > 9
    client = nodes.client(timeout_s=least_s) if several else RemoteChain(front.url, least_s)
    follower = Follower(web3_on(client), [Address(ANNA.address)])
    assert list(follower.poll()) == []
    assert follower.cursor.block == 40
    client.close()


@pytest.mark.parametrize("mood", TOO_MUCH)
def test_what_is_too_much_for_all_is_said_to_be_and_held_against_none(
    nodes: Nodes, two: tuple[Front, Front], mood: Mood, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daisee.chain.remote.MOST_BYTES", 2**20)
    client = nodes.client(timeout_s=0.3)
    for front in two:
        front.mood, front.only_for = mood, ("eth_getLogs",)
    with pytest.raises(TooMuchAsked):
        client.rpc("eth_getLogs", [{}])
    assert who_answers(client, *two) is two[0]


def test_what_another_node_answers_was_not_too_much(nodes: Nodes, two: tuple[Front, Front]) -> None:
    client = nodes.client(timeout_s=0.3)
    two[0].mood, two[0].only_for = "hangs", ("eth_getLogs",)
    tries = []
    for turn in range(8):
        two[0].asked.clear()
        client.rpc("eth_getLogs", [{}])
        if "eth_syncing" in two[0].asked:
            tries.append(turn)
        nodes.clock_s += EVERY_S
    assert tries == [0, 1, 3, 7], "it is run after ever more seldom"


@pytest.mark.parametrize("mood", ["HTTP 401", "HTTP 500", "HTTP 503", "garbage", "no JSON-RPC", "cut off"])
def test_less_is_not_asked_for_where_it_would_be_no_better(nodes: Nodes, mood: Mood) -> None:
    front = nodes.front()
    front.mood = mood
    for client in (RemoteChain(front.url), nodes.client()):
        with pytest.raises(ChainError) as refused:
            client.rpc("eth_getLogs", [{}])
        assert not isinstance(refused.value, TooMuchAsked)
        client.close()


def test_no_way_there_is_not_too_much() -> None:
    with pytest.raises(ChainError, match="Connection refused") as refused:
        RemoteChain(dead_url()).rpc("eth_getLogs", [{}])
    assert not isinstance(refused.value, TooMuchAsked)


# ---- what is an answer


def test_an_error_that_a_node_answers_with_is_an_answer(nodes: Nodes, two: tuple[Front, Front]) -> None:
    client = nodes.client()
    web3 = web3_on(client)
    two[0].says["eth_sendRawTransaction"] = ChainError("nonce too low", -32000)
    with pytest.raises(Web3RPCError, match="nonce too low"):
        web3.eth.send_raw_transaction(signed(ANNA, 0))  # type: ignore[arg-type]
    two[0].says["eth_call"] = ChainError("execution reverted", 3, "0x12345678")
    with pytest.raises(ContractCustomError, match="0x12345678"):
        web3.eth.call({"to": BERT.address})
    with pytest.raises(ChainError, match="execution reverted") as refused:
        client.rpc("eth_call", [{}])
    assert (refused.value.code, refused.value.data) == (3, "0x12345678")
    assert not two[1].asked
    assert who_answers(client, *two) is two[0]


def test_what_a_node_would_do_with_a_key_of_its_own_is_not_asked_twice(nodes: Nodes, two: tuple[Front, Front]) -> None:
    client = nodes.client()
    assert client.chain_id == CHAIN_ID
    for method in ("eth_sendTransaction", "miner_start"):
        nodes.clock_s += EVERY_S
        assert who_answers(client, *two) is two[0]
        two[0].mood = "answer lost"
        with pytest.raises(ChainError, match="does not answer"):
            client.rpc(method, [{}])
        assert method not in two[1].asked
        two[0].mood = "well"
        assert who_answers(client, *two) is two[1], "what comes next goes elsewhere"


def test_a_signed_transaction_goes_to_the_next_node_and_what_that_one_has_against_it_is_not_the_last_word(
    nodes: Nodes, two: tuple[Front, Front]
) -> None:
    client = nodes.client()
    assert who_answers(client, *two) is two[0]
    two[0].mood = "answer lost"
    two[1].says["eth_sendRawTransaction"] = ChainError("insufficient funds for gas", -32000)
    with pytest.raises(OSError, match=r"insufficient funds") as refused:
        web3_on(client).eth.send_raw_transaction(signed(ANNA, 0))  # type: ignore[arg-type]
    assert not isinstance(refused.value, Web3RPCError), "the first may have it, and has"
    with pytest.raises(Web3RPCError, match="insufficient funds"):
        web3_on(client).eth.send_raw_transaction(signed(ANNA, 0))  # type: ignore[arg-type]


# ---- a sender


class Payer:
    """An account that pays Bert one more each time, through nodes of one chain, on a clock of its own."""

    def __init__(self, client: FailoverChain, *chains: EmbeddedChain) -> None:
        self.chains = chains
        self.value = 0
        self.now_s = 0.0
        self.sealed_s = GENESIS_S
        self.sender = Sender(web3_on(client), ANNA, gas_price=1, patience_s=10, clock=lambda: self.now_s)

    def pay(self) -> Sent:
        self.value += 1
        return self.sender.send(Call("pay", Address(BERT.address), HexStr("0x"), NOTHING_GAS, self.value))

    def seal(self) -> None:
        self.sealed_s += PERIOD_S
        for chain in self.chains:
            chain.mine(self.sealed_s)

    def settle(self) -> None:
        """Let time go by, and see what was sent in a block."""
        for _ in range(5):
            self.now_s += 11
            for sent in list(self.sender.in_flight):
                self.sender.outcome(sent)
            self.seal()
        assert not self.sender.in_flight, "lost"

    def paid(self, chain: EmbeddedChain) -> list[int]:
        """Answer what was paid, in the order of the chain."""
        blocks = [chain.rpc("eth_getBlockByNumber", [hex(number), True]) for number in range(chain.head.number + 1)]
        return [int(transaction["value"], 16) for block in blocks for transaction in block["transactions"]]


@pytest.mark.parametrize("both", [False, True], ids=["one of two", "both"])
@pytest.mark.parametrize("mood", ["answer lost", "hangs", "HTTP 500", "garbage", "dead"])
def test_a_sender_loses_nothing_and_sends_nothing_twice_when_nodes_fall_ill(
    nodes: Nodes, two: tuple[Front, Front], mood: Mood | Literal["dead"], both: bool
) -> None:
    chain = nodes.chains[0]
    payer = Payer(nodes.client(), chain)
    payer.pay()
    for front in two if both else two[:1]:
        if mood == "dead":
            front.die()
        else:
            front.mood, front.only_for = mood, ("eth_sendRawTransaction",)
    payer.pay()
    for front in two:
        if mood == "dead" and both:
            front.open()
        front.mood = "well"
    payer.pay()
    payer.settle()
    assert payer.paid(chain) == [1, 2, 3]


def test_a_transaction_that_is_in_a_block_before_the_next_node_is_asked_is_not_sent_again(
    nodes: Nodes, two: tuple[Front, Front]
) -> None:
    payer = Payer(nodes.client(), nodes.chains[0])
    two[0].mood, two[0].only_for = "answer lost", ("eth_sendRawTransaction",)
    two[1].before = lambda method: payer.seal() if method == "eth_sendRawTransaction" else None
    payer.pay()
    two[1].before = lambda _method: None
    payer.pay()
    payer.settle()
    assert payer.paid(nodes.chains[0]) == [1, 2]


def test_what_only_a_node_knew_that_died_is_sent_through_the_next(nodes: Nodes) -> None:
    chains = new_chain(), new_chain()  # two nodes that have told each other nothing yet
    fronts = [nodes.front(chain) for chain in chains]
    payer = Payer(nodes.client(), *chains)
    for _ in range(3):
        payer.pay()
    assert fronts[0].asked.count("eth_sendRawTransaction") == 3
    fronts[0].die()
    payer.settle()
    assert payer.paid(chains[1]) == [1, 2, 3]


# ---- threads, and the real servers


def test_threads_ask_at_the_same_time_while_the_first_node_dies(nodes: Nodes, two: tuple[Front, Front]) -> None:
    client = nodes.client(timeout_s=5.0, examination_timeout_s=5.0)
    web3 = web3_on(client)
    seen: list[object] = []
    half_way = threading.Barrier(9)

    def ask() -> None:
        try:
            for turn in range(20):
                if turn == 10:
                    half_way.wait(60)
                seen.append(web3.eth.block_number)
        except Exception as error:
            seen.append(error)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    half_way.wait(60)
    two[0].die()
    for thread in threads:
        thread.join(60)
    assert seen == [0] * 160
    assert who_answers(client, *two) is two[1]


def test_while_one_thread_looks_the_others_go_on(nodes: Nodes, two: tuple[Front, Front]) -> None:
    client = nodes.client(examination_timeout_s=5.0)
    two[0].die()
    assert who_answers(client, *two) is two[1]
    two[0].open()
    two[0].mood = "hangs"
    nodes.clock_s += EVERY_S
    looking = threading.Thread(target=lambda: client.rpc("net_version", []))
    looking.start()
    try:
        while not client._lock.locked():
            looking.join(0.01)
        assert who_answers(client, *two) is two[1]
        assert client._lock.locked(), "it still waits for the one that hangs"
    finally:
        two[0].released.set()
        looking.join(60)


def test_the_port_of_a_demo_is_a_node_like_any_other(nodes: Nodes) -> None:
    chain = new_chain()
    front = nodes.front(chain)
    with served(create_rpc_app(chain)) as port:
        client = nodes.client(front.url, f"http://127.0.0.1:{port}")
        web3: Any = web3_on(client)
        front.die()
        sent = web3.eth.send_raw_transaction(signed(ANNA, 0))
        chain.mine(GENESIS_S + PERIOD_S)
        assert web3.eth.get_transaction_receipt(sent)["status"] == 1
        with web3.batch_requests() as batch:
            batch.add(web3.eth.get_balance(CARL.address))
            batch.add(web3.eth.get_transaction_count(ANNA.address))
            assert list(batch.execute()) == [RICH + 1, 1]
        client.close()


@pytest.mark.geth
def test_the_same_with_real_nodes(nodes: Nodes, geth_dev: Node, clique: Node) -> None:
    front = Front(geth_dev.chain.rpc)
    nodes.fronts.append(front)
    client = FailoverChain([front.url, clique.url, geth_dev.url])
    nodes.clients.append(client)
    operator, _ = draw_keys(["A", "B"], seed=1)
    sender = Sender(web3_on(client), operator, gas_price=geth_dev.gas_price)
    before = client.rpc("eth_getBalance", [BERT.address, "latest"])
    front.mood, front.only_for = "answer lost", ("eth_sendRawTransaction",)
    sent = [sender.send(Call("pay", Address(BERT.address), HexStr("0x"), NOTHING_GAS, 3)) for _ in range(2)]
    front.die()
    assert all(sender.wait(each, 30).succeeded for each in sent)
    assert int(client.rpc("eth_getBalance", [BERT.address, "latest"]), 16) - int(before, 16) == 6
    assert client.chain_id == geth_dev.chain.chain_id != clique.chain.chain_id


# ---- credentials


def test_credentials_are_sent_and_never_shown(nodes: Nodes, caplog: pytest.LogCaptureFixture) -> None:
    secret = f"http://anna:{SECRET.replace('+', '%2B')}@"
    stranger, front = nodes.front(another_chain()), nodes.front()
    dead, stranger_url, url = (each.replace("http://", secret) for each in (dead_url(), stranger.url, front.url))
    with caplog.at_level(logging.DEBUG):
        client = nodes.client(dead, stranger_url, url, chain_id=CHAIN_ID, genesis=genesis_of(new_chain()))
        assert web3_on(client).eth.block_number == 0
        assert front.authorization == basic("anna", SECRET)
        front.die()
        with pytest.raises(ChainError) as refused:
            client.rpc("eth_blockNumber", [])
        alone = RemoteChain(dead)
        with pytest.raises(ChainError) as refused_alone:
            alone.rpc("eth_blockNumber", [])
        with pytest.raises(OSError, match="Connection refused") as refused_web3:
            web3_on(alone).eth.block_number  # noqa: B018
        alone.close()
    said = [caplog.text, *map(str, (refused.value, refused_alone.value, refused_web3.value, alone.provider()))]
    assert all("t0k" not in text and "anna" not in text for text in said)
    assert shown(dead) in str(refused_alone.value)


def test_a_token_in_the_query_is_sent_and_never_shown(nodes: Nodes, caplog: pytest.LogCaptureFixture) -> None:
    front = nodes.front()
    with caplog.at_level(logging.DEBUG, "daisee"):  # the command line silences the libraries
        client = nodes.client(f"{front.url}/eth?token=t0k", f"{dead_url()}/?token=t0k")
        assert web3_on(client).eth.block_number == 0
        assert front.path == "/eth?token=t0k"
        front.die()
        with pytest.raises(ChainError) as refused:
            client.rpc("eth_blockNumber", [])
    assert "t0k" not in caplog.text + str(refused.value)


@pytest.mark.parametrize("mood", [*ILL, "HTTP 401", "HTTP 503", "dead"])
def test_a_token_in_the_query_of_the_only_node_is_in_no_message_and_no_trace(
    nodes: Nodes, mood: Mood | Literal["dead"], caplog: pytest.LogCaptureFixture
) -> None:
    front = nodes.front()
    with caplog.at_level(logging.DEBUG, "daisee"):
        alone = RemoteChain(f"{front.url}/eth?token=t0k", 0.3)
        web3 = web3_on(alone)
        if mood == "dead":
            front.die()
        else:
            front.mood = mood
        for ask in (
            lambda: web3.eth.block_number,
            lambda: alone.rpc("eth_blockNumber", []),
            lambda: Sender(web3, ANNA),
            lambda: Follower(web3, [Address(ANNA.address)]),
        ):
            with pytest.raises(OSError, match="127") as refused:
                ask()
            assert "t0k" not in "".join(traceback.format_exception(refused.value))
        alone.close()
    assert "t0k" not in caplog.text


@pytest.mark.parametrize(
    ("url", "seen", "secret"),
    [
        ("https://node.example/", "https://node.example/", None),
        ("https://u:p@node.example:8545/eth?x=1", "https://node.example:8545/eth", (b"u", b"p")),
        ("https://t0ken@node.example", "https://node.example", (b"t0ken", b"")),
        ("https://u:p%40ss%2F@[::1]:8545", "https://[::1]:8545", (b"u", b"p@ss/")),
        ("https://u:p@ss@node.example", "https://node.example", (b"u", b"p@ss")),
        ("https://u:pa/ss@node.example/", "https://node.example/", None),
        ("u:p@node.example:8545", "node.example:8545", None),
        ("http://[::1", "http://[::1", None),
        ("nonsense", "nonsense", None),
    ],
)
def test_an_address_is_taken_apart(url: str, seen: str, secret: tuple[bytes, bytes] | None) -> None:
    assert (shown(url), credentials(url)) == (seen, secret)
