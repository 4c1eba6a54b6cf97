"""The questions by which a site judges its models: lines of `questions.jsonl`. Pure.

A line is {"question", "doc"}: `doc` names the document where a visitor would look, null where none answers. Further
keys are passed over, so that a line may carry notes. A line with `intent` also judges intents.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import ExitCode, PosternError
from edge.chat.intents.examples import normal
from edge.chat.learning.labels import AnsweredBy, LabelledQuestion, Unanswerable

# Fewer questions judge nothing: one more or less right is more than the difference that learning makes.
QUESTIONS_MIN = 20
# Far more than a site writes; every question is asked twice of the encoder while the site learns.
QUESTIONS_MAX = 2_000
FILE_BYTES_MAX = 2 * 1024 * 1024
# Of a site without golden questions, one example in so many is held back to judge by.
HELD_BACK_ONE_IN = 3


class BadGolden(PosternError):
    """The golden questions cannot be read."""

    code = "bad_golden"
    title = "The golden questions cannot be used"
    remedy = 'Correct the named line of questions.jsonl: {"question": "…", "doc": "…" or null}'
    status = 422
    exit_code = ExitCode.USAGE


class NothingToJudgeBy(PosternError):
    """Too few golden questions, and too few examples to hold some back."""

    code = "nothing_to_judge_by"
    title = "There are too few golden questions to judge by"
    remedy = "Add questions whose right answer you know: postern examples add --golden"
    status = 409
    exit_code = ExitCode.CHECK_FAILED


@dataclass(frozen=True, slots=True)
class GoldenQuestion:
    """A question with the document that answers it (None: none does), and its intent where one is named."""

    question: str
    document: str | None
    intent: str | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """What to judge by, and what is learnt from besides; no question is in both. `source`: file or examples."""

    source: str
    judge: tuple[GoldenQuestion, ...]
    learn: tuple[LabelledQuestion, ...]


def read(content: bytes) -> list[GoldenQuestion]:
    """The questions of a file, in order; a repeated one counts as it is said last. Raises BadGolden."""
    if len(content) > FILE_BYTES_MAX:
        raise BadGolden(f"The file has {len(content):,} bytes; {FILE_BYTES_MAX:,} is the most.")
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        at = content.count(b"\n", 0, error.start) + 1
        raise BadGolden(f"Line {at} is not UTF-8.") from None
    found: dict[str, GoldenQuestion] = {}
    for number, line in enumerate(lines, 1):
        if line.strip():
            one = _question(number, line)
            found[normal(one.question)] = one
    if len(found) > QUESTIONS_MAX:
        raise BadGolden(f"There are {len(found):,} questions; {QUESTIONS_MAX:,} is the most.")
    return list(found.values())


def added(content: bytes, new: GoldenQuestion) -> bytes:
    """The file with one question more; one that is there already is replaced. Raises BadGolden."""
    read(content)
    lines = [line for line in content.decode("utf-8-sig").splitlines() if line.strip()]
    kept = [line for line in lines if normal(json.loads(line)["question"]) != normal(new.question)]
    kept.append(json.dumps({"question": new.question, "doc": new.document}, ensure_ascii=False))
    result = "".join(line + "\n" for line in kept).encode()
    read(result)
    return result


def split(golden: Sequence[GoldenQuestion], examples: Sequence[LabelledQuestion]) -> Split:
    """Judge by the site's golden questions; where they are too few, by a third of staff's corrections as well.

    `examples` are newest first; those whose question is judged are left out. Raises NothingToJudgeBy.
    """
    judge = {normal(one.question): one for one in golden}
    source = "file"
    if len(judge) < QUESTIONS_MIN:
        source = "examples"
        for one in reversed(examples):
            if _is_held_back(one.text) and isinstance(one.label, AnsweredBy | Unanswerable):
                document = one.label.document if isinstance(one.label, AnsweredBy) else None
                judge.setdefault(normal(one.text), GoldenQuestion(one.text, document))
    if len(judge) < QUESTIONS_MIN:
        raise NothingToJudgeBy(
            f"There are {len(judge)} questions to judge by, with those that could be held back; "
            f"{QUESTIONS_MIN} are needed."
        )
    learn = tuple(one for one in examples if normal(one.text) not in judge)
    return Split(source, tuple(judge.values()), learn)


def documents_of(golden: Iterable[GoldenQuestion]) -> frozenset[str]:
    """The documents that the questions name."""
    return frozenset(one.document for one in golden if one.document is not None)


def _is_held_back(text: str) -> bool:
    """By the text alone: a question is on the same side in every run."""
    digest = hashlib.sha256(normal(text).encode()).digest()
    return int.from_bytes(digest[:4], "big") % HELD_BACK_ONE_IN == 0


def _question(number: int, line: str) -> GoldenQuestion:
    try:
        value: Any = json.loads(line)
        question, document, intent = value["question"], value.get("doc"), value.get("intent")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BadGolden(f"Line {number} is no JSON object with a question.") from None
    named = all(one is None or (isinstance(one, str) and one) for one in (document, intent))
    if not isinstance(question, str) or not question.strip() or not named:
        raise BadGolden(f"Line {number} has a question, a document or an intent that is no text.")
    return GoldenQuestion(question.strip(), document, intent)
