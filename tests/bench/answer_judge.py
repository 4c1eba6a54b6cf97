"""Whether what the desk showed answers the question: golden questions, replies, verdicts, shares. Pure rules.

The facts are looked for only in quotes of the documents that answer the question, so that "£20" of another page is no
answer. A figure must be whole: "£9" is not in "£95".
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from edge.knowledge.document import Document
from tests.bench.harness import share_interval

GOLDEN = Path(__file__).parent / "golden"
SHOWN = frozenset({"answer", "generate", "overflow"})
NOT_FOUND = frozenset({"handoff", "refuse"})


class Kind(StrEnum):
    """What a question is in the set for."""

    ANSWERABLE = "answerable"
    FOLLOW_UP = "follow_up"
    CONFLICT = "conflict"
    UNANSWERABLE = "unanswerable"
    STAFF_ONLY = "staff_only"


WITHOUT_ANSWER = frozenset({Kind.UNANSWERABLE, Kind.STAFF_ONLY})


class Verdict(StrEnum):
    """What became of a question."""

    RIGHT = "right"
    WRONG = "wrong"
    NOT_FOUND = "not_found"
    # Asked back, with no choice among them that leads to the answer.
    ASTRAY = "astray"
    # A fixed card, where the documents have an answer.
    CARD = "card"
    # Nothing shown, and there is nothing to show.
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Question:
    """One line of a golden set. Each of `facts` lists alternatives of which one must be shown."""

    id: str
    question: str
    kind: Kind
    style: str
    facts: tuple[tuple[str, ...], ...]
    docs: frozenset[str]
    previous: str = ""
    reason: str = ""

    @property
    def has_answer(self) -> bool:
        """Whether a public document answers it."""
        return self.kind not in WITHOUT_ANSWER


@dataclass(frozen=True, slots=True)
class Reply:
    """What a customer sees of a turn. `quotes`: (document, text); `choices`: (label, the question it asks)."""

    route: str
    answer: str
    quotes: tuple[tuple[str, str], ...]
    choices: tuple[tuple[str, str], ...] = ()
    conflict: bool = False

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Reply:
        """A reply from the contract's turn answer."""
        return cls(
            str(body["route"]),
            str(body["answer"]),
            tuple((each["doc"], each["quote"]) for each in body["citations"]),
            tuple((each["label"], each["question"]) for each in body.get("choices") or ()),
            body.get("conflict") is True,
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """A question as it was asked, the last reply, and the verdict. `clarified`: the desk asked back."""

    question: Question
    variant: str
    text: str
    reply: Reply
    verdict: Verdict
    clarified: bool = False
    leaked: bool = False


def read(site: str) -> list[Question]:
    """The golden questions of a sample site."""
    lines = (GOLDEN / f"answers_{site}.jsonl").read_text(encoding="utf-8").splitlines()
    return [_question(json.loads(line)) for line in lines]


def _question(row: dict[str, Any]) -> Question:
    facts = tuple(tuple(alternatives) for alternatives in row.pop("facts"))
    docs = frozenset(row.pop("docs"))
    return Question(kind=Kind(row.pop("kind")), facts=facts, docs=docs, **row)


def holds(text: str, fact: str) -> bool:
    """Whether `text` has `fact`, whatever the case and the spaces, with no digit going on at either end."""
    return _pattern(fact).search(_plain(text)) is not None


@cache
def _pattern(fact: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\d)(?<!\d[.,:]){re.escape(_plain(fact))}(?![.,:]?\d)")


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def verdict(question: Question, reply: Reply) -> Verdict:
    """What `reply` is for `question`. A question back is ASTRAY for what has an answer: the caller follows it first."""
    if not question.has_answer:
        return Verdict.WRONG if reply.route in SHOWN else Verdict.REFUSED
    if reply.route in SHOWN:
        return Verdict.RIGHT if _answers(question, reply) else Verdict.WRONG
    if reply.route in NOT_FOUND:
        return Verdict.NOT_FOUND
    return Verdict.ASTRAY if reply.route == "clarify" else Verdict.CARD


def _answers(question: Question, reply: Reply) -> bool:
    shown = " \n ".join(quote for doc, quote in reply.quotes if doc in question.docs)
    met = [any(holds(shown, fact) for fact in alternatives) for alternatives in question.facts]
    return all(met) or (question.kind is Kind.CONFLICT and reply.conflict and any(met))


def fitting_choice(question: Question, reply: Reply, documents: Mapping[str, Document]) -> str | None:
    """The question behind the choice that leads to the answer; None where none does.

    It names a document with the answer; of several, the one whose label has most words of the question. Where the
    choices are sections of one document they are its headings alone: it is one with a fact under it.
    """
    wanted = [documents[doc] for doc in question.docs]
    titles = [_plain(document.title) for document in wanted]
    named = [choice for choice in reply.choices if any(title in _plain(choice[0]) for title in titles)]
    headings = {_plain(heading) for document in wanted for heading in _headings_with(question, document)}
    fitting = named or [choice for choice in reply.choices if _plain(choice[0]) in headings]
    own = set(_plain(question.question).split())
    return max(fitting, key=lambda choice: len(own & set(_plain(choice[0]).split())))[1] if fitting else None


def _headings_with(question: Question, document: Document) -> Iterable[str]:
    """The last headings of the blocks that hold one of the facts."""
    facts = [fact for alternatives in question.facts for fact in alternatives]
    return (
        block.headings[-1]
        for block in document.blocks
        if block.headings and any(holds(block.text, fact) for fact in facts)
    )


def leaks(reply: Reply, staff_docs: Iterable[str], staff_facts: Iterable[str]) -> bool:
    """Whether a public customer saw a staff document, or words that stand only in staff documents."""
    if {doc for doc, _ in reply.quotes} & set(staff_docs):
        return True
    seen = " \n ".join([reply.answer, *(quote for _, quote in reply.quotes)])
    return any(holds(seen, fact) for fact in staff_facts)


def staff_facts(questions: Iterable[Question]) -> list[str]:
    """What only staff documents say, as far as the set knows."""
    return [
        fact
        for question in questions
        if question.kind is Kind.STAFF_ONLY
        for alternatives in question.facts
        for fact in alternatives
    ]


def figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The judged shares of these outcomes, each with its count and its 95 % interval."""
    answerable = [each for each in outcomes if each.question.has_answer]
    unanswerable = [each for each in outcomes if each.question.kind is Kind.UNANSWERABLE]
    clarified = [each for each in answerable if each.clarified]
    return {
        "asked": len(outcomes),
        "wrong_shown": share(_count(outcomes, Verdict.WRONG), len(outcomes)),
        "wrong_shown_of_answerable": share(_count(answerable, Verdict.WRONG), len(answerable)),
        "right_of_answerable": share(_count(answerable, Verdict.RIGHT), len(answerable)),
        "false_not_found": share(_count(answerable, Verdict.NOT_FOUND), len(answerable)),
        "clarified": share(len(clarified), len(answerable)),
        "clarified_then_right": share(_count(clarified, Verdict.RIGHT), len(clarified)),
        "clarified_astray": share(_count(answerable, Verdict.ASTRAY), len(answerable)),
        "card_instead": share(_count(answerable, Verdict.CARD), len(answerable)),
        "unanswerable_refused": share(_count(unanswerable, Verdict.REFUSED), len(unanswerable)),
        "unanswerable_clarified": share(sum(each.clarified for each in unanswerable), len(unanswerable)),
        "staff_leaks": sum(each.leaked for each in outcomes),
    }


def breakdown(outcomes: Sequence[Outcome], part: str) -> dict[str, dict[str, int]]:
    """Verdicts counted by a field of the question: `kind`, `style`, or `reason` (why there is no answer)."""
    found: dict[str, Counter[str]] = {}
    for each in outcomes:
        if name := str(getattr(each.question, part)):
            found.setdefault(name, Counter())[each.verdict] += 1
    return {name: {"asked": counts.total(), **counts} for name, counts in sorted(found.items())}


def share(hits: int, of: int) -> dict[str, Any] | None:
    """Count, share and 95 % interval; None of nothing."""
    if not of:
        return None
    low, high = share_interval(hits, of)
    return {
        "count": hits,
        "of": of,
        "share": round(hits / of, 4),
        "interval_95": [max(0.0, round(low, 4)), min(1.0, round(high, 4))],
    }


def _count(outcomes: Iterable[Outcome], which: Verdict) -> int:
    return sum(each.verdict is which for each in outcomes)
