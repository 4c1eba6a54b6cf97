"""Publishing, withdrawing, signing anew and rotating, and what each node is signed for."""

from __future__ import annotations

import asyncio
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cloud_sync.registry import metadata as tuf
from cloud_sync.registry import vendor as vendors
from cloud_sync.registry.blobs import BlobMissing
from cloud_sync.registry.checking import UNTOUCHED_S, check, prune
from cloud_sync.registry.packing import pack
from cloud_sync.registry.signing_keys import KeyRing, RegistryKeyMissing
from cloud_sync.registry.vendor import (
    NoRegistry,
    RegistryExists,
    RegistryFull,
    UnknownArtifact,
    VersionPublished,
)
from cloud_sync.store.audit import audit_of
from cloud_sync.store.registry import VERSIONS_KEPT, forget_minted
from core.artifacts import CHUNK_BYTES_MIN, InvalidArtifact, Requires, read_manifest
from tests.unit.cloud_sync.registry.conftest import BOTH, NODE, OTHER, START, Registry


async def faults(registry: Registry) -> tuple[str, ...]:
    found = await check(registry.database, registry.blobs, registry.clock(), lambda target: None)
    return found.faults


async def test_a_package_is_listed_signed_and_whole(registry: Registry) -> None:
    manifest = await registry.published(content=b"x" * (CHUNK_BYTES_MIN + 1))
    (row,) = await registry.vendor.packages()
    assert (row.target, row.size_bytes, row.published_by) == (
        "model/encoder/1.0.0",
        CHUNK_BYTES_MIN + 1,
        "ada",
    )
    targets = await registry.vendor.metadata("targets", None)
    assert targets is not None
    (entry,) = tuf.entries_of(targets)
    content = registry.blobs.read(entry.sha256)
    assert (len(content), read_manifest(content)) == (entry.length, manifest)
    assert await faults(registry) == ()


async def test_what_is_done_is_audited(registry: Registry) -> None:
    await registry.published()
    await registry.vendor.withdraw("model/encoder/1.0.0", registry.targets, "bob")
    rows = await registry.database.run(lambda connection: audit_of(connection, "model/encoder/1.0.0", 10))
    assert [(row.actor, row.action) for row in rows] == [
        ("bob", "registry.withdrawn"),
        ("ada", "registry.published"),
    ]


async def test_a_version_is_published_once_and_a_registry_created_once(registry: Registry) -> None:
    await registry.published()
    with pytest.raises(VersionPublished):
        await registry.published(content=b"something else")
    with pytest.raises(RegistryExists):
        await registry.vendor.create(KeyRing(), KeyRing(), lambda: None, "ada")
    with pytest.raises(UnknownArtifact):
        await registry.vendor.withdraw("model/encoder/9.9.9", registry.targets, "ada")
    assert await faults(registry) == ()


async def test_nobody_publishes_without_the_organisations_key(registry: Registry) -> None:
    for ring in (KeyRing(), registry.online.read(), registry.root):
        registry_targets, registry.targets = registry.targets, ring
        with pytest.raises(RegistryKeyMissing):
            await registry.published()
        registry.targets = registry_targets
    assert await registry.vendor.packages() == ()


async def test_the_list_has_a_limit(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vendors, "ARTIFACTS_MAX", 2)
    await registry.published("1.0.0")
    await registry.published("1.0.1")
    with pytest.raises(RegistryFull):
        await registry.published("1.0.2")
    await registry.vendor.withdraw("model/encoder/1.0.0", registry.targets, "ada")
    await registry.published("1.0.2")


async def test_a_timestamp_is_signed_anew_when_half_of_its_time_is_over(registry: Registry) -> None:
    first = await registry.vendor.metadata("timestamp", None)
    registry.clock.turn(days=tuf.TIMESTAMP_DAYS / 2)
    assert await registry.vendor.metadata("timestamp", None) == first
    registry.clock.turn(seconds=1)
    second = await registry.vendor.metadata("timestamp", None)
    assert first is not None
    assert second is not None
    assert tuf.version_of(second) > tuf.version_of(first)
    assert tuf.expires_of(second) - registry.clock() > timedelta(days=tuf.TIMESTAMP_DAYS - 1)


@BOTH
async def test_old_files_go_but_those_that_a_slow_node_still_asks_for(registry: Registry) -> None:
    versions = []
    for _ in range(VERSIONS_KEPT + 1):
        registry.clock.turn(days=2)
        content = await registry.vendor.metadata("timestamp", None)
        assert content is not None
        versions.append(tuf.version_of(content))
    kept = [version for version in versions if await registry.vendor.metadata("timestamp", version)]
    assert kept == versions[-VERSIONS_KEPT:]
    assert await registry.vendor.metadata("root", 1)
    assert await registry.vendor.metadata("root", 2) is None


