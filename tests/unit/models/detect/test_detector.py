"""The detector with a tagger of the test's own: spans of the text as given, labels, and that nothing fails silently."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from models.detect.detector import GROWTH_MAX, ROWS_MAX, Detector, Finding, ScanUnusable
from models.detect.label import Label
from models.detect.spans import Span
from models.detect.tagger import Floats, Passed, Tagged

TOKENS_MAX = 64
TOKEN = re.compile(r"[A-Za-z]+|[^\w\s]|\w")


def tagged(text: str) -> Tagged:
    """A token's score: does it begin with a capital, inside of the text?"""
    found = list(TOKEN.finditer(text))[:TOKENS_MAX]
    offsets = np.array([match.span() for match in found], np.int32).reshape(-1, 2)
    scores = [[float(match[0][0].isupper() and match.start() > 0)] for match in found]
    return Tagged(offsets, np.array(scores, np.float32).reshape(-1, 1))


class CapitalTagger:
    """Reads TOKENS_MAX tokens, as an encoder does; remembers what it was asked."""

    complete = True

    def __init__(self) -> None:
        self.asked: list[int] = []

    def tag(self, texts: Sequence[str]) -> list[Passed]:
        self.asked.append(len(texts))
        return [
            Passed(np.ones(4, np.float32), tagged(text), len(TOKEN.findall(text)) > TOKENS_MAX)
            for text in texts
        ]


def decode(text: str, found: Tagged) -> list[Span]:
    assert (found.offsets[:, 1] <= len(text)).all()
    rows = zip(found.offsets.tolist(), found.scores[:, 0].tolist(), strict=True)
    return [Span("PERSON", start, end, 0.8) for (start, end), score in rows if score]


class Words:
    """Special is what speaks of a ward, or with an embedding of a bed."""

    def is_special(self, text: str, embedding: Floats | None = None) -> bool:
        return "ward" in text or (embedding is not None and "bed" in text)


def detector(tagger: CapitalTagger | None = None) -> Detector:
    return Detector("US", tagger or CapitalTagger(), Words(), decode)


def told(text: str, found: Finding) -> list[tuple[str, str]]:
    return [(span.type, text[span.start : span.end]) for span in found.spans]


@pytest.mark.proves("detection")
def test_tokens_and_forms_together() -> None:
    text = "this is Ann, call 617-555-0123"
    (found,) = detector().scan([text])
    assert told(text, found) == [("PERSON", "Ann"), ("PHONE", "617-555-0123")]
    assert (found.label, found.complete, found.types) == (Label.PERSONAL, True, ["PERSON", "PHONE"])
    assert found.redacted(text) == "this is [PERSON], call [PHONE]"


@pytest.mark.proves("detection")
@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("when do you open", Label.PUBLIC),
        ("", Label.PUBLIC),
        ("the ward is full", Label.SPECIAL),
        ("there is a bed", Label.SPECIAL),
        ("so it was " * 200 + "there is a bed", Label.SPECIAL),
        ("it was on 3 March 2026", Label.INTERNAL),
        ("this is Ann", Label.PERSONAL),
    ],
)
def test_labels(text: str, label: Label) -> None:
    assert detector().scan([text])[0].label is label


def test_long_texts_are_read_to_the_end_some_rows_at_a_time() -> None:
    tagger = CapitalTagger()
    text = "so it was that Ann came by and " * 2_000
    (found,) = detector(tagger).scan([text])
    assert len(found.spans) == 2_000
    assert max(tagger.asked) <= ROWS_MAX
    assert sum(tagger.asked) > ROWS_MAX


@pytest.mark.parametrize("text", ["§ " * 290 + "Ann is here", "§" * 900 + " Ann " + "§" * 300])
def test_a_row_of_more_tokens_than_are_read_is_halved(text: str) -> None:
    (found,) = detector().scan([text])
    assert told(text, found) == [("PERSON", "Ann")]


def test_a_pass_that_was_made_already_is_used() -> None:
    text = "my name is Ann"
    asked = f"What about Monday? {text}"
    part = tagged(asked).within(len(asked) - len(text), len(asked), 0)
    found = detector().of_pass(text, part, np.ones(4, np.float32))
    assert told(text, found) == [("PERSON", "Ann")]
    assert found == detector().scan([text])[0]


