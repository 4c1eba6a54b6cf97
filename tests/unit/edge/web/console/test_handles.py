"""Opaque names for people: of one operator, for a while, and bounded."""

from __future__ import annotations

import pytest

from edge.web.console.handles import HANDLES_MAX, LIFE_S, Handles, PageGone


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_a_handle_leads_its_operator_to_the_person_and_says_nothing() -> None:
    handles = Handles(Clock())
    first, again = handles.give("olga", "patient-0815"), handles.give("olga", "patient-0815")
    assert first != again
    assert "patient" not in first
    assert handles.subject("olga", first) == "patient-0815"
    for operator, handle in (("dora", first), ("olga", "guessed"), ("olga", "")):
        with pytest.raises(PageGone):
            handles.subject(operator, handle)


@pytest.mark.parametrize(("at_s", "there"), [(LIFE_S - 1, True), (LIFE_S, False), (LIFE_S + 1, False)])
def test_it_ends(at_s: float, there: bool) -> None:
    clock = Clock()
    handles = Handles(clock)
    handle = handles.give("olga", "patient-0815")
    clock.now_s = at_s
    if there:
        assert handles.subject("olga", handle) == "patient-0815"
    else:
        with pytest.raises(PageGone):
            handles.subject("olga", handle)
        assert len(handles) == 0


@pytest.mark.parametrize(("more", "first_there"), [(HANDLES_MAX - 1, True), (HANDLES_MAX, False)])
def test_the_oldest_is_forgotten_first(more: int, first_there: bool) -> None:
    handles = Handles(Clock())
    first = handles.give("olga", "first")
    for number in range(more):
        handles.give("olga", str(number))
    assert len(handles) == HANDLES_MAX
    if first_there:
        assert handles.subject("olga", first) == "first"
    else:
        with pytest.raises(PageGone):
            handles.subject("olga", first)
