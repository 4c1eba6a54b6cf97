"""A site's keys on a disk: made, opened, migrated, recovered, damaged bit by bit, and killed between two steps."""

from __future__ import annotations

import os
import random
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from edge.config import SitePaths, site_paths
from edge.keys import (
    KeysUnusable,
    RecoveryKeyWrong,
    SiteKeys,
    changes,
    custody,
    recover,
    recovery,
    reseal,
    root,
)
from edge.store.store import Store

# As many as a bit flip a file is tried at: all bits of the small files, a sample of the larger.
FLIPS_MAX = 120
# Steps of a change that touch the disk: its files are written, moved and made durable one by one.
STEPS_MIN, STEPS_MAX = 10, 80


@pytest.fixture(autouse=True)
def no_power_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes are killed here, machines are not: thousands of small files need not reach the disk."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def paths(tmp_path: Path) -> SitePaths:
    return site_paths(tmp_path / "site")


def opened(paths: SitePaths) -> tuple[bytes, bytes, bytes]:
    keys = SiteKeys.open(paths)
    return keys.store, keys.subjects, keys.receipts.private_bytes_raw()


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.proves("keys")
def test_what_was_made_is_opened_again_and_closed_to_others(paths: SitePaths) -> None:
    identity = SiteKeys.create(paths)
    first = opened(paths)
    assert first == opened(paths)
    assert len({*first}) == 3
    assert all(len(key) == 32 for key in first)
    assert SiteKeys.open(paths).root_in == "file"
    assert paths.recovery_key.read_text().strip() == identity
    assert identity.startswith("AGE-SECRET-KEY-1")
    names = {"root.key", "root.recovery", "recovery.pub", "site.key", "receipts.pub"}
    assert {path.name for path in paths.keys.iterdir()} == names
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (*paths.keys.iterdir(), paths.recovery_key)}
    assert modes == {0o600}


@pytest.mark.proves("keys")
def test_no_key_lies_in_clear_but_the_root_key(paths: SitePaths) -> None:
    SiteKeys.create(paths)
    files = content(paths.root)
    for key in opened(paths):
        assert not any(key in file or key.hex().encode() in file for file in files.values())
    assert [name for name, file in files.items() if files["keys/root.key"] in file] == ["keys/root.key"]


@pytest.mark.proves("keys")
def test_nobody_reads_a_key_in_what_a_program_prints(paths: SitePaths) -> None:
    SiteKeys.create(paths)
    assert "store" not in repr(SiteKeys.open(paths))


def test_the_public_half_of_receipts_is_a_file_that_other_programs_read(paths: SitePaths) -> None:
    SiteKeys.create(paths)
    receipts = SiteKeys.open(paths).receipts
    public = paths.keys / "receipts.pub"
    read = load_pem_public_key(public.read_bytes())
    assert read == receipts.public_key()
    public.unlink()
    SiteKeys.open(paths)
    assert load_pem_public_key(public.read_bytes()) == read


def test_keys_are_made_once(paths: SitePaths) -> None:
    SiteKeys.create(paths)
    before = content(paths.root)
    with pytest.raises(KeysUnusable):
        SiteKeys.create(paths)
    assert content(paths.root) == before


# --- a site from before ---


async def old_site(paths: SitePaths) -> tuple[bytes, bytes]:
    """Raw key files beside their databases."""
    store = Store.open(paths)
    keys = store.keys
    await store.write(lambda db: db.execute("INSERT INTO meta VALUES ('mark', x'00')"))
    await store.close()
    shutil.rmtree(paths.keys)
    paths.keys.mkdir()
    (paths.keys / "store.key").write_bytes(keys.store)
    (paths.keys / "subject-keys.key").write_bytes(keys.subjects)
    paths.recovery_key.unlink()
    return keys.store, keys.subjects


async def test_raw_key_files_of_an_older_site_are_wrapped(paths: SitePaths) -> None:
    old = await old_site(paths)
    store = Store.open(paths)
    try:
        assert (store.keys.store, store.keys.subjects) == old
        mark = await store.read(
            lambda db: db.execute("SELECT value FROM meta WHERE name = 'mark'").fetchone()
        )
        assert mark[0] == b"\0"
    finally:
        await store.close()
    assert not (paths.keys / "store.key").exists()
    assert not (paths.keys / "subject-keys.key").exists()
    assert paths.recovery_key.exists()
    assert not any(key in file for key in old for file in content(paths.root).values())


