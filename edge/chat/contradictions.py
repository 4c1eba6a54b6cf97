"""What of a sentence another one does not bear out, claim by claim. Pure; rules for English (`edge.chat.claims`)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum

from edge.chat.claims import Claims, content, first_word, with_bare


class Against(StrEnum):
    """What speaks against a sentence."""

    WORDS = "words"
    VALUES = "values"
    NAMES = "names"
    DENIAL = "denial"
    CONDITION = "condition"


# Opposites, side by side: who says the one says that the other is not so.
_OPPOSITES: tuple[tuple[str, str], ...] = (
    (r"open|opens|opening|opened", r"close[sd]?|closing|shut"),
    (r"before|until|till|earlier|beforehand", r"after|afterwards|later"),
    (
        r"more|over|above|minimum|at least|higher|longer",
        r"less|under|below|fewer|maximum|at most|up to|lower|shorter",
    ),
    (r"inside|indoors", r"outside|outdoors"),
    (r"left", r"right"),
    (r"upstairs|upper|top", r"downstairs|lower|bottom"),
    (r"first", r"last"),
    (r"allowed|permitted|welcome|accept(?:s|ed)?", r"prohibited|forbidden|banned|refused?|refuses|reject(?:s|ed)?"),
    (r"include[sd]?|including", r"exclude[sd]?|excluding|except"),
    (r"always|every|all", r"sometimes|some|rarely|occasionally"),
    (r"safe", r"dangerous|unsafe|harmful"),
    (r"arriv\w+", r"leav(?:e|es|ing)|departs?"),
    (r"mornings?", r"afternoons?|evenings?"),
    (r"adults?", r"child(?:ren)?"),
    (r"start\w*|begin\w*", r"stop\w*|finish\w*|end|ends"),
    (r"increase\w*|raise\w*", r"decrease\w*|reduce\w*"),
    (r"weekdays?|working days?", r"weekends?"),
)  # fmt: skip
_SIDES = tuple(tuple(re.compile(rf"\b(?:{side})\b", re.I) for side in sides) for sides in _OPPOSITES)
_MUST = re.compile(
    r"\b(?:must|required?|requires|mandatory|compulsory|obligatory|ha(?:ve|s) to|needs? to|necessary)\b", re.I
)
_MAY = re.compile(r"\b(?:may|can|could|optional|if you (?:like|wish|want)|free to|welcome to)\b", re.I)

# Share of a clause's words that one clause of the source has: the others may then stand under a "not" elsewhere.
CLAUSE_WORDS_MIN = 0.75


def contradiction(
    said: Claims, source: Claims, *, headings: str, before: str = "", question: str = ""
) -> Against | None:
    """What of a sentence its source does not bear out. Says nothing of how many words they share.

    `headings` stand above the source and hold for it; `before` is the sentence that it points back to, for whom it
    speaks of. `question`: a condition that the customer has named need not be repeated.
    """
    around = Claims(f"{headings} {source.text}")
    if not said.values <= with_bare(around.values) or said.days & ~(source.days or around.days):
        return Against.VALUES
    if not said.addresses <= around.addresses or not all(
        name in f"{before} {around.text}".lower() for name in said.names
    ):
        return Against.NAMES
    if _misplaced(said, source):
        return Against.VALUES
    if _turned_round(said, source) or _opposed(said, source, headings):
        return Against.DENIAL
    return Against.CONDITION if _unconditional(said, source, question) else None


def _turned_round(said: Claims, source: Claims) -> bool:
    """Whether the one denies what the other says, clause by clause."""
    only_denied = source.denied - source.affirmed
    for clause in said.clauses:
        if not clause.words:
            continue
        nearest = max(source.clauses, key=lambda one: _nearness(clause, one), default=source)
        if clause.denies != nearest.denies:
            return True
        covered = len(clause.words & nearest.words) / len(clause.words)
        if not clause.denies and clause.words & only_denied and covered < CLAUSE_WORDS_MIN:
            return True
    return False


def _nearness(said: Claims, clause: Claims) -> tuple[int, bool]:
    """How much a clause speaks of the same; between equals, of the same subject."""
    return len(clause.words & said.words), first_word(said.text) in clause.words


def _opposed(said: Claims, source: Claims, context: str) -> bool:
    """Whether one has the opposite of a word of the other's."""
    for sides in _SIDES:
        mine = [side.search(said.text) is not None for side in sides]
        theirs = [side.search(source.text) is not None for side in sides]
        if not any(theirs):
            theirs = [side.search(context) is not None for side in sides]
        if any(theirs) and any(a and not b for a, b in zip(mine, theirs, strict=True)):
            return True
    must, may = _MUST.search(said.text), _MAY.search(said.text)
    their_must, their_may = _MUST.search(source.text), _MAY.search(source.text)
    return bool(
        (must and their_may and not their_must) or (may and not must and their_must and not their_may)
    )


def _unconditional(said: Claims, source: Claims, question: str) -> bool:
    """Whether it leaves out for whom or when the source says that it holds; the customer may have said that."""
    nearest = max(source.statements, key=lambda one: len(one.words & said.words), default=source)
    known = said.words | content(question)
    return any(not condition & known for condition in nearest.conditions) or (
        nearest.limits and not said.limits
    )


def _misplaced(said: Claims, source: Claims) -> bool:
    """Whether a value or a name of one part of the source is given to what stands in another part."""
    parts = source.segments(said.names | source.names)
    if len(parts) < 2:
        return False
    return any(_part_misplaced(part, said.names, parts) for part in said.segments(said.names))


def _part_misplaced(said: Claims, names: frozenset[str], parts: Sequence[Claims]) -> bool:
    """A part's subject may stand in a part before it ("on Saturday from 9 to 1"), if it is that part which is meant."""
    mine = names & frozenset(said.text.lower().split())
    every: frozenset[str] = frozenset().union(*(with_bare(part.values) for part in parts))
    wanted = said.values & every  # others stand in the headings
    _, days = _union(parts)
    days &= said.days
    holding = [
        part
        for part in parts
        if wanted <= with_bare(part.values) and _has(part, mine) and not days & ~part.days
    ]
    if not holding:
        return True
    first = min(map(parts.index, holding))
    here, here_days = _union(holding)
    before, _ = _union(part for part in parts[:first] if part not in holding)
    after, _ = _union(part for part in parts[first:] if part not in holding)
    _, other_days = _union(part for part in parts if part not in holding)
    if said.days & other_days & ~here_days or said.words & (after - here):
        return True
    own = here - before - after - names
    meant = said.words & own or said.days & here_days or not own
    return bool(said.words & (before - here)) and not meant


def _has(part: Claims, names: frozenset[str]) -> bool:
    return all(name in part.text.lower() for name in names)


def _union(parts: Iterable[Claims]) -> tuple[frozenset[str], int]:
    words: frozenset[str] = frozenset()
    days = 0
    for part in parts:
        words |= part.words
        days |= part.days
    return words, days
