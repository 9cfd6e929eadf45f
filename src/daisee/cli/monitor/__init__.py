"""`daisee monitor`: a home's meters, what they said, and what it cost. Each command is loaded when it is asked for."""

from __future__ import annotations

from importlib import import_module

import click

COMMANDS = {
    "example": "example:example_command",
    "discover": "discover:discover_command",
    "check": "check:check_command",
    "run": "run:run_command",
    "collect": "run:collect_command",
    "read": "read:read_command",
    "calibrate": "calibrate:calibrate_command",
    "simulate": "simulate:simulate_command",
    "history": "history:history_command",
    "bill": "bill:bill_command",
    "import": "import_:import_command",
    "export": "export:export_command",
    "correct": "correct:correct_command",
    "token": "token:token_group",
}


class Commands(click.Group):
    """What measures for years brings into memory what it needs alone."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List them, as a person comes to need them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Load one."""
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name].partition(":")
        command: click.Command = getattr(import_module(f"daisee.cli.monitor.{module}"), attribute)
        return command


@click.group(cls=Commands)
def monitor() -> None:
    """A home's meters: measured, remembered for years, and answered in milliseconds."""
