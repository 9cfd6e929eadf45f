"""A real PostgreSQL for tests: a cluster of its own in a temporary folder, on a socket there and on a free loopback port."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_S = 60.0


@contextmanager
def cluster(program: str) -> Iterator[str]:
    """Run a server; answer its address, with the password in it. It never runs as root, and so neither does who made it."""
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    user = _user()
    if user is not None:
        shutil.chown(folder, user.pw_name)
    password = secrets.token_urlsafe(12)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    secret = folder / "password"
    secret.write_text(password)
    secret.chmod(0o644)
    try:
        bins = Path(program).parent
        made = _as(
            user, [bins / "initdb", "-D", folder / "data", "-U", "daisee", "--pwfile", secret, "-A", "scram-sha-256", "-N"]
        )
        subprocess.run(made, check=True, capture_output=True, text=True, timeout=START_S, cwd="/")
        options = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": folder, "fsync": "off"}
        given = [f"-c{name}={value}" for name, value in options.items()]
        server = subprocess.Popen(
            _as(user, [program, "-D", folder / "data", *given]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/"
        )
        try:
            url = f"postgresql://daisee:{password}@127.0.0.1:{port}/postgres"
            _wait(url)
            yield url
        finally:
            server.send_signal(signal.SIGINT)  # without waiting for who is still connected
            server.wait(START_S)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _user() -> pwd.struct_passwd | None:
    """Answer whom to run it as: root may not."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _as(user: pwd.struct_passwd | None, command: list[object]) -> list[str]:
    told = [str(word) for word in command]
    return told if user is None else ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", *told]


def _wait(url: str) -> None:
    import psycopg

    until = time.monotonic() + START_S
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        else:
            return
