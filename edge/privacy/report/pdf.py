"""A report as PDF, tagged for screen readers (PDF/UA-1). Runs as a process of its own: JSON of a document in, PDF out.

The library that sets the pages is 80 MB; nobody but this process loads it, so that the node stays within its memory.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import core.webshell
from core.errors import PosternError
from edge.privacy.report.document import Document

_TEMPLATE: Final = Path(__file__).with_name("report.typ")
_FONTS: Final = Path(core.webshell.__file__).parent / "static" / "vendor"
_TAGGED: Final = "ua-1"

PDF_S_MAX: Final = 60.0
"""It takes half a second; a machine that swaps may take long."""


class ReportFailed(PosternError):
    """The pages could not be set."""

    code = "report_failed"
    title = "The report could not be made as PDF"
    remedy = "Make it as HTML, and print that; then run `postern doctor`."


def as_pdf(document: Document) -> bytes:
    """The pages, set in a child process that is waited for. Raises ReportFailed."""
    try:
        done = subprocess.run(_command(), input=_content(document), capture_output=True, timeout=PDF_S_MAX)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ReportFailed(type(error).__name__) from None
    return _checked(done.returncode, done.stdout)


async def as_pdf_meanwhile(document: Document) -> bytes:
    """As `as_pdf`, without stopping the event loop."""
    return await asyncio.to_thread(as_pdf, document)


def _command() -> list[str]:
    return [sys.executable, "-m", "edge.privacy.report.pdf"]


def _content(document: Document) -> bytes:
    return document.model_dump_json().encode()


def _checked(code: int, output: bytes) -> bytes:
    """What the child said on standard error may quote the document, so only its status is told."""
    if code != 0 or not output.startswith(b"%PDF-"):
        raise ReportFailed(f"The process that sets the pages ended with status {code}.")
    return output


def _set(document: Document) -> bytes:
    """The pages. A letter that none of the fonts has makes them lose the claim of PDF/UA, and nothing else."""
    import typst

    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=True, font_paths=[_FONTS])
    compiler = typst.Compiler(_TEMPLATE, root=_TEMPLATE.parent, font_paths=fonts)
    made = datetime.fromisoformat(document.made_on).replace(tzinfo=UTC)
    inputs = {"document": document.model_dump_json()}
    try:
        return _bytes(
            compiler.compile(format="pdf", sys_inputs=inputs, pdf_standards=[_TAGGED], timestamp=made)
        )
    except typst.TypstError:
        return _bytes(compiler.compile(format="pdf", sys_inputs=inputs, timestamp=made))


def _bytes(made: object) -> bytes:
    if not isinstance(made, bytes):
        raise ReportFailed("No pages were made.")
    return made


if __name__ == "__main__":
    sys.stdout.buffer.write(_set(Document.model_validate_json(sys.stdin.buffer.read())))
