"""Tables of questions and answers: every usual way to save one is read, every fault is named with its line."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.knowledge.document import Document
from edge.knowledge.readers import Refusal, UnreadableDocument, read_bytes
from edge.knowledge.readers.faq import LINES_NAMED_MAX, QUESTION_CHARS_MAX, ROWS_MAX
from edge.knowledge.readers.outline import tidy

EXPECTED = [(("What does parking cost?",), "£2, all day"), (("Is there a café?",), "Yes; on floor 1.")]


def sections(document: Document) -> list[tuple[tuple[str, ...], str]]:
    return [(block.headings, block.text) for block in document.blocks]


def refused(text: str) -> UnreadableDocument:
    with pytest.raises(UnreadableDocument) as caught:
        read_bytes(text.encode(), "faq.csv")
    return caught.value


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (
            'question,answer\nWhat does parking cost?,"£2, all day"\nIs there a café?,Yes; on floor 1.\n',
            "utf-8",
        ),
        (
            'Question;Answer\r\nWhat does parking cost?;£2, all day\r\nIs there a café?;"Yes; on floor 1."\r\n',
            "utf-8-sig",
        ),
        (
            'Answer;Question\n£2, all day;What does parking cost?\n"Yes; on floor 1.";Is there a café?',
            "cp1252",
        ),
        (
            "Frage\tNotiz\tAntwort\nWhat does parking cost?\tx\t£2, all day\nIs there a café?\t\tYes; on floor 1.",
            "utf-16",
        ),
        (
            '\nQ,A\n\nWhat does parking cost?,"£2, all day"\n,\n"Is there\n a café?",Yes; on floor 1.',
            "utf-8",
        ),
    ],
)
def test_usual_tables_are_read(text: str, encoding: str) -> None:
    document = read_bytes(text.encode(encoding), "parking_and-more.csv")
    assert (document.title, document.media_type) == ("Parking and more", "text/csv")
    assert sections(document) == EXPECTED


def test_an_answer_of_several_lines_keeps_them() -> None:
    document = read_bytes(b'question,answer\nWhen?,"Monday: 9\n\nTuesday: 10"\n', "a.csv")
    assert sections(document) == [(("When?",), "Monday: 9"), (("When?",), "Tuesday: 10")]


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("When?,At nine.\n", Refusal.NO_HEADER, "question"),
        ("question,reply,answer\nWhen?,a,b\n", Refusal.NO_HEADER, "answer"),
        ("question,answer\n\n", Refusal.EMPTY, "no rows"),
        ("question,answer\nWhen?,\nWhere?,Here.\nWho?\n", Refusal.BAD_ROWS, "Lines 2, 4 have no answer"),
        ("question,answer\n,At nine.\n", Refusal.BAD_ROWS, "Line 2 has no question"),
        (
            'question,answer\n"Wh\nen?",Nine.\nWhere?,At home, maybe.\n',
            Refusal.BAD_ROWS,
            "Line 4 has more cells",
        ),
        ('question,answer\nWhen?,Nine.\nWhere?,"Here.\nWho?,I.\n', Refusal.BAD_ROWS, "line 3 cannot be read"),
        ("question,answer\n" + "q" * (QUESTION_CHARS_MAX + 1) + ",a\n", Refusal.BAD_ROWS, "500 characters"),
    ],
)
def test_faults_are_named_with_their_line(text: str, kind: Refusal, words: str) -> None:
    error = refused(text)
    assert error.refusal is kind
    assert words in error.detail


def test_only_the_first_wrong_lines_are_named() -> None:
    assert (
        "and 2 more have no answer"
        in refused("question,answer\n" + "When?,\n" * (LINES_NAMED_MAX + 2)).detail
    )


@pytest.mark.parametrize("rows", [ROWS_MAX - 1, ROWS_MAX])
def test_rows_up_to_the_limit_are_read(rows: int) -> None:
    text = "question,answer\n" + "".join(f"Question {n}?,Answer {n}.\n" for n in range(rows))
    assert len(read_bytes(text.encode(), "faq.csv").blocks) == rows


def test_more_rows_than_the_limit_are_refused() -> None:
    error = refused("question,answer\n" + "When?,Now.\n" * (ROWS_MAX + 1))
    assert error.refusal is Refusal.TOO_LARGE
    assert f"Line {ROWS_MAX + 2} " in error.detail


def test_a_question_at_its_limit_is_read() -> None:
    assert read_bytes(f"question,answer\n{'q' * QUESTION_CHARS_MAX},a\n".encode(), "faq.csv").blocks


WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=40
).filter(lambda text: bool(tidy(text)))


@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=20), st.sampled_from(",;\t"), st.booleans())
def test_whatever_a_spreadsheet_writes_comes_back(
    pairs: list[tuple[str, str]], delimiter: str, answer_first: bool
) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter)
    for question, answer in [("Question", "Answer"), *pairs]:
        writer.writerow([answer, question] if answer_first else [question, answer])
    document = read_bytes(out.getvalue().encode(), "faq.csv")
    expected = [
        ((tidy(question),), tidy(line))
        for question, answer in pairs
        for line in answer.splitlines()
        if tidy(line)
    ]
    assert sections(document) == expected
