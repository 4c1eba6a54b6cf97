"""What the words of a text say about somebody that the law protects most: who, how it is said, and what. Pure.

Each word becomes a letter for the part it can play ("I" a speaker, "have" possession, "epilepsy" what one has), each
end of a sentence a bar; rules are patterns over these letters, the same in every language (`special_words/*.toml` has
the words). RE2 and one look at each word keep the time in proportion to the text's length. No word is taken for a
misspelt one: that is left to the network (`special.py`).
"""

from __future__ import annotations

import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any

import re2

from models.words import collapse, plain

LANGUAGES = ("en", "de", "fr", "es", "it", "nl", "pl", "pt")
# A language of which the text has fewer words, by more than this, than of another is not the text's.
EVIDENCE_BEHIND_MAX = 1


class Category(StrEnum):
    """What GDPR Art. 9 (1) names, and Art. 10 last."""

    HEALTH = "health"
    RELIGION = "religion"
    UNION = "union"
    SEXUALITY = "sexuality"
    POLITICS = "politics"
    ORIGIN = "origin"
    GENETIC = "genetic"
    BIOMETRIC = "biometric"
    CRIMINAL = "criminal"


# The parts that words play, each with the letter that stands for it.
_PARTS = {
    "speaker": "S",
    "owner": "O",
    "kin": "K",
    "other": "T",
    "others": "P",
    "has": "H",
    "with": "W",
    "is": "B",
    "takes": "Y",
    "belongs": "V",
    "i_have": "E",
    "i_am": "I",
    "i_take": "J",
    "other_is": "F",
    "as": "A",
    "of": "G",
    "asks": "Q",
    "topic": "X",
}
_TERMS = {"has": "n", "is": "p", "takes": "d", "groups": "g", "says": "a"}
_ANY, _END = ".", "|"
# Letters of words that tell of somebody, alone.
_SOMEBODY = frozenset("SOKTPEIJF")
# "Can I have …", "if he has …": whoever asks has not said so yet.
_ASKED = re2.compile(r"Q[ST]")
# [^|QX]: within the sentence, and not past what makes it a question or a subject. Up to four words lie between, as in
# "I have had a bad case of …".
_RULES = re2.compile(
    "|".join(
        (
            r"a",
            r"[OP][^|QX]{0,4}n",  # my mother's chemotherapy
            r"[OP][^|QX]{0,2}d",
            r"K[^|QX]{0,3}n",
            r"(?:[SKT][^|QX]{0,3}H|E)[^|QX]{0,4}n",  # I was diagnosed with epilepsy
            r"[SKT][^|QX]{0,1}W[^|QX]{0,3}n",  # my son with epilepsy
            r"[SKT][^|QX]{0,4}n[^|QX]{0,3}H",  # weil ich Epilepsie habe
            r"(?:[SKTP][^|QX]{0,3}B|[IF])[^|QX]{0,3}[pd]",  # she is on lithium
            r"[SKT][^|QX]{0,4}p[^|QX]{0,1}B",
            r"K[^|QX]{0,1}p",  # mi hijo, autista
            r"(?:[SKT][^|QX]{0,3}Y|J)[^|QX]{0,3}d",
            r"[SKT][^|QX]{0,3}d[^|QX]{0,1}Y",
            r"[SKTIF][^|QX]{0,3}V[^|QX]{0,3}g",  # I am a member of the party
            r"[OP][^|QX]{0,2}V[^|QX]{0,2}g",  # my donation to the party
            r"A[^|QX]{0,2}p",  # as a Muslim
            r"[nd][^|QX]{0,2}G[OP]K?",  # the HIV test of my husband
        )
    )
)


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What an entry is. `rest`: the words that must follow its first."""

    rest: tuple[str, ...]
    letter: str
    category: Category | None


class Language:
    """The words of one language."""

    def __init__(self, code: str, data: Mapping[str, Any]) -> None:
        """Raises KeyError for a part or a category that there is not."""
        self.code = code
        self._meanings: dict[str, list[_Meaning]] = defaultdict(list)
        for entry, letter, category in _entries(data):
            first, *rest = collapse(entry).split("_")
            self._meanings[first].append(_Meaning(tuple(rest), letter, category))
        for meanings in self._meanings.values():
            meanings.sort(key=lambda one: -len(one.rest))  # the longest that fits counts
        self.vocabulary = frozenset(self._meanings).union(
            *(one.rest for meanings in self._meanings.values() for one in meanings)
        )
        self.people = frozenset(
            word
            for word, meanings in self._meanings.items()
            if any(one.letter in _SOMEBODY and not one.rest for one in meanings)
        )

    def categories(self, pieces: Sequence[str], different: frozenset[str]) -> frozenset[Category]:
        """What `pieces` (see `models.words`) say about somebody. `different`: those that there are."""
        possible = {
            word: [one for one in self._meanings[word] if different.issuperset(one.rest)]
            for word in different & self._meanings.keys()
        }
        if not any(one.category for meanings in possible.values() for one in meanings):
            return frozenset()
        letters, terms = _read(pieces, possible)
        return frozenset(
            term
            for match in _RULES.finditer(_ASKED.sub("Q.", letters))
            for term in terms[match.start() : match.end()]
            if term
        )


def _read(
    pieces: Sequence[str], possible: Mapping[str, Sequence[_Meaning]]
) -> tuple[str, list[Category | None]]:
    """The letter of each word or entry and end of a sentence, and the category of those that are terms."""
    letters: list[str] = []
    terms: list[Category | None] = []
    index = 0
    while index < len(pieces):
        piece = pieces[index]
        index += 1
        letter, term = (_ANY, None) if piece[0].isalnum() else (_END, None)
        for one in possible.get(piece, ()):
            if not one.rest or tuple(pieces[index : index + len(one.rest)]) == one.rest:
                letter, term = one.letter, one.category
                index += len(one.rest)
                break
        letters.append(letter)
        terms.append(term)
    return "".join(letters), terms


class Lexicon:
    """The words of all languages."""

    def __init__(self, languages: Sequence[Language]) -> None:
        self._languages = languages
        self._speakers: dict[str, list[str]] = defaultdict(list)
        for one in languages:
            for word in one.vocabulary:
                self._speakers[word].append(one.code)

    def categories(self, pieces: Sequence[str]) -> frozenset[Category]:
        """What `pieces` say about somebody, in the languages that they may be in."""
        evidence = self.evidence(pieces)
        least = max(evidence.values(), default=0) - EVIDENCE_BEHIND_MAX
        different = frozenset(pieces)
        return frozenset[Category]().union(
            *(one.categories(pieces, different) for one in self._languages if evidence[one.code] >= least)
        )

    def evidence(self, pieces: Sequence[str]) -> Counter[str]:
        """How many of `pieces` are words of each language."""
        evidence: Counter[str] = Counter()
        for piece, count in Counter(pieces).items():
            for code in self._speakers.get(piece, ()):
                evidence[code] += count
        return evidence

    def mentions_somebody(self, pieces: Sequence[str], code: str) -> bool:
        """True if one of `pieces` tells of somebody in the language `code`: "my", "he", "aunt"."""
        people = next(one.people for one in self._languages if one.code == code)
        return not people.isdisjoint(pieces)


@cache
def lexicon() -> Lexicon:
    """The one of this release; read at the first call."""
    folder = files("models.detect") / "special_words"
    return Lexicon(
        [
            Language(code, tomllib.loads((folder / f"{code}.toml").read_text(encoding="utf-8")))
            for code in LANGUAGES
        ]
    )


def _entries(data: Mapping[str, Any]) -> Iterator[tuple[str, str, Category | None]]:
    """Each entry with its letter, terms first: of two meanings of one word the first counts."""
    for category in Category:
        for part, text in data[category].items():
            yield from ((entry, _TERMS[part], category) for entry in plain(text).split())
    for part, text in {**data["people"], **data["verbs"]}.items():
        yield from ((entry, _PARTS[part], None) for entry in plain(text).split())
    yield from ((entry, _ANY, None) for entry in plain(data["known"]).split())
