"""What people tell of themselves in a form: dates of birth, ages, postcodes, user names, passwords. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from models.detect.forms.evidence import THRESHOLD, probability
from models.detect.forms.form import countries
from models.detect.forms.form import words as kinds_of
from models.detect.forms.words import Words
from models.detect.spans import Span

_MONTHS = (
    r"(?:jan(?:uar[yi]?|vier|eiro)?|feb(?:ruar[yi]?|braio)?|febrero|fevereiro|fevr(?:ier)?|mar(?:ch|s|zo|co)?|maerz|marz|maart"
    r"|apr(?:il|ile)?|avr(?:il)?|abril|may|mai|mayo|maio|maggio|mei|june?|juni|juin|junio|junho|giugno|july?|juli|juil(?:let)?"
    r"|julio|julho|luglio|aug(?:ust(?:us)?)?|aout|agosto|sep(?:t(?:ember|embre|iembre)?)?|setembro|settembre"
    r"|o[cku]t(?:ober|obre|ubre|ubro)?|ottobre|nov(?:ember|embre|iembre|embro)?|de[czs](?:ember|embre|embro)?|diciembre"
    r"|dicembre|enero|gennaio|stycznia|lutego|marca|kwietnia|maja|czerwca|lipca|sierpnia|wrzesnia|pazdziernika|listopada"
    r"|grudnia)"
)
_YEAR = r"(?:1[89]|20)\d\d"
DAY_HINT = r"[0-9](?:[./-]| | ?[./-] )[0-9]{1,2}(?:[./-]| | ?[./-] )[0-9]{2}"
_DAY = re.compile(
    r"(?<![\w.,/-])(?:"
    rf"(?P<first>\d{{1,2}})(?P<sign>[./-])(?P<second>\d{{1,2}})(?P=sign)(?:{_YEAR}|\d\d)"
    rf"|(?P<day>\d{{1,2}})(?P<apart> | ?[./-] )(?P<month>\d{{1,2}})(?P=apart){_YEAR}"
    rf"|{_YEAR}(?P<sign2>[./-])(?:0?[1-9]|1[0-2])(?P=sign2)(?:0?[1-9]|[12]\d|3[01]))(?![\w/-]|[.,]\d)"
)
MONTH_HINT = (
    r"(?i)\b(?:jan|feb|fev|ma[ieryj]|mag|mae|apr|avr|abr|ju[nil]|giu|lug|lu[t]|aug|aout|ago|se[pt]|o[ckut]t|nov|de[czs]|dic|ene"
    r"|gen|sty|kwi|cze|lip|sie|wrz|paz|lis|gru)"
)
_MONTH = re.compile(
    r"(?<![\w.,/-])(?:"
    rf"(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th|er|\.)?[ -](?:of |de |d')?{_MONTHS}\.?,?[ -](?:de )?(?:{_YEAR}|'\d\d)"
    rf"|{_MONTHS}\.? (?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?,? {_YEAR}"
    rf"|(?:[1-9]|[12]\d|3[01])(?:st|nd|rd|th)? of {_MONTHS}|{_MONTHS} (?:[1-9]|[12]\d|3[01])(?:st|nd|rd|th)"
    rf"|{_MONTHS} {_YEAR})(?![\w/-]|[.,]\d)",
    re.IGNORECASE,
)
_BIRTH = kinds_of("birth")
# A day that is written out is one; what of it is a birthday the words say.
_DATE_SCORE = 0.9
_BIRTH_PRIOR = 0.01
_DAY_MAX, _MONTH_MAX = 31, 12

AGE_HINT = (
    r"(?i)\bage[ds]?\b|[0-9] ?-?(?:y|jahre? alt|ans\b|anos\b|lat\b|jaar oud|anni\b)|\b(?:i am|i'm) [0-9]"
    r"|\b(?:alter|edad|wiek|eta|idade|leeftijd|turn(?:s|ed|ing)?)[^a-z]"
)
_AGE = re.compile(
    r"(?<![\w.,/$€£-])(?P<old>\d{1,3})"
    r"(?= ?-?(?:years?|yrs?|y)[- ]?(?:olds?|of age)\b| ?(?:yo|y/o)\b| jahre? alt\b| (?:ans|anos|lat|jaar oud|anni)\b)"
    r"|\b(?:age(?:d| of| is| was)?|alter|edad|wiek|eta|idade|leeftijd|turn(?:ed|ing|s)?|i am|i'm)[ :=\"]{1,3}"
    r"(?P<named>\d{1,3})(?![\w.,:/%-]?\w|[%°€$£])",
    re.IGNORECASE,
)
_AGE_MAX = 120
# Words in front of a bare number that name an age by themselves; "I am 12" may go on with minutes.
_AGE_SCORE, _AGE_LOOSE_SCORE = 0.95, 0.6

_STATES = (
    "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH"
    " OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY DC PR GU VI AE AP AA"
).replace(" ", "|")
POSTCODE_HINT = (
    r"[A-Z][0-9][A-Z0-9]? ?[0-9][A-Z]{2}|[A-Z][0-9][A-Z][ -]?[0-9][A-Z][0-9]|[A-Z]{2}[ ,][0-9]{5}"
    r"|[0-9]{5}-[0-9]{4}"
)
_POSTCODE = re.compile(
    rf"(?<![\w-])(?:(?P<us>(?<=\b(?:{_STATES})[ ,])\d{{5}}(?:-\d{{4}})?)"
    r"|(?P<gb>(?:[A-Z]{1,2}\d[A-Z\d]?|GIR) ?\d[ABD-HJLNP-UW-Z]{2})"
    r"|(?P<ca>[ABCEGHJ-NPRSTVXY]\d[ABCEGHJ-NPRSTV-Z][ -]?\d[ABCEGHJ-NPRSTV-Z]\d)"
    r"|(?P<plus>\d{5}-\d{4}))(?![\w-]|[.,]\d)"
)
_POSTCODE_SCORES = {"us": 0.9, "gb": 0.7, "ca": 0.8, "plus": 0.6}
_POSTCODE_NAMED = re.compile(
    r"\b(?:zip(?: ?code)?|post(?:al)? ?code|plz|postleitzahl|codigo postal|cp)\b[^\w\n]{0,4}(?:(?:is|ist|est|es|of) )?"
    r"(?P<value>[0-9]{4,6}(?:-[0-9]{4})?|[0-9]{3} [0-9]{2}|[0-9]{4} ?[A-Z]{2}|[A-Z0-9]{2,4} ?[0-9][A-Z0-9]{2})(?!\w)",
    re.IGNORECASE,
)
POSTCODE_NAMED_HINT = r"(?i)\b(?:zip|post(?:al|code|leit)|post code|plz|cp\b|codigo)"
_POSTCODE_NAMED_SCORE = 0.95
# "Lindenweg 4, 10115 Berlin": behind a comma or at the beginning of a line, before a town's name.
TOWN_HINT = r"[0-9]{4} [A-Z][a-z\x{df}-\x{fc}]{2}"
_POSTCODE_TOWN = re.compile(
    r"(?:, |\n|\A|- |\bin )(?P<value>[0-9]{5}|[A-Z]{1,2}-[0-9]{4,5})(?= [A-Z][a-zß-ü]{2,})"
)
_POSTCODE_TOWN_SCORE = 0.7
_TOWN_BEHIND = countries("DE FR ES IT AT CH BE NL DK SE NO FI PL CZ PT")

CREDENTIAL_HINT = (
    r"(?i)\b(?:pass ?(?:w|c|phrase)|user|log-?in\b|pin\b|kennwort|contrasena|mot de passe|benutzer|identifiant|usuario"
    r"|clave|wachtwoord|haslo|pwd|secret|screen name|handle)"
)
_SECRET = re.compile(
    r"\b(?:(?P<password>pass ?(?:word|code|phrase|wort)s?|pwd|kennwort|contrasena|mot de passe|clave|wachtwoord|haslo"
    r"|pin(?: ?code| number)?|secret(?: answer| code)?)"
    r"|(?P<username>user(?: ?name| ?id)|log-?in(?: name| id)?|screen name|handle|benutzer(?:name)?|identifiant"
    r"|(?:nombre de )?usuario|user(?==)))"
    r"(?P<said>(?:,? which)? (?:is|was|ist|est|es|war|to|=)(?: now| set to| called)?:? |'s |\"? ?[:=] ?"
    r"| (?=\d{4,8}\b)| (?=[\w.-]{0,40}[0-9._!$#&]))"
    r"(?P<quote>[\"'`]?)(?P<value>[^\s\"'`,;<>]{3,64})",
    re.IGNORECASE,
)
# What follows "my password is" when it is not told.
_NOT_A_SECRET = re.compile(
    r"(?:not|no|wrong|incorrect|invalid|expired|blocked|locked|lost|forgotten|the|too|being|still|correct|never|always|already|required"
    r"|stolen|out|in|a|an|my|your|it|that|what|for|on|or|and|also|only|case|weak|strong|reset|changed|unknown|missing|please|nicht"
    r"|yes|login|user(?:name)?|password|falsch|abgelaufen|gesperrt|vergessen|incorrecto|oubli[e]?|null|none|true|false)\W*",
    re.IGNORECASE,
)
_SECRET_SCORE = 0.9
_SECRET_PLAIN_SCORE = 0.55


def days(text: str, words: Words) -> Iterator[Span]:
    """Days in digits; beside a word of birth they are dates of birth."""
    for match in _DAY.finditer(text):
        first, second = match["first"] or match["day"], match["second"] or match["month"]
        if first is None or _is_day(int(first), int(second)):
            yield _day(words, match)


def months(text: str, words: Words) -> Iterator[Span]:
    """Days and months with the month's name."""
    for match in _MONTH.finditer(text):
        yield _day(words, match)


