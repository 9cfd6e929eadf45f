"""Accounts as files, each encrypted with a password: Web3 Secret Storage, version 3, in the folder and names that geth uses.

What geth, MetaMask, MyEtherWallet and others write is read here, and what is written here they read. The key is derived from
the password by PBKDF2, which a small computer has the memory for; scrypt is read too.
"""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_keyfile.keyfile import create_keyfile_json, decode_keyfile_json
from eth_utils.address import to_checksum_address

from daisee import shallow
from daisee.errors import KeystoreError, WrongPassword
from daisee.files import read_some, write_whole
from daisee.units import Address

KEY_HEX = re.compile(r"(0x)?[0-9a-fA-F]{64}")
NAMED = re.compile(r"--([0-9a-fA-F]{40})(\.json)?$")
ADDRESS = re.compile(r"(0x)?[0-9a-fA-F]{40}")
VERSION = 3
MOST_BYTES = 100_000
"""Of a key file, which has some 500."""


class Keystore:
    """A folder of key files."""

    def __init__(self, folder: Path) -> None:
        """Name a folder; it is made when there is a key to keep."""
        self.folder = folder

    def accounts(self) -> dict[Address, Path]:
        """Map the accounts to their files, in the order of the files' names; what is no key file is passed over."""
        found = {}
        for path in sorted(self.folder.iterdir()) if self.folder.is_dir() else ():
            address = _address_of(path) if path.is_file() and not path.name.startswith(".") else None
            if address is not None:
                found[address] = path
        return found

    def path_of(self, account: Address) -> Path:
        """Answer an account's file; KeystoreError where there is none."""
        path = self.accounts().get(account)
        if path is None:
            raise KeystoreError(
                f"there is no key of {account} in {self.folder}; `daisee ledger account list` shows which there are"
            )
        return path

    def add(self, account: LocalAccount, password: str, *, rounds: int | None = None) -> Path:
        """Keep a key under a password; answer its file. KeystoreError where there is one of that account already.

        A password that nobody made up, and nobody can guess, needs few `rounds`; what people think of needs the many of default.
        """
        address = Address(account.address)
        if address in self.accounts():
            raise KeystoreError(f"{self.folder} has a key of {address} already")
        now = datetime.now(UTC)
        name = f"UTC--{now:%Y-%m-%dT%H-%M-%S}.{now.microsecond:06}000Z--{address[2:].lower()}"
        path = self.folder / name
        try:
            write_whole(path, json.dumps(encrypted(account, password, rounds)) + "\n")
        except OSError as error:
            raise KeystoreError(f"{path} cannot be written: {error.strerror}") from error
        return path

    def open(self, account: Address, password: str) -> LocalAccount:
        """Decrypt an account's key; WrongPassword, or KeystoreError for a file that is not whole."""
        return read_key_file(self.path_of(account), password)


def encrypted(account: LocalAccount, password: str, rounds: int | None = None) -> dict[str, Any]:
    """Answer a key file's content."""
    secret = bytes(account.key), password.encode()
    if rounds is None:
        return create_keyfile_json(*secret, kdf="pbkdf2")
    return create_keyfile_json(*secret, kdf="pbkdf2", iterations=rounds)


def read_key_file(path: Path, password: str) -> LocalAccount:
    """Decrypt a key file of anybody's; KeystoreError where it is none, WrongPassword where that is another."""
    told = _read(path)
    try:
        key = decode_keyfile_json(told, password.encode())
        account: LocalAccount = Account.from_key(key)
    except ValueError as error:
        if "MAC" in str(error):
            raise WrongPassword(f"that is not the password of {path}") from error
        raise KeystoreError(f"{path} is not a whole key file: {error}") from error
    except KeyError as error:
        raise KeystoreError(f"{path} is not a whole key file: it has no {error}") from error
    except (TypeError, AttributeError, AssertionError, OverflowError, MemoryError) as error:
        raise KeystoreError(f"{path} is not a whole key file: what it says of its encryption makes no sense") from error
    named = told.get("address")
    if named and _checksummed(named) != account.address:
        raise KeystoreError(f"{path} says it is of {named}, and its key is of {account.address}")
    return account


def read_bare_key(path: Path) -> LocalAccount | None:
    """Read a private key of 64 hex digits, as MetaMask shows it; None where the file holds something else."""
    text = _body(path).decode().strip()
    if not KEY_HEX.fullmatch(text):
        return None
    try:
        account: LocalAccount = Account.from_key(text)
    except ValueError as error:
        raise KeystoreError(f"the number in {path} is no private key") from error
    return account


def _body(path: Path) -> bytes:
    try:
        return read_some(path, MOST_BYTES)
    except OSError as error:
        raise KeystoreError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise KeystoreError(f"{path} is no key file: {error}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        told = shallow.parse(_body(path))
    except KeystoreError:
        raise
    except ValueError as error:
        raise KeystoreError(f"{path} is no key file: it is not JSON") from error
    if not isinstance(told, dict) or not {"crypto", "Crypto"} & set(told):
        raise KeystoreError(f'{path} is no key file: a key file of version {VERSION} has a part "crypto"')
    if told.get("version", VERSION) != VERSION:
        raise KeystoreError(
            f"{path} is a key file of version {told['version']}, and only those of version {VERSION} are read; "
            "let the wallet that wrote it export the key anew"
        )
    return told


def _address_of(path: Path) -> Address | None:
    """Answer whose key a file has, by what it says or by its name, which is all that some wallets leave; None for no key file."""
    if not os.access(path, os.R_OK):
        return None
    try:
        told = _read(path)
    except KeystoreError:
        return None
    named = NAMED.search(path.name)
    text = _checksummed(told.get("address") or (named[1] if named else ""))
    return Address(text) if text else None


def _checksummed(text: Any) -> str:
    """Answer an address with or without its 0x as ours are; nothing for what is none."""
    found = isinstance(text, str) and ADDRESS.fullmatch(text)
    return str(to_checksum_address("0x" + text.removeprefix("0x"))) if found else ""
