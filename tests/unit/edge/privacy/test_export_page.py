"""The export as a page: all in one file, readable by everybody, and nothing of it runs."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from edge.config import site_paths
from edge.privacy.export_page import as_page, as_text, label
from edge.privacy.people import People
from edge.store.store import Store
from tests.unit.edge.privacy.people_rig import seed

EVIL = '<script>alert("zebra")</script>'


@pytest.fixture
async def document(tmp_path: Path) -> object:
    store = Store.open(site_paths(tmp_path))
    await seed(store, "patient-0815", "one", EVIL, locale="ar_EG")
    found = await People(store, "The <clinic>").export("patient-0815", "olga")
    await store.close()
    return found


@pytest.mark.proves("export")
def test_the_page_needs_nothing_and_runs_nothing(document: dict[str, object]) -> None:
    page = as_page(document)
    assert "<script" not in page
    assert not re.search(r"\b(?:src|href|on\w+)=", page)
    assert html.escape(EVIL, quote=False).partition("(")[0] in page
    assert "The &lt;clinic&gt;" in page
    assert page.count("<h1>") == 1


def test_words_say_their_language_and_direction(document: dict[str, object]) -> None:
    page = as_page(document)
    assert '<html lang="en" dir="ltr">' in page
    said = re.findall(r'<dd dir="auto" lang="ar-EG">(.*?)</dd>', page, re.DOTALL)
    assert any("alert" in words for words in said)
    assert any("no zebra there" in words for words in said)  # found through its turn
    assert any("the gate" in words for words in said)  # through its ticket


def test_every_entry_is_explained_and_moments_are_readable(document: dict[str, object]) -> None:
    page = as_page(document)
    assert "question, answer and citations" in page
    assert "2026-03-02 09:00:00 UTC" in page
    assert "1772442000000" not in page
    assert "You are talking to a machine." in page
    assert label("notice_version") == "Notice version"


def test_lines_for_a_terminal(document: dict[str, object]) -> None:
    lines = as_text(document)
    assert "Questions and answers: 1" in lines
    assert f"  Question: {EVIL}" in lines
    assert "    Title: The zoo" in lines
