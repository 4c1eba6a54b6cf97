"""Staff documents answer an operator on the intranet, and nobody else: not by the body, not at a kiosk."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from edge.config import site_paths
from edge.store import audit
from edge.store.audit import AuditFilter
from edge.store.store import Store
from tests.integration.site_console.rig import Staff
from tests.running import RunningNode, command

STAFF_FACT = "The spare key of the medicine cabinet hangs behind the blue door."
QUESTION = "Where does the spare key of the medicine cabinet hang?"


async def asked(
    http: aiohttp.ClientSession, node: RunningNode, channel: str, **headers: str
) -> dict[str, Any]:
    """The answer to the question in a new conversation with these credentials."""
    api = f"{node.url}/api/v1/sessions"
    async with http.post(api, json={"channel": channel}, headers=headers) as response:
        made = await response.json()
        assert response.status == 201, made
    bearer = {"Authorization": f"Bearer {made['token']}"}
    base = f"{api}/{made['session_id']}"
    consent = {"notice_version": made["notice"]["version"]}
    async with http.post(f"{base}/consent", json=consent, headers=bearer) as response:
        assert response.status == 204
    async with http.post(f"{base}/turns", json={"text": QUESTION}, headers=bearer) as response:
        return dict(await response.json())


async def claimed(node: RunningNode) -> Staff:
    """The first operator. The code is there a moment after the node serves."""
    path, staff = node.site / "claim-code", Staff(node.url)
    async with asyncio.timeout(20):
        while not path.exists():
            await asyncio.sleep(0.05)
        while (await staff.claim(path.read_text().strip()))[0] == 401:
            await asyncio.sleep(0.05)
    return staff


@pytest.mark.long
@pytest.mark.proves("audiences")
@pytest.mark.models
async def test_staff_text_reaches_operators_on_the_intranet_only(
    own_node: RunningNode, tmp_path: Path
) -> None:
    document = tmp_path / "keys.md"
    document.write_text(f"# Keys\n\n{STAFF_FACT}\n")
    await command("kb", "add", "--site", str(own_node.site), "--audience", "staff", str(document), "--json")
    staff = await claimed(own_node)
    try:
        csrf = {"X-CSRF-Token": await staff.csrf("/")}
        assert STAFF_FACT in (await asked(staff.http, own_node, "intranet", **csrf))["answer"]
        for channel, headers in [("kiosk", csrf), ("api", csrf), ("intranet", {})]:
            assert STAFF_FACT not in str(await asked(staff.http, own_node, channel, **headers)), channel
        wrong = {"Authorization": "Bearer nobody"}
        api = f"{own_node.url}/api/v1/sessions"
        async with staff.http.post(api, json={"channel": "intranet"}, headers=wrong) as response:
            assert (response.status, (await response.json())["code"]) == (401, "operator_unknown")
        async with staff.http.post(api, json={"channel": "intranet", "audience": "staff"}) as response:
            assert response.status == 400
    finally:
        await staff.http.close()
    own_node.stop()
    store = Store.open(site_paths(own_node.site))
    rows = await store.read(lambda db: audit.search(db, AuditFilter(action="sessions.staff"), 10))
    await store.close()
    assert [(row.actor, row.object, row.outcome) for row in rows] == [("ada", "", "done")]
