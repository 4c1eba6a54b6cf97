"""Files at, below and above each limit, and files made to do harm: refused with a reason, and nothing follows them."""

from __future__ import annotations

import contextlib
import io
import sys
import threading
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import docx
import pytest
from reportlab.pdfgen.canvas import Canvas

from edge.knowledge import sources
from edge.knowledge.document import Block, Document
from edge.knowledge.readers import (
    FILE_BYTES_MAX,
    TEXT_CHARS_MAX,
    Refusal,
    UnreadableDocument,
    read_bytes,
)
from edge.knowledge.readers import docx as docx_reader
from edge.knowledge.readers import pdf as pdf_reader
from edge.knowledge.readers.frames import (
    FRAME_BYTES_MAX,
    Ended,
    pack_document,
    read_frame,
    unpack,
    write_frame,
)
from edge.knowledge.readers.outline import tidy
from edge.knowledge.reading import NotReading, ReaderProcess
from edge.knowledge.sources import SourceDocument, next_group
from tests.unit.edge.knowledge.refusing import refused


@pytest.fixture(scope="module")
def reader() -> Iterator[ReaderProcess]:
    reader = ReaderProcess()
    yield reader
    reader.close()


# Formats


def pages(count: int) -> bytes:
    out = io.BytesIO()
    canvas = Canvas(out)
    for number in range(count):
        canvas.drawString(60, 700, f"{chr(97 + number) * 9} is what this sheet says.")
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def test_pages_of_a_pdf_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_reader, "PAGES_MAX", 3)
    for count in (2, 3):
        assert read_bytes(pages(count), "a.pdf").blocks
    assert refused(lambda: read_bytes(pages(4), "a.pdf")) is Refusal.TOO_LARGE


def test_a_pdf_whose_stream_explodes_is_refused(reader: ReaderProcess) -> None:
    stream = zlib.compress(b"(x) Tj " * 20_000_000)
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 100 100] /Contents 4 0 R /Resources << /Font << /F1"
        b" << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        b"<< /Length %d /Filter /FlateDecode >>\nstream\n%b\nendstream" % (len(stream), stream),
    ]
    data, offsets = b"%PDF-1.7\n", []
    for number, part in enumerate(parts, 1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%b\nendobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    data += b"xref\n0 5\n0000000000 65535 f \n%btrailer << /Size 5 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (
        table,
        len(data),
    )
    assert refused(lambda: reader.read(data, "bomb.pdf")) is Refusal.TOO_LARGE
    assert reader.read(b"# Still\n\nreading", "a.md").title == "Still"


def archive(**parts: bytes) -> bytes:
    """A Word document with other parts, named `word_document` for word/document.xml."""
    made, out = io.BytesIO(), io.BytesIO()
    document = docx.Document()
    document.add_paragraph("Words.")
    document.save(made)
    with zipfile.ZipFile(made) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for item in old.infolist():
            if item.filename != "word/document.xml" or "word_document" not in parts:
                new.writestr(item.filename, old.read(item))
        for name, data in parts.items():
            new.writestr(name.replace("_", "/") + ".xml" if name == "word_document" else name, data)
    return out.getvalue()


def unpacked(data: bytes, *endings: str) -> int:
    with zipfile.ZipFile(io.BytesIO(data)) as parts:
        return sum(item.file_size for item in parts.infolist() if item.filename.endswith(endings or ("",)))


@pytest.mark.parametrize("limit", ["XML_BYTES_MAX", "UNPACKED_BYTES_MAX", "PARTS_MAX"])
@pytest.mark.parametrize("over", [-1, 0, 1])
def test_what_a_word_document_unpacks_to_is_limited(
    monkeypatch: pytest.MonkeyPatch, limit: str, over: int
) -> None:
    data = archive(media=b"\x00" * 1000)
    with zipfile.ZipFile(io.BytesIO(data)) as parts:
        count = len(parts.infolist())
    size = {
        "XML_BYTES_MAX": unpacked(data, ".xml", ".rels"),
        "UNPACKED_BYTES_MAX": unpacked(data),
        "PARTS_MAX": count,
    }[limit]
    monkeypatch.setattr(docx_reader, limit, size - over)
    if over > 0:
        assert refused(lambda: read_bytes(data, "a.docx")) is Refusal.TOO_LARGE
    else:
        assert read_bytes(data, "a.docx").blocks


