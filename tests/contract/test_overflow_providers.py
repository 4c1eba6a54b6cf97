"""What the control plane may ask of whoever writes answers: one suite, a model in this process and a server."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Protocol

import pytest

from cloud_sync.config import ProviderSettings
from cloud_sync.overflow.engine import Engine
from cloud_sync.overflow.openai_server import OpenAiServer
from cloud_sync.overflow.provider import Asked, Provider, Written
from core.completions.asking import Deadlines
from core.completions.errors import (
    LlmServerBusy,
    LlmServerCut,
    LlmServerFailed,
    LlmServerLate,
    LlmServerUnreachable,
)
from models.errors import ModelMissing, PromptTooLong, RuntimeUnavailable
from models.generation_queue import WAITING_MAX
from models.runtimes.port import TextGenerator
from models.runtimes.scripted import ScriptedGenerator
from tests.faulty_provider import FaultyProvider, faulty_provider
from tests.provider_faults import Fault

WORDS = ("The", " lift", " is", " left", ".")
ASKED = Asked((("system", "Answer."), ("user", "Where is the lift? canary-4711")), 20)
LONG_S = 60.0
# Long for a loaded machine, and an error when it is reached.
WAIT_S = 30.0


class Rig(Protocol):
    """A provider whose other side does what a test wants."""

    provider: Provider

    async def hold(self) -> None:
        """From now on it begins, and never ends an answer."""
        ...

    async def released(self) -> None:
        """It noticed that nobody reads."""
        ...


@dataclass
class EngineRig:
    """`generator` may be changed until the first answer is asked for."""

    generator: TextGenerator = field(default_factory=lambda: ScriptedGenerator(WORDS))
    provider: Engine = field(init=False)

    def __post_init__(self) -> None:
        self.provider = Engine("embedded", self._opened)

    def _opened(self) -> TextGenerator:
        return self.generator

    async def hold(self) -> None:
        self.generator = ScriptedGenerator(WORDS, pause_s=0.02, endless=True)

    async def released(self) -> None:
        async with asyncio.timeout(WAIT_S):
            while self.provider._queue.wait_s:
                await asyncio.sleep(0.01)


@dataclass
class ServerRig:
    """A real server on loopback."""

    server: FaultyProvider
    provider: OpenAiServer = field(init=False)

    def __post_init__(self) -> None:
        settings = ProviderSettings(name="server", kind="openai", url=self.server.url, model="m")
        self.provider = OpenAiServer(settings)

    async def hold(self) -> None:
        await self.server.misbehave(Fault.STALL, after=2)

    async def released(self) -> None:
        async with asyncio.timeout(WAIT_S):
            while self.server.running:
                await asyncio.sleep(0.01)


@pytest.fixture(params=["engine", "openai"])
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    if request.param == "engine":
        engine = EngineRig()
        async with serving(engine.provider):
            yield engine
        return
    async with faulty_provider(words=WORDS) as server:
        found = ServerRig(server)
        async with serving(found.provider):
            yield found


class serving:
    """Runs a provider, and closes it as the control plane does."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._provider.run())

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait({self._task}, timeout=WAIT_S)
        await asyncio.wait_for(self._provider.close(), WAIT_S)


def until(first_s: float = LONG_S, all_s: float = LONG_S, silence_s: float = math.inf) -> Deadlines:
    now = asyncio.get_running_loop().time()
    return Deadlines(now + min(first_s, all_s), now + all_s, silence_s)


async def answered(
    provider: Provider, asked: Asked = ASKED, deadlines: Deadlines | None = None
) -> list[object]:
    return [piece async for piece in provider.generate(asked, deadlines or until())]


async def test_text_streams_and_ends_once_with_its_counts(rig: Rig) -> None:
    for _ in range(2):
        *pieces, end = await answered(rig.provider)
        assert pieces == list(WORDS)
        assert isinstance(end, Written)
        assert (end.finish, end.new_tokens) == ("stop", len(WORDS))
        assert end.prompt_tokens


