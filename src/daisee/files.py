"""Files that are there whole or not at all, and files of one line that nobody else reads."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path


def read_secret(path: Path) -> str:
    """Read the first line of a file. OSError for one that cannot be read, or is no text; it names no content."""
    try:
        return path.read_text("utf-8").partition("\n")[0].rstrip("\r")
    except UnicodeDecodeError:
        raise OSError(errno.EILSEQ, "it is no text", str(path)) from None


def write_whole(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file so that a crash leaves the old one or the new one; its folder is made, for its owner alone. OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(handle, mode)
            os.fsync(handle)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
