"""What leaves a site: ten thousand texts full of canaries, every exit looked at, ways around the courier tried.

`canaries_deterministic`: values with a checksum, of the site's own pattern, or known to their conversation's vault that
stood anywhere in clear. `canaries_other_exits`: values of any kind at any exit but overflow. Names, addresses and forms
in overflow are held against the published miss rates. Each text goes through the real guard, vault, courier, gRPC and
TLS to a real control plane; a tap between them that holds the test's own keys sees what was encrypted
(egress_overflow, egress_tap). A node with everything connected is ridden for the other exits (egress_ride). Couriers
run in a network of their own, and every frame on the cable from there to the taps is captured, and held against what
these heard (egress_cable). Before anything counts the bench switches the masking off, in its own process, and must see
what then leaves. `free_text_bytes`: of what was asked while detector, policy, store or ledger were broken
(egress_faults).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from edge.config import site_paths
from models.detect import rates
from tests.bench import (
    egress_added,
    egress_cable,
    egress_faults,
    egress_overflow,
    egress_ride,
    harness,
    overflow,
    spike_site,
)
from tests.bench.egress_canaries import SITE_SETTINGS, Canary, Class, Planter, Prompt
from tests.bench.egress_examples import DETERMINISTIC, SHOWN, examples
from tests.bench.egress_overflow import Run, desk_of
from tests.bench.egress_ride import Ride
from tests.bench.egress_search import RUN_SIGNS, RUN_SIGNS_AMONG_HEX, Search
from tests.bench.egress_tap import Taps, on_loopback, tapped

SECONDS = 90.0
PROMPTS = 10_000
REQUESTS = 1_000
# As the detector ships every text is refused, whatever it is: a tenth of the texts show it. As many are said at a node.
ONE_IN = 10
# With the masking off.
CHECKED = 20
# Of what the kernel counted; framing is explained by its bound alone, so its share stands beside what is not.
COMPARED = ("kernel_bytes", "framing_bytes_pct", "unexplained_bytes_pct")
# Of all texts. Under invented figures the guard lets all go but a few in which it finds something strange.
LEFT_MIN = 0.8
# Numbers that nobody says: how many parts of such are at the tap by chance.
UNSAID, UNSAID_SEED = 10_000, harness.SEED + 1
# By which a courier goes that carries the texts; the other exits are the ridden node's.
EXITS_OF_TEXTS = ("link", "logs")
# Which published miss rate a class is held against.
PUBLISHED = {Class.NAMED: "names", Class.ADDRESS: "addresses", Class.FORM: rates.REST}
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
        "--turns", type=int, help=f"texts said at a node, for the other exits; a {ONE_IN}th of the prompts"
    )
    parser.add_argument(
        "--requests", type=int, default=REQUESTS, help="in the middle of which something breaks"
    )
    return harness.run(parser, bench)


@dataclass
class Parts:
    """What each part found. One that fails takes no other along."""

    results: dict[str, Any] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    """Why there is no figure of a part, or why its figure says little."""

    def run(self, name: str, part: Callable[[], Any]) -> Any:
        """What the part gives, None where it fails. `problems` of a dictionary: why its figures say little."""
        harness.progress(name)
        try:
            found = part()
        except Exception as error:
            traceback.print_exc()
            self.failed[name] = f"{type(error).__name__}: {error}"
            return None
        if isinstance(found, dict):
            # On stderr, too: who ends a long run has what was found so far.
            harness.progress(f"{name}: {json.dumps(found)}")
            self.results[name] = found
            if problems := found.get("problems"):
                self.failed[name] = " ".join(problems)
        return found


def bench(options: argparse.Namespace) -> harness.Report:
    """All parts, one after the other."""
    few = max(1, options.prompts // ONE_IN)
    options.turns = few if options.turns is None else options.turns
    report = harness.Report("egress", {"prompts": options.prompts, "prompts_as_shipped": few})
    report.config |= {"turns": options.turns, "requests": options.requests, **spike_site.INVENTED}
    parts = Parts()
    parts.run("bypasses", bypasses)
    parts.run("compared", compared)
    # Beside the checkout, for a temporary folder may be in memory, where an fsync costs nothing.
    harness.CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="egress-", dir=harness.CACHE) as folder:
        parts.run("site", lambda: at_a_site(Path(folder), options, few, parts))
    report.results |= parts.results | {"not_planted": NOT_PLANTED}
    report.failed = parts.failed
    report.judged = judged(parts)
    return report


def judged(parts: Parts) -> dict[str, Any]:
    """The contract's figures, and what they are read with; None where a part did not give one."""
    of = parts.results
    tried, shipped, texts, ways, cable = (
        of.get(name) for name in ("bypasses", "as_shipped", "overflow", "other_exits", "cable")
    )
    # Whoever does not see what leaves in clear has not shown that nothing does.
    sees = "switched_off" not in parts.failed
    found = {
        "parts_failed": len(parts.failed),
        "canaries_deterministic": sum(texts["deterministic"].values()) + shipped["canaries"]
        if sees and texts and shipped
        else None,
        "texts_asked": texts and sum(texts["outcomes"].values()),
        "texts_left": texts and texts["texts_left"],
        "texts_answered": texts and texts["outcomes"].get("answered", 0),
        "texts_left_as_shipped": shipped and shipped["texts_left"],
        "canaries_at_the_cable": sum(cable["canaries"].values()) if cable else None,
        "cable_payload_bytes": cable and cable["payload_up_bytes"] + cable["payload_down_bytes"],
        "canaries_other_exits": ways and sum(len(those) for those in ways["found"].values()),
        "bypasses_tried": tried and tried["tried"],
        "bypasses_passed": len({*tried["crossed"], *tried["uncounted"]})
        if tried and tried["tried"]
        else None,
        **{key: of.get("compared", {}).get(key) for key in COMPARED},
        **{key: value for key, value in of.get("added", {}).items() if "_p50_ms" in key},
        "free_text_bytes": _sum_of(of.get("faults"), "free_text_bytes"),
        "names_while_breaking": _sum_of(of.get("faults"), "names_at_the_tap"),
    }
    for kind, rate in (texts or {}).get("statistical", {}).items():
        found |= {
            f"missed_{kind}_pct": rate["pct"],
            f"missed_{kind}_pct_low": rate["pct_low"],
            f"missed_{kind}_pct_high": rate["pct_high"],
            f"missed_{kind}_of": rate["of"],
            f"published_{kind}_pct": rate["published_pct"],
            f"published_{kind}_pct_at_most": rate["published_pct_at_most"],
        }
    return found


