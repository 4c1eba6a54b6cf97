"""Labelled examples in the store: functions of the database, for `Store.write` and `Store.read`."""

from __future__ import annotations

from sqlite_utils import Database

from core.errors import PosternError
from edge.chat.improvement import EXAMPLES_MAX
from edge.chat.learning import labels
from edge.chat.learning.labels import ExampleKind, Label, LabelledQuestion, Source

# Examples that a listing shows at most, newest first.
LISTED_MAX = 1_000


class NoSuchExample(PosternError):
    """An example was named that is not there."""

    code = "no_such_example"
    title = "There is no such example"
    remedy = "List them with `postern examples list`, then name one of them."
    status = 404


def put(db: Database, text: str, label: Label, source: Source, at_ms: int) -> int:
    """Keep what staff say of a redacted question; what they said of it before is replaced. Its id."""
    kind = labels.kind_of(label)
    db.execute(
        "DELETE FROM examples WHERE kind = ? AND text = ? AND source <> 'feedback'",
        [kind, text],
    )
    row = [at_ms, kind, text, labels.to_json(label), source]
    done = db.execute(
        "INSERT INTO examples(created_ms, kind, text, label, source) VALUES (?, ?, ?, ?, ?)", row
    )
    db.execute("DELETE FROM examples WHERE id <= (SELECT max(id) FROM examples) - ?", [EXAMPLES_MAX])
    return int(done.lastrowid or 0)


def remove(db: Database, example: int) -> None:
    """Forget an example. Raises NoSuchExample."""
    if not db.execute("DELETE FROM examples WHERE id = ?", [example]).rowcount:
        raise NoSuchExample(f"There is no example {example}.")


def newest(db: Database, kind: ExampleKind | None, rows_max: int) -> list[LabelledQuestion]:
    """The newest examples of a kind (None: of any), newest first."""
    found = db.execute(
        "SELECT id, created_ms, text, label, source FROM examples WHERE ?1 IS NULL OR kind = ?1"
        " ORDER BY id DESC LIMIT ?2",
        [kind, rows_max],
    )
    return [
        LabelledQuestion(number, created_ms, text, labels.from_json(label), Source(source))
        for number, created_ms, text, label, source in found
    ]
