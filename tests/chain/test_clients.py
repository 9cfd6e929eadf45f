"""One story, told by every client: what web3 does with a chain goes the same way within the process and over HTTP."""

from __future__ import annotations

import threading

import pytest
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak
from tests.chain.ground import ANNA, BERT, CARL, CHAIN_ID, GENESIS_S, NOBODY, PERIOD_S, RICH, Town, new_chain, signed
from web3.exceptions import ContractCustomError, ContractLogicError, TransactionNotFound, Web3RPCError

from daisee.chain.remote import RemoteChain
from daisee.errors import ChainError


def test_a_client_knows_its_chain(town: Town) -> None:
    assert town.client.chain_id == CHAIN_ID == town.web3.eth.chain_id
    assert town.web3.is_connected()
    assert town.web3.client_version.startswith("daisee/")
    assert town.web3.net.version == str(CHAIN_ID)


def test_a_node_holds_no_account(town: Town) -> None:
    assert list(town.web3.eth.accounts) == []
    with pytest.raises(Web3RPCError, match="does not exist"):
        town.web3.eth.send_transaction({"from": ANNA.address, "to": BERT.address, "value": 1, "gas": 21_000, "gasPrice": 1})
    with pytest.raises(ChainError, match="does not exist") as refused:
        town.client.rpc("eth_sign", [ANNA.address, "0x00"])
    assert refused.value.code == -32601


def test_a_payment_arrives_and_costs_its_gas_and_nothing_else(town: Town) -> None:
    receipt = town.do(ANNA, to=BERT.address, value=5, gasPrice=3)
    assert receipt["status"] == 1
    assert (receipt["gasUsed"], receipt["effectiveGasPrice"]) == (21_000, 3)
    assert town.web3.eth.get_balance(BERT.address) == RICH + 5
    assert town.web3.eth.get_balance(ANNA.address) == RICH - 5 - 63_000
    miner = town.web3.eth.get_block("latest")["miner"]
    assert town.web3.eth.get_balance(miner) == 63_000, "the fee, and no reward"


def test_a_contract_is_deployed_written_and_read(town: Town) -> None:
    cupboard = town.cupboard()
    assert cupboard.functions.look().call() == 0
    receipt = town.put(cupboard, 42)
    assert cupboard.functions.look().call() == 42
    assert cupboard.functions.look().call(block_identifier=receipt["blockNumber"] - 1) == 0, "the past stays as it was"
    assert int(town.web3.eth.get_storage_at(cupboard.address, 0).hex(), 16) == 42
    assert int(town.web3.eth.get_storage_at(cupboard.address, 0, receipt["blockNumber"] - 1).hex(), 16) == 0


def test_a_contract_sees_the_block_that_comes_next(town: Town) -> None:
    cupboard = town.cupboard()
    head = town.web3.eth.get_block("latest")
    assert cupboard.functions.now().call() == [head["timestamp"] + 1, head["number"] + 1, CHAIN_ID]
    assert cupboard.functions.before().call() == head["hash"], "BLOCKHASH knows the one before"


def test_a_plain_refusal_comes_with_its_words(town: Town) -> None:
    with pytest.raises(ContractLogicError, match="execution reverted: not today"):
        town.cupboard().functions.refuse().call()


def test_a_custom_error_comes_with_its_facts(town: Town) -> None:
    cupboard = town.cupboard()
    town.put(cupboard, 7)
    with pytest.raises(ContractCustomError) as refused:
        cupboard.functions.refuseMany(9).call()
    expected = keccak(b"TooMany(uint256,uint256)")[:4] + (9).to_bytes(32, "big") + (7).to_bytes(32, "big")
    assert refused.value.data == "0x" + expected.hex()
    call = {"to": cupboard.address, "data": cupboard.encode_abi("refuseMany", [9])}
    for method in ("eth_call", "eth_estimateGas"):
        with pytest.raises(ChainError, match=r"^execution reverted$") as plain:
            town.client.rpc(method, [call, "latest"])
        assert (plain.value.code, plain.value.data) == (3, "0x" + expected.hex())


def test_what_reverts_is_in_the_block_with_status_zero(town: Town) -> None:
    cupboard = town.cupboard()
    receipt = town.do(BERT, to=cupboard.address, value=0, data=cupboard.encode_abi("refuse"), gas=100_000)
    assert receipt["status"] == 0
    assert receipt["gasUsed"] < 100_000, "what a refusal leaves is given back"
    assert receipt["logs"] == []


