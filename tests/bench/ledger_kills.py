"""The real courier killed at random moments around intent, send and close of what it carries: rows and texts.

A node's store and sync in a process of its own, texts from this one, a control plane over mTLS, and between them a tap
that ends TLS. After each kill the ledger is read, the courier starts again and goes on; now and then its disk is full.
At the end everything that the tap heard is held against the intents of its life, every row against what the writer
committed, and the export is given to the verifier. Part of `ledger`.

python -m tests.bench.ledger_kills [--kills N] [--full]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from core.errors import ExitCode, PosternError
from edge.egress import verify
from edge.egress.envelope import load_or_create_key, record_salt
from edge.egress.ledger import Leaf, reading
from edge.egress.ledger.export import exported, told_of
from edge.egress.overflow.client import Ended, OverflowClient, Restarted, Text
from tests import small_disk
from tests.bench import harness, ledger_sent
from tests.bench.egress_tap import Taps, tapped
from tests.bench.overflow import SAID, provider, settings_of
from tests.bench.sync_rig import Rig, line, rig
from tests.contract.courier_process import until
from tests.contract.overflow_rig import attached, generate_request, sealed

# Rows a second, twenty batches; texts under way at once, and the longest pause of each of these who ask.
RATE, ASKING, PAUSE_S_MAX = 100, 3, 0.3
DEADLINE_S = 20.0
# A machine that is shared may take so long for a start, a connection and a text.
WAIT_S = 90.0
# Of a kill: up to so long at work, and so long after the log grew or the tap heard something.
WORK_S_MAX, AFTER_S_MAX = 0.5, 0.003
# One kill in so many comes with a full disk; room beyond the end of the log, within one group's pages.
FULL_EVERY, ROOM_BYTES_MAX, FULL_WAIT_S = 5, 30_000, 1.0
# Of kills: one in so many must have hit a text, and rows, between intent and close, or they show little.
TEXTS_HIT_ONE_IN, ROWS_HIT_ONE_IN = 2, 10
TOLD_EVERY = 5
EXAMPLES = 5


@dataclass
class Found:
    """What was tried, and what was wrong."""

    kills: int = 0
    under_way: int = 0
    """Kills after which an intent had no close; by what it was of, and by whether the tap had heard any of it."""
    rows_under_way: int = 0
    texts_under_way: int = 0
    before_send: int = 0
    after_send: int = 0
    full: int = 0
    killed_while_full: int = 0
    texts: Counter[str] = field(default_factory=Counter)
    """By outcome."""
    intents: Counter[str] = field(default_factory=Counter)
    """By kind."""
    outcomes: Counter[str] = field(default_factory=Counter)
    heard: Counter[str] = field(default_factory=Counter)
    """Messages at the tap: announced, cut, framing."""
    sent_unlogged: int = 0
    """Messages that nobody had announced, and envelopes of which the ledger says that they did not leave."""
    rows: dict[str, int] = field(default_factory=dict)
    lost: int = 0
    """Rows that did not arrive, or not once or in order, or that the tap did not hear; intents without an end."""
    cut_as_whole: int = 0
    """Texts that were answered as whole with less than was said."""
    broken: list[str] = field(default_factory=list)
    """What is wrong with the ledger or its export."""
    examples: list[str] = field(default_factory=list)
    """Of what was counted."""
    verifier: dict[str, int] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        """For a document."""
        return {
            name: dict(value) if isinstance(value, Counter) else value for name, value in vars(self).items()
        }

    @property
    def unlogged(self) -> int:
        """A ledger that does not hold shows nothing of what was sent: that counts, too."""
        return self.sent_unlogged + len(self.broken)

    def shows_little(self) -> str:
        """Why, or ""."""
        texts, rows = self.kills // TEXTS_HIT_ONE_IN, self.kills // ROWS_HIT_ONE_IN
        if self.texts_under_way < texts or self.rows_under_way < rows:
            return (
                f"Of {self.kills} kills {self.texts_under_way} hit a text between intent and close and "
                f"{self.rows_under_way} rows: {texts} and {rows} are wanted."
            )
        return "" if self.texts["answered"] > self.kills else "Hardly a text was answered between the kills."


@dataclass
class Life:
    """Of a courier, up to a kill or the end: leaves of the ledger, and connections at the taps, up to then."""

    leaves: int
    links: int
    overflows: int


@dataclass
class Killing:
    """The rig, what is asked of it, and what became of that."""

    rig: Rig
    taps: Taps
    client: OverflowClient
    chance: random.Random
    found: Found = field(default_factory=Found)
    lives: list[Life] = field(default_factory=list)
    salts: dict[str, bytes] = field(default_factory=dict)
    """Of texts by envelope."""
    small: bool = False
    """Whether the courier's folder is on a disk that can really be filled."""

    @property
    def ledger(self) -> Path:
        return self.rig.courier.paths.ledger

    async def ask(self) -> None:
        """Texts one after the other, until cancelled."""
        while True:
            await until(lambda: self.client.ready, WAIT_S)
            outcome = await self._one(len(self.salts))
            self.found.texts[outcome] += 1
            await asyncio.sleep(self.chance.uniform(0, PAUSE_S_MAX))

    async def _one(self, number: int) -> str:
        request = generate_request(f"When is it open, for the {number}. time?")
        envelope = sealed(self.rig.courier.paths, request)
        self.salts[envelope.identifier.hex()] = envelope.salt
        said: list[str] = []
        try:
            async for reply in self.client.generate(envelope, deadline_s=DEADLINE_S):
                match reply:
                    case Text(text):
                        said.append(text)
                    case Restarted():
                        said.clear()
                    case Ended():
                        self.found.cut_as_whole += "".join(said) != "".join(SAID)
        except PosternError as error:
            return f"{error.code}: {error.detail}"
        return "answered"

    async def work(self) -> None:
        """Wait until texts are answered and rows go up, from now on."""
        answered, rows = self.found.texts["answered"], self._rows()
        await until(lambda: self.found.texts["answered"] > answered and self._rows() > rows, WAIT_S)

    def _rows(self) -> int:
        """That this life's link has carried."""
        links = self.taps.link.connections[self.lives[-1].links if self.lives else 0 :]
        return sum(ledger_sent.rows_in(ledger_sent.said_in(heard.spoken())) for heard in tuple(links))

    async def moment(self, *, full: bool) -> None:
        """Wait for one to kill at: any, or just after something came into the ledger or to the tap; where the disk is
        `full` nothing comes."""
        log = self.ledger.with_name(f"{self.ledger.name}-wal")
        figures: list[Callable[[], object]] = [
            lambda: log.stat().st_mtime_ns,
            lambda: self.taps.link.said_bytes(),
            lambda: self.taps.overflow.said_bytes(),
        ]
        await asyncio.sleep(self.chance.uniform(0, WORK_S_MAX))
        figure = self.chance.choice([None, *figures])
        if figure is None or full:
            return
        before = figure()
        async with asyncio.timeout(WAIT_S):
            while figure() == before:
                await asyncio.sleep(0)
        await asyncio.sleep(self.chance.uniform(0, AFTER_S_MAX))

    async def kill(self) -> None:
        """Kill it, look at what it left, start it again."""
        kept = reading.newest_checkpoint(self.ledger)
        await self.rig.courier.kill()
        self.found.kills += 1
        await self.heard_all()
        report = reading.verify(self.ledger, kept)
        if report.problem:
            self.found.broken.append(f"after kill {self.found.kills}: {report.problem}")
        self.ended(report.leaves)
        if self.small:
            self.give_room()
        await self.rig.courier.start()

    async def heard_all(self) -> None:
        """Wait until the taps have read what a courier that ended has said."""
        await until(lambda: not (self.taps.link.open or self.taps.overflow.open), WAIT_S)

    def ended(self, leaves: int) -> None:
        """Here a life ends."""
        taps = self.taps
        self.lives.append(Life(leaves, len(taps.link.connections), len(taps.overflow.connections)))

    async def fill(self) -> None:
        """The courier's disk is full from within some group of leaves on: a text is refused for it."""
        self.found.full += 1
        self._leave(self.chance.randrange(ROOM_BYTES_MAX))
        refused = self._refused_for_the_ledger()
        try:
            await until(lambda: self._refused_for_the_ledger() > refused, FULL_WAIT_S)
        except AssertionError:  # the log has begun anew, below its end: then nothing at all may be written
            self._leave(None)
            await until(lambda: self._refused_for_the_ledger() > refused, WAIT_S)

    def give_room(self) -> None:
        if self.small:
            small_disk.give_room(self.ledger.parent)
        else:
            self._room(resource.RLIM_INFINITY)

    def _leave(self, room: int | None) -> None:
        """So many bytes beyond the end of the log; None: not even up to there."""
        if self.small:
            small_disk.fill(self.ledger.parent, room or 0)
        else:
            log = self.ledger.with_name(f"{self.ledger.name}-wal")
            self._room(0 if room is None else log.stat().st_size + room)

    def _room(self, most: int) -> None:
        _, hard = resource.prlimit(self.rig.courier.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.rig.courier.pid, resource.RLIMIT_FSIZE, (most, hard))

    def _refused_for_the_ledger(self) -> int:
        return sum(count for outcome, count in self.found.texts.items() if "ledger_failed" in outcome)


