"""Files that are no backup, not whole, or made to do harm: each is told for what it is, and changes nothing."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pyrage
import pytest
from pyrage.x25519 import Identity

from core import archives
from core.archives import BackupUnusable, Source
from core.signing import canonical_json
from edge.config import SitePaths, site_paths
from edge.privacy.backup import keys_file, manifest
from edge.privacy.backup.unpacking import unpack
from tests.unit.edge.privacy.backup.conftest import BackedUp
from tests.unit.edge.privacy.backup.sites import ASite, listing, put_back, wanted

HEAD = {
    "format": 1, "id": "1", "product": "0", "site": "s", "site_id": "s", "made_ms": 1, "encoder": "e", "store": "t",
    "left_out": [],
}  # fmt: skip
KEYS = b'{"store": "%s", "receipts": "%s"}' % (b"00" * 32, b"11" * 32)


@pytest.fixture
def identity() -> Identity:
    return Identity.generate()


def refused(file: Path, identity: Identity, folder: Path) -> str:
    """What is said of a file; nothing lies anywhere afterwards but below `folder`."""
    with pytest.raises(BackupUnusable) as error:
        unpack(file, [identity], SitePaths(folder / "into"), lambda *_: True, lambda _: None)
    return error.value.detail


def test_cut_off_anywhere(prepared: BackedUp, tmp_path: Path) -> None:
    content = prepared.file.read_bytes()
    for size in (0, 20, 150, 300, 1_000, len(content) // 2, 65_536 * 3 + 200, len(content) - 1):
        cut = tmp_path / "cut.age"
        cut.write_bytes(content[:size])
        assert refused(cut, prepared.site.identity, tmp_path / str(size))


@pytest.mark.proves("backup")
def test_a_bit_flipped_anywhere(prepared: BackedUp, tmp_path: Path) -> None:
    content = prepared.file.read_bytes()
    for position in (0, 30, 120, 190, 250, 5_000, len(content) // 2, len(content) - 20, len(content) - 1):
        flipped = tmp_path / "flipped.age"
        flipped.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        assert refused(flipped, prepared.site.identity, tmp_path / str(position))


def test_something_behind_the_end(prepared: BackedUp, tmp_path: Path) -> None:
    longer = tmp_path / "longer.age"
    longer.write_bytes(prepared.file.read_bytes() + b"more")
    assert refused(longer, prepared.site.identity, tmp_path)


@pytest.mark.parametrize("content", [b"", b"hello", bytes(100_000), b"age-encryption.org/v1\n"])
def test_foreign_files(content: bytes, identity: Identity, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.write_bytes(content)
    assert "is no backup" in refused(foreign, identity, tmp_path)


def test_no_file(identity: Identity, tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / "nothing.age", identity, tmp_path)


@pytest.mark.proves("backup")
def test_another_recovery_key(prepared: BackedUp, identity: Identity, tmp_path: Path) -> None:
    assert "not encrypted to this recovery key" in refused(prepared.file, identity, tmp_path)


def test_the_file_of_peoples_keys_is_no_backup(prepared: BackedUp, tmp_path: Path) -> None:
    assert refused(keys_file.beside(prepared.file), prepared.site.identity, tmp_path)


def test_a_backup_is_no_file_of_peoples_keys(backed_up: BackedUp, tmp_path: Path) -> None:
    elsewhere = site_paths(tmp_path / "elsewhere")
    with pytest.raises(BackupUnusable, match="no file of people's keys"):
        put_back(elsewhere, wanted(backed_up.site, backed_up.file, keys=backed_up.file))
    assert not elsewhere.root.exists()


# --- what somebody with the site's public recovery key could make ---


def crafted(path: Path, identity: Identity, parts: list[tuple[str, bytes]]) -> Path:
    """A file as the product writes one, of these parts."""

    def sources() -> Iterator[Source]:
        for name, content in parts:
            yield Source(name, len(content), io.BytesIO(content))

    with path.open("wb") as target:
        archives.write(sources(), target, identity.to_public())
    return path


def whole(**more: bytes) -> list[tuple[str, bytes]]:
    parts = {archives.HEAD: canonical_json(HEAD), manifest.DATA_KEYS: KEYS, manifest.SETTINGS: b"", **more}
    return [*parts.items(), (manifest.STORE_LOG, b""), (manifest.STORE, b"")]


def test_a_crafted_one_is_read(identity: Identity, tmp_path: Path) -> None:
    file = crafted(tmp_path / "file", identity, whole(**{"documents/a/ä b.md": b"text"}))
    into = SitePaths(tmp_path / "into")
    found = unpack(file, [identity], into, lambda *_: True, lambda _: None)
    assert (found.documents, (into.documents / "a" / "ä b.md").read_bytes()) == (1, b"text")


@pytest.mark.parametrize(
    "name",
    [
        "/etc/cron.d/evil", "../evil", "documents/../../evil", "documents//evil", "documents/./evil", "documents/",
        "documents", "keys/site.key", "keys/root.key", "store/keys.db", "courier/key.pem", "evil", "documents/a\0b",
    ],
)  # fmt: skip
def test_names_that_no_backup_has(name: str, identity: Identity, tmp_path: Path) -> None:
    content = b"[evil]"
    try:
        manifest.check_name(name)
    except BackupUnusable:
        pass
    else:
        pytest.fail("this name passes")
    if "\0" not in name:  # tar cannot carry it
        file = crafted(tmp_path / "file", identity, whole(**{name: content}))
        assert "part that no backup" in refused(file, identity, tmp_path)
    assert not (tmp_path / "evil").exists()


def test_a_link_in_it(identity: Identity, tmp_path: Path) -> None:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as made:
        head = tarfile.TarInfo(archives.HEAD)
        head.size = len(canonical_json(HEAD))
        made.addfile(head, io.BytesIO(canonical_json(HEAD)))
        link = tarfile.TarInfo("documents/evil")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc"
        made.addfile(link)
    file = tmp_path / "file"
    file.write_bytes(pyrage.encrypt(plain.getvalue(), [identity.to_public()]))
    assert "no file" in refused(file, identity, tmp_path)


def test_a_part_that_is_there_twice(identity: Identity, tmp_path: Path) -> None:
    parts = [*whole(), (manifest.SETTINGS, b"other")]
    assert "twice" in refused(crafted(tmp_path / "file", identity, parts), identity, tmp_path)


def test_a_part_that_is_missing(identity: Identity, tmp_path: Path) -> None:
    parts = [part for part in whole() if part[0] != manifest.STORE]
    assert "lacks store/site.db" in refused(crafted(tmp_path / "file", identity, parts), identity, tmp_path)


def test_a_later_format(identity: Identity, tmp_path: Path) -> None:
    parts = [(archives.HEAD, canonical_json({**HEAD, "format": 2, "new": 1})), *whole()[1:]]
    assert "another version" in refused(crafted(tmp_path / "file", identity, parts), identity, tmp_path)


def test_keys_of_a_wrong_length(identity: Identity, tmp_path: Path) -> None:
    parts = [
        part if part[0] != manifest.DATA_KEYS else (part[0], b'{"store": "00", "receipts": "00"}')
        for part in whole()
    ]
    assert "keys are damaged" in refused(crafted(tmp_path / "file", identity, parts), identity, tmp_path)


@pytest.mark.parametrize("replace", [False, True])
def test_a_store_that_is_none(replace: bool, backed_up: BackedUp, tmp_path: Path) -> None:
    """Whole by its list and not by its pages: told before anything is changed."""
    site = backed_up.site
    paths = site.paths if replace else site_paths(tmp_path / "elsewhere")
    tag = _tag(site)
    parts = [
        (archives.HEAD, canonical_json({**HEAD, "store": tag})) if name == archives.HEAD
        else (name, bytes(8192)) if name == manifest.STORE else (name, content)
        for name, content in whole()
    ]  # fmt: skip
    file = crafted(tmp_path / "file", site.identity, parts)
    before = listing(site.paths.root)
    with pytest.raises(BackupUnusable, match=r"store cannot be read|store is damaged"):
        put_back(paths, wanted(site, file, keys=None, replace=replace))
    assert listing(site.paths.root) == before
    assert not (tmp_path / "elsewhere").exists()
    assert not list(tmp_path.glob(".*.restoring"))


def _tag(site: ASite) -> str:
    from edge.keys import SiteKeys

    return keys_file.store_tag(SiteKeys.open(site.paths).store)
