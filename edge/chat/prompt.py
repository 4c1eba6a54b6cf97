"""What a language model is asked: the question, and the passages that it must keep to. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from edge.knowledge.document import Passage

# The small default model reads slowly (prefill is most of the wait): few, short passages.
PASSAGES_MAX = 2
PASSAGE_CHARS_MAX = 900

_SYSTEM = (
    "You are the information desk of {site}. Answer in at most three sentences, only from the passages. "
    "If they do not hold the answer, say that you do not know."
)


def messages(site: str, question: str, passages: Sequence[Passage]) -> list[tuple[str, str]]:
    """(role, text) pairs, oldest first."""
    sources = "\n\n".join(
        f"{p.title}, {p.section}: {p.text[:PASSAGE_CHARS_MAX]}" for p in passages[:PASSAGES_MAX]
    )
    return [("system", _SYSTEM.format(site=site)), ("user", f"Passages:\n{sources}\n\nQuestion: {question}")]
