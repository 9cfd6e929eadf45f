"""Contracts written by hand, a mnemonic a line, so that the chain is tested without a compiler: `assemble`, and one contract
that stores, refuses in each of the ways there are, and runs until its gas is gone.
"""

from __future__ import annotations

from eth.vm import opcode_values
from eth_utils.crypto import keccak


def assemble(source: str) -> bytes:
    """Assemble: mnemonics, numbers (pushed as short as they go), `label:` and `@label` (pushed as two bytes)."""
    code = bytearray()
    labels: dict[str, int] = {}
    uses: dict[int, str] = {}
    for token in source.split():
        if token.endswith(":"):
            labels[token[:-1]] = len(code)
            code.append(opcode_values.JUMPDEST)
        elif token.startswith("@"):
            uses[len(code) + 1] = token[1:]
            code += bytes([opcode_values.PUSH2, 0, 0])
        elif token[0].isdigit():
            number = int(token, 0)
            pushed = number.to_bytes(max(1, (number.bit_length() + 7) // 8), "big")
            code += bytes([opcode_values.PUSH1 + len(pushed) - 1]) + pushed
        else:
            code.append(getattr(opcode_values, token))
    for place, label in uses.items():
        code[place : place + 2] = labels[label].to_bytes(2, "big")
    return bytes(code)


def deployment(runtime: bytes) -> bytes:
    """Answer the code that makes a contract of this runtime code."""
    length, start = len(runtime), 12
    head = bytes([opcode_values.PUSH2, *length.to_bytes(2, "big"), opcode_values.DUP1, opcode_values.PUSH1, start])
    head += bytes([opcode_values.PUSH1, 0, opcode_values.CODECOPY, opcode_values.PUSH1, 0, opcode_values.RETURN])
    assert len(head) == start, len(head)
    return head + runtime


def selector(signature: str) -> int:
    """Answer the first four bytes of a call of a function, or of an error."""
    return int.from_bytes(keccak(signature.encode())[:4], "big")


def _dispatch(functions: dict[str, str]) -> str:
    return " ".join(f"DUP1 {selector(signature)} EQ @{label} JUMPI" for signature, label in functions.items())


PUT_TOPIC = keccak(b"Put(address,uint256)")

CUPBOARD = f"""
    0 CALLDATALOAD 224 SHR
    {
    _dispatch(
        {
            "put(uint256)": "put",
            "look()": "look",
            "refuse()": "refuse",
            "refuseMany(uint256)": "many",
            "burn()": "burn",
            "dive()": "dive",
            "now()": "now",
            "before()": "before",
            "left()": "left",
            "greedy()": "greedy",
        }
    )
}
    0 0 REVERT
    put:    4 CALLDATALOAD DUP1 0 SSTORE 0 MSTORE CALLER {int.from_bytes(PUT_TOPIC, "big")} 32 0 LOG2 STOP
    look:   0 SLOAD 0 MSTORE 32 0 RETURN
    refuse: {selector("Error(string)")} 224 SHL 0 MSTORE 32 4 MSTORE 9 36 MSTORE
            {int.from_bytes(b"not today", "big")} 184 SHL 68 MSTORE 100 0 REVERT
    many:   {selector("TooMany(uint256,uint256)")} 224 SHL 0 MSTORE 4 CALLDATALOAD 4 MSTORE 0 SLOAD 36 MSTORE 68 0 REVERT
    burn:   1 POP @burn JUMP
    dive:   0 CALLDATALOAD 0 MSTORE 0 0 32 0 0 ADDRESS GAS CALL POP 1 0 SLOAD ADD 0 SSTORE STOP
    now:    TIMESTAMP 0 MSTORE NUMBER 32 MSTORE CHAINID 64 MSTORE 96 0 RETURN
    before: 1 NUMBER SUB BLOCKHASH 0 MSTORE 32 0 RETURN
    left:   GAS 0 MSTORE 32 0 RETURN
    greedy: 200000 GAS GT @enough JUMPI 0 0 REVERT enough: STOP
"""

CUPBOARD_ABI = [
    {
        "type": "function",
        "name": "put",
        "inputs": [{"name": "number", "type": "uint256"}],
        "outputs": [],
        "stateMutability": "nonpayable",
    },
    {"type": "function", "name": "look", "inputs": [], "outputs": [{"name": "", "type": "uint256"}], "stateMutability": "view"},
    {"type": "function", "name": "refuse", "inputs": [], "outputs": [], "stateMutability": "nonpayable"},
    {
        "type": "function",
        "name": "refuseMany",
        "inputs": [{"name": "asked", "type": "uint256"}],
        "outputs": [],
        "stateMutability": "nonpayable",
    },
    {"type": "function", "name": "burn", "inputs": [], "outputs": [], "stateMutability": "nonpayable"},
    {"type": "function", "name": "dive", "inputs": [], "outputs": [], "stateMutability": "nonpayable"},
    {
        "type": "function",
        "name": "now",
        "inputs": [],
        "stateMutability": "view",
        "outputs": [
            {"name": "time", "type": "uint256"},
            {"name": "block", "type": "uint256"},
            {"name": "chain", "type": "uint256"},
        ],
    },
    {"type": "function", "name": "before", "inputs": [], "outputs": [{"name": "", "type": "bytes32"}], "stateMutability": "view"},
    {"type": "function", "name": "left", "inputs": [], "outputs": [{"name": "", "type": "uint256"}], "stateMutability": "view"},
    {"type": "function", "name": "greedy", "inputs": [], "outputs": [], "stateMutability": "nonpayable"},
    {
        "type": "event",
        "name": "Put",
        "anonymous": False,
        "inputs": [{"name": "who", "type": "address", "indexed": True}, {"name": "number", "type": "uint256", "indexed": False}],
    },
    {"type": "error", "name": "TooMany", "inputs": [{"name": "asked", "type": "uint256"}, {"name": "there", "type": "uint256"}]},
]
