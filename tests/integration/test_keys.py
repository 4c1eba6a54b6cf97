"""A site whose root key is in a TPM: it serves, changes keys while it serves, and comes back when the TPM is dead."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import ExitCode
from edge.config import site_paths
from edge.store import audit
from edge.store.audit import AuditFilter
from edge.store.store import Store
from tests.running import Customer, command, running
from tests.software_tpm import name_tpm, needs_swtpm, software_tpms

pytestmark = [pytest.mark.models, needs_swtpm]


async def answered(url: str) -> bool:
    async with Customer.at(url) as customer:
        answer = await customer.ask("When are you open?")
    return answer["route"] == "answer"


@pytest.mark.long
@pytest.mark.proves("keys")
async def test_a_site_lives_with_a_tpm_and_outlives_it(clinic: Path) -> None:
    paths, where = site_paths(clinic), ("--site", str(clinic), "--json")
    first_recovery_key = paths.recovery_key.read_text()
    with software_tpms() as new_tpm:
        chip = new_tpm()
        name_tpm(paths, chip.tpm)
        with running(clinic) as node:
            assert "keys:not_sealed" in (await command("status", *where))["fallbacks"]
            assert await command("keys", "seal", *where) == {"root_in": "tpm"}
            assert not any(
                name.startswith("keys:") for name in (await command("status", *where))["fallbacks"]
            )
            paths.recovery_key.unlink()
            assert (await command("keys", "rotate", *where))["root_in"] == "tpm"
            node.kill("node")  # what was changed holds without a clean stop
        recovery_key = paths.recovery_key.read_text()
        with running(clinic) as node:
            assert await answered(node.url)
            chip.stop()  # it is asked at the start only
            assert await answered(node.url)
            holders = {row["key"]: row["holder"] for row in await command("keys", "list", *where)}
            assert holders["root"] == "this machine's TPM"
        assert "keys recover" in await command("status", *where, expect=ExitCode.FAILED)
        (clinic / "typed").write_text(first_recovery_key)
        await command(
            "keys", "recover", *where, "--recovery-key", str(clinic / "typed"), expect=ExitCode.FAILED
        )
        (clinic / "typed").write_text(recovery_key)
        found = await command("keys", "recover", *where, "--recovery-key", str(clinic / "typed"))
        assert found == {"root_in": "file"}
        with running(clinic) as node:
            assert await answered(node.url)
    store = Store.open(paths)
    rows = await store.read(lambda db: audit.search(db, AuditFilter(action="keys."), 100))
    await store.close()
    assert [f"{row.action} {row.outcome}" for row in reversed(rows)] == [
        "keys.seal begun",
        "keys.seal done",
        "keys.rotate begun",
        "keys.rotate done",
        "keys.recover done",
    ]
