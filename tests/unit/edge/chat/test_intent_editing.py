"""Examples changed intent by intent are read back as they were written."""

from __future__ import annotations

import pytest

from edge.chat.intents.editing import as_csv, with_intent
from edge.chat.intents.examples import BadExamples, Example, read_examples


def some(intent: str, count: int = 6) -> list[Example]:
    return [Example(f'{intent} number {index}, with a comma and a "quote"', intent) for index in range(count)]


def test_a_table_comes_back_as_it_was() -> None:
    examples = [*some("hours"), *some("parking")]
    assert read_examples(as_csv(examples)) == examples


def test_an_intent_is_changed_in_its_place_added_at_the_end_and_taken_out() -> None:
    examples = [*some("hours"), *some("parking"), *some("fees")]
    changed = with_intent(examples, "parking", ["one", " two ", "", "  "])
    assert [example.intent for example in changed] == ["hours"] * 6 + ["parking"] * 2 + ["fees"] * 6
    assert [example.text for example in changed[6:8]] == ["one", "two"]
    assert with_intent(examples, "new", ["a"])[-1] == Example("a", "new")
    assert {example.intent for example in with_intent(examples, "hours", [])} == {"parking", "fees"}


def test_what_nothing_could_be_learnt_from_is_not_written() -> None:
    with pytest.raises(BadExamples, match="few"):
        as_csv([*some("hours"), *some("parking", 2)])
