"""Files become documents: one module a format, chosen by suffix and checked against the content.

A reader takes bytes and gives a Document, or raises UnreadableDocument with a reason that a person at the front desk
can act on. A file is read whole or not at all. Readers open no connections and follow no links.
"""

from __future__ import annotations

import importlib
import os
import stat
from pathlib import Path

from edge.knowledge.document import Document
from edge.knowledge.readers.refusal import Refusal, UnreadableDocument
from edge.knowledge.readers.sniffing import is_encrypted_office, looks_like

__all__ = ["SUFFIXES", "Refusal", "UnreadableDocument", "check_size", "load", "read_bytes"]

# Largest file, bytes. A book of a thousand pages of text is about 5 MB; past this it is mostly pictures, and a
# reader may need ten times the size in memory.
FILE_BYTES_MAX = 20 * 1024 * 1024
# Most text of one document, code points: 2,000 pages. More belongs into several documents.
TEXT_CHARS_MAX = 5_000_000

# Suffix → the module beside this file that reads such files.
SUFFIXES = {
    ".pdf": "pdf",
    ".docx": "docx",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".md": "markdown",
    ".markdown": "markdown",
    ".txt": "text",
    ".csv": "faq",
    ".tsv": "faq",
}
# Modules whose files look like any text.
_OF_TEXT = {"markdown", "html", "text", "faq"}


def load(path: Path) -> bytes:
    """The bytes of a regular file, if they are not too many. Raises UnreadableDocument.

    A pipe, a device or, in its last part, a link is not opened: they could have come since the file was found.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            about = os.fstat(descriptor)
            if not stat.S_ISREG(about.st_mode):
                raise UnreadableDocument(Refusal.UNREADABLE, "This is no file, but a pipe or a device.")
            check_size(about.st_size)
            return file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise UnreadableDocument(
            Refusal.UNREADABLE, f"The file cannot be opened ({error.strerror})."
        ) from None


def check_size(size: int) -> None:
    """Raises UnreadableDocument for a file of more than FILE_BYTES_MAX bytes."""
    if size > FILE_BYTES_MAX:
        raise UnreadableDocument(
            Refusal.TOO_LARGE,
            f"The file has {size / 2**20:.1f} MB; {FILE_BYTES_MAX // 2**20} MB is the most.",
        )


def read_bytes(data: bytes, name: str) -> Document:
    """The document in `data`; `name` gives suffix and fallback title. Raises UnreadableDocument."""
    suffix = Path(name).suffix.lower()
    kind = SUFFIXES.get(suffix)
    if kind is None:
        raise UnreadableDocument(
            Refusal.UNSUPPORTED, f"Files ending in {suffix or '(nothing)'} are not read."
        )
    check_size(len(data))
    if not data.strip():
        raise UnreadableDocument(Refusal.EMPTY, "The file is empty.")
    _check_content(data, kind, suffix)
    document = _read(kind, data, Path(name).stem)
    _check_text(document)
    return document


def _read(kind: str, data: bytes, title: str) -> Document:
    """A format's libraries are loaded with its first file: they take a second, and a node starts without them."""
    reader = importlib.import_module(f"edge.knowledge.readers.{kind}")
    document: Document = reader.read(data, title)
    return document


def _check_content(data: bytes, kind: str, suffix: str) -> None:
    if is_encrypted_office(data):
        raise UnreadableDocument(Refusal.ENCRYPTED, "The document is protected by a password.")
    found = looks_like(data)
    if found not in {kind, "unknown"} and not (found == "text" and kind in _OF_TEXT):
        detail = f"The name ends in {suffix}, but the content looks like {found}."
        raise UnreadableDocument(Refusal.MISNAMED, detail)


def _check_text(document: Document) -> None:
    size = sum(len(block.text) for block in document.blocks)
    if not size:
        raise UnreadableDocument(Refusal.EMPTY, "The file has no text.")
    if size > TEXT_CHARS_MAX:
        raise UnreadableDocument(
            Refusal.TOO_LARGE, f"The text has {size:,} characters; {TEXT_CHARS_MAX:,} is the most."
        )
