"""The sample clinic: enough documents, of all formats, readable, of one mind, and with nobody's real number in them."""

from __future__ import annotations

import json
import re
import tomllib
from functools import cache
from pathlib import Path

import docx
import pypdf
import pytest
import trafilatura

import edge

TEMPLATES = Path(edge.__file__).parent / "templates"
SOURCES = TEMPLATES / "sources" / "clinic"
PUBLIC = TEMPLATES / "clinic" / "documents" / "public"
STAFF = TEMPLATES / "clinic" / "documents" / "staff"
DOCUMENTS = sorted(path for folder in (PUBLIC, STAFF) for path in folder.iterdir())
RENDERED = sorted(path for path in DOCUMENTS if path.suffix != ".md")
FACTS = tomllib.loads((SOURCES / "facts.toml").read_text(encoding="utf-8"))
HOURS = {sentence for sentences in FACTS["hours"].values() for sentence in sentences}

WORDS_MIN = 120  # fewer would not look like a document that someone took the trouble to write
FILE_BYTES_MAX = 150 * 1024  # the wheel carries them all
DOCUMENTS_MIN = 28

# Reserved for fiction by the British regulator.
FICTIONAL_PHONE = re.compile(r"01632 960\d{3}|07700 900\d{3}")
LOOKS_LIKE_PHONE = re.compile(r"(?<![\w£,.])\+?\d[\d ()/-]{7,}\d")
HOST = re.compile(r"\b(?:[a-z0-9-]+\.)+(?:org|com|net|uk|eu|info|health)\b")

# The name is at most four words; a heading that runs into "From Monday …" or "On Saturday …" is not part of it.
OPEN_FROM = re.compile(r"\b[Tt]he (?:(?!From\b|On\b)[\w']+ ){1,4}?is open from [^.]*\.")


def name_of(path: Path) -> str:
    return path.name


@cache
def text_of(path: Path) -> str:
    """The words of a document in a row, read with the libraries that the node reads it with."""
    match path.suffix:
        case ".pdf":
            pages = [page.extract_text() for page in pypdf.PdfReader(path).pages]
            text = "\n".join(pages)
        case ".docx":
            document = docx.Document(str(path))
            cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
            text = "\n".join([*(paragraph.text for paragraph in document.paragraphs), *cells])
        case ".html":
            text = trafilatura.extract(path.read_text(encoding="utf-8"), include_tables=True) or ""
        case _:
            text = path.read_text(encoding="utf-8")
    return " ".join(text.split())


def sentences_on_hours(text: str) -> list[str]:
    """What a text says about from when to when something is open, from the name to the full stop."""
    return OPEN_FROM.findall(text)


def test_there_are_enough_documents_in_every_format() -> None:
    suffixes = [path.suffix for path in PUBLIC.iterdir()]

    assert len(suffixes) >= DOCUMENTS_MIN
    assert suffixes.count(".md") > len(suffixes) / 2
    for suffix in (".html", ".pdf", ".docx"):
        assert suffixes.count(suffix) >= 4, suffix
    assert len(list(STAFF.glob("*.md"))) == 3


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_a_document_reads_as_text(path: Path) -> None:
    assert path.stat().st_size <= FILE_BYTES_MAX
    assert len(text_of(path).split()) >= WORDS_MIN


@pytest.mark.parametrize("path", RENDERED, ids=name_of)
def test_a_rendered_document_says_what_its_source_says(path: Path) -> None:
    source = SOURCES / path.suffix[1:] / f"{path.stem}.md"
    lines = source.read_text(encoding="utf-8").splitlines()
    prose = [" ".join(line.lstrip("#").split()) for line in lines if line and not line.startswith("|")]

    assert [line for line in prose if line not in text_of(path)] == []


def test_every_source_is_rendered() -> None:
    sources = {(path.parent.name, path.stem) for path in SOURCES.glob("*/*.md")}

    assert sources == {(path.suffix[1:], path.stem) for path in RENDERED}


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_hours_are_those_of_the_fact_sheet(path: Path) -> None:
    for sentence in sentences_on_hours(text_of(path)):
        assert any(fact.endswith(sentence) for fact in HOURS), sentence


def test_the_page_of_hours_names_all_of_them() -> None:
    page = text_of(PUBLIC / "opening-hours.md")

    assert [fact for fact in HOURS if fact not in page] == []


def test_the_hours_check_notices_a_contradiction() -> None:
    (found,) = sentences_on_hours("On Saturday the clinic is open from 9:00 to 14:00. Come early.")

    assert not any(fact.endswith(found) for fact in HOURS)


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_numbers_and_addresses_are_fictional(path: Path) -> None:
    text = text_of(path)

    for number in LOOKS_LIKE_PHONE.findall(text):
        assert FICTIONAL_PHONE.fullmatch(number), number
        assert number in FACTS["phones"], number
    for host in HOST.findall(text):
        assert host == "example.org" or host.endswith(".example.org"), host


@pytest.mark.parametrize(("service", "price"), FACTS["fees"].items(), ids=list(FACTS["fees"]))
def test_a_price_named_in_several_documents_is_one_price(service: str, price: str) -> None:
    named = re.compile(rf"\b{service}(?: costs| \|) (£[\d,]*\d)", re.IGNORECASE)
    prices = {found for path in DOCUMENTS for found in named.findall(text_of(path))}

    assert prices == {price}


def test_no_show_fees_are_those_of_the_fact_sheet() -> None:
    named = {fee for path in DOCUMENTS for fee in re.findall(r"no-show fee of (£\d+)", text_of(path))}

    assert named == set(FACTS["no-show"]["fees"])


def test_questions_name_documents_that_exist() -> None:
    lines = (TEMPLATES / "clinic" / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    public = {path.name for path in PUBLIC.iterdir()}

    assert len(rows) == len({row["question"] for row in rows}) == 60
    assert [row["doc"] for row in rows].count(None) == 12
    assert {row["doc"] for row in rows} - {None} <= public
