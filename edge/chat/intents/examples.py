"""Labelled utterances: read from a table (CSV), checked line by line. Pure.

The first line names the columns `text` and `intent` in any order; other columns are passed over. Every fault is
named with its line before anything is trained: a shifted column would teach the desk nonsense.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.errors import PosternError

# BANKING77, a large public set of this kind, has 10,003 rows and 77 intents in under 1 MB.
FILE_BYTES_MAX = 10 * 1024 * 1024
# The matrix of all their pairs, which training turns around, has 576 MB at this number.
EXAMPLES_MAX = 12_000
# Weights of so many intents, with as many examples as there may be, still fit into a stored model
# (edge/store/site_models.py).
INTENTS_MAX = 250
INTENTS_MIN = 2
# Three parts are predicted by models that have not seen them; each must leave enough to learn from.
EXAMPLES_PER_INTENT_MIN = 6
# The longest utterance of BANKING77 has 433 characters; a page of text is no utterance.
TEXT_CHARS_MAX = 1_000
# Faults that a refusal names; whoever mends the first few sees the rest.
FAULTS_NAMED_MAX = 5

_TEXT_NAMES = frozenset({"text", "utterance"})
_INTENT_NAMES = frozenset({"intent", "label", "category"})
_DELIMITERS = (",", ";", "\t")
# Names become keys of site.toml and of counts: letters, digits and a few signs, no spaces.
_INTENT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.?-]{0,63}")


class BadExamples(PosternError):
    """The labelled utterances cannot be learnt from."""

    code = "bad_examples"
    title = "The examples cannot be used"
    remedy = "Correct the named lines: a CSV file in UTF-8 with the columns text,intent."
    status = 422


@dataclass(frozen=True, slots=True)
class Example:
    """An utterance and what it asks for."""

    text: str
    intent: str


@dataclass(frozen=True, slots=True)
class _Row:
    line: int  # where it begins, from 1
    text: str
    intent: str


def read_examples(data: bytes) -> list[Example]:
    """The examples of a CSV file in its order; repeated ones once. Raises BadExamples."""
    rows = list(_rows(_decode(data)))
    _check_rows(rows)
    unique = {normal(row.text): Example(row.text, row.intent) for row in reversed(rows)}
    examples = list(reversed(unique.values()))
    check_examples(examples)
    return examples


def check_examples(examples: Sequence[Example]) -> None:
    """What training needs of any examples, wherever they come from. Raises BadExamples."""
    if len(examples) > EXAMPLES_MAX:
        raise BadExamples(f"There are {len(examples):,} examples; {EXAMPLES_MAX:,} is the most.")
    counts = Counter(example.intent for example in examples)
    if not INTENTS_MIN <= len(counts) <= INTENTS_MAX:
        raise BadExamples(
            f"There are {len(counts)} intents; {INTENTS_MIN} to {INTENTS_MAX} can be told apart."
        )
    few = [f"{name} ({count})" for name, count in sorted(counts.items()) if count < EXAMPLES_PER_INTENT_MIN]
    if few:
        raise BadExamples(
            f"Too few different examples of {_named(few)}; each intent needs {EXAMPLES_PER_INTENT_MIN}.",
            remedy="Write more examples of these intents, or take the intents out.",
        )


def normal(text: str) -> str:
    """The text by which two examples count as the same: case and spaces do not matter."""
    return " ".join(text.casefold().split())


def _decode(data: bytes) -> str:
    if len(data) > FILE_BYTES_MAX:
        raise BadExamples(f"The file has {len(data):,} bytes; {FILE_BYTES_MAX:,} is the most.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadExamples(f"Line {line} is not UTF-8.", remedy="Save the file as CSV in UTF-8.") from None


def _rows(text: str) -> Iterator[_Row]:
    delimiter, text_column, intent_column = _columns(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line, header = 1, 0
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                header = header or len(cells)
                if len(cells) != header:
                    raise BadExamples(f"Line {line} has {len(cells)} columns, the first line has {header}.")
                if line > 1:
                    yield _Row(line, cells[text_column].strip(), cells[intent_column].strip())
            line = reader.line_num + 1
    except csv.Error as error:
        raise BadExamples(f"The row that begins on line {line} cannot be read ({error}).") from None


def _columns(text: str) -> tuple[str, int, int]:
    """(delimiter, place of the text, place of the intent), from the first line."""
    first = text.partition("\n")[0]
    for delimiter in _DELIMITERS:
        names = [cell.strip().strip('"').casefold() for cell in first.split(delimiter)]
        texts = [place for place, name in enumerate(names) if name in _TEXT_NAMES]
        intents = [place for place, name in enumerate(names) if name in _INTENT_NAMES]
        if len(texts) == len(intents) == 1:
            return delimiter, texts[0], intents[0]
    raise BadExamples("Line 1 does not name one column text and one column intent.")


def _check_rows(rows: Sequence[_Row]) -> None:
    """Raises BadExamples with every line that is wrong, as far as they are named."""
    if not rows:
        raise BadExamples("The file has no examples below its first line.")
    faults = [fault for row in rows if (fault := _fault(row))] or _contradictions(rows)
    if faults:
        raise BadExamples(_named(faults) + ".")


def _fault(row: _Row) -> str:
    if not row.text:
        return f"line {row.line} has no text"
    if not row.intent:
        return f"line {row.line} has no intent"
    if len(row.text) > TEXT_CHARS_MAX:
        return f"line {row.line} has {len(row.text):,} characters of text, {TEXT_CHARS_MAX:,} is the most"
    if not _INTENT_NAME.fullmatch(row.intent):
        return f"line {row.line} names an intent with other signs than letters, digits, _ . ? and -, or a long one"
    return ""


def _contradictions(rows: Sequence[_Row]) -> list[str]:
    """Lines with the text of an earlier line and another intent."""
    first: dict[str, _Row] = {}
    faults = []
    for row in rows:
        seen = first.setdefault(normal(row.text), row)
        if seen.intent != row.intent:
            faults.append(
                f"line {row.line} gives the text of line {seen.line} another intent ({row.intent}, {seen.intent})"
            )
    return faults


def _named(faults: Sequence[str]) -> str:
    more = len(faults) - FAULTS_NAMED_MAX
    return "; ".join(faults[:FAULTS_NAMED_MAX]) + (f"; and {more:,} more" if more > 0 else "")
