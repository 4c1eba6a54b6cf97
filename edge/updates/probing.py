"""The site's own golden questions, asked again while an update is watched: does each still find its document?"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from core.errors import PosternError
from edge.chat.learning import golden

QUESTIONS_MAX: Final = 20
"""A look takes a tenth of a second with so many; under load longer, as its embeddings are of the lowest priority."""

QUESTIONS_MIN: Final = 10
"""With fewer, one question alone would undo an update."""

FOUND_AMONG: Final = 3
"""Passages that an answer may be taken from."""

EVERY_S: Final = 3.0
"""So often at most while a change is new: a way back is to be through in ten seconds."""

NEW_S: Final = 600.0
"""So long is a change new. What an update spoils shows at once; later it is what the site itself adds."""

RARELY_S: Final = 60.0
"""So often at most after that: a watch may last a week."""

CONFIRMED_BY: Final = 3
"""Samples that follow each other at once when the share has moved: what is wrong is seen so often before it counts."""

AT_ONCE_S: Final = 0.5
"""Less than a second, in which the next look comes."""


class Probe:
    """The share of questions that find their document; None for a site with too few."""

    def __init__(
        self,
        questions: Path,
        search: Callable[[str, int], Sequence[str]],
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`search`: the documents of the best passages for a text. Blocking."""
        self._questions = questions
        self._search = search
        self._clock_s = clock_s
        self._told: float | None = None
        self._told_at_s = self._new_at_s = -math.inf
        self._confirming = 0

    def begin(self) -> float | None:
        """Asked anew, as something is about to change. Blocking."""
        self._new_at_s, self._told, self._confirming = self._clock_s(), self._ask(), 0
        self._told_at_s = self._clock_s()
        return self._told

    def __call__(self) -> float | None:
        """As it was found last, or is now when that is long ago. Blocking."""
        now_s = self._clock_s()
        if now_s - self._told_at_s < self._wait_s(now_s):
            return self._told
        found = self._ask()
        self._confirming = CONFIRMED_BY - 1 if found != self._told else max(0, self._confirming - 1)
        self._told, self._told_at_s = found, self._clock_s()
        return self._told

    def _wait_s(self, now_s: float) -> float:
        if self._confirming:
            return AT_ONCE_S
        return EVERY_S if now_s - self._new_at_s < NEW_S else RARELY_S

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
