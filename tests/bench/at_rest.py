"""At rest: after a thousand personal turns, is anything that customers said on the disk in clear?

A real node answers conversations that are full of canaries: as names, addresses, card holders, in reasons of feedback
and in words to staff. Its site folder, its temporary folder, the shared memory of the machine, the files that its
processes hold open (removed ones too), their command lines and environments are then read byte by byte: while it runs,
after it was killed, and after a clean stop. In the end a canary is planted in each place, to see that the look would
have found it. As root, for no other account may look into a node's processes.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests.bench import harness
from tests.canaries import Hit, canary, files_below, found_below, found_in, found_in_file
from tests.running import Customer, RunningNode, prepare_clinic, running

TURNS = 1_000
TURNS_OF_ONE = 5
SECONDS = 120.0
_SHARED_MEMORY = Path("/dev/shm")

SENTENCES = (
    "My name is {0} {1} and I need to move my appointment to Thursday.",
    "Please send the letter to {0} {1}, 14 {2} Street, Springfield.",
    "I am {0}, my mail is {1}@{2}.example. When do you open?",
    "The card is in the name of {0} {1}; where do I pay a bill?",
    "My daughter {0} {1} has a fever of 39. Is Doctor {2} in today?",
    "How do I get the records of {0} {1}, born 4 May 1961, patient {2}?",
    "was kostet das für {0} {1}?",
)


class Planted:
    """Canaries that were handed out, and the answers that had one in them."""

    def __init__(self) -> None:
        self.count = 0
        self.turns = 0

    def words(self, number: int) -> list[str]:
        """New canaries."""
        self.count += number
        return [canary(self.count - number + place) for place in range(number)]


def main() -> int:
    """Run the bench."""
    if os.getuid() != 0:
        sys.stderr.write("Run it as root: a node lets no other program look at what it holds open.\n")
        return 1
    parser = harness.arguments("at_rest", SECONDS)
    parser.add_argument("--turns", type=int, default=TURNS)
    return harness.run(parser, bench)


def bench(options: argparse.Namespace) -> harness.Report:
    """Turns until `--turns` are done, or the time is over."""
    report = harness.Report("at_rest", {"turns_wanted": options.turns})
    with tempfile.TemporaryDirectory(prefix="postern-bench-") as folder:
        temporary = Path(folder) / "tmp"
        temporary.mkdir()
        os.environ["TMPDIR"] = tempfile.tempdir = str(temporary)
        site, planted = prepare_clinic(Path(folder)), Planted()
        places = [site, temporary, _SHARED_MEMORY]
        with running(site) as node:
            asyncio.run(talk(node.url, planted, options.turns, time.monotonic() + options.seconds))
            looks = {"running": look(places, node)}
            node.kill("node")
            looks["killed"] = found_below(places)
        looks["stopped"] = found_below(places)
        unseen = blind_spots(places)
        report.results = {
            "turns": planted.turns,
            "canaries": planted.count,
            "files": sum(1 for _ in files_below(places)),
            "bytes": sum(path.stat().st_size for path in files_below(places)),
            "found": {
                when: sorted({f"{hit.path}: {hit.form}" for hit in hits}) for when, hits in looks.items()
            },
            "not_looked_into": unseen,
        }
        report.judged = {"canaries_in_clear": sum(map(len, looks.values())), "blind_spots": len(unseen)}
    return report


async def talk(url: str, planted: Planted, turns: int, until_s: float) -> None:
    """Conversations one after the other, each with feedback, and now and then with staff."""
    number = 0
    while planted.turns < turns and time.monotonic() < until_s:
        async with Customer.at(url) as customer:
            for _ in range(min(TURNS_OF_ONE, turns - planted.turns)):
                text = SENTENCES[planted.turns % len(SENTENCES)].format(*planted.words(3))
                answer = await customer.ask(text)
                planted.turns += 1
            await say_more(customer, answer["turn_id"], planted, to_staff=number % 20 == 0)
        number += 1
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{planted.turns} of {turns} turns")


async def say_more(customer: Customer, turn: str, planted: Planted, *, to_staff: bool) -> None:
    """What else a customer may write: why an answer was no use, and to staff."""
    path = f"{customer.turns}/{turn}"
    reason = f"{planted.words(1)[0]} was not who I asked for"
    status, said = await customer.send("POST", f"{path}/feedback", {"useful": False, "reason": reason})
    assert status == 204, said
    if to_staff:
        status, said = await customer.send("POST", f"{path}/handoff", {})
        assert status == 201, said
        words = f"This is {planted.words(1)[0]}, please call me."
        status, said = await customer.send(
            "POST", f"/api/v1/sessions/{customer.session_id}/messages", {"text": words}
        )
        assert status in {201, 204}, said


def look(places: list[Path], node: RunningNode) -> list[Hit]:
    """What a thief of the disk would find, and another account of the machine."""
    hits = found_below(places)
    for process in [
        psutil.Process(node.process.pid),
        *psutil.Process(node.process.pid).children(recursive=True),
    ]:
        hits += [hit for path in _of_process(process.pid) for hit in found_in_file(path)]
    return hits


def _of_process(pid: int) -> Iterator[Path]:
    """Files that it holds open, also those that have no name any more; how it was called."""
    folder = Path("/proc") / str(pid)
    yield folder / "cmdline"
    yield folder / "environ"
    for descriptor in (folder / "fd").iterdir():
        if descriptor.exists() and descriptor.is_file():
            yield descriptor


def blind_spots(places: list[Path]) -> list[str]:
    """Places where a planted canary is not found."""
    unseen = []
    for place in places:
        path = place / f"postern-bench-{os.getpid()}"
        path.write_text(f"I am {canary(99_999)}.", encoding="utf-8")
        if not any(hit.path == str(path) for hit in found_below([place])):
            unseen.append(str(place))
        path.unlink()
    return unseen if list(found_in(canary(1).encode())) else [str(place) for place in places]


if __name__ == "__main__":
    sys.exit(main())
