"""`daisee chain import-spec`: the community of a Parity chain, as a new network with the same validators and balances."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from eth_account.signers.local import LocalAccount

from daisee.chain.founding import Plan, found
from daisee.chain.gethfiles import PASSWORD, keystore_of
from daisee.chain.network import Network, NodeEntry
from daisee.chain.parityspec import ParitySpec, read_spec
from daisee.cli.chain.init import FUNDED_WEI, described, fund_option, nodes_options
from daisee.cli.keys import password_from
from daisee.cli.ledger.amounts import ACCOUNT
from daisee.cli.saying import json_option, say
from daisee.errors import UsageError, WrongPassword
from daisee.keystore import Keystore, read_bare_key, read_key_file
from daisee.units import Address

log = logging.getLogger(__name__)


@click.command("import-spec")
@click.argument("spec_file", metavar="SPEC", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@nodes_options
@click.option("--period", "period_s", type=click.IntRange(1, 3_600), help="Seconds between blocks, instead of SPEC's.")
@click.option("--gas-limit", type=click.IntRange(1_000_000, 2**53), help="Gas in a block, instead of SPEC's.")
@click.option("--validator", "validators", type=ACCOUNT, multiple=True, metavar="ADDR", help="Who seals, instead of SPEC's.")
@fund_option("An account that has gas money besides.")
@click.option(
    "--key", "key_files", type=click.Path(path_type=Path, dir_okay=False), multiple=True, metavar="FILE",
    help="A validator's key file, of Parity's or geth's.",
)  # fmt: skip
@click.option(
    "--keystore", "keystores", type=click.Path(path_type=Path, exists=True, file_okay=False), multiple=True, metavar="FOLDER",
    help="A folder of key files, in which the validators' are looked for.",
)  # fmt: skip
@click.option(
    "--password-file", type=click.Path(path_type=Path, dir_okay=False),
    help="A file of the key files' passwords, one a line, tried in turn; else DAISEE_PASSWORD, else it is asked for.",
)  # fmt: skip
@json_option
def import_spec_command(
    spec_file: Path,
    folder: Path,
    period_s: int | None,
    gas_limit: int | None,
    validators: tuple[Address, ...],
    funded: tuple[Address, ...],
    key_files: tuple[Path, ...],
    keystores: tuple[Path, ...],
    password_file: Path | None,
    as_json: bool,
    **of_network: Any,
) -> None:
    """Make a network in DIR of the community that SPEC, the chain specification of a Parity chain, describes.

    It has the same chain id, validators, balances, time between blocks and gas limit, and begins at block 0. What it cannot
    take over is said. A validator whose key is not given has a node folder without one, and puts it there.
    """
    spec = read_spec(spec_file, validators=validators, period_s=period_s, gas_limit=gas_limit)
    keys = _keys(spec, key_files, keystores, password_file)
    plan = Plan(
        **of_network,
        chain_id=spec.chain_id,
        period_s=spec.period_s,
        gas_limit=spec.gas_limit,
        validators=len(spec.validators),
        balances={**spec.balances, **{account: spec.balances.get(account, 0) + FUNDED_WEI for account in funded}},
        keys=tuple(bytes(account.key) for account in keys),
        addresses=spec.validators,
    )
    network = found(folder, plan)
    missing = [node for node in network.nodes if node.validator not in {str(account.address) for account in keys}]
    open_purses = [node for node in network.nodes if node.validator and plan.balances.get(node.validator)]
    facts = {
        "folder": str(folder), **asdict(network), "not_taken_over": spec.left,
        "keys_missing": [node.name for node in missing], "validators_with_money": [node.name for node in open_purses],
    }  # fmt: skip
    say(as_json, facts, "\n".join(_told(folder, network, spec, tuple(plan.balances), missing, open_purses)))


def _told(
    folder: Path,
    network: Network,
    spec: ParitySpec,
    rich: tuple[Address, ...],
    missing: Sequence[NodeEntry],
    open_purses: Sequence[NodeEntry],
) -> list[str]:
    *made, then = described(folder, network, rich)
    lines = [*made, f"{len(rich)} accounts have money. Not taken over{f' of {spec.name}' if spec.name else ''}:"]
    lines += [f"  - {each}" for each in spec.left]
    for node in missing:
        keystore, password = keystore_of(folder / node.name), folder / node.name / PASSWORD
        lines.append(f"{node.name} has no key yet: its owner puts the key file of {node.validator} into {keystore}/")
        lines.append(f"  and that file's password, as one line that nobody else can read, into {password}")
    if network.client == "geth":
        lines += [
            f"{node.name} seals with {node.validator}, which has money: any program on its machine can spend that while the node "
            "runs; send it to another account first thing"
            for node in open_purses
        ]
    return [*lines, then]


def _keys(
    spec: ParitySpec, key_files: Sequence[Path], keystores: Sequence[Path], password_file: Path | None
) -> list[LocalAccount]:
    """Answer the validators' keys that are in these files, each once."""
    files = [*key_files]
    for keystore in keystores:
        accounts = Keystore(keystore).accounts()
        files += [accounts[address] for address in spec.validators if address in accounts]
    if keystores and not files:
        raise UsageError(
            f"no validator's key is in {', '.join(map(str, keystores))}; the validators are {', '.join(spec.validators)}"
        )
    found: dict[str, LocalAccount] = {}
    passwords: list[str] = []
    for file in files:
        account = read_bare_key(file)
        if account is None:
            passwords = passwords or _passwords(password_file)
            account = _opened(file, passwords)
        if Address(account.address) not in spec.validators:
            raise UsageError(f"{file} is the key of {account.address}, who is no validator of {spec.name or 'the chain'}")
        found[account.address] = account
    return list(found.values())


def _passwords(file: Path | None) -> list[str]:
    if file is None:
        return [password_from(None, "the validators' key files")]
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the password file {file} cannot be read: {getattr(error, 'strerror', error)}") from error
    passwords = [line for line in dict.fromkeys(lines) if line]
    if not passwords:
        raise UsageError(f"the password file {file} is empty; write each key file's password on a line of its own")
    return passwords


def _opened(file: Path, passwords: Sequence[str]) -> LocalAccount:
    """Decrypt a key file with the first of these passwords that fits; KeystoreError where none does, or it is no key file."""
    for password in passwords:
        try:
            return read_key_file(file, password)
        except WrongPassword as error:
            if len(passwords) == 1:
                raise
            log.debug("%s", error)
    raise WrongPassword(f"none of the {len(passwords)} passwords is that of {file}")
