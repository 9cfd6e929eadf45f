"""Addresses as people write them."""

from __future__ import annotations

import re

from eth_utils.address import is_checksum_address, to_checksum_address

from daisee.errors import UsageError
from daisee.units import Address

HEX = re.compile(r"0x[0-9a-fA-F]{40}")


def read_address(text: str) -> Address:
    """Read 0x and 40 hex digits; upper and lower case together are a checksum (EIP-55), and must be right. UsageError."""
    if not HEX.fullmatch(text):
        raise UsageError(f"{text[:60]} is no address: it is 0x and 40 hex digits")
    if text[2:] not in (text[2:].lower(), text[2:].upper()) and not is_checksum_address(text):
        raise UsageError(f"{text} is mistyped: its capital letters are a checksum, and do not fit")
    return Address(to_checksum_address(text))
