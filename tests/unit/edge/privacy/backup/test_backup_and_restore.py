"""Back and forth through real files: the same data on the same machine and on another, minus what was erased since."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from sqlite_utils import Database

from core.archives import BackupUnusable, RestoreRefused
from edge.config import site_paths
from edge.egress.ledger import Draft, reading
from edge.egress.ledger.log import Log
from edge.keys import SiteKeys, custody, recovery
from edge.privacy import holds
from edge.privacy.backup.backups import Backups
from edge.privacy.backup.keys_file import KeysFiles, beside
from edge.privacy.holds import Hold
from edge.store import audit, operators, outbox
from edge.store.audit import AuditFilter
from edge.store.connection import StoreInUse
from edge.store.operators import Role, State
from edge.store.outbox import OutboxClass
from tests.unit.edge.privacy.backup.conftest import BackedUp
from tests.unit.edge.privacy.backup.sites import (
    ANNA,
    ANNAS_WORDS,
    BERT,
    BERTS_WORDS,
    ASite,
    back_up,
    bytes_of,
    erase,
    export,
    listing,
    make_site,
    opened,
    put_back,
    wanted,
)


@pytest.mark.proves("backup")
async def test_another_machine_has_the_same_site(site: ASite, file: Path, tmp_path: Path) -> None:
    before = await export(site.paths, ANNA), await export(site.paths, BERT)
    assert ANNAS_WORDS in before[0]
    await back_up(site.paths, file)
    elsewhere = site_paths(tmp_path / "other" / "machine")
    elsewhere.root.parent.mkdir()
    done = put_back(elsewhere, wanted(site, file))
    assert (done.people, done.removed, done.kept, done.settings) == ("file", 0, None, "")
    assert (await export(elsewhere, ANNA), await export(elsewhere, BERT)) == before
    assert _same_content(site.paths.root, elsewhere.root)
    ours, theirs = SiteKeys.open(site.paths), SiteKeys.open(elsewhere)
    assert ours.store == theirs.store
    assert ours.subjects != theirs.subjects
    assert (site.paths.keys / "root.key").read_bytes() != (elsewhere.keys / "root.key").read_bytes()
    assert not elsewhere.recovery_key.exists()


def _same_content(first: Path, second: Path) -> bool:
    """Settings, policy with its key, documents, examples."""
    ours, theirs = listing(first), listing(second)
    return all(
        ours[name] == theirs[name]
        for name in ours
        if not name.startswith("keys/") or name.startswith("keys/policy")
    )


@pytest.mark.proves("backup")
async def test_without_peoples_keys_nobody_is_there(backed_up: BackedUp, tmp_path: Path) -> None:
    site, file = backed_up.site, backed_up.file
    elsewhere = site_paths(tmp_path / "elsewhere")
    done = put_back(elsewhere, wanted(site, file, keys=None))
    assert done.people == "none"
    assert done.removed > 0
    async with opened(elsewhere) as store:
        for table in ("sessions", "turns", "handoffs", "messages", "feedback"):
            assert await store.read(lambda db, name=table: db[name].count) == 0


def everything(db: Database) -> str:
    """Every row of every table."""
    return "\n".join(str(row) for table in db.tables for row in table.rows)


@pytest.mark.proves("erasure")
async def test_what_was_erased_since_is_not_back_on_the_same_machine(site: ASite, file: Path) -> None:
    """Even with a copy of the file of people's keys as it was before the erasure."""
    kept = await export(site.paths, BERT)
    await back_up(site.paths, file)
    copy = Path(shutil.copy(beside(file), file.with_name("copy.keys")))
    await erase(site.paths, ANNA)
    done = put_back(site.paths, wanted(site, file, keys=copy, replace=True))
    assert done.people == "here"
    assert done.removed > 0
    assert await export(site.paths, BERT) == kept
    assert ANNAS_WORDS not in await export(site.paths, ANNA)
    async with opened(site.paths) as store:
        assert ANNA not in await store.read(everything)
        assert ANNA not in await store.read_keys(everything)
    assert not site.paths.root.with_name(f".{site.paths.root.name}.restoring").exists()


