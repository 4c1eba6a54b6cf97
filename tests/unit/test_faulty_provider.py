"""The provider that misbehaves does so as it is told: seen with a client of another hand."""

from __future__ import annotations

import asyncio
import ssl

import aiohttp
import pytest

from tests.faulty_provider import WORDS, FaultyProvider, faulty_provider, server_tls
from tests.provider_faults import OF_THE_STREAM, Fault

HANGS = {Fault.MUTE, Fault.STALL, Fault.TOO_LONG, Fault.UNANSWERED}
GIVE_UP_S = 0.05


async def _ask(provider: FaultyProvider) -> tuple[int, str, bytes]:
    body = {"messages": [{"role": "user", "content": "where is it"}], "stream": True}
    body["stream_options"] = {"include_usage": True}
    unchecked = ssl.create_default_context()
    unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
    timeout = aiohttp.ClientTimeout(total=GIVE_UP_S if provider.fault in HANGS else 20)
    async with (
        aiohttp.ClientSession(timeout=timeout) as client,
        client.post(
            f"{provider.url}/chat/completions", json=body, ssl=unchecked, allow_redirects=False
        ) as found,
    ):
        return found.status, found.content_type, await found.read()


async def test_well_it_says_its_words_its_end_and_its_counts() -> None:
    async with faulty_provider() as provider:
        status, kind, said = await _ask(provider)
        assert (status, kind, provider.whole) == (200, "text/event-stream", 1)
        assert said.count(b'"content"') == len(WORDS)
        assert b'"finish_reason": "stop"' in said
        assert b'"completion_tokens": 7' in said
        assert said.endswith(b"data: [DONE]\n\n")
        provider.words = lambda body: [body["messages"][0]["content"]]
        assert b"where is it" in (await _ask(provider))[2]


async def test_of_the_head() -> None:
    async with faulty_provider() as provider:
        for fault, status in (
            (Fault.BUSY, 429),
            (Fault.BUSY_503, 503),
            (Fault.ERROR_500, 500),
            (Fault.ERROR_502, 502),
            (Fault.ERROR_503, 503),
            (Fault.UNAUTHORISED, 401),
            (Fault.REDIRECT, 307),
            (Fault.NO_STREAM, 200),
        ):
            provider.next_faults.append(fault)
            assert (await _ask(provider))[0] == status, fault
        for fault in (Fault.MUTE, Fault.NOT_HTTP, Fault.NOT_TLS, Fault.WRONG_CERTIFICATE):
            await provider.misbehave(fault)
            with pytest.raises((aiohttp.ClientError, TimeoutError)):
                await _ask(provider)


@pytest.mark.parametrize("after", [0, 3])
async def test_of_the_stream(after: int) -> None:
    async with faulty_provider() as provider:
        for fault in (*OF_THE_STREAM, Fault.EMPTY):
            await provider.misbehave(fault, after=after)
            try:
                said = (await _ask(provider))[2]
            except (aiohttp.ClientError, TimeoutError):
                assert fault in (Fault.CUT, Fault.STALL, Fault.TOO_LONG)
                continue
            assert (b'"stop"' in said) == (
                fault not in (Fault.NO_END, Fault.CUT, Fault.STALL, Fault.TOO_LONG)
            ), fault


async def test_of_the_connection_and_back() -> None:
    async with faulty_provider(tls=server_tls()) as provider:
        port = provider.port
        for fault in (Fault.REFUSED, Fault.UNANSWERED, Fault.NOT_TLS):
            await provider.misbehave(fault)
            with pytest.raises((aiohttp.ClientError, TimeoutError)):
                await _ask(provider)
            await provider.mend()
            assert provider.port == port
            assert (await _ask(provider))[0] == 200, fault


async def test_whoever_leaves_is_seen() -> None:
    async with faulty_provider() as provider:
        await provider.misbehave(Fault.STALL, after=2)
        while not provider.bodies:  # a loaded machine may give up before it has asked
            with pytest.raises(TimeoutError):
                await _ask(provider)
        await asyncio.wait_for(provider.left.wait(), 30)
        assert provider.running == 0
