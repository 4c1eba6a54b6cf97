"""The sample sites: enough documents, of all formats, readable, of one mind, and with nobody's real number in them."""

from __future__ import annotations

import csv
import json
import re
import tomllib
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import docx
import pypdf
import pytest
import trafilatura

import edge
from edge.site_setup import templates

OPERATIONS = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
TEMPLATES = Path(edge.__file__).parent / "templates"
MARKDOWN_SHARE_MIN = 0.5  # most of a site's papers are plain text, so that anyone can edit the sample
RENDERED = frozenset({".docx", ".pdf", ".html"})

WORDS_MIN = 120  # fewer would not look like a document that someone took the trouble to write
FILE_BYTES_MAX = 150 * 1024  # the wheel carries them all
DOCUMENTS_MIN = 28
STAFF_DOCUMENTS_MIN = 3
QUESTIONS_MIN = 60
# A third, give or take: a golden set without them would reward a desk that always says something.
UNANSWERABLE_SHARE = (0.3, 0.4)
INTENTS_MIN = 26
EXAMPLES_MIN = 16  # of each intent
# Every desk is asked for these, whatever the site.
INTENTS_EVERYWHERE = {
    "opening_hours",
    "talk_to_human",
    "greeting",
    "thanks_and_goodbye",
    "privacy",
    "accessibility",
}

# Reserved for fiction by the British regulator.
FICTIONAL_PHONE = re.compile(r"(?:0|\+44 )1632 960\d{3}|07700 900\d{3}")
LOOKS_LIKE_PHONE = re.compile(r"(?<![\w£,.])\+?\d[\d ()/-]{7,}\d")
HOST = re.compile(r"\b(?:[a-z0-9-]+\.)+(?:org|com|net|uk|eu|info|health|bank)\b")

# The name is at most four words; a heading that runs into "From Monday …" or "On Saturday …" is not part of it.
OPEN_FROM = re.compile(r"\b[Tt]he (?:(?!From\b|On\b)[\w'-]+ ){1,4}?is open (?:every day )?from [^.]*\.")


@dataclass(frozen=True)
class Site:
    """One sample site: its folder of documents, and the sources and facts that they were made from."""

    name: str

    @property
    def folder(self) -> Path:
        return TEMPLATES / self.name

    @property
    def sources(self) -> Path:
        return TEMPLATES / "sources" / self.name

    @property
    def facts(self) -> dict[str, Any]:
        return tomllib.loads((self.sources / "facts.toml").read_text(encoding="utf-8"))

    @property
    def hours(self) -> set[str]:
        return {sentence for sentences in self.facts["hours"].values() for sentence in sentences}

    @property
    def public(self) -> dict[str, Path]:
        """The public documents by their names."""
        return {path.name: path for path in sorted((self.folder / "documents" / "public").iterdir())}

    @property
    def staff(self) -> list[Path]:
        return sorted((self.folder / "documents" / "staff").iterdir())

    @property
    def documents(self) -> list[Path]:
        return [*self.public.values(), *self.staff]

    @property
    def questions(self) -> list[dict[str, Any]]:
        lines = (self.folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]


SITES = [Site(name) for name in templates() if (TEMPLATES / name / "documents").is_dir()]
EVERY_SITE = pytest.mark.parametrize("site", SITES, ids=lambda site: site.name)
EVERY_DOCUMENT = pytest.mark.parametrize(
    ("site", "path"),
    [pytest.param(site, path, id=f"{site.name}/{path.name}") for site in SITES for path in site.documents],
)
EVERY_RENDERED_DOCUMENT = pytest.mark.parametrize(
    ("site", "path"),
    [
        pytest.param(site, path, id=f"{site.name}/{path.name}")
        for site in SITES
        for path in site.documents
        if path.suffix in RENDERED
    ],
)


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
        case ".csv":
            rows = csv.reader(path.read_text(encoding="utf-8").splitlines())
            text = "\n".join(" ".join(row) for row in rows)
        case _:
            text = path.read_text(encoding="utf-8")
    return " ".join(text.split())


def sentences_on_hours(text: str) -> list[str]:
    """What a text says about from when to when something is open, from the name to the full stop."""
    return OPEN_FROM.findall(text)


def test_there_is_a_clinic_and_a_bank() -> None:
    assert [site.name for site in SITES] == ["bank", "clinic"]


@EVERY_SITE
def test_there_are_enough_documents_in_every_format(site: Site) -> None:
    suffixes = [path.suffix for path in site.public.values()]

    assert len(suffixes) >= DOCUMENTS_MIN
    assert suffixes.count(".md") / len(suffixes) > MARKDOWN_SHARE_MIN
    for suffix in RENDERED:
        assert suffixes.count(suffix) >= 4, suffix
    assert len(site.staff) >= STAFF_DOCUMENTS_MIN


@EVERY_DOCUMENT
def test_a_document_reads_as_text(site: Site, path: Path) -> None:
    assert path.stat().st_size <= FILE_BYTES_MAX
    assert len(text_of(path).split()) >= WORDS_MIN


@EVERY_RENDERED_DOCUMENT
def test_a_rendered_document_says_what_its_source_says(site: Site, path: Path) -> None:
    source = site.sources / path.suffix[1:] / f"{path.stem}.md"
    lines = source.read_text(encoding="utf-8").splitlines()
    prose = [" ".join(line.lstrip("#").split()) for line in lines if line and not line.startswith("|")]

    assert [line for line in prose if line not in text_of(path)] == []


