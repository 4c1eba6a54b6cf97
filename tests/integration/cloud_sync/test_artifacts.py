"""Packages over the real port: metadata and blobs, for whom they are meant; and the commands that publish them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import grpc
import pytest

from cloud_sync.registry.blobs import PIECE_BYTES_MAX, Blobs
from cloud_sync.registry.packing import pack
from cloud_sync.registry.signing_keys import KeyRing
from cloud_sync.rpc.artifacts import DIGESTS_MAX, FETCHES_OF_A_NODE_MAX
from cloud_sync.store.assignments import Assignment, add_assignments
from core import identity
from core.artifacts import CHUNK_BYTES_MIN, Manifest, Requires, read_manifest
from postern.v1 import artifact_pb2, artifact_pb2_grpc
from tests.integration.cloud_sync.conftest import Running
from tests.integration.cloud_sync.fleet_node import ANSWER_TIMEOUT_S, TestNode

VENDOR, DIRECTOR = artifact_pb2.REPOSITORY_VENDOR, artifact_pb2.REPOSITORY_DIRECTOR
CONTENT = bytes(range(256)) * (3 * CHUNK_BYTES_MIN // 256) + b"the end"


async def publish(cloud: Running, keys: tuple[KeyRing, KeyRing], folder: Path, version: str) -> Manifest:
    blobs, vendor = cloud.control.blobs, cloud.control.vendor
    manifest = await asyncio.to_thread(pack, folder, "model", "encoder", version, Requires(), blobs)
    await vendor.publish(manifest, keys[1], "test")
    return manifest


async def assign(cloud: Running, node: TestNode, target: str) -> None:
    kind, name, version = target.split("/")
    one = Assignment(node.id, kind, name, version, target, "r-1", 900)
    await cloud.control.database.run(lambda connection: add_assignments(connection, [one], 1))


@pytest.fixture
async def keys(cloud: Running) -> tuple[KeyRing, KeyRing]:
    """The organisation's, of the registry that is created with them."""
    root, targets = KeyRing(), KeyRing()
    await cloud.control.vendor.create(root, targets, lambda: None, "test")
    return root, targets


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    made.mkdir()
    (made / "model.bin").write_bytes(CONTENT)
    (made / "empty").write_bytes(b"")
    return made


@asynccontextmanager
async def artifacts(node: TestNode) -> AsyncIterator[Any]:
    options = [("grpc.ssl_target_name_override", identity.CONTROL_PLANE_TARGET_NAME)]
    credentials = grpc.ssl_channel_credentials(node.ca_pem, node.key_pem, node.certificate_pem)
    async with grpc.aio.secure_channel(node.sync_endpoint, credentials, options=options) as channel:
        yield artifact_pb2_grpc.ArtifactServiceStub(channel)


async def metadata(stub: Any, repository: int, name: str) -> dict[str, Any]:
    request = artifact_pb2.GetMetadataRequest(repository=repository, name=name)
    response = await stub.GetMetadata(request, timeout=ANSWER_TIMEOUT_S)
    return json.loads(response.content)["signed"]


async def blobs(stub: Any, digests: list[str]) -> list[bytes]:
    request = artifact_pb2.FetchBlobsRequest(digests=[bytes.fromhex(digest) for digest in digests])
    found = [b""] * len(digests)
    async for response in stub.FetchBlobs(request, timeout=ANSWER_TIMEOUT_S):
        assert 0 < len(response.content) <= PIECE_BYTES_MAX
        found[response.index] += response.content
    return found


async def code_of(call: Any) -> grpc.StatusCode:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code()


async def test_a_node_gets_what_it_is_assigned_whole(
    cloud: Running, keys: tuple[KeyRing, KeyRing], folder: Path
) -> None:
    node = await cloud.enrolled()
    target = (await publish(cloud, keys, folder, "1.0.0")).target
    await assign(cloud, node, target)
    async with artifacts(node) as stub:
        version = (await metadata(stub, DIRECTOR, "timestamp.json"))["meta"]["snapshot.json"]["version"]
        version = (await metadata(stub, DIRECTOR, f"{version}.snapshot.json"))["meta"]["targets.json"][
            "version"
        ]
        meant = (await metadata(stub, DIRECTOR, f"{version}.targets.json"))["targets"][target]
        assert meant["custom"] == {"node": node.id}
        (content,) = await blobs(stub, [meant["hashes"]["sha256"]])
        assert (len(content), sha256(content).hexdigest()) == (meant["length"], meant["hashes"]["sha256"])
        manifest = read_manifest(content)
        chunks = await blobs(stub, list(manifest.chunk_sizes()))
        assert [len(chunk) for chunk in chunks] == list(manifest.chunk_sizes().values())
    by_digest = dict(zip(manifest.chunk_sizes(), chunks, strict=True))
    whole = {file.path: b"".join(by_digest[digest] for digest in file.chunks) for file in manifest.files}
    assert whole == {"model.bin": CONTENT, "empty": b""}


async def test_nothing_is_given_to_a_node_that_it_is_not_meant_for(
    cloud: Running, keys: tuple[KeyRing, KeyRing], folder: Path
) -> None:
    node, other = await cloud.enrolled(), await cloud.enrolled()
    manifest = await publish(cloud, keys, folder, "1.0.0")
    await assign(cloud, other, manifest.target)
    (row,) = await cloud.control.vendor.packages()
    async with artifacts(node) as stub:
        for digest in (row.manifest_sha256, next(iter(manifest.chunk_sizes())), "0" * 64):
            assert await code_of(blobs(stub, [digest])) is grpc.StatusCode.NOT_FOUND
        version = (await metadata(stub, DIRECTOR, "timestamp.json"))["version"]
        assert (await metadata(stub, DIRECTOR, f"{version}.targets.json"))["targets"] == {}


