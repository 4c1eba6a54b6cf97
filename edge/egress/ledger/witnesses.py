"""What goes to a witness of the customer's own and comes back, in files, also while the courier writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import sqlcipher3

from core.errors import BadArgument, CannotWrite, ExitCode, PosternError
from core.files import write_atomic
from edge.egress.ledger import notes
from edge.egress.ledger.cosigned import keep_cosigned
from edge.egress.ledger.errors import NoLedger
from edge.egress.ledger.leaf_types import leaf_of
from edge.egress.ledger.notes import BadNote, Checkpoint, Note, Verifier
from edge.egress.ledger.reading import opened
from edge.egress.ledger.rows import Rows
from edge.egress.ledger.submission import submission
from edge.egress.ledger.tree import root
from edge.store.plain import connect_plain


class NotCosigned(PosternError):
    """What came back is no signature of this ledger by that witness."""

    code = "not_cosigned"
    title = "This is not the witness's signature of this ledger"
    remedy = "Look whether the file is of this site, and the key the witness's; then write the request anew."
    exit_code = ExitCode.REFUSED


def vkey(path: Path) -> str:
    """The ledger's public key, as people pass it on. Raises LedgerBroken."""
    with opened(path) as rows:
        return str(notes.log_verifier(_public(rows)))


def write_request(path: Path, file: Path, key: str, old: int | None) -> tuple[int, int]:
    """The newest checkpoint with its proof from `old`; None: from what the witness of `key` signed last.

    The sizes (leaves) of both trees. Raises LedgerBroken, NoLedger, BadArgument, CannotWrite.
    """
    witness = _witness(key) if key else None
    with opened(path) as rows:
        newest = rows.newest_checkpoint()
        if newest is None:
            raise NoLedger(
                "Nothing of it is signed yet.", remedy="Try again a minute after the courier started."
            )
        if old is None:
            old = _signed_by(rows, witness) if witness else 0
        shown = submission(rows, Note.parse(newest[1]), _public(rows), old)
        try:
            write_atomic(file, bytes(shown))
        except OSError as error:
            raise CannotWrite(f"{file}: {error.strerror}.") from error
        return shown.old_size, shown.tree[0]


def take_cosigned(path: Path, file: Path, lines: Path | None, key: str) -> int:
    """Keep a signature that came back; how many leaves it is of. Raises NotCosigned, BadArgument, LedgerBroken."""
    witness = _witness(key)
    try:
        content = file.read_bytes()
        if content.startswith(b"old "):
            content = content.partition(b"\n\n")[2]
        note = Note.parse(content + (lines.read_bytes() if lines else b""))
        found = Checkpoint.parse(note.text)
    except (OSError, BadNote) as error:
        raise NotCosigned(f"{file} cannot be read: {error}.") from None
    if notes.cosigned_s(note, witness) is None:
        raise NotCosigned("The witness of this key has not signed it.")
    with opened(path) as rows:
        mine = notes.log_verifier(_public(rows))
        if found.origin != mine.name or not notes.is_signed(note, mine) or found.size > rows.size():
            raise NotCosigned("It is of another ledger.")
        if root(found.size, rows.subtree()) != found.root:
            raise NotCosigned("It is of another history of this ledger.")
        try:
            note = notes.cosigned(note, mine, witness)
        except BadNote as error:
            raise NotCosigned(f"{file}: {error}.") from None
    with closing(connect_plain(path)) as db:

        @contextmanager
        def durably() -> Iterator[sqlcipher3.Connection]:
            with db:
                db.execute("BEGIN IMMEDIATE")
                yield db

        try:
            keep_cosigned(durably, note)
        except BadNote as error:
            raise NotCosigned(f"It cannot be kept: {error}.") from None
    return found.size


def _public(rows: Rows) -> bytes:
    (entry,) = rows.entries(0, 1)
    return bytes.fromhex(str(leaf_of(0, entry).fields["key"]))


def _signed_by(rows: Rows, witness: Verifier) -> int:
    """Leaves that it signed last; 0: none."""
    for size, note in reversed(rows.checkpoints()):
        if notes.cosigned_s(Note.parse(note), witness) is not None:
            return size
    return 0


def _witness(key: str) -> Verifier:
    try:
        found = Verifier.parse(key)
    except BadNote as error:
        raise BadArgument(f"--key is no key: {error}.", remedy="Copy the line in quotes.") from None
    if found.kind != notes.COSIGNATURE:
        raise BadArgument(
            "--key is not a witness's key.", remedy="It is what `postern-cloud witness key` shows."
        )
    return found
