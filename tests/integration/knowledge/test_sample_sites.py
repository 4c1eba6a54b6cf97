"""The sample sites' documents, all formats, with the real encoder: visitors' questions find the right document."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge.app import open_site, site_operations
from edge.config import site_paths
from edge.knowledge.document import Audience
from edge.knowledge.ingest import KnowledgeBase
from edge.knowledge.metadata import MetadataChange
from edge.site_setup import create_site
from edge.store.store import Store
from models.catalog import models_dir
from models.encoder import open_encoder

TEMPLATES = Path(__file__).parents[3] / "edge" / "templates"
FORMATS = {".md", ".html", ".pdf", ".docx"}
# Measured .94 for the clinic; a floor that notices a broken reader or index, not a benchmark.
HIT3_MIN = 0.85


@pytest.mark.long
@pytest.mark.models
@pytest.mark.slow
@pytest.mark.parametrize(("site", "formats"), [("clinic", FORMATS), ("bank", FORMATS | {".csv"})])
async def test_visitors_questions_find_their_document(tmp_path: Path, site: str, formats: set[str]) -> None:
    encoder = open_encoder(models_dir())
    store = Store.open(site_paths(tmp_path))
    try:
        base = await KnowledgeBase.open(store, encoder, encoder.info.space)
        report = await base.add([TEMPLATES / site / "documents" / "public"])
        staff = await base.add([TEMPLATES / site / "documents" / "staff"], MetadataChange(Audience.STAFF))
        assert not report.failed + staff.failed
        assert {Path(name).suffix for name in report.added} == formats
        lines = (TEMPLATES / site / "questions.jsonl").read_text(encoding="utf-8").splitlines()
        asked = [item for item in map(json.loads, lines) if item["doc"] in report.added]
        texts = [item["question"] for item in asked]
        found = base.searcher.search_batch(texts, encoder.embed(texts), Audience.PUBLIC, 3, at_ms=0)
        hits = sum(
            item["doc"] in {p.doc for p in passages} for item, passages in zip(asked, found, strict=True)
        )
        assert hits / len(asked) >= HIT3_MIN
        assert not set(staff.added) & {p.doc for passages in found for p in passages}
    finally:
        await store.close()
        encoder.close()


@pytest.mark.long
@pytest.mark.models
@pytest.mark.slow
@pytest.mark.parametrize("template", ["clinic", "bank"])
async def test_what_the_kiosk_suggests_is_answered_with_a_quote(tmp_path: Path, template: str) -> None:
    paths = site_paths(tmp_path / "site")
    create_site(paths, template, http_port=0)
    async with open_site(paths) as site:
        await site.knowledge.add([paths.documents / "public"])
        ask = site_operations(site).table()["ask"]
        assert site.config.site.suggestions
        for question in site.config.site.suggestions:
            answer = await ask({"text": question}, lambda _: None)
            assert (answer["route"], answer["conflict"]) == ("answer", False), question
            assert answer["citations"], question
