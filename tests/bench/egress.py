"""What leaves a site: ten thousand texts full of canaries, every exit looked at, ways around the courier tried.

`canaries_deterministic`: values with a checksum, of the site's own pattern, or known to their conversation's vault that
stood anywhere in clear. `canaries_other_exits`: values of any kind at any exit but overflow. Names, addresses and forms
in overflow are held against the published miss rates. Each text goes through the real guard, vault, courier, gRPC and
TLS to a real control plane; a tap between them that holds the test's own keys sees what was encrypted
(egress_overflow, egress_tap). A node with everything connected is ridden for the other exits (egress_ride). Before
anything counts the bench switches the masking off, in its own process, and must see what then leaves.
`free_text_bytes`: of what was asked while detector, policy, store or ledger were broken (egress_faults).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import uvloop

from edge.config import site_paths
from models.detect import rates
from tests.bench import (
    egress_added,
    egress_faults,
    egress_overflow,
    egress_ride,
    harness,
    overflow,
    spike_site,
)
from tests.bench.egress_canaries import SITE_SETTINGS, Canary, Class, Planter, Prompt
from tests.bench.egress_overflow import Run, desk_of
from tests.bench.egress_ride import Ride
from tests.bench.egress_search import Search
from tests.bench.egress_tap import Taps, tapped

SECONDS = 60.0
PROMPTS = 10_000
REQUESTS = 1_000
# As the detector ships every text is refused, whatever it is: a tenth of the texts, and of turns at a node, show it.
ONE_IN = 10
# With the masking off.
CHECKED = 20
# Of what the kernel counted; framing is explained by its bound alone, so its share stands beside what is not.
COMPARED = ("kernel_bytes", "framing_bytes_pct", "unexplained_bytes_pct")
# Which published miss rate a class is held against.
PUBLISHED = {Class.NAMED: "names", Class.ADDRESS: "addresses", Class.FORM: rates.REST}
DETERMINISTIC = (Class.CHECKSUMMED, Class.SITE_PATTERN)
NOT_PLANTED = {
    "language model server": "carries questions in clear, to the site's own machine, and is named as that",
    "pages and programs": "whoever asked is answered; bodies of refusals are looked at",
    "backups": "encrypted (`at_rest` looks at them)",
    "files from the command line": "exports of a person hold what they said, for that person",
    "announcement, broker, login provider, siblings, look-ups of names, time": "made before anybody has said anything",
}


def main() -> int:
    """Run the bench."""
    parser = harness.arguments("egress", SECONDS)
    parser.add_argument("--prompts", type=int, default=PROMPTS, help="texts with canaries that may leave")
    parser.add_argument(
        "--requests", type=int, default=REQUESTS, help="in the middle of which something breaks"
    )
    return harness.run(parser, bench)


def bench(options: argparse.Namespace) -> harness.Report:
    """All parts, one after the other."""
    few = max(1, options.prompts // ONE_IN)
    report = harness.Report("egress", {"prompts": options.prompts, "prompts_as_shipped": few, "turns": few})
    report.config |= {"requests": options.requests, **spike_site.INVENTED}
    harness.progress("ways around the courier")
    report.results["bypasses"] = bypasses()
    report.results["compared"] = compared() if not report.results["bypasses"]["reason"] else {}
    # Beside the checkout, for a temporary folder may be in memory, where an fsync costs nothing.
    harness.CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="egress-", dir=harness.CACHE) as folder:
        report.results |= at_a_site(Path(folder), options, few)
    report.results["not_planted"] = NOT_PLANTED
    report.judged = judged(report.results)
    return report


def judged(results: dict[str, Any]) -> dict[str, Any]:
    """The contract's figures, and what they are read with."""
    tried, texts, ways = results["bypasses"], results["overflow"], results["other_exits"]
    found = {
        "canaries_deterministic": sum(texts["deterministic"].values()) + results["as_shipped"]["canaries"],
        "canaries_other_exits": sum(len(those) for those in ways["found"].values()),
        "bypasses_tried": tried["tried"],
        "bypasses_passed": None if tried["reason"] else len({*tried["crossed"], *tried["uncounted"]}),
        **{key: results["compared"].get(key) for key in COMPARED},
        **{key: value for key, value in results["added"].items() if "_p50_ms" in key},
        "free_text_bytes": sum(case["free_text_bytes"] for case in results["faults"].values()),
    }
    for kind, rate in texts["statistical"].items():
        found |= {
            f"missed_{kind}_pct": rate["pct"],
            f"published_{kind}_pct_at_most": rate["published_pct_at_most"],
        }
    return found