@pytest.mark.parametrize("name", ["store.key", "subject-keys.key"])
async def test_a_damaged_raw_key_is_named_and_nothing_changes(paths: SitePaths, name: str) -> None:
    await old_site(paths)
    for damaged in (b"", b"x" * 31, b"x" * 33):
        (paths.keys / name).write_bytes(damaged)
        before = content(paths.root)
        with pytest.raises(KeysUnusable, match=name):
            SiteKeys.open(paths)
        assert content(paths.root) == before
    (paths.keys / name).unlink()
    with pytest.raises(KeysUnusable, match="its key is not"):
        SiteKeys.open(paths)


# --- loss and recovery ---


@pytest.mark.proves("keys")
def test_the_recovery_key_brings_a_lost_root_key_back(paths: SitePaths) -> None:
    identity = SiteKeys.create(paths)
    before = opened(paths)
    (paths.keys / "root.key").unlink()
    with pytest.raises(KeysUnusable, match=r"root\.key") as caught:
        SiteKeys.open(paths)
    assert "keys recover" in caught.value.remedy
    recover(paths, f"\n {identity}\n")
    assert opened(paths) == before


@pytest.mark.proves("keys")
def test_another_recovery_key_brings_nothing_back(paths: SitePaths, tmp_path: Path) -> None:
    identity = SiteKeys.create(paths)
    stranger = SiteKeys.create(site_paths(tmp_path / "other"))
    before = content(paths.root)
    for wrong in (stranger, identity[:-1], identity.replace("1", "2"), "", "AGE-SECRET-KEY-1"):
        with pytest.raises(RecoveryKeyWrong) as caught:
            recover(paths, wrong)
        assert not wrong or wrong not in str(caught.value)
    assert content(paths.root) == before


def test_another_sites_root_key_is_not_taken(paths: SitePaths, tmp_path: Path) -> None:
    SiteKeys.create(paths)
    before = content(paths.root)
    with pytest.raises(KeysUnusable):
        reseal(paths, bytes(32))
    assert content(paths.root) == before
    SiteKeys.create(site_paths(tmp_path / "other"))
    shutil.copy(tmp_path / "other" / "keys" / "root.key", paths.keys / "root.key")
    with pytest.raises(KeysUnusable, match=r"site\.key"):
        SiteKeys.open(paths)


@pytest.mark.parametrize("name", ["root.key", "site.key", "root.recovery"])
def test_a_missing_file_is_named(paths: SitePaths, name: str) -> None:
    identity = SiteKeys.create(paths)
    (paths.keys / name).unlink()
    use = SiteKeys.open if name in {"root.key", "site.key"} else lambda paths: recover(paths, identity)
    with pytest.raises(KeysUnusable, match=name.replace(".", r"\.")) as caught:
        use(paths)
    assert "back" in caught.value.remedy


@pytest.mark.parametrize("settings", ["", "[keys]\ntpm_tcti = 7\n", "not TOML"])
def test_the_store_of_a_backup_gets_keys_of_this_machine_whatever_its_settings_say(
    paths: SitePaths, settings: str
) -> None:
    identity = recovery.new_identity()
    paths.root.mkdir()
    paths.config.write_text(settings)
    custody.adopt(paths, b"s" * 32, b"r" * 32, identity)
    keys = SiteKeys.open(paths)
    assert (keys.store, keys.receipts.private_bytes_raw(), keys.root_in) == (b"s" * 32, b"r" * 32, "file")
    assert not paths.recovery_key.exists()
    assert recovery.opened(paths, identity) == (paths.keys / "root.key").read_bytes()


# --- damage ---


def positions(size: int) -> list[int]:
    """Bits to flip."""
    return sorted(random.Random(size).sample(range(size * 8), min(size * 8, FLIPS_MAX)))


def flips_found(path: Path, use: Callable[[], object]) -> None:
    whole = path.read_bytes()
    for bit in positions(len(whole)):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        with pytest.raises(KeysUnusable):
            use()
    path.write_bytes(whole)
    use()


