"""Whether the code at an address is that of one of our contracts, instruction by instruction."""

from __future__ import annotations

from daisee.ledger.artifacts import load


def is_ours(name: str, code: bytes) -> bool:
    """Tell whether code on a chain is what this version of DAISEE compiles for a contract.

    Two things may be others: what its constructor wrote into it, the same at all of its places; and the compiler's note at the
    end, a hash of the sources down to their comments, which no instruction reaches.
    """
    ours, found = bytearray(load(name).code), bytearray(code)
    if len(found) != len(ours):
        return False
    for places in load(name).immutables:
        if len({bytes(found[place]) for place in places}) != 1:
            return False
        for place in places:
            found[place] = ours[place]
    instructions = slice(0, -_note_length(ours))
    return found[instructions] == ours[instructions]


def _note_length(code: bytearray) -> int:
    """Answer how long the compiler's note is; it ends with its own length, two bytes that do not count themselves."""
    return int.from_bytes(code[-2:], "big") + 2
