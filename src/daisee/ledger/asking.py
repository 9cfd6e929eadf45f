"""Asking a node through web3, with one error for all the ways in which it does not answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from daisee.errors import ChainError
from daisee.ledger.answers import NODE_ERRORS, reason

Answer = TypeVar("Answer")


def asked(ask: Callable[..., Answer], *arguments: Any) -> Answer:
    """Ask the node; ChainError where it does not answer, or what makes no sense."""
    try:
        return ask(*arguments)
    except ChainError:
        raise
    except NODE_ERRORS as error:
        raise ChainError(f"the node does not answer: {reason(error)}") from error
