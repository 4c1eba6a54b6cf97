"""`postern-cloud` as people run it: real processes, signals, exit codes, one JSON document on stdout."""

from __future__ import annotations

import asyncio
import json
import resource
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from cloud_sync.app import Ready
from cloud_sync.config import CloudPaths, load_settings
from cloud_sync.folder import load_identities
from cloud_sync.services import control_plane
from cloud_sync.store.schema import records
from tests.integration.cloud_sync.fleet_node import Link, TestNode, enrol, row

pytestmark = pytest.mark.slow

COMMAND_TIMEOUT_S = 60
STOP_TIMEOUT_S = 10


async def command(*arguments: str) -> tuple[int, str, str]:
    """Run `postern-cloud`: exit code, stdout, stderr."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cloud_sync.cli",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), COMMAND_TIMEOUT_S)
    return process.returncode or 0, out.decode(), err.decode()


async def answer(*arguments: str) -> Any:
    code, out, err = await command(*arguments, "--json")
    assert code == 0, err
    assert out.count("\n") == 1
    return json.loads(out)


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, Ready]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cloud_sync.cli",
        "run",
        "--dir",
        str(folder),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout
    try:
        line = json.loads(await asyncio.wait_for(process.stdout.readline(), COMMAND_TIMEOUT_S))
        assert line.pop("event") == "ready"
        yield process, Ready(**line)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_the_command_line_from_the_folder_to_a_revoked_node(
    cloud_dir: CloudPaths, tmp_path: Path
) -> None:
    folder = str(cloud_dir.root)
    wanted = tmp_path / "wanted.toml"
    wanted.write_text('answer_mode = "extractive"\n', encoding="utf-8")
    async with serving(cloud_dir.root) as (process, ready):
        soft, hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        assert soft == hard
        code = await answer("enroll-code", "new", "--dir", folder, "--site", "St. Anna")
        assert code["expires_at"].endswith("Z")
        node = await enrol(ready.enrolment, code["code"])
        async with Link(node) as link:
            await link.hello()
            generation = (await answer("desired", "set", str(wanted), "--dir", folder))["generation"]
            assert (await link.receive()).generation == generation
            listed = await answer("node", "list", "--dir", folder)
            assert [(item["id"], item["site"]) for item in listed] == [(node.id, "St. Anna")]
            assert (await answer("node", "revoke", node.id, "--dir", folder))["changed"] is True
            assert await link.receive()  # goodbye
        assert (await answer("node", "show", node.id, "--dir", folder))["state"] == "revoked"
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S) == 0


@pytest.mark.long
async def test_errors_say_what_to_do_and_leave_stdout_alone(cloud_dir: CloudPaths, tmp_path: Path) -> None:
    folder = str(cloud_dir.root)
    cases = [
        (("node", "show", "node-unknown", "--dir", folder, "--json"), 1, "node list"),
        (("node", "list", "--dir", str(tmp_path / "nowhere")), 2, "postern-cloud init"),
        (("init", "--dir", folder), 2, "another folder"),
        (("desired", "set", str(tmp_path / "missing.toml"), "--dir", folder), 2, "path"),
    ]
    for arguments, expected, remedy in cases:
        code, out, err = await command(*arguments)
        assert (code, out) == (expected, ""), err
        assert remedy in " ".join(err.split())


async def test_killing_the_control_plane_loses_no_acknowledged_row(cloud_dir: CloudPaths) -> None:
    last, acknowledged = 2_000, 0
    node: TestNode | None = None
    for life in range(3):
        async with serving(cloud_dir.root) as (process, ready):
            if node is None:
                code = (await answer("enroll-code", "new", "--dir", str(cloud_dir.root)))["code"]
                node = await enrol(ready.enrolment, code)
            node = TestNode(node.id, node.key_pem, node.certificate_pem, node.ca_pem, ready.sync)
            async with Link(node) as link:
                committed = (await link.open(1, last)).committed_sequence
                assert committed >= acknowledged
                for _ in range(10 * (life + 1)):
                    rows = [row(n) for n in range(committed + 1, committed + 11)]
                    acknowledged = committed = (await link.batch(rows)).committed_sequence
                await link.send_batch([row(n) for n in range(committed + 1, committed + 51)])
                process.kill()
                await process.wait()
    async with control_plane(cloud_dir, load_settings(cloud_dir), load_identities(cloud_dir)) as control:
        query = sa.select(records.c.seq).order_by(records.c.seq)
        stored = await control.database.run(lambda connection: list(connection.execute(query).scalars()))
    assert stored == list(range(1, len(stored) + 1))
    assert len(stored) in (acknowledged, acknowledged + 50)
