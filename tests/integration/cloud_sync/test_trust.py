"""A node's trust reads what the control plane's registry really signs, over the real port."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from cloud_sync.registry.signing_keys import KeyRing
from core.artifacts import Manifest
from edge.egress.fetch.client import NOT_FOUND, FetchFailed
from edge.updates.trust import Trust, keep_root
from edge.updates.tuf_client import TrustRefused
from postern.v1 import artifact_pb2
from tests.integration.cloud_sync.conftest import Running
from tests.integration.cloud_sync.fleet_node import ANSWER_TIMEOUT_S, TestNode
from tests.integration.cloud_sync.test_artifacts import (
    DIRECTOR,
    VENDOR,
    artifacts,
    assign,
    blobs,
    folder,
    keys,
    publish,
)

__all__ = ["folder", "keys"]


@dataclass
class Source:
    """Fetches as the courier does."""

    stub: Any

    async def metadata(self, repository: str, name: str) -> bytes:
        which = VENDOR if repository == "vendor" else DIRECTOR
        request = artifact_pb2.GetMetadataRequest(repository=which, name=name)
        try:
            return (await self.stub.GetMetadata(request, timeout=ANSWER_TIMEOUT_S)).content  # type: ignore[no-any-return]
        except grpc.aio.AioRpcError as error:
            raise FetchFailed(NOT_FOUND if error.code() is grpc.StatusCode.NOT_FOUND else "cut") from error


async def trust_of(cloud: Running, stub: Any, at: Path) -> Trust:
    roots = await cloud.control.vendor.roots()
    assert roots is not None
    keep_root(at, "vendor", roots.vendor)
    keep_root(at, "director", roots.director)
    return Trust(at, Source(stub))


async def installed(trust: Trust, node: TestNode, stub: Any, target: str) -> Manifest:
    trusted = await trust.look_up(target, node.id)
    return trusted.manifest((await blobs(stub, [trusted.sha256]))[0])


async def test_what_is_published_and_assigned_is_trusted_and_nothing_else(
    cloud: Running, keys: tuple[KeyRing, KeyRing], folder: Path, tmp_path: Path
) -> None:
    node, vendor = await cloud.enrolled(), cloud.control.vendor
    first = await publish(cloud, keys, folder, "1.0.0")
    async with artifacts(node) as stub:
        trust = await trust_of(cloud, stub, tmp_path / "trust")
        with pytest.raises(TrustRefused, match="not signed"):
            await trust.look_up(first.target, node.id)
        await assign(cloud, node, first.target)
        assert await installed(trust, node, stub, first.target) == first
        with pytest.raises(TrustRefused, match="another node"):
            await trust.look_up(first.target, "node-other")
        # New keys for everything: the node follows from the roots that it began with.
        saved: list[tuple[KeyRing, KeyRing]] = []
        await vendor.rotate(*keys, lambda *rings: saved.append(rings), "test")
        second = await publish(cloud, saved[-1], folder, "1.0.1")
        await assign(cloud, node, second.target)
        assert await installed(trust, node, stub, second.target) == second
        await vendor.withdraw(second.target, saved[-1][1], "test")
        with pytest.raises(TrustRefused):
            await trust.look_up(second.target, node.id)
