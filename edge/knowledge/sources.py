"""What is to be added, one document after the other: read, cut into chunks, with the hash that says if it is new.

Blocking; the generators do their work as they are drawn on, so that a folder is never in memory as a whole.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from edge.knowledge import chunking
from edge.knowledge.document import Chunk, Document
from edge.knowledge.files import FoundFile
from edge.knowledge.readers import Refusal, UnreadableDocument, load, markdown
from edge.knowledge.readers.outline import tidy
from edge.knowledge.reading import ReaderProcess

# Chunks that are embedded and committed together, about a second's worth: progress is seen, a stop loses little. More
# would fill no pass better, since a chunk of usual length has one for itself.
EMBED_CHUNKS = 64
# Chunks of one document at most: three times what the longest permitted text needs when it has few headings.
DOCUMENT_CHUNKS_MAX = 20_000
# Words of a question that name its document.
NAME_WORDS_MAX = 8
_WORD = re.compile(r"\w+")

Failures = list[tuple[str, str]]  # document, reason


@dataclass(frozen=True, slots=True)
class SourceDocument:
    """A document to add: its id, what was read, the hash of what it was read from, and the folder that it was in."""

    id: str
    document: Document
    digest: bytes
    folder: str = ""


@dataclass(frozen=True, slots=True)
class CutDocument:
    """A document in chunks. `content_hash` changes with its file and with whatever makes chunks and vectors of it."""

    source: SourceDocument
    content_hash: bytes
    chunks: tuple[Chunk, ...]


def read_all(files: Iterable[FoundFile], reader: ReaderProcess, failed: Failures) -> Iterator[SourceDocument]:
    """Files read one after the other as they are needed; what cannot be read is noted with its reason."""
    for file in files:
        try:
            data = load(file.path)
            document = reader.read(data, file.name)
        except UnreadableDocument as refusal:
            failed.append((file.name, refusal.reason))
        else:
            yield SourceDocument(file.name, document, hashlib.sha256(data).digest(), file.folder)


def unreadable(files: Iterable[FoundFile], reader: ReaderProcess) -> Failures:
    """What could not be added of these, with the reason. All are read, nothing is kept. Raises NotReading."""
    failed: Failures = []
    sources = read_all(files, reader, failed)
    while next_group(sources, "", failed):
        pass
    return failed


def written_answer(question: str, answer: str, taken: Collection[str]) -> SourceDocument:
    """A question and its answer, in Markdown, as a document with a name that is not in `taken`.

    Raises UnreadableDocument when one of them says nothing.
    """
    title = tidy(question)
    document = markdown.from_text(answer, title)
    if not title or not document.blocks:
        raise UnreadableDocument(Refusal.EMPTY, "The question or its answer is empty.")
    slug = "-".join(_WORD.findall(title.casefold())[:NAME_WORDS_MAX]) or "answer"
    names = (f"answers/{slug}{f'-{number}' if number > 1 else ''}.md" for number in itertools.count(1))
    name = next(name for name in names if name not in taken)
    return SourceDocument(name, document, hashlib.sha256(f"{title}\n{answer}".encode()).digest())


def next_group(sources: Iterator[SourceDocument], encoder: str, failed: Failures) -> list[CutDocument]:
    """The next documents, cut, until there are enough chunks for the encoder; empty when all is done."""
    group: list[CutDocument] = []
    chunks = 0
    for source in sources:
        cut = tuple(chunking.chunk(source.document))
        if len(cut) > DOCUMENT_CHUNKS_MAX:
            detail = f"It gives {len(cut):,} passages; {DOCUMENT_CHUNKS_MAX:,} is the most."
            failed.append((source.id, UnreadableDocument(Refusal.TOO_LARGE, detail).reason))
            continue
        recipe = f"{chunking.VERSION}|{encoder}".encode()
        group.append(CutDocument(source, hashlib.sha256(source.digest + recipe).digest(), cut))
        chunks += len(cut)
        if chunks >= EMBED_CHUNKS:
            break
    return group
