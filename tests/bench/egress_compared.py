"""What of a site's kernel-counted bytes its ledger does not explain, minute by real minute, and what is framing.

A real courier under its own account in a network of its own, the kernel's rules, and a real control plane whose
provider answers: rows of the outbox, texts that overflow, heartbeats, and in the middle a courier that is killed.
`unexplained_bytes_pct` is what is left above the bound of the framing, so `framing_bytes_pct`, what hides in that bound
at most, stands beside it. Comparisons of less than a minute would each have a whole minute's bound, and say nothing.

python -m tests.bench.egress_compared [--minutes N] [--kills N] [--every-s S] [--loss-pct N]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edge.egress.ledger import Leaf
from edge.egress.overflow.client import OverflowClient
from edge.egress.reconciliation.framing import MINUTE_MS
from postern.v1 import overflow_pb2
from tests.bench import harness
from tests.contract.courier_process import until
from tests.contract.overflow_rig import attached, replies, sealed
from tests.integration.egress.confined_site import COMPARED, ConfinedSite, confined_site
from tests.integration.sync.rig import Node

MINUTES = 3
# A desk that is asked something each few seconds; a batch of rows as often.
EVERY_S = 4.0
ROWS = 10
PASSAGE = "The pharmacy on the ground floor is open from nine to five on every day of the week. " * 12
WAIT_S = 60.0


@dataclass(frozen=True)
class Life:
    """What is asked of the site: for so many whole minutes something each `every_s` seconds. `kills`: of the courier,
    spread over them; `loss_pct`: of what the site sends."""

    minutes: int
    kills: int
    every_s: float
    loss_pct: int


@dataclass
class Sent:
    """What the site was made to send."""

    rows: int = 0
    texts: int = 0
    kills: int = 0


def request(number: int) -> overflow_pb2.GenerateRequest:
    """A prompt of a kilobyte, as the guard lets it out; no two alike."""
    pieces = [
        overflow_pb2.OverflowPiece(text=PASSAGE, published=True),
        overflow_pb2.OverflowPiece(text=f"When is it open, for the {number}. time?", published=False),
    ]
    message = overflow_pb2.OverflowMessage(role="user", pieces=pieces)
    return overflow_pb2.GenerateRequest(messages=[message], max_new_tokens=64)


async def turn(site: ConfinedSite, node: Node, client: OverflowClient, sent: Sent) -> None:
    """Rows until they are there, and a text until it is answered."""
    await site.send_rows(node, ROWS)
    await until(lambda: client.ready, timeout_s=WAIT_S)
    await replies(client, sealed(site.paths, request(sent.texts)), deadline_s=WAIT_S)
    sent.rows, sent.texts = sent.rows + ROWS, sent.texts + 1


async def live(site: ConfinedSite, node: Node, life: Life) -> Sent:
    """Until so many minutes were compared."""
    sent, began = Sent(), time.monotonic()
    async with attached(site.paths) as client:
        while len(site.compared()) < life.minutes:
            next_s = time.monotonic() + life.every_s
            await turn(site, node, client, sent)
            share = (time.monotonic() - began) / (life.minutes * MINUTE_MS / 1_000)
            if sent.kills < life.kills and share * life.kills > sent.kills + 0.5:
                await site.courier.kill()
                await site.courier.start()
                sent.kills += 1
                await until(lambda: client.ready and node.sync.status().connected, timeout_s=WAIT_S)
            await asyncio.sleep(next_s - time.monotonic())
    return sent


def lose(site: ConfinedSite, pct: int) -> None:
    """So many of a hundred packets of the site's never arrive; the kernel has counted them all the same."""
    rules = "add table inet lossy; add chain inet lossy in { type filter hook input priority -300; }; "
    rules += f"add rule inet lossy in iifname lan numgen random mod 100 < {pct} drop"
    site.cable.in_world(lambda: subprocess.run(("nft", rules), check=True))


def figures(leaves: Sequence[Leaf]) -> dict[str, Any]:
    """Of a ledger: percent of all that the kernel counted. Raises BenchRefused where the comparisons prove nothing."""
    compared = [leaf for leaf in leaves if leaf.type in COMPARED]
    shortest_ms = min((_of(leaf, "to_ms") - _of(leaf, "from_ms") for leaf in compared), default=0)
    if shortest_ms < MINUTE_MS:
        raise harness.BenchRefused(
            f"Something was compared after {shortest_ms} ms, with the bound of a whole minute: compare each minute."
        )
    end = max(leaf.index for leaf in compared)
    texts = sum(leaf.fields.get("kind") == "generate" for leaf in leaves if leaf.index < end)
    if not texts:
        raise harness.BenchRefused("No text overflowed in what was compared: see why the courier sent none.")
    sums = {
        name: sum(_of(leaf, name) for leaf in compared)
        for name in ("kernel_bytes", "header_bytes", "ledger_bytes", "framing_bytes", "unexplained_bytes")
    }
    shares = {
        f"{name}_pct": round(100 * sums[name] / sums["kernel_bytes"], 2)
        for name in ("header_bytes", "framing_bytes", "unexplained_bytes")
    }
    return {"comparisons": len(compared), "texts_compared": texts, **sums, **shares}


def _of(leaf: Leaf, name: str) -> int:
    return int(leaf.fields[name])


async def measure(life: Life) -> dict[str, Any]:
    """All of it."""
    async with confined_site(MINUTE_MS, overflow=True) as (site, node):
        if life.loss_pct:
            lose(site, life.loss_pct)
        sent = await live(site, node, life)
        return {"life": asdict(life), **asdict(sent), **figures(site.leaves())}


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=MINUTES)
    parser.add_argument("--kills", type=int, default=1, help="of the courier")
    parser.add_argument("--every-s", type=float, default=EVERY_S, help="seconds from one text to the next")
    parser.add_argument(
        "--loss-pct", type=int, default=0, help="of the site's packets that are lost on the way"
    )
    life = Life(**vars(parser.parse_args()))
    sys.stdout.write(json.dumps(asyncio.run(measure(life))))


if __name__ == "__main__":
    _main()
