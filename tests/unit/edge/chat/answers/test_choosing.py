"""The right sentence, exact quotes, evidence that falls with what is missing; conflicts; what may be meant."""

from __future__ import annotations

import pytest

from edge.chat.answers import clarifying, conflicts
from edge.chat.answers.choosing import QUOTE_CHARS_MAX, SENTENCES_SHOWN_MAX, Choice, choose
from edge.chat.answers.clarifying import Meaning
from edge.chat.answers.model import AnswerModel
from edge.chat.answers.reading import Reader
from edge.knowledge.document import Passage
from tests.unit.edge.chat.answers.site import MODEL, SKIMMING, WordEncoder, passage, question

CAFE = "The café is open from Monday to Friday from 7:45 to 17:30. Dogs wait outside."
CLINIC = "Every clinic has its own hours. On Saturday the clinic is open from 9:00 to 13:00. Ring first."
FEES = "Bring your card. A first visit costs £180, and a follow-up visit £110. We send no bills by post."


def asked(text: str, *passages: Passage, model: AnswerModel = MODEL) -> Choice:
    encoder = WordEncoder()
    reader = Reader(encoder, model.directions)
    found = choose(question(text, reader, encoder), passages, reader.read(passages), model)
    assert found is not None
    return found


def conflict_in(text: str, *passages: Passage) -> bool:
    encoder = WordEncoder()
    reader = Reader(encoder, MODEL.directions)
    one = question(text, reader, encoder)
    choice = choose(one, passages, reader.read(passages), MODEL)
    assert choice is not None
    return conflicts.find(one, choice) is not None


def meanings(text: str, *passages: Passage, evidence_min: float = 1.0) -> tuple[Meaning, ...]:
    encoder = WordEncoder()
    reader = Reader(encoder, MODEL.directions)
    one = question(text, reader, encoder)
    choice = choose(one, passages, reader.read(passages), MODEL)
    assert choice is not None
    return clarifying.meanings(one, choice, evidence_min)


@pytest.mark.parametrize("model", [MODEL, SKIMMING], ids=["read", "skimmed"])
def test_the_sentence_with_the_day_and_the_words_answers(model: AnswerModel) -> None:
    found = asked("When is the clinic open on Saturday?", passage(CAFE), passage(CLINIC), model=model)
    assert "9:00 to 13:00" in found.text


def test_a_question_of_price_is_answered_by_a_price() -> None:
    assert "£180" in asked("How much is a visit?", passage(FEES, title="Fees")).text


def test_every_quote_stands_in_its_passage_word_for_word() -> None:
    found = asked("When is the clinic open?", passage(CLINIC))
    assert found.citations
    for citation in found.citations:
        assert citation.quote in CLINIC
        assert (citation.doc, citation.version, citation.section) == ("hours.md", 3, "All")
    assert found.text == "\n".join(citation.quote for citation in found.citations)


def test_a_quote_stays_short() -> None:
    text = " ".join(f"The clinic is open in room {number} on Saturday for everybody." for number in range(50))
    found = asked("Which clinic room is open on Saturday?", passage(text))
    assert len(found.text) <= QUOTE_CHARS_MAX
    assert found.text.count("room") <= SENTENCES_SHOWN_MAX


def test_a_sentence_longer_than_the_quote_is_shown_whole() -> None:
    text = "The clinic is open " + "and open " * 80 + "on Saturday."
    assert asked("Is the clinic open on Saturday?", passage(text)).text == text


def test_evidence_falls_with_what_the_passage_lacks() -> None:
    near = asked("When is the clinic open on Saturday?", passage(CLINIC)).evidence
    far = asked("When is the helicopter hangar open on Saturday?", passage(CLINIC)).evidence
    assert near > far


def test_two_sections_that_answer_alike_are_both_shown_each_with_its_own_source() -> None:
    desk = passage("On Saturday the desk is open from 9:00.", section="Desk")
    cafe = passage("On Saturday the café is open from 8:00.", section="Café")
    other = passage("On Saturday the shop is open from 7:00.", doc="shop.md", section="Shop")
    found = asked("What is open on Saturday?", desk, cafe, other)
    assert {citation.section for citation in found.citations} == {"Desk", "Café"}


