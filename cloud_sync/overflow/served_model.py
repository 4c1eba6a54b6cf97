"""A model's text on its way to a caller of chat completions, without the server around it. Needs no Ray.

What a server does not catch, it logs with its traceback: no error leaves a stream that has begun.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial

from cloud_sync.overflow.served_completions import Answer, Asked
from core.errors import PosternError
from models.runtimes.port import GenerationResult, TextGenerator

log = logging.getLogger(__name__)


async def said(generator: TextGenerator, wanted: Asked) -> AsyncGenerator[str | GenerationResult, None]:
    """Pieces of text as the model writes them, then how it ended. Closing it stops the model at its next piece.

    Raises PromptTooLong or RuntimeUnavailable.
    """
    loop = asyncio.get_running_loop()
    # Bounded by the tokens that are asked for.
    pieces: asyncio.Queue[str | None] = asyncio.Queue()
    left = threading.Event()

    def on_text(text: str) -> bool:
        loop.call_soon_threadsafe(pieces.put_nowait, text)
        return left.is_set()

    work = loop.run_in_executor(
        None,
        partial(generator.generate, wanted.messages, max_new_tokens=wanted.max_new_tokens, on_text=on_text),
    )

    def on_end(done: asyncio.Future[GenerationResult]) -> None:
        done.exception()  # whoever left asks no more
        pieces.put_nowait(None)

    work.add_done_callback(on_end)
    try:
        while (piece := await pieces.get()) is not None:
            yield piece
        yield await work
    finally:
        left.set()


async def events(
    answer: Answer,
    first: str | GenerationResult,
    pieces: AsyncGenerator[str | GenerationResult, None],
    wanted: Asked,
) -> AsyncGenerator[bytes, None]:
    """The stream. When the model fails, it ends without its last event: nobody takes it for whole."""
    yield answer.opening()
    try:
        async with aclosing(pieces):
            piece = first
            while isinstance(piece, str):
                yield answer.piece(piece)
                piece = await anext(pieces)
    except Exception as error:
        log_failure(error)
        return
    for event in answer.ending(piece, wanted.include_usage):
        yield event


def log_failure(error: Exception) -> None:
    """That an answer failed, without the message of an error that may quote what it choked on."""
    why = error.code if isinstance(error, PosternError) else type(error).__name__
    log.error("an answer failed: %s", why)
