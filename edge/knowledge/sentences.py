"""Where sentences begin and end in a text. A pure rule: no model, no I/O, no knowledge of documents.

Used to cut chunks at whole sentences and to quote exact sentences. Not a grammar: it knows the full stops
that do not end a sentence (abbreviations, initials, decimals, times of day), and that a line break always does,
because the readers put every heading, paragraph, list item and table row on a line of its own.
"""

from __future__ import annotations

import re

Span = tuple[int, int]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# A full stop after these never ends a sentence: something always follows.
_NEVER_ENDS = _words("""
    dr mr mrs ms mx prof rev hon sir st vs cf eg ie viz resp approx ca max min no nos nr tel ext fig
    figs eq sec ref refs art para pp pg vol ed eds dept gen col sgt capt lt gov sen rep est incl excl ft
    mon tue tues wed thu thur thurs fri sat sun jan feb mar apr jun jul aug sep sept oct nov dec
""")
# After these it may: it does when the next word looks like the start of a sentence.
_MAY_END = _words("""
    am pm etc inc ltd co corp plc llc jr sr al ave blvd rd bldg us uk eu md phd bsc ba ad bc dc
""")
_ABBREVIATIONS = _NEVER_ENDS | _MAY_END
# Abbreviations that are also words: they abbreviate only before a digit.
_ORDINARY = _words("no sat sun wed art max min mar fig sec ed col est ref gen ft may")
# Capitalised words that follow a time of day without starting a sentence: "9 a.m. Monday".
_CALENDAR = _words("""
    monday tuesday wednesday thursday friday saturday sunday mondays tuesdays wednesdays thursdays
    fridays saturdays sundays january february march april may june july august september october
    november december est edt cst cdt mst mdt pst pdt gmt utc bst cet
""")
# Words that, capitalised after an abbreviation or an initial, almost always start a sentence.
_STARTERS = _words("""
    a all also an and are as ask at because before both bring but by call can check children contact do
    does each every find for from he her here his how however i if in is it its keep many most no not of
    on once one open other our outside parking people please see she so some take tell that the their
    then there these they this those to until use visitors we what when where which while who why with
    you your
""")

# Stops, then closing quotes and brackets, then space: a sentence may end at the end of group 1.
_STOP = re.compile(r"([.!?…]+[\"'”’»)\]]*)\s+(?=\S)")
_LINE = re.compile(r"[^\n\r\u2028\u2029]+")
# What starts a list item, a heading or a quotation in plain text; not part of the sentence.
_MARKER = re.compile(r"\s*(?:(?:[-*+•◦▪‣–—·]|#{1,6}|>|\(?\d{1,3}[.)]|\(?[a-z]\))\s+)*\s*")
_WORD_BEFORE = re.compile(r"[\w.&’'-]*$")
_WORD_AFTER = re.compile(r"[\"'“‘«(\[]*([^\W\d_]+)")
# Longest word that is looked at before a stop, code points: the longest abbreviation is far shorter.
_BEFORE_CHARS_MAX = 24


def split(text: str) -> list[Span]:
    """Spans (start, end) of the sentences of `text`, in code points, in order.

    Spaces and list markers around a sentence belong to none. Line breaks always end a sentence.
    """
    spans: list[Span] = []
    for line in _LINE.finditer(text):
        spans.extend(_split_line(text, line.start(), line.end()))
    return spans


def _split_line(text: str, start: int, end: int) -> list[Span]:
    marker = _MARKER.match(text, start, end)
    begin = marker.end() if marker else start
    while end > begin and text[end - 1].isspace():
        end -= 1
    spans: list[Span] = []
    for stop in _STOP.finditer(text, begin, end):
        if _ends(text, begin, stop):
            spans.append((begin, stop.end(1)))
            begin = stop.end()
    if begin < end:
        spans.append((begin, end))
    return spans


def _ends(text: str, begin: int, stop: re.Match[str]) -> bool:
    """Whether the stop that was found ends the sentence which began at `begin`."""
    after = text[stop.end()]
    if after.islower() or after in ",;:":
        return False
    if not stop[1].startswith(".") or stop[1].startswith(".."):
        return True
    space = text.rfind(" ", begin, stop.start())
    if _is_plain_word(text[max(space + 1, begin) : stop.start()]):
        return True
    before = _word_before(text, begin, stop.start())
    return bool(before) and _full_stop_ends(before, text, stop.end())


def _is_plain_word(word: str) -> bool:
    """The usual case, decided without patterns: letters only, and no abbreviation."""
    return len(word) > 1 and word.isalpha() and word.lower() not in _ABBREVIATIONS


def _word_before(text: str, begin: int, position: int) -> str:
    window = text[max(begin, position - _BEFORE_CHARS_MAX) : position]
    match = _WORD_BEFORE.search(window)
    # A bracket or percent sign directly before the stop is no abbreviation.
    return match[0] if match and match[0] else (window[-1:] if window else "")


def _full_stop_ends(before: str, text: str, next_at: int) -> bool:
    key = before.replace(".", "").lower()
    word_match = _WORD_AFTER.match(text, next_at)
    word = word_match[1].lower() if word_match else ""
    if key in _MAY_END and (key != "us" or before.isupper() or "." in before):
        return _starts_after_abbreviation(key, word)
    if _is_initial(before):
        return word in _STARTERS and before != "I"
    if key in _NEVER_ENDS and before != key.upper():
        return not _abbreviates(key, text[next_at])
    return "." not in before or not _is_dotted(before) or word in _STARTERS


def _starts_after_abbreviation(key: str, word: str) -> bool:
    """After "a.m." any word but a day or month starts a sentence; after "Inc." only a usual one does."""
    if not word or word in _CALENDAR:
        return False
    return key in {"am", "pm", "etc"} or word in _STARTERS


def _abbreviates(key: str, after: str) -> bool:
    """Whether `key` stands for a longer word here."""
    return after.isdigit() or key not in _ORDINARY


def _is_initial(before: str) -> bool:
    return len(before) == 1 and before.isalpha() and before.isupper()


def _is_dotted(before: str) -> bool:
    """True for abbreviations with stops inside ("e.g", "Ph.D"), not for "postern.example" or "3.5"."""
    return all(1 <= len(part) <= 2 and part.isalpha() for part in before.split("."))
