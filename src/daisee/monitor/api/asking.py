"""How questions are written, and answers tagged."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import HTTPException, Query, Request
from starlette.responses import Response

FARTHEST_S = 32_503_680_000
"""The year 3000."""

Moment = Annotated[
    str | None, Query(description="ISO 8601, UTC where it names no zone, or Unix seconds", examples=["2026-10-01", "1790812800"])
]


def moment(written: str, name: str) -> float:
    """Read a moment; 400 where it is none."""
    try:
        at_s = float(written)
    except ValueError:
        try:
            at = datetime.fromisoformat(written)
            at_s = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            raise HTTPException(
                400, f"{name} is no date or time; write it like 2026-10-01, 2026-10-01T12:00Z or 1790812800"
            ) from None
    if not 0 <= at_s <= FARTHEST_S:
        raise HTTPException(400, f"{name} is beyond the years 1970 to 3000")
    return at_s


def span(from_: str | None, to: str | None, default_from_s: float, default_to_s: float) -> tuple[float, float]:
    """Read a stretch of time; 400 where it ends before it begins."""
    from_s = default_from_s if from_ is None else moment(from_, "from")
    to_s = default_to_s if to is None else moment(to, "to")
    if to_s < from_s:
        raise HTTPException(400, "`to` is before `from`")
    return from_s, to_s


def tagged(request: Request, told: Any) -> Response:
    """Answer JSON with a tag; who has it already is told just that (304)."""
    body = json.dumps(told, separators=(",", ":")).encode()
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    known = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
    if tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)
