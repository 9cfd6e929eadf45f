"""Asking a node through web3, with one error for all the ways in which it does not answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from web3.exceptions import Web3Exception

from daisee.errors import ChainError

Answer = TypeVar("Answer")


def asked(ask: Callable[..., Answer], *arguments: Any) -> Answer:
    """Ask the node; ChainError where it does not answer."""
    try:
        return ask(*arguments)
    except (Web3Exception, OSError) as error:
        if isinstance(error, ChainError):
            raise
        raise ChainError(f"the node does not answer: {error}") from error
