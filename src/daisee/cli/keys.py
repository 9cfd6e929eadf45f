"""What every command needs that signs: where keys are, and their passwords."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from daisee.errors import UsageError
from daisee.files import read_secret


def default_keystore() -> Path:
    """Answer where this user's keys are kept when nothing else is said."""
    data = os.environ.get("XDG_DATA_HOME", "")
    return (Path(data) if Path(data).is_absolute() else Path.home() / ".local" / "share") / "daisee" / "keystore"


keystore_option = click.option(
    "--keystore", type=click.Path(path_type=Path, file_okay=False), envvar="DAISEE_KEYSTORE", show_envvar=True,
    default=default_keystore, show_default="~/.local/share/daisee/keystore", help="The folder of the key files.",
)  # fmt: skip
password_file_option = click.option(
    "--password-file", type=click.Path(path_type=Path, dir_okay=False),
    help="A file whose first line is the password; else DAISEE_PASSWORD, else it is asked for.",
)  # fmt: skip


def password_from(file: Path | None, account: str, *, twice: bool = False) -> str:
    """Answer a password: of a file's first line, else of DAISEE_PASSWORD, else asked for; it is never an argument."""
    if file is not None:
        try:
            return read_secret(file)
        except OSError as error:
            raise UsageError(f"the password file {file} cannot be read: {error.strerror}") from error
    if "DAISEE_PASSWORD" in os.environ:
        return os.environ["DAISEE_PASSWORD"]
    if not sys.stdin.isatty():
        raise UsageError("no password: name a file with --password-file, or set DAISEE_PASSWORD, where nobody can be asked")
    asked = click.prompt(
        f"Password of {account}",
        hide_input=True,
        confirmation_prompt=twice,
        default=None if twice else "",
        show_default=False,
        err=True,
    )
    return str(asked)
