"""Which language a text is in, of a named set, or that it is better not said. Pure but for the detector's own tables.

Two witnesses must agree before a customer is told "this desk does not speak your language": lingua's statistics of
letters in their small form (34 MB; the exact one takes 440 MB), and common words of that language. Alone the small form
takes one English medical question in five for something else. Languages with a script of their own need no witness.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from lingua import IsoCode639_1, Language, LanguageDetector, LanguageDetectorBuilder

ENGLISH = "en"
# Fewer words or letters say too little: "hi", a name, "visa", "OPD timing?".
WORDS_MIN = 3
LETTERS_MIN = 10
# Letters of a script of its own that are enough; "привет" says what it is.
SCRIPT_LETTERS_MIN = 3
# Share of all letters that must be of that script.
SCRIPT_SHARE_MIN = 0.6
# How sure the letters must be, and how many common words of the language must agree.
CONFIDENCE_MIN = 0.5
WITNESSES_MIN = 2
# With letters as sure as this one common word is enough.
CONFIDENCE_ALONE_MIN = 0.9
# So many common words, none of them English, and so many more than of any other language, need no letters.
WITNESSES_ALONE_MIN = 3
WITNESSES_LEAD = 2
# Characters of a document that are looked at: more do not change the verdict.
DOCUMENT_CHARS = 1_000
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_UKRAINIAN = re.compile("[іїєґІЇЄҐ]")
_KANA = re.compile("[\u3040-\u30ff]")


@dataclass(frozen=True, slots=True)
class Tongue:
    """A language of the set. `stemmer` is tantivy's name; empty where it has none."""

    code: str
    name: str
    rtl: bool
    stemmer: str
    words: frozenset[str]
    script: re.Pattern[str] | None


@cache
def tongues() -> dict[str, Tongue]:
    """All languages of the set, by code (ISO 639-1)."""
    table = tomllib.loads(files("edge.knowledge").joinpath("languages.toml").read_text("utf-8"))
    return {code: _tongue(code, entry) for code, entry in table.items()}


def detect(text: str) -> str | None:
    """The language of a customer's text, or None when it is too short, mixed or in doubt."""
    words = [word.lower() for word in _WORD.findall(text)]
    letters = sum(map(len, words))
    if of_script := _by_script(text, letters):
        return of_script
    if len(words) < WORDS_MIN or letters < LETTERS_MIN:
        return None
    if _plainly_english(words):
        return ENGLISH
    if of_words := _by_words(words):
        return of_words
    code, confidence = _by_letters(text)
    mine, against = _witnesses(code, words)
    if mine <= against or confidence < CONFIDENCE_MIN:
        return None
    return code if mine >= WITNESSES_MIN or confidence >= CONFIDENCE_ALONE_MIN else None


def of_document(text: str) -> str:
    """The language of a document; English when it is in doubt, for its words are found only in its own language."""
    start = text[:DOCUMENT_CHARS]
    words = [word.lower() for word in _WORD.findall(start)]
    if of_script := _by_script(start, sum(map(len, words))):
        return of_script
    counts = sorted((sum(word in tongue.words for word in words), code) for code, tongue in tongues().items())
    (next_best, _), (most, code) = counts[-2:]
    clear = most >= WITNESSES_ALONE_MIN and most - next_best >= WITNESSES_LEAD
    return code if clear else detect(start) or ENGLISH


def by_use(languages: Iterable[str]) -> tuple[str, ...]:
    """The different ones, the most used first; English for none."""
    counts = Counter(languages)
    return tuple(sorted(counts, key=lambda code: (-counts[code], code))) or (ENGLISH,)


def _tongue(code: str, entry: dict[str, str | bool]) -> Tongue:
    script = entry.get("script")
    return Tongue(
        code=code,
        name=str(entry["name"]),
        rtl=bool(entry.get("rtl", False)),
        stemmer=str(entry.get("stemmer", "")),
        words=frozenset(str(entry.get("words", "")).split()),
        script=re.compile(str(script)) if script else None,
    )


def _by_script(text: str, letters: int) -> str | None:
    """The language whose script most letters are of; none is written in ASCII."""
    if text.isascii():
        return None
    for tongue in tongues().values():
        if tongue.script is None:
            continue
        found = len(tongue.script.findall(text))
        if found >= SCRIPT_LETTERS_MIN and found >= SCRIPT_SHARE_MIN * letters:
            return _told_apart(tongue.code, text)
    return None


def _told_apart(code: str, text: str) -> str:
    """Languages that share a script are told apart by letters that only one of them has."""
    if code in {"ru", "uk"}:
        return "uk" if _UKRAINIAN.search(text) else "ru"
    if code in {"zh", "ja"}:
        return "ja" if _KANA.search(text) else "zh"
    return code


def _witnesses(code: str, words: list[str]) -> tuple[int, int]:
    """How many of `words` are common words of the language, and how many are of English; what is both is neither.

    For English itself nothing speaks against it.
    """
    own, english = tongues()[code].words, tongues()[ENGLISH].words
    if code == ENGLISH:
        return sum(word in own for word in words), 0
    return (
        sum(word in own and word not in english for word in words),
        sum(word in english and word not in own for word in words),
    )


def _by_words(words: list[str]) -> str | None:
    """The language of which so many words are common ones that letters need not be asked."""
    counts = [(*_witnesses(code, words), code) for code in tongues() if code != ENGLISH]
    (mine, against, code), (next_best, _, _) = sorted(counts, reverse=True)[:2]
    return (
        code if mine >= WITNESSES_ALONE_MIN and not against and mine - next_best >= WITNESSES_LEAD else None
    )


def _plainly_english(words: list[str]) -> bool:
    """Common words of English and of nothing else: most questions, at a tenth of the detector's time."""
    others = _other_words()
    english = tongues()[ENGLISH].words
    return sum(word in english for word in words) >= WITNESSES_MIN and not any(
        word in others and word not in english for word in words
    )


@cache
def _other_words() -> frozenset[str]:
    return frozenset().union(*(tongue.words for code, tongue in tongues().items() if code != ENGLISH))


def _by_letters(text: str) -> tuple[str, float]:
    """The likeliest language of Latin letters, and how sure that is."""
    best = _detector().compute_language_confidence_values(text)[0]
    return best.language.iso_code_639_1.name.lower(), best.value


@cache
def _detector() -> LanguageDetector:
    codes = [tongue.code for tongue in tongues().values() if tongue.script is None]
    languages = [Language.from_iso_code_639_1(getattr(IsoCode639_1, code.upper())) for code in codes]
    return LanguageDetectorBuilder.from_languages(*languages).with_low_accuracy_mode().build()
