"""Questions and answers in a table (.csv): every row is a section headed by its question.

The first line names the columns, in any order; columns other than question and answer are passed over. Comma,
semicolon and tab separate, as spreadsheets save them (RFC 4180 with its usual variants). One wrong row refuses the
file, with its line: an answer that silently slid into the next column would be worse than none.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

from edge.knowledge.document import Block, Document
from edge.knowledge.readers.outline import tidy, title_from_name
from edge.knowledge.readers.refusal import Refusal, UnreadableDocument
from edge.knowledge.readers.text import decode

MEDIA_TYPE = "text/csv"
# Rows at most. Staff look through a list of questions by eye; longer ones are several lists.
ROWS_MAX = 5_000
# Longest question, code points: it heads its section and is shown as that.
QUESTION_CHARS_MAX = 500
# Wrong lines that a refusal names; whoever mends the first few sees the rest.
LINES_NAMED_MAX = 5
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_QUESTION_NAMES = frozenset({"question", "questions", "q", "frage", "pregunta", "domanda", "vraag"})
_ANSWER_NAMES = frozenset({"answer", "answers", "a", "antwort", "réponse", "reponse", "respuesta", "risposta",
                           "antwoord", "reply"})  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Columns:
    delimiter: str
    question: int
    answer: int
    count: int


@dataclass(frozen=True, slots=True)
class _Row:
    line: int  # where it begins, from 1
    cells: list[str]


def read(data: bytes, name: str) -> Document:
    """A table of questions and answers. Raises UnreadableDocument, naming the lines that are wrong."""
    text = decode(data)
    columns = _columns(text)
    rows = _body(text, columns)
    blocks = tuple(block for row in rows for block in _blocks(row, columns))
    return Document(title_from_name(name), blocks, MEDIA_TYPE)


def _columns(text: str) -> _Columns:
    """Where question and answer stand, with the delimiter that shows both."""
    for delimiter in _DELIMITERS:
        header = next(_rows(text, delimiter, strict=False), None)
        names = [tidy(cell).casefold() for cell in header.cells] if header else []
        questions = [place for place, name in enumerate(names) if name in _QUESTION_NAMES]
        answers = [place for place, name in enumerate(names) if name in _ANSWER_NAMES]
        if len(questions) == len(answers) == 1:
            return _Columns(delimiter, questions[0], answers[0], len(names))
    raise UnreadableDocument(
        Refusal.NO_HEADER, "The first line does not name one column “question” and one column “answer”."
    )


def _body(text: str, columns: _Columns) -> list[_Row]:
    """The rows below the header, all of them right. Raises UnreadableDocument."""
    rows: list[_Row] = []
    for row in _rows(text, columns.delimiter, strict=True):
        if len(rows) > ROWS_MAX:  # the header is among them
            raise UnreadableDocument(
                Refusal.TOO_LARGE, f"Line {row.line} is past {ROWS_MAX:,} rows, which is the most."
            )
        rows.append(row)
    del rows[0]
    if not rows:
        raise UnreadableDocument(Refusal.EMPTY, "The table has a header, but no rows.")
    _check(rows, columns)
    return rows


def _check(rows: list[_Row], columns: _Columns) -> None:
    """Raises UnreadableDocument with the first fault there is, and every line that has it."""
    separator = _DELIMITERS[columns.delimiter]
    questions = {row.line: _cell(row, columns.question) for row in rows}
    faults = {
        f"more cells than the header; put text with {separator} in it between double quotes": [
            row.line for row in rows if len(row.cells) > columns.count
        ],
        "no question": [line for line, question in questions.items() if not question],
        "no answer": [row.line for row in rows if not _cell(row, columns.answer)],
        f"a question of more than {QUESTION_CHARS_MAX} characters": [
            line for line, question in questions.items() if len(question) > QUESTION_CHARS_MAX
        ],
    }
    for fault, lines in faults.items():
        if lines:
            raise UnreadableDocument(Refusal.BAD_ROWS, f"{_named(lines)} {fault}.")


def _named(lines: list[int]) -> str:
    if len(lines) == 1:
        return f"Line {lines[0]} has"
    more = f" and {len(lines) - LINES_NAMED_MAX:,} more" if len(lines) > LINES_NAMED_MAX else ""
    return f"Lines {', '.join(map(str, lines[:LINES_NAMED_MAX]))}{more} have"


def _rows(text: str, delimiter: str, *, strict: bool) -> Iterator[_Row]:
    """Rows with a word in them, each with its first line. Raises UnreadableDocument."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=strict)
    line = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield _Row(line, cells)
            line = reader.line_num + 1
    except csv.Error as error:
        raise UnreadableDocument(
            Refusal.BAD_ROWS, f"The row that begins on line {line} cannot be read ({error})."
        ) from None


def _blocks(row: _Row, columns: _Columns) -> Iterator[Block]:
    """A line of the answer each, under the question."""
    question = (_cell(row, columns.question),)
    for line in row.cells[columns.answer].splitlines():
        if tidy(line):
            yield Block(question, tidy(line))


def _cell(row: _Row, place: int) -> str:
    return tidy(row.cells[place]) if place < len(row.cells) else ""