def test_what_runs_without_end_takes_its_gas_and_ends(town: Town) -> None:
    cupboard = town.cupboard()
    receipt = town.do(BERT, to=cupboard.address, value=0, data=cupboard.encode_abi("burn"), gas=100_000)
    assert (receipt["status"], receipt["gasUsed"]) == (0, 100_000)
    call = {"to": cupboard.address, "data": cupboard.encode_abi("burn")}
    with pytest.raises(ChainError, match="out of gas"):
        town.client.rpc("eth_call", [{**call, "gas": "0x186a0"}, "latest"])


def test_a_contract_that_calls_itself_as_deep_as_it_can_ends(town: Town) -> None:
    cupboard = town.cupboard()
    receipt = town.do(BERT, to=cupboard.address, value=0, data=cupboard.encode_abi("dive"), gas=5_900_000)
    assert receipt["status"] == 1
    assert cupboard.functions.look().call() > 50, "those deeper down had no gas left to write it"


def test_what_contracts_say_is_found(town: Town) -> None:
    cupboard = town.cupboard()
    other = town.cupboard()
    first = town.put(cupboard, 1, BERT)
    town.put(other, 2, BERT)
    town.put(cupboard, 3, CARL)
    said = cupboard.events.Put.get_logs(from_block=0)
    assert [(entry["args"]["who"], entry["args"]["number"]) for entry in said] == [(BERT.address, 1), (CARL.address, 3)]
    by_who = cupboard.events.Put.get_logs(from_block=0, argument_filters={"who": [CARL.address, ANNA.address]})
    assert [entry["args"]["number"] for entry in by_who] == [3]
    of_block = town.web3.eth.get_logs({"blockHash": first["blockHash"]})
    assert [entry["transactionHash"] for entry in of_block] == [first["transactionHash"]]
    both = {"fromBlock": "0x0", "address": [cupboard.address, other.address], "topics": [None, [_topic(BERT), _topic(CARL)]]}
    assert len(town.client.rpc("eth_getLogs", [both])) == 3
    assert town.client.rpc("eth_getLogs", [{"fromBlock": "0x0", "topics": [None, None, None]}]) == []
    assert town.client.rpc("eth_getLogs", [{"fromBlock": "0x0", "toBlock": "0x2"}]) == [], "the puts came later"


def _topic(account: LocalAccount) -> str:
    return "0x" + "00" * 12 + account.address[2:].lower()


def test_blocks_bear_the_time_they_are_told(town: Town) -> None:
    sent = town.send(ANNA)
    assert town.web3.eth.block_number == 0, "nothing is sealed unasked"
    with pytest.raises(TransactionNotFound):
        town.web3.eth.get_transaction_receipt(sent)
    assert town.web3.eth.get_transaction(sent)["blockNumber"] is None
    assert town.seal() == 1
    block = town.web3.eth.get_block(1, full_transactions=True)
    assert block["timestamp"] == GENESIS_S + PERIOD_S
    assert block["transactions"][0]["hash"].to_0x_hex() == sent
    assert "baseFeePerGas" not in block, "so a wallet sends legacy transactions"
    for tag in ("latest", "pending"):
        assert town.web3.eth.get_block(tag)["number"] == 1
    for tag in ("safe", "finalized"):
        with pytest.raises(ChainError, match=f"{tag} block not found"):  # as on every chain before proof of stake
            town.client.rpc("eth_getBlockByNumber", [tag, False])
    assert town.web3.eth.get_block("earliest")["number"] == 0
    assert town.web3.eth.get_block(block["hash"])["number"] == 1
    assert town.web3.eth.get_block_transaction_count(1) == 1
    assert town.client.rpc("eth_getBlockByNumber", ["0x2", False]) is None


def test_gas_is_estimated_closely_and_is_enough(town: Town) -> None:
    cupboard = town.cupboard()
    assert town.web3.eth.estimate_gas({"from": ANNA.address, "to": BERT.address, "value": 1}) == 21_000
    data = cupboard.encode_abi("put", [5])
    estimate = town.web3.eth.estimate_gas({"from": BERT.address, "to": cupboard.address, "data": data})
    receipt = town.do(BERT, to=cupboard.address, value=0, data=data, gas=estimate)
    assert receipt["status"] == 1
    assert receipt["gasUsed"] <= estimate <= receipt["gasUsed"] * 1.02
    clearing = cupboard.encode_abi("put", [0])  # gives gas back at the end, so it needs more than it uses
    estimate = town.web3.eth.estimate_gas({"from": BERT.address, "to": cupboard.address, "data": clearing})
    receipt = town.do(BERT, to=cupboard.address, value=0, data=clearing, gas=estimate)
    assert receipt["status"] == 1
    assert receipt["gasUsed"] < estimate
    diving = town.web3.eth.estimate_gas({"from": BERT.address, "to": cupboard.address, "data": cupboard.encode_abi("dive")})
    assert town.do(BERT, to=cupboard.address, value=0, data=cupboard.encode_abi("dive"), gas=diving)["status"] == 1


