"""JSON of strangers: none nested so deep that reading it overruns the stack, which py-evm has lifted Python's guard against."""

from __future__ import annotations

import json
import re
from typing import Any

MOST_NESTED = 32
"""How deep lists and objects may nest; a batch of calls with an access list comes to six."""
NESTING = re.compile(rb'"(?:[^"\\]+|\\.?)*+(?:"|\Z)|[\[{\]}]', re.DOTALL)
"""A string, which may be cut short, or a bracket outside of strings. It never looks at a byte twice, however odd the body."""


def checked(body: bytes, most_nested: int = MOST_NESTED) -> bytes:
    """Answer what was given, if it is not nested too deep; else ValueError."""
    depth = 0
    for mark in NESTING.finditer(body):
        if mark[0] in b"[{":
            depth += 1
            if depth > most_nested:
                raise ValueError("nested too deep")
        elif mark[0] in b"]}":
            depth -= 1
    return body


def parse(body: bytes, most_nested: int = MOST_NESTED) -> Any:
    """Read JSON in UTF-8; ValueError for what is none, and for what is nested too deep.

    Decoded here: json would take UTF-16 for text as well, in which brackets hide from `checked`.
    """
    return json.loads(checked(body, most_nested).decode("utf-8"), parse_constant=_no_number)


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
