"""Is a sentence that a model wrote borne out by what it was given to read? Pure: vectors come from outside.

A sentence is grounded by one sentence of one quotation, or, where it joins two statements, each of them by one. The
source must hold its values, names and addresses where they belong, deny what it denies and nothing else, keep its
conditions (`edge.chat.contradictions`), have most of its words, and be near to it in meaning. It errs to the safe
side: what is not grounded costs an answer in the model's words, and the customer reads the documents' own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from edge.chat import prompt
from edge.chat.claims import Claims
from edge.chat.contradictions import Against, contradiction
from edge.chat.prompt import Quotation
from edge.knowledge.chunking import embedding_text
from edge.knowledge.document import Passage
from models.detect.confusables import seen

Floats = npt.NDArray[np.float32]

# (share of the sentence's content words that its source, headings included, must have; how near the two must then be,
# cosine of the embeddings, the source's with its headings before it): the more words are others, the nearer. Set on
# DEVELOPMENT of tests/unit/edge/chat/grounding_cases.py.
NEAR_ENOUGH = ((1.0, 0.4), (0.75, 0.75), (0.6, 0.8))
# A statement that is joined to another one has at least so many content words.
PART_WORDS_MIN = 2

_JOINS = re.compile(r";\s*|,?\s\b(?:and|but)\s+")
# A sentence that begins so says nothing without the one before.
_POINTS_BACK = re.compile(
    r"^(?:it|its|they|their|them|this|that|these|those|there|he|she|his|her|both)\b", re.I
)
_YES_NO = re.compile(r"^\s*(yes|no)\b[,.:!]*\s*", re.I)
_DECLINES = re.compile(
    r"\b(?:do not|don't|cannot|can't|could not) (?:know|find|answer|say|tell)\b|\bnot (?:sure|certain)\b|"
    r"\b(?:quotes?|quotations?|passages?|documents?) (?:do(?:es)? not|don't|doesn't)\b",
    re.I,
)


class Outcome(StrEnum):
    """How the check of a sentence ended; but for the first, each is a reason to quote instead."""

    GROUNDED = "grounded"
    DECLINED = "declined"
    WORDS = "words"
    VALUES = "values"
    NAMES = "names"
    DENIAL = "denial"
    CONDITION = "condition"
    MEANING = "meaning"


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A sentence of a quotation, the `number`th of it, which begins at `start` of its passage's text.

    `headings`: title and headings; `before`: where it points back, the sentence before.
    """

    passage: Passage
    number: int
    start: int
    quote: str
    headings: str
    before: str
    claims: Claims
    words: frozenset[str]

    @property
    def embedding_text(self) -> str:
        """What the encoder reads for it, as it does when the passage is read (`edge.chat.answers.reading`)."""
        return embedding_text(self.passage.title, self.passage.section, self.quote)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a sentence is grounded, and by what."""

    outcome: Outcome
    sources: tuple[Source, ...] = ()


def sources(quotations: Sequence[Quotation]) -> list[Source]:
    """Every sentence of the quotations, in order."""
    found: list[Source] = []
    for quotation in quotations:
        passage = quotation.passage
        before = ""
        for number, (start, end) in enumerate(quotation.spans):
            quote = passage.text[start:end]
            headings = prompt.plain(f"{passage.title}. {passage.section}.")
            claims = Claims(prompt.plain(quote))
            meant = before if _POINTS_BACK.match(quote) else ""
            words = claims.words | Claims(f"{headings} {meant}").words
            found.append(Source(passage, number, start, quote, headings, meant, claims, words))
            before = claims.text
    return found


def judge(
    sentence: str,
    vector: Floats | None,
    found: Sequence[Source],
    vectors: Floats | None,
    question: str = "",
) -> Verdict:
    """Whether `sentence` is grounded in one of `found`.

    `vector` float32 [dim]: its embedding; `vectors` float32 [sources, dim]: theirs; None: of an encoder that
    NEAR_ENOUGH was not set on, where a source must have all of its words. `question`: a condition that the customer has
    named need not be repeated.
    """
    if seen(sentence) != sentence:  # what a reader sees is not what would be judged
        return Verdict(Outcome.WORDS)
    sentence = prompt.plain(sentence)
    if _DECLINES.search(sentence):
        return Verdict(Outcome.DECLINED)
    lead = _YES_NO.match(sentence)
    bare = sentence[lead.end() :] if lead else sentence
    if vector is None or vectors is None:
        cosines = np.full(len(found), NEAR_ENOUGH[0][1], np.float32)
    else:
        cosines = vectors @ vector
    whole = _best(Claims(bare), found, cosines, question)
    if whole.outcome is not Outcome.GROUNDED and (parts := _parts(bare)):
        whole = _joined([_best(part, found, cosines, question) for part in parts], whole)
    if (
        lead
        and whole.outcome is Outcome.GROUNDED
        and not _agrees(lead[1].lower(), question, whole.sources[0])
    ):
        return Verdict(Outcome.DENIAL)
    return whole


def _best(said: Claims, found: Sequence[Source], cosines: Floats, question: str) -> Verdict:
    """By the nearest source that bears it out; else why the likeliest one does not."""
    if not said.words:
        return Verdict(Outcome.WORDS)
    shares = np.array([len(said.words & source.words) / len(said.words) for source in found], np.float32)
    why = Outcome.WORDS
    for row in np.argsort(-(shares + cosines), kind="stable").tolist():
        if shares[row] < NEAR_ENOUGH[-1][0]:
            continue
        source = found[row]
        if not said.words & source.claims.words:
            continue  # only what stands above or before it speaks of the same
        against = _against(said, source, question)
        near = any(shares[row] >= share and cosines[row] >= cosine for share, cosine in NEAR_ENOUGH)
        if against is None and near:
            return Verdict(Outcome.GROUNDED, (source,))
        if why is Outcome.WORDS:
            why = Outcome(against or Outcome.MEANING)
    return Verdict(why)


def _against(said: Claims, source: Source, question: str) -> Against | None:
    return contradiction(
        said, source.claims, headings=source.headings, before=source.before, question=question
    )


def _parts(sentence: str) -> list[Claims]:
    """The statements that it joins; none where it is one."""
    parts = [Claims(part) for part in _JOINS.split(sentence)]
    return parts if len(parts) > 1 and all(len(part.words) >= PART_WORDS_MIN for part in parts) else []


def _joined(verdicts: Sequence[Verdict], whole: Verdict) -> Verdict:
    """Grounded where each part is, in neighbouring sentences: "it" would else be somebody else's."""
    if any(verdict.outcome is not Outcome.GROUNDED for verdict in verdicts):
        return whole
    by = [verdict.sources[0] for verdict in verdicts]
    apart = max(source.number for source in by) - min(source.number for source in by)
    if len({source.passage.chunk_id for source in by}) > 1 or apart > 1:
        return whole
    return Verdict(Outcome.GROUNDED, tuple(dict.fromkeys(by)))


def _agrees(lead: str, question: str, source: Source) -> bool:
    """Whether "yes" or "no" to the question is what the source says."""
    asked = Claims(prompt.plain(question).rstrip(" ?"))
    against = _against(asked, source, question)
    return (against is not Against.DENIAL) if lead == "yes" else (against is Against.DENIAL)
