"""Which kinds of thing a question asks for, and which a heading or a text offers. Pure rules over words.

A kind is a bit, so that a question and sixty passages are compared by one AND. A kind that is missing costs a little
order among good passages, never a passage.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from core.pattern_set import PatternSet
from edge.knowledge.terms import terms


@dataclass(frozen=True, slots=True)
class Kind:
    """How a kind is asked for (a pattern), the words that offer it, and the form that shows it; all in lower case."""

    asks: str
    words: str
    shows: str = ""


# Forms that show a kind.
_DEFINES = r"[^.!?:\n]{3,90}? (is|are|refers? to|means?|describes?) (a|an|the|one|any|another)\b"
_CLOCK = r"\d[:.]\d\d\b|\d ?[ap]\.?m\b"
_SPAN = r"\d (working |calendar )?(minute|hour|day|week|month|year)"

KINDS = {
    "definition": Kind(
        r"\bwhat (is|are|does)\b|\btell me about\b|\bmean(s|ing)?\b",
        "overview about definition",
        r"\A" + _DEFINES,
    ),
    "sign": Kind(r"\b(symptoms?|signs?)\b|\bfeels? like\b", "symptom sign"),
    "cause": Kind(r"\bcause[sd]?\b|\bwhy\b|\breasons?\b|\brisk\b", "cause reason risk factor due"),
    "treatment": Kind(
        r"\btreat|\btherap|\bcure[sd]?\b|\bmanage", "treatment therapy manage cure surgery medicine"
    ),
    "diagnosis": Kind(
        r"\bdiagnos|\btest(s|ed|ing)?\b|\bscreen", "diagnosis diagnose test testing exam screening"
    ),
    "prevention": Kind(r"\bprevent|\bavoid|\bprotect", "prevention prevent avoid protect safe"),
    "outlook": Kind(
        r"\boutlook\b|\bprognos|\bcomplication|\brecover|\bafter(care|wards)?\b",
        "outlook prognosis complication recovery aftercare",
    ),
    "frequency": Kind(
        r"\bhow (many|common|often|rare)\b|\baffected\b",
        "frequency prevalence incidence estimate common rare often",
        r"\d in \d|\d (people|individuals|percent)|\d ?%",
    ),
    "inheritance": Kind(
        r"\binherit|\bgene(s|tic)?\b|\bhereditary\b",
        "inherit inheritance gene genetic mutation chromosome recessive dominant",
    ),
    "research": Kind(r"\bresearch\b|\bclinical trials?\b|\bstud(y|ies)\b", "research trial study"),
    "price": Kind(
        r"\bhow much\b|\bcosts?\b|\bprices?\b|\bfees?\b|\bcharge[sd]?\b|\bpay(ing)?\b|\bfree\b|\brates?\b",
        "cost price fee charge pay payment free rate tariff",
        r"[£$€]",
    ),
    "time": Kind(
        r"\bwhen\b|\bwhat (time|day)|\bhours\b|\bopen(s|ing)?\b|\bclosed?\b|\bhow (late|early)\b",
        "hour open opening time closing monday tuesday wednesday thursday friday saturday sunday",
        _CLOCK,
    ),
    "duration": Kind(
        r"\bhow (long|soon|quickly|fast|far)\b|\bwait(ing)?\b|\bdeadline\b",
        "wait long deadline minute hour day week month",
        _SPAN,
    ),
    "place": Kind(
        r"\bwhere\b|\baddress\b|\bwhich (room|floor|building|desk|counter|branch)\b|\bget (to|there)\b|\bpark",
        "where address location find floor room parking travel direction",
    ),
    "contact": Kind(
        r"\bphone|\bcall\b|\bcontact|\be-?mail|\breach\b|\bspeak\b|\bnumber\b",
        "contact phone telephone call email",
        r"\d{3}[ -]\d{3}",
    ),
    "procedure": Kind(
        r"\bhow (do|can|should|to|would)\b|\bsteps?\b|\bapply|\bbook|\bcancel|\bchange\b|\bregister",
        "apply application book cancel change register request step",
    ),
    "requirement": Kind(
        r"\bneed(ed|s)?\b|\bbring\b|\bdocuments?\b|\brequire|\beligib|\bwho can\b|\bqualif",
        "bring need document require eligible identification proof",
    ),
    "permission": Kind(r"\b(can|may|could) (i|we|my|you)\b|\ballow|\bpermit", "allow permit rule"),
    "negation": Kind(r"\bnot\b|n't\b|\bwithout\b|\bnever\b|\bexcept\b", "not without never except unless"),
}
_DEFINITION = 1 << list(KINDS).index("definition")
_ASKS = PatternSet(kind.asks for kind in KINDS.values())
_SHOWN = [1 << bit for bit, kind in enumerate(KINDS.values()) if kind.shows]
_FORMS = PatternSet(kind.shows for kind in KINDS.values() if kind.shows)


def asked(question: str) -> int:
    """The kinds that `question` asks for, as bits. "What are the symptoms" asks for no definition."""
    found = _ASKS.bits(question.lower())
    return found & ~_DEFINITION or found


def shown(lower: str) -> int:
    """The kinds that the form of a text in lower case shows (a definition, a time, a price), as bits."""
    return sum(_SHOWN[number] for number in _FORMS.found(lower))


@cache
def of_words() -> dict[str, int]:
    """For each analysed word that offers kinds, these as bits."""
    found: dict[str, int] = {}
    for bit, kind in enumerate(KINDS.values()):
        for word in terms(kind.words):
            found[word] = found.get(word, 0) | 1 << bit
    return found
