"""The port: what the control plane may ask of whoever writes answers, and how it may fail. No I/O."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final, Literal

from core.completions.asking import Deadlines
from core.completions.errors import (
    LlmServerBusy,
    LlmServerCut,
    LlmServerFailed,
    LlmServerLate,
    LlmServerUnreachable,
)
from models.errors import PromptTooLong

log = logging.getLogger(__name__)

Role = Literal["system", "user", "assistant"]
Finish = Literal["stop", "length"]

HANGS: Final = "hangs"
"""Reason of a failure: nothing was given to the model, as the call before has not returned."""

EXPECTED = (
    LlmServerBusy,
    LlmServerCut,
    LlmServerFailed,
    LlmServerLate,
    LlmServerUnreachable,
    PromptTooLong,
)
"""What `Provider.generate` may raise; after any of them the text so far is not a whole answer."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Messages as a model reads them, oldest first, and how many tokens the answer may have."""

    messages: tuple[tuple[Role, str], ...] = field(repr=False)
    max_new_tokens: int


@dataclass(frozen=True, slots=True)
class Written:
    """The answer is whole. Tokens are None where nobody counted them."""

    finish: Finish
    prompt_tokens: int | None = None
    new_tokens: int | None = None


class Provider(ABC):
    """Writes answers. Used from one event loop; any number of generations at once, or LlmServerBusy."""

    rests_when_busy = True
    """Whether a provider that is busy is left alone as long as it says; one that knows its own line need not be."""

    def __init__(self, name: str) -> None:
        """`name`: as cloud.toml has it."""
        self.name = name

    async def generate(self, asked: Asked, until: Deadlines) -> AsyncGenerator[str | Written, None]:
        """Pieces of text as they come, never empty, at least one; then Written, once.

        Closing the iterator ends the generation. Raises the errors of EXPECTED and no others.
        """
        try:
            async with aclosing(self._generate(asked, until)) as pieces:
                async for piece in pieces:
                    yield piece
        except EXPECTED:
            raise
        except Exception as error:  # its message may quote what it choked on
            log.error("a provider failed", extra={"provider": self.name, "error": type(error).__name__})
            raise LlmServerFailed("internal_error") from None

    @abstractmethod
    def _generate(self, asked: Asked, until: Deadlines) -> AsyncGenerator[str | Written, None]:
        """As `generate`; another error counts as LlmServerFailed."""

    async def run(self) -> None:
        """What it does beside generations, until cancelled."""
        await asyncio.Event().wait()

    @abstractmethod
    async def close(self) -> None:
        """Free what it holds, without waiting for a native call. Whoever still reads ends by its deadline."""
