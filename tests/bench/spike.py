"""Ten times the customers for a minute: who is answered, how soon, by whom, and how soon it is over.

Three modes, each with real processes (node with worker and courier, control plane, provider, load generator):

generative   arrivals at 30 % of what the node's own model writes, then ten times as many; the control plane's provider
             streams first tokens after 300 ms
away         the same with the control plane gone
extractive   arrivals at 30 % of what the node answers from documents, then ten times as many

Arrivals are those of a real service, stretched (`arrivals`). Capacity is measured first, at the node under test, and in
extractive mode again afterwards, since machines are shared. A spike ends as the last of its turns does.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench import arrivals, harness, spike_site, spike_texts
from tests.bench.turn_load import Outcome, Plan, Turn, TurnLoad
from tests.canaries import MARK
from tests.running import RunningNode

BASE_SHARE = 0.3
TIMES = 10
SPIKE_S = 60.0
# Of the spike's time, that before it and that after it at the base's rate.
BEFORE, AFTER = 0.4, 0.5
# Customers who ask without a pause, to find out what a node answers.
CAPACITY_CUSTOMERS = 32
CAPACITY_S = 15.0
GENERATION_CAPACITY_S = 40.0
# More than one of them gets answers; what is left over nobody asks.
ASKED_PER_S = 4
# Two in five are answered, and of their wordings half: more than a spike of a small model's capacity needs.
GENERATIVE_TEXTS = 900
WORDINGS = 4
GENERATION_WARM_TEXTS = 60
WARM_CUSTOMERS, WARM_S = 4, 8.0
# Each waits about a second at most: more customers than ever have a question under way.
EXTRACTIVE_CUSTOMERS = 800
# What a turn after the spike must not be worse than.
GOOD_FIRST_S = 1.0
REFUSED_S = 0.1
MODES = ("generative", "away", "extractive")
# The first third of the trace's hour.
TRACE_START = 1_000


@dataclass(frozen=True)
class Spike:
    """What a mode came to: the turns of all three stretches, and when the spike began and ended, seconds."""

    outcome: Outcome
    begins_s: float
    ends_s: float

    @property
    def during(self) -> list[Turn]:
        """The turns that were due in the spike."""
        return [turn for turn in self.outcome.turns if self.begins_s <= turn.due_s < self.ends_s]

    @property
    def after(self) -> list[Turn]:
        return [turn for turn in self.outcome.turns if turn.due_s >= self.ends_s]

    @property
    def goodput(self) -> float:
        """Turns a second that ended well within the spike."""
        ended = [turn for turn in self.outcome.turns if served(turn) and turn.end_s is not None]
        inside = [turn for turn in ended if self.begins_s <= (turn.end_s or 0.0) < self.ends_s]
        return len(inside) / (self.ends_s - self.begins_s)

    def recovery_s(self) -> float:
        """From the end of the spike until its last turn has ended, and every turn after that is as before."""
        ends = [turn.end_s or turn.due_s for turn in self.during]
        ends += [turn.end_s or turn.due_s for turn in self.after if not good(turn)]
        return max(0.0, max(ends, default=0.0) - self.ends_s)


def served(turn: Turn) -> bool:
    """Whether the desk did its work: an answer, a question back, a human because the documents have nothing."""
    return turn.end not in ("refused", "error", "lost") and not turn.full


def good(turn: Turn) -> bool:
    """Whether it was answered in time."""
    return turn.answered and first_s(turn) <= GOOD_FIRST_S


def first_s(turn: Turn) -> float:
    """Seconds from when it was due to the first text."""
    return (turn.first_s if turn.first_s is not None else float("inf")) - turn.due_s


def run_spike(load: TurnLoad, node: RunningNode, rate: float, spike_s: float, more: dict[str, Any]) -> Spike:
    """`rate` before and after, ten times as much in between. `more`: the texts, and fields of the plan."""
    times = arrivals.trace()
    lengths = (BEFORE * spike_s, spike_s, AFTER * spike_s)
    due: list[float] = []
    at_s = 0.0
    for length, factor in zip(lengths, (1, TIMES, 1), strict=True):
        start = TRACE_START + len(due)
        due += [at_s + at for at in arrivals.stretched(times, start, factor * rate, length)]
        at_s += length
    texts = list(itertools.islice(more.pop("texts"), len(due)))
    if len(texts) < len(due):
        raise harness.BenchRefused(f"{len(due)} questions are wanted and {len(texts)} are there.")
    harness.progress(f"{len(due)} turns: {rate:.2f}/s, then {TIMES * rate:.2f}/s for {spike_s:.0f} s")
    outcome = load.run(Plan(node.url, texts, due, **more))
    return Spike(outcome, lengths[0], lengths[0] + spike_s)


def capacity(
    load: TurnLoad, node: RunningNode, texts: Iterator[str], customers: int, seconds: float
) -> float:
    """Turns a second that are served when customers ask without a pause."""
    wanted = list(itertools.islice(texts, 5_000))
    plan = Plan(node.url, wanted, [], customers, closed=True, seconds=seconds)
    outcome = load.run(plan)
    return sum(map(served, outcome.turns)) / outcome.seconds


def generation_capacity(load: TurnLoad, node: RunningNode, texts: Iterator[str]) -> float:
    """Answers a second that a node's own model writes to their end for one customer who asks without a pause.

    Whether they are shown is another matter: one that fails its check took the model as long. The node waits longer for
    them than it does by default, since what it does not wait for is no answer.
    """
    before = spike_site.written(node)
    wanted = list(itertools.islice(texts, round(ASKED_PER_S * GENERATION_CAPACITY_S)))
    plan = Plan(node.url, wanted, [], 1, closed=True, seconds=GENERATION_CAPACITY_S)
    outcome = load.run(plan)
    return (spike_site.written(node) - before) / outcome.seconds


def answerable(load: TurnLoad, node: RunningNode, texts: Sequence[str], *, fresh: bool = True) -> list[str]:
    """Those that the documents answer while nothing else happens, each asked in a session of its own (`fresh`)."""
    found, left = set[str](), list(texts)
    while left:
        outcome = load.run(Plan(node.url, left, [], WARM_CUSTOMERS, fresh=fresh, closed=True))
        found |= {left[turn.number] for turn in outcome.turns if turn.answered}
        left = [left[turn.number] for turn in outcome.turns if not served(turn)]
    harness.progress(f"{len(found)} of {len(texts)} questions are answered at the idle node")
    return [text for text in texts if text in found]


def told(spike: Spike) -> dict[str, Any]:
    """What every mode reports."""
    turns, during = spike.outcome.turns, spike.during
    refused = [turn for turn in turns if not served(turn) and turn.end != "lost"]
    refused_s = [(turn.end_s or 0.0) - turn.due_s for turn in refused]
    return {
        "turns": len(turns),
        "turns_in_spike": len(during),
        "ends": dict(Counter(_end(turn) for turn in turns)),
        "ends_in_spike": dict(Counter(_end(turn) for turn in during)),
        "first_text_p50_s": _percentile([first_s(turn) for turn in during if turn.answered], 50),
        "first_text_p95_s": _percentile([first_s(turn) for turn in during if turn.answered], 95),
        "first_text_p95_s_by_end": {
            end: _percentile([first_s(turn) for turn in during if turn.end == end], 95)
            for end in sorted({turn.end for turn in during if turn.answered})
        },
        "before_first_text_p95_s": _percentile(
            [first_s(turn) for turn in turns if turn.due_s < spike.begins_s and turn.answered], 95
        ),
        "answered_share": round(sum(turn.answered for turn in turns) / len(turns), 4),
        "answered_s_p95": _percentile(
            [(turn.end_s or 0.0) - turn.due_s for turn in during if served(turn)], 95
        ),
        "refused": len(refused),
        "refused_p99_s": _percentile(refused_s, 99),
        "refused_in_time_share": round(sum(s <= REFUSED_S for s in refused_s) / max(1, len(refused_s)), 4),
        "refused_without_retry_after": sum(not turn.retry_after for turn in refused),
        "lost": sum(turn.end == "lost" for turn in turns),
        "recovery_s": round(spike.recovery_s(), 2),
        "sent_late_p99_ms": _percentile([1e3 * (turn.sent_s - turn.due_s) for turn in turns], 99),
        "load_cores": round(spike.outcome.cores, 3),
        "starved": spike.outcome.starved,
    }


def _end(turn: Turn) -> str:
    return "card" if turn.full else f"{turn.end} {turn.code}".strip()


def _percentile(values: Sequence[float], percent: float) -> float | None:
    return round(harness.percentile(values, percent), 3) if values else None


@dataclass
class Bench:
    """The parts that modes share."""

    load: TurnLoad
    prepared: Path
    spike_s: float
    report: harness.Report
    texts: list[str]

    def extractive(self) -> None:
        """Ten times 30 % of what the node answers from its documents."""
        with spike_site.node(self.prepared, "extractive", "extractive") as node:
            found = self.warmed(node, self.texts)
            worded = spike_texts.wordings(found)
            before = capacity(self.load, node, worded, CAPACITY_CUSTOMERS, CAPACITY_S)
            rate = BASE_SHARE * before
            plan = {"texts": worded, "customers": EXTRACTIVE_CUSTOMERS}
            spike = run_spike(self.load, node, rate, self.spike_s, plan)
            after = capacity(self.load, node, worded, CAPACITY_CUSTOMERS, CAPACITY_S)
        whole = (before + after) / 2
        self.report.results["extractive"] = {
            "capacity_before_per_s": round(before, 1),
            "capacity_after_per_s": round(after, 1),
            "goodput_per_s": round(spike.goodput, 1),
            **told(spike),
        }
        self.report.judged |= {
            "extractive_goodput": round(spike.goodput / whole, 3),
            "extractive_p95_s": _percentile(
                [(turn.end_s or 0.0) - turn.due_s for turn in spike.during if served(turn)], 95
            ),
            "extractive_refused_p99_s": self.report.results["extractive"]["refused_p99_s"],
        }

    def warmed(self, node: RunningNode, texts: list[str]) -> list[str]:
        """The questions that this site's documents answer; the node has read its documents then, too."""
        self.load.run(Plan(node.url, texts, [], WARM_CUSTOMERS, closed=True, seconds=WARM_S))
        return answerable(self.load, node, texts)

    def generative(self, away: bool) -> None:
        """Ten times 30 % of what the node's own model writes."""
        name = "away" if away else "generative"
        with contextlib.ExitStack() as stack:
            with spike_site.node(self.prepared, f"{name}-idle", "extractive") as idle:
                questions = self._questions(idle)
            with spike_site.node(self.prepared, f"{name}-alone", "generative", patient=True) as alone:
                spike_site.wait_until_writing(alone)
                generated = generation_capacity(self.load, alone, questions)
            provider = stack.enter_context(spike_site.provider())
            settings = spike_site.overflow_settings(provider.url)
            cloud = stack.enter_context(spike_site.cloud(self.prepared.parent / f"{name}-cloud", settings))
            node = stack.enter_context(spike_site.node(self.prepared, name, "generative", cloud))
            self._warm_generation(node, questions)
            if away:
                cloud.kill()
            plan = {"texts": questions, "customers": 0, "overflow": True, "fresh": True}
            spike = run_spike(self.load, node, BASE_SHARE * generated, self.spike_s, plan)
            heard = provider.heard()
        found = told(spike)
        unscanned = sum(MARK in text.lower() for text in heard)
        self.report.results[name] = {
            "generation_capacity_per_s": round(generated, 3),
            "texts_at_provider": len(heard),
            "unscanned": unscanned,
            **found,
        }
        kept = {"answered_share", "lost", "recovery_s"}
        judged = {key: found[key] for key in kept} | {"unscanned": unscanned}
        judged["ttft_p95_s"] = found["first_text_p95_s"]
        if away:
            judged |= {key: found[key] for key in ("refused", "refused_p99_s", "refused_without_retry_after")}
            judged = {f"away_{key}": value for key, value in judged.items()}
        self.report.judged |= judged

    def _warm_generation(self, node: RunningNode, questions: Iterator[str]) -> None:
        """The model is loaded, the documents are read, and what is predicted rests on something."""
        texts = list(itertools.islice(questions, GENERATION_WARM_TEXTS))
        self.load.run(Plan(node.url, texts, [], 1, overflow=True, fresh=True, closed=True, seconds=WARM_S))

    def _questions(self, idle: RunningNode) -> Iterator[str]:
        """Questions that are answered, some with a canary, each once."""
        found = self.warmed(idle, self.texts[:GENERATIVE_TEXTS])
        more = spike_texts.with_canaries(
            list(itertools.islice(spike_texts.wordings(found), WORDINGS * len(found)))
        )
        return iter(answerable(self.load, idle, more))


