"""What a batch of turns goes through in one lane: questions are understood, and for each the best answer is chosen.

Choosing waits for nobody, so it belongs to the lane's batch: on the event loop it would stand between requests.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge.chat.answers import conflicts
from edge.chat.answers.choosing import Choice, choose
from edge.chat.answers.conflicts import Conflict
from edge.chat.answers.model import AnswerModel
from edge.chat.answers.reading import Reader
from edge.chat.understanding import Query, Understood


@dataclass(frozen=True, slots=True)
class Considered:
    """A question with the best answer that its passages hold, and what contradicts that."""

    understood: Understood
    choice: Choice | None
    conflict: Conflict | None


class Answering:
    """The work of turns' lane. `model` chooses answers; it may be replaced meanwhile (`postern learn`)."""

    def __init__(
        self,
        understand: Callable[[Sequence[Query]], list[Understood]],
        model: AnswerModel,
        reader: Reader | None = None,
    ) -> None:
        """`reader`: what `understand` reads passages with, for whoever reads ahead."""
        self.understand = understand
        self.model = model
        self.reader = reader
        self._moved = threading.Condition()
        self._inside = 0
        self._changing = False

    def __call__(self, queries: Sequence[Query]) -> list[Considered]:
        """Blocking and thread-safe."""
        with self._moved:
            self._moved.wait_for(lambda: not self._changing)
            self._inside += 1
        try:
            model = self.model
            return [_considered(understood, model) for understood in self.understand(queries)]
        finally:
            with self._moved:
                self._inside -= 1
                self._moved.notify_all()

    def between_batches(self, change: Callable[[], None]) -> None:
        """Run `change` while no batch is under way; those that come meanwhile wait. Blocking and thread-safe."""
        with self._moved:
            self._moved.wait_for(lambda: not self._changing)
            self._changing = True
            self._moved.wait_for(lambda: not self._inside)
        try:
            change()
        finally:
            with self._moved:
                self._changing = False
                self._moved.notify_all()


def _considered(understood: Understood, model: AnswerModel) -> Considered:
    question = understood.question
    choice = choose(question, understood.passages, understood.readings, model)
    return Considered(understood, choice, conflicts.find(question, choice) if choice else None)
