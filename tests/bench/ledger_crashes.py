"""Power cuts and kills around intent, send and close: what was sent is in the ledger, what was told durable is there.

A process writes to a real ledger and marks each step in a file; its writes are recorded and replayed up to many
moments, what was not synced left out, torn or there (`crash_images.py`). The same process is killed at random moments,
its disk full now and then. After each the courier's own start is done on what is left, it goes on, and every leaf is
looked at.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import PosternError
from edge.egress.ledger import Draft, LedgerFailed, Value, reading
from edge.egress.ledger.log import Log
from edge.egress.ledger.notes import Note
from tests import small_disk
from tests.bench import crash_images

MARKS = "marks"
GROUP_MAX = 8
# Of the write-ahead log before it is moved into the file: ours is 1,000, so that a short run would never do it.
MOVED_AFTER_PAGES = 40
# One group in so many meets a full disk, and one in so many is followed by a checkpoint.
FULL_EVERY, SIGNED_EVERY = 7, 5
# Beyond the end of the log at which a disk is full: within one group's pages.
ROOM_BYTES_MAX = 30_000


@dataclass
class Found:
    """What was tried, and what was wrong, in words."""

    replayed: int = 0
    killed: int = 0
    refused: int = 0
    """Groups that met a full disk, in the killed runs."""
    operations: int = 0
    not_really_full: str = ""
    """Why that was a limit on the size of files."""
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Marks:
    """What the process had said when it ended."""

    sent: frozenset[int]
    closed: frozenset[int]
    note: bytes
    refused: int

    @classmethod
    def of(cls, lines: bytes) -> Marks:
        """From whole lines; a torn last one was not said."""
        sent, closed, note, refused = set(), set(), b"", 0
        for line in lines.split(b"\n")[:-1]:
            what, _, rest = line.partition(b" ")
            if what == b"sent":
                sent.add(int(rest))
            elif what == b"closed":
                closed.add(int(rest))
            elif what == b"signed":
                note = bytes.fromhex(rest.decode())
            else:
                refused += 1
        return cls(frozenset(sent), frozenset(closed), note, refused)


def intent(number: int) -> Draft:
    """Of envelope `number`."""
    said: dict[str, Value] = {
        "policy": "",
        "verdict": "schema",
        "commitment": "ab" * 32,
        "rows": 1,
        "bytes": 100,
    }
    to: dict[str, Value] = {"destination": "cloud.example:7443", "kind": "outbox_batch"}
    return Draft("intent", {"envelope": f"{number:032x}", **to, **said})


def close(number: int) -> Draft:
    """Of envelope `number`."""
    ended: dict[str, Value] = {"outcome": "written", "bytes": 100, "destination_key": "cd" * 32}
    return Draft("close", {"envelope": f"{number:032x}", **ended, "tokens_up": 0, "tokens_down": 0})


def write(root: Path, envelopes: int, seed: int, full: bool) -> None:
    """What the process does: groups of envelopes, each step marked when it is done."""
    choose = random.Random(seed)
    path = root / "courier" / "ledger.db"
    ledger = Log.open(path)
    ledger._db.execute(f"PRAGMA wal_autocheckpoint={MOVED_AFTER_PAGES}")
    marks = os.open(root / MARKS, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    first = 0
    while first < envelopes:
        group = range(first, min(envelopes, first + choose.randint(1, GROUP_MAX)))
        first = group.stop
        room = choose.randrange(ROOM_BYTES_MAX) if full and choose.randrange(FULL_EVERY) == 0 else None
        try:
            _append(ledger, path, [intent(number) for number in group], room)
            for number in group:
                os.write(marks, b"sent %d\n" % number)
            _append(ledger, path, [close(number) for number in group], room)
        except LedgerFailed:
            os.write(marks, b"refused\n")
            continue
        for number in group:
            os.write(marks, b"closed %d\n" % number)
        if choose.randrange(SIGNED_EVERY) == 0:
            os.write(marks, b"signed %s\n" % bytes(ledger.checkpoint()).hex().encode())
    ledger.close()


def _append(ledger: Log, path: Path, drafts: list[Draft], room: int | None) -> None:
    """On a disk that has `room` bytes beyond the end of the log; None: enough."""
    if room is None:
        ledger.append(drafts)
        return
    with _full_disk(path, room):
        ledger.append(drafts)


@contextmanager
def _full_disk(path: Path, room: int) -> Iterator[None]:
    """Really full, where the ledger lies on a small disk; else its log may not grow: another error, the same end."""
    if path.parent.is_mount():
        small_disk.fill(path.parent, room)
        try:
            yield
        finally:
            small_disk.give_room(path.parent)
        return
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    log = path.with_name(path.name + "-wal")
    resource.setrlimit(resource.RLIMIT_FSIZE, ((log.stat().st_size if log.exists() else 0) + room, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


def problem(root: Path, marks: Marks) -> str:
    """What is wrong with what is left, once a courier has started on it and gone on; "" for nothing."""
    path = root / "courier" / "ledger.db"
    try:
        ledger = Log.open(path)
        one_more = int.from_bytes(os.urandom(16), "big")
        ledger.append([intent(one_more), close(one_more)])
        ledger.close()
        report = reading.verify(path, Note.parse(marks.note) if marks.note else None)
        leaves = list(reading.read(path))
    except PosternError as error:
        return error.detail
    if report.problem or report.open_envelopes:
        return report.problem or f"{report.open_envelopes} are open"
    intents = [int(str(leaf.fields["envelope"]), 16) for leaf in leaves if leaf.type == "intent"]
    ends = [
        (int(str(leaf.fields["envelope"]), 16), leaf.fields["outcome"])
        for leaf in leaves
        if leaf.type == "close"
    ]
    if len(intents) != len(set(intents)) or sorted(number for number, _ in ends) != sorted(intents):
        return "not one close for each intent"
    if unlogged := marks.sent - set(intents):
        return f"{len(unlogged)} were sent and are not in it"
    if lost := marks.closed - {number for number, outcome in ends if outcome == "written"}:
        return f"{len(lost)} were told to be closed and are not"
    return ""


def replay(work: Path, envelopes: int, points: int, seed: int, found: Found) -> None:
    """Record one run, and look at what `points` power cuts leave of it."""
    root, start, log = work / "site", work / "start", work / "recorded"
    root.mkdir()
    shutil.copytree(root, start)
    process = _process(
        root, envelopes, seed, False, crash_images.environment(crash_images.recorder(work), log, root)
    )
    if process.wait() != 0:
        found.wrong.append(f"the recorded process ended with {process.returncode}")
    operations = crash_images.read(log)
    found.operations += len(operations)
    shutil.rmtree(root)
    shutil.copytree(start, root)
    said, told, done = str(root / MARKS), b"", 0
    for moment, image in crash_images.images(root, operations, points, work / "image", seed):
        told += b"".join(one.rest for one in operations[done:moment] if one.what == "W" and one.path == said)
        done = moment
        found.replayed += 1
        image.mkdir(exist_ok=True)
        if what := problem(image, Marks.of(told)):
            found.wrong.append(f"replayed after {moment} of {len(operations)} operations: {what}")


def kill(work: Path, runs: int, seed: int, found: Found) -> None:
    """Kill the process after a random number of marks, its disk full now and then: really so where this may mount one.

    It is not the page cache that a kill loses, so that a disk in memory will do.
    """
    found.not_really_full = small_disk.missing()
    if found.not_really_full:
        _kill(work, runs, seed, found, lambda _: nullcontext())
    else:
        small_disk.apart(lambda: _kill(work, runs, seed, found, small_disk.mounted))


def _kill(
    work: Path, runs: int, seed: int, found: Found, disk: Callable[[Path], AbstractContextManager[None]]
) -> None:
    choose = random.Random(seed)
    for run in range(runs):
        root = work / f"killed-{run}"
        (root / "courier").mkdir(parents=True)
        with disk(root / "courier"):
            _kill_once(root, choose, found)
        shutil.rmtree(root)


def _kill_once(root: Path, choose: random.Random, found: Found) -> None:
    wanted = choose.randint(1, 400)
    process = _process(root, 1_000_000, choose.randrange(1 << 30), True, dict(os.environ))
    for size in _sizes(root / MARKS, process):
        if size >= wanted * len("sent 100\n"):
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    small_disk.give_room(root / "courier")
    marks = Marks.of((root / MARKS).read_bytes())
    found.killed += 1
    found.refused += marks.refused
    if what := problem(root, marks):
        found.wrong.append(f"killed after {len(marks.sent)} were sent: {what}")


def _sizes(path: Path, process: subprocess.Popen[bytes]) -> Iterator[int]:
    """Of a growing file, again and again. Raises AssertionError when its process has ended."""
    while True:
        assert process.poll() is None, "the process ended by itself"
        yield path.stat().st_size if path.exists() else 0


def _process(
    root: Path, envelopes: int, seed: int, full: bool, environment: dict[str, str]
) -> subprocess.Popen[bytes]:
    asked = [str(root), str(envelopes), str(seed), "full" if full else ""]
    return subprocess.Popen([sys.executable, "-m", "tests.bench.ledger_crashes", *asked], env=environment)


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), bool(sys.argv[4]))
