"""JSON of strangers: how deep it may nest, in whatever letters."""

from __future__ import annotations

import pytest

from daisee.shallow import MOST_NESTED, parse


def test_what_nests_too_deep_is_refused_before_it_is_read() -> None:
    assert parse(b"[" * MOST_NESTED + b"]" * MOST_NESTED)
    assert parse(b'["' + b"[" * 99 + b'"]') == ["[" * 99]
    with pytest.raises(ValueError, match="nested too deep"):
        parse(b"[" * (MOST_NESTED + 1) + b"]" * (MOST_NESTED + 1))
    assert parse(b"[" * 99 + b"]" * 99, most_nested=99)


def test_brackets_do_not_hide_in_utf_16() -> None:
    nested = '["\u2200",' + "[" * 99 + "]" * 99 + "]"  # the low byte of that letter looks like the quotation mark of a string
    with pytest.raises(ValueError):
        parse(nested.encode("utf-16-le"))
