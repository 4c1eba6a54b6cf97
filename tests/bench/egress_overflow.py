"""Ten thousand texts with canaries through the guard, the courier and TLS, and what of them a tap saw in clear.

The node's own guard, store, vault and detector work in this process, the courier and the control plane in theirs; a
provider answers. Twice: as the detector that ships is measured, under which no text may leave at all; and with invented
figures (tests/measured_node.py), under which English texts leave with marks in the place of what was found.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from edge.app import Site, open_site
from edge.chat import prompt
from edge.chat.session import Channel
from edge.chat.understanding import Query
from edge.config import site_paths
from edge.egress.overflow.alert import OverflowAlert
from edge.egress.overflow.client import OverflowClient
from edge.egress.overflow.errors import OverflowDenied
from edge.egress.overflow.overflow import Overflow
from edge.egress.text import guard as text_guard
from edge.egress.text.handover import Admitted, Handover, Source, TextRefusal, TextRefused
from edge.inference.conversation import Looked, Message
from edge.knowledge.document import Audience, Passage
from edge.privacy.pseudonyms.pseudonyms import Pseudonyms
from tests import measured_node
from tests.bench import harness
from tests.bench.egress_canaries import TURNS, Canary, Class, Planter, Prompt

# More would wait for the detector longer than it lets anybody wait.
AT_ONCE = 4
TOLD_EVERY = 1_000
WAIT_S = 60.0
DEADLINE_S = 60.0
NEW_TOKENS = 16
FENCE = "0a1b2c3d"
# Of the documents, one passage goes along: it is public, and no canary stands in it.
PASSAGES = 1
PASSAGES_FOR = "When is the pharmacy open?"


@dataclass
class Asked:
    """One text, and what became of it. `texts`: its words as the guard let them go, None where it did not."""

    prompt: Prompt
    outcome: str = ""
    texts: Sequence[str] | None = None


@dataclass
class Run:
    """All that was asked."""

    asked: list[Asked] = field(default_factory=list)

    @property
    def outcomes(self) -> Counter[str]:
        return Counter(one.outcome for one in self.asked)

    def left(self) -> Iterator[Asked]:
        """Those that the guard let go."""
        return (one for one in self.asked if one.texts is not None)

    def said(self) -> list[Canary]:
        """Canaries of what the guard let go; of a name also where it was refused when it was said first."""
        said = (
            canary for one in self.left() for canary in (*one.prompt.canaries, one.prompt.again) if canary
        )
        return list(dict.fromkeys(said))

    def refused(self) -> list[Canary]:
        """Canaries that stand in no text that the guard let go."""
        canaries, said = (canary for one in self.asked for canary in one.prompt.canaries), set(self.said())
        return [canary for canary in dict.fromkeys(canaries) if canary not in said]

    def hidden_first(self) -> set[Canary]:
        """Names that were hidden when they were said first: from then on their conversation's vault knows them."""
        return {
            canary
            for one in self.left()
            if one.prompt.again is None
            for canary in one.prompt.canaries
            if canary.kind is Class.NAMED and not any(canary.looked_for in text for text in one.texts or ())
        }


class Desk:
    """A site in this process, and the way out of it."""

    def __init__(self, site: Site, client: OverflowClient) -> None:
        self.site = site
        self._now: dict[str, Asked] = {}
        self._passages: Sequence[Passage] = ()
        self.overflow = Overflow(client, self._admit, OverflowAlert(site.store), DEADLINE_S)

    async def _admit(self, asked: Handover, within_s: float) -> Admitted | TextRefusal:
        found = await self.site.texts.guard.admit(asked, within_s)
        if isinstance(found, Admitted) and asked.session in self._now:
            parts = zip(asked.parts, found.parts, strict=True)
            said = [text for part, text in parts if part.source is Source.CUSTOMER]
            self._now[asked.session].texts = said
        return found

    async def session(self) -> str:
        """A conversation of somebody who permits help from outside."""
        made = await self.site.sessions.create(Channel.KIOSK, "en")
        await self.site.sessions.consent(made.session, "bench", overflow=True)
        return made.session.id

    async def messages(self, text: str, looked: Looked | None = None) -> Sequence[Message]:
        """As a turn makes them. `looked`: what the turn found in `text`; else the guard looks itself."""
        if not self._passages:
            considered = await self.site.answering.submit(Query(PASSAGES_FOR, Audience.PUBLIC))
            self._passages = considered.understood.passages[:PASSAGES]
        made = prompt.make("the clinic", text, self._passages, fence=FENCE, tokens_max=1_500, looked=looked)
        if made is None:
            raise harness.BenchRefused("No passage fits a prompt.")
        return made.messages

    async def ask(self, session: str, said: Prompt) -> Asked:
        """One text, to its answer or its refusal."""
        asked = self._now[session] = Asked(said)
        answer = self.overflow.generate(
            await self.messages(said.text), max_new_tokens=NEW_TOKENS, deadline_s=DEADLINE_S, about=session
        )
        try:
            async with aclosing(answer) as pieces:
                async for _ in pieces:
                    pass
            asked.outcome = "answered"
        except TextRefused as refused:
            asked.outcome = str(refused).rstrip(".")
        except OverflowDenied:
            asked.outcome = "denied by the control plane"
        except Exception as error:
            asked.outcome = f"failed: {type(error).__name__}"
        return asked


@asynccontextmanager
async def desk_of(site: Path, *, measured: bool) -> AsyncIterator[Desk]:
    """The site, once the way to the control plane is open. `measured`: with invented figures of its detector."""
    paths = site_paths(site)
    async with (measured_node.opened if measured else open_site)(paths) as opened:
        client = OverflowClient(paths.courier_socket)
        running = asyncio.create_task(client.run())
        try:
            async with asyncio.timeout(WAIT_S):
                while not client.ready:
                    await asyncio.sleep(0.05)
            yield Desk(opened, client)
        finally:
            running.cancel()


async def ask_all(desk: Desk, planter: Planter, prompts: int, run: Run | None = None) -> Run:
    """That many texts, of conversations that come side by side; within one, each waits for the answer before.

    `run`: filled meanwhile.
    """
    run, left = run or Run(), iter(range(-(-prompts // TURNS)))

    async def talk() -> None:
        for _ in left:
            session = await desk.session()
            for said in itertools.islice(planter.talk(), prompts):
                run.asked.append(await desk.ask(session, said))
                if len(run.asked) % TOLD_EVERY == 0:
                    harness.progress(f"{len(run.asked)} texts of {prompts}")

    await asyncio.gather(*(talk() for _ in range(AT_ONCE)))
    return run


@contextmanager
def unmasked() -> Iterator[None]:
    """In this process alone: nothing is hidden or looked at once more. The bench must see what then leaves."""
    with (
        mock.patch.object(text_guard, "hide", lambda texts, *_: text_guard.Hidden([[] for _ in texts], {})),
        mock.patch.object(Pseudonyms, "mask", lambda _, text, __: text),
        mock.patch.object(text_guard, "stays_because", return_value=""),
    ):
        yield


@contextmanager
def provider() -> Iterator[str]:
    """What answers, at once and in few words, in a process of its own; its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faulty_provider"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        yield f"http://127.0.0.1:{json.loads(process.stdout.readline())['port']}/v1"
    finally:
        process.kill()
        process.wait()