@pytest.mark.proves("detection")
def test_without_a_tagger_forms_are_found_and_nothing_counts_as_public() -> None:
    for one in (Detector("US"), Detector("US", CapitalTagger())):
        text = "this is Ann, call 617-555-0123"
        clean, found = one.scan(["when do you open", text])
        assert told(text, found) == [("PHONE", "617-555-0123")]
        assert (clean.spans, clean.label, clean.complete) == ((), Label.PERSONAL, False)
        assert not found.complete
        assert not one.complete
    assert detector().complete


def test_forms_alone_are_not_complete() -> None:
    assert detector().of_forms("when do you open") == Finding((), Label.PERSONAL, complete=False)
    assert detector().of_forms("the ward is full").label is Label.SPECIAL


CIRCLED = str.maketrans({chr(code): chr(0x24D0 + code - ord("a")) for code in range(ord("a"), ord("z") + 1)})
CIRCLED |= str.maketrans({chr(code): chr(0x24B6 + code - ord("A")) for code in range(ord("A"), ord("Z") + 1)})
DISGUISES = {
    "circled": lambda text: text.translate(CIRCLED),
    "references": lambda text: "".join(f"&#{ord(sign)};" for sign in text),
    "tags": lambda text: "".join(chr(0xE0000 + ord(sign)) for sign in text),
    "percent": lambda text: "".join(f"%{ord(sign):02X}" for sign in text),
    "zero width": "\u200b".join,
    "struck": lambda text: "".join(sign + "\u0336" for sign in text),
}


@pytest.mark.parametrize("disguise", DISGUISES.values(), ids=DISGUISES)
@pytest.mark.parametrize(
    ("words", "label"), [("Ann", Label.PERSONAL), ("ward", Label.SPECIAL), ("bed", Label.SPECIAL)]
)
def test_words_in_disguise_are_read(disguise: Callable[[str], str], words: str, label: Label) -> None:
    """The tagger of this test reads ASCII alone, as the vocabulary of an encoder nearly does."""
    worn = disguise(words)
    text = f"so it is {worn} here"
    one = detector()
    (found,) = one.scan([text])
    assert (found.label, found.complete) == (label, True)
    assert one.of_forms(text).label is (
        Label.PERSONAL if words == "Ann" else one.of_forms(f"so it is {words}").label
    )
    if words == "Ann":
        assert told(text, found) == [("PERSON", worn.rstrip("\u0336"))]


def test_a_long_disguise_is_read_to_its_end() -> None:
    text = DISGUISES["references"]("so it was that Ann came by and " * 60)
    (found,) = detector().scan([text])
    assert (len(found.spans), found.complete) == (60, True)


ORDINARY = [
    "when do you open", "“Don’t”, she said – it’s 5 °C… isn’t it?", "M\u00fcller", "Mu\u0308ller",
    "caf\u00e9 \U0001f44d\U0001f3fd \u2764\ufe0f", "\ufeffa\u00a0b\u202f5\u00a0%", "2 × 2ª 3º 5 µm ½ x² Ilk\u0131n ™",
    "call six one seven, five five five", "at example dot org", "R&D; A&amp;B; appointments-and-so-on",
]  # fmt: skip


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_is_one_row(text: str) -> None:
    assert [part.row for part in detector().parts(text)] == [text]


@pytest.mark.parametrize(("plain", "rows"), [(15, 2), (14, 2), (13, 1)])
def test_a_disguise_that_grows_too_much_is_not_read(plain: int, rows: int) -> None:
    """Three ligatures of 18 letters are as many times 17 characters as is read; with 13 plain ones it is more."""
    text = "\ufdfa" * 3 + "x" * plain
    assert (54 + plain <= GROWTH_MAX * (3 + plain)) is (rows == 2)
    one = detector()
    (found,) = one.scan([text])
    assert (len(one.parts(text)), found.complete) == (rows, rows == 2)


