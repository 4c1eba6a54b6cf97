"""Pseudonyms: does every value come back to its own place, and what does that cost the first word of an answer?

Conversations run side by side in one process, a chunk of one at a time. Each turn is masked with two passages beside
the question, a scripted model answers (tokens repeated, permuted, dropped, bent, another conversation's mixed in, text
or JSON), and the answer is restored as it streams. The oracle is `pseudonym_talk`. Of a sample of answers every place
to cut it in two is tried, and every character alone. Beside it a sample of conversations goes through the vault of a
real store.

Added to the first token: the time in which this process masks the turn's texts, opens the restorer and feeds it until
there is something to show. A token at the beginning also waits for its own rest, which is the model's time and not
counted; how often is in `results`. By the clock, which on a busy machine also counts other programs; beside it this
thread's own time.

`--turns 1000000` for the full count; without it `--seconds` decides.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import random
import sys
import tempfile
import time
from array import array
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from edge.config import site_paths
from edge.privacy.pseudonyms.pseudonyms import Pseudonyms, Scope
from edge.privacy.pseudonyms.restoring import Form, Restorer
from edge.privacy.pseudonyms.vault import Vault
from edge.store.store import Store
from edge.store.subjects import create_key
from tests.bench import harness
from tests.bench.pseudonym_talk import PASSAGE, Counts, Piece, Talk, read, serials, written

CONCURRENT = 256
# Of a prompt, each about 1,000 characters, as many as the desk's own prompts have.
PASSAGES = 2
# A language model's token has about four characters.
CHUNK_CHARS_MAX = 8
# One answer in so many is cut everywhere.
CUT_ONE_IN = 200
VAULT_CONVERSATIONS = 200
VAULT_TURNS = 4
SECONDS = 120.0


class Spent:
    """Time spent, by the clock and of this thread: another program's share of the machine is in the first alone."""

    __slots__ = ("_cpu", "_wall", "cpu_s", "wall_s")

    def __init__(self) -> None:
        self.wall_s = self.cpu_s = 0.0

    def __enter__(self) -> None:
        self._cpu, self._wall = time.thread_time(), time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.wall_s += time.perf_counter() - self._wall
        self.cpu_s += time.thread_time() - self._cpu


