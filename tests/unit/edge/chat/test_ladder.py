"""The ladder of service as a table, its account, and the card that is prepared for it."""

from __future__ import annotations

import pytest

from edge.chat.desk_card import OURS, DeskCards
from edge.chat.ladder import SHOWN_S, Ladder, Step, Trouble, step_below, step_of
from edge.chat.routing import Route
from edge.config import CardSection, CardTextSection
from tests.unit.edge.chat.desk_rig import Clock


@pytest.mark.parametrize(
    ("route", "step"),
    [
        (Route.GENERATE, Step.GENERATIVE),
        (Route.OVERFLOW, Step.GENERATIVE),
        (Route.ANSWER, Step.EXTRACTIVE),
        (Route.CLARIFY, Step.EXTRACTIVE),
        (Route.HANDOFF, Step.EXTRACTIVE),
    ],
)
def test_a_question_that_was_looked_up_is_on_one_of_the_upper_steps(route: Route, step: Step) -> None:
    assert step_of(route) is step


@pytest.mark.parametrize(
    ("person", "wait_s", "step"),
    [
        (True, 0.0, Step.CARD),
        (True, 0.1, Step.REFUSED),
        (False, 0.0, Step.REFUSED),
        (False, 0.1, Step.REFUSED),
    ],
)
def test_people_get_a_card_while_there_are_any_and_programs_none(
    person: bool, wait_s: float, step: Step
) -> None:
    assert step_below(person=person, wait_s=wait_s) is step


def test_cards_are_bounded_and_come_back_with_time() -> None:
    clock = Clock()
    ladder = Ladder(60, clock)
    assert [ladder.below(Trouble.QUEUE_FULL, person=True) for _ in range(62)] == [
        *[Step.CARD] * 60,
        *[Step.REFUSED] * 2,
    ]
    clock.now_s += 1.0
    assert [ladder.below(Trouble.QUEUE_FULL, person=True) for _ in range(2)] == [Step.CARD, Step.REFUSED]


def test_a_program_takes_nobodys_card() -> None:
    ladder = Ladder(1, Clock())
    assert ladder.below(Trouble.QUEUE_FULL, person=False) is Step.REFUSED
    assert ladder.below(Trouble.QUEUE_FULL, person=True) is Step.CARD


@pytest.mark.parametrize(
    ("later_s", "shown"), [(0.0, True), (SHOWN_S - 0.1, True), (SHOWN_S, False), (SHOWN_S + 1, False)]
)
def test_a_lower_step_is_shown_for_a_while(later_s: float, shown: bool) -> None:
    clock = Clock()
    ladder = Ladder(60, clock)
    assert ladder.reason() == ""
    ladder.below(Trouble.ENCODER_LOST, person=True)
    ladder.looked_up(Route.ANSWER)  # others were served: it is shown all the same
    clock.now_s += later_s
    assert ladder.reason() == ("encoder_lost" if shown else "")


def test_every_step_is_counted() -> None:
    ladder = Ladder(1, Clock())
    for route in (Route.GENERATE, Route.ANSWER, Route.ANSWER):
        ladder.looked_up(route)
    ladder.below(Trouble.QUEUE_FULL, person=True)
    ladder.below(Trouble.QUEUE_FULL, person=True)
    ladder.refuse(Trouble.STORE_UNWRITABLE)
    assert ladder.counts() == {"generative": 1, "extractive": 2, "card": 1, "refused": 2}
    assert ladder.reason() == "store_unwritable"


def card_of(*codes: str, site: str = "en", page: str = "en") -> str:
    texts = {code: CardTextSection(hours=f"hours {code}", handoff=f"desk {code}") for code in codes}
    return DeskCards(CardSection(texts=texts), site).of(page).language


@pytest.mark.parametrize(
    ("codes", "site", "page", "language"),
    [
        (("de", "en"), "en", "de-AT", "de"),
        (("de", "en"), "en", "fr", "en"),
        (("de", "en"), "en_GB", "fr", "en"),
        (("de", "ar"), "en", "fr", "de"),
        (("ar",), "en", "AR", "ar"),
        ((), "de", "de", "en"),
    ],
)
def test_a_card_speaks_the_pages_language_then_the_sites(
    codes: tuple[str, ...], site: str, page: str, language: str
) -> None:
    assert card_of(*codes, site=site, page=page) == language


def test_a_card_is_shown_in_its_direction_and_as_one_text() -> None:
    texts = {"ar": CardTextSection(hours="من ٩ إلى ٥", handoff="اسأل الموظفين")}
    card = DeskCards(CardSection(texts=texts), "ar").of("ar")
    assert card.shown() == {"code": "ar", "dir": "rtl"}
    assert card.text == "من ٩ إلى ٥\nاسأل الموظفين"
    body = card.body()
    assert (body["kind"], body["text"], body["steps"]) == ("desk", "من ٩ إلى ٥", ["اسأل الموظفين"])
    assert OURS.text == OURS.handoff
