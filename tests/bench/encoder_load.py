"""Loads for the bench `encoder`: texts of mixed lengths; callers in a closed loop, or who come whatever happens."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

from core.errors import PosternError

SEED = 11
TEXTS = 20_000
# Words: half are questions, a third sentences with some detail, the rest paragraphs.
LENGTHS = ((0.50, 4, 14), (0.35, 15, 40), (0.15, 41, 160))
SCAN_WORDS = (5, 20)
# Seconds: arrivals that are due within it are sent together. Their times count from when they were due, and so this
# adds to them; a timer for each would cost more of the product's cores than a refusal does.
TICK_S = 0.002
_TEXT = """the a of to for and or with your our this that when where how much does it cost on before after clinic branch
desk form appointment card account doctor nurse lift entrance parking fee open closed hours monday friday morning call
visit bring result letter insurance transfer limit statement vaccination blood test ward children password"""
WORDS = _TEXT.split()


def mixed_texts(seed: int = SEED, count: int = TEXTS) -> list[str]:
    """Unique texts of the mix of lengths."""
    chance = random.Random(seed)
    weights = [weight for weight, _, _ in LENGTHS]
    found = []
    for number in range(count):
        _, least, most = chance.choices(LENGTHS, weights)[0]
        found.append(_text(chance, chance.randint(least, most), number))
    return found


def sentences(seed: int, count: int = TEXTS) -> list[str]:
    """Unique sentences, as a pipeline sends them to be scanned."""
    chance = random.Random(seed)
    return [_text(chance, chance.randint(*SCAN_WORDS), number) for number in range(count)]


def _text(chance: random.Random, words: int, number: int) -> str:
    return f"{number} " + " ".join(chance.choices(WORDS, k=words))


async def closed_loop(
    ask: Callable[[str], Awaitable[object]], texts: Iterator[str], concurrency: int, seconds: float
) -> float:
    """Requests a second of so many callers who ask again as soon as they are answered."""
    began = time.perf_counter()
    done = 0

    async def caller() -> None:
        nonlocal done
        while time.perf_counter() - began < seconds:
            await ask(next(texts))
            done += 1

    await asyncio.gather(*(caller() for _ in range(concurrency)))
    return done / (time.perf_counter() - began)


@dataclass
class Arrivals:
    """What became of requests that came at their own pace. Times count from when each was due, seconds."""

    answered_s: list[float] = field(default_factory=list)
    refused_s: list[float] = field(default_factory=list)
    words: int = 0
    """Of what was answered in time and before arrivals ended: what is done after them had the cores for itself."""

    def in_time(self, deadline_s: float) -> int:
        return sum(seconds <= deadline_s for seconds in self.answered_s)


async def open_loop(
    ask: Callable[[str], Awaitable[object]], texts: Iterator[str], per_s: float, seconds: float,
    deadline_s: float, seed: int = SEED,
) -> Arrivals:  # fmt: skip
    """Poisson arrivals, whether or not earlier ones were answered (no coordinated omission)."""
    chance = random.Random(seed)
    found = Arrivals()
    began = time.perf_counter()
    due_s = 0.0
    tasks: set[asyncio.Task[None]] = set()

    async def one(text: str, due: float) -> None:
        try:
            await ask(text)
        except PosternError:
            found.refused_s.append(time.perf_counter() - began - due)
            return
        took = time.perf_counter() - began - due
        found.answered_s.append(took)
        if took <= deadline_s and due + took <= seconds:
            found.words += text.count(" ")

    while due_s < seconds:
        due_s += chance.expovariate(per_s)
        if (early_s := due_s - (time.perf_counter() - began)) > 0:
            await asyncio.sleep(max(early_s, TICK_S))
        task = asyncio.create_task(one(next(texts), due_s))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    return found
