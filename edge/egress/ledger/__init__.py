"""The egress ledger: an append-only file of hash-chained leaves, durable before what they announce is sent.

One canonical JSON object a line. No text of anyone: identifiers, sizes, kinds, hashes. A half-written last line
(power cut, kill) is kept aside and noted in a leaf; anything else that does not fit the chain refuses to open.
Not an index and no proofs yet: reading is linear. A file whose end was cut off whole lines at a time still
chains; only a checkpoint kept elsewhere shows that.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import ConfigError, ExitCode, PosternError
from core.files import fsync_folder, private_folder, write_atomic
from core.signing import canonical_json

GENESIS = "0" * 64
# A leaf has about 400 bytes; a longer line is not ours.
LINE_BYTES_MAX = 4096
# So many are known after a start to have been taken on before: ten minutes of a spike of 25 a second, days of an
# ordinary site; 2 MB.
RECENT_ENVELOPES_MAX = 16_384

Value = str | int
# What each type of leaf says, beside index, time, chain. `envelope` pairs intent and close, link and link_close.
LEAF_FIELDS: dict[str, frozenset[str]] = {
    "link": frozenset({"envelope", "destination"}),
    "link_close": frozenset({"envelope", "outcome", "attempts", "frames", "bytes", "destination_key"}),
    "intent": frozenset(
        {"envelope", "destination", "kind", "rows", "bytes", "policy", "verdict", "commitment"}
    ),
    "close": frozenset({"envelope", "outcome", "bytes", "destination_key", "tokens_up", "tokens_down"}),
    "recovery": frozenset({"torn_bytes", "torn_hash"}),
}
_OPENS = {"link": "link_close", "intent": "close"}
_CHAIN_FIELDS = frozenset({"index", "time_ms", "type", "previous", "hash"})


class LedgerBroken(PosternError):
    """The chain of the ledger does not hold."""

    code = "ledger_broken"
    title = "The egress ledger has been altered or damaged"
    remedy = (
        "Nothing leaves until this is settled. Keep the file for whoever audits the site, find out who or what "
        "changed it, then move it away; a new ledger begins."
    )
    exit_code = ExitCode.CHECK_FAILED


class LedgerInUse(PosternError):
    """Another process writes this ledger."""

    code = "ledger_in_use"
    title = "Another courier of this site is running"
    remedy = "Stop the other courier first, or let it do the work."


class LedgerFailed(PosternError):
    """A leaf could not be made durable, so what it announces may not be sent."""

    code = "ledger_failed"
    title = "The egress ledger cannot be written"
    remedy = (
        "Look for a full or failing disk under the site's folder; nothing leaves until leaves can be written."
    )


@dataclass(frozen=True)
class Leaf:
    """One line of the ledger."""

    index: int
    time_ms: int
    type: str
    fields: Mapping[str, Value]
    previous: str
    hash: str


@dataclass(frozen=True)
class Draft:
    """A leaf to be: its type and fields."""

    type: str
    fields: Mapping[str, Value]


@dataclass(frozen=True)
class Checkpoint:
    """A leaf that someone else remembers: the ledger must contain it."""

    index: int
    hash: str


@dataclass(frozen=True)
class Report:
    """What verification found. `problem` is empty when the ledger holds."""

    ok: bool
    leaves: int
    head: str
    envelopes: int
    bytes_sent: int
    open_envelopes: int
    torn_bytes: int
    problem: str


def read(path: Path) -> Iterator[Leaf]:
    """The leaves in order, the chain checked on the way. Raises LedgerBroken; a half last line is left out."""
    if not path.exists():
        return
    previous, index = GENESIS, 0
    with path.open("rb") as file:
        while (line := file.readline(LINE_BYTES_MAX)).endswith(b"\n"):
            leaf = _parse(line, index, previous)
            yield leaf
            previous, index = leaf.hash, index + 1
        if len(line) == LINE_BYTES_MAX:
            raise LedgerBroken(f"Line {index + 1} is longer than any leaf.")


def read_checkpoint(path: Path) -> Checkpoint:
    """A remembered leaf from a JSON file with its index and hash. Raises ConfigError."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Checkpoint(int(found["index"]), str(found["hash"]))
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigError(
            f"{path} is not a checkpoint.", remedy='Give a JSON file with "index" and "hash" of one line.'
        ) from None


