"""Every format becomes titles, headings and lines; every bad file is refused with a reason."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import docx
import pytest
from pypdf import PdfReader, PdfWriter
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from edge.knowledge.document import Document
from edge.knowledge.readers import FILE_BYTES_MAX, Refusal, UnreadableDocument, read_bytes
from edge.knowledge.readers import docx as docx_reader
from edge.knowledge.readers.outline import title_from_name


def lines(document: Document) -> list[tuple[str, str]]:
    return [(" › ".join(block.headings), block.text) for block in document.blocks]


def refusal(data: bytes, name: str) -> UnreadableDocument:
    with pytest.raises(UnreadableDocument) as caught:
        read_bytes(data, name)
    assert caught.value.reason.endswith(".")
    assert caught.value.remedy in caught.value.reason
    return caught.value


MARKDOWN = b"""# Visiting

Come any day,
wash your *hands* at [the door](https://x.example).

## Hours

- From 10 a.m.
- Until 8 p.m.
  - Children until 6 p.m.

1. Register
2. Wait

### Wards

| Ward | Floor | Beds |
|------|-------|------|
| A    | 1     | 20   |
| B    | 2     | 12   |

| Day | Open |
|-----|------|
| Monday | 8:00 |

## After

<div>raw</div>

Go home.
"""


def test_markdown_keeps_headings_lists_and_tables() -> None:
    document = read_bytes(MARKDOWN, "visiting.md")
    assert document.title == "Visiting"
    assert lines(document) == [
        ("", "Come any day, wash your hands at the door."),
        ("Hours", "- From 10 a.m."),
        ("Hours", "- Until 8 p.m."),
        ("Hours", "- Children until 6 p.m."),
        ("Hours", "1. Register"),
        ("Hours", "2. Wait"),
        ("Hours › Wards", "A – Floor: 1; Beds: 20"),
        ("Hours › Wards", "B – Floor: 2; Beds: 12"),
        ("Hours › Wards", "Monday: 8:00"),
        ("After", "Go home."),
    ]


def test_front_matter_gives_the_title() -> None:
    document = read_bytes(b'---\ntitle: "Fees"\nowner: x\n---\n# Costs\n\nFree.', "f.md")
    assert (document.title, lines(document)) == ("Fees", [("Costs", "Free.")])


PAGE = """<!doctype html><html><head><title>Visiting | Rowan Clinic</title><style>p{{}}</style></head><body>
<header><a href="/">Home</a><nav><ul><li><a href="/a">Fees</a></li><li><a href="/b">Contact</a></li></ul></nav>
</header><div role="dialog">We use cookies. Accept all cookies?</div><main><h1>Visiting</h1>{body}</main>
<aside>Related: Fees</aside><footer>© 2026 Rowan Clinic. All rights reserved. Imprint</footer></body></html>"""
BODY = """<p>Visitors are welcome every day. Please wash your hands when you come in and when you go out again.</p>
<h2>Hours</h2><p>From 10 a.m. to 8 p.m. on all wards.</p><ul><li>Two visitors at a time.</li><li>Children
with an adult.</li></ul><h3>Intensive care</h3><table><tr><th>Day</th><th>From</th><th>To</th></tr>
<tr><td>Monday</td><td>10:00</td><td>12:00</td></tr></table>"""


def test_html_keeps_the_main_text_and_drops_the_frame() -> None:
    document = read_bytes(PAGE.format(body=BODY).encode(), "visiting.html")
    assert document.title == "Visiting"
    assert lines(document) == [
        (
            "",
            "Visitors are welcome every day. Please wash your hands when you come in and when you go out again.",
        ),
        ("Hours", "From 10 a.m. to 8 p.m. on all wards."),
        ("Hours", "- Two visitors at a time."),
        ("Hours", "- Children with an adult."),
        ("Hours › Intensive care", "Monday – From: 10:00; To: 12:00"),
    ]


def test_a_very_short_page_keeps_its_text() -> None:
    document = read_bytes(PAGE.format(body="<p>Closed on <b>Sunday</b>.</p>").encode(), "x.html")
    assert (document.title, lines(document)) == ("Visiting", [("", "Closed on Sunday.")])


def word(build: Callable[[docx.document.Document], None]) -> bytes:
    document = docx.Document()
    build(document)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def test_word_keeps_styles_lists_and_tables_in_order() -> None:
    def build(document: docx.document.Document) -> None:
        document.add_heading("Payment plans", 0)
        document.add_paragraph("You can pay later.")
        document.add_heading("How", 1)
        document.add_paragraph("Ask at the desk.", style="List Bullet")
        table = document.add_table(2, 2)
        for cell, text in zip(
            [c for row in table.rows for c in row.cells], ["Bill", "Months", "£150", "3"], strict=True
        ):
            cell.text = text
        document.add_heading("Detail", 2)
        document.add_paragraph("Last words.")

    document = read_bytes(word(build), "plans.docx")
    assert document.title == "Payment plans"
    assert lines(document) == [
        ("", "You can pay later."),
        ("How", "- Ask at the desk."),
        ("How", "£150: 3"),
        ("How › Detail", "Last words."),
    ]


def pdf(*pages: list[tuple[str, int, str]]) -> bytes:
    """Pages of (font, size, line), set from top to bottom; an empty line is a gap."""
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4)
    for number, page in enumerate(pages, 1):
        y = 780.0
        for font, size, line in page:
            canvas.setFont(font, size)
            if line:
                canvas.drawString(60, y, line)
            y -= size * 1.3
        canvas.setFont("Helvetica", 8)
        canvas.drawString(60, 30, f"Rowan Clinic · page {number}")
        canvas.showPage()
    canvas.save()
    return out.getvalue()


TITLE, HEADING, BODY_FONT = ("Helvetica-Bold", 20), ("Helvetica-Bold", 13), ("Helvetica", 10)
FIRST = [
    (*TITLE, "Before your scan"),
    (*BODY_FONT, ""),
    (*HEADING, "Eating"),
    (*BODY_FONT, "You may eat as usual before most scans. Take your"),
    (*BODY_FONT, "medicine with a glass of water."),
    (*BODY_FONT, ""),
    (*BODY_FONT, "• Bring your card."),
    (*BODY_FONT, "• Bring a friend who stays with"),
    (*BODY_FONT, "you for the day."),
]
SECOND = [
    (*HEADING, "Metal"),
    (*BODY_FONT, "Leave your watch at home. Tell us of any implant that you"),
    (*BODY_FONT, "carry."),
]


def test_pdf_finds_headings_by_size_joins_lines_and_drops_footers() -> None:
    document = read_bytes(pdf(FIRST, SECOND), "scan.pdf")
    assert document.title == "Before your scan"
    assert lines(document) == [
        ("Eating", "You may eat as usual before most scans. Take your medicine with a glass of water."),
        ("Eating", "- Bring your card."),
        ("Eating", "- Bring a friend who stays with you for the day."),
        ("Metal", "Leave your watch at home. Tell us of any implant that you carry."),
    ]


def test_text_knows_paragraphs_items_and_lone_lines() -> None:
    data = "Lost property\n\nWe keep things\nfor 90 days.\n\nHow to ask\n\n- At the desk\n- By phone,\n  any day\n"
    document = read_bytes(data.encode("utf-16"), "lost.txt")
    assert document.title == "Lost property"
    assert lines(document) == [
        ("", "We keep things for 90 days."),
        ("How to ask", "- At the desk"),
        ("How to ask", "- By phone, any day"),
    ]


def test_text_in_an_old_encoding_is_read() -> None:
    assert (
        lines(read_bytes("Das Café öffnet früh.".encode("cp1252"), "a.txt"))[0][1] == "Das Café öffnet früh."
    )


def scanned() -> bytes:
    from PIL import Image

    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4)
    picture = io.BytesIO()
    Image.new("RGB", (40, 40), "white").save(picture, "PNG")
    picture.seek(0)
    from reportlab.lib.utils import ImageReader

    canvas.drawImage(ImageReader(picture), 0, 0, 500, 700)
    canvas.save()
    return out.getvalue()


def encrypted() -> bytes:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf(FIRST))))
    writer.encrypt("secret", algorithm="AES-256")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def test_bad_pdfs_are_refused_with_their_reason() -> None:
    whole = pdf(FIRST)
    assert refusal(whole[: len(whole) // 3], "cut.pdf").refusal is Refusal.DAMAGED
    assert refusal(encrypted(), "locked.pdf").refusal is Refusal.ENCRYPTED
    assert "OCR" in refusal(scanned(), "scan.pdf").remedy


def test_bad_word_files_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = word(lambda document: document.add_paragraph("x" * 5000) and None)
    assert refusal(whole[: len(whole) // 2], "cut.docx").refusal is Refusal.DAMAGED
    monkeypatch.setattr(docx_reader, "XML_BYTES_MAX", 2**20)
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b"<a/>" + b" " * 2**20)
    assert refusal(bomb.getvalue(), "bomb.docx").refusal is Refusal.TOO_LARGE


@pytest.mark.parametrize(
    ("data", "name", "kind"),
    [
        (b"", "a.md", Refusal.EMPTY),
        (b" \n\n ", "a.txt", Refusal.EMPTY),
        (b"<!doctype html><html><body><nav>Home</nav></body></html>", "a.html", Refusal.EMPTY),
        (b"x" * (FILE_BYTES_MAX + 1), "a.txt", Refusal.TOO_LARGE),
        (b"%PDF-1.7\n...", "a.txt", Refusal.MISNAMED),
        (b"plain words", "a.pdf", Refusal.MISNAMED),
        (b"<!doctype html><html></html>", "a.md", Refusal.MISNAMED),
        (b"\x89PNG\r\n\x1a\n", "a.docx", Refusal.MISNAMED),
        (b"\xd0\xcf\x11\xe0\x00", "a.docx", Refusal.MISNAMED),
        (b"words \x00\x01\x02", "a.txt", Refusal.DAMAGED),
        (b"x", "photo.png", Refusal.UNSUPPORTED),
        (b"x", "noending", Refusal.UNSUPPORTED),
    ],
)
def test_bad_files_are_refused_with_their_kind(data: bytes, name: str, kind: Refusal) -> None:
    assert refusal(data, name).refusal is kind


def test_a_name_becomes_a_title() -> None:
    assert title_from_name("visiting-hours_2026") == "Visiting hours 2026"
