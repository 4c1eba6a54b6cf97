"""What a restored control plane signs, read by a node that has seen what came after the backup."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from cloud_sync.config import CloudPaths
from cloud_sync.registry.signing_keys import KeyRing
from edge.updates.tuf_client import TrustRefused
from tests.integration.cloud_sync.conftest import running
from tests.integration.cloud_sync.test_artifacts import artifacts, assign, folder, publish
from tests.integration.cloud_sync.test_recovery import backup, put_back
from tests.integration.cloud_sync.test_trust import installed, trust_of

__all__ = ["folder"]


@pytest.mark.long
@pytest.mark.parametrize("published", ["before", "since"])
async def test_a_node_trusts_a_control_plane_that_is_put_back(
    cloud_dir: CloudPaths, folder: Path, tmp_path: Path, published: str
) -> None:
    keys = KeyRing(), KeyRing()
    async with running(cloud_dir) as cloud:
        node = await cloud.enrolled()
        await cloud.control.vendor.create(*keys, lambda: None, "test")
        first = await publish(cloud, keys, folder, "1.0.0")
        await assign(cloud, node, first.target)
        async with artifacts(node) as stub:
            trust = await trust_of(cloud, stub, tmp_path / "trust")
            await installed(trust, node, stub, first.target)
            file = tmp_path / "monday.age"
            if published == "before":
                second = await publish(cloud, keys, folder, "2.0.0")
            _, identity = backup(cloud_dir, file)
            if published == "since":
                second = await publish(cloud, keys, folder, "2.0.0")
            await assign(cloud, node, second.target)
            await installed(trust, node, stub, second.target)
    # What is signed is numbered by the second, ahead of the clock where it was signed several times in one.
    signed = [
        json.loads(file.read_bytes())["signed"] for file in (tmp_path / "trust").rglob("timestamp.json")
    ]
    while time.time() <= max(one["version"] for one in signed) + 1:
        await asyncio.sleep(0.05)
    put_back(cloud_dir, file, identity)
    async with running(cloud_dir) as cloud:
        there = replace(node, sync_endpoint=cloud.ready.sync)
        async with artifacts(there) as stub:
            trust = await trust_of(cloud, stub, tmp_path / "trust")
            if published == "since":
                with pytest.raises(TrustRefused):  # the list of packages is older than the node's
                    await trust.look_up(first.target, node.id)
                await cloud.control.vendor.refresh(keys[1], "test")
            assert await installed(trust, there, stub, first.target) == first
