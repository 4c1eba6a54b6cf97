"""Asks a server for one streamed completion, with a limit on every wait. What comes is text only if it came whole.

Nothing is retried: half an answer may already be on a screen.
"""

from __future__ import annotations

import asyncio
import math
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import aiohttp
from aiohttp.http_exceptions import LineTooLong

from core.completions.errors import (
    LlmServerBusy,
    LlmServerCut,
    LlmServerFailed,
    LlmServerLate,
    LlmServerUnreachable,
)
from core.completions.stream import DONE, WHOLE, Chunk, Malformed, chunk_of, data_of
from core.errors import ConfigError

PATH: Final = "/chat/completions"

ANSWER_CHARS_MAX: Final = 64 * 1024
"""Far above what the settings let an answer have; a server that does not stop is left."""

RECEIVED_BYTES_MAX: Final = 4 << 20
"""A chunk of one token has some 250 bytes: 1,024 tokens a sixteenth of this."""

COOL_DOWN_S: Final = 2.0
"""Of a busy server that says no time: a restart takes seconds."""

COUNTS_S_MAX: Final = 0.5
"""Behind the end of the text, for the server's count of tokens: it comes at once, or not at all."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Deadlines:
    """On the loop's clock, in seconds: until when the first text must have come, and until when the last."""

    first_by: float
    give_up_at: float
    silence_s: float = math.inf
    """Between two pieces of text."""

    def next_by(self, now: float) -> float:
        """Until when more text must come, behind some that came just now."""
        return min(self.give_up_at, now + self.silence_s)


async def ask(
    client: aiohttp.ClientSession,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    until: Deadlines,
    *,
    counted: bool = False,
) -> AsyncGenerator[Chunk, None]:
    """Chunks as they come, the last of which has `finish`; `counted`: it may have `usage`, too.

    `client` has no time-out of its own: it would also run while our reader is busy. Closing the iterator ends the
    request. Raises LlmServerUnreachable, -Busy, -Failed, -Cut or -Late; what came before one of them is no answer.
    """
    request = client.post(url, data=body, headers=headers, allow_redirects=False)
    response = await _within(request, until.first_by)
    try:
        _check(response)
        async for chunk in _chunks(response, until):
            if chunk.finish and counted:
                yield await _with_counts(response, chunk)
            else:
                yield chunk
    except Malformed as error:
        raise LlmServerFailed(str(error)) from None
    except LineTooLong:
        raise LlmServerFailed("line_too_long") from None
    finally:
        # At its end, the connection serves again already; else it is cut, and the server stops writing.
        response.close()


async def _chunks(response: aiohttp.ClientResponse, until: Deadlines) -> AsyncIterator[Chunk]:
    """Text, up to the end that the server announced. Raises Malformed, LineTooLong, LlmServerCut, -Failed, -Late."""
    loop, by, chars, received = asyncio.get_running_loop(), until.first_by, 0, 0
    while line := await _within(response.content.readline(), by):
        received += len(line)
        data = data_of(line)
        if data == DONE:
            break
        chunk = chunk_of(data) if data else Chunk()
        chars += len(chunk.text)
        if received > RECEIVED_BYTES_MAX or chars > ANSWER_CHARS_MAX:
            raise LlmServerFailed("too_long")
        if chunk.finish:
            if chunk.finish not in WHOLE:
                raise LlmServerFailed("not_finished")
            if not chars:
                raise LlmServerFailed("empty")
            yield chunk
            return
        if chunk.text:
            yield chunk
            by = until.next_by(loop.time())
    raise LlmServerCut


def headers_with(api_key_file: Path | None, setting: str) -> dict[str, str]:
    """Of a request. Raises ConfigError naming the `setting` when the file holds no key."""
    headers = {
        "content-type": "application/json",
        "accept": "text/event-stream",
        "accept-encoding": "identity",
    }
    if api_key_file is None:
        return headers
    with suppress(OSError, UnicodeDecodeError):
        key = api_key_file.read_text(encoding="utf-8").strip()
        if key.isascii() and key.isprintable() and key:
            return {**headers, "authorization": f"Bearer {key}"}
    raise ConfigError(f"{setting}: {api_key_file} holds no key.")


async def _with_counts(response: aiohttp.ClientResponse, last: Chunk) -> Chunk:
    """The last chunk, with the counts behind it where they come in time. The answer is whole without them."""
    with suppress(TimeoutError, aiohttp.ClientError, OSError, ssl.SSLError, LineTooLong, Malformed):
        async with asyncio.timeout(COUNTS_S_MAX):
            received = 0
            # To the end of the stream, so that the connection serves again.
            while (line := await response.content.readline()) and received < RECEIVED_BYTES_MAX:
                received += len(line)
                data = data_of(line)
                if data not in {b"", DONE} and (usage := chunk_of(data).usage):
                    last = Chunk(last.text, last.finish, usage)
    return last


def _check(response: aiohttp.ClientResponse) -> None:
    """Raises LlmServerBusy or LlmServerFailed for what is no stream."""
    if response.status in {429, 503}:
        raise LlmServerBusy(_retry_after_s(response.headers.get("Retry-After", "")))
    if response.status != 200:  # a redirect is no answer either: it could lead anywhere
        raise LlmServerFailed(f"status_{response.status}")
    if response.content_type != "text/event-stream":
        raise LlmServerFailed("no_stream")


def _retry_after_s(header: str) -> float:
    """Seconds (RFC 9110 §10.2.3); a date or nonsense counts as nothing said."""
    return float(header) if header.isascii() and header.isdigit() and len(header) < 7 else COOL_DOWN_S


async def _within(step: Awaitable[_T], until: float) -> _T:
    """A step of the exchange, by `until` on the loop's clock. Raises LlmServerLate, -Unreachable or -Cut."""
    try:
        async with asyncio.timeout_at(until):
            return await step
    except TimeoutError:
        raise LlmServerLate from None
    except (aiohttp.ClientConnectionError, ssl.SSLError) as error:
        if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ServerFingerprintMismatch):
            raise LlmServerUnreachable(f"No connection: {type(error).__name__}.") from None
        raise LlmServerCut from None
    except (aiohttp.ClientError, OSError):
        raise LlmServerCut from None
