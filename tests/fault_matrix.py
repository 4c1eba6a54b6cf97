"""Every upstream fault × every provider × before and after the first text: how the customer's answer ends.

All between the customer and the fault is real: the turn's writing and relay, the worker over its socket, the client of
a server on the site's network, overflow through courier and mutual TLS to the control plane with its providers. Only
models, documents and the guard's look are by script. Used by a contract test and by the bench `faults`.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import grpc
import grpc.aio
from prometheus_client import CollectorRegistry

from cloud_sync.config import ProviderSettings
from cloud_sync.overflow.answering import Answering
from cloud_sync.overflow.engine import Engine
from cloud_sync.overflow.line import Line
from cloud_sync.overflow.metrics import OverflowMetrics
from cloud_sync.overflow.offer import Offer
from cloud_sync.overflow.openai_server import OpenAiServer
from cloud_sync.overflow.rescan import Rescan
from cloud_sync.overflow.usage import UsageBook
from cloud_sync.rpc.overflow import OverflowService
from edge.chat.generating import Quoted, Writing, Written
from edge.chat.relay import Relay
from edge.chat.routing import Decision, Route
from edge.config import AnswerSection, LlmServerSection, SitePaths
from edge.egress.envelope import Envelope, Purpose, load_or_create_key, seal
from edge.egress.llm_server import LlmServer
from edge.egress.overflow.client import OverflowClient
from edge.egress.overflow.order import GENERATE
from edge.egress.overflow.overflow import Overflow
from edge.egress.overflow.request import packed
from edge.egress.text.handover import Admitted, Handover
from edge.inference.conversation import Generator, Provider
from postern.v1 import overflow_pb2_grpc
from tests.contract.courier_process import authority_with_port, enrolled, new_identity, new_site
from tests.contract.overflow_rig import attached, courier_here
from tests.faulty_provider import faulty_provider, server_tls
from tests.faulty_worker import EMPTY, ENDLESS, GONE, HANGS, KILLED, RAISES, FaultyGenerator, own_worker
from tests.overflow_rig import ScriptedDetector
from tests.provider_faults import OF_THE_CONNECTION, OF_THE_HEAD, OF_THE_STREAM, Fault
from tests.unit.edge.chat.test_generating import NearEmbedder, understood

WORDS: Final = ("The café ", "opens at ", "8:00. ", "The café closes ", "at 17:00. ")
WHOLE: Final = "The café opens at 8:00. The café closes at 17:00."
PASSAGE: Final = "The café opens at 8:00. It closes at 17:00. Bring your own cup."
AFTER: Final = 3
"""Words before a fault behind the first text: the first sentence is on the screen then."""

FIRST_TEXT_S: Final = 2.0
ANSWER_S: Final = 8.0
"""The customer's deadlines. What hangs costs the next provider half of the first at most."""

SILENT_S: Final = 0.5
"""So long the control plane waits for each piece of a provider's text."""

OWN, LAN, ENGINE, SERVER = "own", "lan", "cloud_engine", "cloud_server"


@dataclass(frozen=True)
class Case:
    """`provider` is asked first and has the fault after so many words. `followed`: another one is well."""

    provider: str
    fault: str
    after: int
    followed: bool

    def __str__(self) -> str:
        return f"{self.provider}-{self.fault}-{self.after}-{'followed' if self.followed else 'alone'}"


@dataclass(frozen=True)
class Verdict:
    """How it ended, and what was on the screen before."""

    case: Case
    shown: str
    text: str
    """Empty: quotes."""
    late: bool

    @property
    def wrong(self) -> str:
        """What is wrong with it; empty where nothing is."""
        if self.text and self.text != WHOLE:
            return "a part was shown as whole"
        if self.text and self.shown != WHOLE:
            return "what was shown is not what the answer is"
        if self.case.followed and not self.text and not _may_be_quoted(self.case):
            return "quotes, though another provider was there"
        if not self.case.followed and self.text and self.case.fault not in _HARMLESS:
            return "an answer of a provider that failed"
        if not WHOLE.startswith(self.shown):
            return "something else was shown"
        return "too late" if self.late else ""


_HARMLESS: Final = {ENDLESS, Fault.TOO_LONG}
"""What repeats itself without end holds a whole answer, and writing stops at the first sentence that comes again."""

_SAYS_NOTHING: Final = (OWN, EMPTY)
"""The site's own model that has nothing to say did not fail: quotes are the answer."""


def _may_be_quoted(case: Case) -> bool:
    """Whether quotes are right although another provider is well.

    Also where one of the site's own falls silent within its first sentence: nothing is shown yet, and the time in which
    something must be (ADR 52) is over as soon as its silence is taken for a loss.
    """
    stalls = case.provider in {OWN, LAN} and case.fault in {HANGS, Fault.STALL} and case.after == AFTER
    return stalls or (case.provider, case.fault) == _SAYS_NOTHING


