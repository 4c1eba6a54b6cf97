"""Whether the software beside this file can take over a site: run from its slot, on a copy of the store.

In a process of its own (`edge.apart`). It copies the store, brings the copy to its own tables, and reads it; or, with
`copy` alone, reads a copy that another version has brought to its own: so it is known beforehand that there is a way
back. The site itself is not touched.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

from core.errors import PosternError
from core.version import VERSION
from edge.apart import Done, serve
from edge.config import SitePaths, load_config
from edge.privacy.backup.snapshot import snapshot
from edge.store import migrations
from edge.store.connection import connect
from edge.store.schema import TABLES
from models.progress import Report


class SlotUnfit(PosternError):
    """This version cannot run this site."""

    code = "slot_unfit"
    title = "This version cannot take over here"
    remedy = "What ran before still does. Tell whoever published it."


def work(task: dict[str, Any], report: Report) -> Done:
    """`site`: its folder; `key`: of the store; `copy`: where the copy goes; `take`: whether to make it anew.

    Raises SlotUnfit.
    """
    import edge.app  # noqa: F401  its libraries must be here, in versions that it can use

    paths, copy, key = SitePaths(Path(task["site"])), Path(task["copy"]), bytes.fromhex(task["key"])
    try:
        load_config(paths)
        if task["take"]:
            _take(paths.store, copy, key)
        rows = _read(copy, key)
    except PosternError as error:
        raise SlotUnfit(f"{VERSION}: {error.detail}") from error
    return Done({"version": VERSION, "rows": rows})


def _take(store: Path, copy: Path, key: bytes) -> None:
    with snapshot(store, key) as taken:
        for source, size, target in (
            (taken.store, taken.store_bytes, copy),
            (taken.log, taken.log_bytes, copy.with_name(f"{copy.name}-wal")),
        ):
            with target.open("wb") as written:
                shutil.copyfileobj(source, written)
                written.truncate(size)


def _read(copy: Path, key: bytes) -> int:
    """Rows of all tables, each counted. Raises SlotUnfit, StoreUnusable."""
    db = connect(copy, key)
    try:
        migrations.site.apply(db)
        if (fault := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise SlotUnfit(f"The copy of the store is damaged: {fault}.")
        return sum(int(db.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0]) for table in TABLES)  # noqa: S608
    finally:
        db.conn.close()


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer, work)
