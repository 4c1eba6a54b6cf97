"""People's keys of the site that a restore finds on the machine: its own, or where lost those beside the backup.

An empty file in their place would say that nobody is known and nobody was ever erased: every conversation would go, and
who was erased come back with the next backup. So what is lost is said, and nothing is made up.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from pyrage.x25519 import Identity
from sqlite_utils import Database

from core.archives import RestoreRefused
from edge.config import SitePaths
from edge.keys import SiteKeys
from edge.privacy.backup import keys_file, renewing
from edge.privacy.backup.keys_file import People
from edge.store import migrations
from edge.store.connection import StoreUnusable, connect
from edge.store.head import lost_groups

_REMEDY = "Give FILE.keys, which was written beside a backup, with --keys: people's keys, erasures and holds are in it."


def opened(
    paths: SitePaths, staged: SitePaths, keys: SiteKeys, file: Path | None, identities: Sequence[Identity]
) -> tuple[Database, People | None]:
    """The file of people's keys; where it was lost, or some of it, also what was read from `file` and is in it now.

    Raises RestoreRefused where it is lost and there is no `file`, BackupUnusable for one of another site.
    """
    found = None
    if not paths.subject_keys.exists():
        found = _read(paths, keys, file, identities)
        _put_there(paths, staged, keys, found)
    db = _open(paths, keys)
    try:
        migrations.keys.apply(db)
        if found is None and lost_groups(paths.subject_keys, keys.subjects, db):
            found = _read(
                paths, keys, file, identities
            )  # an older copy lies there: who was erased since is in this
            _fill(db, found)
        if found is not None:
            renewing.note_commits(paths.subject_keys, keys.subjects, db)
    except BaseException:
        db.conn.close()
        raise
    return db, found


def _open(paths: SitePaths, keys: SiteKeys) -> Database:
    try:
        return connect(paths.subject_keys, keys.subjects)
    except StoreUnusable as error:
        raise RestoreRefused(
            error.detail, remedy=f"Move {paths.subject_keys} away, then restore. {_REMEDY}"
        ) from None


def _put_there(paths: SitePaths, staged: SitePaths, keys: SiteKeys, found: People) -> None:
    """In one step: an empty file would look like one of a site that knows nobody."""
    db = connect(staged.subject_keys, keys.subjects)
    with closing(db.conn):
        migrations.keys.apply(db)
        _fill(db, found)
        renewing.empty_log(db)
    for end in ("-wal", "-shm"):  # of the file that is lost
        paths.subject_keys.with_name(paths.subject_keys.name + end).unlink(missing_ok=True)
    os.replace(staged.subject_keys, paths.subject_keys)


def _fill(db: Database, found: People) -> None:
    with db.conn:
        db.execute("BEGIN")
        keys_file.insert(db, found.tables)


def _read(paths: SitePaths, keys: SiteKeys, file: Path | None, identities: Sequence[Identity]) -> People:
    if file is None:
        raise RestoreRefused(
            f"{paths.subject_keys} is missing, or not all of it is there: nobody could tell who was erased.",
            remedy=_REMEDY,
        )
    return keys_file.read(file, keys_file.store_tag(keys.store), identities)
