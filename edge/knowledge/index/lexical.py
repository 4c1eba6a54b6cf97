"""Chunks by their words: BM25 in tantivy, in memory only.

Queries are built term by term from the analyser's tokens: what a customer types never reaches a query parser. A
`LexicalSearcher` is a snapshot and never changes; `LexicalIndex.change` makes the next one. tantivy-py holds the GIL
while it searches (measured: two threads take as long as one): 0.3 ms a query on 31,000 chunks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import tantivy

from edge.knowledge.languages import ENGLISH, tongues
from edge.knowledge.terms import analyser

# Memory of the writer while it indexes, bytes; tantivy refuses less than 15 MB. One thread: the node has other work.
WRITER_BYTES = 32_000_000
WRITER_THREADS = 1
# Words of title and headings count this many times in the one field that is searched. Measured on MedQuAD (hit@5, ms a
# query): once .723, 0.36; twice .776, 0.36; three times .791, 0.28; a second field with boost 2 .783, 0.42.
PLACE_REPEATS = 3
# Terms of a query at most: a longer question repeats itself, and each term costs time.
QUERY_TERMS_MAX = 32


@dataclass(frozen=True, slots=True)
class LexicalEntry:
    """What of a chunk is indexed."""

    chunk_id: int
    title: str
    section: str
    text: str
    language: str = ENGLISH


@dataclass(frozen=True, slots=True)
class LexicalSearcher:
    """The index as it was at one commit."""

    _schema: tantivy.Schema
    _searcher: tantivy.Searcher

    def search(self, words: Sequence[str], k: int, language: str = ENGLISH) -> list[tuple[int, float]]:
        """Chunk ids and BM25 scores for a query's different analysed words (`terms`), best first.

        Only chunks in the query's language are found: words of another mean something else.
        """
        words = words[:QUERY_TERMS_MAX]
        if not words:
            return []
        found = self._searcher.search(self._query(words, language), k, count=False).hits
        if not found:
            return []
        ids = self._searcher.fast_field_values("chunk", [address for _, address in found])
        return [(int(chunk_id or 0), score) for chunk_id, (score, _) in zip(ids, found, strict=True)]

    def rarity(self, words: Iterable[str], language: str = ENGLISH) -> dict[str, float]:
        """How much each analysed word tells: ln(1 + chunks ÷ (1 + chunks that hold it))."""
        chunks = self._searcher.num_docs
        field = _field(language)
        return {word: math.log1p(chunks / (1 + self._searcher.doc_freq(field, word))) for word in words}

    def _query(self, words: Sequence[str], language: str) -> tantivy.Query:
        field = _field(language)
        clauses = [tantivy.Query.term_query(self._schema, field, word, "freq") for word in words]
        return tantivy.Query.boolean_query([(tantivy.Occur.Should, clause) for clause in clauses])


class LexicalIndex:
    """The words of one audience's chunks. One thread changes it; any may search its snapshots."""

    def __init__(self) -> None:
        self._schema = _schema()
        self._index = tantivy.Index(self._schema)
        for language in tongues():
            self._index.register_tokenizer(_field(language), analyser(language))

    def change(self, removed: Iterable[int], added: Iterable[LexicalEntry]) -> LexicalSearcher:
        """Take chunks out and in, and give the searcher that sees all of it."""
        writer = self._index.writer(WRITER_BYTES, WRITER_THREADS)
        for chunk_id in removed:
            writer.delete_documents_by_term("chunk", chunk_id)
        for entry in added:
            writer.add_document(_document(entry))
        writer.commit()
        writer.wait_merging_threads()
        return self.searcher()

    def searcher(self) -> LexicalSearcher:
        """The index as it is now."""
        self._index.reload()
        return LexicalSearcher(self._schema, self._index.searcher())


def _field(language: str) -> str:
    """Each language has a field, analysed in its own way, and an analyser of the same name."""
    return f"text_{language}"


def _schema() -> tantivy.Schema:
    """Frequencies but no positions (there are no phrase queries), and nothing stored: the text is elsewhere."""
    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("chunk", fast=True, indexed=True)
    for language in tongues():
        builder.add_text_field(_field(language), tokenizer_name=_field(language), index_option="freq")
    return builder.build()


def _document(entry: LexicalEntry) -> tantivy.Document:
    place = [part for part in (entry.title, entry.section) if part]
    document = tantivy.Document(chunk=entry.chunk_id)
    document.add_text(_field(entry.language), "\n".join([*place * PLACE_REPEATS, entry.text]))
    return document
