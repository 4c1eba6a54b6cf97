"""The site's own phrases, each with its own card: found with a slip in a word, in order. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from edge.chat.safety.lexicon import Lexicon
from edge.chat.safety.rules import Entry, follow
from models.words import Word, words


class Phrases:
    """The phrases of a site's cards."""

    def __init__(self, phrases: Sequence[Sequence[str]]) -> None:
        """`phrases`: for each card, its phrases as the site wrote them."""
        self._entries: list[tuple[int, Entry]] = [
            (card, tuple(word.text for word in words(phrase)))
            for card, group in enumerate(phrases)
            for phrase in group
        ]
        self._lexicon = Lexicon({word for _, entry in self._entries for word in entry}, known=())

    def find(self, text: Sequence[Word]) -> int | None:
        """The index of the first card of which a phrase is in `text`, or None."""
        if not self._entries:
            return None
        resolved = {word.text: self._lexicon.resolve(word.text) for word in text}
        return next(
            (
                card
                for card, entry in self._entries
                for start in range(len(text))
                if entry
                and entry[0] in resolved[text[start].text]
                and follow(entry, text, resolved, start) is not None
            ),
            None,
        )
