"""Key files: ours, geth's, and those of the standard's own examples; wrong passwords, and files that are none."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from daisee.errors import KeystoreError
from daisee.keystore import Keystore, read_bare_key, read_key_file
from daisee.units import Address

# The two examples of the Web3 Secret Storage Definition: password "testpassword", and the key below.
EXAMPLE_KEY = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d"
EXAMPLES: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "pbkdf2": (
        "6087dab2f9fdbbfaddc31a909735c1e6",
        "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
        "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2",
        {
            "c": 262144,
            "dklen": 32,
            "prf": "hmac-sha256",
            "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd",
        },
    ),
    "scrypt": (
        "83dbcc02d8ccb40e466191a123791e0e",
        "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
        "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097",
        {
            "dklen": 32,
            "n": 262144,
            "p": 8,
            "r": 1,
            "salt": "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19",
        },
    ),
}


def example(kdf: str) -> dict[str, Any]:
    """Answer an example as its file has it."""
    iv, ciphertext, mac, parameters = EXAMPLES[kdf]
    cipher = {"cipher": "aes-128-ctr", "cipherparams": {"iv": iv}, "ciphertext": ciphertext}
    crypto = {**cipher, "kdf": kdf, "kdfparams": parameters, "mac": mac}
    return {"crypto": crypto, "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6", "version": 3}


@pytest.fixture
def keystore(tmp_path: Path) -> Keystore:
    return Keystore(tmp_path / "keys")


@pytest.mark.parametrize("kdf", sorted(EXAMPLES))
@pytest.mark.parametrize("spelling", ["crypto", "Crypto"])
def test_the_standards_examples_open(kdf: str, spelling: str, tmp_path: Path) -> None:
    told = example(kdf)
    told[spelling] = told.pop("crypto")
    (tmp_path / "key").write_text(json.dumps(told))
    assert read_key_file(tmp_path / "key", "testpassword").key.hex() == EXAMPLE_KEY


def test_a_key_is_kept_for_its_owner_alone_and_opens_with_its_password_only(keystore: Keystore) -> None:
    account = Account.create()
    path = keystore.add(account, "päss word")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.name.startswith("UTC--")
    assert path.name.endswith(account.address[2:].lower())
    assert keystore.accounts() == {account.address: path}
    assert keystore.open(Address(account.address), "päss word").key == account.key
    with pytest.raises(KeystoreError, match="that is not the password") as told:
        keystore.open(Address(account.address), "pass word")
    assert account.key.hex() not in str(told.value)
    assert account.key.hex() not in path.read_text()


def test_an_account_is_kept_once(keystore: Keystore) -> None:
    account = Account.create()
    keystore.add(account, "a")
    with pytest.raises(KeystoreError, match="already"):
        keystore.add(account, "b")


def test_what_is_no_key_file_is_passed_over(keystore: Keystore) -> None:
    account = Account.create()
    path = keystore.add(account, "a")
    (keystore.folder / "notes.txt").write_text("nothing")
    (keystore.folder / "list.json").write_text("[]")
    (keystore.folder / "picture").write_bytes(b"\x89PNG\xff")
    (keystore.folder / "folder").mkdir()
    assert keystore.accounts() == {account.address: path}
    with pytest.raises(KeystoreError, match="there is no key of"):
        keystore.path_of(Address("0x" + "00" * 20))


def test_a_file_that_says_another_address_is_not_believed(keystore: Keystore) -> None:
    account = Account.create()
    path = keystore.add(account, "a")
    told = json.loads(path.read_text())
    path.write_text(json.dumps({**told, "address": "11" * 20}))
    with pytest.raises(KeystoreError, match="its key is of"):
        keystore.open(Address("0x" + "11" * 20), "a")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"crypto": {}}',
        '{"crypto": {}, "version": 3}',
        '{"crypto": {"kdf": "none"}, "version": 3}',
        '{"version": 7, "crypto": {}}',
        "[" * 50_000,
        '{"crypto": ' + "[" * 50_000,
        "\0" * 200_000,
    ],
)
def test_a_file_that_is_not_whole_is_said_to_be_so(text: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(text)
    with pytest.raises(KeystoreError, match="key file"):
        read_key_file(tmp_path / "key", "a")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"address": 5}, "says it is of 5"),
        ({"address": "zz"}, "says it is of zz"),
        ({"version": 1}, "is a key file of version 1, and only those of version 3 are read"),
        ({"crypto": {**example("pbkdf2")["crypto"], "cipherparams": {}}}, "it has no 'iv'"),
        ({"crypto": {**example("pbkdf2")["crypto"], "mac": 5}}, "makes no sense"),
        ({"crypto": {**example("pbkdf2")["crypto"], "kdfparams": {**EXAMPLES["pbkdf2"][3], "prf": "none"}}}, "makes no sense"),
        ({"crypto": {**example("pbkdf2")["crypto"], "kdf": "none"}}, "makes no sense"),
        ({"crypto": "none"}, "makes no sense"),
    ],
)
def test_what_is_wrong_with_a_strangers_file_is_said_in_words(changed: dict[str, Any], words: str, tmp_path: Path) -> None:
    keystore = Keystore(tmp_path / "keys")
    keystore.folder.mkdir()
    path = keystore.folder / "key"
    path.write_text(json.dumps({**example("pbkdf2"), **changed}))
    with pytest.raises(KeystoreError, match=words) as told:
        read_key_file(path, "testpassword")
    assert "Error" not in str(told.value)
    assert keystore.accounts() == {}


def test_the_mark_that_some_editors_begin_a_file_with_is_no_matter(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("\ufeff" + json.dumps(example("pbkdf2")), "utf-8")
    assert read_key_file(tmp_path / "key", "testpassword").key.hex() == EXAMPLE_KEY


@pytest.mark.timeout(20)
def test_a_file_without_end_is_not_read_to_its_end() -> None:
    with pytest.raises(KeystoreError, match="is no key file: it is longer than"):
        read_bare_key(Path("/dev/zero"))


def test_a_bare_key_is_read_and_nothing_else_is_taken_for_one(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"0x{EXAMPLE_KEY}\n")
    account = read_bare_key(file)
    assert account is not None
    assert account.key.hex() == EXAMPLE_KEY
    file.write_text("{}")
    assert read_bare_key(file) is None
    file.write_text("f" * 64)
    with pytest.raises(KeystoreError, match="no private key"):
        read_bare_key(file)


@pytest.mark.geth
def test_geth_opens_ours_and_we_open_what_geth_writes(geth_path: str, keystore: Keystore, tmp_path: Path) -> None:
    account = Account.create()
    keystore.add(account, "old")
    passwords = tmp_path / "passwords"
    passwords.write_text("old\nnew\n")

    def geth(*arguments: str) -> str:
        command = [geth_path, "account", arguments[0], "--keystore", str(keystore.folder), *arguments[1:]]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert account.address[2:].lower() in geth("list").lower()
    with pytest.raises(KeystoreError, match="that is not the password"):
        keystore.open(Address(account.address), "new")
    update = [geth_path, "account", "update", "--keystore", str(keystore.folder), "--lightkdf", account.address]
    changed = subprocess.run(update, input="old\nnew\nnew\n", capture_output=True, text=True, timeout=60, check=False)
    assert changed.returncode == 0, changed.stdout + changed.stderr
    assert keystore.open(Address(account.address), "new").key == account.key
    passwords.write_text("of geth\n")
    geth("new", "--password", str(passwords), "--lightkdf")
    made = next(each for each in keystore.accounts() if each.lower() != account.address.lower())
    assert str(keystore.open(made, "of geth").address) == made
