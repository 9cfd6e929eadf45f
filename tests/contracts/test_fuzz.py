"""Ten accounts, one hostile with a contract of its own, and 50,000 calls: the contracts and the model agree on each."""

from __future__ import annotations

import pytest
from tests.contracts.fuzz import errors, fuzz

CALLS = 50_000
SEED = 20_170_601
LIBRARYS_OWN = ("AccessControl", "ECDSA", "ERC1363TransferFailed", "ERC1363TransferFromFailed", "ERC1363ApproveFailed", "ERC20",
                "ERC2612", "InvalidAccountNonce", "InvalidShortString", "SafeCast", "SafeERC20", "StringTooLong")  # fmt: skip


@pytest.mark.timeout(600)
def test_contracts_and_model_agree_whatever_is_done_to_them() -> None:
    tally = fuzz(CALLS, SEED)
    assert tally.total >= CALLS
    never = {error for error in errors() - set(tally.refusals) if not error.startswith(LIBRARYS_OWN)}
    assert not never, "an error of ours that no story met is one that nothing was compared for"
    assert min(tally.calls.values()) >= 50