@asynccontextmanager
async def killing(folder: Path, url: str, seed: int, small: bool) -> AsyncIterator[Killing]:
    """A courier that carries rows and texts to a control plane by way of taps; `small`: from a small disk."""
    async with rig(folder, provider=_provider_lines(url)) as made:
        await made.courier.stop()
        made.courier.log = folder / "courier.log"
        courier = made.courier.paths.courier
        disk = small_disk.mounted(courier) if small else nullcontext()
        with disk, tapped(courier, made.cloud.paths.root) as taps:
            await made.courier.start()
            await line(await made.start_writer("--rate", str(RATE), "--at-once"), "filled")
            async with attached(made.courier.paths) as client:
                yield Killing(made, taps, client, random.Random(seed), small=small)


def _provider_lines(url: str) -> str:
    return settings_of(url).partition("[[overflow.providers]]")[2]


async def kill(
    folder: Path, kills: int, seed: int, full_every: int = FULL_EVERY, small: bool = False
) -> Found:
    """So many kills, one in `full_every` with a full disk, and what was wrong. `small`: see `killing`."""
    with provider() as url:
        async with killing(folder, url, seed, small) as held:
            async with asyncio.TaskGroup() as group:
                asking = [group.create_task(held.ask()) for _ in range(ASKING)]
                for number in range(1, kills + 1):
                    await held.work()
                    full = number % full_every == 0 and await _full_disk(held, number // full_every % 2 == 0)
                    await held.moment(full=full)
                    await held.kill()
                    if number % TOLD_EVERY == 0:
                        harness.progress(f"{number} kills of {kills}")
                await held.work()
                for task in asking:
                    task.cancel()
            await held.rig.stop_writer()
            await line(await held.rig.start_writer(), "drained")
            await held.rig.courier.stop()
            await held.heard_all()
            await judge(held)
            return held.found


async def _full_disk(held: Killing, stays: bool) -> bool:
    """Full in the middle of all. Unless it `stays` so, there is room again, and it goes on; returns whether it does."""
    await held.fill()
    if stays:
        held.found.killed_while_full += 1
    else:
        held.give_room()
        await held.work()
    return stays


async def judge(held: Killing) -> None:
    """Hold all that was kept of the run against each other. The courier has ended."""
    found, rig_found = held.found, await held.rig.judge()
    found.rows = asdict(rig_found)
    found.lost += rig_found.lost + rig_found.doubled + rig_found.misordered + rig_found.gaps
    leaves = list(reading.read(held.ledger))
    held.ended(len(leaves))
    of_lives(held, leaves)
    heard = sum(ledger_sent.rows_in(ledger_sent.said_in(one.spoken())) for one in held.taps.link.connections)
    if heard < rig_found.committed:
        found.lost += rig_found.committed - heard
        found.examples.append(f"The tap heard {heard} rows of {rig_found.committed}.")
    if left := ledger_sent.open_of(leaves):
        found.lost += len(left)
        found.examples.append(f"{len(left)} intents have no end.")
    verified(held, leaves)


def of_lives(held: Killing, leaves: Sequence[Leaf]) -> None:
    """Each life of the courier: what the taps heard of it, and what its ledger says."""
    found, outcomes = held.found, ledger_sent.outcomes_of(leaves)
    key = load_or_create_key(held.rig.courier.paths.keys)

    def salt_of(envelope: str) -> bytes:
        return held.salts.get(envelope) or record_salt(bytes.fromhex(envelope), key)

    before = Life(0, 0, 0)
    for number, life in enumerate(held.lives):
        intents = [leaf for leaf in leaves[before.leaves : life.leaves] if leaf.type == "intent"]
        compared = []
        for tap, first, end in (
            (held.taps.link, before.links, life.links),
            (held.taps.overflow, before.overflows, life.overflows),
        ):
            mine = [leaf for leaf in intents if leaf.fields["destination"] == tap.endpoint]
            spoken = [stream for heard in tap.connections[first:end] for stream in heard.spoken()]
            one = ledger_sent.compare(mine, ledger_sent.said_in(spoken), outcomes, salt_of)
            compared.append(one)
            found.heard.update(announced=len(one.sent), cut=len(one.cut), framing=one.framing)
            kept = one.told_as_kept(outcomes)
            found.sent_unlogged += len(one.unlogged) + len(kept)
            found.examples += [f"life {number}: {text}" for text in [*one.unlogged, *kept][:EXAMPLES]]
        found.intents.update(str(leaf.fields["kind"]) for leaf in intents)
        found.outcomes.update(outcomes.get(_name(leaf), "open") for leaf in intents)
        heard = set().union(*(one.sent | one.cut for one in compared))
        _count_hit([leaf for leaf in intents if outcomes.get(_name(leaf)) == "unknown"], heard, found)
        before = life


def _count_hit(unknown: Sequence[Leaf], heard: set[str], found: Found) -> None:
    """What a kill left open, and whether any of it had been heard."""
    kinds, names = {leaf.fields["kind"] for leaf in unknown}, {_name(leaf) for leaf in unknown}
    found.under_way += bool(names)
    found.rows_under_way += "outbox_batch" in kinds
    found.texts_under_way += "generate" in kinds
    found.before_send += bool(names - heard)
    found.after_send += bool(names & heard)


def _name(leaf: Leaf) -> str:
    return str(leaf.fields["envelope"])


def verified(held: Killing, leaves: Sequence[Leaf]) -> None:
    """The export, by the file that knows nothing of us: whole, and with the same ends as the leaves."""
    with tempfile.TemporaryDirectory(prefix="postern-bench-") as name:
        out = Path(name) / "export"
        with exported(held.rig.courier.paths, all_leaves=True) as export:
            export.write(out)
            log_key = str(told_of(export)["log_key"])
        command = [sys.executable, "-I", verify.__file__, str(out), "--log-key", log_key, "--json"]
        done = subprocess.run(command, capture_output=True, check=False)
    told: dict[str, Any] = json.loads(done.stdout or "{}")
    # There is no meter here, so that nobody compared it with a kernel.
    if done.returncode != ExitCode.NOT_KNOWN or not told["whole"] or told["entries"] != len(leaves):
        held.found.broken.append(f"The verifier ended with {done.returncode}: {told.get('problems')}")
        return
    intents = [leaf for leaf in leaves if leaf.type == "intent"]
    ends = ledger_sent.outcomes_of(leaves)
    perhaps = sum(ends.get(_name(leaf), "unknown") in ledger_sent.PERHAPS for leaf in intents)
    said = [one for one in told["left"] if one["kind"] != verify.CONNECTIONS]
    held.found.verifier = {
        "entries": told["entries"],
        "envelopes": sum(one["envelopes"] for one in said),
        "open": told["open"],
        "perhaps": sum(one["uncertain"] for one in said),
        "bytes": sum(one["bytes"] for one in said),
        "bytes_perhaps": sum(one["bytes_perhaps"] for one in said),
    }
    if (held.found.verifier["envelopes"], held.found.verifier["perhaps"]) != (len(intents), perhaps):
        held.found.broken.append(
            f"The verifier tells other ends than the leaves: {held.found.verifier}, {perhaps}"
        )


def run(kills: int) -> Found:
    """In a folder beside the checkout: a temporary one may be in memory, where nothing is between intent and send."""
    harness.CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="kills-", dir=harness.CACHE) as place:
        return asyncio.run(kill(Path(place), kills, harness.SEED))


def run_full(kills: int) -> Found:
    """Each with a disk that is really full: on one in memory, for which this needs root (see `small_disk.missing`)."""
    with tempfile.TemporaryDirectory(prefix="kills-") as place:
        killed = kill(Path(place), kills, harness.SEED, full_every=1, small=True)
        return small_disk.apart(lambda: asyncio.run(killed))


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument(
        "--full", action="store_true", help="each with a disk that is really full; needs root"
    )
    options = parser.parse_args()
    found = run_full(options.kills) if options.full else run(options.kills)
    sys.stdout.write(json.dumps(found.told()) + "\n")


if __name__ == "__main__":
    _main()
