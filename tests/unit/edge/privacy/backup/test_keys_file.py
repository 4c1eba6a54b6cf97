"""The file of people's keys: what is in it, that it follows the keys as they are, that nobody else reads it."""

from __future__ import annotations

import asyncio
import errno
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from pyrage.x25519 import Identity

from core.archives import BackupFailed, BackupUnusable
from edge import metrics
from edge.keys import SiteKeys
from edge.privacy.backup import keys_file, places, rows
from edge.privacy.backup.keys_file import NOT_THERE, REWRITTEN, KeysFiles
from edge.privacy.backup.rows import Made
from edge.store.store import Store
from edge.store.subjects import create_key, shred_key
from tests.unit.edge.privacy.backup.sites import ANNA, BERT, ASite, erase, opened
from tests.unit.edge.privacy.backup.test_places import refuse


def known(path: Path, site: ASite) -> set[str]:
    """Whose keys are in a file."""
    tag = keys_file.store_tag(SiteKeys.open(site.paths).store)
    return {row["subject"] for row in keys_file.read(path, tag, [site.identity]).tables["subject_keys"]}


async def listed(store: Store, *places: Path) -> None:
    def write(db: object) -> None:
        rows.remove(db, "prepared")
        for row in rows.listing(db):
            rows.remove(db, row.id)
        for number, path in enumerate(places):
            rows.add(db, Made(f"b{number}", number, path.with_suffix(".age"), path, 1))

    await store.write_keys(write)


async def test_it_follows_the_keys(site: ASite, tmp_path: Path) -> None:
    here, gone = tmp_path / "here.keys", tmp_path / "gone.keys"
    async with opened(site.paths) as store:
        files = KeysFiles(store, site.paths)
        await listed(store, here, gone)
        await files.write(here)
        assert {ANNA, BERT} <= known(here, site)
        await store.write_keys(lambda db: shred_key(db, ANNA))
        told = await files.rewrite()
        assert BERT in known(here, site)
        assert ANNA not in known(here, site)
        assert {(one["backup"], one["keys_file"]) for one in told} == {("b0", REWRITTEN), ("b1", NOT_THERE)}
        assert not gone.exists()


async def test_a_site_without_backups_has_nothing_to_write(site: ASite) -> None:
    async with opened(site.paths) as store:
        await listed(store)
        assert await KeysFiles(store, site.paths).rewrite() == []


async def test_what_is_shredded_last_is_in_none_whoever_writes(site: ASite, tmp_path: Path) -> None:
    here = tmp_path / "here.keys"
    people = [f"person-{number}" for number in range(12)]
    async with opened(site.paths) as store:
        files = KeysFiles(store, site.paths)
        await listed(store, here)
        await files.write(here)
        for person in people:
            await store.write_keys(lambda db, who=person: create_key(db, who))

        async def erase(person: str) -> None:
            await store.write_keys(lambda db: shred_key(db, person))
            await files.rewrite()
            assert person not in known(here, site)

        await asyncio.gather(*map(erase, people))


@pytest.mark.proves("legal-hold")
async def test_erasures_and_holds_come_along(site: ASite, tmp_path: Path) -> None:
    here = tmp_path / "here.keys"
    async with opened(site.paths) as store:
        await store.write_keys(
            lambda db: db.execute(
                "INSERT INTO erasures(digest, erased_ms, receipt) VALUES (x'0102', 5, '{}')"
            )
        )
        await store.write_keys(
            lambda db: db.execute("INSERT INTO holds VALUES ('patient-bert', 'case 7', 'olga', 3, NULL)")
        )
        await KeysFiles(store, site.paths).write(here)
        found = keys_file.read(here, keys_file.store_tag(store.keys.store), [site.identity]).tables
    assert found["erasures"] == [{"digest": b"\1\2", "erased_ms": 5, "receipt": "{}"}]
    assert found["holds"][0]["reference"] == "case 7"


async def test_a_damaged_recipient_reaches_nothing_and_ends_nothing(site: ASite, tmp_path: Path) -> None:
    here = tmp_path / "here.keys"
    async with opened(site.paths) as store:
        files = KeysFiles(store, site.paths)
        await listed(store, here)
        await files.write(here)
        (site.paths.keys / "recovery.pub").write_text("age1nonsense")
        assert [one["keys_file"] for one in await files.rewrite()] == [NOT_THERE]


