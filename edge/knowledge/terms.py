"""A text's content words: lower-cased, without function words, stemmed. One analyser for searching and for quoting."""

from __future__ import annotations

import re
from functools import cache

from tantivy import Filter, TextAnalyzer, TextAnalyzerBuilder, Tokenizer

from edge.knowledge.languages import ENGLISH, Tongue, tongues

# Longer runs of letters are no words; they would only fill the index.
TERM_CHARS_MAX = 40

# Words that shape a sentence or a question but name nothing. Negations stay: they turn the meaning round.
FUNCTION_WORDS = """
    a about after all also am an and any are as at be because been before being between both but by can
    could d did do does doing during each few for from further get got had has have having he her here hers
    him his how i if in into is it its itself just like ll m many may me might more most much must my of on
    once or other our ours out over own please re s same shall she should so some such t tell than that the
    their theirs them then there these they this those through to too until up us ve very want was we were
    what when where which while who whom whose why will with would you your yours
""".split()  # noqa: SIM905


NEGATIONS = frozenset(
    [
        "ei",
        "geen",
        "ikke",
        "inte",
        "kein",
        "keine",
        "nem",
        "ne",
        "nein",
        "nicht",
        "nie",
        "nincs",
        "não",
        "nu",
        "yok",
        "değil",
        "no",
        "non",
        "pas",
        "sans",
        "sin",
        "sem",
        "zonder",
        "ohne",
        "fără",
        "utan",
        "uden",
        "nélkül",
    ]
)
_WORD = re.compile(r"\w+")
# Letters of a piece where a language writes no spaces between words.
PIECE_LETTERS = 2
UNSPACED = frozenset({"ja", "zh"})


@cache
def analyser(language: str = ENGLISH) -> TextAnalyzer:
    """The analyser of one language of the set: with its function words, and its stemmer where there is one."""
    tongue = tongues()[language]
    tokens = Tokenizer.ngram(PIECE_LETTERS, PIECE_LETTERS) if language in UNSPACED else Tokenizer.simple()
    builder = (
        TextAnalyzerBuilder(tokens)
        .filter(Filter.remove_long(TERM_CHARS_MAX))
        .filter(Filter.lowercase())
        .filter(Filter.custom_stopword(_function_words(tongue)))
    )
    if language == ENGLISH:
        builder = builder.filter(Filter.ascii_fold())
    if tongue.stemmer:
        builder = builder.filter(Filter.stemmer(tongue.stemmer))
    return builder.filter(Filter.ascii_fold()).build()


def terms(text: str, language: str = ENGLISH) -> list[str]:
    """The stemmed content words of `text`, in order."""
    return list(analyser(language).analyze(text))


def _function_words(tongue: Tongue) -> list[str]:
    if tongue.code == ENGLISH:
        return FUNCTION_WORDS
    return sorted(tongue.words - NEGATIONS)
