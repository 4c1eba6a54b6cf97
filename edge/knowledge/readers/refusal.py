"""Why a file was not taken in, and what to do about it."""

from __future__ import annotations

from enum import StrEnum

from core.errors import PosternError


class Refusal(StrEnum):
    """The kinds of refusal; each has a remedy."""

    UNSUPPORTED = "unsupported"
    UNREADABLE = "unreadable"
    EMPTY = "empty"
    TOO_LARGE = "too_large"
    MISNAMED = "misnamed"
    DAMAGED = "damaged"
    ENCRYPTED = "encrypted"
    SCANNED = "scanned"
    NO_HEADER = "no_header"
    BAD_ROWS = "bad_rows"
    BAD_NAME = "bad_name"
    OUTSIDE = "outside"
    TOO_SLOW = "too_slow"


_REMEDIES = {
    Refusal.UNSUPPORTED: "Save it as PDF, DOCX, HTML, Markdown, plain text, or a CSV of questions and answers.",
    Refusal.UNREADABLE: "Check that the file exists and that this user may read it.",
    Refusal.EMPTY: "Check that it is the right file.",
    Refusal.TOO_LARGE: "Split it into smaller documents, or leave out its pictures.",
    Refusal.MISNAMED: "Give the file the ending that fits its content.",
    Refusal.DAMAGED: "Open it in the program that made it and save it again.",
    Refusal.ENCRYPTED: "Save a copy without a password.",
    Refusal.SCANNED: "Run text recognition (OCR) over it first, then add the result.",
    Refusal.NO_HEADER: "Write question,answer into the first line, then save it as CSV again.",
    Refusal.BAD_ROWS: "Correct it in the spreadsheet, then save it as CSV again.",
    Refusal.BAD_NAME: "Give the file a short name of ordinary letters.",
    Refusal.OUTSIDE: "Copy the file into the folder, or add it by itself.",
    Refusal.TOO_SLOW: "Print it to a new PDF, or save it again in the program that made it, and add the result.",
}


class UnreadableDocument(PosternError):
    """A file cannot be taken in; nothing of it was."""

    code = "unreadable_document"
    title = "This document cannot be read"
    status = 422

    def __init__(self, refusal: Refusal, detail: str) -> None:
        super().__init__(detail, remedy=_REMEDIES[refusal])
        self.refusal = refusal

    @property
    def reason(self) -> str:
        """What happened and what to do, in one line."""
        return f"{self.detail} {self.remedy}"
