"""The audit of a running node at the command line: what was refused over HTTP, who ran what, exported and verified."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import aiohttp
import pytest

from core.errors import ExitCode
from core.local_user import this_user
from tests.running import command, running
from tests.unit.edge.operations.syslog_grammar import Message, read

TIMEOUT_S = 60.0


async def exported(site: Path, *words: str) -> list[bytes]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "edge.cli", "audit", "export", "--site", str(site), *words),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await asyncio.wait_for(process.communicate(), TIMEOUT_S)
    assert (process.returncode, errors) == (0, b"")
    return output.splitlines()


def fields(message: Message) -> dict[str, str]:
    return message.data["postern@32473"]


@pytest.mark.long
@pytest.mark.proves("audit")
@pytest.mark.models
async def test_what_happens_at_a_node_is_listed_exported_and_verified(clinic: Path, tmp_path: Path) -> None:
    me, site = this_user(), ("--site", str(clinic))
    with running(clinic) as node:
        async with aiohttp.ClientSession() as http:
            for _ in range(3):
                wrong = {"Authorization": "Bearer pstn_wrong"}
                async with http.get(f"{node.url}/v1/models", headers=wrong) as answer:
                    assert answer.status == 401
            turns = f"{node.url}/api/v1/sessions/nobody/turns"
            async with http.post(turns, json={"text": "my name is Mary"}) as answer:
                assert answer.status == 401
        await command("kb", "list", *site, "--json")
        listed = await command("audit", "list", *site, "--outcome", "refused", "--json")
        assert [(row["actor"], row["action"], row["count"]) for row in listed["rows"]] == [
            ("customer", "turns.ask", 1),
            ("unknown", "models.list", 3),
        ]
        lines = await exported(clinic)
        messages = [read(line) for line in lines]
        ids = [int(fields(message)["id"]) for message in messages]
        assert ids == list(range(1, len(ids) + 1))
        assert (me, "kb.list") in {(fields(one)["actor"], fields(one)["action"]) for one in messages}
        assert b"Mary" not in b"".join(lines)
        remembered = tmp_path / "checkpoint.json"
        found = await command("audit", "verify", *site, "--json")
        assert (found["ok"], found["missing"]) == (True, 0)
        remembered.write_text(json.dumps({**found["checkpoint"], "sha256": "0" * 64}))
    await command(
        "audit", "verify", *site, "--checkpoint", str(remembered), "--json", expect=ExitCode.CHECK_FAILED
    )
    (row,) = [json.loads(line) for line in await exported(clinic, "--format", "json", "--action", "turns")]
    assert (row["actor"], row["action"], row["object"]) == ("customer", "turns.ask", "session_not_found")
