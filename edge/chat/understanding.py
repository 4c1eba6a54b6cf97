"""What a batch of questions goes through in one lane: one pass of the encoder, then the intents and the searches.

Blocking and thread-safe; the runtimes and the indexes release the interpreter while they work, so that the event
loop goes on beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edge.chat.intents.service import Intents
from edge.chat.session_rows import now_ms
from edge.chat.turn import Query, Understood
from edge.knowledge.document import Audience
from edge.knowledge.search import Searcher
from models.encoder import Encoder

# Passages that routing and the answer may look at.
PASSAGES = 5


def understanding(
    encoder: Encoder, searcher: Searcher, intents: Intents
) -> Callable[[Sequence[Query]], list[Understood]]:
    """The batcher's work on `encoder`, `searcher` and `intents`."""

    def understand(queries: Sequence[Query]) -> list[Understood]:
        at_ms = now_ms()
        questions = [query.text for query in queries]
        embeddings = encoder.embed(questions)
        wanted = intents.understand(questions, embeddings)
        results: dict[int, Understood] = {}
        for audience in Audience:
            rows = [index for index, query in enumerate(queries) if query.audience is audience]
            if rows:
                texts = [queries[index].text for index in rows]
                found = searcher.search_batch(texts, embeddings[rows], audience, PASSAGES, at_ms=at_ms)
                for index, text, passages in zip(rows, texts, found, strict=True):
                    results[index] = Understood(passages, searcher.rarity(text, audience), wanted[index])
        return [results[index] for index in range(len(queries))]

    return understand
