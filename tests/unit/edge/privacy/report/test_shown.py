"""A report as HTML and as PDF: whole, findable, for everybody, and safe with whatever a site is called."""

from __future__ import annotations

import asyncio
import io
import itertools
import sys

import pytest
from lxml import html as parser
from pypdf import PdfReader

from edge.privacy.report import pdf
from edge.privacy.report.assembly import report
from edge.privacy.report.document import Document, Paragraph, Section, Table, walk
from edge.privacy.report.html import as_html
from edge.privacy.report.pdf import ReportFailed, as_pdf
from edge.report_facts import gather
from tests.unit.edge.privacy.report.rig import sample_site

HOSTILE = '<script>alert("x")</script> & #let x = 1 \\ `code` $math$ *b*'
# Polish, Greek, Cyrillic, and Arabic, which is written from right to left and joined.
MANY_SCRIPTS = "Szpital Łódź · Ελλάς · Київ · عيادة السلام"
NO_FONT = "診療所"


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Document:
    async def made() -> Document:
        async with sample_site(tmp_path_factory.mktemp("clinic")) as known:
            return report(await gather(known))

    return asyncio.run(made())


@pytest.fixture(scope="module")
def page(document: Document) -> parser.HtmlElement:
    return parser.document_fromstring(as_html(document))


@pytest.fixture(scope="module")
def pages(document: Document) -> PdfReader:
    return PdfReader(io.BytesIO(as_pdf(document)))


def small(name: str) -> Document:
    table = Table(caption=name, columns=("a", name), widths=(1, 2), rows=((name, name),))
    section = Section(id="one", title=name, blocks=(Paragraph(text=name), table))
    return Document(
        title="Data protection report",
        subject=name,
        made_on="2026-11-29",
        facts_sha256="ab" * 32,
        front=(("Site", name),),
        notice="Draft.",
        sections=(section,),
    )


# --- HTML ---


def test_the_page_needs_nothing_beside_it(page: parser.HtmlElement) -> None:
    assert page.get("lang") == "en"
    assert page.findtext(".//title") == "Data protection report: Riverside Clinic"
    assert not page.xpath("//script | //img | //link | //iframe | //@src | //@style | //*[@onclick]")
    assert all(address.startswith("#") for address in page.xpath("//@href"))
    assert "url(" not in page.findtext(".//style")


def test_every_table_has_a_caption_and_headers_with_a_scope(page: parser.HtmlElement) -> None:
    tables = page.xpath("//table")
    assert len(tables) > 20
    for table in tables:
        assert table.findtext("caption")
        assert {header.get("scope") for header in table.xpath(".//th")} <= {"row", "col"}
        assert all(row.xpath("./th[@scope='row']") for row in table.xpath("./tbody/tr"))
    assert all(table.xpath("./thead/tr/th[@scope='col']") for table in page.xpath("//main//table"))


def test_the_contents_lead_to_every_part(page: parser.HtmlElement, document: Document) -> None:
    ids = page.xpath("//@id")
    assert len(ids) == len(set(ids))
    linked = [address.removeprefix("#") for address in page.xpath("//nav//a/@href")]
    assert linked == [section.id for section, level in walk(document.sections) if level < 3]
    assert set(linked) <= set(ids)


def test_headings_leave_out_no_level(page: parser.HtmlElement) -> None:
    levels = [int(heading.tag[1]) for heading in page.xpath("//h1 | //h2 | //h3 | //h4 | //h5")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_what_is_missing_is_marked(page: parser.HtmlElement) -> None:
    gaps = page.xpath("//*[@class='gap']")
    assert len(gaps) > 60
    assert all(gap.text_content().startswith("To be completed by the controller:") for gap in gaps)


def test_names_of_settings_are_code_and_hostile_text_is_text() -> None:
    made = parser.document_fromstring(as_html(small(HOSTILE)))
    assert not made.xpath("//script")
    assert made.xpath("//p/code")[0].text == "code"
    assert HOSTILE.replace("`", "") in made.xpath("//section/p")[0].text_content()


# --- PDF ---


def test_the_pages_say_every_heading_and_are_numbered(pages: PdfReader, document: Document) -> None:
    texts = [" ".join(page.extract_text().split()) for page in pages.pages]
    assert 12 <= len(texts) <= 60
    whole = " ".join(texts)
    for section, _ in walk(document.sections):
        assert section.title in whole, section.title
    for article in ("Art. 30", "Art. 32", "Art. 35", "Art. 28(3)", "164.312", "Art. 50"):
        assert article in whole
    for number, text in enumerate(texts, 1):
        assert f"{number} / {len(texts)}" in text
    assert all("Draft: have counsel confirm" in text for text in texts[1:])


def test_the_pages_are_for_everybody(pages: PdfReader) -> None:
    root = pages.trailer["/Root"]
    assert pages.metadata
    assert pages.metadata.title == "Data protection report: Riverside Clinic"
    assert root["/Lang"] == "en"
    assert root["/MarkInfo"]["/Marked"]
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert b"pdfuaid:part" in root["/Metadata"].get_data()


def test_bookmarks_lead_to_every_part(pages: PdfReader, document: Document) -> None:
    found = {mark.title for mark in flat(pages.outline)}
    assert {section.title for section, _ in walk(document.sections)} <= found


def flat(marks: list) -> list:  # type: ignore[type-arg]
    return [mark for one in marks for mark in (flat(one) if isinstance(one, list) else [one])]


def test_a_site_may_be_called_anything() -> None:
    made = PdfReader(io.BytesIO(as_pdf(small(f"{HOSTILE} {MANY_SCRIPTS}"))))
    text = "".join(page.extract_text() for page in made.pages)
    for word in ("Łódź", "Ελλάς", "Київ", "<script>", "#let", "$math$", "*b*"):
        assert word in text
    fonts = {font["/BaseFont"] for page in made.pages for font in fonts_of(page)}
    assert any("DejaVuSans" in font for font in fonts), (
        "what the main font lacks comes from another, embedded"
    )
    assert "pdfuaid:part" in made.trailer["/Root"]["/Metadata"].get_data().decode()


def fonts_of(page: object) -> list:  # type: ignore[type-arg]
    return [font.get_object() for font in page["/Resources"]["/Font"].values()]  # type: ignore[index]


def test_letters_that_no_font_has_cost_the_claim_and_not_the_report() -> None:
    made = PdfReader(io.BytesIO(as_pdf(small(NO_FONT))))
    assert len(made.pages) >= 2
    assert b"pdfuaid:part" not in made.trailer["/Root"]["/Metadata"].get_data()


@pytest.mark.parametrize("code", ["raise SystemExit(3)", "print('no pages')"])
def test_a_failure_tells_nothing_of_the_document(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(pdf, "_command", lambda: [sys.executable, "-S", "-c", code])
    with pytest.raises(ReportFailed) as caught:
        as_pdf(small("Quackenbush"))
    assert "Quackenbush" not in caught.value.detail


def test_pages_that_take_too_long_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "PDF_S_MAX", 0.05)
    monkeypatch.setattr(pdf, "_command", lambda: [sys.executable, "-S", "-c", "import time; time.sleep(60)"])
    with pytest.raises(ReportFailed):
        as_pdf(small("x"))


def test_the_library_of_pages_is_loaded_by_the_child_alone(document: Document) -> None:
    as_html(document)
    assert "typst" not in sys.modules
