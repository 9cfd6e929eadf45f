"""`daisee chain`: a community's own network of real nodes, made, run, looked after."""

from __future__ import annotations

import click

from daisee.cli.chain.care import backup_command, reset_command, restore_command, unstick_command
from daisee.cli.chain.init import init_command
from daisee.cli.chain.node import enode_command, node_group, peers_command
from daisee.cli.chain.run import run_command, up_command
from daisee.cli.chain.spec import import_spec_command
from daisee.cli.chain.status import status_command
from daisee.cli.chain.validator import validator_group


@click.group()
def chain() -> None:
    """A network of nodes that the homes run themselves, by proof of authority."""


for command in (
    init_command,
    import_spec_command,
    run_command,
    up_command,
    status_command,
    node_group,
    enode_command,
    peers_command,
    validator_group,
    backup_command,
    restore_command,
    reset_command,
    unstick_command,
):
    chain.add_command(command)
