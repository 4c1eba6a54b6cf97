"""What a file is by its first bytes, so that a wrong suffix is named instead of giving nonsense. A pure rule."""

from __future__ import annotations

import re

# As far as a PDF header may stand from the start (ISO 32000-1, Annex H.3.4.1).
_PDF_WINDOW_BYTES = 1024
_HTML_WINDOW_BYTES = 2048
_HTML = re.compile(
    rb"^\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.I | re.S
)
# The container of old Office files, which also holds an encrypted new one ([MS-OFFCRYPTO] 2.3.4).
_COMPOUND = b"\xd0\xcf\x11\xe0"
_ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")
_KNOWN = {
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"RIFF": "a picture or sound",
    _COMPOUND: "an old Office file",
    b"{\\rtf": "rich text",
    b"\x1f\x8b": "an archive",
    b"7z\xbc\xaf": "an archive",
    b"SQLite format 3": "a database",
}


def is_encrypted_office(data: bytes) -> bool:
    """Whether this is a Word document behind a password."""
    return data.startswith(_COMPOUND) and _ENCRYPTED_STREAM in data


def looks_like(data: bytes) -> str:
    """ "pdf", "docx", "html", "text", another kind in words, or "unknown" (bytes that are no text)."""
    start = data[:_HTML_WINDOW_BYTES]
    for magic, kind in _KNOWN.items():
        if start.startswith(magic):
            return kind
    if b"%PDF-" in start[:_PDF_WINDOW_BYTES]:
        return "pdf"
    if start.startswith(b"PK\x03\x04"):
        return "docx" if b"word/" in data else "an archive"
    if _HTML.match(start.removeprefix(b"\xef\xbb\xbf")):
        return "html"
    return "unknown" if b"\x00" in start and not start.startswith((b"\xff\xfe", b"\xfe\xff")) else "text"
