"""A text's content words: lower-cased, without function words, stemmed. One analyser for searching and for quoting."""

from __future__ import annotations

from functools import cache

from tantivy import Filter, TextAnalyzer, TextAnalyzerBuilder, Tokenizer

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


@cache
def analyser() -> TextAnalyzer:
    """The English analyser; other languages come with their own stemmers and function words."""
    return (
        TextAnalyzerBuilder(Tokenizer.simple())
        .filter(Filter.remove_long(TERM_CHARS_MAX))
        .filter(Filter.lowercase())
        .filter(Filter.ascii_fold())
        .filter(Filter.custom_stopword(FUNCTION_WORDS))
        .filter(Filter.stemmer("english"))
        .build()
    )


def terms(text: str) -> list[str]:
    """The stemmed content words of `text`, in order."""
    return list(analyser().analyze(text))
