"""What the network for special categories learns from: enough of both sorts, the same always, nothing that judges."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from models.detect.special_rules import Category
from models.recipes import special
from models.recipes.kind_network import ORDINARY
from models.words import pieces

GOLDEN = Path(__file__).parents[2] / "bench" / "golden" / "special.jsonl"
EACH_SORT_MIN = 1500
GOLDEN_OF_EACH_SORT = 300


def test_enough_of_both_sorts_and_some_of_every_category() -> None:
    labels = Counter(label for _, label in special.examples())
    assert labels[ORDINARY] >= EACH_SORT_MIN
    assert labels.total() - labels[ORDINARY] >= EACH_SORT_MIN
    assert set(labels) == {*Category, ORDINARY}


def test_examples_are_the_same_every_time_and_each_once() -> None:
    texts = [text for text, _ in special.examples()]
    assert texts == [text for text, _ in special.examples()]
    assert len(texts) == len(set(texts))
    assert not [text for text in texts if "{" in text]


def test_what_judges_is_not_learned_from() -> None:
    golden = [json.loads(line) for line in GOLDEN.read_text(encoding="utf-8").splitlines()]
    sorts = Counter(bool(line["category"]) for line in golden)
    assert sorts == {True: GOLDEN_OF_EACH_SORT, False: GOLDEN_OF_EACH_SORT}
    judging = {tuple(pieces(line["text"])) for line in golden}
    assert len(judging) == len(golden)
    learned = {tuple(pieces(text)) for text, _ in special.examples()}
    assert not [text for text in judging & learned if text]
