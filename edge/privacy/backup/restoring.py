"""Restoring a site: put together beside the old one, checked, what was erased taken away again, then changed at once.

Ended at any moment, there is the old site or the new one, whole; the command then begins anew. On a machine that has
the site its keys, its list of erasures, its holds and its courier's folder stay as they are: nothing that was forgotten
comes back, and the record of what left loses no line. Where its file of people's keys is lost, what the file beside the
backup has comes into its place, before anything else. On another machine the keys get a new root key, and people's
come from the file beside the backup; without it every conversation goes, for nobody can read it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import sqlcipher3
from pyrage.x25519 import Identity
from sqlite_utils import Database

from core.archives import RestoreRefused
from core.errors import ConfigError
from core.files import private_folder
from edge.config import SitePaths, load_config
from edge.keys import SiteKeys, custody
from edge.privacy.backup import keys_file, living_people, manifest, renewing, rows, switching
from edge.privacy.backup.errors import RestoreFailed
from edge.privacy.backup.manifest import Head
from edge.privacy.backup.named_files import named_files
from edge.privacy.backup.rows import Made
from edge.privacy.backup.unpacking import Unpacked, unpack
from edge.privacy.erasure import replay
from edge.store import audit, migrations
from edge.store.audit import Outcome
from edge.store.connection import StoreUnusable, connect, lock
from edge.store.subjects import SubjectDigests
from models.progress import Report

ACTION: Final = "backup.restore"
WHAT: Final = "Reading the backup"
ROOM: Final = 1.05
"""What a site takes of its backup."""

CONTENT: Final = frozenset(
    {
        "site.toml",
        "policy.toml",
        "documents",
        "intents.csv",
        "questions.jsonl",
        "updates/packs",
        "store/site.db",
        "store/site.db-wal",
        "store/site.db-shm",
        "store/site.head",
        "store/keys.db-wal",
        "store/keys.db-shm",
    }
)
"""What of a site's folder is as it was when the backup was made; all else stays as it is on the machine."""

_MACHINES_OWN: Final = frozenset({manifest.POLICY_PUBLIC, manifest.POLICY_KEY, manifest.LEDGER})
"""Parts that a machine which has the site does not take back."""

_MACHINES_OWN_FOLDERS: Final = (manifest.POLICIES, manifest.POLICIES_USED)
"""The same of folders: what the control plane has narrowed since stays narrow, and what was in force stays known."""

People = Literal["here", "file", "none"]
"""Where people's keys come from: the machine has them, the file beside the backup, nowhere."""


@dataclass(frozen=True)
class Wanted:
    """What to restore.

    identities  recovery keys, the one that holds from now on last: a backup may be older than it, people's keys not
    keys        the file of people's keys, None for none
    replace     over a site that is there
    """

    file: Path
    identities: Sequence[Identity]
    keys: Path | None
    replace: bool
    actor: str


@dataclass(frozen=True)
class Restored:
    """What was restored.

    people      where people's keys came from
    people_ms   when the file was written that they came from, if it was one
    removed     rows that are not back: erased since, or with nobody's key
    kept        lines of audit, notices and consents of this machine that the backup did not know; None: none were
                to be had
    missing     files that the settings name and that are not there
    settings    what is wrong with the settings for this version of Postern; empty: nothing
    """

    head: Head
    documents: int
    people: People
    people_ms: int | None
    removed: int
    kept: int | None
    missing: tuple[Path, ...]
    settings: str


@dataclass(frozen=True)
class _Living:
    """The site that the machine has.

    file    what the file beside the backup gave where the site's own of people's keys was lost, or some of it
    store   None where its file cannot be read
    """

    keys: SiteKeys
    people: Database
    file: keys_file.People | None
    store: Database | None


