"""Questions that lean on the one before ("and on Saturday?", "how much is that?"). Pure rules for English."""

from __future__ import annotations

import re

from edge.knowledge.terms import terms

# Content words that a question may have besides its pronoun and still mean what was spoken of before.
TERMS_MAX = 4
# A question without any noun to go by.
TERMS_BARE = 1
WORDS_BARE_MAX = 5

_LEADS_IN = re.compile(
    r"^\s*(?:(?:and |but |so )?(?:what|how) about|what if|and|or|but|so|also)\b[\s,]*", re.I
)
_POINTS_BACK = re.compile(
    r"\b(?:it|its|that|this|they|them|their|those|these|he|she|him|her|his|one|ones|same|instead|there|then|"
    r"otherwise)\b",
    re.I,
)
# "there is", "is it possible", "this week", "that I ordered", "this clinic" point at nothing that was said before.
_POINTS_NOWHERE = re.compile(
    r"\b(?:is|are|was|will|would) (?:there|it (?:possible|ok|okay|allowed|true|necessary|open))\b|"
    r"\bthere (?:is|are)\b|"
    r"\bthis (?:morning|afternoon|evening|week|month|year|weekend|(?:mon|tues|wednes|thurs|fri|satur|sun)day)\b|"
    r"\bthat (?:i|my|the|you|we)\b|"
    r"\b(?:this|that|these|those) (?:clinic|hospital|branch|bank|office|building|place|desk|kiosk|machine)\b",
    re.I,
)
_ASKS_ONLY = re.compile(
    r"^\s*(?:how (?:much|long|many|often|far|late|soon)|when|where|why|who|which one|what time|until when|since when|"
    r"how so|why not|how come|is that all|are you sure|really)\b",
    re.I,
)


def leans(question: str) -> bool:
    """Whether a question means little without the one before."""
    content = len(terms(question))
    if _LEADS_IN.match(question) and content <= TERMS_MAX:
        return True
    rest = _POINTS_NOWHERE.sub(" ", question)
    if _POINTS_BACK.search(rest) and content <= TERMS_MAX:
        return True
    words = len(question.split())
    return content <= TERMS_BARE and words <= WORDS_BARE_MAX and _ASKS_ONLY.match(question) is not None


def joined(previous: str, question: str) -> tuple[str, int]:
    """Both questions as one text, and where the later one begins in it."""
    lead = f"{previous.strip()} "
    return f"{lead}{_LEADS_IN.sub('', question).strip() or question.strip()}", len(lead)
