"""The ledger for whoever does not write it, also while the courier does: its leaves, and whether it is whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlcipher3

from core.errors import CannotRead, PosternError
from edge.egress.ledger import notes
from edge.egress.ledger.earlier import DATABASE_SUFFIX, SET_ASIDE, has_leaves, refuse_loss, unlike
from edge.egress.ledger.errors import LedgerBroken, NoLedger
from edge.egress.ledger.leaf_types import CLOSES, OPENS, Leaf, leaf_of
from edge.egress.ledger.memory import recall
from edge.egress.ledger.notes import BadNote, Checkpoint, Note, Verifier
from edge.egress.ledger.rows import Rows
from edge.egress.ledger.tree import EMPTY_ROOT, Growing, leaf_hash
from edge.paths import ACCOUNT, SitePaths
from edge.store.plain import read_aside, read_plain


@dataclass(frozen=True)
class Report:
    """What verification found. `problem` is empty when the ledger holds; `root` in hexadecimal.

    signed_leaves   how many of the leaves are under a checkpoint
    """

    ok: bool
    leaves: int
    root: str
    signed_leaves: int
    envelopes: int
    bytes_sent: int
    open_envelopes: int
    problem: str


def found(paths: SitePaths, aside: Path | None = None) -> Path:
    """The site's ledger; with `aside` one that was set aside, wherever it lies now.

    Whoever reads a ledger begins here: a path or an account that is wrong, or a ledger that somebody took away, must
    not read as "nothing left". Raises NoLedger, CannotRead, LedgerBroken.
    """
    path = aside or paths.ledger
    try:
        with path.open("rb"):
            pass
    except FileNotFoundError:
        raise _not_there(paths, aside) from None
    except OSError as error:
        raise CannotRead(f"{path} cannot be read: {error.strerror}.", remedy=ACCOUNT) from None
    if aside is None and not has_leaves(path):
        refuse_loss(path)
    return path


def _not_there(paths: SitePaths, aside: Path | None) -> PosternError:
    """Why it is not: none has begun, one was set aside and no other has begun, or somebody took it away."""
    set_aside = sorted(map(str, paths.courier.glob(SET_ASIDE + DATABASE_SUFFIX)))
    if aside is not None:
        there = (
            f"Set aside are: {', '.join(set_aside)}."
            if set_aside
            else "No ledger of this site was set aside."
        )
        return CannotRead(f"{aside} is not there.", remedy=there)
    try:
        refuse_loss(paths.ledger)
    except LedgerBroken as lost:
        return lost
    if set_aside:
        return NoLedger(
            f"It was set aside: {', '.join(set_aside)}. Another begins when the courier starts.",
            remedy="Name one that was set aside (--ledger), or start the courier.",
        )
    if any(paths.courier.glob(SET_ASIDE)):
        return NoLedger("It was lost, and another begins when the courier starts.")
    return NoLedger("The courier of this site has never run, so nothing has left by it.")


def read(path: Path, *, aside: bool = False, last: int | None = None) -> Iterator[Leaf]:
    """The leaves in order; `last`: so many of the newest. Raises LedgerBroken.

    A page at a time and at no moment of the file's own, so that whoever reads slowly, on a terminal, does not keep the
    courier from folding its log away.
    """
    with _connected(path, aside=aside) as db:
        rows = Rows(db)
        size = rows.size()
        first = 0 if last is None else max(0, size - last)
        for index, entry in enumerate(rows.entries(first, size), first):
            yield leaf_of(index, entry)


def newest_checkpoint(path: Path) -> Note | None:
    """The last that was signed. Raises LedgerBroken."""
    with opened(path) as rows:
        newest = rows.newest_checkpoint()
        return Note.parse(newest[1]) if newest else None


def verify(path: Path, remembered: Note | None = None) -> Report:
    """Check every leaf, the whole tree and its signatures, and that it goes on from `remembered`. Reads only."""
    check = _Check()
    problem = ""
    if path.exists():
        try:
            with opened(path) as rows:
                check.run(rows, remembered)
        except LedgerBroken as error:
            problem = error.detail
    elif remembered is not None:
        problem = "There is no ledger, and the checkpoint says that there was one."
    return Report(
        not problem,
        check.growing.size,
        (check.growing.root() if check.growing.size else EMPTY_ROOT).hex(),
        check.signed,
        check.envelopes,
        check.bytes_sent,
        len(check.open),
        problem,
    )


def unlike_witnessed(paths: SitePaths) -> str:
    """How the site's ledger is not what a witness signed last, as the courier remembers that: found without a network.

    "" where it goes on from there, or nothing is remembered of it. Raises LedgerBroken."""
    memory = recall(paths.witness_memory)  # before the ledger, which only grows meanwhile
    with opened(paths.ledger) as rows:
        return unlike(rows, memory) if rows.size() else ""


class _Check:
    """One pass over all leaves."""

    def __init__(self) -> None:
        self.growing = Growing()
        self.signed = 0
        self.envelopes = 0
        self.bytes_sent = 0
        self.open: dict[str, str] = {}

    def run(self, rows: Rows, remembered: Note | None) -> None:
        """Raises LedgerBroken."""
        rows.check_file()
        size = rows.size()
        due = _due([Note.parse(note) for _, note in rows.checkpoints()], remembered, size)
        verifier: Verifier | None = None
        for index, entry in enumerate(rows.entries(0, size)):
            leaf = leaf_of(index, entry)
            self._count(leaf)
            verifier = verifier or _verifier(leaf)
            for level, number, hashes in self.growing.add(leaf_hash(entry)):
                if rows.tile(level, number) != hashes:
                    raise LedgerBroken(f"Tile {number} of level {level} is not that of its leaves.")
            for note, whose in due.get(index + 1, ()):
                _compare(note, whose, verifier, self.growing.root())
                self.signed = index + 1
        if rows.growing().root() != self.growing.root() or dict(rows.open()) != self.open:
            raise LedgerBroken("What is kept beside the leaves does not fit them.")

    def _count(self, leaf: Leaf) -> None:
        if leaf.type == "intent":
            self.envelopes += 1
        if leaf.type in OPENS:
            self.open.setdefault(str(leaf.fields["envelope"]), leaf.type)
        elif leaf.type in CLOSES:
            self.open.pop(str(leaf.fields["envelope"]), None)
            self.bytes_sent += int(leaf.fields["bytes"])


def _due(own: list[Note], remembered: Note | None, size: int) -> dict[int, list[tuple[Note, str]]]:
    """By size, the checkpoints that the tree must have had. Raises LedgerBroken for one of more leaves than it has."""
    found: dict[int, list[tuple[Note, str]]] = {}
    for note, whose in [
        *((one, "its own") for one in own),
        *([(remembered, "the given")] if remembered else []),
    ]:
        signed = Checkpoint.parse(note.text)
        if signed.size > size:
            raise LedgerBroken(
                f"It has {size} leaves, and {whose} checkpoint tells of {signed.size}: its end was cut off, or the "
                "checkpoint is of another ledger."
            )
        found.setdefault(signed.size, []).append((note, whose))
    return found


def _compare(note: Note, whose: str, verifier: Verifier, root: bytes) -> None:
    signed = Checkpoint.parse(note.text)
    if signed.origin != verifier.name:
        raise LedgerBroken(f"{whose.capitalize()} checkpoint is of another ledger, {signed.origin}.")
    if not notes.is_signed(note, verifier):
        raise LedgerBroken(
            f"{whose.capitalize()} checkpoint of {signed.size} leaves is not signed by its key."
        )
    if signed.root != root:
        raise LedgerBroken(
            f"Its first {signed.size} leaves are not those of {whose} checkpoint: it was rewritten."
        )


def _verifier(leaf: Leaf) -> Verifier:
    """Of the log that begins with this leaf. Raises LedgerBroken."""
    try:
        if leaf.type == "begin":
            return notes.log_verifier(bytes.fromhex(str(leaf.fields["key"])))
    except ValueError:
        pass
    raise LedgerBroken("It does not begin with the leaf that names its key.")


@contextmanager
def opened(path: Path, *, aside: bool = False) -> Iterator[Rows]:
    """As they are at one moment. Raises LedgerBroken."""
    with _connected(path, aside=aside) as db:
        db.execute("BEGIN")
        yield Rows(db)


@contextmanager
def _connected(path: Path, *, aside: bool) -> Iterator[sqlcipher3.Connection]:
    """Raises LedgerBroken."""
    try:
        with closing(read_aside(path) if aside else read_plain(path)) as db:
            yield db
    except (sqlcipher3.Error, BadNote) as error:
        raise LedgerBroken(f"{path} cannot be read: {error}.") from error
