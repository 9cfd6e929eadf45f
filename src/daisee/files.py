"""Files that are there whole or not at all, files that one program holds, files of one line, and files of strangers."""

from __future__ import annotations

import codecs
import contextlib
import errno
import fcntl
import os
import tempfile
from pathlib import Path
from typing import IO


def read_secret(path: Path) -> str:
    """Read the first line of a file. OSError for one that cannot be read, or is no text; it names no content."""
    try:
        return path.read_text("utf-8").partition("\n")[0].rstrip("\r")
    except UnicodeDecodeError:
        raise OSError(errno.EILSEQ, "it is no text", str(path)) from None


def read_some(path: Path, most_bytes: int) -> bytes:
    """Read a file of text, without the mark that some editors begin it with.

    OSError where it cannot be read; ValueError, with the reason, where it is longer than that, or is not UTF-8.
    """
    with path.open("rb") as file:
        body = file.read(most_bytes + 1)
    if len(body) > most_bytes:
        raise ValueError(f"it is longer than {most_bytes:,} bytes")
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError("it is not text") from error
    return body.removeprefix(codecs.BOM_UTF8)


def write_whole(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file so that a crash leaves the old one or the new one; its folder is made, for its owner alone. OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=_beginning_of(path), dir=path.parent)
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
    # The new one is there by now, whether a filesystem can do this or not; a power cut shall not bring the old one back.
    with contextlib.suppress(OSError):
        _sync_folder(path.parent)


def hold(path: Path) -> IO[bytes]:
    """Hold a file of nothing, until what is answered is closed; its folder is made, for its owner alone.

    BlockingIOError where another holds it; OSError where it cannot be opened.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        file.close()
        raise
    return file


def remove_unfinished(path: Path) -> None:
    """Remove what programs left that were killed while they wrote a file; nobody may be writing it. OSError."""
    for each in path.parent.iterdir():
        if each.name.startswith(_beginning_of(path)):
            each.unlink(missing_ok=True)


def _beginning_of(path: Path) -> str:
    """Answer how the name of a file begins that is to become another one."""
    return f".{path.name}."


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
