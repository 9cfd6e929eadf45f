"""`daisee ledger` on a chain that seals only when there is something for it, after a pause longer than the skew."""

from __future__ import annotations

import functools
import json
import time
from pathlib import Path
from typing import Any

import pytest
from eth_keyfile.keyfile import create_keyfile_json
from tests.chain import geth
from tests.cli.desk import Desk

from daisee.cli import main


@pytest.mark.geth
def test_geth_dev_takes_after_a_pause_what_a_block_of_now_takes(
    geth_path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("daisee.keystore.create_keyfile_json", functools.partial(create_keyfile_json, iterations=2))
    for name in ("ACCOUNT", "DEPLOYMENT", "EXCHANGE"):
        monkeypatch.delenv(f"DAISEE_{name}", raising=False)
    monkeypatch.setenv("DAISEE_PASSWORD", "two words")
    monkeypatch.setenv("DAISEE_KEYSTORE", str(tmp_path / "keys"))

    def run(command: str, code: int = 0) -> Any:
        with pytest.raises(SystemExit) as ended:
            main(["ledger", *command.split()])
        told = capsys.readouterr()
        assert (ended.value.code or 0) == code, told.err
        return told.err if code else json.loads(told.out)

    with geth.dev(geth_path, tmp_path / "geth", {}, period_s=0) as node:
        monkeypatch.setenv("DAISEE_RPC", node.url)
        old, new = (run("account new --json")["account"] for _ in range(2))
        for account in (old, new):
            run(f"account fund {account} --of-the-node --amount 1ether --json")
        coin = run(f"deploy --skew 1 --admin-delay 0 --as {old} --json")["coin"]
        run(f"exchange admit {old} --as {old} --json")
        run(f"contract send {coin} beginDefaultAdminTransfer {new} --abi coin --as {old} --json")
        run(f"contract send {coin} acceptDefaultAdminTransfer --abi coin --as {new} --json")
        time.sleep(3)
        assert run(f"exchange report --produced 1kWh --as {old} --json")["succeeded"]
        time.sleep(3)
        said = run(f"exchange report --until {int(time.time()) + 100} --as {old}", code=1)
        assert ("compare this machine's clock" in said, "does anybody seal?" in said) == (True, False)


def test_a_chain_that_stands_still_is_named_where_a_report_seems_ahead(market: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("daisee.cli.ledger.hand", "daisee.ledger.trial"):
        monkeypatch.setattr(f"{module}.is_instant", lambda _web3: False)
    before = market.community.web3.eth.block_number
    code, _, err = market.run("exchange", "report", "--own", "0kWh", who=market.a)
    assert (code, err.count("\n"), "does anybody seal?" in err) == (1, 1, True)
    assert market.community.web3.eth.block_number == before
