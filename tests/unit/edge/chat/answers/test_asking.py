"""What questions ask for and what sentences hold."""

from __future__ import annotations

import pytest

from edge.chat.answers import asking
from edge.knowledge import facts
from edge.knowledge.facts import Kind


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("When do you open?", Kind.TIME),
        ("how late are you there on Friday", Kind.TIME),
        ("How long does it take?", Kind.DURATION),
        ("What does a visit cost?", Kind.PRICE),
        ("How many bags may I bring?", Kind.NUMBER),
        ("Where do I find room 12?", Kind.PLACE),
        ("Which number do I ring?", Kind.CONTACT),
        ("Can I bring my dog?", Kind.PERMISSION),
    ],
)
def test_a_question_shows_what_it_asks_for(question: str, kind: Kind) -> None:
    assert kind in asking.asks(question)


@pytest.mark.parametrize(
    ("sentence", "kind"),
    [
        ("We are open from 9:00 to 13:00.", Kind.TIME),
        ("Ready within three working days.", Kind.DURATION),
        ("A copy costs £4.", Kind.PRICE),
        ("It is free.", Kind.PRICE),
        ("At most 12 people.", Kind.NUMBER),
        ("On the second floor, next to the lift.", Kind.PLACE),
        ("Ring 01632 960100.", Kind.CONTACT),
        ("Dogs are not allowed.", Kind.PERMISSION),
    ],
)
def test_a_sentence_shows_what_it_holds(sentence: str, kind: Kind) -> None:
    assert facts.of(sentence)[0] & facts.bit(kind)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("Monday to Friday", {0, 1, 2, 3, 4}),
        ("Sat–Mon", {5, 6, 0}),
        ("on weekdays", {0, 1, 2, 3, 4}),
        ("at the weekend", {5, 6}),
        ("every day", set(range(7))),
        ("on Tuesdays and Thursday", {1, 3}),
        ("a monthly satchel of sunlight", set()),
        ("We moved in.", set()),
    ],
)
def test_days_are_understood(text: str, days: set[int]) -> None:
    assert facts.of(text)[1] == sum(1 << day for day in days)


def test_one_number_written_two_ways_is_one_value() -> None:
    assert asking.values("£1,000 at 9:00") == asking.values("1000 from 9.00")
    assert asking.values("£10") != asking.values("£100")


def test_no_is_noticed_and_note_is_not() -> None:
    assert facts.of("You do not need one.")[0] & facts.NEGATIVE
    assert not facts.of("Note the number.")[0] & facts.NEGATIVE


@pytest.mark.parametrize(
    "question", ["When are you open on Saturday?", "what are YOUR hours of opening", "do u close at noon"]
)
def test_you_are_the_site_where_opening_is_asked_for(question: str) -> None:
    assert asking.of_site(question, "the clinic") == f"{question} (the clinic)"
    assert asking.of_site(question, "") == question


@pytest.mark.parametrize(
    "question", ["When is the pharmacy open?", "Do you take cash?", "Is the youth club open?"]
)
def test_else_nobody_is_added(question: str) -> None:
    assert asking.of_site(question, "the clinic") == question
