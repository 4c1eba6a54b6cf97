"""Whole sentences out of text that comes in pieces. Pure."""

from __future__ import annotations

from edge.knowledge.sentences import split

# What a model may write without a single space before it is no sentence at all, code points.
HELD_CHARS_MAX = 2_000
_ENDS = frozenset(".!?…")
_CLOSES = "\"'”’»)]"


class SentenceStream:
    """Text goes in as it comes, a sentence comes out once the next one has begun; `rest` gives the last."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, piece: str) -> list[str]:
        """The sentences that are whole now."""
        self._held += piece
        # Whether a full stop ends a sentence depends on the word after it, which must be whole, too.
        seen = max(self._held.rfind(" "), self._held.rfind("\n"))
        spans = split(self._held[: seen + 1])[:-1]
        found = [self._held[start:end] for start, end in spans]
        if spans:
            self._held = self._held[spans[-1][1] :]
        return found

    @property
    def overfull(self) -> bool:
        """Whether what is held has grown past every sentence."""
        return len(self._held) > HELD_CHARS_MAX

    def rest(self) -> list[str]:
        """What is left at the end."""
        held, self._held = self._held, ""
        return [held[start:end] for start, end in split(held)]


def is_whole(sentence: str) -> bool:
    """Whether it ends as a sentence does; else the text may have been cut off in it."""
    return sentence.rstrip(_CLOSES)[-1:] in _ENDS