@pytest.mark.proves("erasure")
async def test_what_was_erased_since_is_not_back_on_another_machine(
    site: ASite, file: Path, tmp_path: Path
) -> None:
    """The file beside the backup was written anew; a copy from before the erasure is what the pages warn of."""
    await back_up(site.paths, file)
    copy = Path(shutil.copy(beside(file), file.with_name("copy.keys")))
    await erase(site.paths, ANNA)
    put_back(site_paths(tmp_path / "new"), wanted(site, file))
    assert ANNAS_WORDS not in await export(site_paths(tmp_path / "new"), ANNA)
    assert BERTS_WORDS in await export(site_paths(tmp_path / "new"), BERT)
    put_back(site_paths(tmp_path / "old"), wanted(site, file, keys=copy))
    assert ANNAS_WORDS in await export(site_paths(tmp_path / "old"), ANNA)


async def test_evidence_of_the_machine_stays(backed_up: BackedUp) -> None:
    site, file = backed_up.site, backed_up.file
    async with opened(site.paths) as store:
        await store.write(lambda db: audit.append(db, "olga", "inbox.show", "17"))
        await store.write(lambda db: outbox.append(db, OutboxClass.STATE, "test", {"n": 1}))
        epoch = await store.read(outbox.read_epoch)
    Log.open(site.paths.ledger).close()
    before = reading.verify(site.paths.ledger)
    done = put_back(site.paths, wanted(site, file, replace=True))
    assert done.kept is not None
    assert done.kept >= 2  # what olga saw, the restore's beginning
    assert before.leaves == 1
    assert reading.verify(site.paths.ledger) == before
    async with opened(site.paths) as store:
        rows = await store.read(lambda db: audit.search(db, AuditFilter(), 100))
        told = [(row.actor, row.action, row.outcome) for row in reversed(rows)][-3:]
        assert [action for _, action, _ in told] == [
            "inbox.show", "backup.restore", "backup.restore",
        ]  # fmt: skip
        assert [outcome for *_, outcome in told] == ["done", "begun", "done"]
        stats = await store.read(outbox.stats)
        assert (stats.rows, stats.newest_sequence) == (0, 0)
        assert stats.epoch != epoch
        assert store.lost == {}


async def test_another_machines_record_of_what_left_is_set_aside(
    site: ASite, file: Path, tmp_path: Path
) -> None:
    """It is copied while the courier writes it; the new machine's own begins with the root of it."""
    (site.paths.courier).mkdir(exist_ok=True)
    (site.paths.courier / "key.pem").write_text("a private key")
    ledger = Log.open(site.paths.ledger)
    ledger.append([Draft("link", {"envelope": "ab" * 16, "destination": "cloud.example:7443"})])
    made = await back_up(site.paths, file)
    elsewhere = site_paths(tmp_path / "elsewhere")
    put_back(elsewhere, wanted(site, file))
    aside = elsewhere.courier / f"ledger.until-{made.made_ms}.db"
    assert list(elsewhere.courier.iterdir()) == [aside]
    Log.open(elsewhere.ledger).close()
    (begin,) = reading.read(elsewhere.ledger)
    assert begin.fields["previous"] == ledger.root.hex() == reading.verify(aside).root
    ledger.close()


async def test_a_site_whose_courier_runs_is_not_restored(backed_up: BackedUp) -> None:
    ledger = Log.open(backed_up.site.paths.ledger)
    with pytest.raises(RestoreRefused, match="courier is running"):
        put_back(backed_up.site.paths, wanted(backed_up.site, backed_up.file, replace=True))
    ledger.close()


async def test_a_site_is_not_written_over_unasked(backed_up: BackedUp) -> None:
    site, file = backed_up.site, backed_up.file
    before = bytes_of(site.paths.root)
    with pytest.raises(RestoreRefused, match="There is a site"):
        put_back(site.paths, wanted(site, file))
    assert bytes_of(site.paths.root) == before