def bench(options: argparse.Namespace) -> harness.Report:
    report = harness.Report("spike")
    report.config |= {
        "spike_s": options.seconds,
        "before_s": BEFORE * options.seconds,
        "after_s": AFTER * options.seconds,
        "base_share_of_capacity": BASE_SHARE,
        "times": TIMES,
        "arrivals": "/".join(arrivals.TRACE),
        "modes": options.modes,
        **spike_site.INVENTED,
    }
    with tempfile.TemporaryDirectory(prefix="postern-spike-") as folder, contextlib.ExitStack() as stack:
        load = TurnLoad()
        stack.callback(load.close)
        harness.progress("making the sample site")
        prepared = spike_site.make_site(Path(options.state or folder))
        made = Bench(load, prepared, options.seconds, report, spike_texts.asked())
        for mode in options.modes:
            harness.progress(f"mode {mode}")
            if mode == "extractive":
                made.extractive()
            else:
                made.generative(away=mode == "away")
    return report


def main() -> int:
    """Run it."""
    parser = harness.arguments("spike", seconds=SPIKE_S)
    parser.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES))
    parser.add_argument("--state", help="where sites and logs are kept; else they go away with the bench")
    return harness.run(parser, bench)


if __name__ == "__main__":
    sys.exit(main())
