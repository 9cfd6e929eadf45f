"""Who may ask a home's monitor: tokens, each with a name and scopes. The database has their hashes alone."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from daisee.config import near
from daisee.errors import UsageError
from daisee.monitor.schema import TOKENS
from daisee.monitor.sqlstore import SqlStore

SCOPES = ("read", "push")
PREFIX = "daisee_"
"""So that people, and programs that look for secrets in files, know one when they see it."""
LONGEST = 200


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token."""

    name: str
    scopes: tuple[str, ...]
    made_at_s: float


class Tokens:
    """The tokens of a home; others in the same database have their own."""

    def __init__(self, store: SqlStore) -> None:
        """Ask and change those of this store's home."""
        self._database = store.database
        self._home_id = store.home_id
        self._mine = TOKENS.c.home_id == store.home_id

    def make(self, name: str, scopes: Iterable[str]) -> str:
        """Draw a token, and answer it: this once, for it is not kept. UsageError for a name there is, or an unknown scope."""
        scopes = sorted(set(scopes))
        if not name.strip() or not name.isprintable() or len(name) > 60:
            raise UsageError("a token needs a name of up to 60 letters, by which it can be taken back")
        for scope in scopes:
            if scope not in SCOPES:
                raise UsageError(f"there is no scope {scope}; {near(scope, SCOPES)}")
        if not scopes:
            raise UsageError(f"a token needs at least one scope: {' or '.join(SCOPES)}")
        if any(each.name == name for each in self.list()):
            raise UsageError(f"there is a token {name} already; revoke it first, or choose another name")
        token = PREFIX + secrets.token_urlsafe(32)
        with self._database.writing() as connection:
            try:
                connection.execute(
                    insert(TOKENS).values(
                        home_id=self._home_id, name=name, sha256=_hash(token), scopes=" ".join(scopes), made_at_s=time.time()
                    )
                )
            except IntegrityError:
                raise UsageError(f"there is a token {name} already; revoke it first, or choose another name") from None
        return token

    def list(self) -> list[Token]:
        """List them, the oldest first."""
        with self._database.reading() as connection:
            rows = connection.execute(select(TOKENS).where(self._mine).order_by(TOKENS.c.id)).all()
        return [Token(row.name, tuple(row.scopes.split()), row.made_at_s) for row in rows]

    def revoke(self, name: str) -> None:
        """Let it be worth nothing from now on. UsageError where there is none of that name."""
        with self._database.writing() as connection:
            gone = connection.execute(delete(TOKENS).where(self._mine, TOKENS.c.name == name)).rowcount
        if not gone:
            raise UsageError(f"there is no token {name}; `daisee monitor token list` lists them")

    def scopes_of(self, token: str) -> frozenset[str]:
        """Answer what a token is good for; nothing for one that is none."""
        if not token or len(token) > LONGEST:
            return frozenset()
        # Found by its hash: how long that takes says nothing of the token.
        with self._database.reading() as connection:
            scopes = connection.execute(select(TOKENS.c.scopes).where(self._mine, TOKENS.c.sha256 == _hash(token))).scalar()
        return frozenset((scopes or "").split())


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