def test_nothing_to_read_is_no_answer() -> None:
    encoder = WordEncoder()
    reader = Reader(encoder, MODEL.directions)
    assert choose(question("When?", reader, encoder), [], {}, MODEL) is None


def test_two_documents_with_different_values_for_one_thing_conflict() -> None:
    here = passage("The deposit for a pair of crutches is £20.", doc="a.md", title="Physiotherapy")
    there = passage("The deposit for a pair of crutches is £30.", doc="b.md", title="Equipment")
    assert conflict_in("How much is the deposit for crutches?", here, there)


def test_yes_and_no_to_the_same_conflict() -> None:
    here = passage("You need an appointment for a blood test.", doc="a.md", title="Laboratory")
    there = passage("You do not need an appointment for a blood test.", doc="b.md", title="Questions")
    assert conflict_in("Do I need an appointment for a blood test?", here, there)


def test_these_are_no_conflicts() -> None:
    crutches = passage("The deposit for a pair of crutches is £20.", doc="a.md", title="Physiotherapy")
    same = passage("The deposit for a pair of crutches is £20.", doc="b.md", title="Equipment")
    other = passage("The deposit for a pair of lockers is £5.", doc="c.md", title="Lockers")
    one_document = passage(
        "The deposit for a pair of crutches is £30.", doc="a.md", title="Physiotherapy", section="Old"
    )
    saturday = passage("The pharmacy is open on Saturday from 9:00 to 12:00.", doc="a.md", title="Pharmacy")
    weekdays = passage("The pharmacy is open on Monday from 8:00 to 18:00.", doc="b.md", title="Hours")
    assert not conflict_in("How much is the deposit for crutches?", crutches, same)
    assert not conflict_in("How much is the deposit for crutches?", crutches, other)
    assert not conflict_in("How much is the deposit for crutches?", crutches, one_document)
    assert not conflict_in("When is the pharmacy open?", saturday, weekdays)
    card = passage("A replacement for a lost card costs £6.", doc="a.md", title="Cards")
    reader = passage("A replacement for a card reader costs £8.", doc="b.md", title="Card reader")
    assert not conflict_in("What does a replacement card cost?", card, reader)


def test_a_question_with_two_places_is_asked_back() -> None:
    pharmacy = passage("Open from 9:00 to 18:00.", doc="a.md", title="Pharmacy hours", section="Hours")
    laboratory = passage("Open from 7:00 to 15:00.", doc="b.md", title="Laboratory hours", section="Hours")
    found = meanings("opening hours", pharmacy, laboratory)
    assert [meaning.label for meaning in found] == ["Pharmacy hours", "Laboratory hours", clarifying.NONE]
    assert found[0].question == "opening hours (Pharmacy hours)?"
    assert [clarifying.is_none(meaning.question) for meaning in found] == [False, False, True]
    assert clarifying.without_mark(found[2].question) == "opening hours"


def test_sections_of_one_document_are_told_apart_by_their_headings() -> None:
    weekdays = passage("Open from 9:00 to 18:00.", section="Hours › Weekdays")
    holidays = passage("Open from 7:00 to 15:00.", section="Hours › Holidays")
    labels = [meaning.label for meaning in meanings("opening hours", weekdays, holidays)]
    assert sorted(labels[:-1]) == ["Holidays", "Weekdays"]


def test_a_clear_or_hopeless_question_or_one_with_a_single_meaning_is_not_asked_back() -> None:
    pharmacy = passage("Open from 9:00 to 18:00.", doc="a.md", title="Pharmacy hours")
    laboratory = passage("Open from 7:00 to 15:00.", doc="b.md", title="Laboratory hours")
    assert not meanings("opening hours", pharmacy, laboratory, evidence_min=0.0)
    assert not meanings("opening hours", pharmacy)
    assert not meanings("helicopter rides", pharmacy, laboratory)