def _day(words: Words, match: re.Match[str]) -> Span:
    if _BIRTH.isdisjoint(words.kinds):
        return Span("DATE", match.start(), match.end(), _DATE_SCORE)
    born = probability(_BIRTH_PRIOR, 1.0, words.beside(*match.span()).ratio(_BIRTH))
    kind, score = ("DATE_OF_BIRTH", born) if born >= THRESHOLD else ("DATE", _DATE_SCORE)
    return Span(kind, *match.span(), score)


def _is_day(first: int, second: int) -> bool:
    return 1 <= min(first, second) <= _MONTH_MAX and 1 <= max(first, second) <= _DAY_MAX


def ages(text: str) -> Iterator[Span]:
    """Ages of people: the number alone."""
    for match in _AGE.finditer(text):
        kind = "old" if match["old"] else "named"
        if int(match[kind]) <= _AGE_MAX:
            sure = kind == "old" or match.group()[:2].lower() != "i "
            yield Span("AGE", *match.span(kind), _AGE_SCORE if sure else _AGE_LOOSE_SCORE)


def postcodes(text: str) -> Iterator[Span]:
    """Postcodes whose form tells them: of Britain, Canada, and of the United States behind a state."""
    for match in _POSTCODE.finditer(text):
        yield Span("ADDRESS", *match.span(), _POSTCODE_SCORES[match.lastgroup or "plus"])


