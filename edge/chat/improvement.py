"""What the desk should learn from: questions without an answer, answers that did not help. Redacted, tied to nobody.

Functions of the database, called in the transaction of the turn or of the feedback. The text is the question with every
personal value that the detector found replaced by its type; no row names a conversation, a turn or a person. Where
names were not looked for (`Finding.complete`) nothing is kept; callers see to that.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from sqlite_utils import Database

from models.detect.spans import Span, redact

# A year of a busy desk; beyond it the oldest give way.
UNANSWERED_MAX = 10_000
EXAMPLES_MAX = 10_000
# Not computed yet: whoever groups the questions embeds the redacted text.
NO_VECTOR = b""


def note_unanswered(db: Database, question: str, spans: Iterable[Span], at_ms: int) -> None:
    """A question that the documents do not answer, for staff to see."""
    db.execute(
        "INSERT INTO unanswered(created_ms, text, vector, state) VALUES (?, ?, ?, 'open')",
        [at_ms, redact(question, spans), NO_VECTOR],
    )
    _keep(db, "unanswered", UNANSWERED_MAX)


def label(documents: Iterable[str], reason: str | None) -> str:
    """An example's label: which documents did not help, and why not. Canonical JSON."""
    return json.dumps({"documents": sorted(set(documents)), "reason": reason}, sort_keys=True)


def note_not_helpful(db: Database, text: str, labelled: str, replaces: str | None, at_ms: int) -> None:
    """An answer that did not help: `text` is the redacted question, `labelled` and `replaces` come from `label`.

    With `replaces` one example of the same text with that label gets the new one: any, as they are all alike.
    """
    if replaces is not None:
        done = db.execute(
            "UPDATE examples SET label = ? WHERE id = "
            "(SELECT max(id) FROM examples WHERE text = ? AND label = ? AND source = 'feedback')",
            [labelled, text, replaces],
        )
        if done.rowcount:
            return
    db.execute(
        "INSERT INTO examples(created_ms, kind, text, label, source) VALUES (?, 'answer', ?, ?, 'feedback')",
        [at_ms, text, labelled],
    )
    _keep(db, "examples", EXAMPLES_MAX)


def _keep(db: Database, table: str, rows_max: int) -> None:
    """Ids only grow, so what is `rows_max` below the newest is one of the oldest."""
    db.execute(f"DELETE FROM {table} WHERE id <= (SELECT max(id) FROM {table}) - ?", [rows_max])  # noqa: S608 - ours
