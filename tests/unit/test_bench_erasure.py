"""The look of the bench `erasure` from inside: it sees what is sealed, and nothing once it was erased."""

from __future__ import annotations

from pathlib import Path

from edge.config import site_paths
from tests.readable import values
from tests.unit.edge.privacy.erasure_rig import OFFICER, PATIENT, WORDS, open_site


async def columns_with(folder: Path, words: str) -> set[str]:
    """Where they can be read by whoever has all keys."""
    return {place for place, value in values(site_paths(folder)) if words.encode() in value}


async def test_sealed_words_are_seen_as_long_as_their_key_is_there(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        await site.visit(PATIENT)
        # The example that was learnt from is redacted by forms alone here, without a tagger of names.
        seen = {"turns.body", "feedback.reason", "messages.body", "examples.text"}
        assert await columns_with(tmp_path, WORDS) == seen
        assert await columns_with(tmp_path, PATIENT) == {
            "subject_keys.subject",
            "subjects.id",
            "sessions.subject",
            "handoffs.subject",
        }
        await site.desk.store.write_keys(lambda keys: keys.execute("DELETE FROM subject_keys"))
        assert await columns_with(tmp_path, WORDS) == {"examples.text"}


async def test_nothing_is_seen_of_somebody_who_was_erased(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        await site.visit(PATIENT)
        await site.desk.store.write(lambda db: db.execute("DELETE FROM examples"))
        await site.erasure.erase(PATIENT, OFFICER)
        assert await columns_with(tmp_path, WORDS) | await columns_with(tmp_path, PATIENT) == set()