async def test_a_node_is_signed_for_what_it_is_assigned_and_nothing_else(registry: Registry) -> None:
    manifest = await registry.published()
    await registry.published("2.0.0", b"for others")
    await registry.assign(manifest.target)
    assert await signed_for(registry, NODE) == {manifest.target: NODE}
    assert await signed_for(registry, OTHER) == {}
    await registry.assign("model/encoder/2.0.0", OTHER)
    assert await signed_for(registry, OTHER) == {"model/encoder/2.0.0": OTHER}
    await registry.vendor.withdraw(manifest.target, registry.targets, "ada")
    assert await signed_for(registry, NODE) == {}


async def signed_for(registry: Registry, node: str) -> dict[str, str]:
    """Target → the node that it names, by what the node's own timestamp leads to."""
    timestamp = await registry.director.metadata(node, "timestamp", None)
    assert timestamp is not None
    targets = await registry.director.metadata(node, "targets", tuf.version_of(timestamp))
    root = await registry.director.metadata(node, "root", None)
    assert targets is not None
    assert root is not None
    assert tuf.signed_by(timestamp, root, "timestamp")
    assert tuf.signed_by(targets, root, "targets")
    return {entry.target: entry.custom["node"] for entry in tuf.entries_of(targets)}


async def test_a_nodes_files_stay_the_same_until_something_changes(registry: Registry) -> None:
    first = await registry.director.metadata(NODE, "timestamp", None)
    assert await registry.director.metadata(NODE, "timestamp", None) == first
    registry.clock.turn(days=tuf.TIMESTAMP_DAYS / 2, seconds=1)
    assert await registry.director.metadata(NODE, "timestamp", None) != first
    assert await registry.director.metadata("node-nobody", "timestamp", None) is None


async def test_a_node_may_fetch_what_it_is_assigned_and_nothing_else(registry: Registry) -> None:
    mine = await registry.published("1.0.0", b"mine")
    others = await registry.published("2.0.0", b"others")
    await registry.assign(mine.target)
    await registry.assign(others.target, OTHER)
    blobs = {manifest.target: frozenset(manifest.chunk_sizes()) for manifest in (mine, others)}
    manifests = {row.target: row.manifest_sha256 for row in await registry.vendor.packages()}
    may = registry.director.may_fetch
    assert await may(NODE, blobs[mine.target] | {manifests[mine.target]})
    assert not await may(NODE, frozenset({manifests[others.target]}))
    assert not await may(NODE, blobs[mine.target] | blobs[others.target])
    assert not await may("node-nobody", blobs[mine.target])
    await registry.vendor.withdraw(mine.target, registry.targets, "ada")
    assert not await may(NODE, blobs[mine.target])


async def test_a_restored_control_plane_signs_above_what_nodes_have_seen(registry: Registry) -> None:
    before = await registry.director.metadata(NODE, "timestamp", None)
    registry.clock.turn(hours=24)
    await registry.database.run(forget_minted)
    after = await registry.director.metadata(NODE, "timestamp", None)
    fresh = await registry.vendor.metadata("timestamp", None)
    assert before is not None
    assert after is not None
    assert fresh is not None
    assert tuf.version_of(after) > tuf.version_of(before)
    assert await faults(registry) == ()


@BOTH
async def test_rotated_keys_sign_everything_and_the_old_ones_nothing(registry: Registry) -> None:
    manifest = await registry.published()
    await registry.assign(manifest.target)
    old_targets, old_online = registry.targets.only(registry.targets.key_ids), registry.online.read()
    saved: list[tuple[KeyRing, KeyRing]] = []
    registry.clock.turn(seconds=5)
    await registry.vendor.rotate(registry.root, registry.targets, lambda *rings: saved.append(rings), "ada")
    assert len(saved) == 2
    registry.root, registry.targets = saved[-1]
    roots = await registry.vendor.roots()
    assert roots is not None
    assert tuf.version_of(roots.vendor) == tuf.version_of(roots.director) == 2
    first = await registry.vendor.metadata("root", 1)
    assert first is not None
    assert tuf.signed_by(roots.vendor, first, "root")
    assert await signed_for(registry, NODE) == {manifest.target: NODE}
    assert await faults(registry) == ()
    again = pack(registry.files, "model", "encoder", "3.0.0", Requires(), registry.blobs)
    with pytest.raises(RegistryKeyMissing):
        await registry.vendor.publish(again, old_targets, "thief")
    with pytest.raises(RegistryKeyMissing):
        old_online.signer(tuf.key_ids_of(roots.director, "targets"))
    await registry.published("1.0.1")


