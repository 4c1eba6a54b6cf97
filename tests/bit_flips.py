"""One bit of one file at a time: does `postern doctor` notice?

A site's files as a kill leaves them, and as a stop does. The site has what is kept about people, conversations and
their keys, rows of audit; and a policy and a ledger.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlite_utils import Database

from core.errors import PosternError
from edge import doctor
from edge.chat import session_rows
from edge.config import SitePaths, site_paths
from edge.egress.ledger import Draft, reading
from edge.egress.ledger.log import Log
from edge.site_setup import create_site
from edge.store import audit
from edge.store.store import Store
from edge.store.subjects import SubjectKey, create_key

CONVERSATIONS = 20

# Files in which no flip need be noticed, and why: none holds anything about a person.
NOTHING_PERSONAL = {
    "site.toml": "settings",
    "documents": "the site's own published documents",
    "intents.csv": "examples that the template brought",
    "questions.jsonl": "questions that the template brought",
    "store/lock": "empty",
    "store/site.db-shm": "where in the log which page is; made anew at each start",
    "store/keys.db-shm": "where in the log which page is; made anew at each start",
    "courier/ledger.lock": "empty",
    "courier/ledger.db-shm": "where in the log which page is; made anew at each start",
    "courier/ledger.db-wal": "empty as long as no courier runs",
    "courier/ledger.key": "a random number: with another one the courier does not start",
    "keys/envelope.key": "a random number: with another one the courier carries nothing",
    "keys/policy.key": "signs policies; with another one no policy that it signs is accepted",
    "keys/root.recovery": "the root key, encrypted: a damaged one opens nothing, and says so when it is used",
}


@dataclass(frozen=True)
class Flip:
    """One bit of one file."""

    file: str
    at: int
    bit: int


async def make(folder: Path) -> list[SitePaths]:
    """A site as a kill leaves it, its store's log full, and as a stop does."""
    running = site_paths(folder / "running")
    create_site(running, "clinic")
    store = Store.open(running)
    for number in range(CONVERSATIONS):
        await _converse(store, number)
    ledger = Log.open(running.ledger)
    for number in range(CONVERSATIONS):
        ledger.append([Draft("link", {"envelope": f"{number:032x}", "destination": "cloud.example:7443"})])
    ledger.close()
    shutil.copytree(running.root, folder / "killed")
    await store.close()
    return [site_paths(folder / "killed"), running]


async def _converse(store: Store, number: int) -> None:
    subject = f"session:{number}"
    key: SubjectKey = await store.write_keys(lambda keys: create_key(keys, subject))

    def write(db: Database) -> None:
        row = {"id": str(number), "subject": subject, "token_hash": b"", "channel": "kiosk", "locale": "en"}
        session_rows.insert(db, {**row, "created_ms": 1, "expires_ms": 2})
        body = key.seal("turns", str(number), "body", b"I am a patient of yours. " * 20)
        values = [str(number), str(number), 1, "answer", "personal", "[]", body]
        db.execute(f"INSERT INTO turns VALUES ({', '.join('?' * len(values))})", values)
        audit.append(db, "customer", "sessions.begin", str(number))

    await store.write(write)


def stored(paths: SitePaths) -> dict[str, Path]:
    """Every file of the site by its name below the folder, but for those that hold nothing personal."""
    found = {}
    for path in sorted(paths.root.rglob("*")):
        name = str(path.relative_to(paths.root))
        named = any(name == one or name.startswith(f"{one}/") for one in NOTHING_PERSONAL)
        if path.is_file() and path.stat().st_size and not named:
            found[name] = path
    return found


def sample(paths: SitePaths, positions: int, seed: int) -> Iterator[Flip]:
    """As many of each file, and of a short one every byte at most once."""
    rng, files = random.Random(seed), stored(paths)
    each = -(-positions // len(files))
    for name, path in files.items():
        size = path.stat().st_size
        for at in sorted(rng.sample(range(size), min(each, size))):
            yield Flip(name, at, rng.randrange(8))


def noticed(paths: SitePaths, flip: Flip) -> bool:
    """Whether a check of the doctor fails with this bit turned, or the ledger's leaves are what they were: its pages
    have room that nothing is kept in. The file is as before afterwards."""
    path = paths.root / flip.file
    leaves = list(reading.read(paths.ledger)) if path == paths.ledger else []
    with path.open("r+b") as file:
        file.seek(flip.at)
        before = file.read(1)
        file.seek(flip.at)
        file.write(bytes([before[0] ^ 1 << flip.bit]))
        file.flush()
        try:
            return bool(problems(paths) or (leaves and leaves == list(reading.read(paths.ledger))))
        finally:
            file.seek(flip.at)
            file.write(before)


def problems(paths: SitePaths) -> list[str]:
    """What the doctor finds wrong, with nothing said of what is right but for the recovery key, which lies here."""
    found = []
    for check in doctor.STORED:
        try:
            result = check(paths)
        except (PosternError, OSError) as error:
            found.append(str(error))
            continue
        if not result.ok and "still lies here" not in result.found:
            found.append(result.found)
    return found
