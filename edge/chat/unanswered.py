"""Questions that the documents do not answer, as staff work through them: grouped, dismissed, answered.

Rows are redacted and tied to nobody (`edge.chat.improvement` keeps and forgets them). Each change and its row of audit
are one transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from sqlite_utils import Database

from core.errors import PosternError
from edge.chat.clusters import cluster
from edge.store import audit
from edge.store.store import Store

# The newest open questions that are grouped: all pairs of them are compared.
GROUPED_MAX = 2_000
# Texts of one call of the encoder, so that a turn that comes in between hardly waits.
EMBED_ROWS = 16
# Wordings of a group that are shown.
WORDINGS_MAX = 10
IDS_MAX = GROUPED_MAX

Embed = Callable[[Sequence[str]], npt.NDArray[np.float32]]


class NoSuchQuestion(PosternError):
    """None of the questions is open any more."""

    code = "no_such_question"
    title = "These questions are not open any more"
    remedy = "Look at the list again: somebody has dealt with them, or their time is over."
    status = 404


@dataclass(frozen=True)
class Group:
    """One matter: how often it was asked, how it was put, when last."""

    ids: tuple[int, ...]
    question: str
    wordings: tuple[str, ...]
    newest_ms: int


class Unanswered:
    """The open questions. `embed`: texts to unit vectors [n, dim]; called in a thread. `dim`: as it is now."""

    def __init__(self, store: Store, embed: Embed, dim: Callable[[], int]) -> None:
        self._store = store
        self._embed = embed
        self._dim = dim

    async def groups(self) -> list[Group]:
        """What is open, similar questions together; the most frequent first, then the newest."""
        rows = await self._store.read(_open_rows)
        if not rows:
            return []
        clusters = await asyncio.to_thread(cluster, await self._vectors(rows))
        groups = [_group([rows[number] for number in found.rows]) for found in clusters]
        return sorted(groups, key=lambda group: (-len(group.ids), -group.newest_ms, group.ids))

    async def dismiss(self, ids: Sequence[int], operator: str) -> int:
        """They need no answer; how many were open. Raises NoSuchQuestion."""
        return await self._close(ids, operator, "dismissed", None)

    async def answered(self, ids: Sequence[int], operator: str, document: str) -> int:
        """`document` was written for them; how many were open. Raises NoSuchQuestion."""
        return await self._close(ids, operator, "answered", document)

    async def _close(self, ids: Sequence[int], operator: str, state: str, document: str | None) -> int:
        def write(db: Database) -> int:
            marks = ", ".join("?" * len(ids))
            done = db.execute(
                f"UPDATE unanswered SET state = ?, document = ? WHERE state = 'open' AND id IN ({marks})",  # noqa: S608 - marks only
                [state, document, *ids],
            ).rowcount
            if not done:
                raise NoSuchQuestion
            audit.append(db, operator, f"unanswered.{state}", document or f"{done} questions")
            return int(done)

        return await self._store.write(write)

    async def _vectors(self, rows: Sequence[_Row]) -> npt.NDArray[np.float32]:
        """The rows' vectors; those that are missing, or of another encoder, are made now and kept."""
        size = self._dim() * np.dtype("<f2").itemsize
        missing = [row for row in rows if len(row.vector) != size]
        made: dict[int, bytes] = {}
        for start in range(0, len(missing), EMBED_ROWS):
            part = missing[start : start + EMBED_ROWS]
            found = await asyncio.to_thread(self._embed, [row.text for row in part])
            made.update(
                zip(
                    (row.id for row in part),
                    (vector.astype("<f2").tobytes() for vector in found),
                    strict=True,
                )
            )
        if made:
            await self._store.write(partial(_keep_vectors, made=made))
        raw = b"".join(made.get(row.id, row.vector) for row in rows)
        return (
            np.frombuffer(raw, dtype="<f2").reshape(len(rows), -1).astype(np.float32)
            if rows
            else np.empty((0, 0), np.float32)
        )


@dataclass(frozen=True)
class _Row:
    id: int
    created_ms: int
    text: str
    vector: bytes


def _open_rows(db: Database) -> list[_Row]:
    found = db.execute(
        "SELECT id, created_ms, text, vector FROM unanswered WHERE state = 'open' ORDER BY id DESC LIMIT ?",
        [GROUPED_MAX],
    )
    return [_Row(row[0], row[1], row[2], bytes(row[3])) for row in found]


def forget_vectors(db: Database) -> None:
    """Another encoder serves: they are made again when somebody looks."""
    db.execute("UPDATE unanswered SET vector = x''")


def _keep_vectors(db: Database, *, made: dict[int, bytes]) -> None:
    for row, vector in made.items():
        db.execute("UPDATE unanswered SET vector = ? WHERE id = ?", [vector, row])


def _group(rows: Sequence[_Row]) -> Group:
    wordings = tuple(dict.fromkeys(row.text for row in rows))
    ids = tuple(sorted(row.id for row in rows))
    return Group(ids, rows[0].text, wordings[:WORDINGS_MAX], max(row.created_ms for row in rows))