def test_web3_fills_in_and_sends_a_transaction_by_itself(town: Town) -> None:
    cupboard = town.cupboard()
    built = cupboard.functions.put(11).build_transaction({"from": CARL.address, "gasPrice": town.web3.eth.gas_price})
    built["nonce"] = town.web3.eth.get_transaction_count(CARL.address)
    sent = town.web3.eth.send_raw_transaction(CARL.sign_transaction(built).raw_transaction)
    town.seal()
    assert town.web3.eth.get_transaction_receipt(sent)["status"] == 1
    assert cupboard.functions.look().call() == 11


def test_web3_asks_for_many_things_at_once(town: Town) -> None:
    with town.web3.batch_requests() as batch:
        batch.add(town.web3.eth.get_balance(ANNA.address))
        batch.add(town.web3.eth.get_block(0))
        balance, block = batch.execute()
    assert (balance, block["number"]) == (RICH, 0)


def test_an_access_list_transaction_is_taken(town: Town) -> None:
    cupboard = town.cupboard()
    listed = [{"address": cupboard.address, "storageKeys": ["0x" + "00" * 32]}]
    fields = {"to": cupboard.address, "value": 0, "data": cupboard.encode_abi("put", [5]), "gas": 100_000}
    receipt = town.do(BERT, **fields, type=1, accessList=listed)
    assert (receipt["status"], receipt["type"]) == (1, 1)
    transaction = town.web3.eth.get_transaction(receipt["transactionHash"])
    assert transaction["accessList"][0]["address"] == cupboard.address
    estimated = town.web3.eth.estimate_gas(
        {"from": BERT.address, "to": cupboard.address, "data": cupboard.encode_abi("put", [6]), "accessList": listed}
    )
    assert estimated > 21_000 + 2_400 + 1_900


def test_many_may_ask_at_once(town: Town) -> None:
    cupboard = town.cupboard()
    for number in range(3):
        town.put(cupboard, number)
    wrong: list[object] = []

    def ask() -> None:
        try:
            for _ in range(15):
                if cupboard.functions.look().call() not in (2, 3, 4):
                    wrong.append("a number that never was")
                town.client.rpc("eth_getLogs", [{"fromBlock": "0x0"}])
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    town.put(cupboard, 3)
    town.put(cupboard, 4)
    for thread in threads:
        thread.join(60)
    assert wrong == []


def test_nobody_pays_for_a_call(town: Town) -> None:
    cupboard = town.cupboard()
    root = town.web3.eth.get_block("latest")["stateRoot"]
    call = {"from": NOBODY.address, "to": cupboard.address, "data": cupboard.encode_abi("put", [5])}
    assert town.client.rpc("eth_call", [call, "latest"]) == "0x"
    assert cupboard.functions.look().call() == 0, "a call leaves no trace"
    town.seal()
    assert town.web3.eth.get_block("latest")["stateRoot"] == root
    with pytest.raises(ChainError, match="insufficient funds"):
        town.client.rpc("eth_call", [{**call, "value": "0x1"}, "latest"])


def test_the_same_story_makes_the_same_blocks() -> None:
    def tell() -> list[str]:
        chain = new_chain()
        town = Town(chain, chain)
        cupboard = town.cupboard()
        town.put(cupboard, 1)
        town.do(CARL, to=ANNA.address, value=9)
        return [str(chain.rpc("eth_getBlockByNumber", [hex(number), False])["hash"]) for number in range(4)]

    assert tell() == tell()


def test_advancing_seals_a_block_of_the_embedded_chain_only(town: Town) -> None:
    town.client.advance(GENESIS_S + 99)
    assert town.chain.head.number == (1 if town.client is town.chain else 0)


def test_a_node_that_is_not_there_is_said_to_be_so() -> None:
    remote = RemoteChain("http://127.0.0.1:9")
    with pytest.raises(ChainError, match="does not answer"):
        remote.rpc("eth_blockNumber", [])
    remote.close()


def test_what_waits_shows_in_the_pending_nonce(town: Town) -> None:
    for nonce in (0, 1):
        town.client.rpc("eth_sendRawTransaction", [signed(ANNA, nonce)])
    assert town.web3.eth.get_transaction_count(ANNA.address) == 0
    assert town.web3.eth.get_transaction_count(ANNA.address, "pending") == 2
