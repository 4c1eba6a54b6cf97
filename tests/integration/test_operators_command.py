"""`postern operators`: with and without a running node, one store, one audit; what is printed once works."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from core.errors import ExitCode
from edge.config import site_paths
from edge.store import audit
from edge.store.audit import AuditFilter
from edge.store.store import Store
from tests.integration.site_console.rig import Staff
from tests.running import command, running

PASSWORD = "a gate in a long wall"


async def operators(site: Path, *words: str, password: str = "", expect: int = 0) -> Any:
    """Run `postern operators …` with a password on its standard input."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "edge.cli", "operators", *words, "--site", str(site), "--json",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await process.communicate(f"{password}\n".encode())
    assert process.returncode == expect, errors.decode()
    return json.loads(output) if output else errors.decode()


@pytest.mark.long
@pytest.mark.models
async def test_operators_are_kept_with_and_without_a_running_node(clinic: Path) -> None:
    added = await operators(clinic, "add", "bob", "--role", "desk", "--role", "technician", password=PASSWORD)
    assert added == {"name": "bob", "roles": ["desk", "technician"]}
    with running(clinic) as node:
        sealed = await operators(clinic, "break-glass")
        refused = await operators(
            clinic, "add", "eve", "--role", "desk", password="short", expect=ExitCode.FAILED
        )
        assert "12" in refused
        assert "short" not in refused
        found = {item["name"]: (item["state"], item["seal"]) for item in await operators(clinic, "list")}
        assert found == {"bob": ("active", None), "break-glass": ("break-glass", "whole")}
        assert not (clinic / "claim-code").exists()
        bob, guest = Staff(node.url), Staff(node.url)
        assert (await bob.log_in("bob", PASSWORD))[0] == 303
        assert (await guest.break_glass(*sealed["envelopes"]))[0] == 303
        token = (await operators(clinic, "token", "bob", "--hours", "1"))["token"]
        bearer = {"Authorization": f"Bearer {token}"}
        api = f"{node.url}/api/v1/sessions"
        async with bob.http.post(api, json={"channel": "intranet"}, headers=bearer) as response:
            assert response.status == 201
        await operators(clinic, "add", "ann", "--role", "technician", password=PASSWORD)
        await operators(clinic, "disable", "bob")
        assert (await bob.get("/"))[0] == 303
        async with bob.http.post(api, json={"channel": "intranet"}, headers=bearer) as response:
            assert response.status == 401
        for staff in (bob, guest):
            await staff.http.close()
    store = Store.open(site_paths(clinic))
    rows = await store.read(lambda db: audit.search(db, AuditFilter(action="operators."), 100))
    await store.close()
    assert all(row.actor.startswith("terminal:") for row in rows)
    shown, failed = "list ", "failed"
    names = [
        name
        for row in reversed(rows)
        if (name := f"{row.action.removeprefix('operators.')} {row.object}") != shown
        and row.outcome != failed
    ]
    assert names == [
        "add bob",
        "add break-glass",
        "break-glass break-glass",
        "token bob",
        "add ann",
        "disable bob",
    ]


@pytest.mark.models
async def test_a_site_without_operators_says_how_to_begin(clinic: Path) -> None:
    assert "claim code" in await command("operators", "list", "--site", str(clinic))
