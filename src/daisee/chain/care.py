"""Keep what a node cannot do without, bring it back, and let a node begin anew."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import tarfile
import tempfile
import zlib
from pathlib import Path

from daisee.chain import besufiles, gethfiles
from daisee.chain.gethfiles import START
from daisee.chain.network import GENESIS, NODE, NodeFolder
from daisee.chain.node import is_running
from daisee.errors import UsageError

NOT_KEPT = re.compile(r"data|client\.(pid|log)(\.\d+)?")
"""The chain comes from the other nodes again; what these say is of the past."""
MOST_BYTES = 50_000_000
MOST_FILES = 1_000
NEEDED = (NODE, GENESIS, START)
PRIVATE = 0o700


def backup(folder: NodeFolder, file: Path) -> list[str]:
    """Write all of a node but the chain into an archive, which has its keys: it is for its owner alone. Answer what it holds."""
    if file.exists():
        raise UsageError(f"{file} exists already; name another file, so that no backup is lost")
    names = sorted(path.name for path in folder.path.iterdir() if not NOT_KEPT.fullmatch(path.name))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        try:
            with os.fdopen(handle, "wb") as written, tarfile.open(fileobj=written, mode="w:gz") as archive:
                for name in names:
                    archive.add(folder.path / name, arcname=name)
            Path(part).replace(file)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from error
    return names


def restore(file: Path, path: Path) -> NodeFolder:
    """Make a node's folder of an archive, whole or not at all; UsageError where there is a folder, or it is no archive."""
    if path.exists():
        raise UsageError(f"{path} exists already; name a new folder, or move that one away")
    if not file.is_file():
        raise UsageError(f"there is no file {file}")
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        with tarfile.open(file, "r:gz") as archive:
            size = 0
            for number, member in enumerate(archive, 1):
                size += member.size
                if size > MOST_BYTES or number > MOST_FILES:
                    raise UsageError(f"{file} is no backup of a node: it is too large")
            archive.extractall(whole, filter=_kept_private)  # noqa: S202  # which begins with "data"
        for name in NEEDED:
            if not (whole / name).is_file():
                raise UsageError(f"{file} is no backup of a node: it has no {name}")
        _look_at(whole, file)
        whole.replace(path)
    except (gzip.BadGzipFile, EOFError, zlib.error, tarfile.TarError, LookupError, OverflowError, ValueError) as error:
        shutil.rmtree(whole, ignore_errors=True)
        raise UsageError(f"{file} is no whole backup: {error}") from error
    except BaseException:
        shutil.rmtree(whole, ignore_errors=True)
        raise
    return NodeFolder(path)


def _kept_private(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo:
    """Refuse what would leave the folder; what is in it is its owner's alone, whatever the archive says."""
    member = tarfile.data_filter(member, path)
    return member.replace(mode=(member.mode or PRIVATE) & PRIVATE, deep=False)


def _look_at(whole: Path, file: Path) -> None:
    """Refuse a folder that is no whole node's; the archive is named, for the folder will be gone. UsageError."""
    try:
        node = NodeFolder(whole)
        key = gethfiles.NODE_KEY if node.network.client == "geth" else besufiles.NODE_KEY
        if not (whole / key).is_file():
            raise UsageError(f"{whole} has no {key}")
        node.network.node(node.name)
    except UsageError as error:
        raise UsageError(f"{file} is no backup of a node: {str(error).replace(str(whole), str(file))}") from error


def reset(folder: NodeFolder) -> None:
    """Take the chain away, and leave the keys: the node fetches it from the others when it starts. UsageError while it runs."""
    if is_running(folder):
        raise UsageError(f"{folder.name} runs; stop it first")
    if folder.data.exists():
        shutil.rmtree(folder.data)
