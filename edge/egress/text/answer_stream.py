"""What every language model off this machine has in common: text goes to it through the guard, and marks come back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from edge.egress.text.handover import Admitted, Handover, TextRefusal, TextRefused

ANSWER_CHARS_MAX: Final = 64 * 1024
"""Far above what `answer.max_new_tokens` can make; a model that does not stop is left."""

Admit = Callable[[Handover, float], Awaitable[Admitted | TextRefusal]]
"""See `edge.egress.text.guard.TextGuard.admit`."""


async def admitted(admit: Admit, asked: Handover, within_s: float) -> Admitted:
    """The text as it may be handed on. Raises TextRefused."""
    found = await admit(asked, within_s)
    if isinstance(found, TextRefusal):
        raise TextRefused(f"Refused: {found.reason}.")
    return found


class Restored:
    """One answer, piece by piece: values in the place of their marks; text of one that went as it was, as it is."""

    def __init__(self, text: Admitted) -> None:
        self._restorer = text.pseudonyms.restorer() if text.pseudonyms else None

    def feed(self, piece: str) -> str:
        """What of it can be shown: "" while it may be the beginning of a mark."""
        return self._restorer.feed(piece) if self._restorer else piece

    def close(self) -> str:
        """What was held back: the answer is over."""
        return self._restorer.close() if self._restorer else ""