def test_an_archive_that_unpacks_to_gigabytes_is_refused_unread() -> None:
    data = archive(picture=b"\x00" * (docx_reader.UNPACKED_BYTES_MAX + 1))
    assert len(data) < FILE_BYTES_MAX
    assert refused(lambda: read_bytes(data, "bomb.docx")) is Refusal.TOO_LARGE


def test_an_archive_that_lies_about_its_size_is_refused() -> None:
    data = bytearray(archive(picture=b"\x00" * 1_000_000))
    at = data.rindex(b"PK\x01\x02")
    data[at + 24 : at + 28] = (10).to_bytes(4, "little")
    assert refused(lambda: read_bytes(bytes(data), "a.docx")) is Refusal.DAMAGED


BODY = '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>{}</w:t></w:r></w:p></w:body></w:document>'


def test_entities_in_a_word_document_expand_to_nothing(tmp_path: Path, reader: ReaderProcess) -> None:
    (tmp_path / "secret").write_text("the secret")
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    for declared, used in (
        (f'<!ENTITY l0 "ha">{laughs}', "&l9;"),
        (f'<!ENTITY x SYSTEM "{tmp_path}/secret">', "&x;"),
    ):
        data = archive(word_document=f"<!DOCTYPE d [{declared}]>{BODY.format('Before ' + used)}".encode())
        try:
            document = reader.read(data, "a.docx")
        except UnreadableDocument:
            continue
        assert sum(len(block.text) for block in document.blocks) < 100
        assert "secret" not in "".join(block.text for block in document.blocks)


def test_a_page_with_entities_stays_small(reader: ReaderProcess) -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    page = f'<!DOCTYPE html [<!ENTITY l0 "ha">{laughs}]><html><body><p>Before &l9; after.</p></body></html>'
    with contextlib.suppress(UnreadableDocument):
        document = reader.read(page.encode(), "a.xhtml")
        assert sum(len(block.text) for block in document.blocks) < 2 * len(page)


def test_word_documents_behind_a_password_are_named_so() -> None:
    old = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500)
    assert refused(lambda: read_bytes(old, "a.docx")) is Refusal.MISNAMED
    locked = old + "EncryptedPackage".encode("utf-16-le") + bytes(500)
    assert refused(lambda: read_bytes(locked, "a.docx")) is Refusal.ENCRYPTED


@pytest.mark.parametrize("size", [TEXT_CHARS_MAX - 1, TEXT_CHARS_MAX, TEXT_CHARS_MAX + 1])
def test_length_of_a_text_is_limited(size: int) -> None:
    data = b"word " * (size // 5) + b"x" * (size % 5 + 1)
    data = data[: size - 1].rstrip().ljust(size, b"x")
    if size <= TEXT_CHARS_MAX:
        assert len(read_bytes(data, "a.txt").blocks[0].text) == size
    else:
        assert refused(lambda: read_bytes(data, "a.txt")) is Refusal.TOO_LARGE


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_passages_of_a_document_are_limited(monkeypatch: pytest.MonkeyPatch, over: int) -> None:
    monkeypatch.setattr(sources, "DOCUMENT_CHUNKS_MAX", 5)
    blocks = tuple(Block((f"Section {n}",), "Some words.") for n in range(5 + over))
    failed: list[tuple[str, str]] = []
    source = SourceDocument("a.md", Document("A", blocks, "text/markdown"), b"")
    group = next_group(iter([source]), "encoder", failed)
    assert (len(group), len(failed)) == ((0, 1) if over > 0 else (1, 0))


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("The café opens at nine.".encode("latin-1"), "a.txt"),
        ("Fees: 5 €".encode("cp1252"), "a.md"),
        ("question,answer\nCafé?,Yes\n".encode("cp1252"), "a.csv"),
    ],
)
def test_text_that_is_not_utf_8_is_read_as_windows_1252(data: bytes, name: str) -> None:
    document = read_bytes(data, name)
    assert "\ufffd" not in document.title + "".join(block.text for block in document.blocks)


