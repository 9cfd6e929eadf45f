"""A node's client as a process: started by the node's own start file, its log kept, its end explained."""

from __future__ import annotations

import fcntl
import logging
import os
import re
import shutil
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from threading import Thread

from daisee.chain import geth
from daisee.chain.diagnosis import NOBODY_SEALS
from daisee.chain.gethfiles import PEERS, START
from daisee.chain.ipc import LONGEST_PATH, NodeSocket
from daisee.chain.network import LOOPBACK, NodeFolder
from daisee.errors import ChainError, PortTaken, UsageError
from daisee.files import write_whole

log = logging.getLogger(__name__)

END_S = 60.0
"""How long a client may take to close its database."""
LOG_BYTES = 10_000_000
LOGS_KEPT = 3
LOOK_BACK_BYTES = 200_000
LOOK_BACK_S = 120.0
"""A peer that is still there is called again within half a minute."""
LEAST_FREE_BYTES = 100_000_000
"""With less, a chain is not begun; geth stops by itself below what it needs."""

OTHER_GENESIS = re.compile(
    r"^\w+\s*\[(?P<at>[^]]*)\].*handshake failed.*\bid=(?P<peer>[0-9a-f]+).*genesis mismatch: (?P<theirs>[0-9a-f]{8})"
)

NO_VALIDATORS = re.compile(r"integer divide by zero")
"""Of what geth dies when it asks whose turn it is among none."""

_FATAL = (
    (NO_VALIDATORS, NOBODY_SEALS),
    (re.compile(r"could not decrypt key with given password"), "the file `password` is not the password of its validator's key"),
    (re.compile(r"no key for given address or file|Failed to unlock account"), "its validator's key is not in `keystore/`"),
    (re.compile(r"Could not list accounts|Failed to read password file"), "the file `password` cannot be read"),
    (
        re.compile(r"no space left|Low disk space|disk quota exceeded", re.IGNORECASE),
        "the disk is full; make room, then start it again",
    ),
    (re.compile(r"address already in use"), "one of its ports is taken by another program; see `start` and `geth.toml`"),
    (re.compile(r"datadir already used by another process"), "another program runs on its `data/`"),
    (re.compile(r"incompatible genesis"), "its `data/` began with another genesis; `daisee chain reset` begins anew"),
    (re.compile(r"permission denied", re.IGNORECASE), "a file of its folder is not this user's"),
)
"""What a client says before it ends, and what that means to who runs it."""


_ENDS_WITH_US = ("setpriv", "--pdeathsig", "TERM") if shutil.which("setpriv") else ()
"""A client whose starter is killed would hold its ports and its data, and nobody would read its log. The signal is given when
the thread ends that started it."""


class _Log(RotatingFileHandler):
    """A client's own log. Where it cannot be written, that is told once, and the client goes on."""

    told = False

    def close(self) -> None:
        try:
            super().close()
        except OSError as error:  # what is not written yet has no room either
            self._tell(error)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # logging calls it so
        self._tell(sys.exc_info()[1])

    def _tell(self, error: BaseException | None) -> None:
        if not self.told:
            self.told = True
            log.warning("%s cannot be written: %s", self.baseFilename, error)


