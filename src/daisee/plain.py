"""Text of strangers, as a terminal can show it: a node's words, a contract's reason, the name of somebody's coin."""

from __future__ import annotations

UNPRINTABLE = "\N{REPLACEMENT CHARACTER}"


def plain(text: str) -> str:
    """Answer a text in one line, with nothing in it that steers a terminal: no escapes, and nothing that turns its direction."""
    return "".join(each if each.isprintable() else " " if each.isspace() else UNPRINTABLE for each in text)


def plain_lines(text: str) -> str:
    """Answer a text of ours in which there may be a stranger's, its lines left as they are."""
    return "\n".join(map(plain, text.split("\n")))