def test_controls_and_halves_of_characters_do_not_reach_the_store() -> None:
    assert tidy("A\ud83d wo\u00adrd\x00\x07\x9b here\x85now\u2028and") == "A word here now and"


# The process that reads


def other(script: str, read_s_max: float = 20.0) -> ReaderProcess:
    """A reader that does something else than reading."""
    return ReaderProcess((sys.executable, "-c", script), read_s_max)


def test_a_reader_that_hangs_is_ended_and_the_next_file_gets_another() -> None:
    reader = other("import sys; sys.stdin.buffer.read()", read_s_max=0.5)
    for _ in range(2):
        assert refused(lambda: reader.read(b"x", "a.md")) is Refusal.TOO_SLOW
    reader.close()


@pytest.mark.parametrize(
    "script",
    [
        "pass",
        "import os; os.abort()",
        "import sys; sys.stdout.buffer.write(b'\\x00\\x00\\x00\\x02{}')",
        "import sys; sys.stdout.buffer.write(b'\\xff' * 100)",
        "import sys; sys.stdout.buffer.write(b'\\x00\\x00\\x00\\x09')",
    ],
)
def test_a_reader_that_dies_or_talks_nonsense_refuses_the_file(script: str) -> None:
    reader = other(script)
    assert refused(lambda: reader.read(b"x" * 500_000, "a.md")) is Refusal.DAMAGED
    reader.close()


def test_a_reader_that_wants_too_much_memory_is_refused_it(monkeypatch: pytest.MonkeyPatch) -> None:
    script = (
        "from edge.knowledge import readers; import edge.knowledge.readers.__main__ as process\n"
        "process.read_bytes = lambda data, name: bytearray(2_000_000_000)\n"
        "process.main()"
    )
    reader = other(script)
    assert refused(lambda: reader.read(b"x", "a.md")) is Refusal.TOO_LARGE
    reader.close()


def test_whatever_a_library_raises_refuses_the_file(reader: ReaderProcess) -> None:
    nested = b"<html><body>" + b"<ul><li>" * 20_000 + b"x</body></html>"
    with contextlib.suppress(UnreadableDocument):
        reader.read(nested, "deep.html")
    script = (
        "import edge.knowledge.readers.__main__ as process\n"
        "def fail(data, name): raise RecursionError('words of the file')\n"
        "process.read_bytes = fail\nprocess.main()"
    )
    failing = other(script)
    with pytest.raises(UnreadableDocument) as caught:
        failing.read(b"x", "a.md")
    assert caught.value.refusal is Refusal.DAMAGED
    assert "words of the file" not in caught.value.reason
    failing.close()


def test_a_closed_reader_reads_no_more_and_leaves_no_process() -> None:
    reader = ReaderProcess()
    assert reader.read(b"# A\n\nwords", "a.md").title == "A"
    process = reader.process
    assert process is not None
    reader.close()
    assert process.poll() is not None
    with pytest.raises(NotReading):
        reader.read(b"# A", "a.md")


def test_a_close_does_not_wait_for_a_hanging_file() -> None:
    reader = other("import sys; sys.stdin.buffer.read()", read_s_max=600.0)
    caught: list[Exception] = []

    def read() -> None:
        try:
            reader.read(b"x", "a.md")
        except NotReading as error:
            caught.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    while reader.process is None:
        threading.Event().wait(0.01)
    reader.close()
    thread.join(20)
    assert not thread.is_alive()
    assert len(caught) == 1


def test_frames_are_limited() -> None:
    out = io.BytesIO()
    write_frame(out, b"abc")
    assert read_frame(io.BytesIO(out.getvalue())) == b"abc"
    for data in (b"", b"\x00\x00", out.getvalue()[:-1], (FRAME_BYTES_MAX + 1).to_bytes(4, "big")):
        with pytest.raises(Ended):
            read_frame(io.BytesIO(data))


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"refusal": "x", "detail": ""}', b'{"title": 1, "type": "", "blocks": [1]}']
)
def test_what_is_no_answer_is_none(data: bytes) -> None:
    with pytest.raises(Ended):
        unpack(data)


def test_a_document_comes_through_the_frames_as_it_was() -> None:
    document = Document("Ä title", (Block(("One", "Two"), "words"), Block((), "\u202eothers")), "text/plain")
    assert unpack(pack_document(document)) == document
