"""What nodes answer when they have no answer, and what they say of a transaction that they do not take, whoever made them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from eth_abi.exceptions import DecodingError
from web3.exceptions import Web3Exception, Web3RPCError

from daisee.errors import ChainError
from daisee.plain import plain

NODE_ERRORS = (Web3Exception, OSError, ValueError, TypeError, LookupError, AttributeError, OverflowError, DecodingError)
"""What comes of asking a node: no way there, an error, or an answer of another shape than web3 and we can read."""

TAKEN = re.compile(r"already ?known|known transaction|same hash|already ?imported|already in (the )?(tx)?pool", re.IGNORECASE)
"""What geth, Besu, Nethermind, Erigon, anvil and Parity say of a transaction that they have."""
POOR = re.compile(r"insufficient ?(funds|balance)|upfront cost|(doesn't have|not) enough", re.IGNORECASE)
"""What they say of one that the account cannot pay for."""
PASSING = re.compile(
    # Of the nonce, which is the sender's to keep right; and of another transaction that has it, whoever pays more.
    r"nonce|replace|compete"
    # Of a pool that is full, for all or for this account.
    r"|pool is full|queue (is )?full|too many|account limit|in-flight"
    # Of the node, or of what stands before it, which is busy or not yet ready. It may have passed the transaction on.
    r"|(?<!gas )limit exceeded|rate.?limit|timed? ?-?out|deadline|temporar|try again|retry|unavailable|overload|busy|capacity"
    r"|internal (server )?error|gateway|upstream|sync|not ready|starting|shutting down|header not found|missing trie",
    re.IGNORECASE,
)
"""What they say of one that they may take later. Whatever is not in here is about the transaction itself, and is final."""


def words(error: Web3RPCError) -> str:
    """Answer a node's own words, without web3's round them."""
    response = error.rpc_response or {}
    told = response.get("error")
    return plain(" ".join(str(told.get("message") if isinstance(told, dict) else error.message).split()))


def reason(error: Exception) -> str:
    """Say why a node did not answer, or what is wrong with what it answered."""
    if isinstance(error, Web3RPCError):
        return words(error)
    if isinstance(error, Web3Exception | OSError):
        return plain(str(error))
    return plain(f"it answers what makes no sense ({type(error).__name__}: {error})")


@contextmanager
def said(what: str) -> Iterator[None]:
    """Turn whatever comes of asking a node into a ChainError that begins with these words."""
    try:
        yield
    except NODE_ERRORS as error:
        raise ChainError(f"{what}: {reason(error)}") from error