def verify(path: Path, checkpoint: Checkpoint | None = None) -> Report:
    """Check the whole chain, and that it contains `checkpoint`. Reads only; raises nothing of its own."""
    tally = _Tally()
    problem = ""
    seen = checkpoint is None
    try:
        for leaf in read(path):
            tally.add(leaf)
            seen = seen or (
                checkpoint is not None and (leaf.index, leaf.hash) == (checkpoint.index, checkpoint.hash)
            )
    except LedgerBroken as error:
        problem = error.detail
    if not problem and not seen:
        problem = "The ledger does not contain the checkpoint: its end was cut off, or it was rewritten."
    size = path.stat().st_size if path.exists() else 0
    torn = 0 if problem else size - tally.size
    return Report(
        not problem,
        tally.leaves,
        tally.head,
        tally.envelopes,
        tally.bytes_sent,
        len(tally.open),
        torn,
        problem,
    )


class _Tally:
    """Sums over leaves, in one pass."""

    def __init__(self) -> None:
        self.leaves = 0
        self.envelopes = 0
        self.bytes_sent = 0
        self.size = 0
        self.head = GENESIS
        self.open: dict[str, str] = {}
        self.recent: deque[str] = deque(maxlen=RECENT_ENVELOPES_MAX)

    def add(self, leaf: Leaf) -> None:
        self.leaves += 1
        self.head = leaf.hash
        self.size += len(_line(leaf))
        if leaf.type == "intent":
            self.envelopes += 1
            self.recent.append(str(leaf.fields["envelope"]))
        if leaf.type in _OPENS:
            self.open[str(leaf.fields["envelope"])] = leaf.type
        elif leaf.type in _OPENS.values():
            self.open.pop(str(leaf.fields["envelope"]), None)
            self.bytes_sent += int(leaf.fields["bytes"])


