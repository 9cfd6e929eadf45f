"""A node's address, and the credentials that may be written into it: https://user:token@node.example/, or ?token=...

They are sent, a user's as HTTP Basic, and never shown: what connects, logs or complains has the address without them.
"""

from __future__ import annotations

from urllib.parse import SplitResult, unquote, urlsplit


def shown(url: str) -> str:
    """Answer an address without its credentials and its query. Of one that cannot be read, nothing before its last @ is shown."""
    parts = _split(url)
    if parts is not None:
        return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
    scheme, slashes, rest = url.rpartition("@")[0].partition("://")
    return f"{scheme}{slashes}{url.rpartition('@')[2]}" if rest else url.rpartition("@")[2]


def asked(url: str) -> str:
    """Answer where a request goes: an address without its credentials, which go beside it."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl()


def credentials(url: str) -> tuple[bytes, bytes] | None:
    """Answer the user and the password in an address, percent-decoded; None where there are none."""
    parts = _split(url)
    if parts is None or "@" not in parts.netloc:
        return None
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    return unquote(user).encode(), unquote(password).encode()


def is_url(text: str) -> bool:
    """Tell whether this is an address that a node can be asked at."""
    parts = _split(text)
    return parts is not None and parts.scheme in ("http", "https")


def _split(url: str) -> SplitResult | None:
    """Read an address; None where it is none, as with a slash in a password that is not written as %2F."""
    try:
        parts = urlsplit(url)
        return parts if parts.hostname and (parts.port is None or parts.port) else None
    except ValueError:
        return None