def bypasses() -> dict[str, Any]:
    """In a process of its own."""
    command = [sys.executable, "-m", "tests.bench.egress_bypasses"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def compared() -> dict[str, Any]:
    """What the kernel counted of a courier in a network of its own, for minutes; in a process of its own."""
    harness.progress("the kernel's bytes against the ledger's, for minutes")
    command = [sys.executable, "-m", "tests.bench.egress_compared"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def at_a_site(folder: Path, options: argparse.Namespace, few: int) -> dict[str, Any]:
    """Latency, texts that may leave, texts as the product ships, faults, turns at a node: one site."""
    site = spike_site.make_site(folder)
    with (site / "site.toml").open("a", encoding="utf-8") as settings:
        settings.write(SITE_SETTINGS)
    planter = Planter(harness.SEED)
    with (
        egress_overflow.provider() as url,
        spike_site.cloud(folder / "cloud", overflow.settings_of(url)) as cloud,
    ):
        cloud.enrol(site)
        with overflow.courier(site):
            pairs = max(harness.PAIRS_MIN, round(options.seconds / (2 * harness.SLICE_S)))
            added = uvloop.run(egress_added.measure(site, pairs))
        with tapped(site_paths(site).courier, folder / "cloud") as taps:
            with overflow.courier(site):
                seen = uvloop.run(switched_off(site, planter, taps))
                shipped = uvloop.run(as_shipped(site, planter, few, taps))
                run = uvloop.run(texts(site, planter, options.prompts))
                left = taps.overflow.blobs()
                broken = uvloop.run(egress_faults.break_all(site, taps.overflow, options.requests))
            harness.progress("riding a node")
            ridden = asyncio.run(egress_ride.ride(site, planter, few))
            harness.progress("looking for canaries")
            ridden.exits["logs"].append((site / "courier.log").read_bytes())
            ridden.exits["link"] = taps.link.blobs()
            left += taps.overflow.blobs()
    return {
        "added": added,
        "faults": broken,
        "switched_off": seen,
        "as_shipped": shipped,
        "overflow": of_overflow(run, ridden, left),
        "other_exits": of_other_exits([one.prompt for one in run.asked] + ridden.prompts, ridden),
    }


async def switched_off(site: Path, planter: Planter, taps: Taps) -> dict[str, int]:
    """Nothing is hidden: each class of canary must be seen. Raises BenchRefused where one is not."""
    harness.progress("with the masking off")
    async with desk_of(site, measured=True) as desk:
        with egress_overflow.unmasked():
            run = await egress_overflow.ask_all(desk, planter, CHECKED)
    search, planted = searching(canary for one in run.left() for canary in one.prompt.canaries)
    seen = {planted[number] for number in search.found(taps.overflow.blobs())}
    missing = set(planted.values()) - seen
    if missing or {canary.kind for canary in seen} != set(Class):
        raise harness.BenchRefused(
            f"With the masking off {len(missing)} of {len(planted)} canaries were not seen."
        )
    return {"planted": len(planted), "seen": len(seen)}


async def as_shipped(site: Path, planter: Planter, prompts: int, taps: Taps) -> dict[str, Any]:
    """With what is measured of the detector that ships: no text may leave at all."""
    harness.progress("as the detector ships")
    before = taps.overflow.requests()
    async with desk_of(site, measured=False) as desk:
        run = await egress_overflow.ask_all(desk, planter, prompts)
    search, _ = searching(canary for one in run.asked for canary in one.prompt.canaries)
    return {
        "outcomes": dict(run.outcomes),
        "texts_left": taps.overflow.requests() - before,
        "canaries": len(search.found(taps.overflow.blobs())),
    }


async def texts(site: Path, planter: Planter, prompts: int) -> Run:
    """As if it missed little enough."""
    harness.progress("texts that may leave")
    async with desk_of(site, measured=True) as desk:
        return await egress_overflow.ask_all(desk, planter, prompts)


def searching(canaries: Iterable[Canary]) -> tuple[Search, dict[int, Canary]]:
    """What looks for them, and which number is whose."""
    search = Search()
    return search, {search.add(canary.looked_for): canary for canary in dict.fromkeys(canaries)}


def of_overflow(run: Run, ridden: Ride, left: list[bytes]) -> dict[str, Any]:
    """What the tap saw of the texts, by class; turns of the node count with those that a machine can be sure of."""
    said = [canary for one in run.left() for canary in one.prompt.canaries]
    known = run.hidden_first()
    search, planted = searching([*said, *(canary for turn in ridden.prompts for canary in turn.canaries)])
    seen = {planted[number] for number in search.found(left)}
    sure = Counter(canary.kind.value for canary in seen if canary.kind in DETERMINISTIC)
    of = Counter(canary.kind for canary in said)
    missed = Counter(canary.kind for canary in seen & set(said) if canary not in known)
    return {
        "outcomes": dict(run.outcomes),
        "bytes_at_the_tap": sum(map(len, left)),
        "planted": {kind.value: count for kind, count in of.items()} | {"vault_known": len(known)},
        "deterministic": {kind.value: sure[kind.value] for kind in DETERMINISTIC}
        | {"vault_known": len(seen & known)},
        "statistical": {
            kind.value: missed_of(kind, missed[kind], of[kind]) for kind in PUBLISHED if of[kind]
        },
        "examples": sorted(canary.looked_for for canary in seen)[:20],
    }


def missed_of(kind: Class, missed: int, of: int) -> dict[str, float]:
    """Percent, with its 95 % interval, and the upper end of the published one."""
    low, high = harness.share_interval(missed, of)
    published = rates.shipped().of("en")
    assert published is not None
    return {
        "missed": missed,
        "of": of,
        "pct": round(100 * missed / of, 2),
        "pct_low": round(100 * max(0.0, low), 2),
        "pct_high": round(100 * high, 2),
        "published_pct_at_most": round(100 * published.groups[PUBLISHED[kind]].at_most, 2),
    }


def of_other_exits(prompts: list[Prompt], ridden: Ride) -> dict[str, Any]:
    """Any canary, wherever it is not overflow. Raises BenchRefused where an exit gave nothing to look at."""
    search, planted = searching(canary for one in prompts for canary in one.canaries)
    empty = [name for name, blobs in ridden.exits.items() if not any(blobs)]
    if empty:
        raise harness.BenchRefused(f"Nothing came out of {', '.join(empty)}, so nothing was looked at.")
    return {
        "routes": ridden.routes,
        "bytes": {name: sum(map(len, blobs)) for name, blobs in ridden.exits.items()},
        "found": {
            name: sorted({planted[number].kind.value for number in search.found(blobs)})
            for name, blobs in ridden.exits.items()
        },
    }


if __name__ == "__main__":
    sys.exit(main())
