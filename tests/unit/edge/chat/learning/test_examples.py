"""What staff say of questions, in a real store: redacted, once, bounded, and golden questions in their file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import pytest

from edge.chat import improvement
from edge.chat.learning import rows
from edge.chat.learning.examples import BadExample, ExampleNotScanned, Examples
from edge.chat.learning.golden import GoldenQuestion
from edge.chat.learning.labels import AnsweredBy, Asks, ExampleKind, Unanswerable
from edge.chat.learning.rows import NoSuchExample
from edge.chat.learning.service import Learning
from edge.knowledge.commands import NoSuchDocument
from edge.knowledge.ingest import KnowledgeBase
from edge.operations.arguments import BadArguments
from edge.operations.learning import LearningOperations
from edge.store.store import Store
from tests.unit.edge.chat.desk_rig import scan_forms, scan_without_names

# These operations do not learn.
NO_LEARNING = cast(Learning, None)
QUESTION = "Can I park here?"


class Alike:
    """An encoder to which all texts are alike: nothing is searched here."""

    dim = 4

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return np.full((len(texts), self.dim), 0.5, np.float32)


@pytest.fixture
async def examples(store: Store, tmp_path: Path) -> Examples:
    document = tmp_path / "parking.md"
    document.write_text("# Parking\n\nWelcome.\n\n## Cars\n\nPark behind the house.\n")
    base = await KnowledgeBase.open(store, Alike(), "alike")
    await base.add([document])
    await base.close()
    return Examples(
        store, base, lambda: ("parking", "opening_hours"), tmp_path / "questions.jsonl", scan_forms
    )


async def test_what_is_said_last_of_a_question_holds(examples: Examples) -> None:
    await examples.add(QUESTION, AnsweredBy("parking.md", "Cars"))
    await examples.add(f"  {QUESTION} ", Unanswerable())
    await examples.add(QUESTION, Asks("parking"))
    found = await examples.listing(None, 10)
    assert [(one["kind"], one.get("document", one.get("intent"))) for one in found] == [
        ("intent", "parking"),
        ("answer", None),
    ]
    assert await examples.listing(ExampleKind.INTENT, 10) == found[:1]
    assert await examples.listing(None, 1) == found[:1]


async def test_a_question_is_redacted_before_it_is_kept(examples: Examples, tmp_path: Path) -> None:
    said = "Did you write to anna.berg@example.org?"
    kept = await examples.add(said, Unanswerable())
    golden = await examples.add_golden(said, Unanswerable())
    listed = (await examples.listing(None, 1))[0]["text"]
    file = (tmp_path / "questions.jsonl").read_text()
    for text in (kept["text"], golden["text"], listed, file):
        assert "anna" not in text
        assert "example.org" not in text


async def test_what_customers_said_stays_beside_what_staff_say(store: Store, examples: Examples) -> None:
    note = partial(improvement.note_not_helpful, text=QUESTION, replaces=None, at_ms=1)
    await store.write(partial(note, labelled=improvement.label(["parking.md"], "wrong")))
    await examples.add(QUESTION, Unanswerable())
    found = await examples.listing(None, 10)
    assert [one["source"] for one in found] == ["correction", "feedback"]
    assert (found[1]["not_helpful"], found[1]["reason"]) == (["parking.md"], "wrong")


@pytest.mark.parametrize(
    ("label", "error"),
    [
        (AnsweredBy("nowhere.md"), NoSuchDocument),
        (AnsweredBy("parking.md", "Bicycles"), BadExample),
        (Asks("dragons"), BadExample),
    ],
)
async def test_what_is_not_there_is_no_answer(
    examples: Examples, label: AnsweredBy | Asks, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await examples.add(QUESTION, label)
    assert await examples.listing(None, 10) == []


async def test_the_longest_question_fits_and_a_longer_one_does_not(examples: Examples) -> None:
    await examples.add("x" * 1_000, Unanswerable())
    for text in ("x" * 1_001, "  "):
        with pytest.raises(BadExample):
            await examples.add(text, Unanswerable())


async def test_an_example_is_forgotten_once(examples: Examples) -> None:
    kept = await examples.add(QUESTION, Unanswerable())
    await examples.remove(kept["id"])
    with pytest.raises(NoSuchExample):
        await examples.remove(kept["id"])


async def test_the_oldest_examples_give_way(
    store: Store, examples: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "EXAMPLES_MAX", 3)
    for number in range(4):
        await examples.add(f"Question {number}?", Unanswerable())
    found = await examples.listing(None, 10)
    assert [one["text"] for one in found] == ["Question 3?", "Question 2?", "Question 1?"]


async def test_golden_questions_grow_by_the_file(examples: Examples) -> None:
    assert await examples.golden() == []
    await examples.add_golden(QUESTION, AnsweredBy("parking.md"))
    told = await examples.add_golden("And a helicopter?", Unanswerable())
    assert told["golden"] == 2
    assert await examples.golden() == [
        GoldenQuestion(QUESTION, "parking.md"),
        GoldenQuestion("And a helicopter?", None),
    ]
    assert await examples.listing(None, 10) == []


@pytest.mark.parametrize(
    "arguments",
    [
        {"text": "x"},
        {"text": "x", "document": "parking.md", "unanswerable": True},
        {"text": "x", "unanswerable": True, "intent": "parking"},
        {"text": "x", "intent": "parking", "golden": True},
        {"text": "x", "document": "parking.md", "section": "Cars", "golden": True},
        {"text": "", "unanswerable": True},
    ],
)
async def test_exactly_one_thing_is_said_of_a_question(
    examples: Examples, arguments: dict[str, object]
) -> None:
    with pytest.raises(BadArguments):
        await LearningOperations(examples, NO_LEARNING).add(arguments, lambda _: None)


async def test_operations_take_and_give_plain_values(examples: Examples) -> None:
    operations = LearningOperations(examples, NO_LEARNING).table()
    kept = await operations["examples.add"]({"text": QUESTION, "document": "parking.md"}, lambda _: None)
    assert kept == {"id": 1, "text": QUESTION, "kind": "answer", "document": "parking.md", "section": None}
    listed = await operations["examples.list"]({"kind": "answer"}, lambda _: None)
    assert [one["id"] for one in listed] == [1]  # type: ignore[attr-defined]
    assert await operations["examples.remove"]({"id": 1}, lambda _: None) == {"removed": 1}


async def test_where_names_were_not_looked_for_nothing_is_kept(
    examples: Examples, store: Store, tmp_path: Path
) -> None:
    unscanned = Examples(store, cast(KnowledgeBase, None), tuple, tmp_path / "none.jsonl", scan_without_names)
    with pytest.raises(ExampleNotScanned):
        await unscanned.add("May Zacharias come?", Unanswerable())
    with pytest.raises(ExampleNotScanned):
        await unscanned.add_golden("May Zacharias come?", Unanswerable())
    assert await examples.listing(None, 10) == []
    assert not (tmp_path / "none.jsonl").exists()