async def test_an_answer_at_its_length_is_whole(rig: Rig) -> None:
    if isinstance(rig, ServerRig):
        rig.server.words = WORDS[:2]
    *pieces, end = await answered(rig.provider, Asked(ASKED.messages, 2))
    assert pieces == list(WORDS[:2])
    assert isinstance(end, Written)
    assert end.finish == "length"


async def test_leaving_ends_the_generation(rig: Rig) -> None:
    await rig.hold()
    async with aclosing(rig.provider.generate(ASKED, until())) as pieces:
        assert await anext(pieces) == WORDS[0]
    await rig.released()


async def test_a_reader_that_is_cancelled_ends_the_generation(rig: Rig) -> None:
    await rig.hold()
    begun = asyncio.Event()

    async def read() -> None:
        async for _ in rig.provider.generate(ASKED, until()):
            begun.set()

    reading = asyncio.create_task(read())
    await asyncio.wait_for(begun.wait(), WAIT_S)
    reading.cancel()
    await rig.released()
    with pytest.raises(asyncio.CancelledError):
        await reading


async def test_the_deadline_ends_an_answer_that_does_not_end(rig: Rig) -> None:
    await rig.hold()
    with pytest.raises(LlmServerLate):
        await answered(rig.provider, Asked(ASKED.messages, 1000), until(all_s=0.3))
    await rig.released()


async def test_first_words_have_a_deadline_of_their_own(rig: Rig) -> None:
    if isinstance(rig, ServerRig):
        await rig.server.misbehave(Fault.STALL)
    else:
        assert isinstance(rig, EngineRig)
        rig.generator = ScriptedGenerator(WORDS, pause_s=2.0)
    with pytest.raises(LlmServerLate):
        await answered(rig.provider, deadlines=until(first_s=0.2))


async def test_silence_between_words_has_a_limit(rig: Rig) -> None:
    if isinstance(rig, ServerRig):
        await rig.server.misbehave(Fault.STALL, after=2)
    else:
        assert isinstance(rig, EngineRig)
        rig.generator = ScriptedGenerator(WORDS, pause_s=0.5)
    with pytest.raises(LlmServerLate):
        await answered(rig.provider, deadlines=until(silence_s=0.1))


async def test_many_at_once_are_all_whole_or_refused(rig: Rig) -> None:
    ends = await asyncio.gather(*(answered(rig.provider) for _ in range(30)), return_exceptions=True)
    whole = [end for end in ends if not isinstance(end, BaseException)]
    assert all(isinstance(end, LlmServerBusy) for end in ends if isinstance(end, BaseException))
    assert all(end[:-1] == list(WORDS) for end in whole)
    assert whole


async def test_what_fails_is_told_in_the_ports_own_errors(rig: Rig) -> None:
    if isinstance(rig, ServerRig):
        await rig.server.misbehave(Fault.ERROR_500)
    else:
        assert isinstance(rig, EngineRig)
        rig.generator = _Failing(RuntimeUnavailable("canary-4711"))
    with pytest.raises(LlmServerFailed) as caught:
        await answered(rig.provider)
    assert "canary" not in str(caught.value)


async def test_an_answer_without_a_word_is_none(rig: Rig) -> None:
    if isinstance(rig, ServerRig):
        await rig.server.misbehave(Fault.EMPTY)
    else:
        assert isinstance(rig, EngineRig)
        rig.generator = ScriptedGenerator(())
    with pytest.raises(LlmServerFailed, match="empty"):
        await answered(rig.provider)


async def test_closing_takes_no_time_while_somebody_reads(rig: Rig) -> None:
    await rig.hold()
    async with aclosing(rig.provider.generate(ASKED, until())) as pieces:
        await anext(pieces)
        await asyncio.wait_for(rig.provider.close(), WAIT_S)


# --- the engine alone ---


class _Failing(ScriptedGenerator):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def generate(self, *_: object, **__: object) -> None:  # type: ignore[override]
        raise self._error


@pytest.fixture
async def engine() -> AsyncIterator[EngineRig]:
    found = EngineRig()
    async with serving(found.provider):
        yield found