def test_a_pass_of_a_disguise_alone_is_not_complete() -> None:
    text = DISGUISES["circled"]("the ward")
    found = detector().of_pass(text, tagged(text), np.ones(4, np.float32))
    assert (found.label, found.complete) == (Label.SPECIAL, False)


def test_a_reading_that_was_left_out_is_no_finding() -> None:
    one, text = detector(), DISGUISES["references"]("so it was that Ann came by and " * 60)
    found = one.scan_parts(one.parts(text))
    with pytest.raises(ScanUnusable):
        one.finding(text, found[:-1])


def test_a_tagger_that_tells_nothing_is_failing() -> None:
    one = detector(Broken([Passed(FINE, None)]))
    (found,) = one.scan(["one two"])
    assert (found.complete, one.complete, one.failing) == (False, True, True)
    one.of_pass("one two", tagged("one two"), FINE)
    assert not one.failing
    one.of_pass("one two", None, FINE)
    assert one.failing
    without = Detector("US", None, None, decode)
    without.scan(["one two"])
    assert not without.failing  # it was never to have one


def test_what_another_encoder_says_means_nothing() -> None:
    """Without a tagger the pass is another encoder's: special is by words alone."""
    without = detector().of_pass("there is a bed", None, np.ones(4, np.float32))
    assert (without.label, without.complete) == (Label.PERSONAL, False)
    assert detector().of_pass("the ward is full", None, np.ones(4, np.float32)).label is Label.SPECIAL
    assert Detector("US", None, Words()).scan(["the ward is full"])[0].label is Label.SPECIAL
    detector().warm()


class Broken(CapitalTagger):
    """Returns what a test says."""

    def __init__(self, passes: list[Passed]) -> None:
        super().__init__()
        self.passes = passes

    def tag(self, texts: Sequence[str]) -> list[Passed]:
        return self.passes


FINE = np.ones(4, np.float32)
NOT_A_NUMBER = np.array([np.nan, 1, 1, 1], np.float32)


@pytest.mark.proves("detection")
@pytest.mark.parametrize(
    "passes",
    [
        [],
        [Passed(FINE, tagged("one two"))] * 2,
        [Passed(NOT_A_NUMBER, tagged("one two"))],
        [Passed(FINE, Tagged(np.zeros((1, 2), np.int32), np.full((1, 1), np.nan, np.float32)))],
        [Passed(FINE, Tagged(np.zeros((2, 2), np.int32), np.zeros((1, 1), np.float32)))],
    ],
    ids=["nothing", "too many", "embedding", "scores", "rows"],
)
def test_garbage_is_no_finding(passes: list[Passed]) -> None:
    with pytest.raises(ScanUnusable) as raised:
        detector(Broken(passes)).scan(["one two"])
    assert "one two" not in str(raised.value)


@pytest.mark.parametrize("span", [Span("PERSON", 3, 99, 0.9), Span("PERSON", -1, 2, 0.9)])
def test_a_span_outside_the_text_is_no_finding(span: Span) -> None:
    with pytest.raises(ScanUnusable):
        Detector("US", CapitalTagger(), None, lambda *_: [span]).scan(["one two"])


def test_a_part_that_was_left_out_is_no_finding() -> None:
    one, text = detector(), "so it was that Ann came by and " * 100
    found = one.scan_parts(one.parts(text))
    assert len(one.finding(text, found).spans) == 100
    for rest in (found[1:], found[:-1], [*found[:2], *found[3:]], []):
        with pytest.raises(ScanUnusable):
            one.finding(text, rest)


def test_forms_alone_are_those_of_the_whole_and_no_word_is_special() -> None:
    detector = Detector("US", special=Everything())
    for text in ("Call 202-555-0187 about my diabetes.", "order 202-555-0187", "nothing"):
        for trade in (True, False):
            whole, alone = detector.of_forms(text, trade=trade), detector.forms(text, trade=trade)
            assert alone.spans == whole.spans
            assert (whole.label, alone.complete) == (Label.SPECIAL, False)
            assert alone.label is Label.PERSONAL


class Everything:
    """Every text is special."""

    def is_special(self, text: str, embedding: object = None) -> bool:
        return True
