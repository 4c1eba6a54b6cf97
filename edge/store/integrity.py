"""Is every page of the store as it was written, and is nothing missing? Only reads, and may run beside a node."""

from __future__ import annotations

from pathlib import Path

import sqlcipher3

from edge.config import SitePaths
from edge.keys import SiteKeys
from edge.store.connection import StoreUnusable, connect_to_read
from edge.store.head import lost_groups


def damage(paths: SitePaths, keys: SiteKeys) -> list[str]:
    """What is wrong, a sentence each; a site whose node has not run yet has nothing to look at.

    Reads the whole of both files: some 300 MB/s.
    """
    return _damage(paths.store, keys.store) + _damage(paths.subject_keys, keys.subjects)


def _damage(path: Path, key: bytes) -> list[str]:
    if not path.exists():
        return []
    try:
        db = connect_to_read(path, key)
    except StoreUnusable as error:
        return [error.detail]
    try:
        lost = lost_groups(path, key, db)
        pages = db.execute("PRAGMA cipher_integrity_check").fetchall()
        # Pages that were committed and are still in the log: it has no checksum of its own against a wrong number.
        problems = [row[0] for row in db.execute("PRAGMA integrity_check").fetchall() if row[0] != "ok"]
    except sqlcipher3.DatabaseError as error:
        return [f"{path.name}: {error}"]
    finally:
        db.conn.close()
    found = [f"{path.name}: {len(pages)} pages are not as they were written"] if pages else []
    if problems:
        found.append(f"{path.name}: {len(problems)} faults, the first: {problems[0]}")
    if lost != 0:
        found.append(
            f"{path.name}: {'an unknown number of' if lost is None else lost} groups of rows are missing"
        )
    return found
