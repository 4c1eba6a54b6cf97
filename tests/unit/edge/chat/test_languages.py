"""The sentence for a language that the desk does not cover, and which ones it covers."""

from __future__ import annotations

import pytest

from edge.chat import languages
from edge.knowledge.languages import tongues


def test_every_language_has_its_sentence() -> None:
    assert set(languages.sentences()) == set(tongues())
    assert all(text.count("{languages}") == 1 for text in languages.sentences().values())
    assert len(set(languages.sentences().values())) == len(tongues())


def test_another_language_gets_its_own_sentence() -> None:
    sentence = languages.check("Wo kann ich hier parken?", ("en", "fr"))
    assert sentence is not None
    assert (sentence.language, sentence.direction) == ("de", "ltr")
    assert sentence.text.startswith("Dieser Schalter antwortet auf: English, Français.")


def test_a_language_that_is_written_from_the_right_is_shown_so() -> None:
    sentence = languages.check("أين يمكنني ركن سيارتي؟", ("en",))
    assert sentence is not None
    assert sentence.shown() == {"code": "ar", "dir": "rtl"}


@pytest.mark.parametrize("text", ["Where can I park?", "Parken", "", "asdf qwer yxcv"])
def test_what_is_covered_or_in_doubt_is_answered(text: str) -> None:
    assert languages.check(text, ("en",)) is None


def test_a_covered_language_is_answered() -> None:
    assert languages.check("Wo kann ich hier parken?", ("de",)) is None
    assert languages.check("Where can I park my car?", ("de",)) is not None


@pytest.mark.parametrize(
    ("encoder", "documents", "expected"),
    [
        (["en"], [], ("en",)),
        (["en"], ["en", "de"], ("en",)),
        (["en", "de"], ["de"], ("de",)),
        (["en"], ["de"], ("de",)),
        (["xx"], [], ("en",)),
    ],
)
def test_covered_is_what_models_and_documents_share(
    encoder: list[str], documents: list[str], expected: tuple[str, ...]
) -> None:
    assert languages.covered(encoder, documents) == expected
