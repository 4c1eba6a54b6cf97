"""`postern examples …` as functions: what staff say of questions, kept redacted; JSON shapes of the contract out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any

from core.errors import ExitCode, PosternError
from core.files import write_atomic
from edge.chat.intents.examples import TEXT_CHARS_MAX
from edge.chat.learning import golden, labels, rows
from edge.chat.learning.golden import FILE_BYTES_MAX, BadGolden, GoldenQuestion
from edge.chat.learning.labels import (
    AnsweredBy,
    Asks,
    ExampleKind,
    Label,
    LabelledQuestion,
    Source,
    Unanswerable,
)
from edge.chat.session_rows import now_ms
from edge.knowledge.commands import NoSuchDocument
from edge.knowledge.ingest import KnowledgeBase
from edge.store.store import Store
from models.detect.detector import Finding


class BadExample(PosternError):
    """What was said of a question cannot be kept."""

    code = "bad_example"
    title = "The example cannot be kept"
    remedy = "Give a question of up to a thousand characters, and one thing that is known of it."
    status = 422
    exit_code = ExitCode.USAGE


class ExampleNotScanned(PosternError):
    """Names were not looked for in the question: it may hold one, and is not kept."""

    code = "example_not_scanned"
    title = "The question is not kept: names were not looked for"
    remedy = "See `postern doctor` (detector). Teach while Postern's own search model serves."
    status = 503


class Examples:
    """What is known of the site's questions: rows of the store, and the golden questions in a file beside it."""

    def __init__(
        self,
        store: Store,
        knowledge: KnowledgeBase,
        intents: Callable[[], Collection[str]],
        golden_file: Path,
        scan: Callable[[str], Awaitable[Finding]],
    ) -> None:
        """`intents`: those that a question can have now. `scan`: what is personal in a question."""
        self._store = store
        self._knowledge = knowledge
        self._intents = intents
        self._golden_file = golden_file
        self._scan = scan
        self._writing = asyncio.Lock()

    async def add(self, text: str, label: Label) -> dict[str, Any]:
        """Keep what staff say of a question. Raises BadExample, ExampleNotScanned, NoSuchDocument, as `scan` does."""
        redacted = await self._redacted(text)
        await self._check(label)
        kept = await self._store.write(
            partial(rows.put, text=redacted, label=label, source=Source.CORRECTION, at_ms=now_ms())
        )
        return {"id": kept, "text": redacted, **_told(label)}

    async def add_golden(self, text: str, label: AnsweredBy | Unanswerable) -> dict[str, Any]:
        """Keep a question to judge by. Raises as `add`, and BadGolden."""
        redacted = await self._redacted(text)
        await self._check(label)
        document = label.document if isinstance(label, AnsweredBy) else None
        async with self._writing:
            count = await asyncio.to_thread(self._append, GoldenQuestion(redacted, document))
        return {"golden": count, "text": redacted, **_told(label)}

    async def remove(self, example: int) -> dict[str, Any]:
        """Forget an example. Raises NoSuchExample."""
        await self._store.write(lambda db: rows.remove(db, example))
        return {"removed": example}

    async def listing(self, kind: ExampleKind | None, count: int) -> list[dict[str, Any]]:
        """The newest examples, newest first."""
        found = await self._store.read(lambda db: rows.newest(db, kind, count))
        return [as_json(one) for one in found]

    async def golden(self) -> list[GoldenQuestion]:
        """The questions to judge by; none where the site has no file. Raises BadGolden."""
        return golden.read(await asyncio.to_thread(self._content))

    async def _redacted(self, text: str) -> str:
        question = " ".join(text.split())
        if not question or len(question) > TEXT_CHARS_MAX:
            raise BadExample(f"The question has {len(question):,} characters.")
        finding = await self._scan(question)
        if not finding.complete:
            raise ExampleNotScanned
        return finding.redacted(question)

    async def _check(self, label: Label) -> None:
        if isinstance(label, AnsweredBy):
            await self._check_document(label)
        elif isinstance(label, Asks) and label.intent not in self._intents():
            raise BadExample(
                f"There is no intent {label.intent}.",
                remedy="Name one of those that the site was trained on; the console's page Intents lists them.",
            )

    async def _check_document(self, label: AnsweredBy) -> None:
        if await self._knowledge.document(label.document) is None:
            raise NoSuchDocument(f"There is no document {label.document}.")
        sections = {section for section, _ in await self._knowledge.passages(label.document)}
        if label.section and label.section not in sections:
            raise BadExample(
                f"{label.document} has no section {label.section}.",
                remedy="See its sections with `postern kb show`.",
            )

    def _content(self) -> bytes:
        try:
            if self._golden_file.stat().st_size > FILE_BYTES_MAX:
                raise BadGolden(f"The file has over {FILE_BYTES_MAX:,} bytes.")
            return self._golden_file.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise BadGolden(
                f"The file cannot be read ({error.strerror}).", remedy="Check its rights."
            ) from None

    def _append(self, question: GoldenQuestion) -> int:
        content = golden.added(self._content(), question)
        write_atomic(self._golden_file, content)
        return content.count(b"\n")


def as_json(example: LabelledQuestion) -> dict[str, Any]:
    """A line of `postern examples list`."""
    return {
        "id": example.id,
        "created_ms": example.created_ms,
        "text": example.text,
        "source": example.source.value,
        **_told(example.label),
    }


def _told(label: Label) -> dict[str, Any]:
    """The label with its kind, as plain JSON."""
    told: dict[str, Any] = {"kind": labels.kind_of(label).value}
    match label:
        case AnsweredBy(document, section):
            return {**told, "document": document, "section": section or None}
        case Unanswerable():
            return {**told, "document": None}
        case Asks(intent):
            return {**told, "intent": intent}
        case _:
            return {**told, "not_helpful": list(label.documents), "reason": label.reason}
