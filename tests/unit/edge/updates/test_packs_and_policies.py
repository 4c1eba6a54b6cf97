"""Packs of documents and policies as updates: forth, back, again after a crash, and refused."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from edge.config import SitePaths, site_paths
from edge.knowledge.ingest import KnowledgeBase
from edge.privacy import policy_files
from edge.privacy.policies import NOTHING, Policies, PolicyFile
from edge.privacy.pushed_policies import PUSHED_MAX, PushedPolicies
from edge.store.store import Store
from edge.updates.chunks import ChunkStore, StoredContent
from edge.updates.installer import InstallRefused
from edge.updates.knowledge_installer import KnowledgeInstaller
from edge.updates.policy_installer import PolicyInstaller
from edge.updates.wanted import Update
from tests.unit.edge.egress.text.guard_rig import POLICY
from tests.unit.edge.updates.packages import manifest_of, pieces_of

NOW = datetime.now(UTC)


class Embedder:
    """Any vector will do."""

    dim = 4

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        return np.tile(np.float32(0.5), (len(texts), self.dim))


def content(files: dict[str, bytes], blobs: Path, version: str, kind: str, name: str) -> StoredContent:
    manifest, chunks = manifest_of(files, kind, name, version), ChunkStore(blobs, spare_bytes=0)
    chunks.check_room(manifest)
    for digest, piece in pieces_of(files).items():
        chunks.put(digest, piece)
    return StoredContent(manifest, chunks)


def pack(version: str) -> Update:
    return Update(
        kind="knowledge", name="lifts", version=version, target=f"knowledge/lifts/{version}", rollout="r"
    )


@pytest.fixture
async def base(tmp_path: Path) -> AsyncIterator[KnowledgeBase]:
    store = Store.open(site_paths(tmp_path / "site"))
    opened = await KnowledgeBase.open(store, Embedder(), "none")
    yield opened
    await opened.close()
    await store.close()


async def ids(base: KnowledgeBase) -> set[str]:
    return {document.id for document in await base.documents()}


async def test_a_pack_goes_forth_and_back(base: KnowledgeBase, tmp_path: Path) -> None:
    installer = KnowledgeInstaller(tmp_path / "packs", base)
    own = tmp_path / "own"
    own.mkdir()
    (own / "hours.md").write_text("# Hours\n\nWe are open from nine.\n")
    await base.add([own])
    first = {"north.md": b"# North\n\nThe lift is left.\n", "south.md": b"# South\n\nThe lift is right.\n"}
    staged = await installer.stage(pack("1.0"), content(first, tmp_path / "b", "1.0", "knowledge", "lifts"))
    await installer.gate(pack("1.0"), staged)
    assert await installer.way_back(pack("1.0"), staged) == ""
    await installer.activate(pack("1.0"), staged, "")
    await installer.keep(pack("1.0"), staged, "")
    assert await ids(base) == {"hours.md", "lifts/north.md", "lifts/south.md"}

    second = {"north.md": b"# North\n\nThe lift is broken.\n", "east.md": b"# East\n\nThere are stairs.\n"}
    update = pack("2.0")
    assert sorted(path.name for path in installer.present(update)) == ["north.md", "south.md"]
    newer = await installer.stage(update, content(second, tmp_path / "b", "2.0", "knowledge", "lifts"))
    await installer.gate(update, newer)
    way_back = await installer.way_back(update, newer)
    assert way_back == staged
    for _ in range(2):
        await installer.activate(update, newer, way_back)
        assert await ids(base) == {"hours.md", "lifts/north.md", "lifts/east.md"}
        assert "broken" in str(await base.passages("lifts/north.md"))
    for _ in range(2):
        await installer.roll_back(update, newer, way_back)
        assert await ids(base) == {"hours.md", "lifts/north.md", "lifts/south.md"}
        assert "left" in str(await base.passages("lifts/north.md"))
    await installer.roll_back(pack("1.0"), staged, "")
    assert await ids(base) == {"hours.md"}


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({".hidden.md": b"# a\n\nb\n"}, "bad_name"),
        ({"lift.md": b"# a\n\nb\n"}, "name_taken"),
        ({"new.xyz": b"\0\1"}, "unreadable"),
    ],
)
async def test_packs_that_are_refused_leave_the_sites_own_documents(
    base: KnowledgeBase, tmp_path: Path, files: dict[str, bytes], reason: str
) -> None:
    installer, own = KnowledgeInstaller(tmp_path / "packs", base), tmp_path / "own"
    (own / "lifts").mkdir(parents=True)
    (own / "lifts" / "lift.md").write_text("# Lift\n\nOurs.\n")
    await base.add([own])
    update, made = pack("1.0"), content(files, tmp_path / "b", "1.0", "knowledge", "lifts")
    with pytest.raises(InstallRefused) as caught:
        await _install(installer, update, made)
    assert caught.value.reason == reason
    await installer.discard(update, str(tmp_path / "packs" / "lifts" / "1.0"))
    assert await ids(base) == {"lifts/lift.md"}
    assert "Ours" in str(await base.passages("lifts/lift.md"))


async def _install(installer: KnowledgeInstaller, update: Update, made: StoredContent) -> tuple[str, str]:
    """What it has staged, and the way back."""
    staged = await installer.stage(update, made)
    await installer.gate(update, staged)
    way_back = await installer.way_back(update, staged)
    await installer.activate(update, staged, way_back)
    return staged, way_back


def lifts(files: dict[str, bytes], tmp_path: Path, version: str) -> StoredContent:
    return content(files, tmp_path / "b", version, "knowledge", "lifts")


LEFT, BROKEN = b"# North\n\nThe lift is left.\n", b"# North\n\nThe lift is broken.\n"


async def test_the_way_back_is_what_serves_and_not_what_was_left_lying(
    base: KnowledgeBase, tmp_path: Path
) -> None:
    """A version that was refused lies there, newer than the one that serves; then the same version comes again."""
    installer = KnowledgeInstaller(tmp_path / "packs", base)
    first, _ = await _install(installer, pack("1.0"), lifts({"north.md": LEFT}, tmp_path, "1.0"))
    await installer.stage(pack("0.9"), lifts({"hours.md": BROKEN}, tmp_path, "0.9"))
    own = tmp_path / "own" / "lifts"
    own.mkdir(parents=True)
    (own / "hours.md").write_text("# Hours\n\nOurs.\n")
    await base.add([own.parent])
    again, way_back = await _install(installer, pack("1.0"), lifts({"north.md": BROKEN}, tmp_path, "1.0"))
    assert (way_back, Path(first).is_dir()) == (first, True)
    assert again != first
    await installer.roll_back(pack("1.0"), again, way_back)
    assert "left" in str(await base.passages("lifts/north.md"))
    assert "Ours" in str(await base.passages("lifts/hours.md"))
    with pytest.raises(InstallRefused, match="of its own"):
        await _install(installer, pack("2.0"), lifts({"hours.md": LEFT}, tmp_path, "2.0"))


async def test_a_way_back_that_cannot_be_read_is_taken_later(base: KnowledgeBase, tmp_path: Path) -> None:
    installer = KnowledgeInstaller(tmp_path / "packs", base)
    first, _ = await _install(installer, pack("1.0"), lifts({"north.md": LEFT}, tmp_path, "1.0"))
    newer, way_back = await _install(installer, pack("2.0"), lifts({"east.md": BROKEN}, tmp_path, "2.0"))
    document = Path(first) / "lifts" / "north.md"
    document.write_bytes(b"\0\xff")
    with pytest.raises(InstallRefused):
        await installer.roll_back(pack("2.0"), newer, way_back)
    assert await ids(base) == {"lifts/east.md"}
    assert Path(newer).is_dir()
    document.write_bytes(LEFT)
    await installer.roll_back(pack("2.0"), newer, way_back)
    assert await ids(base) == {"lifts/north.md"}


def tighter(version: str) -> Update:
    return Update(kind="policy", name="quiet", version=version, target=f"policy/quiet/{version}", rollout="r")


@pytest.fixture
def paths(tmp_path: Path) -> SitePaths:
    found = SitePaths(tmp_path / "site")
    found.keys.mkdir(parents=True)
    policy_files.make_key(found.keys)
    policy_files.save(found, POLICY, NOW)
    return found


async def staged_policy(installer: PolicyInstaller, text: str, tmp_path: Path, version: str = "1.0") -> str:
    files = {"policy.toml": text.encode()}
    made = content(files, tmp_path / "b", version, "policy", "quiet")
    return await installer.stage(tighter(version), made)


async def test_a_policy_narrows_and_goes_back(paths: SitePaths, tmp_path: Path) -> None:
    pushed = PushedPolicies(paths.pushed_policies)
    policies = Policies(PolicyFile(paths), None, pushed)
    installer = PolicyInstaller(paths.updates / "staging", policies, pushed)
    staged = await staged_policy(installer, POLICY, tmp_path)
    await installer.gate(tighter("1.0"), staged)
    way_back = await installer.way_back(tighter("1.0"), staged)
    assert len(policies.in_force()) == 1
    await installer.activate(tighter("1.0"), staged, way_back)
    assert len(policies.in_force()) == 2
    again = Policies(PolicyFile(paths), None, PushedPolicies(paths.pushed_policies))
    assert again.in_force() == policies.in_force()
    await installer.roll_back(tighter("1.0"), staged, way_back)
    assert len(policies.in_force()) == 1
    assert not Path(staged).exists()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (POLICY.replace("[lan_llm]", "[ticket]"), "policy_looser"),
        ("nonsense", "bad_policy"),
    ],
)
async def test_a_policy_that_would_loosen_is_refused(
    paths: SitePaths, tmp_path: Path, text: str, reason: str
) -> None:
    pushed = PushedPolicies(paths.pushed_policies)
    installer = PolicyInstaller(paths.updates / "staging", Policies(PolicyFile(paths), None, pushed), pushed)
    staged = await staged_policy(installer, text, tmp_path)
    with pytest.raises(InstallRefused) as caught:
        await installer.gate(tighter("1.0"), staged)
    assert caught.value.reason == reason
    assert pushed() == ()


async def test_a_policy_more_than_a_site_takes_is_refused(paths: SitePaths, tmp_path: Path) -> None:
    pushed = PushedPolicies(paths.pushed_policies)
    installer = PolicyInstaller(paths.updates / "staging", Policies(PolicyFile(paths), None, pushed), pushed)
    staged = await staged_policy(installer, POLICY, tmp_path)
    for number in range(PUSHED_MAX - 1):
        pushed.put(f"p{number}", POLICY)
    await installer.gate(tighter("1.0"), staged)
    pushed.put("one-more", POLICY)
    with pytest.raises(InstallRefused) as caught:
        await installer.gate(tighter("1.0"), staged)
    assert caught.value.reason == "too_many_policies"
    pushed.put("one-more", "")
    pushed.put("quiet", POLICY)
    await installer.gate(tighter("1.0"), staged)


def test_a_pushed_policy_that_cannot_be_read_permits_nothing(tmp_path: Path) -> None:
    pushed = PushedPolicies(tmp_path)
    assert pushed() == ()
    pushed.put("quiet", "damaged")
    assert pushed() == (NOTHING,)
    pushed.put("quiet", "")
    assert pushed() == ()
    for number in range(PUSHED_MAX):
        pushed.put(f"p{number}", POLICY)
    assert len(pushed()) == PUSHED_MAX
    pushed.put("one-more", POLICY)
    assert pushed() == (NOTHING,)


def test_where_no_folder_can_be_looked_into_nothing_is_permitted(tmp_path: Path) -> None:
    assert PushedPolicies(tmp_path / "none")() == ()
    (tmp_path / "file").touch()
    assert PushedPolicies(tmp_path / "file")() == (NOTHING,)
