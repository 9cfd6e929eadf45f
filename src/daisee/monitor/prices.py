"""Prices by the hour or the quarter of an hour, from a file or a URL, as CSV or JSON.

What was fetched is kept beside daisee.toml and joined with what was fetched before: yesterday's bill stays, with or without the
net, though the source tells of today alone, and though it tells otherwise of what is over.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import logging
import time
import urllib.request
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

from daisee import shallow
from daisee.errors import UsageError
from daisee.files import write_whole

log = logging.getLogger(__name__)

SLOT_S = 900
HOUR_S = 3_600
MOST_BYTES = 20_000_000
TIMEOUT_S = 20.0
MOST_PRICE = Decimal(100_000)
STARTS = ("start", "from", "time", "timestamp")
PRICES = ("price_per_kwh", "price")


def load_prices(source: str, folder: Path, *, fetch: bool = True) -> dict[int, Decimal]:
    """Answer the price of each quarter of an hour, by its start. UsageError where there are none.

    A price of a URL that cannot be had is taken from what was fetched before, and that is logged.
    """
    if urlsplit(source).scheme not in ("http", "https"):
        return _of_file(folder / source)
    if "@" in urlsplit(source).netloc:
        raise UsageError(
            f"the prices of {_shown(source)}: an address with a user or a password in it is not asked; leave them out"
        )
    kept = folder / f"prices-{hashlib.sha256(source.encode()).hexdigest()[:12]}.json"
    known = _kept(kept)
    if not fetch:
        return known
    try:
        found = prices_of(_fetched(source))
    except (OSError, ValueError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        if not known:
            raise UsageError(f"no prices from {_shown(source)} ({reason}); is the address right, and the net there?") from error
        log.warning("no new prices from %s (%s); those of before are taken", _shown(source), reason)
        return known
    now_s = time.time()
    new = {start: price for start, price in found.items() if start not in known or start + SLOT_S > now_s}
    if not new.items() <= known.items():  # else the card is spared
        known |= new
        _keep(kept, known)
    return known


def _of_file(path: Path) -> dict[int, Decimal]:
    try:
        return prices_of(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from error


def prices_of(data: bytes) -> dict[int, Decimal]:
    """Read prices: CSV with `start` and `price_per_kwh`, or JSON, a list of objects with the same. ValueError.

    In a CSV with semicolons, or tabs, a decimal comma is read too.
    """
    try:
        said = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("prices that are no text") from None
    delimiter = max(",;\t", key=said.partition("\n")[0].count)
    as_json = said.lstrip()[:1] in ("[", "{")
    rows = _of_json(data) if as_json else list(csv.DictReader(io.StringIO(said), delimiter=delimiter))
    found: dict[int, Decimal] = {}
    for place, row in enumerate(rows, 1):
        start_s, price = _row(place, row)
        if start_s in found:
            raise ValueError(f"row {place}: {start_s} is there twice")
        found[start_s] = price
    if not found:
        raise ValueError("there are no prices in it")
    return _by_slot(found)


def _of_json(data: bytes) -> list[Any]:
    said = shallow.parse(data)
    if isinstance(said, Mapping):
        said = said.get("prices", said.get("data"))
    if not isinstance(said, list):
        raise ValueError('JSON that is no list of {"start": ..., "price_per_kwh": ...}')
    return said


def _row(place: int, row: Any) -> tuple[int, Decimal]:
    if not isinstance(row, Mapping):
        raise ValueError(f"row {place}: expected start and price_per_kwh")
    start = next((row[name] for name in STARTS if row.get(name) not in (None, "")), None)
    price = next((row[name] for name in PRICES if row.get(name) not in (None, "")), None)
    if start is None or price is None:
        raise ValueError(f"row {place}: expected start and price_per_kwh")
    try:
        told = Decimal(str(price).strip().replace(",", "."))
        at = datetime.fromisoformat(str(start))
    except (InvalidOperation, ValueError):
        raise ValueError(f"row {place}: expected a time like 2026-10-01T00:00+02:00 and a price like 0.2134") from None
    if at.tzinfo is None:
        raise ValueError(f"row {place}: {start} names no zone; write it like 2026-10-01T00:00+02:00")
    start_s = at.timestamp()
    if start_s % SLOT_S or not told.is_finite() or abs(told) > MOST_PRICE:
        raise ValueError(f"row {place}: expected a quarter of an hour, and a price of at most {MOST_PRICE}")
    return int(start_s), told


def _by_slot(found: dict[int, Decimal]) -> dict[int, Decimal]:
    """Give each quarter its price: a price holds until the next one, and for an hour at most."""
    starts = sorted(found)
    slots: dict[int, Decimal] = {}
    for start, after in zip(starts, [*starts[1:], starts[-1] + HOUR_S], strict=True):
        for at_s in range(start, min(after, start + HOUR_S), SLOT_S):
            slots[at_s] = found[start]
    return slots


def _fetched(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:  # noqa: S310  # http and https alone come here
            data: bytes = answer.read(MOST_BYTES + 1)
    except HTTPError as error:
        error.close()
        raise ValueError(f"it answers {error.code}") from None
    if len(data) > MOST_BYTES:
        raise ValueError("more than prices can be")
    return data


def _kept(file: Path) -> dict[int, Decimal]:
    try:
        return {int(start): Decimal(price) for start, price in json.loads(file.read_text("utf-8")).items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, InvalidOperation) as error:
        log.warning("%s cannot be read (%s); prices of before are not known", file, error)
        return {}


def _keep(file: Path, known: Mapping[int, Decimal]) -> None:
    try:
        write_whole(file, json.dumps({str(start): str(price) for start, price in known.items()}))
    except OSError as error:
        log.warning("%s cannot be written (%s); these prices are not kept", file, error.strerror)


def _shown(url: str) -> str:
    """Answer an address as people may see it: without user, password and query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{parts.path}"
