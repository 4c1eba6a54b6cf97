"""The site's own golden questions, asked again while an update is watched: does each still find its document?"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from core.errors import PosternError
from edge.chat.learning import golden

QUESTIONS_MAX: Final = 20
"""A look takes a tenth of a second of the lowest priority with so many."""

QUESTIONS_MIN: Final = 10
"""With fewer, one question alone would undo an update."""

FOUND_AMONG: Final = 3
"""Passages that an answer may be taken from."""

EVERY_S: Final = 3.0
"""So often at most: a way back is to be through in ten seconds."""


class Probe:
    """The share of questions that find their document; None for a site with too few."""

    def __init__(self, questions: Path, search: Callable[[str, int], Sequence[str]]) -> None:
        """`search`: the documents of the best passages for a text. Blocking."""
        self._questions = questions
        self._search = search
        self._told: float | None = None
        self._told_at_s = -EVERY_S

    def __call__(self) -> float | None:
        """Blocking."""
        if time.monotonic() - self._told_at_s >= EVERY_S:
            self._told = self._ask()
            self._told_at_s = time.monotonic()
        return self._told

    def _ask(self) -> float | None:
        try:
            known = golden.read(self._questions.read_bytes())
        except (OSError, PosternError):
            return None
        asked = [one for one in known if one.document is not None][:QUESTIONS_MAX]
        if len(asked) < QUESTIONS_MIN:
            return None
        found = sum(one.document in self._search(one.question, FOUND_AMONG) for one in asked)
        return found / len(asked)