def restore(paths: SitePaths, wanted: Wanted, report: Report) -> Restored:
    """Put the backup in the place of the site, or where there is none. Nothing is changed before the last step.

    Raises BackupUnusable, RestoreRefused, RestoreFailed, StoreInUse, KeysUnusable.
    """
    try:
        with ExitStack() as stack:
            staged = SitePaths(stack.enter_context(_alone(paths.root)))
            living = stack.enter_context(_living(paths, staged, wanted))
            with _written_down(living, wanted.actor):
                restored = _put_together(paths, staged, living, wanted, report)
                _close(living)
                _switch(paths, staged)
        shutil.rmtree(
            staged.root, ignore_errors=True
        )  # the old site; `postern doctor` tells of what could not go
    except OSError as error:
        raise RestoreFailed(f"{error.filename or paths.root}: {error.strerror}.") from None
    return restored


@contextmanager
def _alone(root: Path) -> Iterator[Path]:
    """An empty folder beside the site, ours alone; what an earlier restore left in it goes."""
    staging = switching.beside(root)
    staging.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(staging, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _empty(staging)
        try:
            yield staging
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
    except BlockingIOError:
        raise RestoreRefused("Another restore of this site is going on.", remedy="Let it end.") from None
    finally:
        os.close(descriptor)


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


@contextmanager
def _living(paths: SitePaths, staged: SitePaths, wanted: Wanted) -> Iterator[_Living | None]:
    """The site that is there, held, or None. Raises RestoreRefused, StoreInUse, KeysUnusable, BackupUnusable."""
    if not any(path.exists() for path in (paths.config, paths.store, paths.keys / "site.key")):
        yield None
        return
    if not wanted.replace:
        raise RestoreRefused(
            f"There is a site in {paths.root}.",
            remedy="Choose another folder, or put the backup in its place with --replace.",
        )
    with ExitStack() as stack:
        stack.callback(os.close, lock(paths.store_lock))
        stack.enter_context(_no_courier(paths))
        keys = SiteKeys.open(paths)
        people, found = living_people.opened(paths, staged, keys, wanted.keys, wanted.identities)
        stack.enter_context(closing(people))
        store = _store_of(paths, keys)
        if store is not None:
            stack.enter_context(closing(store))
        yield _Living(keys, people, found, store)


@contextmanager
def _no_courier(paths: SitePaths) -> Iterator[None]:
    """Raises RestoreRefused while the courier writes its record."""
    if not paths.ledger_lock.exists():
        yield
        return
    descriptor = os.open(paths.ledger_lock, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise RestoreRefused("The site's courier is running.", remedy="Stop the site first.") from None
    finally:
        os.close(descriptor)


def _store_of(paths: SitePaths, keys: SiteKeys) -> Database | None:
    """The site's store as far as it can be read: it may be the reason for the restore."""
    if not paths.store.exists():
        return None
    try:
        store = connect(paths.store, keys.store)
        migrations.site.apply(store)
    except (StoreUnusable, sqlcipher3.DatabaseError):
        return None
    return store


@contextmanager
def _written_down(living: _Living | None, actor: str) -> Iterator[None]:
    """In the audit of the site that is there: begun, and where it comes to nothing, that it failed."""
    if living is None or living.store is None:
        yield
        return
    audit.append(living.store, actor, ACTION, outcome=Outcome.BEGUN)
    try:
        yield
    except BaseException:
        with suppress(sqlcipher3.Error):  # closed already, behind the last step that can fail
            audit.append(living.store, actor, ACTION, outcome=Outcome.FAILED)
        raise


def _put_together(
    paths: SitePaths, staged: SitePaths, living: _Living | None, wanted: Wanted, report: Report
) -> Restored:
    """The new site, whole, in `staged`."""
    unpacked = _unpack(staged, living, wanted, report)
    with ExitStack() as stack:
        db = stack.enter_context(closing(renewing.open_checked(staged.store, unpacked.store)))
        if living is None:
            keys, file = _people_from_file(staged, unpacked, wanted)
            stack.enter_context(closing(keys))
        else:
            keys, file = living.people, living.file
        removed = replay(db, keys, SubjectDigests(unpacked.store))
        with db.conn:
            kept = _renew(db, living, unpacked.head, wanted.actor)
        renewing.empty_log(db)
        renewing.note_commits(staged.store, unpacked.store, db)
        renewing.empty_log(keys)
    missing, settings = _settings(staged)
    people: People = "file" if file else "here" if living else "none"
    written_ms = file.written_ms if file else None
    return Restored(unpacked.head, unpacked.documents, people, written_ms, removed, kept, missing, settings)


def _settings(staged: SitePaths) -> tuple[tuple[Path, ...], str]:
    """Files that they name and that are not there; what is wrong with them, which can be mended afterwards."""
    try:
        config = load_config(staged)
    except ConfigError as error:
        return (), error.detail
    return tuple(path for _, path in named_files(config) if not path.exists()), ""


def _unpack(staged: SitePaths, living: _Living | None, wanted: Wanted, report: Report) -> Unpacked:
    size = wanted.file.stat().st_size if wanted.file.is_file() else 0
    if shutil.disk_usage(staged.root).free < size * ROOM:
        raise RestoreFailed(f"{size * ROOM / 1e6:,.0f} MB are needed beside the site's folder.")
    done = 0

    def is_wanted(head: Head, name: str) -> bool:
        if living is None:
            return True
        if head.store != keys_file.store_tag(living.keys.store):
            raise RestoreRefused("The backup is of another site than the one that is there.")
        return name not in _MACHINES_OWN and not name.startswith(_MACHINES_OWN_FOLDERS)

    def on_bytes(read: int) -> None:
        nonlocal done
        done += read
        report(WHAT, min(done, size), size)

    return unpack(wanted.file, wanted.identities, staged, is_wanted, on_bytes)


def _people_from_file(
    staged: SitePaths, unpacked: Unpacked, wanted: Wanted
) -> tuple[Database, keys_file.People | None]:
    """The keys of a machine that has none: a new root key, and people's keys as the file beside the backup has them."""
    _set_ledger_aside(staged, unpacked.head)
    custody.adopt(staged, unpacked.store, unpacked.receipts, wanted.identities[-1])
    keys = SiteKeys.open(staged)
    db = connect(staged.subject_keys, keys.subjects)
    try:
        migrations.keys.apply(db)
        found = None
        if wanted.keys is not None:
            found = keys_file.read(wanted.keys, keys_file.store_tag(unpacked.store), wanted.identities)
            with db.conn:
                db.execute("BEGIN")
                keys_file.insert(db, found.tables)
                rows.add(db, _made(wanted.file, wanted.keys, unpacked.head))
        renewing.note_commits(staged.subject_keys, keys.subjects, db)
    except BaseException:
        db.conn.close()
        raise
    return db, found


def _made(file: Path, keys: Path, head: Head) -> Made:
    """The backup itself, for the list: an erasure on the new machine reaches the keys beside it."""
    return Made(head.id, head.made_ms, file, keys, file.stat().st_size)


def _set_ledger_aside(staged: SitePaths, head: Head) -> None:
    """The record of what left is the other machine's: to be read, and not to be written on."""
    if staged.ledger.exists():
        private_folder(staged.courier)
        os.rename(staged.ledger, staged.courier / f"ledger.until-{head.made_ms}.db")


def _renew(db: Database, living: _Living | None, head: Head, actor: str) -> int | None:
    db.execute("BEGIN")
    renewing.begin_anew(db)
    kept = None
    if living is not None and living.store is not None:
        with suppress(sqlcipher3.DatabaseError):  # what is damaged of it is the reason for the restore
            kept = sum(renewing.take_over(db, living.store).values())
    made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(head.made_ms / 1000))
    audit.append(db, actor, ACTION, f"backup of {made}", Outcome.DONE)
    return kept


def _close(living: _Living | None) -> None:
    """Both files whole in themselves, so that each can have a second name."""
    if living is None:
        return
    renewing.empty_log(living.people)
    living.people.conn.close()
    if living.store is not None:
        living.store.conn.close()


def _switch(paths: SitePaths, staged: SitePaths) -> None:
    if paths.root.exists():
        switching.link_rest(paths.root, staged.root, CONTENT)
    switching.adopt_owners(paths.root, staged.root)
    switching.switch(staged.root, paths.root)