def named_postcodes(text: str) -> Iterator[Span]:
    """Postcodes behind the word."""
    for match in _POSTCODE_NAMED.finditer(text):
        yield Span("ADDRESS", *match.span("value"), _POSTCODE_NAMED_SCORE)


def postcodes_of_towns(text: str, region: str) -> Iterator[Span]:
    """Postcodes before a town's name, where they are written so."""
    if region in _TOWN_BEHIND:
        for match in _POSTCODE_TOWN.finditer(text):
            yield Span("ADDRESS", *match.span("value"), _POSTCODE_TOWN_SCORE)


def credentials(text: str) -> Iterator[Span]:
    """User names and passwords behind their words."""
    for match in _SECRET.finditer(text):
        value = match["value"].rstrip(".,?):")
        told = ":" in match["said"] or "=" in match["said"] or match["quote"]
        plain = value.isalpha() and value.islower()
        if (
            len(value) < 3
            or _NOT_A_SECRET.fullmatch(value)
            or (plain and not told and match["username"] is None and not _last(text, match))
        ):
            continue
        start = match.start("value")
        kind = "PASSWORD" if match["password"] else "USERNAME"
        yield Span(kind, start, start + len(value), _SECRET_PLAIN_SCORE if plain else _SECRET_SCORE)


def _last(text: str, match: re.Match[str]) -> bool:
    """Nothing of the sentence follows: "my password is swordfish."."""
    return not text[match.end() :][:1].strip(" ") and not text[match.end() :][1:2].isalpha()
