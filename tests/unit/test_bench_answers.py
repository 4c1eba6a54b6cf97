"""The bench `answers`: its golden sets say what the documents say, its rules judge and rewrite as they claim."""

from __future__ import annotations

import random
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import edge
from edge.knowledge.document import Block, Document
from edge.knowledge.readers import load, read_bytes
from tests.bench import answer_judge
from tests.bench.answer_judge import Kind, Question, Reply, Verdict
from tests.bench.answers import SITES
from tests.bench.rewriting import RULES, doubled, dropped, rewrite, swapped

TEMPLATES = Path(edge.__file__).parent / "templates"
QUESTIONS_MIN = 170
# A third, staff's questions counted: a set without them would reward a desk that always says something.
WITHOUT_ANSWER_SHARE = (0.3, 0.4)
FOLLOW_UPS_MIN = 15
STAFF_ONLY_MIN = 10
STYLES = {"plain", "paraphrase", "typo", "terse", "story", "yes_no"}
SLIPS = (swapped, dropped, doubled)


@cache
def texts(site: str, audience: str) -> dict[str, str]:
    """The documents of one audience as the desk reads them, by name."""
    folder = TEMPLATES / site / "documents" / audience
    documents = [(path.name, read_bytes(load(path), path.name)) for path in sorted(folder.iterdir())]
    return {name: "\n".join(block.text for block in document.blocks) for name, document in documents}


@pytest.mark.parametrize("site", SITES)
def test_golden_set_has_questions_of_every_kind(site: str) -> None:
    questions = answer_judge.read(site)
    kinds = Counter(each.kind for each in questions)
    without = kinds[Kind.UNANSWERABLE] + kinds[Kind.STAFF_ONLY]
    assert len(questions) >= QUESTIONS_MIN
    assert WITHOUT_ANSWER_SHARE[0] <= without / len(questions) <= WITHOUT_ANSWER_SHARE[1]
    assert kinds[Kind.FOLLOW_UP] >= FOLLOW_UPS_MIN
    assert kinds[Kind.STAFF_ONLY] >= STAFF_ONLY_MIN
    assert kinds[Kind.CONFLICT] >= 2
    assert {each.style for each in questions} == STYLES
    assert len({each.id for each in questions}) == len(questions)
    assert len({(each.question, each.previous) for each in questions}) == len(questions)


@pytest.mark.parametrize("site", SITES)
def test_every_named_document_holds_the_facts(site: str) -> None:
    for each in answer_judge.read(site):
        audience = "staff" if each.kind is Kind.STAFF_ONLY else "public"
        documents = [texts(site, audience)[name] for name in each.docs]
        met = [
            [any(answer_judge.holds(text, fact) for fact in facts) for facts in each.facts]
            for text in documents
        ]
        assert bool(each.facts) == bool(each.docs) == (each.kind is not Kind.UNANSWERABLE), each.id
        assert bool(each.previous) == (each.kind is Kind.FOLLOW_UP), each.id
        if each.kind is Kind.CONFLICT:
            assert all(any(row) and not all(row) for row in met), each.id
        else:
            assert all(all(row) for row in met), each.id


@pytest.mark.parametrize("site", SITES)
def test_facts_for_staff_stand_in_no_public_document(site: str) -> None:
    public = "\n".join(texts(site, "public").values())
    facts = answer_judge.staff_facts(answer_judge.read(site))
    assert [fact for fact in facts if answer_judge.holds(public, fact)] == []


@pytest.mark.parametrize(
    ("text", "fact", "held"),
    [
        ("It costs  £20\nin all.", "£20", True),
        ("It costs £200.", "£20", False),
        ("It costs £20.50.", "£20", False),
        ("from 17:00 on", "7:00", False),
        ("Open 7:00, closed 9:00.", "7:00", True),
        ("FIVE working days", "five Working  days", True),
    ],
)
def test_a_fact_is_found_whole_whatever_its_case_and_spaces(text: str, fact: str, held: bool) -> None:
    assert answer_judge.holds(text, fact) is held


def question(kind: Kind, *facts: tuple[str, ...], docs: frozenset[str] = frozenset({"a.md"})) -> Question:
    return Question("x", "What does it cost?", kind, "plain", facts, docs)


def reply(route: str, *quotes: tuple[str, str], conflict: bool = False) -> Reply:
    return Reply(route, " ".join(text for _, text in quotes), quotes, conflict=conflict)