@pytest.mark.proves("integrity")
@pytest.mark.parametrize("name", ["site.key", "root.key", "receipts.pub"])
def test_every_flipped_bit_is_found_when_the_keys_are_opened(paths: SitePaths, name: str) -> None:
    SiteKeys.create(paths)
    SiteKeys.open(paths)
    flips_found(paths.keys / name, lambda: SiteKeys.open(paths))


def test_every_flipped_bit_is_found_when_the_root_key_is_recovered(paths: SitePaths) -> None:
    identity = SiteKeys.create(paths)
    flips_found(paths.keys / "root.recovery", lambda: recovery.opened(paths, recovery.identity(identity)))


def test_every_flipped_bit_of_whom_backups_are_for_is_found_and_recovery_mends_it(paths: SitePaths) -> None:
    identity = SiteKeys.create(paths)
    public = paths.keys / "recovery.pub"
    whole = public.read_bytes()
    flips_found(public, lambda: recovery.recipient(paths))
    public.unlink()
    with pytest.raises(KeysUnusable, match=r"recovery\.pub"):
        reseal(paths, (paths.keys / "root.key").read_bytes())
    recover(paths, identity)
    assert public.read_bytes() == whole


@pytest.mark.parametrize("cut", [0, 1, 24, 83, 84, 85, 150])
def test_a_file_that_was_cut_off_is_found(paths: SitePaths, cut: int) -> None:
    SiteKeys.create(paths)
    path = paths.keys / "site.key"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(KeysUnusable):
        SiteKeys.open(paths)


