"""Of a name that the detector found by its first word alone, the second is hidden, too."""

from __future__ import annotations

import pytest

from edge.chat.session import Session
from edge.egress.text.handover import Admitted
from edge.egress.text.whole_names import whole_names
from models.detect.detector import Finding
from models.detect.label import Label
from models.detect.spans import Span
from tests.unit.edge.egress.text.guard_rig import QUESTION, GuardRig


def spans_of(text: str, *values: tuple[str, str]) -> list[Span]:
    return [Span(type_, at := text.index(value), at + len(value), 0.9) for type_, value in values]


@pytest.mark.parametrize(
    ("text", "found", "whole"),
    [
        ("This is Simon Underwater speaking.", "Simon", "Simon Underwater"),
        ("This is Simon Under-Water speaking.", "Simon", "Simon Under-Water"),
        ("Simon O’Hara", "Simon", "Simon O’Hara"),
        ("It is for Zoë Österreich.", "Zoë", "Zoë Österreich"),
        ("This is Simon underwater.", "Simon", "Simon"),
        ("I am Simon. Can you help?", "Simon", "Simon"),
        ("I am Simon\nCan you help?", "Simon", "Simon"),
        ("I am Simon Underwater Can you help?", "Simon Underwater", "Simon Underwater"),
        ("Simon 4711", "Simon", "Simon"),
        ("Simon", "Simon", "Simon"),
    ],
)
def test_a_name_of_one_word_goes_on_to_the_word_with_a_capital_behind_it(
    text: str, found: str, whole: str
) -> None:
    (span,) = whole_names(text, spans_of(text, ("PERSON", found)))
    assert text[span.start : span.end] == whole


def test_what_was_found_as_something_else_stays_that() -> None:
    text = "Simon Leeds, Anna Bath"
    found = spans_of(text, ("PERSON", "Simon"), ("LOCATION", "Leeds"), ("LOCATION", "Anna"))
    assert list(whole_names(text, found)) == found


async def test_the_other_half_of_a_name_does_not_leave(rig: GuardRig, session: Session) -> None:
    found = Finding((Span("PERSON", 8, 13, 0.9),), Label.PERSONAL, complete=True)
    rig.scans.does = lambda texts: [found for _ in texts]
    admitted = await rig.ask(session, f"This is Simon Underwater speaking. {QUESTION}")
    assert isinstance(admitted, Admitted)
    assert "Underwater" not in admitted.parts[0]
    # From then on it is known by itself.
    rig.scans.does = lambda texts: [Finding((), Label.PUBLIC, complete=True) for _ in texts]
    admitted = await rig.ask(session, f"It is for Underwater, as I said. {QUESTION}")
    assert isinstance(admitted, Admitted)
    assert "Underwater" not in admitted.parts[0]
