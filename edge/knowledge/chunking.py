"""Documents become chunks: whole sentences of one section, of about even length. A pure rule.

A section is a run of blocks under the same headings. A long one is cut into the fewest chunks that keep to
WORDS_MAX, and these are made about equal, so that no chunk is a stray last sentence. A chunk's text is an exact
slice of the section's lines, so that a quote from it is a quote from the document. Not its concern: where headings
come from (the readers) and how chunks are embedded.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

from edge.knowledge.document import PATH_SEPARATOR, Block, Chunk, Document
from edge.knowledge.sentences import split

# Words of a chunk at most. Measured on MedQuAD (docs of build/bench, question finds its own answer in the top 5).
WORDS_MAX = 160
# A sentence longer than this (a table without stops, a list of codes) is cut at spaces.
SENTENCE_WORDS_MAX = 160
# Raise it when the same document would be cut differently: adding it again then replaces its chunks.
VERSION = 1


@dataclass(frozen=True, slots=True)
class _Piece:
    start: int
    words: int


def chunk(document: Document, words_max: int = WORDS_MAX) -> list[Chunk]:
    """Chunks in reading order. A document without text has none."""
    chunks: list[Chunk] = []
    for headings, group in itertools.groupby(document.blocks, key=lambda block: block.headings):
        text = "\n".join(_one_line(block) for block in group)
        section = PATH_SEPARATOR.join(headings)
        for piece in _slices(text, words_max):
            chunks.append(Chunk(len(chunks), section, piece))
    return chunks


def embedding_text(title: str, section: str, text: str) -> str:
    """What the encoder reads for a chunk: where it stands, then what it says."""
    place = PATH_SEPARATOR.join(part for part in (title, section) if part)
    return f"{place}\n{text}" if place else text


def _one_line(block: Block) -> str:
    return " ".join(block.text.split())


def _slices(text: str, words_max: int) -> Iterator[str]:
    pieces = list(_pieces(text))
    if not pieces:
        return
    total = sum(piece.words for piece in pieces)
    parts = math.ceil(total / words_max)
    starts = _even_starts(pieces, total / parts, words_max)
    for start, end in itertools.pairwise([*starts, len(text)]):
        yield text[start:end].strip()


def _even_starts(pieces: list[_Piece], share: float, words_max: int) -> list[int]:
    """Where chunks start: a new one when the next piece would overfill it, or leave it nearer to its even share."""
    starts = [pieces[0].start]
    words = 0
    for piece in pieces:
        if words and (words + piece.words > words_max or words + piece.words / 2 > share):
            starts.append(piece.start)
            words = 0
        words += piece.words
    return starts


def _pieces(text: str) -> Iterator[_Piece]:
    """Sentences, the first of a line with the line's marker before it; each overlong one in parts."""
    at = 0
    for start, end in split(text):
        line = text.rfind("\n", 0, start) + 1
        yield from _bounded(text, line if line > at or at == 0 else start, end)
        at = end


def _bounded(text: str, start: int, end: int) -> Iterator[_Piece]:
    words = len(text[start:end].split())
    while words > SENTENCE_WORDS_MAX:
        head = text[start:end].split(maxsplit=SENTENCE_WORDS_MAX)
        yield _Piece(start, SENTENCE_WORDS_MAX)
        start = end - len(head[-1])
        words -= SENTENCE_WORDS_MAX
    yield _Piece(start, words)
