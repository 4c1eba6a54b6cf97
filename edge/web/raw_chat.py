"""The site's language model as OpenAI's clients ask it: its own words, streamed as they come."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Final

import orjson
from aiohttp import web

from core.errors import PosternError
from edge.chat.raw_text import RawText
from edge.inference.worker import NEW_TOKENS_MAX
from edge.inference.worker_client import Ended, GenerationFailed
from edge.web import chat_reply
from edge.web.chat_reply import Head, Usage, chunk_bytes
from edge.web.chat_request import Wanted
from edge.web.event_stream import event_stream
from edge.web.key_ring import Use
from edge.web.openai_errors import error_body
from edge.web.program_requests import ContextLengthExceeded
from models.errors import PromptTooLong

ID_BYTES: Final = 12

PROMPT_CHARS_MAX: Final = 262_144
"""Some 65,000 tokens, more than the context of what runs at a site; the worker counts exactly, in its one lane."""


class RawChat:
    """Answers one request after its question was looked at."""

    def __init__(self, raw: RawText) -> None:
        self._raw = raw

    async def answer(self, request: web.Request, wanted: Wanted, use: Use) -> web.StreamResponse:
        """The model's words, whole or in chunks. Raises ContextLengthExceeded, and what `RawText.write` does."""
        if sum(len(text) for _, text in wanted.messages) > PROMPT_CHARS_MAX:
            raise ContextLengthExceeded(
                f"The messages have more than {PROMPT_CHARS_MAX} characters.", "messages"
            )
        generation = _Generation(self._raw, wanted)
        try:
            async with aclosing(generation.pieces()) as pieces:
                first = await _first(pieces)  # an error until here has a status of its own
                if wanted.stream:
                    return await self._streamed(request, generation, first, pieces)
                text = first + "".join([piece async for piece in pieces])
        finally:
            use.spend(generation.spent)
        ended = generation.ended
        body = chat_reply.completion(generation.head, text, ended.finish, generation.usage, {})
        return web.Response(body=orjson.dumps(body), content_type="application/json")

    async def _streamed(
        self, request: web.Request, generation: _Generation, first: str, rest: AsyncGenerator[str, None]
    ) -> web.StreamResponse:
        """What breaks off later ends with an error in the place of a chunk, which the client raises."""
        head, include = generation.head, generation.wanted.include_usage
        response = event_stream()
        with suppress(ConnectionError):  # the program has gone
            await response.prepare(request)
            await response.write(chunk_bytes(chat_reply.first_chunk(head, include)))
            if first:
                await response.write(chunk_bytes(chat_reply.text_chunk(head, first, include)))
            try:
                async for piece in rest:
                    await response.write(chunk_bytes(chat_reply.text_chunk(head, piece, include)))
            except PosternError as error:
                await response.write(chunk_bytes(error_body(error)))
            else:
                ended = generation.ended
                for chunk in chat_reply.last_chunks(head, ended.finish, generation.usage, {}, include):
                    await response.write(chunk_bytes(chunk))
                await response.write(chat_reply.DONE)
            await response.write_eof()
        return response


class _Generation:
    """One, with what it took."""

    def __init__(self, raw: RawText, wanted: Wanted) -> None:
        self.wanted = wanted
        self.head = Head(f"{chat_reply.ID_PREFIX}{secrets.token_urlsafe(ID_BYTES)}", wanted.model)
        self._raw = raw
        self._ended: Ended | None = None
        self._pieces = 0

    async def pieces(self) -> AsyncGenerator[str, None]:
        """The text as it comes."""
        most = self.wanted.tokens_max
        writing = self._raw.write(
            [("system" if role == "developer" else role, text) for role, text in self.wanted.messages],
            tokens_max=most and min(most, NEW_TOKENS_MAX),
            stops=self.wanted.stops,
            on_end=self._end,
        )
        async with aclosing(writing) as pieces:
            async for piece in pieces:
                self._pieces += 1
                yield piece

    @property
    def ended(self) -> Ended:
        """How it ended, once it has."""
        if self._ended is None:
            raise PosternError
        return self._ended

    @property
    def usage(self) -> Usage:
        """As the model's own tokenizer counts."""
        return Usage(self.ended.prompt_tokens, self.ended.new_tokens)

    @property
    def spent(self) -> int:
        """Tokens that are charged; of an answer that broke off its pieces, each about a token."""
        return self.usage.total if self._ended else self._pieces

    def _end(self, ended: Ended) -> None:
        self._ended = ended


async def _first(pieces: AsyncGenerator[str, None]) -> str:
    """The first piece, or nothing where the answer is empty. Raises ContextLengthExceeded."""
    try:
        return await anext(pieces, "")
    except GenerationFailed as error:
        if error.reason == PromptTooLong.code:
            raise ContextLengthExceeded(error.detail, "messages") from None
        raise
