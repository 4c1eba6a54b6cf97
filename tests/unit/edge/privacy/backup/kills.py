"""A restore killed at its Nth touch of the file system, for each Nth of a stride; one JSON line each on stdout.

`python -m tests.unit.edge.privacy.backup.kills FOLDER STRIDE`: FOLDER has `site`, `monday.age` and its keys,
`recovery-key`. A process of its own, because it forks: the product's libraries are loaded once.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from edge.config import SitePaths, site_paths
from edge.keys import SiteKeys
from edge.keys.recovery import identity as identity_of
from edge.privacy.backup import switching
from edge.privacy.backup.restoring import Wanted, restore
from edge.store.connection import connect
from models.progress import silent

# What changes files, by Python's own names; the exchange itself is no such event, those around it are.
TOUCHES = (
    "open",
    "os.rename",
    "os.link",
    "os.mkdir",
    "os.remove",
    "os.rmdir",
    "os.chmod",
    "os.truncate",
    "os.utime",
)
ACTION_DONE = "SELECT count(*) FROM audit WHERE action = 'backup.restore' AND outcome = 'done'"


def killed_at(touch: int, work: Callable[[], None]) -> bool:
    """Run `work` in a child that dies at its `touch`th touch; False when it ended before."""
    child = os.fork()
    if child == 0:
        seen = 0

        def look(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal seen
            if event in TOUCHES:
                seen += 1
                if seen == touch:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(look)
        work()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def state(paths: SitePaths) -> str:
    """Which site is there: whole in its files and its store, or what is wrong with it."""
    db = connect(paths.store, SiteKeys.open(paths).store)
    try:
        sound = db.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok"
        done = db.execute(ACTION_DONE).fetchone()[0]
    finally:
        db.conn.close()
    new = paths.config.read_text().startswith("# restored")
    documents = len(list(paths.documents.rglob("*.md")))
    return ("new" if new else "old") if sound and bool(done) == new and documents > 3 else "mixed"


def main(folder: Path, stride: int) -> None:
    """Until one restore ends by itself."""
    # A kill loses nothing that was written; waiting for the disk, a hundred times, would only hold up the test.
    switching.sync = lambda _: None
    paths = site_paths(folder / "site")
    before = folder / "before"
    shutil.copytree(paths.root, before)
    identity = identity_of((folder / "recovery-key").read_text())
    file = folder / "monday.age"
    wanted = Wanted(file, [identity], None, replace=True, actor="test")
    touch = 1
    while killed_at(touch, lambda: restore(paths, wanted, silent) and None):
        after = state(paths)
        restore(paths, wanted, silent)
        left = [path.name for path in folder.glob(".*")]
        print(json.dumps({"touch": touch, "after": after, "again": state(paths), "left": left}), flush=True)
        shutil.rmtree(paths.root)
        shutil.copytree(before, paths.root)
        touch += stride


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
