"""What going on costs after kills: bytes that the control plane sent, over those of the same fetch left alone.

A node (`update_walk.py`) and its real courier, a process each, and between courier and control plane a link that counts
what comes down. Both are killed in turn in the midst of a package; a second site fetches as much and is left alone.
What the line holds when a node dies counts, too: it was sent and nobody will read it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path
from typing import Any

from core.artifacts import CHUNK_BYTES_MIN, cut
from edge.config import site_paths
from tests.bench import harness, update_walk
from tests.bench.link_proxy import LinkProxy
from tests.bench.sync_rig import through_a_proxy
from tests.contract.artifact_rig import ArtifactCloud, artifact_cloud
from tests.contract.courier_process import CourierProcess

# Of the usual size of an encoder.
SIZE = 96 * 2**20
KILLS = 3
# As the site lets it come (`updates.bytes_per_s`): what a fetch has under way waits in the line, as on a slow one.
BYTES_PER_S = 16 * 2**20
LOOK_S = 0.005
FETCH_S_MAX = 240.0


async def measure(work: Path, size: int = SIZE, kills: int = KILLS) -> dict[str, Any]:
    """Two sites, one after the other."""
    alone = await _came_down(work / "alone", size, 0)
    harness.progress(f"left alone: {alone} bytes for two packages of {size}")
    killed = await _came_down(work / "killed", size, kills)
    harness.progress(f"with {kills} kills: {killed - alone} more")
    return {
        "bytes": size,
        "kills": kills,
        "again_bytes": killed - alone,
        "again_bytes_a_kill": round((killed - alone) / max(kills, 1)),
        "overhead": (killed - alone) / size,
        "framing": alone / size / len(update_walk.VERSIONS) - 1,
    }


async def _came_down(root: Path, size: int, kills: int) -> int:
    """Bytes from the control plane until both of a walk's updates have ended."""
    shutil.rmtree(root, ignore_errors=True)
    await asyncio.to_thread(update_walk.prepare, root, size)
    paths = site_paths(root / "site")
    async with artifact_cloud(paths) as cloud:
        _publish(cloud, root)
        link, courier = through_a_proxy(paths.courier), CourierProcess(paths)
        await courier.start()
        try:
            node = await _start(root)
            for number in range(1, kills + 1):
                await _came(link, size * number // (kills + 1), node)
                if number % 2:
                    node.kill()
                    await asyncio.to_thread(node.communicate)
                    node = await _start(root)
                else:
                    await courier.kill()
                    await courier.start()
            await _ended(node)
        finally:
            node.kill()
            await courier.stop()
            link.close()
    return link.bytes_down


def _publish(cloud: ArtifactCloud, root: Path) -> None:
    for version in update_walk.VERSIONS:
        for path in (root / "published" / version).iterdir():
            for _, content in cut(BytesIO(path.read_bytes()), CHUNK_BYTES_MIN):
                cloud.put(content)


async def _start(root: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.bench.update_walk", "run", str(root)]
    environment = os.environ | {update_walk.BYTES_PER_S: str(BYTES_PER_S)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


async def _came(link: LinkProxy, size: int, node: subprocess.Popen[str]) -> None:
    """Raises BenchRefused where that much never comes."""
    until_s = time.monotonic() + FETCH_S_MAX
    while link.bytes_down < size:
        if node.poll() is not None or time.monotonic() > until_s:
            raise harness.BenchRefused(f"{link.bytes_down} of {size} bytes came before a kill was due.")
        await asyncio.sleep(LOOK_S)


async def _ended(node: subprocess.Popen[str]) -> None:
    out, _ = await asyncio.to_thread(node.communicate, timeout=FETCH_S_MAX)
    if node.returncode or not out:
        raise harness.BenchRefused(f"The walk ended with {node.returncode} before its updates had.")
