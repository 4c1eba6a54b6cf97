"""What a tap hears while the detector is killed, hangs or tells nonsense, the policy is gone, a disk is full: nothing.

The detector is one by script, in a process of its own, which is really killed and stopped (tests/chaos); guard, store
and policy are the site's own, in this process; courier and control plane are theirs. What was under way when something
broke may still go, with its values hidden: no name may be at the tap, at any time. Of all that is asked afterwards the
tap may not see one byte.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil

from edge.config import site_paths
from edge.egress.text import looking
from tests.bench import harness
from tests.bench.egress_canaries import Prompt
from tests.bench.egress_overflow import Desk, desk_of
from tests.bench.egress_tap import Tap
from tests.chaos.process_scans import ProcessScans, find, nonsense

AT_ONCE = 4
# Of a thousand: so many before something breaks, and while it is broken; the rest comes after it was mended.
BROKEN_AT, MENDED_AT = 0.4, 0.7
# A healthy scan by script takes a millisecond; a process that starts takes seconds on a busy machine.
SCAN_S_MAX, HUNG_SCAN_S_MAX = 30.0, 0.1
NAMED = (b"Miller", b"020 7946")
WAIT_S = 60.0
LOOK_AGAIN_S = 0.2


@dataclass
class Broken:
    """The site and what can be broken of it."""

    desk: Desk
    scans: ProcessScans
    site: Path
    policy: bytes

    @property
    def guard(self) -> Any:
        return self.desk.site.texts.guard

    async def mend(self) -> None:
        """What was broken is whole again, and a text goes. Raises TimeoutError where none does."""
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        looking.SCAN_S_MAX = SCAN_S_MAX  # type: ignore[misc]
        self.scans.find = find
        self.scans.replace()
        site_paths(self.site).policy.write_bytes(self.policy)
        self.guard._now = lambda: datetime.now().astimezone()
        async with asyncio.timeout(WAIT_S):
            while not await _ask(self.desk, [await self.desk.session()], range(1)):
                await asyncio.sleep(LOOK_AGAIN_S)


def _hang(held: Broken) -> None:
    looking.SCAN_S_MAX = HUNG_SCAN_S_MAX  # type: ignore[misc]
    held.scans.signal(signal.SIGSTOP)


def _expire(held: Broken) -> None:
    held.guard._now = lambda: datetime.now().astimezone() + timedelta(days=4_000)


def _full(pid: int) -> None:
    """Nothing more is written to any file by that process, as on a full disk."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))


def _fill_ledger(_: Broken) -> None:
    (courier,) = [one for one in psutil.Process().children() if "courier" in one.cmdline()]
    _full(courier.pid)


CASES: dict[str, Callable[[Broken], object]] = {
    "detector_killed": lambda held: held.scans.signal(signal.SIGKILL),
    "detector_hung": _hang,
    "detector_nonsense": lambda held: setattr(held.scans, "find", nonsense),
    "policy_gone": lambda held: site_paths(held.site).policy.unlink(),
    "policy_unsigned": lambda held: site_paths(held.site).policy.write_bytes(
        held.policy.replace(b'risk = "high"', b'risk = "any"')
    ),
    "policy_expired": _expire,
    "store_full": lambda _: _full(os.getpid()),
    "ledger_full": _fill_ledger,
}
# The courier goes on later, by itself: the last.
LASTING = "ledger_full"


async def break_all(site: Path, tap: Tap, requests: int) -> dict[str, dict[str, Any]]:
    """Each case, on one site. `problems` of a case: why its figures say little."""
    async with desk_of(site, measured=True) as desk:
        scans = ProcessScans()
        before = desk.site.texts.guard._looking
        try:
            desk.site.texts.guard._looking = looking.Looking(replace(before._with, scans=scans))
            held = Broken(desk, scans, site, site_paths(site).policy.read_bytes())
            await held.mend()
            sessions = [await desk.session() for _ in range(AT_ONCE)]
            return {name: await one_case(held, tap, name, sessions, requests) for name in CASES}
        finally:
            desk.site.texts.guard._looking = before
            scans.close()


async def one_case(held: Broken, tap: Tap, name: str, sessions: list[str], requests: int) -> dict[str, Any]:
    """Requests before, while some are under way when it breaks, and after it was mended."""
    harness.progress(f"{name}, in the middle of {requests} requests")
    first, last = round(BROKEN_AT * requests), round(MENDED_AT * requests)
    names, problems = _names(tap), []
    went = await _ask(held.desk, sessions, range(first))
    held.scans.asked.clear()
    under_way = asyncio.ensure_future(_ask(held.desk, sessions, range(first, first + AT_ONCE)))
    await held.scans.asked.wait()
    CASES[name](held)
    await under_way
    before = tap.said_bytes()
    answered = await _ask(held.desk, sessions, range(first + AT_ONCE, last))
    leaked = tap.said_bytes() - before
    if went < first:
        problems.append(f"{name}: {went} of {first} went before it.")
    if name != LASTING:
        problems += await _mended(held, name, sessions, range(last, requests))
    return {
        "free_text_bytes": leaked,
        "under_way_when_it_broke": AT_ONCE,
        "asked_while_broken": last - first - AT_ONCE,
        "answered_while_broken": answered,
        "names_at_the_tap": _names(tap) - names,
        "problems": problems,
    }


async def _mended(held: Broken, name: str, sessions: list[str], numbers: range) -> list[str]:
    """What is wrong after it was mended."""
    try:
        await held.mend()
    except TimeoutError:
        return [f"{name}: no text went in {WAIT_S} s after it was mended."]
    went = await _ask(held.desk, sessions, numbers)
    return [f"{name}: {went} of {len(numbers)} went after it."] if went < len(numbers) else []


def _names(tap: Tap) -> int:
    """How often what nobody may see was at the tap so far."""
    return sum(blob.count(value) for blob in tap.blobs() for value in NAMED)


async def _ask(desk: Desk, sessions: list[str], numbers: range) -> int:
    """How many were answered."""
    left, answered = iter(numbers), 0

    async def one(session: str) -> None:
        nonlocal answered
        for number in left:
            text = f"I am Anna Miller, when may I ring 020 7946 {number % 10_000:04} about Saturday?"
            asked = await desk.ask(session, Prompt(number, text, (), None))
            answered += asked.outcome == "answered"

    await asyncio.gather(*map(one, sessions))
    return answered
