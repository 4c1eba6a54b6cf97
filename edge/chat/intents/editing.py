"""The site's own table of examples, changed intent by intent. Pure; what is changed is checked as what is read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from edge.chat.intents.examples import Example, read_examples


def with_intent(examples: Sequence[Example], intent: str, texts: Iterable[str]) -> list[Example]:
    """The examples with `texts` as all of one intent's, in its old place; without any the intent is gone."""
    new = [Example(text.strip(), intent) for text in texts if text.strip()]
    place = next((at for at, example in enumerate(examples) if example.intent == intent), len(examples))
    before = [example for example in examples[:place] if example.intent != intent]
    after = [example for example in examples[place:] if example.intent != intent]
    return [*before, *new, *after]


def as_csv(examples: Iterable[Example]) -> bytes:
    """A table that `read_examples` reads. Raises BadExamples when nothing could be learnt from it."""
    table = io.StringIO(newline="")
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["text", "intent"])
    writer.writerows([example.text, example.intent] for example in examples)
    data = table.getvalue().encode()
    read_examples(data)
    return data
