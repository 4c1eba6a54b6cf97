"""What is measured on was not trained on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.detect.entity_types import ENTITY_TYPES
from models.recipes.personal import lists
from models.recipes.personal.frames import frames
from models.recipes.tagger import corpus
from models.recipes.tagger.corpus import Sentence
from models.recipes.tagger.labels import LABELS, TYPES


def test_the_labels_are_those_of_the_contract() -> None:
    assert set(TYPES) == ENTITY_TYPES
    assert len(LABELS) == 2 * len(ENTITY_TYPES) + 1


def test_what_is_held_out_is_in_the_lists() -> None:
    assert lists.origins().keys() >= corpus.HELD_ORIGINS
    assert lists.places().keys() >= corpus.HELD_LOCALES


def test_no_frame_is_on_both_sides() -> None:
    every = [frame.text for found in frames().values() for frame in found]
    held = [text for text in every if corpus.held_frame(text)]
    assert 0.05 < len(held) / len(every) < 0.2


@pytest.mark.parametrize("held", [False, True])
def test_generated_sentences_carry_exact_values(held: bool) -> None:
    for one in corpus.generated(50, 3, held=held):
        assert all(0 <= start < end <= len(one.text) for _, start, end in one.spans)


def test_a_template_is_kept_out_whole(tmp_path: Path) -> None:
    """A held frame in small letters must not come back through the same template's other rows."""
    rows = [_row(f"Where is {number} street", number) for number in range(40)]
    rows += [_row(row["full_text"].lower() + " please", row["template_id"]) for row in rows]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    kept, held = corpus.presidio(path)
    assert len(kept) + len(held) == len(rows)
    assert kept
    assert held
    assert not any(corpus.held_stranger(one.frame) for one in kept)
    numbers = [{one.text.split()[2] for one in side} for side in (kept, held)]
    assert not numbers[0] & numbers[1]


def _row(text: str, template: int) -> dict[str, object]:
    return {"full_text": text, "spans": [], "template_id": template}


def test_strangers_frames_come_with_our_values() -> None:
    text = "Mr. Ada lives at 12 Rue Verte, Lyon"
    spans = (("TITLE", 0, 3), ("PERSON", 4, 7), ("ADDRESS", 17, 29), ("LOCATION", 31, 35))
    found = list(corpus.with_our_values([Sentence(text, spans)], 20, 1))
    assert all("Ada" not in one.text and "Verte" not in one.text for one in found)
    assert all([kind for kind, *_ in one.spans][-1] == "ADDRESS" for one in found)


def test_runs_of_labels_are_values(tmp_path: Path) -> None:
    path = tmp_path / "turns.tsv"
    path.write_text(
        "utterance\tslot-labels\n"
        "its ada lovelace and 2 g 4\tO name name O booking_confirmation_number booking_confirmation_number "
        "booking_confirmation_number\n"
        "too few labels\tO\n"
    )
    (one,) = corpus.multidogo(path)
    assert [(kind, one.text[start:end]) for kind, start, end in one.spans] == [
        ("PERSON", "ada lovelace"),
        ("OTHER_ID", "2 g 4"),
    ]