def cases() -> list[Case]:
    """All of them."""
    found = []
    for followed in (False, True):
        for provider, faults in (
            (OWN, (GONE, KILLED, RAISES, HANGS, EMPTY, ENDLESS)),
            (ENGINE, (RAISES, HANGS, EMPTY, ENDLESS)),
        ):
            for fault in faults:
                found += [Case(provider, fault, after, followed) for after in _afters_of(fault)]
        for provider in (LAN, SERVER):
            for fault in (*OF_THE_CONNECTION, *OF_THE_HEAD, Fault.EMPTY):
                found.append(Case(provider, fault, 0, followed))
            for fault in OF_THE_STREAM:
                afters = (0,) if fault is Fault.TOO_LONG else (0, AFTER, len(WORDS))
                found += [Case(provider, fault, after, followed) for after in afters]
    return found


def short_cases() -> list[Case]:
    """Every third of those that take no time: each provider, each group of faults, with and without another one."""
    slow = {HANGS, Fault.MUTE, Fault.STALL, Fault.UNANSWERED}
    return [case for case in cases() if case.fault not in slow and case.after < len(WORDS)][::3]


def _afters_of(fault: str) -> tuple[int, ...]:
    return (0,) if fault in (GONE, EMPTY, ENDLESS) else (0, AFTER)


@dataclass
class Matrix:
    """What all cases share: one site with its courier, one control plane."""

    paths: SitePaths
    client: OverflowClient
    ca_file: Path
    tls: ssl.SSLContext
    rescan: Rescan
    answers: _ByTokens
    patience: float
    """Times what anybody waits for whoever says nothing: more where nobody does, so that a loaded machine is none."""
    metrics: OverflowMetrics = field(default_factory=lambda: OverflowMetrics(CollectorRegistry()))

    async def run(self, all_cases: Sequence[Case], at_once: int) -> list[Verdict]:
        """All of them, so many at a time: most of a case's time is waiting."""
        numbered = list(enumerate(all_cases, 16))  # max_new_tokens tells the control plane which case asks
        found: list[Verdict] = []
        for start in range(0, len(numbered), at_once):
            group = numbered[start : start + at_once]
            found += await asyncio.gather(*(self.judge(case, number) for number, case in group))
        return found

    async def judge(self, case: Case, number: int) -> Verdict:
        """One case: what is shown, and how it ends."""
        async with AsyncExitStack() as stack:
            relay, providers = Relay(), []
            for name, generator in await self._providers(case, number, stack):
                relay.join(name, generator)
                providers.append(name)
            settings = AnswerSection(
                first_token_deadline_s=FIRST_TEXT_S * self.patience,
                generate_deadline_s=ANSWER_S * self.patience,
                max_new_tokens=number,
            )
            writing = Writing(settings, "The Clinic", relay, NearEmbedder(), 2048)
            decision = Decision(Route.GENERATE, tuple(providers))
            loop = asyncio.get_running_loop()
            began, shown, end = loop.time(), "", None
            async for piece in writing.write(*understood(PASSAGE), f"session-{number}", decision):
                if isinstance(piece, str):
                    shown += piece
                else:
                    end = piece
            took = loop.time() - began
            assert isinstance(end, Written | Quoted)
            late = took > ANSWER_S * self.patience + 1
            return Verdict(case, shown, end.text if isinstance(end, Written) else "", late)

    async def _providers(
        self, case: Case, number: int, stack: AsyncExitStack
    ) -> list[tuple[Provider, Generator]]:
        """In the order in which they are asked."""
        cloud = (Provider.CLOUD, Overflow(self.client, self._admit, _NoAlert(), FIRST_TEXT_S * self.patience))  # type: ignore[arg-type]
        if case.provider in (ENGINE, SERVER):
            await self._offer(case, number, stack)
            return [cloud]
        first: tuple[Provider, Generator]
        if case.provider == OWN:
            first = (Provider.OWN, await stack.enter_async_context(own_worker(WORDS, case.fault, case.after)))
        else:
            first = (Provider.LAN, await self._lan(case, stack))
        if not case.followed:
            return [first]
        await self._offer(Case(ENGINE, "", 0, followed=False), number, stack)
        return [first, cloud]

    async def _lan(self, case: Case, stack: AsyncExitStack) -> LlmServer:
        server = await stack.enter_async_context(faulty_provider(words=WORDS, tls=self.tls))
        await server.misbehave(Fault(case.fault), after=case.after)
        stack.callback(server.hold.set)
        settings = LlmServerSection(url=server.url, model="m", ca_file=self.ca_file)
        return LlmServer(settings, _NoStore(), self._admit, FIRST_TEXT_S * self.patience)  # type: ignore[arg-type]

    async def _offer(self, case: Case, number: int, stack: AsyncExitStack) -> None:
        """The control plane's providers for this case: the faulty one first, then one of the other kind."""
        server = await stack.enter_async_context(faulty_provider(words=WORDS, tls=self.tls))
        stack.callback(server.hold.set)
        if case.provider == SERVER:
            await server.misbehave(Fault(case.fault), after=case.after)
        generator = FaultyGenerator(WORDS, case.fault if case.provider == ENGINE else "", case.after)
        stack.callback(generator.released.set)
        asked = ProviderSettings(
            name="server",
            kind="openai",
            url=server.url,
            model="m",
            ca_file=self.ca_file,
            first_text_s_max=SILENT_S * self.patience,
            silence_s_max=SILENT_S * self.patience,
        )
        engine = ProviderSettings(
            name="engine",
            kind="engine",
            first_text_s_max=SILENT_S * self.patience,
            silence_s_max=SILENT_S * self.patience,
        )
        usage = UsageBook(None, _clock)  # type: ignore[arg-type]
        offers = [
            Offer(OpenAiServer(asked), asked, usage, self.metrics),
            Offer(Engine("engine", lambda: generator), engine, usage, self.metrics),
        ]
        offers = offers if case.provider == SERVER else offers[::-1]
        for offer in offers:
            running = asyncio.create_task(offer.provider.run())
            stack.push_async_callback(_ended, running, offer.provider.close)
        line = Line(places=64, per_node_max=64, waiting_max=64)
        self.answers.by_tokens[number] = Answering(
            offers if case.followed else offers[:1],
            line,
            5.0 * self.patience,
            self.rescan,
            self.metrics,
            _no_alert,
            _clock,
        )

    async def _admit(self, asked: Handover, _: float) -> Admitted:
        texts = tuple(part.text for part in asked.parts)
        if asked.purpose.value != Purpose.OVERFLOW.value:
            return Admitted(texts, None, None)
        payload, policy = packed(asked, texts), bytes(32)
        plain = Envelope(os.urandom(16), Purpose.OVERFLOW, GENERATE, payload, verdict="public", policy=policy)
        return Admitted(texts, seal(plain, load_or_create_key(self.paths.keys)), None)


