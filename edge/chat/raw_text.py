"""The language model itself, for programs: its own words, from no document, and nobody checks them.

What goes in is looked at as a customer's question is. The model is the desk's first: a program gets it where nobody
waits for it too long, and never twice at once.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Final

from edge.chat.generating import Embedder
from edge.chat.safety.card import SafetyCard
from edge.chat.turn import Desk
from edge.config import AnswerSection
from edge.inference.measured import OWN, measured
from edge.inference.worker_client import Ended, WorkerBusy, WorkerClient

AT_ONCE_MAX: Final = 1
"""Programs' generations: a second one would stand before the next customer, whose answer is then a quote."""

GENERATIVE: Final = "generative"


class RawText:
    """Asks the worker. Used from one event loop."""

    def __init__(
        self, desk: Desk, worker: WorkerClient, embedder: Embedder, settings: AnswerSection, model: str | None
    ) -> None:
        """`model`: what serves until the worker has said it; None where answers are written elsewhere."""
        self._desk = desk
        self._worker = worker
        self._embedder = embedder
        self._settings = settings
        self._model = model
        self._running = 0

    @property
    def model(self) -> str | None:
        """The name of what serves; None where the site's answers are quotes, or another machine's."""
        if self._model is None or self._desk.answer_mode != GENERATIVE:
            return None
        return self._worker.model or self._model

    async def card(self, question: str, locale: str) -> SafetyCard | None:
        """What is said in the model's place, as at the desk: by the question's words, then by its meaning."""
        if card := self._desk.safety.check(question, locale):
            return card
        (found,) = await self._embedder.embed([question])
        return self._desk.safety.check_meaning(question, found.vector, found.encoder)

    async def write(
        self,
        messages: Sequence[tuple[str, str]],
        *,
        tokens_max: int | None,
        stops: Sequence[str],
        on_end: Callable[[Ended], None],
    ) -> AsyncGenerator[str, None]:
        """Pieces of text as they come; closing it stops the model. `tokens_max` None: as many as an answer's.

        Raises WorkerBusy at once, and what `WorkerClient.generate` does.
        """
        wait_s = self._worker.first_text_s
        if self._running >= AT_ONCE_MAX or wait_s > self._settings.first_token_deadline_s:
            raise WorkerBusy("The language model is writing already.", max(wait_s, 1.0))
        self._running += 1
        generating = self._worker.generate(
            messages,
            max_new_tokens=tokens_max or self._settings.max_new_tokens,
            deadline_s=self._settings.generate_deadline_s,
            stops=stops,
            program=True,
            on_end=on_end,
        )
        try:
            async with aclosing(measured(generating, OWN, self.model or "")) as pieces:
                async for piece in pieces:
                    yield piece
        finally:
            self._running -= 1
