"""A provider of words that are grounded: `python -m tests.bench.grounded_provider`, an OpenAI-compatible server.

It says those sentences of the quotes again that share most words with the question, its first token after FIRST_S,
then TOKENS_PER_S. A stand-in for a model on a machine of its own, so that a bench on two cores measures the way
there and not the model. It keeps what it was asked with (`GET /heard`).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
import socket
import time
from typing import Any, Final

import uvloop
from aiohttp import web

FIRST_S: Final = 0.3
# As a small model on one graphics card.
TOKENS_PER_S: Final = 100.0
# Sent together, as servers do under load; a chunk of its own for each token would cost this machine's cores.
TOKENS_A_CHUNK: Final = 4
SENTENCES: Final = 2
# When it is told to misbehave: slow is past every deadline; a cut comes when something may already be shown.
SLOWER: Final = 20.0
CUT_AFTER: Final = 6
_QUOTE = re.compile(r"<quote [^>]*>(.*?)</quote", re.S)
_QUESTION = re.compile(r"<question [^>]*>(.*?)</question", re.S)
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_WORD = re.compile(r"\w+")
_TOKEN = re.compile(r"\s*\S{1,5}")


def answer(text: str) -> str:
    """Of a prompt's text."""
    asked = {word.lower() for found in _QUESTION.findall(text) for word in _WORD.findall(found)}
    sentences = [
        sentence.strip()
        for quote in _QUOTE.findall(text)
        for sentence in _SENTENCE.split(quote)
        if sentence.strip().endswith((".", "!"))
    ]
    ranked = sorted(sentences, key=lambda one: -len(asked & {word.lower() for word in _WORD.findall(one)}))
    return " ".join(ranked[:SENTENCES]) or "I do not know."


class Server:
    """Answers and remembers."""

    def __init__(self, tokens_per_s: float = TOKENS_PER_S) -> None:
        self._tokens_per_s = tokens_per_s
        self._heard: list[str] = []
        self._fault = ""

    def application(self) -> web.Application:
        """Its routes."""
        made = web.Application(client_max_size=2**22)
        made.router.add_post("/v1/chat/completions", self.complete)
        made.router.add_get("/v1/models", self.models)
        made.router.add_get("/heard", self.heard)
        made.router.add_post("/fault", self.be_faulty)
        return made

    async def complete(self, request: web.Request) -> web.StreamResponse:
        """A streamed chat completion."""
        came = time.perf_counter()
        body = await request.json()
        text = "\n".join(str(message["content"]) for message in body["messages"])
        self._heard.append(text)
        if self._fault == "500":
            return web.json_response({"error": {"message": "out of memory"}}, status=500)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        tokens = _TOKEN.findall(answer(text))
        with contextlib.suppress(ConnectionError):  # a node that was killed in the middle of it
            await self._say(response, came, tokens, text, body)
            return response
        if request.transport:
            request.transport.close()
        return response

    async def _say(
        self, response: web.StreamResponse, came: float, tokens: list[str], text: str, body: dict[str, Any]
    ) -> None:
        for number, piece in enumerate(_chunks(tokens)):
            pause_s = FIRST_S + number * TOKENS_A_CHUNK / self._tokens_per_s
            due = came + (SLOWER if self._fault == "slow" else 1.0) * pause_s
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            if self._fault == "cut" and number == CUT_AFTER:
                raise ConnectionAbortedError
            await response.write(_event({"content": piece}, None))
        await response.write(_event({}, "stop"))
        if body.get("stream_options", {}).get("include_usage"):
            usage = {"prompt_tokens": len(text) // 4, "completion_tokens": len(tokens)}
            usage["total_tokens"] = sum(usage.values())
            await response.write(_data({**_HEAD, "choices": [], "usage": usage}))
        await response.write(b"data: [DONE]\n\n")
        await response.write_eof()

    async def models(self, _: web.Request) -> web.Response:
        """One."""
        return web.json_response({"object": "list", "data": [{"id": "grounded", "object": "model"}]})

    async def be_faulty(self, request: web.Request) -> web.Response:
        """From now on: `500`, `slow`, `cut`, or nothing."""
        self._fault = await request.text()
        return web.Response(status=204)

    async def heard(self, _: web.Request) -> web.Response:
        """Every text so far."""
        return web.json_response(self._heard)


_HEAD: Final = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "grounded"}


def _chunks(tokens: list[str]) -> list[str]:
    """The first token alone, the others together."""
    starts = range(1, len(tokens), TOKENS_A_CHUNK)
    return tokens[:1] + ["".join(tokens[start : start + TOKENS_A_CHUNK]) for start in starts]


def _event(delta: dict[str, Any], finish: str | None) -> bytes:
    return _data({**_HEAD, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


def _data(value: object) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tokens-per-s", type=float, default=TOKENS_PER_S)
    runner = web.AppRunner(Server(parser.parse_args().tokens_per_s).application(), access_log=None)
    await runner.setup()
    listening = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listening).start()
    print(json.dumps({"url": f"http://127.0.0.1:{listening.getsockname()[1]}"}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
