"""Text that ends before a stop, out of text that comes in pieces. Pure."""

from __future__ import annotations

from collections.abc import Sequence


class BeforeStop:
    """Text goes in as it comes, and comes out once none of it can be part of a stop; `rest` gives what is left."""

    def __init__(self, stops: Sequence[str]) -> None:
        self.found = False
        self._stops = tuple(stops)
        self._longest = max(map(len, self._stops), default=0)
        self._held = ""

    def feed(self, piece: str) -> str:
        """What may be shown now; nothing more once a stop was found."""
        if self.found:
            return ""
        text = self._held + piece
        places = [place for stop in self._stops if (place := text.find(stop)) >= 0]
        if places:
            self.found, self._held = True, ""
            return text[: min(places)]
        shown = len(text) - self._doubtful(text)
        self._held = text[shown:]
        return text[:shown]

    def rest(self) -> str:
        """What looked like the beginning of a stop and was none."""
        held, self._held = self._held, ""
        return held

    def _doubtful(self, text: str) -> int:
        """How many of the last characters may be the beginning of a stop."""
        most = min(self._longest - 1, len(text))
        return next((n for n in range(most, 0, -1) if any(s.startswith(text[-n:]) for s in self._stops)), 0)