@EVERY_SITE
def test_every_source_is_rendered(site: Site) -> None:
    sources = {(path.parent.name, path.stem) for path in site.sources.glob("*/*.md")}

    assert sources == {(path.suffix[1:], path.stem) for path in site.documents if path.suffix in RENDERED}


@EVERY_DOCUMENT
def test_hours_are_those_of_the_fact_sheet(site: Site, path: Path) -> None:
    for sentence in sentences_on_hours(text_of(path)):
        assert any(fact.endswith(sentence) for fact in site.hours), sentence


@EVERY_SITE
def test_the_page_of_hours_names_all_of_them(site: Site) -> None:
    page = text_of(site.public["opening-hours.md"])

    assert [fact for fact in site.hours if fact not in page] == []


@EVERY_SITE
def test_the_hours_check_notices_a_contradiction(site: Site) -> None:
    (found,) = sentences_on_hours("On Saturday the clinic is open from 9:00 to 14:00. Come early.")

    assert not any(fact.endswith(found) for fact in site.hours)


@EVERY_DOCUMENT
def test_numbers_and_addresses_are_fictional(site: Site, path: Path) -> None:
    text = text_of(path)

    for number in LOOKS_LIKE_PHONE.findall(text):
        assert FICTIONAL_PHONE.fullmatch(number), number
        assert number.replace("+44 ", "0") in site.facts["phones"], number
    for host in HOST.findall(text):
        assert host == "example.org" or host.endswith(".example.org"), host


@EVERY_SITE
def test_numbers_in_the_settings_are_those_of_the_fact_sheet(site: Site) -> None:
    settings = (site.folder / "site.toml").read_text(encoding="utf-8")
    numbers = LOOKS_LIKE_PHONE.findall(settings.replace("127.0.0.1", "loopback"))

    assert numbers
    assert set(numbers) <= set(site.facts["phones"])


@EVERY_SITE
def test_a_price_named_in_several_documents_is_one_price(site: Site) -> None:
    for service, price in site.facts["fees"].items():
        named = re.compile(rf"\b{service}(?: costs| \|) (£[\d,]*\d)", re.IGNORECASE)
        prices = {found for path in site.documents for found in named.findall(text_of(path))}
        assert prices == {price}, service


@EVERY_SITE
def test_sums_after_a_phrase_are_those_of_the_fact_sheet(site: Site) -> None:
    for phrase, sums in site.facts["sums"].items():
        named = re.compile(rf"{phrase} (£[\d,]*\d)")
        assert {found for path in site.documents for found in named.findall(text_of(path))} == set(sums), (
            phrase
        )


@EVERY_SITE
def test_two_public_documents_differ_on_purpose_and_a_question_asks_for_it(site: Site) -> None:
    conflict: dict[str, str] = site.facts["conflict"]
    figures = [re.findall(r"£[\d,]*\d", sentence) for sentence in conflict.values()]
    asked = [{row["doc"], row["conflict"]} for row in site.questions if "conflict" in row]

    assert len(conflict) == 2
    assert figures[0] != figures[1]
    assert all(sentence in text_of(site.public[name]) for name, sentence in conflict.items())
    assert asked == [set(conflict)]
    assert all(f"`{name}`" in OPERATIONS for name in conflict)


@EVERY_SITE
def test_questions_name_documents_that_exist(site: Site) -> None:
    rows = site.questions
    least, most = UNANSWERABLE_SHARE

    assert len(rows) == len({row["question"] for row in rows}) >= QUESTIONS_MIN
    assert least <= [row["doc"] for row in rows].count(None) / len(rows) <= most
    assert {row["doc"] for row in rows} - {None} <= set(site.public)


@EVERY_SITE
def test_examples_of_intents_are_many_and_each_is_of_one_intent(site: Site) -> None:
    with (site.folder / "intents.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    texts = Counter(" ".join(text.casefold().split()) for text, _ in rows)
    intents = Counter(intent for _, intent in rows)

    assert header == ["text", "intent"]
    assert [text for text, times in texts.items() if times > 1 or not text] == []
    assert len(intents) >= INTENTS_MIN
    assert min(intents.values()) >= EXAMPLES_MIN
    assert set(intents) >= INTENTS_EVERYWHERE


def test_the_guide_counts_documents_and_intents_as_they_are() -> None:
    documents = _row_of_the_guide("| documents for everybody |")
    staff = _row_of_the_guide("| documents for staff only |")
    intents = _row_of_the_guide("| intents, trained from")
    clinic, bank = (next(site for site in SITES if site.name == name) for name in ("clinic", "bank"))

    assert documents == [len(clinic.public), len(bank.public)]
    assert staff == [len(clinic.staff), len(bank.staff)]
    assert intents == [_intents(clinic), _intents(bank)]


def _row_of_the_guide(beginning: str) -> list[int]:
    """The number at the start of each of the two cells of a row of "The two sample sites"."""
    (row,) = [line for line in OPERATIONS.splitlines() if line.startswith(beginning)]
    return [int(number) for number in re.findall(r"\| (\d+)\b", row)]


def _intents(site: Site) -> int:
    with (site.folder / "intents.csv").open(encoding="utf-8", newline="") as file:
        return len({row["intent"] for row in csv.DictReader(file)})