@asynccontextmanager
async def matrix(patience: float = 1.0) -> AsyncIterator[Matrix]:
    """A site, its courier in this process, and a control plane at the other end of real mutual TLS."""
    authority, credentials = authority_with_port()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ca_file = folder / "ca.pem"
        ca_file.write_bytes(authority.certificate_pem)
        paths, answers = new_site(folder / "site"), _ByTokens()
        server = grpc.aio.server()
        service = OverflowService(_AllAdmitted(), None, answers)  # type: ignore[arg-type]
        overflow_pb2_grpc.add_OverflowServiceServicer_to_server(service, server)
        endpoint = f"127.0.0.1:{server.add_secure_port('127.0.0.1:0', credentials)}"
        await server.start()
        stack.push_async_callback(server.stop, 0)
        enrolled(paths, new_identity(authority, endpoint))
        rescan = Rescan(ScriptedDetector)  # type: ignore[arg-type]
        await rescan.run()
        stack.callback(rescan.close)
        await stack.enter_async_context(courier_here(paths))
        client = await stack.enter_async_context(attached(paths))
        yield Matrix(paths, client, ca_file, server_tls(authority), rescan, answers, patience)


@dataclass
class _ByTokens:
    """One control plane for all cases: which one asks is told by how long its answer may be."""

    by_tokens: dict[int, Answering] = field(default_factory=dict)

    def answer(self, node: str, request: Any, deadline_s: float) -> AsyncGenerator[Any, None]:
        return self.by_tokens[request.max_new_tokens].answer(node, request, deadline_s)


async def _ended(running: asyncio.Task[None], close: Callable[[], Any]) -> None:
    running.cancel()
    await asyncio.wait((running,))
    await close()


class _AllAdmitted:
    async def check_admitted(self, node: str, fingerprint: bytes) -> None:
        """None is revoked."""


class _NoStore:
    async def write(self, _: object) -> int:
        return 1


class _NoAlert:
    async def personal(self, *_: object) -> None:
        raise AssertionError("nothing is personal here")


async def _no_alert(*_: object) -> None:
    raise AssertionError("nothing is personal here")


def _clock() -> datetime:
    return datetime.now(UTC)