class Ledger:
    """The ledger as its one writer holds it. Blocking: call from a thread."""

    def __init__(self, descriptor: int, tally: _Tally, now_ms: Callable[[], int]) -> None:
        self._file = descriptor
        self._failed = False
        self._now_ms = now_ms
        self._head = tally.head
        self._count = tally.leaves
        self.recent_envelopes = tuple(tally.recent)
        """Identifiers of the newest envelopes when it was opened, oldest first."""

    @classmethod
    def open(cls, path: Path, now_ms: Callable[[], int] | None = None) -> Ledger:
        """Take the ledger's lock, check the chain, set a half last line aside, close what was left open.

        Raises LedgerBroken, LedgerInUse.
        """
        private_folder(path.parent)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            _lock(descriptor, path)
            fsync_folder(path.parent)
            tally = _Tally()
            for leaf in read(path):
                tally.add(leaf)
            ledger = cls(descriptor, tally, now_ms or (lambda: time.time_ns() // 1_000_000))
            ledger._recover(path, tally)
        except BaseException:
            os.close(descriptor)
            raise
        return ledger

    @property
    def head(self) -> Checkpoint:
        """The last leaf (index -1 when there is none)."""
        return Checkpoint(self._count - 1, self._head)

    def append(self, drafts: Sequence[Draft]) -> list[Leaf]:
        """Write the leaves in order and return once all are durable: one write, one fsync. Raises LedgerFailed."""
        if self._failed:
            raise LedgerFailed("An earlier write failed.")
        leaves: list[Leaf] = []
        head, count = self._head, self._count
        for draft in drafts:
            leaf = _chain(draft, count, self._now_ms(), head)
            leaves.append(leaf)
            head, count = leaf.hash, count + 1
        self._write_durably(b"".join(_line(leaf) for leaf in leaves))
        self._head, self._count = head, count
        return leaves

    def _write_durably(self, data: bytes) -> None:
        size = os.fstat(self._file).st_size
        try:
            written = 0
            while written < len(data):
                written += os.write(self._file, data[written:])
        except OSError as error:
            # Disk full: what was half written goes, so that the chain goes on when there is room again.
            os.ftruncate(self._file, size)
            raise LedgerFailed(f"Writing failed with error {error.errno}.") from error
        try:
            os.fsync(self._file)
        except OSError as error:
            # After a failed fsync the kernel may call the lost pages clean: only a fresh read can be trusted.
            self._failed = True
            raise LedgerFailed(f"Making it durable failed with error {error.errno}.") from error

    def close(self) -> None:
        """Let go of the file and its lock."""
        os.close(self._file)

    def _recover(self, path: Path, tally: _Tally) -> None:
        drafts: list[Draft] = []
        if torn := _set_torn_tail_aside(path, self._file, tally.size, tally.leaves):
            drafts.append(
                Draft("recovery", {"torn_bytes": len(torn), "torn_hash": hashlib.sha256(torn).hexdigest()})
            )
        for envelope, opened in tally.open.items():
            # The courier ended between the two leaves: it may have sent all, some or nothing.
            fields: dict[str, Value] = {
                "envelope": envelope,
                "outcome": "unknown",
                "bytes": 0,
                "destination_key": "",
            }
            fields |= dict.fromkeys(LEAF_FIELDS[_OPENS[opened]] - fields.keys(), 0)
            drafts.append(Draft(_OPENS[opened], fields))
        if drafts:
            self.append(drafts)


def _set_torn_tail_aside(path: Path, descriptor: int, whole: int, index: int) -> bytes:
    """Move what follows the last whole line into a file of its own, and return it."""
    with path.open("rb") as reading:
        reading.seek(whole)
        torn = reading.read()
    if torn:
        write_atomic(path.with_name(f"{path.stem}.torn-{index}"), torn)
        os.ftruncate(descriptor, whole)
        os.fsync(descriptor)
    return torn


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise LedgerInUse(f"{path} is being written by another process.") from None


def _chain(draft: Draft, index: int, time_ms: int, previous: str) -> Leaf:
    if draft.fields.keys() != LEAF_FIELDS[draft.type]:
        raise ValueError(f"wrong fields for a leaf of type {draft.type}")
    body = {"index": index, "time_ms": time_ms, "type": draft.type, "previous": previous, **draft.fields}
    return Leaf(index, time_ms, draft.type, draft.fields, previous, _hash(body))


def _hash(body: Mapping[str, Value]) -> str:
    return hashlib.sha256(canonical_json(dict(body))).hexdigest()


def _line(leaf: Leaf) -> bytes:
    body = {"index": leaf.index, "time_ms": leaf.time_ms, "type": leaf.type, "previous": leaf.previous}
    return canonical_json({**body, **leaf.fields, "hash": leaf.hash}) + b"\n"


def _parse(line: bytes, index: int, previous: str) -> Leaf:
    """The leaf of a whole line. Raises LedgerBroken with the number of the line."""
    try:
        body = json.loads(line)
        claimed = body.pop("hash")
        fields = {name: value for name, value in body.items() if name not in _CHAIN_FIELDS}
        leaf = Leaf(body["index"], body["time_ms"], body["type"], fields, body["previous"], claimed)
        fits = fields.keys() == LEAF_FIELDS[leaf.type] and _line(leaf) == line
        if not fits or (leaf.index, leaf.previous) != (index, previous) or _hash(body) != claimed:
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise LedgerBroken(f"Line {index + 1} does not fit the chain.") from None
    return leaf
