"""The ranking's rules: what its features say, in which order the scores bring chunks, which models it takes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.knowledge import kinds
from edge.knowledge.features import FEATURES, Candidates, features
from edge.knowledge.ranking import RankingModel, UnusableRanking, order, shipped
from edge.knowledge.signature import signature
from edge.knowledge.terms import terms

QUESTION = "How much does parking at the clinic cost?"


def of(question: str, *chunks: tuple[str, str, str], cosine: float = 0.5) -> dict[str, list[float]]:
    """Features by name of chunks (title, section, text) that only meaning found."""
    count = len(chunks)
    found = Candidates([signature(*chunk) for chunk in chunks], np.full(count, cosine), np.zeros(count))
    table = features(question, dict.fromkeys(terms(question), 1.0), found)
    return dict(zip(FEATURES, table.T.tolist(), strict=True))


def test_words_are_found_in_their_fields() -> None:
    values = of(QUESTION, ("Parking", "Cost", "Two pounds."), ("Food", "", "Parking costs two pounds."))
    share = len({"park", "cost"}) / len(terms(QUESTION))
    assert values["anywhere"] == pytest.approx([share, share])
    assert values["title_named"] == pytest.approx([share / 2, 0.0])


def test_a_title_that_is_named_in_part_counts_by_its_part() -> None:
    values = of("Parking", ("Parking permits", "", "."), ("Parking", "", "."))
    assert values["title_named"] == [0.0, 1.0]
    assert values["title_part"] == [0.5, 1.0]


def test_places_follow_cosines() -> None:
    chunks = [signature("", "", "a text")] * 3
    table = features("?", {}, Candidates(chunks, np.array([0.1, 0.9, 0.5]), np.array([0.0, 2.0, 4.0])))
    assert table[:, FEATURES.index("cosine_place")].tolist() == [1 / 3, 1, 1 / 2]
    assert table[:, FEATURES.index("bm25")].tolist() == [0, 0.5, 1]


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("How much is it?", "It is £4."),
        ("What are your opening times on Monday?", "From 9:30 to noon."),
        ("How long do I wait?", "Up to 3 working days."),
        ("What is asthma?", "Asthma is a disease of the airways."),
        ("How many people have it?", "About 1 in 200 of us."),
    ],
)
def test_a_text_shows_what_is_asked_for(question: str, text: str) -> None:
    assert kinds.asked(question) & kinds.shown(text.lower())
    assert not kinds.shown("nothing of the sort stands here")
    assert of(question, ("", "", text))["kind_shown"] == [1.0]


def test_only_a_question_for_nothing_else_asks_for_a_definition() -> None:
    definition = kinds.asked("What is asthma?")
    assert definition
    assert kinds.asked("What are the symptoms of asthma?") & definition == 0
    assert kinds.asked("What are the symptoms of asthma?") == kinds.asked("asthma symptoms")


@given(st.text(max_size=60), st.text(max_size=30), st.text(max_size=30), st.text(max_size=200))
def test_any_text_gives_finite_features(question: str, title: str, section: str, text: str) -> None:
    values = of(question, (title, section, text), ("Parking", "", "Parking."))
    assert np.isfinite(np.array(list(values.values()))).all()
    assert all(0 <= value <= 1 + 1e-9 for name in FEATURES if name != "length" for value in values[name])


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(-1, 1)), min_size=1, max_size=12), st.integers(1, 12))
def test_the_order_is_by_score_and_repeatable(found: list[tuple[int, float]], k: int) -> None:
    ids = list(range(len(found)))
    sections, scores = [section for section, _ in found], np.array([score for _, score in found])
    ranked = order(ids, scores, sections, 0.3, k)
    assert len(ranked) == min(k, len(found))
    assert [score for _, score in ranked] == sorted((score for _, score in ranked), reverse=True)
    turned = order(ids[::-1], scores[::-1], sections[::-1], 0.3, k)
    assert [ids[row] for row, _ in ranked] == [ids[::-1][row] for row, _ in turned]


def test_a_second_chunk_of_a_section_must_be_far_better() -> None:
    scores = np.array([0.80, 0.79, 0.70, 0.60])
    assert [row for row, _ in order([1, 2, 3, 4], scores, list("aabc"), 0.1, 3)] == [0, 2, 1]


def test_a_model_comes_back_as_it_was_kept() -> None:
    model = shipped()
    again = RankingModel.from_json(model.to_json())
    assert again.weights.tolist() == model.weights.tolist()
    assert again.repeat == model.repeat


def test_the_shipped_model_takes_no_feature_against_its_sense() -> None:
    assert (shipped().weights >= 0).all()
    assert shipped().weights[FEATURES.index("cosine")] > 0


def test_a_model_that_does_not_fit_is_refused() -> None:
    table = json.loads(shipped().to_json())
    broken = [
        b"",
        b"[]",
        b"{}",
        json.dumps(table | {"version": 0}).encode(),
        json.dumps(table | {"weights": {"cosine": 1.0}}).encode(),
        json.dumps(table | {"weights": table["weights"] | {"cosine": "x"}}).encode(),
        json.dumps(table | {"repeat": float("nan")}).encode(),
    ]
    for content in broken:
        with pytest.raises(UnusableRanking):
            RankingModel.from_json(content)
