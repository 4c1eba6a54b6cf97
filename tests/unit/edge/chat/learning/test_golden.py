"""The questions to judge by: how they are read, how one is added, and that none of them teaches."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.chat.intents.examples import normal
from edge.chat.learning import golden
from edge.chat.learning.golden import BadGolden, GoldenQuestion, NothingToJudgeBy
from edge.chat.learning.labels import (
    AnsweredBy,
    Asks,
    Label,
    LabelledQuestion,
    NotHelpful,
    Source,
    Unanswerable,
)


def example(number: int, text: str, label: Label) -> LabelledQuestion:
    return LabelledQuestion(number, 0, text, label, Source.CORRECTION)


def lines(*values: object) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def test_lines_are_read_with_document_none_and_intent() -> None:
    content = lines({"question": "Where?", "doc": "a.md", "note": 1}, {"question": "Who?", "doc": None})
    content += b"\n" + lines({"question": " When? ", "doc": "b.md", "intent": "hours"})
    assert golden.read(content) == [
        GoldenQuestion("Where?", "a.md"),
        GoldenQuestion("Who?", None),
        GoldenQuestion("When?", "b.md", "hours"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[]",
        b'"x"',
        b'{"doc": null}',
        b'{"question": " "}',
        b'{"question": 1}',
        b'{"question": "x", "doc": 1}',
        b"\xff",
    ],
)
def test_a_bad_line_is_named(line: bytes) -> None:
    with pytest.raises(BadGolden, match="Line 2 "):
        golden.read(lines({"question": "Where?"}) + line)


@pytest.mark.parametrize(("count", "fits"), [(golden.QUESTIONS_MAX, True), (golden.QUESTIONS_MAX + 1, False)])
def test_more_questions_than_the_most_are_refused(count: int, fits: bool) -> None:
    content = lines(*({"question": f"q {number}"} for number in range(count)))
    if fits:
        assert len(golden.read(content)) == count
    else:
        with pytest.raises(BadGolden):
            golden.read(content)


def test_a_file_that_is_too_large_is_refused_unread() -> None:
    with pytest.raises(BadGolden, match="is the most"):
        golden.read(b"\n" * (golden.FILE_BYTES_MAX + 1))
    assert golden.read(b"\n" * golden.FILE_BYTES_MAX) == []


@given(
    st.lists(st.tuples(st.sampled_from(["Where?", "where?", "Who ?", "When?"]), st.none() | st.just("a.md")))
)
def test_an_added_question_is_there_once_and_last(asked: list[tuple[str, str | None]]) -> None:
    content = b""
    for question, document in asked:
        content = golden.added(content, GoldenQuestion(question, document))
        assert golden.read(content)[-1] == GoldenQuestion(question, document)
    assert len(golden.read(content)) == len({normal(question) for question, _ in asked})


def test_notes_of_other_lines_stay() -> None:
    kept = {"question": "Where?", "doc": "a.md", "conflict": "b.md"}
    content = golden.added(lines(kept), GoldenQuestion("Who?", None))
    assert json.loads(content.splitlines()[0]) == kept


def test_what_judges_teaches_nothing() -> None:
    asked = [GoldenQuestion(f"Question {number}?", None) for number in range(golden.QUESTIONS_MIN)]
    examples = [example(1, "question  3?", Unanswerable()), example(2, "Another?", AnsweredBy("a.md"))]
    found = golden.split(asked, examples)
    assert (found.source, len(found.judge)) == ("file", golden.QUESTIONS_MIN)
    assert [one.text for one in found.learn] == ["Another?"]


def test_without_golden_questions_a_third_of_corrections_is_held_back() -> None:
    examples = [example(number, f"Question {number}?", AnsweredBy("a.md")) for number in range(120)]
    found = golden.split([], examples)
    assert found.source == "examples"
    assert len(found.judge) + len(found.learn) == len(examples)
    assert 25 <= len(found.judge) <= 55
    assert not {one.question for one in found.judge} & {one.text for one in found.learn}
    # More examples leave those that were there on their side.
    more = golden.split([], [*examples, example(999, "One more?", Unanswerable())])
    assert {one.text for one in found.learn} <= {one.text for one in more.learn}


def test_customers_clicks_and_intents_are_never_judged_by() -> None:
    said: list[Label] = [NotHelpful(("a.md",), None), Asks("parking")]
    examples = [example(number, f"Question {number}?", said[number % 2]) for number in range(200)]
    with pytest.raises(NothingToJudgeBy):
        golden.split([], examples)


def test_too_few_to_judge_by_is_said() -> None:
    asked = [GoldenQuestion(f"Question {number}?", None) for number in range(golden.QUESTIONS_MIN - 1)]
    with pytest.raises(NothingToJudgeBy, match=f"{golden.QUESTIONS_MIN} are needed"):
        golden.split(asked, [])
