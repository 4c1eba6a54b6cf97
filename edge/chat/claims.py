"""What a sentence claims, as far as rules can tell: its words, values, names, days, what it denies. Pure; for English.

What two sentences say of each other: `edge.chat.contradictions`. In other languages than English values, names and
addresses are found all the same; denials by the words of `edge.knowledge.terms`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from edge.knowledge import facts
from edge.knowledge.terms import NEGATIONS, terms

_NUMBER_WORDS = (
    "zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|"
    "eighteen|nineteen|twenty"
)
_NUMBERS = {word: str(number) for number, word in enumerate(_NUMBER_WORDS.split("|"))}
_NUMBERS |= {"thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "ninety": "90", "hundred": "100"}
# "One of our staff" counts nothing.
del _NUMBERS["one"]
_TIMES = {"once": "1 x", "twice": "2 x", "noon": "12:00", "midday": "12:00", "midnight": "0:00"}

_UNIT = (
    r"seconds?|minutes?|mins?|hours?|hrs?|days?|nights?|weeks?|months?|years?|metres?|meters?|km|kilometres?|miles?|"
    r"x|kg|grams?|mg|ml|litres?|liters?|%|per ?cent|pence|pounds?|euros?|dollars?|cents?|eur|usd|gbp|people|times"
)
_MONEY = {"£": "pound", "$": "dollar", "€": "euro", "gbp": "pound", "usd": "dollar", "eur": "euro"}
_VALUE = re.compile(
    r"(?P<money>[£$€])?\s?(?<!\w)(?P<number>\d+(?:[.,:]\d+)*)(?:st|nd|rd|th)?\s?"
    rf"(?:(?P<half>a\.?m\b\.?|p\.?m\b\.?|o'clock)|[ -]?(?:working |calendar |business )?(?P<unit>(?:{_UNIT})(?!\w)))?",
    re.I,
)
# "5 to 10 minutes": the unit is that of both.
_RANGE = re.compile(
    rf"(\d+(?:[.,]\d+)*)(\s?(?:to|or|and|-|–)\s?)(\d+(?:[.,]\d+)*)(\s?-?(?:{_UNIT})(?!\w))", re.I
)
# A price, too.
_FREE = re.compile(r"\b(?:free(?! to\b)|(?:no|without) (?:charge|fee|cost)|nothing to pay)\b", re.I)
FREE = "free"
_PER = re.compile(r"\b(?:a|an|per) (minute|hour|day|night|week|month|quarter|year)\b", re.I)
_NUMBER_WORD = re.compile(rf"(?<!\bat )\b({'|'.join((*_NUMBERS, *_TIMES))})\b", re.I)
# Addresses: wrong by one letter is wrong.
_ADDRESS = re.compile(
    r"https?://\S+|\bwww\.\S+|\S+@\S+\.\w+|\b[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}(?:/\S*)?\b", re.I
)
_WORD = re.compile(r"[^\W\d_](?:[\w'’-]*\w)?")
_CODE = re.compile(r"\b(?=\w*\d)(?=\w*[^\W\d_])\w+\b")
_DAY = r"(?:(?:mon|tues|wednes|thurs|fri|satur|sun)days?|week(?:day|end)s?|daily)"

_DENIAL = re.compile(
    rf"\b(?:not|cannot|never|nobody|nothing|none|neither|nor|without|unable|\w+n['’]t|{'|'.join(sorted(NEGATIONS))})\b",
    re.I,
)
# Told apart from words: days, numbers, denials.
_NO_CONTENT = re.compile(rf"{_DAY}|{'|'.join((*_NUMBERS, *_TIMES))}|{_DENIAL.pattern}", re.I)
# A denial reaches to the end of its clause.
_CLAUSE = re.compile(
    r"[;:–—()]|\s-\s|,?\s\b(?:but|however|although|because|so that|while|whereas|then)\b|"
    r"(?:,|\band|\bor)\s+(?=(?:you|we|it|they|he|she|please|the|this|that|there|if|when|can|may|must|will|should|is|"
    r"are)\b)"
    # "Tablets need a prescription, plasters do not."
    r"|,\s+(?=[^,;]*\b(?:do|does|did|is|are|was|were|can|may|must|will|has|have)(?:\s+not|n['’]t)\W*$)",
    re.I,
)
# Values, names and days belong to what stands with them.
_SEGMENT = re.compile(r"[;:,()–—]|\s-\s|\b(?:and|or|but|then|while|whereas)\b", re.I)
_CONDITION = re.compile(r"\b(?:if|when|unless|except|provided)\b([^,;:.]*)", re.I)
_LIMIT = re.compile(
    r"\b(?:unless|except|only|apart from|provided|at least|at most|up to|more|extra|additional|less)\b", re.I
)

# Words with which an answer speaks of itself or of its sources; they claim nothing.
_EMPTY = frozenset(
    terms(
        "according quotation quotations passage document documents answer question information available located "
        "please note following provided provide offer offers offered also yes sure"
    )
)


@dataclass(frozen=True, eq=False)
class Claims:
    """A sentence, and what it claims."""

    text: str

    @cached_property
    def words(self) -> frozenset[str]:
        """Its content words, stemmed, without numbers, days and words that claim nothing."""
        return content(self.text)

    @cached_property
    def values(self) -> frozenset[str]:
        """Its numbers with their units, its times of day, its codes."""
        return values(self.text)

    @cached_property
    def names(self) -> frozenset[str]:
        """Words with a capital that do not begin the sentence, in lower case."""
        return names(self.text)

    @cached_property
    def addresses(self) -> frozenset[str]:
        """Mail and web addresses, in lower case."""
        return frozenset(found[0].lower().rstrip(".,;)") for found in _ADDRESS.finditer(self.text))

    @cached_property
    def days(self) -> int:
        """Days of the week, as bits (`facts.of`)."""
        return facts.of(self.text)[1]

    @cached_property
    def denied(self) -> frozenset[str]:
        """Words after a "not", to the end of its clause."""
        return content(" ".join(part for clause in self.clauses for part in _DENIAL.split(clause.text)[1:]))

    @cached_property
    def affirmed(self) -> frozenset[str]:
        """Words that stand after no "not"."""
        return content(" ".join(_DENIAL.split(clause.text)[0] for clause in self.clauses))

    @cached_property
    def denies(self) -> bool:
        """Whether it says of anything that it is not so."""
        return _DENIAL.search(self.text) is not None

    @cached_property
    def conditions(self) -> tuple[frozenset[str], ...]:
        """The words of each "if …"."""
        found = (content(clause[1]) for clause in _CONDITION.finditer(self.text))
        return tuple(words for words in found if words)

    @cached_property
    def limits(self) -> bool:
        """Whether something is said to hold for some only."""
        return _LIMIT.search(self.text) is not None

    @cached_property
    def statements(self) -> tuple[Claims, ...]:
        """What a semicolon keeps apart."""
        return tuple(Claims(part) for part in self.text.split(";") if part.strip())

    def segments(self, names: frozenset[str]) -> tuple[Claims, ...]:
        """Its parts, each with the values, or those of `names`, that belong together."""
        joined: list[str] = []
        waiting = ""
        for part in _SEGMENT.split(self.text):
            waiting = f"{waiting} {part}"
            if values(part) or names & frozenset(part.lower().split()):
                joined.append(waiting)
                waiting = ""
        if joined and waiting and not content(waiting):  # only days, or nothing
            joined[-1] += waiting
        elif joined and waiting:
            joined.append(waiting)
        return tuple(Claims(part) for part in joined or [self.text])

    @cached_property
    def clauses(self) -> tuple[Claims, ...]:
        """Each with denials of its own."""
        return tuple(Claims(part) for part in _CLAUSE.split(self.text) if part and part.strip())


def first_word(text: str) -> str:
    """The first content word, stemmed; nothing where there is none."""
    found = (content(word) for word in _WORD.findall(text))
    return next((word for words in found for word in words), "")


def content(text: str) -> frozenset[str]:
    """The content words of a text, stemmed; numbers, days of the week and empty words left out."""
    plain = " ".join(word for word in _WORD.findall(_FREE.sub(" ", text)) if not _NO_CONTENT.fullmatch(word))
    return frozenset(word for word in terms(plain) if word not in _EMPTY)


def values(text: str) -> frozenset[str]:
    """Numbers as one writing of each: "9 am" and "9:00" are "9:00", "£5" and "5 pounds" "5 pound", "two" is "2"."""
    text = _ADDRESS.sub(" ", text)
    codes = {code.lower() for code in _CODE.findall(text) if not _VALUE.fullmatch(code)}
    text = _NUMBER_WORD.sub(lambda found: {**_NUMBERS, **_TIMES}[found[1].lower()], text)
    text = _RANGE.sub(r"\1\4\2\3\4", text)
    every = {f"per {_unit(found[1])}" for found in _PER.finditer(text)}
    free = {FREE} if _FREE.search(text) else set[str]()
    return frozenset(codes | free | every | {_one_value(found) for found in _VALUE.finditer(text)})


def names(text: str) -> frozenset[str]:
    """Words with a capital that begin no sentence, in lower case; days are no names, "I" is none."""
    words = list(_WORD.finditer(text))
    return frozenset(
        word[0].lower().removesuffix("'s").removesuffix("’s")
        for word in words[1:]
        if word[0][0].isupper()
        and not _begins(text, word.start())
        and not re.fullmatch(_DAY, word[0], re.I)
        and word[0] != "I"
    )


def with_bare(found: frozenset[str]) -> frozenset[str]:
    """Also as they may be said without unit: "8" for "8:00", "5" for "5 minute". Not "twice": two of what?"""
    bare = {re.split(r"[ :]", value)[0] for value in found if not value.endswith(" x")}
    bare |= {str(int(hour) - 12) for value in found if ":" in value and int(hour := value.split(":")[0]) > 12}
    return found | bare


def _one_value(found: re.Match[str]) -> str:
    number, half, unit, money = found["number"], found["half"], found["unit"], found["money"]
    if half or re.fullmatch(r"\d{1,2}:\d{2}", number):
        return _clock(number, (half or "").lower())
    number = re.sub(r",(?=\d{3}\b)", "", number).replace(",", ".")
    number = number.rstrip("0").rstrip(".") if "." in number else number
    named = _MONEY.get(money or "") or _unit(unit or "")
    return f"{number} {named}".strip()


def _clock(number: str, half: str) -> str:
    hour, _, minute = number.replace(".", ":").partition(":")
    hours = int(hour)
    if half.startswith("p") and hours < 12:
        hours += 12
    elif half.startswith("a") and hours == 12:
        hours = 0
    return f"{hours}:{minute or '00'}"


def _unit(word: str) -> str:
    word = word.lower().replace(" ", "")
    word = _MONEY.get(word, word)
    same = {
        "%": "percent",
        "mins": "minute",
        "min": "minute",
        "hrs": "hour",
        "hr": "hour",
        "percent": "percent",
    }
    return same.get(word) or word.removesuffix("s")


def _begins(text: str, start: int) -> bool:
    """Whether what stands at `start` begins a sentence, a line or a quotation."""
    before = text[:start].rstrip(" \"'“‘(*-")
    return not before or before[-1] in ".!?\n:"
