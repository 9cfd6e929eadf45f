"""A person at a terminal, for the tests of `daisee ledger`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from daisee.cli import main
from daisee.keystore import Keystore
from daisee.ledger.deploy import Deployment, DeploymentRecord
from daisee.units import base_units

PRICE = base_units("0.20")
PASSWORD = "correct horse"


class Desk:
    """A person at a terminal: a keystore, a deployment.json, and a chain that seals while a command waits."""

    def __init__(self, community: Any, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.community, self.folder = community, folder
        self._capsys = capsys
        self.keystore = Keystore(folder / "keys")
        self.operator, self.a, self.b = (
            str(sender.address) for sender in (community.operator, community.homes["A"], community.homes["B"])
        )
        for sender in (community.operator, *community.homes.values()):
            self.keystore.add(sender._account, PASSWORD)
        made = Deployment(community.coin, community.exchange, 0)
        DeploymentRecord.of(community.web3, made).write(folder / "deployment.json")

    def run(self, *arguments: str, who: str = "") -> tuple[int, str, str]:
        """Answer the exit code and what was said, on both outputs."""
        options = ["--as", who] if who else []
        with pytest.raises(SystemExit) as ended:
            main(["ledger", "--keystore", str(self.keystore.folder), *arguments, *options])
        told = self._capsys.readouterr()
        return int(ended.value.code or 0), told.out, told.err

    def does(self, *arguments: str, who: str = "") -> str:
        """Answer what was said by a command that works."""
        code, out, err = self.run(*arguments, who=who)
        assert (code, err) == (0, "")
        return out

    def told(self, *arguments: str, who: str = "") -> Any:
        """Answer what was said in JSON."""
        return json.loads(self.does(*arguments, "--json", who=who))
