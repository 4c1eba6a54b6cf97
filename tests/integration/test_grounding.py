"""The check of a model's sentences with the real encoder: what it lets pass of sentences that are known."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from edge.chat import grounding, prompt
from edge.chat.grounding import Outcome
from edge.knowledge.document import Passage
from models.catalog import models_dir
from models.encoder import Encoder, open_encoder
from tests.unit.edge.chat.grounding_cases import CHECK, DEVELOPMENT, FRESH, HELD_OUT, PLACES, Case


@pytest.fixture(scope="module")
def encoder() -> Iterator[Encoder]:
    opened = open_encoder(models_dir(), threads=1)
    yield opened
    opened.close()


def counted(encoder: Encoder, cases: tuple[Case, ...]) -> tuple[int, int]:
    """How many of those that are grounded were accepted, and of those that are not."""
    accepted = {True: 0, False: 0}
    for case in cases:
        title, section = PLACES[case.passage]
        passage = Passage(1, "a.md", 1, title, section, case.passage, 1.0, 1.0, 1.0, b"")
        sources = grounding.sources([prompt.quote(passage)])
        vectors = encoder.embed([source.embedding_text for source in sources])
        vector = encoder.embed([case.sentence])[0]
        verdict = grounding.judge(case.sentence, vector, sources, vectors, case.question)
        accepted[case.grounded] += verdict.outcome is Outcome.GROUNDED
    return accepted[True], accepted[False]


@pytest.mark.proves("sources")
@pytest.mark.parametrize(
    ("cases", "true_least", "false_most"),
    [(DEVELOPMENT, 16, 0), (CHECK, 12, 0), (FRESH, 17, 0), (HELD_OUT, 11, 1)],
)
def test_what_is_accepted(
    encoder: Encoder, cases: tuple[Case, ...], true_least: int, false_most: int
) -> None:
    true, false = counted(encoder, cases)
    assert true >= true_least
    assert false <= false_most
