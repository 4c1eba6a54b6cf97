"""The collections we wrote for the ranking: whole cards, no question twice, titles that several cards share."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import models.recipes.ranking

COLLECTIONS = sorted((Path(models.recipes.ranking.__file__).parent / "collections").iterdir())
CARDS_PER_TITLE_MIN = 3

each_collection = pytest.mark.parametrize("path", COLLECTIONS, ids=lambda path: path.stem)


@cache
def cards(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@each_collection
def test_cards_are_whole(path: Path) -> None:
    for card in cards(path):
        assert set(card) == {"title", "text", "questions"}, card
        assert card["title"].strip() and card["text"].strip() and card["questions"], card
        assert all(question.strip() for question in card["questions"]), card


@each_collection
def test_no_question_is_asked_twice(path: Path) -> None:
    asked = Counter(question.casefold() for card in cards(path) for question in card["questions"])
    assert not [question for question, times in asked.items() if times > 1]


@each_collection
def test_a_title_alone_does_not_tell_the_card(path: Path) -> None:
    titles = Counter(card["title"] for card in cards(path))
    assert min(titles.values()) >= CARDS_PER_TITLE_MIN
