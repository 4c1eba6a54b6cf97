"""An erasure that something stops on its way, and one whose rows a restored backup brings back."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from edge.chat import session_rows
from edge.config import SitePaths, site_paths
from edge.keys import SiteKeys
from edge.privacy.erasure import replay
from edge.privacy.holds import LegalHold, NoSuchHold
from edge.privacy.receipts import Receipt
from edge.store.connection import connect
from edge.store.store import StoreBusy
from edge.store.subjects import SubjectDigests
from tests.unit.edge.privacy.erasure_rig import (
    OFFICER,
    PATIENT,
    WORDS,
    Site,
    Stopped,
    genuine,
    open_site,
    stop_after,
)


@pytest.mark.proves("erasure")
async def test_stopped_anywhere_nothing_is_done_or_the_next_start_finishes_it(tmp_path: Path) -> None:
    begun = finished = 0
    for steps in range(20):
        folder = tmp_path / str(steps)
        async with open_site(folder) as site:
            await site.visit(PATIENT)
            before = await site.counts()
            stop_after(site.desk.store, steps)
            try:
                receipt: Receipt | None = await site.erasure.erase(PATIENT, OFFICER)
            except Stopped:
                receipt = None
        async with open_site(folder) as site:
            after_stop = await site.counts()
            unfinished = await site.erasure.finish()
            listed = await site.erasure.erasures()
            if not listed:
                assert (after_stop, unfinished) == (before, 0)
                assert PATIENT in await site.keys()
                begun += 1
                continue
            assert not any((await site.counts()).values()), steps
            assert await site.keys() == []
            (erased,) = listed
            assert erased.receipt is not None
            told = genuine(site, erased.receipt)
            assert (told["found"], told["removed"]["turns"], told["keys_shredded"]) == (True, 1, 2)  # type: ignore[index]
            assert await site.erasure.finish() == 0
            finished += unfinished
        if receipt is not None and steps > finished + begun + 1:
            break
    # The beginning is written down; keys; rows; late keys; logs; receipt: each of the last four was stopped before.
    assert (begun, finished) == (2, 4)


async def test_one_that_failed_on_its_way_is_finished_by_asking_again(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        await site.visit(PATIENT)
        store, write = site.desk.store, site.desk.store.write
        calls = 0

        async def busy(run: Callable[[Database], Any]) -> Any:
            nonlocal calls
            calls += 1
            if calls == 2:  # the rows
                raise StoreBusy
            return await write(run)

        store.write = busy  # type: ignore[method-assign, assignment]
        with pytest.raises(StoreBusy):
            await site.erasure.erase(PATIENT, OFFICER)
        receipt = genuine(site, await site.erasure.erase(PATIENT, OFFICER))
        assert (receipt["keys_shredded"], receipt["removed"]["turns"]) == (2, 1)  # type: ignore[index]
        assert not any((await site.counts()).values())
        assert len(await site.erasure.erasures()) == 1


# --- a restore ---


def replayed(paths: SitePaths) -> int:
    """As a restore does it: on the files, before the site opens."""
    keys = SiteKeys.open(paths)
    site, subjects = connect(paths.store, keys.store), connect(paths.subject_keys, keys.subjects)
    try:
        return replay(site, subjects, SubjectDigests(keys.store))
    finally:
        site.conn.close()
        subjects.conn.close()


@pytest.mark.proves("erasure")
@pytest.mark.parametrize("old_keys", [False, True], ids=["living keys", "keys of the backup"])
async def test_a_restored_backup_is_cleaned_before_it_opens(tmp_path: Path, old_keys: bool) -> None:
    site_folder, paths, copies = tmp_path / "site", site_paths(tmp_path / "site"), tmp_path / "copies"
    async with open_site(site_folder) as site:
        await site.visit("other")
        others, keys = await site.counts(), await site.keys()
        await site.visit(PATIENT)
    shutil.copytree(paths.store.parent, copies)
    async with open_site(site_folder) as site:
        await site.erasure.erase(PATIENT, OFFICER)
        listed = await site.desk.store.read_keys(
            lambda db: db.execute("SELECT digest, erased_ms, receipt FROM erasures").fetchall()
        )
    shutil.copy(copies / "site.db", paths.store)
    if old_keys:  # a file of keys that the erasure did not reach, with the list of today
        shutil.copy(copies / "keys.db", paths.subject_keys)
        subjects = connect(paths.subject_keys, SiteKeys.open(paths).subjects)
        subjects.execute("INSERT INTO erasures VALUES (?, ?, ?)", list(listed[0]))
        subjects.conn.close()
    assert replayed(paths) > 0
    assert replayed(paths) == 0
    async with open_site(site_folder) as site:
        assert await site.counts() == others
        assert await site.keys() == keys


async def test_what_somebody_left_after_their_erasure_stays(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        await site.visit(PATIENT)
        receipt = await site.erasure.erase(PATIENT, OFFICER)
        await _until_after(int(str(receipt["erased_ms"])))
        new, _ = await site.visit(PATIENT)
        there, keys = await site.counts(), await site.keys()
    assert replayed(site_paths(tmp_path)) == 0
    async with open_site(tmp_path) as site:
        assert await site.counts() == there
        assert await site.keys() == keys
        session = await site.desk.sessions.get(new.session.id, new.token)
        sealed = await site.desk.store.read(lambda db: db.execute("SELECT id, body FROM turns").fetchone())
        assert WORDS in session.key.open("turns", sealed[0], "body", bytes(sealed[1])).decode()


async def test_without_any_keys_only_what_names_nobody_is_left(tmp_path: Path) -> None:
    paths = site_paths(tmp_path)
    async with open_site(tmp_path) as site:
        await site.visit(PATIENT)
        await site.visit()
        consents = (await site.counts())["consents"]
    for name in ("keys.db", "keys.db-wal", "keys.db-shm", "keys.head"):
        (paths.store.parent / name).unlink(missing_ok=True)
    async with open_site(tmp_path):
        pass  # a fresh file of keys
    assert replayed(paths) > 0
    async with open_site(tmp_path) as site:
        left = await site.counts()
        assert {table for table, rows in left.items() if rows} == {"consents"}
        assert left["consents"] == consents


async def _until_after(moment_ms: int) -> None:
    while session_rows.now_ms() <= moment_ms:
        await asyncio.sleep(0)


# --- one that failed, and a hold beside a wrong clock ---


async def fails_at_the_logs(site: Site, monkeypatch: pytest.MonkeyPatch, doing: Awaitable[object]) -> None:
    """`doing` gets as far as the rows."""

    async def full(**_: object) -> bool:
        raise StoreBusy

    with monkeypatch.context() as patch:
        patch.setattr(site.desk.store, "tidy", full)
        with pytest.raises(StoreBusy):
            await doing


@pytest.mark.parametrize("prefix", ["ticket:", ""])
async def test_asked_again_by_a_number_that_no_row_knows_any_more_the_receipt_is_of_the_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    async with open_site(tmp_path) as site:
        _, number = await site.visit(PATIENT)
        await fails_at_the_logs(site, monkeypatch, site.erasure.erase(f"{prefix}{number}", OFFICER))
        (unsigned,) = await site.erasure.erasures()
        assert unsigned.receipt is None
        receipt = genuine(site, await site.erasure.erase(f"{prefix}{number}", OFFICER))
        assert receipt["subject"] == site.desk.store.digests.of(PATIENT).hex()
        assert (receipt["found"], receipt["keys_shredded"]) == (True, 2)
        assert "known_as" not in receipt
        assert len(await site.erasure.erasures()) == 1


async def test_one_that_failed_is_finished_before_the_next_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_site(tmp_path) as site:
        await site.visit(PATIENT)
        await fails_at_the_logs(site, monkeypatch, site.erasure.erase(PATIENT, OFFICER))
        receipt = await site.erasure.erase("nobody", OFFICER)
        assert receipt["found"] is False
        assert all(erased.receipt for erased in await site.erasure.erasures())


async def test_a_release_that_failed_is_finished_by_asking_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_site(tmp_path) as site:
        await site.visit(PATIENT)
        await site.erasure.hold(PATIENT, "case 7", OFFICER)
        with pytest.raises(LegalHold):
            await site.erasure.erase(PATIENT, OFFICER)
        await fails_at_the_logs(site, monkeypatch, site.erasure.release(PATIENT, OFFICER))
        with pytest.raises(NoSuchHold):
            await site.erasure.release(PATIENT, OFFICER)
        (erased,) = await site.erasure.erasures()
        assert erased.receipt is not None
        assert genuine(site, erased.receipt)["found"] is True


async def test_an_erasure_on_its_way_is_not_taken_for_one_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_site(tmp_path) as site:
        await site.visit(PATIENT)
        tidy, finishing = site.desk.store.tidy, list[asyncio.Task[int]]()

        async def look_meanwhile(**named: bool) -> bool:
            finishing.append(asyncio.create_task(site.erasure.finish()))
            return await tidy(**named)

        monkeypatch.setattr(site.desk.store, "tidy", look_meanwhile)
        await site.erasure.erase(PATIENT, OFFICER)
        assert [await task for task in finishing] == [0]


@pytest.mark.proves("legal-hold")
@pytest.mark.parametrize("ahead_ms", [0, 366 * 86_400_000], ids=["right", "ahead"])
async def test_a_hold_wins_over_an_erasure_that_a_clock_ahead_has_dated(
    tmp_path: Path, ahead_ms: int
) -> None:
    async with open_site(tmp_path) as site:
        await site.visit(PATIENT)
        receipt = await site.erasure.erase(PATIENT, OFFICER)
        await site.desk.store.write_keys(
            lambda keys: keys.execute("UPDATE erasures SET erased_ms = erased_ms + ?", [ahead_ms])
        )
        await _until_after(int(str(receipt["erased_ms"])))
        await site.visit(PATIENT)
        await site.erasure.hold(PATIENT, "case 7", OFFICER)
        there, keys = await site.counts(), await site.keys()
    assert replayed(site_paths(tmp_path)) == 0
    async with open_site(tmp_path) as site:
        assert (await site.counts(), await site.keys()) == (there, keys)