class NodeProcess:
    """A node that runs here."""

    def __init__(self, folder: NodeFolder, program: str, heard: Callable[[str], None] | None = None) -> None:
        """Start it. `heard` is told each line of its client's log, in a thread of its own."""
        self.folder = folder
        self.socket = NodeSocket(folder.socket)
        self._last: deque[str] = deque(maxlen=200)
        self._heard = heard
        self._process = subprocess.Popen(
            [*_ENDS_WITH_US, "sh", START],
            cwd=folder.path,
            env=environment(program),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            # A Ctrl-C is for us: we end it, once, and wait.
            start_new_session=True,
        )
        try:
            write_whole(folder.pid_file, f"{self._process.pid}\n")
        except OSError:
            self._process.kill()
            self._process.communicate()
            raise
        self._reader = Thread(target=self._read, name=f"{folder.name}-log", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Answer the client's process id."""
        return self._process.pid

    @property
    def ended(self) -> int | None:
        """Answer the exit code; None while it runs."""
        return self._process.poll()

    def ask_to_end(self) -> None:
        """Ask it to close its database and end."""
        if self._process.poll() is None:
            self._process.terminate()

    def close(self, patience_s: float = END_S) -> None:
        """End it, and wait until it has."""
        self.ask_to_end()
        try:
            self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(patience_s)
        self._reader.join(patience_s)
        # Unless it runs again already, started by somebody else.
        if _text_or_none(self.folder.pid_file) == f"{self.pid}\n":
            self.folder.pid_file.unlink(missing_ok=True)

    def why(self) -> str:
        """Say why it ended."""
        self._reader.join(END_S)
        for line in reversed(self._last):
            for pattern, meaning in _FATAL:
                if pattern.search(line):
                    return f"{self.folder.name} has ended: {meaning}"
        if (code := self.ended) is not None and code < 0:
            return f"{self.folder.name} was killed (signal {-code})"
        said = next((line for line in reversed(self._last) if re.search(r"Fatal|ERROR|CRIT|error", line)), "")
        said = re.sub(r"^(ERROR|CRIT)\s*\[[^]]*\]\s*", "", said).strip() or (self._last[-1] if self._last else "nothing")
        return f"{self.folder.name} has ended (exit code {self.ended}); it said: {said}; all that it said is in {self.folder.log}"

    def _read(self) -> None:
        handler = _Log(self.folder.log, maxBytes=LOG_BYTES, backupCount=LOGS_KEPT, delay=True)
        assert self._process.stdout is not None
        with closing(handler), self._process.stdout:
            for line in self._process.stdout:
                told = line.rstrip("\n")
                self._last.append(told)
                handler.emit(logging.makeLogRecord({"msg": told}))
                if self._heard:
                    self._heard(told)


def environment(program: str) -> dict[str, str]:
    """Answer what a client may know of our environment: nothing that is meant for us, as passwords are."""
    return {name: value for name, value in os.environ.items() if not name.startswith("DAISEE_")} | {geth.NAMED_BY: program}


def prepare(folder: NodeFolder) -> None:
    """Look whether a node can start here; UsageError or ChainError, with what to do, where it cannot."""
    if folder.network.client != "geth":
        raise UsageError(
            f"{folder.path} is of {folder.network.client}, which is run by its own start file: {folder.path / START}"
        )
    if len(str(folder.socket)) > LONGEST_PATH:
        raise UsageError(f"the path {folder.path} is too long for geth's socket in it; move the folder to a shorter one")
    if not os.access(folder.path, os.W_OK):
        raise UsageError(f"{folder.path} cannot be written to; run this as the user whose folder it is")
    if is_running(folder):
        raise UsageError(f"{folder.name} runs already; `daisee chain status {folder.path}` shows it")
    try:
        genesis = folder.genesis.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{folder.genesis} cannot be read: {error.strerror}; copy it from another node of the network, or from a backup"
        ) from error
    if folder.begun_with.exists() and folder.begun_with.read_bytes() != genesis:
        raise UsageError(
            f"{folder.data} is of another chain: it began with another genesis than {folder.genesis}; put the right one "
            f"there, or begin anew with `daisee chain reset {folder.path}`"
        )
    if shutil.disk_usage(folder.path).free < LEAST_FREE_BYTES:
        raise ChainError(f"the disk of {folder.path} is full: less than {LEAST_FREE_BYTES // 10**6} MB are free; make room first")
    for port, where in _ports(folder).items():
        if not is_free(port):
            raise PortTaken(port, where)


def is_running(folder: NodeFolder) -> bool:
    """Tell whether a client has a node's data open, be it one that hangs."""
    if folder.network.client != "geth":
        return not is_free(folder.entry.rpc_port)
    try:
        held = os.open(folder.data / "geth" / "LOCK", os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(held)
    return False


def strangers(folder: NodeFolder, now_s: float) -> dict[str, str]:
    """Map the peers that a node refused just now, because they are on another chain, to the beginning of their genesis."""
    since = datetime.fromtimestamp(now_s - LOOK_BACK_S).strftime("%m-%d|%H:%M:%S")  # noqa: DTZ006  # as geth writes it
    found = (OTHER_GENESIS.search(line) for line in tail_of(folder))
    return {match["peer"]: match["theirs"] for match in found if match and match["at"] >= since}


def program() -> str:
    """Answer a geth of the right version; UsageError, with how to get it, where there is none."""
    found = geth.find()
    if found is not None:
        return found
    other = os.environ.get(geth.NAMED_BY) or shutil.which("geth")
    has = f"{other} is {geth.version_of(other) or 'of no release'}" if other else "there is no geth on the PATH"
    raise UsageError(f"{has}, and this chain needs geth {geth.VERSION}: {geth.WHERE_FROM}")


def _ports(folder: NodeFolder) -> Mapping[int, str]:
    """Map the ports that a node will listen on to where they are said: its files may have been edited."""
    start, peers = _text(folder.path / START), _text(folder.path / PEERS)
    http = re.search(r"--http\.port[ =](\d+)", start)
    p2p = re.search(r'^ListenAddr = ".*:(\d+)"', peers, re.MULTILINE)
    found = {}
    if http:
        found[int(http[1])] = f"--http.port in {folder.path / START}"
    if p2p:
        found[int(p2p[1])] = f"ListenAddr in {folder.path / PEERS}"
    return found


def _text_or_none(path: Path) -> str | None:
    return path.read_text("utf-8") if path.exists() else None


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}; restore the folder from its backup") from error


def tail_of(folder: NodeFolder) -> list[str]:
    """Answer the last lines of a client's log; none where it has none."""
    try:
        with folder.log.open("rb") as log:
            log.seek(max(0, folder.log.stat().st_size - LOOK_BACK_BYTES))
            return log.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []


def is_free(port: int) -> bool:
    """Tell whether nobody listens on a port of this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
