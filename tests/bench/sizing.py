"""How many answers an hour this machine gives, by quotes and by its own model; what that makes of branches and costs.

A real node with the sample clinic, customers who ask without a pause, each wording once. What is measured is answers,
the processor time of the node's processes, and watts where the processor tells them (RAPL). Branches and costs are
arithmetic from there, with assumptions that are options here and are printed with the result: docs/sizing.md.
`python -m tests.bench.sizing --json`
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.bench import harness, spike_site, spike_texts
from tests.bench.spike import CAPACITY_CUSTOMERS, WARM_CUSTOMERS, WARM_S, answerable
from tests.bench.turn_load import Plan, TurnLoad
from tests.running import RunningNode

# The model writes one answer at a time; a second customer would only wait.
WRITING_CUSTOMERS = 1
# Of the time, for answers that take seconds each.
WRITING_SHARE = 0.7
# A site gives quotes where the model's words would come too late; here they are waited for, and how late is told.
PATIENT = "first_token_deadline_s = 60\ngenerate_deadline_s = 120\n"
HOURS_A_YEAR = 8_760
# Energy of the processor's packages in microjoules (Linux, drivers/powercap); readable by root only since 2020.
RAPL = Path("/sys/class/powercap")
MICRO = 1e-6


@dataclass(frozen=True)
class Assumed:
    """What no bench can measure. Money in euros."""

    visitors_a_day: float = 200
    asking_share: float = 0.5
    questions_each: float = 3
    busiest_hour_share: float = 0.15
    open_days_a_year: float = 250
    # Of what the machine gives, in the busiest hour: a rush of thrice as much is still within.
    planned_share: float = 0.3
    machine_price: float = 1_200
    machine_years: float = 5
    # Where the processor tells none: a small computer with two busy cores, at the socket.
    watts: float = 40
    kwh_price: float = 0.30

    @property
    def questions_a_year(self) -> float:
        """Of one branch."""
        return self.visitors_a_day * self.asking_share * self.questions_each * self.open_days_a_year

    @property
    def questions_in_busiest_hour(self) -> float:
        """Of one branch."""
        return self.visitors_a_day * self.busiest_hour_share * self.asking_share * self.questions_each


@dataclass(frozen=True)
class Measured:
    """Of customers who ask without a pause. Cores and memory (10^6 bytes) are those of all the node's processes.

    `watts` of the processor alone; None: it does not say.
    """

    answers_per_h: float
    own_words_share: float
    p50_s: float
    p95_s: float
    cores: float
    memory_mb: int
    watts: float | None


def sized(measured: Measured, assumed: Assumed) -> dict[str, Any]:
    """Branches that the machine carries, and what 1,000 answers cost with one and with as many."""
    branches = max(1, int(assumed.planned_share * measured.answers_per_h / assumed.questions_in_busiest_hour))
    a_year = assumed.machine_price / assumed.machine_years
    a_year += HOURS_A_YEAR * (measured.watts or assumed.watts) / 1000 * assumed.kwh_price
    thousands = assumed.questions_a_year / 1000
    return {
        "branches": branches,
        "cost_a_year": round(a_year, 2),
        "cost_per_1000_one_branch": round(a_year / thousands, 3),
        "cost_per_1000_all_branches": round(a_year / thousands / branches, 4),
    }


def package_energy_j() -> float | None:
    """What the processor's packages have used, joules since some time; None where it cannot be read."""
    zones = [zone for zone in sorted(RAPL.glob("intel-rapl:*")) if zone.name.count(":") == 1]
    try:
        return sum(int((zone / "energy_uj").read_text()) for zone in zones) * MICRO if zones else None
    except OSError:
        return None


class _Use:
    """Processor time and energy over a stretch."""

    def __init__(self, node: RunningNode) -> None:
        self._node = node
        self._began = time.monotonic(), self._cpu_s(), package_energy_j()

    def since(self) -> tuple[float, float | None]:
        """Cores that the node's processes used, and watts of the processor."""
        began_s, cpu_s, joules = self._began
        took_s, now_j = time.monotonic() - began_s, package_energy_j()
        # The counter starts anew at some day's end: then nothing is said.
        known = joules is not None and now_j is not None and now_j >= joules
        return (self._cpu_s() - cpu_s) / took_s, ((now_j or 0) - (joules or 0)) / took_s if known else None

    def _cpu_s(self) -> float:
        times = [each.cpu_times() for each in _family(self._node)]
        return sum(each.user + each.system for each in times)


def _family(node: RunningNode) -> list[psutil.Process]:
    supervisor = psutil.Process(node.process.pid)
    return [supervisor, *supervisor.children(recursive=True)]


def measure(
    load: TurnLoad, node: RunningNode, texts: Iterator[str], customers: int, seconds: float
) -> Measured:
    """Answers to `customers` who ask for so long, by the model or, where what it wrote did not hold, by quotes."""
    use = _Use(node)
    plan = Plan(node.url, list(itertools.islice(texts, 5_000)), [], customers, closed=True, seconds=seconds)
    outcome = load.run(plan)
    cores, watts = use.since()
    answered = [turn for turn in outcome.turns if turn.answered]
    if not answered:
        raise harness.BenchRefused("No question was answered: see the node's log.")
    took = [turn.end_s - turn.sent_s for turn in answered if turn.end_s is not None]
    return Measured(
        answers_per_h=round(3600 * len(answered) / outcome.seconds),
        own_words_share=round(sum(turn.end == "generate" for turn in answered) / len(answered), 3),
        p50_s=round(harness.percentile(took, 50), 3),
        p95_s=round(harness.percentile(took, 95), 3),
        cores=round(cores, 2),
        memory_mb=round(harness.rss_mb([each.pid for each in _family(node)])),
        watts=None if watts is None else round(watts, 1),
    )


def bench(options: argparse.Namespace) -> harness.Report:
    assumed = Assumed(**{name: getattr(options, name) for name in Assumed.__dataclass_fields__})
    report = harness.Report("sizing", config={"assumed": vars(assumed)})
    writing_s = WRITING_SHARE * options.seconds
    with tempfile.TemporaryDirectory(prefix="postern-sizing-") as folder, contextlib.ExitStack() as stack:
        load = TurnLoad()
        stack.callback(load.close)
        harness.progress("making the sample site")
        prepared = spike_site.make_site(Path(folder))
        settings = (prepared / "site.toml").read_text()
        (prepared / "site.toml").write_text(settings.replace("[answer]\n", f"[answer]\n{PATIENT}"))
        with spike_site.node(prepared, "quoting", "extractive") as node:
            asked = spike_texts.asked()
            load.run(Plan(node.url, asked, [], WARM_CUSTOMERS, closed=True, seconds=WARM_S))
            texts = answerable(load, node, asked)
            worded = spike_texts.wordings(texts)
            quotes = measure(load, node, worded, CAPACITY_CUSTOMERS, options.seconds - writing_s)
        with spike_site.node(prepared, "writing", "generative") as node:
            spike_site.wait_until_writing(node)
            worded = spike_texts.wordings(texts)
            words = measure(load, node, worded, WRITING_CUSTOMERS, writing_s)
    for name, found in (("extractive", quotes), ("generative", words)):
        report.results[name] = vars(found) | sized(found, assumed)
        report.judged[f"{name}_answers_per_h"] = found.answers_per_h
        report.judged[f"{name}_branches"] = report.results[name]["branches"]
    return report


def main() -> int:
    parser = harness.arguments("sizing", seconds=60)
    for name, value in vars(Assumed()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=value)
    return harness.run(parser, bench)


if __name__ == "__main__":
    sys.exit(main())