@pytest.mark.proves("erasure")
@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ESTALE, errno.EHOSTDOWN])
async def test_a_place_that_fails_holds_nobody_up(
    number: int, site: ASite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An erasure is behind its point of no return by then; the other files are written."""
    here, share = tmp_path / "here.keys", tmp_path / "share" / "there.keys"
    share.parent.mkdir()
    async with opened(site.paths) as store:
        files = KeysFiles(store, site.paths)
        await listed(store, here, share)
        await files.write(here)
        await files.write(share)
    refuse(monkeypatch, share.parent, number)
    await erase(site.paths, ANNA)
    assert ANNA not in known(here, site)
    async with opened(site.paths) as store:
        receipts = await store.read_keys(lambda db: [row["receipt"] for row in db["erasures"].rows])
        assert NOT_THERE in receipts[-1]
        assert "signature" in receipts[-1]


async def test_one_that_hangs_holds_the_others_up_for_one_wait(
    site: ASite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, share = tmp_path / "here.keys", tmp_path / "share"
    share.mkdir()
    monkeypatch.setattr(places, "_hanging", {share})
    async with opened(site.paths) as store:
        files = KeysFiles(store, site.paths)
        await listed(store, here, share / "one.keys", share / "two.keys")
        await files.write(here)
        told = {one["backup"]: one["keys_file"] for one in await files.rewrite()}
    assert told == {"b0": REWRITTEN, "b1": NOT_THERE, "b2": NOT_THERE}


async def test_whatever_goes_wrong_is_tried_again_by_the_hour(
    site: ASite, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(site.paths) as store:
        files = KeysFiles(store, site.paths)
        said: list[bool] = []
        done = asyncio.Event()

        async def rewrite() -> list[dict[str, object]]:
            said.append(f"{keys_file.COMPONENT}:failed" in metrics.fallbacks())
            if len(said) == 1:
                raise OSError(errno.ENOSPC, "database or disk is full")
            if len(said) == 3:
                done.set()
            return []

        monkeypatch.setattr(files, "rewrite", rewrite)
        monkeypatch.setattr(keys_file, "REWRITE_INTERVAL_S", 0)
        keeping = asyncio.create_task(files.keep())
        await done.wait()
        keeping.cancel()
    assert said == [False, True, False]


async def test_a_file_that_says_the_same_is_left_as_it_is_for_a_day(
    site: ASite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here.keys"
    clock = [1_800_000_000 * 10**9]
    monkeypatch.setattr(keys_file.time, "time_ns", lambda: clock[0])
    async with opened(site.paths) as store:
        files = KeysFiles(store, site.paths)
        await listed(store, here)
        await files.write(here)
        await files.rewrite()
        before = here.read_bytes()
        assert [one["keys_file"] for one in await files.rewrite()] == [REWRITTEN]
        assert here.read_bytes() == before
        here.write_bytes(b"somebody put another there")
        await files.rewrite()
        assert {ANNA, BERT} <= known(here, site)
        before = here.read_bytes()
        clock[0] += int(timedelta(days=1).total_seconds()) * 10**9
        await files.rewrite()
        assert here.read_bytes() != before
        here.unlink()
        assert [one["keys_file"] for one in await files.rewrite()] == [NOT_THERE]
        assert not here.exists()


@pytest.mark.proves("erasure")
async def test_what_a_killed_write_left_goes(site: ASite, tmp_path: Path) -> None:
    here, stray, others = (
        tmp_path / "here.keys",
        tmp_path / ".here.keys.4711.tmp",
        tmp_path / ".note.4711.tmp",
    )
    async with opened(site.paths) as store:
        files = KeysFiles(store, site.paths)
        await listed(store, here)
        await files.write(here)
        shutil.copy(here, stray)
        others.touch()
        await files.rewrite()
    assert (here.exists(), stray.exists(), others.exists()) == (True, False, True)


@pytest.mark.parametrize("count", [keys_file.TOLD_MAX, keys_file.TOLD_MAX + 1, 20 * keys_file.TOLD_MAX])
async def test_a_receipt_stays_small_however_many_backups_there_are(
    count: int, site: ASite, tmp_path: Path
) -> None:
    """Each is told of: the newest one by one, the others together."""
    oldest = tmp_path / "0.keys"
    async with opened(site.paths) as store:
        files = KeysFiles(store, site.paths)
        await listed(store, *(tmp_path / f"{number}.keys" for number in range(count)))
        await files.write(oldest)
        told = await files.rewrite()
    assert sum(int(str(one.get("backups", 1))) for one in told) == count
    assert len(told) <= keys_file.TOLD_MAX + 2
    reached = [one for one in told if one["keys_file"] == REWRITTEN]
    assert reached == (
        [{"backup": "b0", "made_ms": 0, "keys_file": REWRITTEN}]
        if count == keys_file.TOLD_MAX
        else [{"backups": 1, "from_ms": 0, "to_ms": 0, "keys_file": REWRITTEN}]
    )
    if count > keys_file.TOLD_MAX + 1:
        behind = count - keys_file.TOLD_MAX - 1
        assert told[-1] == {"backups": behind, "from_ms": 1, "to_ms": behind, "keys_file": NOT_THERE}


@pytest.mark.parametrize(("file", "keys"), [("a.age", "/v/a.age.keys"), ("/v/a.age", "a.age.keys")])
async def test_a_relative_place_is_on_no_list(file: str, keys: str, site: ASite) -> None:
    made = Made("relative", 1, Path(file), Path(keys), 1)
    async with opened(site.paths) as store:
        with pytest.raises(BackupFailed, match="from the root"):
            await store.write_keys(lambda db: rows.add(db, made))


@pytest.mark.parametrize("content", [None, b"", b"hello", bytes(1000)])
def test_what_is_no_such_file(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "file.keys"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BackupUnusable):
        keys_file.read(path, "tag", [Identity.generate()])


def test_columns_of_a_later_version(tmp_path: Path) -> None:
    from sqlite_utils import Database

    from edge.store import migrations

    db = Database(memory=True)
    migrations.keys.apply(db)
    row = {"subject": "s", "key": b"k", "created_ms": 1, "new": 2}
    with pytest.raises(BackupUnusable, match="later version"):
        keys_file.insert(db, {"subject_keys": [row], "erasures": [], "holds": []})
