"""When the first words of an answer are expected."""

from __future__ import annotations

from edge.inference.first_text import FirstText


def test_it_learns_the_time_alone_and_what_each_ahead_adds() -> None:
    first = FirstText()
    for _ in range(40):
        first.observe(0, 2.0)
        first.observe(3, 14.0)
    assert abs(first.predicted_s(0) - 2.0) < 0.01
    assert abs(first.predicted_s(3) - 14.0) < 0.1


def test_more_ahead_is_never_sooner() -> None:
    first = FirstText()
    first.observe(2, 0.0)
    waits = [first.predicted_s(ahead) for ahead in range(5)]
    assert waits == sorted(waits)


def test_what_was_given_up_can_only_raise_the_expectation() -> None:
    first = FirstText()
    before = first.predicted_s(1)
    first.gave_up(1, before / 2)
    assert first.predicted_s(1) == before
    first.gave_up(1, before * 2)
    assert first.predicted_s(1) > before