@pytest.mark.parametrize(
    ("asked", "got", "expected"),
    [
        (question(Kind.ANSWERABLE, ("£20",)), reply("answer", ("a.md", "It is £20.")), Verdict.RIGHT),
        (question(Kind.ANSWERABLE, ("£20",)), reply("answer", ("b.md", "It is £20.")), Verdict.WRONG),
        (question(Kind.ANSWERABLE, ("£20",)), reply("answer", ("a.md", "It is £30.")), Verdict.WRONG),
        (question(Kind.ANSWERABLE, ("£20",), ("day",)), reply("answer", ("a.md", "£20")), Verdict.WRONG),
        (question(Kind.ANSWERABLE, ("£20", "£30")), reply("answer", ("a.md", "£30")), Verdict.RIGHT),
        (question(Kind.FOLLOW_UP, ("£20",)), reply("handoff"), Verdict.NOT_FOUND),
        (question(Kind.ANSWERABLE, ("£20",)), reply("refuse"), Verdict.NOT_FOUND),
        (question(Kind.ANSWERABLE, ("£20",)), reply("safety"), Verdict.CARD),
        (question(Kind.ANSWERABLE, ("£20",)), reply("clarify"), Verdict.ASTRAY),
        (question(Kind.CONFLICT, ("£20",), ("£30",)), reply("answer", ("a.md", "£20")), Verdict.WRONG),
        (
            question(Kind.CONFLICT, ("£20",), ("£30",)),
            reply("answer", ("a.md", "£20"), conflict=True),
            Verdict.RIGHT,
        ),
        (question(Kind.CONFLICT, ("£20",), ("£30",)), reply("answer", conflict=True), Verdict.WRONG),
        (question(Kind.UNANSWERABLE), reply("answer", ("a.md", "£20")), Verdict.WRONG),
        (question(Kind.UNANSWERABLE), reply("clarify"), Verdict.REFUSED),
        (question(Kind.UNANSWERABLE), reply("handoff"), Verdict.REFUSED),
        (question(Kind.STAFF_ONLY, ("£20",)), reply("answer", ("b.md", "£9")), Verdict.WRONG),
    ],
)
def test_verdict(asked: Question, got: Reply, expected: Verdict) -> None:
    assert answer_judge.verdict(asked, got) is expected


def document(title: str, **sections: str) -> Document:
    blocks = (Block((heading.capitalize(),), text) for heading, text in sections.items())
    return Document(title, tuple(blocks), "text/markdown")


def test_the_choice_followed_names_a_document_with_the_answer() -> None:
    documents = {"a.md": document("Fees"), "b.md": document("Parking")}
    choices = (("Parking: cost", "q1"), ("Fees: visits", "q2"), ("Fees: what it can cost", "q3"))
    asked = question(Kind.ANSWERABLE, ("£20",))
    assert answer_judge.fitting_choice(asked, Reply("clarify", "", (), choices), documents) == "q3"
    assert answer_judge.fitting_choice(asked, Reply("clarify", "", (), choices[:1]), documents) is None


def test_among_headings_of_one_document_the_choice_followed_is_one_with_a_fact_under_it() -> None:
    documents = {"a.md": document("Fees", visits="A visit is free.", letters="A letter costs £20.")}
    choices = (("Visits", "q1"), ("Letters", "q2"), ("None of these", "q3"))
    asked = question(Kind.ANSWERABLE, ("£20", "£25"))
    assert answer_judge.fitting_choice(asked, Reply("clarify", "", (), choices), documents) == "q2"
    assert answer_judge.fitting_choice(asked, Reply("clarify", "", (), choices[:1]), documents) is None


def test_a_staff_document_or_a_staff_fact_is_a_leak() -> None:
    assert answer_judge.leaks(reply("answer", ("staff.md", "Hello")), {"staff.md"}, [])
    assert answer_judge.leaks(reply("answer", ("a.md", "A float of £150.")), {"staff.md"}, ["float of £150"])
    assert not answer_judge.leaks(reply("answer", ("a.md", "£150")), {"staff.md"}, ["float of £150"])


@pytest.mark.parametrize("site", SITES)
def test_every_question_has_a_second_form_and_every_rule_its_share(site: str) -> None:
    questions = answer_judge.read(site)
    forms = [rewrite(each.question, each.id) for each in questions]
    assert all(form.text != each.question for form, each in zip(forms, questions, strict=True))
    assert forms == [rewrite(each.question, each.id) for each in questions]
    assert set(RULES) - {"american"} <= {form.rule for form in forms}


@given(st.text(alphabet="abcdefgh 0123456789£.?", max_size=60), st.integers(0, 999))
def test_a_slip_touches_letters_inside_one_word_only(text: str, seed: int) -> None:
    for slip in SLIPS:
        slipped = slip(text, random.Random(seed))
        assert re.sub("[a-z]+", "", slipped) == re.sub("[a-z]+", "", text)
        assert len(slipped) - len(text) in {-1, 0, 1}
        before, after = text.split(" "), slipped.split(" ")
        assert sum(old != new for old, new in zip(before, after, strict=True)) <= 1
