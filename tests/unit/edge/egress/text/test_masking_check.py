"""A value that was found is hidden wherever it stands, in one pass; an ordinary word is not."""

from __future__ import annotations

import random

import pytest

from edge.egress.text import masking_check
from edge.egress.text.masking_check import Hidden, hide, still_holds, without
from edge.privacy.pseudonyms.codebook import TOKENS_MAX
from edge.privacy.pseudonyms.errors import CannotMask
from models.detect.detector import Finding
from models.detect.label import Label
from models.detect.spans import Span

TYPES = frozenset({"PERSON", "PASSWORD", "PHONE", "OTHER_ID"})


def hidden(type_: str, value: str, text: str) -> Hidden:
    """`value` found in a text of its own, looked for in `text`."""
    finding = Finding((Span(type_, 0, len(value), 0.9),), Label.PERSONAL, complete=True)
    return hide([value, text], [finding, Finding((), Label.PUBLIC, complete=True)], TYPES)


def places(type_: str, value: str, text: str) -> list[str]:
    found = hidden(type_, value, text)
    kept = without(text, found.spans[1])
    assert not still_holds(kept, found.values)
    return [text[span.start : span.end] for span in found.spans[1]]


@pytest.mark.parametrize(
    ("type_", "value", "text", "expected"),
    [
        ("PERSON", "Anna Miller", "ANNA  miller; Anna Millerton, Joanna Miller", ["ANNA  miller"]),
        ("PERSON", "Will", "Will will do it if he will. Will's wife won't.", ["Will", "Will"]),
        ("PERSON", "May", "May I come in may or on a MAY day?", ["May", "MAY"]),
        ("PERSON", "will", "if you will ask will", []),
        ("PERSON", "王小明", "王小明 is here", ["王小明"]),
        ("PASSWORD", "secret", "My Secret is secret", ["Secret", "secret"]),
        ("PHONE", "+44 20 7946 0958", "at +44 20 79460958 or +44 20 7946  0958.", ["+44 20 7946  0958"]),
        ("OTHER_ID", "a.b@c", "A.B@C and xa.b@c", ["A.B@C"]),
        ("PERSON", "Straße", "STRASSE", ["STRASSE"]),
        ("PERSON", "Li", "Li and Li", []),
    ],
)
def test_where_a_value_stands(type_: str, value: str, text: str, expected: list[str]) -> None:
    assert places(type_, value, text) == expected


def test_the_longer_value_goes_before_its_parts_and_none_covers_another() -> None:
    text = "Anna Miller Smith, Anna Miller, Miller."
    spans = (Span("PERSON", 0, 17, 0.9), Span("PERSON", 19, 30, 0.9), Span("PERSON", 32, 38, 0.9))
    found = hide([text, text], [Finding(spans, Label.PERSONAL), Finding(spans[2:], Label.PERSONAL)], TYPES)
    assert [(span.start, span.end) for span in found.spans[1]] == [(0, 17), (19, 30), (32, 38)]


def test_of_a_value_that_is_found_by_half_the_whole_is_hidden() -> None:
    """As of a name that stands in two parts of a request; and of two values that overlap, both."""
    texts = ["Anna Kellingthorpe", "Kellingthorpe Marsh", "Anna Kellingthorpe Marsh, Anna Kellingthorpe"]
    findings = [Finding((Span("PERSON", 0, len(text), 0.9),), Label.PERSONAL) for text in texts[:2]]
    half = Finding((Span("PERSON", 0, 4, 0.9), Span("PERSON", 26, 30, 0.9)), Label.PERSONAL)
    found = hide(texts, [*findings, half], TYPES)
    assert [(span.start, span.end) for span in found.spans[2]] == [(0, 24), (26, 44)]


def test_of_too_many_values_nothing_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def text_of(count: int) -> tuple[str, Finding]:
        words = [f"x{number:05}" for number in range(count)]
        spans = tuple(Span("OTHER_ID", at * 7, at * 7 + 6, 0.9) for at in range(count))
        return " ".join(words), Finding(spans, Label.PERSONAL, complete=True)

    text, finding = text_of(TOKENS_MAX)
    assert len(hide([text], [finding], TYPES).spans[0]) == TOKENS_MAX
    calls: list[str] = []
    monkeypatch.setattr(masking_check, "spread", lambda *_: calls.append("spread"))
    text, finding = text_of(TOKENS_MAX + 1)
    with pytest.raises(CannotMask):
        hide([text], [finding], TYPES)
    assert calls == []


def test_a_text_is_read_once_however_many_values_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    class Tokens:
        """Counts the texts that are gone through."""

        def finditer(self, text: str) -> object:
            read.append(text)
            return pattern.finditer(text)

        def findall(self, text: str) -> list[str]:
            return pattern.findall(text)

    pattern = masking_check._TOKEN
    monkeypatch.setattr(masking_check, "_TOKEN", Tokens())
    text = " ".join(f"x{number:05}" for number in range(300))
    spans = tuple(Span("OTHER_ID", at * 7, at * 7 + 6, 0.9) for at in range(300))
    found = hide([text], [Finding(spans, Label.PERSONAL, complete=True)], TYPES)
    assert read == [text]
    assert not still_holds("nothing of it", found.values)
    assert read == [text, "nothing of it"]


WORDS = ("Omar", "omar", "Hassan", "Straße", "STRASSE", "İ", "0", "1", "a", "_", "-", ".", "ß", "Omarx", "é")
SEPARATORS = ("", " ", "  ", "\n", "-", "_")


def test_values_that_are_few_are_found_where_all_words_would_be_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of random texts: by looking for first words alone, and by cutting the whole text."""
    chance = random.Random(1)

    def text_of(words: int) -> str:
        return "".join(chance.choice(WORDS) + chance.choice(SEPARATORS) for _ in range(words))

    found = 0
    for _ in range(300):
        said, text = [text_of(chance.randint(1, 3)) for _ in range(4)], text_of(chance.randint(0, 30))
        spans = [[Span(chance.choice(("PERSON", "OTHER_ID")), 0, len(value), 0.9)] for value in said]
        values = masking_check.looked_for(said, spans)
        few = set(masking_check.standing(text, values))
        with monkeypatch.context() as patched:
            patched.setattr(masking_check, "FEW_VALUES", -1)
            assert few == set(masking_check.standing(text, values))
        found += len(few)
    assert found > 100
