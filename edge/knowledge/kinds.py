"""Which kinds of thing a question asks for, and which a heading or a text offers. Pure rules over words.

A kind is a bit, so that a question and sixty passages are compared by one AND. A kind that is missing costs a little
order among good passages, never a passage.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from edge.knowledge.terms import terms


@dataclass(frozen=True, slots=True)
class Kind:
    """How a kind is asked for, the words that offer it, and the form that shows it (in lower case)."""

    asks: re.Pattern[str]
    words: str
    shows: re.Pattern[str] | None = None


def _kind(asks: str, words: str, shows: str = "") -> Kind:
    return Kind(re.compile(asks), words, re.compile(shows) if shows else None)


# The forms are searched in every chunk as it comes: each begins with something rare or at the start, so that the search
# costs microseconds.
_DEFINES = r"[^.!?:\n]{3,90}? (is|are|refers? to|means?|describes?) (a|an|the|one|any|another)\b"
_CLOCK = r"\d[:.]\d\d\b|\d ?[ap]\.?m\b"
_SPAN = r"\d (working |calendar )?(minute|hour|day|week|month|year)"

KINDS = {
    "definition": _kind(
        r"\bwhat (is|are|does)\b|\btell me about\b|\bmean(s|ing)?\b",
        "overview about definition",
        r"\A" + _DEFINES,
    ),
    "sign": _kind(r"\b(symptoms?|signs?)\b|\bfeels? like\b", "symptom sign"),
    "cause": _kind(r"\bcause[sd]?\b|\bwhy\b|\breasons?\b|\brisk\b", "cause reason risk factor due"),
    "treatment": _kind(
        r"\btreat|\btherap|\bcure[sd]?\b|\bmanage", "treatment therapy manage cure surgery medicine"
    ),
    "diagnosis": _kind(
        r"\bdiagnos|\btest(s|ed|ing)?\b|\bscreen", "diagnosis diagnose test testing exam screening"
    ),
    "prevention": _kind(r"\bprevent|\bavoid|\bprotect", "prevention prevent avoid protect safe"),
    "outlook": _kind(
        r"\boutlook\b|\bprognos|\bcomplication|\brecover|\bafter(care|wards)?\b",
        "outlook prognosis complication recovery aftercare",
    ),
    "frequency": _kind(
        r"\bhow (many|common|often|rare)\b|\baffected\b",
        "frequency prevalence incidence estimate common rare often",
        r"\d in \d|\d (people|individuals|percent)|\d ?%",
    ),
    "inheritance": _kind(
        r"\binherit|\bgene(s|tic)?\b|\bhereditary\b",
        "inherit inheritance gene genetic mutation chromosome recessive dominant",
    ),
    "research": _kind(r"\bresearch\b|\bclinical trials?\b|\bstud(y|ies)\b", "research trial study"),
    "price": _kind(
        r"\bhow much\b|\bcosts?\b|\bprices?\b|\bfees?\b|\bcharge[sd]?\b|\bpay(ing)?\b|\bfree\b|\brates?\b",
        "cost price fee charge pay payment free rate tariff",
        r"[£$€]",
    ),
    "time": _kind(
        r"\bwhen\b|\bwhat (time|day)|\bhours\b|\bopen(s|ing)?\b|\bclosed?\b|\bhow (late|early)\b",
        "hour open opening time closing monday tuesday wednesday thursday friday saturday sunday",
        _CLOCK,
    ),
    "duration": _kind(
        r"\bhow (long|soon|quickly|fast|far)\b|\bwait(ing)?\b|\bdeadline\b",
        "wait long deadline minute hour day week month",
        _SPAN,
    ),
    "place": _kind(
        r"\bwhere\b|\baddress\b|\bwhich (room|floor|building|desk|counter|branch)\b|\bget (to|there)\b|\bpark",
        "where address location find floor room parking travel direction",
    ),
    "contact": _kind(
        r"\bphone|\bcall\b|\bcontact|\be-?mail|\breach\b|\bspeak\b|\bnumber\b",
        "contact phone telephone call email",
        r"\d{3}[ -]\d{3}",
    ),
    "procedure": _kind(
        r"\bhow (do|can|should|to|would)\b|\bsteps?\b|\bapply|\bbook|\bcancel|\bchange\b|\bregister",
        "apply application book cancel change register request step",
    ),
    "requirement": _kind(
        r"\bneed(ed|s)?\b|\bbring\b|\bdocuments?\b|\brequire|\beligib|\bwho can\b|\bqualif",
        "bring need document require eligible identification proof",
    ),
    "permission": _kind(r"\b(can|may|could) (i|we|my|you)\b|\ballow|\bpermit", "allow permit rule"),
    "negation": _kind(r"\bnot\b|n't\b|\bwithout\b|\bnever\b|\bexcept\b", "not without never except unless"),
}
_DEFINITION = 1 << list(KINDS).index("definition")
_FORMS = [(1 << bit, kind.shows) for bit, kind in enumerate(KINDS.values()) if kind.shows]


def asked(question: str) -> int:
    """The kinds that `question` asks for, as bits. "What are the symptoms" asks for no definition."""
    lower = question.lower()
    found = sum(1 << bit for bit, kind in enumerate(KINDS.values()) if kind.asks.search(lower))
    return found & ~_DEFINITION or found


def shown(lower: str) -> int:
    """The kinds that the form of a text in lower case shows (a definition, a time, a price), as bits."""
    return sum(bit for bit, form in _FORMS if form.search(lower))


@cache
def of_words() -> dict[str, int]:
    """For each analysed word that offers kinds, these as bits."""
    found: dict[str, int] = {}
    for bit, kind in enumerate(KINDS.values()):
        for word in terms(kind.words):
            found[word] = found.get(word, 0) | 1 << bit
    return found
