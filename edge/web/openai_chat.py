"""`/v1/chat/completions`: the desk itself, as OpenAI's clients ask it.

Nothing is sent before the turn is final: what a program has read cannot be taken back as on the kiosk's page, and an
error still has a status of its own, which the clients understand.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import orjson
from aiohttp import web

from edge.chat.single_turn import ProgramTurns, text_of
from edge.store.api_keys import Scope
from edge.web import chat_reply, chat_request
from edge.web.chat_reply import Finish, Head, Usage
from edge.web.chat_request import Wanted
from edge.web.event_stream import ended_with, event_stream
from edge.web.key_ring import KeyRing, Use
from edge.web.openai_errors import error_response
from edge.web.program_requests import ModelNotFound, opened_by, read_program_body

DESK: Final = "postern"
"""The model that is the desk: safety, intents, answers from the site's documents."""

DONE: Final = b"data: [DONE]\n\n"

CountTokens = Callable[[Sequence[str]], list[int]]


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the desk says: in whole sentences, as many as fit."""

    head: Head
    pieces: Sequence[str]
    finish: Finish
    usage: Usage
    more: dict[str, object]

    @property
    def text(self) -> str:
        return "".join(self.pieces)


class OpenAiChat:
    """Handlers. `count_tokens`: by the encoder's tokenizer, blocking, its two special ones included."""

    def __init__(
        self, keys: KeyRing, turns: ProgramTurns, count_tokens: CountTokens, question_chars_max: int
    ) -> None:
        self._keys = keys
        self._turns = turns
        self._count_tokens = count_tokens
        self._question_chars_max = question_chars_max

    def routes(self) -> list[web.RouteDef]:
        """The routes of this file."""
        return [
            web.post("/v1/chat/completions", opened_by(self._keys, Scope.CHAT, error_response, self.complete))
        ]

    async def complete(self, request: web.Request, use: Use) -> web.StreamResponse:
        """An answer to the last question, whole or in chunks."""
        wanted = chat_request.read(await read_program_body(request))
        if wanted.model != DESK:
            raise ModelNotFound("No model of that name answers here.", "model")
        with ended_with(request):
            answer = await self._asked(wanted, use)
        use.spend(answer.usage.total)
        if wanted.stream:
            return await _streamed(request, _chunks(answer, wanted.include_usage))
        body = chat_reply.completion(answer.head, answer.text, answer.finish, answer.usage, answer.more)
        return web.Response(body=orjson.dumps(body), content_type="application/json")

    async def _asked(self, wanted: Wanted, use: Use) -> _Answer:
        """The desk's turn, cut as wanted. Raises RequestRefused, and what `ProgramTurns.ask` does."""
        asked = chat_request.asked(wanted, self._question_chars_max)
        turn = await self._turns.ask(use.key, asked.question, asked.before)
        pieces = chat_reply.in_sentences(chat_reply.before_stop(text_of(turn), wanted.stops))
        prompt = await self._tokens([asked.before.topic, asked.question])
        said = await self._tokens(chat_reply.beginnings(pieces))
        kept = chat_reply.fitting(said, wanted.tokens_max)
        return _Answer(
            Head(f"{chat_reply.ID_PREFIX}{turn['turn_id']}", DESK),
            pieces[:kept],
            "stop" if kept == len(pieces) else "length",
            Usage(sum(prompt), said[kept - 1] if kept else 0),
            {DESK: {name: value for name, value in turn.items() if name != "answer"}},
        )

    async def _tokens(self, texts: Sequence[str]) -> list[int]:
        """Of each text, without special ones, off the event loop."""
        *counts, special = await asyncio.to_thread(self._count_tokens, [*texts, ""])
        return [count - special for count in counts]


def _chunks(answer: _Answer, include_usage: bool) -> Iterator[dict[str, object]]:
    """A sentence a chunk."""
    yield chat_reply.first_chunk(answer.head, include_usage)
    for piece in answer.pieces:
        yield chat_reply.text_chunk(answer.head, piece, include_usage)
    yield from chat_reply.last_chunks(answer.head, answer.finish, answer.usage, answer.more, include_usage)


async def _streamed(request: web.Request, chunks: Iterator[dict[str, object]]) -> web.StreamResponse:
    response = event_stream()
    with suppress(ConnectionError):  # the program has gone
        await response.prepare(request)
        for chunk in chunks:
            await response.write(b"data: " + orjson.dumps(chunk) + b"\n\n")
        await response.write(DONE)
        await response.write_eof()
    return response
