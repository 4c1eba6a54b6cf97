"""What staff say customers want, added to what the intents know already. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from edge.chat.intents.examples import Example, normal
from edge.chat.intents.model import Floats, IntentModel
from edge.chat.learning.golden import GoldenQuestion
from edge.chat.learning.labels import Asks, LabelledQuestion


@dataclass(frozen=True, slots=True)
class Addition:
    """All examples to train on, and those among them that are new or were put right."""

    examples: tuple[Example, ...]
    new: tuple[Example, ...]


def addition(known: Sequence[Example], said: Sequence[LabelledQuestion], names: Collection[str]) -> Addition:
    """`known` with what staff said, newest first in `said`; intents that are not among `names` are passed over."""
    by_text = {normal(example.text): example for example in known}
    new: dict[str, Example] = {}
    for one in said:
        if isinstance(one.label, Asks) and one.label.intent in names:
            new.setdefault(normal(one.text), Example(one.text, one.label.intent))
    changed = {text: one for text, one in new.items() if by_text.get(text, _NOBODY).intent != one.intent}
    return Addition(tuple((by_text | changed).values()), tuple(changed.values()))


def beside(said: Sequence[LabelledQuestion], judged: Sequence[GoldenQuestion]) -> list[LabelledQuestion]:
    """What staff said of questions by which intents are not judged."""
    known = {normal(one.question) for one in judged}
    return [one for one in said if normal(one.text) not in known]


def against(
    old: IntentModel,
    new: IntentModel,
    added: Sequence[Example],
    added_embeddings: Floats,
    golden: Sequence[GoldenQuestion],
    golden_embeddings: Floats,
) -> list[str]:
    """Why `new`, whose gate had nothing against it, should not replace `old`; embeddings float32 [n, dim].

    Of the additions `new` is judged by its held-back predictions, of golden questions with an intent neither knows.
    """
    reasons = []
    wanted = [example.intent for example in added]
    before = _right(old, [example.text for example in added], added_embeddings, wanted)
    held_back = {
        normal(example.text): new.names[index]
        for example, index in zip(new.examples(), new.predicted, strict=True)
    }
    after = sum(held_back[normal(example.text)] == example.intent for example in added)
    if after <= before:
        reasons.append(
            f"Of {len(added)} corrections it has {after} right when they are held back, the one that serves {before}."
        )
    if golden:
        texts, intents = [one.question for one in golden], [one.intent or "" for one in golden]
        was, now = (_right(model, texts, golden_embeddings, intents) for model in (old, new))
        if now < was:
            reasons.append(
                f"Of {len(golden)} golden questions it gives {now} their intent, the one that serves {was}."
            )
    return reasons


def _right(model: IntentModel, texts: Sequence[str], embeddings: Floats, wanted: Sequence[str]) -> int:
    if not texts:
        return 0
    found = model.predict(texts, embeddings)
    return int(np.sum([intent.name == name for intent, name in zip(found, wanted, strict=True)]))


_NOBODY = Example("", "")
