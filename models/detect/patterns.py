"""Personal values that have a form: addresses of e-mail and networks, numbers with checksums, dates of birth.

A pattern proposes, a validator from a kept library (python-stdnum, phonenumbers, email-validator) decides where one
exists. Patterns have no nested quantifiers, so that their time grows linearly with the text. Pure: no I/O.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from models.detect.normalise import views
from models.detect.spans import Span, merge

# A checksum is evidence, not certainty: 1 in 10 random digit runs passes Luhn, 1 in 97 passes an IBAN's.
SCORE_FORM = 0.6
SCORE_CHECKSUM = 0.9
SCORE_UNMISTAKABLE = 0.99
PHONE_DIGITS_MIN = 7
# Words behind a spaced number that a pattern may take for its last groups.
TRAILING_WORDS_MAX = 3


@dataclass(frozen=True)
class _Pattern:
    type: str
    form: re.Pattern[str]
    score: float
    valid: Callable[[str], bool]
    needs: Callable[[str], bool]


def _always(_: str) -> bool:
    return True


def _has_digit(text: str) -> bool:
    return _DIGIT.search(text) is not None


def _has_at(text: str) -> bool:
    return "@" in text


def _has_link(text: str) -> bool:
    return "://" in text or "www." in text.lower()


def _has_colon(text: str) -> bool:
    return ":" in text


_DIGIT = re.compile(r"\d")
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}"
_BORN = re.compile(r"\b(?:born|birth|birthday|dob|d\.o\.b)\b", re.IGNORECASE)


def _email(value: str) -> bool:
    from email_validator import EmailNotValidError, validate_email

    try:
        validate_email(value, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return False
    return True


def _luhn(value: str) -> bool:
    from stdnum import luhn

    return luhn.is_valid(re.sub(r"[ -]", "", value))


def _iban(value: str) -> bool:
    from stdnum import iban

    return bool(iban.is_valid(value, check_country=False))


def _ssn(value: str) -> bool:
    from stdnum.us import ssn

    return bool(ssn.is_valid(value))


def _ip(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


_PATTERNS = (
    _Pattern(
        "EMAIL",
        re.compile(r"[\w.+'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}"),
        SCORE_UNMISTAKABLE,
        _email,
        _has_at,
    ),
    _Pattern("URL", re.compile(r"\b(?:https?://|www\.)[^\s<>\"']{3,}", re.I), SCORE_FORM, _always, _has_link),
    _Pattern(
        "IBAN",
        re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{2,4}){3,8}\b", re.I),
        SCORE_UNMISTAKABLE,
        _iban,
        _has_digit,
    ),
    _Pattern(
        "CREDIT_CARD",
        re.compile(r"(?<![\d.])(?:\d[ -]?){12,18}\d(?![\d.]\d)"),
        SCORE_CHECKSUM,
        _luhn,
        _has_digit,
    ),
    _Pattern("US_SSN", re.compile(r"(?<!\d)\d{3}[- ]\d{2}[- ]\d{4}(?!\d)"), SCORE_CHECKSUM, _ssn, _has_digit),
    _Pattern(
        "IP_ADDRESS",
        re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])"),
        SCORE_CHECKSUM,
        _ip,
        _has_digit,
    ),
    _Pattern(
        "MAC_ADDRESS",
        re.compile(r"\b(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}\b", re.I),
        SCORE_UNMISTAKABLE,
        _always,
        _has_colon,
    ),
)

_DATE = re.compile(
    r"(?<!\d)(?:\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{4}-\d{2}-\d{2}"
    rf"|\d{{1,2}}(?:st|nd|rd|th)? (?:of )?{_MONTH},? \d{{4}}"
    rf"|{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}})(?!\d)",
    re.IGNORECASE,
)
_PHONE_LIKE = re.compile(r"(?<![\w.])(?:\+|\(|\d)[\d ()./-]{5,20}\d(?![\w])")


def scan(text: str, *, region: str = "US") -> list[Span]:
    """The personal values with a form in `text`, disguised or not, in order, without overlaps.

    `region` (ISO 3166) reads phone numbers that carry no country code.
    """
    found: list[Span] = []
    for view in views(text):
        found += (
            Span(span.type, *view.original(span.start, span.end), span.score)
            for span in _scan(view.text, region)
        )
    return merge(found)


def _scan(text: str, region: str) -> Iterator[Span]:
    if _has_digit(text) or _has_at(text) or _has_link(text) or _has_colon(text):
        yield from _by_pattern(text)
        yield from _dates(text)
        yield from _phones(text, region)


def _by_pattern(text: str) -> Iterator[Span]:
    for pattern in _PATTERNS:
        if not pattern.needs(text):
            continue
        for match in pattern.form.finditer(text):
            length = _valid_length(match.group(), pattern.valid)
            if length:
                yield Span(pattern.type, match.start(), match.start() + length, pattern.score)


def _valid_length(value: str, valid: Callable[[str], bool]) -> int:
    """How much of `value` is valid from its start: a spaced number may have swallowed the words behind it."""
    for _ in range(TRAILING_WORDS_MAX + 1):
        if valid(value):
            return len(value)
        value = value.rpartition(" ")[0]
        if not value:
            break
    return 0


def _dates(text: str) -> Iterator[Span]:
    """Full dates; near a word of birth they are dates of birth."""
    birth = _BORN.search(text) is not None
    for match in _DATE.finditer(text):
        yield Span(
            "DATE_OF_BIRTH" if birth else "DATE",
            match.start(),
            match.end(),
            SCORE_CHECKSUM if birth else SCORE_FORM,
        )


def _phones(text: str, region: str) -> Iterator[Span]:
    """Digit runs that phonenumbers holds possible in `region` or with their own country code."""
    for match in _PHONE_LIKE.finditer(text):
        value = match.group()
        if sum(map(str.isdigit, value)) < PHONE_DIGITS_MIN:
            continue
        import phonenumbers

        try:
            number = phonenumbers.parse(value, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_possible_number(number):
            yield Span("PHONE", match.start(), match.end(), SCORE_FORM)
