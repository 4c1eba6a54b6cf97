"""The node killed in the middle of an `add`: every document is whole or absent, and adding again completes it."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import psutil

from edge.config import site_paths
from edge.web import admin
from tests.running import RunningNode, command

DOCUMENTS = 300
SECTIONS = 4
# Long for a loaded machine, and an error when it is reached.
WAIT_S = 90.0


def write_documents(folder: Path) -> Path:
    """Files that become SECTIONS passages each."""
    folder.mkdir()
    for number in range(DOCUMENTS):
        sections = [f"## Part {part}\n\nLocker {number} has shelf {part}.\n" for part in range(SECTIONS)]
        (folder / f"locker-{number:03}.md").write_text(f"# Locker {number}\n\n" + "\n".join(sections))
    return folder


async def until_committed(node: RunningNode, adding: asyncio.Future[Any]) -> None:
    """Wait until some of the folder is in, but not all."""
    async with asyncio.timeout(WAIT_S):
        while not await lockers(node):
            assert not adding.done(), "everything was added before the kill"
            await asyncio.sleep(0.02)


async def lockers(node: RunningNode) -> list[dict[str, Any]]:
    listed: Any = await admin.call(site_paths(node.site).admin_socket, "kb.list", {}, lambda _: None)
    return [document for document in listed if document["doc"].startswith("locker-")]


async def test_every_document_is_whole_or_absent(own_node: RunningNode, tmp_path: Path) -> None:
    folder = write_documents(tmp_path / "lockers")
    await until_serving(own_node, other_than=0)
    before = {child.pid for child in psutil.Process(own_node.process.pid).children(recursive=True)}
    socket = site_paths(own_node.site).admin_socket
    adding = asyncio.ensure_future(admin.call(socket, "kb.add", {"paths": [str(folder)]}, lambda _: None))
    await until_committed(own_node, adding)
    family = psutil.Process(own_node.process.pid).children(recursive=True)
    readers = [child for child in family if child.pid not in before]
    killed = own_node.kill("node")
    await asyncio.gather(adding, return_exceptions=True)
    _, alive = psutil.wait_procs(readers, timeout=WAIT_S)
    assert not alive, "the process that reads outlived its node"
    await until_serving(own_node, other_than=killed)
    documents = await lockers(own_node)
    assert 0 < len(documents) < DOCUMENTS
    assert {document["chunks"] for document in documents} == {SECTIONS}
    shown: Any = await command("kb", "show", "--site", str(own_node.site), documents[-1]["doc"], "--json")
    assert len(shown["passages"]) == SECTIONS
    report: Any = await command("kb", "add", "--site", str(own_node.site), str(folder), "--json")
    assert (report["added"], report["unchanged"]) == (DOCUMENTS - len(documents), len(documents))
    assert {document["chunks"] for document in await lockers(own_node)} == {SECTIONS}


async def until_serving(node: RunningNode, *, other_than: int) -> None:
    """Wait until a node process other than this one answers on the admin socket."""
    async with asyncio.timeout(WAIT_S):
        while True:
            with contextlib.suppress(LookupError, admin.NotReachable):
                await lockers(node)
                if node.pid_of("node") != other_than:
                    return
            await asyncio.sleep(0.05)