# --- killed in the middle ---


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours runs after it."""


def killed_at(monkeypatch: pytest.MonkeyPatch, step: int, change: Callable[[], object]) -> bool:
    """Run `change` until its nth step that touches the disk; False once it has fewer."""
    steps = 0

    def counted(real: Callable[..., object]) -> Callable[..., object]:
        def run(*args: object, **named: object) -> object:
            nonlocal steps
            steps += 1
            if steps == step:
                raise Killed
            return real(*args, **named)

        return run

    with monkeypatch.context() as patched:
        patched.setattr(changes, "write_atomic", counted(changes.write_atomic))
        patched.setattr(changes, "fsync_folder", counted(changes.fsync_folder))
        patched.setattr(os, "rename", counted(os.rename))
        patched.setattr(os, "replace", counted(os.replace))
        patched.setattr(Path, "unlink", counted(Path.unlink))
        patched.setattr(Path, "rmdir", counted(Path.rmdir))
        try:
            change()
        except Killed:
            return True
    return False


def all_kills(
    monkeypatch: pytest.MonkeyPatch, origin: SitePaths, change: Callable[[SitePaths], object]
) -> Iterator[SitePaths]:
    """Copies of a site, each after a kill at the next step of `change`; the last is of a change that was done."""
    for step in range(1, STEPS_MAX):
        paths = site_paths(origin.root.parent / str(step))
        shutil.copytree(origin.root, paths.root)
        killed = killed_at(monkeypatch, step, partial(change, paths))
        yield paths
        if not killed:
            assert step > STEPS_MIN
            return
    raise AssertionError("the change has no end")


def test_killed_while_an_older_site_is_wrapped_it_opens_with_the_same_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = site_paths(tmp_path / "origin")
    old = os.urandom(32), os.urandom(32)
    origin.keys.mkdir(parents=True)
    for name, key in zip(("store.key", "subject-keys.key"), old, strict=True):
        (origin.keys / name).write_bytes(key)
    for paths in all_kills(monkeypatch, origin, SiteKeys.open):
        assert opened(paths)[:2] == old
        recover(paths, paths.recovery_key.read_text())
        assert not any(path.is_dir() for path in paths.keys.iterdir())
        assert not (paths.keys / "store.key").exists()


def test_killed_while_keys_are_replaced_the_old_or_the_new_recovery_key_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = site_paths(tmp_path / "origin")
    identity = SiteKeys.create(origin)
    before = opened(origin)
    origin.recovery_key.unlink()
    kept = []
    for paths in all_kills(monkeypatch, origin, custody.rotate):
        assert opened(paths) == before
        new = paths.recovery_key.read_text() if paths.recovery_key.exists() else None
        kept.append(new is None)
        (paths.keys / "root.key").unlink()
        recover(paths, new or identity)
        assert opened(paths) == before
    assert kept == sorted(kept, reverse=True)  # old up to one moment, new from it on
    assert set(kept) == {True, False}


def test_killed_while_the_root_key_is_recovered_it_can_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = site_paths(tmp_path / "origin")
    identity = SiteKeys.create(origin)
    before = opened(origin)
    (origin.keys / "root.key").write_bytes(bytes(32))
    for paths in all_kills(monkeypatch, origin, partial(recover, identity=identity)):
        recover(paths, identity)
        assert opened(paths) == before


@pytest.mark.parametrize("copied", [False, True])
def test_what_goes_is_written_over_unless_somebody_has_it_as_a_copy(
    paths: SitePaths, monkeypatch: pytest.MonkeyPatch, copied: bool
) -> None:
    SiteKeys.create(paths)
    paths.recovery_key.unlink()
    names = ("root.key", "site.key")
    whole = {name: (paths.keys / name).read_bytes() for name in names}
    with ExitStack() as stack:
        files = {name: stack.enter_context((paths.keys / name).open("rb")) for name in names}
        if copied:
            for name in names:
                os.link(paths.keys / name, paths.root / name)
        custody.rotate(paths)
        left = {name: file.read() for name, file in files.items()}
    assert left == {name: content if copied else bytes(len(content)) for name, content in whole.items()}


class Chip:
    """Stands for a TPM: what it seals it gives back. The real one: tests/contract/test_tpm.py."""

    def seal(self, secret: bytes) -> bytes:
        return b"sealed" + secret[::-1]

    def unseal(self, blob: bytes) -> bytes:
        return blob.removeprefix(b"sealed")[::-1]


@pytest.mark.parametrize("change", [custody.seal, custody.unseal, custody.rotate])
def test_killed_on_the_way_into_the_tpm_or_out_of_it_the_site_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[SitePaths], object]
) -> None:
    origin = site_paths(tmp_path / "origin")
    monkeypatch.setattr(root, "tpm_of", lambda _: None if change is custody.seal else Chip())
    identity = SiteKeys.create(origin)
    before, held = opened(origin), SiteKeys.open(origin).root_in
    monkeypatch.setattr(root, "tpm_of", lambda _: Chip())
    origin.recovery_key.unlink()
    holders = []
    for paths in all_kills(monkeypatch, origin, change):
        assert opened(paths) == before
        holders.append(SiteKeys.open(paths).root_in)
        names = {path.name for path in paths.keys.iterdir()} & {root.FILE, root.SEALED}
        assert names == {root.SEALED if holders[-1] == "tpm" else root.FILE}
        change(paths) if change is not custody.rotate else recover_with(paths, identity)
        assert opened(paths) == before
    assert (holders[0], holders[-1]) == {
        custody.seal: ("file", "tpm"),
        custody.unseal: ("tpm", "file"),
        custody.rotate: ("tpm", "tpm"),
    }[change]
    assert held == holders[0]


def recover_with(paths: SitePaths, before: str) -> None:
    """Recover with the recovery key that the site has now: the new one, or the one before."""
    recover(paths, paths.recovery_key.read_text() if paths.recovery_key.exists() else before)


# --- replaced ---


@pytest.mark.proves("keys")
def test_replaced_keys_open_the_same_data_and_the_old_recovery_key_nothing_new(paths: SitePaths) -> None:
    identity = SiteKeys.create(paths)
    before, files = opened(paths), content(paths.keys)
    with pytest.raises(KeysUnusable, match="backups"):
        custody.rotate(paths)  # the only recovery key of backups made so far lies here
    assert content(paths.keys) == files
    paths.recovery_key.unlink()
    new = custody.rotate(paths)
    assert new == paths.recovery_key.read_text().strip() != identity
    assert opened(paths) == before
    after = content(paths.keys)
    assert {name for name in files if files[name] == after[name]} == {"receipts.pub"}
    with pytest.raises(RecoveryKeyWrong):
        recover(paths, identity)
    recover(paths, new)
    assert opened(paths) == before