async def test_lost_keys_of_the_control_plane_are_replaced_by_a_rotation(registry: Registry) -> None:
    manifest = await registry.published()
    await registry.assign(manifest.target)
    (registry.files.parent / "cloud" / "keys" / "registry.json").unlink()
    with pytest.raises(RegistryKeyMissing):
        await registry.director.metadata(NODE, "timestamp", None)
    await registry.vendor.rotate(registry.root, registry.targets, lambda *rings: None, "ada")
    assert await signed_for(registry, NODE) == {manifest.target: NODE}


async def test_before_init_there_is_nothing_to_serve(registry: Registry, tmp_path: Path) -> None:
    await registry.database.run(
        lambda connection: connection.exec_driver_sql("DELETE FROM registry_metadata")
    )
    assert await registry.vendor.metadata("timestamp", None) is None
    assert await registry.director.metadata(NODE, "timestamp", None) is None
    assert await registry.vendor.roots() is None
    with pytest.raises(NoRegistry):
        await registry.vendor.standing()
    assert await faults(registry)


async def test_standing_reminds_of_what_a_person_must_sign(registry: Registry) -> None:
    standing = await registry.vendor.standing()
    assert not standing.sign_again
    assert standing.targets_expires == START + timedelta(days=tuf.TARGETS_DAYS)
    registry.clock.turn(days=tuf.TARGETS_DAYS / 2 + 1)
    assert (await registry.vendor.standing()).sign_again
    await registry.vendor.refresh(registry.targets, "ada")
    assert not (await registry.vendor.standing()).sign_again


@pytest.mark.parametrize("harm", ["gone", "altered", "manifest gone"])
async def test_what_was_harmed_is_found(registry: Registry, harm: str) -> None:
    manifest = await registry.published()
    (row,) = await registry.vendor.packages()
    chunk = next(iter(manifest.chunk_sizes()))
    name = row.manifest_sha256 if harm == "manifest gone" else chunk
    path = registry.files.parent / "cloud" / "blobs" / name[:2] / name
    if harm == "altered":
        path.write_bytes(b"another")
    else:
        path.unlink()
    (fault,) = await faults(registry)
    assert fault.startswith("model/encoder/1.0.0")
    with pytest.raises(BlobMissing):
        registry.blobs.read(name)


async def test_only_plain_files_are_packed(registry: Registry, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()

    def packed() -> None:
        pack(folder, "model", "encoder", "1.0.0", Requires(), registry.blobs)

    with pytest.raises(InvalidArtifact, match="no file"):
        packed()
    (folder / "good").write_bytes(b"")
    packed()
    (folder / "link").symlink_to("/etc/passwd")
    with pytest.raises(InvalidArtifact, match="link"):
        packed()
    (folder / "link").unlink()
    (folder / "inner").symlink_to(tmp_path)
    with pytest.raises(InvalidArtifact, match="link"):
        packed()
    (folder / "inner").unlink()
    (folder / "back\\slash").write_bytes(b"")
    with pytest.raises(InvalidArtifact, match="characters"):
        packed()
    shutil.rmtree(folder)
    with pytest.raises(OSError):
        packed()
    (tmp_path / "one").write_bytes(b"1")
    with pytest.raises(InvalidArtifact, match="name"):
        pack(tmp_path / "one", "model", "Bad Name", "1.0.0", Requires(), registry.blobs)


async def test_what_was_withdrawn_is_removed_a_day_later_and_nothing_else(registry: Registry) -> None:
    shared, kept = b"shared", await registry.published("1.0.0", b"kept")
    for version in ("2.0.0", "3.0.0"):
        await registry.published(version, shared)
    await registry.vendor.withdraw("model/encoder/2.0.0", registry.targets, "ada")

    async def pruned(after_s: float) -> int:
        return (
            await prune(registry.database, registry.blobs, datetime.now(UTC) + timedelta(seconds=after_s))
        ).blobs

    assert await pruned(UNTOUCHED_S - 60) == 0
    assert await pruned(UNTOUCHED_S + 60) == 1  # the manifest; its chunk is the third one's as well
    assert await faults(registry) == ()
    await registry.vendor.withdraw("model/encoder/3.0.0", registry.targets, "ada")
    assert await pruned(UNTOUCHED_S + 60) == 2
    assert set(registry.blobs.all()) >= set(kept.chunk_sizes())
    assert await faults(registry) == ()


@BOTH
async def test_replicas_that_are_asked_at_once_sign_once(registry: Registry) -> None:
    manifest = await registry.published()
    await registry.assign(manifest.target)
    registry.clock.turn(days=2)
    asked = [registry.director.metadata(NODE, "timestamp", None) for _ in range(8)]
    asked += [registry.vendor.metadata("timestamp", None) for _ in range(8)]
    found = await asyncio.gather(*asked)
    assert len(set(found)) == 2
    assert await signed_for(registry, NODE) == {manifest.target: NODE}
