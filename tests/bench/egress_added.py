"""What guard, ledger and courier add to a text that goes to the control plane, over asking it directly.

Both sides ask the same control plane, and it the same provider, in slices that alternate: ours as a turn does, theirs
over a channel that this process keeps, with the site's certificate. From the question to the first words of the answer.
Beside it stands the floor: the two times that a file must be on the disk before the first byte may leave.
"""

from __future__ import annotations

import math
import re
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.config import site_paths
from edge.egress.identity import identity
from edge.inference.conversation import Begun
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


async def through_courier(desk: Desk, session: str, texts: Iterator[str]) -> float:
    """Seconds to the first words, as a turn asks; endless where none came."""
    messages = await desk.messages(next(texts))
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


async def directly(desk: Desk, stub: Any, texts: Iterator[str]) -> float:
    """The same, by the protocol alone, with a mark where a name stood: the control plane takes no name."""
    messages = await desk.messages(NAMED.sub(MARKED, next(texts)))
    pieces = [piece for message in messages for piece in message.pieces]
    published = "\n".join(piece.text for piece in pieces if piece.published)
    said = "\n".join(piece.text for piece in pieces if not piece.published)
    asked = overflow_rig.request(said, published=published, max_new_tokens=NEW_TOKENS)
    began, first = time.perf_counter(), math.inf
    async for response in stub.Generate(asked, timeout=DEADLINE_S):
        if first == math.inf and response.WhichOneof("event") == "delta":
            first = time.perf_counter() - began
    return first


async def slice_of(one: Callable[[], Awaitable[float]]) -> float:
    """Median seconds of what follows one another for about a second; endless where half had no answer."""
    took, until = [], time.perf_counter() + harness.SLICE_S
    while not took or time.perf_counter() < until:
        took.append(await one())
    return statistics.median(took)


async def measure(site: Path, pairs: int) -> dict[str, Any]:
    """The figures; `KEY_low` and `KEY_high` are the 95 % interval of the median of pairs. Raises BenchRefused where
    too many texts had no answer for one."""
    mine = identity.load(site_paths(site).courier)
    assert mine is not None
    at = (mine.enrolment.overflow_endpoints or (mine.enrolment.sync_endpoint,))[0]
    node = Node(mine.key_pem, mine.certificate_pem, mine.roots_pem, at)
    texts, added, sides = overflow.questions(), [], ([], [])  # type: ignore[var-annotated]
    async with desk_of(site, measured=True) as desk, overflow_rig.asking(node) as stub:
        session = await desk.session()
        ways = (
            lambda: through_courier(desk, session, texts),
            lambda: directly(desk, stub, texts),
        )
        for way in ways:
            for _ in range(WARM):
                await way()
        for number in range(pairs):
            order = (0, 1) if number % 2 else (1, 0)
            for side in order:
                sides[side].append(1000 * await slice_of(ways[side]))
            # A control plane that does not answer makes us no faster.
            added.append(
                math.inf if math.inf in (sides[0][-1], sides[1][-1]) else sides[0][-1] - sides[1][-1]
            )
            harness.progress(f"pair {number + 1} of {pairs}: {added[-1]:.1f} ms")
    low, high = harness.bootstrap(added, statistics.median)
    unanswered = added.count(math.inf)
    if not math.isfinite(high):
        raise harness.BenchRefused(f"In {unanswered} of {pairs} pairs half of the texts had no answer.")
    return {
        "pairs": pairs,
        "pairs_unanswered": unanswered,
        "through_courier_p50_ms": round(statistics.median(sides[0]), 2),
        "directly_p50_ms": round(statistics.median(sides[1]), 2),
        "added_p50_ms": round(statistics.median(added), 2),
        "added_p50_ms_low": round(low, 2),
        "added_p50_ms_high": round(high, 2),
        "fsync_p50_ms": fsync_floor_ms(site),
        "fsyncs_before_the_first_byte": 2,
    }