@pytest.mark.proves("backup")
async def test_a_running_site_is_not_restored(backed_up: BackedUp) -> None:
    site, file = backed_up.site, backed_up.file
    async with opened(site.paths):
        with pytest.raises(StoreInUse):
            put_back(site.paths, wanted(site, file, replace=True))


async def test_another_sites_backup_takes_no_sites_place(site: ASite, file: Path, tmp_path: Path) -> None:
    other = await make_site(tmp_path / "other")
    await back_up(other.paths, file)
    before = listing(site.paths.root)
    with pytest.raises(RestoreRefused, match="another site"):
        put_back(site.paths, wanted(other, file, replace=True))
    assert listing(site.paths.root) == before


async def test_a_damaged_store_is_no_obstacle(backed_up: BackedUp) -> None:
    site, file = backed_up.site, backed_up.file
    kept = await export(site.paths, ANNA)
    site.paths.store.write_bytes(bytes(4096) + site.paths.store.read_bytes()[4096:])
    done = put_back(site.paths, wanted(site, file, replace=True))
    assert (done.people, done.kept) == ("here", None)
    assert await export(site.paths, ANNA) == kept


@pytest.mark.proves("backup")
async def test_who_was_let_out_since_stays_out(site: ASite, file: Path) -> None:
    async with opened(site.paths) as store:
        await store.write(lambda db: operators.add(db, "t", "olga", {Role.DESK}, None))
        await store.write(lambda db: operators.add(db, "t", "tom", {Role.TECHNICIAN}, None))
    await back_up(site.paths, file)
    async with opened(site.paths) as store:
        await store.write(lambda db: operators.set_state(db, "t", "olga", State.DISABLED))
    put_back(site.paths, wanted(site, file, replace=True))
    async with opened(site.paths) as store:
        found = {row.name: row.state for row in await store.read(operators.listing)}
    assert found == {"olga": State.DISABLED, "tom": State.ACTIVE}


async def test_people_of_another_site_do_not_come_in(site: ASite, file: Path, tmp_path: Path) -> None:
    other = await make_site(tmp_path / "other")
    await back_up(site.paths, file)
    strange = tmp_path / "vault" / "strange.age"
    await back_up(other.paths, strange)
    same_key = ASite(other.paths, site.identity)
    with pytest.raises(BackupUnusable):
        put_back(site_paths(tmp_path / "new"), wanted(same_key, file, keys=beside(strange)))
    assert not (tmp_path / "new").exists()
    assert BERTS_WORDS not in bytes_of(tmp_path).decode("latin-1")


async def test_a_recovery_key_that_was_replaced_since(site: ASite, file: Path, tmp_path: Path) -> None:
    """The backup opens with the one before, people's keys with the one of now; from now on that one holds."""
    await back_up(site.paths, file)
    async with opened(site.paths) as store:
        now = recovery.identity(custody.rotate(site.paths))
        await KeysFiles(store, site.paths).rewrite()
    elsewhere = site_paths(tmp_path / "elsewhere")
    with pytest.raises(BackupUnusable) as error:
        put_back(elsewhere, wanted(site, file))
    assert "give both" in error.value.remedy
    both = replace(wanted(site, file), identities=[site.identity, now])
    assert put_back(elsewhere, both).removed == 0
    assert str(recovery.recipient(elsewhere)) == str(now.to_public())


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_a_restore_takes_no_hold_away(elsewhere: bool, site: ASite, file: Path, tmp_path: Path) -> None:
    """Placed after the backup: it is in the machine's file, and in the file beside the backup by the next rewriting."""
    await back_up(site.paths, file)
    hold = Hold(ANNA, "case 7", "olga", 5, None)
    async with opened(site.paths) as store:
        await store.write_keys(lambda db: holds.place(db, hold))
        await Backups(store, site.paths).keys_files.rewrite()
    paths = site_paths(tmp_path / "new") if elsewhere else site.paths
    put_back(paths, wanted(site, file, replace=not elsewhere))
    async with opened(paths) as store:
        assert await store.read_keys(holds.listing) == [hold]
    assert ANNAS_WORDS in await export(paths, ANNA)
