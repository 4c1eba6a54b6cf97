"""What guard, ledger and courier add to a text that goes to the control plane, over asking it directly.

All sides ask the same control plane, and it the same provider, in slices that alternate: ours as a turn does, theirs
over a channel that this process keeps, with the site's certificate. From the prompt to the first words of the answer.
Before the clock starts each question goes through a turn's own pass (`edge.chat.turn_scan`): every turn makes it,
whether anything leaves or not, and what it found goes along with the question, so that the guard reads those words no
second time. `unread` is the same without that: the guard looks itself, as at a question whose slips were mended.
Beside it stands the floor: the two times that a file must be on the disk before the first byte may leave.
"""

from __future__ import annotations

import math
import re
import statistics
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from edge.chat.understanding import Query
from edge.config import site_paths
from edge.egress.identity import identity
from edge.inference.conversation import Begun, Looked
from edge.knowledge.document import Audience
from tests import overflow_rig
from tests.bench import harness, overflow
from tests.bench.egress_overflow import DEADLINE_S, NEW_TOKENS, Desk, desk_of
from tests.bench.ledger_append import fsync_floor_ms

WARM = 8
# Of half of the texts, see `overflow.questions`; as the guard lets it go.
NAMED, MARKED = re.compile(r"I am .*\.$"), "I am [PERSON_9b56kncg]."


@dataclass(frozen=True)
class Node:
    """What a channel of the node's needs; see `overflow_rig.Certified`."""

    key_pem: bytes
    certificate_pem: bytes
    ca_pem: bytes
    sync_endpoint: str


async def asked(desk: Desk, text: str) -> tuple[str, Looked | None]:
    """The question as the turn's pass leaves it, and what that found in exactly these words; None: it read others."""
    understood = (await desk.site.answering.submit(Query(text, Audience.PUBLIC))).understood
    looked = understood.scanned.looked if understood.scanned else None
    question = understood.question.text
    return question, looked if looked and looked.text == question else None


async def through_courier(desk: Desk, session: str, said: str, looked: Looked | None) -> float:
    """Seconds to the first words, as a turn asks; endless where none came."""
    messages = await desk.messages(said, looked)
    began = time.perf_counter()
    answer = desk.overflow.generate(messages, max_new_tokens=NEW_TOKENS, deadline_s=DEADLINE_S, about=session)
    first = math.inf
    # Refused because the machine is busy, say: whatever it was, there was no answer.
    with suppress(Exception):
        async with aclosing(answer) as pieces:
            async for piece in pieces:
                if first == math.inf and not isinstance(piece, Begun):
                    first = time.perf_counter() - began
    return first


async def directly(desk: Desk, stub: Any, said: str) -> float:
    """The same, by the protocol alone, with a mark where a name stood: the control plane takes no name."""
    messages = await desk.messages(NAMED.sub(MARKED, said))
    pieces = [piece for message in messages for piece in message.pieces]
    published = "\n".join(piece.text for piece in pieces if piece.published)
    said = "\n".join(piece.text for piece in pieces if not piece.published)
    asked = overflow_rig.request(said, published=published, max_new_tokens=NEW_TOKENS)
    began, first = time.perf_counter(), math.inf
    async for response in stub.Generate(asked, timeout=DEADLINE_S):
        if first == math.inf and response.WhichOneof("event") == "delta":
            first = time.perf_counter() - began
    return first


class Side(StrEnum):
    """A way to the first words."""

    READ = "through_courier"
    UNREAD = "unread"
    DIRECT = "directly"


async def slice_of(one: Callable[[], Awaitable[float]]) -> float:
    """Median seconds of what follows one another for about a second; endless where half had no answer."""
    took, until = [], time.perf_counter() + harness.SLICE_S
    while not took or time.perf_counter() < until:
        took.append(await one())
    return statistics.median(took)


@dataclass
class Asking:
    """Questions one after the other, each by one way."""

    desk: Desk
    stub: Any
    texts: Iterator[str] = field(default_factory=overflow.questions)
    session: str = ""
    looks: list[bool] = field(default_factory=list)
    """Of each question, whether the turn's pass had read exactly its words."""

    async def one(self, side: Side) -> float:
        """Seconds to the first words of the next one."""
        said, looked = await asked(self.desk, next(self.texts))
        if side is Side.DIRECT:
            return await directly(self.desk, self.stub, said)
        self.looks.append(looked is not None)
        return await through_courier(self.desk, self.session, said, looked if side is Side.READ else None)

    async def pair(self, number: int) -> dict[Side, float]:
        """Median ms of a slice of each side, in a conversation of its own; who goes first takes turns."""
        self.session = await self.desk.session()
        sides = deque(Side)
        sides.rotate(number)
        return {side: 1000 * await slice_of(partial(self.one, side)) for side in sides}


def added_of(pairs: Sequence[Mapping[Side, float]], side: Side) -> list[float]:
    """What it took longer than directly, ms; endless where either had no answer: a control plane that does not answer
    makes us no faster."""
    return [
        math.inf if math.inf in (pair[side], pair[Side.DIRECT]) else pair[side] - pair[Side.DIRECT]
        for pair in pairs
    ]


async def measure(site: Path, pairs: int) -> dict[str, Any]:
    """The figures; `KEY_low` and `KEY_high` are the 95 % interval of the median of pairs. Raises BenchRefused where
    too many texts had no answer for one."""
    mine = identity.load(site_paths(site).courier)
    assert mine is not None
    at = (mine.enrolment.overflow_endpoints or (mine.enrolment.sync_endpoint,))[0]
    node = Node(mine.key_pem, mine.certificate_pem, mine.roots_pem, at)
    async with desk_of(site, measured=True) as desk, overflow_rig.asking(node) as stub:
        asking = Asking(desk, stub, session=await desk.session())
        for side in Side:
            for _ in range(WARM):
                await asking.one(side)
        found: list[dict[Side, float]] = []
        for number in range(pairs):
            found.append(await asking.pair(number))
            told = [f"{name} {added_of(found[-1:], name)[0]:.1f}" for name in (Side.READ, Side.UNREAD)]
            harness.progress(f"pair {number + 1} of {pairs}: added, ms: {', '.join(told)}")
    added = added_of(found, Side.READ)
    low, high = harness.bootstrap(added, statistics.median)
    unanswered = added.count(math.inf)
    if not math.isfinite(high):
        raise harness.BenchRefused(f"In {unanswered} of {pairs} pairs half of the texts had no answer.")
    return {
        "pairs": pairs,
        "pairs_unanswered": unanswered,
        **{f"{side}_p50_ms": _p50([pair[side] for pair in found]) for side in Side},
        "added_p50_ms": _p50(added),
        "added_p50_ms_low": round(low, 2),
        "added_p50_ms_high": round(high, 2),
        "added_unread_p50_ms": _p50(added_of(found, Side.UNREAD)),
        "looked_at_by_the_turn_pct": round(100 * statistics.fmean(asking.looks), 1),
        "fsync_p50_ms": fsync_floor_ms(site),
        "fsyncs_before_the_first_byte": 2,
    }


def _p50(took: Sequence[float]) -> float:
    return round(statistics.median(took), 2)
