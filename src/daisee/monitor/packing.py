"""Readings as they lie in a store: those of one meter and one slot together, column by column, some five bytes each.

Times are whole milliseconds; powers, voltages and the like are kept to the last bit.
"""

from __future__ import annotations

import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain
from operator import attrgetter, sub
from typing import Any

from daisee.errors import StoreError
from daisee.model.readings import Reading

VERSION = 1
MS = 1000
WHOLE = ("forward_j", "reverse_j")
EXACT = ("power_w", "mean_over_s", "state_of_charge", "voltage_v")
FIELDS = (*WHOLE, *EXACT)
said_by = attrgetter(*FIELDS)
LEVEL = 3
"""Of compression: twice as fast as 6, for two bytes more in a hundred."""
MOST_READINGS = 100_000
"""Of one meter in one slot: a hundred a second. More is no meter, and would fill the memory."""


class Block:
    """The readings of one meter in one slot, in order of time, each moment once."""

    __slots__ = ("at_ms", "columns")

    def __init__(self) -> None:
        self.at_ms: list[int] = []
        self.columns: dict[str, list[Any]] = {}
        """What any of them says, by its field; None where one does not say it."""

    def __len__(self) -> int:
        return len(self.at_ms)

    def add(self, reading: Reading) -> bool:
        """Put a reading in its place; False where there is one of that moment already, which stays."""
        at_ms = round(reading.at_s * MS)
        where = len(self.at_ms)
        if self.at_ms and at_ms <= self.at_ms[-1]:
            where = bisect_left(self.at_ms, at_ms)
            if self.at_ms[where] == at_ms:
                return False
        self.at_ms.insert(where, at_ms)
        for field, value in zip(FIELDS, said_by(reading), strict=True):
            if value is not None and field not in self.columns:
                self.columns[field] = [None] * (len(self.at_ms) - 1)
            if field in self.columns:
                self.columns[field].insert(where, value)
        return True

    def readings(self) -> Iterator[Reading]:
        """Answer what was put in."""
        names = list(self.columns)
        for index, at_ms in enumerate(self.at_ms):
            yield Reading(at_s=at_ms / MS, **{name: self.columns[name][index] for name in names})

    def pack(self, start_s: int) -> bytes:
        """Write it down."""
        parts = [bytes([VERSION]), _shuffled(_steps(self.at_ms, start_s * MS))]
        for number, field in enumerate(FIELDS):
            column = self.columns.get(field)
            if column is None:
                continue
            whole = None not in column
            there = column if whole else [value for value in column if value is not None]
            parts.append(bytes([number, whole]))
            if not whole:
                parts.append(bytes(value is not None for value in column))
                parts.append(len(there).to_bytes(4, "little"))
            parts.append(_shuffled(_steps(there, 0) if field in WHOLE else array("d", there)))
        return len(self.at_ms).to_bytes(4, "little") + zlib.compress(b"".join(parts), LEVEL)

    @classmethod
    def unpack(cls, packed: bytes, start_s: int) -> Block:
        """Read what was written; StoreError where that is something else."""
        try:
            return cls._unpack(packed, start_s)
        except (zlib.error, ValueError, IndexError) as error:
            raise StoreError(f"the readings of {start_s} are damaged ({error})") from error

    @classmethod
    def _unpack(cls, packed: bytes, start_s: int) -> Block:
        count = int.from_bytes(packed[:4], "little")
        if count > MOST_READINGS:
            raise ValueError(f"{count} readings in a slot")
        told = zlib.decompressobj().decompress(packed[4:], 1 + (2 + 4 + 9) * (count + 1) * (len(FIELDS) + 1))
        if told[0] != VERSION:
            raise ValueError(f"version {told[0]} is not known here")
        block = cls()
        block.at_ms = _summed(_straight(told[1 : 1 + 8 * count], "q"), start_s * MS)
        at = 1 + 8 * count
        while at < len(told):
            field, whole = FIELDS[told[at]], told[at + 1]
            at += 2
            there, said = count, b""
            if not whole:
                said = told[at : at + count]
                there = int.from_bytes(told[at + count : at + count + 4], "little")
                at += count + 4
            values = _straight(told[at : at + 8 * there], "q" if field in WHOLE else "d")
            at += 8 * there
            column: Sequence[Any] = _summed(values, 0) if field in WHOLE else values.tolist()
            if not whole:
                each = iter(column)
                column = [next(each) if is_there else None for is_there in said]
            block.columns[field] = list(column)
        return block


def _steps(values: Sequence[int], since: int) -> array[int]:
    """Answer how far each lies from the one before: small numbers, which compress well."""
    return array("q", map(sub, values, chain((since,), values)))


def _summed(steps: array[Any], since: int) -> list[int]:
    return list(accumulate(steps, initial=since))[1:]


def _shuffled(values: array[Any]) -> bytes:
    """Answer first all first bytes, then all second ones: those at the same place are much alike."""
    data = values.tobytes()
    return b"".join(data[place::8] for place in range(8))


def _straight(data: bytes, kind: str) -> array[Any]:
    count = len(data) // 8
    values = bytearray(len(data))
    for place in range(8):
        values[place::8] = data[place * count : (place + 1) * count]
    return array(kind, bytes(values))
