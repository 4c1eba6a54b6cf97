"""The scan of a turn: spans are those of the question as it was given, whatever text the pass has read."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pytest

from edge.chat.answers import asking, followups
from edge.chat.clock import Clock
from edge.chat.turn_scan import Asked, TurnScan
from models.detect.detector import Detector, Finding
from models.detect.label import Label
from models.detect.spans import Span
from models.detect.tagger import Passed, Tagged

TOKENS_MAX = 254
TOKEN = re.compile(r"\w+|[^\w\s]")


class Pass:
    """An encoder whose tagger knows the names Ann and Zacharias."""

    complete = True

    def __init__(self) -> None:
        self.own = 0

    def tag(self, texts: Sequence[str]) -> list[Passed]:
        self.own += len(texts)
        return [self.one(text) for text in texts]

    def one(self, text: str) -> Passed:
        found = list(TOKEN.finditer(text))
        offsets = np.array([match.span() for match in found[:TOKENS_MAX]], np.int32).reshape(-1, 2)
        scores = np.array([[match[0] in {"Ann", "Zacharias"}] for match in found[:TOKENS_MAX]], np.float32)
        tagged = Tagged(offsets, scores.reshape(-1, 1)) if self.complete else None
        return Passed(np.ones(2, np.float32), tagged, len(found) > TOKENS_MAX)


def decode(_: str, found: Tagged) -> list[Span]:
    rows = zip(found.offsets.tolist(), found.scores[:, 0].tolist(), strict=True)
    return [Span("PERSON", start, end, 0.8) for (start, end), score in rows if score]


def as_given(text: str) -> Asked:
    return Asked(text, 0, len(text))


def follows(previous: str, text: str) -> Asked:
    joined, before = followups.joined(previous, text)
    return Asked(joined, before, len(joined))


def scan(
    given: Sequence[str], asked: Sequence[Asked], passes: Pass | None = None
) -> tuple[list[Finding], int]:
    """The findings, and how many rows scanning added to the pass."""
    passes = passes or Pass()
    turn = TurnScan(Detector("US", passes, None, decode), given, asked)
    rows = turn.rows
    found = turn.findings([passes.one(text) for text in (*(one.text for one in asked), *rows)])
    return [one.finding for one in found if one.finding], len(rows)


def persons(text: str, finding: Finding) -> list[str]:
    return [text[span.start : span.end] for span in finding.spans if span.type == "PERSON"]


GIVEN = "does Ann see Zacharias on Monday?"


@pytest.mark.parametrize(
    ("given", "asked", "rows"),
    [
        (GIVEN, as_given(GIVEN), 0),
        (GIVEN, Asked(asking.of_site(GIVEN + " are you open", "the clinic"), 0, len(GIVEN)), 0),
        (GIVEN, follows("Is Ann a doctor?", GIVEN), 0),
        (f"And what about {GIVEN}", follows("Is Ann a doctor?", f"And what about {GIVEN}"), 0),
        # Mended: the name that the dictionary took for a slip is in the text as given alone.
        (GIVEN, as_given("does an see Zachary on Monday?"), 1),
        # In disguise: as given, and as a person reads it.
        (f"{GIVEN} ⓐⓝⓓ", as_given(f"{GIVEN} ⓐⓝⓓ"), 2),
        # What was taken off is no lead-in.
        (f"Ann or Ann or Ann or {GIVEN}", as_given(GIVEN), 1),
        (GIVEN, as_given(""), 1),
    ],
)
def test_names_are_found_where_they_stand_in_the_question(given: str, asked: Asked, rows: int) -> None:
    (finding,), added = scan([given], [asked])
    expected = [name for name in re.findall(r"\w+", given) if name in {"Ann", "Zacharias"}]
    assert persons(given, finding) == expected
    assert (added, finding.complete, finding.label) == (rows, True, Label.PERSONAL)


def test_questions_of_a_batch_get_their_own_findings() -> None:
    given = ["when do you open", GIVEN, "so it was " * 200 + "Ann", "call 617-555-0123", "is Ann in"]
    asked = [*map(as_given, given[:-1]), as_given("is an in")]
    findings, added = scan(given, asked)
    told = [persons(text, finding) for text, finding in zip(given, findings, strict=True)]
    assert told == [[], ["Ann", "Zacharias"], ["Ann"], [], ["Ann"]]
    assert [finding.label for finding in findings][:2] == [Label.PUBLIC, Label.PERSONAL]
    assert findings[3].types == ["PHONE"]
    assert added > 2


def test_a_short_question_of_more_tokens_than_are_read_is_scanned_to_its_end() -> None:
    given, passes = "§" * 300 + " Ann", Pass()
    (finding,), added = scan([given], [as_given(given)], passes)
    assert persons(given, finding) == ["Ann"]
    assert added == 0
    assert passes.own > 1


def test_without_a_tagger_the_pass_has_no_further_rows_and_forms_are_found() -> None:
    passes = Pass()
    passes.complete = False
    given = ["so it was " * 200 + "call 617-555-0123", GIVEN]
    findings, added = scan(given, [as_given(given[0]), as_given("mended")], passes)
    assert added == 0
    assert [finding.types for finding in findings] == [["PHONE"], []]
    assert all(finding.label is Label.PERSONAL and not finding.complete for finding in findings)


def test_tags_of_another_text_are_not_taken_for_those_of_the_question() -> None:
    """The encoder that served when the rows were chosen had no tagger; the one that passed them has."""
    passes, given = Pass(), ["does Ann see us", "so it was " * 200 + "Ann", "is Ann in"]
    passes.complete = False
    asked = [as_given("does an Zacharias see us"), as_given(given[1]), as_given(given[2])]
    turn = TurnScan(Detector("US", passes, None, decode), given, asked)
    assert turn.rows == []
    passes.complete = True
    found = [one.finding for one in turn.findings([passes.one(one.text) for one in asked])]
    assert [(one.types, one.complete) for one in found if one] == [
        ([], False),
        ([], False),
        (["PERSON"], True),
    ]


def test_a_failure_is_of_one_question_alone_and_never_an_empty_finding(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def choosy(text: str, found: Tagged) -> list[Span]:
        if "Ann" in text:
            raise ValueError(text)
        return decode(text, found)

    given, detector = ["is Ann in", "Zacharias", "is Ann"], Detector("US", Pass(), None, choosy)
    turn = TurnScan(detector, given, [as_given(text) for text in given])
    first, second, third = turn.findings([Pass().one(text) for text in given])
    assert (first.finding, third.finding) == (None, None)
    assert second.finding
    assert second.finding.types == ["PERSON"]
    assert detector.failing
    assert not any("Ann" in str(record.__dict__) for record in caplog.records)
    broken = turn.findings([Passed(np.full(2, np.nan, np.float32), None)] * 3)
    assert [one.finding for one in broken] == [None] * 3
    detector.of_pass("Zacharias", Pass().one("Zacharias").tagged, np.ones(2, np.float32))
    assert not detector.failing


def test_a_part_of_a_stage_is_told_by_itself() -> None:
    clock = Clock()
    clock.stages["understand"] = 0.005
    clock.within("understand", "scan", 0.001)
    assert clock.stages == {"understand": pytest.approx(0.004), "scan": 0.001}


LONG = f"{'so it was ' * 200}Ann"


@pytest.mark.parametrize(
    ("given", "asked", "said"),
    [
        (GIVEN, as_given(GIVEN), True),
        # Rows of its own in the same pass.
        (GIVEN, as_given("does an see Zachary on Monday?"), True),
        (LONG, as_given(LONG), True),
        ("§" * 300 + " Ann", as_given("§" * 300 + " Ann"), True),
        # With other words around it.
        (GIVEN, Asked(f"{GIVEN} the clinic", 0, len(GIVEN)), False),
        (GIVEN, follows("Is Ann a doctor?", GIVEN), False),
        (f"And what about {GIVEN}", follows("Is Ann a doctor?", f"And what about {GIVEN}"), False),
    ],
)
def test_only_a_pass_that_read_the_question_alone_stands_for_a_look_at_it(
    given: str, asked: Asked, said: bool
) -> None:
    passes, version = Pass(), ["1"]
    detector = Detector("US", passes, None, decode)
    for changes in (False, True):
        turn = TurnScan(detector, [given], [asked], lambda: version[0])
        if changes:  # another encoder took over during the pass
            version[0] = "2"
        (found,) = turn.findings([passes.one(text) for text in (asked.text, *turn.rows)])
        assert (found.looked is not None) == (said and not changes)
        if found.looked:
            assert (found.looked.text, found.looked.version) == (given, "1")
            assert found.looked.finding == found.finding == detector.scan([given])[0]


def test_a_look_without_names_or_that_failed_stands_for_none() -> None:
    passes = Pass()
    passes.complete = False
    turn = TurnScan(Detector("US", passes, None, decode), [GIVEN], [as_given(GIVEN)])
    assert turn.findings([passes.one(GIVEN)])[0].looked is None
    turn = TurnScan(Detector("US", Pass(), None, decode), [GIVEN], [as_given(GIVEN)])
    assert turn.findings([Passed(np.full(2, np.nan, np.float32), None)])[0].looked is None