async def test_a_prompt_that_does_not_fit_is_told_apart(engine: EngineRig) -> None:
    with pytest.raises(PromptTooLong):
        await answered(engine.provider, Asked((("user", "a " * 3000),), 20))


@pytest.mark.parametrize("error", [ValueError("canary-4711"), ModelMissing(), MemoryError()])
async def test_whatever_the_runtime_raises_the_next_answer_comes(engine: EngineRig, error: Exception) -> None:
    working = engine.generator
    engine.generator = _Failing(error)
    for _ in range(2):
        with pytest.raises(LlmServerFailed) as caught:
            await answered(engine.provider)
        assert "canary" not in str(caught.value)
    engine.provider._queue.model = None
    engine.generator = working
    assert isinstance((await answered(engine.provider))[-1], Written)


async def test_an_engine_that_stops_ends_what_it_writes_at_once() -> None:
    rig = EngineRig()
    await rig.hold()
    async with aclosing(rig.provider.generate(ASKED, until())) as pieces:
        async with serving(rig.provider):
            await anext(pieces)
        with pytest.raises(LlmServerCut):
            async for _ in pieces:
                pass


async def test_a_line_that_is_too_long_for_the_first_words_is_said_at_once(engine: EngineRig) -> None:
    await engine.hold()
    patient = until(first_s=10_000, all_s=10_000)
    running = [
        asyncio.create_task(answered(engine.provider, deadlines=patient)) for _ in range(1 + WAITING_MAX)
    ]
    await asyncio.sleep(0)
    with pytest.raises(LlmServerBusy) as caught:
        await answered(engine.provider, deadlines=until(first_s=1.0))
    assert caught.value.retry_after_s
    with pytest.raises(LlmServerBusy):
        await answered(engine.provider, deadlines=patient)
    for one in running:
        one.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def test_a_native_call_that_hangs_is_noticed_and_the_next_are_refused_at_once(
    engine: EngineRig,
) -> None:
    engine.provider._queue._grace_s = 0.0
    engine.generator = ScriptedGenerator(WORDS, pause_s=WAIT_S)
    await engine.provider._queue.load()  # so that it is written, and not opened, when the time is over
    with pytest.raises(LlmServerLate):
        await answered(engine.provider, deadlines=until(all_s=0.2))
    async with asyncio.timeout(WAIT_S):
        while not engine.provider.hangs:
            await asyncio.sleep(0.01)
    with pytest.raises(LlmServerFailed, match="hangs"):
        await answered(engine.provider)


# --- a server alone ---


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.REFUSED, LlmServerUnreachable),
        (Fault.BUSY, LlmServerBusy),
        (Fault.BUSY_503, LlmServerBusy),
        (Fault.NO_STREAM, LlmServerFailed),
        (Fault.CUT, LlmServerCut),
        (Fault.NO_END, LlmServerCut),
        (Fault.ERROR_EVENT, LlmServerFailed),
        (Fault.CONTENT_FILTER, LlmServerFailed),
    ],
)
async def test_faults_of_a_server(fault: Fault, error: type[Exception]) -> None:
    async with faulty_provider(words=WORDS) as server:
        rig = ServerRig(server)
        async with serving(rig.provider):
            await server.misbehave(fault, after=2)
            with pytest.raises(error) as caught:
                await answered(rig.provider)
            if isinstance(caught.value, LlmServerBusy):
                assert caught.value.retry_after_s == server.retry_after_s


async def test_connections_are_kept_open_between_answers() -> None:
    async with faulty_provider(words=WORDS) as server:
        rig = ServerRig(server)
        async with serving(rig.provider):
            for _ in range(3):
                await answered(rig.provider)
            assert len(server._writers) == 1


@pytest.mark.models
@pytest.mark.long
async def test_the_models_own_engine_writes() -> None:
    """The default model of the catalogue, in this process."""
    from cloud_sync.overflow_services import provider_of

    provider = provider_of(ProviderSettings(name="embedded", kind="engine"))
    async with serving(provider):
        *pieces, end = await answered(provider, Asked(ASKED.messages, 8))
        assert "".join(map(str, pieces))
        assert isinstance(end, Written)
        assert end.prompt_tokens
        assert end.new_tokens