class Stream:
    """One conversation under way: between two turns, or in the middle of an answer."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self.pseudonyms = Pseudonyms(Scope("bench", talk.name, "overflow"))
        self.rest: Iterator[str] = iter(())
        self.restorer: Restorer | None = None
        self.pieces: list[Piece] = []
        self.as_json = False
        self.shown: list[str] = []
        self.added = Spent()
        self.chunks = 0


class Bench:
    """All conversations, what was counted, and the times."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.counts = Counts()
        self.turns = self.cuts = self.cut_answers = self.conversations = self.held_first = self.tokens = 0
        self.different_cuts = 0
        self.added_ms = array("d")
        self.added_cpu_ms = array("d")
        self.mask_us = array("d")
        self._words = serials()
        self.streams = [self._begin() for _ in range(CONCURRENT)]

    def _begin(self) -> Stream:
        self.conversations += 1
        return Stream(Talk(f"conversation-{self.conversations}", self._words, self.chance))

    def step(self) -> None:
        """A chunk of one conversation, or its next turn."""
        place = int(self.chance.random() * CONCURRENT)
        stream = self.streams[place]
        if stream.restorer is None:
            if stream.talk.turns_left == 0:
                self.tokens += len(stream.pseudonyms)
                self.streams[place] = stream = self._begin()
            self._ask(stream)
            return
        chunk = next(stream.rest, None)
        if chunk is None:
            self._end(stream, stream.restorer)
        else:
            self._feed(stream, stream.restorer, chunk)

    def _others(self) -> list[Talk]:
        return [self.chance.choice(self.streams).talk for _ in range(2)]

    def _ask(self, stream: Stream) -> None:
        talk, others = stream.talk, [talk for talk in self._others() if talk is not stream.talk]
        text, spans, said, gaps = talk.ask(others)
        stream.added = Spent()
        with stream.added:
            masked = stream.pseudonyms.mask(text, spans)
            for _ in range(PASSAGES):
                stream.pseudonyms.mask(PASSAGE, [])
        self.mask_us.append(stream.added.cpu_s * 1e6)
        talk.learn(masked, said, gaps, self.counts)
        stream.pieces, stream.as_json = talk.answer(others)
        answer = written(stream.pieces, stream.as_json)
        form = Form.JSON if stream.as_json else Form.TEXT
        with stream.added:
            stream.restorer = stream.pseudonyms.restorer(form)
        stream.shown, stream.chunks, stream.rest = [], 0, self._chunks(answer)

    def _chunks(self, text: str) -> Iterator[str]:
        position = 0
        while position < len(text):
            end = position + 1 + int(self.chance.random() * CHUNK_CHARS_MAX)
            yield text[position:end]
            position = end

    def _feed(self, stream: Stream, restorer: Restorer, chunk: str) -> None:
        if stream.shown:
            if shown := restorer.feed(chunk):
                stream.shown.append(shown)
            return
        with stream.added:
            shown = restorer.feed(chunk)
        stream.chunks += 1
        if shown:
            self._first(stream, shown)

    def _first(self, stream: Stream, shown: str) -> None:
        stream.shown.append(shown)
        self.added_ms.append(stream.added.wall_s * 1e3)
        self.added_cpu_ms.append(stream.added.cpu_s * 1e3)
        self.held_first += stream.chunks > 1

    def _end(self, stream: Stream, restorer: Restorer) -> None:
        last = restorer.close()
        if last and not stream.shown:
            self._first(stream, last)
        else:
            stream.shown.append(last)
        restored = "".join(stream.shown)
        stream.talk.judge(read(restored, stream.as_json), stream.pieces, self.counts)
        self.turns += 1
        if self.turns % CUT_ONE_IN == 0:
            self._cut_everywhere(stream, restored)
        stream.restorer = None
        stream.talk.turns_left -= 1

    def _cut_everywhere(self, stream: Stream, expected: str) -> None:
        """Every place to cut the answer in two, and every character alone."""
        text = written(stream.pieces, stream.as_json)
        form = Form.JSON if stream.as_json else Form.TEXT
        ways = [[text[:place], text[place:]] for place in range(len(text) + 1)] + [list(text)]
        for chunks in ways:
            restorer = stream.pseudonyms.restorer(form)
            self.different_cuts += "".join([*map(restorer.feed, chunks), restorer.close()]) != expected
        self.cuts += len(ways)
        self.cut_answers += 1


def talk_all(seconds: float, turns: int | None) -> tuple[Bench, float]:
    """Turns until the time or the count is reached."""
    bench = Bench(harness.SEED)
    started = reported = time.monotonic()
    while (bench.turns < turns) if turns else (time.monotonic() - started < seconds):
        for _ in range(20_000):
            bench.step()
            if turns and bench.turns >= turns:
                break
        if time.monotonic() - reported > 10:
            reported = time.monotonic()
            harness.progress(f"{bench.turns} turns, {bench.turns / (reported - started):.0f}/s")
    return bench, time.monotonic() - started


# Repeated to 64 KiB: what looks like the beginning of tokens, again and again, and what reads like one and is none.
HOSTILE = (
    "[",
    "\\[",
    "[PERSON_",
    "PERSON_bcdfghj ",
    "[****bcdfghjkm2",
    "MEDICAL RECORD NUMBER ",
    "[date bbbb2222] ",
    "x[aaaaaaaaaaaaaaa____bcdfghjk2",
)
HOSTILE_CHARS = 65_536