@pytest.mark.parametrize(
    "name",
    [
        "",
        "root.txt",
        "../timestamp.json",
        "0.root.json",
        "2.root.json",
        "99.targets.json",
        "a.json",
        "1" * 80,
    ],
)
async def test_what_there_is_not_is_not_found(
    cloud: Running, keys: tuple[KeyRing, KeyRing], name: str
) -> None:
    node = await cloud.enrolled()
    async with artifacts(node) as stub:
        for repository in (VENDOR, DIRECTOR, 0, 7):
            request = artifact_pb2.GetMetadataRequest(repository=repository, name=name)
            assert await code_of(stub.GetMetadata(request)) is grpc.StatusCode.NOT_FOUND


async def test_a_request_for_blobs_has_limits(
    cloud: Running, keys: tuple[KeyRing, KeyRing], folder: Path
) -> None:
    node = await cloud.enrolled()
    manifest = await publish(cloud, keys, folder, "1.0.0")
    await assign(cloud, node, manifest.target)
    chunk = next(iter(manifest.chunk_sizes()))
    async with artifacts(node) as stub:
        for digests in ([], ["00"], [chunk, "00" * 31], [chunk] * (DIGESTS_MAX + 1)):
            assert await code_of(blobs(stub, digests)) is grpc.StatusCode.INVALID_ARGUMENT
        assert set(await blobs(stub, [chunk] * DIGESTS_MAX)) == {CONTENT[:CHUNK_BYTES_MIN]}


async def test_a_node_that_reads_slowly_has_two_fetches_at_most(
    cloud: Running, keys: tuple[KeyRing, KeyRing], folder: Path
) -> None:
    node = await cloud.enrolled()
    manifest = await publish(cloud, keys, folder, "1.0.0")
    await assign(cloud, node, manifest.target)
    # More than the windows of HTTP/2 take, so that the server waits for the reader.
    wanted = [bytes.fromhex(next(iter(manifest.chunk_sizes())))] * DIGESTS_MAX
    async with artifacts(node) as stub:
        calls = [
            stub.FetchBlobs(artifact_pb2.FetchBlobsRequest(digests=wanted))
            for _ in range(FETCHES_OF_A_NODE_MAX)
        ]
        for call in calls:
            await asyncio.wait_for(call.read(), ANSWER_TIMEOUT_S)
        assert await code_of(blobs(stub, [wanted[0].hex()])) is grpc.StatusCode.RESOURCE_EXHAUSTED
        for call in calls:
            call.cancel()
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            while await refused(stub, wanted[0].hex()):
                pass


async def refused(stub: Any, digest: str) -> bool:
    try:
        await blobs(stub, [digest])
    except grpc.aio.AioRpcError:
        return True
    return False


async def test_a_revoked_node_gets_nothing(
    cloud: Running, keys: tuple[KeyRing, KeyRing], folder: Path
) -> None:
    node = await cloud.enrolled()
    manifest = await publish(cloud, keys, folder, "1.0.0")
    await assign(cloud, node, manifest.target)
    await cloud.control.steering.revoke(node.id, "test")
    async with artifacts(node) as stub:
        for call in (
            metadata(stub, VENDOR, "timestamp.json"),
            metadata(stub, DIRECTOR, "timestamp.json"),
            blobs(stub, list(manifest.chunk_sizes())),
        ):
            assert await code_of(call) is grpc.StatusCode.PERMISSION_DENIED


async def test_a_node_revoked_while_it_fetches_gets_what_is_under_way_and_no_further_blob(
    cloud: Running, keys: tuple[KeyRing, KeyRing], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = await cloud.enrolled()
    manifest = await publish(cloud, keys, folder, "1.0.0")
    await assign(cloud, node, manifest.target)
    pieces, loop = Blobs.pieces, asyncio.get_running_loop()
    asked: list[str] = []
    seen: set[int] = set()

    def revoked_meanwhile(self: Blobs, digest: str) -> Iterator[bytes]:
        asked.append(digest)
        if len(asked) == 2:
            revoking = cloud.control.steering.revoke(node.id, "test")
            asyncio.run_coroutine_threadsafe(revoking, loop).result(ANSWER_TIMEOUT_S)
        yield from pieces(self, digest)

    monkeypatch.setattr(Blobs, "pieces", revoked_meanwhile)
    wanted = [bytes.fromhex(next(iter(manifest.chunk_sizes())))] * 4
    async with artifacts(node) as stub:
        call = stub.FetchBlobs(artifact_pb2.FetchBlobsRequest(digests=wanted), timeout=ANSWER_TIMEOUT_S)

        async def fetch() -> None:
            async for response in call:
                seen.add(response.index)

        assert await code_of(fetch()) is grpc.StatusCode.PERMISSION_DENIED
    assert (len(asked), seen) == (2, {0, 1})


async def test_without_a_registry_nothing_is_found(cloud: Running) -> None:
    node = await cloud.enrolled()
    async with artifacts(node) as stub:
        for repository in (VENDOR, DIRECTOR):
            assert await code_of(metadata(stub, repository, "timestamp.json")) is grpc.StatusCode.NOT_FOUND
