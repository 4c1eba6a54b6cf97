"""Telephone and fax numbers, in national forms and in the sloppy ones that people type. Pure.

How a number is written says how likely it is one; phonenumbers (the numbering plans of all countries) is asked only
where that leaves it open, for it takes a thousand times as long as looking. The words beside decide the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from models.detect.forms.evidence import RATIO_BEHIND, THRESHOLD, probability
from models.detect.forms.form import words as kinds_of
from models.detect.forms.words import Beside, Words
from models.detect.spans import Span

# ITU-T E.164 has fifteen digits at most; the exit code and a trunk zero come on top.
DIGITS_MIN, DIGITS_MAX = 6, 18
# Asking the numbering plans costs some 50 µs: past so many in one text the form alone decides.
LOOKUPS_MAX = 200
# Ways to cut a run of digits that are looked at in one text: more than a person's day of numbers has.
CANDIDATES_MAX = 1000
_UNEXAMINED_SCORE = 0.6
# Groups that may be those of another number, before and behind.
GROUPS_DROPPED_MAX = 3

_RUN = re.compile(
    r"(?<![\w@])(?<![0-9]\.)(?<![A-Za-z]-)[+(]{0,2}\d[\d ()./-]{4,24}\d"
    r"(?P<extension>[ ,]{0,2}(?:x|ext\.?|extension|#)[ :]?\d{1,6})?(?!\w)",
    re.IGNORECASE,
)
HINT = r"[0-9](?:[ ()./-]{0,3}[0-9]){5}"
_SIGNS = re.compile(r"[^0-9]+")
# Things that are written with as many digits: years, days, times of a day, addresses of networks, sums, book numbers.
_NOT_ONE = re.compile(
    r"\d{6}|(?:(?:19|20)\d\d[ ./-]*)+"
    r"|(?:0?[1-9]|[12]\d|3[01])([./ -])(?:0?[1-9]|1[0-2])\1(?:19|20)?\d\d"
    r"|(?:0?[1-9]|1[0-2])([./ -])(?:0?[1-9]|[12]\d|3[01])\2(?:19|20)?\d\d|(?:19|20)\d\d([./-])\d{1,2}\3\d{1,2}"
    r"|\d{1,2}[.:]\d\d ?[/-] ?\d{1,2}[.:]\d\d"
    r"|\d{1,3}(?:\.\d{1,3}){3}"
    r"|[1-9]\d{0,2}(?:\.\d{3})+|\d+\.\d{1,6}"
    r"|97[89][ -]?\d[\d -]{8,13}"
)
_KINDS = kinds_of("phone fax")
# "555-0123 office": behind a number they say whose it is, before one they say nothing.
_PLACES = kinds_of("place")

# Way of writing → share of such numbers that are telephones', from most to least telling. First that matches counts.
_WAYS = (
    (r"\(?\+\d", 0.97),
    (r"\(?0?\d{1,4}\) ?[\d -]", 0.85),
    (r"(?:001|011|1)[-. ]\d{3}[-. ]\d{3}[-. ]\d{4}$", 0.85),
    (r"\d{3}[-.]\d{3}[-.]\d{4}$", 0.8),
    (r"00\d{1,3}[ /-]", 0.75),
    (r"\d{3} \d{3} \d{4}$", 0.45),
    (r"0\d{1,4}[ /-]\d", 0.65),
    (r"\d{3}-\d{4}$", 0.5),
    (r"\d{1,5}(?:[ -]\d{2,5}){2,5}$", 0.25),
    (r"\d{2,5}[ /-]\d{3,8}$", 0.15),
    (r"\d{2} \d{2} \d{2}$", 0.05),
    (r"0\d{8,10}$", 0.2),
    (r"\d{10,11}$", 0.06),
)
_WAY = re.compile("|".join(f"({way})" for way, _ in _WAYS))
_OTHER_WAY = 0.02
# Between these the numbering plans are asked.
_OPEN = (0.05, 0.7)
# Of numbers that are telephones' nearly all are in the plan; of others that look so, one in five.
RATIO_IN_PLAN, RATIO_NOT_IN_PLAN = 4.0, 0.6
# A line of nothing but a number, in a text of several lines, is one of a letterhead, a card or a form.
RATIO_OWN_LINE = 6.0
RATIO_EXTENSION = 5.0
# Words that say so much need no numbering plan.
_RATIO_TELLING = 100.0


@dataclass
class _Plans:
    """Asks the numbering plans, so often and no oftener."""

    region: str
    left: int = LOOKUPS_MAX

    def ratio(self, value: str) -> float:
        if self.left <= 0:
            return 1.0
        self.left -= 1
        import phonenumbers

        try:
            number = phonenumbers.parse(value, self.region)
        except phonenumbers.NumberParseException:
            return RATIO_NOT_IN_PLAN
        return RATIO_IN_PLAN if phonenumbers.is_valid_number(number) else RATIO_NOT_IN_PLAN


def phones(text: str, words: Words, region: str) -> Iterator[Span]:
    """Telephone and fax numbers; `region` (ISO 3166) reads those that carry no country code."""
    plans = _Plans(region)
    left = CANDIDATES_MAX
    for run in _RUN.finditer(text):
        if left <= 0:
            # A flood: what was not looked at counts as one.
            yield Span("PHONE", *run.span(), _UNEXAMINED_SCORE)
            continue
        for start, end in _candidates(text, run):
            left -= 1
            span = _span(text, words, start, end, run, plans)
            if span:
                yield span
                break


def _candidates(text: str, run: re.Match[str]) -> Iterator[tuple[int, int]]:
    """The whole run, then less of it at either end: its first or last groups may belong to something else."""
    start, end = run.start(), run.start("extension") if run["extension"] else run.end()
    yield start, end
    if " " in run.group():
        spaces = [place for place in range(start, end) if text[place] == " "]
        for place in spaces[: -GROUPS_DROPPED_MAX - 1 : -1]:
            yield start, place
        for place in spaces[:GROUPS_DROPPED_MAX]:
            yield place + 1, end


def _span(text: str, words: Words, start: int, end: int, run: re.Match[str], plans: _Plans) -> Span | None:
    value = text[start:end].rstrip(" ()./-")
    end = start + len(value)
    if not DIGITS_MIN <= len(_SIGNS.sub("", value)) <= DIGITS_MAX or value[0] in " )./-":
        return None
    way = _WAY.match(value)
    prior = _WAYS[way.lastindex - 1][1] if way and way.lastindex else _OTHER_WAY
    near = words.beside(start, end)
    ratio = near.ratio(_KINDS)
    if not _PLACES.isdisjoint(near.behind) and ratio >= 1:
        ratio = max(ratio, RATIO_BEHIND)
    if _own_line(text, start, run.end()):
        ratio *= RATIO_OWN_LINE
    if run["extension"] and end == run.start("extension"):
        end, ratio = run.end(), ratio * RATIO_EXTENSION
    if probability(prior, 1.0, ratio * RATIO_IN_PLAN) < THRESHOLD or _NOT_ONE.fullmatch(value):
        return None
    if _OPEN[0] <= prior <= _OPEN[1] and ratio < _RATIO_TELLING:
        ratio *= plans.ratio(value)
    score = probability(prior, 1.0, ratio)
    return Span(_type(near), start, end, score) if score >= THRESHOLD else None


def _own_line(text: str, start: int, end: int) -> bool:
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", end)
    whole = line_start == 0 and line_end < 0
    return (
        not whole
        and not text[line_start:start].strip()
        and not text[end : line_end if line_end >= 0 else len(text)].strip()
    )


def _type(near: Beside) -> str:
    """A fax where that word is nearer than any of telephones."""
    fax = min((where["fax"] for where in (near.behind, near.before) if "fax" in where), default=None)
    phone = min((where["phone"] for where in (near.behind, near.before) if "phone" in where), default=None)
    return "FAX" if fax is not None and (phone is None or fax < phone) else "PHONE"
