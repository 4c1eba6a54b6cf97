"""Extractive answers: the right sentence, exact quotes, evidence that falls with what is missing."""

from __future__ import annotations

from edge.chat.answer import QUOTE_CHARS_MAX, extract
from edge.chat.routing import Route, decide
from edge.knowledge.document import Passage
from edge.knowledge.terms import terms

CAFE = "The café is open from Monday to Friday from 7:45 to 17:30 and on Saturday from 8:45 to 13:00."
CLINIC = "Every clinic has its own hours. On Saturday the clinic is open from 9:00 to 13:00. Ring first."
FEES = "Bring your card. A first visit costs £180, and a follow-up visit £110. We send no bills by post."


def passage(text: str, *, title: str = "Opening hours", cosine: float = 0.6) -> Passage:
    return Passage(
        chunk_id=1,
        doc="hours.md",
        version=3,
        title=title,
        section="All",
        text=text,
        score=cosine,
        lexical=0.0,
        cosine=cosine,
    )


def rarity(question: str) -> dict[str, float]:
    return dict.fromkeys(terms(question), 1.0)


def answer_to(question: str, *passages: Passage) -> str:
    found = extract(question, passages, rarity(question))
    assert found is not None
    return found.text


def test_of_two_sentences_with_the_same_words_the_shorter_one_answers() -> None:
    question = "When are you open on Saturday?"
    assert answer_to(question, passage(CAFE), passage(CLINIC)).startswith("On Saturday the clinic")


def test_a_question_of_price_is_answered_by_a_price() -> None:
    assert "£180" in answer_to("How much is a visit?", passage(FEES, title="Fees"))


def test_every_quote_stands_in_its_passage_word_for_word() -> None:
    found = extract("When is the clinic open?", [passage(CLINIC)], rarity("When is the clinic open?"))
    assert found is not None
    (citation,) = found.citations
    assert citation.quote == found.text
    assert citation.quote in CLINIC
    assert (citation.doc, citation.version, citation.section) == ("hours.md", 3, "All")


def test_a_quote_stays_short() -> None:
    text = " ".join(f"The clinic is open in room {number} on Saturday for everybody." for number in range(50))
    assert len(answer_to("Which clinic room is open on Saturday?", passage(text))) <= QUOTE_CHARS_MAX


def test_evidence_falls_with_rare_words_that_are_missing() -> None:
    question = "Is the clinic open for acupuncture?"
    words = {**rarity(question), "acupunctur": 5.0}
    with_all = extract("Is the clinic open?", [passage(CLINIC)], rarity("Is the clinic open?"))
    with_missing = extract(question, [passage(CLINIC)], words)
    assert with_all is not None
    assert with_missing is not None
    assert with_missing.evidence < with_all.evidence


def test_without_passages_there_is_nothing_to_say() -> None:
    assert extract("When?", [], {}) is None


def test_a_question_without_content_words_still_gets_the_nearest_passage() -> None:
    assert answer_to("When?", passage(CLINIC))


def test_routes() -> None:
    def route(evidence: float, *, generative: bool = False, ready: bool = True) -> Route:
        return decide(evidence=evidence, evidence_min=0.4, generative=generative, worker_ready=ready)

    assert route(0.39) is Route.HANDOFF
    assert route(0.4) is Route.ANSWER
    assert route(0.4, generative=True) is Route.GENERATE
    assert route(0.4, generative=True, ready=False) is Route.ANSWER
    assert route(0.39, generative=True) is Route.HANDOFF
