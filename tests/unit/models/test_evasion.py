"""A value in disguise is found as the plain one is: twenty ways to write it otherwise, each over several values."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable
from urllib.parse import quote

import pytest

from models.detect.patterns import scan

VALUES = {
    "CREDIT_CARD": "4111 1111 1111 1111",
    "IBAN": "DE89 3704 0044 0532 0130 00",
    "US_SSN": "536-22-1234",
    "EMAIL": "ann.lee@example.org",
    "PHONE": "+1 617 555 0123",
}
DIGIT_WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
CYRILLIC = str.maketrans("aeocpxyAEOCPTHKMBX", "аеосрхуАЕОСРТНКМВХ")
GREEK = str.maketrans("ovaAEOPTHKMBXZIN", "οναΑΕΟΡΤΗΚΜΒΧΖΙΝ")


def shifted(first: int, letters: int | None = None, small: int | None = None) -> Callable[[str], str]:
    """Digits, and where there are some capitals and small letters, from another block."""

    def disguise(value: str) -> str:
        return "".join(
            chr(first + int(sign))
            if sign.isdigit()
            else chr(letters + ord(sign) - 65)
            if letters and "A" <= sign <= "Z"
            else chr(small + ord(sign) - 97)
            if small and "a" <= sign <= "z"
            else sign
            for sign in value
        )

    return disguise


def between(sign: str) -> Callable[[str], str]:
    return lambda value: sign.join(value)


def somewhere(signs: str) -> Callable[[str], str]:
    chance = random.Random(3)
    return lambda value: "".join(
        sign + (chance.choice(signs) if chance.random() < 0.4 else "") for sign in value
    )


MUTATIONS: dict[str, Callable[[str], str]] = {
    "full-width": shifted(0xFF10, 0xFF21, 0xFF41),
    "mathematical bold": shifted(0x1D7CE, 0x1D400, 0x1D41A),
    "double-struck": shifted(0x1D7D8),
    "monospace": shifted(0x1D7F6, 0x1D670, 0x1D68A),
    "Arabic-Indic digits": shifted(0x660),
    "Devanagari digits": shifted(0x966),
    "Cyrillic look-alikes": lambda value: value.translate(CYRILLIC),
    "Greek look-alikes": lambda value: value.translate(GREEK),
    "zero-width space": between("\u200b"),
    "zero-width joiner": somewhere("\u200c\u200d\u2060\ufeff"),
    "soft hyphen": somewhere("\u00ad"),
    "direction marks": somewhere("\u200e\u200f\u202a\u202c\u2066\u2069"),
    "variation selectors": somewhere("\ufe0e\ufe0f"),
    "combining marks": somewhere("\u0300\u0336\u0489"),
    "no-break and thin spaces": lambda value: value.replace(" ", "\u2009").replace("-", "\u2011"),
    "dashes and dots": lambda value: (
        value.replace("-", "\u2013").replace(".", "\uff0e").replace("@", "\uff20")
    ),
    "percent": lambda value: "".join(f"%{ord(sign):02X}" for sign in value),
    "percent where needed": lambda value: quote(value, safe=""),
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64 for addresses": lambda value: base64.urlsafe_b64encode(value.encode()).decode().rstrip("="),
    "character references": lambda value: "".join(f"&#{ord(sign)};" for sign in value),
    "references in hexadecimal": lambda value: "".join(f"&#x{ord(sign):x};" for sign in value),
    "JSON escapes": lambda value: "".join(f"\\u{ord(sign):04x}" for sign in value),
    "invisible tags": lambda value: "".join(chr(0xE0000 + ord(sign)) for sign in value),
    "nulls": between("\x00"),
}


@pytest.mark.proves("detection")
@pytest.mark.parametrize("mutation", MUTATIONS)
@pytest.mark.parametrize("kind", VALUES)
def test_a_disguised_value_is_found_whole(kind: str, mutation: str) -> None:
    plain = VALUES[kind]
    disguised = MUTATIONS[mutation](plain)
    text = f"here it is: {disguised} \nplease keep it"
    start = text.index(disguised)
    spans = [span for span in scan(text) if span.start <= start + 2]
    # What is invisible, or padding, behind the last sign belongs to nobody.
    end = start + len(
        disguised.rstrip(
            "=\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f\u202a\u202c\u2066\u2069\ufe0e\ufe0f\u0300\u0336\u0489"
        )
    )
    assert [(span.type, span.end >= end) for span in spans if span.start >= start][:1] == [(kind, True)]


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (
            "my card is four one double one, double one double one, one one one one, one one one one",
            "CREDIT_CARD",
        ),
        ("my card is 4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "CREDIT_CARD"),
        ("my card is 4-1-1-1-1-1-1-1-1-1-1-1-1-1-1-1", "CREDIT_CARD"),
        ("my card is 4 | 1 | 1 | 1 | 1 | 1 | 1 | 1 | 1 | 1 | 1 | 1 | 1 | 1 | 1 | 1", "CREDIT_CARD"),
        ("4*1*1*1*1*1*1*1*1*1*1*1*1*1*1*1", "CREDIT_CARD"),
        ("card 41 11 11 11 11 11 11 11", "CREDIT_CARD"),
        *(
            (f"my card {sign.join('4111111111111111')}", "CREDIT_CARD")
            for sign in ("--", " -- ", "...", "  ", "\n", "、")
        ),
        ("my card 4→1→1→1→1→1→1→1→1→1→1→1→1→1→1→1", "CREDIT_CARD"),
        ("my card 4-1_1-1 1-1_1-1 1-1_1-1 1-1_1-1", "CREDIT_CARD"),
        ("my card.4-1-1-1-1-1-1-1-1-1-1-1-1-1-1-1", "CREDIT_CARD"),
        ("my card 4 1 1 1 1 1 1 1 1 1 1 1 1 1 11", "CREDIT_CARD"),
        ("social security five three six, two two, one two three four", "US_SSN"),
        ("call me on six one seven five five five oh one two three", "PHONE"),
        ("call me on oh two oh seven nine four six oh nine five eight", "PHONE"),
        ("it is ann dot lee at example dot org", "EMAIL"),
        ("it is ann.lee (at) example (dot) org", "EMAIL"),
        ("it is ann.lee[at]example[dot]org", "EMAIL"),
        ("it is ann @ example.org", "EMAIL"),
        ("la mail e ann punto lee chiocciola example punto it", "EMAIL"),
        ("adres to ann malpa example kropka org", "EMAIL"),
        (
            "to d e eight nine three seven oh four double oh double four oh five three two oh one three triple oh",
            "IBAN",
        ),
        ("il telefono e tre sette zero nove cinque uno cinque nove tre nove e basta", "PHONE"),
        (
            "meine Karte ist vier eins eins eins eins eins eins eins eins eins eins eins eins eins eins eins",
            "CREDIT_CARD",
        ),
    ],
)
def test_a_spoken_or_spelled_value_is_found(said: str, kind: str) -> None:
    assert kind in [span.type for span in scan(said)]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("What are your opening hours? 4111 1111 1111 1111", "CREDIT_CARD"),
        ("My order came late. 536-22-1234", "US_SSN"),
        ("Are there rooms on Saturday! 617-555-0123", "PHONE"),
        ("Where is order 7731? 4111 1111 1111 1111", "CREDIT_CARD"),
    ],
)
def test_a_word_of_trade_excuses_nothing_in_the_next_sentence(text: str, kind: str) -> None:
    assert [span.type for span in scan(text)] == [kind]


def test_a_word_of_trade_excuses_a_number_unless_all_forms_are_asked_for() -> None:
    text = "opening hours 4111 1111 1111 1111, order no. 617-555-0123"
    assert scan(text) == []
    assert [span.type for span in scan(text, trade=False)] == ["CREDIT_CARD", "PHONE"]
