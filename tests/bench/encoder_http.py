"""`POST /v1/embeddings` of a node beside other servers of embeddings on the same int8 weights, in a closed loop.

Every peer is tried in several ways (`embedding_peers`) at each number of callers; the node is then compared with the
fastest way of those that batch. What does not batch is in the table of ways, with the node beside it. Only one side is
asked at a time, and both get the same texts. The load comes from a process of its own (`http_load`).
"""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path

import numpy as np

from edge.config import site_paths
from edge.site_setup import create_site
from tests.bench import harness
from tests.bench.chat import set_free_port, start_node
from tests.bench.embedding_peers import Running, Way, started, ways
from tests.bench.http_load import Counted, Load, Server, Slice
from tests.bench.peers import peer_python

# By the number of callers: seconds of a slice before those that count, and those. At 64 an answer takes up to half one.
SLICES_S = {1: (0.05, 0.6), 16: (0.15, 0.6), 64: (0.4, 0.8)}
# Slices of each way before the comparison, after one that does not count. Only the order matters: they are shorter.
TRIES = 2
TRY_SHARE = 0.7
# The least agreement of the two sides' vectors: the same weights, rounded differently by batches.
COSINE_MIN = 0.99
SAME_TEXTS = ["When is the clinic open?", "parking", "Can I bring my child to the vaccination on Monday?"]
# A key whose limits are out of the way.
KEY_OPTIONS = ["--scope", "embeddings", "--concurrent", "1024"]
KEY_OPTIONS += ["--requests-per-minute", "1000000", "--tokens-per-minute", "100000000"]

Ask = Callable[[Slice], Counted]


class Sides:
    """The node and the peers, asked one at a time."""

    def __init__(self, load: Load, node: Server, peers: Sequence[Running]) -> None:
        self._load = load
        self._node = node
        self.peers = peers
        self._seeds = count(1)

    def ours(self, wanted: Slice) -> Counted:
        return self._load.slice(self._node, wanted)

    def of(self, peer: Running) -> Ask:
        def ask(wanted: Slice) -> Counted:
            with peer.awake() as server:
                return self._load.slice(server, wanted)

        return ask

    def wanted(self, callers: int, share: float = 1.0) -> Slice:
        """The next slice, whose texts nobody was sent yet."""
        lead_s, seconds = SLICES_S[callers]
        return Slice(callers, lead_s, seconds * share, next(self._seeds))

    def cosine_min(self, peer: Running) -> float:
        """How far the peer's vectors agree with ours."""
        ours = self._load.vectors(self._node, SAME_TEXTS)
        with peer.awake() as server:
            theirs = self._load.vectors(server, SAME_TEXTS)
        pairs = zip(ours, theirs, strict=True)
        return min(float(np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b)) for a, b in pairs)


@contextlib.contextmanager
def our_node(folder: Path) -> Iterator[Server]:
    """A node of the sample clinic, with a key."""
    site = folder / "site"
    create_site(site_paths(site), "clinic")
    set_free_port(site)
    node = start_node(site)
    try:
        command = [sys.executable, "-m", "edge.cli", "api-keys", "new", "bench", "--json"]
        command += ["--site", str(site), *KEY_OPTIONS]
        made = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        yield Server(node.port, "/v1/embeddings", json.loads(made.stdout)["key"])
    finally:
        node.stop()


def rank(sides: Sides, callers: int, report: harness.Report) -> list[Running]:
    """The peers' ways, the fastest first; the node is asked in turn with them, for a figure beside theirs."""
    asks = [sides.ours, *map(sides.of, sides.peers)]
    seen: list[list[float]] = [[] for _ in asks]
    for _ in range(1 + TRIES):
        wanted = sides.wanted(callers, TRY_SHARE)
        for rates, ask in zip(seen, asks, strict=True):
            rates.append(ask(wanted).per_s)
    ours, *theirs = (round(statistics.median(rates[1:]), 1) for rates in seen)
    found = sorted(zip(theirs, sides.peers, strict=True), key=lambda one: one[0], reverse=True)
    table = {"ours": ours} | {_title(peer.way): rate for rate, peer in found}
    report.results[f"http_c{callers}"] = {"per_s_by_way": table}
    return [peer for _, peer in found]


def compare(sides: Sides, peer: Running, callers: int, pairs: int, report: harness.Report) -> None:
    """`http_over_peer_cN`."""
    ours, theirs = list[Counted](), list[Counted]()
    both = [(ours, sides.ours), (theirs, sides.of(peer))]
    for _, ask in both:
        ask(sides.wanted(callers))  # warms it up
    for pair in range(pairs):
        wanted = sides.wanted(callers)
        for seen, ask in reversed(both) if pair % 2 else both:
            seen.append(ask(wanted))
        if pair % 10 == 9:
            rates = f"{ours[-1].per_s:.0f} requests/s, peer {theirs[-1].per_s:.0f}"
            harness.progress(f"{callers} callers, pair {pair + 1} of {pairs}: {rates}")
    ratios = [one.per_s / other.per_s for one, other in zip(ours, theirs, strict=True)]
    report.judged |= harness.ratio_of(ratios).judged(f"http_over_peer_c{callers}")
    report.results[f"http_c{callers}"] |= {"ours": _told(ours), _title(peer.way): _told(theirs)}


def _told(slices: Sequence[Counted]) -> dict[str, float]:
    return {
        "per_s": round(statistics.median(one.per_s for one in slices), 1),
        "p50_ms": round(1e3 * statistics.median(one.p50_s for one in slices), 2),
        "load_cores": round(statistics.median(one.load_cores for one in slices), 3),
    }


def _title(way: Way) -> str:
    return f"{way.name}, {way.settings}"


def at(callers: int, sides: Sides, pairs: int, report: harness.Report) -> str:
    """`http_over_peer_cN`; returns the peer."""
    best = next(peer for peer in rank(sides, callers, report) if peer.way.batches)
    compare(sides, best, callers, pairs, report)
    return _title(best.way)


def http_over_peer(seconds: float, report: harness.Report) -> None:
    """`peer` and the ratios; without a peer only `peer`, and the reason among the results."""
    refused = dict[str, str]()
    for name in {way.peer for way in ways()}:
        try:
            peer_python(name)
        except harness.BenchRefused as refusal:
            refused[name] = str(refusal)
    if refused:
        report.results["no_peer_because"] = refused
    if not (there := [way for way in ways() if way.peer not in refused]):
        report.judged["peer"] = "none"
        return
    pairs = max(harness.PAIRS_MIN, int(seconds / (2 * sum(map(sum, SLICES_S.values())))))
    report.config["http_pairs"] = pairs
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="postern-bench-")))
        running = []
        for number, way in enumerate(there):
            (folder / str(number)).mkdir()
            running.append(stack.enter_context(started(way, folder / str(number))))
        node = stack.enter_context(our_node(folder))
        load = Load()
        stack.callback(load.close)
        sides = Sides(load, node, running)
        _same_vectors(sides, report)
        found = [f"{callers} callers: {at(callers, sides, pairs, report)}" for callers in SLICES_S]
        report.judged["peer"] = "; ".join(found)


def _same_vectors(sides: Sides, report: harness.Report) -> None:
    """Raises BenchRefused."""
    agreed = {_title(peer.way): round(sides.cosine_min(peer), 5) for peer in sides.peers}
    report.results["peer_cosine_min"] = min(agreed.values())
    if min(agreed.values()) < COSINE_MIN:
        raise harness.BenchRefused(f"A peer makes other vectors of the same weights: {agreed}")
