"""A backup of a node that serves, restored on a machine that never had the site: it serves there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pyrage.x25519 import Identity

from edge.config import site_paths
from tests.running import Customer, RunningNode, command, running

SATURDAY = "When are you open on Saturday?"
SATURDAY_QUOTE = "On Saturday the clinic is open from 9:00 to 13:00."


@pytest.mark.long
@pytest.mark.proves("backup")
async def test_a_site_comes_back_on_another_machine(own_node: RunningNode, tmp_path: Path) -> None:
    site, vault = own_node.site, tmp_path / "vault"
    vault.mkdir()
    file, recovery = vault / "monday.age", vault / "recovery-key"
    recovery.write_text(site_paths(site).recovery_key.read_text())
    async with Customer.at(own_node.url) as customer:
        await customer.ask(SATURDAY)
        made = await command("backup", "--site", str(site), str(file), "--json")
        again = await command("backup", "--site", str(site), str(file), expect=2)
    assert made["bytes"] == file.stat().st_size
    assert (vault / "monday.age.keys").exists()
    assert any("Models" in sentence for sentence in made["left_out"])
    assert "--replace" in again
    told = await command("status", "--site", str(site), "--json")
    assert told["backup"] == {"newest_ms": made["made_ms"], "file": str(file)}
    refused = await command("restore", "--site", str(site), str(file), "--replace", expect=1)
    assert "Stop the other process" in refused
    own_node.stop()
    shutil.rmtree(site)

    new = ["restore", "--site", str(tmp_path / "new"), str(file)]
    stranger = tmp_path / "stranger"
    stranger.write_text(str(Identity.generate()))
    assert "recovery key" in await command(*new, "--recovery-key", str(stranger), expect=1)
    assert not (tmp_path / "new").exists()
    done = await command(*new, "--recovery-key", str(recovery), "--json")
    assert (done["people"], done["settings"], done["missing"]) == ("file", "", [])
    with running(tmp_path / "new") as node:
        async with Customer.at(node.url) as customer:
            assert SATURDAY_QUOTE in (await customer.ask(SATURDAY))["answer"]
        rows = await command("doctor", "--site", str(node.site), "--json")
        assert {row["id"]: row["ok"] for row in rows["checks"]}["backup"]
        assert {row["id"]: row["ok"] for row in rows["checks"]}["keys"]
