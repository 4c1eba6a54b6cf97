"""`/v1/chat/completions`: the desk itself, as OpenAI's clients ask it, and the site's language model beside it.

Of the desk nothing is sent before the turn is final: what a program has read cannot be taken back as on the kiosk's
page, and an error still has a status of its own, which the clients understand.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import orjson
from aiohttp import web

from edge.chat.raw_text import RawText
from edge.chat.single_turn import LOCALE, ProgramTurns, text_of
from edge.store.api_keys import Scope
from edge.web import chat_reply, chat_request
from edge.web.chat_reply import Finish, Head, Usage, chunk_bytes
from edge.web.chat_request import Wanted
from edge.web.event_stream import event_stream
from edge.web.key_ring import KeyRing, Use
from edge.web.openai_errors import error_response
from edge.web.program_requests import ModelNotFound, opened_by, read_program_body
from edge.web.raw_chat import ID_BYTES, RawChat

DESK: Final = "postern"
"""The model that is the desk: safety, intents, answers from the site's documents."""

CountTokens = Callable[[Sequence[str]], list[int]]


@dataclass(frozen=True, slots=True)
class _Answer:
    """What is said: in whole sentences, as many as fit."""

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
        self,
        keys: KeyRing,
        turns: ProgramTurns,
        raw: RawText,
        count_tokens: CountTokens,
        question_chars_max: int,
    ) -> None:
        self._keys = keys
        self._turns = turns
        self._raw = raw
        self._raw_chat = RawChat(raw)
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
        if wanted.model not in {DESK, self._raw.model}:
            raise ModelNotFound("No model of that name answers here.", "model")
        if wanted.model == DESK:
            answer = await self._of_desk(wanted, use)
        else:
            found = await self._card(wanted, use)
            if found is None:
                return await self._raw_chat.answer(request, wanted, use)
            answer = found
        use.spend(answer.usage.total)
        if wanted.stream:
            return await _streamed(request, _chunks(answer, wanted.include_usage))
        body = chat_reply.completion(answer.head, answer.text, answer.finish, answer.usage, answer.more)
        return web.Response(body=orjson.dumps(body), content_type="application/json")

    async def _of_desk(self, wanted: Wanted, use: Use) -> _Answer:
        """The desk's turn, cut as wanted. Raises RequestRefused, and what `ProgramTurns.ask` does."""
        asked = chat_request.asked(wanted, self._question_chars_max)
        turn = await self._turns.ask(use.key, asked.question, asked.before)
        more = {name: value for name, value in turn.items() if name != "answer"}
        read = [asked.before.topic, asked.question]
        return await self._cut(wanted, str(turn["turn_id"]), text_of(turn), read, more)

    async def _card(self, wanted: Wanted, use: Use) -> _Answer | None:
        """What is said in the language model's place. Raises RequestRefused, NoticeRequired, QueueFull."""
        question = chat_request.asked(wanted, self._question_chars_max).question
        self._turns.require_notice(use.key)
        card = await self._raw.card(question, LOCALE)
        if card is None:
            return None
        more: dict[str, object] = {"route": card.route, "card": card.body()}
        return await self._cut(wanted, secrets.token_urlsafe(ID_BYTES), card.answer, [question], more)

    async def _cut(
        self, wanted: Wanted, number: str, text: str, read: Sequence[str], more: dict[str, object]
    ) -> _Answer:
        """The text up to a stop and to the last sentence that fits; `read`: what the encoder was given."""
        pieces = chat_reply.in_sentences(chat_reply.before_stop(text, wanted.stops))
        tokens = await self._tokens([*read, *chat_reply.beginnings(pieces)])
        prompt, said = tokens[: len(read)], tokens[len(read) :]
        kept = chat_reply.fitting(said, wanted.tokens_max)
        return _Answer(
            Head(f"{chat_reply.ID_PREFIX}{number}", wanted.model),
            pieces[:kept],
            "stop" if kept == len(pieces) else "length",
            Usage(sum(prompt), said[kept - 1] if kept else 0),
            {DESK: more},
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
            await response.write(chunk_bytes(chunk))
        await response.write(chat_reply.DONE)
        await response.write_eof()
    return response