def _sum_of(faults: dict[str, Any] | None, key: str) -> int | None:
    return sum(case[key] for case in faults["cases"].values()) if faults else None


def bypasses() -> dict[str, Any]:
    """In a process of its own."""
    command = [sys.executable, "-m", "tests.bench.egress_bypasses"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found | {"problems": [f"It {found['reason']}."] if found["reason"] else []}


def compared() -> dict[str, Any]:
    """What the kernel counted of a courier in a network of its own, for minutes; in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.egress_compared"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def at_a_site(folder: Path, options: argparse.Namespace, few: int, parts: Parts) -> None:
    """Texts that may leave, texts as the product ships, turns at a node, faults, latency: one site."""
    site = spike_site.make_site(folder)
    with (site / "site.toml").open("a", encoding="utf-8") as settings:
        settings.write(SITE_SETTINGS)
    planter = Planter(harness.SEED)
    pairs = max(harness.PAIRS_MIN, round(options.seconds / (len(egress_added.Side) * harness.SLICE_S)))
    with (
        egress_overflow.provider() as url,
        spike_site.cloud(folder / "cloud", overflow.settings_of(url)) as cloud,
    ):
        cloud.enrol(site)
        with overflow.courier(site):
            parts.run("added", lambda: uvloop.run(egress_added.measure(site, pairs)))
        with egress_cable.laid(folder) as line:
            listener, network = (line.listener, line.couriers) if line else (on_loopback, "")
            with tapped(site_paths(site).courier, folder / "cloud", listener) as taps:
                run, ridden = by_taps(site, options, few, parts, planter, taps, network)
                parts.run("cable", lambda: of_cable(line, taps, run, ridden))


def by_taps(
    site: Path,
    options: argparse.Namespace,
    few: int,
    parts: Parts,
    planter: Planter,
    taps: Taps,
    network: str,
) -> tuple[Run, Ride | None]:
    """All that leaves by the taps, and what was said. `network`: of the couriers, "" for this machine's own."""
    run = Run()
    with overflow.courier(site, network):
        parts.run("switched_off", lambda: uvloop.run(switched_off(site, planter, taps)))
        parts.run("as_shipped", lambda: uvloop.run(as_shipped(site, planter, few, taps)))
        before = taps.overflow.requests()
        parts.run("texts", lambda: uvloop.run(texts(site, planter, options.prompts, run)))
        left = taps.overflow.requests() - before
        parts.run("overflow", lambda: of_overflow(run, left, taps.overflow.blobs()))
        parts.run(
            "faults",
            lambda: of_faults(uvloop.run(egress_faults.break_all(site, taps.overflow, options.requests))),
        )
    before = taps.overflow.requests()
    ridden: Ride | None = parts.run(
        "ride", lambda: asyncio.run(egress_ride.ride(site, planter, options.turns, network))
    )
    if ridden is not None:
        ridden.exits["logs"].append((site / "courier.log").read_bytes())
        ridden.exits["link"] = taps.link.blobs()
        overflowed = taps.overflow.requests() - before
        parts.run("other_exits", lambda: of_other_exits(run, ridden, overflowed))
    # Once more: what was kept may have left later, and turns of the node overflow, too.
    turns = ridden.prompts if ridden else []
    parts.run("overflow", lambda: of_overflow(run, left, taps.overflow.blobs(), turns))
    return run, ridden


def of_cable(line: egress_cable.Line | None, taps: Taps, run: Run, ridden: Ride | None) -> dict[str, Any]:
    """All frames of texts and turns: canaries in clear, by class, and what is no connection to a tap."""
    prompts = [*(one.prompt for one in run.asked), *(ridden.prompts if ridden else ())]
    search, planted = searching((canary for one in prompts for canary in one.canaries), RUN_SIGNS_AMONG_HEX)
    by_chance, _ = searching(Planter(UNSAID_SEED).unsaid(UNSAID), RUN_SIGNS_AMONG_HEX)
    told = egress_cable.crossed(line, taps, {"canaries": search, "by_chance": by_chance})
    found = told.pop("found")
    seen = sorted(planted[number].looked_for for number in found["canaries"])
    return told | {
        "canaries": Counter(planted[number].kind.value for number in found["canaries"]),
        "canaries_looked_for": len(planted),
        "by_chance": {"found": len(found["by_chance"]), "of": UNSAID},
        "examples": seen[:SHOWN],
    }


def of_faults(cases: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Of all cases, and why some say little."""
    return {"cases": cases, "problems": [said for case in cases.values() for said in case["problems"]]}


async def switched_off(site: Path, planter: Planter, taps: Taps) -> dict[str, int]:
    """Nothing is hidden: each class of canary must be seen. Raises BenchRefused where one is not."""
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
    before = taps.overflow.requests()
    async with desk_of(site, measured=False) as desk:
        run = await egress_overflow.ask_all(desk, planter, prompts)
    search, planted = searching(canary for one in run.asked for canary in one.prompt.canaries)
    blobs = taps.overflow.blobs()
    seen = {planted[number] for number in search.found(blobs)}
    return {
        "outcomes": dict(run.outcomes),
        "texts_left": taps.overflow.requests() - before,
        "canaries": len(seen),
        "examples": examples(run, [], seen, blobs),
    }


async def texts(site: Path, planter: Planter, prompts: int, run: Run) -> None:
    """As if it missed little enough. `run`: filled meanwhile, so that what a failure leaves can be looked at."""
    async with desk_of(site, measured=True) as desk:
        await egress_overflow.ask_all(desk, planter, prompts, run)


def searching(canaries: Iterable[Canary], run_signs: int = RUN_SIGNS) -> tuple[Search, dict[int, Canary]]:
    """What looks for them, and which number is whose."""
    search = Search(run_signs)
    return search, {search.add(canary.looked_for): canary for canary in dict.fromkeys(canaries)}


def of_overflow(
    run: Run, texts_left: int, blobs: list[bytes], turns: Sequence[Prompt] = ()
) -> dict[str, Any]:
    """What the tap saw of the texts, by class, of those that the guard refused, too. `turns`: of the node, where those
    of which a machine can be sure count."""
    said, refused, known = run.said(), run.refused(), run.hidden_first()
    search, planted = searching([*said, *refused, *(canary for turn in turns for canary in turn.canaries)])
    by_chance, _ = searching(Planter(UNSAID_SEED).unsaid(UNSAID))
    seen = {planted[number] for number in search.found(blobs)}
    sure = Counter(canary.kind.value for canary in seen if canary.kind in DETERMINISTIC)
    of = Counter(canary.kind for canary in said if canary not in known or canary.kind is Class.NAMED)
    missed = Counter(canary.kind for canary in seen & set(said) if canary not in known)
    asked = len(run.asked)
    return {
        "outcomes": dict(run.outcomes),
        "texts_left": texts_left,
        "bytes_at_the_tap": sum(map(len, blobs)),
        "planted": {kind.value: count for kind, count in of.items()}
        | {"vault_known": len(known), "in_refused_texts": len(refused)},
        "deterministic": {kind.value: sure[kind.value] for kind in DETERMINISTIC}
        | {
            "vault_known": len(seen & known),
            "in_refused_texts": len({one for one in seen & {*refused} if one.kind not in DETERMINISTIC}),
        },
        "by_chance": {"found": len(by_chance.found(blobs)), "of": UNSAID},
        "statistical": {
            kind.value: missed_of(kind, missed[kind], of[kind]) for kind in PUBLISHED if of[kind]
        },
        "examples": examples(run, turns, seen, blobs),
        "problems": [f"Only {texts_left} of {asked} texts left."]
        if texts_left < LEFT_MIN * asked or not asked
        else [],
    }


def missed_of(kind: Class, missed: int, of: int) -> dict[str, float]:
    """Percent, with its 95 % interval; the published one, and its interval's upper end."""
    low, high = harness.share_interval(missed, of)
    published = rates.shipped().of("en")
    assert published is not None
    rate = published.groups[PUBLISHED[kind]]
    return {
        "missed": missed,
        "of": of,
        "pct": round(100 * missed / of, 2),
        "pct_low": round(100 * max(0.0, low), 2),
        "pct_high": round(100 * high, 2),
        "published_pct": round(100 * rate.share, 2),
        "published_pct_at_most": round(100 * rate.at_most, 2),
    }


def of_other_exits(run: Run, ridden: Ride, overflowed: int) -> dict[str, Any]:
    """Any canary, wherever it is not overflow: of the node's turns, and where the courier speaks also of the texts."""
    turns = [canary for one in ridden.prompts for canary in one.canaries]
    texts = [canary for one in run.asked for canary in one.prompt.canaries]
    of_turns = searching(turns, RUN_SIGNS_AMONG_HEX)
    of_all = searching([*turns, *texts], RUN_SIGNS_AMONG_HEX)
    found = {}
    for name, blobs in ridden.exits.items():
        search, planted = of_all if name in EXITS_OF_TEXTS else of_turns
        found[name] = sorted({planted[number].kind.value for number in search.found(blobs)})
    return {
        "turns": {"with_canaries": len(ridden.prompts), "all": ridden.routes.total()},
        "routes": ridden.routes,
        "overflowed": overflowed,
        "canaries_looked_for": {
            "everywhere": len(of_turns[1]),
            **dict.fromkeys(EXITS_OF_TEXTS, len(of_all[1])),
        },
        "bytes": {name: sum(map(len, blobs)) for name, blobs in ridden.exits.items()},
        "found": found,
        "problems": ridden.problems(overflowed),
    }


if __name__ == "__main__":
    sys.exit(main())