def hostile() -> dict[str, float]:
    """The slowest hostile text, ms of this thread, read whole and then in pieces; the growth with twice the text."""
    slowest, growth = 0.0, 0.0
    for pattern in HOSTILE:
        half, whole = (_hostile_ms(pattern, size) for size in (HOSTILE_CHARS // 2, HOSTILE_CHARS))
        slowest, growth = max(slowest, whole), max(growth, whole / half)
    return {"hostile_64k_ms": round(slowest, 1), "hostile_growth_of_twice": round(growth, 2)}


def _hostile_ms(pattern: str, size: int) -> float:
    text = (pattern * (size // len(pattern) + 1))[:size]
    pseudonyms = Pseudonyms(Scope("bench", "hostile", "overflow"))
    best = float("inf")
    for _ in range(3):
        spent = Spent()
        with spent:
            pseudonyms.restore(text)
            restorer = pseudonyms.restorer()
            for position in range(0, size, CHUNK_CHARS_MAX):
                restorer.feed(text[position : position + CHUNK_CHARS_MAX])
            restorer.close()
        best = min(best, spent.cpu_s * 1e3)
    return best


async def through_the_vault() -> dict[str, object]:
    """Conversations whose tokens are kept after each turn and found again: times, and whether they mean the same."""
    chance, words, counts = random.Random(harness.SEED), serials(), Counts()
    keep_ms: list[float] = []
    lost = 0
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(site_paths(Path(folder)))
        for number in range(VAULT_CONVERSATIONS):
            session = f"session-{number}"
            key = await store.write_keys(lambda keys, session=session: create_key(keys, session))
            await store.write(lambda db, session=session: _insert_session(db, session))
            talk = Talk(session, words, chance)
            for _ in range(VAULT_TURNS):
                vault = Vault(store, "bench")  # a node that was started again
                pseudonyms = await vault.open(session, key, "overflow")
                text, spans, said, gaps = talk.ask([])
                talk.learn(pseudonyms.mask(text, spans), said, gaps, counts)
                started = time.perf_counter()
                await vault.keep(pseudonyms, key, lambda _: None)
                keep_ms.append((time.perf_counter() - started) * 1e3)
            again = await Vault(store, "bench").open(session, key, "overflow")
            lost += sum(again.restore(token) != value for token, value in talk.means.items())
        await store.close()
    return {
        "vault_turns": len(keep_ms),
        "vault_lost": lost + counts.wrong_person + counts.not_restored,
        "vault_keep_p50_ms": round(harness.percentile(keep_ms, 50), 3),
        "vault_keep_p99_ms": round(harness.percentile(keep_ms, 99), 3),
    }


def _insert_session(db: object, session: str) -> None:
    db.execute(  # type: ignore[attr-defined]
        "INSERT INTO sessions(id, subject, token_hash, channel, locale, created_ms, expires_ms)"
        " VALUES (?, ?, x'00', 'kiosk', 'en', 0, 0)",
        [session, session],
    )


def bench(options: argparse.Namespace) -> harness.Report:
    """Run all of it."""
    report = harness.Report("pseudonyms")
    report.config = {
        "concurrent": CONCURRENT,
        "chunk_chars_max": CHUNK_CHARS_MAX,
        "passages": PASSAGES,
        "passage_chars": len(PASSAGE),
        "seconds": options.seconds,
        "turns_asked": options.turns,
    }
    gc.collect()
    found, seconds = talk_all(options.seconds, options.turns)
    rate = found.turns / seconds
    counts = asdict(found.counts)
    report.results = {
        "turns": found.turns,
        "conversations": found.conversations,
        "tokens_minted": found.tokens,
        **counts,
        "cut_answers": found.cut_answers,
        "cuts_tried": found.cuts,
        "cuts_that_differ": found.different_cuts,
        "turns_per_s": round(rate),
        "minutes_for_1e6_turns": round(1e6 / rate / 60, 1),
        "mask_cpu_p50_us": round(harness.percentile(found.mask_us, 50), 1),
        "mask_cpu_p99_us": round(harness.percentile(found.mask_us, 99), 1),
        "added_first_token_p50_ms": round(harness.percentile(found.added_ms, 50), 4),
        "added_first_token_max_ms": round(max(found.added_ms), 3),
        "first_text_waited_for_a_tokens_rest_share": round(found.held_first / len(found.added_ms), 4),
        **hostile(),
        **asyncio.run(through_the_vault()),
    }
    report.judged = {
        "wrong_person": found.counts.wrong_person,
        "cross_session": found.counts.cross_session,
        "added_first_token_p99_ms": round(harness.percentile(found.added_ms, 99), 4),
        "added_first_token_cpu_p99_ms": round(harness.percentile(found.added_cpu_ms, 99), 4),
        "turns": found.turns,
        "not_restored": found.counts.not_restored,
        "cuts_that_differ": found.different_cuts,
        "bent_restored_share": round(found.counts.bent_restored / max(1, found.counts.bent), 4),
    }
    return report


def main() -> int:
    parser = harness.arguments("pseudonyms", SECONDS)
    parser.add_argument("--turns", type=int, default=None, help="this many turns, whatever the time")
    return harness.run(parser, bench)


if __name__ == "__main__":
    sys.exit(main())
